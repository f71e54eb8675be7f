//! Derivation: `//hard/soft` paths, and the secret URIs that put a phrase, a path and a passphrase into one text.
//!
//! Source: Substrate's "secret URI" and "derivation junction" as `subkey` reads them.

use std::{fmt, str::FromStr};

use blake2::{
    Blake2b,
    digest::{Digest as _, consts::U32},
};
use parity_scale_codec::Encode as _;
use thiserror::Error;

use crate::{Mnemonic, MnemonicError, Password, SecretSeed};

/// The phrase of Substrate's development accounts: public, of use on local chains only. Source: Substrate.
const DEVELOPMENT_WORDS: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
/// Longest path in junctions: a chain's accounts need two or three, and each costs a derivation.
const JUNCTIONS_MAX: usize = 64;
/// What stands in front of a URI's passphrase.
const PASSPHRASE_MARK: &str = "///";

/// Why a text is no derivation path or secret URI; secret parts are not repeated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DerivationError {
    /// The path does not start with a slash.
    #[error("derivation path does not start with / or //")]
    NoSlash,
    /// Nothing stands between two slashes.
    #[error("junction {position} of the derivation path is empty")]
    Empty {
        /// Which junction, counted from 1.
        position: usize,
    },
    /// Too many junctions.
    #[error("derivation path has more than {JUNCTIONS_MAX} junctions")]
    TooLong,
    /// The phrase in front of the path.
    #[error(transparent)]
    Mnemonic(#[from] MnemonicError),
    /// The seed in front of the path.
    #[error("secret URI starts with 0x but not with 64 hexadecimal digits")]
    Seed,
}

/// One step from a key to a key that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Junction {
    /// The public key does not lead to it.
    Hard([u8; 32]),
    /// It can be computed from the public key too; sr25519 only.
    Soft([u8; 32]),
}

impl Junction {
    /// The 32 bytes for a junction's text: a number as itself, other text in SCALE, or its hash where that is longer.
    fn chain_code(text: &str) -> [u8; 32] {
        let encoded = match text.parse::<u64>() {
            Ok(number) => number.encode(),
            Err(_) => text.encode(),
        };
        let mut code = [0u8; 32];
        if encoded.len() > code.len() {
            code.copy_from_slice(&Blake2b::<U32>::digest(&encoded));
        } else {
            code[..encoded.len()].copy_from_slice(&encoded);
        }
        code
    }
}

/// The steps from a key to one that belongs to it, as in `//Alice//stash/0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DerivationPath {
    junctions: Vec<Junction>,
}

impl DerivationPath {
    /// The junctions in order.
    #[must_use]
    pub fn junctions(&self) -> &[Junction] {
        &self.junctions
    }
}

impl FromStr for DerivationPath {
    type Err = DerivationError;

    fn from_str(text: &str) -> Result<Self, DerivationError> {
        let mut junctions = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if junctions.len() == JUNCTIONS_MAX {
                return Err(DerivationError::TooLong);
            }
            let soft = rest.strip_prefix('/').ok_or(DerivationError::NoSlash)?;
            let hard = soft.strip_prefix('/');
            let from = hard.unwrap_or(soft);
            let (name, behind) = from.split_at(from.find('/').unwrap_or(from.len()));
            if name.is_empty() {
                return Err(DerivationError::Empty { position: junctions.len() + 1 });
            }
            let code = Junction::chain_code(name);
            junctions.push(if hard.is_some() { Junction::Hard(code) } else { Junction::Soft(code) });
            rest = behind;
        }
        Ok(Self { junctions })
    }
}

/// Where a secret URI starts.
pub(crate) enum Root {
    Mnemonic(Mnemonic),
    Seed(SecretSeed),
}

/// A phrase or `0x` seed (the development phrase where there is none), a path, and `///passphrase`.
pub struct SecretUri {
    pub(crate) root: Root,
    pub(crate) path: DerivationPath,
    pub(crate) passphrase: Option<Password>,
}

impl FromStr for SecretUri {
    type Err = DerivationError;

    fn from_str(text: &str) -> Result<Self, DerivationError> {
        let (text, passphrase) = match text.split_once(PASSPHRASE_MARK) {
            Some((text, passphrase)) => (text, Some(Password::from(passphrase))),
            None => (text, None),
        };
        let (start, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        let root = if start.is_empty() {
            Root::Mnemonic(Mnemonic::parse(DEVELOPMENT_WORDS)?)
        } else if start.starts_with("0x") {
            Root::Seed(SecretSeed::from_hex(start).map_err(|_| DerivationError::Seed)?)
        } else {
            Root::Mnemonic(Mnemonic::parse(start)?)
        };
        Ok(Self { root, path: path.parse()?, passphrase })
    }
}

impl fmt::Debug for SecretUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUri(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_short_and_long_names_have_their_codes() {
        let path: DerivationPath = "//1/soft//a-name-that-is-longer-than-thirty-one-bytes".parse().unwrap();
        let [Junction::Hard(number), Junction::Soft(name), Junction::Hard(long)] = path.junctions() else {
            panic!("{path:?}")
        };
        assert_eq!(number[..2], [1, 0]);
        assert_eq!(&name[..6], b"\x10soft\0");
        assert_ne!(long[31], 0);
    }

    #[test]
    fn malformed_paths_are_refused() {
        let check = |text: &str, expect| assert_eq!(text.parse::<DerivationPath>(), Err(expect), "{text}");
        check("Alice", DerivationError::NoSlash);
        check("//", DerivationError::Empty { position: 1 });
        check("//a/", DerivationError::Empty { position: 2 });
        check(&"/a".repeat(65), DerivationError::TooLong);
        assert_eq!("".parse(), Ok(DerivationPath::default()));
        assert!(matches!("0x12//a".parse::<SecretUri>(), Err(DerivationError::Seed)));
        assert!(matches!("one two//a".parse::<SecretUri>(), Err(DerivationError::Mnemonic(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_uri_panics(text in "[/a0x ]{0,40}|\\PC*") {
            text.parse::<SecretUri>().ok();
        }
    }
}
