//! Extrinsics: any bytes are read or refused, what is let in is what somebody signed, and any call can be carried out.
#![no_main]

use std::sync::LazyLock;

use devchain::{Extrinsic, State, Unsound};
use fuzz::{bounded, chain_at, genuine_extrinsics, hash_of, key, sign_extrinsic};
use libfuzzer_sys::fuzz_target;
use primitives::Timestamp;
use protocol::Scheme;

/// The extrinsics of the seeds, byte for byte.
static GENUINE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(genuine_extrinsics);
/// The chain that they are for.
static CHAIN: LazyLock<State> = LazyLock::new(chain_at);

fuzz_target!(|input: &[u8]| {
    let _ = (LazyLock::force(&GENUINE), LazyLock::force(&CHAIN));
    match input.split_first() {
        Some((b'+', rest)) => signed_anew(rest),
        _ => bounded(input, || as_it_stands(input)),
    }
});

/// As the RPC reads it.
fn verified(bytes: &[u8]) -> Result<Extrinsic, Unsound> {
    Extrinsic::verified(bytes, CHAIN.rules(), CHAIN.head().number, hash_of)
}

fn as_it_stands(input: &[u8]) {
    if verified(input).is_ok() {
        assert!(GENUINE.iter().any(|genuine| genuine == input), "let in what nobody signed");
    }
}

/// Signs the input as a call. If it is one, it is let in, carried out, and not let in with a byte changed.
fn signed_anew(call: &[u8]) {
    let scheme = if call.len() % 2 == 0 { Scheme::Ed25519 } else { Scheme::Sr25519 };
    let key = key(scheme, 1);
    let mut bytes = sign_extrinsic(&key, CHAIN.nonce(key.public().account), call);
    let Ok(extrinsic) = verified(&bytes) else { return };
    let mut state = CHAIN.clone();
    let at = state.head().time.0;
    state.block(Timestamp(at + 12_000), &[extrinsic]);
    state.block(Timestamp(at + 24_000), &[]);
    if let Err(error) = state.audit() {
        panic!("{error}");
    }
    let at = call.len() * 31 % bytes.len();
    bytes[at] ^= 1;
    assert!(verified(&bytes).is_err(), "byte {at} is not signed");
}
