use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use primitives::Hotkey;
use proptest::prelude::*;
use protocol::{
    NonceSource, Replay, ReplayError, Scheme, Signature, Signer, UnixNanos, WindowError,
    btauth::{self, AuthError, BodyHash, Claim, Receiver, Target, Verifier, signed_bytes},
};

use crate::keys::{ed, sr};
use wallet::Keypair;

const NOW: UnixNanos = UnixNanos(1_752_076_800_000_000_000);
const BODY: &[u8] = br#"{"prompt": "hello"}"#;
const TARGET: Target<'static> = Target { method: &Method::POST, path_and_query: "/generate?stream=false" };
const BOB: &str = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";

fn bob() -> Hotkey {
    BOB.parse().unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(bob(), Arc::new(Mutex::new(Replay::started(NOW.minus_s(100)))))
}

fn signed(signer: &dyn Signer, nonce: UnixNanos) -> HeaderMap {
    Claim::sign(signer, Some(bob()), nonce, TARGET, BodyHash::of(BODY)).to_headers()
}

#[test]
fn the_signed_bytes_are_the_sdks() {
    let alice = Keypair::development("Alice").unwrap().hotkey();
    let bytes = signed_bytes(Scheme::Sr25519, TARGET, BodyHash::of(BODY), NOW, &alice, Some(&bob()));
    let expect = "btauth/1\nsr25519\nPOST\n/generate?stream=false\n\
                  341c57448e531310fbbe83f44cea2a5e838bd9e8a6b82b269f01d0dbbc23c3cc\n1752076800000000000\n\
                  5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\n\
                  5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
    assert_eq!(String::from_utf8(bytes).unwrap(), expect);
    let open = signed_bytes(Scheme::Ed25519, TARGET, BodyHash::of(b""), NOW, &alice, None);
    assert!(open.ends_with(b"\n-"));
}

/// Facts of the tests of Bittensor SDK 11.3.0 (`tests/unit/test_http_auth.py` in its source archive).
#[test]
fn the_sdks_golden_request_is_signed_and_read_alike() {
    let golden = "0x1a6b631988bf1f7ea093ab9d5acf61f05c316d0b0e428b24b487b75a5f6ee0e1\
                  a56a26918fdf871b6cf09437e6588023a4ce423cf622621b2a7feee17612f704";
    let alice = Keypair::from_uri(Scheme::Ed25519, &"//Alice".parse().unwrap()).unwrap();
    assert_eq!(alice.hotkey().to_string(), "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu");
    let headers = signed(&alice, NOW);
    assert_eq!(
        (&headers[btauth::SIGNATURE], &headers[btauth::CRYPTO]),
        (&golden.parse().unwrap(), &"ed25519".parse().unwrap())
    );
    let a_moment_later = UnixNanos(NOW.0 + 1_000_000);
    assert!(verifier().verify(&headers, TARGET, BODY, Receiver::Us, a_moment_later).is_ok());
    // Other spellings of a scheme mean the same, and the lower-case name is what was signed.
    for (key, spellings) in [
        (Keypair::development("Alice").unwrap(), ["SR25519", "sr25519", "1"]),
        (alice, ["ED25519", "Ed25519", "0"]),
    ] {
        for spelling in spellings {
            let mut headers = signed(&key, NOW);
            headers.insert(btauth::CRYPTO, spelling.parse().unwrap());
            let caller = verifier().verify(&headers, TARGET, BODY, Receiver::Us, NOW);
            assert_eq!(caller.map(|caller| caller.hotkey), Ok(key.hotkey()), "{spelling}");
        }
    }
}

/// The same facts, read where they stand.
#[test]
fn the_source_archives_golden_request_is_ours() {
    let Some(archive) = std::env::var_os("WEIGH_BITTENSOR11_SDIST") else {
        println!("skipped: WEIGH_BITTENSOR11_SDIST names no unpacked source archive of bittensor 11");
        return;
    };
    let path = std::path::Path::new(&archive).join("tests/unit/test_http_auth.py");
    let source = std::fs::read_to_string(path).unwrap();
    let between = |start: &str, end: &str| {
        let (_, rest) = source.split_once(start).expect("the constant is there");
        rest.split_once(end).expect("it ends").0
    };
    let alice = Keypair::development("Alice").unwrap().hotkey();
    let bytes = signed_bytes(Scheme::Sr25519, TARGET, BodyHash::of(BODY), NOW, &alice, Some(&bob()));
    let golden = between("GOLDEN_SR25519_PAYLOAD = b\"\"\"", "\"\"\"");
    assert_eq!(String::from_utf8(bytes).unwrap(), golden);
    let digits = |text: &str| text.chars().filter(char::is_ascii_hexdigit).collect::<String>();
    let golden = format!("0x{}", digits(between("GOLDEN_ED25519_SIGNATURE = (\n    \"0x", ")")));
    let alice = Keypair::from_uri(Scheme::Ed25519, &"//Alice".parse().unwrap()).unwrap();
    assert_eq!(signed(&alice, NOW)[btauth::SIGNATURE], golden);
}

#[test]
fn a_signed_request_passes_once_under_either_scheme() {
    let verifier = verifier();
    for signer in [&sr(1) as &dyn Signer, &ed(1)] {
        let headers = signed(signer, NOW);
        let caller = verifier.verify(&headers, TARGET, BODY, Receiver::Us, NOW).unwrap();
        assert_eq!((caller.hotkey, caller.scheme), (signer.hotkey(), signer.scheme()));
        let again = verifier.verify(&headers, TARGET, BODY, Receiver::Us, NOW);
        let (hotkey, nonce) = (signer.hotkey(), NOW);
        assert_eq!(again, Err(AuthError::Replay(ReplayError::Seen { hotkey, nonce })));
    }
}

#[test]
fn a_body_in_pieces_is_the_body_as_a_whole() {
    let verifier = verifier();
    let mut pending = verifier.begin(&signed(&sr(1), NOW), TARGET, Receiver::Us, NOW).unwrap();
    BODY.chunks(3).for_each(|chunk| pending.update(chunk));
    assert!(verifier.finish(pending, NOW).is_ok());
}

#[test]
fn each_failure_is_its_own() {
    let us = bob();
    let sender = sr(1);
    let hotkey = sender.hotkey();
    let good = signed(&sender, NOW);
    let without = |name: &'static str| {
        let mut headers = good.clone();
        headers.remove(name);
        headers
    };
    let with = |name: &'static str, value: &str| {
        let mut headers = good.clone();
        headers.insert(name, value.parse().unwrap());
        headers
    };
    let check = |headers: &HeaderMap, expect: AuthError, status: u16, kind: &str| {
        let result = verifier().verify(headers, TARGET, BODY, Receiver::Us, NOW);
        assert_eq!(result, Err(expect.clone()));
        assert_eq!((expect.problem().status.as_u16(), expect.problem().kind), (status, kind));
    };
    let malformed = |header, what| AuthError::Malformed { header, what };

    check(&HeaderMap::new(), AuthError::Unsigned, 401, "unsigned");
    for name in [btauth::VERSION, btauth::HOTKEY, btauth::NONCE, btauth::SIGNATURE] {
        check(&without(name), malformed(name, "missing"), 400, "malformed");
        let mut twice = good.clone();
        twice.append(name, good[name].clone());
        check(&twice, malformed(name, "repeated"), 400, "malformed");
        let mut bytes = good.clone();
        bytes.insert(name, HeaderValue::from_bytes(b"\xff").unwrap());
        check(&bytes, malformed(name, "not printable text"), 400, "malformed");
    }
    check(&with(btauth::VERSION, "2"), malformed(btauth::VERSION, "not 1"), 400, "malformed");
    for nonce in ["", "-1", "+1", "01", "1e9", "18446744073709551616", " 1"] {
        let expect = malformed(btauth::NONCE, "not a decimal number");
        check(&with(btauth::NONCE, nonce), expect, 400, "malformed");
    }
    let expect = malformed(btauth::SIGNATURE, "not 0x and 128 hex digits");
    check(&with(btauth::SIGNATURE, ""), expect, 400, "malformed");
    let address = malformed(btauth::HOTKEY, "not an SS58 address");
    check(&with(btauth::HOTKEY, "5Grw"), address, 400, "malformed");
    for scheme in ["ecdsa", "", "2", "01", "sr25519 ed25519"] {
        check(&with(btauth::CRYPTO, scheme), AuthError::UnknownScheme, 400, "unknown-scheme");
    }
    check(&without(btauth::RECEIVER), AuthError::NoReceiver { us }, 401, "no-receiver");
    let receiver = sr(9).hotkey();
    let other = Claim::sign(&sender, Some(receiver), NOW, TARGET, BodyHash::of(BODY)).to_headers();
    check(&other, AuthError::WrongReceiver { receiver, us }, 401, "wrong-receiver");
    let stale = WindowError::Stale { age_ns: 11_000_000_000, age_max_s: 10 };
    check(&signed(&sender, NOW.minus_s(11)), AuthError::Window(stale), 401, "stale");
    let future = WindowError::Future { ahead_ns: 3_000_000_000, skew_max_s: 2 };
    check(&signed(&sender, NOW.plus_s(3)), AuthError::Window(future), 401, "future");
    // Declared as the other scheme, the signature is never tried under its own.
    let bad = AuthError::BadSignature { hotkey };
    check(&with(btauth::CRYPTO, "ed25519"), bad.clone(), 401, "bad-signature");
    check(&with(btauth::SIGNATURE, &format!("0x{}", "0".repeat(128))), bad, 401, "bad-signature");
}

#[test]
fn every_part_of_the_request_is_covered() {
    let sender = sr(1);
    let headers = signed(&sender, NOW);
    let bad = Err(AuthError::BadSignature { hotkey: sender.hotkey() });
    let get = Method::GET;
    for (target, body) in [
        (TARGET, &br#"{"prompt": "hellp"}"#[..]),
        (TARGET, b""),
        (Target { path_and_query: "/generate?stream=true", ..TARGET }, BODY),
        (Target { path_and_query: "/generate", ..TARGET }, BODY),
        (Target { path_and_query: "/Generate?stream=false", ..TARGET }, BODY),
        (Target { method: &get, ..TARGET }, BODY),
    ] {
        assert_eq!(verifier().verify(&headers, target, body, Receiver::Us, NOW), bad);
    }
}

#[test]
fn after_a_restart_no_earlier_request_passes() {
    let headers = signed(&sr(1), NOW.plus_s(1));
    assert!(verifier().verify(&headers, TARGET, BODY, Receiver::Us, NOW).is_ok());
    let restarted = Verifier::new(bob(), Arc::new(Mutex::new(Replay::started(NOW))));
    let refused = restarted.verify(&headers, TARGET, BODY, Receiver::Us, NOW);
    let (nonce, until) = (NOW.plus_s(1), NOW.plus_s(2));
    assert_eq!(refused, Err(AuthError::Replay(ReplayError::BeforeStart { nonce, until })));
}

#[test]
fn a_forged_request_does_not_use_up_the_nonce() {
    let verifier = verifier();
    let headers = signed(&sr(1), NOW);
    assert!(verifier.verify(&headers, TARGET, b"forged", Receiver::Us, NOW).is_err());
    assert!(verifier.verify(&headers, TARGET, BODY, Receiver::Us, NOW).is_ok());
}

#[test]
fn an_open_route_takes_no_receiver_but_no_other_one() {
    let sender = sr(1);
    let open = Claim::sign(&sender, None, NOW, TARGET, BodyHash::of(BODY)).to_headers();
    assert!(verifier().verify(&open, TARGET, BODY, Receiver::Open, NOW).is_ok());
    let receiver = sr(9).hotkey();
    let other = Claim::sign(&sender, Some(receiver), NOW, TARGET, BodyHash::of(BODY)).to_headers();
    let expect = Err(AuthError::WrongReceiver { receiver, us: bob() });
    assert_eq!(verifier().verify(&other, TARGET, BODY, Receiver::Open, NOW), expect);
}

/// No change of what a request says is accepted; changes that leave its reading alone (the case of hex) do not count.
/// 500 mutations by default; `WEIGH_FULL=1` runs 100,000.
#[test]
fn no_mutated_request_is_accepted() {
    let count: u64 = if std::env::var_os("WEIGH_FULL").is_some() { 100_000 } else { 500 };
    let verifier = verifier();
    let signers: [&dyn Signer; 2] = [&sr(1), &ed(2)];
    let originals = signers.map(|signer| signed(signer, NOW));
    let mut random = Splitmix(7);
    let mut refused = 0;
    for _ in 0..count {
        let mut headers = originals[random.below(2)].clone();
        let mut path = TARGET.path_and_query.as_bytes().to_vec();
        let mut body = BODY.to_vec();
        let names: Vec<HeaderName> = headers.keys().cloned().collect();
        match random.below(8) {
            0 => mutate(&mut random, &mut path),
            1 => mutate(&mut random, &mut body),
            2 => drop(headers.remove(&names[random.below(names.len())])),
            3 => {
                let (from, to) = (random.below(names.len()), random.below(names.len()));
                let value = headers[&names[from]].clone();
                headers.insert(&names[to], value);
            }
            _ => {
                let name = &names[random.below(names.len())];
                let mut value = headers[name].as_bytes().to_vec();
                mutate(&mut random, &mut value);
                let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
                headers.insert(name, value);
            }
        }
        let Ok(path) = String::from_utf8(path) else { continue };
        let same = Claim::from_headers(&headers).ok() == Claim::from_headers(&originals[0]).ok()
            || Claim::from_headers(&headers).ok() == Claim::from_headers(&originals[1]).ok();
        if same && path == TARGET.path_and_query && body == BODY {
            continue;
        }
        let target = Target { method: TARGET.method, path_and_query: &path };
        let result = verifier.verify(&headers, target, &body, Receiver::Us, NOW);
        assert!(result.is_err(), "accepted: {headers:?} {path} {body:?}");
        refused += 1;
    }
    println!("{refused} of {count} mutations changed the request, all of them refused");
    assert!(refused > count / 2);
    for headers in &originals {
        assert!(
            verifier.verify(headers, TARGET, BODY, Receiver::Us, NOW).is_ok(),
            "the original still passes"
        );
    }
}

/// Changes, drops, doubles or swaps some bytes.
fn mutate(random: &mut Splitmix, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            bytes.push(b'0');
            continue;
        }
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[at] ^= 1 << random.below(7),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, bytes[at]),
            3 => bytes.truncate(at),
            _ => bytes[at] = b"0123456789abcdefABCDEFx-\n ?&"[random.below(28)],
        }
    }
}

/// A small generator, so that a failure names its inputs again on every run. Source: Steele et al., 2014.
struct Splitmix(u64);

impl Splitmix {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }
}

#[test]
fn nonces_of_many_threads_are_never_the_same() {
    let source = NonceSource::default();
    let mut nonces: Vec<UnixNanos> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..1_000).map(|_| source.next(NOW)).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 4_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_verifies(
        seed: u8, is_ed: bool, open: bool, body: Vec<u8>, age_ns in 0u64..10_000_000_000,
        path in "/[a-z0-9/%._-]{0,40}(\\?[a-z0-9=&%+]{0,40})?",
    ) {
        let signer: Box<dyn Signer> = if is_ed { Box::new(ed(seed)) } else { Box::new(sr(seed)) };
        let nonce = UnixNanos(NOW.0 - age_ns);
        let target = Target { method: &Method::PUT, path_and_query: &path };
        let receiver = if open { None } else { Some(bob()) };
        let claim = Claim::sign(signer.as_ref(), receiver, nonce, target, BodyHash::of(&body));
        let headers = claim.to_headers();
        prop_assert_eq!(Claim::from_headers(&headers), Ok(claim));
        let caller = verifier().verify(&headers, target, &body, Receiver::Open, NOW).unwrap();
        prop_assert_eq!((caller.hotkey, caller.nonce), (signer.hotkey(), nonce));
    }

    /// Any header values at all give a claim or an error, and a claim that was read is written back as it stood.
    #[test]
    fn any_headers_are_read_or_refused(
        values in proptest::collection::vec((0usize..6, prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            "[0-9]{1,25}".prop_map(String::into_bytes),
            "0x[0-9a-fA-F]{126,130}".prop_map(String::into_bytes),
            Just(BOB.as_bytes().to_vec()),
            Just(b"1".to_vec()),
            Just(b"ed25519".to_vec()),
        ]), 0..10),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(HeaderName::from_static(btauth::HEADERS[name]), value);
            }
        }
        if let Ok(claim) = Claim::from_headers(&headers) {
            prop_assert_eq!(Claim::from_headers(&claim.to_headers()), Ok(claim));
        }
    }

    #[test]
    fn any_bytes_as_key_and_signature_are_refused_without_a_panic(
        key: [u8; 32], low: [u8; 32], high: [u8; 32], ed: bool,
    ) {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&low);
        bytes[32..].copy_from_slice(&high);
        let scheme = if ed { Scheme::Ed25519 } else { Scheme::Sr25519 };
        prop_assert!(!protocol::verify(scheme, &Hotkey::from_bytes(key), b"message", &Signature(bytes)));
    }
}
