use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use protocol::{
    Replay, ReplayError, Signer, UnixNanos, WindowError,
    synapse::{Caller, Class, ClassError, Envelope, Field, FieldKind, Request, SynapseError, Verifier},
};
use serde_json::{Map, Value, json};
use wallet::Keypair;

use crate::keys::sr;

const NOW: UnixNanos = UnixNanos(1_752_076_800_000_000_000);
const UUID: &str = "0f0e0d0c-0b0a-11f0-8000-000000000000";
const SIGNATURE: &str = "bt_header_dendrite_signature";

fn class() -> Class {
    let fields = vec![
        Field::required("prompt", FieldKind::Str),
        Field::required("n", FieldKind::Int),
        Field::optional("answer", FieldKind::Str),
    ];
    Class::new("Generate", fields, &["prompt", "n"]).unwrap()
}

fn fields() -> Map<String, Value> {
    json!({"prompt": "héllo \"x\"", "n": 3}).as_object().unwrap().clone()
}

fn us() -> Keypair {
    sr(9)
}

fn verifier() -> Verifier {
    Verifier::new(us().hotkey(), Arc::new(Mutex::new(Replay::started(NOW.minus_s(100)))))
}

fn signed(nonce: UnixNanos) -> Request {
    let address = "127.0.0.1:8091".parse().unwrap();
    let envelope = Envelope { receiver: us().hotkey(), address, nonce, uuid: UUID, timeout_s: 12 };
    Request::sign(&sr(1), &class(), &fields(), envelope).unwrap()
}

fn verify(verifier: &Verifier, headers: &HeaderMap, body: &[u8]) -> Result<Caller, SynapseError> {
    verifier.finish(&class(), verifier.begin(headers, NOW)?, body, NOW)
}

#[test]
fn a_signed_synapse_passes_once() {
    let (verifier, request) = (verifier(), signed(NOW));
    assert_eq!(request.path, "/Generate");
    assert_eq!(request.headers["timeout"], "12.0");
    assert_eq!(request.headers["bt_header_input_obj_prompt"], "IiI=");
    let caller = verify(&verifier, &request.headers, &request.body).unwrap();
    assert_eq!((caller.hotkey, &caller.body["n"]), (sr(1).hotkey(), &json!(3)));
    let again = verify(&verifier, &request.headers, &request.body);
    assert!(matches!(again, Err(SynapseError::Replay(ReplayError::Seen { .. }))), "{again:?}");
}

#[test]
fn a_fresh_uuid_does_not_make_a_nonce_fresh() {
    let verifier = verifier();
    let request = |uuid| {
        let address = "127.0.0.1:8091".parse().unwrap();
        let envelope = Envelope { receiver: us().hotkey(), address, nonce: NOW, uuid, timeout_s: 12 };
        Request::sign(&sr(1), &class(), &fields(), envelope).unwrap()
    };
    let (first, second) = (request("aaaa"), request("bbbb"));
    assert!(verify(&verifier, &first.headers, &first.body).is_ok());
    assert!(verify(&verifier, &second.headers, &second.body).is_err());
}

#[test]
fn a_wrapped_signature_counts() {
    let mut request = signed(NOW);
    let get = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    let text = format!(
        "<Bytes>{}.{}.{}.{UUID}.{}</Bytes>",
        NOW.0,
        sr(1).hotkey(),
        us().hotkey(),
        get("computed_body_hash")
    );
    let signature = protocol::Signature(Signer::sign(&sr(1), text.as_bytes()));
    request.headers.insert(SIGNATURE, signature.to_string().parse().unwrap());
    assert!(verify(&verifier(), &request.headers, &request.body).is_ok());
}

#[test]
fn each_failure_is_its_own() {
    let good = signed(NOW);
    let with = |name: &'static str, value: &str| {
        let mut headers = good.headers.clone();
        headers.insert(name, value.parse().unwrap());
        headers
    };
    let status = |headers: &HeaderMap, body: &[u8]| {
        let refusal = verify(&verifier(), headers, body).unwrap_err();
        (refusal.problem().status.as_u16(), refusal.problem().kind)
    };
    let mut unsigned = good.headers.clone();
    unsigned.remove(SIGNATURE);
    assert_eq!(status(&unsigned, &good.body), (401, "unsigned"));
    assert_eq!(status(&with(SIGNATURE, ""), &good.body), (401, "unsigned"));
    assert_eq!(status(&with("bt_header_dendrite_nonce", "x"), &good.body), (400, "malformed"));
    assert_eq!(status(&with("bt_header_dendrite_uuid", "a.b"), &good.body), (400, "malformed"));
    assert_eq!(status(&with("bt_header_dendrite_uuid", "aaaa"), &good.body), (401, "bad-signature"));
    let other = sr(8).hotkey().to_string();
    assert_eq!(status(&with("bt_header_axon_hotkey", &other), &good.body), (401, "wrong-receiver"));
    let changed = String::from_utf8(good.body.clone()).unwrap().replace("\"n\":3", "\"n\":4");
    assert_eq!(status(&good.headers, changed.as_bytes()), (401, "body-hash"));
    let text = String::from_utf8(good.body.clone()).unwrap().replace("\"n\":3", "\"n\":\"3\"");
    assert_eq!(status(&good.headers, text.as_bytes()), (400, "field"));
    assert_eq!(status(&good.headers, b"[]"), (400, "not-an-object"));
    let with_answer = |value: &str| {
        let body = String::from_utf8(good.body.clone()).unwrap();
        body.replacen('{', &format!("{{\"answer\":{value},"), 1).into_bytes()
    };
    assert_eq!(status(&good.headers, &with_answer("[1]")), (400, "field"));
    let nested =
        |depth| with_answer(&format!("\"[\\\"[\",\"more\":{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert_eq!(status(&good.headers, &nested(64)), (400, "too-deep"));
    assert!(verify(&verifier(), &good.headers, &nested(63)).is_ok());
    assert!(verify(&verifier(), &good.headers, &with_answer("null")).is_ok());
    let late = signed(NOW.minus_s(11));
    let stale = verify(&verifier(), &late.headers, &late.body);
    assert!(matches!(stale, Err(SynapseError::Window(WindowError::Stale { .. }))));
    let early = signed(NOW.plus_s(3));
    // However long the client says it will wait, the window stays.
    let mut headers = early.headers;
    headers.insert("timeout", "100000.0".parse().unwrap());
    let future = verify(&verifier(), &headers, &early.body);
    assert!(matches!(future, Err(SynapseError::Window(WindowError::Future { .. }))));
}

#[test]
fn a_sender_does_not_sign_what_it_cannot_hash() {
    let address = "127.0.0.1:8091".parse().unwrap();
    let envelope = Envelope { receiver: us().hotkey(), address, nonce: NOW, uuid: UUID, timeout_s: 12 };
    let mut wrong = fields();
    wrong.insert("n".to_owned(), json!(3.5));
    let refused = Request::sign(&sr(1), &class(), &wrong, envelope);
    assert_eq!(refused.err(), Some(ClassError::Value { field: "n".to_owned() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any one changed byte in a header that is signed, or in a hashed field, is refused.
    #[test]
    fn one_changed_byte_is_refused(which in 0usize..5, at: prop::sample::Index, bit in 0u8..7) {
        let request = signed(NOW);
        let name = ["bt_header_dendrite_nonce", "bt_header_dendrite_hotkey", "bt_header_dendrite_uuid",
            SIGNATURE, "computed_body_hash"][which];
        let mut value = request.headers[name].as_bytes().to_vec();
        let place = at.index(value.len());
        value[place] ^= 1 << bit;
        // The signature's hex reads the same in both cases of its letters.
        let same = which == 3 && value.eq_ignore_ascii_case(request.headers[name].as_bytes());
        prop_assume!(!same || value[1] != b'x');
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            let mut headers = request.headers.clone();
            headers.insert(name, value);
            prop_assert!(same || verify(&verifier(), &headers, &request.body).is_err());
        }
    }

    #[test]
    fn any_headers_and_body_are_read_or_refused(
        values in proptest::collection::vec((any::<prop::sample::Index>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..4),
        body: Vec<u8>,
    ) {
        let mut headers = signed(NOW).headers;
        let names: Vec<HeaderName> = headers.keys().cloned().collect();
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(&names[name.index(names.len())], value);
            }
        }
        prop_assert!(verify(&verifier(), &headers, &body).is_err());
    }
}
