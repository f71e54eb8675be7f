//! A mechanism whose submissions say what their examination is to do: add honestly, or die in one of many ways.

use std::{
    fs, hint,
    io::{self, Write as _},
    process::{self, Command},
    sync::Arc,
    thread,
    time::Duration,
};

use corpus::source::Memory;
use mechanisms::{
    Aggregation, Case, CaseResult, Certificate, ErasedMechanism, ExaminedCase, Fault, Fetch, Index, Inputs,
    Limits, Mechanism, Outcome, Payout, Round, Shape, Truth, Verdict,
};
use primitives::{Digest, DurationMs, Hotkey, Seed, merkle};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use store::artifacts;
use worker::{Config, Evaluation, Evaluator as _, Examination, Inline, Shelves, Supervisor};

/// The argument with which this program is a child.
pub(crate) const CHILD: &str = "worker-child";
pub(crate) const MECHANISMS: &[&dyn ErasedMechanism] = &[&Trial];
/// The file that every task names.
pub(crate) const ADDENDS: &str = "addends.json";

pub(crate) struct Trial;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    /// Files whose numbers are added.
    pub(crate) files: Vec<String>,
}

/// What a submission has its examination do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Submission {
    /// The sum of the task's numbers and its own.
    Sum {
        own: Vec<u64>,
        total: u64,
    },
    Allocate,
    Loop,
    Recurse,
    Abort,
    Exit(i32),
    Write,
    Open,
    Spawn,
    Garbage,
    Chatter,
    Complain,
    Sleep,
    Panic,
    LongFinding(usize),
    Surroundings,
    KillItself,
}

fn lacks(reason: &str) -> Fault {
    Fault::NoEvidence { reason: reason.to_owned() }
}

/// An error's kind, which unlike its text is the same everywhere.
fn kind(error: &io::Error) -> String {
    format!("{} {:?}", error.kind(), error.raw_os_error())
}

#[expect(unconditional_recursion, reason = "that is the attack")]
fn recurse(depth: u64) -> u64 {
    let page = hint::black_box([depth; 512]);
    recurse(depth + 1) + page[0]
}

impl Submission {
    fn act(&self, task: &Task, inputs: &Inputs) -> Result<String, Fault> {
        match self {
            Submission::Sum { own, total } => return sum(own, *total, task, inputs),
            Submission::Allocate => {
                // Pages that nobody touches count against the wall as well, and a loaded machine can take the whole second
                // of processor time to hand out others.
                let mut held: Vec<Vec<u8>> = Vec::new();
                loop {
                    held.push(hint::black_box(Vec::with_capacity(1 << 20)));
                }
            }
            Submission::Loop => loop {
                hint::spin_loop();
            },
            Submission::Recurse => return Ok(recurse(0).to_string()),
            Submission::Abort => process::abort(),
            Submission::Exit(code) => process::exit(*code),
            Submission::Write => {
                eprintln!("{}", std::env::current_dir().unwrap().display());
                let mut file = match fs::File::create("left-behind") {
                    Ok(file) => file,
                    Err(error) => return Ok(kind(&error)),
                };
                file.write_all(b"evil").map_err(|error| lacks(&kind(&error)))?;
            }
            Submission::Open => {
                let mut held = Vec::new();
                loop {
                    match fs::File::open("/dev/zero") {
                        Ok(file) => held.push(file),
                        Err(error) => return Ok(format!("{} files, then {}", held.len(), kind(&error))),
                    }
                }
            }
            Submission::Spawn => match Command::new("/bin/sleep").arg("1000").spawn() {
                Ok(child) => return Ok(child.id().to_string()),
                Err(error) => return Ok(kind(&error)),
            },
            Submission::Garbage => println!("{{\"examined\":{{\"outcome\":\"Ok\"}}}}"),
            Submission::Chatter => {
                let noise = [b'x'; 4096];
                while io::stdout().write_all(&noise).is_ok() {}
            }
            Submission::Complain => {
                let noise = [b'e'; 4096];
                for _ in 0..1000 {
                    let _ = io::stderr().write_all(&noise);
                }
            }
            Submission::Sleep => thread::sleep(Duration::from_secs(1000)),
            Submission::Panic => panic!("as the submission wants"),
            Submission::LongFinding(bytes) => return Ok("x".repeat(*bytes)),
            Submission::Surroundings => {
                let variables = std::env::vars_os().count();
                let here = fs::read_dir(".").map(Iterator::count).map_err(|error| kind(&error));
                let socket =
                    std::net::UdpSocket::bind("127.0.0.1:0").map(|_| ()).map_err(|error| kind(&error));
                return Ok(format!("{variables} variables, {here:?}, {socket:?}"));
            }
            Submission::KillItself => {
                let _ =
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
        }
        Ok("went on".to_owned())
    }
}

/// The sum over all threads that the examination has.
fn sum(own: &[u64], total: u64, task: &Task, inputs: &Inputs) -> Result<String, Fault> {
    let mut numbers = own.to_vec();
    for path in &task.files {
        let Some(bytes) = inputs.fetched.get(&Fetch::File { path: path.clone() }) else {
            return Err(lacks("addends"));
        };
        let more: Vec<u64> = serde_json::from_slice(bytes).map_err(|error| lacks(&error.to_string()))?;
        numbers.extend(more);
    }
    let found: u64 = numbers.par_iter().copied().reduce(|| 0, u64::wrapping_add);
    if found != total {
        let proof =
            Certificate::new(1, Some("total"), "total is the sum", &found.to_string(), &total.to_string());
        return Err(Fault::Proven(proof));
    }
    Ok(format!("\"{found}\"\n"))
}

impl Mechanism for Trial {
    type Task = Task;
    type Submission = Submission;
    type Examined = String;

    fn id(&self) -> &'static str {
        "trial"
    }

    fn about(&self) -> &'static str {
        "sums, and examinations that die in every way"
    }

    fn engine(&self) -> String {
        "trial/1".to_owned()
    }

    fn shape(&self) -> Shape {
        Shape::Push
    }

    fn limits(&self) -> Limits {
        Limits {
            submission_bytes: 4 << 10,
            items: 1,
            examine: DurationMs(1_000),
            memory_bytes: 64 << 20,
            fetches: 0,
        }
    }

    fn aggregation(&self) -> Aggregation {
        Aggregation::Window { rounds: 1 }
    }

    fn payout(&self) -> Payout {
        Payout::Proportional { exponent: 1 }
    }

    fn plan(&self, _round: &Round) -> Result<Vec<Task>, String> {
        Ok(vec![Task { files: vec![ADDENDS.to_owned()] }])
    }

    fn needs(&self, case: &Case<Task>) -> Vec<Fetch> {
        case.task.files.iter().map(|path| Fetch::File { path: path.clone() }).collect()
    }

    fn parse(&self, bytes: &[u8]) -> Result<Submission, Certificate> {
        serde_json::from_slice(bytes)
            .map_err(|error| Certificate::new(0, None, "submission can be read", "JSON", &error.to_string()))
    }

    fn examine(&self, case: &Case<Task>, inputs: &Inputs) -> Result<String, Fault> {
        self.parse(&inputs.submission).map_err(Fault::Proven)?.act(&case.task, inputs)
    }

    fn judge(&self, _cases: &[ExaminedCase<String>], _index: &Index, _truth: Option<&Truth>) -> Verdict {
        Verdict::default()
    }
}

/// What is needed to examine: the job, the submission, and the shelves.
pub(crate) struct Bench {
    source: Memory,
    artifacts: artifacts::InMemory,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let source = Memory::new([(ADDENDS, &b"[1,2,3]"[..]), ("big", &[b' '; 1 << 16][..])]).unwrap();
        Self { source, artifacts: artifacts::InMemory::new() }
    }

    pub(crate) fn shelves(&self) -> Shelves<'_> {
        Shelves { source: &self.source, artifacts: &self.artifacts }
    }

    pub(crate) fn run(&self, supervisor: &Supervisor, submission: &Submission) -> Evaluation {
        let bytes = bytes(submission);
        supervisor.examine(&job(&bytes, &[ADDENDS]), Arc::new(bytes), &self.shelves())
    }

    pub(crate) fn inline(&self, job: &Examination, submission: &[u8]) -> Evaluation {
        Inline { mechanism: &Trial }.examine(job, Arc::new(submission.to_vec()), &self.shelves())
    }
}

pub(crate) fn bytes(submission: &Submission) -> Vec<u8> {
    serde_json::to_vec(submission).unwrap()
}

pub(crate) fn honest() -> Submission {
    Submission::Sum { own: vec![4, 5], total: 15 }
}

pub(crate) fn job(submission: &[u8], files: &[&str]) -> Examination {
    let files = files.iter().map(|path| (*path).to_owned()).collect();
    Examination {
        mechanism: "trial".to_owned(),
        round: 1,
        hotkey: Hotkey::default(),
        task: 0,
        task_json: serde_json::to_string(&Task { files }).unwrap(),
        root: merkle::leaf(submission),
        part: Digest::of(submission),
        audit_seed: Seed::from_number(1),
    }
}

/// A supervisor whose children are this program. Its deadline is far away: the tests may run on a machine that does
/// much else, and what is not about the deadline is not to meet it.
pub(crate) fn config() -> Config {
    Config { deadline_factor: 60, ..Config::this_program(CHILD) }
}

/// The same with a deadline of two seconds, for what sleeps.
pub(crate) fn impatient() -> Config {
    Config { deadline_factor: 2, ..config() }
}

pub(crate) fn supervisor(config: Config) -> Supervisor {
    Supervisor::new(MECHANISMS, config).unwrap()
}

pub(crate) fn said(text: &str) -> CaseResult<String> {
    CaseResult { outcome: Outcome::Ok, examined: Some(serde_json::to_string(text).unwrap()) }
}
