//! Child hotkeys: stake that counts for another, and the dividends that come back.
//!
//! A hotkey parts its stake on a subnet among children; a part of 2⁶⁴ − 1 is all of it. In an epoch a child weighs with
//! what it inherits, and what its parents' part earns goes to them less the child's take.

use std::collections::{BTreeMap, BTreeSet};

use chain::ModuleError;
use primitives::{Coldkey, Hotkey, NetUid};
use substrate_fixed::types::U96F32;

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::{
        Item,
        items::{
            AUTO_STAKE, CHILD_KEYS, CHILDKEY_TAKE, CHILDKEY_TAKE_CHANGED_AT, CHILDREN_CHANGED_AT, OWNER,
            PARENT_KEYS, PENDING_CHILDREN, PendingChildren, Relations, SUBTOKEN_ENABLED,
        },
    },
};

/// Children of one hotkey on one subnet. Source: `ensure_childkey_count`.
const MAX_CHILDREN: usize = 5;
/// Blocks between two choices of children by one hotkey on one subnet. Source: `TransactionType::SetChildren`.
const CHILDREN_RATE_LIMIT: u64 = 150;

/// A part of 2⁶⁴ − 1 as a fraction.
fn fraction(part: u64) -> U96F32 {
    U96F32::saturating_from_num(part).checked_div(U96F32::saturating_from_num(u64::MAX)).unwrap_or_default()
}

impl Ledger {
    fn children(&self, hotkey: Hotkey, netuid: NetUid) -> Relations {
        self.read(&CHILD_KEYS, &(hotkey, netuid))
    }

    fn parents(&self, hotkey: Hotkey, netuid: NetUid) -> Relations {
        self.read(&PARENT_KEYS, &(hotkey, netuid))
    }

    /// Stake (of a subnet or of root) that counts for a hotkey on a subnet: its own less its children's part, and its
    /// parents' part. Source: `get_inherited_for_hotkey_on_subnet`, `get_tao_inherited_for_hotkey_on_subnet`.
    pub(crate) fn inherited(&self, hotkey: Hotkey, netuid: NetUid, of: NetUid) -> u64 {
        let own = self.hotkey_alpha(hotkey, of).0;
        if netuid == NetUid::ROOT {
            return own;
        }
        let (children, parents) = (self.children(hotkey, netuid), self.parents(hotkey, netuid));
        if children.is_empty() && parents.is_empty() {
            return own;
        }
        let own = U96F32::saturating_from_num(own);
        let zero = U96F32::from_num(0);
        let given = children
            .iter()
            .fold(zero, |sum, (part, _)| sum.saturating_add(own.saturating_mul(fraction(*part))));
        let got = parents.iter().fold(zero, |sum, (part, parent)| {
            let stake = U96F32::saturating_from_num(self.hotkey_alpha(*parent, of).0);
            sum.saturating_add(stake.saturating_mul(fraction(*part)))
        });
        own.saturating_sub(given).saturating_add(got).saturating_to_num()
    }

    /// Parts a validator's dividend between it and its parents. Source:
    /// `get_parent_child_dividends_distribution` in `coinbase/run_coinbase.rs`.
    pub(crate) fn part_dividend(&self, hotkey: Hotkey, netuid: NetUid, dividend: u64) -> Vec<(Hotkey, u64)> {
        let parents = self.parents(hotkey, netuid);
        if parents.is_empty() {
            return vec![(hotkey, dividend)];
        }
        let weight = self.tao_weight();
        let dividend = U96F32::saturating_from_num(dividend);
        // What a part of one hotkey's stake contributes.
        let contribution = |of: Hotkey, part: U96F32| {
            let alpha = U96F32::saturating_from_num(self.hotkey_alpha(of, netuid).0);
            let tao = U96F32::saturating_from_num(self.hotkey_alpha(of, NetUid::ROOT).0);
            let tao = tao.saturating_mul(part).saturating_mul(weight);
            alpha.saturating_mul(part).saturating_add(tao)
        };
        let kept = self
            .children(hotkey, netuid)
            .iter()
            .fold(U96F32::from_num(1), |rest, (part, _)| rest.saturating_sub(fraction(*part)));
        let own: u64 = contribution(hotkey, kept).saturating_to_num();
        let contributions: Vec<U96F32> =
            parents.iter().map(|(part, parent)| contribution(*parent, fraction(*part))).collect();
        let total =
            contributions.iter().fold(U96F32::saturating_from_num(own), |sum, one| sum.saturating_add(*one));

        let rate = fraction_of_u16(self.childkey_take(hotkey, netuid));
        let owner = self.get(&OWNER, &hotkey);
        let (mut rest, mut taken) = (dividend, U96F32::from_num(0));
        let mut parts = Vec::with_capacity(parents.len() + 1);
        for ((_, parent), contribution) in parents.iter().zip(contributions) {
            let share = contribution.checked_div(total).unwrap_or_default();
            let mut earned = dividend.saturating_mul(share);
            rest = rest.saturating_sub(earned);
            if self.get(&OWNER, parent) != owner {
                let take = rate.saturating_mul(earned);
                earned = earned.saturating_sub(take);
                taken = taken.saturating_add(take);
            }
            parts.push((*parent, earned.saturating_to_num()));
        }
        parts.push((hotkey, rest.saturating_add(taken).saturating_to_num()));
        parts
    }

    /// How much of inherited stake's dividends a child keeps, of 65535.
    pub(crate) fn childkey_take(&self, hotkey: Hotkey, netuid: NetUid) -> u16 {
        self.get(&CHILDKEY_TAKE, &(hotkey, netuid)).unwrap_or(self.settings.min_childkey_take)
    }

    /// The invariants of a hotkey's children. Source: `PCRelations::ensure_pending_consistency`.
    fn check_children(&self, hotkey: Hotkey, netuid: NetUid, children: &[(u64, Hotkey)]) -> Dispatch {
        if children.iter().any(|(_, child)| *child == hotkey) {
            return Err(ModuleError::InvalidChild);
        }
        if children.len() > MAX_CHILDREN {
            return Err(ModuleError::TooManyChildren);
        }
        let total: u128 = children.iter().map(|(part, _)| u128::from(*part)).sum();
        if total > u128::from(u64::MAX) {
            return Err(ModuleError::ProportionOverflow);
        }
        let parents: BTreeSet<Hotkey> =
            self.parents(hotkey, netuid).into_iter().map(|(_, parent)| parent).collect();
        let circle = children.iter().any(|(_, child)| parents.contains(child));
        if circle { Err(ModuleError::ChildParentInconsistency) } else { Ok(()) }
    }

    /// Source: `do_schedule_children` in `staking/set_children.rs`.
    pub(crate) fn set_children(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        netuid: NetUid,
        children: &[(u64, Hotkey)],
    ) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        let key = (hotkey, netuid);
        let last = self.read(&CHILDREN_CHANGED_AT, &key);
        if last > 0 && self.block.saturating_sub(last) < CHILDREN_RATE_LIMIT {
            return Err(ModuleError::TxRateLimitExceeded);
        }
        if netuid == NetUid::ROOT {
            return Err(ModuleError::RegistrationNotPermittedOnRootSubnet);
        }
        self.ensure_subnet(netuid)?;
        if self.get(&OWNER, &hotkey) != Some(coldkey) {
            return Err(ModuleError::NonAssociatedColdKey);
        }
        let distinct: BTreeSet<Hotkey> = children.iter().map(|(_, child)| *child).collect();
        if distinct.len() != children.len() {
            return Err(ModuleError::DuplicateChild);
        }
        self.check_children(hotkey, netuid, children)?;
        if !children.is_empty() && !self.may_have_children(hotkey, netuid) {
            return Err(ModuleError::NotEnoughStakeToSetChildkeys);
        }
        let block = self.block;
        self.put(&CHILDREN_CHANGED_AT, &key, &block);
        if !self.read(&SUBTOKEN_ENABLED, &netuid) {
            return self.put_children(hotkey, netuid, children);
        }
        let due = block.saturating_add(self.settings.children_cooldown);
        let pending = PendingChildren { children: children.to_vec(), due };
        self.put(&PENDING_CHILDREN, &(netuid, hotkey), &pending);
        self.emit(Event::SetChildrenScheduled { hotkey, netuid, due, children: pending.children });
        Ok(())
    }

    /// Stake above the threshold, or the subnet owner's hotkey.
    fn may_have_children(&self, hotkey: Hotkey, netuid: NetUid) -> bool {
        let threshold = self.settings.stake_threshold;
        threshold == 0 || self.owner_hotkey(netuid) == Some(hotkey) || self.total_stake(hotkey) >= threshold
    }

    /// A hotkey's stake on all subnets at their prices. Source: `get_total_stake_for_hotkey`.
    pub(crate) fn total_stake(&self, hotkey: Hotkey) -> u64 {
        let stakes = self.store.scan(&crate::storage::items::HOTKEY_ALPHA, &hotkey);
        stakes.fold(0, |sum: u64, ((_, netuid), alpha)| {
            let price = U96F32::saturating_from_num(self.alpha_price(netuid));
            sum.saturating_add(price.saturating_mul(U96F32::saturating_from_num(alpha.0)).saturating_to_num())
        })
    }

    /// Makes these a hotkey's children, on both sides. Source: `persist_child_parent_relations`.
    fn put_children(&mut self, hotkey: Hotkey, netuid: NetUid, children: &[(u64, Hotkey)]) -> Dispatch {
        self.check_children(hotkey, netuid, children)?;
        let new: BTreeMap<Hotkey, u64> = children.iter().map(|(part, child)| (*child, *part)).collect();
        let old = self.children(hotkey, netuid);
        for (_, child) in old.iter().filter(|(_, child)| !new.contains_key(child)) {
            self.change_relations(&PARENT_KEYS, *child, netuid, |parents| {
                parents.retain(|(_, parent)| *parent != hotkey);
            });
        }
        for (child, part) in &new {
            self.change_relations(&PARENT_KEYS, *child, netuid, |parents| {
                match parents.iter_mut().find(|(_, parent)| *parent == hotkey) {
                    Some(known) => known.0 = *part,
                    None => parents.push((*part, hotkey)),
                }
            });
        }
        let sorted: Relations = new.into_iter().map(|(child, part)| (part, child)).collect();
        self.change_relations(&CHILD_KEYS, hotkey, netuid, |children| children.clone_from(&sorted));
        self.emit(Event::SetChildren { hotkey, netuid, children: sorted });
        Ok(())
    }

    /// Changes one hotkey's relations; none are not stored.
    pub(crate) fn change_relations(
        &mut self,
        item: &Item<(Hotkey, NetUid), Relations>,
        hotkey: Hotkey,
        netuid: NetUid,
        change: impl FnOnce(&mut Relations),
    ) {
        let key = (hotkey, netuid);
        let mut relations = self.read(item, &key);
        change(&mut relations);
        if relations.is_empty() { self.remove(item, &key) } else { self.put(item, &key, &relations) }
    }

    /// After a subnet's epoch: chosen children take effect where their time has come; choices that have become
    /// impossible are dropped. Source: `do_set_pending_children`.
    pub(crate) fn set_pending_children(&mut self, netuid: NetUid) {
        let open = self.read(&SUBTOKEN_ENABLED, &netuid);
        let pending: Vec<(Hotkey, PendingChildren)> = self
            .store
            .scan(&PENDING_CHILDREN, &netuid)
            .map(|((_, hotkey), pending)| (hotkey, pending))
            .filter(|(_, pending)| pending.due < self.block || !open)
            .collect();
        for (hotkey, pending) in pending {
            self.remove(&PENDING_CHILDREN, &(netuid, hotkey));
            let mark = self.mark();
            if self.put_children(hotkey, netuid, &pending.children).is_err() {
                self.roll_back(mark);
            }
        }
    }

    /// A hotkey without enough stake loses its choices that are not in effect yet. Source: `do_remove_stake`.
    pub(crate) fn drop_pending_children(&mut self, hotkey: Hotkey) {
        if self.settings.stake_threshold == 0 || self.total_stake(hotkey) >= self.settings.stake_threshold {
            return;
        }
        for netuid in self.subnets() {
            self.remove(&PENDING_CHILDREN, &(netuid, hotkey));
        }
    }

    /// Source: `do_set_childkey_take`.
    pub(crate) fn set_childkey_take(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        netuid: NetUid,
        take: u16,
    ) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        if self.get(&OWNER, &hotkey) != Some(coldkey) {
            return Err(ModuleError::NonAssociatedColdKey);
        }
        let least = self.settings.min_childkey_take.max(self.hyperparameters(netuid).min_childkey_take);
        if !(least..=self.settings.max_childkey_take).contains(&take) {
            return Err(ModuleError::InvalidChildkeyTake);
        }
        let key = (hotkey, netuid);
        let last = self.read(&CHILDKEY_TAKE_CHANGED_AT, &key);
        let waits = last > 0 && self.block.saturating_sub(last) < self.settings.childkey_take_rate_limit;
        if take > self.childkey_take(hotkey, netuid) && waits {
            return Err(ModuleError::TxChildkeyTakeRateLimitExceeded);
        }
        let block = self.block;
        self.put(&CHILDKEY_TAKE, &key, &take);
        self.put(&CHILDKEY_TAKE_CHANGED_AT, &key, &block);
        self.emit(Event::ChildKeyTakeSet { hotkey, take });
        Ok(())
    }

    /// Source: `do_try_associate_hotkey`.
    pub(crate) fn try_associate_hotkey(&mut self, origin: Origin, hotkey: Hotkey) -> Dispatch {
        self.claim_hotkey(hotkey, Coldkey(origin.signed()?))
    }

    /// Source: `set_coldkey_auto_stake_hotkey`.
    pub(crate) fn set_auto_stake(&mut self, origin: Origin, netuid: NetUid, hotkey: Hotkey) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        self.ensure_subnet(netuid)?;
        if self.uid_of(netuid, hotkey).is_none() {
            return Err(ModuleError::HotKeyNotRegisteredInSubNet);
        }
        if self.get(&AUTO_STAKE, &(coldkey, netuid)) == Some(hotkey) {
            return Err(ModuleError::SameAutoStakeHotkeyAlreadySet);
        }
        self.put(&AUTO_STAKE, &(coldkey, netuid), &hotkey);
        self.emit(Event::AutoStakeDestinationSet { coldkey, netuid, hotkey });
        Ok(())
    }
}

/// A part of 65535 as a fraction.
fn fraction_of_u16(part: u16) -> U96F32 {
    U96F32::saturating_from_num(part).checked_div(U96F32::saturating_from_num(u16::MAX)).unwrap_or_default()
}
