//! When a round opens, seals and pays, and what it consists of: the same for every neuron.
//!
//! A round is one epoch. With `L` the block of the last epoch and `T` the tempo: it opens with the state after
//! `L`; commitments count up to `L + T/2`; the next block's hash is the audit seed; judgement is given at the
//! latest at `L + 8T/10`; weights must be included before the next epoch runs in `L + T`.

use std::{collections::BTreeMap, sync::Arc};

use chain::{BlockNumber, EpochSchedule, Subnet};
use mechanisms::{ErasedMechanism, ErasedTask, MechanismError, Round, RoundMiner};
use primitives::{Digest, MechId, Seed};

/// The shortest tempo in which a round fits: one block for each of its moments, with room between them.
pub const TEMPO_MIN: u16 = 10;

/// The moments of a round, as block numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The round's number: the epoch in which it runs.
    pub number: u64,
    /// Its state after this block decides who takes part.
    pub opened_at: BlockNumber,
    /// When a miner announces what it has, done or not.
    pub announce_by: BlockNumber,
    /// The last block whose commitments count.
    pub deadline: BlockNumber,
    /// The block whose hash is the audit seed.
    pub audit_at: BlockNumber,
    /// When judgement is given, complete or not.
    pub judge_by: BlockNumber,
    /// The last block that belongs to the epoch.
    pub last: BlockNumber,
}

impl Times {
    /// The moments of the round that runs after the block with this schedule; none where no epoch is in sight or
    /// the tempo is below [`TEMPO_MIN`].
    #[must_use]
    pub fn of(schedule: &EpochSchedule) -> Option<Self> {
        if schedule.tempo < TEMPO_MIN {
            return None;
        }
        let (opened_at, tempo) = (schedule.last_epoch_block, u64::from(schedule.tempo));
        let deadline = opened_at + tempo / 2;
        Some(Self {
            number: schedule.epoch_index,
            opened_at,
            announce_by: opened_at + tempo * 4 / 10,
            deadline,
            audit_at: deadline + 1,
            judge_by: opened_at + tempo * 8 / 10,
            last: opened_at + tempo - 1,
        })
    }
}

/// A round with its tasks.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The round.
    pub round: Round,
    /// Its tasks, in the mechanism's order.
    pub tasks: Vec<ErasedTask>,
    /// The place of each task by its id.
    pub by_id: BTreeMap<Digest, u32>,
}

impl Plan {
    /// Opens the round `times` with the subnet's state after `times.opened_at`.
    ///
    /// # Errors
    /// [`MechanismError::Job`] where a job can't be read.
    pub fn open(
        times: &Times,
        mechid: MechId,
        opened: &Subnet,
        mechanism: &dyn ErasedMechanism,
        jobs: &[Arc<Vec<u8>>],
    ) -> Result<Self, MechanismError> {
        Self::of(
            Round {
                netuid: opened.netuid,
                mechid,
                number: times.number,
                seed: Seed(opened.head.hash),
                opened_at: times.opened_at,
                deadline: times.deadline,
                miners: miners(opened),
                jobs: jobs.to_vec(),
            },
            mechanism,
        )
    }

    /// The plan of a round that has been opened before.
    ///
    /// # Errors
    /// [`MechanismError::Job`] where a job can't be read.
    pub fn of(round: Round, mechanism: &dyn ErasedMechanism) -> Result<Self, MechanismError> {
        let tasks = mechanism.plan(&round)?;
        let numbered = tasks.iter().zip(0u32..);
        let by_id = numbered.map(|(task, at)| (task.id, at)).collect();
        Ok(Self { round, tasks, by_id })
    }
}

/// The neurons that are weighed: all but the owner and the validators. Before the first epoch nobody has a
/// permit; then whoever has stake counts as a validator.
fn miners(subnet: &Subnet) -> Vec<RoundMiner> {
    let permits =
        subnet.neurons.iter().any(|neuron| neuron.validator_permit && neuron.hotkey != subnet.owner_hotkey);
    let is_validator = |neuron: &chain::Neuron| {
        if permits {
            neuron.validator_permit
        } else {
            !neuron.alpha_stake.is_zero() || !neuron.tao_stake.is_zero()
        }
    };
    let weighed =
        subnet.neurons.iter().filter(|neuron| neuron.hotkey != subnet.owner_hotkey && !is_validator(neuron));
    weighed.map(|neuron| RoundMiner { uid: neuron.uid, hotkey: neuron.hotkey }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_of_a_round_are_in_order_at_every_tempo() {
        for tempo in TEMPO_MIN..=400 {
            let schedule =
                EpochSchedule { tempo, last_epoch_block: 100, epoch_index: 3, ..Default::default() };
            let times = Times::of(&schedule).unwrap();
            assert!(times.opened_at < times.announce_by && times.announce_by < times.deadline, "{tempo}");
            assert!(times.audit_at < times.judge_by && times.judge_by < times.last, "{tempo}");
        }
        assert_eq!(Times::of(&EpochSchedule { tempo: TEMPO_MIN - 1, ..Default::default() }), None);
    }
}
