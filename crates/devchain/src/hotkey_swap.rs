//! The swap of a hotkey: another one takes its place with all that the chain knows of it, on one subnet or on all.
//!
//! What hangs on the slot (weights, bonds, when it was registered) stays where it is, since the slot does.

use std::collections::BTreeSet;

use chain::{MechId, ModuleError, storage_index};
use parity_scale_codec::Codec;
use primitives::{AlphaRao, Coldkey, Hotkey, NetUid, Rao};

use crate::{
    Event,
    coldkey_swap::KEY_SWAP_COST,
    ledger::{Dispatch, Ledger, Origin},
    storage::{
        Item, KeyParts,
        items::{
            ALPHA, AUTO_STAKE, AXONS, CERTIFICATES, CHILD_KEYS, CHILDKEY_TAKE, HOTKEY_ALPHA, HOTKEY_SHARES,
            HOTKEY_SWAPPED_AT, KEYS, OWNED_HOTKEYS, OWNER, PARENT_KEYS, PENDING_CHILDREN, PROMETHEUS,
            ROOT_CLAIM_RATE, ROOT_CLAIMABLE, ROOT_CLAIMED, STAKING_HOTKEYS, SUBNET_OWNER_HOTKEY, TAKE,
            TAKE_CHANGED_AT, UIDS, WEIGHT_COMMITS,
        },
    },
};

/// What a swap on one subnet costs. Source: `KeySwapOnSubnetCost`.
const KEY_SWAP_ON_SUBNET_COST: Rao = Rao(1_000_000);

/// Who takes whose place.
#[derive(Clone, Copy)]
struct Swap {
    old: Hotkey,
    new: Hotkey,
    /// Whether stake goes along.
    with_stake: bool,
}

impl Ledger {
    /// Source: `do_swap_hotkey` in `swap/swap_hotkey.rs`.
    pub(crate) fn swap_hotkey(
        &mut self,
        origin: Origin,
        (old, new): (Hotkey, Hotkey),
        netuid: Option<NetUid>,
        keep_stake: bool,
    ) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        if self.get(&OWNER, &old) != Some(coldkey) {
            return Err(ModuleError::NonAssociatedColdKey);
        }
        if self.get(&OWNER, &new).is_some_and(|owner| owner != coldkey) {
            return Err(ModuleError::NonAssociatedColdKey);
        }
        if old == new {
            return Err(ModuleError::NewHotKeyIsSameWithOld);
        }
        let swap = Swap { old, new, with_stake: !keep_stake };
        match netuid {
            Some(netuid) => self.swap_on_subnet(coldkey, swap, netuid),
            None => self.swap_everywhere(coldkey, swap),
        }
    }

    fn charge_hotkey_swap(&mut self, coldkey: Coldkey, cost: Rao) -> Dispatch {
        if !self.can_pay(coldkey.0, cost) {
            return Err(ModuleError::NotEnoughBalanceToPaySwapHotKey);
        }
        self.pay(coldkey.0, cost);
        self.recycle_tao(cost);
        Ok(())
    }

    /// The old hotkey keeps its owner. Source: `swap_hotkey_on_subnet`: who never swapped counts as having swapped in
    /// block 0.
    fn swap_on_subnet(&mut self, coldkey: Coldkey, swap: Swap, netuid: NetUid) -> Dispatch {
        let last = self.read(&HOTKEY_SWAPPED_AT, &(netuid, coldkey));
        if last.saturating_add(self.settings.hotkey_swap_interval) >= self.block {
            return Err(ModuleError::HotKeySwapOnSubnetIntervalNotPassed);
        }
        let Swap { old, new, .. } = swap;
        if self.uid_of(netuid, new).is_some() {
            return Err(ModuleError::HotKeyAlreadyRegisteredInSubNet);
        }
        self.charge_hotkey_swap(coldkey, KEY_SWAP_ON_SUBNET_COST)?;
        self.put(&OWNER, &new, &coldkey);
        let mut owned = self.owned_hotkeys(coldkey);
        if !owned.contains(&new) {
            owned.push(new);
            self.put(&OWNED_HOTKEYS, &coldkey, &owned);
        }
        for holder in self.swap_data(swap, netuid)? {
            let mut hotkeys = self.read(&STAKING_HOTKEYS, &holder);
            if hotkeys.contains(&old) && !hotkeys.contains(&new) {
                hotkeys.push(new);
                self.put(&STAKING_HOTKEYS, &holder, &hotkeys);
            }
        }
        let block = self.block;
        self.put(&HOTKEY_SWAPPED_AT, &(netuid, coldkey), &block);
        self.emit(Event::HotkeySwappedOnSubnet { coldkey, old_hotkey: old, new_hotkey: new, netuid });
        Ok(())
    }

    /// Source: `perform_hotkey_swap_on_all_subnets`. Where stake stays the old hotkey keeps its owner.
    fn swap_everywhere(&mut self, coldkey: Coldkey, swap: Swap) -> Dispatch {
        let Swap { old, new, with_stake } = swap;
        if self.is_registered_anywhere(new) {
            return Err(ModuleError::HotKeyAlreadyRegisteredInSubNet);
        }
        self.charge_hotkey_swap(coldkey, KEY_SWAP_COST)?;
        if with_stake {
            self.remove(&OWNER, &old);
        }
        self.put(&OWNER, &new, &coldkey);
        let mut owned = self.owned_hotkeys(coldkey);
        if !owned.contains(&new) {
            owned.push(new);
        }
        owned.retain(|hotkey| *hotkey != old || !with_stake);
        self.put(&OWNED_HOTKEYS, &coldkey, &owned);
        let mut holders = BTreeSet::new();
        for netuid in std::iter::once(NetUid::ROOT).chain(self.subnets()) {
            holders.extend(self.swap_data(swap, netuid)?);
        }
        self.remove(&TAKE_CHANGED_AT, &old);
        self.rename(&TAKE, &old, &new);
        for holder in holders {
            let mut hotkeys = self.read(&STAKING_HOTKEYS, &holder);
            if hotkeys.contains(&old) {
                hotkeys.retain(|hotkey| *hotkey != old && *hotkey != new);
                hotkeys.push(new);
                self.put(&STAKING_HOTKEYS, &holder, &hotkeys);
            }
        }
        self.emit(Event::HotkeySwapped { coldkey, old_hotkey: old, new_hotkey: new });
        Ok(())
    }

    /// Moves a value to another key, in place of what is there.
    fn rename<K: KeyParts, V: Codec>(&mut self, item: &Item<K, V>, old: &K, new: &K) {
        if let Some(value) = self.get(item, old) {
            self.remove(item, old);
            self.put(item, new, &value);
        }
    }

    /// Moves what one subnet keeps of a hotkey; returns those whose stake went along. Source:
    /// `perform_hotkey_swap_on_one_subnet`.
    fn swap_data(&mut self, swap: Swap, netuid: NetUid) -> Result<Vec<Coldkey>, ModuleError> {
        let Swap { old, new, with_stake } = swap;
        let (from, to) = ((netuid, old), (netuid, new));
        if let Some(uid) = self.uid_of(netuid, old) {
            self.rename(&UIDS, &from, &to);
            self.put(&KEYS, &(netuid, uid), &new);
            self.rename(&AXONS, &from, &to);
            self.rename(&PROMETHEUS, &from, &to);
            self.rename(&CERTIFICATES, &from, &to);
            for mechanism in 0..self.hyperparameters(netuid).mechanism_count {
                let index = storage_index(netuid, MechId(mechanism));
                self.rename(&WEIGHT_COMMITS, &(index, old), &(index, new));
            }
        }
        self.swap_relations(old, new, netuid)?;
        let destinations: Vec<(Coldkey, NetUid)> = self
            .store
            .scan(&AUTO_STAKE, &())
            .filter(|((_, at), hotkey)| *at == netuid && *hotkey == old)
            .map(|(key, _)| key)
            .collect();
        for key in destinations {
            self.put(&AUTO_STAKE, &key, &new);
        }
        if self.owner_hotkey(netuid) == Some(old) {
            self.put(&SUBNET_OWNER_HOTKEY, &netuid, &new);
        }
        Ok(if with_stake { self.swap_stake_of(old, new, netuid) } else { Vec::new() })
    }

    /// Children and parents of the old hotkey become the new one's; what the new one had is cut off. Source:
    /// `parent_child_swap_hotkey`.
    fn swap_relations(&mut self, old: Hotkey, new: Hotkey, netuid: NetUid) -> Dispatch {
        let (children, parents) =
            (self.read(&CHILD_KEYS, &(old, netuid)), self.read(&PARENT_KEYS, &(old, netuid)));
        if !children.is_empty() || !parents.is_empty() {
            if children.iter().chain(&parents).any(|(_, relative)| *relative == new) {
                return Err(ModuleError::InvalidChild);
            }
            for (_, child) in self.read(&CHILD_KEYS, &(new, netuid)) {
                self.change_relations(&PARENT_KEYS, child, netuid, |all| all.retain(|(_, one)| *one != new));
            }
            for (_, parent) in self.read(&PARENT_KEYS, &(new, netuid)) {
                self.change_relations(&CHILD_KEYS, parent, netuid, |all| all.retain(|(_, one)| *one != new));
            }
            for item in [&CHILD_KEYS, &PARENT_KEYS] {
                self.remove(item, &(new, netuid));
                self.rename(item, &(old, netuid), &(new, netuid));
            }
            let replace = |all: &mut Vec<(u64, Hotkey)>| {
                all.iter_mut().filter(|(_, one)| *one == old).for_each(|entry| entry.1 = new);
            };
            for (_, child) in children {
                self.change_relations(&PARENT_KEYS, child, netuid, replace);
            }
            for (_, parent) in parents {
                self.change_relations(&CHILD_KEYS, parent, netuid, replace);
            }
        }
        self.rename(&CHILDKEY_TAKE, &(old, netuid), &(new, netuid));
        self.rename(&PENDING_CHILDREN, &(netuid, old), &(netuid, new));
        let waiting: Vec<_> = self.store.scan(&PENDING_CHILDREN, &netuid).collect();
        for (key, mut pending) in waiting {
            // The one that is replaced moves to the end, as there.
            if let Some(at) = pending.children.iter().position(|(_, child)| *child == old) {
                let (part, _) = pending.children.remove(at);
                pending.children.push((part, new));
                self.put(&PENDING_CHILDREN, &key, &pending);
            }
        }
        Ok(())
    }

    /// Stake with the old hotkey becomes stake with the new one: shares are added to shares, whatever they are worth.
    fn swap_stake_of(&mut self, old: Hotkey, new: Hotkey, netuid: NetUid) -> Vec<Coldkey> {
        if netuid == NetUid::ROOT {
            self.swap_root_dividends(old, new);
        }
        let alpha = self.hotkey_alpha(old, netuid);
        let shares = self.read(&HOTKEY_SHARES, &(old, netuid));
        self.remove(&HOTKEY_ALPHA, &(old, netuid));
        self.remove(&HOTKEY_SHARES, &(old, netuid));
        let sum = self.hotkey_alpha(new, netuid).saturating_add(alpha);
        self.put_or_remove(&HOTKEY_ALPHA, &(new, netuid), &sum);
        let sum = self.read(&HOTKEY_SHARES, &(new, netuid)).checked_add(shares).unwrap_or(shares);
        self.put_or_remove(&HOTKEY_SHARES, &(new, netuid), &sum);
        let holdings: Vec<_> =
            self.store.scan(&ALPHA, &old).filter(|((_, _, at), _)| *at == netuid).collect();
        let mut holders = Vec::with_capacity(holdings.len());
        for ((_, coldkey, _), shares) in holdings {
            self.remove(&ALPHA, &(old, coldkey, netuid));
            let sum = self.read(&ALPHA, &(new, coldkey, netuid)).checked_add(shares).unwrap_or(shares);
            self.put(&ALPHA, &(new, coldkey, netuid), &sum);
            holders.push(coldkey);
        }
        holders
    }

    /// What root's stakers have earned with a hotkey goes with their stake. Source:
    /// `transfer_root_claimable_for_new_hotkey`, `transfer_root_claimed_for_new_keys`.
    fn swap_root_dividends(&mut self, old: Hotkey, new: Hotkey) {
        let rates: Vec<_> = self.store.scan(&ROOT_CLAIM_RATE, &old).collect();
        for ((_, netuid), rate) in rates {
            self.remove(&ROOT_CLAIM_RATE, &(old, netuid));
            self.update(&ROOT_CLAIM_RATE, &(new, netuid), |all| *all = all.saturating_add(rate));
            let pot = self.read(&ROOT_CLAIMABLE, &(netuid, old));
            self.remove(&ROOT_CLAIMABLE, &(netuid, old));
            self.update(&ROOT_CLAIMABLE, &(netuid, new), |all: &mut AlphaRao| *all = all.saturating_add(pot));
        }
        for netuid in self.subnets() {
            let claims: Vec<_> = self.store.scan(&ROOT_CLAIMED, &(netuid, old)).collect();
            for ((_, _, coldkey), claimed) in claims {
                self.remove(&ROOT_CLAIMED, &(netuid, old, coldkey));
                let key = (netuid, new, coldkey);
                self.update(&ROOT_CLAIMED, &key, |all| *all = all.saturating_add(claimed));
            }
        }
    }
}
