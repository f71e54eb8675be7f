//! Models in GGUF: tensors as in `safetensors`; sizes are there or refused; a tokenizer counts every byte.
#![no_main]

use fuzz::{bounded, take_all};
use libfuzzer_sys::fuzz_target;
use lm::{Gguf, Tokenizer, TokenizerError};

fuzz_target!(|input: &[u8]| {
    bounded(input, || {
        let gguf = match Gguf::from_bytes(input.to_vec()) {
            Ok(gguf) => gguf,
            Err(error) => return assert!(!error.to_string().is_empty()),
        };
        if let Ok(config) = gguf.config() {
            assert!(config["hidden_size"].is_u64() && config["rms_norm_eps"].is_f64(), "{config}");
        }
        if let (Ok(json), Ok(start)) = (gguf.tokenizer_json(), gguf.start_token()) {
            tokens(&json, start);
        }
        take_all(gguf.into_tensors());
    });
});

fn tokens(json: &[u8], start: &str) {
    let Ok(tokenizer) = Tokenizer::from_json(json, start) else { return };
    assert!((tokenizer.start() as usize) < tokenizer.vocab());
    let text = "abba 11, the weighhouse\n";
    match tokenizer.encode(text.as_bytes()) {
        Ok(tokens) => {
            assert_eq!(tokens.iter().map(|token| token.bytes as usize).sum::<usize>(), text.len());
            assert!(tokens.iter().all(|token| (token.id as usize) < tokenizer.vocab()));
        }
        Err(TokenizerError::NoToken { byte, place }) => assert_eq!(text.as_bytes()[place], byte),
        Err(other) => panic!("{other}"),
    }
}
