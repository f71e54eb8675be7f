//! Tokenizers: any file is read or refused; what is read cuts any text into tokens that stand for all of it.
#![no_main]

use fuzz::{START, bounded, cut};
use libfuzzer_sys::fuzz_target;

const TEXT: &str = "abba  ab 11, the weighhouse's ab\n";

fuzz_target!(|input: &[u8]| {
    bounded(input, || {
        cut(input, START, TEXT.as_bytes());
        cut(input, START, input);
    });
});
