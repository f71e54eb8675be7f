//! Web archives: every byte belongs to a step, whoever holds a step's bytes alone finds the same step, and a record gives a
//! page or a reason why not.
#![no_main]

use corpus::Layout;
use fuzz::{READING_MAX_BYTES, each_step, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    within(READING_MAX_BYTES, || {
        each_step(&Layout::Records, input, |content| drop(Layout::Records.page(content)));
    });
});
