//! Extrinsics with changed bytes: each is read or refused, none but the very one that was signed is let in.
//!
//! Some thousand by default; `WEIGH_FULL=1` tries 200,000.

use std::sync::LazyLock;

use devchain::{Extrinsic, Rules, Unsound};
use parity_scale_codec::{Compact, Decode, Encode};
use primitives::{Digest, Rao};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
use wallet::{Keypair, Scheme};

use super::client::{Unsigned, account, key, set_weights, transfer};

/// Changed extrinsics by default, and in full.
const CASES: u32 = 3000;
const FULL_CASES: u32 = 200_000;
/// The newest block; the next one is what extrinsics are checked for.
const HEAD: u64 = 100;

/// The hash of a block, of whatever number.
fn hash_of(number: u64) -> Option<Digest> {
    (number <= HEAD).then(|| {
        let mut hash = [3; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        Digest(hash)
    })
}

fn verified(bytes: &[u8]) -> Result<Extrinsic, Unsound> {
    Extrinsic::verified(bytes, Rules::V425, HEAD, hash_of)
}

/// Signed by both schemes, immortal and mortal, shorter and longer than what is signed whole.
static GENUINE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let pay = transfer(account("Bob"), Rao(1_000_000));
    let batch = [&[11, 2][..], &Compact(2u32).encode(), &pay, &set_weights()].concat();
    let long = [&[0, 0][..], &vec![7u8; 300].encode()].concat();
    let sudo = [&[12, 0][..], &set_weights()].concat();
    let ed25519 = Keypair::from_uri(Scheme::Ed25519, &"//Alice".parse().unwrap()).unwrap();
    let mut all = Vec::new();
    for call in [pay, set_weights(), batch, long, sudo] {
        for (era, birth) in [(vec![0], 0), (vec![0x35, 0], 67)] {
            let genesis = hash_of(0).unwrap().0;
            let unsigned =
                Unsigned { era, birth: hash_of(birth).unwrap().0, ..Unsigned::new(genesis, 5, call.clone()) };
            all.push(unsigned.sign(&key("Alice")));
            all.push(unsigned.sign(&ed25519));
        }
    }
    all
});

/// One change of some bytes.
#[derive(Clone, Debug)]
enum Edit {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index),
    Cut(Index),
    /// What stands at one place is copied over another.
    Copy(Index, Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), 0u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..5)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        1 => at().prop_map(Edit::Remove),
        1 => at().prop_map(Edit::Cut),
        1 => (at(), at(), 1usize..33).prop_map(|(from, to, length)| Edit::Copy(from, to, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
    let length = bytes.len();
    if length == 0 {
        return;
    }
    match edit {
        Edit::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Edit::Set(at, byte) => bytes[at.index(length)] = *byte,
        Edit::Insert(at, new) => {
            let at = at.index(length);
            bytes.splice(at..at, new.iter().copied());
        }
        Edit::Remove(at) => {
            bytes.remove(at.index(length));
        }
        Edit::Cut(at) => bytes.truncate(at.index(length)),
        Edit::Copy(from, to, count) => {
            let (from, to) = (from.index(length), to.index(length));
            let count = (*count).min(length - from).min(length - to);
            bytes.copy_within(from..from + count, to);
        }
    }
}

/// The extrinsic changed, its length put right where that is asked for, so that what stands behind is looked at.
fn changed(genuine: &[u8], edits: &[Edit], with_length: bool) -> Vec<u8> {
    if !with_length {
        let mut bytes = genuine.to_vec();
        edits.iter().for_each(|edit| apply(&mut bytes, edit));
        return bytes;
    }
    let mut inner = Vec::<u8>::decode(&mut &genuine[..]).unwrap();
    edits.iter().for_each(|edit| apply(&mut inner, edit));
    inner.encode()
}

#[expect(clippy::disallowed_methods, reason = "how much is run is for whoever runs it")]
fn cases() -> u32 {
    if std::env::var_os("WEIGH_FULL").is_some_and(|value| value == "1") { FULL_CASES } else { CASES }
}

#[test]
fn a_changed_extrinsic_is_never_let_in() {
    for genuine in GENUINE.iter() {
        let extrinsic = verified(genuine).unwrap();
        assert_eq!(extrinsic.nonce, Some(5));
    }
    let counts = std::cell::Cell::new([0u32; 3]);
    let mut runner = TestRunner::new(Config { cases: cases(), ..Config::default() });
    let strategy = (any::<Index>(), prop::collection::vec(edit(), 1..4), any::<bool>());
    runner
        .run(&strategy, |(which, edits, with_length)| {
            let genuine = which.get(&GENUINE);
            let bytes = changed(genuine, &edits, with_length);
            let mut seen = counts.get();
            if bytes == *genuine {
                prop_assert!(verified(&bytes).is_ok());
                seen[2] += 1;
            } else {
                let found = verified(&bytes);
                prop_assert!(found.is_err(), "{}", hex::encode(bytes));
                seen[usize::from(found == Err(Unsound::Malformed))] += 1;
            }
            counts.set(seen);
            Ok(())
        })
        .unwrap();
    let [invalid, malformed, same] = counts.get();
    println!("{invalid} read but not valid, {malformed} malformed, {same} came out unchanged");
    // Most changes leave something that can be read: it is the signature that keeps them out.
    assert!(invalid > cases() / 4 && malformed > cases() / 20);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        head in prop_oneof![Just(Vec::new()), Just(vec![0x84, 0]), Just(vec![0x84]), Just(vec![0x05]), Just(vec![0x04])],
    ) {
        prop_assert!(verified(&bytes).is_err());
        prop_assert!(verified(&[&head[..], &bytes].concat().encode()).is_err());
    }
}
