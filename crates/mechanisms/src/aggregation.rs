//! From the judgements of many rounds to one score per hotkey.

use std::collections::{BTreeMap, VecDeque};

use primitives::{Hotkey, Unit};
use serde::{Deserialize, Serialize};

use crate::Judgement;

/// What a round without a judgement does to a moving average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unqueried {
    /// Nothing.
    Keep,
    /// The average moves towards zero as if zero had been scored.
    Decay,
    /// This much is taken off, down to zero.
    Subtract(f64),
}

/// How judgements are gathered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// Exponential moving average.
    Ema {
        /// Share of the newest score.
        alpha: f64,
        /// What a round without a judgement does.
        unqueried: Unqueried,
        /// Judgements before anything counts.
        min_observations: u32,
    },
    /// The mean over the last rounds, in which a round without a judgement counts as nothing earned.
    Window {
        /// How many rounds, at least 1.
        rounds: u32,
    },
    /// Beta reputation: a score of at least one half counts for, less counts against.
    /// Source: Jøsang & Ismail, "The beta reputation system", 2002.
    BetaReputation {
        /// Share of the past that is kept at each judgement.
        lambda: f64,
        /// Judgements before anything counts.
        min_observations: u32,
    },
}

/// What is kept of one hotkey.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Judgements so far.
    pub observations: u32,
    /// The moving average.
    pub average: f64,
    /// Scores of the last rounds, newest last.
    pub recent: VecDeque<Unit>,
    /// Evidence for.
    pub beta_for: f64,
    /// Evidence against.
    pub beta_against: f64,
}

/// The standings of one mechanism, by hotkey: they belong to no uid and to no position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standings(pub BTreeMap<Hotkey, Standing>);

impl Standings {
    /// Takes in a round. Hotkeys without a judgement, or with one that leaves them alone, are treated as
    /// unqueried. A proven fault clears what its miner had earned.
    pub fn update(&mut self, how: &Aggregation, judgements: &[Judgement]) {
        let mut judged = BTreeMap::new();
        let mut left_alone = std::collections::BTreeSet::new();
        for judgement in judgements {
            match judgement.score {
                Some(score) => _ = judged.insert(judgement.hotkey, (score, judgement.certificate.is_some())),
                None => _ = left_alone.insert(judgement.hotkey),
            }
        }
        for (hotkey, (_, faulty)) in &judged {
            let standing = self.0.entry(*hotkey).or_default();
            if *faulty {
                *standing = Standing::default();
            }
        }
        for (hotkey, standing) in &mut self.0 {
            match judged.get(hotkey) {
                Some((score, _)) => standing.observe(how, *score),
                None if left_alone.contains(hotkey) => {}
                None => standing.pass(how),
            }
        }
    }

    /// Forgets hotkeys that are no longer registered.
    pub fn retain(&mut self, registered: impl Fn(&Hotkey) -> bool) {
        self.0.retain(|hotkey, _| registered(hotkey));
    }

    /// The scores as they stand.
    #[must_use]
    pub fn scores(&self, how: &Aggregation) -> BTreeMap<Hotkey, Unit> {
        self.0.iter().map(|(hotkey, standing)| (*hotkey, standing.score(how))).collect()
    }
}

impl Standing {
    fn observe(&mut self, how: &Aggregation, score: Unit) {
        self.observations = self.observations.saturating_add(1);
        match *how {
            Aggregation::Ema { alpha, .. } => {
                let first = self.observations == 1;
                self.average =
                    if first { score.get() } else { alpha * score.get() + (1.0 - alpha) * self.average };
            }
            Aggregation::Window { rounds } => self.push(rounds, score),
            Aggregation::BetaReputation { lambda, .. } => {
                let verdict = if score.get() >= 0.5 { 1.0 } else { -1.0 };
                self.beta_for = lambda * self.beta_for + (1.0 + verdict) / 2.0;
                self.beta_against = lambda * self.beta_against + (1.0 - verdict) / 2.0;
            }
        }
    }

    fn pass(&mut self, how: &Aggregation) {
        match *how {
            Aggregation::Ema { unqueried: Unqueried::Keep, .. } | Aggregation::BetaReputation { .. } => {}
            Aggregation::Ema { unqueried: Unqueried::Decay, alpha, .. } => self.average *= 1.0 - alpha,
            Aggregation::Ema { unqueried: Unqueried::Subtract(step), .. } => {
                self.average = (self.average - step).max(0.0);
            }
            Aggregation::Window { rounds } => self.push(rounds, Unit::ZERO),
        }
    }

    fn push(&mut self, rounds: u32, score: Unit) {
        self.recent.push_back(score);
        while self.recent.len() > rounds.max(1) as usize {
            self.recent.pop_front();
        }
    }

    fn score(&self, how: &Aggregation) -> Unit {
        match *how {
            Aggregation::Ema { min_observations, .. } if self.observations < min_observations => Unit::ZERO,
            Aggregation::Ema { .. } => Unit::clamped(self.average),
            Aggregation::Window { rounds } => {
                // A newcomer's missing rounds count as nothing earned, else one lucky round would be a mean.
                let sum = self.recent.iter().fold(0.0, |sum, score| sum + score.get());
                Unit::clamped(sum / f64::from(rounds.max(1)))
            }
            Aggregation::BetaReputation { min_observations, .. } if self.observations < min_observations => {
                Unit::ZERO
            }
            Aggregation::BetaReputation { .. } => {
                let total = self.beta_for + self.beta_against;
                if total > 0.0 { Unit::clamped(self.beta_for / total) } else { Unit::ZERO }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(at: u8) -> Hotkey {
        Hotkey::from_bytes([at; 32])
    }

    fn judgement(at: u8, score: Option<f64>) -> Judgement {
        let score = score.map(|value| Unit::new(value).unwrap());
        Judgement { hotkey: key(at), score, parts: vec![], reason: String::new(), certificate: None }
    }

    fn check(how: Aggregation, rounds: &[&[Judgement]], expect: &[(u8, f64)]) {
        let mut standings = Standings::default();
        for round in rounds {
            standings.update(&how, round);
        }
        let scores = standings.scores(&how);
        for (at, value) in expect {
            assert!(
                (scores[&key(*at)].get() - value).abs() < 1e-12,
                "{how:?} key {at}: {:?}",
                scores[&key(*at)]
            );
        }
    }

    #[test]
    fn moving_average_waits_for_its_observations() {
        let how = |min_observations, unqueried| Aggregation::Ema { alpha: 0.5, unqueried, min_observations };
        let (one, zero) = ([judgement(1, Some(1.0))], [judgement(1, Some(0.0))]);
        check(how(2, Unqueried::Keep), &[&one], &[(1, 0.0)]);
        check(how(2, Unqueried::Keep), &[&one, &zero], &[(1, 0.5)]);
        check(how(1, Unqueried::Keep), &[&one, &[]], &[(1, 1.0)]);
        check(how(1, Unqueried::Decay), &[&one, &[]], &[(1, 0.5)]);
        check(how(1, Unqueried::Subtract(0.2)), &[&one, &[]], &[(1, 0.8)]);
    }

    #[test]
    fn window_counts_missing_rounds_as_nothing() {
        let how = Aggregation::Window { rounds: 2 };
        check(how, &[&[judgement(1, Some(1.0))]], &[(1, 0.5)]);
        check(how, &[&[judgement(1, Some(1.0))], &[]], &[(1, 0.5)]);
        check(how, &[&[judgement(1, Some(1.0))], &[], &[]], &[(1, 0.0)]);
    }

    #[test]
    fn validators_fault_leaves_a_miner_alone_and_a_proven_one_clears_it() {
        let how = Aggregation::Window { rounds: 2 };
        check(how, &[&[judgement(1, Some(1.0))], &[judgement(1, None)]], &[(1, 0.5)]);
        let proof = crate::Certificate::new(0, None, "rule", "a", "b");
        let fault = Judgement { certificate: Some(proof), ..judgement(1, Some(0.0)) };
        check(how, &[&[judgement(1, Some(1.0))], &[fault]], &[(1, 0.0)]);
    }

    #[test]
    fn reputation_falls_with_a_failure() {
        let how = Aggregation::BetaReputation { lambda: 1.0, min_observations: 1 };
        let (good, bad) = ([judgement(1, Some(1.0))], [judgement(1, Some(0.0))]);
        check(how, &[&good], &[(1, 1.0)]);
        check(how, &[&good, &bad], &[(1, 0.5)]);
    }
}
