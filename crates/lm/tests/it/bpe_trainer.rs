//! Vocabularies that are made here: by the rule, the same everywhere, and read by others.

use lm::{BpeTrainer, Tokenizer, WordCounts, Words};
use primitives::Digest;
use proptest::prelude::*;
use serde_json::Value;

use crate::story::TEXT;

fn trainer(vocab: usize, words: Words) -> BpeTrainer {
    BpeTrainer { vocab, words, ..BpeTrainer::default() }
}

/// The tokens that a file's merges make, by number, and the merges as pairs of numbers.
fn merges(file: &[u8]) -> Vec<(String, String)> {
    let file: Value = serde_json::from_slice(file).unwrap();
    serde_json::from_value(file["model"]["merges"].clone()).unwrap()
}

#[test]
fn a_text_comes_back_from_its_tokens_whatever_the_words() {
    for words in Words::ALL {
        let file = trainer(300, words).train([TEXT]).unwrap();
        let tokenizer = Tokenizer::from_json(&file, "<|start|>").unwrap();
        assert_eq!((tokenizer.vocab(), tokenizer.start()), (300, 0), "{words:?}");
        for text in [TEXT, "naïve Ωμέγα, 1984 ☕☕\r\n <|start|>", ""] {
            let tokens = tokenizer.encode(text.as_bytes()).unwrap();
            assert_eq!(tokens.iter().map(|token| token.bytes as usize).sum::<usize>(), text.len());
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            assert_eq!(tokenizer.decode(&ids), text.as_bytes(), "{words:?}");
        }
        let shorter = tokenizer.encode(TEXT.as_bytes()).unwrap().len();
        assert!(3 * shorter < 2 * TEXT.len(), "{words:?}: {shorter} tokens of {} bytes", TEXT.len());
    }
}

#[test]
fn special_tokens_are_skipped_or_shown_and_never_found_in_texts() {
    let file = trainer(300, Words::Gpt2).train(["<|start|><|end|> ".repeat(99)]).unwrap();
    let tokenizer = Tokenizer::from_json(&file, "<|start|>").unwrap();
    let ids = [tokenizer.stream(&["a<|end|>"]).unwrap(), vec![1, 5000]].concat();
    assert!(!ids[1..ids.len() - 2].contains(&1), "{ids:?}");
    assert_eq!(tokenizer.decode(&ids), b"a<|end|>");
    assert_eq!(tokenizer.decode_with_names(&ids), b"<|start|>a<|end|><|end|>");
    assert!(tokenizer.piece(1).unwrap().special && tokenizer.piece(300).is_none());
}

#[test]
fn the_file_has_the_recorded_bytes_in_any_order_of_texts() {
    let lines: Vec<&str> = TEXT.split_inclusive(". ").collect();
    let reversed: Vec<&str> = lines.iter().rev().copied().collect();
    let digests = Words::ALL.map(|words| {
        let file = trainer(310, words).train(&lines).unwrap();
        assert!(trainer(310, words).train(&reversed).unwrap() == file, "{words:?}");
        Digest::of(&file).to_string()
    });
    assert_eq!(
        digests,
        [
            "a02826304cce13ffa2fb5232eba9dbb291ef3cf74ab5317f858f864eb79f7ead",
            "238a2dc64faca0c6a304cce64c61f8c702fbc4cacc018e7bdf70d815dd0e2ff0",
            "a8abe7db401d37fd8ac5026233bae6ae7f70cb5b53e1f92f7f44c228fb4bf4f5",
            "96a7a9d98ddacf52ae4c9351445a274cb2dc445c419cb7b1ce1af75e3509f192",
        ]
    );
}

#[test]
fn pairs_that_come_seldom_are_left() {
    let seldom = |min_frequency| {
        let trainer = BpeTrainer { min_frequency, ..trainer(500, Words::Gpt2) };
        merges(&trainer.train(["abab ab", "cd cd cd"]).unwrap()).len()
    };
    assert_eq!([0, 1, 2, 3, 4].map(seldom), [5, 5, 3, 2, 0]);
}

#[test]
fn a_special_tokens_name_is_no_other_token() {
    let trainer = BpeTrainer { start: "ab".into(), end: None, min_frequency: 1, ..trainer(300, Words::Gpt2) };
    let file = trainer.train(["abab abc abab"]).unwrap();
    let merges = merges(&file);
    assert!(merges.iter().all(|(left, right)| format!("{left}{right}") != "ab"), "{merges:?}");
    assert!(merges.contains(&("b".into(), "a".into())), "{merges:?}");
    Tokenizer::from_json(&file, "ab").unwrap();
}

#[test]
fn settings_out_of_range_are_told() {
    let check = |trainer: BpeTrainer, message: &str| {
        assert_eq!(trainer.train(["text"]).unwrap_err().to_string(), message);
    };
    check(trainer(257, Words::Gpt2), "size of the new vocabulary is 257, expected 258 to 524288");
    check(
        trainer(usize::MAX, Words::Gpt2),
        "size of the new vocabulary is 18446744073709551615, expected 258 to 524288",
    );
    for name in ["", "a", "<|end|>", &"x".repeat(65)] {
        let error = BpeTrainer { start: name.into(), ..BpeTrainer::default() }
            .train(["text"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("expected 2 to 64 characters, each name once"), "{error}");
    }
    let error = BpeTrainer::default().train([b"ab\xff"]).unwrap_err().to_string();
    assert_eq!(error, "text is not utf-8 from byte 2 on");
    let error = BpeTrainer::default().train_words(&WordCounts::new(Words::Qwen2)).unwrap_err().to_string();
    assert_eq!(error, "way to cut words of the new vocabulary is qwen2, expected gpt-2");
}

/// The rule, word for word: count all pairs, take the one that comes most, of these the least; but first those that have
/// been merged before.
fn by_the_rule(words: &[String], vocab: usize) -> Vec<(String, String)> {
    let mut letters: Vec<char> =
        (33..=126).chain(161..=172).chain(174..=323).filter_map(char::from_u32).collect();
    letters.sort_unstable();
    let mut tokens: Vec<String> = ["<|start|>", "<|end|>"].map(String::from).to_vec();
    tokens.extend(letters.iter().map(char::to_string));
    let number = |text: &str, tokens: &[String]| tokens.iter().position(|token| token == text);
    let mut state: Vec<Vec<usize>> = words
        .iter()
        .map(|word| word.chars().map(|letter| number(&letter.to_string(), &tokens).unwrap()).collect())
        .collect();
    let mut merges: Vec<(usize, usize)> = Vec::new();
    while tokens.len() < vocab {
        let mut counts = std::collections::BTreeMap::<(usize, usize), u64>::new();
        for word in &state {
            word.windows(2).for_each(|pair| *counts.entry((pair[0], pair[1])).or_default() += 1);
        }
        let again = counts.keys().find(|pair| merges.contains(pair)).copied();
        let most = counts.iter().max_by_key(|(pair, count)| (**count, std::cmp::Reverse(**pair)));
        let Some(pair) = again.or(most.map(|(pair, _)| *pair)) else { break };
        let text = format!("{}{}", tokens[pair.0], tokens[pair.1]);
        let merged = number(&text, &tokens).unwrap_or_else(|| {
            tokens.push(text);
            tokens.len() - 1
        });
        if again.is_none() {
            merges.push(pair);
        }
        for word in &mut state {
            let mut at = 0;
            while at + 1 < word.len() {
                if (word[at], word[at + 1]) == pair {
                    word.splice(at..at + 2, [merged]);
                }
                at += 1;
            }
        }
    }
    merges.into_iter().map(|(left, right)| (tokens[left].clone(), tokens[right].clone())).collect()
}

proptest! {
    #[test]
    fn merges_follow_the_rule(words in proptest::collection::vec("[a-c]{1,12}", 1..12), more in 1usize..40) {
        let vocab = 258 + more;
        let trainer = BpeTrainer { min_frequency: 1, ..trainer(vocab, Words::Gpt2) };
        // Each word is a text of its own, so that none has a blank before it.
        prop_assert_eq!(merges(&trainer.train(&words).unwrap()), by_the_rule(&words, vocab));
    }
}
