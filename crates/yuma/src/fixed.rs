//! The chain's fixed-point operations on `I32F32`, with shortcuts that give the same bits.
//!
//! Each shortcut covers the operands that consensus meets (from 0 up to a few units) and leaves the others to
//! `substrate-fixed`; the tests hold both against each other.

use substrate_fixed::{transcendental, types::I32F32};

/// Zero.
pub(crate) const ZERO: I32F32 = I32F32::from_bits(0);
/// One.
pub(crate) const ONE: I32F32 = I32F32::from_bits(1 << 32);
/// What a stored u16 is a share of.
const U16_ONE: I32F32 = I32F32::from_bits((u16::MAX as i64) << 32);
/// Bound of the exponent. Source: the chain's `exp_safe`, which clamps to ±20 so that `e^x` fits 32 bits.
const EXP_BOUND: i64 = 20 << 32;
/// Terms of the series, the constant and linear one aside. Source: substrate-fixed's `exp`, `2..frac_nbits`.
const EXP_TERMS: std::ops::Range<u64> = 2..32;
/// `e^1`, which the library takes from a table with 23 fractional bits instead of the series.
const EXP_OF_ONE: i64 = (transcendental::E.to_bits() as i64) << (32 - 23);

/// `left / right` truncated; 0 where `right` is 0 or the quotient doesn't fit.
pub(crate) fn div(left: I32F32, right: I32F32) -> I32F32 {
    let (a, b) = (left.to_bits(), right.to_bits());
    // Below 2^31 the shifted dividend still fits 64 bits, and the quotient too.
    if let (Ok(a), Ok(b)) = (u32::try_from(a), u64::try_from(b))
        && a < 1 << 31
        && b > 0
    {
        return I32F32::from_bits(((u64::from(a) << 32) / b).cast_signed());
    }
    left.checked_div(right).unwrap_or(ZERO)
}

/// `left · right` rounded down, saturating.
pub(crate) fn mul(left: I32F32, right: I32F32) -> I32F32 {
    let (a, b) = (left.to_bits(), right.to_bits());
    // Operands up to one cannot overflow the product of 64 bits.
    if let (Ok(a), Ok(b)) = (u32::try_from(a), u32::try_from(b)) {
        return I32F32::from_bits(((u64::from(a) * u64::from(b)) >> 32).cast_signed());
    }
    left.saturating_mul(right)
}

/// The sum, saturating.
pub(crate) fn sum(items: impl IntoIterator<Item = I32F32>) -> I32F32 {
    items.into_iter().fold(ZERO, I32F32::saturating_add)
}

/// Divides each item by the sum of all; leaves them where the sum is 0.
pub(crate) fn normalise(items: &mut [I32F32]) {
    let total = sum(items.iter().copied());
    normalise_by(items, total);
}

/// Divides each item by `total`; leaves them where it is 0.
pub(crate) fn normalise_by(items: &mut [I32F32], total: I32F32) {
    if total != ZERO {
        for item in items {
            *item = div(*item, total);
        }
    }
}

/// A share from 0 to 1 as the chain stores it: `⌊share · 65535⌋`, saturating.
pub(crate) fn share_to_u16(share: I32F32) -> u16 {
    share.saturating_mul(U16_ONE).saturating_to_num::<u16>()
}

/// A stored share as a number from 0 to 1, truncated to 32 fractional bits.
pub(crate) fn share_from_u16(stored: u16) -> I32F32 {
    I32F32::from_bits(((u64::from(stored) << 32) / u64::from(u16::MAX)).cast_signed())
}

/// `e^x` with x clamped to ±20.
///
/// Source: the chain's `exp_safe` over substrate-fixed's `exp`: the Taylor series of `e^|x|` in 31 terms, each
/// truncated, and its reciprocal for negative x. A term that is 0 stays 0, which is where this stops.
pub(crate) fn exp(x: I32F32) -> I32F32 {
    let bits = x.to_bits().clamp(-EXP_BOUND, EXP_BOUND);
    if bits == 0 {
        return ONE;
    }
    if bits == ONE.to_bits() {
        return I32F32::from_bits(EXP_OF_ONE);
    }
    let size = bits.unsigned_abs();
    let mut sum = size + ONE.to_bits().unsigned_abs();
    let mut term = size;
    for i in EXP_TERMS {
        let product = (u128::from(term) * u128::from(size)) >> 32;
        // The largest term at |x| = 20 is 20^20/20! < 2^26; times 20 it has 63 bits.
        term = u64::try_from(product).unwrap_or(u64::MAX) / i;
        if term == 0 {
            break;
        }
        sum += term;
    }
    let sum = I32F32::from_bits(sum.cast_signed());
    if bits < 0 { ONE.checked_div(sum).unwrap_or(ZERO) } else { sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library_exp(x: I32F32) -> I32F32 {
        let bound = I32F32::from_num(20);
        let clamped = x.min(bound).max(-bound);
        transcendental::exp(clamped).unwrap()
    }

    #[test]
    fn exp_has_the_librarys_bits() {
        let mut stream = primitives::Seed::from_number(1).stream("exp", 0);
        let edges =
            [0, 1, -1, 1 << 32, -(1 << 32), (1 << 32) + 1, 20 << 32, -(20 << 32), i64::MAX, i64::MIN + 1];
        let drawn = (0..20_000).map(|_| {
            let width = 1 + stream.below(38);
            let bits = stream.below(1 << width).cast_signed();
            if stream.chance(500) { bits } else { -bits }
        });
        for bits in edges.into_iter().chain(drawn) {
            let x = I32F32::from_bits(bits);
            assert_eq!(exp(x), library_exp(x), "exp of {bits} / 2^32");
        }
    }

    proptest::proptest! {
        #[test]
        fn shortcuts_have_the_librarys_bits(a: i64, b: i64, narrow_a in 0u32..63, narrow_b in 0u32..63) {
            let (a, b) = (I32F32::from_bits(a >> narrow_a), I32F32::from_bits(b >> narrow_b));
            proptest::prop_assert_eq!(div(a, b), a.checked_div(b).unwrap_or(ZERO));
            proptest::prop_assert_eq!(mul(a, b), a.saturating_mul(b));
        }
    }

    #[test]
    fn stored_shares_lose_at_most_one_step_on_the_way() {
        for stored in 0..=u16::MAX {
            let again = share_to_u16(share_from_u16(stored));
            assert!(again == stored || again + 1 == stored, "{stored} became {again}");
            assert_eq!(Some(share_from_u16(stored)), I32F32::from_num(stored).checked_div(U16_ONE));
        }
    }
}
