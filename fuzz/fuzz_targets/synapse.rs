//! Synapses of SDK 10: any bytes are read or refused, what is accepted was signed, what is signed is accepted.
#![no_main]

use std::sync::{Arc, LazyLock};

use fuzz::{NOW, Sent, bounded, class, envelope, genuine_synapses, key, replay, us};
use libfuzzer_sys::fuzz_target;
use protocol::{
    Scheme,
    synapse::{Caller, Class, Request, SynapseError, Verifier, reply_body},
};
use serde_json::{Map, Value};

static CLASS: LazyLock<Class> = LazyLock::new(class);
/// The values of the hashed fields, with the headers that say who signed them and when.
static GENUINE: LazyLock<Vec<(Sent, Map<String, Value>)>> = LazyLock::new(|| {
    let read = |sent: Sent| (sent.clone(), serde_json::from_slice(&sent.body).expect("our own JSON"));
    genuine_synapses().into_iter().map(read).collect()
});
/// Headers that the signature covers.
const SIGNED: [&str; 4] = [
    "bt_header_dendrite_nonce",
    "bt_header_dendrite_hotkey",
    "bt_header_dendrite_uuid",
    "computed_body_hash",
];

fuzz_target!(|input: &[u8]| {
    LazyLock::force(&GENUINE);
    bounded(input, || match input.split_first() {
        Some((b'+', rest)) => signed_anew(&Sent::parse(rest)),
        _ => as_it_stands(&Sent::parse(input)),
    });
});

fn verify(verifier: &Verifier, sent: &Sent) -> Result<Caller, SynapseError> {
    verifier.finish(&CLASS, verifier.begin(&sent.headers, NOW)?, &sent.body, NOW)
}

fn as_it_stands(sent: &Sent) {
    let replay = replay();
    let verifier = Verifier::new(us(), Arc::clone(&replay));
    let verdict = verify(&verifier, sent);
    let remembered = replay.lock().expect("not poisoned").len();
    match verdict {
        Ok(caller) => {
            let genuine = GENUINE.iter().any(|(original, fields)| {
                SIGNED.iter().all(|name| original.headers[*name] == sent.headers[*name])
                    && ["prompt", "n"].iter().all(|field| fields[*field] == caller.body[*field])
            });
            assert!(genuine, "accepted what nobody signed: {sent:?}");
            assert_eq!(remembered, 1);
            let again = verify(&verifier, sent);
            assert!(matches!(again, Err(SynapseError::Replay(_))), "accepted twice: {again:?}");
            let reply = reply_body(&CLASS, caller.body.clone(), caller.body);
            assert_eq!(reply["axon"]["status_code"], 200);
        }
        Err(refusal) => {
            assert_eq!(remembered, 0, "a refused synapse was written down");
            assert!(!refusal.problem().body().is_empty() && !refusal.to_string().is_empty());
        }
    }
}

/// Signs the object in the input's body, as far as it is of the class, and verifies it.
fn signed_anew(sent: &Sent) {
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(&sent.body) else { return };
    let Ok(request) = Request::sign(&key(Scheme::Sr25519, 2), &CLASS, &fields, envelope(NOW)) else { return };
    let Request { path, headers, body } = request;
    let sent = Sent { method: http::Method::POST, target: path, headers, body };
    let verifier = Verifier::new(us(), replay());
    let caller = verify(&verifier, &sent).expect("what we sign, we accept");
    for field in ["prompt", "n", "answer", "weights", "more", "loss"] {
        assert_eq!(caller.body.get(field), fields.get(field), "{field}");
    }
    let text = Value::Object(caller.body.clone()).to_string();
    assert_eq!(serde_json::from_str::<Map<String, Value>>(&text).ok(), Some(caller.body), "printed and read");
}
