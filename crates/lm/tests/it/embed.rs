//! Vectors of texts: from folders, with the recorded bits, and beside those of sentence-transformers.

#![expect(
    clippy::disallowed_methods,
    reason = "folders are what is read, and a variable names the other program"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use lm::{Compute, Embedder, Instructions};
use primitives::{Digest, Seed};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};

/// Digest of the vectors of [`TEXTS`] by the model of [`write_model`]: a change is a new `KERNEL_VERSION`.
const GOLDEN: &str = "ec080ca99c4efd5cf0c9326c14e53367159b89edf8a865bbd5548b2c85d02f84";
/// Names a Python that can import sentence_transformers, and the folder of all-MiniLM-L6-v2.
const PYTHON: &str = "WEIGH_TORCH_PYTHON";
const MODEL: &str = "WEIGH_MINILM";
/// What the vectors of two implementations have in common, at least.
const LEAST_COSINE: f64 = 0.999_99;

const TEXTS: [&str; 20] = [
    "",
    "weigh",
    "In the middle of the old town stood the weighhouse.",
    "The weighmaster wrote the weight into a book, put the town's seal on the bale, and took a small fee.",
    "Whoever brought goods to the market had to have them weighed there, on scales that belonged to nobody.",
    "A merchant who did not believe him could step up and weigh again!",
    "NAÏVE naïve cafe\u{301} Ωμέγα İstanbul straße — „Waage“",
    "秤を量る miner中文text 가나다",
    "☕☕ 👩\u{200d}🔬 the\u{200b}house 🏳️\u{200d}🌈 \u{1fae0}",
    "a\u{0}b\u{7}c\u{fffd}d\u{ad}e \u{85}f\u{2028}g\u{a0}h\u{3000}i\u{e000}j\r\nk",
    "[CLS] the [SEP][MASK] [sep] [UNK]the [MASK",
    "$1,000+2=3 <tag> `code` ~x^y| {a_b} ¿qué? «oui» ‽ \u{2e43} \u{61d} \u{1ac0}a",
    "antidisestablishmentarianism floccinaucinihilipilification",
    "fn main() { println!(\"{}\", 2 + 2); }",
    "The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog.",
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "Le vif renard brun saute par-dessus le chien paresseux, n'est-ce pas ?",
    "3.14159 2.71828 1.41421 0.57721 0x7fc00000 1e-12",
    "https://example.org/a/b?c=d&e=f#g user@example.org",
    "x",
];

pub(crate) fn fixtures() -> Vec<Value> {
    serde_json::from_str(include_str!("fixtures/wordpiece.json")).unwrap()
}

/// Writes a model with parameters from a seed, and everything that sentence-transformers writes beside it.
pub(crate) fn write_model(name: &str, tokenizer: &Value) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(folder.join("1_Pooling")).unwrap();
    let vocab = tokenizer["model"]["vocab"].as_object().unwrap().len();
    let (hidden, inner, positions) = (48, 100, 128);
    write(
        &folder,
        "config.json",
        &json!({
            "model_type": "bert", "hidden_size": hidden, "num_hidden_layers": 2, "num_attention_heads": 4,
            "intermediate_size": inner, "max_position_embeddings": positions, "type_vocab_size": 2,
            "vocab_size": vocab, "layer_norm_eps": 1e-12, "hidden_act": "gelu",
        }),
    );
    let module = |kind: &str, path: &str| json!({"type": format!("sentence_transformers.models.{kind}"), "path": path});
    let modules =
        [module("Transformer", ""), module("Pooling", "1_Pooling"), module("Normalize", "2_Normalize")];
    write(&folder, "modules.json", &json!(modules));
    let pooling = json!({"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": true});
    write(&folder, "1_Pooling/config.json", &pooling);
    write(&folder, "sentence_bert_config.json", &json!({"max_seq_length": 100, "do_lower_case": false}));
    write(&folder, "tokenizer.json", tokenizer);

    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![vocab, hidden]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![positions, hidden]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, hidden]),
    ];
    let norm = |of: &str| ["weight", "bias"].map(|part| (format!("{of}.LayerNorm.{part}"), vec![hidden]));
    shapes.extend(norm("embeddings"));
    let matrices = [
        ("attention.self.query", hidden, hidden),
        ("attention.self.key", hidden, hidden),
        ("attention.self.value", hidden, hidden),
        ("attention.output.dense", hidden, hidden),
        ("intermediate.dense", inner, hidden),
        ("output.dense", hidden, inner),
    ];
    for layer in 0..2 {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        for (part, outputs, inputs) in matrices {
            shapes.push((name(&format!("{part}.weight")), vec![outputs, inputs]));
            shapes.push((name(&format!("{part}.bias")), vec![outputs]));
        }
        shapes.extend(norm(&name("attention.output")));
        shapes.extend(norm(&name("output")));
    }
    shapes.push(("pooler.dense.weight".to_owned(), vec![hidden, hidden]));
    shapes.push(("pooler.dense.bias".to_owned(), vec![hidden]));
    let data: Vec<Vec<u8>> =
        (0..).zip(&shapes).map(|(index, (_, shape))| random(index, shape.iter().product())).collect();
    let views = shapes
        .iter()
        .zip(&data)
        .map(|((name, shape), data)| (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    folder
}

fn random(index: u64, count: usize) -> Vec<u8> {
    let mut stream = Seed::from_number(1).stream("embed", index);
    let mut number = || stream.below(1 << 20) as f32 / (1u32 << 20) as f32 - 0.5;
    (0..count).flat_map(|_| number().to_le_bytes()).collect()
}

fn write(folder: &Path, name: &str, value: &Value) {
    fs::write(folder.join(name), value.to_string()).unwrap();
}

#[test]
fn texts_have_the_librarys_tokens() {
    for (index, fixture) in fixtures().iter().enumerate() {
        let folder = write_model(&format!("embed-tokens-{index}"), &fixture["tokenizer"]);
        let embedder = Embedder::open(&folder).unwrap();
        assert_eq!((embedder.width(), embedder.most_tokens()), (48, 100));
        for case in fixture["cases"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let mut expected: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            if expected.len() > 100 {
                expected.drain(99..expected.len() - 1);
            }
            assert_eq!(embedder.tokens(text), expected, "{text:?}");
        }
    }
}

#[test]
fn vectors_have_the_recorded_bits_on_any_threads_and_path() {
    let folder = write_model("embed-bits", &fixtures()[0]["tokenizer"]);
    let embedder = Embedder::open(&folder).unwrap();
    // Enough texts for several rounds through the encoder.
    let texts: Vec<&str> = TEXTS.iter().copied().cycle().take(4 * TEXTS.len()).collect();
    for instructions in Instructions::available() {
        for threads in 1..=3 {
            let compute = Compute::with(threads, instructions).unwrap();
            let vectors = embedder.embed(&compute, &texts);
            assert_eq!(vectors.len(), texts.len());
            let bytes: Vec<u8> =
                vectors[..TEXTS.len()].iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
            assert_eq!(Digest::of(&bytes).to_string(), GOLDEN, "{threads} threads, {instructions}");
            for (index, vector) in vectors.iter().enumerate() {
                assert_eq!(*vector, vectors[index % TEXTS.len()], "text {index}");
                let length: f32 = vector.iter().map(|x| x * x).sum();
                assert!((length - 1.0).abs() < 1e-5, "{length}");
            }
            assert_eq!(embedder.embed(&compute, &TEXTS[3..4]), vectors[3..4]);
            assert!(embedder.embed::<&str>(&compute, &[]).is_empty());
        }
    }
}

#[test]
fn the_first_tokens_vector_is_taken_where_the_folder_says_so() {
    let folder = write_model("embed-first", &fixtures()[0]["tokenizer"]);
    let compute = Compute::new(1).unwrap();
    let mean = Embedder::open(&folder).unwrap().embed(&compute, &TEXTS);
    let pooling = json!({"word_embedding_dimension": 48, "pooling_mode_cls_token": true});
    write(&folder, "1_Pooling/config.json", &pooling);
    let first = Embedder::open(&folder).unwrap().embed(&compute, &TEXTS);
    assert!(first.iter().zip(&mean).all(|(first, mean)| first != mean));
    for name in ["modules.json", "1_Pooling/config.json", "sentence_bert_config.json"] {
        fs::remove_file(folder.join(name)).unwrap();
    }
    fs::remove_dir(folder.join("1_Pooling")).unwrap();
    let plain = Embedder::open(&folder).unwrap();
    assert_eq!(plain.most_tokens(), 128);
    assert_eq!(plain.embed(&compute, &TEXTS), mean);
}

#[test]
fn folders_that_do_not_fit_together_are_refused_in_words() {
    let folder = write_model("embed-refused", &fixtures()[0]["tokenizer"]);
    let check = |file: &str, change: fn(&mut Value), message: &str| {
        let path = folder.join(file);
        let good = fs::read(&path).unwrap();
        let mut value: Value = serde_json::from_slice(&good).unwrap();
        change(&mut value);
        write(&folder, file, &value);
        let error = Embedder::open(&folder).unwrap_err().to_string();
        fs::write(&path, good).unwrap();
        assert!(error.contains(message), "{error}");
    };
    check(
        "config.json",
        |f| f["vocab_size"] = 419.into(),
        "it has token 419, expected less than the vocab_size of 419",
    );
    check(
        "config.json",
        |f| f["hidden_size"] = 52.into(),
        "word_embedding_dimension is 48, expected the hidden_size of 52",
    );
    check(
        "config.json",
        |f| f["intermediate_size"] = 99.into(),
        "intermediate.dense.weight\" has shape [100, 48]",
    );
    check("config.json", |f| f["num_hidden_layers"] = 3.into(), "tensor \"encoder.layer.2.");
    check("config.json", |f| f["num_hidden_layers"] = 1.into(), "tensors are left");
    check("config.json", |f| f["hidden_act"] = "silu".into(), "hidden_act \"silu\"");
    check("modules.json", |f| f[2]["type"] = "a.Dense".into(), "the list of modules.json is not supported");
    check(
        "modules.json",
        |f| f[0]["path"] = "0_Transformer".into(),
        "the list of modules.json is not supported",
    );
    check(
        "1_Pooling/config.json",
        |f| f["pooling_mode_max_tokens"] = true.into(),
        "the pooling of 1_Pooling",
    );
    check(
        "sentence_bert_config.json",
        |f| f["max_seq_length"] = 129.into(),
        "max_seq_length is 129, expected 2 to 128",
    );
    check("sentence_bert_config.json", |f| f["do_lower_case"] = true.into(), "do_lower_case");
    check("tokenizer.json", |f| f["normalizer"]["type"] = "NFC".into(), "the normalizer \"NFC\"");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    fs::write(folder.join("modules.json"), deep).unwrap();
    let error = Embedder::open(&folder).unwrap_err().to_string();
    assert!(error.contains("modules.json is 100000, at most 64 is allowed"), "{error}");
    fs::write(folder.join("modules.json"), vec![b' '; (1 << 20) + 1]).unwrap();
    let error = Embedder::open(&folder).unwrap_err().to_string();
    assert!(error.contains("is 1048577, at most 1048576 is allowed"), "{error}");
    fs::remove_file(folder.join("modules.json")).unwrap();
    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    assert!(Embedder::open(&folder).unwrap_err().to_string().contains("tokenizer.json cannot be read"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/dev/zero", folder.join("tokenizer.json")).unwrap();
        assert!(Embedder::open(&folder).unwrap_err().to_string().contains("it is a symbolic link"));
    }
}

#[test]
fn minilm_gives_the_vectors_of_sentence_transformers() {
    let (Ok(python), Ok(model)) = (env::var(PYTHON), env::var(MODEL)) else {
        println!(
            "skipped: {PYTHON} and {MODEL} don't name a Python with sentence-transformers and a model's folder"
        );
        return;
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("embed-peer");
    fs::create_dir_all(&folder).unwrap();
    let mut texts: Vec<String> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
    texts[1] = TEXTS.join(" ");
    // All characters below the planes that are empty, and those of the last ones that have a use.
    let ranges = [(0, 0xd7ff), (0xe000, 0x3_2fff), (0xe_0000, 0xe_01ff), (0xf_0000, 0xf_00ff)];
    write(&folder, "texts.json", &json!({"texts": texts, "ranges": ranges}));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/embed.py");
    let output = Command::new(python).arg(script).arg(&model).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Value = serde_json::from_slice(&fs::read(folder.join("vectors.json")).unwrap()).unwrap();

    let embedder = Embedder::open(Path::new(&model)).unwrap();
    let ours = embedder.embed(&Compute::new(1).unwrap(), &texts);
    let mut least: f64 = 1.0;
    for (index, text) in texts.iter().enumerate() {
        assert_eq!(json!(embedder.tokens(text)), theirs["tokens"][index], "{text:?}");
        let their: Vec<f64> = serde_json::from_value(theirs["vectors"][index].clone()).unwrap();
        let our: Vec<f64> = ours[index].iter().map(|x| f64::from(*x)).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = dot(&our, &their) / (dot(&our, &our) * dot(&their, &their)).sqrt();
        let error = our.iter().zip(&their).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let (count, shown) = (embedder.tokens(text).len(), text.chars().take(50).collect::<String>());
        println!("cosine {cosine:.9}, largest error {error:.1e}, {count:3} tokens: {shown:?}");
        least = least.min(cosine);
    }
    println!("least cosine: {least:.9}");
    assert!(least >= LEAST_COSINE, "{least}");

    let bytes = fs::read(folder.join("signs.u32")).unwrap();
    let mut numbers = bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four));
    let (mut signs, mut others) = (0, Vec::new());
    for code in ranges.into_iter().flat_map(|(first, last)| first..=last) {
        let sign = char::from_u32(code).unwrap();
        let count = numbers.next().unwrap() as usize;
        let their: Vec<u32> = numbers.by_ref().take(count).collect();
        signs += 1;
        if embedder.tokens(&format!("we{sign}igh {sign}")) != their {
            others.push(code);
        }
    }
    println!(
        "{signs} characters, {} with other tokens: {:x?}",
        others.len(),
        &others[..others.len().min(100)]
    );
    assert!(others.is_empty());
}
