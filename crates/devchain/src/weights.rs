//! Weights in the clear: who may set them, which vectors are accepted, how they are stored.

use std::collections::BTreeSet;

use chain::{Hyperparameters, ModuleError, WeightVector, storage_index};
use primitives::{Hotkey, MechId, NetUid, Uid};

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{INCENTIVE, LAST_UPDATE, PERMIT, WEIGHTS},
};

impl Ledger {
    /// The subnet exists and has the mechanism.
    pub(crate) fn ensure_mechanism(&self, netuid: NetUid, mechid: MechId) -> Dispatch {
        let count = self.hyperparameters(netuid).mechanism_count;
        let exists = self.subnet_exists(netuid) && mechid.0 < count;
        if exists { Ok(()) } else { Err(ModuleError::MechanismDoesNotExist) }
    }

    /// Gives a mechanism's vectors one entry per neuron that the subnet has already.
    pub(crate) fn start_mechanism(&mut self, index: u16, neurons: u16) {
        self.put(&INCENTIVE, &index, &vec![0; usize::from(neurons)]);
        self.put(&LAST_UPDATE, &index, &vec![0; usize::from(neurons)]);
    }

    /// Removes everything of a mechanism.
    pub(crate) fn end_mechanism(&mut self, index: u16, neurons: u16) {
        self.remove(&INCENTIVE, &index);
        self.remove(&LAST_UPDATE, &index);
        for uid in (0..neurons).map(Uid) {
            self.remove(&WEIGHTS, &(index, uid));
            self.remove(&crate::storage::items::BONDS, &(index, uid));
        }
        self.drop_timelocked(index);
        let commits: Vec<_> =
            self.store.scan(&crate::storage::items::WEIGHT_COMMITS, &index).map(|(key, _)| key).collect();
        for key in commits {
            self.remove(&crate::storage::items::WEIGHT_COMMITS, &key);
        }
    }

    /// Whether the hotkey weighs enough to set weights; the subnet owner's always does.
    /// Source: `check_weights_min_stake`.
    pub(crate) fn has_weights_stake(&self, hotkey: Hotkey, netuid: NetUid) -> bool {
        let threshold = self.settings.stake_threshold;
        threshold == 0
            || self.owner_hotkey(netuid) == Some(hotkey)
            || self.stake_weight_of(hotkey, netuid) >= threshold
    }

    /// Whether enough blocks have passed since the neuron's last weights or commitment on this mechanism.
    /// Source: `check_rate_limit` in `subnets/weights.rs`.
    pub(crate) fn passes_weights_rate_limit(&self, netuid: NetUid, mechid: MechId, uid: Uid) -> bool {
        if self.ensure_mechanism(netuid, mechid).is_err() {
            return false;
        }
        let last = self.last_update(netuid, mechid, uid);
        last == 0 || self.block.saturating_sub(last) >= self.hyperparameters(netuid).weights_set_rate_limit
    }

    fn last_update(&self, netuid: NetUid, mechid: MechId, uid: Uid) -> u64 {
        let all = self.read(&LAST_UPDATE, &storage_index(netuid, mechid));
        all.get(uid.index()).copied().unwrap_or(0)
    }

    pub(crate) fn set_last_update(&mut self, netuid: NetUid, mechid: MechId, uid: Uid) {
        let block = self.block;
        self.set_entry(&LAST_UPDATE, storage_index(netuid, mechid), uid, block);
    }

    /// The call that sets weights directly: refused while they must be committed, before all else.
    pub(crate) fn set_weights(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        mechid: MechId,
        weights: &WeightVector,
        version_key: u64,
    ) -> Dispatch {
        let hotkey = Hotkey(origin.signed()?);
        if self.hyperparameters(netuid).commit_reveal_weights_enabled {
            return Err(ModuleError::CommitRevealEnabled);
        }
        self.store_weights(hotkey, netuid, mechid, weights, version_key)
    }

    /// Sets weights on several subnets; each by itself. Source: `do_batch_set_weights`.
    pub(crate) fn batch_set_weights(
        &mut self,
        origin: Origin,
        netuids: &[NetUid],
        weights: &[Vec<(u16, u16)>],
        version_keys: &[u64],
    ) -> Dispatch {
        let hotkey = Hotkey(origin.signed()?);
        if netuids.len() != weights.len() || netuids.len() != version_keys.len() {
            return Err(ModuleError::InputLengthsUnequal);
        }
        let items = netuids.iter().zip(weights).zip(version_keys);
        self.weights_batch(hotkey, netuids, items, |ledger, ((netuid, row), version_key)| {
            let (uids, values) = row.iter().map(|(uid, weight)| (Uid(*uid), *weight)).unzip();
            let weights = WeightVector { uids, values };
            ledger.set_weights(origin, *netuid, MechId::MAIN, &weights, *version_key)
        });
        Ok(())
    }

    /// Carries out each item of a batch by itself, and tells what failed.
    pub(crate) fn weights_batch<T>(
        &mut self,
        hotkey: Hotkey,
        netuids: &[NetUid],
        items: impl Iterator<Item = T>,
        mut carry_out: impl FnMut(&mut Self, T) -> Dispatch,
    ) {
        let mut all_went_well = true;
        for (item, netuid) in items.zip(netuids) {
            let mark = self.mark();
            if let Err(error) = carry_out(self, item) {
                self.roll_back(mark);
                all_went_well = false;
                self.emit(Event::BatchWeightItemFailed { netuid: *netuid, error });
            }
        }
        self.emit(if all_went_well {
            Event::BatchWeightsCompleted { netuids: netuids.to_vec(), hotkey }
        } else {
            Event::BatchWeightsCompletedWithErrors
        });
    }

    /// Checks a vector and stores it. Source: `internal_set_weights` in `subnets/weights.rs`, in its order.
    pub(crate) fn store_weights(
        &mut self,
        hotkey: Hotkey,
        netuid: NetUid,
        mechid: MechId,
        weights: &WeightVector,
        version_key: u64,
    ) -> Dispatch {
        let (uids, values) = (&weights.uids, &weights.values);
        let settings = self.hyperparameters(netuid);
        if netuid == NetUid::ROOT {
            return Err(ModuleError::CanNotSetRootNetworkWeights);
        }
        if uids.len() != values.len() {
            return Err(ModuleError::WeightVecNotEqualSize);
        }
        self.ensure_mechanism(netuid, mechid)?;
        let n = self.neurons(netuid);
        if uids.len() > usize::from(n) {
            return Err(ModuleError::UidsLengthExceedUidsInSubNet);
        }
        let uid = self.uid_of(netuid, hotkey).ok_or(ModuleError::HotKeyNotRegisteredInSubNet)?;
        if !self.has_weights_stake(hotkey, netuid) {
            return Err(ModuleError::NotEnoughStakeToSetWeights);
        }
        // A subnet that asks for no version takes all.
        if settings.weights_version_key != 0 && version_key < settings.weights_version_key {
            return Err(ModuleError::IncorrectWeightVersionKey);
        }
        let in_the_clear = !settings.commit_reveal_weights_enabled;
        if in_the_clear && !self.passes_weights_rate_limit(netuid, mechid, uid) {
            return Err(ModuleError::SettingWeightsTooFast);
        }
        let own = uids.as_slice() == [uid];
        self.ensure_null_permit(netuid, hotkey)?;
        let is_owner = self.owner_hotkey(netuid) == Some(hotkey);
        let permitted = || self.read(&PERMIT, &netuid).get(uid.index()).copied().unwrap_or(false);
        if !own && !is_owner && !permitted() {
            return Err(ModuleError::NeuronNoValidatorPermit);
        }
        if uids.iter().collect::<BTreeSet<_>>().len() != uids.len() {
            return Err(ModuleError::DuplicateUids);
        }
        if uids.iter().any(|to| to.0 >= n) {
            return Err(ModuleError::UidVecContainInvalidOne);
        }
        if !own && uids.len() < usize::from(settings.min_allowed_weights.min(n)) {
            return Err(ModuleError::WeightVecLengthIsLow);
        }
        // Null consensus pays by the weights as they were sent.
        let upscaled = if self.is_null(netuid) { values.clone() } else { max_upscale(values) };
        if !own && exceeds_limit(&upscaled, &settings) {
            return Err(ModuleError::MaxWeightExceeded);
        }
        let row: Vec<(u16, u16)> = uids.iter().map(|to| to.0).zip(upscaled).collect();
        self.put(&WEIGHTS, &(storage_index(netuid, mechid), uid), &row);
        if in_the_clear {
            self.set_last_update(netuid, mechid, uid);
        }
        self.emit(Event::WeightsSet { netuid, mechid, uid });
        Ok(())
    }
}

/// Scales weights so that the largest becomes 65535, each rounded to nearest; all zero stays.
/// Source: `vec_u16_max_upscale_to_u16` in `epoch/math.rs`.
fn max_upscale(values: &[u16]) -> Vec<u16> {
    let max = u32::from(values.iter().copied().max().unwrap_or(0));
    if max == 0 {
        return values.to_vec();
    }
    let scaled = |value: &u16| (u32::from(*value) * u32::from(u16::MAX) + max / 2) / max;
    values
        .iter()
        .map(|value| u16::try_from(scaled(value)).expect("at most 65535 of its own maximum"))
        .collect()
}

/// Whether the largest weight's share of the sum is above the subnet's limit.
/// Source: `max_weight_limited`, `check_vec_max_limited`.
fn exceeds_limit(values: &[u16], settings: &Hyperparameters) -> bool {
    let limit = u64::from(settings.max_weights_limit);
    let max = u64::from(values.iter().copied().max().unwrap_or(0));
    let sum: u64 = values.iter().map(|value| u64::from(*value)).sum();
    limit != u64::from(u16::MAX) && max * u64::from(u16::MAX) > limit * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_scaled_to_their_maximum_with_rounding() {
        let check = |values: &[u16], expect: &[u16]| assert_eq!(max_upscale(values), expect, "{values:?}");
        check(&[10, 20, 70], &[9362, 18_724, 65_535]);
        check(&[0, 30, 70], &[0, 28_086, 65_535]);
        check(&[0, 0], &[0, 0]);
        check(&[1], &[65_535]);
        check(&[65_535, 32_768], &[65_535, 32_768]);
    }
}
