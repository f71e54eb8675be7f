//! When a subnet's epochs run: the chain keeps a counter, there is no formula of the block number.

use parity_scale_codec::{Decode, Encode};
use primitives::BlockNumber;
use serde::{Deserialize, Serialize};

/// An epoch runs after this many blocks without a step even if it was put off. Source: `MAX_TEMPO` in
/// `coinbase/run_coinbase.rs`.
const MAX_BLOCKS_WITHOUT_STEP: u64 = 50_400;
/// Epochs from a commitment to its reveal, at most: what a search for the reveal is bounded by. Source:
/// `MAX_COMMIT_REVEAL_PEROIDS`.
const MAX_REVEAL_PERIOD_EPOCHS: u64 = 100;

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

    /// The schedule after `block`, where this is the one before it and no epoch is put off for want of room.
    /// Source: `run_coinbase`, `drain_pending`.
    #[must_use]
    pub fn after(&self, block: BlockNumber) -> Self {
        let counted = Self { blocks_since_last_step: self.blocks_since_last_step.saturating_add(1), ..*self };
        if !counted.is_due(block) {
            return counted;
        }
        Self {
            last_epoch_block: block,
            pending_epoch_at: 0,
            epoch_index: counted.epoch_index.saturating_add(1),
            blocks_since_last_step: 0,
            ..counted
        }
    }

    /// The first block in which the chain reveals what is committed in the block after `head`, as far as is known after
    /// `head`. The chain reveals before it runs a block's epochs and carries out commitments after them: the reveal
    /// looks at [`EpochSchedule::epoch_at`] of the state before the block. None where tempo is 0 or the reveal period
    /// is not one that the chain allows. Source: `reveal_crv3_commits`.
    #[must_use]
    pub fn reveal_block(&self, head: BlockNumber) -> Option<BlockNumber> {
        if self.tempo == 0 || self.reveal_period_epochs > MAX_REVEAL_PERIOD_EPOCHS {
            return None;
        }
        let committed = head.checked_add(1)?;
        let mut plan = self.after(committed);
        let reveal_epoch = plan.epoch_at(committed).checked_add(self.reveal_period_epochs)?;
        // No epoch is further from the one before than MAX_BLOCKS_WITHOUT_STEP, so that this ends.
        for block in committed.checked_add(1)?..=BlockNumber::MAX {
            if plan.epoch_at(block) >= reveal_epoch {
                return Some(block);
            }
            plan = plan.after(block);
        }
        None
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

    /// The cases of `bittensor-drand`'s own table (`epoch_schedule_vectors.rs`), and some more.
    #[test]
    fn reveals_come_with_the_first_block_of_their_epoch() {
        let plan = |last_epoch_block, pending_epoch_at, tempo, reveal_period_epochs| EpochSchedule {
            tempo,
            last_epoch_block,
            pending_epoch_at,
            reveal_period_epochs,
            ..EpochSchedule::default()
        };
        for (plan, head, reveal) in [
            (plan(10, 0, 0, 1), 10, None),
            (plan(10, 0, 50, 1), 10, Some(60)),
            (plan(80, 95, 20, 1), 91, Some(95)),
            (plan(100, 0, 50, 1), 120, Some(150)),
            // The epoch runs in the very block of the commitment, which then belongs to the next one.
            (plan(100, 0, 50, 1), 149, Some(200)),
            (plan(100, 0, 50, 1), 148, Some(150)),
            (plan(100, 0, 50, 3), 120, Some(250)),
            // A triggered epoch shifts all later ones.
            (plan(100, 130, 50, 2), 120, Some(180)),
            (plan(100, 0, 50, 100), 120, Some(5_100)),
            (plan(100, 0, 50, 101), 120, None),
            (plan(100, 0, 50, 1), BlockNumber::MAX, None),
        ] {
            assert_eq!(plan.reveal_block(head), reveal, "{plan:?} after {head}");
        }
    }

    /// The last resort counts the block itself when the epoch is run and not when its reveals are looked for.
    #[test]
    fn an_epoch_by_last_resort_is_revealed_a_block_later() {
        let plan = EpochSchedule {
            tempo: 50_400,
            last_epoch_block: 1_000,
            blocks_since_last_step: 50_399,
            reveal_period_epochs: 1,
            ..EpochSchedule::default()
        };
        // Epoch 1 runs in block 1002. A commitment of block 1001 belongs to epoch 0, one of block 1002 to epoch 1.
        assert_eq!(plan.after(1_001).after(1_002).epoch_index, 1);
        assert_eq!(plan.reveal_block(1_000), Some(1_003));
        assert_eq!(plan.after(1_001).reveal_block(1_001), Some(1_002 + 50_400));
    }

    #[test]
    fn after_a_block_its_epoch_has_run() {
        let plan = EpochSchedule { blocks_since_last_step: 8, ..schedule() };
        let next = plan.after(49);
        assert_eq!((next.epoch_index, next.blocks_since_last_step), (4, 9));
        let expected = EpochSchedule { last_epoch_block: 50, epoch_index: 5, ..schedule() };
        assert_eq!(next.after(50), expected);
    }
}
