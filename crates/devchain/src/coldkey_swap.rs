//! The swap of a coldkey: announced by its hash, made some days later, or disputed until root decides.
//!
//! While a swap is announced the coldkey can do nothing but go on with it, while it is disputed nothing at all.

use chain::{Call, ModuleError, blake2_256};
use primitives::{Coldkey, Digest, Hotkey, NetUid, Rao};

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{
        ALPHA, AUTO_STAKE, BALANCE, COLDKEY_SWAP_DISPUTES, COLDKEY_SWAPS, IDENTITIES, OWNED_HOTKEYS, OWNER,
        ROOT_CLAIMED, STAKING_HOTKEYS, SUBNET_OWNER,
    },
};

/// What the swap of a key costs. Source: `KeySwapCost`.
pub(crate) const KEY_SWAP_COST: Rao = Rao(100_000_000);

impl Ledger {
    fn block_u32(&self) -> u32 {
        u32::try_from(self.block).unwrap_or(u32::MAX)
    }

    /// Source: `guards/check_coldkey_swap.rs`.
    pub(crate) fn check_coldkey_swap(&self, coldkey: Coldkey, call: &Call) -> Dispatch {
        if !self.contains(&COLDKEY_SWAPS, &coldkey) {
            return Ok(());
        }
        if self.contains(&COLDKEY_SWAP_DISPUTES, &coldkey) {
            return Err(ModuleError::ColdkeySwapDisputed);
        }
        match call {
            Call::AnnounceColdkeySwap { .. }
            | Call::SwapColdkeyAnnounced { .. }
            | Call::DisputeColdkeySwap
            | Call::ClearColdkeySwapAnnouncement => Ok(()),
            _ => Err(ModuleError::ColdkeySwapAnnounced),
        }
    }

    /// Source: `charge_swap_cost`.
    fn charge_coldkey_swap(&mut self, coldkey: Coldkey, cost: Rao) -> Dispatch {
        if !self.can_pay(coldkey.0, cost) {
            return Err(ModuleError::NotEnoughBalanceToPaySwapColdKey);
        }
        self.pay(coldkey.0, cost);
        self.recycle_tao(cost);
        Ok(())
    }

    /// The first announcement costs, a later one has to wait. Source: `announce_coldkey_swap`.
    pub(crate) fn announce_coldkey_swap(&mut self, origin: Origin, new_coldkey_hash: Digest) -> Dispatch {
        let who = Coldkey(origin.signed()?);
        let now = self.block_u32();
        match self.get(&COLDKEY_SWAPS, &who) {
            Some((when, _)) if now < when.saturating_add(self.settings.coldkey_reannouncement_delay) => {
                return Err(ModuleError::ColdkeySwapReannouncedTooEarly);
            }
            Some(_) => {}
            None => self.charge_coldkey_swap(who, KEY_SWAP_COST)?,
        }
        let when = now.saturating_add(self.settings.coldkey_swap_delay);
        self.put(&COLDKEY_SWAPS, &who, &(when, new_coldkey_hash));
        self.emit(Event::ColdkeySwapAnnounced { who, new_coldkey_hash });
        Ok(())
    }

    /// Source: `swap_coldkey_announced`.
    pub(crate) fn swap_coldkey_announced(&mut self, origin: Origin, new_coldkey: Coldkey) -> Dispatch {
        let who = Coldkey(origin.signed()?);
        let announced = self.get(&COLDKEY_SWAPS, &who);
        let (when, hash) = announced.ok_or(ModuleError::ColdkeySwapAnnouncementNotFound)?;
        if hash != blake2_256(&new_coldkey.0.0) {
            return Err(ModuleError::AnnouncedColdkeyHashDoesNotMatch);
        }
        if self.block_u32() < when {
            return Err(ModuleError::ColdkeySwapTooEarly);
        }
        self.remove(&COLDKEY_SWAPS, &who);
        self.move_coldkey(who, new_coldkey)
    }

    /// Source: `dispute_coldkey_swap`.
    pub(crate) fn dispute_coldkey_swap(&mut self, origin: Origin) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        if !self.contains(&COLDKEY_SWAPS, &coldkey) {
            return Err(ModuleError::ColdkeySwapAnnouncementNotFound);
        }
        if self.contains(&COLDKEY_SWAP_DISPUTES, &coldkey) {
            return Err(ModuleError::ColdkeySwapAlreadyDisputed);
        }
        self.put(&COLDKEY_SWAP_DISPUTES, &coldkey, &self.block_u32());
        self.emit(Event::ColdkeySwapDisputed { coldkey });
        Ok(())
    }

    /// Source: `clear_coldkey_swap_announcement`.
    pub(crate) fn clear_coldkey_swap(&mut self, origin: Origin) -> Dispatch {
        let who = Coldkey(origin.signed()?);
        let announced = self.get(&COLDKEY_SWAPS, &who);
        let (when, _) = announced.ok_or(ModuleError::ColdkeySwapAnnouncementNotFound)?;
        if self.block_u32() < when.saturating_add(self.settings.coldkey_reannouncement_delay) {
            return Err(ModuleError::ColdkeySwapClearTooEarly);
        }
        self.remove(&COLDKEY_SWAPS, &who);
        self.emit(Event::ColdkeySwapCleared { who });
        Ok(())
    }

    /// Source: `reset_coldkey_swap`.
    pub(crate) fn reset_coldkey_swap(&mut self, origin: Origin, who: Coldkey) -> Dispatch {
        origin.ensure_root()?;
        self.remove(&COLDKEY_SWAPS, &who);
        self.remove(&COLDKEY_SWAP_DISPUTES, &who);
        self.emit(Event::ColdkeySwapReset { who });
        Ok(())
    }

    /// Source: `swap_coldkey`.
    pub(crate) fn swap_coldkey(&mut self, origin: Origin, old: Coldkey, new: Coldkey, cost: Rao) -> Dispatch {
        origin.ensure_root()?;
        if !cost.is_zero() {
            self.charge_coldkey_swap(old, cost)?;
        }
        self.move_coldkey(old, new)?;
        self.remove(&COLDKEY_SWAPS, &old);
        self.remove(&COLDKEY_SWAP_DISPUTES, &old);
        Ok(())
    }

    /// Everything of one coldkey becomes another's. Source: `do_swap_coldkey` in `swap/swap_coldkey.rs`.
    fn move_coldkey(&mut self, old: Coldkey, new: Coldkey) -> Dispatch {
        if !self.read(&STAKING_HOTKEYS, &new).is_empty() {
            return Err(ModuleError::ColdKeyAlreadyAssociated);
        }
        if self.contains(&OWNER, &Hotkey(new.0)) {
            return Err(ModuleError::NewColdKeyIsHotkey);
        }
        if !self.contains(&IDENTITIES, &new)
            && let Some(identity) = self.get(&IDENTITIES, &old)
        {
            self.remove(&IDENTITIES, &old);
            self.put(&IDENTITIES, &new, &identity);
        }
        let staking = self.read(&STAKING_HOTKEYS, &old);
        for netuid in std::iter::once(NetUid::ROOT).chain(self.subnets()) {
            if self.get(&SUBNET_OWNER, &netuid) == Some(old) {
                self.put(&SUBNET_OWNER, &netuid, &new);
            }
            if let Some(hotkey) = self.get(&AUTO_STAKE, &(old, netuid)) {
                self.remove(&AUTO_STAKE, &(old, netuid));
                self.put(&AUTO_STAKE, &(new, netuid), &hotkey);
            }
            for hotkey in &staking {
                self.move_holding(*hotkey, old, new, netuid);
            }
        }
        self.remove(&STAKING_HOTKEYS, &old);
        self.put_or_remove(&STAKING_HOTKEYS, &new, &staking);
        let mut owned = self.owned_hotkeys(new);
        for hotkey in self.owned_hotkeys(old) {
            self.put(&OWNER, &hotkey, &new);
            if !owned.contains(&hotkey) {
                owned.push(hotkey);
            }
        }
        self.remove(&OWNED_HOTKEYS, &old);
        self.put_or_remove(&OWNED_HOTKEYS, &new, &owned);
        let free = self.balance(old.0);
        if !free.is_zero() {
            self.remove(&BALANCE, &old.0);
            self.deposit(new.0, free);
        }
        self.emit(Event::ColdkeySwapped { old_coldkey: old, new_coldkey: new });
        Ok(())
    }

    /// Shares with a hotkey, and what was claimed on root, change their owner. Source: `transfer_coldkey_stake`.
    fn move_holding(&mut self, hotkey: Hotkey, old: Coldkey, new: Coldkey, netuid: NetUid) {
        let claimed = self.read(&ROOT_CLAIMED, &(netuid, hotkey, old));
        if claimed > 0 {
            self.remove(&ROOT_CLAIMED, &(netuid, hotkey, old));
            self.update(&ROOT_CLAIMED, &(netuid, hotkey, new), |all| *all = all.saturating_add(claimed));
        }
        let shares = self.read(&ALPHA, &(hotkey, old, netuid));
        if shares.is_zero() {
            return;
        }
        self.remove(&ALPHA, &(hotkey, old, netuid));
        let sum = self.read(&ALPHA, &(hotkey, new, netuid)).checked_add(shares).unwrap_or(shares);
        self.put(&ALPHA, &(hotkey, new, netuid), &sum);
        if netuid == NetUid::ROOT {
            self.index_staking_coldkey(new);
        }
    }
}
