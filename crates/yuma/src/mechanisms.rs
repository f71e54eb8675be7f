//! Several mechanisms in one subnet: how its emission is split between them, and how their epochs are joined.
//!
//! Each mechanism has weights, bonds and updates of its own and runs its own [`epoch`](crate::epoch()); stake,
//! permits and registrations are the subnet's. Source: subtensor, `split_emissions` and `epoch_with_mechanisms`.

use substrate_fixed::types::U64F64;
use thiserror::Error;

use crate::EpochOutput;

/// The most mechanisms that the chain's storage index has room for. Source: subtensor, `MAX_MECHANISM_COUNT_PER_SUBNET`.
pub const MAX_MECHANISMS: usize = 16;
/// What the parts of an explicit split sum to.
const SPLIT_ONE: u64 = u16::MAX as u64;

/// Mechanisms do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MechanismsError {
    /// There is no mechanism, or there are too many.
    #[error("subnet has {found} mechanisms, from 1 to {MAX_MECHANISMS} are possible")]
    Count {
        /// Mechanisms given.
        found: usize,
    },
    /// The split has no part or more parts than there are mechanisms.
    #[error("emission split has {found} parts for {count} mechanisms")]
    SplitLength {
        /// Parts of the split.
        found: usize,
        /// Mechanisms.
        count: usize,
    },
    /// The parts of the split are not one whole.
    #[error("emission split sums to {found}, expected {SPLIT_ONE}")]
    SplitSum {
        /// The sum.
        found: u64,
    },
    /// The mechanisms' epochs are about different numbers of neurons.
    #[error("epoch of mechanism {mechanism} has {found} neurons, the first has {expected}")]
    Neurons {
        /// Which mechanism.
        mechanism: usize,
        /// Its neurons.
        found: usize,
        /// Neurons of the first mechanism.
        expected: usize,
    },
}

/// Each mechanism's part of `alpha`, in the smallest unit; the parts sum to it.
///
/// Without a split all get the same; parts are truncated and the first mechanism gets what is left over.
/// Mechanisms past the end of `split` get nothing.
///
/// # Errors
/// [`MechanismsError`] for no or too many mechanisms and for a split that is not one whole.
pub fn split_emission(alpha: u64, count: usize, split: Option<&[u16]>) -> Result<Vec<u64>, MechanismsError> {
    if count == 0 || count > MAX_MECHANISMS {
        return Err(MechanismsError::Count { found: count });
    }
    let mut parts = match split {
        None => vec![alpha / count as u64; count],
        Some(split) => {
            if split.is_empty() || split.len() > count {
                return Err(MechanismsError::SplitLength { found: split.len(), count });
            }
            let found = split.iter().map(|&part| u64::from(part)).sum();
            if found != SPLIT_ONE {
                return Err(MechanismsError::SplitSum { found });
            }
            let part = |&part: &u16| u128::from(alpha) * u128::from(part) / u128::from(SPLIT_ONE);
            let part = |share: &u16| u64::try_from(part(share)).expect("a part is at most the whole");
            split.iter().map(part).collect()
        }
    };
    parts.resize(count, 0);
    parts[0] += alpha - parts.iter().sum::<u64>();
    Ok(parts)
}

/// A subnet's state after the epochs of all its mechanisms, one entry per uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetEpoch {
    /// Whether the neuron is active in any mechanism.
    pub active: Vec<bool>,
    /// Permits for the next epoch, from any mechanism.
    pub new_validator_permit: Vec<bool>,
    /// Shares of 65535, each mechanism's weighted with its part of the emission.
    pub stake_weight: Vec<u16>,
    /// Weighted likewise.
    pub consensus: Vec<u16>,
    /// Weighted likewise.
    pub validator_trust: Vec<u16>,
    /// Weighted likewise.
    pub dividends: Vec<u16>,
    /// The first mechanism's alone, weighted; the chain stores incentive per mechanism.
    pub incentive: Vec<u16>,
    /// What the neuron earns as a miner of all mechanisms, in the smallest unit of alpha.
    pub server_emission: Vec<u64>,
    /// What the neuron earns as a validator of all mechanisms.
    pub validator_emission: Vec<u64>,
    /// The mechanisms' emissions, weighted (not added up): what the chain stores and prunes by.
    pub emission: Vec<u64>,
}

/// Joins the epochs of a subnet's mechanisms, each given with the emission that it distributed.
///
/// `total_emission` is what was split; where it is 0, the first mechanism counts alone. Every weighting truncates
/// before the next mechanism is added.
///
/// # Errors
/// [`MechanismsError`] for no or too many mechanisms and for epochs of different sizes.
pub fn combine(epochs: &[(u64, EpochOutput)], total_emission: u64) -> Result<SubnetEpoch, MechanismsError> {
    let Some((_, first)) = epochs.first().filter(|_| epochs.len() <= MAX_MECHANISMS) else {
        return Err(MechanismsError::Count { found: epochs.len() });
    };
    let n = first.active.len();
    let mut out = SubnetEpoch {
        active: vec![false; n],
        new_validator_permit: vec![false; n],
        stake_weight: vec![0; n],
        consensus: vec![0; n],
        validator_trust: vec![0; n],
        dividends: vec![0; n],
        incentive: vec![0; n],
        server_emission: vec![0; n],
        validator_emission: vec![0; n],
        emission: vec![0; n],
    };
    for (mechanism, (part, epoch)) in epochs.iter().enumerate() {
        let found = epoch.active.len();
        if found != n {
            return Err(MechanismsError::Neurons { mechanism, found, expected: n });
        }
        let weight = U64F64::saturating_from_num(*part)
            .checked_div(U64F64::saturating_from_num(total_emission))
            .unwrap_or(U64F64::from_num(u8::from(mechanism == 0)));
        any(&mut out.active, &epoch.active);
        any(&mut out.new_validator_permit, &epoch.new_validator_permit);
        weigh(&mut out.stake_weight, &epoch.stake_weight, weight);
        weigh(&mut out.consensus, &epoch.consensus, weight);
        weigh(&mut out.validator_trust, &epoch.validator_trust, weight);
        weigh(&mut out.dividends, &epoch.dividends, weight);
        if mechanism == 0 {
            weigh(&mut out.incentive, &epoch.incentive, weight);
        }
        add(&mut out.server_emission, &epoch.server_emission);
        add(&mut out.validator_emission, &epoch.validator_emission);
        for (total, &amount) in out.emission.iter_mut().zip(&epoch.emission) {
            let added = U64F64::saturating_from_num(amount).saturating_mul(weight);
            *total = U64F64::saturating_from_num(*total).saturating_add(added).saturating_to_num();
        }
    }
    Ok(out)
}

fn any(total: &mut [bool], flags: &[bool]) {
    for (total, flag) in total.iter_mut().zip(flags) {
        *total |= flag;
    }
}

fn add(total: &mut [u64], amounts: &[u64]) {
    for (total, amount) in total.iter_mut().zip(amounts) {
        *total = total.saturating_add(*amount);
    }
}

fn weigh(total: &mut [u16], shares: &[u16], weight: U64F64) {
    for (total, &share) in total.iter_mut().zip(shares) {
        let added = U64F64::saturating_from_num(share).saturating_mul(weight);
        *total = U64F64::saturating_from_num(*total).saturating_add(added).saturating_to_num();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(share: u16, amount: u64, flag: bool) -> EpochOutput {
        EpochOutput {
            active: vec![flag],
            stake_weight: vec![share],
            new_validator_permit: vec![flag],
            consensus: vec![share],
            validator_trust: vec![share],
            incentive: vec![share],
            dividends: vec![share],
            server_emission: vec![amount],
            validator_emission: vec![amount],
            emission: vec![amount],
            bonds: vec![Vec::new()],
            bits_consensus: vec![0],
            bits_incentive: vec![0],
            bits_dividends: vec![0],
            bits_ema_bonds_sum: 0,
        }
    }

    #[test]
    fn the_first_mechanism_gets_what_is_left_over() {
        assert_eq!(split_emission(10, 3, None).unwrap(), [4, 3, 3]);
        assert_eq!(split_emission(10, 2, Some(&[32767, 32768])).unwrap(), [5, 5]);
        assert_eq!(split_emission(100, 3, Some(&[65535])).unwrap(), [100, 0, 0]);
        assert_eq!(split_emission(u64::MAX, 2, Some(&[0, 65535])).unwrap(), [0, u64::MAX]);
    }

    #[test]
    fn a_split_that_is_not_one_whole_is_refused() {
        let check = |count, split: Option<&[u16]>, expect: &str| {
            assert_eq!(split_emission(1, count, split).unwrap_err().to_string(), expect);
        };
        check(0, None, "subnet has 0 mechanisms, from 1 to 16 are possible");
        check(17, None, "subnet has 17 mechanisms, from 1 to 16 are possible");
        check(1, Some(&[1, 65534]), "emission split has 2 parts for 1 mechanisms");
        check(2, Some(&[1, 2]), "emission split sums to 3, expected 65535");
    }

    #[test]
    fn shares_are_weighted_amounts_added_and_flags_joined() {
        let epochs = [(75, output(65535, 75, false)), (25, output(1000, 25, true))];
        let joined = combine(&epochs, 100).unwrap();
        assert_eq!(joined.active, [true]);
        assert_eq!(joined.new_validator_permit, [true]);
        // ⌊65535 · 0.75⌋ = 49151, then + 250.
        assert_eq!(joined.dividends, [49401]);
        assert_eq!(joined.incentive, [49151]);
        assert_eq!(joined.server_emission, [100]);
        // ⌊75 · 0.75⌋ = 56, then ⌊56 + 25 · 0.25⌋ = 62.
        assert_eq!(joined.emission, [62]);
    }

    #[test]
    fn without_emission_the_first_mechanism_counts_alone() {
        let epochs = [(0, output(65535, 0, true)), (0, output(1000, 0, true))];
        assert_eq!(combine(&epochs, 0).unwrap().dividends, [65535]);
    }

    #[test]
    fn epochs_of_different_sizes_are_refused() {
        let mut longer = output(1, 1, true);
        longer.active.push(true);
        let error = combine(&[(1, output(1, 1, true)), (1, longer)], 2).unwrap_err();
        assert_eq!(error.to_string(), "epoch of mechanism 1 has 2 neurons, the first has 1");
        assert!(combine(&[], 1).is_err());
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_in_the_split(alpha: u64, count in 1usize..=16, first: u16) {
            proptest::prop_assert_eq!(split_emission(alpha, count, None).unwrap().iter().sum::<u64>(), alpha);
            if count > 1 {
                let split = [first, u16::MAX - first];
                let parts = split_emission(alpha, count, Some(&split)).unwrap();
                proptest::prop_assert_eq!(parts.iter().sum::<u64>(), alpha);
            }
        }
    }
}
