//! Verification in its one order: forms, receiver, window, signature, replay.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Method};
use primitives::Hotkey;

use super::{AuthError, BodyHash, Claim, Target, signed_bytes};
use crate::{Replay, Scheme, UnixNanos, Window};

/// Whether a route takes requests that are signed for no one in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// The request must name us.
    Us,
    /// The request names us or nobody.
    Open,
}

/// A sender whose signature passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who sent the request.
    pub hotkey: Hotkey,
    /// How it was signed.
    pub scheme: Scheme,
    /// When it was signed.
    pub nonce: UnixNanos,
}

/// A request whose headers passed and whose body is on its way.
#[derive(Clone, Debug)]
pub struct Pending {
    claim: Claim,
    method: Method,
    path_and_query: String,
    body: BodyHash,
}

impl Pending {
    /// Takes the next bytes of the body.
    pub fn update(&mut self, chunk: &[u8]) {
        self.body.update(chunk);
    }
}

/// Checks requests to one hotkey.
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

    /// Checks what can be checked before the body is there: the forms, the receiver and the window.
    ///
    /// # Errors
    /// [`AuthError`] with the first check that fails.
    pub fn begin(
        &self,
        headers: &HeaderMap,
        target: Target<'_>,
        receiver: Receiver,
        now: UnixNanos,
    ) -> Result<Pending, AuthError> {
        let claim = Claim::from_headers(headers)?;
        match claim.receiver {
            None if receiver == Receiver::Us => return Err(AuthError::NoReceiver { us: self.us }),
            Some(named) if named != self.us => {
                return Err(AuthError::WrongReceiver { receiver: named, us: self.us });
            }
            None | Some(_) => {}
        }
        Window::STANDARD.check(claim.nonce, now)?;
        Ok(Pending {
            claim,
            method: target.method.clone(),
            path_and_query: target.path_and_query.to_owned(),
            body: BodyHash::default(),
        })
    }

    /// Checks the signature over the whole request and, only then, writes the nonce down.
    ///
    /// `now` may be later than at [`Verifier::begin`] by the time that the body took: the store refuses what it could
    /// have forgotten meanwhile.
    ///
    /// # Errors
    /// [`AuthError::BadSignature`] or [`AuthError::Replay`].
    pub fn finish(&self, pending: Pending, now: UnixNanos) -> Result<Caller, AuthError> {
        let Pending { claim, method, path_and_query, body } = pending;
        let target = Target { method: &method, path_and_query: &path_and_query };
        let message =
            signed_bytes(claim.scheme, target, body, claim.nonce, &claim.hotkey, claim.receiver.as_ref());
        if !crate::verify(claim.scheme, &claim.hotkey, &message, &claim.signature) {
            return Err(AuthError::BadSignature { hotkey: claim.hotkey });
        }
        // A panic elsewhere cannot leave the store half written: each of its steps keeps its invariant.
        let mut replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        replay.admit(claim.hotkey, claim.nonce, now)?;
        Ok(Caller { hotkey: claim.hotkey, scheme: claim.scheme, nonce: claim.nonce })
    }

    /// Both steps for a body that is whole already.
    ///
    /// # Errors
    /// [`AuthError`] with the first check that fails.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        target: Target<'_>,
        body: &[u8],
        receiver: Receiver,
        now: UnixNanos,
    ) -> Result<Caller, AuthError> {
        let mut pending = self.begin(headers, target, receiver, now)?;
        pending.update(body);
        self.finish(pending, now)
    }
}
