//! Model files that are wrong: each ends in words, soon, and without much memory.

#![expect(clippy::disallowed_methods, reason = "the time that a refusal takes")]

mod checkpoint;
mod safetensors;

use std::{fs, time::Instant};

use lm::{Embedder, Gguf, Tokenizer};
use peak_alloc::PeakAlloc;
use serde_json::json;

use crate::{
    embed,
    gguf_file::{self as gguf, GgufFile, list, text, texts},
};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Most seconds of the processor until a refusal; more where the parser of JSON is not optimised.
const MAX_SECONDS: f64 = if cfg!(debug_assertions) { 4.0 } else { 1.0 };
/// Most bytes that reading allocates at once, beyond the file itself where that is in memory.
const MAX_BYTES: usize = 256 << 20;

/// What is done with a wrong file, and a part of the message that it must end in.
struct Case {
    name: String,
    read: Box<dyn FnOnce() -> Result<(), String>>,
    message: &'static str,
}

/// Seconds that this thread has run; where the system does not tell, seconds that have passed.
fn seconds(start: Instant) -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ran = told.and_then(|line| line.split(' ').next()?.parse::<f64>().ok());
    ran.map_or_else(|| start.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

/// Runs all cases and returns how many there were.
fn check(cases: Vec<Case>) -> usize {
    let (count, start, mut wrong) = (cases.len(), Instant::now(), Vec::new());
    for Case { name, read, message } in cases {
        ALLOCATED.reset_peak_usage();
        let (bytes_before, before) = (ALLOCATED.current_usage(), seconds(start));
        let result = read();
        let took = seconds(start) - before;
        let bytes = ALLOCATED.peak_usage().saturating_sub(bytes_before);
        match &result {
            Ok(()) => wrong.push(format!("{name}: was accepted")),
            Err(found) if !found.contains(message) || found.len() > 1000 => {
                wrong.push(format!("{name}: {found:?}, expected {message:?}"));
            }
            Err(_) if took > MAX_SECONDS || bytes > MAX_BYTES => {
                wrong.push(format!("{name}: took {took} s and {bytes} bytes"));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
    count
}

fn words<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

/// Reads all of a GGUF file.
fn read_gguf(bytes: Vec<u8>) -> Result<(), String> {
    let gguf = Gguf::from_bytes(bytes).map_err(words)?;
    gguf.config().map_err(words)?;
    let start = gguf.start_token().map_err(words)?;
    Tokenizer::from_json(&gguf.tokenizer_json().map_err(words)?, start).map_err(words)?;
    let mut tensors = gguf.into_tensors();
    let names: Vec<String> = tensors.names().map(Into::into).collect();
    for name in names {
        let shape = tensors.shape(&name).unwrap().to_vec();
        tensors.take(&name, &shape).map_err(words)?;
    }
    tensors.finish().map_err(words)
}

#[test]
fn gguf_files_are_refused_in_words() {
    read_gguf(GgufFile::llama().bytes()).unwrap();
    let mut cases = Vec::new();
    let mut raw = |name: &str, bytes: Vec<u8>, message: &'static str| {
        cases.push(Case { name: name.into(), read: Box::new(move || read_gguf(bytes)), message });
    };
    let whole = GgufFile::llama().bytes();
    raw("nothing", vec![], "ends within its head");
    raw("four bytes", b"GGUF".into(), "ends within its head");
    raw("half a head", whole[..3000].into(), "ends within its head");
    raw("half the numbers", whole[..whole.len() - 100].into(), "to at most");
    raw("more than the fill", [&whole[..], &[0; 32]].concat(), "bytes follow the head, its tensors take");
    let mut check_that = |name: &str, change: fn(&mut GgufFile), message: &'static str| {
        let mut file = GgufFile::llama();
        change(&mut file);
        raw(name, file.bytes(), message);
    };
    check_that("another mark", |f| f.magic = b"GGML".into(), "does not begin with \"GGUF\"");
    check_that("version 1", |f| f.version = 1, "version 1 of gguf file is not supported, expected 2 or 3");
    check_that("version 4", |f| f.version = 4, "version 4");
    check_that("big endian", |f| f.version = 3 << 24, "byte order");
    check_that(
        "2^64 tensors",
        |f| f.tensor_count = Some(u64::MAX),
        "number of tensors in gguf file is 18446744073709551615",
    );
    check_that("20,001 tensors", |f| f.tensor_count = Some(20_001), "at most 20000");
    check_that("20,000 tensors", |f| f.tensor_count = Some(20_000), "number of dimensions of tensor \"\"");
    check_that("2^64 values", |f| f.value_count = Some(u64::MAX), "number of named values");
    check_that("4,097 values", |f| f.value_count = Some(4097), "at most 4096");
    check_that("a value less", |f| f.value_count = Some(f.values.len() as u64 - 1), "");
    check_that(
        "a long key",
        |f| f.set(&"k".repeat(257), gguf::BOOL, vec![0]),
        "length of a key in bytes in gguf file is 257",
    );
    check_that("a key of no text", |f| f.values.push((vec![255], gguf::BOOL, vec![0])), "not utf-8");
    check_that(
        "a key twice",
        |f| f.values.push(f.values[0].clone()),
        "\"general.architecture\" stands twice",
    );
    check_that("an unknown type of value", |f| f.set("x", 13, vec![0]), "type 13, expected 0 to 12");
    check_that("half a truth", |f| f.set("x", gguf::BOOL, vec![2]), "truth value is 2");
    check_that("a text of 2^64", |f| f.set("x", gguf::TEXT, vec![255; 8]), "length of a text in bytes");
    check_that(
        "a long text",
        |f| f.set("x", gguf::TEXT, text(&vec![b'x'; (1 << 20) + 1])),
        "is 1048577, at most 1048576",
    );
    check_that(
        "a text beyond the file",
        |f| f.set("x", gguf::TEXT, (1u64 << 20).to_le_bytes().into()),
        "ends within its head",
    );
    check_that("a text of no text", |f| f.set("x", gguf::TEXT, text(&[0xc0, 0x80])), "not utf-8");
    check_that(
        "a list of 2^64",
        |f| f.set("x", gguf::LIST, [&[0; 4][..], &[255; 8]].concat()),
        "items of a list",
    );
    check_that(
        "a long list",
        |f| f.set("x", gguf::LIST, [&[0; 4][..], &((1u64 << 20) + 1).to_le_bytes()].concat()),
        "is 1048577, at most 1048576",
    );
    check_that(
        "a list beyond the file",
        |f| f.set("x", gguf::LIST, [&[12, 0, 0, 0][..], &(1u64 << 20).to_le_bytes()].concat()),
        "ends within its head",
    );
    check_that(
        "a list of nothing known",
        |f| f.set("x", gguf::LIST, [&[99, 0, 0, 0][..], &[0; 8]].concat()),
        "type 99",
    );
    check_that(
        "five lists in each other",
        |f| f.set("x", gguf::LIST, [[9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]; 5].concat()),
        "depth of lists in gguf file is 5",
    );
    check_that(
        "a head beyond the bound",
        |f| {
            let texts = list(gguf::TEXT, &vec![text(&[b'x'; 8]); 1 << 20]);
            (0..3).for_each(|n| f.set(&format!("x{n}"), gguf::LIST, texts.clone()));
        },
        "length of the head in bytes",
    );
    check_that(
        "lists of lists beyond the bound",
        |f| {
            let inner = list(gguf::TEXT, &vec![text(b""); 1 << 10]);
            f.set("x", gguf::LIST, list(gguf::LIST, &vec![inner; 1 << 12]));
        },
        "length of the head in bytes",
    );
    check_that("no architecture", |f| f.remove("general.architecture"), "general.architecture missing");
    check_that(
        "another architecture",
        |f| f.set("general.architecture", gguf::TEXT, text(b"phi3")),
        "\"phi3\" is not supported",
    );
    check_that(
        "a number as architecture",
        |f| f.set("general.architecture", gguf::U32, vec![1, 0, 0, 0]),
        "general.architecture 1",
    );
    check_that(
        "no alignment",
        |f| f.set("general.alignment", gguf::U32, vec![0; 4]),
        "it is 0, expected a power of two",
    );
    check_that("an odd alignment", |f| f.set("general.alignment", gguf::U32, vec![33, 0, 0, 0]), "it is 33");
    check_that(
        "a wide alignment",
        |f| f.set("general.alignment", gguf::U32, vec![0, 0, 0, 128]),
        "it is 2147483648",
    );
    check_that(
        "another alignment",
        |f| f.set("general.alignment", gguf::U32, vec![64, 0, 0, 0]),
        "malformed",
    );
    check_that(
        "a text as alignment",
        |f| f.set("general.alignment", gguf::TEXT, text(b"32")),
        "expected a whole number",
    );
    check_that("five dimensions", |f| f.tensors[1].1 = vec![8, 1, 1, 1, 1], "is 5, at most 4");
    check_that("2^32 dimensions", |f| f.tensors[0].1 = vec![0; 300], "is 300, at most 4");
    check_that("no dimensions", |f| f.tensors[1].1 = vec![], "dimensions []");
    check_that("an empty dimension", |f| f.tensors[0].1 = vec![8, 0], "zero or beyond 64 bits");
    check_that("a product of 2^64", |f| f.tensors[0].1 = vec![1 << 32, 1 << 32], "zero or beyond 64 bits");
    check_that("a product of 2^62", |f| f.tensors[0].1 = vec![1 << 31, 1 << 31], "zero or beyond 64 bits");
    check_that("a product of 2^60", |f| f.tensors[0].1 = vec![1 << 30, 1 << 30], "to at most");
    check_that("half a block", |f| f.tensors[0].2 = 8, "don't begin with a multiple of 32");
    check_that(
        "a type that is not read",
        |f| f.tensors[0].2 = 10,
        "of type Q2_K is not supported, expected F32, F16",
    );
    check_that("a number as tensor's type", |f| f.tensors[0].2 = 28, "of type F64 is not supported");
    check_that("an unknown tensor's type", |f| f.tensors[0].2 = u32::MAX, "of type 4294967295");
    check_that(
        "an offset beyond the file",
        |f| f.tensors[0].3 = 1 << 40,
        "lie at 1099511627776, expected at 0",
    );
    check_that("an offset of 2^64", |f| f.tensors[2].3 = u64::MAX, "lie at 18446744073709551615");
    check_that("an odd offset", |f| f.tensors[1].3 += 1, "expected at 8256");
    check_that("an overlap", |f| f.tensors[1].3 = 0, "lie at 0, expected at 8256");
    check_that("a tensor twice", |f| f.tensors[5].0 = f.tensors[2].0.clone(), "stands twice");
    check_that(
        "an unknown tensor",
        |f| f.tensors[1].0 = "rope_freqs.weight".into(),
        "tensor \"rope_freqs.weight\" is not supported",
    );
    check_that(
        "a layer with a zero before",
        |f| f.tensors[1].0 = "blk.00.attn_norm.weight".into(),
        "is not supported",
    );
    check_that(
        "a layer of many",
        |f| f.tensors[1].0 = "blk.10000.attn_norm.weight".into(),
        "is not supported",
    );
    check_that(
        "a layer below zero",
        |f| f.tensors[1].0 = "blk.-1.attn_norm.weight".into(),
        "is not supported",
    );
    check_that("an unknown ending", |f| f.tensors[1].0 = "blk.0.attn_norm.bias".into(), "is not supported");
    check_that("a long name", |f| f.tensors[1].0 = "b".repeat(300), "is 300, at most 256");
    check_that(
        "no heads",
        |f| f.set("llama.attention.head_count", gguf::U32, vec![0; 4]),
        "not a multiple of 2 · 0 heads",
    );
    check_that(
        "heads that don't divide",
        |f| f.set("llama.attention.head_count", gguf::U32, vec![3, 0, 0, 0]),
        "8 rows are not a multiple of 2 · 3 heads",
    );
    check_that(
        "heads by layer",
        |f| f.set("llama.attention.head_count", gguf::LIST, list(gguf::U32, &[vec![2, 0, 0, 0]])),
        "a list of 1",
    );
    check_that("2^64 heads", |f| f.set("llama.attention.head_count", 10, vec![255; 8]), "at most 4294967295");
    check_that(
        "heads below zero",
        |f| f.set("llama.attention.head_count", gguf::I32, vec![255; 4]),
        "head_count -1",
    );
    check_that(
        "no number",
        |f| f.data[..4].copy_from_slice(&f32::NAN.to_le_bytes()),
        "\"model.embed_tokens.weight\" has NaN at place 0",
    );
    check_that(
        "infinity",
        |f| f.data[4..8].copy_from_slice(&f32::INFINITY.to_le_bytes()),
        "has inf at place 1",
    );
    check_that(
        "an infinite scale",
        |f| f.push("output.weight", &[32, 2], 8, &[&[0; 35][..], &[0x7c; 33]].concat()),
        "has inf at place 32",
    );
    check_that(
        "no width",
        |f| f.remove("llama.embedding_length"),
        "lacks the value \"llama.embedding_length\"",
    );
    check_that(
        "a width of no heads",
        |f| f.set("llama.embedding_length", gguf::U32, vec![9, 0, 0, 0]),
        "not a multiple of 2 heads",
    );
    check_that("no ε", |f| f.remove("llama.attention.layer_norm_rms_epsilon"), "lacks the value");
    check_that(
        "a broken ε",
        |f| f.set("llama.attention.layer_norm_rms_epsilon", gguf::F32, f32::NAN.to_le_bytes().into()),
        "epsilon NaN",
    );
    check_that(
        "experts",
        |f| f.set("llama.expert_count", gguf::U32, vec![8, 0, 0, 0]),
        "llama.expert_count 8 is not supported",
    );
    check_that(
        "scaled positions",
        |f| f.set("llama.rope.scaling.type", gguf::TEXT, text(b"yarn")),
        "\"yarn\" is not supported",
    );
    check_that(
        "a part of the head turned",
        |f| f.set("llama.rope.dimension_count", gguf::U32, vec![2, 0, 0, 0]),
        "expected 4, the length of a head",
    );
    check_that(
        "another tokenizer",
        |f| f.set("tokenizer.ggml.model", gguf::TEXT, text(b"llama")),
        "\"llama\" is not supported, expected \"gpt2\"",
    );
    check_that(
        "other words",
        |f| f.set("tokenizer.ggml.pre", gguf::TEXT, text(b"default")),
        "\"default\" is not supported",
    );
    check_that("no tokens", |f| f.remove("tokenizer.ggml.tokens"), "tokenizer.ggml.tokens missing");
    check_that(
        "numbers as tokens",
        |f| f.set("tokenizer.ggml.tokens", gguf::LIST, list(gguf::U32, &vec![vec![0; 4]; 258])),
        "of 258 tokens in utf-8",
    );
    check_that(
        "tokens of no text",
        |f| f.set("tokenizer.ggml.tokens", gguf::LIST, list(gguf::TEXT, &vec![text(&[255]); 258])),
        "it is 257, of 258 tokens in utf-8",
    );
    check_that(
        "a token twice",
        |f| f.set("tokenizer.ggml.tokens", gguf::LIST, texts(&["x"; 258])),
        "the token \"x\" stands twice",
    );
    check_that(
        "a start beyond the tokens",
        |f| f.set("tokenizer.ggml.bos_token_id", gguf::U32, vec![2, 1, 0, 0]),
        "it is 258, of 258 tokens",
    );
    check_that(
        "types for other tokens",
        |f| f.set("tokenizer.ggml.token_type", gguf::LIST, list(gguf::I32, &[vec![1, 0, 0, 0]])),
        "expected 258 numbers of 32 bits, found 1",
    );
    check_that(
        "a merge of nothing",
        |f| f.set("tokenizer.ggml.merges", gguf::LIST, texts(&["q z"])),
        "token \"qz\" is missing",
    );
    check_that(
        "a merge of one",
        |f| f.set("tokenizer.ggml.merges", gguf::LIST, texts(&["he"])),
        "merge \"he\" is no pair",
    );
    let count = check(cases);
    assert!(count >= 80, "{count}");
}

#[test]
fn tokenizers_are_refused_in_words_before_they_grow() {
    let steps = json!({"type": "ByteLevel", "use_regex": true});
    let with = |pre: &str, vocab: &str, merges: &str, added: &str| {
        format!(r#"{{"pre_tokenizer":{pre},"added_tokens":{added},"model":{{"vocab":{vocab},"merges":{merges}}}}}"#).into_bytes()
    };
    let pre = steps.to_string();
    let numbered = |count: usize| {
        let tokens: Vec<String> = (0..count).map(|n| format!(r#""{n:x}":{n}"#)).collect();
        format!("{{{}}}", tokens.join(","))
    };
    let nested = |depth: usize| {
        (0..depth).fold(pre.clone(), |inner, _| format!(r#"{{"type":"Sequence","pretokenizers":[{inner}]}}"#))
    };
    let row = |item: &str, count: usize| format!("[{}{item}]", format!("{item},").repeat(count - 1));
    let cases: Vec<(&str, Vec<u8>, &'static str)> = vec![
        ("a step within itself 32 times", with(&nested(32), "{}", "[]", "[]"), "levels deep, at most 64"),
        (
            "a step within itself 3 times",
            with(&nested(3), "{\"a\":0}", "[]", "[]"),
            "the pre-tokenizer [\"Sequence\"]",
        ),
        ("millions of brackets", vec![b'['; 16 << 20], "16777216 levels deep"),
        (
            "millions of steps",
            with(
                &format!(r#"{{"type":"Sequence","pretokenizers":{}}}"#, row(r#"{"type":""}"#, 1_000_000)),
                "{}",
                "[]",
                "[]",
            ),
            "a list of at most 16",
        ),
        (
            "a vocabulary beyond the bound",
            with(&pre, &numbered((1 << 19) + 1), "[]", "[]"),
            "at most 524288 tokens",
        ),
        (
            "merges beyond the bound",
            with(&pre, "{\"a\":0}", &row("\"a b\"", 2_000_000), "[]"),
            "a list of at most 524288",
        ),
        (
            "pairs beyond the bound",
            with(&pre, "{\"a\":0}", &row("[\"a\",\"a\"]", 2_000_000), "[]"),
            "a list of at most 524288",
        ),
        (
            "a merge of millions",
            with(&pre, "{\"a\":0}", &format!("[{}]", row("\"\"", 4_000_000)), "[]"),
            "a pair of texts",
        ),
        (
            "a merge of numbers",
            with(&pre, "{\"a\":0}", &format!("[{}]", row("1", 4_000_000)), "[]"),
            "expected a string",
        ),
        (
            "added tokens beyond the bound",
            with(&pre, "{\"a\":0}", "[]", &row(r#"{"id":1,"content":""}"#, 500_000)),
            "a list of at most 65536",
        ),
        (
            "an added token beyond the bound",
            with(&pre, "{\"a\":0}", "[]", r#"[{"id":4294967295,"content":"<s>"}]"#),
            "expected 1 to 524288",
        ),
        (
            "a type of millions",
            with(&format!("{{\"type\":\"{}\"}}", "x".repeat(16 << 20)), "{\"a\":0}", "[]", "[]"),
            "the pre-tokenizer [\"xxx",
        ),
        ("an unknown letter in the start", with(&pre, "{\"a\":0}", "[]", "[]"), "token \"<s>\" is missing"),
        ("no vocabulary", with(&pre, "[]", "[]", "[]"), "tokens with their numbers"),
        (
            "a merge of a token with nothing",
            with(&pre, r#"{"":0,"a":1}"#, r#"[["","a"]]"#, "[]"),
            "an empty part",
        ),
        (
            "a merge of nothing known",
            with(&pre, r#"{"ab":0,"a":1}"#, r#"["a b"]"#, "[]"),
            "token \"b\" is missing",
        ),
        (
            "two tokens into each other",
            with(&pre, r#"{"ab":0,"a":1,"b":2}"#, r#"[["a","b"],["ab","a"],["b","ab"]]"#, "[]"),
            "token \"aba\" is missing",
        ),
        ("a number twice", with(&pre, r#"{"a":0,"b":0}"#, "[]", "[]"), "the same number 0"),
        ("a token twice", with(&pre, r#"{"a":0,"\u0061":1}"#, "[]", "[]"), "token \"a\" stands twice"),
        (
            "an added token's number twice",
            with(&pre, r#"{"a":0}"#, "[]", r#"[{"id":1,"content":"<s>"},{"id":1,"content":"</s>"}]"#),
            "the same number 1",
        ),
        (
            "an added token twice",
            with(&pre, r#"{"a":0}"#, "[]", r#"[{"id":1,"content":"<s>"},{"id":2,"content":"<s>"}]"#),
            "token \"<s>\" has the numbers 1 and 2",
        ),
        (
            "a pattern of millions",
            with(
                &format!(
                    r#"{{"type":"Sequence","pretokenizers":[{{"type":"Split","pattern":{{"Regex":"{}"}},"behavior":"Isolated","invert":false}},{{"type":"ByteLevel","use_regex":false}}]}}"#,
                    "(a*)*".repeat(3 << 20),
                ),
                "{\"a\":0}",
                "[]",
                "[]",
            ),
            "words of the pattern \"(a*)*(a*)*",
        ),
        ("64 MB of brackets", vec![b'{'; LONGEST], "67108864 levels deep"),
        (
            "64 MB of one token",
            padded(with(&pre, "{\"PAD\":0}", "[]", "[]"), "a"),
            "token \"<s>\" is missing",
        ),
        (
            "64 MB of escapes",
            padded(with(&pre, "{\"PAD\":0}", "[]", "[]"), "\\u0061"),
            "token \"<s>\" is missing",
        ),
        ("64 MB of a merge", padded(with(&pre, "{\"a\":0}", "[[\"a\",\"PAD\"]]", "[]"), "a"), "token \"aaaa"),
        ("64 MB of tokens and merges", full(&pre), "token \"<s>\" is missing"),
    ];
    let case = |(name, bytes, message): (&str, Vec<u8>, &'static str)| Case {
        name: name.into(),
        read: Box::new(move || Tokenizer::from_json(&bytes, "<s>").map(|_| ()).map_err(words)),
        message,
    };
    assert_eq!(check(cases.into_iter().map(case).collect()), 27);
}

/// Most bytes of a `tokenizer.json`.
const LONGEST: usize = 64 << 20;

/// The file, with so many letters in the place of `PAD` that it is as long as may be.
fn padded(file: Vec<u8>, letter: &str) -> Vec<u8> {
    let room = (LONGEST - (file.len() - 3)) / letter.len();
    String::from_utf8(file).unwrap().replacen("PAD", &letter.repeat(room), 1).into_bytes()
}

/// A file with as many tokens and merges as may be: each token is made of the one without its last letter.
fn full(pre: &str) -> Vec<u8> {
    const LETTERS: &[u8; 16] = b"abcdefghijklmnop";
    let mut tokens = vec![String::new()];
    let mut next = 0;
    while tokens.len() <= 1 << 19 {
        let of = |letter: &u8| format!("{}{}", tokens[next], char::from(*letter));
        let longer: Vec<String> = LETTERS.iter().map(of).collect();
        tokens.extend(longer);
        next += 1;
    }
    tokens.truncate((1 << 19) + 1);
    let vocab: Vec<String> =
        (0..).zip(&tokens[1..]).map(|(id, token): (u32, _)| format!("\"{token}\":{id}")).collect();
    let merges: Vec<String> = tokens[17..]
        .iter()
        .map(|token| format!("[\"{}\",\"{}\"]", &token[..token.len() - 1], &token[token.len() - 1..]))
        .collect();
    let (vocab, merges) = (vocab.join(","), merges.join(","));
    let file =
        format!(r#"{{"x":"PAD","pre_tokenizer":{pre},"model":{{"vocab":{{{vocab}}},"merges":[{merges}]}}}}"#);
    padded(file.into_bytes(), "x")
}

#[test]
fn tokenizers_of_embedders_are_refused_in_words_before_they_grow() {
    let good = &embed::fixtures()[0]["tokenizer"];
    let folder = embed::write_model("malformed-embedder", good);
    // As many tokens as may be, so long that the file is.
    let mut largest = good.clone();
    largest["model"]["vocab"] = json!({"PAD": 0});
    let text = largest.to_string();
    let names: Vec<String> = (0..1 << 19).map(|n| format!("\"##{n:0>109}\":{}", n + 1000)).collect();
    let of = |tokens: &[String]| {
        let own: Vec<String> = good["model"]["vocab"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(token, id)| format!("{}:{id}", json!(token)))
            .collect();
        text.replacen("\"PAD\":0", &[&own[..], tokens].concat().join(","), 1).into_bytes()
    };
    let room = names.len() - good["model"]["vocab"].as_object().unwrap().len();
    let long = format!("{}\":0", "a".repeat(LONGEST - text.len()));
    let twice = [&names[..room - 1], &names[..1]].concat();
    let cases: Vec<(&str, Vec<u8>, &'static str)> = vec![
        ("64 MB of tokens", of(&names[..room]), "expected less than the vocab_size"),
        ("64 MB of tokens, one twice", of(&twice), "stands twice"),
        ("a token too many", of(&names), "more than 524288 tokens"),
        ("64 MB of one token", text.replacen("PAD\":0", &long, 1).into_bytes(), "expected 1 to 256"),
        ("64 MB of brackets", vec![b'['; LONGEST], "is 67108864, at most 64"),
        ("a byte too many", vec![b' '; LONGEST + 1], "is 67108865, at most 67108864"),
    ];
    let case = |(name, bytes, message): (&str, Vec<u8>, &'static str)| {
        let folder = folder.clone();
        assert!(bytes.len() <= LONGEST + 1, "{name}: {}", bytes.len());
        Case {
            name: name.into(),
            read: Box::new(move || {
                fs::write(folder.join("tokenizer.json"), bytes).unwrap();
                Embedder::open(&folder).map(|_| ()).map_err(words)
            }),
            message,
        }
    };
    // One after the other, so that the files don't lie beside each other in memory.
    let count: usize = cases.into_iter().map(|each| check(vec![case(each)])).sum();
    assert_eq!(count, 6);
}
