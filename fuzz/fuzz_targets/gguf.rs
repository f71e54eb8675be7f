//! Models in GGUF: tensors as in `safetensors`; sizes are there or refused; a tokenizer counts every byte.
#![no_main]

use fuzz::{bounded, cut, take_all};
use libfuzzer_sys::fuzz_target;
use lm::Gguf;

const TEXT: &str = "abba 11, the weighhouse\n";

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
            cut(&json, start, TEXT.as_bytes());
        }
        take_all(gguf.into_tensors());
    });
});
