//! Bonds: what validators hold of the miners they supported, as a moving average over epochs.

use substrate_fixed::types::{I32F32, I64F64};

use super::{
    EpochInput,
    input::MOVING_AVERAGE_ONE,
    matrix::{Sparse, read_bonds},
};
use crate::fixed::{ONE, ZERO, div, exp, mul, normalise, share_from_u16};

/// What the bonds of an epoch follow from.
pub(super) struct Parts<'a> {
    /// Weights, cut back towards consensus by the penalty.
    pub(super) weights: Sparse,
    /// Active stake, normalised.
    pub(super) active_stake: &'a [I32F32],
    /// Consensus per uid.
    pub(super) consensus: &'a [I32F32],
    /// Incentive per uid.
    pub(super) incentive: &'a [I32F32],
}

/// The bonds to store, and each validator's share of the dividends.
pub(super) fn bonds(input: &EpochInput, parts: Parts<'_>) -> (Sparse, Vec<I32F32>) {
    let last_tempo = match input.last_mechanism_step_block {
        0 => input.current_block.saturating_sub(u64::from(input.tempo)),
        block => block.saturating_add(1),
    };
    // A bond in a neuron that registered since belongs to whom held the uid before.
    let keep: Vec<bool> = input.block_at_registration.iter().map(|&block| last_tempo > block).collect();
    let old = read_bonds(&input.bonds, &keep, input.yuma3);
    if input.yuma3 { yuma3(input, &parts, &old) } else { yuma2(input, parts, old) }
}

fn yuma3(input: &EpochInput, parts: &Parts<'_>, old: &Sparse) -> (Sparse, Vec<I32F32>) {
    let liquid = input.liquid_alpha && parts.consensus.iter().any(|&value| value != ZERO);
    let bonds = if liquid {
        liquid_average(&LiquidAlpha::of(input), &parts.weights, old, parts.consensus)
    } else {
        average(rate(input), &parts.weights, old)
    };
    let mut shares = bonds.clone();
    shares.normalise_columns(usize::from(input.n));
    let held = shares.times(parts.incentive);
    let mut dividends: Vec<I32F32> =
        held.iter().zip(parts.active_stake).map(|(&held, &stake)| mul(held, stake)).collect();
    normalise(&mut dividends);
    (bonds, dividends)
}

fn yuma2(input: &EpochInput, parts: Parts<'_>, mut old: Sparse) -> (Sparse, Vec<I32F32>) {
    let n = usize::from(input.n);
    old.normalise_columns(n);
    let mut delta = parts.weights;
    delta.scale_rows(parts.active_stake);
    delta.normalise_columns(n);
    let mut bonds = average(rate(input), &delta, &old);
    bonds.normalise_columns(n);
    let mut dividends = bonds.times(parts.incentive);
    normalise(&mut dividends);
    bonds.upscale_columns(n);
    (bonds, dividends)
}

/// The weight of the new bonds in the moving average.
fn rate(input: &EpochInput) -> I32F32 {
    let kept = I64F64::from_num(input.bonds_moving_average) / I64F64::from_num(MOVING_AVERAGE_ONE);
    ONE.saturating_sub(I32F32::from_num(kept))
}

/// `rate · new + (1 − rate) · old`, without what comes out as 0.
fn average(rate: I32F32, new: &Sparse, old: &Sparse) -> Sparse {
    let rest = ONE.saturating_sub(rate);
    let mut out = Sparse::with_capacity(new.rows().count(), new.len().max(old.len()));
    for (new, old) in new.rows().zip(old.rows()) {
        let (mut new, mut old) = (new.iter().copied().peekable(), old.iter().copied().peekable());
        loop {
            let uid = match (new.peek(), old.peek()) {
                (Some(&(left, _)), Some(&(right, _))) => left.min(right),
                (Some(&(uid, _)), None) | (None, Some(&(uid, _))) => uid,
                (None, None) => break,
            };
            let added = new.next_if(|entry| entry.0 == uid).map_or(ZERO, |(_, value)| mul(rate, value));
            let kept = old.next_if(|entry| entry.0 == uid).map_or(ZERO, |(_, value)| mul(rest, value));
            let value = added.saturating_add(kept);
            if value > ZERO {
                out.push(uid, value);
            }
        }
        out.end_row();
    }
    out
}

/// The moving average with a rate per pair.
///
/// An old bond whose uid has no new entry is dropped, not decayed; a new entry of 0 keeps it. The chain computes
/// a rate for each pair of the subnet, but reads only those of new entries, which are the ones computed here.
/// Source: subtensor, `mat_ema_alpha_sparse`.
fn liquid_average(alpha: &LiquidAlpha, new: &Sparse, old: &Sparse, consensus: &[I32F32]) -> Sparse {
    let mut out = Sparse::with_capacity(consensus.len(), new.len());
    for (new, old) in new.rows().zip(old.rows()) {
        let mut old = old.iter().copied().peekable();
        for &(uid, weight) in new {
            while old.next_if(|entry| entry.0 < uid).is_some() {}
            let bond = old.next_if(|entry| entry.0 == uid).map_or(ZERO, |(_, value)| value);
            let rate = alpha.rate(weight, bond, consensus[usize::from(uid)]);
            let kept = mul(ONE.saturating_sub(rate), bond);
            let value = kept.saturating_add(mul(rate, weight).max(ZERO)).min(ONE);
            if value > ZERO {
                out.push(uid, value);
            }
        }
        out.end_row();
    }
    out
}

/// Liquid alpha's sigmoid: the further a weight is from consensus, the faster the bond moves.
struct LiquidAlpha {
    low: I32F32,
    high: I32F32,
    /// Steepness, negated.
    slope: I32F32,
}

impl LiquidAlpha {
    fn of(input: &EpochInput) -> Self {
        let slope = I32F32::from_num(input.alpha_sigmoid_steepness)
            .checked_div(I32F32::from_num(-100))
            .unwrap_or(ZERO);
        Self { low: share_from_u16(input.alpha_low), high: share_from_u16(input.alpha_high), slope }
    }

    /// The rate for one pair, from `low` to `high`. Source: subtensor, `alpha_sigmoid`.
    fn rate(&self, weight: I32F32, bond: I32F32, consensus: I32F32) -> I32F32 {
        let gap = if weight >= bond { weight.saturating_sub(consensus) } else { bond.saturating_sub(weight) };
        let gap = gap.min(ONE).max(ZERO);
        let half = I32F32::from_bits(1 << 31);
        let power = exp(self.slope.saturating_mul(gap.saturating_sub(half)));
        let sigmoid = div(ONE, ONE.saturating_add(power));
        let rate = self.low.saturating_add(sigmoid.saturating_mul(self.high.saturating_sub(self.low)));
        rate.min(self.high).max(self.low)
    }
}
