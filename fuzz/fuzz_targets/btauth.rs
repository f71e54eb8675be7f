//! Requests of `btauth/1`: any bytes are read or refused, what is accepted was signed, what is signed is accepted.
#![no_main]

use std::sync::{Arc, LazyLock, Mutex};

use fuzz::{NOW, Sent, bounded, genuine_requests, key, replay, us};
use libfuzzer_sys::fuzz_target;
use protocol::{
    Replay, Scheme,
    btauth::{AuthError, BodyHash, Claim, Receiver, Target, Verifier},
};

/// Method, target, body and claim of each request that was ever signed by the keys of the seeds.
static GENUINE: LazyLock<Vec<(Sent, Claim)>> = LazyLock::new(|| {
    let claim = |sent: Sent| (sent.clone(), Claim::from_headers(&sent.headers).expect("our own headers"));
    genuine_requests().into_iter().map(claim).collect()
});

fuzz_target!(|input: &[u8]| {
    LazyLock::force(&GENUINE);
    bounded(input, || match input.split_first() {
        Some((b'+', rest)) => signed_anew(&Sent::parse(rest)),
        _ => as_it_stands(&Sent::parse(input)),
    });
});

fn target(sent: &Sent) -> Target<'_> {
    Target { method: &sent.method, path_and_query: &sent.target }
}

fn verifier(replay: &Arc<Mutex<Replay>>) -> Verifier {
    Verifier::new(us(), Arc::clone(replay))
}

fn as_it_stands(sent: &Sent) {
    let claim = Claim::from_headers(&sent.headers);
    if let Ok(claim) = &claim {
        assert_eq!(Claim::from_headers(&claim.to_headers()).as_ref(), Ok(claim), "printed and read again");
    }
    let replay = replay();
    let verdict = verifier(&replay).verify(&sent.headers, target(sent), &sent.body, Receiver::Open, NOW);
    let remembered = replay.lock().expect("not poisoned").len();
    match verdict {
        Ok(caller) => {
            let claim = claim.expect("what is verified was read");
            let genuine = GENUINE.iter().any(|(original, signed)| {
                *signed == claim
                    && original.method.as_str().eq_ignore_ascii_case(sent.method.as_str())
                    && original.target == sent.target
                    && original.body == sent.body
            });
            assert!(genuine, "accepted what nobody signed: {sent:?}");
            assert_eq!((caller.hotkey, remembered), (claim.hotkey, 1));
            let again =
                verifier(&replay).verify(&sent.headers, target(sent), &sent.body, Receiver::Open, NOW);
            assert!(matches!(again, Err(AuthError::Replay(_))), "accepted twice: {again:?}");
        }
        Err(refusal) => {
            assert_eq!(remembered, 0, "a refused request was written down");
            assert!(!refusal.problem().body().is_empty() && !refusal.to_string().is_empty());
        }
    }
}

/// Signs whatever request the input makes; then each of its parts in turn is another one.
fn signed_anew(sent: &Sent) {
    // What HTTP cannot carry in a request's first line is not signed either.
    if sent.target.contains(['\n', '\r']) {
        return;
    }
    let scheme = if sent.body.len() % 2 == 0 { Scheme::Ed25519 } else { Scheme::Sr25519 };
    let claim = Claim::sign(&key(scheme, 2), Some(us()), NOW, target(sent), BodyHash::of(&sent.body));
    let headers = claim.to_headers();
    assert_eq!(Claim::from_headers(&headers).as_ref(), Ok(&claim));
    let check =
        |sent: &Sent| verifier(&replay()).verify(&headers, target(sent), &sent.body, Receiver::Us, NOW);
    assert_eq!(check(sent).map(|caller| caller.hotkey), Ok(claim.hotkey), "{sent:?}");
    let mut other = sent.clone();
    match other.body.first_mut() {
        Some(first) => *first ^= 1,
        None => other.body.push(0),
    }
    assert!(matches!(check(&other), Err(AuthError::BadSignature { .. })), "another body: {sent:?}");
    let other = Sent { target: format!("{}&", sent.target), ..sent.clone() };
    assert!(matches!(check(&other), Err(AuthError::BadSignature { .. })), "another target: {sent:?}");
}
