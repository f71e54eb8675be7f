//! Consensus: per column the stake-weighted median of the weights.

use std::mem;

use substrate_fixed::types::I32F32;

use super::matrix::Sparse;
use crate::fixed::{ZERO, normalise, sum};

/// A validator's weight for the column under consideration, and its stake.
type Vote = (I32F32, I32F32);

/// Per uid the largest weight that validators with more than `kappa` of the active stake support.
///
/// A validator without an entry votes 0. Source: subtensor, `weighted_median_col_sparse`.
pub(super) fn consensus(weights: &Sparse, active_stake: &[I32F32], kappa: I32F32) -> Vec<I32F32> {
    let n = active_stake.len();
    let voters: Vec<usize> = (0..n).filter(|&uid| active_stake[uid] > ZERO).collect();
    let mut stake: Vec<I32F32> = voters.iter().map(|&uid| active_stake[uid]).collect();
    normalise(&mut stake);
    let total = sum(stake.iter().copied());
    let minority = total.saturating_sub(kappa);

    // votes: [n, voters], column by column, so that a median reads one stretch of memory.
    let mut votes = vec![ZERO; n * voters.len()];
    let mut voted = vec![false; n];
    for (voter, &uid) in voters.iter().enumerate() {
        for &(column, value) in weights.row(uid) {
            let column = usize::from(column);
            votes[column * voters.len() + voter] = value;
            voted[column] = true;
        }
    }
    let mut median = Median::default();
    let column = |column: usize| {
        let votes = &votes[column * voters.len()..(column + 1) * voters.len()];
        // Where all vote 0, so does the median.
        if voted[column] { median.of(votes, &stake, minority, total) } else { ZERO }
    };
    (0..n).map(column).collect()
}

/// The median's three lists of votes, kept from column to column.
#[derive(Default)]
struct Median {
    current: Vec<Vote>,
    lower: Vec<Vote>,
    upper: Vec<Vote>,
}

impl Median {
    /// Partitions the votes around the one in the middle of the list until the median is the pivot.
    ///
    /// `[lo, hi]` is the stretch of summed stake that the current list covers. Sums are exact, so that the vote
    /// this ends at does not depend on the order of the list. Source: subtensor, `weighted_median`.
    fn of(&mut self, votes: &[I32F32], stake: &[I32F32], minority: I32F32, total: I32F32) -> I32F32 {
        self.current.clear();
        self.current.extend(votes.iter().copied().zip(stake.iter().copied()));
        let (mut lo, mut hi) = (ZERO, total);
        loop {
            let Some(&(pivot, _)) = self.current.get(self.current.len() / 2) else { return ZERO };
            self.lower.clear();
            self.upper.clear();
            let (mut lower_stake, mut upper_stake) = (ZERO, ZERO);
            for &(vote, stake) in &self.current {
                if vote < pivot {
                    lower_stake = lower_stake.saturating_add(stake);
                    self.lower.push((vote, stake));
                } else if vote > pivot {
                    upper_stake = upper_stake.saturating_add(stake);
                    self.upper.push((vote, stake));
                }
            }
            // Each turn drops at least the pivot, so that this ends.
            if minority < lo.saturating_add(lower_stake) && !self.lower.is_empty() {
                hi = lo.saturating_add(lower_stake);
                mem::swap(&mut self.current, &mut self.lower);
            } else if hi.saturating_sub(upper_stake) <= minority && !self.upper.is_empty() {
                lo = hi.saturating_sub(upper_stake);
                mem::swap(&mut self.current, &mut self.upper);
            } else {
                return pivot;
            }
        }
    }
}
