//! Keys, derivation, signatures: values of other implementations, and properties.

use primitives::Seed;
use proptest::prelude::*;
use wallet::{KeyError, KeyFile, Keypair, Mnemonic, Scheme, SecretSeed, Signature};

/// The public phrase of Substrate's development accounts.
const DEVELOPMENT: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

fn uri(scheme: Scheme, text: &str) -> Keypair {
    Keypair::from_uri(scheme, &text.parse().unwrap()).unwrap()
}

/// Addresses and private keys as the SDK 11.3.0 gives them for the same URIs.
#[test]
fn derived_keys_are_those_of_the_sdk() {
    let check = |scheme, text: &str, address: &str, private_key: &str| {
        let pair = uri(scheme, text);
        assert_eq!(pair.public().account.to_ss58(), address, "{text}");
        let shown = pair.expose_private_key();
        // A soft derivation's second half is a nonce seed that each implementation draws as it likes.
        assert_eq!(&shown[2..2 + private_key.len()], private_key, "{text}");
    };
    let (sr, ed) = (Scheme::Sr25519, Scheme::Ed25519);
    check(
        sr,
        "",
        "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV",
        "05d65584630d16cd4af6d0bec10f34bb504a5dcb62dba2122d49f5a663763d0a\
         fd190cce74df356432b410bd64682309d6dedb27c76845daf388557cbac3ca34",
    );
    check(
        sr,
        "//Alice",
        "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        "33a6f3093f158a7109f679410bef1a0c54168145e0cecb4df006c1c2fffb1f09\
         925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011",
    );
    check(sr, "//Alice//stash", "5GNJqTPyNqANBkUVMN1LPPrxXnFouWXoe2wNSmmEoLctxiZY", "5d9bad33d041e0c1");
    check(
        sr,
        "/Bob",
        "5GdqHCu2AdWCprqtQDsxDE6wdSZk2bzLGjto2okYLaqtpoMn",
        "cf0a5bdee6052f955ac40e4d6f44f3cf3a9bfa1de2ced7661c018d8fc0c02909",
    );
    check(sr, "//1", "5GBNeWRhZc2jXu7D55rBimKYDk8PGk8itRYFTPfC8RJLKG5o", "d0bce58f3a0dc486");
    check(sr, "//Alice/soft//2", "5FRcv8UfFPfNUoP5oh1DqS5Pa6szH5TAEdRcTdaE87SKmruC", "de80cc9c952bc52e");
    let with_passphrase = format!("{DEVELOPMENT}//0/1///pw");
    check(sr, &with_passphrase, "5Dqy7HFuvrUV5WJphToNsNTMBQjXGxoTZKwdZyLWeSCyqBLy", "11f5331b759e42f2");
    check(
        ed,
        "",
        "5DFJF7tY4bpbpcKPJcBTQaKuCDEPCpiz8TRjpmLeTtweqmXL",
        "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e",
    );
    check(
        ed,
        "//Alice",
        "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu",
        "abf8e5bdbe30c65656c0a3cbd181ff8a56294a69dfedd27982aace4a76909115",
    );
    check(ed, "//Alice//stash", "5DdJ9KX9gm9UvZpcpY6av29Q4uzbjuHdp5zEmV6FCh2FXiBc", "0c65e5682574607b");
    check(ed, "//1", "5GPSNQk7A1k77LEzMd2r9ja1hfH6mVvUwkZt8wHRzgSELkPA", "96c891b8726cb18c");
    let zeros = format!("{}about", "abandon ".repeat(11));
    check(sr, &zeros, "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH", "");
}

/// The `ss58` cases of `tests/fixtures/golden.json` in the source archive of Bittensor SDK 11.3.0.
#[test]
fn addresses_are_those_of_the_sdks_golden_file() {
    for (public_key, address) in [
        (
            "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d",
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        ),
        (
            "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48",
            "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
        ),
        (
            "90b5ab205c6974c9ea841be688864633dc9ca8a357843eeacf2314649965fe22",
            "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y",
        ),
        (
            "b220508024ce70b0dd91910806fbda4614701cb762f669276fe978636c4ff80c",
            "5G6Fyo6U2fDhJXDJGp4Dr6XViVCdPcryiyLBDsusguSRcYvJ",
        ),
    ] {
        let account = primitives::AccountId::from_ss58(address).unwrap();
        assert_eq!((hex(&account.0).as_str(), account.to_ss58().as_str()), (public_key, address));
    }
    // The first three are the development accounts of these names.
    for (name, address) in [
        ("Alice", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"),
        ("Bob", "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"),
        ("Charlie", "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y"),
    ] {
        assert_eq!(Keypair::development(name).unwrap().public().account.to_ss58(), address);
    }
}

#[test]
fn alice_signs_what_the_sdk_verifies_and_the_other_way_round() {
    let message = b"golden-signing-payload";
    let alice = Keypair::development("Alice").unwrap();
    // Made by the SDK 11.3.0 with its own randomness.
    let theirs: Signature = "3010547b58f5a583d4d6b67cf1230ad550c2ed3550ee5aaeb6f6ac03ef11e50c\
                             05929870fae46c390503c72c7ea0f4accd7fe649de8607faff4cf12f2d82368f"
        .parse()
        .unwrap();
    assert!(alice.public().verify(message, &theirs));
    assert!(!alice.public().verify(b"something else", &theirs));
    // ed25519 has one signature for a message.
    let ed = uri(Scheme::Ed25519, "//Alice");
    assert_eq!(
        ed.sign(message, [7; 32]).to_string(),
        "0x6bc072bcc1aba0c95ea3dd3f284a64ab7f3b7e55ec50b46ad75032e7e17e4b6d\
         67fe7eacf43d43672c86ed602d56120fd0ec9cd912fc8fe1580d5af690ec1c05"
    );
}

#[test]
fn soft_derivation_is_refused_for_ed25519() {
    let derived = Keypair::from_uri(Scheme::Ed25519, &"/Bob".parse().unwrap());
    assert_eq!(derived.unwrap_err(), KeyError::SoftEd25519);
}

#[test]
fn private_keys_of_both_lengths_are_read_and_wrong_ones_refused() {
    let ed = uri(Scheme::Ed25519, "//Alice");
    let short = ed.expose_private_key();
    let long = format!("{}{}", short.as_str(), hex(&ed.public().account.0));
    assert_eq!(Keypair::from_private_key(Scheme::Ed25519, &long).unwrap().public(), ed.public());
    let mixed = format!("{}{}", short.as_str(), "00".repeat(32));
    let refused = |scheme, text: &str| Keypair::from_private_key(scheme, text).unwrap_err().to_string();
    assert_eq!(refused(Scheme::Ed25519, &mixed), "private key is no valid ed25519 key");
    assert_eq!(refused(Scheme::Sr25519, &"ff".repeat(64)), "private key is no valid sr25519 key");
    let form = "private key is not 128 hexadecimal digits, with or without 0x";
    assert_eq!(refused(Scheme::Sr25519, &short), form);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn debug_and_errors_show_no_secret() {
    let pair = Keypair::from_mnemonic(Scheme::Sr25519, &Mnemonic::parse(DEVELOPMENT).unwrap(), None);
    let shown = format!("{pair:?} {:?}", KeyFile::Pair(Box::new(pair.clone())));
    assert!(
        !shown.contains("bottom") && !shown.contains("fac7959d") && !shown.contains("05d65584"),
        "{shown}"
    );
    assert!(shown.contains("Keypair(sr25519, 5Dfh"), "{shown}");
}

#[test]
fn simulated_pairs_depend_on_seed_purpose_and_index() {
    let pair =
        |number, purpose, index| Keypair::simulated(Seed::from_number(number), purpose, index).hotkey();
    assert_eq!(pair(1, "miner", 0), pair(1, "miner", 0));
    assert_ne!(pair(1, "miner", 0), pair(1, "miner", 1));
    assert_ne!(pair(1, "miner", 0), pair(1, "validator", 0));
    assert_ne!(pair(1, "miner", 0), pair(2, "miner", 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn signatures_verify_for_their_key_scheme_and_message_only(
        seed: [u8; 32], salt: [u8; 32], message: Vec<u8>, ed: bool, flip in 0usize..64 * 8,
    ) {
        let scheme = if ed { Scheme::Ed25519 } else { Scheme::Sr25519 };
        let pair = Keypair::from_seed(scheme, &SecretSeed::from_bytes(seed));
        let signature = pair.sign(&message, salt);
        prop_assert_eq!(signature, pair.sign(&message, salt));
        prop_assert!(pair.public().verify(&message, &signature));
        prop_assert_eq!(signature.to_string().parse(), Ok(signature));
        let mut other = pair.public();
        other.scheme = scheme.other();
        prop_assert!(!other.verify(&message, &signature));
        let mut longer = message.clone();
        longer.push(0);
        prop_assert!(!pair.public().verify(&longer, &signature));
        let mut forged = signature;
        forged.0[flip / 8] ^= 1 << (flip % 8);
        prop_assert!(!pair.public().verify(&message, &forged));
    }

    #[test]
    fn key_files_round_trip(entropy: [u8; 16], kind in 0u8..4, ed: bool) {
        let scheme = if ed { Scheme::Ed25519 } else { Scheme::Sr25519 };
        let mnemonic = Mnemonic::from_entropy(&entropy).unwrap();
        let pair = Keypair::from_mnemonic(scheme, &mnemonic, None);
        let file = match kind {
            0 => KeyFile::Pair(Box::new(pair.clone())),
            1 => KeyFile::Pair(Box::new(Keypair::from_seed(scheme, &mnemonic.seed(None)))),
            2 => KeyFile::Pair(Box::new(Keypair::from_private_key(scheme, &pair.expose_private_key()).unwrap())),
            _ => KeyFile::Public(pair.public()),
        };
        let json = file.to_json();
        let read = KeyFile::parse(&json).unwrap();
        prop_assert_eq!(read.public(), pair.public());
        prop_assert_eq!(read.to_json(), json);
        if let Some(read) = read.into_pair() {
            let signature = read.sign(b"x", [0; 32]);
            prop_assert!(pair.public().verify(b"x", &signature));
        }
    }

    #[test]
    fn arbitrary_keys_and_signatures_verify_nothing_and_never_panic(key: [u8; 32], halves: [[u8; 32]; 2], ed: bool) {
        let scheme = if ed { Scheme::Ed25519 } else { Scheme::Sr25519 };
        let public = wallet::PublicKey { scheme, account: primitives::AccountId(key) };
        let mut signature = [0u8; 64];
        signature[..32].copy_from_slice(&halves[0]);
        signature[32..].copy_from_slice(&halves[1]);
        prop_assert!(!public.verify(b"x", &Signature(signature)));
    }
}
