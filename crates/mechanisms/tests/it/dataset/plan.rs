//! Which entries are asked for when, and what a new pass over the source changes.

use std::sync::Arc;

use corpus::{Entry, Memory};
use mechanisms::dataset::{Dataset, Task, miner::HONEST};
use proptest::prelude::*;

use super::{files_of, job, library, made, planned, task_of};
use crate::arena::{Validator, key, round, score};

proptest! {
    #[test]
    fn tasks_cover_the_manifest_exactly_once_per_pass(files in 1usize..40, per_task in 1u32..12, per_round in 1u32..9) {
        let source = Memory::new((0..files).map(|at| (format!("{at:03}.md"), vec![0u8; at]))).unwrap();
        let job = Arc::new(job(&source, per_task, per_round));
        let mut passes: Vec<Vec<Entry>> = Vec::new();
        for number in 0..40 {
            let mut round = round(number, 1, &[1]);
            round.jobs = vec![Arc::clone(&job)];
            let erased = planned(&round);
            let mut ids: Vec<_> = erased.iter().map(|task| task.id).collect();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), erased.len());
            for task in erased.iter().map(task_of) {
                let pass = usize::try_from(task.pass).unwrap();
                passes.resize(passes.len().max(pass + 1), Vec::new());
                prop_assert_eq!(pass + 1, passes.len(), "a pass is finished before the next one begins");
                prop_assert_eq!(files_of(&task).span().manifest, source.manifest().root());
                passes[pass].extend_from_slice(files_of(&task).entries());
            }
        }
        let (last, whole) = passes.split_last().unwrap();
        for pass in whole {
            prop_assert_eq!(pass.as_slice(), source.manifest().entries());
        }
        prop_assert_eq!(last.as_slice(), &source.manifest().entries()[..last.len()]);
    }
}

#[test]
fn a_new_pass_counts_every_document_anew() {
    let source = library(4, 6);
    let mut validator = Validator::reading(&Dataset, &source);
    let play = |number: u64, validator: &mut Validator<'_>, miner: u8| {
        let mut round = round(number, 4, &[1, 2]);
        round.jobs = vec![Arc::new(job(&source, 3, 1))];
        let tasks = planned(&round);
        let pass = task_of(&tasks[0]).pass;
        let answer = made(&HONEST[0], &source, &round, &tasks, (miner, 0, 20)).expect("honest");
        (pass, score(&validator.play(&round, &[answer], None), miner))
    };
    assert_eq!(play(0, &mut validator, 1), (0, Some(1.0)));
    let learned = validator.index.first.len();
    assert_eq!(play(0, &mut validator, 2), (0, Some(0.0)), "the same task again in the same pass");
    assert_eq!(play(2, &mut validator, 2), (1, Some(1.0)), "the source has begun again");
    let owners: Vec<_> = validator.index.first.values().filter(|first| **first == key(2)).collect();
    assert_eq!((validator.index.first.len(), owners.len()), (2 * learned, learned));
}

#[test]
fn an_empty_source_and_the_last_round_have_no_tasks() {
    let plan = |source: &Memory, number: u64| -> Vec<Task> {
        let mut round = round(number, 1, &[1]);
        round.jobs = vec![Arc::new(job(source, 3, 2))];
        planned(&round).iter().map(task_of).collect()
    };
    assert!(plan(&library(1, 0), 0).is_empty());
    assert!(plan(&library(1, 9), u64::MAX).is_empty());
    assert_eq!(plan(&library(1, 9), u64::MAX / 4).len(), 2);
}

#[test]
fn a_task_that_is_too_long_to_send_is_refused_when_it_is_planned() {
    let files = (0..9_000u32).map(|at| (format!("crate-{at:05}/README.md"), at.to_le_bytes()));
    let source = Memory::new(files).unwrap();
    let mut round = round(0, 1, &[1]);
    round.jobs = vec![Arc::new(job(&source, u32::MAX, 1))];
    let error = Validator::new(&Dataset).mechanism.plan(&round).unwrap_err().to_string();
    assert!(error.contains("at most 1048576 are allowed"), "{error}");
    round.jobs = vec![Arc::new(job(&source, 1, 0))];
    let error = Validator::new(&Dataset).mechanism.plan(&round).unwrap_err().to_string();
    assert!(error.ends_with("tasks_per_round is 0, expected at least 1"), "{error}");
}
