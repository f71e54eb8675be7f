//! Creation of subnets: what it costs, what a new one starts with, the owner's start call and its hotkey.

use chain::{Hyperparameters, ModuleError, SubnetIdentity, storage_index};
use primitives::{AlphaRao, Coldkey, Hotkey, MechId, NetUid, Rao};

use crate::{
    Event,
    identity::is_valid_subnet_identity,
    ledger::{Dispatch, Ledger, Origin},
    pool::Price,
    storage::items::{
        BURN, EMISSION_ENABLED, FIRST_EMISSION_BLOCK, HYPERPARAMETERS, LAST_EPOCH_BLOCK, LAST_LOCK_BLOCK,
        LAST_LOCK_COST, NETWORK_REGISTERED_AT, NETWORKS_ADDED, NEURONS, OWNER_HOTKEY_SET_AT, RAO_RECYCLED,
        REGISTRATIONS_THIS_INTERVAL, SUBNET_ALPHA_IN, SUBNET_ALPHA_OUT, SUBNET_LOCKED, SUBNET_MECHANISM,
        SUBNET_OWNER, SUBNET_OWNER_HOTKEY, SUBNET_TAO, SUBNET_VOLUME, SUBTOKEN_ENABLED, TOKEN_SYMBOL,
        TOTAL_NETWORKS, TOTAL_STAKE,
    },
};

/// How far the next lock stands above the last one. Source: `get_network_lock_cost` in `coinbase/root.rs`.
const LOCK_FACTOR: u64 = 2;
/// The kind of subnet whose alpha has a price of its own, the only kind that can be made. Source: `do_register_network`.
const DYNAMIC_MECHANISM: u16 = 1;

impl Ledger {
    /// What a new subnet costs in the present block: twice the last lock, falling by the last lock within the
    /// reduction interval, at least the chain's minimum. Source: `get_network_lock_cost`.
    pub(crate) fn lock_cost(&self) -> Rao {
        let least = self.settings.min_lock_cost;
        let last = self.get(&LAST_LOCK_COST, &()).unwrap_or(least).0;
        let at = self.read(&LAST_LOCK_BLOCK, &());
        let factor = if at == 0 { 1 } else { LOCK_FACTOR };
        let per_block = last.checked_div(self.settings.lock_reduction_interval).unwrap_or(0);
        let fallen = per_block.saturating_mul(self.block.saturating_sub(at));
        Rao(last.saturating_mul(factor).saturating_sub(fallen)).max(least)
    }

    /// Whether the chain's rate limit allows another subnet now.
    pub(crate) fn passes_network_rate_limit(&self) -> bool {
        let last = self.read(&LAST_LOCK_BLOCK, &());
        last == 0 || self.block.saturating_sub(last) >= self.settings.network_rate_limit
    }

    /// Where the limit of subnets is reached one makes room, whose number the new one gets. Source:
    /// `do_register_network` in `subnets/subnet.rs`.
    pub(crate) fn register_network(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        identity: Option<&SubnetIdentity>,
    ) -> Dispatch {
        let origin = origin.signed()?;
        let coldkey = Coldkey(origin);
        self.claim_hotkey(hotkey, coldkey)?;
        if identity.is_some_and(|identity| !is_valid_subnet_identity(identity)) {
            return Err(ModuleError::InvalidIdentity);
        }
        if !self.passes_network_rate_limit() {
            return Err(ModuleError::NetworkTxRateLimitExceeded);
        }
        let full = self.subnets().len() >= usize::from(self.settings.subnet_limit);
        let pruned = if full { self.network_to_prune(self.block) } else { None };
        if full && pruned.is_none() {
            return Err(ModuleError::SubnetLimitReached);
        }
        let lock = self.lock_cost();
        if !self.can_pay(origin, lock) {
            return Err(ModuleError::CannotAffordLockCost);
        }
        self.pay(origin, lock);
        self.put(&LAST_LOCK_COST, &(), &lock);
        self.put(&LAST_LOCK_BLOCK, &(), &self.block.clone());
        self.update(&TOTAL_STAKE, &(), |total| *total = total.saturating_add(lock));
        if let Some(pruned) = pruned {
            self.dissolve(pruned);
        }
        let netuid = pruned.unwrap_or_else(|| self.free_netuid());
        self.create_subnet(netuid, coldkey, hotkey, lock);
        if let Some(identity) = identity {
            self.put_subnet_identity(netuid, identity);
        }
        self.emit(Event::NetworkAdded { netuid, lock });
        Ok(())
    }

    /// The lowest number that no subnet has. Source: `get_next_netuid`.
    pub(crate) fn free_netuid(&self) -> NetUid {
        let taken = self.subnets();
        let free = (1..=u16::MAX).map(NetUid).find(|netuid| taken.binary_search(netuid).is_err());
        free.expect("the genesis limits subnets to fewer than 4096")
    }

    /// Sets a subnet up under a free number; `lock` becomes its pool's TAO, against which alpha stands at the median
    /// price of the other subnets. The hotkey must be the coldkey's.
    pub(crate) fn create_subnet(&mut self, netuid: NetUid, owner: Coldkey, hotkey: Hotkey, lock: Rao) {
        let taken = self.subnets();
        let price = self.median_price(&taken);
        let new_subnet = self.settings.new_subnet;
        let block = self.block;
        self.put(&NETWORKS_ADDED, &netuid, &true);
        self.update(&TOTAL_NETWORKS, &(), |total| *total = total.saturating_add(1));
        self.put(&NEURONS, &netuid, &0);
        self.put(&SUBNET_MECHANISM, &netuid, &DYNAMIC_MECHANISM);
        self.put(&REGISTRATIONS_THIS_INTERVAL, &netuid, &0);
        self.put(&HYPERPARAMETERS, &netuid, &new_subnet);
        self.put(&NETWORK_REGISTERED_AT, &netuid, &block);
        self.put(&LAST_EPOCH_BLOCK, &netuid, &staggered_start(block, netuid, &new_subnet));
        self.put(&BURN, &netuid, &self.settings.initial_burn.clone());
        self.put(&SUBNET_OWNER, &netuid, &owner);
        self.put(&SUBNET_OWNER_HOTKEY, &netuid, &hotkey);
        self.put(&SUBTOKEN_ENABLED, &netuid, &false);
        self.put(&EMISSION_ENABLED, &netuid, &false);
        self.put(&SUBNET_LOCKED, &netuid, &lock);
        self.put(&SUBNET_TAO, &netuid, &lock);
        self.put(&SUBNET_ALPHA_IN, &netuid, &alpha_at(lock, price));
        self.put(&SUBNET_ALPHA_OUT, &netuid, &AlphaRao::ZERO);
        self.put(&SUBNET_VOLUME, &netuid, &0);
        self.put(&RAO_RECYCLED, &netuid, &Rao::ZERO);
        self.put(&TOKEN_SYMBOL, &netuid, &self.free_symbol(netuid).into_bytes());
        for mechanism in 0..new_subnet.mechanism_count {
            self.start_mechanism(storage_index(netuid, MechId(mechanism)), 0);
        }
        self.append_neuron(netuid, hotkey);
    }

    /// The median of the subnets' prices, the mean of the middle two where they are even; 1 without subnets.
    /// Source: `get_median_subnet_alpha_price`.
    fn median_price(&self, subnets: &[NetUid]) -> Price {
        let mut prices: Vec<Price> = subnets.iter().map(|netuid| self.alpha_price(*netuid)).collect();
        prices.retain(|price| *price > 0);
        prices.sort_unstable();
        let (last, middle) = (prices.len().saturating_sub(1), prices.len() / 2);
        match (prices.get(last / 2), prices.get(middle)) {
            (Some(low), Some(high)) => low.saturating_add(*high).saturating_div(Price::from_num(2)),
            _ => Price::from_num(1),
        }
    }

    /// Source: `do_start_call`.
    pub(crate) fn start_call(&mut self, origin: Origin, netuid: NetUid) -> Dispatch {
        self.ensure_subnet_owner(origin, netuid)?;
        if self.contains(&FIRST_EMISSION_BLOCK, &netuid) {
            return Err(ModuleError::FirstEmissionBlockNumberAlreadySet);
        }
        let from = self.read(&NETWORK_REGISTERED_AT, &netuid).saturating_add(self.settings.start_call_delay);
        if self.block < from {
            return Err(ModuleError::NeedWaitingMoreBlocksToStarCall);
        }
        let block = self.block + 1;
        self.put(&FIRST_EMISSION_BLOCK, &netuid, &block);
        self.put(&SUBTOKEN_ENABLED, &netuid, &true);
        self.emit(Event::FirstEmissionBlockNumberSet { netuid, block });
        Ok(())
    }

    /// Source: `do_set_sn_owner_hotkey`, `set_subnet_owner_hotkey`. Root waits as the owner does.
    pub(crate) fn set_owner_hotkey(&mut self, origin: Origin, netuid: NetUid, hotkey: Hotkey) -> Dispatch {
        self.ensure_owner_or_root(origin, netuid)?;
        self.ensure_subnet(netuid)?;
        let last = self.read(&OWNER_HOTKEY_SET_AT, &netuid);
        if last > 0 && self.block.saturating_sub(last) < self.settings.owner_hotkey_rate_limit {
            return Err(ModuleError::TxRateLimitExceeded);
        }
        let block = self.block;
        self.put(&OWNER_HOTKEY_SET_AT, &netuid, &block);
        self.put(&SUBNET_OWNER_HOTKEY, &netuid, &hotkey);
        self.emit(Event::SubnetOwnerHotkeySet { netuid, hotkey });
        Ok(())
    }

    /// Source: `sudo_set_subnet_emission_enabled`.
    pub(crate) fn set_emission_enabled(&mut self, origin: Origin, netuid: NetUid, enabled: bool) -> Dispatch {
        origin.ensure_root()?;
        if !self.subnet_exists(netuid) {
            return Err(ModuleError::SubnetDoesNotExist);
        }
        if netuid == NetUid::ROOT {
            return Err(ModuleError::NotPermittedOnRootSubnet);
        }
        self.put(&EMISSION_ENABLED, &netuid, &enabled);
        self.emit(Event::SubnetEmissionEnabledSet { netuid, enabled });
        Ok(())
    }
}

/// The last epoch that a new subnet pretends to have had, so that subnets made together don't run together.
fn staggered_start(block: u64, netuid: NetUid, settings: &Hyperparameters) -> u64 {
    let offset = u64::from(netuid.0).checked_rem(u64::from(settings.tempo)).unwrap_or(0);
    block.saturating_sub(offset)
}

fn alpha_at(tao: Rao, price: Price) -> AlphaRao {
    AlphaRao(Price::saturating_from_num(tao.0).saturating_div(price).saturating_to_num())
}
