//! The supervisor: an evaluator that gives each examination a child, and decides whose fault its end is.
//!
//! A run that comes to its end is believed at once: an examination is a pure function. A run that dies at the
//! declared limits is repeated with nothing else running in this supervisor; only where it dies again is the
//! submission to blame. All else is ours.

use std::{
    ffi::OsString,
    fs, io,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use mechanisms::{CaseResult, Certificate, ErasedCase, ErasedMechanism, Finding, Inputs, Limits, Outcome};
use primitives::Digest;
use rustix::process::Signal;
use thiserror::Error;

use crate::{
    Class, Code, Ending, Evaluation, Evaluator, Examination, Failure, RunRecord, Shelves, Walls,
    child::ChildExit,
    examination::Gathered,
    frame::{Reply, Request, output_max_bytes},
    process::{Finished, Run},
    record::Kill,
    walls::OPEN_FILES,
};

/// This program, also where its file has been replaced since it was started.
const OWN_PROGRAM: &str = "/proc/self/exe";
/// The deadline as a multiple of the processor time: a loaded machine still gives a child every fourth moment.
const DEADLINE_FACTOR: u32 = 4;
/// What an allocation that fails says before it ends the program.
const OUT_OF_MEMORY: &str = "memory allocation of ";
/// The step of certificates for an end at a limit: none of the mechanism's ladder was passed.
const LIMIT_STEP: u8 = 0;

/// How a supervisor runs its children.
#[derive(Clone, Debug)]
pub struct Config {
    /// The program to start; by default this one.
    pub program: PathBuf,
    /// Its arguments before the walls.
    pub arguments: Vec<OsString>,
    /// Threads that an examination may use; they change no result.
    pub threads: usize,
    /// Descriptors that a child may have; 3 are its pipes.
    pub open_files: u64,
    /// The deadline as a multiple of the processor time.
    pub deadline_factor: u32,
    /// The longest request, in bytes.
    pub request_max_bytes: u64,
    /// The longest result, in bytes.
    pub result_max_bytes: u64,
}

impl Config {
    /// This program, started with `argument` before the walls.
    #[must_use]
    pub fn this_program(argument: &str) -> Self {
        Self {
            program: PathBuf::from(OWN_PROGRAM),
            arguments: vec![argument.into()],
            threads: 1,
            open_files: OPEN_FILES,
            deadline_factor: DEADLINE_FACTOR,
            request_max_bytes: crate::frame::REQUEST_MAX_BYTES,
            result_max_bytes: crate::frame::RESULT_MAX_BYTES,
        }
    }

    fn deadline(&self, walls: &Walls) -> Duration {
        Duration::from_secs(walls.cpu_seconds).saturating_mul(self.deadline_factor)
    }
}

/// A supervisor can't be made.
#[derive(Debug, Error)]
pub enum SupervisorError {
    /// Its program's digest belongs into every record.
    #[error("could not read the program {}: {source}", path.display())]
    Program {
        /// The program's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Examines in a child process behind walls.
pub struct Supervisor {
    mechanisms: &'static [&'static dyn ErasedMechanism],
    config: Config,
    program: Digest,
    /// Held by each run; a quiet run holds it alone.
    quiet: RwLock<()>,
}

impl Supervisor {
    /// A supervisor over a catalogue, which must be the one that its child has.
    ///
    /// # Errors
    /// [`SupervisorError::Program`].
    pub fn new(
        mechanisms: &'static [&'static dyn ErasedMechanism],
        config: Config,
    ) -> Result<Self, SupervisorError> {
        let program = fs::read(&config.program)
            .map_err(|source| SupervisorError::Program { path: config.program.clone(), source })?;
        let program = Digest::of(&program);
        Ok(Self { mechanisms, config, program, quiet: RwLock::new(()) })
    }

    /// The evaluation, or the failure of ours for which nothing was run.
    fn evaluate(
        &self,
        job: &Examination,
        submission: Arc<Vec<u8>>,
        shelves: &Shelves<'_>,
    ) -> Result<Evaluation, Failure> {
        let known = self.mechanisms.iter().find(|known| known.id() == job.mechanism);
        let mechanism = *known.ok_or_else(|| Failure::new(Code::UnknownMechanism, &job.mechanism))?;
        let case = job.case();
        let limits = mechanism.limits();
        let threads = NonZeroUsize::new(self.config.threads).unwrap_or(NonZeroUsize::MIN);
        // A submission beyond the limit would never get through the pipe; the mechanism's answer to it is known.
        let is_too_big = submission.len() > limits.submission_bytes;
        let mut gathered = Gathered::of(mechanism, &case, submission, threads, shelves)?;
        if is_too_big {
            return Ok(gathered.evaluation(CaseResult { outcome: Outcome::TooBig, examined: None }));
        }
        let mut runs = Vec::new();
        let (mut walls, mut end) = self.confirmed(mechanism, &case, gathered.inputs(), &mut runs)?;
        if let Ok(Finding::Needs(more)) = end {
            gathered.bring_more(mechanism, more, shelves)?;
            (walls, end) = self.confirmed(mechanism, &case, gathered.inputs(), &mut runs)?;
        }
        Ok(match end.and_then(|finding| gathered.ended(finding)) {
            Ok(result) => Evaluation { runs, ..gathered.evaluation(result) },
            Err(failure) if failure.code.class() == Class::Examination => {
                let outcome = Outcome::Invalid(certificate(failure.code, &limits, &walls));
                let result = CaseResult { outcome, examined: None };
                Evaluation { result, failure: Some(failure), runs }
            }
            Err(failure) => Evaluation { runs, ..Evaluation::ours(failure) },
        })
    }

    /// What a run says; where it died at its limits, what it says when it is run again with nothing beside it.
    fn confirmed(
        &self,
        mechanism: &dyn ErasedMechanism,
        case: &ErasedCase,
        inputs: &Inputs,
        runs: &mut Vec<RunRecord>,
    ) -> Result<(Walls, Result<Finding, Failure>), Failure> {
        let (case, inputs) = (case.clone(), inputs.clone());
        let request = Request { mechanism: mechanism.id().to_owned(), case, inputs }.pieces();
        let request_bytes = request.iter().map(|piece| piece.len() as u64).sum();
        if request_bytes > self.config.request_max_bytes {
            let max = self.config.request_max_bytes;
            let detail = format!("{request_bytes} bytes, at most {max} are allowed");
            return Err(Failure::new(Code::RequestTooLong, detail));
        }
        let walls = Walls {
            open_files: self.config.open_files,
            request_max_bytes: self.config.request_max_bytes,
            result_max_bytes: self.config.result_max_bytes,
            ..Walls::of(&mechanism.limits(), request_bytes, self.config.threads)
        };
        let (first, record) = self.run(&walls, &request, Company::Any);
        runs.extend(record);
        let end = match first {
            Err(failure) if failure.code.class() == Class::Examination => {
                let (second, record) = self.run(&walls, &request, Company::None);
                runs.extend(record);
                confirm(&failure, second)
            }
            end => end,
        };
        Ok((walls, end))
    }

    /// One run: what it says, and its record where there was a child.
    fn run(
        &self,
        walls: &Walls,
        request: &[Arc<Vec<u8>>],
        company: Company,
    ) -> (Result<Finding, Failure>, Option<RunRecord>) {
        // The lock guards no data, so a poisoned one is as good.
        let _held = match company {
            Company::Any => (Some(self.quiet.read().unwrap_or_else(PoisonError::into_inner)), None),
            Company::None => (None, Some(self.quiet.write().unwrap_or_else(PoisonError::into_inner))),
        };
        let run = Run {
            program: &self.config.program,
            program_digest: self.program,
            arguments: &self.config.arguments,
            walls: *walls,
            deadline: self.config.deadline(walls),
            request,
            quiet: company == Company::None,
        };
        match run.finish() {
            Ok(finished) => (judge(&finished), Some(finished.record)),
            Err(error) => (Err(Failure::new(Code::Host, error.to_string())), None),
        }
    }
}

impl Evaluator for Supervisor {
    fn examine(&self, job: &Examination, submission: Arc<Vec<u8>>, shelves: &Shelves<'_>) -> Evaluation {
        self.evaluate(job, submission, shelves).unwrap_or_else(Evaluation::ours)
    }
}

/// Who else may run in the supervisor meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    Any,
    None,
}

/// What a run says, by the evidence of how it ended.
fn judge(finished: &Finished) -> Result<Finding, Failure> {
    let Finished { record, output } = finished;
    let RunRecord { walls, user_ms, system_ms, .. } = record;
    let cpu_ms = user_ms + system_ms;
    let fail = |code, detail: String| Err(Failure::new(code, detail));
    let too_long = || fail(Code::ResultTooLong, format!("more than {} bytes", walls.result_max_bytes));
    // However it ended: a child that writes on finds its pipe closed, and dies of that in one way or another.
    if output.len() as u64 > output_max_bytes(walls.result_max_bytes) {
        return too_long();
    }
    match record.ending {
        Ending::Killed { why: Kill::Output } => too_long(),
        Ending::Killed { why: Kill::Deadline } => {
            let RunRecord { deadline_ms, starved_ms, .. } = record;
            let is_starved = *starved_ms > deadline_ms / 2;
            let code = if is_starved { Code::HostBusy } else { Code::Deadline };
            fail(
                code,
                format!("{deadline_ms} ms passed, {cpu_ms} ms computing, {starved_ms} ms waiting for it"),
            )
        }
        Ending::Signal { number } => {
            let is_out_of_cpu = cpu_ms >= walls.cpu_seconds.saturating_mul(1_000);
            let code = match Signal::from_named_raw(number) {
                Some(Signal::XCPU) => Code::Cpu,
                // A child that ignores the soft limit is killed at the hard one.
                Some(Signal::KILL) if is_out_of_cpu => Code::Cpu,
                Some(Signal::KILL | Signal::TERM | Signal::INT | Signal::HUP | Signal::QUIT) => {
                    Code::KilledFromOutside
                }
                Some(Signal::ABORT) if record.errors.contains(OUT_OF_MEMORY) => Code::Memory,
                _ => Code::Crash,
            };
            fail(code, format!("signal {number} after {cpu_ms} ms of processor time"))
        }
        Ending::Exit { code } => match ChildExit::of(code) {
            Some(ChildExit::Done) => read(output),
            Some(ChildExit::ResultTooLong) => too_long(),
            Some(ChildExit::Usage | ChildExit::Walls) => fail(Code::Walls, record.errors.clone()),
            Some(ChildExit::Request) => fail(Code::RequestUnreadable, record.errors.clone()),
            Some(ChildExit::Output) => fail(Code::Host, record.errors.clone()),
            Some(ChildExit::Panicked) => fail(Code::Panicked, record.errors.clone()),
            None => fail(Code::ForeignExit, format!("exit code {code}")),
        },
    }
}

/// What a child that ended well has said.
fn read(output: &[u8]) -> Result<Finding, Failure> {
    if output.is_empty() {
        return Err(Failure::new(Code::NoResult, "exit code 0 and no output"));
    }
    match Reply::parse(output) {
        Ok(Reply::Examined(finding)) => Ok(finding),
        Ok(Reply::ForeignTask(reason)) => Err(Failure::new(Code::ForeignTask, reason)),
        Ok(Reply::UnknownMechanism(id)) => Err(Failure::new(Code::UnknownMechanism, id)),
        Err(error) => Err(Failure::new(Code::Garbage, error.to_string())),
    }
}

/// What two runs say, the first of which died at its limits.
fn confirm(first: &Failure, second: Result<Finding, Failure>) -> Result<Finding, Failure> {
    match second {
        // A result that comes only sometimes is nothing that another validator could find again.
        Ok(_) => Err(Failure::new(Code::NotReproduced, first.to_string())),
        Err(failure) => Err(failure),
    }
}

/// The proof that a submission ends its examination. It holds declared figures only, the same for all validators:
/// what was measured stands in the records of the runs.
fn certificate(code: Code, limits: &Limits, walls: &Walls) -> Certificate {
    let proof = |rule, expected: String| Certificate::new(LIMIT_STEP, None, rule, &expected, code.about());
    match code {
        Code::Memory => {
            proof("examination stays within its memory", format!("at most {} bytes", limits.memory_bytes))
        }
        Code::Cpu => {
            let expected = format!("at most {} s", walls.cpu_seconds);
            proof("examination stays within its processor time", expected)
        }
        Code::Deadline => {
            let expected =
                format!("at most {} times its {} s of processor time", DEADLINE_FACTOR, walls.cpu_seconds);
            proof("examination is done by its deadline", expected)
        }
        _ => {
            let expected = format!("exactly one, of at most {} bytes", walls.result_max_bytes);
            proof("examination ends with a result", expected)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walls() -> Walls {
        let limits = Limits {
            submission_bytes: 1,
            items: 1,
            examine: primitives::DurationMs(2_000),
            memory_bytes: 1 << 20,
            fetches: 0,
        };
        Walls::of(&limits, 0, 1)
    }

    fn finished(ending: Ending) -> Finished {
        let record = RunRecord {
            ending,
            quiet: false,
            wall_ms: 0,
            user_ms: 0,
            system_ms: 0,
            starved_ms: 0,
            max_rss_bytes: 0,
            request_bytes: 0,
            output_bytes: 0,
            walls: walls(),
            deadline_ms: 8_000,
            program: Digest::default(),
            errors: String::new(),
        };
        Finished { record, output: Vec::new() }
    }

    #[test]
    fn the_class_follows_from_the_evidence() {
        let check = |ending, change: &dyn Fn(&mut Finished), code| {
            let mut finished = finished(ending);
            change(&mut finished);
            assert_eq!(judge(&finished).unwrap_err().code, code, "{:?}", finished.record);
        };
        let none = |_: &mut Finished| {};
        let signal = |number| Ending::Signal { number };
        let exit = |exit: ChildExit| Ending::Exit { code: exit.code().into() };
        // A kill by this supervisor is never taken for one from outside.
        check(Ending::Killed { why: Kill::Deadline }, &none, Code::Deadline);
        check(Ending::Killed { why: Kill::Output }, &none, Code::ResultTooLong);
        check(Ending::Killed { why: Kill::Deadline }, &|run| run.record.starved_ms = 4_001, Code::HostBusy);
        check(Ending::Killed { why: Kill::Deadline }, &|run| run.record.starved_ms = 4_000, Code::Deadline);
        for number in [1, 2, 3, 9, 15] {
            check(signal(number), &none, Code::KilledFromOutside);
        }
        // The hard limit of processor time kills with the same signal, at a figure that nobody else waits for.
        check(signal(9), &|run| (run.record.user_ms, run.record.system_ms) = (1_900, 100), Code::Cpu);
        check(signal(9), &|run| run.record.user_ms = 1_999, Code::KilledFromOutside);
        check(signal(24), &none, Code::Cpu);
        check(signal(6), &none, Code::Crash);
        let starving =
            |run: &mut Finished| run.record.errors = "memory allocation of 9 bytes failed\n".to_owned();
        check(signal(6), &starving, Code::Memory);
        check(signal(11), &starving, Code::Crash);
        for number in [4, 7, 8, 11, 25, 31, 40] {
            check(signal(number), &none, Code::Crash);
        }
        check(exit(ChildExit::Done), &none, Code::NoResult);
        check(exit(ChildExit::Done), &|run| run.output = b"{}".to_vec(), Code::Garbage);
        let longest = usize::try_from(output_max_bytes(walls().result_max_bytes)).unwrap();
        check(exit(ChildExit::Done), &|run| run.output = vec![0; longest + 1], Code::ResultTooLong);
        for ending in [exit(ChildExit::Output), exit(ChildExit::Panicked), Ending::Signal { number: 13 }] {
            check(ending, &|run| run.output = vec![0; longest + 1], Code::ResultTooLong);
        }
        check(exit(ChildExit::Usage), &none, Code::Walls);
        check(exit(ChildExit::Walls), &none, Code::Walls);
        check(exit(ChildExit::Request), &none, Code::RequestUnreadable);
        check(exit(ChildExit::ResultTooLong), &none, Code::ResultTooLong);
        check(exit(ChildExit::Output), &none, Code::Host);
        check(exit(ChildExit::Panicked), &none, Code::Panicked);
        check(Ending::Exit { code: 1 }, &none, Code::ForeignExit);
        let reply = |run: &mut Finished, reply: Reply| run.output = reply.bytes();
        let foreign = |run: &mut Finished| reply(run, Reply::ForeignTask(String::new()));
        check(exit(ChildExit::Done), &foreign, Code::ForeignTask);
        let unknown = |run: &mut Finished| reply(run, Reply::UnknownMechanism(String::new()));
        check(exit(ChildExit::Done), &unknown, Code::UnknownMechanism);
    }

    #[test]
    fn one_death_of_two_runs_is_ours() {
        let died = Failure::new(Code::Memory, "first");
        let fine = Finding::Done(CaseResult { outcome: Outcome::Ok, examined: Some("1".to_owned()) });
        assert_eq!(confirm(&died, Ok(fine)).unwrap_err().code, Code::NotReproduced);
        for code in [Code::Memory, Code::Crash, Code::KilledFromOutside] {
            let second = Err(Failure::new(code, "second"));
            assert_eq!(confirm(&died, second).unwrap_err().code, code, "the quiet run decides");
        }
    }
}
