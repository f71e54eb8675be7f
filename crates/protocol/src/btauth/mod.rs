//! `btauth/1`: any HTTP request, signed by a hotkey in a handful of headers.
//!
//! The sender hashes its body, signs eight lines and sends [`Claim::to_headers`] along. The receiver reads the headers
//! with [`Verifier::begin`], which refuses cheaply what can be refused without the body, feeds the body through
//! [`Pending::update`] as it arrives, and ends with [`Verifier::finish`]. What the body means and how an answer is
//! streamed is the application's matter.
//!
//! Source: Bittensor SDK 11, `http_auth`.

mod refusal;
mod verify;

pub use refusal::AuthError;
pub use verify::{Caller, Pending, Receiver, Verifier};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use primitives::Hotkey;
use sha2::{Digest as _, Sha256};

use crate::{Scheme, Signature, Signer, UnixNanos, header};

/// The first signed line.
const PROTOCOL: &str = "btauth/1";
/// The value of [`VERSION`].
const VERSION_VALUE: &str = "1";
/// What stands in the signed bytes for no receiver.
const NO_RECEIVER: &str = "-";

/// The header with the protocol's version.
pub const VERSION: &str = "x-bittensor-version";
/// The header with the sender, as SS58.
pub const HOTKEY: &str = "x-bittensor-hotkey";
/// The header with the nonce, decimal nanoseconds since the epoch.
pub const NONCE: &str = "x-bittensor-nonce";
/// The header with the signature, `0x` and hex.
pub const SIGNATURE: &str = "x-bittensor-signature";
/// The header with the receiver, as SS58; absent where the request is for anyone.
pub const RECEIVER: &str = "x-bittensor-receiver";
/// The header with the scheme; absent for sr25519.
pub const CRYPTO: &str = "x-bittensor-crypto";

/// All six headers.
pub const HEADERS: [&str; 6] = [VERSION, HOTKEY, NONCE, SIGNATURE, RECEIVER, CRYPTO];

/// The SHA-256 of a raw body, taken as it passes.
#[derive(Clone, Debug, Default)]
pub struct BodyHash(Sha256);

impl BodyHash {
    /// The hash of a body that is whole already.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        let mut hash = Self::default();
        hash.update(body);
        hash
    }

    /// Takes the next bytes.
    pub fn update(&mut self, chunk: &[u8]) {
        self.0.update(chunk);
    }

    fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// A request's parts that are signed and do not stand in the headers.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The method, of which the upper-case form is signed.
    pub method: &'a Method,
    /// Path and query exactly as sent.
    pub path_and_query: &'a str,
}

/// What a request's headers say about its sender; true only once a [`Verifier`] has checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who says to have sent it.
    pub hotkey: Hotkey,
    /// For whom it is; `None` for anyone.
    pub receiver: Option<Hotkey>,
    /// When it was signed.
    pub nonce: UnixNanos,
    /// How it was signed.
    pub scheme: Scheme,
    /// The signature over [`signed_bytes`].
    pub signature: Signature,
}

impl Claim {
    /// Signs a request. Each retry needs a nonce of its own; see [`crate::NonceSource`].
    #[must_use]
    pub fn sign(
        signer: &dyn Signer,
        receiver: Option<Hotkey>,
        nonce: UnixNanos,
        target: Target<'_>,
        body: BodyHash,
    ) -> Self {
        let (hotkey, scheme) = (signer.hotkey(), signer.scheme());
        let message = signed_bytes(scheme, target, body, nonce, &hotkey, receiver.as_ref());
        Self { hotkey, receiver, nonce, scheme, signature: Signature(signer.sign(&message)) }
    }

    /// Reads the headers' forms.
    ///
    /// # Errors
    /// [`AuthError::Unsigned`], [`AuthError::Malformed`] or [`AuthError::UnknownScheme`].
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, AuthError> {
        if HEADERS.iter().all(|name| !headers.contains_key(*name)) {
            return Err(AuthError::Unsigned);
        }
        let get = |name: &'static str| {
            header::once(headers, name).map_err(|fault| AuthError::Malformed {
                header: name,
                what: match fault {
                    header::HeaderFault::Repeated => "repeated",
                    header::HeaderFault::NotText => "not printable text",
                },
            })
        };
        let need =
            |name: &'static str| get(name)?.ok_or(AuthError::Malformed { header: name, what: "missing" });
        let malformed = |header, what| move || AuthError::Malformed { header, what };

        if need(VERSION)? != VERSION_VALUE {
            return Err(AuthError::Malformed { header: VERSION, what: "not 1" });
        }
        let hotkey = hotkey_from(need(HOTKEY)?).ok_or_else(malformed(HOTKEY, "not an SS58 address"))?;
        let nonce = header::decimal(need(NONCE)?).ok_or_else(malformed(NONCE, "not a decimal number"))?;
        let scheme = match get(CRYPTO)? {
            None => Scheme::Sr25519,
            Some(name) => crate::scheme::read_scheme(name).ok_or(AuthError::UnknownScheme)?,
        };
        let signature = crate::scheme::read_signature(need(SIGNATURE)?)
            .ok_or_else(malformed(SIGNATURE, "not 0x and 128 hex digits"))?;
        let receiver = match get(RECEIVER)? {
            None => None,
            Some(text) => Some(hotkey_from(text).ok_or_else(malformed(RECEIVER, "not an SS58 address"))?),
        };
        Ok(Self { hotkey, receiver, nonce: UnixNanos(nonce), scheme, signature })
    }

    /// The headers that carry the claim.
    #[must_use]
    pub fn to_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(HEADERS.len());
        let mut set = |name: &'static str, value: &str| {
            let value = HeaderValue::from_str(value).expect("numbers, SS58 and hex are printable");
            headers.insert(HeaderName::from_static(name), value);
        };
        set(VERSION, VERSION_VALUE);
        set(HOTKEY, &self.hotkey.to_string());
        set(NONCE, &self.nonce.0.to_string());
        set(SIGNATURE, &self.signature.to_string());
        if let Some(receiver) = &self.receiver {
            set(RECEIVER, &receiver.to_string());
        }
        if self.scheme != Scheme::Sr25519 {
            set(CRYPTO, self.scheme.name());
        }
        headers
    }
}

/// The bytes that are signed: eight lines, no line feed at the end.
///
/// No part can hold a line feed: a method and a request target that contain one are no HTTP, the rest is ours.
#[must_use]
pub fn signed_bytes(
    scheme: Scheme,
    target: Target<'_>,
    body: BodyHash,
    nonce: UnixNanos,
    sender: &Hotkey,
    receiver: Option<&Hotkey>,
) -> Vec<u8> {
    [
        PROTOCOL,
        scheme.name(),
        &target.method.as_str().to_ascii_uppercase(),
        target.path_and_query,
        &body.finish(),
        &nonce.0.to_string(),
        &sender.to_string(),
        &receiver.map_or_else(|| NO_RECEIVER.to_owned(), Hotkey::to_string),
    ]
    .join("\n")
    .into_bytes()
}

/// Reads an address that is written as we would write it, since our way of writing it is what gets signed.
fn hotkey_from(text: &str) -> Option<Hotkey> {
    text.parse().ok().filter(|hotkey: &Hotkey| hotkey.to_string() == text)
}
