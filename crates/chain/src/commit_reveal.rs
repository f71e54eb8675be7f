//! Commitments to weights by hash, as the chain checks them.

use blake2::{
    Blake2b, Digest as _,
    digest::{array::ArraySize, consts::U32},
};
use parity_scale_codec::Encode;
use primitives::{Digest, Hotkey, MechId, NetUid, Seed};

use crate::{WeightVector, storage_index};

/// Words in a salt: 128 bits, so that the few plausible weight vectors cannot be tried out.
pub const SALT_WORDS: usize = 8;

/// What a validator commits to and opens later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsCommitment<'a> {
    /// The committing hotkey: binds the hash to it, so that it can't be copied.
    pub hotkey: Hotkey,
    /// The subnet.
    pub netuid: NetUid,
    /// The mechanism.
    pub mechid: MechId,
    /// The weights.
    pub weights: &'a WeightVector,
    /// Secret until the reveal.
    pub salt: &'a [u16],
    /// The validator's version.
    pub version_key: u64,
}

impl WeightsCommitment<'_> {
    /// BLAKE2b-256 over the SCALE encoding of
    /// `(AccountId32, storage index u16, Vec<u16> uids, Vec<u16> values, Vec<u16> salt, u64 version_key)`.
    /// Source: `get_commit_hash` in `subnets/weights.rs`.
    #[must_use]
    pub fn hash(&self) -> Digest {
        let index = storage_index(self.netuid, self.mechid);
        let encoded =
            (self.hotkey, index, &self.weights.uids, &self.weights.values, self.salt, self.version_key)
                .encode();
        blake2_256(&encoded)
    }
}

/// BLAKE2b with 256 bits, the chain's hash of what its extrinsics carry.
#[must_use]
pub fn blake2_256(bytes: &[u8]) -> Digest {
    Digest(blake2b::<U32>(bytes).into())
}

fn blake2b<N>(bytes: &[u8]) -> blake2::digest::array::Array<u8, N>
where
    N: ArraySize
        + blake2::digest::typenum::IsLessOrEqual<
            blake2::digest::consts::U64,
            Output = blake2::digest::typenum::True,
        >,
{
    Blake2b::<N>::digest(bytes)
}

/// The salt for one commitment: from the validator's secret seed, so that after a crash the same bytes are
/// sent again.
#[must_use]
pub fn salt_from(secret: &Seed, netuid: NetUid, mechid: MechId, epoch: u64) -> Vec<u16> {
    let index = storage_index(netuid, mechid);
    let mut stream = secret.derive("weights salt", u64::from(index)).stream("epoch", epoch);
    let mut salt = Vec::with_capacity(SALT_WORDS);
    while salt.len() < SALT_WORDS {
        let word = stream.next_u64().to_le_bytes();
        salt.extend(word.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])));
    }
    salt
}

#[cfg(test)]
mod tests {
    use primitives::Uid;

    use super::*;

    /// The encoding written out by hand: a SCALE vector is its compact length (4·n for n < 64) and its items.
    #[test]
    fn hash_covers_the_scale_bytes_of_all_six_parts() {
        let weights = WeightVector { uids: vec![Uid(1), Uid(2)], values: vec![3, 0xABCD] };
        let hotkey = Hotkey::from_bytes([7; 32]);
        let commitment = WeightsCommitment {
            hotkey,
            netuid: NetUid(2),
            mechid: MechId(1),
            weights: &weights,
            salt: &[5],
            version_key: 9,
        };
        let mut bytes = vec![7u8; 32];
        bytes.extend([0x02, 0x10]);
        bytes.extend([8, 1, 0, 2, 0]);
        bytes.extend([8, 3, 0, 0xCD, 0xAB]);
        bytes.extend([4, 5, 0]);
        bytes.extend([9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(commitment.hash().0, <[u8; 32]>::from(blake2b::<U32>(&bytes)));
    }

    #[test]
    fn salts_differ_by_epoch_and_mechanism_and_repeat() {
        let secret = Seed::from_number(1);
        let salt = salt_from(&secret, NetUid(1), MechId(0), 4);
        assert_eq!(salt.len(), SALT_WORDS);
        assert_eq!(salt, salt_from(&secret, NetUid(1), MechId(0), 4));
        assert_ne!(salt, salt_from(&secret, NetUid(1), MechId(0), 5));
        assert_ne!(salt, salt_from(&secret, NetUid(1), MechId(1), 4));
    }
}
