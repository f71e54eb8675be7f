//! What a block emits, to which subnet, and how a subnet's part is divided.
//!
//! Four steps, each a pure function: [`block_emission`] mints, [`subnet_tao`] shares it out by price,
//! [`subnet_terms`] turns a subnet's share into pool liquidity and purchases, [`participants`] divides its alpha
//! between owner, miners, validators and root. [`moving_price`] is what the next block's shares follow from, and
//! [`dividends`] what a validator's part becomes for its nominators.

pub mod dividends;
mod shares;

use substrate_fixed::{
    transcendental::log2,
    types::{I96F32, U64F64, U96F32},
};

pub use shares::{SubnetPrice, moving_price, subnet_tao};

/// Emission per block before the first halving, in rao (and per subnet in alpha's smallest unit).
/// Source: subtensor, `DefaultBlockEmission`.
pub const BASE_EMISSION: u64 = 1_000_000_000;
/// All TAO there will be, in rao; each subnet's alpha has the same bound. Source: subtensor, `TotalSupply`.
pub const TOTAL_SUPPLY: u64 = 21_000_000_000_000_000;
/// The owner's cut, of 65535: 18 %. Source: subtensor, `SubnetOwnerCut`'s default.
pub const OWNER_CUT: u16 = 11_796;
/// How much root TAO counts against alpha, of 2⁶⁴ − 1: 5.27 %. Source: the chain's `TaoWeight`.
pub const TAO_WEIGHT: u64 = 971_718_665_099_567_868;

/// What one block emits at `issuance`, in the smallest unit: of TAO, or of a subnet's alpha.
///
/// `BASE_EMISSION · 2^−⌊log2(1 / (1 − issuance / 21e15))⌋`, and 0 from the total supply on. The division and the
/// logarithm are taken in `I96F32`, so that a halving comes at the block at which the chain has it.
/// Source: subtensor, `get_block_emission_for_issuance`.
#[must_use]
pub fn block_emission(issuance: u64) -> u64 {
    if issuance >= TOTAL_SUPPLY {
        return 0;
    }
    let one = I96F32::from_num(1);
    let minted = I96F32::from_num(issuance).checked_div(I96F32::from_num(TOTAL_SUPPLY));
    let left = minted.and_then(|minted| one.checked_sub(minted));
    // Within 2^-33 of the total supply nothing is left in fixed point and the chain's error becomes 0.
    let inverse = left.and_then(|left| one.checked_div(left));
    let Some(Ok(residual)) = inverse.map(log2::<I96F32, I96F32>) else { return 0 };
    let halvings = residual.floor().saturating_to_num::<u32>();
    BASE_EMISSION.checked_shr(halvings).unwrap_or(0)
}

/// A stored weight, of 2⁶⁴ − 1, as a number. Source: subtensor, `get_tao_weight`.
#[must_use]
pub fn tao_weight(stored: u64) -> U96F32 {
    ratio(U96F32::from_num(stored), U96F32::from_num(u64::MAX))
}

/// Root's part of a subnet: its weighted TAO against the subnet's alpha; 0 where there is neither.
///
/// Source: subtensor, `root_proportion`.
#[must_use]
pub fn root_proportion(root_tao: u64, alpha_issuance: u64, tao_weight: U96F32) -> U96F32 {
    let weighted = U96F32::from_num(root_tao).saturating_mul(tao_weight);
    ratio(weighted, weighted.saturating_add(U96F32::from_num(alpha_issuance)))
}

/// What a block brings one subnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubnetTerms {
    /// TAO that goes into the pool, in rao.
    pub tao_in: U96F32,
    /// Alpha that goes into the pool beside it, in the smallest unit.
    pub alpha_in: U96F32,
    /// Alpha for owner, miners, validators and root.
    pub alpha_out: U96F32,
    /// TAO that buys alpha from the pool instead.
    pub excess_tao: U96F32,
}

/// Turns a subnet's TAO of this block into the terms of its emission.
///
/// `price` is TAO per alpha; `alpha_issuance` decides the alpha emitted; no more than root's proportion of that
/// enters the pool, and the TAO that it would have matched buys alpha. Source: subtensor, `get_subnet_terms`.
#[must_use]
pub fn subnet_terms(tao: U96F32, price: U64F64, alpha_issuance: u64, root_proportion: U96F32) -> SubnetTerms {
    let price = U96F32::saturating_from_num(price);
    let alpha_out = U96F32::from_num(block_emission(alpha_issuance));
    let bound = root_proportion.saturating_mul(alpha_out);
    let (mut tao_in, mut alpha_in) = (tao, ratio(tao, price));
    if alpha_in > bound {
        alpha_in = bound;
        tao_in = bound.saturating_mul(price);
    }
    SubnetTerms { tao_in, alpha_in, alpha_out, excess_tao: tao.saturating_sub(tao_in) }
}

/// One block's alpha of a subnet, divided; each part is truncated to the smallest unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Participants {
    /// The subnet owner's cut.
    pub owner: u64,
    /// For miners.
    pub server: u64,
    /// For validators.
    pub validator: u64,
    /// For root stakers; recycled where [`root_sells`] says no.
    pub root: u64,
}

/// Divides one block's alpha: the owner's cut (of 65535), half of the rest to miners, half to validators, from which
/// root's proportion is taken.
///
/// Source: subtensor, `emit_to_subnets`.
#[must_use]
pub fn participants(alpha_out: U96F32, owner_cut: u16, root_proportion: U96F32) -> Participants {
    let half = U96F32::from_num(0.5);
    let owner = alpha_out.saturating_mul(ratio(U96F32::from_num(owner_cut), U96F32::from_num(u16::MAX)));
    let rest = alpha_out.saturating_sub(owner);
    let root = root_proportion.saturating_mul(rest).saturating_mul(half);
    let server = rest.saturating_mul(half);
    let validator = rest.saturating_sub(server).saturating_sub(root);
    Participants {
        owner: owner.saturating_to_num(),
        server: server.saturating_to_num(),
        validator: validator.saturating_to_num(),
        root: root.saturating_to_num(),
    }
}

/// Whether root's alpha is kept for root stakers: where the moving prices of the subnets emitted to sum above 1.
///
/// Source: subtensor, `get_network_root_sell_flag`.
#[must_use]
pub fn root_sells(moving_prices: &[U64F64]) -> bool {
    let total = moving_prices.iter().fold(U64F64::from_num(0), |sum, &price| sum.saturating_add(price));
    total > U64F64::from_num(1)
}

/// The quotient, 0 where the divisor is.
fn ratio(part: U96F32, whole: U96F32) -> U96F32 {
    part.checked_div(whole).unwrap_or(U96F32::from_num(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAO: u64 = 1_000_000_000;

    #[test]
    fn emission_halves_where_half_of_the_rest_is_minted() {
        let check = |issuance, expect| assert_eq!(block_emission(issuance), expect, "at {issuance}");
        check(0, BASE_EMISSION);
        check(10_499_999 * TAO, BASE_EMISSION);
        check(10_500_000 * TAO, BASE_EMISSION / 2);
        check(15_750_000 * TAO, BASE_EMISSION / 4);
        check(TOTAL_SUPPLY - 1, 0);
        check(TOTAL_SUPPLY, 0);
        check(u64::MAX, 0);
    }

    #[test]
    fn a_block_at_one_alpha_divides_as_observed_on_a_running_chain() {
        // Observed on runtime 425 with no TAO on root.
        let parts = participants(U96F32::from_num(TAO), OWNER_CUT, U96F32::from_num(0));
        let expect =
            Participants { owner: 179_995_422, server: 410_002_288, validator: 410_002_288, root: 0 };
        assert_eq!(parts, expect);
    }

    #[test]
    fn root_takes_from_validators_alone() {
        let without = participants(U96F32::from_num(TAO), OWNER_CUT, U96F32::from_num(0));
        let with = participants(U96F32::from_num(TAO), OWNER_CUT, U96F32::from_num(0.25));
        assert_eq!((with.owner, with.server), (without.owner, without.server));
        assert_eq!(with.root, 102_500_572);
        assert!(without.validator - with.validator - with.root <= 1);
    }

    #[test]
    fn roots_proportion_falls_as_alpha_is_issued() {
        let weight = tao_weight(TAO_WEIGHT);
        let at = |alpha| root_proportion(1_000_000 * TAO, alpha, weight);
        assert!(at(1_000 * TAO) > at(1_000_000 * TAO));
        assert_eq!(root_proportion(0, 0, weight), 0);
        assert_eq!(root_proportion(0, 5, weight), 0);
    }

    #[test]
    fn tao_beyond_the_liquidity_bound_buys_alpha() {
        let tao = U96F32::from_num(TAO);
        let low = subnet_terms(tao, U64F64::from_num(2), 0, U96F32::from_num(1));
        assert_eq!(
            (low.tao_in, low.alpha_in, low.excess_tao),
            (tao, U96F32::from_num(TAO / 2), U96F32::from_num(0))
        );
        let capped = subnet_terms(tao, U64F64::from_num(2), 0, U96F32::from_num(0.25));
        assert_eq!(capped.alpha_in, U96F32::from_num(TAO / 4));
        assert_eq!(
            (capped.tao_in, capped.excess_tao),
            (U96F32::from_num(TAO / 2), U96F32::from_num(TAO / 2))
        );
        let worthless = subnet_terms(tao, U64F64::from_num(0), 0, U96F32::from_num(1));
        assert_eq!((worthless.alpha_in, worthless.tao_in), (U96F32::from_num(0), tao));
    }

    #[test]
    fn root_sells_above_a_total_price_of_one() {
        let half = U64F64::from_num(0.5);
        assert!(!root_sells(&[half, half]));
        assert!(root_sells(&[half, half, U64F64::from_bits(1)]));
    }

    proptest::proptest! {
        #[test]
        fn parts_never_exceed_the_block(alpha in 0..=BASE_EMISSION, cut: u16, root in 0u64..=1 << 32) {
            let parts = participants(U96F32::from_num(alpha), cut, U96F32::from_bits(u128::from(root)));
            let total = parts.owner + parts.server + parts.validator + parts.root;
            proptest::prop_assert!(total <= alpha && alpha - total <= 4);
        }

        #[test]
        fn emission_never_grows_with_issuance(a: u64, b: u64) {
            proptest::prop_assert!(block_emission(a.max(b)) <= block_emission(a.min(b)));
        }
    }
}
