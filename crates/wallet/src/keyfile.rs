//! What stands in a key file: the JSON object that btcli and the SDKs read and write.
//!
//! A file with a secret gives a [`Keypair`], one without a [`PublicKey`]. The secret is taken from the first field
//! of `secretPhrase`, `secretSeed`, `privateKey` that is there; the key must then have the file's `ss58Address`.

use primitives::{AccountError, AccountId};
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    Envelope, KeyError, Keypair, Mnemonic, MnemonicError, PublicKey, Scheme, SecretSeed, SecretTextError,
};

/// Fields of one file: the largest has seven, of which the longest is a phrase; escapes make it six times as long.
const PLAIN_MAX_BYTES: usize = 16 << 10;

/// Why a key file's content is no key; secrets are not repeated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// The content has an encryption's mark: open it first.
    #[error("key file is encrypted ({0})")]
    Encrypted(Envelope),
    /// More bytes than a key file can need.
    #[error("key file has {found} bytes, expected at most {PLAIN_MAX_BYTES}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not a JSON object with the fields of a key file.
    #[error("key file is not a JSON object with text fields (line {line}, column {column})")]
    Json {
        /// Where it stops being one.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// A password-encrypted export of another program.
    #[error("key file is an export of a browser or mobile wallet, not of btcli")]
    ForeignExport,
    /// None of the fields that say a key.
    #[error("key file has no secretPhrase, secretSeed, privateKey or ss58Address")]
    Empty,
    /// A number that stands for no scheme.
    #[error("cryptoType is {found}, expected 0 (ed25519) or 1 (sr25519)")]
    Scheme {
        /// The number or text found, cut.
        found: String,
    },
    /// `secretPhrase` is no mnemonic.
    #[error("secretPhrase: {0}")]
    Phrase(#[from] MnemonicError),
    /// `secretSeed` is no seed.
    #[error("secretSeed: {0}")]
    Seed(#[from] SecretTextError),
    /// `privateKey` is no private key.
    #[error("privateKey: {0}")]
    PrivateKey(#[from] KeyError),
    /// `ss58Address` is no address.
    #[error("ss58Address: {0}")]
    Address(#[from] AccountError),
    /// The secret belongs to another address.
    #[error("the key in the file has address {derived}, but its ss58Address is {stored}")]
    Mismatch {
        /// The secret's address.
        derived: AccountId,
        /// The file's.
        stored: AccountId,
    },
}

/// The key in a key file.
#[derive(Clone, Debug)]
pub enum KeyFile {
    /// It can sign.
    Pair(Box<Keypair>),
    /// It can only be named and verified.
    Public(PublicKey),
}

/// The fields read; others are ignored.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    #[serde(rename = "secretPhrase")]
    phrase: Option<Zeroizing<String>>,
    #[serde(rename = "secretSeed")]
    seed: Option<Zeroizing<String>>,
    #[serde(rename = "privateKey")]
    private_key: Option<Zeroizing<String>>,
    #[serde(rename = "ss58Address")]
    address: Option<String>,
    /// Some early files have a space in the name.
    #[serde(rename = " ss58Address")]
    spaced_address: Option<String>,
    #[serde(rename = "cryptoType")]
    scheme: Option<SchemeField>,
    /// With `encoding`, the mark of a foreign export.
    encoded: Option<String>,
}

/// Most writers have a number, some a numeric text.
#[derive(Deserialize)]
#[serde(untagged)]
enum SchemeField {
    Number(u64),
    Text(String),
}

impl SchemeField {
    fn scheme(&self) -> Result<Scheme, KeyFileError> {
        let number = match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
        };
        let scheme = number.and_then(|number| u8::try_from(number).ok()).and_then(Scheme::from_number);
        scheme.ok_or_else(|| KeyFileError::Scheme {
            found: match self {
                Self::Number(number) => number.to_string(),
                Self::Text(text) => format!("{:?}", text.chars().take(16).collect::<String>()),
            },
        })
    }
}

impl KeyFile {
    /// Reads a plain key file: the JSON object, or what the first SDKs wrote, a bare seed or mnemonic.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn parse(content: &[u8]) -> Result<Self, KeyFileError> {
        let envelope = Envelope::of(content);
        if envelope != Envelope::Plain {
            return Err(KeyFileError::Encrypted(envelope));
        }
        if content.len() > PLAIN_MAX_BYTES {
            return Err(KeyFileError::TooLarge { found: content.len() });
        }
        // Without this serde would take a list for the fields in order.
        if content.trim_ascii_start().first() != Some(&b'{') {
            return bare(content).ok_or(KeyFileError::Json { line: 1, column: 0 });
        }
        match serde_json::from_slice::<Fields>(content) {
            Ok(fields) => fields.key(),
            Err(error) => Err(KeyFileError::Json { line: error.line(), column: error.column() }),
        }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Pair(pair) => pair.public(),
            Self::Public(public) => *public,
        }
    }

    /// The pair, where the file has a secret.
    #[must_use]
    pub fn into_pair(self) -> Option<Keypair> {
        match self {
            Self::Pair(pair) => Some(*pair),
            Self::Public(_) => None,
        }
    }

    /// The file's content: one line of JSON, fields that are unknown left out.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let PublicKey { scheme, account } = self.public();
        let public = format!("0x{}", hex::encode(account.0));
        // Written by hand into a buffer that never moves: no value needs escaping, and no copy of a secret is left.
        let mut json = Zeroizing::new(Vec::with_capacity(1024));
        let mut field = |name: &str, value: &str| {
            let open: &str = if json.is_empty() { "{\"" } else { ",\"" };
            for part in [open, name, "\":\"", value, "\""] {
                json.extend_from_slice(part.as_bytes());
            }
        };
        field("accountId", &public);
        field("publicKey", &public);
        if let Self::Pair(pair) = self {
            field("privateKey", &pair.expose_private_key());
            if let Some(mnemonic) = pair.expose_mnemonic() {
                field("secretPhrase", &mnemonic.expose_words());
            }
            if let Some(seed) = pair.expose_seed() {
                field("secretSeed", &seed.to_hex());
            }
        }
        field("ss58Address", &account.to_ss58());
        json.extend_from_slice(format!(",\"cryptoType\":{}}}", scheme.number()).as_bytes());
        json
    }
}

impl Fields {
    fn key(&self) -> Result<KeyFile, KeyFileError> {
        if self.encoded.is_some() {
            return Err(KeyFileError::ForeignExport);
        }
        let scheme = self.scheme.as_ref().map_or(Ok(Scheme::default()), SchemeField::scheme)?;
        let address = self.address.as_ref().or(self.spaced_address.as_ref());
        let address = address.map(|text| AccountId::from_ss58(text.as_str())).transpose()?;
        let Some(pair) = self.pair(scheme)? else {
            let account = address.ok_or(KeyFileError::Empty)?;
            return Ok(KeyFile::Public(PublicKey { scheme, account }));
        };
        let derived = pair.public().account;
        match address {
            Some(stored) if stored != derived => {
                // Old files lack or mislabel the scheme; the address says which one it is.
                let other = self.pair(scheme.other()).ok().flatten();
                other
                    .filter(|pair| pair.public().account == stored)
                    .map(|pair| KeyFile::Pair(Box::new(pair)))
                    .ok_or(KeyFileError::Mismatch { derived, stored })
            }
            _ => Ok(KeyFile::Pair(Box::new(pair))),
        }
    }

    fn pair(&self, scheme: Scheme) -> Result<Option<Keypair>, KeyFileError> {
        if let Some(phrase) = &self.phrase {
            Ok(Some(Keypair::from_mnemonic(scheme, &Mnemonic::parse(phrase)?, None)))
        } else if let Some(seed) = &self.seed {
            Ok(Some(Keypair::from_seed(scheme, &SecretSeed::from_hex(seed)?)))
        } else if let Some(key) = &self.private_key {
            Ok(Some(Keypair::from_private_key(scheme, key)?))
        } else {
            Ok(None)
        }
    }
}

/// A file of the first SDKs: nothing but a seed, a private key or a mnemonic, always sr25519.
fn bare(content: &[u8]) -> Option<KeyFile> {
    let text = std::str::from_utf8(content).ok()?.trim();
    let pair = if let Ok(seed) = SecretSeed::from_hex(text) {
        Keypair::from_seed(Scheme::Sr25519, &seed)
    } else if let Ok(pair) = Keypair::from_private_key(Scheme::Sr25519, text) {
        pair
    } else {
        Keypair::from_mnemonic(Scheme::Sr25519, &Mnemonic::parse(text).ok()?, None)
    };
    Some(KeyFile::Pair(Box::new(pair)))
}
