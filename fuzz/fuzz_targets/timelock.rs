//! Timelocked commitments: any bytes are opened or refused, what opens was locked, what is locked opens.
#![no_main]

use std::sync::LazyLock;

use chain::timelock::{
    MAX_PAYLOAD_BYTES, PUBLIC_KEY_BYTES, PublicKey, SIGNATURE_BYTES, Signature, TimelockError,
    WeightsPayload, decrypt, encrypt,
};
use fuzz::{ROUND, beacon, bounded, genuine_ciphertexts, us};
use libfuzzer_sys::fuzz_target;
use primitives::Seed;

/// The cipher's name with its length, at the end of a ciphertext: what the chain does not look at.
const UNBOUND_BYTES: usize = 16;

/// Where a ciphertext has the length of its body: behind u, v and w.
const BODY_AT: usize = PUBLIC_KEY_BYTES + 2 * (8 + 32);
/// Bytes of the nonce.
const NONCE_BYTES: usize = 12;

/// The signatures of the seeds' round and of the next one.
static SIGNATURES: LazyLock<[Signature; 2]> =
    LazyLock::new(|| [ROUND, ROUND + 1].map(|round| beacon().sign(round)));
/// The key of the seeds' beacon.
static KEY: LazyLock<PublicKey> = LazyLock::new(|| beacon().public_key());
/// The seeds' ciphertexts with their payloads.
static GENUINE: LazyLock<Vec<(Vec<u8>, Vec<u8>)>> = LazyLock::new(genuine_ciphertexts);

fuzz_target!(|input: &[u8]| {
    let _ = (LazyLock::force(&SIGNATURES), LazyLock::force(&KEY), LazyLock::force(&GENUINE));
    bounded(input, || match input.split_first() {
        Some((b'+', rest)) => locked_anew(rest),
        _ => as_it_stands(input),
    });
});

fn as_it_stands(input: &[u8]) {
    if let Ok(opened) = decrypt(input, &SIGNATURES[0]) {
        let genuine =
            GENUINE.iter().any(|(bytes, payload)| *payload == opened && bound(input).eq(bound(bytes)));
        assert!(genuine, "opened what nobody locked: {opened:?}");
        assert_eq!(decrypt(input, &SIGNATURES[1]), Err(TimelockError::Closed));
    }
    payload(input);
    if let Some(Ok(key)) = input.get(..PUBLIC_KEY_BYTES).map(PublicKey::from_bytes) {
        assert_eq!(key.to_bytes(), input[..PUBLIC_KEY_BYTES]);
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    if let Some(Ok(signature)) = input.get(..SIGNATURE_BYTES).map(Signature::from_bytes) {
        assert_eq!(signature.to_bytes(), input[..SIGNATURE_BYTES]);
    }
}

/// All of a ciphertext that opened but the body's length, and what lies behind the nonce.
fn bound(ciphertext: &[u8]) -> impl Iterator<Item = &u8> {
    const SEALED_AT: usize = BODY_AT + 2 * 8;
    let length = ciphertext[BODY_AT + 8..SEALED_AT].try_into().map(u64::from_le_bytes).expect("eight bytes");
    let end = SEALED_AT + usize::try_from(length).expect("it opened") + 8 + NONCE_BYTES;
    ciphertext[..BODY_AT].iter().chain(&ciphertext[BODY_AT + 8..end])
}

fn payload(bytes: &[u8]) {
    let Ok(payload) = WeightsPayload::decode(bytes, us()) else { return };
    // Behind the weights there may be more; a longer hotkey than 32 bytes is read as its first 32.
    let again = WeightsPayload::decode(&payload.encode(), us());
    assert!(payload.encode().len() <= bytes.len());
    assert_eq!(again, Ok(payload));
}

/// Locks the input, opens it, and changes the byte that its length points at.
fn locked_anew(input: &[u8]) {
    payload(input);
    let locked = encrypt(&KEY, ROUND, input, &Seed::from_number(3));
    if input.len() > MAX_PAYLOAD_BYTES {
        assert!(matches!(locked, Err(TimelockError::TooLong { .. })));
        return;
    }
    let mut locked = locked.expect("a payload that is short enough");
    assert_eq!(decrypt(&locked, &SIGNATURES[0]).as_deref(), Ok(input));
    let at = (input.len() * 31) % (locked.len() - UNBOUND_BYTES);
    locked[at] ^= 1;
    assert!(decrypt(&locked, &SIGNATURES[0]).is_err(), "byte {at} is not bound");
}
