//! Stake: alpha held with hotkeys by coldkeys as shares, TAO itself on root; takes.
//!
//! All that is staked with a hotkey on a subnet is one amount, of which each coldkey holds shares (`U64F64`). A
//! dividend for nominators raises the amount and leaves the shares.

use chain::ModuleError;
use primitives::{AccountId, AlphaRao, Coldkey, Hotkey, NetUid, Rao};

use crate::{
    Event,
    ledger::{Dispatch, Ledger},
    pool::fee_of,
    storage::items::{
        ALPHA, Bits, HOTKEY_ALPHA, HOTKEY_SHARES, OWNER, SUBNET_ALPHA_OUT, SUBNET_TAO, SUBTOKEN_ENABLED, TAKE,
    },
};

/// Fractional bits of a share.
const SHARE_FRACTION_BITS: u32 = 64;

/// `⌊a · b / divisor⌋`, at most what fits; 0 where the divisor is 0.
fn mul_div(a: Bits, b: u64, divisor: Bits) -> Bits {
    if divisor == 0 {
        return 0;
    }
    // a · b as two halves, then long division bit by bit: 192 bits over 128.
    let low = (a & u128::from(u64::MAX)) * u128::from(b);
    let high = (a >> 64) * u128::from(b) + (low >> 64);
    let low = u64::try_from(low & u128::from(u64::MAX)).expect("masked to 64 bits");
    let (mut quotient, mut rest) = (high / divisor, high % divisor);
    for bit in (0..64).rev() {
        let carry = rest >> 127 == 1;
        rest = (rest << 1) | u128::from(low >> bit & 1);
        let fits = carry || rest >= divisor;
        if fits {
            rest = rest.wrapping_sub(divisor);
        }
        if quotient >> 127 == 1 {
            return Bits::MAX;
        }
        quotient = (quotient << 1) | u128::from(fits);
    }
    quotient
}

impl Ledger {
    /// Alpha (on root, TAO) staked with a hotkey, all coldkeys together.
    pub(crate) fn hotkey_alpha(&self, hotkey: Hotkey, netuid: NetUid) -> AlphaRao {
        self.read(&HOTKEY_ALPHA, &(hotkey, netuid))
    }

    /// What one coldkey's shares are worth.
    pub(crate) fn alpha_of(&self, hotkey: Hotkey, coldkey: Coldkey, netuid: NetUid) -> AlphaRao {
        let shares = self.read(&ALPHA, &(hotkey, coldkey, netuid));
        let all = self.read(&HOTKEY_SHARES, &(hotkey, netuid));
        let worth = mul_div(shares, self.hotkey_alpha(hotkey, netuid).0, all);
        AlphaRao(u64::try_from(worth).unwrap_or(u64::MAX))
    }

    /// Adds alpha for one coldkey. Source: `increase_stake_for_hotkey_and_coldkey_on_subnet`.
    pub(crate) fn add_alpha(&mut self, hotkey: Hotkey, coldkey: Coldkey, netuid: NetUid, amount: AlphaRao) {
        if amount.is_zero() {
            return;
        }
        let pool = (hotkey, netuid);
        let (staked, all) = (self.read(&HOTKEY_ALPHA, &pool), self.read(&HOTKEY_SHARES, &pool));
        let fresh = u128::from(amount.0) << SHARE_FRACTION_BITS;
        let shares =
            if staked.is_zero() || all == 0 { fresh } else { mul_div(all, amount.0, staked.0.into()) };
        self.put(&HOTKEY_ALPHA, &pool, &staked.saturating_add(amount));
        self.put(&HOTKEY_SHARES, &pool, &all.saturating_add(shares));
        self.update(&ALPHA, &(hotkey, coldkey, netuid), |own| *own = own.saturating_add(shares));
    }

    /// Adds alpha for all who hold shares with a hotkey. Source: `increase_stake_for_hotkey_on_subnet`.
    ///
    /// Without shares nobody would own it: it is handed back.
    #[must_use]
    pub(crate) fn add_for_nominators(
        &mut self,
        hotkey: Hotkey,
        netuid: NetUid,
        amount: AlphaRao,
    ) -> AlphaRao {
        if self.read(&HOTKEY_SHARES, &(hotkey, netuid)) == 0 {
            return amount;
        }
        self.update(&HOTKEY_ALPHA, &(hotkey, netuid), |all| *all = all.saturating_add(amount));
        AlphaRao::ZERO
    }

    /// Takes alpha from one coldkey, at most what its shares are worth; returns what was taken.
    fn take_alpha(&mut self, hotkey: Hotkey, coldkey: Coldkey, netuid: NetUid, amount: AlphaRao) -> AlphaRao {
        let (pool, holding) = ((hotkey, netuid), (hotkey, coldkey, netuid));
        let (staked, all) = (self.read(&HOTKEY_ALPHA, &pool), self.read(&HOTKEY_SHARES, &pool));
        let (own, worth) = (self.read(&ALPHA, &holding), self.alpha_of(hotkey, coldkey, netuid));
        let amount = amount.min(worth);
        let shares = if amount == worth { own } else { mul_div(all, amount.0, staked.0.into()).min(own) };
        let rest = staked.saturating_sub(amount);
        if own == shares {
            self.remove(&ALPHA, &holding);
        } else {
            self.put(&ALPHA, &holding, &(own - shares));
        }
        if all == shares {
            self.remove(&HOTKEY_SHARES, &pool);
        } else {
            self.put(&HOTKEY_SHARES, &pool, &(all - shares));
        }
        if all == shares && rest.is_zero() {
            self.remove(&HOTKEY_ALPHA, &pool);
        } else {
            self.put(&HOTKEY_ALPHA, &pool, &rest);
        }
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
        let (alpha, fee) = if netuid == NetUid::ROOT {
            self.update(&SUBNET_TAO, &netuid, |tao| *tao = tao.saturating_add(amount));
            self.update(&SUBNET_ALPHA_OUT, &netuid, |out| *out = out.saturating_add(AlphaRao(amount.0)));
            (AlphaRao(amount.0), Rao::ZERO)
        } else {
            let bought = self.buy_alpha(netuid, amount).ok_or(ModuleError::InsufficientLiquidity)?;
            (bought.alpha, bought.fee)
        };
        let coldkey = Coldkey(origin);
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
        let is_root = netuid == NetUid::ROOT;
        let worth = if is_root {
            Rao(amount.0)
        } else {
            self.quote_sale(netuid, amount).ok_or(ModuleError::InsufficientLiquidity)?.tao
        };
        if amount < held && worth < self.settings.min_stake {
            return Err(ModuleError::AmountTooLow);
        }
        // An account with nothing else would start below the existential deposit.
        if self.balance(origin).saturating_add(worth) < self.settings.existential_deposit {
            return Err(ModuleError::AmountTooLow);
        }
        self.ensure_hotkey_account(hotkey)?;
        let alpha = self.take_alpha(hotkey, coldkey, netuid, amount);
        let (tao, fee) = if is_root {
            let tao = Rao(alpha.0);
            self.update(&SUBNET_TAO, &netuid, |all| *all = all.saturating_sub(tao));
            self.update(&SUBNET_ALPHA_OUT, &netuid, |out| *out = out.saturating_sub(alpha));
            (tao, AlphaRao::ZERO)
        } else {
            let sold = self.sell_alpha(netuid, alpha).ok_or(ModuleError::InsufficientLiquidity)?;
            (sold.tao, sold.fee)
        };
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn mul_div_undoes_multiplication(a: u64, b in 1u64.., c in 1u64..) {
            let product = u128::from(a) * u128::from(c);
            prop_assert_eq!(mul_div(product, b, u128::from(c)), u128::from(a) * u128::from(b));
            prop_assert_eq!(mul_div(u128::from(a), b, u128::from(c)), u128::from(a) * u128::from(b) / u128::from(c));
        }
    }

    #[test]
    fn mul_div_holds_192_bits() {
        assert_eq!(mul_div(u128::MAX, u64::MAX, u128::MAX), u128::from(u64::MAX));
        assert_eq!(mul_div(u128::MAX, 2, 1), u128::MAX);
        assert_eq!(mul_div(5, 5, 0), 0);
    }
}
