//! Pull: each miner gets numbers of its own and answers with their sum.

use mechanisms::{
    Aggregation, Case, Certificate, ExaminedCase, Fault, Fetch, Index, Inputs, Judgement, Limits, Mechanism,
    Outcome, Payout, Round, Shape, Truth, Unqueried, Verdict,
};
use primitives::{DurationMs, Hotkey, Unit};
use serde::{Deserialize, Serialize};

/// Numbers in one task.
const NUMBERS: usize = 12;
/// An answer that takes this long, in milliseconds, earns nothing for speed.
const SLOW_MS: i64 = 1_000;
/// What speed can be worth: latency is a bounded gate.
const SPEED_PART: f64 = 0.1;

pub(crate) struct Sums;

/// Numbers for one miner: bound to its key, so that an answer can't be relayed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    pub(crate) miner: Hotkey,
    pub(crate) numbers: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submission {
    pub(crate) miner: Hotkey,
    pub(crate) sum: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examined {
    right: bool,
}

/// The right answer to a task.
pub(crate) fn answer(task: &[u8]) -> Vec<u8> {
    let task: Task = serde_json::from_slice(task).unwrap();
    let sum = task.numbers.iter().copied().map(u64::from).sum();
    serde_json::to_vec(&Submission { miner: task.miner, sum }).unwrap()
}

impl Mechanism for Sums {
    type Task = Task;
    type Submission = Submission;
    type Examined = Examined;

    fn id(&self) -> &'static str {
        "sums"
    }

    fn about(&self) -> &'static str {
        "sums of numbers, paid by being right and a little by being quick"
    }

    fn engine(&self) -> String {
        "test/1".to_owned()
    }

    fn shape(&self) -> Shape {
        Shape::Pull
    }

    fn limits(&self) -> Limits {
        Limits { submission_bytes: 200, items: 1, examine: DurationMs(10), memory_bytes: 1 << 20, fetches: 0 }
    }

    fn aggregation(&self) -> Aggregation {
        Aggregation::Ema { alpha: 0.1, unqueried: Unqueried::Keep, min_observations: 3 }
    }

    fn payout(&self) -> Payout {
        Payout::Proportional { exponent: 2 }
    }

    fn plan(&self, round: &Round) -> Result<Vec<Task>, String> {
        let task = |miner: &mechanisms::RoundMiner| {
            let seed = round.seed.derive_from("sums", &[miner.hotkey.as_bytes()]);
            let mut stream = seed.stream("numbers", round.number);
            let numbers = (0..NUMBERS).map(|_| u32::try_from(stream.below(1 << 32)).unwrap()).collect();
            Task { miner: miner.hotkey, numbers }
        };
        Ok(round.miners.iter().map(task).collect())
    }

    fn needs(&self, _case: &Case<Task>) -> Vec<Fetch> {
        Vec::new()
    }

    fn parse(&self, bytes: &[u8]) -> Result<Submission, Certificate> {
        serde_json::from_slice(bytes)
            .map_err(|error| Certificate::new(0, None, "answer can be read", "a sum", &error.to_string()))
    }

    fn examine(&self, case: &Case<Task>, inputs: &Inputs) -> Result<Examined, Fault> {
        if case.task.miner != case.hotkey {
            let reason = format!("task is for {}, not {}", case.task.miner, case.hotkey);
            return Err(Fault::NoEvidence { reason });
        }
        let answer = self.parse(&inputs.submission).map_err(Fault::Proven)?;
        if answer.miner != case.hotkey {
            let (expected, found) = (case.hotkey.to_string(), answer.miner.to_string());
            let rule = "answer is the miner's own";
            return Err(Fault::Proven(Certificate::new(0, None, rule, &expected, &found)));
        }
        let sum: u64 = case.task.numbers.iter().copied().map(u64::from).sum();
        Ok(Examined { right: answer.sum == sum })
    }

    fn judge(&self, cases: &[ExaminedCase<Examined>], _index: &Index, _truth: Option<&Truth>) -> Verdict {
        let judgement = |case: &ExaminedCase<Examined>| {
            let (score, right, reason, certificate) = match &case.outcome {
                Outcome::ValidatorFault => (None, 0.0, "not judged".to_owned(), None),
                Outcome::Invalid(proof) => (Some(0.0), 0.0, proof.to_string(), Some(proof.clone())),
                Outcome::Ok if case.examined.as_ref().is_some_and(|found| found.right) => {
                    (Some(1.0), 1.0, "right".to_owned(), None)
                }
                Outcome::Ok => (Some(0.0), 0.0, "wrong".to_owned(), None),
                Outcome::NoResponse | Outcome::Refused => (Some(0.0), 0.0, "silent".to_owned(), None),
                Outcome::TooBig => (Some(0.0), 0.0, "too big".to_owned(), None),
            };
            let waited_ms = i32::try_from(case.latency.0.clamp(0, SLOW_MS)).unwrap();
            let speed = 1.0 - f64::from(waited_ms) / 1_000.0;
            let score = score.map(|_| Unit::clamped(right * (1.0 - SPEED_PART + SPEED_PART * speed)));
            let parts = vec![("right".to_owned(), right), ("speed".to_owned(), speed)];
            Judgement { hotkey: case.hotkey, score, parts, reason, certificate }
        };
        Verdict { judgements: cases.iter().map(judgement).collect(), learned: Vec::new() }
    }
}

mod tests {
    use super::*;
    use crate::arena::{Answer, Validator, key, of, part, round, score};

    /// Right answers to the first `miners` tasks, in 0 ms.
    fn answers(round: &Round) -> Vec<Answer> {
        let tasks = Mechanism::plan(&Sums, round).unwrap();
        let task = |at: usize| answer(&serde_json::to_vec(&tasks[at]).unwrap());
        let keys = round.miners.iter().map(|miner| miner.hotkey.as_bytes()[0]);
        keys.enumerate().map(|(at, miner)| Answer::to(at, miner, task(at))).collect()
    }

    #[test]
    fn right_answers_are_paid_and_speed_is_worth_a_tenth_at_most() {
        let round = round(0, 1, &[1, 2, 3, 4]);
        let mut all = answers(&round);
        all[1] = all[1].clone().after(500);
        all[2] = all[2].clone().after(i64::MAX);
        let wrong = Submission { miner: key(4), sum: 1 };
        all[3].bytes = Some(serde_json::to_vec(&wrong).unwrap());
        let verdict = Validator::new(&Sums).play(&round, &all, None);
        let scores: Vec<_> = (1..=4).map(|miner| score(&verdict, miner).unwrap()).collect();
        for (found, expect) in scores.iter().zip([1.0, 0.95, 0.9, 0.0]) {
            assert!((found - expect).abs() < 1e-12, "{scores:?}");
        }
        for miner in 1..=4 {
            let judgement = of(&verdict, miner);
            let again = part(judgement, "right") * (0.9 + 0.1 * part(judgement, "speed"));
            assert!((again - judgement.score.unwrap().get()).abs() < 1e-12, "parts reproduce the score");
        }
    }

    #[test]
    fn a_relayed_answer_is_a_proven_fault_and_clears_what_was_earned() {
        let mut validator = Validator::new(&Sums);
        for number in 0..4 {
            let round = round(number, 1, &[1, 2]);
            validator.play(&round, &answers(&round), None);
        }
        assert_eq!(validator.shares().len(), 2);
        let round = round(4, 1, &[1, 2]);
        let mut all = answers(&round);
        all[1].bytes = all[0].bytes.clone();
        let verdict = validator.play(&round, &all, None);
        assert_eq!(score(&verdict, 2), Some(0.0));
        let proof = of(&verdict, 2).certificate.as_ref().unwrap();
        assert_eq!(
            (proof.rule.as_str(), proof.found.clone()),
            ("answer is the miner's own", key(1).to_string())
        );
        assert_eq!(validator.shares().keys().copied().collect::<Vec<_>>(), vec![key(1)]);
    }

    #[test]
    fn nothing_counts_before_the_least_number_of_observations() {
        let mut validator = Validator::new(&Sums);
        for number in 0..3 {
            assert!(validator.shares().is_empty(), "after {number} rounds");
            let round = round(number, 1, &[1]);
            validator.play(&round, &answers(&round), None);
        }
        assert_eq!(validator.shares().len(), 1);
    }

    #[test]
    fn an_unqueried_miner_keeps_its_score_and_a_silent_one_loses() {
        let mut validator = Validator::new(&Sums);
        let scores = |validator: &Validator<'_>| validator.standings.scores(&Mechanism::aggregation(&Sums));
        for number in 0..3 {
            let round = round(number, 1, &[1, 2, 3]);
            validator.play(&round, &answers(&round), None);
        }
        let before = scores(&validator);
        let round = round(3, 1, &[1, 2, 3]);
        let mut all = answers(&round);
        all[1].bytes = None;
        all.truncate(2);
        validator.play(&round, &all, None);
        let after = scores(&validator);
        assert_eq!((after[&key(1)], after[&key(3)]), (before[&key(1)], before[&key(3)]));
        assert!((after[&key(2)].get() - 0.9).abs() < 1e-12, "{:?}", after[&key(2)]);
    }

    #[test]
    fn a_task_for_another_miner_is_the_validators_fault() {
        let round = round(0, 1, &[1, 2]);
        let mut all = answers(&round);
        all[0].task = 1;
        let mut validator = Validator::new(&Sums);
        let verdict = validator.play(&round, &all, None);
        assert_eq!((score(&verdict, 1), score(&verdict, 2)), (None, Some(1.0)));
        assert!(!validator.standings.0.contains_key(&key(1)), "nothing is kept of a miner left alone");
    }
}
