//! Who may change which setting of a subnet, to what, and when.

use std::ops::RangeInclusive;

use chain::{Hyperparameter, Hyperparameters, ModuleError, storage_index};
use primitives::{AccountId, MechId, NetUid};

use crate::{
    Event,
    ledger::{Dispatch, Ledger},
    storage::items::{MECHANISM_SPLIT, OWNER_CHANGED_AT},
};

/// Tempos that an owner may choose; sudo may choose any. Source: `coinbase/tempo_control.rs`.
const OWNER_TEMPO: RangeInclusive<u16> = 360..=50_400;
/// Epochs from commitment to reveal. Source: `MIN_COMMIT_REVEAL_PEROIDS`, `MAX_COMMIT_REVEAL_PEROIDS`.
const REVEAL_PERIOD: RangeInclusive<u64> = 1..=100;
/// Blocks in which a price may halve. Source: `MaxBurnHalfLife`.
const BURN_HALF_LIFE: RangeInclusive<u16> = 1..=36_100;
/// Hotkeys that an owner may have kept. Source: `MinImmuneOwnerUidsLimit`, `MaxImmuneOwnerUidsLimit`.
const OWNER_IMMUNE_NEURONS: RangeInclusive<u16> = 1..=10;
/// Most slots of a subnet. Source: `DefaultMaxAllowedUids`.
const MAX_UIDS: u16 = 256;
/// One as a `U64F64` number.
const U64F64_ONE: u128 = 1 << 64;
/// The whole of which a moving average's weight is a part.
const MOVING_AVERAGE_ONE: u64 = 1_000_000;
/// The number under which a change of the mechanisms' split counts for the owner's rate limit; hyperparameters
/// count under their index, which is lower.
const SPLIT_NUMBER: u16 = u16::MAX;

/// Settings that only sudo may change. Source: `ensure_root` in `pallets/admin-utils`.
fn is_sudo_only(value: &Hyperparameter) -> bool {
    use Hyperparameter as H;
    matches!(
        value,
        H::Kappa(_)
            | H::MaxAllowedValidators(_)
            | H::MaxWeightsLimit(_)
            | H::WeightsSetRateLimit(_)
            | H::NetworkRegistrationAllowed(_)
            | H::MinNonImmuneUids(_)
    )
}

/// The number of a hyperparameter: the index of its SCALE encoding.
fn number(value: &Hyperparameter) -> u16 {
    use parity_scale_codec::Encode;
    value.using_encoded(|bytes| bytes.first().copied().map_or(SPLIT_NUMBER, u16::from))
}

impl Ledger {
    /// The owner of the subnet or sudo, the owner not too often; returns whether it is sudo.
    /// Source: `ensure_sn_owner_or_root_with_limits`.
    fn ensure_owner_or_sudo(
        &self,
        origin: AccountId,
        netuid: NetUid,
        number: u16,
    ) -> Result<bool, ModuleError> {
        if self.is_sudo(origin) {
            return Ok(true);
        }
        if !self.is_subnet_owner(origin, netuid) {
            return Err(ModuleError::BadOrigin);
        }
        let tempo = u64::from(self.hyperparameters(netuid).tempo);
        let limit = tempo.saturating_mul(u64::from(self.settings.owner_rate_limit_tempos));
        match self.get(&OWNER_CHANGED_AT, &(netuid, number)) {
            Some(at) if self.block.saturating_sub(at) < limit => Err(ModuleError::TxRateLimitExceeded),
            _ => Ok(false),
        }
    }

    /// Settings stand still in the last blocks before an epoch. Source: `ensure_admin_window_open`.
    fn ensure_not_frozen(&self, netuid: NetUid, settings: &Hyperparameters) -> Dispatch {
        let window = u64::from(self.settings.admin_freeze_window);
        let next = self.schedule(netuid, settings).next_epoch_block(self.block);
        let frozen = next.is_some_and(|next| next - self.block < window);
        if frozen { Err(ModuleError::AdminActionProhibitedDuringWeightsWindow) } else { Ok(()) }
    }

    fn note_owner_change(&mut self, netuid: NetUid, number: u16, by_sudo: bool) {
        if !by_sudo {
            let block = self.block;
            self.put(&OWNER_CHANGED_AT, &(netuid, number), &block);
        }
    }

    /// Source: the setters of `pallets/admin-utils`.
    pub(crate) fn set_hyperparameter(
        &mut self,
        origin: AccountId,
        netuid: NetUid,
        value: Hyperparameter,
    ) -> Dispatch {
        if is_sudo_only(&value) {
            self.ensure_sudo(origin)?;
        }
        let by_sudo = self.ensure_owner_or_sudo(origin, netuid, number(&value))?;
        self.ensure_subnet(netuid)?;
        let old = self.hyperparameters(netuid);
        self.ensure_not_frozen(netuid, &old)?;
        if !self.is_in_bounds(netuid, &old, value, by_sudo) {
            return Err(ModuleError::ValueNotInBounds);
        }
        let mut new = old;
        new.set(value);
        self.put_hyperparameters(netuid, &new);
        match value {
            Hyperparameter::Tempo(_) => self.restart_schedule(netuid),
            Hyperparameter::MechanismCount(_) => {
                self.change_mechanisms(netuid, old.mechanism_count, new.mechanism_count);
            }
            _ => {}
        }
        self.note_owner_change(netuid, number(&value), by_sudo);
        self.emit(Event::HyperparameterSet { netuid, value });
        Ok(())
    }

    fn is_in_bounds(
        &self,
        netuid: NetUid,
        old: &Hyperparameters,
        value: Hyperparameter,
        by_sudo: bool,
    ) -> bool {
        use Hyperparameter as H;
        match value {
            H::Tempo(tempo) => by_sudo || OWNER_TEMPO.contains(&tempo),
            H::MaxAllowedUids(uids) => uids <= MAX_UIDS && uids >= self.neurons(netuid),
            H::MaxAllowedValidators(validators) => validators <= old.max_allowed_uids,
            H::RevealPeriodEpochs(epochs) => REVEAL_PERIOD.contains(&epochs),
            H::MinBurn(least) => least <= old.max_burn,
            H::MaxBurn(most) => most >= old.min_burn,
            H::BurnHalfLife(blocks) => BURN_HALF_LIFE.contains(&blocks),
            H::BurnIncreaseMult(bits) => bits >= U64F64_ONE,
            H::BondsMovingAverage(average) => average <= MOVING_AVERAGE_ONE,
            H::AlphaValues((low, high)) => low > 0 && low <= high,
            H::MechanismCount(count) => (1..=self.settings.max_mechanisms).contains(&count),
            H::OwnerImmuneNeuronLimit(limit) => OWNER_IMMUNE_NEURONS.contains(&limit),
            _ => true,
        }
    }

    /// Starts added mechanisms and removes what belonged to those that went; the split is even again.
    fn change_mechanisms(&mut self, netuid: NetUid, old: u8, new: u8) {
        let neurons = self.neurons(netuid);
        for mechid in old..new {
            self.start_mechanism(storage_index(netuid, MechId(mechid)), neurons);
        }
        for mechid in new..old {
            self.end_mechanism(storage_index(netuid, MechId(mechid)), neurons);
        }
        if old != new {
            self.remove(&MECHANISM_SPLIT, &netuid);
        }
    }

    /// Source: `do_set_emission_split` in `subnets/mechanism.rs`.
    pub(crate) fn set_mechanism_split(
        &mut self,
        origin: AccountId,
        netuid: NetUid,
        split: Option<&[u16]>,
    ) -> Dispatch {
        let by_sudo = self.ensure_owner_or_sudo(origin, netuid, SPLIT_NUMBER)?;
        self.ensure_subnet(netuid)?;
        let settings = self.hyperparameters(netuid);
        self.ensure_not_frozen(netuid, &settings)?;
        match split {
            None => self.remove(&MECHANISM_SPLIT, &netuid),
            Some(parts) => {
                let sum: u64 = parts.iter().map(|part| u64::from(*part)).sum();
                let count = usize::from(settings.mechanism_count);
                if parts.is_empty() || parts.len() > count || sum != u64::from(u16::MAX) {
                    return Err(ModuleError::InvalidValue);
                }
                self.put(&MECHANISM_SPLIT, &netuid, &parts.to_vec());
            }
        }
        self.note_owner_change(netuid, SPLIT_NUMBER, by_sudo);
        self.emit(Event::MechanismEmissionSplitSet { netuid });
        Ok(())
    }

    /// Source: `do_trigger_epoch` in `coinbase/tempo_control.rs`.
    pub(crate) fn trigger_epoch(&mut self, origin: AccountId, netuid: NetUid) -> Dispatch {
        self.ensure_subnet(netuid)?;
        if !self.is_subnet_owner(origin, netuid) {
            return Err(ModuleError::BadOrigin);
        }
        let settings = self.hyperparameters(netuid);
        if settings.commit_reveal_weights_enabled {
            return Err(ModuleError::DynamicTempoBlockedByCommitReveal);
        }
        if self.schedule(netuid, &settings).pending_epoch_at > 0 {
            return Err(ModuleError::EpochTriggerAlreadyPending);
        }
        let at = self.block.saturating_add(u64::from(self.settings.admin_freeze_window));
        self.put(&crate::storage::items::PENDING_EPOCH_AT, &netuid, &at);
        self.emit(Event::EpochTriggered { netuid, at });
        Ok(())
    }
}
