//! When a subnet's epochs run: the chain keeps a counter, there is no formula of the block number.

use parity_scale_codec::{Decode, Encode};
use primitives::BlockNumber;
use serde::{Deserialize, Serialize};

/// An epoch runs after this many blocks without a step even if it was put off. Source: `MAX_TEMPO` in
/// `coinbase/run_coinbase.rs`.
const MAX_BLOCKS_WITHOUT_STEP: u64 = 50_400;

/// The state from which a subnet's next epochs follow, all read at one block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EpochSchedule {
    /// Blocks from one epoch to the next; 0 stops them.
    pub tempo: u16,
    /// The block of the last epoch.
    pub last_epoch_block: BlockNumber,
    /// The block at which a deferred or triggered epoch is due; 0 for none.
    pub pending_epoch_at: BlockNumber,
    /// Epochs run so far.
    pub epoch_index: u64,
    /// Blocks since the last epoch's step.
    pub blocks_since_last_step: u64,
    /// Epochs from a commitment to its reveal.
    pub reveal_period_epochs: u64,
}

impl EpochSchedule {
    /// Whether the epoch runs in `block`. Source: `should_run_epoch`.
    #[must_use]
    pub fn is_due(&self, block: BlockNumber) -> bool {
        self.tempo != 0
            && ((self.pending_epoch_at > 0 && block >= self.pending_epoch_at)
                || self.blocks_since_last_step > MAX_BLOCKS_WITHOUT_STEP
                || block.saturating_sub(self.last_epoch_block) >= u64::from(self.tempo))
    }

    /// The epoch that an extrinsic in `block` belongs to. Source: `current_epoch_with_lookahead`.
    #[must_use]
    pub fn epoch_at(&self, block: BlockNumber) -> u64 {
        self.epoch_index.saturating_add(u64::from(self.is_due(block)))
    }

    /// The next block from `from` on in which an epoch runs, as far as is known now; none where tempo is 0.
    #[must_use]
    pub fn next_epoch_block(&self, from: BlockNumber) -> Option<BlockNumber> {
        if self.tempo == 0 {
            return None;
        }
        let by_tempo = self.last_epoch_block.saturating_add(u64::from(self.tempo));
        let due = if self.pending_epoch_at > 0 { by_tempo.min(self.pending_epoch_at) } else { by_tempo };
        Some(due.max(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> EpochSchedule {
        EpochSchedule { tempo: 10, last_epoch_block: 40, epoch_index: 4, ..EpochSchedule::default() }
    }

    #[test]
    fn an_epoch_runs_every_tempo_blocks() {
        let plan = schedule();
        assert_eq!((plan.is_due(49), plan.is_due(50)), (false, true));
        assert_eq!((plan.epoch_at(49), plan.epoch_at(50)), (4, 5));
        assert_eq!(plan.next_epoch_block(41), Some(50));
        assert_eq!(plan.next_epoch_block(60), Some(60));
    }

    #[test]
    fn pending_and_stopped_epochs() {
        assert!(EpochSchedule { pending_epoch_at: 45, ..schedule() }.is_due(45));
        assert_eq!(EpochSchedule { pending_epoch_at: 45, ..schedule() }.next_epoch_block(41), Some(45));
        assert!(!EpochSchedule { tempo: 0, ..schedule() }.is_due(1_000_000));
        assert!(EpochSchedule { blocks_since_last_step: 50_401, ..schedule() }.is_due(41));
    }
}
