//! What becomes of a validator's dividends: alpha and root parts, the delegate's take, the nominators' rest.

use substrate_fixed::types::U96F32;

use super::ratio;

/// The delegate's take by default, of 65535: 18 %. Source: subtensor, `DefaultDelegateTake`.
pub const DEFAULT_TAKE: u16 = 11_796;

/// One validator's dividends of an epoch and the stake behind them, all in the smallest unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validator {
    /// What the epoch gave it.
    pub dividend: u64,
    /// Its stake in the subnet's alpha.
    pub alpha_stake: u64,
    /// Its stake in TAO on root.
    pub root_stake: u64,
}

/// One validator's parts of what an epoch has for validators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dividend {
    /// Of the subnet's validator emission, for stakers in alpha.
    pub alpha: U96F32,
    /// Of the subnet's root alpha, for stakers on root.
    pub root: U96F32,
}

/// Divides an epoch's validator emission and root alpha among the validators, in the order given.
///
/// Each dividend is parted as its stake is (TAO times `tao_weight` against alpha); the alpha parts share
/// `pending_alpha`, the root parts `pending_root_alpha`. Source: subtensor, `calculate_dividend_distribution`.
#[must_use]
pub fn distribute(
    validators: &[Validator],
    pending_alpha: u64,
    pending_root_alpha: u64,
    tao_weight: U96F32,
) -> Vec<Dividend> {
    let parted: Vec<Dividend> = validators
        .iter()
        .map(|validator| {
            let dividend = U96F32::from_num(validator.dividend);
            let weighted = U96F32::from_num(validator.root_stake).saturating_mul(tao_weight);
            let whole = U96F32::from_num(validator.alpha_stake).saturating_add(weighted);
            let root = dividend.saturating_mul(ratio(weighted, whole));
            Dividend { alpha: dividend.saturating_sub(root), root }
        })
        .collect();
    let zero = U96F32::from_num(0);
    let alpha_total = parted.iter().fold(zero, |sum, part| sum.saturating_add(part.alpha));
    let root_total = parted.iter().fold(zero, |sum, part| sum.saturating_add(part.root));
    let (alpha, root) = (U96F32::from_num(pending_alpha), U96F32::from_num(pending_root_alpha));
    let share = |part: &Dividend| Dividend {
        alpha: alpha.saturating_mul(ratio(part.alpha, alpha_total)),
        root: root.saturating_mul(ratio(part.root, root_total)),
    };
    parted.iter().map(share).collect()
}

/// A dividend parted between the delegate and its nominators, in the smallest unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Take {
    /// For the delegate.
    pub delegate: u64,
    /// For everybody who staked with it, the delegate included.
    pub nominators: u64,
}

/// Takes the delegate's part (of 65535) from a dividend. Both parts are truncated.
///
/// Source: subtensor, `distribute_dividends_and_incentives`.
#[must_use]
pub fn take(dividend: U96F32, take: u16) -> Take {
    let rate = ratio(U96F32::from_num(take), U96F32::from_num(u16::MAX));
    let delegate = rate.saturating_mul(dividend);
    let nominators = dividend.saturating_sub(delegate);
    Take { delegate: delegate.saturating_to_num(), nominators: nominators.saturating_to_num() }
}

/// `amount` divided pro rata by stake, each part truncated; nothing where nobody has stake.
#[must_use]
pub fn pro_rata(amount: u64, stakes: &[u64]) -> Vec<u64> {
    let total: u128 = stakes.iter().map(|&stake| u128::from(stake)).sum();
    let part = |stake: u64| (u128::from(amount) * u128::from(stake)).checked_div(total).unwrap_or(0);
    let part = |&stake: &u64| u64::try_from(part(stake)).expect("a part is at most the whole");
    stakes.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emission::{TAO_WEIGHT, tao_weight};

    fn validator(dividend: u64, alpha_stake: u64, root_stake: u64) -> Validator {
        Validator { dividend, alpha_stake, root_stake }
    }

    #[test]
    fn alpha_stakers_share_alpha_and_root_stakers_share_root() {
        let weight = tao_weight(TAO_WEIGHT);
        let parts = distribute(&[validator(10, 100, 0), validator(10, 0, 100)], 800, 200, weight);
        assert_eq!(parts[0], Dividend { alpha: U96F32::from_num(800), root: U96F32::from_num(0) });
        assert_eq!(parts[1], Dividend { alpha: U96F32::from_num(0), root: U96F32::from_num(200) });
    }

    #[test]
    fn a_validator_without_stake_counts_as_alpha() {
        let parts = distribute(&[validator(10, 0, 0)], 100, 100, U96F32::from_num(1));
        assert_eq!(parts[0], Dividend { alpha: U96F32::from_num(100), root: U96F32::from_num(0) });
    }

    #[test]
    fn the_delegate_takes_its_part_first() {
        let parted = take(U96F32::from_num(1_000_000_000), DEFAULT_TAKE);
        assert_eq!(parted, Take { delegate: 179_995_422, nominators: 820_004_577 });
        assert_eq!(take(U96F32::from_num(7), 0), Take { delegate: 0, nominators: 7 });
        assert_eq!(take(U96F32::from_num(7), u16::MAX), Take { delegate: 7, nominators: 0 });
    }

    #[test]
    fn nominators_share_pro_rata() {
        assert_eq!(pro_rata(100, &[1, 2, 1]), [25, 50, 25]);
        assert_eq!(pro_rata(100, &[0, 0]), [0, 0]);
        assert_eq!(pro_rata(u64::MAX, &[u64::MAX, 0]), [u64::MAX, 0]);
    }

    proptest::proptest! {
        #[test]
        fn no_more_is_paid_than_there_is(
            amount: u64,
            stakes in proptest::collection::vec(proptest::num::u64::ANY, 0..8),
            rate: u16,
        ) {
            let paid: u128 = pro_rata(amount, &stakes).into_iter().map(u128::from).sum();
            proptest::prop_assert!(paid <= u128::from(amount));
            let parted = take(U96F32::from_num(amount), rate);
            proptest::prop_assert!(amount - parted.delegate - parted.nominators <= 1);
        }
    }
}
