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

/// A key file that is read and checked, and whose key is not derived yet: deriving from a phrase stretches it first.
#[derive(Clone, Debug)]
pub struct KeyFields {
    scheme: Scheme,
    secret: Option<Stored>,
    address: Option<AccountId>,
}

/// The secret that counts among those of a file.
#[derive(Clone)]
enum Stored {
    Phrase(Mnemonic),
    Seed(SecretSeed),
    /// Its form depends on the scheme, which an old file may mislabel.
    PrivateKey(Zeroizing<String>),
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Phrase(_) => "Phrase(…)",
            Self::Seed(_) => "Seed(…)",
            Self::PrivateKey(_) => "PrivateKey(…)",
        })
    }
}

impl Stored {
    fn pair(&self, scheme: Scheme) -> Result<Keypair, KeyFileError> {
        Ok(match self {
            Self::Phrase(mnemonic) => Keypair::from_mnemonic(scheme, mnemonic, None),
            Self::Seed(seed) => Keypair::from_seed(scheme, seed),
            Self::PrivateKey(text) => Keypair::from_private_key(scheme, text)?,
        })
    }
}

impl KeyFields {
    /// Reads a plain key file: the JSON object, or what the first SDKs wrote, a bare seed, private key or mnemonic.
    ///
    /// # Errors
    /// [`KeyFileError`], but for what only the derived key shows.
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
            return Self::bare(content).ok_or(KeyFileError::Json { line: 1, column: 0 });
        }
        match serde_json::from_slice::<Json>(content) {
            Ok(json) => json.fields(),
            Err(error) => Err(KeyFileError::Json { line: error.line(), column: error.column() }),
        }
    }

    /// Whether deriving the key stretches a phrase first, which takes a millisecond; everything else takes none.
    #[must_use]
    pub const fn has_phrase(&self) -> bool {
        matches!(self.secret, Some(Stored::Phrase(_)))
    }

    /// The key, which must have the file's address.
    ///
    /// # Errors
    /// [`KeyFileError::PrivateKey`], [`KeyFileError::Mismatch`] and [`KeyFileError::Empty`].
    pub fn derive(&self) -> Result<KeyFile, KeyFileError> {
        let Some(secret) = &self.secret else {
            let account = self.address.ok_or(KeyFileError::Empty)?;
            return Ok(KeyFile::Public(PublicKey { scheme: self.scheme, account }));
        };
        let pair = secret.pair(self.scheme)?;
        let derived = pair.public().account;
        match self.address {
            Some(stored) if stored != derived => {
                // Old files lack or mislabel the scheme; the address says which one it is.
                let other = secret.pair(self.scheme.other()).ok();
                other
                    .filter(|pair| pair.public().account == stored)
                    .map(|pair| KeyFile::Pair(Box::new(pair)))
                    .ok_or(KeyFileError::Mismatch { derived, stored })
            }
            _ => Ok(KeyFile::Pair(Box::new(pair))),
        }
    }

    /// A file of the first SDKs: nothing but a secret, always sr25519.
    fn bare(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?.trim();
        let secret = if let Ok(seed) = SecretSeed::from_hex(text) {
            Stored::Seed(seed)
        } else if Keypair::from_private_key(Scheme::Sr25519, text).is_ok() {
            Stored::PrivateKey(Zeroizing::new(text.to_owned()))
        } else {
            Stored::Phrase(Mnemonic::parse(text).ok()?)
        };
        Some(Self { scheme: Scheme::Sr25519, secret: Some(secret), address: None })
    }
}

/// The JSON fields read; others are ignored.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Json {
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

impl Json {
    fn fields(self) -> Result<KeyFields, KeyFileError> {
        if self.encoded.is_some() {
            return Err(KeyFileError::ForeignExport);
        }
        let scheme = self.scheme.as_ref().map_or(Ok(Scheme::default()), SchemeField::scheme)?;
        let address = self.address.as_ref().or(self.spaced_address.as_ref());
        let address = address.map(|text| AccountId::from_ss58(text.as_str())).transpose()?;
        let secret = if let Some(phrase) = &self.phrase {
            Some(Stored::Phrase(Mnemonic::parse(phrase)?))
        } else if let Some(seed) = &self.seed {
            Some(Stored::Seed(SecretSeed::from_hex(seed)?))
        } else {
            self.private_key.map(Stored::PrivateKey)
        };
        Ok(KeyFields { scheme, secret, address })
    }
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
    /// Reads a plain key file and derives its key; see [`KeyFields`].
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn parse(content: &[u8]) -> Result<Self, KeyFileError> {
        KeyFields::parse(content)?.derive()
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
