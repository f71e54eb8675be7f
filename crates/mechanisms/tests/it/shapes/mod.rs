//! What holds for mechanisms of any shape, through the erased surface.

mod dice;
mod primes;
mod sums;

use std::{collections::BTreeMap, sync::Arc};

use mechanisms::{
    EmptyLane, ErasedMechanism, ExaminedCase, Finding, Index, Inputs, Judgement, MechanismError, Outcome,
    Round, Standings, mix, to_weights,
};
use primitives::{Digest, DurationMs, Hotkey, Timestamp, Uid, Unit};
use proptest::prelude::*;

use crate::{
    arena::{Answer, Validator, case, key, round},
    dataset,
};
use dice::Dice;
use primes::Primes;
use sums::Sums;

/// One mechanism of each shape, and the first of the catalogue.
const ALL: [&dyn ErasedMechanism; 4] = [&Sums, &Primes, &Dice, &mechanisms::dataset::Dataset];

/// A round in which each of them has tasks.
fn busy_round(number: u64) -> Round {
    let mut round = round(number, 5, &[1, 2, 3]);
    round.jobs = vec![Arc::new(dataset::job(&dataset::library(5, 12), 4, 2))];
    round
}

/// Examines these bytes as an answer to the mechanism's first task.
fn outcome(mechanism: &dyn ErasedMechanism, bytes: &[u8]) -> Outcome {
    let round = busy_round(0);
    let tasks = mechanism.plan(&round).expect("own jobs");
    let answer = Answer::to(0, 1, bytes.to_vec()).committed(20, Digest::of(bytes));
    let inputs = Inputs::of(Arc::new(bytes.to_vec()));
    match mechanism.examine(&case(mechanism, &round, &tasks[0].bytes, &answer), &inputs).expect("own task") {
        Finding::Done(result) => result.outcome,
        Finding::Lacking(reason) => {
            panic!("{} lacks {reason} for bytes that are no submission", mechanism.id())
        }
        Finding::Needs(more) => panic!("{} wants {more:?} for bytes that are no submission", mechanism.id()),
    }
}

fn finding(text: &str) -> ExaminedCase<String> {
    ExaminedCase {
        hotkey: key(1),
        uid: Uid(1),
        outcome: Outcome::Ok,
        latency: DurationMs(0),
        received_at: Timestamp(0),
        committed: None,
        examined: Some(text.to_owned()),
    }
}

#[test]
fn every_validator_plans_the_same_tasks() {
    for mechanism in ALL {
        let round = busy_round(3);
        let written = serde_json::to_string(&round).unwrap();
        let mut read: Round = serde_json::from_str(&written).unwrap();
        read.jobs.clone_from(&round.jobs);
        let (here, there) = (mechanism.plan(&round).unwrap(), mechanism.plan(&read).unwrap());
        assert_eq!(here, there, "{}", mechanism.id());
        assert!(!here.is_empty(), "{}", mechanism.id());
        let mut ids: Vec<Digest> = here.iter().map(|task| task.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), here.len(), "ids of {} are distinct", mechanism.id());
    }
}

#[test]
fn tasks_follow_from_the_block_hash_and_not_from_the_other_miners() {
    let tasks = |seed, miners: &[u8]| ErasedMechanism::plan(&Sums, &round(0, seed, miners)).unwrap();
    assert_ne!(tasks(1, &[1])[0].id, tasks(2, &[1])[0].id);
    assert_eq!(tasks(1, &[1, 2])[1], tasks(1, &[2])[0]);
    assert_ne!(tasks(1, &[1, 2])[0].bytes, tasks(1, &[1, 2])[1].bytes);
}

#[test]
fn foreign_tasks_and_findings_are_the_callers_error() {
    let round = busy_round(0);
    let inputs = Inputs::of(Arc::default());
    for mechanism in ALL {
        for other in ALL.iter().filter(|other| other.id() != mechanism.id()) {
            let task = &other.plan(&round).unwrap()[0].bytes;
            let case = case(mechanism, &round, task, &Answer::silence(1));
            let foreign =
                |error: MechanismError| matches!(error, MechanismError::Foreign { what: "task", .. });
            assert!(foreign(mechanism.needs(&case).unwrap_err()), "{} {}", mechanism.id(), other.id());
            assert!(foreign(mechanism.examine(&case, &inputs).unwrap_err()));
        }
        for text in ["", "null", "{}", "[1]", "{\"right\":1}", "\u{0}"] {
            let error = mechanism.judge(&[finding(text)], &Index::default(), None).unwrap_err();
            assert!(matches!(error, MechanismError::Foreign { what: "finding", .. }), "{text:?}: {error}");
        }
    }
}

#[test]
fn jobs_that_cannot_be_read_are_named() {
    let mut round = busy_round(0);
    round.jobs.push(Arc::new(b"{}".to_vec()));
    let error = mechanisms::find("dataset").unwrap().plan(&round).unwrap_err();
    assert!(error.to_string().starts_with("mechanism dataset can't plan: job 1: "), "{error}");
}

#[test]
fn a_submission_beyond_the_limit_is_too_big_and_one_byte_less_is_read() {
    for mechanism in ALL {
        let limit = mechanism.limits().submission_bytes;
        assert_eq!(outcome(mechanism, &vec![b' '; limit + 1]), Outcome::TooBig, "{}", mechanism.id());
        let within = outcome(mechanism, &vec![b' '; limit.min(1 << 20)]);
        assert!(matches!(within, Outcome::Invalid(_)), "{}: {within:?}", mechanism.id());
    }
}

/// Text that is nearly a submission of one of the shapes.
fn near_submission() -> impl Strategy<Value = Vec<u8>> {
    let miner = key(1).to_string();
    let chances = proptest::collection::vec(any::<i64>(), 0..8);
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..400),
        "[\\[\\]{}\":,0-9a-z.e-]{0,120}".prop_map(String::into_bytes),
        (any::<i128>(), any::<bool>()).prop_map({
            let miner = miner.clone();
            move |(sum, own)| {
                let miner = if own { miner.as_str() } else { "nobody" };
                format!("{{\"miner\":\"{miner}\",\"sum\":{sum}}}").into_bytes()
            }
        }),
        proptest::collection::vec(any::<u64>(), 0..40).prop_map({
            let miner = miner.clone();
            move |primes| format!("{{\"miner\":\"{miner}\",\"primes\":{primes:?}}}").into_bytes()
        }),
        (any::<u64>(), chances).prop_map(move |(nonce, chances)| {
            format!("{{\"miner\":\"{miner}\",\"nonce\":{nonce},\"chances\":{chances:?}}}").into_bytes()
        }),
        proptest::collection::vec(any::<u8>(), 0..400).prop_map(|body| [b"whshard\x01", &body[..]].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn hostile_submissions_end_in_an_outcome_and_never_earn(bytes in near_submission()) {
        for mechanism in ALL {
            let found = outcome(mechanism, &bytes);
            prop_assert!(!matches!(found, Outcome::ValidatorFault), "{} {found:?}", mechanism.id());
            if mechanism.id() != "sums" {
                // Their commitment is not to these bytes: nothing but a fault can come of them.
                prop_assert!(matches!(found, Outcome::Invalid(_) | Outcome::TooBig), "{} {found:?}", mechanism.id());
            }
        }
    }

    #[test]
    fn hostile_tasks_and_findings_never_panic(bytes: Vec<u8>, text in "[\\[\\]{}\":,0-9a-z.e-]{0,80}") {
        let round = round(0, 1, &[1]);
        for mechanism in ALL {
            for task in [&bytes[..], text.as_bytes()] {
                let case = case(mechanism, &round, task, &Answer::silence(1));
                prop_assert!(mechanism.needs(&case).is_err());
                prop_assert!(mechanism.examine(&case, &Inputs::of(Arc::default())).is_err());
            }
            let mut jobs = round.clone();
            jobs.jobs = vec![Arc::new(bytes.clone())];
            let planned = mechanism.plan(&jobs);
            prop_assert_eq!(planned.is_err(), mechanism.id() == "dataset");
            _ = mechanism.judge(&[finding(&text)], &Index::default(), None);
        }
    }

    #[test]
    fn standings_are_the_same_after_they_were_written_down(rounds in proptest::collection::vec(proptest::collection::vec((0u8..4, proptest::option::of(0.0f64..=1.0)), 0..4), 0..12)) {
        for mechanism in ALL {
            let how = mechanism.aggregation();
            let (mut kept, mut written) = (Standings::default(), Standings::default());
            for round in &rounds {
                let judgements: Vec<Judgement> = round.iter().map(|(at, score)| judgement(*at, *score)).collect();
                kept.update(&how, &judgements);
                written.update(&how, &judgements);
                written = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
            }
            prop_assert_eq!(&kept, &written);
        }
    }
}

fn judgement(at: u8, score: Option<f64>) -> Judgement {
    let score = score.map(Unit::clamped);
    Judgement { hotkey: key(at), score, parts: Vec::new(), reason: String::new(), certificate: None }
}

/// Miner 1 has sums and primes right, miner 2 primes that are not of miner 1, miner 3 nothing; nobody has dice.
fn played() -> [Validator<'static>; 3] {
    let [mut sums, mut primes, mut dice] =
        [Validator::new(&Sums), Validator::new(&Primes), Validator::new(&Dice)];
    for number in 0..4 {
        let round = round(number, 5, &[1, 2, 3]);
        let task = ErasedMechanism::plan(&Sums, &round).expect("no jobs").swap_remove(0);
        let silent = [Answer::silence(2), Answer::silence(3)];
        sums.play(&round, &[&[Answer::to(0, 1, sums::answer(&task.bytes))], &silent[..]].concat(), None);
        let publish = |miner, remainder| {
            let list = primes::list(miner, number, |prime| prime % 4 == remainder);
            let bytes = serde_json::to_vec(&list).expect("plain data");
            Answer::to(0, miner, bytes).committed(20, list.root())
        };
        // The range changes with every second round; in the others there is nothing new to find.
        if number % 2 == 0 {
            primes = Validator { index: primes.index, ..Validator::new(&Primes) };
            primes.play(&round, &[publish(1, 1), publish(2, 3), Answer::silence(3)], None);
        }
        dice.play(&round, &[Answer::silence(1), Answer::silence(2), Answer::silence(3)], None);
    }
    [sums, primes, dice]
}

const NEURONS: [(Uid, u8); 5] = [(Uid(0), 10), (Uid(1), 1), (Uid(2), 2), (Uid(3), 3), (Uid(4), 11)];

fn neurons() -> Vec<(Uid, Hotkey)> {
    NEURONS.iter().map(|(uid, at)| (*uid, key(*at))).collect()
}

#[test]
fn an_empty_lane_returns_its_weight_or_burns_it() {
    let [sums, primes, dice] = played();
    let (owner, own) = (key(11), key(10));
    let mixed = |empty| {
        let lanes =
            [sums.lane(1.0, EmptyLane::Return), primes.lane(2.0, EmptyLane::Return), dice.lane(1.0, empty)];
        mix(&lanes, owner)
    };
    let found = primes.shares();
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), vec![key(1), key(2)]);
    let check = |shares: &BTreeMap<Hotkey, f64>, expect: &[(u8, f64)]| {
        assert_eq!(shares.len(), expect.len(), "{shares:?}");
        for (at, value) in expect {
            assert!((shares[&key(*at)] - value).abs() < 1e-12, "{at}: {shares:?}");
        }
    };
    let (one, two) = (found[&key(1)], found[&key(2)]);
    check(&mixed(EmptyLane::Return), &[(1, (1.0 + 2.0 * one) / 3.0), (2, 2.0 * two / 3.0)]);
    check(&mixed(EmptyLane::Burn), &[(1, (1.0 + 2.0 * one) / 4.0), (2, 2.0 * two / 4.0), (11, 0.25)]);

    let weights = to_weights(&mixed(EmptyLane::Burn), &neurons(), &own).unwrap();
    let uids: Vec<u16> = weights.iter().map(|(uid, _)| uid.0).collect();
    assert_eq!(uids, vec![1, 2, 3, 4], "everyone but the validator itself is named");
    assert_eq!((weights[0].1, weights[2].1), (u16::MAX, 0), "the silent miner has an explicit zero");
    assert!(weights[1].1 > 0 && weights[3].1 > 0);
    assert_eq!(to_weights(&mix(&[dice.lane(1.0, EmptyLane::Return)], owner), &neurons(), &own), None);
}

#[test]
fn a_uid_whose_hotkey_changed_starts_anew() {
    let [sums, primes, _] = played();
    let shares = mix(&[sums.lane(1.0, EmptyLane::Return), primes.lane(1.0, EmptyLane::Return)], key(11));
    let mut neurons = neurons();
    let before = to_weights(&shares, &neurons, &key(10)).unwrap();
    assert_eq!(before[0], (Uid(1), u16::MAX));
    neurons[1].1 = key(77);
    let after = to_weights(&shares, &neurons, &key(10)).unwrap();
    assert_eq!((after[0], after[1]), ((Uid(1), 0), (Uid(2), u16::MAX)), "the newcomer inherits nothing");
    // The hotkey that comes back on another slot finds its score there, until it is forgotten.
    neurons[4].1 = key(1);
    assert_eq!(to_weights(&shares, &neurons, &key(10)).unwrap()[3], (Uid(4), u16::MAX));
    let mut standings = sums.standings.clone();
    standings.retain(|hotkey| *hotkey != key(1));
    assert!(!standings.scores(&sums.mechanism.aggregation()).contains_key(&key(1)));
}

#[test]
fn an_earned_zero_lowers_a_score_and_the_validators_fault_does_not() {
    for mechanism in ALL {
        let how = mechanism.aggregation();
        let after = |score: Option<f64>| {
            let mut standings = Standings::default();
            for _ in 0..3 {
                standings.update(&how, &[judgement(1, Some(1.0))]);
            }
            standings.update(&how, &[judgement(1, score)]);
            standings.scores(&how)[&key(1)]
        };
        let before = {
            let mut standings = Standings::default();
            for _ in 0..3 {
                standings.update(&how, &[judgement(1, Some(1.0))]);
            }
            standings.scores(&how)[&key(1)]
        };
        assert_eq!(after(None), before, "{}", mechanism.id());
        if let mechanisms::Aggregation::Window { rounds: 4.. } = how {
            // The window is not full yet, and a missing round counts as nothing, so a zero changes nothing.
            assert_eq!(after(Some(0.0)), before, "{}", mechanism.id());
        } else {
            assert!(after(Some(0.0)) < before, "{}", mechanism.id());
        }
    }
}
