//! Byte-level BPE against what the library `tokenizers` made of the same files (see `benches/peers/make_bpe.py`).

use lm::{Tokenizer, TokenizerError};
use serde_json::{Value, json};

fn fixtures() -> Vec<Value> {
    serde_json::from_str(include_str!("fixtures/bpe.json")).unwrap()
}

fn read(file: &Value) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::from_json(file.to_string().as_bytes(), "<|start|>")
}

#[test]
fn texts_have_the_librarys_tokens_and_every_byte_is_counted() {
    for fixture in fixtures() {
        let tokenizer = read(&fixture["tokenizer"]).unwrap();
        assert_eq!(json!(tokenizer.start()), fixture["start"]);
        assert_eq!(tokenizer.vocab(), fixture["tokenizer"]["model"]["vocab"].as_object().unwrap().len());
        for case in fixture["cases"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let tokens = tokenizer.encode(text.as_bytes()).unwrap();
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            assert_eq!(json!(ids), case["ids"], "{} {text:?}", fixture["words"]);
            assert_eq!(tokens.iter().map(|token| token.bytes as usize).sum::<usize>(), text.len());
            assert_eq!(json!(String::from_utf8(tokenizer.decode(&ids)).unwrap()), case["decoded"]);
        }
    }
}

#[test]
fn a_start_token_may_be_told_by_its_number() {
    for fixture in fixtures() {
        let json = fixture["tokenizer"].to_string();
        let named = read(&fixture["tokenizer"]).unwrap();
        let numbered = Tokenizer::from_json_with_start(json.as_bytes(), named.start()).unwrap();
        assert_eq!(numbered.stream(&["the goods"]), named.stream(&["the goods"]));
        let beyond = u32::try_from(named.vocab()).unwrap();
        let refused = Tokenizer::from_json_with_start(json.as_bytes(), beyond).unwrap_err();
        assert!(matches!(refused, TokenizerError::Vocabulary { .. }), "{refused}");
    }
}

#[test]
fn merges_may_be_written_as_pairs_or_as_texts() {
    let mut file = fixtures().swap_remove(0)["tokenizer"].take();
    let pairs = read(&file).unwrap();
    for merge in file["model"]["merges"].as_array_mut().unwrap() {
        let parts: Vec<&str> = merge.as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
        *merge = json!(parts.join(" "));
    }
    let text = b"The weighhouse weighed the goods";
    assert_eq!(read(&file).unwrap().encode(text), pairs.encode(text));
}

#[test]
fn a_long_word_takes_no_quadratic_time() {
    let tokenizer = read(&fixtures()[0]["tokenizer"]).unwrap();
    let text = "the".repeat(300_000);
    let tokens = tokenizer.encode(text.as_bytes()).unwrap();
    assert_eq!(tokens.iter().map(|token| token.bytes as usize).sum::<usize>(), text.len());
}

/// A pre-tokenizer with a pattern.
fn split(pattern: &str, behavior: &str) -> Value {
    let split =
        json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": false});
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false});
    json!({"type": "Sequence", "pretokenizers": [split, level]})
}

#[test]
fn files_that_ask_for_more_are_refused_in_words() {
    let good = fixtures().swap_remove(0)["tokenizer"].take();
    let check = |change: fn(&mut Value), message: &str| {
        let mut file = good.clone();
        change(&mut file);
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    };
    check(|f| f["model"]["type"] = json!("Unigram"), "a model of type \"Unigram\"");
    check(|f| f["normalizer"] = json!({"type": "NFKC"}), "the normalizer \"NFKC\"");
    check(|f| f["pre_tokenizer"] = split(r"\d+", "Isolated"), "words of the pattern \"\\\\d+\"");
    check(
        |f| f["pre_tokenizer"] = split(&f["pre_tokenizer"].to_string(), "Removed"),
        "[\"Split\", \"ByteLevel\"]",
    );
    check(|f| f["model"]["merges"] = json!([["\u{4e2d}", "a"]]), "letters that stand for no byte");
    check(|f| f["added_tokens"][0]["id"] = json!(7), "token \"<|start|>\" has the numbers 0 and 7");
    check(|f| f["added_tokens"][0]["content"] = json!("<s>"), "two tokens have the same number 0");
    check(|f| f["pre_tokenizer"]["add_prefix_space"] = json!(true), "the pre-tokenizer [\"ByteLevel\"]");
    check(|f| f["model"]["byte_fallback"] = json!(true), "byte fallback");
    check(|f| f["model"]["vocab"]["the"] = json!(4_000_000_000u32), "expected 1 to 524288");
    check(|f| f["model"]["vocab"]["!"] = json!(5), "the same number");
    check(|f| f["model"]["merges"] = json!([["t", "qqq"]]), "token \"tqqq\" is missing");
    check(|f| f["model"]["merges"] = json!(["tq"]), "merge \"tq\" is no pair");
    check(|f| f["model"]["merges"] = json!(7), "cannot be read");
    let text = good.to_string();
    let error = Tokenizer::from_json(text.as_bytes(), "<s>").unwrap_err().to_string();
    assert!(error.contains("token \"<s>\" is missing"), "{error}");
    let error = Tokenizer::from_json(&vec![b' '; (64 << 20) + 1], "<s>").unwrap_err().to_string();
    assert!(error.contains("67108865 bytes"), "{error}");
    let error = read(&good).unwrap().encode(b"ab\xff").unwrap_err().to_string();
    assert_eq!(error, "text is not utf-8 from byte 2 on");
}

#[test]
fn a_byte_without_a_token_is_told_only_when_a_text_has_it() {
    let mut file = fixtures().swap_remove(0)["tokenizer"].take();
    file["model"]["vocab"].as_object_mut().unwrap().remove("\u{104}").unwrap();
    let tokenizer = read(&file).unwrap();
    assert_eq!(
        tokenizer.encode(b"the 12").unwrap(),
        read(&fixtures()[0]["tokenizer"]).unwrap().encode(b"the 12").unwrap()
    );
    let error = tokenizer.encode(b"ab\x04").unwrap_err().to_string();
    assert_eq!(error, "byte 0x04 at 2 of the text has no token in the vocabulary");
}
