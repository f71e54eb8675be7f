//! Stake that changes its hotkey, coldkey or subnet, goes all at once, or is destroyed.

use chain::ModuleError;
use primitives::{AccountId, AlphaRao, Coldkey, Hotkey, NetUid, Rao};

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    pool::PriceLimit,
    storage::items::{ALPHA_UNASSIGNED, BURNED_STAKE_AT, SUBNET_ALPHA_OUT},
};

/// Where stake lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) coldkey: Coldkey,
    pub(crate) hotkey: Hotkey,
    pub(crate) netuid: NetUid,
}

/// What becomes of alpha that its holder destroys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destroyed {
    /// It may be emitted again.
    Recycled,
    /// It counts as issued for ever.
    Burned,
}

impl Ledger {
    /// Source: `do_unstake_all`: subnets where it is impossible are left out.
    pub(crate) fn unstake_all(&mut self, origin: Origin, hotkey: Hotkey) -> Dispatch {
        let coldkey = origin.signed()?;
        self.ensure_hotkey_account(hotkey)?;
        for netuid in std::iter::once(NetUid::ROOT).chain(self.subnets()) {
            self.unstake_if_possible(coldkey, hotkey, netuid);
        }
        Ok(())
    }

    /// Source: `do_unstake_all_alpha`: the TAO is staked on root with the same hotkey.
    pub(crate) fn unstake_all_alpha(&mut self, origin: Origin, hotkey: Hotkey) -> Dispatch {
        let coldkey = origin.signed()?;
        self.ensure_hotkey_account(hotkey)?;
        let mut tao = Rao::ZERO;
        for netuid in self.subnets() {
            tao = tao.saturating_add(self.unstake_if_possible(coldkey, hotkey, netuid));
        }
        if tao.is_zero() {
            return Err(ModuleError::AmountTooLow);
        }
        if !self.can_pay(coldkey, tao) {
            return Err(ModuleError::NotEnoughBalanceToStake);
        }
        self.stake_into_subnet(coldkey, hotkey, NetUid::ROOT, tao).map(|_| ())
    }

    fn unstake_if_possible(&mut self, coldkey: AccountId, hotkey: Hotkey, netuid: NetUid) -> Rao {
        let held = self.alpha_of(hotkey, Coldkey(coldkey), netuid);
        if self.ensure_subtoken(netuid).is_err() || held.is_zero() {
            return Rao::ZERO;
        }
        let mark = self.mark();
        self.unstake_from_subnet(coldkey, hotkey, netuid, held).unwrap_or_else(|_| {
            self.roll_back(mark);
            Rao::ZERO
        })
    }

    /// Source: `do_remove_stake_full_limit`.
    pub(crate) fn remove_stake_full(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        netuid: NetUid,
        limit: Option<Rao>,
    ) -> Dispatch {
        self.ensure_subnet(netuid)?;
        let held = self.alpha_of(hotkey, Coldkey(origin.signed()?), netuid);
        match limit {
            Some(price) => {
                let limit = PriceLimit { price, allow_partial: false };
                self.remove_stake_limit(origin, hotkey, netuid, held, limit)
            }
            None => self.remove_stake(origin, hotkey, netuid, held),
        }
    }

    /// Source: `do_move_stake` in `staking/move_stake.rs`.
    pub(crate) fn move_stake(
        &mut self,
        origin: Origin,
        (from, from_net): (Hotkey, NetUid),
        (to, to_net): (Hotkey, NetUid),
        amount: AlphaRao,
    ) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        let source = Holding { coldkey, hotkey: from, netuid: from_net };
        let target = Holding { coldkey, hotkey: to, netuid: to_net };
        let tao = self.transition(source, target, amount, None)?;
        self.emit(Event::StakeMoved {
            coldkey,
            origin_hotkey: from,
            origin_netuid: from_net,
            destination_hotkey: to,
            destination_netuid: to_net,
            tao,
        });
        Ok(())
    }

    /// Source: `do_transfer_stake`.
    pub(crate) fn transfer_stake(
        &mut self,
        origin: Origin,
        destination_coldkey: Coldkey,
        hotkey: Hotkey,
        (from, to): (NetUid, NetUid),
        amount: AlphaRao,
    ) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        let source = Holding { coldkey, hotkey, netuid: from };
        let target = Holding { coldkey: destination_coldkey, hotkey, netuid: to };
        let tao = self.transition(source, target, amount, None)?;
        self.emit(Event::StakeTransferred {
            origin_coldkey: coldkey,
            destination_coldkey,
            hotkey,
            origin_netuid: from,
            destination_netuid: to,
            tao,
        });
        Ok(())
    }

    /// Source: `do_swap_stake`, `do_swap_stake_limit`.
    pub(crate) fn swap_stake(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        (from, to): (NetUid, NetUid),
        amount: AlphaRao,
        limit: Option<PriceLimit>,
    ) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        let source = Holding { coldkey, hotkey, netuid: from };
        let target = Holding { coldkey, hotkey, netuid: to };
        let tao = self.transition(source, target, amount, limit)?;
        self.emit(Event::StakeSwapped { coldkey, hotkey, origin_netuid: from, destination_netuid: to, tao });
        Ok(())
    }

    /// Source: `validate_stake_transition`, in its order.
    fn check_transition(&self, from: Holding, to: Holding, amount: AlphaRao) -> Dispatch {
        if from == to {
            return Err(ModuleError::SameNetuid);
        }
        self.ensure_subnet(from.netuid)?;
        self.ensure_subnet(to.netuid)?;
        self.ensure_subtoken(from.netuid)?;
        self.ensure_subtoken(to.netuid)?;
        self.ensure_hotkey_account(from.hotkey)?;
        self.ensure_hotkey_account(to.hotkey)?;
        if amount > self.alpha_of(from.hotkey, from.coldkey, from.netuid) {
            return Err(ModuleError::NotEnoughStakeToWithdraw);
        }
        let sold = self.quote_sale(from.netuid, amount).ok_or(ModuleError::InsufficientLiquidity)?;
        if sold.tao <= self.settings.min_stake {
            return Err(ModuleError::AmountTooLow);
        }
        let handed_on = from.coldkey != to.coldkey;
        let allowed = |netuid| self.hyperparameters(netuid).transfers_enabled;
        if handed_on && !(allowed(from.netuid) && allowed(to.netuid)) {
            return Err(ModuleError::TransferDisallowed);
        }
        Ok(())
    }

    /// Moves stake and returns what it is worth. Within a subnet shares change hands; across subnets it is sold and
    /// bought, for one fee. Source: `transition_stake_internal`.
    fn transition(
        &mut self,
        from: Holding,
        to: Holding,
        amount: AlphaRao,
        limit: Option<PriceLimit>,
    ) -> Result<Rao, ModuleError> {
        let most = match limit {
            Some(limit) if from.netuid != to.netuid => {
                self.most_to_move(from.netuid, to.netuid, limit.price)?
            }
            _ => amount,
        };
        self.check_transition(from, to, amount)?;
        if amount > most && limit.is_some_and(|limit| !limit.allow_partial) {
            return Err(ModuleError::SlippageTooHigh);
        }
        let amount = amount.min(most);
        if from.netuid == to.netuid {
            let moved = self.take_alpha(from.hotkey, from.coldkey, from.netuid, amount);
            self.add_alpha(to.hotkey, to.coldkey, to.netuid, moved);
            self.note_staking_hotkey(to.coldkey, to.hotkey);
            return Ok(self.worth_at_price(from.netuid, moved));
        }
        let alpha = self.take_alpha(from.hotkey, from.coldkey, from.netuid, amount);
        let sale = self.sell_alpha(from.netuid, alpha).ok_or(ModuleError::InsufficientLiquidity)?;
        let (sold, fee) = (sale.tao, sale.fee);
        let (coldkey, hotkey, netuid) = (from.coldkey, from.hotkey, from.netuid);
        self.emit(Event::StakeRemoved { coldkey, hotkey, netuid, tao: sold, alpha, fee });
        if sold < self.settings.min_stake {
            self.deposit(to.coldkey.0, sold);
            return Ok(sold);
        }
        // The fee was paid at the sale, where there was one.
        let (bought, fee) = if from.netuid == NetUid::ROOT {
            let bought = self.buy_alpha(to.netuid, sold).ok_or(ModuleError::InsufficientLiquidity)?;
            (bought.alpha, bought.fee)
        } else {
            let bought = self.buy_alpha_without_fee(to.netuid, sold);
            (bought.ok_or(ModuleError::InsufficientLiquidity)?, Rao::ZERO)
        };
        if bought.is_zero() {
            return Err(ModuleError::AmountTooLow);
        }
        self.add_alpha(to.hotkey, to.coldkey, to.netuid, bought);
        self.note_staking_hotkey(to.coldkey, to.hotkey);
        let (coldkey, hotkey, netuid) = (to.coldkey, to.hotkey, to.netuid);
        self.emit(Event::StakeAdded { coldkey, hotkey, netuid, tao: sold, alpha: bought, fee });
        Ok(sold)
    }

    fn worth_at_price(&self, netuid: NetUid, alpha: AlphaRao) -> Rao {
        let alpha = substrate_fixed::types::U64F64::saturating_from_num(alpha.0);
        Rao(self.alpha_price(netuid).saturating_mul(alpha).saturating_to_num())
    }

    /// The most alpha that can be moved until the ratio of the prices reaches `limit`, in billionths: found by halving,
    /// since the sale and the purchase both move it. Source: `get_max_amount_move`.
    fn most_to_move(&self, from: NetUid, to: NetUid, limit: Rao) -> Result<AlphaRao, ModuleError> {
        let fits = |alpha: u64| {
            self.ratio_after_move(from, to, AlphaRao(alpha)).is_some_and(|ratio| ratio >= limit.0)
        };
        if !fits(0) {
            return Err(ModuleError::PriceLimitExceeded);
        }
        let (mut low, mut high) = (0u64, u64::MAX);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle) { low = middle } else { high = middle }
        }
        if low == 0 { Err(ModuleError::PriceLimitExceeded) } else { Ok(AlphaRao(low)) }
    }

    /// Origin's price over destination's after such a move, in billionths; none where a pool can't serve it.
    fn ratio_after_move(&self, from: NetUid, to: NetUid, alpha: AlphaRao) -> Option<u64> {
        let tao = self.quote_sale_without_fee_or_root(from, alpha)?;
        let sold = self.price_after(from, tao.0.into(), alpha.0.into(), false)?;
        let got = if to == NetUid::ROOT { AlphaRao(tao.0) } else { self.quote_purchase(to, tao)?.alpha };
        let bought = self.price_after(to, tao.0.into(), got.0.into(), true)?;
        let ratio = sold.checked_div(bought)?;
        let billionths = ratio.saturating_mul(substrate_fixed::types::U64F64::from_num(1_000_000_000u64));
        Some(billionths.saturating_to_num())
    }

    fn quote_sale_without_fee_or_root(&self, netuid: NetUid, alpha: AlphaRao) -> Option<Rao> {
        if netuid == NetUid::ROOT { Some(Rao(alpha.0)) } else { self.quote_sale_without_fee(netuid, alpha) }
    }

    /// Source: `do_recycle_alpha`, `do_burn_alpha` in `staking/recycle_alpha.rs`.
    pub(crate) fn destroy_alpha(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        amount: AlphaRao,
        netuid: NetUid,
        how: Destroyed,
    ) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        self.ensure_subnet(netuid)?;
        if netuid == NetUid::ROOT {
            return Err(ModuleError::CannotBurnOrRecycleOnRootSubnet);
        }
        self.ensure_subtoken(netuid)?;
        self.ensure_hotkey_account(hotkey)?;
        let amount = amount.min(self.alpha_of(hotkey, coldkey, netuid));
        if self.read(&SUBNET_ALPHA_OUT, &netuid) < amount {
            return Err(ModuleError::InsufficientLiquidity);
        }
        let amount = self.take_alpha(hotkey, coldkey, netuid, amount);
        match how {
            Destroyed::Recycled => {
                self.update(&SUBNET_ALPHA_OUT, &netuid, |out| *out = out.saturating_sub(amount));
                self.emit(Event::AlphaRecycled { coldkey, hotkey, amount, netuid });
            }
            Destroyed::Burned => {
                self.update(&ALPHA_UNASSIGNED, &netuid, |all| *all = all.saturating_add(amount));
                self.emit(Event::AlphaBurned { coldkey, hotkey, amount, netuid });
            }
        }
        Ok(())
    }

    /// Buys alpha and burns it: once in a tempo on each subnet, whoever does it. Source: `do_add_stake_burn`.
    pub(crate) fn add_stake_burn(
        &mut self,
        origin: Origin,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: Rao,
        limit: Option<Rao>,
    ) -> Dispatch {
        origin.signed()?;
        let last = self.read(&BURNED_STAKE_AT, &netuid);
        let tempo = u64::from(self.hyperparameters(netuid).tempo);
        if last > 0 && self.block.saturating_sub(last) < tempo {
            return Err(ModuleError::AddStakeBurnRateLimitExceeded);
        }
        let alpha = match limit {
            Some(price) => {
                let limit = PriceLimit { price, allow_partial: false };
                self.add_stake_limit(origin, hotkey, netuid, amount, limit)?
            }
            None => self.add_stake(origin, hotkey, netuid, amount)?,
        };
        self.destroy_alpha(origin, hotkey, alpha, netuid, Destroyed::Burned)?;
        let block = self.block;
        self.put(&BURNED_STAKE_AT, &netuid, &block);
        self.emit(Event::AddStakeBurn { netuid, hotkey, amount, alpha });
        Ok(())
    }
}
