//! Why a request is refused, and how its sender is told.

use http::StatusCode;
use primitives::Hotkey;
use thiserror::Error;

use crate::{Problem, ReplayError, WindowError};

/// Why a signed request is refused. The message is for our logs, [`AuthError::problem`] for the sender.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// None of the protocol's headers is there.
    #[error("request carries no btauth headers")]
    Unsigned,
    /// A header is missing or does not read as its form demands.
    #[error("header {header} is {what}")]
    Malformed {
        /// The header.
        header: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The declared scheme is none that we know.
    #[error("header x-bittensor-crypto names neither sr25519 nor ed25519")]
    UnknownScheme,
    /// The route demands a receiver and none is named.
    #[error("request names no receiver, this route is for {us}")]
    NoReceiver {
        /// Our hotkey.
        us: Hotkey,
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
    /// The declared key did not sign these bytes under the declared scheme.
    #[error("signature does not verify for {hotkey}")]
    BadSignature {
        /// The declared sender.
        hotkey: Hotkey,
    },
    /// The request was or may have been accepted before.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl AuthError {
    /// The refusal as the sender sees it: 400 where the form is wrong, 401 where the proof fails.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (status, kind, title) = match self {
            Self::Unsigned => (401, "unsigned", "the request is not signed"),
            Self::Malformed { .. } => (400, "malformed", "a signature header is missing or malformed"),
            Self::UnknownScheme => (400, "unknown-scheme", "the signature scheme is not known"),
            Self::NoReceiver { .. } => (401, "no-receiver", "the request names no receiver"),
            Self::WrongReceiver { .. } => (401, "wrong-receiver", "the request is for another receiver"),
            Self::Window(WindowError::Stale { .. }) => (401, "stale", "the nonce is too old"),
            Self::Window(WindowError::Future { .. }) => (401, "future", "the nonce is too far ahead"),
            Self::BadSignature { .. } => (401, "bad-signature", "the signature does not verify"),
            Self::Replay(ReplayError::Seen { .. }) => (401, "replayed", "the nonce was used before"),
            Self::Replay(ReplayError::BeforeStart { .. }) => {
                (401, "before-start", "the nonce may have been used before a restart, sign a new one")
            }
            Self::Replay(ReplayError::Forgotten { .. }) => {
                (401, "forgotten", "the nonce is too old to tell whether it was used, sign a new one")
            }
        };
        let status = if status == 400 { StatusCode::BAD_REQUEST } else { StatusCode::UNAUTHORIZED };
        Problem::new(status, kind, title)
    }
}
