//! Null consensus, which spec 475 has beside Yuma: the one with the most stake weighs alone, and its weights are paid as
//! they are.
//!
//! Half of an epoch's alpha goes to miners in proportion to that row, without a normalisation or clipping; half goes to
//! all who stake in proportion to stake. Bonds stand still. Not known, and so not here: commitments longer than Yuma's,
//! the queue that they wait in, the event of a switch, and slots taken away in batches.

use chain::{EpochConsensus, ModuleError, storage_index};
use primitives::{Hotkey, MechId, NetUid};
use yuma::{EpochInput, EpochOutput, mechanisms::MAX_MECHANISMS};

use crate::{
    hyperparameters::{MAX_UIDS, number},
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{EPOCH_CONSENSUS, KEYS, PERMIT, SAVED_VALIDATORS, TIMELOCKED_COMMITS},
};

/// Slots of a subnet of null consensus, those of all its mechanisms together. Source: `NULL_UID_BUDGET` in
/// `subnets/mechanism.rs`.
const UID_BUDGET: u16 = 2500;
/// Validators of a subnet of null consensus.
const VALIDATORS: u16 = 1;
/// Epochs in a block with one by null consensus. Source: `epoch_cap_for_block` in `coinbase/run_coinbase.rs`.
const EPOCHS_PER_BLOCK: usize = 1;

impl Ledger {
    pub(crate) fn is_null(&self, netuid: NetUid) -> bool {
        self.read(&EPOCH_CONSENSUS, &netuid) == EpochConsensus::Null
    }

    /// Most slots of a subnet, those of all its mechanisms together.
    pub(crate) fn uid_budget(&self, netuid: NetUid) -> u16 {
        if self.is_null(netuid) { UID_BUDGET } else { MAX_UIDS }
    }

    /// On a subnet of null consensus only the holder of the permit weighs. One without a slot is left to the call.
    pub(crate) fn ensure_null_permit(&self, netuid: NetUid, hotkey: Hotkey) -> Dispatch {
        let Some(uid) = self.uid_of(netuid, hotkey).filter(|_| self.is_null(netuid)) else { return Ok(()) };
        let permitted = self.read(&PERMIT, &netuid).get(uid.index()).copied().unwrap_or(false);
        if permitted { Ok(()) } else { Err(ModuleError::NeuronNoValidatorPermit) }
    }

    /// How many epochs the present block may run.
    pub(crate) fn most_epochs(&self, subnets: &[(NetUid, chain::Hyperparameters)]) -> usize {
        let most = usize::from(self.settings.max_epochs_per_block);
        let is_due = |netuid, settings| self.schedule(netuid, settings).is_due(self.block);
        let null_is_due =
            subnets.iter().any(|(netuid, settings)| self.is_null(*netuid) && is_due(*netuid, settings));
        if null_is_due { most.min(EPOCHS_PER_BLOCK) } else { most }
    }

    /// Source: `sudo_set_epoch_consensus`. That a switch asks for commitments to have opened and for slots within the
    /// new budget is known, the names of these refusals are not: they are given root's.
    pub(crate) fn set_epoch_consensus(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        mode: EpochConsensus,
    ) -> Dispatch {
        let owner = self.ensure_owner_or_root(origin, netuid)?;
        let mut settings = self.hyperparameters(netuid);
        if owner.is_some() {
            let tempos = u64::from(self.settings.owner_rate_limit_tempos);
            self.ensure_rate_limit(netuid, number::CONSENSUS, tempos * u64::from(settings.tempo))?;
        }
        self.ensure_subnet(netuid)?;
        self.ensure_window_open(netuid)?;
        if netuid == NetUid::ROOT {
            return Err(ModuleError::InvalidValue);
        }
        if self.read(&EPOCH_CONSENSUS, &netuid) != mode {
            let budget = match mode {
                EpochConsensus::Yuma => MAX_UIDS,
                EpochConsensus::Null => UID_BUDGET,
            };
            let slots = u32::from(settings.max_allowed_uids) * u32::from(settings.mechanism_count);
            if slots > u32::from(budget) || self.has_timelocked_commits(netuid) {
                return Err(ModuleError::InvalidValue);
            }
            self.put_or_remove(&EPOCH_CONSENSUS, &netuid, &mode);
            match mode {
                EpochConsensus::Null => {
                    self.put(&SAVED_VALIDATORS, &netuid, &settings.max_allowed_validators);
                    settings.max_allowed_validators = VALIDATORS;
                    self.permit_largest(netuid);
                }
                EpochConsensus::Yuma => {
                    let saved = self.get(&SAVED_VALIDATORS, &netuid);
                    settings.max_allowed_validators = saved.unwrap_or(settings.max_allowed_validators);
                    self.remove(&SAVED_VALIDATORS, &netuid);
                }
            }
            self.put_hyperparameters(netuid, &settings);
        }
        if owner.is_some() {
            self.note_owner_change(netuid, number::CONSENSUS);
        }
        Ok(())
    }

    fn has_timelocked_commits(&self, netuid: NetUid) -> bool {
        (0..MAX_MECHANISMS).filter_map(|mechanism| u8::try_from(mechanism).ok()).any(|mechanism| {
            let index = storage_index(netuid, MechId(mechanism));
            self.store.scan(&TIMELOCKED_COMMITS, &index).next().is_some()
        })
    }

    /// Gives the permit to the one with the most stake, at once.
    fn permit_largest(&mut self, netuid: NetUid) {
        let stake: Vec<u64> = (0..self.neurons(netuid))
            .map(|uid| {
                let hotkey = self.read(&KEYS, &(netuid, primitives::Uid(uid)));
                self.stake_weight_of(hotkey, netuid)
            })
            .collect();
        let mut permits = vec![false; stake.len()];
        if let Some(permit) = largest(&stake).and_then(|uid| permits.get_mut(uid)) {
            *permit = true;
        }
        self.put(&PERMIT, &netuid, &permits);
    }
}

/// The one with the most stake, of equals the first.
fn largest(stake: &[u64]) -> Option<usize> {
    (0..stake.len()).rev().max_by_key(|uid| stake[*uid])
}

/// One mechanism's epoch. Of the input it reads the winner's weights, stake, and who updated when; weights towards a
/// slot that was taken since don't count.
pub(crate) fn epoch(input: &EpochInput) -> EpochOutput {
    let n = usize::from(input.n);
    let mut shares = vec![0u64; n];
    let winner = largest(&input.stake);
    if let Some(winner) = winner {
        let updated = input.last_update.get(winner).copied().unwrap_or(0);
        for (to, weight) in input.weights.get(winner).into_iter().flatten() {
            let to = usize::from(*to);
            let stale = input.block_at_registration.get(to).is_none_or(|at| updated <= *at);
            if let Some(share) = shares.get_mut(to).filter(|_| !stale) {
                *share = (*weight).into();
            }
        }
    }
    // Without weights all earn the same.
    if shares.iter().all(|share| *share == 0) {
        shares.fill(1);
    }
    let staked = input.stake.iter().any(|stake| *stake > 0);
    let for_validators = if staked { input.rao_emission / 2 } else { 0 };
    let server_emission = apportion(&shares, input.rao_emission - for_validators);
    let validator_emission = apportion(&input.stake, for_validators);
    let sums = server_emission.iter().zip(&validator_emission);
    let is_active = |block: &u64| block.saturating_add(input.activity_cutoff_blocks) >= input.current_block;
    EpochOutput {
        active: input.last_update.iter().map(is_active).collect(),
        stake_weight: as_u16(&input.stake),
        new_validator_permit: (0..n).map(|uid| Some(uid) == winner).collect(),
        consensus: vec![0; n],
        validator_trust: vec![0; n],
        incentive: as_u16(&shares),
        dividends: as_u16(&input.stake),
        emission: sums.map(|(server, validator)| server.saturating_add(*validator)).collect(),
        server_emission,
        validator_emission,
        bonds: Vec::new(),
        bits_consensus: Vec::new(),
        bits_incentive: Vec::new(),
        bits_dividends: Vec::new(),
        bits_ema_bonds_sum: 0,
    }
}

fn total(shares: &[u64]) -> u128 {
    shares.iter().map(|share| u128::from(*share)).sum()
}

/// Each share of 65535 of all, rounded down.
fn as_u16(shares: &[u64]) -> Vec<u16> {
    let all = total(shares).max(1);
    let scaled = |share: &u64| u128::from(*share) * u128::from(u16::MAX) / all;
    shares.iter().map(|share| u16::try_from(scaled(share)).unwrap_or(u16::MAX)).collect()
}

/// Parts a budget to the last unit: each gets its part rounded down, and what is left goes to the largest remainders, of
/// equals to the first. Nobody's share of nothing is anything. Source: the tests of `apportion_units`; which of the
/// remainders are rounded up there is not known.
fn apportion(shares: &[u64], budget: u64) -> Vec<u64> {
    let all = total(shares);
    if all == 0 {
        return vec![0; shares.len()];
    }
    // Shares are u64 and the budget too: the product fits.
    let product = |share: u64| u128::from(share) * u128::from(budget);
    let mut parts: Vec<u64> =
        shares.iter().map(|share| u64::try_from(product(*share) / all).unwrap_or(u64::MAX)).collect();
    let left = u128::from(budget).saturating_sub(total(&parts));
    let mut order: Vec<usize> = (0..shares.len()).filter(|at| shares[*at] > 0).collect();
    order.sort_by_key(|at| std::cmp::Reverse(product(shares[*at]) % all));
    for at in order.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        parts[at] = parts[at].saturating_add(1);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_parted_to_the_last_unit() {
        for budget in [0, 1, 7, 16_001, 1_000_003, u64::MAX] {
            let mut shares = vec![65_535u64; 2000];
            (shares[0], shares[100]) = (1, 0);
            let parts = apportion(&shares, budget);
            assert_eq!(total(&parts), u128::from(budget));
            assert_eq!(parts[100], 0);
            for (share, part) in shares.iter().zip(&parts) {
                let floor = u128::from(budget) * u128::from(*share) / total(&shares);
                assert!([floor, floor + 1].contains(&u128::from(*part)));
            }
        }
        assert_eq!(apportion(&[0, 0], 5), [0, 0]);
    }

    #[test]
    fn the_first_of_equals_is_the_largest() {
        assert_eq!(largest(&[1, 3, 3, 2]), Some(1));
        assert_eq!(largest(&[0, 0]), Some(0));
        assert_eq!(largest(&[]), None);
    }
}
