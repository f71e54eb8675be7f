//! Stake: alpha held with hotkeys by coldkeys as shares, TAO itself on root; takes.
//!
//! All that is staked with a hotkey on a subnet is one [`SharePool`], of which each coldkey holds shares. A dividend
//! for nominators raises what the shares are worth.

use chain::ModuleError;
use primitives::{AccountId, AlphaRao, Coldkey, Hotkey, NetUid, Rao};

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    pool::{Bought, PriceLimit, Sold, fee_of},
    share_pool::SharePool,
    storage::items::{
        ALPHA, HOTKEY_ALPHA, HOTKEY_SHARES, OWNER, STAKING_HOTKEYS, SUBNET_TAO, SUBTOKEN_ENABLED, TAKE,
        TAKE_CHANGED_AT,
    },
};

/// How many times the TAO of its pool a purchase may be. Source: `do_add_stake`.
const MAX_POOLS_BOUGHT: u64 = 1000;

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
        if netuid == NetUid::ROOT {
            self.root_stake_added(hotkey, coldkey, amount);
        }
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
    pub(crate) fn take_alpha(
        &mut self,
        hotkey: Hotkey,
        coldkey: Coldkey,
        netuid: NetUid,
        amount: AlphaRao,
    ) -> AlphaRao {
        let holding = (hotkey, coldkey, netuid);
        let mut pool = self.share_pool(hotkey, netuid);
        let own = self.read(&ALPHA, &holding);
        let amount = amount.min(AlphaRao(pool.worth(own)));
        let own = pool.take(own, amount.0);
        self.put_share_pool(hotkey, netuid, &pool);
        self.put_or_remove(&ALPHA, &holding, &own);
        if netuid == NetUid::ROOT {
            self.root_stake_removed(hotkey, coldkey, amount);
        }
        amount
    }

    pub(crate) fn ensure_subtoken(&self, netuid: NetUid) -> Dispatch {
        if self.read(&SUBTOKEN_ENABLED, &netuid) { Ok(()) } else { Err(ModuleError::SubtokenDisabled) }
    }

    /// A purchase far beyond the pool can't be computed. Source: `do_add_stake`.
    fn ensure_pool_is_deep(&self, netuid: NetUid, amount: Rao) -> Dispatch {
        let most = self.read(&SUBNET_TAO, &netuid).0.saturating_mul(MAX_POOLS_BOUGHT);
        let fits = netuid == NetUid::ROOT || !self.subnet_exists(netuid) || amount.0 <= most;
        if fits { Ok(()) } else { Err(ModuleError::InsufficientLiquidity) }
    }

    /// The amount that is to be staked: all, or where part is allowed at most `most`. Source: `validate_add_stake`.
    fn validate_add_stake(
        &self,
        coldkey: AccountId,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: Rao,
        (most, allow_partial): (Rao, bool),
    ) -> Result<Rao, ModuleError> {
        self.ensure_subnet(netuid)?;
        self.ensure_subtoken(netuid)?;
        let is_root = netuid == NetUid::ROOT;
        let min_stake = self.settings.min_stake;
        let least = if is_root { min_stake } else { min_stake.saturating_add(Rao(fee_of(min_stake.0))) };
        if amount < least {
            return Err(ModuleError::AmountTooLow);
        }
        if !allow_partial && amount > most {
            return Err(ModuleError::SlippageTooHigh);
        }
        let amount = amount.min(most);
        if !self.can_pay(coldkey, amount) {
            return Err(ModuleError::NotEnoughBalanceToStake);
        }
        self.ensure_hotkey_account(hotkey)?;
        let (paid_in, got) = if is_root {
            (amount, AlphaRao(amount.0))
        } else {
            let bought = self.quote_purchase(netuid, amount).ok_or(ModuleError::InsufficientLiquidity)?;
            (amount.saturating_sub(bought.fee), bought.alpha)
        };
        if paid_in < min_stake {
            return Err(ModuleError::AmountTooLow);
        }
        if got.is_zero() { Err(ModuleError::InsufficientLiquidity) } else { Ok(amount) }
    }

    /// Pays TAO for alpha (on root, stakes it as it is) and stakes that. Source: `stake_into_subnet`.
    pub(crate) fn stake_into_subnet(
        &mut self,
        origin: AccountId,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: Rao,
    ) -> Result<AlphaRao, ModuleError> {
        let coldkey = Coldkey(origin);
        self.pay(origin, amount);
        let Bought { alpha, fee } =
            self.buy_alpha(netuid, amount).ok_or(ModuleError::InsufficientLiquidity)?;
        self.record_tao_inflow(netuid, amount.saturating_sub(fee));
        if alpha.is_zero() {
            return Err(ModuleError::AmountTooLow);
        }
        if !self.share_pool(hotkey, netuid).sells_for(alpha.0) {
            return Err(ModuleError::InsufficientLiquidity);
        }
        self.add_alpha(hotkey, coldkey, netuid, alpha);
        self.note_staking_hotkey(coldkey, hotkey);
        self.emit(Event::StakeAdded { coldkey, hotkey, netuid, tao: amount, alpha, fee });
        Ok(alpha)
    }

    /// A coldkey's list of those with whom it ever staked. Source: `StakingHotkeys`, from which nothing is removed.
    pub(crate) fn note_staking_hotkey(&mut self, coldkey: Coldkey, hotkey: Hotkey) {
        let mut hotkeys = self.read(&STAKING_HOTKEYS, &coldkey);
        if !hotkeys.contains(&hotkey) {
            hotkeys.push(hotkey);
            self.put(&STAKING_HOTKEYS, &coldkey, &hotkeys);
        }
    }

    /// Returns what was bought. Source: `do_add_stake`.
    pub(crate) fn add_stake(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: Rao,
    ) -> Result<AlphaRao, ModuleError> {
        let coldkey = origin.signed()?;
        self.ensure_pool_is_deep(netuid, amount)?;
        let all = (Rao(u64::MAX), false);
        let amount = self.validate_add_stake(coldkey, hotkey, netuid, amount, all)?;
        self.stake_into_subnet(coldkey, hotkey, netuid, amount)
    }

    /// Returns what was bought. Source: `do_add_stake_limit`.
    pub(crate) fn add_stake_limit(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: Rao,
        limit: PriceLimit,
    ) -> Result<AlphaRao, ModuleError> {
        let coldkey = origin.signed()?;
        self.ensure_pool_is_deep(netuid, amount)?;
        let most = (self.most_to_buy(netuid, limit.price)?, limit.allow_partial);
        let amount = self.validate_add_stake(coldkey, hotkey, netuid, amount, most)?;
        self.stake_into_subnet(coldkey, hotkey, netuid, amount)
    }

    /// What alpha would be sold for; none where the pool can't serve it.
    fn quote(&self, netuid: NetUid, alpha: AlphaRao) -> Option<Rao> {
        if netuid == NetUid::ROOT {
            return Some(Rao(alpha.0));
        }
        self.quote_sale(netuid, alpha).map(|sold| sold.tao)
    }

    /// Source: `validate_remove_stake`.
    fn validate_remove_stake(
        &self,
        coldkey: AccountId,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: AlphaRao,
        (most, allow_partial): (AlphaRao, bool),
    ) -> Dispatch {
        self.ensure_subnet(netuid)?;
        if amount.is_zero() {
            return Err(ModuleError::AmountTooLow);
        }
        let held = self.alpha_of(hotkey, Coldkey(coldkey), netuid);
        if amount > held {
            return Err(ModuleError::NotEnoughStakeToWithdraw);
        }
        let worth = self.quote(netuid, amount).ok_or(ModuleError::InsufficientLiquidity)?;
        if amount < held && worth < self.settings.min_stake {
            return Err(ModuleError::AmountTooLow);
        }
        if !allow_partial && amount > most {
            return Err(ModuleError::SlippageTooHigh);
        }
        self.ensure_hotkey_account(hotkey)
    }

    /// Takes stake and sells it; the TAO goes to the coldkey. Source: `unstake_from_subnet`.
    pub(crate) fn unstake_from_subnet(
        &mut self,
        origin: AccountId,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: AlphaRao,
    ) -> Result<Rao, ModuleError> {
        let coldkey = Coldkey(origin);
        let alpha = self.take_alpha(hotkey, coldkey, netuid, amount);
        let Sold { tao, fee, fee_tao } =
            self.sell_alpha(netuid, alpha).ok_or(ModuleError::InsufficientLiquidity)?;
        self.record_tao_outflow(netuid, tao.saturating_add(fee_tao));
        // An account with nothing else would start below the existential deposit.
        if self.balance(origin).saturating_add(tao) < self.settings.existential_deposit {
            return Err(ModuleError::AmountTooLow);
        }
        self.deposit(origin, tao);
        self.emit(Event::StakeRemoved { coldkey, hotkey, netuid, tao, alpha, fee });
        Ok(tao)
    }

    /// What a nominator has left is unstaked too where it is below the least. Failing that it stays.
    /// Source: `clear_small_nomination_if_required`.
    fn clear_small_nomination(&mut self, origin: AccountId, hotkey: Hotkey, netuid: NetUid) {
        if self.get(&OWNER, &hotkey) == Some(Coldkey(origin)) {
            return;
        }
        let rest = self.alpha_of(hotkey, Coldkey(origin), netuid);
        if !rest.is_zero() && rest.0 < self.settings.nominator_min_stake {
            let mark = self.mark();
            if self.unstake_from_subnet(origin, hotkey, netuid, rest).is_err() {
                self.roll_back(mark);
            }
        }
    }

    /// Source: `clear_small_nominations` in `staking/helpers.rs`.
    pub(crate) fn clear_small_nominations(&mut self) {
        let holdings: Vec<_> = self.store.scan(&ALPHA, &()).map(|(key, _)| key).collect();
        for (hotkey, coldkey, netuid) in holdings {
            self.clear_small_nomination(coldkey.0, hotkey, netuid);
        }
    }

    /// Takes back stake; more than is held takes all. Source: `do_remove_stake`.
    pub(crate) fn remove_stake(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: AlphaRao,
    ) -> Dispatch {
        let coldkey = origin.signed()?;
        self.ensure_subtoken(netuid)?;
        let amount = amount.min(self.alpha_of(hotkey, Coldkey(coldkey), netuid));
        let all = (AlphaRao(u64::MAX), false);
        self.validate_remove_stake(coldkey, hotkey, netuid, amount, all)?;
        self.unstake_from_subnet(coldkey, hotkey, netuid, amount)?;
        self.clear_small_nomination(coldkey, hotkey, netuid);
        self.drop_pending_children(hotkey);
        Ok(())
    }

    /// Source: `do_remove_stake_limit`.
    pub(crate) fn remove_stake_limit(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: AlphaRao,
        limit: PriceLimit,
    ) -> Dispatch {
        let coldkey = origin.signed()?;
        let most = self.most_to_sell(netuid, limit.price)?;
        self.validate_remove_stake(coldkey, hotkey, netuid, amount, (most, limit.allow_partial))?;
        self.unstake_from_subnet(coldkey, hotkey, netuid, amount.min(most))?;
        self.clear_small_nomination(coldkey, hotkey, netuid);
        self.drop_pending_children(hotkey);
        Ok(())
    }

    /// How much of a hotkey's dividends its owner keeps, of 65535.
    pub(crate) fn take_of(&self, hotkey: Hotkey) -> u16 {
        self.get(&TAKE, &hotkey).unwrap_or(self.settings.max_take)
    }

    /// Source: `guards/check_delegate_take.rs`.
    pub(crate) fn check_take(&self, origin: AccountId, hotkey: Hotkey, take: u16) -> Dispatch {
        if take < self.settings.min_take {
            return Err(ModuleError::DelegateTakeTooLow);
        }
        if take > self.settings.max_take {
            return Err(ModuleError::DelegateTakeTooHigh);
        }
        self.ensure_owns_hotkey(Coldkey(origin), hotkey)
    }

    /// Source: `do_take_checks`.
    pub(crate) fn ensure_owns_hotkey(&self, coldkey: Coldkey, hotkey: Hotkey) -> Dispatch {
        match self.get(&OWNER, &hotkey) {
            None => Err(ModuleError::HotKeyAccountNotExists),
            Some(owner) if owner != coldkey => Err(ModuleError::NonAssociatedColdKey),
            Some(_) => Ok(()),
        }
    }

    /// Source: `do_increase_take`.
    pub(crate) fn increase_take(&mut self, origin: Origin, hotkey: Hotkey, take: u16) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        self.ensure_owns_hotkey(coldkey, hotkey)?;
        if self.get(&TAKE, &hotkey).is_some_and(|old| take <= old) {
            return Err(ModuleError::DelegateTakeTooLow);
        }
        if take > self.settings.max_take {
            return Err(ModuleError::DelegateTakeTooHigh);
        }
        let last = self.read(&TAKE_CHANGED_AT, &hotkey);
        let limit = self.settings.take_rate_limit;
        if limit > 0 && last > 0 && self.block.saturating_sub(last) <= limit {
            return Err(ModuleError::DelegateTxRateLimitExceeded);
        }
        self.set_take(hotkey, take);
        self.emit(Event::TakeIncreased { coldkey, hotkey, take });
        Ok(())
    }

    /// Source: `do_decrease_take`.
    pub(crate) fn decrease_take(&mut self, origin: Origin, hotkey: Hotkey, take: u16) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        self.ensure_owns_hotkey(coldkey, hotkey)?;
        let falls = self.get(&TAKE, &hotkey).is_none_or(|old| take < old);
        if !falls || take < self.settings.min_take {
            return Err(ModuleError::DelegateTakeTooLow);
        }
        self.set_take(hotkey, take);
        self.emit(Event::TakeDecreased { coldkey, hotkey, take });
        Ok(())
    }

    /// A change in either way counts for the rate limit.
    fn set_take(&mut self, hotkey: Hotkey, take: u16) {
        let block = self.block;
        self.put(&TAKE, &hotkey, &take);
        self.put(&TAKE_CHANGED_AT, &hotkey, &block);
    }

    /// What a hotkey weighs on a subnet: the alpha that counts for it, and such TAO on root times the chain's weight
    /// for it. Source: `get_stake_weights_for_network` in `staking/stake_utils.rs`.
    pub(crate) fn stake_weight_of(&self, hotkey: Hotkey, netuid: NetUid) -> u64 {
        let tao = u128::from(self.inherited(hotkey, netuid, NetUid::ROOT));
        let weighted = tao * u128::from(self.settings.tao_weight) / u128::from(u64::MAX);
        let weighted = u64::try_from(weighted).expect("the weight is at most 1");
        self.inherited(hotkey, netuid, netuid).saturating_add(weighted)
    }
}
