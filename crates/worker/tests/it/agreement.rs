//! One result, whoever computes it.

use std::{sync::Arc, time::Instant};

use mechanisms::{CaseResult, Outcome};
use worker::{Code, Config, Evaluator as _, Receipt};

use crate::trial::{ADDENDS, Bench, Submission, bytes, config, honest, job, supervisor};

pub(crate) const CLAIMS: &[(&str, fn())] = &[
    ("agreement::child_and_inline_agree_to_the_last_bit", child_and_inline_agree_to_the_last_bit),
    (
        "agreement::two_validators_sign_the_same_receipt_of_a_crash",
        two_validators_sign_the_same_receipt_of_a_crash,
    ),
    ("agreement::eight_at_once_are_eight_right_results", eight_at_once_are_eight_right_results),
    ("agreement::a_child_costs_little", a_child_costs_little),
];

fn child_and_inline_agree_to_the_last_bit() {
    let bench = Bench::new();
    let supervisors = [1, 4].map(|threads| supervisor(Config { threads, ..config() }));
    let check = |submission: &[u8], files: &[&str], code: Option<Code>| {
        let job = job(submission, files);
        let inline = bench.inline(&job, submission);
        assert_eq!(inline.failure.as_ref().map(|failure| failure.code), code, "{inline:?}");
        for supervisor in &supervisors {
            let child = supervisor.examine(&job, Arc::new(submission.to_vec()), &bench.shelves());
            assert_eq!((&child.result, &child.failure), (&inline.result, &inline.failure));
            let receipts = [&child, &inline].map(|one| Receipt::of(&job, &one.result, "trial 1"));
            assert_eq!(receipts[0].bytes(), receipts[1].bytes());
            assert_eq!(receipts[0].digest(), receipts[1].digest());
        }
        inline.result
    };
    let many = Submission::Sum { own: (0..300).collect(), total: 300 * 299 / 2 + 6 };
    for fine in [honest(), many] {
        assert_eq!(check(&bytes(&fine), &[ADDENDS], None).outcome, Outcome::Ok);
    }
    let wrong = bytes(&Submission::Sum { own: vec![1], total: 1 });
    check(&wrong, &[ADDENDS], Some(Code::RuleBroken));
    check(b"{", &[ADDENDS], Some(Code::NotCommitted));
    check(&[0xff; 64], &[ADDENDS], Some(Code::NotCommitted));
    check(&vec![b' '; 5 << 10], &[ADDENDS], Some(Code::TooBig));
    check(&bytes(&honest()), &["absent"], Some(Code::BytesMissing));
    check(&bytes(&honest()), &["big"], Some(Code::NoEvidence));
    // A task that the mechanism did not plan.
    let mut foreign = job(&wrong, &[]);
    foreign.task_json = "[]".to_owned();
    let inline = bench.inline(&foreign, &wrong);
    let child = supervisors[0].examine(&foreign, Arc::new(wrong), &bench.shelves());
    assert_eq!(child, inline);
    assert_eq!(child.failure.unwrap().code, Code::ForeignTask);
}

fn two_validators_sign_the_same_receipt_of_a_crash() {
    let bench = Bench::new();
    let crash = bytes(&Submission::Abort);
    let job = job(&crash, &[ADDENDS]);
    let receipts = [1, 3].map(|threads| {
        let supervisor = supervisor(Config { threads, ..config() });
        let evaluation = supervisor.examine(&job, Arc::new(crash.clone()), &bench.shelves());
        assert_eq!(evaluation.runs.len(), 2);
        Receipt::of(&job, &evaluation.result, "trial 1").bytes()
    });
    assert_eq!(receipts[0], receipts[1]);
}

fn eight_at_once_are_eight_right_results() {
    let (bench, supervisor) = (Bench::new(), supervisor(config()));
    std::thread::scope(|scope| {
        for number in 0_u64..8 {
            let (bench, supervisor) = (&bench, &supervisor);
            scope.spawn(move || {
                // Every fourth one crashes, and waits for the others before its second run.
                if number % 4 == 3 {
                    let crashed = bench.run(supervisor, &Submission::Abort);
                    assert_eq!(crashed.failure.unwrap().code, Code::Crash);
                }
                let fine = bytes(&Submission::Sum { own: vec![number], total: 6 + number });
                let job = job(&fine, &[ADDENDS]);
                let evaluation = supervisor.examine(&job, Arc::new(fine.clone()), &bench.shelves());
                assert_eq!(evaluation.result, bench.inline(&job, &fine).result);
                assert!(matches!(evaluation.result, CaseResult { outcome: Outcome::Ok, .. }));
            });
        }
    });
}

/// Prints what a child costs over an examination in this process; shown with `--no-capture`.
fn a_child_costs_little() {
    const RUNS: u32 = 50;
    let (bench, supervisor) = (Bench::new(), supervisor(config()));
    let fine = bytes(&honest());
    let job = job(&fine, &[ADDENDS]);
    let started = Instant::now();
    for _ in 0..RUNS {
        bench.inline(&job, &fine);
    }
    let inline = started.elapsed() / RUNS;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        let evaluation = supervisor.examine(&job, Arc::new(fine.clone()), &bench.shelves());
        times.push(started.elapsed());
        assert_eq!(evaluation.failure, None);
    }
    times.sort_unstable();
    let (middle, slow) = (times[times.len() / 2], times[times.len() * 9 / 10]);
    println!("in this process {inline:?}; in a child {middle:?}, nine of ten within {slow:?}");
    assert!(middle.as_millis() < 1_000, "a child costs {middle:?}");
}
