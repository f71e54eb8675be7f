//! Who signs, and what a signature proves: the wallet's keys, seen from the wire.

use primitives::Hotkey;
use wallet::{Keypair, PublicKey};
pub use wallet::{Scheme, Signature};

/// Bytes of a signature under either scheme.
pub const SIGNATURE_BYTES: usize = 64;

/// A hotkey that can sign: a key in memory, or whatever guards one.
pub trait Signer: Send + Sync {
    /// The scheme of the key.
    fn scheme(&self) -> Scheme;
    /// The public key.
    fn hotkey(&self) -> Hotkey;
    /// The signature over the message; sr25519 under the context `substrate`.
    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES];
}

/// Signs without a salt, since nothing here draws randomness: each message has its own nonce all the same.
impl Signer for Keypair {
    fn scheme(&self) -> Scheme {
        self.public().scheme
    }

    fn hotkey(&self) -> Hotkey {
        self.public().hotkey()
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        Keypair::sign(self, message, [0; 32]).0
    }
}

/// Whether the key signed the message under this scheme; see [`PublicKey::verify`].
#[must_use]
pub fn verify(scheme: Scheme, key: &Hotkey, message: &[u8], signature: &Signature) -> bool {
    PublicKey { scheme, account: key.0 }.verify(message, signature)
}

/// Reads a scheme as senders write it: its name in any case, or its number. Which of them it was makes no difference:
/// the name in lower case is what gets signed. Source: Bittensor SDK 11.3.0, `http_auth` and its tests.
#[must_use]
pub(crate) fn read_scheme(text: &str) -> Option<Scheme> {
    let numbered = |scheme: &Scheme| text == scheme.number().to_string();
    let named = |scheme: &Scheme| text.eq_ignore_ascii_case(scheme.name());
    [Scheme::Sr25519, Scheme::Ed25519].into_iter().find(|scheme| named(scheme) || numbered(scheme))
}

/// Reads a signature as it stands in headers: `0x` and 128 hex digits.
#[must_use]
pub(crate) fn read_signature(text: &str) -> Option<Signature> {
    text.starts_with("0x").then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_everyone_can_sign_with_is_refused() {
        // With the identity as key, R = s·B holds for every message; s = 0 and R = 0 is the simplest such pair.
        let mut signature = [0u8; SIGNATURE_BYTES];
        signature[63] = 0x80;
        assert!(!verify(Scheme::Sr25519, &Hotkey::from_bytes([0; 32]), b"anything", &Signature(signature)));
        let mut ed_identity = [0u8; 32];
        ed_identity[0] = 1;
        let mut signature = [0u8; SIGNATURE_BYTES];
        signature[0] = 1;
        assert!(!verify(
            Scheme::Ed25519,
            &Hotkey::from_bytes(ed_identity),
            b"anything",
            &Signature(signature)
        ));
    }

    #[test]
    fn signatures_are_read_from_their_one_form() {
        let text = format!("0x{}", "ab".repeat(64));
        assert_eq!(crate::scheme::read_signature(&text).map(|s| s.to_string()), Some(text.clone()));
        for wrong in ["", "0x", &text[2..], &text[..129], &format!("{text}00"), &text.replace('a', "g")] {
            assert_eq!(crate::scheme::read_signature(wrong), None, "{wrong}");
        }
    }
}
