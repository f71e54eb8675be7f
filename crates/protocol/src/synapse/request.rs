//! The sender's side: a synapse as headers and a JSON body, signed.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderMap, HeaderName, HeaderValue};
use primitives::Hotkey;
use serde_json::{Map, Value, json};

use super::{Class, ClassError, name};
use crate::{Signer, UnixNanos};

/// The SDK version that we present ourselves as: 10.5.0, as major·10⁶ + minor·10³ + patch.
pub const SPOKEN_VERSION: u32 = 10_005_000;

/// Everything about a request that is neither class nor body.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The receiver.
    pub receiver: Hotkey,
    /// The receiver's address as the chain lists it.
    pub address: std::net::SocketAddr,
    /// When it is signed; never the same twice.
    pub nonce: UnixNanos,
    /// Names the sending process; the reference keeps its nonces apart by it.
    pub uuid: &'a str,
    /// Seconds that the sender will wait.
    pub timeout_s: u32,
}

/// A signed request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The path, `/` and the class's name.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The JSON body.
    pub body: Vec<u8>,
}

impl Request {
    /// Signs the fields of a synapse.
    ///
    /// # Errors
    /// [`ClassError::Value`] where a required field is missing or a hashed one is of another kind.
    pub fn sign(
        signer: &dyn Signer,
        class: &Class,
        fields: &Map<String, Value>,
        envelope: Envelope<'_>,
    ) -> Result<Self, ClassError> {
        class.check_fields(fields)?;
        let body_hash = class.body_hash(fields)?;
        let Envelope { receiver, address, nonce, uuid, timeout_s } = envelope;
        let sender = signer.hotkey();
        let message = signed_text(nonce, &sender, &receiver, uuid, &body_hash);
        let signature = format!("0x{}", hex::encode(signer.sign(message.as_bytes())));
        // The reference writes its timeout as a Python float.
        let timeout = f64::from(timeout_s);

        let mut body = fields.clone();
        for (key, value) in [
            ("name", json!(class.name())),
            ("timeout", json!(timeout)),
            ("total_size", json!(0)),
            ("header_size", json!(0)),
            ("computed_body_hash", json!("")),
            ("axon", json!({"ip": address.ip(), "port": address.port(), "hotkey": receiver})),
            (
                "dendrite",
                json!({
                    "version": SPOKEN_VERSION, "nonce": nonce.0, "uuid": uuid, "hotkey": sender,
                    "signature": signature,
                }),
            ),
        ] {
            body.insert(key.to_owned(), value);
        }
        let body = Value::Object(body).to_string().into_bytes();

        let mut headers = HeaderMap::new();
        put(&mut headers, http::header::CONTENT_TYPE.as_str(), "application/json");
        put(&mut headers, "name", class.name());
        put(&mut headers, name::TIMEOUT, &format!("{timeout:?}"));
        put(&mut headers, "bt_header_axon_ip", &address.ip().to_string());
        put(&mut headers, "bt_header_axon_port", &address.port().to_string());
        put(&mut headers, name::AXON_HOTKEY, &receiver.to_string());
        put(&mut headers, "bt_header_dendrite_ip", "127.0.0.1");
        put(&mut headers, "bt_header_dendrite_version", &SPOKEN_VERSION.to_string());
        put(&mut headers, name::NONCE, &nonce.0.to_string());
        put(&mut headers, name::UUID, uuid);
        put(&mut headers, name::HOTKEY, &sender.to_string());
        put(&mut headers, name::SIGNATURE, &signature);
        for (field, empty) in class.empty_inputs() {
            put(&mut headers, &format!("bt_header_input_obj_{field}"), &BASE64.encode(empty));
        }
        put(&mut headers, name::BODY_HASH, &body_hash);
        put_sizes(&mut headers, body.len());
        Ok(Self { path: format!("/{}", class.name()), headers, body })
    }
}

/// The text that is signed.
pub(super) fn signed_text(
    nonce: UnixNanos,
    sender: &Hotkey,
    receiver: &Hotkey,
    uuid: &str,
    body_hash: &str,
) -> String {
    format!("{}.{sender}.{receiver}.{uuid}.{body_hash}", nonce.0)
}

/// Sets a header; names and values that HTTP cannot carry are left out, and the receiver misses them.
pub(super) fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

/// Sets the two sizes, in bytes; the reference fills them with its own objects' sizes and checks neither.
pub(super) fn put_sizes(headers: &mut HeaderMap, body_bytes: usize) {
    let header_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    put(headers, "header_size", &header_bytes.to_string());
    put(headers, "total_size", &(header_bytes + body_bytes).to_string());
}
