//! One epoch of one mechanism: from stake, weights and bonds to incentives, dividends, permits and new bonds.
//!
//! This is the chain's sparse path, step by step in its order and with its fixed point, so that every bit agrees.
//! Masks come first, then [`consensus`], then incentives from clipped weights, then [`bonds`] and dividends,
//! then emission. Source: subtensor, `epoch_mechanism`, runtime spec 425.

mod bonds;
mod consensus;
mod input;
mod matrix;

use substrate_fixed::types::I32F32;

pub use self::input::{EpochError, EpochInput, MAX_NEURONS};
use self::{bonds::Parts, matrix::Sparse};
use crate::fixed::{ONE, ZERO, mul, normalise, normalise_by, share_from_u16, share_to_u16, sum};

/// The state of one mechanism after an epoch; every vector has one entry per uid.
///
/// Shares are `⌊share · 65535⌋`, amounts are in the smallest unit of alpha; fields named `bits_` hold raw `I32F32`
/// bits (2³² is one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochOutput {
    /// Whether the neuron updated within the activity cutoff.
    pub active: Vec<bool>,
    /// Share of the stake that reaches the threshold.
    pub stake_weight: Vec<u16>,
    /// Permits for the next epoch.
    pub new_validator_permit: Vec<bool>,
    /// Stake-weighted median of the weights.
    pub consensus: Vec<u16>,
    /// Sum of a validator's weights after clipping to consensus.
    pub validator_trust: Vec<u16>,
    /// Share of the miners' part.
    pub incentive: Vec<u16>,
    /// Share of the validators' part.
    pub dividends: Vec<u16>,
    /// What the neuron earns as a miner.
    pub server_emission: Vec<u64>,
    /// What the neuron earns as a validator.
    pub validator_emission: Vec<u64>,
    /// What it earns in all, rounded on its own: it can differ by 1 from the sum of the parts.
    pub emission: Vec<u64>,
    /// Bonds to store: rows of new permit holders, (uid, share) with ascending uids.
    pub bonds: Vec<Vec<(u16, u16)>>,
    /// [`consensus`](Self::consensus) unrounded.
    pub bits_consensus: Vec<i64>,
    /// [`incentive`](Self::incentive) unrounded.
    pub bits_incentive: Vec<i64>,
    /// [`dividends`](Self::dividends) unrounded.
    pub bits_dividends: Vec<i64>,
    /// The sum of all bonds before rounding, of rows without a permit too.
    pub bits_ema_bonds_sum: i64,
}

/// Runs one epoch.
///
/// # Errors
/// [`EpochError`] where vectors don't have one entry per neuron, a row names an unknown uid or isn't ascending, or
/// a number is beyond what the chain's arithmetic carries.
pub fn epoch(input: &EpochInput) -> Result<EpochOutput, EpochError> {
    input.check()?;
    let active: Vec<bool> = input
        .last_update
        .iter()
        .map(|&block| block.saturating_add(input.activity_cutoff_blocks) >= input.current_block)
        .collect();
    let stake = stake_shares(input);
    let mut permits = input.validator_permit.clone();
    let mut new_permits = top_nonzero(&stake, usize::from(input.max_allowed_validators));
    if let Some(owner) = input.owner_uid {
        permits[usize::from(owner)] = true;
        new_permits[usize::from(owner)] = true;
    }
    let counts = |uid: usize| active[uid] && permits[uid];
    let mut active_stake: Vec<I32F32> =
        stake.iter().enumerate().map(|(uid, &share)| if counts(uid) { share } else { ZERO }).collect();
    normalise(&mut active_stake);

    let weights = masked_weights(input, &permits);
    let consensus = consensus::consensus(&weights, &active_stake, share_from_u16(input.kappa));
    let clipped = clip(&weights, &consensus);
    let trust: Vec<I32F32> = clipped.rows().map(|row| sum(row.iter().map(|&(_, value)| value))).collect();
    let mut incentive = ranks(&clipped, &active_stake);
    normalise(&mut incentive);

    let for_bonds = match input.bonds_penalty {
        0 => weights,
        u16::MAX => clipped,
        penalty => between(&weights, &consensus, share_from_u16(penalty)),
    };
    let parts = Parts {
        weights: for_bonds,
        active_stake: &active_stake,
        consensus: &consensus,
        incentive: &incentive,
    };
    let (bonds, dividends) = bonds::bonds(input, parts);
    let emission = Emission::of(&incentive, &dividends, &active_stake, &stake);

    let stored_row = |(row, &permit): (&[(u16, I32F32)], &bool)| {
        let stored = |&(uid, value): &(u16, I32F32)| (uid, share_to_u16(value));
        if permit { row.iter().map(stored).collect() } else { Vec::new() }
    };
    Ok(EpochOutput {
        stake_weight: to_u16(&stake),
        consensus: to_u16(&consensus),
        validator_trust: to_u16(&trust),
        incentive: to_u16(&incentive),
        dividends: to_u16(&dividends),
        server_emission: to_amounts(&emission.server, input.rao_emission),
        validator_emission: to_amounts(&emission.validator, input.rao_emission),
        emission: to_amounts(&emission.combined, input.rao_emission),
        bonds: bonds.rows().zip(&new_permits).map(stored_row).collect(),
        bits_consensus: to_bits(&consensus),
        bits_incentive: to_bits(&incentive),
        bits_dividends: to_bits(&dividends),
        bits_ema_bonds_sum: bonds.values().map(I32F32::to_bits).sum(),
        active,
        new_validator_permit: new_permits,
    })
}

/// Each neuron's share of the stake that reaches the threshold; the owner needs none.
///
/// The chain divides in `I64F64` and then drops 32 bits; truncating once gives the same.
fn stake_shares(input: &EpochInput) -> Vec<I32F32> {
    let owner = input.owner_uid.map(usize::from);
    let counted = |(uid, &stake): (usize, &u64)| {
        if owner == Some(uid) || stake >= input.stake_threshold { stake } else { 0 }
    };
    let stake: Vec<u64> = input.stake.iter().enumerate().map(counted).collect();
    let total: u128 = stake.iter().map(|&stake| u128::from(stake)).sum();
    let share = |stake: u64| {
        let bits = (u128::from(stake) << 32).checked_div(total).unwrap_or(0);
        I32F32::from_bits(i64::try_from(bits).expect("a part of the whole is at most one"))
    };
    stake.into_iter().map(share).collect()
}

/// The nonzero ones among the `k` largest; among equals the higher uids win.
///
/// Source: subtensor, `is_topk_nonzero`: a stable ascending sort drops from its front.
fn top_nonzero(shares: &[I32F32], k: usize) -> Vec<bool> {
    let mut top: Vec<bool> = shares.iter().map(|&share| share != ZERO).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|&uid| shares[uid]);
    for &uid in order.iter().take(shares.len().saturating_sub(k)) {
        top[uid] = false;
    }
    top
}

/// The weights that count, each row normalised.
fn masked_weights(input: &EpochInput, permits: &[bool]) -> Sparse {
    let mut out = Sparse::with_capacity(input.weights.len(), input.weights.iter().map(Vec::len).sum());
    let owner = input.owner_uid.map(usize::from);
    for (uid, row) in input.weights.iter().enumerate() {
        if permits[uid] {
            let updated = input.last_update[uid];
            let commits = input.commit_blocks.as_ref().filter(|_| input.commit_reveal);
            let committed = commits.and_then(|blocks| blocks[uid]).unwrap_or(u64::MAX);
            for &(column, weight) in row {
                let target = usize::from(column);
                let registered = input.block_at_registration[target];
                // Whom the weight or the commit was meant for is gone since.
                let outdated = updated <= registered || committed < registered;
                if !outdated && (target != uid || owner == Some(uid)) {
                    out.push(column, I32F32::from_num(weight));
                }
            }
        }
        out.end_row();
        out.normalise_last_row();
    }
    out
}

/// Weights cut to consensus; where that is 0, a positive weight's entry disappears.
fn clip(weights: &Sparse, consensus: &[I32F32]) -> Sparse {
    let mut out = Sparse::with_capacity(consensus.len(), weights.len());
    for row in weights.rows() {
        for &(uid, value) in row {
            let bound = consensus[usize::from(uid)];
            if value <= bound {
                out.push(uid, value);
            } else if bound > ZERO {
                out.push(uid, bound);
            }
        }
        out.end_row();
    }
    out
}

/// `weight + ratio · (clipped − weight)`, without what comes out as 0.
fn between(weights: &Sparse, consensus: &[I32F32], ratio: I32F32) -> Sparse {
    let mut out = Sparse::with_capacity(consensus.len(), weights.len());
    for row in weights.rows() {
        for &(uid, value) in row {
            let clipped = value.min(consensus[usize::from(uid)]);
            let value = value.saturating_add(ratio.saturating_mul(clipped.saturating_sub(value)));
            if value > ZERO {
                out.push(uid, value);
            }
        }
        out.end_row();
    }
    out
}

/// Per uid the clipped weights, each times its validator's active stake.
fn ranks(clipped: &Sparse, active_stake: &[I32F32]) -> Vec<I32F32> {
    let mut ranks = vec![ZERO; active_stake.len()];
    for (row, &stake) in clipped.rows().zip(active_stake) {
        if stake > ZERO {
            for &(uid, value) in row {
                let rank = &mut ranks[usize::from(uid)];
                *rank = rank.saturating_add(mul(stake, value));
            }
        }
    }
    ranks
}

/// Each neuron's share of the epoch's emission.
struct Emission {
    server: Vec<I32F32>,
    validator: Vec<I32F32>,
    combined: Vec<I32F32>,
}

impl Emission {
    fn of(incentive: &[I32F32], dividends: &[I32F32], active_stake: &[I32F32], stake: &[I32F32]) -> Self {
        let (mut server, mut validator) = (incentive.to_vec(), dividends.to_vec());
        let mut combined: Vec<I32F32> =
            server.iter().zip(&validator).map(|(&left, &right)| left.saturating_add(right)).collect();
        let total = sum(combined.iter().copied());
        for shares in [&mut server, &mut validator, &mut combined] {
            normalise_by(shares, total);
        }
        if total == ZERO {
            // Nobody set weights that count: stake alone earns.
            let idle = active_stake.iter().all(|&share| share == ZERO);
            validator = if idle { stake } else { active_stake }.to_vec();
            combined.clone_from(&validator);
        }
        Self { server, validator, combined }
    }
}

fn to_u16(shares: &[I32F32]) -> Vec<u16> {
    shares.iter().map(|&share| share_to_u16(share)).collect()
}

fn to_bits(shares: &[I32F32]) -> Vec<i64> {
    shares.iter().map(|share| share.to_bits()).collect()
}

/// `⌊share · rao⌋` per share. The chain multiplies in `I96F32`, which holds the product of any share up to one.
fn to_amounts(shares: &[I32F32], rao: u64) -> Vec<u64> {
    let amount = |share: &I32F32| {
        debug_assert!((ZERO..=ONE).contains(share), "a share is from 0 to 1");
        let product = (u128::from(share.to_bits().unsigned_abs()) * u128::from(rao)) >> 32;
        u64::try_from(product).unwrap_or(u64::MAX)
    };
    shares.iter().map(amount).collect()
}
