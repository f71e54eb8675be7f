//! Which subnet gets how much TAO of a block: by moving price and what it pays to miners.

use std::collections::BTreeMap;

use primitives::NetUid;
use substrate_fixed::types::{I96F32, U64F64, U96F32};

/// The largest rate of the moving price, reached after infinitely many blocks: 0.000003.
/// Source: subtensor, `SubnetMovingAlpha`'s default.
const MOVING_ALPHA: f64 = 0.000_003;

/// What one subnet's share follows from. The caller lists subnets that may be emitted to: not root, started,
/// subtoken enabled and open for registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubnetPrice {
    /// Moving price, TAO per alpha.
    pub moving_price: U64F64,
    /// The part of the last epoch's miner emission that was withheld from miners, from 0 to 1.
    pub miner_burned: U96F32,
    /// Whether the subnet is given TAO; its part goes to the others if not.
    pub emission_enabled: bool,
}

/// Each subnet's TAO of a block that emits `block_emission` rao.
///
/// Source: subtensor, `get_shares` and `get_subnet_block_emissions`.
#[must_use]
pub fn subnet_tao(subnets: &BTreeMap<NetUid, SubnetPrice>, block_emission: u64) -> BTreeMap<NetUid, U96F32> {
    let mut shares = shares(subnets);
    if subnets.values().any(|subnet| !subnet.emission_enabled) {
        for (netuid, subnet) in subnets {
            if !subnet.emission_enabled {
                shares.insert(*netuid, U64F64::from_num(0));
            }
        }
        normalise(&mut shares);
    }
    let emission = U64F64::saturating_from_num(block_emission);
    let tao = |share: U64F64| U96F32::saturating_from_num(emission.saturating_mul(share));
    shares.into_iter().map(|(netuid, share)| (netuid, tao(share))).collect()
}

/// Prices as shares of their sum, each times what is not withheld from miners, and again as shares.
///
/// Where nothing is left (all subnets withhold everything) the shares by price stay.
fn shares(subnets: &BTreeMap<NetUid, SubnetPrice>) -> BTreeMap<NetUid, U64F64> {
    let one = U64F64::from_num(1);
    let mut by_price: BTreeMap<NetUid, U64F64> =
        subnets.iter().map(|(netuid, subnet)| (*netuid, subnet.moving_price)).collect();
    normalise(&mut by_price);
    let paid = |(netuid, &share): (&NetUid, &U64F64)| {
        let burned = U64F64::saturating_from_num(subnets[netuid].miner_burned).min(one);
        (*netuid, share.saturating_mul(one.saturating_sub(burned)))
    };
    let mut weighted: BTreeMap<NetUid, U64F64> = by_price.iter().map(paid).collect();
    if normalise(&mut weighted) { weighted } else { by_price }
}

/// Divides all by their sum; false, and all 0, where it is 0.
fn normalise(shares: &mut BTreeMap<NetUid, U64F64>) -> bool {
    let total = shares.values().fold(U64F64::from_num(0), |sum, &share| sum.saturating_add(share));
    for share in shares.values_mut() {
        *share = share.checked_div(total).unwrap_or(U64F64::from_num(0));
    }
    total > U64F64::from_num(0)
}

/// The moving price after a block.
///
/// `price` is the pool's, counted up to 1; `blocks_since_start` counts from the block of `start_call`. The rate is
/// `0.000003 · blocks / (blocks + halving_blocks)`. The result is stored with 32 fractional bits.
/// Source: subtensor, `update_moving_price`.
#[must_use]
pub fn moving_price(moving: I96F32, price: U64F64, blocks_since_start: u64, halving_blocks: u64) -> I96F32 {
    let one = U64F64::from_num(1);
    let blocks = U64F64::from_num(blocks_since_start);
    let age = blocks
        .checked_div(blocks.saturating_add(U64F64::from_num(halving_blocks)))
        .unwrap_or(U64F64::from_num(0));
    // The chain stores the rate as I96F32, so that it is cut to 32 fractional bits first.
    let rate = U64F64::saturating_from_num(I96F32::from_num(MOVING_ALPHA)).saturating_mul(age);
    let added = rate.saturating_mul(price.min(one));
    let kept = one.saturating_sub(rate).saturating_mul(U64F64::saturating_from_num(moving));
    I96F32::saturating_from_num(added.saturating_add(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(price: f64, burned: f64, emission_enabled: bool) -> SubnetPrice {
        SubnetPrice {
            moving_price: U64F64::from_num(price),
            miner_burned: U96F32::from_num(burned),
            emission_enabled,
        }
    }

    fn check(subnets: &[SubnetPrice], expect: &[u64]) {
        let subnets = subnets.iter().zip(1..).map(|(subnet, netuid)| (NetUid(netuid), *subnet)).collect();
        let tao = subnet_tao(&subnets, 1_000_000_000);
        let whole: Vec<u64> = tao.values().map(|tao| tao.saturating_to_num()).collect();
        assert_eq!(whole, expect);
    }

    #[test]
    fn tao_follows_price_and_what_miners_are_paid() {
        check(&[subnet(0.25, 0.0, true), subnet(0.75, 0.0, true)], &[250_000_000, 750_000_000]);
        check(&[subnet(0.5, 0.0, true), subnet(0.5, 1.0, true)], &[1_000_000_000, 0]);
        check(&[subnet(0.25, 1.0, true), subnet(0.75, 1.0, true)], &[250_000_000, 750_000_000]);
        check(&[subnet(0.0, 0.0, true), subnet(0.0, 0.0, true)], &[0, 0]);
    }

    #[test]
    fn a_subnet_without_emission_leaves_its_part_to_the_others() {
        check(&[subnet(0.5, 0.0, false), subnet(0.5, 0.0, true)], &[0, 1_000_000_000]);
        check(&[subnet(0.5, 0.0, false)], &[0]);
    }

    #[test]
    fn the_moving_price_approaches_a_price_counted_up_to_one() {
        let start = I96F32::from_num(0.5);
        assert_eq!(moving_price(start, U64F64::from_num(0.9), 0, 201_600), start);
        let high = moving_price(start, U64F64::from_num(7), 201_600, 201_600);
        assert_eq!(high, moving_price(start, U64F64::from_num(1), 201_600, 201_600));
        assert!(high > start);
        assert!(moving_price(start, U64F64::from_num(0.1), 201_600, 201_600) < start);
    }
}
