//! Vocabularies, tokens and words beside those of the libraries `tokenizers` and `transformers`, where a Python that has
//! them is named.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "files and a variable are the way to the other program, and what was compared is shown"
)]

use std::{env, fs, path::PathBuf, process::Command};

use lm::{BpeTrainer, Tokenizer, Words};
use primitives::Seed;
use serde_json::{Value, json};

use crate::story::TEXT;

const PYTHON: &str = "WEIGH_TORCH_PYTHON";
/// Texts of random signs.
const TEXTS: usize = 4000;

/// What texts are made of: first and last characters of scripts and of kinds of signs, and pieces that the patterns know.
#[rustfmt::skip]
const RANGES: [(u32, u32); 32] = [
    (0x61, 0x7a), (0x61, 0x7a), (0x41, 0x5a), (0x30, 0x39), (0x20, 0x20), (0x20, 0x20), (0x21, 0x2f), (0x5b, 0x60),
    (0x09, 0x0d), (0x80, 0xbf), (0xc0, 0x24f), (0x300, 0x36f), (0x370, 0x3ff), (0x400, 0x4ff), (0x590, 0x5ff),
    (0x600, 0x6ff), (0x900, 0x97f), (0xe00, 0xe7f), (0x1100, 0x11ff), (0x1e00, 0x1eff), (0x2000, 0x206f),
    (0x2150, 0x218f), (0x2460, 0x24ff), (0x3000, 0x30ff), (0x4e00, 0x4fff), (0xac00, 0xacff), (0xf900, 0xfaff),
    (0xff00, 0xffef), (0x11380, 0x113d8), (0x1d400, 0x1d7ff), (0x1f300, 0x1f6ff), (0x00, 0x3ffff),
];
const PIECES: [&str; 12] =
    ["'s", "'LL", " 're", "'ſ", "\r\n", "\n\n", "  ", " \t", "1984", "the ", "<|start|>", "e\u{301}\u{323}"];

fn random_texts() -> Vec<String> {
    let mut chance = Seed::from_number(9).stream("texts", 0);
    let mut text = || {
        let mut text = String::new();
        for _ in 0..chance.index(24) {
            let kind = chance.index(RANGES.len() + PIECES.len());
            let Some((first, last)) = RANGES.get(kind).copied() else {
                text += PIECES[kind - RANGES.len()];
                continue;
            };
            for _ in 0..=chance.index(4) {
                let number = u64::from(first) + chance.below(u64::from(last - first + 1));
                text.extend(char::from_u32(u32::try_from(number).unwrap()));
            }
        }
        text
    };
    (0..TEXTS).map(|_| text()).collect()
}

/// A vocabulary in which the last byte of any character makes a token with the letter, digit or sign behind it, if no
/// word ends between them.
fn seams(file: &[u8]) -> Vec<u8> {
    let mut file: Value = serde_json::from_slice(file).unwrap();
    let vocab = file["model"]["vocab"].as_object_mut().unwrap();
    vocab.retain(|_, id| id.as_u64().unwrap() < 258);
    let mut merges = Vec::new();
    let letters: Vec<String> = vocab.keys().filter(|token| token.chars().count() == 1).cloned().collect();
    for letter in letters {
        for sign in ["x", "1", "!"] {
            vocab.insert(format!("{letter}{sign}"), json!(258 + merges.len()));
            merges.push(json!([letter, sign]));
        }
    }
    file["model"]["merges"] = merges.into();
    serde_json::to_vec(&file).unwrap()
}

/// Every character of the planes that have any, before a letter, a digit and a sign.
fn all_characters() -> Vec<String> {
    let all: Vec<char> = ('\0'..'\u{40000}').chain('\u{e0000}'..'\u{e0200}').collect();
    let text =
        |some: &[char]| some.iter().flat_map(|c| [*c, 'x', '\n', *c, '1', '\n', *c, '!', '\n']).collect();
    all.chunks(1000).map(text).collect()
}

fn ask(name: &str, what: &str, texts: &[String], files: &[(Words, Vec<u8>)]) -> Option<Value> {
    let Ok(python) = env::var(PYTHON) else {
        println!("skipped: {PYTHON} names no Python with tokenizers and transformers");
        return None;
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("texts.json"), serde_json::to_vec(texts).unwrap()).unwrap();
    for (words, file) in files {
        fs::write(folder.join(format!("{}.tokenizer.json", words.name())), file).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/bpe.py");
    let output = Command::new(python).arg(script).arg(&folder).arg(what).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&fs::read(folder.join("peer.json")).unwrap()).unwrap())
}

fn compare(theirs: &Value, texts: &[String], files: &[(Words, Vec<u8>)]) {
    for (words, file) in files {
        let theirs = &theirs[words.name()];
        let tokenizer = Tokenizer::from_json(file, "<|start|>").unwrap();
        let mut count = 0;
        for (index, text) in texts.iter().enumerate() {
            let tokens = tokenizer.encode(text.as_bytes()).unwrap();
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            let same = |who: &str| assert!(json!(ids) == theirs[who][index], "{words:?}, {who}: {text:?}");
            same("tokenizers");
            if theirs["transformers"].is_array() {
                same("transformers");
            }
            assert_eq!(json!(String::from_utf8_lossy(&tokenizer.decode(&ids))), theirs["decoded"][index]);
            assert_eq!(
                tokens.iter().map(|token| token.bytes as usize).sum::<usize>(),
                text.len(),
                "{text:?}"
            );
            count += ids.len();
        }
        let stream = tokenizer.stream(&texts[..1]).unwrap();
        assert_eq!(json!(stream), theirs["with_start"], "{words:?}");
        println!("{words:?}: {count} tokens of {} texts are equal", texts.len());
    }
}

#[test]
fn tokens_and_vocabularies_are_the_libraries() {
    let texts = [vec![TEXT.to_owned()], random_texts()].concat();
    let files = Words::ALL.map(|words| {
        let trainer = BpeTrainer { vocab: 600, words, ..BpeTrainer::default() };
        (words, trainer.train(&texts).unwrap())
    });
    let Some(theirs) = ask("bpe_tokens", "all", &texts, &files) else { return };
    compare(&theirs, &texts, &files);
    for (words, file) in &files {
        let file: Value = serde_json::from_slice(file).unwrap();
        let (ours, theirs) = (&file["model"], &theirs[words.name()]["trained"]);
        assert!(ours["vocab"] == theirs["vocab"] && ours["merges"] == theirs["merges"], "{words:?}");
    }
}

#[test]
fn words_end_at_the_libraries_characters() {
    let texts = all_characters();
    let files = Words::ALL.map(|words| {
        let trainer = BpeTrainer { words, ..BpeTrainer::default() };
        (words, seams(&trainer.train(["-"]).unwrap()))
    });
    let Some(theirs) = ask("bpe_seams", "tokens", &texts, &files) else { return };
    compare(&theirs, &texts, &files);
}
