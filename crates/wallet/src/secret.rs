//! Secret values: wiped when dropped, never shown by `Debug`.

use std::fmt;

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Why a text is not a secret of the wanted form; the text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SecretTextError {
    /// Not the right number of hexadecimal digits, or something else between them.
    #[error("secret has {found} characters, expected {expected} hexadecimal digits, with or without 0x")]
    Hex {
        /// Characters found behind `0x`.
        found: usize,
        /// Digits expected.
        expected: usize,
    },
}

/// The 32 bytes that a key pair is made from (Substrate's "mini secret").
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SecretSeed([u8; 32]);

impl SecretSeed {
    /// The seed with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The seed's bytes.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits, with or without `0x` in front.
    ///
    /// # Errors
    /// [`SecretTextError::Hex`].
    pub fn from_hex(text: &str) -> Result<Self, SecretTextError> {
        let mut bytes = [0u8; 32];
        decode_hex(text, &mut bytes)?;
        Ok(Self(bytes))
    }

    /// The form that key files carry: `0x` and 64 lower-case digits.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        encode_hex(&self.0)
    }
}

impl fmt::Debug for SecretSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSeed(…)")
    }
}

/// A password as it was typed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// The password with this text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The password's text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Fills `into` from hexadecimal text, with or without `0x` in front.
pub(crate) fn decode_hex(text: &str, into: &mut [u8]) -> Result<(), SecretTextError> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode_to_slice(digits, into)
        .map_err(|_| SecretTextError::Hex { found: digits.chars().count(), expected: into.len() * 2 })
}

/// `0x` and the lower-case digits of `bytes`.
pub(crate) fn encode_hex(bytes: &[u8]) -> Zeroizing<String> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // Filled in place: a growing string would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(2 + 2 * bytes.len()));
    text.push_str("0x");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", SecretSeed::from_bytes([0xab; 32]), Password::from("hunter2"));
        assert_eq!(shown, "SecretSeed(…) Password(…)");
    }

    #[test]
    fn seeds_are_read_with_and_without_prefix_and_errors_repeat_nothing() {
        let seed = SecretSeed::from_bytes([0xab; 32]);
        assert_eq!(SecretSeed::from_hex(&seed.to_hex()), Ok(seed.clone()));
        assert_eq!(SecretSeed::from_hex(&"AB".repeat(32)), Ok(seed));
        let check = |text: &str, found| {
            let error = SecretSeed::from_hex(text).unwrap_err();
            assert_eq!(error, SecretTextError::Hex { found, expected: 64 });
        };
        check("", 0);
        check("0xabc", 3);
        check(&"zz".repeat(32), 64);
        check("0x0xab", 4);
    }
}
