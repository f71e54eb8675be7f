//! Accounts as the chain names them: 32 bytes, written as SS58 text.

use std::{fmt, str::FromStr};

use blake2::{Blake2b512, Digest as _};
use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// The SS58 network prefix of Bittensor and of Substrate's generic addresses.
pub const SS58_PREFIX: u8 = 42;

/// Bytes in front of the hashed address. Source: the SS58 registry's address format, "SS58PRE".
const SS58_CONTEXT: &[u8] = b"SS58PRE";
/// Checksum bytes behind a 32-byte account. Source: the SS58 address format.
const SS58_CHECKSUM_BYTES: usize = 2;
/// A prefix byte, 32 account bytes and the checksum.
const SS58_BYTES: usize = 1 + 32 + SS58_CHECKSUM_BYTES;
/// The longest text that can encode [`SS58_BYTES`] in base58; longer input is refused before it is decoded.
const SS58_TEXT_MAX: usize = 49;

/// Why a text is not an account.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccountError {
    /// The text is too long, not base58, or decodes to another number of bytes.
    #[error("address has {found} bytes, expected {SS58_BYTES} in base58")]
    Form {
        /// Bytes found (of the text itself where it could not be decoded).
        found: usize,
    },
    /// The address is for another network.
    #[error("address has network prefix {found}, expected {SS58_PREFIX}")]
    Prefix {
        /// The prefix found.
        found: u8,
    },
    /// The checksum does not match: a mistyped address.
    #[error("address checksum does not match: mistyped or cut")]
    Checksum,
}

/// A public key of 32 bytes without a role.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct AccountId(pub [u8; 32]);

impl AccountId {
    /// The SS58 text of the account under [`SS58_PREFIX`].
    #[must_use]
    pub fn to_ss58(&self) -> String {
        let mut raw = [0u8; SS58_BYTES];
        raw[0] = SS58_PREFIX;
        raw[1..33].copy_from_slice(&self.0);
        let sum = ss58_checksum(&raw[..33]);
        raw[33..].copy_from_slice(&sum);
        bs58::encode(raw).into_string()
    }

    /// Reads SS58 text.
    ///
    /// # Errors
    /// [`AccountError`] for a wrong length, alphabet, prefix or checksum.
    pub fn from_ss58(text: &str) -> Result<Self, AccountError> {
        if text.len() > SS58_TEXT_MAX {
            return Err(AccountError::Form { found: text.len() });
        }
        let raw = bs58::decode(text).into_vec().map_err(|_| AccountError::Form { found: text.len() })?;
        if raw.len() != SS58_BYTES {
            return Err(AccountError::Form { found: raw.len() });
        }
        if raw[0] != SS58_PREFIX {
            return Err(AccountError::Prefix { found: raw[0] });
        }
        if raw[33..] != ss58_checksum(&raw[..33]) {
            return Err(AccountError::Checksum);
        }
        let mut id = [0u8; 32];
        id.copy_from_slice(&raw[1..33]);
        Ok(Self(id))
    }
}

fn ss58_checksum(prefixed: &[u8]) -> [u8; SS58_CHECKSUM_BYTES] {
    let hash = Blake2b512::new().chain_update(SS58_CONTEXT).chain_update(prefixed).finalize();
    [hash[0], hash[1]]
}

macro_rules! text_form {
    ($name:ident, $wrap:expr, $bytes:expr) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&AccountId($bytes(self)).to_ss58())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = AccountError;
            fn from_str(text: &str) -> Result<Self, AccountError> {
                AccountId::from_ss58(text).map($wrap)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

macro_rules! role {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode,
        )]
        pub struct $name(pub AccountId);

        impl $name {
            /// The key with these 32 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(AccountId(bytes))
            }

            /// The key's 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0.0
            }
        }

        text_form!($name, $name, |key: &$name| key.0.0);

        impl From<$name> for AccountId {
            fn from(key: $name) -> AccountId {
                key.0
            }
        }
    };
}

text_form!(AccountId, |id| id, |id: &AccountId| id.0);
role! {
    /// The key a neuron works with: it signs requests and weights, and its scores belong to it.
    Hotkey
}
role! {
    /// The key that owns hotkeys and holds TAO.
    Coldkey
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The well-known development account //Alice (sr25519).
    const ALICE: [u8; 32] = [
        0xd4, 0x35, 0x93, 0xc7, 0x15, 0xfd, 0xd3, 0x1c, 0x61, 0x14, 0x1a, 0xbd, 0x04, 0xa9, 0x9f, 0xd6, 0x82,
        0x2c, 0x85, 0x58, 0x85, 0x4c, 0xcd, 0xe3, 0x9a, 0x56, 0x84, 0xe7, 0xa5, 0x6d, 0xa2, 0x7d,
    ];
    const ALICE_TEXT: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn alice_has_her_known_address() {
        assert_eq!(Hotkey::from_bytes(ALICE).to_string(), ALICE_TEXT);
        assert_eq!(ALICE_TEXT.parse::<Coldkey>(), Ok(Coldkey::from_bytes(ALICE)));
        let json = serde_json::to_string(&Hotkey::from_bytes(ALICE)).unwrap();
        assert_eq!(json, format!("\"{ALICE_TEXT}\""));
        assert_eq!(serde_json::from_str::<Hotkey>(&json).unwrap(), Hotkey::from_bytes(ALICE));
    }

    #[test]
    fn damaged_addresses_are_refused_with_what_is_wrong() {
        let check = |text: &str, expect| assert_eq!(text.parse::<Hotkey>(), Err(expect), "{text}");
        check("", AccountError::Form { found: 0 });
        check("0OIl", AccountError::Form { found: 4 });
        check(&"5".repeat(50), AccountError::Form { found: 50 });
        check("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ", AccountError::Checksum);
        // Polkadot's own prefix is 0.
        check("15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5", AccountError::Prefix { found: 0 });
    }

    proptest::proptest! {
        #[test]
        fn text_form_round_trips(bytes: [u8; 32]) {
            let key = Hotkey::from_bytes(bytes);
            proptest::prop_assert_eq!(key.to_string().parse::<Hotkey>(), Ok(key));
        }
    }
}
