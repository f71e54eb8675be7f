//! The receiver's side: forms, receiver, window, signature, body hash, replay, in this order.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, StatusCode};
use primitives::Hotkey;
use serde_json::{Map, Value};
use thiserror::Error;

use super::{Class, ClassError, name, request::signed_text};
use crate::{Problem, Replay, ReplayError, Scheme, Signature, UnixNanos, Window, WindowError, header};

/// The longest uuid that is read, in bytes; the reference's have 36.
const UUID_BYTES_MAX: usize = 64;
/// How deep lists and objects of a body may lie in each other.
const BODY_DEPTH_MAX: usize = 64;
/// Hex digits of a body hash.
const BODY_HASH_BYTES: usize = 64;

/// Why a synapse is refused. The message is for our logs, [`SynapseError::problem`] for the sender.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SynapseError {
    /// There is no signature.
    #[error("request carries no signature")]
    Unsigned,
    /// A header is missing or does not read as its form demands.
    #[error("header {header} is {what}")]
    Malformed {
        /// The header.
        header: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The request is for somebody else.
    #[error("request is for {receiver}, we are {us}")]
    WrongReceiver {
        /// For whom it is.
        receiver: Hotkey,
        /// Our hotkey.
        us: Hotkey,
    },
    /// The nonce lies outside of the window.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// The body is no JSON object.
    #[error("body is no JSON object")]
    NotAnObject,
    /// The body's lists and objects lie too deep in each other.
    #[error("body is nested deeper than {BODY_DEPTH_MAX}")]
    TooDeep,
    /// A field is missing or of another kind.
    #[error(transparent)]
    Class(#[from] ClassError),
    /// The body is another one than the headers say.
    #[error("body hash is {found}, the headers say {stated}")]
    BodyHash {
        /// The hash of the body.
        found: String,
        /// The hash in the headers.
        stated: String,
    },
    /// The declared key did not sign this.
    #[error("signature does not verify for {hotkey}")]
    BadSignature {
        /// The declared sender.
        hotkey: Hotkey,
    },
    /// The request was or may have been accepted before.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl SynapseError {
    /// The refusal as the sender sees it: 400 where the form is wrong, 401 where the proof fails.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let bad = |kind, title| Problem::new(StatusCode::BAD_REQUEST, kind, title);
        let unproved = |kind, title| Problem::new(StatusCode::UNAUTHORIZED, kind, title);
        match self {
            Self::Unsigned => unproved("unsigned", "the request is not signed"),
            Self::Malformed { .. } => bad("malformed", "a synapse header is missing or malformed"),
            Self::WrongReceiver { .. } => unproved("wrong-receiver", "the request is for another receiver"),
            Self::Window(WindowError::Stale { .. }) => unproved("stale", "the nonce is too old"),
            Self::Window(WindowError::Future { .. }) => unproved("future", "the nonce is too far ahead"),
            Self::NotAnObject => bad("not-an-object", "the body is no JSON object"),
            Self::TooDeep => bad("too-deep", "the body is nested too deep"),
            Self::Class(_) => bad("field", "a field of the body is missing or of another kind"),
            Self::BodyHash { .. } => unproved("body-hash", "the body is not the one that was signed"),
            Self::BadSignature { .. } => unproved("bad-signature", "the signature does not verify"),
            Self::Replay(ReplayError::Seen { .. }) => unproved("replayed", "the nonce was used before"),
            Self::Replay(ReplayError::BeforeStart { .. }) => {
                unproved("before-start", "the nonce may have been used before a restart")
            }
            Self::Replay(ReplayError::Forgotten { .. }) => {
                unproved("forgotten", "the nonce is too old to tell whether it was used")
            }
        }
    }
}

/// A sender whose signature passed, and what it sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// Who sent the request.
    pub hotkey: Hotkey,
    /// When it was signed.
    pub nonce: UnixNanos,
    /// The object. Only the fields that the class hashes are covered by the signature.
    pub body: Map<String, Value>,
}

/// A request whose headers passed and whose body is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    hotkey: Hotkey,
    nonce: UnixNanos,
    uuid: String,
    body_hash: String,
    signature: Signature,
}

/// Checks synapses to one hotkey.
#[derive(Clone, Debug)]
pub struct Verifier {
    us: Hotkey,
    replay: Arc<Mutex<Replay>>,
}

impl Verifier {
    /// A verifier for requests to us, with a store that other verifiers of the same process share.
    #[must_use]
    pub fn new(us: Hotkey, replay: Arc<Mutex<Replay>>) -> Self {
        Self { us, replay }
    }

    /// Checks what can be checked before the body is there.
    ///
    /// # Errors
    /// [`SynapseError`] with the first check that fails.
    pub fn begin(&self, headers: &HeaderMap, now: UnixNanos) -> Result<Pending, SynapseError> {
        let get = |header: &'static str| {
            header::once(headers, header).map_err(|fault| SynapseError::Malformed {
                header,
                what: match fault {
                    header::HeaderFault::Repeated => "repeated",
                    header::HeaderFault::NotText => "not printable text",
                },
            })
        };
        let need =
            |header: &'static str| get(header)?.ok_or(SynapseError::Malformed { header, what: "missing" });
        let malformed = |header, what| move || SynapseError::Malformed { header, what };

        let signature =
            get(name::SIGNATURE)?.filter(|text| !text.is_empty()).ok_or(SynapseError::Unsigned)?;
        let signature = crate::scheme::read_signature(signature)
            .ok_or_else(malformed(name::SIGNATURE, "not 0x and 128 hex digits"))?;
        let address = |header| -> Result<Hotkey, SynapseError> {
            need(header)?.parse().map_err(|_| malformed(header, "not an SS58 address")())
        };
        let hotkey = address(name::HOTKEY)?;
        let nonce = header::decimal(need(name::NONCE)?)
            .map(UnixNanos)
            .ok_or_else(malformed(name::NONCE, "not a decimal number"))?;
        let uuid = need(name::UUID)?;
        if uuid.len() > UUID_BYTES_MAX || !uuid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(malformed(name::UUID, "not a uuid")());
        }
        let body_hash = need(name::BODY_HASH)?;
        let is_hash = body_hash.len() == BODY_HASH_BYTES
            && body_hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hash {
            return Err(malformed(name::BODY_HASH, "not 64 lower-case hex digits")());
        }
        let receiver = address(name::AXON_HOTKEY)?;
        if receiver != self.us {
            return Err(SynapseError::WrongReceiver { receiver, us: self.us });
        }
        Window::STANDARD.check(nonce, now)?;
        Ok(Pending { hotkey, nonce, uuid: uuid.to_owned(), body_hash: body_hash.to_owned(), signature })
    }

    /// Checks body and signature and, only then, writes the nonce down.
    ///
    /// # Errors
    /// [`SynapseError`] with the first check that fails.
    pub fn finish(
        &self,
        class: &Class,
        pending: Pending,
        body: &[u8],
        now: UnixNanos,
    ) -> Result<Caller, SynapseError> {
        let Pending { hotkey, nonce, uuid, body_hash: stated, signature } = pending;
        let text = signed_text(nonce, &hotkey, &self.us, &uuid, &stated);
        // Browser extensions wrap what they sign; the reference takes both.
        let wrapped = || format!("<Bytes>{text}</Bytes>");
        let verifies = |text: &str| crate::verify(Scheme::Sr25519, &hotkey, text.as_bytes(), &signature);
        if !verifies(&text) && !verifies(&wrapped()) {
            return Err(SynapseError::BadSignature { hotkey });
        }
        // The body is parsed only for a sender who signed for it.
        if depth(body) > BODY_DEPTH_MAX {
            return Err(SynapseError::TooDeep);
        }
        let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| SynapseError::NotAnObject)?;
        class.check_fields(&body)?;
        let found = class.body_hash(&body)?;
        if found != stated {
            return Err(SynapseError::BodyHash { found, stated });
        }
        let mut replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        replay.admit(hotkey, nonce, now)?;
        Ok(Caller { hotkey, nonce, body })
    }
}

/// How many brackets are open at once at most, those in texts left out; for JSON that is its depth.
fn depth(json: &[u8]) -> usize {
    let (mut open, mut most) = (0usize, 0usize);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}
