//! A subnet as read at one block: the metagraph, its settings and its commitments.

use std::collections::BTreeMap;

use primitives::{AlphaRao, BlockNumber, Coldkey, Digest, Hotkey, NetUid, Rao, Timestamp, Uid};
use serde::{Deserialize, Serialize};

use crate::{Axon, CommitmentField, EpochSchedule, Hyperparameters};

/// A block's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its height.
    pub number: BlockNumber,
    /// Its hash.
    pub hash: Digest,
    /// The hash of the block before.
    pub parent: Digest,
    /// When it was made.
    pub time: Timestamp,
}

/// One neuron of a metagraph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neuron {
    /// Its slot.
    pub uid: Uid,
    /// Its key.
    pub hotkey: Hotkey,
    /// The key's owner.
    pub coldkey: Coldkey,
    /// The block at which it took the slot.
    pub registered_at: BlockNumber,
    /// The alpha staked with it on this subnet, all nominators together.
    pub alpha_stake: AlphaRao,
    /// The TAO staked with it on root.
    pub tao_stake: Rao,
    /// Stake weight, as a share of the subnet's, of 65535.
    pub stake_weight: u16,
    /// Whether it may set weights for others.
    pub validator_permit: bool,
    /// Whether it set weights lately.
    pub active: bool,
    /// The block of its last weights or commitment to weights, per mechanism.
    pub last_update: Vec<BlockNumber>,
    /// Where it serves.
    pub axon: Option<Axon>,
    /// Alpha earned in the last epoch.
    pub emission: AlphaRao,
    /// Share of the miners' reward, of 65535, per mechanism.
    pub incentive: Vec<u16>,
    /// Share of the validators' reward, of 65535.
    pub dividends: u16,
    /// Stake-weighted median of the weights towards it, of 65535.
    pub consensus: u16,
    /// How much of its weights stood within consensus, of 65535.
    pub validator_trust: u16,
}

/// What a hotkey committed, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// The block that included it.
    pub block: BlockNumber,
    /// Its fields.
    pub fields: Vec<CommitmentField>,
}

/// A subnet at one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its number.
    pub netuid: NetUid,
    /// The block it was read at.
    pub head: Head,
    /// The coldkey that owns it.
    pub owner: Coldkey,
    /// The owner's hotkey.
    pub owner_hotkey: Hotkey,
    /// Its settings.
    pub hyperparameters: Hyperparameters,
    /// When its epochs run.
    pub schedule: EpochSchedule,
    /// What a registration costs now.
    pub burn: Rao,
    /// How many mechanisms it has, at least 1.
    pub mechanism_count: u8,
    /// Its neurons; a neuron's uid is its index.
    pub neurons: Vec<Neuron>,
    /// Standing commitments of its registered hotkeys.
    pub commitments: BTreeMap<Hotkey, Commitment>,
}

impl Subnet {
    /// The neuron that holds `hotkey`.
    #[must_use]
    pub fn neuron(&self, hotkey: &Hotkey) -> Option<&Neuron> {
        self.neurons.iter().find(|neuron| neuron.hotkey == *hotkey)
    }
}
