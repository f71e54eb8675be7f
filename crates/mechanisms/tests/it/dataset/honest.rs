//! Honest miners among every attack: the tokens are exact, nobody honest is faulted, no attack earns.

use std::collections::BTreeMap;

use mechanisms::{
    Judgement, Strategy,
    dataset::{Dataset, attacks, miner::HONEST},
};
use primitives::Digest;

use super::{ENTRIES_PER_TASK, library, made, planned, round_over, shard_of, shown};
use crate::arena::{Answer, Validator, count, key, of, part, score};

/// Rounds by default, some seconds; `WEIGH_FULL=1` plays the full count.
const DEFAULT_SEEDS: u64 = 100;
const FULL_SEEDS: u64 = 2_000;
/// Files of each round's source: forty tasks, enough for all.
const FILES: usize = 240;
/// The honest: tireless, steady, casual.
const DILIGENCE: [usize; 3] = [0, 2, 4];

#[test]
fn honest_shards_pass_with_exact_tokens() {
    for seed in 0..20 {
        let source = library(seed, 30);
        let round = round_over(&source, 0, seed, &[1, 2]);
        let tasks = planned(&round);
        let answers: Vec<Answer> = (0..tasks.len())
            .filter_map(|at| made(&HONEST[0], &source, &round, &tasks, (u8::from(at % 3 == 0) + 1, at, 20)))
            .collect();
        assert_eq!(answers.len(), 5);
        let verdict = Validator::reading(&Dataset, &source).play(&round, &answers, None);

        // Counted a second time from the shards alone: each text for the first root that holds it.
        let mut shards: Vec<_> = answers
            .iter()
            .map(|answer| (shard_of(answer.bytes.as_ref().unwrap()), answer.miner))
            .map(|(shard, miner)| (shard.root(), shard, miner))
            .collect();
        shards.sort_by_key(|(root, ..)| *root);
        let mut seen: BTreeMap<Digest, u8> = BTreeMap::new();
        let (mut unique, mut delivered) = ([0u64; 3], [0u64; 3]);
        for (_, shard, miner) in &shards {
            for row in &shard.documents {
                delivered[usize::from(*miner)] += row.tokens;
                if seen.insert(row.fingerprint, *miner).is_none() {
                    unique[usize::from(*miner)] += row.tokens;
                }
            }
        }
        for miner in [1u8, 2] {
            let (judgement, at) = (of(&verdict, miner), usize::from(miner));
            assert_eq!(judgement.certificate, None);
            assert_eq!(count(judgement, "verified_tokens"), unique[at], "seed {seed}");
            assert_eq!(count(judgement, "delivered_tokens"), delivered[at], "seed {seed}");
            assert_eq!(count(judgement, "round_worth_tokens"), unique[1] + unique[2], "seed {seed}");
            let again = part(judgement, "worth_tokens") / part(judgement, "round_worth_tokens");
            assert_eq!(
                judgement.score.unwrap().get().to_bits(),
                again.to_bits(),
                "parts reproduce the score"
            );
        }
        assert_eq!(verdict.learned.len(), seen.len());
    }
}

/// What a judgement of one attack must say.
fn check_attack(attack: &dyn Strategy, judgement: &Judgement, context: &str) {
    let context = format!("{context}, {}: {}", attack.id(), judgement.reason);
    assert_eq!(judgement.score.map(primitives::Unit::get), Some(0.0), "{context}");
    let proof = judgement.certificate.as_ref();
    let fault = proof.map(|proof| (proof.step, proof.rule.as_str()));
    let record = proof.and_then(|proof| proof.record.as_deref());
    let either = |step: u8, rules: &[&str]| {
        assert!(fault.is_some_and(|(at, rule)| at == step && rules.contains(&rule)), "{context}");
    };
    match attack.id() {
        "limit-and-run" => either(0, &["ledger has a row for every record"]),
        "made-up-ids" => either(0, &["ledger has no row beyond the records"]),
        "padding" => either(0, &["tokens are counted"]),
        "false-drops" | "one-row" => either(1, &["decision is the recipe's"]),
        "made-up" => {
            either(1, &["address, name and date are the record's", "decision is the recipe's"]);
        }
        "fat-lie" | "swapped" | "shuffled" | "injected" => either(1, &["text is the recipe's"]),
        "copycat" => {
            // The copied miner, or another honest one that had the same text before it.
            let named =
                (1..=3).any(|honest| judgement.reason.ends_with(&format!("first by {}", key(honest))));
            assert!(judgement.reason.starts_with("nothing new: all ") && named, "{context}");
            assert!(fault.is_none(), "{context}");
        }
        "relay" => either(0, &["shard belongs to its miner"]),
        "silent" => assert_eq!((judgement.reason.as_str(), fault), ("nothing committed", None), "{context}"),
        other => panic!("attack {other} has no expectation here"),
    }
    if proof.is_some() && attack.id() != "relay" {
        assert!(record.is_some_and(|path| path.starts_with("crate-")), "{context}");
        assert!(judgement.reason.contains(record.unwrap()), "{context}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the full count is asked for by the environment")]
fn every_attack_ends_at_zero_with_its_reason_and_no_honest_miner_is_faulted() {
    let full = std::env::var("WEIGH_FULL").is_ok_and(|value| value == "1");
    let seeds = if full { FULL_SEEDS } else { DEFAULT_SEEDS };
    // As many tasks as all of them want, and some to spare.
    let attacks = attacks::all();
    let miners: Vec<u8> = (1..).take(DILIGENCE.len() + attacks.len()).collect();
    for seed in 0..seeds {
        let source = library(1_000 + seed, FILES);
        let round = round_over(&source, 0, seed, &miners);
        let tasks = planned(&round);
        assert_eq!(tasks.len(), FILES / ENTRIES_PER_TASK as usize);
        let (mut answers, mut free) = (Vec::new(), (0..tasks.len()).cycle());
        for (miner, honest) in (1..).zip(DILIGENCE.map(|at| &HONEST[at])) {
            for at in free.by_ref().take(honest.appetite(tasks.len())) {
                answers.extend(made(honest, &source, &round, &tasks, (miner, at, 20)));
            }
        }
        let honest_answers = answers.len();
        assert_eq!(honest_answers, 10);
        let (mut first_attacker, copied) = (4, 1 + u8::try_from(seed % 3).unwrap());
        for attack in &attacks {
            let (attack, miner) = (*attack, first_attacker);
            first_attacker += 1;
            let before = answers.len();
            // Before everyone else: being early must not help.
            for at in free.by_ref().take(attack.appetite(tasks.len())) {
                answers.extend(made(attack, &source, &round, &tasks, (miner, at, 11)));
            }
            if attack.is_copier() {
                let published: Vec<_> = answers[..honest_answers]
                    .iter()
                    .filter(|answer| answer.miner == copied)
                    .cloned()
                    .collect();
                for answer in published {
                    let bytes = attack.rework(key(miner), answer.bytes.as_ref().unwrap()).unwrap();
                    // A relay needs no bytes to commit, so it is even the first to.
                    let block = if attack.id() == "relay" { 11 } else { 21 };
                    answers.push(shown(answer.task, miner, block, bytes));
                }
            }
            if answers.len() == before {
                answers.push(Answer::silence(miner));
            }
        }
        let mut validator = Validator::reading(&Dataset, &source);
        let verdict = validator.play(&round, &answers, None);
        for (miner, attack) in (4..).zip(&attacks) {
            check_attack(*attack, of(&verdict, miner), &format!("seed {seed}"));
        }
        let mut honest_sum = 0.0;
        for miner in 1..=3 {
            let judgement = of(&verdict, miner);
            assert_eq!(judgement.certificate, None, "seed {seed} miner {miner}");
            assert!(judgement.score.is_some(), "seed {seed} miner {miner}");
            honest_sum += score(&verdict, miner).unwrap();
        }
        assert!((honest_sum - 1.0).abs() < 1e-12, "seed {seed}: all of the round goes to the honest");
        assert!(score(&verdict, 1) > score(&verdict, 3), "seed {seed}: diligence pays");
        let paid: Vec<_> = validator.shares().into_keys().collect();
        assert!(paid.iter().all(|hotkey| *hotkey <= key(3)), "seed {seed}: {paid:?}");
    }
}

#[test]
fn without_a_commitment_nothing_is_paid() {
    let source = library(3, 12);
    let round = round_over(&source, 0, 3, &[1]);
    let tasks = planned(&round);
    let mut answer = made(&HONEST[0], &source, &round, &tasks, (1, 0, 20)).unwrap();
    answer.committed = None;
    let verdict = Validator::reading(&Dataset, &source).play(&round, &[answer], None);
    assert_eq!(score(&verdict, 1), Some(0.0), "{}", of(&verdict, 1).reason);
    assert!(verdict.learned.is_empty(), "what nobody committed to makes nobody the first");
}

#[test]
fn missing_source_bytes_leave_the_miner_alone_and_its_work_can_be_paid_later() {
    let source = library(3, 12);
    let round = round_over(&source, 0, 3, &[1]);
    let tasks = planned(&round);
    let answer = made(&HONEST[0], &source, &round, &tasks, (1, 0, 20)).unwrap();
    let mut changed = source.clone();
    let path = source.manifest().entries()[0].path.clone();
    changed.overwrite(&path, b"rotten".to_vec());
    let mut validator = Validator::reading(&Dataset, &changed);
    let verdict = validator.play(&round, std::slice::from_ref(&answer), None);
    assert_eq!((score(&verdict, 1), of(&verdict, 1).certificate.is_none()), (None, true));
    assert!(validator.standings.0.is_empty() && validator.index.first.is_empty());
    validator.source = Some(&source);
    let again = validator.play(&round, &[answer], None);
    assert_eq!(score(&again, 1), Some(1.0));
}

/// The other shard's texts stay the miner's own, so that nobody takes them while it waits to be tried again.
#[test]
fn a_copier_gains_nothing_while_the_first_is_left_alone() {
    let source = library(3, 24);
    let round = round_over(&source, 0, 3, &[1, 2]);
    let tasks = planned(&round);
    let mut answers: Vec<_> =
        [0, 1].into_iter().filter_map(|at| made(&HONEST[0], &source, &round, &tasks, (1, at, 20))).collect();
    let copy = attacks::Copycat.rework(key(2), answers[1].bytes.as_ref().unwrap()).unwrap();
    answers.push(shown(1, 2, 21, copy));
    let mut changed = source.clone();
    changed.overwrite(&source.manifest().entries()[0].path, b"rotten".to_vec());
    let verdict = Validator::reading(&Dataset, &changed).play(&round, &answers, None);
    assert_eq!((score(&verdict, 1), score(&verdict, 2)), (None, Some(0.0)));
}

#[test]
fn credit_stays_with_the_first_across_rounds() {
    let source = library(8, 12);
    let first = round_over(&source, 0, 8, &[1, 2]);
    let tasks = planned(&first);
    let honest = made(&HONEST[0], &source, &first, &tasks, (1, 0, 20)).unwrap();
    let mut validator = Validator::reading(&Dataset, &source);
    validator.play(&first, std::slice::from_ref(&honest), None);
    let copy = attacks::Copycat.rework(key(2), honest.bytes.as_ref().unwrap()).unwrap();
    let verdict = validator.play(&first, &[shown(0, 2, 11, copy)], None);
    assert_eq!(score(&verdict, 2), Some(0.0));
    assert!(of(&verdict, 2).reason.ends_with(&key(1).to_string()), "{}", of(&verdict, 2).reason);
}
