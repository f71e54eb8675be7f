//! From scores to shares: who is paid how much of a mechanism's weight.

use std::collections::BTreeMap;

use primitives::{Hotkey, Unit, math};

/// How scores become shares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Payout {
    /// Shares follow `score^exponent`.
    Proportional {
        /// 1 pays by the score, 2 favours the better.
        exponent: u32,
    },
    /// The `count` best, in equal shares; of equals the earlier hotkey in the ranking.
    TopK {
        /// How many are paid.
        count: usize,
    },
    /// Shares follow `e^(beta · score)` among those who earned anything.
    Softmax {
        /// Steepness, from 0 (equal shares) to 700.
        beta: f64,
    },
    /// The best takes all if it leads by `margin`; otherwise all within the margin share equally.
    WinnerTakeAll {
        /// Lead that is needed, in score.
        margin: f64,
    },
    /// Shares follow the score of those who reach `least`.
    Floor {
        /// Lowest score that is paid.
        least: f64,
    },
}

/// Largest steepness: above it `e^(beta · score)` would be infinite.
const SOFTMAX_BETA_MAX: f64 = 700.0;

impl Payout {
    /// The shares of `scores`, which sum to 1, or nothing where nobody earned anything. A hotkey that earned
    /// nothing has no entry. The order of summation is the order of hotkeys.
    #[must_use]
    pub fn shares(&self, scores: &BTreeMap<Hotkey, Unit>) -> BTreeMap<Hotkey, f64> {
        let earned = scores.iter().filter(|(_, score)| !score.is_zero());
        let earned: Vec<(Hotkey, f64)> = earned.map(|(hotkey, score)| (*hotkey, score.get())).collect();
        let best = earned.iter().fold(0.0_f64, |best, (_, score)| best.max(*score));
        let raw: Vec<(Hotkey, f64)> = match *self {
            Payout::Proportional { exponent } => {
                earned.into_iter().map(|(hotkey, score)| (hotkey, math::power(score, exponent))).collect()
            }
            Payout::TopK { count } => {
                let mut ranked = earned;
                ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                ranked.truncate(count);
                ranked.into_iter().map(|(hotkey, _)| (hotkey, 1.0)).collect()
            }
            Payout::Softmax { beta } => {
                let beta = beta.clamp(0.0, SOFTMAX_BETA_MAX);
                // The best score is subtracted so that the largest term is 1.
                earned.into_iter().map(|(hotkey, score)| (hotkey, math::exp(beta * (score - best)))).collect()
            }
            Payout::WinnerTakeAll { margin } => {
                let near = earned.into_iter().filter(|(_, score)| best - score <= margin.max(0.0));
                near.map(|(hotkey, _)| (hotkey, 1.0)).collect()
            }
            Payout::Floor { least } => earned.into_iter().filter(|(_, score)| *score >= least).collect(),
        };
        normalise(raw)
    }
}

fn normalise(raw: Vec<(Hotkey, f64)>) -> BTreeMap<Hotkey, f64> {
    let mut ordered: BTreeMap<Hotkey, f64> = raw.into_iter().collect();
    let sum = ordered.values().fold(0.0, |sum, share| sum + share);
    if sum <= 0.0 {
        return BTreeMap::new();
    }
    for share in ordered.values_mut() {
        *share /= sum;
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(values: &[f64]) -> BTreeMap<Hotkey, Unit> {
        let key = |at: usize| Hotkey::from_bytes([u8::try_from(at).unwrap(); 32]);
        values.iter().enumerate().map(|(at, value)| (key(at), Unit::new(*value).unwrap())).collect()
    }

    #[test]
    fn each_payout_gives_its_known_shares() {
        let check = |payout: Payout, values: &[f64], expect: &[f64]| {
            let shares = payout.shares(&scores(values));
            let found: Vec<f64> =
                scores(values).keys().map(|key| shares.get(key).copied().unwrap_or(0.0)).collect();
            for (found, expect) in found.iter().zip(expect) {
                assert!((found - expect).abs() < 1e-12, "{payout:?}: {found} for {expect}");
            }
        };
        check(Payout::Proportional { exponent: 1 }, &[0.1, 0.3, 0.0], &[0.25, 0.75, 0.0]);
        check(Payout::Proportional { exponent: 2 }, &[0.1, 0.3, 0.0], &[0.1, 0.9, 0.0]);
        check(Payout::TopK { count: 2 }, &[0.1, 0.3, 0.2], &[0.0, 0.5, 0.5]);
        check(Payout::Softmax { beta: 0.0 }, &[0.1, 0.3, 0.0], &[0.5, 0.5, 0.0]);
        check(Payout::WinnerTakeAll { margin: 0.05 }, &[0.1, 0.3, 0.27], &[0.0, 0.5, 0.5]);
        check(Payout::WinnerTakeAll { margin: 0.01 }, &[0.1, 0.3, 0.27], &[0.0, 1.0, 0.0]);
        check(Payout::Floor { least: 0.2 }, &[0.1, 0.3, 0.2], &[0.0, 0.6, 0.4]);
        check(Payout::Proportional { exponent: 1 }, &[0.0, 0.0], &[0.0, 0.0]);
    }

    proptest::proptest! {
        #[test]
        fn shares_sum_to_one_and_follow_the_order_of_scores(values in proptest::collection::vec(0.0f64..=1.0, 1..20)) {
            for payout in [
                Payout::Proportional { exponent: 2 },
                Payout::Softmax { beta: 8.0 },
                Payout::Floor { least: 0.0 },
            ] {
                let scores = scores(&values);
                let shares = payout.shares(&scores);
                let sum: f64 = shares.values().sum();
                proptest::prop_assert!(shares.is_empty() || (sum - 1.0).abs() < 1e-9);
                for (a, x) in &shares {
                    for (b, y) in &shares {
                        if scores[a] > scores[b] {
                            proptest::prop_assert!(x >= y);
                        }
                    }
                }
            }
        }
    }
}
