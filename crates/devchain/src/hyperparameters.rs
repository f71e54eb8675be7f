//! Who may change which setting of a subnet, to what, and when.

use std::ops::RangeInclusive;

use chain::{
    ChainParameter, EpochSchedule, Hyperparameter, Hyperparameters, ModuleError, SUBNETS_PER_MECHANISM,
    storage_index,
};
use primitives::{BlockNumber, MechId, NetUid, Rao};
use yuma::mechanisms::MAX_MECHANISMS;

use crate::{
    Event, Settings,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{MECHANISM_SPLIT, OWNER_CHANGED_AT, PENDING_EPOCH_AT, SUBTOKEN_ENABLED},
};

/// Tempos that an owner may choose; sudo may choose any. Source: `MIN_TEMPO`, `MAX_TEMPO`.
const OWNER_TEMPO: RangeInclusive<u16> = 360..=50_400;
/// Blocks between two choices of a tempo by the owner. Source: `TransactionType::TempoUpdate`.
const TEMPO_RATE_LIMIT: BlockNumber = 360;
/// Activity cutoffs in thousandths of the tempo. Source: `MIN_ACTIVITY_CUTOFF_FACTOR_MILLI` and its `MAX_`.
const ACTIVITY_CUTOFF_FACTOR: RangeInclusive<u32> = 1000..=50_000;
/// Epochs from commitment to reveal. Source: `MIN_COMMIT_REVEAL_PEROIDS`, `MAX_COMMIT_REVEAL_PEROIDS`.
const REVEAL_PERIOD: RangeInclusive<u64> = 1..=100;
/// Blocks in which a price may halve. Source: `MaxBurnHalfLife`.
const BURN_HALF_LIFE: RangeInclusive<u16> = 1..=36_100;
/// The least price that a lowest price must stay below. Source: `MinBurnUpperBound` in `runtime/src/lib.rs`.
const MIN_BURN_BELOW: Rao = Rao::from_whole(1);
/// What a highest price must stay above. Source: `MaxBurnLowerBound` in `runtime/src/lib.rs`.
const MAX_BURN_ABOVE: Rao = Rao(100_000_000);
/// Hotkeys that an owner may have kept. Source: `MinImmuneOwnerUidsLimit`, `MaxImmuneOwnerUidsLimit`.
const OWNER_IMMUNE_NEURONS: RangeInclusive<u16> = 1..=10;
/// Most slots of a subnet, those of all its mechanisms together. Source: `DefaultMaxAllowedUids`,
/// `ensure_max_uids_over_all_mechanisms`.
pub(crate) const MAX_UIDS: u16 = 256;
/// Factors on the price at a registration, as `U64F64` bits: 1 to 3. Source: `sudo_set_burn_increase_mult`.
const BURN_INCREASE_MULT: RangeInclusive<u128> = (1 << 64)..=(3 << 64);
/// The largest moving average that an owner may set, in millionths. Source: `MAX_BONDS_MOVING_AVERAGE`.
const OWNER_BONDS_MOVING_AVERAGE: u64 = 975_000;
/// The least bound of liquid alpha: a fortieth of 65535. Source: `do_set_alpha_values`.
const LEAST_ALPHA: u16 = u16::MAX / 40;
/// Claims that the chain may make by itself in a block. Source: `MAX_NUM_ROOT_CLAIMS`.
const MAX_ROOT_CLAIMS: u64 = 50;
/// Numbers under which changes count for the owner's rate limits; hyperparameters count under their index, which is
/// lower.
pub(crate) mod number {
    pub(crate) const SPLIT: u16 = u16::MAX;
    pub(crate) const TEMPO: u16 = u16::MAX - 1;
    pub(crate) const TRIGGER: u16 = u16::MAX - 2;
    pub(crate) const TRIM: u16 = u16::MAX - 3;
    pub(crate) const CONSENSUS: u16 = u16::MAX - 4;
}

/// Who may set a hyperparameter, and what is checked before its value. Source: the setters of `pallets/admin-utils`.
struct Rule {
    /// Root alone, not the owner.
    root_only: bool,
    /// Not shortly before an epoch.
    window: bool,
    /// The error for a subnet that does not exist; none where that isn't checked.
    missing: Option<ModuleError>,
    /// Not on root.
    not_on_root: bool,
}

fn rule(value: &Hyperparameter) -> Rule {
    use Hyperparameter as H;
    let missing = Some(ModuleError::SubnetDoesNotExist);
    let owner = Rule { root_only: false, window: true, missing, not_on_root: false };
    match value {
        H::WeightsSetRateLimit(_) | H::Kappa(_) | H::MaxWeightsLimit(_) => {
            Rule { root_only: true, window: false, ..owner }
        }
        H::NetworkRegistrationAllowed(_) | H::MinNonImmuneUids(_) => {
            Rule { root_only: true, window: false, missing: None, ..owner }
        }
        H::Tempo(_) | H::MaxAllowedValidators(_) | H::MinAllowedUids(_) => Rule { root_only: true, ..owner },
        H::ServingRateLimit(_)
        | H::LiquidAlpha(_)
        | H::AlphaValues(_)
        | H::Yuma3(_)
        | H::BondsReset(_)
        | H::OwnerImmuneNeuronLimit(_)
        | H::RecycleOwnerIncentive(_)
        | H::ActivityCutoffFactorMilli(_) => Rule { missing: None, ..owner },
        H::TransfersEnabled(_) => Rule { missing: Some(ModuleError::SubnetNotExists), ..owner },
        H::MechanismCount(_) => Rule { missing: Some(ModuleError::MechanismDoesNotExist), ..owner },
        H::BurnHalfLife(_) | H::BurnIncreaseMult(_) | H::OwnerCutEnabled(_) => {
            Rule { not_on_root: true, ..owner }
        }
        _ => owner,
    }
}

/// The number of a hyperparameter: the index of its SCALE encoding.
pub(crate) fn number_of(value: &Hyperparameter) -> u16 {
    use parity_scale_codec::Encode;
    value.using_encoded(|bytes| bytes.first().copied().map_or(number::SPLIT, u16::from))
}

fn ensure(holds: bool, error: ModuleError) -> Dispatch {
    if holds { Ok(()) } else { Err(error) }
}

impl Ledger {
    /// Blocks between two changes of a hyperparameter by the owner. Source: `rate_limit_on_subnet` in
    /// `utils/rate_limiting.rs`.
    fn owner_rate_limit(&self, tempo: u16, value: &Hyperparameter) -> BlockNumber {
        let tempos = match value {
            Hyperparameter::MechanismCount(_) => return self.settings.mechanism_rate_limit,
            Hyperparameter::OwnerCutEnabled(_) => 0,
            Hyperparameter::WeightsVersionKey(_) => self.settings.version_key_rate_limit_tempos,
            _ => self.settings.owner_rate_limit_tempos,
        };
        u64::from(tempo).saturating_mul(u64::from(tempos))
    }

    /// The owner waits between two changes of the same. Source: `passes_rate_limit_on_subnet`.
    pub(crate) fn ensure_rate_limit(&self, netuid: NetUid, number: u16, limit: BlockNumber) -> Dispatch {
        match self.get(&OWNER_CHANGED_AT, &(netuid, number)) {
            Some(at) if self.block.saturating_sub(at) < limit => Err(ModuleError::TxRateLimitExceeded),
            _ => Ok(()),
        }
    }

    pub(crate) fn note_owner_change(&mut self, netuid: NetUid, number: u16) {
        let block = self.block;
        self.put(&OWNER_CHANGED_AT, &(netuid, number), &block);
    }

    /// Blocks until the tempo brings the next epoch. Source: `blocks_until_next_auto_epoch`.
    fn blocks_until_epoch(&self, schedule: &EpochSchedule) -> BlockNumber {
        schedule.last_epoch_block.saturating_add(schedule.tempo.into()).saturating_sub(self.block)
    }

    /// Settings stand still in the last blocks before an epoch, and while a triggered one is awaited. Source:
    /// `ensure_admin_window_open`.
    pub(crate) fn ensure_window_open(&self, netuid: NetUid) -> Dispatch {
        let schedule = self.schedule(netuid, &self.hyperparameters(netuid));
        let near = self.blocks_until_epoch(&schedule) < u64::from(self.settings.admin_freeze_window);
        let frozen = schedule.tempo != 0 && (schedule.pending_epoch_at > self.block || near);
        ensure(!frozen, ModuleError::AdminActionProhibitedDuringWeightsWindow)
    }

    /// Source: the setters of `pallets/admin-utils`.
    pub(crate) fn set_hyperparameter(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        value: Hyperparameter,
    ) -> Dispatch {
        if let Hyperparameter::ActivityCutoffFactorMilli(factor) = value {
            return self.set_activity_cutoff_factor(origin, netuid, factor);
        }
        let rule = rule(&value);
        let old = self.hyperparameters(netuid);
        let owner = if rule.root_only {
            origin.ensure_root()?;
            None
        } else {
            self.ensure_owner_or_root(origin, netuid)?
        };
        if owner.is_some() {
            self.ensure_rate_limit(netuid, number_of(&value), self.owner_rate_limit(old.tempo, &value))?;
        }
        if rule.window {
            self.ensure_window_open(netuid)?;
        }
        if let Some(error) = rule.missing {
            ensure(self.subnet_exists(netuid), error)?;
        }
        ensure(!rule.not_on_root || netuid != NetUid::ROOT, ModuleError::NotPermittedOnRootSubnet)?;
        self.check_value(netuid, &old, value, owner.is_some())?;
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
        if owner.is_some() {
            self.note_owner_change(netuid, number_of(&value));
        }
        self.emit(Event::HyperparameterSet { netuid, value });
        Ok(())
    }

    fn check_value(
        &self,
        netuid: NetUid,
        old: &Hyperparameters,
        value: Hyperparameter,
        by_owner: bool,
    ) -> Dispatch {
        use Hyperparameter as H;
        use ModuleError as E;
        let neurons = self.neurons(netuid);
        let budget = self.uid_budget(netuid);
        let fits = |uids: u16, mechanisms: u8| u32::from(uids) * u32::from(mechanisms) <= u32::from(budget);
        match value {
            H::MaxAllowedUids(uids) => {
                ensure(uids >= old.min_allowed_uids, E::MaxAllowedUidsLessThanMinAllowedUids)?;
                ensure(uids >= neurons, E::MaxAllowedUIdsLessThanCurrentUIds)?;
                ensure(uids <= budget, E::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids)?;
                ensure(fits(uids, old.mechanism_count), E::TooManyUIDsPerMechanism)
            }
            H::MinAllowedUids(uids) => {
                ensure(uids < old.max_allowed_uids, E::MinAllowedUidsGreaterThanMaxAllowedUids)?;
                ensure(uids < neurons, E::MinAllowedUidsGreaterThanCurrentUids)
            }
            H::MaxAllowedValidators(validators) => {
                ensure(!self.is_null(netuid) || validators == 1, E::InvalidValue)?;
                ensure(validators <= old.max_allowed_uids, E::MaxValidatorsLargerThanMaxUIds)
            }
            H::RevealPeriodEpochs(epochs) => {
                ensure(epochs <= *REVEAL_PERIOD.end(), E::RevealPeriodTooLarge)?;
                ensure(epochs >= *REVEAL_PERIOD.start(), E::RevealPeriodTooSmall)
            }
            H::MinBurn(least) => ensure(least < MIN_BURN_BELOW && least < old.max_burn, E::ValueNotInBounds),
            H::MaxBurn(most) => ensure(most > MAX_BURN_ABOVE && most > old.min_burn, E::ValueNotInBounds),
            H::BurnHalfLife(blocks) => ensure(BURN_HALF_LIFE.contains(&blocks), E::InvalidValue),
            H::BurnIncreaseMult(bits) => ensure(BURN_INCREASE_MULT.contains(&bits), E::InvalidValue),
            H::BondsMovingAverage(average) => {
                let allowed = !by_owner || average <= OWNER_BONDS_MOVING_AVERAGE;
                ensure(allowed, E::BondsMovingAverageMaxReached)
            }
            H::AlphaSigmoidSteepness(steepness) => {
                ensure(!by_owner || steepness >= 0, E::NegativeSigmoidSteepness)
            }
            H::AlphaValues((low, high)) => {
                ensure(old.liquid_alpha_enabled, E::LiquidAlphaDisabled)?;
                ensure(high >= LEAST_ALPHA, E::AlphaHighTooLow)?;
                ensure((LEAST_ALPHA..=high).contains(&low), E::AlphaLowOutOfRange)
            }
            H::MechanismCount(count) => {
                ensure((1..=self.settings.max_mechanisms).contains(&count), E::InvalidValue)?;
                ensure(fits(old.max_allowed_uids, count), E::TooManyUIDsPerMechanism)
            }
            H::OwnerImmuneNeuronLimit(limit) => {
                ensure(OWNER_IMMUNE_NEURONS.contains(&limit), E::InvalidValue)
            }
            H::MinChildkeyTake(take) => {
                let Settings { min_childkey_take, max_childkey_take, .. } = self.settings;
                ensure((min_childkey_take..=max_childkey_take).contains(&take), E::InvalidValue)
            }
            _ => Ok(()),
        }
    }

    /// Source: `do_set_tempo` in `coinbase/tempo_control.rs`, spec 425.
    pub(crate) fn set_tempo(&mut self, origin: Origin, netuid: NetUid, tempo: u16) -> Dispatch {
        self.ensure_subnet_owner(origin, netuid)?;
        ensure(OWNER_TEMPO.contains(&tempo), ModuleError::TempoOutOfBounds)?;
        self.ensure_window_open(netuid)?;
        self.ensure_rate_limit(netuid, number::TEMPO, TEMPO_RATE_LIMIT)?;
        let mut settings = self.hyperparameters(netuid);
        settings.tempo = tempo;
        self.put_hyperparameters(netuid, &settings);
        self.restart_schedule(netuid);
        self.note_owner_change(netuid, number::TEMPO);
        self.emit(Event::HyperparameterSet { netuid, value: Hyperparameter::Tempo(tempo) });
        Ok(())
    }

    /// Source: `do_set_activity_cutoff_factor` in `coinbase/tempo_control.rs`.
    pub(crate) fn set_activity_cutoff_factor(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        factor_milli: u32,
    ) -> Dispatch {
        let owner = self.ensure_owner_or_root(origin, netuid)?;
        let allowed = ACTIVITY_CUTOFF_FACTOR.contains(&factor_milli);
        ensure(allowed, ModuleError::ActivityCutoffFactorMilliOutOfBounds)?;
        let value = Hyperparameter::ActivityCutoffFactorMilli(factor_milli);
        let mut settings = self.hyperparameters(netuid);
        if owner.is_some() {
            self.ensure_window_open(netuid)?;
            let limit = self.owner_rate_limit(settings.tempo, &value);
            self.ensure_rate_limit(netuid, number_of(&value), limit)?;
        }
        settings.set(value);
        self.put_hyperparameters(netuid, &settings);
        if owner.is_some() {
            self.note_owner_change(netuid, number_of(&value));
        }
        self.emit(Event::HyperparameterSet { netuid, value });
        Ok(())
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

    /// Source: `sudo_set_mechanism_emission_split`, `do_set_emission_split` in `subnets/mechanism.rs`.
    pub(crate) fn set_mechanism_split(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        split: Option<&[u16]>,
    ) -> Dispatch {
        let owner = self.ensure_owner_or_root(origin, netuid)?;
        if owner.is_some() {
            self.ensure_rate_limit(netuid, number::SPLIT, self.settings.mechanism_rate_limit)?;
        }
        self.ensure_window_open(netuid)?;
        ensure(self.subnet_exists(netuid), ModuleError::MechanismDoesNotExist)?;
        match split {
            None => self.remove(&MECHANISM_SPLIT, &netuid),
            Some(parts) => {
                let sum: u64 = parts.iter().map(|part| u64::from(*part)).sum();
                let count = usize::from(self.hyperparameters(netuid).mechanism_count);
                let whole = !parts.is_empty() && parts.len() <= count && sum == u64::from(u16::MAX);
                ensure(whole, ModuleError::InvalidValue)?;
                self.put(&MECHANISM_SPLIT, &netuid, &parts.to_vec());
            }
        }
        if owner.is_some() {
            self.note_owner_change(netuid, number::SPLIT);
        }
        self.emit(Event::MechanismEmissionSplitSet { netuid });
        Ok(())
    }

    /// Source: `do_trigger_epoch` in `coinbase/tempo_control.rs`.
    pub(crate) fn trigger_epoch(&mut self, origin: Origin, netuid: NetUid) -> Dispatch {
        let by = self.ensure_subnet_owner(origin, netuid)?;
        let settings = self.hyperparameters(netuid);
        let open = !settings.commit_reveal_weights_enabled;
        ensure(open, ModuleError::DynamicTempoBlockedByCommitReveal)?;
        let schedule = self.schedule(netuid, &settings);
        ensure(schedule.pending_epoch_at == 0, ModuleError::EpochTriggerAlreadyPending)?;
        let window = u64::from(self.settings.admin_freeze_window);
        let far = self.blocks_until_epoch(&schedule) >= window;
        ensure(far, ModuleError::AutoEpochAlreadyImminent)?;
        let limit = u64::from(settings.tempo) * u64::from(self.settings.owner_rate_limit_tempos);
        self.ensure_rate_limit(netuid, number::TRIGGER, limit)?;
        let at = self.block.saturating_add(window);
        self.put(&PENDING_EPOCH_AT, &netuid, &at);
        self.note_owner_change(netuid, number::TRIGGER);
        self.emit(Event::EpochTriggered { netuid, by, at });
        Ok(())
    }

    /// Source: `sudo_trim_to_max_allowed_uids`.
    pub(crate) fn trim_to_max_allowed_uids(&mut self, origin: Origin, netuid: NetUid, most: u16) -> Dispatch {
        let owner = self.ensure_owner_or_root(origin, netuid)?;
        if owner.is_some() {
            self.ensure_rate_limit(netuid, number::TRIM, self.settings.trimming_rate_limit)?;
        }
        self.ensure_window_open(netuid)?;
        self.trim_slots(netuid, most)?;
        if owner.is_some() {
            self.note_owner_change(netuid, number::TRIM);
        }
        Ok(())
    }

    /// Source: `sudo_set_subtoken_enabled`.
    pub(crate) fn set_subtoken_enabled(&mut self, origin: Origin, netuid: NetUid, enabled: bool) -> Dispatch {
        origin.ensure_root()?;
        self.ensure_window_open(netuid)?;
        self.put(&SUBTOKEN_ENABLED, &netuid, &enabled);
        self.emit(Event::SubtokenEnabledSet { netuid, enabled });
        Ok(())
    }

    /// Source: the setters of `pallets/admin-utils` that name no subnet.
    pub(crate) fn set_chain_parameter(&mut self, origin: Origin, value: ChainParameter) -> Dispatch {
        use ChainParameter as P;
        use ModuleError as E;
        origin.ensure_root()?;
        match value {
            P::MaxEpochsPerBlock(count) => ensure(count >= 1, E::ValueNotInBounds)?,
            P::MaxMechanismCount(count) => {
                ensure((1..=MAX_MECHANISMS).contains(&usize::from(count)), E::InvalidValue)?;
            }
            // The real chain takes any; here the storage indices of the mechanisms would meet.
            P::SubnetLimit(limit) => ensure(limit < SUBNETS_PER_MECHANISM, E::InvalidValue)?,
            P::NumRootClaims(count) => ensure(count <= MAX_ROOT_CLAIMS, E::InvalidNumRootClaim)?,
            _ => {}
        }
        let nominator_min_stake = self.settings.nominator_min_stake;
        self.update_settings(|settings| match value {
            P::AdminFreezeWindow(blocks) => settings.admin_freeze_window = blocks,
            P::OwnerHyperparameterRateLimit(tempos) => settings.owner_rate_limit_tempos = tempos,
            P::StakeThreshold(stake) => settings.stake_threshold = stake,
            P::NetworkRateLimit(blocks) => settings.network_rate_limit = blocks,
            P::NetworkImmunityPeriod(blocks) => settings.network_immunity_period = blocks,
            P::NetworkMinLockCost(cost) => settings.min_lock_cost = cost,
            P::LockReductionInterval(blocks) => settings.lock_reduction_interval = blocks,
            P::SubnetLimit(limit) => settings.subnet_limit = limit,
            P::MaxEpochsPerBlock(count) => settings.max_epochs_per_block = count,
            P::MaxMechanismCount(count) => settings.max_mechanisms = count,
            P::SubnetOwnerCut(cut) => settings.owner_cut = cut,
            P::TxDelegateTakeRateLimit(blocks) => settings.take_rate_limit = blocks,
            P::TxRateLimit(blocks) => settings.tx_rate_limit = blocks,
            P::MinDelegateTake(take) => settings.min_take = take,
            P::DefaultTake(take) => settings.max_take = take,
            P::NominatorMinRequiredStake(stake) => settings.nominator_min_stake = stake,
            P::StartCallDelay(blocks) => settings.start_call_delay = blocks,
            P::TxChildkeyTakeRateLimit(blocks) => settings.childkey_take_rate_limit = blocks,
            P::MinChildkeyTake(take) => settings.min_childkey_take = take,
            P::MaxChildkeyTake(take) => settings.max_childkey_take = take,
            P::PendingChildKeyCooldown(blocks) => settings.children_cooldown = blocks,
            P::CommitRevealVersion(version) => settings.commit_reveal_version = version,
            P::NumRootClaims(count) => settings.root_claims_per_block = count,
            P::ColdkeySwapAnnouncementDelay(blocks) => settings.coldkey_swap_delay = blocks,
            P::ColdkeySwapReannouncementDelay(blocks) => settings.coldkey_reannouncement_delay = blocks,
        });
        if let P::MaxMechanismCount(count) = value {
            self.cap_mechanisms(count);
        }
        if self.settings.nominator_min_stake > nominator_min_stake {
            self.clear_small_nominations();
        }
        self.emit(Event::ChainParameterSet { value });
        Ok(())
    }

    /// Subnets with more mechanisms than are allowed lose the last ones. Source: `do_set_max_mechanism_count`.
    fn cap_mechanisms(&mut self, most: u8) {
        for netuid in self.subnets() {
            let mut settings = self.hyperparameters(netuid);
            let old = settings.mechanism_count;
            if old > most {
                settings.mechanism_count = most;
                self.put_hyperparameters(netuid, &settings);
                self.change_mechanisms(netuid, old, most);
            }
        }
    }
}
