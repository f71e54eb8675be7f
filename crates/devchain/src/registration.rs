//! Registration of neurons: the burn price, a free slot or another's, and who loses it.

use std::cmp::Reverse;

use chain::{Hyperparameters, ModuleError, storage_index};
use primitives::{AlphaRao, BlockNumber, Coldkey, Hotkey, MechId, NetUid, Rao, Uid};
use substrate_fixed::types::U64F64;

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{
        ACTIVE, AXONS, BONDS, BURN, CERTIFICATES, CONSENSUS, DIVIDENDS, EMISSION, INCENTIVE, KEYS,
        LAST_UPDATE, NEURONS, OWNED_HOTKEYS, PERMIT, PROMETHEUS, RAO_RECYCLED, REGISTERED_AT,
        REGISTRATIONS_THIS_BLOCK, STAKE_WEIGHT, SUBNET_ALPHA_OUT, SUBNET_OWNER, TRUST, UIDS, WEIGHTS,
    },
};

/// One as a Q32 number.
const Q32_ONE: u64 = 1 << 32;

/// The factor by which a price falls per block so that it halves in `half_life_blocks`, as a Q32 number.
/// Source: `decay_factor_q32` in `utils/misc.rs`: the largest f with f^half_life at most 1/2.
pub(crate) fn decay_factor_q32(half_life_blocks: u16) -> u64 {
    let (mut low, mut high) = (0, Q32_ONE);
    while low + 1 < high {
        let middle = u64::midpoint(low, high);
        if pow_q32(middle, half_life_blocks) > Q32_ONE / 2 { high = middle } else { low = middle }
    }
    low
}

fn pow_q32(base: u64, exponent: u16) -> u64 {
    let (mut result, mut factor, mut left) = (Q32_ONE, base, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = mul_by_q32(result, factor);
        }
        factor = mul_by_q32(factor, factor);
        left >>= 1;
    }
    result
}

fn mul_by_q32(value: u64, factor: u64) -> u64 {
    u64::try_from((u128::from(value) * u128::from(factor)) >> 32).unwrap_or(u64::MAX)
}

fn clamp_burn(burn: u64, settings: &Hyperparameters) -> Rao {
    Rao(burn).min(settings.max_burn).max(settings.min_burn)
}

impl Ledger {
    /// Lets every subnet's registration price fall by one block and starts the count of registrations anew.
    /// Source: `update_registration_prices_for_networks`.
    pub(crate) fn decay_burns(&mut self, netuid: NetUid, settings: &Hyperparameters) {
        if self.block > 1 {
            let burn = self.read(&BURN, &netuid);
            let factor = decay_factor_q32(settings.burn_half_life_blocks);
            self.put(&BURN, &netuid, &clamp_burn(mul_by_q32(burn.0, factor), settings));
        }
        self.put(&REGISTRATIONS_THIS_BLOCK, &netuid, &0);
    }

    /// Source: `do_register` in `subnets/registration.rs`, in its order of checks.
    pub(crate) fn burned_register(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        hotkey: Hotkey,
        limit: Option<Rao>,
    ) -> Dispatch {
        let origin = origin.signed()?;
        let coldkey = Coldkey(origin);
        let burn = self.read(&BURN, &netuid);
        if netuid == NetUid::ROOT {
            return Err(ModuleError::RegistrationNotPermittedOnRootSubnet);
        }
        self.ensure_subnet(netuid)?;
        if limit.is_some_and(|limit| burn > limit) {
            return Err(ModuleError::RegistrationPriceLimitExceeded);
        }
        let settings = self.hyperparameters(netuid);
        if !settings.network_registration_allowed {
            return Err(ModuleError::SubNetRegistrationDisabled);
        }
        if self.uid_of(netuid, hotkey).is_some() {
            return Err(ModuleError::HotKeyAlreadyRegisteredInSubNet);
        }
        if !self.can_pay(origin, burn) {
            return Err(ModuleError::NotEnoughBalanceToStake);
        }
        self.claim_hotkey(hotkey, coldkey)?;
        let full = self.neurons(netuid) >= settings.max_allowed_uids;
        let slot = if full { self.neuron_to_prune(netuid, &settings) } else { None };
        if settings.max_allowed_uids == 0 || (full && slot.is_none()) {
            return Err(ModuleError::NoNeuronIdAvailable);
        }

        self.pay(origin, burn);
        let bought = self.buy_alpha(netuid, burn).ok_or(ModuleError::InsufficientLiquidity)?;
        self.record_tao_inflow(netuid, burn);
        // The alpha went out of the pool and is destroyed, so that what is outside stays the same.
        self.update(&SUBNET_ALPHA_OUT, &netuid, |out| *out = out.saturating_sub(bought.alpha));
        let uid = match slot {
            Some(uid) => {
                self.replace_neuron(netuid, uid, hotkey, &settings);
                uid
            }
            None => self.append_neuron(netuid, hotkey),
        };
        self.put(&BURN, &netuid, &bumped_burn(burn, &settings));
        self.update(&REGISTRATIONS_THIS_BLOCK, &netuid, |count| *count = count.saturating_add(1));
        self.update(&RAO_RECYCLED, &netuid, |sum| *sum = sum.saturating_add(burn));
        self.emit(Event::NeuronRegistered { netuid, uid, hotkey });
        Ok(())
    }

    /// Gives `hotkey` the next slot. Source: `append_neuron` in `subnets/uids.rs`.
    pub(crate) fn append_neuron(&mut self, netuid: NetUid, hotkey: Hotkey) -> Uid {
        let uid = Uid(self.neurons(netuid));
        let block = self.block;
        self.put(&NEURONS, &netuid, &(uid.0 + 1));
        self.update(&ACTIVE, &netuid, |all| all.push(true));
        self.update(&EMISSION, &netuid, |all| all.push(AlphaRao::ZERO));
        for item in [&CONSENSUS, &DIVIDENDS, &TRUST] {
            self.update(item, &netuid, |all| all.push(0));
        }
        self.update(&PERMIT, &netuid, |all| all.push(false));
        for mechanism in 0..self.hyperparameters(netuid).mechanism_count {
            let index = storage_index(netuid, MechId(mechanism));
            self.update(&INCENTIVE, &index, |all| all.push(0));
            self.update(&LAST_UPDATE, &index, |all| all.push(block));
        }
        self.take_slot(netuid, uid, hotkey);
        uid
    }

    fn take_slot(&mut self, netuid: NetUid, uid: Uid, hotkey: Hotkey) {
        self.put(&KEYS, &(netuid, uid), &hotkey);
        self.put(&UIDS, &(netuid, hotkey), &uid);
        self.put(&REGISTERED_AT, &(netuid, uid), &self.block.clone());
    }

    /// Gives `hotkey` the slot of another, whose scores, weights, bonds and axon go; weights towards the slot
    /// become 0. The old hotkey keeps its stake. Source: `replace_neuron`, `clear_neuron`.
    pub(crate) fn replace_neuron(
        &mut self,
        netuid: NetUid,
        uid: Uid,
        hotkey: Hotkey,
        settings: &Hyperparameters,
    ) {
        if let Some(old) = self.get(&KEYS, &(netuid, uid)) {
            self.remove(&UIDS, &(netuid, old));
            self.remove(&AXONS, &(netuid, old));
            self.remove(&CERTIFICATES, &(netuid, old));
            self.remove(&PROMETHEUS, &(netuid, old));
            self.emit(Event::NeuronPruned { netuid, uid, hotkey: old });
        }
        self.take_slot(netuid, uid, hotkey);
        self.set_entry(&ACTIVE, netuid, uid, true);
        self.set_entry(&EMISSION, netuid, uid, AlphaRao::ZERO);
        for item in [&CONSENSUS, &DIVIDENDS, &TRUST, &STAKE_WEIGHT] {
            self.set_entry(item, netuid, uid, 0);
        }
        self.set_entry(&PERMIT, netuid, uid, false);
        let block = self.block;
        for mechanism in 0..settings.mechanism_count {
            let index = storage_index(netuid, MechId(mechanism));
            self.set_entry(&INCENTIVE, index, uid, 0);
            self.set_entry(&LAST_UPDATE, index, uid, block);
            self.remove(&BONDS, &(index, uid));
            self.remove(&WEIGHTS, &(index, uid));
            let towards: Vec<_> = self.store.scan(&WEIGHTS, &index).collect();
            for (key, mut row) in towards {
                let entries = row.iter_mut().filter(|(to, weight)| *to == uid.0 && *weight != 0);
                if entries.map(|entry| entry.1 = 0).count() > 0 {
                    self.put(&WEIGHTS, &key, &row);
                }
            }
        }
    }

    /// Sets one neuron's entry of a vector, if the vector is that long.
    pub(crate) fn set_entry<K, T>(
        &mut self,
        item: &crate::storage::Item<K, Vec<T>>,
        parts: K,
        uid: Uid,
        value: T,
    ) where
        K: crate::storage::KeyParts,
        Vec<T>: parity_scale_codec::Codec,
    {
        self.update(item, &parts, |all| {
            if let Some(entry) = all.get_mut(uid.index()) {
                *entry = value;
            }
        });
    }

    /// The slot that a newcomer to a full subnet takes; none if all are the owner's.
    ///
    /// The lowest emission of the last epoch goes first, then the older registration, then the lower uid. Where
    /// more than `MinNonImmuneUids` neurons are past their immunity one of those goes, else an immune one.
    /// Source: `get_neuron_to_prune`.
    pub(crate) fn neuron_to_prune(&self, netuid: NetUid, settings: &Hyperparameters) -> Option<Uid> {
        let safe = self.immortal_hotkeys(netuid, settings);
        let emission = self.read(&EMISSION, &netuid);
        let mut best: [Option<(AlphaRao, BlockNumber, Uid)>; 2] = [None, None];
        let mut non_immune: u16 = 0;
        for uid in (0..self.neurons(netuid)).map(Uid) {
            if self.get(&KEYS, &(netuid, uid)).is_none_or(|hotkey| safe.contains(&hotkey)) {
                continue;
            }
            let at = self.read(&REGISTERED_AT, &(netuid, uid));
            let immune = self.block.saturating_sub(at) < u64::from(settings.immunity_period);
            non_immune += u16::from(!immune);
            let candidate = (emission.get(uid.index()).copied().unwrap_or_default(), at, uid);
            let best = &mut best[usize::from(immune)];
            *best = Some(best.map_or(candidate, |old| old.min(candidate)));
        }
        let class = usize::from(non_immune <= settings.min_non_immune_uids);
        best[class].map(|(_, _, uid)| uid)
    }

    /// The owner's hotkeys that can't be pruned: the first ones registered, the subnet owner's own in front if
    /// it isn't among them, as many as the subnet allows.
    pub(crate) fn immortal_hotkeys(&self, netuid: NetUid, settings: &Hyperparameters) -> Vec<Hotkey> {
        let mut owned = self.owner_hotkeys(netuid, |at, uid| (at, uid));
        if let Some(own) = self.owner_hotkey(netuid).filter(|own| !owned.contains(own)) {
            owned.insert(0, own);
        }
        owned.truncate(usize::from(settings.owner_immune_neuron_limit));
        owned
    }

    /// The hotkeys of the subnet's owner that are registered on it, by `order` of registration block and uid.
    fn owner_hotkeys<O: Ord>(&self, netuid: NetUid, order: impl Fn(BlockNumber, Uid) -> O) -> Vec<Hotkey> {
        let Some(owner) = self.get(&SUBNET_OWNER, &netuid) else { return Vec::new() };
        let hotkeys = self.read(&OWNED_HOTKEYS, &owner).into_iter();
        let mut registered: Vec<_> = hotkeys
            .filter_map(|hotkey| {
                let uid = self.uid_of(netuid, hotkey)?;
                Some((order(self.read(&REGISTERED_AT, &(netuid, uid)), uid), hotkey))
            })
            .collect();
        registered.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        registered.into_iter().map(|(_, hotkey)| hotkey).collect()
    }

    /// The hotkeys whose miners' reward is burned: all of the owner's on the subnet, the latest first.
    /// Source: `get_owner_hotkeys` in `coinbase/run_coinbase.rs`.
    pub(crate) fn burned_hotkeys(&self, netuid: NetUid) -> Vec<Hotkey> {
        let mut owned = self.owner_hotkeys(netuid, |at, uid| (Reverse(at), uid));
        let own = self.owner_hotkey(netuid);
        owned.extend(own.filter(|own| !owned.contains(own) && self.uid_of(netuid, *own).is_some()));
        owned
    }
}

/// The price after a registration. Source: `bump_registration_price_after_registration`.
fn bumped_burn(burn: Rao, settings: &Hyperparameters) -> Rao {
    let factor = U64F64::from_bits(settings.burn_increase_mult_bits).max(U64F64::from_num(1));
    clamp_burn(U64F64::saturating_from_num(burn.0).saturating_mul(factor).saturating_to_num(), settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decay_factor_halves_within_its_half_life_and_no_sooner() {
        for half_life in [1, 2, 7, 360, 36_100] {
            let factor = decay_factor_q32(half_life);
            assert!(pow_q32(factor, half_life) <= Q32_ONE / 2, "{half_life}");
            assert!(pow_q32(factor + 1, half_life) > Q32_ONE / 2, "{half_life}");
        }
        assert_eq!(decay_factor_q32(1), Q32_ONE / 2);
    }

    /// Prices of a running chain in consecutive blocks.
    #[test]
    fn prices_fall_as_observed() {
        let settings = Hyperparameters::default();
        let factor = decay_factor_q32(360);
        let mut burn = 1_000_000_000;
        for expect in [998_076_443, 996_156_586, 994_240_422, 992_327_944, 990_419_145] {
            burn = mul_by_q32(burn, factor);
            assert_eq!(burn, expect);
        }
        assert_eq!(bumped_burn(Rao(965_936_321), &settings), Rao(1_217_079_764));
        assert_eq!(bumped_burn(Rao::from_whole(99), &settings), Rao::from_whole(100));
    }
}
