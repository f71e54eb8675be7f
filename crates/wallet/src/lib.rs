//! Coldkey and hotkey: from a mnemonic to a signature, and the key files that btcli reads and writes.
//!
//! Everything but [`mod@file`] is pure: entropy, nonces and signing salts are arguments. Secrets are wiped when they are
//! dropped, no `Debug` shows one, and no error repeats one. What this crate does not do: talk to a chain, keep keys
//! of other curves, or write the two legacy encryptions, which it only reads.
//!
//! Start with [`Keypair`], then [`KeyFile`] (what stands in a key file) and [`file::Wallets`] (where it stands).

mod derivation;
pub mod envelope;
pub mod file;
mod keyfile;
mod keypair;
mod mnemonic;
mod secret;

pub use derivation::{DerivationError, DerivationPath, Junction, SecretUri};
pub use envelope::{Envelope, EnvelopeError, Sealed};
pub use keyfile::{KeyFields, KeyFile, KeyFileError};
pub use keypair::{KeyError, Keypair, PublicKey, Scheme, Signature, SignatureError};
pub use mnemonic::{Mnemonic, MnemonicError, WordCount};
pub use secret::{Password, SecretSeed, SecretTextError};
