//! Keys of one byte's seed, for tests only.

use primitives::Hotkey;
use protocol::{SIGNATURE_BYTES, Scheme, Signer};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey, signing_context};

/// The secret seed of the development account //Alice (sr25519).
const ALICE: [u8; 32] = [
    0xe5, 0xbe, 0x9a, 0x50, 0x92, 0xb8, 0x1b, 0xca, 0x64, 0xbe, 0x81, 0xd2, 0x12, 0xe7, 0xf2, 0xf9, 0xeb,
    0xa1, 0x83, 0xbb, 0x7a, 0x90, 0x95, 0x4f, 0x7b, 0x76, 0x36, 0x1f, 0x6e, 0xdb, 0x5c, 0x0a,
];

/// An sr25519 key in memory.
pub(crate) struct Sr(Keypair);

impl Sr {
    /// The key of a seed made of one byte.
    pub(crate) fn of(byte: u8) -> Self {
        Self::from_seed([byte; 32])
    }

    /// The development account //Alice.
    #[allow(dead_code, reason = "not every program that includes this file needs her")]
    pub(crate) fn alice() -> Self {
        Self::from_seed(ALICE)
    }

    fn from_seed(seed: [u8; 32]) -> Self {
        let secret = MiniSecretKey::from_bytes(&seed).expect("any 32 bytes are a seed");
        Self(secret.expand_to_keypair(ExpansionMode::Ed25519))
    }
}

impl Signer for Sr {
    fn scheme(&self) -> Scheme {
        Scheme::Sr25519
    }

    fn hotkey(&self) -> Hotkey {
        Hotkey::from_bytes(self.0.public.to_bytes())
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(signing_context(b"substrate").bytes(message)).to_bytes()
    }
}

/// An ed25519 key in memory.
#[allow(dead_code, reason = "not every program that includes this file needs one")]
pub(crate) struct Ed(ed25519_dalek::SigningKey);

#[allow(dead_code, reason = "not every program that includes this file needs one")]
impl Ed {
    /// The key of a seed made of one byte.
    pub(crate) fn of(byte: u8) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&[byte; 32]))
    }
}

impl Signer for Ed {
    fn scheme(&self) -> Scheme {
        Scheme::Ed25519
    }

    fn hotkey(&self) -> Hotkey {
        Hotkey::from_bytes(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        use ed25519_dalek::Signer as _;
        self.0.sign(message).to_bytes()
    }
}
