//! Key pairs, public keys and signatures of the two schemes that Bittensor's chain accepts.
//!
//! A pair remembers the mnemonic or seed that it was made from, as key files carry both; derivation forgets them.
//! Signing draws no randomness: [`Keypair::sign`] takes a salt.

use std::{fmt, str::FromStr};

use blake2::{
    Blake2b,
    digest::{Digest as _, consts::U32},
};
use ed25519_dalek::Signer as _;
use parity_scale_codec::Encode as _;
use primitives::{AccountId, Coldkey, Hotkey, Seed};
use rand_core_06::{CryptoRng, RngCore};
use schnorrkel::{
    ExpansionMode, MiniSecretKey,
    context::attach_rng,
    derive::{ChainCode, Derivation as _},
    signing_context,
};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    DerivationError, DerivationPath, Junction, Mnemonic, Password, SecretSeed, SecretUri,
    derivation::Root,
    secret::{decode_hex, encode_hex},
};

/// The context of every sr25519 signature on the chain. Source: Substrate's sr25519.
const SIGNING_CONTEXT: &[u8] = b"substrate";
/// The transcript of a soft derivation. Source: the crate schnorrkel, `Derivation::derived_key_simple`.
const SOFT_TRANSCRIPT: &[u8] = b"SchnorrRistrettoHDKD";
/// The prefix of a hard ed25519 derivation. Source: Substrate's ed25519.
const ED25519_HARD: &str = "Ed25519HDKD";
/// Domain of the stream that salts signatures; a change of the scheme changes this text.
const SALT_DOMAIN: &str = "weighhouse signing salt v1";

/// Why no key pair could be made; the secret is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// A private key of the wrong length or no hexadecimal.
    #[error("private key is not {expected} hexadecimal digits, with or without 0x")]
    PrivateKeyForm {
        /// What the scheme has.
        expected: &'static str,
    },
    /// The bytes are no private key of the scheme.
    #[error("private key is no valid {0} key")]
    PrivateKey(Scheme),
    /// Soft derivation exists for sr25519 only.
    #[error("ed25519 has no soft derivation: use // in place of / in the path")]
    SoftEd25519,
    /// The path or URI is malformed.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
}

/// A signature scheme, under its number in key files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Number 0.
    Ed25519,
    /// Number 1: what nearly every Bittensor key is.
    #[default]
    Sr25519,
}

impl Scheme {
    /// The number in a key file's `cryptoType`.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ed25519 => 0,
            Self::Sr25519 => 1,
        }
    }

    /// The scheme with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Ed25519),
            1 => Some(Self::Sr25519),
            _ => None,
        }
    }

    /// The scheme's name, as btcli and the wire protocol write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Sr25519 => "sr25519",
        }
    }

    /// The scheme with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sr25519, Self::Ed25519].into_iter().find(|scheme| scheme.name() == name)
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Ed25519 => Self::Sr25519,
            Self::Sr25519 => Self::Ed25519,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text is not a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("signature has {found} characters, expected 128 hexadecimal digits, with or without 0x")]
pub struct SignatureError {
    /// Characters found behind `0x`.
    pub found: usize,
}

/// The 64 bytes of a signature of either scheme; shown as `0x` and hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature(pub [u8; 64]);

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(&self.0[..4]))
    }
}

impl FromStr for Signature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let mut bytes = [0u8; 64];
        let digits = text.strip_prefix("0x").unwrap_or(text);
        decode_hex(digits, &mut bytes).map_err(|_| SignatureError { found: digits.chars().count() })?;
        Ok(Self(bytes))
    }
}

/// A public key: an account, and the scheme under which it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    /// The signature scheme.
    pub scheme: Scheme,
    /// The key's 32 bytes.
    pub account: AccountId,
}

impl PublicKey {
    /// The key as a hotkey.
    #[must_use]
    pub const fn hotkey(&self) -> Hotkey {
        Hotkey(self.account)
    }

    /// The key as a coldkey.
    #[must_use]
    pub const fn coldkey(&self) -> Coldkey {
        Coldkey(self.account)
    }

    /// Whether this key signed the message, under this key's scheme only. Bytes that are no point of the curve
    /// verify nothing, nor does a key of small order, whose secret everybody knows.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        match self.scheme {
            // The identity of Ristretto is written as zeros; it has no other point of small order.
            Scheme::Sr25519 if self.account.0 == [0; 32] => false,
            Scheme::Sr25519 => {
                let key = schnorrkel::PublicKey::from_bytes(&self.account.0);
                let signature = schnorrkel::Signature::from_bytes(&signature.0);
                let (Ok(key), Ok(signature)) = (key, signature) else { return false };
                key.verify(signing_context(SIGNING_CONTEXT).bytes(message), &signature).is_ok()
            }
            Scheme::Ed25519 => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(&self.account.0);
                let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
                key.is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
            }
        }
    }
}

/// What a pair was made from.
#[derive(Clone, Default)]
struct Origin {
    mnemonic: Option<Mnemonic>,
    seed: Option<SecretSeed>,
}

/// Both wipe themselves when dropped.
#[derive(Clone)]
enum Secret {
    Sr25519(Box<schnorrkel::Keypair>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

/// A key pair that can sign.
#[derive(Clone)]
pub struct Keypair {
    secret: Secret,
    origin: Origin,
}

impl Keypair {
    /// The pair of a mnemonic and an optional passphrase. A pair with a passphrase forgets its mnemonic, which alone
    /// would not lead back to it.
    #[must_use]
    pub fn from_mnemonic(scheme: Scheme, mnemonic: &Mnemonic, passphrase: Option<&Password>) -> Self {
        let mut pair = Self::from_seed(scheme, &mnemonic.seed(passphrase));
        pair.origin.mnemonic = passphrase.is_none().then(|| mnemonic.clone());
        pair
    }

    /// The pair of a seed.
    #[must_use]
    pub fn from_seed(scheme: Scheme, seed: &SecretSeed) -> Self {
        let secret = match scheme {
            Scheme::Sr25519 => {
                let mini = MiniSecretKey::from_bytes(seed.expose()).expect("any 32 bytes are a mini secret");
                Secret::Sr25519(Box::new(mini.expand_to_keypair(ExpansionMode::Ed25519)))
            }
            Scheme::Ed25519 => {
                Secret::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed.expose())))
            }
        };
        Self { secret, origin: Origin { mnemonic: None, seed: Some(seed.clone()) } }
    }

    /// The pair of a private key in hexadecimal: 64 bytes for sr25519; for ed25519 32 bytes (its seed), or 64 with
    /// the public key behind them.
    ///
    /// # Errors
    /// [`KeyError::PrivateKeyForm`] and [`KeyError::PrivateKey`].
    pub fn from_private_key(scheme: Scheme, text: &str) -> Result<Self, KeyError> {
        let wrong = |_| KeyError::PrivateKey(scheme);
        let mut bytes = Zeroizing::new([0u8; 64]);
        match scheme {
            Scheme::Sr25519 => {
                decode_hex(text, &mut *bytes).map_err(|_| KeyError::PrivateKeyForm { expected: "128" })?;
                let secret = schnorrkel::SecretKey::from_bytes(&*bytes).map_err(wrong)?;
                let secret = Secret::Sr25519(Box::new(secret.to_keypair()));
                Ok(Self { secret, origin: Origin::default() })
            }
            Scheme::Ed25519 => {
                if let Ok(seed) = SecretSeed::from_hex(text) {
                    let pair = Self::from_seed(scheme, &seed);
                    return Ok(Self { origin: Origin::default(), ..pair });
                }
                decode_hex(text, &mut *bytes)
                    .map_err(|_| KeyError::PrivateKeyForm { expected: "64 or 128" })?;
                let key = ed25519_dalek::SigningKey::from_keypair_bytes(&bytes)
                    .map_err(|_| KeyError::PrivateKey(scheme))?;
                Ok(Self { secret: Secret::Ed25519(Box::new(key)), origin: Origin::default() })
            }
        }
    }

    /// The pair that a secret URI names, such as `//Alice`.
    ///
    /// # Errors
    /// [`KeyError::SoftEd25519`].
    pub fn from_uri(scheme: Scheme, uri: &SecretUri) -> Result<Self, KeyError> {
        let passphrase = uri.passphrase.as_ref();
        let root = match &uri.root {
            Root::Mnemonic(mnemonic) => Self::from_mnemonic(scheme, mnemonic, passphrase),
            Root::Seed(seed) => Self::from_seed(scheme, seed),
        };
        root.derive(&uri.path)
    }

    /// The sr25519 development account of a name: `Alice` for `//Alice`. Its secret is public.
    ///
    /// # Errors
    /// [`KeyError::Derivation`] where the name is empty or has a slash at its end.
    pub fn development(name: &str) -> Result<Self, KeyError> {
        Self::from_uri(Scheme::Sr25519, &format!("//{name}").parse()?)
    }

    /// The sr25519 pair that the simulator and tests draw from a seed; two purposes or indices give two pairs.
    #[must_use]
    pub fn simulated(seed: Seed, purpose: &str, index: u64) -> Self {
        Self::from_seed(Scheme::Sr25519, &SecretSeed::from_bytes(seed.derive(purpose, index).0.0))
    }

    /// The pair at the end of a path; it no longer knows a mnemonic or seed. The empty path is this pair.
    ///
    /// # Errors
    /// [`KeyError::SoftEd25519`].
    pub fn derive(&self, path: &DerivationPath) -> Result<Self, KeyError> {
        path.junctions().iter().try_fold(self.clone(), |pair, junction| {
            Ok(Self { secret: pair.secret.derive(junction)?, origin: Origin::default() })
        })
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        match self.secret {
            Secret::Sr25519(_) => Scheme::Sr25519,
            Secret::Ed25519(_) => Scheme::Ed25519,
        }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let account = match &self.secret {
            Secret::Sr25519(pair) => AccountId(pair.public.to_bytes()),
            Secret::Ed25519(key) => AccountId(key.verifying_key().to_bytes()),
        };
        PublicKey { scheme: self.scheme(), account }
    }

    /// The public key as a hotkey.
    #[must_use]
    pub fn hotkey(&self) -> Hotkey {
        self.public().hotkey()
    }

    /// The public key as a coldkey.
    #[must_use]
    pub fn coldkey(&self) -> Coldkey {
        self.public().coldkey()
    }

    /// Signs a message. The same pair, message and salt give the same signature. The salt hardens sr25519 against
    /// faults of the machine and need not be secret: where none can be drawn, zeros are safe. ed25519 ignores it.
    #[must_use]
    pub fn sign(&self, message: &[u8], salt: [u8; 32]) -> Signature {
        match &self.secret {
            Secret::Sr25519(pair) => {
                let transcript = signing_context(SIGNING_CONTEXT).bytes(message);
                Signature(pair.sign(attach_rng(transcript, SaltStream::new(&salt))).to_bytes())
            }
            Secret::Ed25519(key) => Signature(key.sign(message).to_bytes()),
        }
    }

    /// The mnemonic that the pair was made from, where it is known.
    #[must_use]
    pub const fn expose_mnemonic(&self) -> Option<&Mnemonic> {
        self.origin.mnemonic.as_ref()
    }

    /// The seed that the pair was made from, where it is known.
    #[must_use]
    pub const fn expose_seed(&self) -> Option<&SecretSeed> {
        self.origin.seed.as_ref()
    }

    /// The private key as key files carry it: `0x`, then 64 bytes for sr25519 (scalar and nonce) and 32 for ed25519.
    #[must_use]
    pub fn expose_private_key(&self) -> Zeroizing<String> {
        match &self.secret {
            Secret::Sr25519(pair) => encode_hex(&*Zeroizing::new(pair.secret.to_bytes())),
            Secret::Ed25519(key) => encode_hex(key.as_bytes()),
        }
    }
}

impl Secret {
    fn derive(self, junction: &Junction) -> Result<Self, KeyError> {
        match (self, junction) {
            (Self::Sr25519(pair), Junction::Hard(code)) => {
                let (mini, _) = pair.hard_derive_mini_secret_key(Some(ChainCode(*code)), b"");
                Ok(Self::Sr25519(Box::new(mini.expand_to_keypair(ExpansionMode::Ed25519))))
            }
            (Self::Sr25519(pair), Junction::Soft(code)) => {
                let mut transcript = merlin::Transcript::new(SOFT_TRANSCRIPT);
                transcript.append_message(b"sign-bytes", b"");
                // Only the new nonce seed depends on the stream; it is mixed with the old secret key.
                let transcript = attach_rng(transcript, SaltStream::new(code));
                let (derived, _) = pair.derived_key(transcript, ChainCode(*code));
                Ok(Self::Sr25519(Box::new(derived)))
            }
            (Self::Ed25519(key), Junction::Hard(code)) => {
                let parts = Zeroizing::new((ED25519_HARD, key.as_bytes(), code).encode());
                let mut seed: [u8; 32] = Blake2b::<U32>::digest(&*parts).into();
                let derived = ed25519_dalek::SigningKey::from_bytes(&seed);
                seed.zeroize();
                Ok(Self::Ed25519(Box::new(derived)))
            }
            (Self::Ed25519(_), Junction::Soft(_)) => Err(KeyError::SoftEd25519),
        }
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({}, {})", self.scheme(), self.public().account)
    }
}

/// The random numbers that schnorrkel mixes with the secret nonce: they follow from the salt.
struct SaltStream(blake3::OutputReader);

impl SaltStream {
    fn new(salt: &[u8; 32]) -> Self {
        Self(blake3::Hasher::new_derive_key(SALT_DOMAIN).update(salt).finalize_xof())
    }
}

impl RngCore for SaltStream {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0u8; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0u8; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core_06::Error> {
        self.0.fill(dest);
        Ok(())
    }
}

impl CryptoRng for SaltStream {}
