//! Which records of a shard are checked against the source, and what the alignment of their texts says of an open
//! recipe.
//!
//! Every draw is by what a lie would bring. Tokens are paid, so kept rows are drawn by the token; reading is saved by
//! the byte, so dropped rows are drawn by the byte. Neither number is taken on trust: at this point the tokens have been
//! counted, and the lengths tile the task.

use std::collections::BTreeMap;

use corpus::{Decision, Shard};
use primitives::{Seed, Stream};

use super::params;

/// Rows drawn from a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Kept rows with their weights, ascending by row: how often each was drawn, or its tokens where all are checked.
    pub kept: Vec<(u32, u64)>,
    /// Dropped rows, ascending.
    pub dropped: Vec<u32>,
}

impl Sample {
    /// Draws from a shard whose claims hold: [`params::SAMPLE_KEPT`] times by the token and [`params::SAMPLE_DROPPED`] times
    /// by the byte, with replacement; all rows where there are no more than that.
    #[must_use]
    pub fn draw(shard: &Shard, seed: &Seed) -> Self {
        let kept: Vec<(u32, u64)> =
            shard.documents.iter().map(|document| (document.record, document.tokens.max(1))).collect();
        let dropped = (0..).zip(&shard.ledger.rows).filter(|(_, row)| row.decision != Decision::Kept);
        // An empty file is as much of a decision as a byte.
        let dropped: Vec<(u32, u64)> =
            dropped.map(|(row, claimed)| (row, claimed.length_bytes.max(1))).collect();
        let dropped = weighted(&dropped, params::SAMPLE_DROPPED, &mut seed.stream("dropped", 0));
        Self {
            kept: weighted(&kept, params::SAMPLE_KEPT, &mut seed.stream("kept", 0)),
            dropped: dropped.into_iter().map(|(row, _)| row).collect(),
        }
    }
}

/// Draws `count` times by weight, with replacement; gives all as they are where there are no more than that.
fn weighted(rows: &[(u32, u64)], count: usize, draws: &mut Stream) -> Vec<(u32, u64)> {
    if rows.len() <= count {
        return rows.to_vec();
    }
    let ends: Vec<u64> = rows
        .iter()
        .scan(0_u64, |end, (_, weight)| {
            *end = end.saturating_add(*weight);
            Some(*end)
        })
        .collect();
    let total = ends.last().copied().unwrap_or(1);
    let mut drawn: BTreeMap<u32, u64> = BTreeMap::new();
    for _ in 0..count {
        let at = draws.below(total);
        *drawn.entry(rows[ends.partition_point(|end| *end <= at)].0).or_default() += 1;
    }
    drawn.into_iter().collect()
}

/// How much of the sampled texts stands in their pages in order, and how much at least is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aligned {
    /// The weighted mean, in permille.
    pub mean_permille: u16,
    /// The least mean that is taken from so many texts, in permille.
    pub least_permille: u16,
}

impl Aligned {
    /// Of alignments in permille with their weights; none without any.
    ///
    /// Honest texts fall low now and then, so that few of them say less than many: the least mean is that of n texts
    /// of which one stands at [`params::ALIGNED_LEAST_ALONE_PERMILLE`] and the others at [`params::ALIGNED_LEAST_PERMILLE`], with
    /// Kish's effective number n = (Σw)² / Σw². Source: L. Kish, Survey Sampling (1965), 11.7.
    #[must_use]
    pub fn of(texts: &[(u16, u64)]) -> Option<Self> {
        let sum: u128 = texts.iter().map(|(_, weight)| u128::from(*weight)).sum();
        let squares: u128 = texts.iter().map(|(_, weight)| u128::from(*weight) * u128::from(*weight)).sum();
        let weighed: u128 =
            texts.iter().map(|(permille, weight)| u128::from(*permille) * u128::from(*weight)).sum();
        let mean_permille = u16::try_from(weighed.checked_div(sum)?).ok()?;
        let (least, alone) = (params::ALIGNED_LEAST_PERMILLE, params::ALIGNED_LEAST_ALONE_PERMILLE);
        let lower = u128::from(least - alone) * squares / (sum * sum);
        let least_permille = least.saturating_sub(u16::try_from(lower).unwrap_or(u16::MAX));
        Some(Self { mean_permille, least_permille })
    }

    /// Whether the texts can come from their pages.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.mean_permille >= self.least_permille
    }
}
