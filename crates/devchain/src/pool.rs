//! A subnet's pool: TAO against alpha at constant product, with the swap's fee.
//!
//! A swap of `x` into a reserve `X` pays out `⌊Y · x / (X + x)⌋` of the reserve `Y`. Fees leave the pool: TAO that
//! was paid as a fee stays with the subnet outside its reserve, alpha that was paid as a fee is sold for such TAO.
//! On root alpha is TAO: both change hands at par, without a fee, and are booked as elsewhere.

use chain::ModuleError;
use primitives::{AlphaRao, NetUid, Rao};
use substrate_fixed::types::U64F64;

use crate::{
    ledger::Ledger,
    storage::items::{
        SUBNET_ALPHA_IN, SUBNET_ALPHA_OUT, SUBNET_TAO, SUBNET_VOLUME, SWAP_FEES, TAO_FLOW, TOTAL_STAKE,
    },
};

/// `⌊a · b / divisor⌋`, at most what fits; 0 where the divisor is 0.
fn mul_div(a: u128, b: u64, divisor: u128) -> u128 {
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
            return u128::MAX;
        }
        quotient = (quotient << 1) | u128::from(fits);
    }
    quotient
}

/// A price in TAO per alpha.
pub(crate) type Price = U64F64;

/// The fee of a swap, in parts of [`FEE_DENOMINATOR`]. Source: observed on a running chain of spec 425.
const FEE_NUMERATOR: u64 = 33;
/// What the fee's parts are of.
const FEE_DENOMINATOR: u64 = 65_535;
/// A price of 1 in rao per alpha.
const RAO_PER_TAO: u64 = 1_000_000_000;

/// The fee on `amount`, rounded down.
pub(crate) fn fee_of(amount: u64) -> u64 {
    let fee = u128::from(amount) * u128::from(FEE_NUMERATOR) / u128::from(FEE_DENOMINATOR);
    u64::try_from(fee).expect("a fee is less than what it is taken of")
}

/// What has to be paid so that `net` is left of it. Source: `BasicSwapStep`, where a price limit is reached.
fn gross_of(net: u64) -> u64 {
    let fee = u128::from(net) * u128::from(FEE_NUMERATOR) / u128::from(FEE_DENOMINATOR - FEE_NUMERATOR);
    net.saturating_add(u64::try_from(fee).unwrap_or(u64::MAX))
}

/// How much can go into a reserve of `own` until it holds the square root of `square`; none if it holds as much.
fn room(own: u64, square: u128) -> Option<u64> {
    let room = square.isqrt().checked_sub(own.into()).filter(|room| *room > 0)?;
    Some(u64::try_from(room).unwrap_or(u64::MAX))
}

/// What the pool pays out of `other` for `amount` that goes into `own`; none where it can't pay.
fn swap(own: u64, other: u64, amount: u64) -> Option<u64> {
    let sum = u128::from(own) + u128::from(amount);
    let out = (u128::from(other) * u128::from(amount)).checked_div(sum)?;
    u64::try_from(sum).ok()?;
    let out = u64::try_from(out).ok()?;
    (out < other).then_some(out)
}

/// What a purchase of alpha came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bought {
    pub(crate) alpha: AlphaRao,
    pub(crate) fee: Rao,
}

/// A price beyond which the caller won't swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PriceLimit {
    /// In rao per alpha.
    pub(crate) price: Rao,
    /// Whether as much as it allows is swapped where it doesn't allow all.
    pub(crate) allow_partial: bool,
}

/// What a sale of alpha came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sold {
    /// For the seller.
    pub(crate) tao: Rao,
    /// The fee, in alpha.
    pub(crate) fee: AlphaRao,
    /// What the fee's alpha was sold for.
    pub(crate) fee_tao: Rao,
}

impl Ledger {
    /// The pool's price; 1 on root, 0 without alpha.
    pub(crate) fn alpha_price(&self, netuid: NetUid) -> Price {
        if netuid == NetUid::ROOT {
            return Price::from_num(1);
        }
        let tao = Price::saturating_from_num(self.read(&SUBNET_TAO, &netuid).0);
        let alpha = self.read(&SUBNET_ALPHA_IN, &netuid).0;
        tao.checked_div(Price::saturating_from_num(alpha)).unwrap_or_default()
    }

    /// The most TAO, fee included, that can be swapped for alpha until the price reaches `limit`. On root and where
    /// there is no subnet the price is always 1. Source: `get_max_amount_add`.
    pub(crate) fn most_to_buy(&self, netuid: NetUid, limit: Rao) -> Result<Rao, ModuleError> {
        if netuid == NetUid::ROOT || !self.subnet_exists(netuid) {
            return Ok(if limit.0 >= RAO_PER_TAO { Rao(u64::MAX) } else { Rao::ZERO });
        }
        let (tao, alpha) = (self.read(&SUBNET_TAO, &netuid).0, self.read(&SUBNET_ALPHA_IN, &netuid).0);
        // At constant product the reserve of TAO is √(TAO · alpha · price).
        let product = u128::from(tao) * u128::from(alpha);
        let net = room(tao, mul_div(product, limit.0, RAO_PER_TAO.into()));
        net.map(|net| Rao(gross_of(net))).ok_or(ModuleError::PriceLimitExceeded)
    }

    /// The most alpha, fee included, that can be swapped for TAO until the price reaches `limit`.
    /// Source: `get_max_amount_remove`.
    pub(crate) fn most_to_sell(&self, netuid: NetUid, limit: Rao) -> Result<AlphaRao, ModuleError> {
        if netuid == NetUid::ROOT || !self.subnet_exists(netuid) {
            return Ok(if limit.0 <= RAO_PER_TAO { AlphaRao(u64::MAX) } else { AlphaRao::ZERO });
        }
        if limit.is_zero() {
            return Ok(AlphaRao(u64::MAX));
        }
        let (tao, alpha) = (self.read(&SUBNET_TAO, &netuid).0, self.read(&SUBNET_ALPHA_IN, &netuid).0);
        let product = u128::from(tao) * u128::from(alpha);
        let net = room(alpha, mul_div(product, RAO_PER_TAO, limit.0.into()));
        net.map(|net| AlphaRao(gross_of(net))).ok_or(ModuleError::PriceLimitExceeded)
    }

    /// What [`Self::buy_alpha`] would come to.
    pub(crate) fn quote_purchase(&self, netuid: NetUid, tao: Rao) -> Option<Bought> {
        let (pool_tao, pool_alpha) =
            (self.read(&SUBNET_TAO, &netuid).0, self.read(&SUBNET_ALPHA_IN, &netuid).0);
        let fee = Rao(fee_of(tao.0));
        let alpha = AlphaRao(swap(pool_tao, pool_alpha, tao.saturating_sub(fee).0)?);
        Some(Bought { alpha, fee })
    }

    /// Swaps TAO for alpha, with the fee; the alpha counts as outside the pool, the TAO is already taken from
    /// its holder. None where the pool can't serve it.
    pub(crate) fn buy_alpha(&mut self, netuid: NetUid, tao: Rao) -> Option<Bought> {
        let fee = if netuid == NetUid::ROOT { Rao::ZERO } else { Rao(fee_of(tao.0)) };
        self.buy(netuid, tao, fee)
    }

    /// [`Self::buy_alpha`] as emission does it.
    pub(crate) fn buy_alpha_without_fee(&mut self, netuid: NetUid, tao: Rao) -> Option<AlphaRao> {
        self.buy(netuid, tao, Rao::ZERO).map(|bought| bought.alpha)
    }

    /// Source: `swap_tao_for_alpha` in `staking/stake_utils.rs`.
    fn buy(&mut self, netuid: NetUid, tao: Rao, fee: Rao) -> Option<Bought> {
        let (pool_tao, pool_alpha) = (self.read(&SUBNET_TAO, &netuid), self.read(&SUBNET_ALPHA_IN, &netuid));
        let paid = tao.saturating_sub(fee);
        let alpha =
            AlphaRao(if netuid == NetUid::ROOT { paid.0 } else { swap(pool_tao.0, pool_alpha.0, paid.0)? });
        self.put(&SUBNET_TAO, &netuid, &pool_tao.saturating_add(paid));
        self.put(&SUBNET_ALPHA_IN, &netuid, &pool_alpha.saturating_sub(alpha));
        self.update(&SUBNET_ALPHA_OUT, &netuid, |out| *out = out.saturating_add(alpha));
        self.update(&SWAP_FEES, &netuid, |fees| *fees = fees.saturating_add(fee));
        self.update(&TOTAL_STAKE, &(), |total| *total = total.saturating_add(tao));
        self.add_volume(netuid, tao);
        Some(Bought { alpha, fee })
    }

    fn add_volume(&mut self, netuid: NetUid, tao: Rao) {
        self.update(&SUBNET_VOLUME, &netuid, |volume| *volume = volume.saturating_add(tao.0.into()));
    }

    /// Notes that users brought TAO to a subnet. Source: `record_tao_inflow` in `coinbase/subnet_emissions.rs`.
    pub(crate) fn record_tao_inflow(&mut self, netuid: NetUid, tao: Rao) {
        let tao = i64::try_from(tao.0).unwrap_or(i64::MAX);
        self.update(&TAO_FLOW, &netuid, |flow| *flow = flow.saturating_add(tao));
    }

    /// Notes that users took TAO from a subnet. Source: `record_tao_outflow`.
    pub(crate) fn record_tao_outflow(&mut self, netuid: NetUid, tao: Rao) {
        let tao = i64::try_from(tao.0).unwrap_or(i64::MAX);
        self.update(&TAO_FLOW, &netuid, |flow| *flow = flow.saturating_sub(tao));
    }

    /// What [`Self::sell_alpha`] would come to.
    pub(crate) fn quote_sale(&self, netuid: NetUid, alpha: AlphaRao) -> Option<Sold> {
        if netuid == NetUid::ROOT {
            return Some(Sold { tao: Rao(alpha.0), fee: AlphaRao::ZERO, fee_tao: Rao::ZERO });
        }
        let (pool_tao, pool_alpha) =
            (self.read(&SUBNET_TAO, &netuid).0, self.read(&SUBNET_ALPHA_IN, &netuid).0);
        let fee = fee_of(alpha.0);
        let sold = alpha.0 - fee;
        let tao = swap(pool_alpha, pool_tao, sold)?;
        let fee_tao = swap(pool_alpha.checked_add(sold)?, pool_tao - tao, fee)?;
        Some(Sold { tao: Rao(tao), fee: AlphaRao(fee), fee_tao: Rao(fee_tao) })
    }

    /// What alpha would be sold for without a fee.
    pub(crate) fn quote_sale_without_fee(&self, netuid: NetUid, alpha: AlphaRao) -> Option<Rao> {
        let (tao, pool) = (self.read(&SUBNET_TAO, &netuid).0, self.read(&SUBNET_ALPHA_IN, &netuid).0);
        swap(pool, tao, alpha.0).map(Rao)
    }

    /// The price once `tao` and `alpha` have gone through the pool: by a purchase, or by a sale.
    pub(crate) fn price_after(
        &self,
        netuid: NetUid,
        tao: u128,
        alpha: u128,
        purchase: bool,
    ) -> Option<Price> {
        if netuid == NetUid::ROOT {
            return Some(Price::from_num(1));
        }
        let (pool_tao, pool_alpha) = (
            u128::from(self.read(&SUBNET_TAO, &netuid).0),
            u128::from(self.read(&SUBNET_ALPHA_IN, &netuid).0),
        );
        let (pool_tao, pool_alpha) = if purchase {
            (pool_tao.checked_add(tao)?, pool_alpha.checked_sub(alpha)?)
        } else {
            (pool_tao.checked_sub(tao)?, pool_alpha.checked_add(alpha)?)
        };
        Price::saturating_from_num(pool_tao).checked_div(Price::saturating_from_num(pool_alpha))
    }

    /// Books a sale: alpha comes into the pool from outside, TAO leaves it.
    pub(crate) fn move_sold(&mut self, netuid: NetUid, alpha: AlphaRao, tao: Rao) {
        self.update(&SUBNET_TAO, &netuid, |all| *all = all.saturating_sub(tao));
        self.update(&SUBNET_ALPHA_IN, &netuid, |pool| *pool = pool.saturating_add(alpha));
        self.update(&SUBNET_ALPHA_OUT, &netuid, |outside| *outside = outside.saturating_sub(alpha));
        self.update(&TOTAL_STAKE, &(), |total| *total = total.saturating_sub(tao));
        self.add_volume(netuid, tao);
    }

    /// Swaps alpha for TAO, with the fee; the alpha is already taken from its holder, the TAO is the caller's to
    /// hand on. None where the pool can't serve it. Source: `swap_alpha_for_tao`, `unstake_from_subnet`.
    pub(crate) fn sell_alpha(&mut self, netuid: NetUid, alpha: AlphaRao) -> Option<Sold> {
        let sold = self.quote_sale(netuid, alpha)?;
        self.move_sold(netuid, alpha, sold.tao.saturating_add(sold.fee_tao));
        self.update(&SWAP_FEES, &netuid, |fees| *fees = fees.saturating_add(sold.fee_tao));
        Some(sold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reserves and amounts of a running chain of spec 425.
    #[test]
    fn swaps_pay_what_was_observed() {
        assert_eq!(fee_of(965_936_321), 486_395);
        assert_eq!(swap(1_000_000_000_000, 1_000_000_000_000, 965_449_926), Some(964_518_731));
        assert_eq!(swap(1_005_601_582_124, 994_429_620_815, 99_949_645_228), Some(89_903_466_565));
        assert_eq!(swap(843_518_151_780, 1_185_510_943_535, 4_997_482_262), Some(6_982_275_486));
    }

    #[test]
    fn a_reserve_takes_what_brings_it_to_its_price() {
        // Reserves of 1000 each: at price 4 there are 2000 and 500.
        assert_eq!(room(1000, 1000 * 1000 * 4), Some(1000));
        assert_eq!(room(1000, 1000 * 1000), None);
        assert_eq!(room(1000, 0), None);
        assert_eq!(room(0, u128::MAX), Some(u64::MAX));
        assert_eq!(gross_of(65_502), 65_535);
        assert_eq!(fee_of(gross_of(1_000_000_000)), 503_801);
    }

    #[test]
    fn an_empty_pool_serves_nothing() {
        assert_eq!(swap(0, 0, 0), None);
        assert_eq!(swap(0, 5, 7), None);
        assert_eq!(swap(u64::MAX, 5, 1), None);
        assert_eq!(swap(10, 10, 0), Some(0));
    }
}
