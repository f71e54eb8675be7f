//! Weights as they lie inside of a timelocked commitment.

use parity_scale_codec::{Decode, Encode};
use primitives::{AccountId, Hotkey};
use thiserror::Error;

use crate::WeightVector;

/// A payload is not what its committer may reveal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// The bytes are weights in neither layout.
    #[error("payload of {bytes} bytes is no weights")]
    NotWeights {
        /// How many bytes there are.
        bytes: usize,
    },
    /// It was made for another hotkey: a copy of somebody else's commitment.
    #[error("payload is of hotkey {found}, committed by {committer}")]
    OtherHotkey {
        /// Whom it was made for.
        found: Hotkey,
        /// Who committed to it.
        committer: Hotkey,
    },
}

/// Weights to be revealed. Source: `WeightsTlockPayload`, `LegacyWeightsTlockPayload` in `coinbase/reveal_commits.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsPayload {
    /// The committing hotkey, so that a copied commitment is worth nothing; none in the legacy layout.
    pub hotkey: Option<Hotkey>,
    /// The weights.
    pub weights: WeightVector,
    /// The validator's version.
    pub version_key: u64,
}

impl WeightsPayload {
    /// The SCALE encoding of `(Vec<u8> hotkey, Vec<u16> uids, Vec<u16> values, u64 version_key)`; in the legacy layout
    /// without the hotkey.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let hotkey = self.hotkey.map(|hotkey| hotkey.encode().encode()).unwrap_or_default();
        [hotkey, self.weights.encode(), self.version_key.encode()].concat()
    }

    /// Reads what `committer` committed to, with the chain's own leniency: the layout with a hotkey first, the legacy one
    /// where the bytes are not of the former or its hotkey is too short to be one; what lies behind is not read.
    ///
    /// # Errors
    /// [`PayloadError::NotWeights`] and [`PayloadError::OtherHotkey`].
    pub fn decode(bytes: &[u8], committer: Hotkey) -> Result<Self, PayloadError> {
        type WithHotkey = (Vec<u8>, WeightVector, u64);
        if let Ok((hotkey, weights, version_key)) = WithHotkey::decode(&mut &bytes[..])
            && let Ok(found) = AccountId::decode(&mut &hotkey[..]).map(Hotkey)
        {
            if found != committer {
                return Err(PayloadError::OtherHotkey { found, committer });
            }
            return Ok(Self { hotkey: Some(found), weights, version_key });
        }
        let legacy = <(WeightVector, u64)>::decode(&mut &bytes[..]);
        let (weights, version_key) = legacy.map_err(|_| PayloadError::NotWeights { bytes: bytes.len() })?;
        Ok(Self { hotkey: None, weights, version_key })
    }
}

#[cfg(test)]
mod tests {
    use primitives::Uid;

    use super::*;

    const COMMITTER: [u8; 32] = [7; 32];

    fn payload(hotkey: Option<[u8; 32]>) -> WeightsPayload {
        WeightsPayload {
            hotkey: hotkey.map(Hotkey::from_bytes),
            weights: WeightVector { uids: vec![Uid(1), Uid(2)], values: vec![3, 0xABCD] },
            version_key: 9,
        }
    }

    #[test]
    fn layouts_are_those_of_the_chain() {
        let mut legacy = vec![8, 1, 0, 2, 0];
        legacy.extend([8, 3, 0, 0xCD, 0xAB]);
        legacy.extend([9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(payload(None).encode(), legacy);
        let mut bytes = vec![4 * 32];
        bytes.extend(COMMITTER);
        bytes.extend(legacy);
        assert_eq!(payload(Some(COMMITTER)).encode(), bytes);
    }

    #[test]
    fn committers_read_their_own_and_nobody_elses() {
        let committer = Hotkey::from_bytes(COMMITTER);
        for own in [payload(None), payload(Some(COMMITTER))] {
            assert_eq!(WeightsPayload::decode(&own.encode(), committer), Ok(own.clone()));
            let with_more = [own.encode(), vec![1, 2, 3]].concat();
            assert_eq!(WeightsPayload::decode(&with_more, committer), Ok(own));
        }
        let found = Hotkey::from_bytes([8; 32]);
        let copied = WeightsPayload::decode(&payload(Some([8; 32])).encode(), committer);
        assert_eq!(copied, Err(PayloadError::OtherHotkey { found, committer }));
        for broken in [&[][..], &[0xFF; 40], &payload(None).encode()[..17]] {
            let bytes = broken.len();
            assert_eq!(WeightsPayload::decode(broken, committer), Err(PayloadError::NotWeights { bytes }));
        }
    }

    /// Four empty bytes are a hotkey of no bytes, and no uids, and so forth: read as the legacy layout.
    #[test]
    fn a_hotkey_that_is_too_short_makes_the_legacy_layout() {
        let bytes = [0; 11];
        let read = WeightsPayload::decode(&bytes, Hotkey::from_bytes(COMMITTER)).unwrap();
        assert_eq!(read, WeightsPayload { hotkey: None, weights: WeightVector::default(), version_key: 0 });
    }
}
