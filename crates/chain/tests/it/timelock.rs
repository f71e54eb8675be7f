//! The timelock: what was recorded of the SDKs opens, and what was altered does not.

use chain::{
    Hotkey, Uid, WeightVector,
    timelock::{
        Beacon, MAX_CIPHERTEXT_BYTES, MAX_PAYLOAD_BYTES, OVERHEAD_BYTES, PUBLIC_KEY_BYTES, PublicKey,
        SecretKey, Signature, TimelockError, WeightsPayload, decrypt, encrypt,
    },
};
use primitives::Seed;
use proptest::prelude::*;
use serde::Deserialize;

/// Bytes at the end that are not bound to the rest: the cipher's name and its length.
const UNBOUND_BYTES: usize = 16;

/// One recorded ciphertext, made by `tests/peers/timelock.py record`.
#[derive(Debug, Deserialize)]
struct Recorded {
    made_by: String,
    round: u64,
    /// Hexadecimal, or the word `weights` for [`weights`].
    payload: String,
    ciphertext: String,
}

/// The signatures of quicknet for the rounds of the recordings.
pub(crate) fn quicknet_signature(round: u64) -> Signature {
    let text = match round {
        1_000 => {
            "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
        }
        657_413 => {
            "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b"
        }
        other => panic!("no signature of round {other} is known"),
    };
    text.parse().unwrap()
}

/// The weights of the recordings.
pub(crate) fn weights() -> WeightsPayload {
    WeightsPayload {
        hotkey: Some(Hotkey::from_bytes([7; 32])),
        weights: WeightVector { uids: vec![Uid(1), Uid(2), Uid(3)], values: vec![10, 20, 65_535] },
        version_key: 1_005,
    }
}

/// Checks one ciphertext of the SDKs and its payload, which is written as in [`Recorded`].
pub(crate) fn check_theirs(round: u64, payload: &str, ciphertext: &[u8]) {
    let opened = decrypt(ciphertext, &quicknet_signature(round)).unwrap();
    if payload == "weights" {
        assert_eq!(WeightsPayload::decode(&opened, Hotkey::from_bytes([7; 32])), Ok(weights()));
        assert_eq!(opened, weights().encode());
    } else {
        assert_eq!(hex::encode(&opened), payload);
    }
    assert_eq!(ciphertext.len(), opened.len() + OVERHEAD_BYTES);
}

#[test]
fn recorded_ciphertexts_of_both_sdks_open() {
    let recorded: Vec<Recorded> = serde_json::from_str(include_str!("../fixtures/timelock.json")).unwrap();
    assert_eq!(recorded.len(), 12);
    for one in recorded {
        println!("{} of {}", one.made_by, one.round);
        let ciphertext = hex::decode(&one.ciphertext).unwrap();
        check_theirs(one.round, &one.payload, &ciphertext);
        let other = if one.round == 1_000 { 657_413 } else { 1_000 };
        assert_eq!(decrypt(&ciphertext, &quicknet_signature(other)), Err(TimelockError::Closed));
    }
}

fn beacon() -> SecretKey {
    SecretKey::from_seed(&Seed::from_number(1))
}

fn locked(payload: &[u8]) -> Vec<u8> {
    encrypt(&beacon().public_key(), 9, payload, &Seed::from_number(2)).unwrap()
}

#[test]
fn quicknets_pulse_opens_what_was_locked_here() {
    let key = Beacon::quicknet().public_key;
    let ciphertext = encrypt(&key, 1_000, &weights().encode(), &Seed::from_number(3)).unwrap();
    check_theirs(1_000, "weights", &ciphertext);
    assert_eq!(decrypt(&ciphertext, &quicknet_signature(657_413)), Err(TimelockError::Closed));
}

#[test]
fn equal_arguments_give_equal_bytes_and_others_share_no_key() {
    assert_eq!(locked(b"one"), locked(b"one"));
    // u is r·G₂, and r is drawn from the session key.
    let u = |ciphertext: &[u8]| ciphertext[..PUBLIC_KEY_BYTES].to_vec();
    assert_ne!(u(&locked(b"one")), u(&locked(b"two")));
    let key = beacon().public_key();
    let other_round = encrypt(&key, 10, b"one", &Seed::from_number(2)).unwrap();
    let other_secret = encrypt(&key, 9, b"one", &Seed::from_number(3)).unwrap();
    assert_ne!(u(&locked(b"one")), u(&other_round));
    assert_ne!(u(&locked(b"one")), u(&other_secret));
}

#[test]
fn payloads_fit_into_what_the_chain_takes() {
    let longest = locked(&[5; MAX_PAYLOAD_BYTES]);
    assert_eq!(longest.len(), MAX_CIPHERTEXT_BYTES);
    assert_eq!(decrypt(&longest, &beacon().sign(9)).unwrap(), [5; MAX_PAYLOAD_BYTES]);
    let (found, most) = (MAX_PAYLOAD_BYTES + 1, MAX_PAYLOAD_BYTES);
    let longer = encrypt(&beacon().public_key(), 9, &vec![5; found], &Seed::from_number(2));
    assert_eq!(longer, Err(TimelockError::TooLong { what: "payload", found, most }));
    let (found, most) = (MAX_CIPHERTEXT_BYTES + 1, MAX_CIPHERTEXT_BYTES);
    let longer = decrypt(&[longest, vec![0]].concat(), &beacon().sign(9));
    assert_eq!(longer, Err(TimelockError::TooLong { what: "ciphertext", found, most }));
}

#[test]
fn every_byte_but_the_ciphers_name_is_bound() {
    let (ciphertext, signature) = (locked(b"weights"), beacon().sign(9));
    for at in 0..ciphertext.len() - UNBOUND_BYTES {
        let mut other = ciphertext.clone();
        other[at] ^= 1 << (at % 8);
        assert!(decrypt(&other, &signature).is_err(), "byte {at}");
    }
    // The chain reads neither the name nor what lies behind it, nor what lies behind the nonce in the body.
    let mut other = ciphertext.clone();
    *other.last_mut().unwrap() ^= 1;
    other.extend([1, 2, 3]);
    other.insert(ciphertext.len() - UNBOUND_BYTES, 9);
    other[PUBLIC_KEY_BYTES + 2 * (8 + 32)] += 1;
    assert_eq!(decrypt(&other, &signature).unwrap(), b"weights");
}

#[test]
fn a_part_of_a_ciphertext_is_none() {
    let (ciphertext, signature) = (locked(b"weights"), beacon().sign(9));
    for length in 0..ciphertext.len() {
        let refused = decrypt(&ciphertext[..length], &signature);
        assert!(matches!(refused, Err(TimelockError::Malformed { .. })), "{length} bytes: {refused:?}");
    }
}

#[test]
fn lengths_and_points_of_strangers_are_checked() {
    let (ciphertext, signature) = (locked(b"weights"), beacon().sign(9));
    let check = |at: usize, bytes: &[u8], part| {
        let mut other = ciphertext.clone();
        other[at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(decrypt(&other, &signature), Err(TimelockError::Malformed { part }), "at {at}");
    };
    let body = PUBLIC_KEY_BYTES + 2 * (8 + 32);
    for length in [0, 31, 33, u64::MAX, 1 << 63, 5_000] {
        check(PUBLIC_KEY_BYTES, &u64::to_le_bytes(length), "v");
    }
    check(body, &u64::MAX.to_le_bytes(), "body");
    check(body + 8, &15u64.to_le_bytes(), "payload");
    check(body + 8, &u64::MAX.to_le_bytes(), "payload");
    check(body + 8 + 8 + 7 + 16, &11u64.to_le_bytes(), "nonce");
    check(0, &[0; PUBLIC_KEY_BYTES], "u");
    // x = 2 is on the curve, and outside of the subgroup.
    let mut outside = [0; PUBLIC_KEY_BYTES];
    (outside[0], outside[PUBLIC_KEY_BYTES - 1]) = (0x80, 2);
    check(0, &outside, "u");
    // The identity is a point of the group, and what it masks opens for nobody.
    let mut identity = ciphertext.clone();
    identity[..PUBLIC_KEY_BYTES].fill(0);
    identity[0] = 0xC0;
    assert_eq!(decrypt(&identity, &signature), Err(TimelockError::Closed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_locked_opens_with_its_own_round_alone(
        payload in prop::collection::vec(any::<u8>(), 0..600),
        round: u64,
        other: u64,
        number: u64,
    ) {
        let beacon = SecretKey::from_seed(&Seed::from_number(number));
        let ciphertext = encrypt(&beacon.public_key(), round, &payload, &Seed::from_number(!number)).unwrap();
        prop_assert_eq!(ciphertext.len(), payload.len() + OVERHEAD_BYTES);
        prop_assert_eq!(decrypt(&ciphertext, &beacon.sign(round)), Ok(payload));
        if other != round {
            prop_assert_eq!(decrypt(&ciphertext, &beacon.sign(other)), Err(TimelockError::Closed));
        }
        let stranger = SecretKey::from_seed(&Seed::from_number(number.wrapping_add(1)));
        prop_assert_eq!(decrypt(&ciphertext, &stranger.sign(round)), Err(TimelockError::Closed));
    }

    #[test]
    fn altered_ciphertexts_are_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let ciphertext = locked(b"weights");
        let bound = ciphertext.len() - UNBOUND_BYTES;
        let mut other = ciphertext.clone();
        for (at, change) in edits {
            other[at.index(bound)] ^= change;
        }
        prop_assume!(other != ciphertext);
        prop_assert!(decrypt(&other, &beacon().sign(9)).is_err());
        other.truncate(cut.index(other.len()));
        prop_assert!(decrypt(&other, &beacon().sign(9)).is_err());
    }

    #[test]
    fn any_bytes_are_refused_in_peace(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(decrypt(&bytes, &beacon().sign(9)).is_err());
        let _ = Signature::from_bytes(&bytes);
        let _ = PublicKey::from_bytes(&bytes);
        let _ = WeightsPayload::decode(&bytes, Hotkey::from_bytes([7; 32]));
    }

    #[test]
    fn payloads_are_read_as_written(
        uids in prop::collection::vec(any::<u16>(), 0..200),
        version_key: u64,
        committer: [u8; 32],
    ) {
        let values = uids.iter().map(|uid| !uid).collect();
        let weights = WeightVector { uids: uids.into_iter().map(Uid).collect(), values };
        let committer = Hotkey::from_bytes(committer);
        let payload = WeightsPayload { hotkey: Some(committer), weights, version_key };
        prop_assert_eq!(WeightsPayload::decode(&payload.encode(), committer), Ok(payload));
    }
}
