//! What the fuzz targets share: requests as text, the keys and moment of the seeds, and the bound on memory.

mod archives;
mod local;
mod models;

use std::sync::{Arc, LazyLock, Mutex};

pub use archives::{
    READING_MAX_BYTES, Task, dump_of, each_step, genuine_archives, genuine_dumps, genuine_heads, task,
};
pub use local::{METHODS, calls, chain_at, genuine_extrinsics, hash_of, sign_extrinsic};
pub use models::{
    START, cut, genuine_checkpoints, genuine_configs, genuine_gguf, genuine_safetensors, genuine_tokenizers,
    take_all,
};

use chain::{
    Uid, WeightVector,
    timelock::{SecretKey, WeightsPayload, encrypt},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use peak_alloc::PeakAlloc;
use primitives::{Hotkey, Seed};
use protocol::{
    Replay, Scheme, UnixNanos,
    btauth::{BodyHash, Claim, Target},
    synapse::{Class, Envelope, Field, FieldKind, Request},
};
use serde_json::json;
use wallet::{Keypair, SecretSeed};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Bytes that a run may allocate whatever its input: tables, and messages of errors.
const ALLOCATED_BASE_BYTES: usize = 256 << 10;
/// Bytes per byte of input. JSON is the dearest: a list of digits takes 32 bytes for every 2, some more while it
/// grows, and the targets hold three copies.
const ALLOCATED_PER_BYTE: usize = 160;

/// Runs `code`, and panics if it ever held more memory at once than its input's length justifies.
pub fn bounded(input: &[u8], code: impl FnOnce()) {
    within(ALLOCATED_BASE_BYTES + ALLOCATED_PER_BYTE * input.len(), code);
}

/// Runs `code`, and panics if it ever held more memory at once than this.
pub fn within(allowed_bytes: usize, code: impl FnOnce()) {
    ALLOCATED.reset_peak_usage();
    let before = ALLOCATED.current_usage();
    code();
    let peak = ALLOCATED.peak_usage().saturating_sub(before);
    assert!(peak <= allowed_bytes, "{peak} bytes, {allowed_bytes} are allowed");
}

/// The moment at which all requests arrive.
pub const NOW: UnixNanos = UnixNanos(1_752_076_800_000_000_000);
/// The sending process of the seeds' synapses.
pub const UUID: &str = "0f0e0d0c-0b0a-11f0-8000-000000000000";

/// The key of a seed made of one byte.
pub fn key(scheme: Scheme, byte: u8) -> Keypair {
    Keypair::from_seed(scheme, &SecretSeed::from_bytes([byte; 32]))
}

/// The hotkey that requests are for.
pub fn us() -> Hotkey {
    static US: LazyLock<Hotkey> = LazyLock::new(|| key(Scheme::Sr25519, 9).hotkey());
    *US
}

/// A replay store of a process that began long before [`NOW`].
pub fn replay() -> Arc<Mutex<Replay>> {
    Arc::new(Mutex::new(Replay::with_capacity(NOW.minus_s(100), 16)))
}

/// A request as the axon sees it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Sent {
    /// Reads `METHOD TARGET`, lines of `name: value`, an empty line and the body. Lines that HTTP would not let
    /// through are left out, so that every input is some request.
    pub fn parse(input: &[u8]) -> Self {
        let (head, body) = match input.windows(2).position(|two| two == b"\n\n") {
            Some(at) => (&input[..at], &input[at + 2..]),
            None => (input, &[][..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let (method, target) = first.split_once(' ').unwrap_or(("", &first));
        let mut headers = HeaderMap::new();
        for line in lines.take(64) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let name = HeaderName::from_bytes(&line[..colon]);
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::POST);
        Self { method, target: target.to_owned(), headers, body: body.to_vec() }
    }

    /// The text that [`Sent::parse`] reads.
    pub fn print(&self) -> Vec<u8> {
        let mut text = format!("{} {}\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend_from_slice(&self.body);
        text
    }
}

/// Requests of `btauth/1` that are signed by keys of ours, so that they are accepted as they stand.
pub fn genuine_requests() -> Vec<Sent> {
    let post = (Method::POST, "/generate?stream=false", &br#"{"prompt": "hello"}"#[..]);
    let get = (Method::GET, "/health", &b""[..]);
    let mut requests = Vec::new();
    for (number, (scheme, receiver, (method, target, body))) in [
        (Scheme::Sr25519, Some(us()), post.clone()),
        (Scheme::Ed25519, Some(us()), post),
        (Scheme::Sr25519, None, get.clone()),
        (Scheme::Ed25519, Some(us()), get),
    ]
    .into_iter()
    .enumerate()
    {
        let signer = key(scheme, 1);
        let nonce = UnixNanos(NOW.0 - number as u64);
        let signed = Target { method: &method, path_and_query: target };
        let headers = Claim::sign(&signer, receiver, nonce, signed, BodyHash::of(body)).to_headers();
        requests.push(Sent { method, target: target.to_owned(), headers, body: body.to_vec() });
    }
    requests
}

/// The class of the synapses: two fields that the signature covers, one of each other kind that it does not.
pub fn class() -> Class {
    let fields = vec![
        Field::required("prompt", FieldKind::Str),
        Field::required("n", FieldKind::Int),
        Field::optional("answer", FieldKind::Str),
        Field::optional("weights", FieldKind::List),
        Field::optional("more", FieldKind::Object),
        Field::optional("loss", FieldKind::Float),
    ];
    Class::new("Generate", fields, &["prompt", "n"]).expect("a class that can be hashed")
}

/// How the seeds' synapses are sent.
pub fn envelope(nonce: UnixNanos) -> Envelope<'static> {
    let address = ([127, 0, 0, 1], 8091).into();
    Envelope { receiver: us(), address, nonce, uuid: UUID, timeout_s: 12 }
}

/// Synapses that are signed by a key of ours.
pub fn genuine_synapses() -> Vec<Sent> {
    [
        json!({"prompt": "héllo \"x\"", "n": 3}),
        json!({"prompt": "", "n": -1, "weights": [0.5, 1, []], "more": {"a": null}, "loss": 1e-3}),
    ]
    .iter()
    .enumerate()
    .map(|(number, fields)| {
        let fields = fields.as_object().expect("an object");
        let envelope = envelope(UnixNanos(NOW.0 - number as u64));
        let request = Request::sign(&key(Scheme::Sr25519, 1), &class(), fields, envelope)
            .expect("the fields are of the class");
        Sent { method: Method::POST, target: request.path, headers: request.headers, body: request.body }
    })
    .collect()
}

/// The plain key file inside of the seeds' encrypted ones.
pub const SEALED_PLAIN: &[u8] = br#"{"ss58Address":"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"}"#;
/// The key of the seeds' `$NACL` file.
pub const NACL_KEY: [u8; 32] = [7; 32];
/// The key of the seeds' Fernet token: what `password1` derives to.
pub const FERNET_KEY: [u8; 32] = [
    0xa7, 0x35, 0x3e, 0xcb, 0x9c, 0x9b, 0x01, 0xe8, 0x7b, 0x7e, 0x52, 0x41, 0x3c, 0x1d, 0xc9, 0x06, 0x23,
    0x1f, 0xa9, 0x80, 0x40, 0xf1, 0xd8, 0xef, 0x44, 0x01, 0x0f, 0x05, 0x65, 0x3b, 0xd6, 0x37,
];
/// A Fernet token with [`SEALED_PLAIN`]; the SDK opens it with `password1`.
pub const FERNET: &str = "gAAAAABfXhAAAAECAwQFBgcICQoLDA0OD_m_xgmlCIA6JfAK5EDpoH5GaCKO1aBc2ypguj-jel0wYDtb2fa-kZjb2tn\
                          F6pbq_-l9NxpF_T9hzLN-fw9l5tWVOayIvHaXi95nkjBQF_eed4mCnpAvtcQnI26tWTXKPRx_p7xfnzzyGy333srSACE=";
/// An Ansible vault with [`SEALED_PLAIN`]; the SDK opens it with `password1`.
pub const VAULT: &str = "$ANSIBLE_VAULT;1.1;AES256
30303031303230333034303530363037303830393061306230633064306530663130313131323133
3134313531363137313831393161316231633164316531660a323763663432323930393762303334
65326432656661363333326566313630376166313833623336303266646433323264343535613061
6438373666353336300a633761303832666630326563653534613363343633393935623033343732
62616335613166346665333837623435616130333532636233393161626137653631323734376531
34343430636363373963663137623065653065653331343838663563653930373132616362396564
33653966376237646564363135666539666336353036636137663764313865336563343166313838
61323064636164626231
";
/// The password of [`VAULT`] and [`FERNET`].
pub const PASSWORD: &str = "password1";

/// The round that the seeds' ciphertexts are locked for.
pub const ROUND: u64 = 9;

/// The beacon of the seeds' ciphertexts.
pub fn beacon() -> SecretKey {
    SecretKey::from_seed(&Seed::from_number(1))
}

/// Ciphertexts that the signature of [`ROUND`] opens, each with its payload: weights in both layouts, nothing, a text.
pub fn genuine_ciphertexts() -> Vec<(Vec<u8>, Vec<u8>)> {
    let weights = WeightVector { uids: vec![Uid(1), Uid(2)], values: vec![3, 65_535] };
    let payload = |hotkey| WeightsPayload { hotkey, weights: weights.clone(), version_key: 9 }.encode();
    let locked = |payload: Vec<u8>| {
        let bytes = encrypt(&beacon().public_key(), ROUND, &payload, &Seed::from_number(2));
        (bytes.expect("a short payload"), payload)
    };
    [payload(Some(us())), payload(None), Vec::new(), b"hello".to_vec()].map(locked).into()
}
