//! One fixed round, its examined cases and its verdict, compared to the byte with a reviewed file.

use mechanisms::{
    ExaminedCase, Index, Strategy, Verdict,
    dataset::{Dataset, attacks, miner::HONEST},
};
use primitives::Digest;
use serde::{Deserialize, Serialize};

use super::{library, made, planned, round_over, shown};
use crate::arena::{Answer, Validator, key};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dataset/golden/round.json");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Golden {
    cases: Vec<ExaminedCase<String>>,
    verdict: Verdict,
}

/// Two honest miners, every attack, a broken promise, a bundle of zeros beyond the limit and rotten source bytes.
fn play() -> Golden {
    let mut source = library(42, 60);
    let miners: Vec<u8> = (1..=10).collect();
    let round = round_over(&source, 7, 42, &miners);
    let tasks = planned(&round);
    let plan: [(u8, &dyn Strategy, &[usize]); 6] = [
        (1, &HONEST[3], &[0, 1]),
        (2, &HONEST[4], &[2]),
        (3, &attacks::LIMIT_AND_RUN, &[3]),
        (4, &attacks::FALSE_DROPS, &[4]),
        (5, &attacks::MADE_UP, &[5]),
        (8, &HONEST[4], &[6]),
    ];
    let mut answers = Vec::new();
    for (miner, strategy, places) in plan {
        let answer =
            |at: &usize| made(strategy, &source, &round, &tasks, (miner, *at, 20 + u64::from(miner)));
        answers.extend(places.iter().filter_map(answer));
    }
    let published = answers[0].bytes.clone().expect("shown");
    let copy = attacks::Copycat.rework(key(6), &published).expect("a shard");
    answers.push(shown(0, 6, 50, copy));
    answers.push(Answer::silence(7));
    let broken = answers.iter_mut().find(|answer| answer.miner == 8).expect("shown");
    broken.committed = Some((28, Digest::of(b"another shard")));
    let rotten = made(&HONEST[4], &source, &round, &tasks, (9, 7, 29)).expect("honest");
    let path = super::files_of(&super::task_of(&tasks[7])).entries()[0].path.clone();
    source.overwrite(&path, b"rotten".to_vec());
    answers.push(rotten);
    let mut validator = Validator::reading(&Dataset, &source);
    let mut cases = validator.cases(&round, &answers);
    // Too large to be made here: what a validator notes when it stops reading.
    cases.push(ExaminedCase {
        hotkey: key(10),
        uid: primitives::Uid(10),
        outcome: mechanisms::Outcome::TooBig,
        examined: None,
        ..cases[0].clone()
    });
    let verdict = validator.mechanism.judge(&cases, &Index::default(), None).expect("own findings");
    validator.standings.update(&validator.mechanism.aggregation(), &verdict.judgements);
    assert_eq!(validator.shares().len(), 2, "the two honest miners share the round");
    Golden { cases, verdict }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the file is rewritten on demand: `WEIGH_BLESS=1`")]
fn the_golden_round_is_judged_as_it_was_reviewed() {
    let played = serde_json::to_string_pretty(&play()).unwrap() + "\n";
    if std::env::var("WEIGH_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(FILE, &played).unwrap();
    }
    let reviewed = std::fs::read_to_string(FILE).expect("golden file");
    assert_eq!(played, reviewed, "WEIGH_BLESS=1 rewrites {FILE}; review the difference");
}

#[test]
fn the_reviewed_cases_give_the_reviewed_verdict_in_any_order() {
    let reviewed = std::fs::read_to_string(FILE).expect("golden file");
    let mut golden: Golden = serde_json::from_str(&reviewed).unwrap();
    let judge = |cases: &[ExaminedCase<String>]| {
        Validator::new(&Dataset).mechanism.judge(cases, &Index::default(), None).unwrap()
    };
    for _ in 0..golden.cases.len() {
        golden.cases.rotate_left(1);
        assert_eq!(judge(&golden.cases), golden.verdict);
    }
}
