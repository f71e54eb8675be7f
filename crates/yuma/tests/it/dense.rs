//! A second implementation of the epoch: full matrices, one step after the other, slow on purpose.
//!
//! It is written from the rules and shares nothing with the crate but the fixed-point types. An entry is `None`
//! where the chain has none: presence matters, because liquid alpha forgets the old bond of an omitted uid and
//! clipping to a consensus of 0 omits.

use substrate_fixed::{
    transcendental,
    types::{I32F32, I64F64, I96F32},
};
use yuma::{EpochInput, EpochOutput};

type Vector = Vec<I32F32>;
type Matrix = Vec<Vec<Option<I32F32>>>;

fn num(value: i32) -> I32F32 {
    I32F32::from_num(value)
}

fn safe_div(left: I32F32, right: I32F32) -> I32F32 {
    left.checked_div(right).unwrap_or(num(0))
}

fn total(items: &[I32F32]) -> I32F32 {
    items.iter().sum()
}

fn normalised(items: &[I32F32]) -> Vector {
    let sum = total(items);
    if sum == 0 { items.to_vec() } else { items.iter().map(|&item| safe_div(item, sum)).collect() }
}

fn present(row: &[Option<I32F32>]) -> Vector {
    row.iter().flatten().copied().collect()
}

fn column(matrix: &Matrix, j: usize) -> Vec<Option<I32F32>> {
    matrix.iter().map(|row| row[j]).collect()
}

/// The matrix with each entry replaced; `None` from the function removes it.
fn each(matrix: &Matrix, change: impl Fn(usize, usize, I32F32) -> Option<I32F32>) -> Matrix {
    let entry = |i: usize, j: usize, entry: &Option<I32F32>| entry.and_then(|value| change(i, j, value));
    let row = |(i, row): (usize, &Vec<Option<I32F32>>)| {
        row.iter().enumerate().map(|(j, value)| entry(i, j, value)).collect()
    };
    matrix.iter().enumerate().map(row).collect()
}

fn columns_over(matrix: &Matrix, by: impl Fn(&[I32F32]) -> I32F32) -> Matrix {
    let divisors: Vector = (0..matrix.len()).map(|j| by(&present(&column(matrix, j)))).collect();
    each(matrix, |_, j, value| Some(if divisors[j] == 0 { value } else { safe_div(value, divisors[j]) }))
}

fn read(rows: &[Vec<(u16, u16)>]) -> Matrix {
    let n = rows.len();
    let value = |row: &Vec<(u16, u16)>, j: usize| {
        row.iter().find(|entry| usize::from(entry.0) == j).map(|entry| I32F32::from_num(entry.1))
    };
    rows.iter().map(|row| (0..n).map(|j| value(row, j)).collect()).collect()
}

fn share(value: u16) -> I32F32 {
    safe_div(I32F32::from_num(value), num(65535))
}

fn stored(value: I32F32) -> u16 {
    value.saturating_mul(num(65535)).saturating_to_num()
}

fn stake(input: &EpochInput) -> Vector {
    let counted = |(uid, &stake): (usize, &u64)| {
        let owner = input.owner_uid.is_some_and(|owner| usize::from(owner) == uid);
        I64F64::from_num(if !owner && stake < input.stake_threshold { 0 } else { stake })
    };
    let kept: Vec<I64F64> = input.stake.iter().enumerate().map(counted).collect();
    let sum: I64F64 = kept.iter().sum();
    let part = |stake: &I64F64| if sum == 0 { *stake } else { stake.checked_div(sum).unwrap() };
    kept.iter().map(|stake| I32F32::saturating_from_num(part(stake))).collect()
}

fn new_permits(stake: &[I32F32], k: usize) -> Vec<bool> {
    let n = stake.len();
    // A neuron is beaten by whoever has more, and by a later uid with as much.
    let beaten_by = |uid: usize| {
        (0..n)
            .filter(|&other| stake[other] > stake[uid] || (stake[other] == stake[uid] && other > uid))
            .count()
    };
    (0..n).map(|uid| stake[uid] != 0 && beaten_by(uid) < k).collect()
}

/// The recursive form of the median, over uids of voters.
fn median(votes: &[(I32F32, I32F32)], minority: I32F32, lo: I32F32, hi: I32F32) -> I32F32 {
    match votes {
        [] => num(0),
        [only] => only.0,
        _ => {
            let pivot = votes[votes.len() / 2].0;
            let lower: Vec<_> = votes.iter().copied().filter(|vote| vote.0 < pivot).collect();
            let upper: Vec<_> = votes.iter().copied().filter(|vote| vote.0 > pivot).collect();
            let lower_end = lo + lower.iter().map(|vote| vote.1).sum::<I32F32>();
            let upper_start = hi - upper.iter().map(|vote| vote.1).sum::<I32F32>();
            if minority < lower_end && !lower.is_empty() {
                median(&lower, minority, lo, lower_end)
            } else if upper_start <= minority && !upper.is_empty() {
                median(&upper, minority, upper_start, hi)
            } else {
                pivot
            }
        }
    }
}

fn consensus(weights: &Matrix, active_stake: &[I32F32], kappa: I32F32) -> Vector {
    let n = weights.len();
    let voters: Vec<usize> = (0..n).filter(|&uid| active_stake[uid] > 0).collect();
    let voting = normalised(&voters.iter().map(|&uid| active_stake[uid]).collect::<Vector>());
    let sum = total(&voting);
    let of = |j: usize| {
        let votes: Vec<_> = voters
            .iter()
            .zip(&voting)
            .map(|(&uid, &stake)| (weights[uid][j].unwrap_or(num(0)), stake))
            .collect();
        median(&votes, sum - kappa, num(0), sum)
    };
    (0..n).map(of).collect()
}

fn liquid_rate(input: &EpochInput, weight: I32F32, bond: I32F32, consensus: I32F32) -> I32F32 {
    let difference = if weight >= bond { weight - consensus } else { bond - weight };
    let difference = if difference < 0 { num(0) } else { difference };
    let difference = if difference > 1 { num(1) } else { difference };
    let steepness = I32F32::from_num(input.alpha_sigmoid_steepness).saturating_div(num(-100));
    let mut exponent = steepness.saturating_mul(difference - I32F32::from_num(0.5));
    if exponent > 20 {
        exponent = num(20);
    }
    if exponent < -20 {
        exponent = num(-20);
    }
    let power: I32F32 = transcendental::exp(exponent).unwrap();
    let sigmoid = num(1).saturating_div(num(1).saturating_add(power));
    let (low, high) = (share(input.alpha_low), share(input.alpha_high));
    let rate = low.saturating_add(sigmoid.saturating_mul(high.saturating_sub(low)));
    let rate = if rate > high { high } else { rate };
    if rate < low { low } else { rate }
}

fn average(rate: I32F32, new: &Matrix, old: &Matrix) -> Matrix {
    let n = new.len();
    let entry = |i: usize, j: usize| {
        let new = rate.saturating_mul(new[i][j].unwrap_or(num(0)));
        let old = num(1).saturating_sub(rate).saturating_mul(old[i][j].unwrap_or(num(0)));
        Some(new + old).filter(|value| *value > 0)
    };
    (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect()
}

fn liquid_average(input: &EpochInput, new: &Matrix, old: &Matrix, consensus: &[I32F32]) -> Matrix {
    each(new, |i, j, weight| {
        let bond = old[i][j].unwrap_or(num(0));
        let rate = liquid_rate(input, weight, bond, consensus[j]);
        let value = (num(1) - rate).saturating_mul(bond) + rate.saturating_mul(weight);
        Some(if value > 1 { num(1) } else { value }).filter(|value| *value > 0)
    })
}

/// Runs one epoch.
pub(crate) fn epoch(input: &EpochInput) -> EpochOutput {
    let n = usize::from(input.n);
    let zeros = vec![num(0); n];
    let is_owner = |uid: usize| input.owner_uid.is_some_and(|owner| usize::from(owner) == uid);

    let active: Vec<bool> = (0..n)
        .map(|uid| input.last_update[uid] + input.activity_cutoff_blocks >= input.current_block)
        .collect();
    let stake = stake(input);
    let permit: Vec<bool> = (0..n).map(|uid| input.validator_permit[uid] || is_owner(uid)).collect();
    let mut new_permit = new_permits(&stake, usize::from(input.max_allowed_validators));
    if let Some(owner) = input.owner_uid {
        new_permit[usize::from(owner)] = true;
    }
    let masked: Vector =
        (0..n).map(|uid| if active[uid] && permit[uid] { stake[uid] } else { num(0) }).collect();
    let active_stake = normalised(&masked);

    let registered = &input.block_at_registration;
    let weights = each(&read(&input.weights), |i, j, value| {
        let committed = match &input.commit_blocks {
            Some(blocks) if input.commit_reveal => blocks[i],
            _ => None,
        };
        let gone = input.last_update[i] <= registered[j]
            || committed.is_some_and(|block| block < registered[j])
            || (i == j && !is_owner(i))
            || !permit[i];
        (!gone).then_some(value)
    });
    let row_sums: Vector = weights.iter().map(|row| total(&present(row))).collect();
    let weights = each(&weights, |i, _, value| {
        Some(if row_sums[i] > 0 { safe_div(value, row_sums[i]) } else { value })
    });

    let consensus = consensus(&weights, &active_stake, share(input.kappa));
    let clipped = each(&weights, |_, j, value| match (value > consensus[j], consensus[j] > 0) {
        (false, _) => Some(value),
        (true, true) => Some(consensus[j]),
        (true, false) => None,
    });
    let trust: Vector = clipped.iter().map(|row| total(&present(row))).collect();
    let mut ranks = zeros.clone();
    for i in 0..n {
        for j in 0..n {
            ranks[j] += active_stake[i].saturating_mul(clipped[i][j].unwrap_or(num(0)));
        }
    }
    let incentive = normalised(&ranks);

    let for_bonds = match input.bonds_penalty {
        0 => weights,
        65535 => clipped,
        penalty => each(&weights, |i, j, value| {
            let clipped = clipped[i][j].unwrap_or(num(0));
            Some(value + share(penalty).saturating_mul(clipped - value)).filter(|value| *value > 0)
        }),
    };
    let last_tempo = if input.last_mechanism_step_block == 0 {
        input.current_block.saturating_sub(u64::from(input.tempo))
    } else {
        input.last_mechanism_step_block + 1
    };
    let old = each(&read(&input.bonds), |_, j, value| (last_tempo > registered[j]).then_some(value));
    let kept = I64F64::from_num(input.bonds_moving_average) / I64F64::from_num(1_000_000);
    let rate = num(1) - I32F32::from_num(kept);
    let (bonds, dividends) = if input.yuma3 {
        let old = each(&old, |_, _, value| Some(safe_div(value, num(65535))));
        let bonds = if input.liquid_alpha && consensus.iter().any(|&value| value != 0) {
            liquid_average(input, &for_bonds, &old, &consensus)
        } else {
            average(rate, &for_bonds, &old)
        };
        let shares = columns_over(&bonds, total);
        let earned = each(&shares, |_, j, value| Some(value.saturating_mul(incentive[j])));
        let dividends: Vector =
            (0..n).map(|i| total(&present(&earned[i])).saturating_mul(active_stake[i])).collect();
        (bonds, normalised(&dividends))
    } else {
        let old = columns_over(&old, total);
        let delta = each(&for_bonds, |i, _, value| Some(value.saturating_mul(active_stake[i])));
        let bonds = columns_over(&average(rate, &columns_over(&delta, total), &old), total);
        let earned = each(&bonds, |_, j, value| Some(incentive[j].saturating_mul(value)));
        let dividends: Vector = earned.iter().map(|row| total(&present(row))).collect();
        let top = |items: &[I32F32]| items.iter().copied().max().unwrap_or(num(0));
        (columns_over(&bonds, top), normalised(&dividends))
    };

    let sums: Vector =
        incentive.iter().zip(&dividends).map(|(left, right)| left.saturating_add(*right)).collect();
    let (mut server, mut validator, mut combined) = (incentive.clone(), dividends.clone(), sums.clone());
    if total(&sums) == 0 {
        validator = if total(&active_stake) == 0 { stake.clone() } else { active_stake };
        combined = validator.clone();
        server = zeros;
    } else {
        for shares in [&mut server, &mut validator, &mut combined] {
            *shares = shares.iter().map(|&share| safe_div(share, total(&sums))).collect();
        }
    }
    let amounts = |shares: &[I32F32]| -> Vec<u64> {
        let rao = I96F32::saturating_from_num(input.rao_emission);
        shares
            .iter()
            .map(|&share| (I96F32::from_num(share).saturating_mul(rao)).saturating_to_num())
            .collect()
    };
    let stored_all = |shares: &[I32F32]| -> Vec<u16> { shares.iter().map(|&share| stored(share)).collect() };
    let bits = |shares: &[I32F32]| -> Vec<i64> { shares.iter().map(|share| share.to_bits()).collect() };
    let bond_row = |uid: usize| -> Vec<(u16, u16)> {
        let entry = |j: u16| bonds[uid][usize::from(j)].map(|value| (j, stored(value)));
        if new_permit[uid] { (0..input.n).filter_map(entry).collect() } else { Vec::new() }
    };
    EpochOutput {
        stake_weight: stored_all(&stake),
        consensus: stored_all(&consensus),
        validator_trust: stored_all(&trust),
        incentive: stored_all(&incentive),
        dividends: stored_all(&dividends),
        server_emission: amounts(&server),
        validator_emission: amounts(&validator),
        emission: amounts(&combined),
        bonds: (0..n).map(bond_row).collect(),
        bits_consensus: bits(&consensus),
        bits_incentive: bits(&incentive),
        bits_dividends: bits(&dividends),
        bits_ema_bonds_sum: bonds.iter().flatten().flatten().map(|value| value.to_bits()).sum(),
        active,
        new_validator_permit: new_permit,
    }
}
