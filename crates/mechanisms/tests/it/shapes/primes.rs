//! Push: a miner commits to primes of a range and publishes them; a sample is divided, credit goes to the first.

use std::collections::{BTreeMap, BTreeSet};

use mechanisms::{
    Aggregation, Case, Certificate, Committed, ExaminedCase, Fault, Fetch, Index, Inputs, Judgement, Limits,
    Mechanism, Outcome, Payout, Round, Shape, Truth, Verdict,
};
use primitives::{Digest, DurationMs, Hotkey, Unit, merkle};
use serde::{Deserialize, Serialize};

/// Numbers of the list that are divided.
const SAMPLE: usize = 16;
/// Numbers in one task's range.
const RANGE: u64 = 1_000;
/// Rounds for which the range stays the same.
const ROUNDS_PER_RANGE: u64 = 2;
const NUMBER_DOMAIN: &str = "weighhouse test primes v1";

pub(crate) struct Primes;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    from: u64,
    until: u64,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submission {
    pub(crate) miner: Hotkey,
    pub(crate) primes: Vec<u64>,
}

impl Submission {
    /// What is committed: the list bound to its miner.
    pub(crate) fn root(&self) -> Digest {
        let numbers = self.primes.iter().map(|number| merkle::leaf(&number.to_le_bytes()));
        let leaves: Vec<Digest> =
            std::iter::once(merkle::leaf(self.miner.as_bytes())).chain(numbers).collect();
        merkle::root(&leaves)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examined {
    primes: Vec<u64>,
}

/// Whether no smaller number divides `number`.
pub(crate) fn is_prime(number: u64) -> bool {
    number > 1
        && (2..)
            .take_while(|divisor| divisor * divisor <= number)
            .all(|divisor| !number.is_multiple_of(divisor))
}

fn proven(step: u8, rule: &str, expected: &str, found: &str) -> Fault {
    Fault::Proven(Certificate::new(step, None, rule, expected, found))
}

fn precedence(committed: Option<&Committed>) -> (u64, Digest) {
    committed.map_or((u64::MAX, Digest::default()), |committed| (committed.block, committed.root))
}

impl Mechanism for Primes {
    type Task = Task;
    type Submission = Submission;
    type Examined = Examined;

    fn id(&self) -> &'static str {
        "primes"
    }

    fn about(&self) -> &'static str {
        "primes of a range, paid to whoever committed to them first"
    }

    fn engine(&self) -> String {
        "test/1".to_owned()
    }

    fn shape(&self) -> Shape {
        Shape::Push
    }

    fn limits(&self) -> Limits {
        Limits {
            submission_bytes: 16 << 10,
            items: 1,
            examine: DurationMs(100),
            memory_bytes: 1 << 20,
            fetches: 0,
        }
    }

    fn aggregation(&self) -> Aggregation {
        Aggregation::Window { rounds: 1 }
    }

    fn payout(&self) -> Payout {
        Payout::Proportional { exponent: 1 }
    }

    fn plan(&self, round: &Round) -> Result<Vec<Task>, String> {
        let from = 10_000 + RANGE * (round.number / ROUNDS_PER_RANGE);
        Ok(vec![Task { from, until: from + RANGE }])
    }

    fn needs(&self, _case: &Case<Task>) -> Vec<Fetch> {
        Vec::new()
    }

    fn parse(&self, bytes: &[u8]) -> Result<Submission, Certificate> {
        serde_json::from_slice(bytes)
            .map_err(|error| Certificate::new(0, None, "list can be read", "primes", &error.to_string()))
    }

    fn examine(&self, case: &Case<Task>, inputs: &Inputs) -> Result<Examined, Fault> {
        let submission = self.parse(&inputs.submission).map_err(Fault::Proven)?;
        let Some(root) = case.root else {
            return Err(proven(0, "list is committed", "a root", "none"));
        };
        let found = submission.root();
        if found != root {
            return Err(proven(0, "root is the committed one", &root.to_string(), &found.to_string()));
        }
        if submission.miner != case.hotkey {
            let (expected, found) = (case.hotkey.to_string(), submission.miner.to_string());
            return Err(proven(0, "list is the miner's own", &expected, &found));
        }
        let primes = submission.primes;
        let range = case.task.from..case.task.until;
        if let Some(outside) = primes.iter().find(|number| !range.contains(number)) {
            return Err(proven(0, "numbers are of the range", &format!("{range:?}"), &outside.to_string()));
        }
        if let Some(two) = primes.windows(2).find(|two| two[0] >= two[1]) {
            return Err(proven(0, "numbers ascend", &format!("above {}", two[0]), &two[1].to_string()));
        }
        let seed = case.audit_seed.derive_from("primes sample", &[case.hotkey.as_bytes()]);
        for at in seed.stream("numbers", 0).sample(primes.len(), SAMPLE) {
            if !is_prime(primes[at]) {
                return Err(proven(1, "numbers are prime", "a prime", &primes[at].to_string()));
            }
        }
        Ok(Examined { primes })
    }

    fn judge(&self, cases: &[ExaminedCase<Examined>], index: &Index, _truth: Option<&Truth>) -> Verdict {
        let mut ordered: Vec<_> = cases.iter().collect();
        ordered.sort_by_key(|case| (precedence(case.committed.as_ref()), case.hotkey));
        let mut learned: BTreeMap<Digest, Hotkey> = BTreeMap::new();
        let mut found: BTreeMap<Hotkey, (u64, u64)> = BTreeMap::new();
        for case in &ordered {
            let (unique, all) = found.entry(case.hotkey).or_default();
            for number in case.examined.iter().flat_map(|examined| &examined.primes) {
                let content = Digest::of_parts(NUMBER_DOMAIN, &[&number.to_le_bytes()]);
                *all += 1;
                if !index.first.contains_key(&content) && !learned.contains_key(&content) {
                    learned.insert(content, case.hotkey);
                    *unique += 1;
                }
            }
        }
        let total: u64 = found.values().map(|(unique, _)| unique).sum();
        let judgement = |case: &ExaminedCase<Examined>| {
            let (unique, all) = found[&case.hotkey];
            let (score, certificate) = match &case.outcome {
                Outcome::ValidatorFault => (None, None),
                Outcome::Invalid(proof) => (Some(Unit::ZERO), Some(proof.clone())),
                _ => (Some(Unit::ratio(unique, total)), None),
            };
            let parts = [("unique", unique), ("total", total), ("listed", all)];
            let parts =
                parts.map(|(name, value)| (name.to_owned(), f64::from(u32::try_from(value).unwrap())));
            let reason = format!("{unique} of {all} listed primes were new");
            Judgement { hotkey: case.hotkey, score, parts: parts.to_vec(), reason, certificate }
        };
        let mut judgements: Vec<_> = cases.iter().map(judgement).collect();
        judgements.sort_by_key(|judgement| judgement.hotkey);
        Verdict { judgements, learned: learned.into_iter().collect() }
    }
}

/// The primes of round `number` that `wanted` takes, as `miner` would list them.
pub(crate) fn list(miner: u8, number: u64, wanted: impl Fn(u64) -> bool) -> Submission {
    let from = 10_000 + RANGE * (number / ROUNDS_PER_RANGE);
    let primes = (from..from + RANGE).filter(|number| is_prime(*number) && wanted(*number)).collect();
    Submission { miner: crate::arena::key(miner), primes }
}

mod tests {
    use super::*;
    use crate::arena::{Answer, Validator, of, part, round, score};

    fn publish(block: u64, miner: u8, list: &Submission) -> Answer {
        Answer::to(0, miner, serde_json::to_vec(list).unwrap()).committed(block, list.root())
    }

    #[test]
    fn a_prime_counts_for_the_earlier_commitment_within_and_across_rounds() {
        let mut validator = Validator::new(&Primes);
        let (ones, all) = (list(1, 0, |number| number % 10 == 1), list(2, 0, |_| true));
        let verdict =
            validator.play(&round(0, 1, &[1, 2]), &[publish(30, 2, &all), publish(20, 1, &ones)], None);
        let (first, second) = (of(&verdict, 1), of(&verdict, 2));
        let counts = |judgement| (part(judgement, "unique"), part(judgement, "listed"));
        let (ones_count, all_count) = (counts(first).1, counts(second).1);
        assert!(ones_count > 10.0 && all_count > ones_count, "{ones_count} {all_count}");
        assert_eq!(counts(first), (ones_count, ones_count));
        assert_eq!(counts(second), (all_count - ones_count, all_count));
        for judgement in [first, second] {
            let again = part(judgement, "unique") / part(judgement, "total");
            assert!((again - judgement.score.unwrap().get()).abs() < 1e-12, "parts reproduce the score");
        }
        // The range stays for a second round, in which nothing is new; the third has another range.
        let again = validator.play(&round(1, 1, &[1, 2]), &[publish(20, 2, &all)], None);
        assert_eq!(score(&again, 2), Some(0.0));
        let fresh = list(2, 2, |_| true);
        let third = validator.play(&round(2, 1, &[1, 2]), &[publish(20, 2, &fresh)], None);
        assert_eq!(score(&third, 2), Some(1.0));
        let owners: BTreeSet<Hotkey> = validator.index.first.values().copied().collect();
        assert_eq!(owners.len(), 2);
    }

    #[test]
    fn each_lie_about_the_list_is_a_fault_with_its_rule() {
        let honest = list(1, 0, |_| true);
        let check = |change: &dyn Fn(&mut Submission), step: u8, rule: &str| {
            let mut changed = honest.clone();
            change(&mut changed);
            let answer = publish(20, 1, &changed);
            let verdict = Validator::new(&Primes).play(&round(0, 1, &[1]), &[answer], None);
            let proof = of(&verdict, 1).certificate.clone().expect(rule);
            assert_eq!((proof.step, proof.rule.as_str()), (step, rule));
            assert_eq!(score(&verdict, 1), Some(0.0));
        };
        check(&|list| list.miner = crate::arena::key(9), 0, "list is the miner's own");
        check(&|list| list.primes.push(20_011), 0, "numbers are of the range");
        check(&|list| list.primes.swap(0, 1), 0, "numbers ascend");
        check(&|list| list.primes.insert(1, list.primes[0]), 0, "numbers ascend");
        check(&|list| list.primes = (10_000..10_100).collect(), 1, "numbers are prime");
        let verdict = Validator::new(&Primes).play(
            &round(0, 1, &[1]),
            &[publish(20, 1, &honest).committed(20, Digest::of(b"another list"))],
            None,
        );
        assert_eq!(of(&verdict, 1).certificate.as_ref().unwrap().rule, "root is the committed one");
    }

    #[test]
    fn a_few_false_primes_are_found_as_often_as_the_sample_says() {
        let mut padded = list(1, 0, |_| true);
        let composites: Vec<u64> = (10_000..11_000).filter(|number| number % 100 == 0).collect();
        padded.primes.extend(&composites);
        padded.primes.sort_unstable();
        let rounds = 400;
        let found = (0..rounds).filter(|seed| {
            let verdict =
                Validator::new(&Primes).play(&round(0, *seed, &[1]), &[publish(20, 1, &padded)], None);
            of(&verdict, 1).certificate.is_some()
        });
        let (found, fake) = (found.count(), composites.len());
        // Without replacement: 1 − Π (honest − i) / (all − i); 10 of 116 are false, so 0.775 ± 0.021.
        let (mut missed, all) = (1.0, padded.primes.len());
        for at in 0..SAMPLE {
            let left = |count: usize| f64::from(u32::try_from(count - at).unwrap());
            missed *= left(all - fake) / left(all);
        }
        let rate = f64::from(u32::try_from(found).unwrap()) / 400.0;
        assert!((rate - (1.0 - missed)).abs() < 0.084, "found {rate}, expected {} ± 4 sigma", 1.0 - missed);
    }
}
