//! Delayed: a miner commits to a forecast of a loaded die; the throw becomes known after the reveal.

use mechanisms::{
    Aggregation, Case, Certificate, ExaminedCase, Fault, Fetch, Index, Inputs, Judgement, Limits, Mechanism,
    Outcome, Payout, Round, Shape, Truth, Verdict,
};
use primitives::{BlockNumber, Digest, DurationMs, Hotkey, Unit, merkle};
use serde::{Deserialize, Serialize};

pub(crate) const SIDES: usize = 6;
/// What a forecast's parts sum to.
pub(crate) const WHOLE: u32 = 1_000;

pub(crate) struct Dice;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    throw: u64,
    commit_by: BlockNumber,
}

/// Chances in parts of [`WHOLE`], with a nonce so that a commitment can't be guessed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submission {
    pub(crate) miner: Hotkey,
    pub(crate) nonce: u64,
    pub(crate) chances: [u32; SIDES],
}

impl Submission {
    pub(crate) fn root(&self) -> Digest {
        merkle::root(&[merkle::leaf(&serde_json::to_vec(self).unwrap())])
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examined {
    chances: [u32; SIDES],
    commit_by: BlockNumber,
}

/// Mean squared distance from what happened, 0 to 2.
/// Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.
pub(crate) fn brier(chances: &[u32; SIDES], side: usize) -> f64 {
    let term = |(at, chance): (usize, &u32)| {
        let miss = f64::from(*chance) / f64::from(WHOLE) - f64::from(u8::from(at == side));
        miss * miss
    };
    chances.iter().enumerate().map(term).sum()
}

fn proven(rule: &str, expected: &str, found: &str) -> Fault {
    Fault::Proven(Certificate::new(0, None, rule, expected, found))
}

/// The side that the truth names, where it can be read.
fn side(truth: &Truth) -> Option<usize> {
    serde_json::from_slice(&truth.0).ok().filter(|side| *side < SIDES)
}

impl Mechanism for Dice {
    type Task = Task;
    type Submission = Submission;
    type Examined = Examined;

    fn id(&self) -> &'static str {
        "dice"
    }

    fn about(&self) -> &'static str {
        "forecasts of a throw, paid by their Brier score"
    }

    fn engine(&self) -> String {
        "test/1".to_owned()
    }

    fn shape(&self) -> Shape {
        Shape::Delayed
    }

    fn limits(&self) -> Limits {
        Limits { submission_bytes: 300, items: 1, examine: DurationMs(10), memory_bytes: 1 << 20, fetches: 0 }
    }

    fn aggregation(&self) -> Aggregation {
        Aggregation::Window { rounds: 30 }
    }

    fn payout(&self) -> Payout {
        Payout::Proportional { exponent: 2 }
    }

    fn plan(&self, round: &Round) -> Result<Vec<Task>, String> {
        Ok(vec![Task { throw: round.number, commit_by: round.deadline }])
    }

    fn needs(&self, _case: &Case<Task>) -> Vec<Fetch> {
        Vec::new()
    }

    fn parse(&self, bytes: &[u8]) -> Result<Submission, Certificate> {
        let cut = |found: &str| Certificate::new(0, None, "forecast can be read", "six chances", found);
        let submission: Submission =
            serde_json::from_slice(bytes).map_err(|error| cut(&error.to_string()))?;
        let sum = submission.chances.iter().map(|chance| u64::from(*chance)).sum::<u64>();
        if sum == u64::from(WHOLE) { Ok(submission) } else { Err(cut(&format!("a sum of {sum}"))) }
    }

    fn examine(&self, case: &Case<Task>, inputs: &Inputs) -> Result<Examined, Fault> {
        let submission = self.parse(&inputs.submission).map_err(Fault::Proven)?;
        let Some(root) = case.root else { return Err(proven("forecast is committed", "a root", "none")) };
        let found = submission.root();
        if found != root {
            return Err(proven("reveal is what was committed", &root.to_string(), &found.to_string()));
        }
        if submission.miner != case.hotkey {
            let (expected, found) = (case.hotkey.to_string(), submission.miner.to_string());
            return Err(proven("forecast is the miner's own", &expected, &found));
        }
        Ok(Examined { chances: submission.chances, commit_by: case.task.commit_by })
    }

    fn judge(&self, cases: &[ExaminedCase<Examined>], _index: &Index, truth: Option<&Truth>) -> Verdict {
        let side = truth.and_then(side);
        let judgement = |case: &ExaminedCase<Examined>| {
            let hotkey = case.hotkey;
            let plain = |score, reason: &str| {
                let reason = reason.to_owned();
                Judgement { hotkey, score, parts: Vec::new(), reason, certificate: None }
            };
            let Some(side) = side else { return plain(None, "the throw is not known yet") };
            match (&case.outcome, &case.examined, &case.committed) {
                (Outcome::ValidatorFault, ..) => plain(None, "not judged"),
                (Outcome::Invalid(proof), ..) => {
                    let zero = plain(Some(Unit::ZERO), &proof.to_string());
                    Judgement { certificate: Some(proof.clone()), ..zero }
                }
                (Outcome::Ok, Some(found), Some(committed)) if committed.block <= found.commit_by => {
                    let brier = brier(&found.chances, side);
                    let scored = plain(Some(Unit::clamped(1.0 - brier / 2.0)), "scored");
                    Judgement { parts: vec![("brier".to_owned(), brier)], ..scored }
                }
                (Outcome::Ok, ..) => plain(Some(Unit::ZERO), "committed too late"),
                _ => plain(Some(Unit::ZERO), "no forecast"),
            }
        };
        Verdict { judgements: cases.iter().map(judgement).collect(), learned: Vec::new() }
    }
}

mod tests {
    use super::*;
    use crate::arena::{Answer, DEADLINE, Validator, key, of, part, round, score};
    use primitives::Seed;

    const UNIFORM: [u32; SIDES] = [167, 167, 167, 167, 166, 166];
    /// The die as it is loaded.
    const LOADED: [u32; SIDES] = [500, 200, 100, 100, 50, 50];

    fn reveal(miner: u8, block: u64, chances: [u32; SIDES]) -> Answer {
        let forecast = Submission { miner: key(miner), nonce: 7, chances };
        Answer::to(0, miner, serde_json::to_vec(&forecast).unwrap()).committed(block, forecast.root())
    }

    fn threw(side: usize) -> Truth {
        Truth(serde_json::to_vec(&side).unwrap())
    }

    #[test]
    fn nobody_is_scored_before_the_truth_is_there() {
        let mut validator = Validator::new(&Dice);
        let answers = [reveal(1, 20, LOADED), reveal(2, 20, UNIFORM), Answer::silence(3)];
        for unreadable in [None, Some(Truth(b"seven".to_vec())), Some(threw(6))] {
            let verdict = validator.play(&round(0, 1, &[1, 2, 3]), &answers, unreadable.as_ref());
            assert!(verdict.judgements.iter().all(|judgement| judgement.score.is_none()));
            assert!(validator.standings.0.is_empty() && validator.shares().is_empty());
        }
        let verdict = validator.play(&round(0, 1, &[1, 2, 3]), &answers, Some(&threw(0)));
        assert!(score(&verdict, 1) > score(&verdict, 2));
        assert_eq!(score(&verdict, 3), Some(0.0));
        let judgement = of(&verdict, 1);
        assert!((1.0 - part(judgement, "brier") / 2.0 - judgement.score.unwrap().get()).abs() < 1e-12);
    }

    #[test]
    fn another_forecast_than_the_committed_one_is_a_fault() {
        let truth = threw(3);
        let (_, promised) = reveal(1, 20, UNIFORM).committed.unwrap();
        let late_wisdom = reveal(1, 20, [0, 0, 0, WHOLE, 0, 0]).committed(20, promised);
        let verdict = Validator::new(&Dice).play(&round(0, 1, &[1]), &[late_wisdom], Some(&truth));
        assert_eq!(score(&verdict, 1), Some(0.0));
        assert_eq!(of(&verdict, 1).certificate.as_ref().unwrap().rule, "reveal is what was committed");
    }

    #[test]
    fn a_late_commitment_earns_nothing_without_being_a_fault() {
        let answers = [reveal(1, DEADLINE, LOADED), reveal(2, DEADLINE + 1, LOADED)];
        let verdict = Validator::new(&Dice).play(&round(0, 1, &[1, 2]), &answers, Some(&threw(0)));
        assert!(score(&verdict, 1) > Some(0.5));
        assert_eq!((score(&verdict, 2), of(&verdict, 2).certificate.is_none()), (Some(0.0), true));
    }

    #[test]
    fn knowing_the_die_pays_more_than_a_constant_or_a_boast() {
        let mut validator = Validator::new(&Dice);
        let mut throws = Seed::from_number(11).stream("throws", 0);
        for number in 0..30 {
            let mut drawn = u32::try_from(throws.below(u64::from(WHOLE))).unwrap();
            let side = LOADED
                .iter()
                .position(|chance| drawn.checked_sub(*chance).map(|left| drawn = left).is_none());
            let answers = [
                reveal(1, 20, LOADED),
                reveal(2, 20, UNIFORM),
                reveal(3, 20, [WHOLE, 0, 0, 0, 0, 0]),
                Answer::silence(4),
            ];
            let truth = threw(side.expect("the chances sum to the whole"));
            validator.play(&round(number, 1, &[1, 2, 3, 4]), &answers, Some(&truth));
        }
        let shares = validator.shares();
        assert!(shares[&key(1)] > shares[&key(2)] && shares[&key(1)] > shares[&key(3)], "{shares:?}");
        assert!(!shares.contains_key(&key(4)));
    }
}
