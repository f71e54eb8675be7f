//! Stake: alpha held with hotkeys by coldkeys as shares, TAO itself on root; takes.
//!
//! All that is staked with a hotkey on a subnet is one [`SharePool`], of which each coldkey holds shares. A dividend
//! for nominators raises what the shares are worth.

use chain::ModuleError;
use primitives::{AccountId, AlphaRao, Coldkey, Hotkey, NetUid, Rao};

use crate::{
    Event,
    ledger::{Dispatch, Ledger},
    pool::{Bought, Sold, fee_of},
    share_pool::SharePool,
    storage::items::{ALPHA, HOTKEY_ALPHA, HOTKEY_SHARES, OWNER, SUBTOKEN_ENABLED, TAKE},
};

impl Ledger {
    /// Alpha (on root, TAO) staked with a hotkey, all coldkeys together.
    pub(crate) fn hotkey_alpha(&self, hotkey: Hotkey, netuid: NetUid) -> AlphaRao {
        self.read(&HOTKEY_ALPHA, &(hotkey, netuid))
    }

    fn share_pool(&self, hotkey: Hotkey, netuid: NetUid) -> SharePool {
        let shares = self.read(&HOTKEY_SHARES, &(hotkey, netuid));
        SharePool { value: self.hotkey_alpha(hotkey, netuid).0, shares }
    }

    fn put_share_pool(&mut self, hotkey: Hotkey, netuid: NetUid, pool: &SharePool) {
        self.put_or_remove(&HOTKEY_ALPHA, &(hotkey, netuid), &AlphaRao(pool.value));
        self.put_or_remove(&HOTKEY_SHARES, &(hotkey, netuid), &pool.shares);
    }

    /// What one coldkey's shares are worth.
    pub(crate) fn alpha_of(&self, hotkey: Hotkey, coldkey: Coldkey, netuid: NetUid) -> AlphaRao {
        let own = self.read(&ALPHA, &(hotkey, coldkey, netuid));
        AlphaRao(self.share_pool(hotkey, netuid).worth(own))
    }

    /// Adds alpha for one coldkey. Source: `increase_stake_for_hotkey_and_coldkey_on_subnet`.
    pub(crate) fn add_alpha(&mut self, hotkey: Hotkey, coldkey: Coldkey, netuid: NetUid, amount: AlphaRao) {
        if amount.is_zero() {
            return;
        }
        let holding = (hotkey, coldkey, netuid);
        let mut pool = self.share_pool(hotkey, netuid);
        let own = pool.add(self.read(&ALPHA, &holding), amount.0);
        self.put_share_pool(hotkey, netuid, &pool);
        self.put_or_remove(&ALPHA, &holding, &own);
    }

    /// Adds alpha for all who hold shares with a hotkey; without any, for the first one to come.
    /// Source: `increase_stake_for_hotkey_on_subnet`.
    pub(crate) fn add_for_nominators(&mut self, hotkey: Hotkey, netuid: NetUid, amount: AlphaRao) {
        if !amount.is_zero() {
            self.update(&HOTKEY_ALPHA, &(hotkey, netuid), |all| *all = all.saturating_add(amount));
        }
    }

    /// Takes alpha from one coldkey, at most what its shares are worth; returns what was taken.
    /// Source: `decrease_stake_for_hotkey_and_coldkey_on_subnet`.
    fn take_alpha(&mut self, hotkey: Hotkey, coldkey: Coldkey, netuid: NetUid, amount: AlphaRao) -> AlphaRao {
        let holding = (hotkey, coldkey, netuid);
        let mut pool = self.share_pool(hotkey, netuid);
        let own = self.read(&ALPHA, &holding);
        let amount = amount.min(AlphaRao(pool.worth(own)));
        let own = pool.take(own, amount.0);
        self.put_share_pool(hotkey, netuid, &pool);
        self.put_or_remove(&ALPHA, &holding, &own);
        amount
    }

    fn ensure_subtoken(&self, netuid: NetUid) -> Dispatch {
        self.ensure_subnet(netuid)?;
        if self.read(&SUBTOKEN_ENABLED, &netuid) { Ok(()) } else { Err(ModuleError::SubtokenDisabled) }
    }

    /// Source: `do_add_stake`, `validate_add_stake`.
    pub(crate) fn add_stake(
        &mut self,
        origin: AccountId,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: Rao,
    ) -> Dispatch {
        self.ensure_subtoken(netuid)?;
        let least = self.settings.min_stake;
        let least = if netuid == NetUid::ROOT { least } else { least.saturating_add(Rao(fee_of(least.0))) };
        if amount < least {
            return Err(ModuleError::AmountTooLow);
        }
        if !self.can_pay(origin, amount) {
            return Err(ModuleError::NotEnoughBalanceToStake);
        }
        self.ensure_hotkey_account(hotkey)?;
        self.pay(origin, amount);
        let Bought { alpha, fee } =
            self.buy_alpha(netuid, amount).ok_or(ModuleError::InsufficientLiquidity)?;
        self.record_tao_inflow(netuid, amount.saturating_sub(fee));
        let coldkey = Coldkey(origin);
        if alpha.is_zero() || !self.share_pool(hotkey, netuid).sells_for(alpha.0) {
            return Err(ModuleError::InsufficientLiquidity);
        }
        self.add_alpha(hotkey, coldkey, netuid, alpha);
        self.emit(Event::StakeAdded { coldkey, hotkey, netuid, tao: amount, alpha, fee });
        Ok(())
    }

    /// Takes back stake; more than is held takes all. Source: `do_remove_stake`, `validate_remove_stake`.
    pub(crate) fn remove_stake(
        &mut self,
        origin: AccountId,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: AlphaRao,
    ) -> Dispatch {
        self.ensure_subtoken(netuid)?;
        let coldkey = Coldkey(origin);
        let held = self.alpha_of(hotkey, coldkey, netuid);
        let amount = amount.min(held);
        if amount.is_zero() {
            return Err(ModuleError::AmountTooLow);
        }
        let worth = self.quote_sale(netuid, amount).ok_or(ModuleError::InsufficientLiquidity)?.tao;
        if amount < held && worth < self.settings.min_stake {
            return Err(ModuleError::AmountTooLow);
        }
        // An account with nothing else would start below the existential deposit.
        if self.balance(origin).saturating_add(worth) < self.settings.existential_deposit {
            return Err(ModuleError::AmountTooLow);
        }
        self.ensure_hotkey_account(hotkey)?;
        let alpha = self.take_alpha(hotkey, coldkey, netuid, amount);
        let Sold { tao, fee, fee_tao } =
            self.sell_alpha(netuid, alpha).ok_or(ModuleError::InsufficientLiquidity)?;
        self.record_tao_outflow(netuid, tao.saturating_add(fee_tao));
        self.deposit(origin, tao);
        self.emit(Event::StakeRemoved { coldkey, hotkey, netuid, tao, alpha, fee });
        Ok(())
    }

    /// How much of a hotkey's dividends its owner keeps, of 65535.
    pub(crate) fn take_of(&self, hotkey: Hotkey) -> u16 {
        self.get(&TAKE, &hotkey).unwrap_or(self.settings.max_take)
    }

    /// Source: `do_increase_take`, `do_decrease_take`, of which this is both.
    pub(crate) fn set_take(&mut self, origin: AccountId, hotkey: Hotkey, take: u16) -> Dispatch {
        match self.get(&OWNER, &hotkey) {
            None => return Err(ModuleError::HotKeyAccountNotExists),
            Some(owner) if owner != Coldkey(origin) => return Err(ModuleError::NonAssociatedColdKey),
            Some(_) => {}
        }
        if take > self.settings.max_take {
            return Err(ModuleError::InvalidTake);
        }
        self.put(&TAKE, &hotkey, &take);
        self.emit(Event::TakeSet { hotkey, take });
        Ok(())
    }

    /// What a hotkey weighs on a subnet: its alpha, and its TAO on root times the chain's weight for it.
    /// Source: `get_stake_weights_for_network` in `staking/stake_utils.rs`.
    pub(crate) fn stake_weight_of(&self, hotkey: Hotkey, netuid: NetUid) -> u64 {
        let tao = u128::from(self.hotkey_alpha(hotkey, NetUid::ROOT).0);
        let weighted = tao * u128::from(self.settings.tao_weight) / u128::from(u64::MAX);
        let weighted = u64::try_from(weighted).expect("the weight is at most 1");
        self.hotkey_alpha(hotkey, netuid).0.saturating_add(weighted)
    }
}
