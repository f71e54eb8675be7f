//! A value that many hold shares in, and the decimal numbers that shares are counted in.
//!
//! Whoever adds to the value gets shares at the present price, whoever takes from it gives shares back; what is added
//! for all raises the price and leaves the shares. Amounts are rounded down and shares are cut to 21 digits, so that a
//! holder who takes everything may keep a last digit of shares, worth nothing. Every digit is the real chain's.
//! Source: crate `share-pool` in `primitives/share-pool`.

use parity_scale_codec::{Decode, Encode, Error, Input};

/// The largest mantissa; a tenth of it is too small for one. Source: `SAFE_FLOAT_MAX`.
const MAX_MANTISSA: u128 = 10_u128.pow(21);
/// Decimal places over which the smaller of two summands still counts. Source: `capped_pow10`.
const MAX_SHIFT: u32 = 22;
/// Half of the bits that a mantissa takes.
const HALF_BITS: u32 = 35;

/// A number of shares: `mantissa · 10^exponent`.
///
/// Zero is 0 · 10⁰; every other number has a mantissa above 10²⁰ and up to 10²¹.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode)]
pub struct SafeFloat {
    mantissa: u128,
    exponent: i64,
}

impl Decode for SafeFloat {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let (mantissa, exponent) = Decode::decode(input)?;
        let number = Self { mantissa, exponent };
        let is_normal = mantissa <= MAX_MANTISSA && Self::normal(mantissa, exponent) == Some(number);
        if is_normal { Ok(number) } else { Err("a number of shares that is not normalised".into()) }
    }
}

impl From<u64> for SafeFloat {
    fn from(whole: u64) -> Self {
        Self::normal(whole.into(), 0).expect("20 digits move an exponent of 0 by at most 21")
    }
}

impl SafeFloat {
    /// The digits.
    #[must_use]
    pub fn mantissa(self) -> u128 {
        self.mantissa
    }

    /// The power of ten that they are multiplied by.
    #[must_use]
    pub fn exponent(self) -> i64 {
        self.exponent
    }

    /// Whether it is nothing at all.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The whole shares in it, at most what fits.
    #[must_use]
    pub fn whole(self) -> u64 {
        if self.exponent >= 0 {
            // A mantissa other than 0 exceeds 64 bits by itself.
            return if self.is_zero() { 0 } else { u64::MAX };
        }
        u64::try_from(shifted(self.mantissa, self.exponent.unsigned_abs())).unwrap_or(u64::MAX)
    }

    /// Moves the point until the mantissa is in its range, cutting off digits; none where the exponent overflows.
    /// Source: `SafeFloat::normalize`.
    fn normal(mut mantissa: u128, mut exponent: i64) -> Option<Self> {
        if mantissa == 0 {
            return Some(Self::default());
        }
        while mantissa > MAX_MANTISSA {
            mantissa /= 10;
            exponent = exponent.checked_add(1)?;
        }
        while mantissa <= MAX_MANTISSA / 10 {
            mantissa *= 10;
            exponent = exponent.checked_sub(1)?;
        }
        Some(Self { mantissa, exponent })
    }

    /// Both mantissas at the larger exponent. Source: `SafeFloat::add`, `SafeFloat::sub`.
    fn aligned(self, other: Self) -> (u128, u128, i64) {
        let apart = self.exponent.abs_diff(other.exponent);
        if self.exponent >= other.exponent {
            (self.mantissa, shifted(other.mantissa, apart), self.exponent)
        } else {
            (shifted(self.mantissa, apart), other.mantissa, other.exponent)
        }
    }

    /// The sum; none where the exponent overflows.
    #[must_use]
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        if self.is_zero() || other.is_zero() {
            return Some(if self.is_zero() { other } else { self });
        }
        let (own, added, exponent) = self.aligned(other);
        Self::normal(own + added, exponent)
    }

    /// The difference, at least 0; none where nothing is left to take from, or the exponent overflows.
    #[must_use]
    fn checked_sub(self, other: Self) -> Option<Self> {
        if other.is_zero() {
            return Some(self);
        }
        if self.is_zero() {
            return None;
        }
        let (own, taken, exponent) = self.aligned(other);
        Self::normal(own.saturating_sub(taken), exponent)
    }

    /// `self · factor / divisor`; none where the divisor is 0 or the exponent overflows. Source: `SafeFloat::mul_div`.
    #[must_use]
    fn mul_div(self, factor: Self, divisor: Self) -> Option<Self> {
        let exponent = self.exponent.checked_add(factor.exponent)?.checked_sub(divisor.exponent)?;
        Self::normal(mul_div(self.mantissa, factor.mantissa, divisor.mantissa)?, exponent)
    }
}

/// `mantissa` without its last `places` digits.
fn shifted(mantissa: u128, places: u64) -> u128 {
    let places = u32::try_from(places).unwrap_or(MAX_SHIFT).min(MAX_SHIFT);
    mantissa / 10_u128.pow(places)
}

/// `⌊a · b / divisor⌋` of mantissas, whose product has up to 140 bits: `a`'s upper half first, then its lower half
/// with the rest of the first division, each within 128 bits. None where the divisor is 0.
fn mul_div(a: u128, b: u128, divisor: u128) -> Option<u128> {
    let (upper, lower) = (a >> HALF_BITS, a & ((1 << HALF_BITS) - 1));
    let product = upper * b;
    let (quotient, rest) = (product.checked_div(divisor)?, product % divisor);
    Some((quotient << HALF_BITS) + ((rest << HALF_BITS) + lower * b) / divisor)
}

/// A value and all shares in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SharePool {
    /// What all shares are worth together.
    pub(crate) value: u64,
    /// All shares.
    pub(crate) shares: SafeFloat,
}

impl SharePool {
    /// What `own` shares are worth, rounded down. Source: `SharePool::get_value`.
    pub(crate) fn worth(&self, own: SafeFloat) -> u64 {
        SafeFloat::from(self.value).mul_div(own, self.shares).map_or(0, SafeFloat::whole)
    }

    /// The shares that `amount` is worth; none without a value. Source: `SharePool::shares_for_value_update`.
    fn shares_of(&self, amount: u64) -> SafeFloat {
        SafeFloat::from(amount).mul_div(self.shares, self.value.into()).unwrap_or_default()
    }

    /// Whether `amount` would buy any shares at all. Source: `SharePool::sim_update_value_for_one`.
    pub(crate) fn sells_for(&self, amount: u64) -> bool {
        self.shares.is_zero() || !self.shares_of(amount).is_zero()
    }

    /// Adds `amount` for one holder, who has `own` shares; returns the shares that it has then. Into an empty pool
    /// one share goes for each part of the amount. Source: `SharePool::update_value_for_one`.
    #[must_use]
    pub(crate) fn add(&mut self, own: SafeFloat, amount: u64) -> SafeFloat {
        let own = if self.shares.is_zero() {
            self.shares = amount.into();
            self.shares
        } else {
            let bought = self.shares_of(amount);
            self.shares = self.shares.checked_add(bought).unwrap_or(self.shares);
            own.checked_add(bought).unwrap_or(own)
        };
        self.add_for_all(amount);
        own
    }

    /// Takes `amount` for one holder with `own` shares, which must be worth it; returns the shares that it has then.
    /// Source: `SharePool::update_value_for_one`.
    #[must_use]
    pub(crate) fn take(&mut self, own: SafeFloat, amount: u64) -> SafeFloat {
        let sold = self.shares_of(amount);
        self.shares = self.shares.checked_sub(sold).unwrap_or(self.shares);
        self.value = self.value.saturating_sub(amount);
        own.checked_sub(sold).unwrap_or(own)
    }

    /// Raises what every share is worth. Source: `SharePool::update_value_for_all`.
    pub(crate) fn add_for_all(&mut self, amount: u64) {
        self.value = self.value.saturating_add(amount);
    }
}

#[cfg(test)]
mod tests {
    use parity_scale_codec::DecodeAll;
    use proptest::prelude::*;

    use super::*;

    fn number(mantissa: u128, exponent: i64) -> SafeFloat {
        let number = SafeFloat { mantissa, exponent };
        assert_eq!(SafeFloat::normal(mantissa, exponent), Some(number));
        number
    }

    #[test]
    fn whole_numbers_come_back() {
        for whole in [0, 1, 9, 10, 1_000_000_000, u64::MAX] {
            assert_eq!(SafeFloat::from(whole).whole(), whole);
        }
        assert_eq!(SafeFloat::from(1), number(MAX_MANTISSA, -21));
        assert_eq!(SafeFloat::from(2), number(2 * 10_u128.pow(20), -20));
        assert_eq!(number(MAX_MANTISSA, 0).whole(), u64::MAX);
        assert_eq!(number(MAX_MANTISSA, i64::MIN).whole(), 0);
    }

    #[test]
    fn sums_are_cut_to_21_digits() {
        let one = SafeFloat::from(1);
        assert_eq!(one.checked_add(number(MAX_MANTISSA, -40)), Some(number(MAX_MANTISSA / 10 + 10, -20)));
        assert_eq!(one.checked_add(number(MAX_MANTISSA, -41)), Some(number(MAX_MANTISSA / 10 + 1, -20)));
        assert_eq!(one.checked_add(number(MAX_MANTISSA, -43)), Some(one));
        assert_eq!(one.checked_sub(one), Some(SafeFloat::default()));
        assert_eq!(SafeFloat::from(5).checked_sub(SafeFloat::from(7)), Some(SafeFloat::default()));
        assert_eq!(SafeFloat::default().checked_sub(one), None);
        assert_eq!(number(MAX_MANTISSA, i64::MAX).checked_add(number(MAX_MANTISSA, i64::MAX)), None);
    }

    #[test]
    fn only_normalised_numbers_are_decoded() {
        let check = |mantissa: u128, exponent: i64, expect| {
            let bytes = (mantissa, exponent).encode();
            assert_eq!(SafeFloat::decode_all(&mut &bytes[..]).is_ok(), expect, "{mantissa} {exponent}");
        };
        check(0, 0, true);
        check(0, 1, false);
        check(1, 0, false);
        check(MAX_MANTISSA / 10, 0, false);
        check(MAX_MANTISSA / 10 + 1, 0, true);
        check(MAX_MANTISSA, -5, true);
        check(MAX_MANTISSA + 1, 0, false);
        check(u128::MAX, i64::MAX, false);
    }

    /// Stakes and shares of a running chain of spec 425: a purchase, and a sale by one of two holders.
    #[test]
    fn shares_are_sold_and_taken_back_as_observed() {
        let own = number(981_748_334_870_395_104_087, -11);
        let mut pool = SharePool { value: 66_339_940_350, shares: own };
        let own = pool.add(own, 89_903_466_565);
        let expect = number(231_220_745_397_126_101_024, -10);
        assert_eq!((own, pool), (expect, SharePool { value: 156_243_406_915, shares: expect }));

        let own = number(241_159_483_685_181_841_373, -10);
        let mut pool = SharePool { value: 192_438_622_205, shares: number(261_867_982_781_532_451_580, -10) };
        let own = pool.take(own, 1_000_000_000);
        assert_eq!(own, number(239_798_696_646_795_279_300, -10));
        let expect = number(260_507_195_743_145_889_507, -10);
        assert_eq!(pool, SharePool { value: 191_438_622_205, shares: expect });
    }

    proptest! {
        #[test]
        fn mul_div_undoes_multiplication(a in 0..=MAX_MANTISSA, b in 1..=MAX_MANTISSA, less in 0..=MAX_MANTISSA) {
            prop_assert_eq!(mul_div(a, b, b), Some(a));
            let a = a >> 8;
            let b = b >> 8;
            prop_assert_eq!(mul_div(a, b, less.max(1)), (a * b).checked_div(less.max(1)));
            prop_assert_eq!(mul_div(a, b, 0), None);
        }

        /// While somebody stays, all holders together can take the value and no more than it, but for one each.
        #[test]
        fn a_pool_is_worth_what_its_holders_can_take(
            changes in prop::collection::vec((0usize..4, any::<bool>(), 1u64..10_u64.pow(15)), 0..60)
        ) {
            let mut pool = SharePool::default();
            let mut own = [SafeFloat::default(); 4];
            own[3] = pool.add(own[3], 10_u64.pow(9));
            for (who, adds, amount) in changes {
                match own.get_mut(who).filter(|_| who < 3) {
                    None => pool.add_for_all(amount),
                    Some(own) if adds => *own = pool.add(*own, amount),
                    Some(own) => *own = pool.take(*own, amount.min(pool.worth(*own))),
                }
                let worth: u64 = own.iter().map(|own| pool.worth(*own)).sum();
                prop_assert!(worth.abs_diff(pool.value) <= 4, "{worth} of {}", pool.value);
            }
        }
    }
}
