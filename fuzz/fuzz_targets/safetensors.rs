//! Files of tensors: what is read is finite and of its shape, and is read alike when it is written anew.
#![no_main]

use fuzz::{bounded, take_all};
use libfuzzer_sys::fuzz_target;
use lm::Tensors;

fuzz_target!(|input: &[u8]| {
    bounded(input, || match Tensors::from_safetensors_bytes(input.to_vec()) {
        Ok(tensors) => take_all(tensors),
        Err(error) => assert!(!error.to_string().is_empty()),
    });
});
