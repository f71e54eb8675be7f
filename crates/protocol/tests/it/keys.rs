//! Keys of one byte's seed, for tests only.

use wallet::{Keypair, Scheme, SecretSeed};

/// The sr25519 key of a seed made of one byte.
pub(crate) fn sr(byte: u8) -> Keypair {
    Keypair::from_seed(Scheme::Sr25519, &SecretSeed::from_bytes([byte; 32]))
}

/// The ed25519 key of a seed made of one byte.
#[allow(dead_code, reason = "not every program that includes this file needs one")]
pub(crate) fn ed(byte: u8) -> Keypair {
    Keypair::from_seed(Scheme::Ed25519, &SecretSeed::from_bytes([byte; 32]))
}
