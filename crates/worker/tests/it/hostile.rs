//! Submissions that attack their examination: each is ended within its limits and classed, and the next one is fine.

use std::{fs, path::Path, sync::Arc, thread, time::Instant};

use mechanisms::{CaseResult, Outcome};
use worker::{Code, Config, Ending, Evaluation, Evaluator as _, Supervisor};

use crate::trial::{ADDENDS, Bench, Submission, bytes, config, honest, impatient, job, said, supervisor};

pub(crate) const CLAIMS: &[(&str, fn())] = &[
    ("hostile::endless_memory_is_the_submissions_fault", endless_memory_is_the_submissions_fault),
    ("hostile::endless_computing_is_the_submissions_fault", endless_computing_is_the_submissions_fault),
    (
        "hostile::sleeping_past_the_deadline_is_the_submissions_fault",
        sleeping_past_the_deadline_is_the_submissions_fault,
    ),
    ("hostile::crashes_are_the_submissions_fault", crashes_are_the_submissions_fault),
    (
        "hostile::an_end_without_exactly_one_result_is_the_submissions_fault",
        an_end_without_exactly_one_result_is_the_submissions_fault,
    ),
    ("hostile::a_panic_is_ours_and_costs_the_miner_nothing", a_panic_is_ours_and_costs_the_miner_nothing),
    ("hostile::a_kill_from_outside_is_ours", a_kill_from_outside_is_ours),
    (
        "hostile::no_file_no_socket_and_no_variable_is_to_be_had",
        no_file_no_socket_and_no_variable_is_to_be_had,
    ),
    (
        "hostile::a_file_that_could_be_opened_takes_no_byte_and_is_not_left",
        a_file_that_could_be_opened_takes_no_byte_and_is_not_left,
    ),
    ("hostile::no_process_is_to_be_had", no_process_is_to_be_had),
    ("hostile::a_grandchild_dies_with_its_group", a_grandchild_dies_with_its_group),
    ("hostile::errors_without_end_are_cut", errors_without_end_are_cut),
    ("hostile::a_request_above_the_cap_never_leaves", a_request_above_the_cap_never_leaves),
    ("hostile::a_program_that_is_no_child_is_ours", a_program_that_is_no_child_is_ours),
];

/// Runs `submission`, then an honest one, and returns what came of the first.
fn attack(config: Config, submission: &Submission) -> Evaluation {
    let (bench, supervisor) = (Bench::new(), supervisor(config));
    let evaluation = bench.run(&supervisor, submission);
    is_fine(&bench, &supervisor);
    evaluation
}

fn is_fine(bench: &Bench, supervisor: &Supervisor) {
    let after = bench.run(supervisor, &honest());
    assert_eq!((after.result, after.failure), (said("\"15\"\n"), None));
}

/// A failure of class 2: shown in two runs, the second quiet, with a certificate that names the limit.
fn check_guilty(submission: &Submission, code: Code, expected: &str) -> Evaluation {
    check_guilty_under(config(), submission, code, expected)
}

fn check_guilty_under(config: Config, submission: &Submission, code: Code, expected: &str) -> Evaluation {
    let evaluation = attack(config, submission);
    let failure = evaluation.failure.clone().unwrap();
    assert_eq!(failure.code, code, "{submission:?}: {failure} {:#?}", evaluation.runs);
    assert_eq!(evaluation.runs.iter().map(|run| run.quiet).collect::<Vec<_>>(), [false, true]);
    let CaseResult { outcome: Outcome::Invalid(proof), examined: None } = &evaluation.result else {
        panic!("{:?}", evaluation.result)
    };
    assert_eq!((proof.expected.as_str(), proof.found.as_str()), (expected, code.about()));
    for run in &evaluation.runs {
        assert!(run.user_ms + run.system_ms < 1_500, "{run:?}");
        assert!(run.max_rss_bytes < run.walls.memory_bytes, "{run:?}");
    }
    evaluation
}

/// A failure of class 3: the miner is left alone.
fn check_ours(evaluation: &Evaluation, code: Code) {
    let ours = CaseResult { outcome: Outcome::ValidatorFault, examined: None };
    assert_eq!((&evaluation.result, evaluation.failure.as_ref().unwrap().code), (&ours, code));
}

fn endless_memory_is_the_submissions_fault() {
    let evaluation = check_guilty(&Submission::Allocate, Code::Memory, "at most 67108864 bytes");
    assert!(evaluation.runs[0].errors.contains("memory allocation of"), "{:?}", evaluation.runs[0]);
}

fn endless_computing_is_the_submissions_fault() {
    let evaluation = check_guilty(&Submission::Loop, Code::Cpu, "at most 1 s");
    assert_eq!(evaluation.runs[0].ending, Ending::Signal { number: 24 }, "SIGXCPU");
}

fn sleeping_past_the_deadline_is_the_submissions_fault() {
    let evaluation = check_guilty_under(
        impatient(),
        &Submission::Sleep,
        Code::Deadline,
        "at most 4 times its 1 s of processor time",
    );
    assert!(evaluation.runs.iter().all(|run| run.wall_ms >= 2_000 && run.user_ms < 500));
}

const ONE_RESULT: &str = "exactly one, of at most 524288 bytes";

fn crashes_are_the_submissions_fault() {
    check_guilty(&Submission::Abort, Code::Crash, ONE_RESULT);
    let evaluation = check_guilty(&Submission::Recurse, Code::Crash, ONE_RESULT);
    assert!(evaluation.runs[0].errors.contains("overflowed its stack"), "{:?}", evaluation.runs[0]);
}

fn an_end_without_exactly_one_result_is_the_submissions_fault() {
    check_guilty(&Submission::Exit(0), Code::NoResult, ONE_RESULT);
    check_guilty(&Submission::Exit(5), Code::ForeignExit, ONE_RESULT);
    check_guilty(&Submission::Garbage, Code::Garbage, ONE_RESULT);
    check_guilty(&Submission::Chatter, Code::ResultTooLong, ONE_RESULT);
    check_guilty(&Submission::LongFinding(1 << 20), Code::ResultTooLong, ONE_RESULT);
}

fn a_panic_is_ours_and_costs_the_miner_nothing() {
    let evaluation = attack(config(), &Submission::Panic);
    check_ours(&evaluation, Code::Panicked);
    assert!(evaluation.runs[0].errors.contains("as the submission wants"));
}

fn a_kill_from_outside_is_ours() {
    let evaluation = attack(config(), &Submission::KillItself);
    check_ours(&evaluation, Code::KilledFromOutside);
    assert_eq!(evaluation.runs[0].ending, Ending::Signal { number: 9 });
}

fn no_file_no_socket_and_no_variable_is_to_be_had() {
    let evaluation = attack(config(), &Submission::Surroundings);
    let none = "Err(\"uncategorized error Some(24)\")";
    assert_eq!(evaluation.result, said(&format!("0 variables, {none}, {none}")));
    assert_eq!(
        attack(config(), &Submission::Open).result,
        said("0 files, then uncategorized error Some(24)"),
        "EMFILE"
    );
    assert_eq!(attack(config(), &Submission::Write).result, said("uncategorized error Some(24)"));
    let sixteen = Config { open_files: 16, ..config() };
    assert_eq!(
        attack(sixteen, &Submission::Open).result,
        said("13 files, then uncategorized error Some(24)"),
        "the pipes are three, and nothing else is inherited"
    );
}

fn a_file_that_could_be_opened_takes_no_byte_and_is_not_left() {
    let evaluation = attack(Config { open_files: 16, ..config() }, &Submission::Write);
    assert_eq!(evaluation.failure.unwrap().code, Code::Crash);
    for run in &evaluation.runs {
        assert_eq!(run.ending, Ending::Signal { number: 25 }, "SIGXFSZ");
        let folder = Path::new(run.errors.trim());
        assert!(folder.is_absolute() && !folder.exists(), "{} is left", folder.display());
    }
}

fn no_process_is_to_be_had() {
    for threads in [1, 2] {
        let evaluation = attack(Config { open_files: 64, threads, ..config() }, &Submission::Spawn);
        assert_eq!(evaluation.result, said("permission denied Some(1)"), "{threads} threads");
    }
}

fn a_grandchild_dies_with_its_group() {
    // A child that knows no walls.
    let arguments = ["-c", "sleep 1000 & echo $! >&2"].map(Into::into).to_vec();
    let careless = supervisor(Config { program: "/bin/sh".into(), arguments, ..config() });
    let evaluation = Bench::new().run(&careless, &honest());
    let pid = evaluation.runs[0].errors.trim().parse();
    await_death(pid.unwrap_or_else(|_| panic!("{evaluation:?}")));
}

/// Waits until a process has ended, reaped or not: a kill is on its way, not there.
pub(crate) fn await_death(pid: u32) {
    let started = Instant::now();
    loop {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return };
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        if matches!(state, Some('Z' | 'X')) {
            return;
        }
        assert!(started.elapsed().as_secs() < 10, "process {pid} lives: {stat}");
        thread::yield_now();
    }
}

fn errors_without_end_are_cut() {
    let evaluation = attack(config(), &Submission::Complain);
    assert_eq!(evaluation.result, said("went on"));
    assert_eq!(evaluation.runs[0].errors.len(), 16 << 10);
}

fn a_request_above_the_cap_never_leaves() {
    let small = supervisor(Config { request_max_bytes: 4_000, ..config() });
    let bench = Bench::new();
    let submission = bytes(&honest());
    let big = job(&submission, &[ADDENDS, "big"]);
    let evaluation = small.examine(&big, Arc::new(submission), &bench.shelves());
    check_ours(&evaluation, Code::RequestTooLong);
    assert!(evaluation.runs.is_empty());
    is_fine(&bench, &small);
}

fn a_program_that_is_no_child_is_ours() {
    let bench = Bench::new();
    let absent = supervisor_of("/proc/self/status");
    check_ours(&bench.run(&absent, &honest()), Code::Host);
    // The shell takes the walls for the name of a script.
    let shell = supervisor_of("/bin/false");
    let evaluation = bench.run(&shell, &honest());
    assert_eq!(evaluation.failure.unwrap().code, Code::ForeignExit);
}

fn supervisor_of(program: &str) -> Supervisor {
    supervisor(Config { program: program.into(), arguments: Vec::new(), ..config() })
}
