//! What clients ask of a chain's state: any storage key, any prefix and any arguments of any runtime call are answered or
//! refused, the same way each time.
#![no_main]

use std::sync::LazyLock;

use devchain::State;
use fuzz::{METHODS, chain_at};
use libfuzzer_sys::fuzz_target;

/// The chain that is asked.
static CHAIN: LazyLock<State> = LazyLock::new(chain_at);
/// Keys that are asked for at once.
const PAGE: usize = 100;

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    match kind {
        b'k' => storage(rest),
        b'r' => runtime_call(rest),
        _ => {
            let name = String::from_utf8_lossy(input);
            assert!(METHODS.contains(&&*name) || CHAIN.runtime_call(&name, &[]).is_err());
        }
    }
});

/// The first byte cuts the input into a prefix and the key to go on after.
fn storage(input: &[u8]) {
    let _value = CHAIN.stored(input);
    let Some((cut, rest)) = input.split_first() else { return };
    let (prefix, after) = rest.split_at(usize::from(*cut).min(rest.len()));
    let keys = CHAIN.stored_keys(prefix, (!after.is_empty()).then_some(after), PAGE);
    assert!(keys.len() <= PAGE && keys.is_sorted());
    for key in &keys {
        assert!(key.starts_with(prefix) && (after.is_empty() || &key[..] > after));
        assert!(CHAIN.stored(key).is_some(), "a key that is listed has a value");
    }
}

/// The first byte is the method's number.
fn runtime_call(input: &[u8]) {
    let Some((method, arguments)) = input.split_first() else { return };
    let name = METHODS[usize::from(*method) % METHODS.len()];
    let answer = CHAIN.runtime_call(name, arguments);
    assert_eq!(CHAIN.runtime_call(name, arguments), answer);
}
