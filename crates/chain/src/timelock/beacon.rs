//! A beacon signs the number of each round when its time has come: its keys, its rounds and their times.

use std::{fmt, num::NonZeroU32, str::FromStr, sync::LazyLock};

use ark_bls12_381::{Bls12_381, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr as _, CurveGroup as _, pairing::Pairing as _};
use ark_ff::{PrimeField as _, Zero as _};
use ark_serialize::{CanonicalDeserialize as _, CanonicalSerialize as _};
use parity_scale_codec::{Decode, Encode, Error as ScaleError, Input, Output};
use primitives::{DurationMs, Seed, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::hash_to_curve::hash_to_curve;
use crate::{BlockNumber, EpochSchedule};

/// Bytes of a public key: a compressed point of G2.
pub const PUBLIC_KEY_BYTES: usize = 96;
/// Bytes of a signature: a compressed point of G1.
pub const SIGNATURE_BYTES: usize = 48;

/// The public key of drand's quicknet, the beacon of the real network; the chain hash is
/// `52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971`. Source: `pallets/drand`, `QUICKNET_CHAIN_HASH`.
const QUICKNET_PUBLIC_KEY: &str = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c\
                                   8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb\
                                   5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";
/// When quicknet's first round was published. Source: its chain information.
const QUICKNET_GENESIS: Timestamp = Timestamp(1_692_803_367_000);
/// Milliseconds between two rounds of quicknet. Source: its chain information.
const QUICKNET_PERIOD_MS: NonZeroU32 = NonZeroU32::new(3_000).expect("not zero");

/// Blocks by which the round of a reveal lies behind the block in which the reveal is first possible: the chain takes
/// pulses up with a delay, and an earlier round would let weights be read before their epoch.
/// Source: `SECURITY_BLOCK_OFFSET` in `bittensor-drand` 2.0.0.
const REVEAL_MARGIN_BLOCKS: u64 = 3;

/// Bytes or a text are no key or signature of a beacon.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BeaconError {
    /// The number of bytes is another one.
    #[error("{what} has {found} bytes, expected {expected}")]
    Length {
        /// What was read.
        what: &'static str,
        /// How many bytes there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The text is not hexadecimal.
    #[error("{what} is not hexadecimal")]
    Text {
        /// What was read.
        what: &'static str,
    },
    /// The bytes are no point of the group, or the identity, or not the one way to write a point down.
    #[error("{what} is no point of its group")]
    Point {
        /// What was read.
        what: &'static str,
    },
}

/// A point in its compressed form: bytes, hexadecimal text, SCALE and serde, all of them checked.
macro_rules! point {
    ($(#[$doc:meta])* $name:ident($group:ty), $bytes:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub(super) $group);

        impl $name {
            /// Reads the compressed point, in the way of zcash: big-endian, three flags in the first byte.
            ///
            /// # Errors
            /// [`BeaconError::Length`], and [`BeaconError::Point`] where the bytes are no point of the curve, one
            /// outside of the prime-order subgroup, or the identity.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, BeaconError> {
                if bytes.len() != $bytes {
                    return Err(BeaconError::Length { what: $what, found: bytes.len(), expected: $bytes });
                }
                match <$group>::deserialize_compressed(bytes) {
                    Ok(point) if !point.is_zero() => Ok(Self(point)),
                    _ => Err(BeaconError::Point { what: $what }),
                }
            }

            /// The compressed point.
            #[must_use]
            pub fn to_bytes(&self) -> [u8; $bytes] {
                let mut bytes = [0; $bytes];
                self.0.serialize_compressed(&mut bytes[..]).expect("a compressed point has this length");
                bytes
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&hex::encode(self.to_bytes()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}…)"), hex::encode(&self.to_bytes()[..4]))
            }
        }

        impl FromStr for $name {
            type Err = BeaconError;
            fn from_str(text: &str) -> Result<Self, BeaconError> {
                let mut bytes = [0; $bytes];
                if text.len() != 2 * bytes.len() {
                    return Err(BeaconError::Length { what: $what, found: text.len() / 2, expected: $bytes });
                }
                hex::decode_to_slice(text, &mut bytes).map_err(|_| BeaconError::Text { what: $what })?;
                Self::from_bytes(&bytes)
            }
        }

        impl Encode for $name {
            fn encode_to<O: Output + ?Sized>(&self, to: &mut O) {
                to.write(&self.to_bytes());
            }
        }

        impl Decode for $name {
            fn decode<I: Input>(from: &mut I) -> Result<Self, ScaleError> {
                let mut bytes = [0; $bytes];
                from.read(&mut bytes)?;
                Self::from_bytes(&bytes).map_err(|_| concat!($what, " is no point of its group").into())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

point! {
    /// What a beacon's signatures are checked with and what is encrypted for: 96 bytes, a point of G2.
    PublicKey(G2Affine), PUBLIC_KEY_BYTES, "public key"
}

point! {
    /// A beacon's word that a round has come, and the key to all that was locked until then: 48 bytes, a point of G1.
    Signature(G1Affine), SIGNATURE_BYTES, "signature"
}

impl PublicKey {
    /// Whether `signature` is this beacon's for `round`: e(signature, G₂) = e(H(round), key).
    #[must_use]
    pub fn verify(&self, round: u64, signature: &Signature) -> bool {
        let product =
            Bls12_381::multi_pairing([signature.0, -round_point(round)], [G2Affine::generator(), self.0]);
        product.is_zero()
    }
}

impl Signature {
    /// The round's public randomness: SHA-256 of the compressed signature.
    #[must_use]
    pub fn randomness(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }
}

/// The point that a beacon signs for `round`: that of SHA-256 of its number, big-endian.
/// Source: drand's unchained scheme, `message` in `pallets/drand/src/verifier.rs`.
pub(super) fn round_point(round: u64) -> G1Affine {
    hash_to_curve(&Sha256::digest(round.to_be_bytes()))
}

/// The key of a beacon of one's own, such as a development chain's; whoever holds it opens everything early.
#[derive(Clone)]
pub struct SecretKey(Fr);

impl SecretKey {
    /// The key that follows from a seed.
    #[must_use]
    pub fn from_seed(seed: &Seed) -> Self {
        // 512 bits, so that the rest modulo the group's order has no bias that shows.
        let halves = [0, 1].map(|half| seed.derive("beacon secret key", half).0.0);
        let scalar = Fr::from_be_bytes_mod_order(halves.as_flattened());
        // Zero has no public key; it comes up with a probability of 2⁻²⁵⁵.
        Self(if scalar.is_zero() { Fr::from(1) } else { scalar })
    }

    /// The key that its signatures are checked with.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey((G2Affine::generator() * self.0).into_affine())
    }

    /// The signature of `round`; the same one always.
    #[must_use]
    pub fn sign(&self, round: u64) -> Signature {
        Signature((round_point(round) * self.0).into_affine())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// A beacon as a chain declares it: round 1 is published at its genesis, each further one a period later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Beacon {
    /// What its signatures are checked with.
    pub public_key: PublicKey,
    /// When round 1 is published.
    pub genesis: Timestamp,
    /// Milliseconds from one round to the next.
    pub period_ms: NonZeroU32,
}

impl Beacon {
    /// drand's quicknet, which the real network uses.
    #[must_use]
    pub fn quicknet() -> Self {
        static QUICKNET: LazyLock<Beacon> = LazyLock::new(|| Beacon {
            public_key: QUICKNET_PUBLIC_KEY.parse().expect("quicknet's key is a point of G2"),
            genesis: QUICKNET_GENESIS,
            period_ms: QUICKNET_PERIOD_MS,
        });
        *QUICKNET
    }

    /// The newest round published at `time`; 0 before the genesis.
    #[must_use]
    pub fn round_at(&self, time: Timestamp) -> u64 {
        let elapsed_ms = time.0.saturating_sub(self.genesis.0);
        u64::try_from(elapsed_ms).map_or(0, |elapsed| elapsed / u64::from(self.period_ms.get()) + 1)
    }

    /// The first round published at `time` or later.
    #[must_use]
    pub fn first_round_from(&self, time: Timestamp) -> u64 {
        let newest = self.round_at(time);
        if newest > 0 && self.time_of(newest) == time { newest } else { newest.saturating_add(1) }
    }

    /// When `round` is published; round 0, which nobody signs, counts as round 1.
    #[must_use]
    pub fn time_of(&self, round: u64) -> Timestamp {
        let after_ms = round.saturating_sub(1).saturating_mul(u64::from(self.period_ms.get()));
        self.genesis + DurationMs(i64::try_from(after_ms).unwrap_or(i64::MAX))
    }

    /// The round until which weights are locked that are committed in the block after `head`: the round before the
    /// newest one at the time when three blocks have passed since [`EpochSchedule::reveal_block`]. None where the
    /// schedule has no such block. Source: `generate_commit_v2` in `bittensor-drand` 2.0.0.
    ///
    /// `schedule` is that after block `head`, `now` the time at which this is asked, soon after that block.
    #[must_use]
    pub fn reveal_round(
        &self,
        schedule: &EpochSchedule,
        head: BlockNumber,
        now: Timestamp,
        block_time: DurationMs,
    ) -> Option<u64> {
        let taken_up = schedule.reveal_block(head)?.saturating_add(REVEAL_MARGIN_BLOCKS);
        let blocks = i64::try_from(taken_up.saturating_sub(head)).unwrap_or(i64::MAX);
        let time = now + DurationMs(blocks.saturating_mul(block_time.0));
        Some(self.round_at(time).saturating_sub(1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of quicknet with their signatures and randomness, as its interface gives them.
    const PULSES: [(u64, &str, &str); 2] = [
        (
            1_000,
            "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
            "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd",
        ),
        (
            657_413,
            "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b",
            "fc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587",
        ),
    ];

    #[test]
    fn pulses_of_quicknet_verify_for_their_own_round_alone() {
        let key = Beacon::quicknet().public_key;
        for (round, signature, randomness) in PULSES {
            let signature: Signature = signature.parse().unwrap();
            assert!(key.verify(round, &signature));
            assert!(!key.verify(round + 1, &signature));
            assert!(!SecretKey::from_seed(&Seed::from_number(1)).public_key().verify(round, &signature));
            assert_eq!(hex::encode(signature.randomness()), randomness);
        }
    }

    #[test]
    fn a_beacon_of_ones_own_signs_what_its_key_verifies() {
        let secret = SecretKey::from_seed(&Seed::from_number(7));
        let signature = secret.sign(5);
        assert!(secret.public_key().verify(5, &signature));
        assert!(!secret.public_key().verify(6, &signature));
        assert_eq!(signature, secret.sign(5));
        assert_ne!(secret.public_key(), SecretKey::from_seed(&Seed::from_number(8)).public_key());
        assert_eq!(format!("{secret:?}"), "SecretKey(…)");
    }

    #[test]
    fn rounds_begin_at_the_genesis_and_have_the_period_as_distance() {
        let beacon = Beacon::quicknet();
        let genesis = beacon.genesis;
        for (after_ms, newest, first_from) in
            [(-1, 0, 1), (0, 1, 1), (1, 1, 2), (2_999, 1, 2), (3_000, 2, 2), (3_001, 2, 3)]
        {
            let time = genesis + DurationMs(after_ms);
            assert_eq!(
                (beacon.round_at(time), beacon.first_round_from(time)),
                (newest, first_from),
                "{after_ms}"
            );
        }
        assert_eq!(beacon.time_of(1), genesis);
        assert_eq!(beacon.time_of(1_000), genesis + DurationMs(999 * 3_000));
        for extreme in [i64::MIN, i64::MAX] {
            let _ = beacon.first_round_from(Timestamp(extreme));
        }
        let _ = beacon.time_of(u64::MAX);
    }

    #[test]
    fn points_are_read_in_one_way_and_never_the_identity() {
        let secret = SecretKey::from_seed(&Seed::from_number(7));
        let (key, signature) = (secret.public_key(), secret.sign(1));
        assert_eq!(PublicKey::from_bytes(&key.to_bytes()), Ok(key));
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(PublicKey::decode(&mut &key.encode()[..]), Ok(key));
        assert_eq!(Signature::decode(&mut &signature.encode()[..]), Ok(signature));
        assert_eq!(
            serde_json::from_str::<Signature>(&serde_json::to_string(&signature).unwrap()).unwrap(),
            signature
        );
        let mut identity = [0; SIGNATURE_BYTES];
        identity[0] = 0xC0;
        assert_eq!(Signature::from_bytes(&identity), Err(BeaconError::Point { what: "signature" }));
        assert!(Signature::from_bytes(&key.to_bytes()).is_err());
        assert!(Signature::from_bytes(&[]).is_err());
        assert!("zz".repeat(SIGNATURE_BYTES).parse::<Signature>().is_err());
        // Coordinates of points on the curves that are outside of the subgroups.
        let (mut first, mut second) = ([0; SIGNATURE_BYTES], [0; PUBLIC_KEY_BYTES]);
        (first[0], first[SIGNATURE_BYTES - 1]) = (0x80, 4);
        (second[0], second[PUBLIC_KEY_BYTES - 1]) = (0x80, 2);
        assert!(G1Affine::deserialize_compressed_unchecked(&first[..]).is_ok());
        assert!(G2Affine::deserialize_compressed_unchecked(&second[..]).is_ok());
        assert!(Signature::from_bytes(&first).is_err());
        assert!(PublicKey::from_bytes(&second).is_err());
        // The field's order and above are no coordinates.
        let mut large = [0xFF; SIGNATURE_BYTES];
        large[0] = 0x9F;
        assert!(Signature::from_bytes(&large).is_err());
    }
}
