//! `weigh score`: what a validator will find, found at home: its mechanism, its child process, its receipt.
//!
//! A case is what anyone can put together from the chain and a validator's log. With it, the submission's bytes and
//! the source the receipt comes out to the bit, whoever computes it and with how many threads; what the runs
//! cost is told beside it. This module judges nothing: scores are of a whole round, and one case is not one.

use std::{
    io::{self, Write as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Subcommand};
use corpus::{Extent, Shard, Supplied, shard::FolderError};
use mechanisms::{
    Mechanism as _, Outcome,
    dataset::{
        self, Dataset, Examined, Task, Terms, params,
        value::{Evidence, Verdict},
    },
};
use miette::Diagnostic;
use primitives::{Digest, Hotkey, Seed};
use serde::{Deserialize, Serialize};
use store::artifacts::InMemory;
use thiserror::Error;
use worker::{Class, Evaluation, Evaluator, Examination, Receipt, RunRecord, Shelves};

use crate::{
    show::plain,
    source::{AnySource, Named, SourceOpenError},
    talk,
};

/// The case that `weigh data build` leaves beside a shard.
pub(crate) const CASE_FILE: &str = "case.json";
/// The longest case: a task has at most 1 MiB as its mechanism writes it, and a person may set it with spaces.
const CASE_MAX_BYTES: u64 = 4 << 20;
/// The longest supply: a model of languages or a blocklist; bases and pools are shorter.
const SUPPLY_MAX_BYTES: u64 = 256 << 20;
/// Most threads that one examination is given.
const THREADS_MAX: i64 = 256;

/// What a case file holds, for `--help`.
const CASE_HELP: &str = "\
CASE.json is one object:
  {\"mechanism\": \"dataset\", \"round\": N, \"task\": {…}, \"hotkey\": SS58, \"root\": HEX, \"audit_seed\": HEX}
  mechanism   its name
  round       the subnet's epoch in which the work was asked for
  task        the task as planned: {\"extent\": …, \"terms\": …, \"pass\": N}
  hotkey      whose submission it is
  root        the root that its commitment names
  audit_seed  what draws the samples, from the hash of the first block after the deadline
`weigh data build` leaves such a file beside each shard, with round 0 and a seed of zeros, to rehearse with.

Exit codes: 0 no fault, 1 a fault of the submission, 2 wrong arguments, 3 lacking evidence
(nothing follows).";

/// `weigh score …`.
#[derive(Subcommand)]
pub(crate) enum ScoreCommand {
    /// Examine a shard as a validator does, and print the receipt that it would sign.
    #[command(after_help = CASE_HELP)]
    Dataset(DatasetArguments),
}

#[derive(Args)]
pub(crate) struct DatasetArguments {
    /// The encoded shard, or a folder that `weigh data build` wrote.
    shard: PathBuf,
    /// What the shard was made of: a folder of HTML, Markdown and text, or an archive or its address, or a folder of
    /// archives.
    #[arg(long, value_name = "PATH|URL")]
    source: Named,
    /// What was asked of whom, and what draws the samples.
    #[arg(long, value_name = "CASE.json")]
    case: PathBuf,
    /// A file that the subnet's owner put beside the source; may be given more than once.
    #[arg(long = "supply", value_name = "FILE")]
    supplies: Vec<PathBuf>,
    /// Threads of the examination; the receipt is the same for any number.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=THREADS_MAX))]
    threads: u16,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// A submission could not be examined.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum ScoreError {
    /// A file that was named can't be read.
    #[error("{path} can't be read")]
    File {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// A file that was named is too long.
    #[error("{path} has {found} bytes, at most {max} are taken")]
    TooLong { path: PathBuf, found: u64, max: u64 },
    /// The folder is no shard's.
    #[error("shard in {path} can't be read")]
    Shard {
        path: PathBuf,
        #[source]
        error: Box<FolderError>,
    },
    /// The case can't be understood.
    #[error("{path} is no case")]
    #[diagnostic(help("`weigh score dataset --help` says what a case holds"))]
    Case {
        path: PathBuf,
        #[source]
        error: serde_json::Error,
    },
    /// The case is another mechanism's.
    #[error("{path} is a case of mechanism {found:?}, expected {:?}", dataset::ID)]
    Mechanism { path: PathBuf, found: String },
    /// The source can't be opened.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Source(#[from] SourceOpenError),
    /// There is nothing to examine with.
    #[error("examinations can't be run here: {reason}")]
    Worker { reason: String },
    /// The examination's finding is not the mechanism's.
    #[error("the examination's finding can't be read")]
    Finding(#[source] serde_json::Error),
    /// Nobody reads the output.
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl ScoreError {
    /// 2 where other arguments would help, 3 where something is lacking, 1 where nobody reads the output.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            ScoreError::Source(error) => error.exit_code(),
            ScoreError::Worker { .. } | ScoreError::Finding(_) => 3,
            ScoreError::Output(_) => 1,
            _ => 2,
        }
    }
}

/// One case of the dataset mechanism, as a file: an [`Examination`] without its submission.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseFile {
    mechanism: String,
    round: u64,
    task: Task,
    hotkey: Hotkey,
    root: Digest,
    audit_seed: Seed,
}

impl CaseFile {
    /// A case to rehearse with: no round has a seed of zeros.
    pub(crate) fn rehearsal(extent: Extent, terms: Terms, hotkey: Hotkey, root: Digest) -> Self {
        Self {
            mechanism: dataset::ID.to_owned(),
            round: 0,
            task: Task { extent, terms, pass: 0 },
            hotkey,
            root,
            audit_seed: Seed::default(),
        }
    }

    fn read(path: &Path) -> Result<Self, ScoreError> {
        let case: Self = serde_json::from_slice(&read(path, CASE_MAX_BYTES)?)
            .map_err(|error| ScoreError::Case { path: path.to_owned(), error })?;
        if case.mechanism != dataset::ID {
            return Err(ScoreError::Mechanism { path: path.to_owned(), found: case.mechanism });
        }
        Ok(case)
    }

    /// The job. The task is written anew as its mechanism writes it, so that a receipt names it whatever spaces
    /// stand in the file.
    fn job(&self, submission: &[u8]) -> Examination {
        Examination {
            mechanism: self.mechanism.clone(),
            round: self.round,
            hotkey: self.hotkey,
            task: 0,
            task_json: serde_json::to_string(&self.task).expect("a task is plain data with string keys"),
            root: self.root,
            part: Digest::of(submission),
            audit_seed: self.audit_seed,
        }
    }
}

/// Runs one of the commands; the exit code is 1 for a fault of the submission and 3 where evidence is lacking.
pub(crate) fn run(command: &ScoreCommand) -> Result<ExitCode, ScoreError> {
    let ScoreCommand::Dataset(arguments) = command;
    let case = CaseFile::read(&arguments.case)?;
    let submission = Arc::new(submission(&arguments.shard)?);
    let supplies = arguments.supplies.iter().map(|path| read(path, SUPPLY_MAX_BYTES));
    let supplies = supplies.collect::<Result<Vec<_>, _>>()?;
    let source =
        Supplied::new(AnySource::reopen(&arguments.source, [&case.task.extent], arguments.json)?, supplies);
    let job = case.job(&submission);
    let threads = NonZeroUsize::new(arguments.threads.into()).unwrap_or(NonZeroUsize::MIN);
    let shelves = Shelves { source: &source, artifacts: &InMemory::new() };
    let evaluator = evaluator(threads)?;
    let spinner = talk::spinner("examining", arguments.json);
    let evaluation = evaluator.examine(&job, submission, &shelves);
    spinner.finish_and_clear();
    let receipt = Receipt::of(&job, &evaluation.result, &Dataset.engine());
    let report = Report::of(&evaluation, &receipt)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        serde_json::to_writer(&mut out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        for (name, text) in report.lines() {
            writeln!(out, "{name:<10}{}", plain(&text))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::from(match evaluation.class() {
        None => 0,
        Some(Class::Submission | Class::Examination) => 1,
        Some(Class::Ours) => 3,
    }))
}

/// What a validator examines with: a child of this very program.
#[cfg(target_os = "linux")]
fn evaluator(threads: NonZeroUsize) -> Result<impl Evaluator, ScoreError> {
    let config = worker::Config { threads: threads.get(), ..worker::Config::this_program(crate::CHILD) };
    let supervisor = worker::Supervisor::new(mechanisms::catalogue(), config);
    supervisor.map_err(|error| ScoreError::Worker { reason: error.to_string() })
}

/// Where there are no walls for a child, this process examines, on one thread: the receipt is the same.
#[cfg(not(target_os = "linux"))]
fn evaluator(_threads: NonZeroUsize) -> Result<impl Evaluator, ScoreError> {
    let known = mechanisms::find(dataset::ID);
    let unknown = || ScoreError::Worker { reason: format!("there is no mechanism {:?}", dataset::ID) };
    known.map(|mechanism| worker::Inline { mechanism }).ok_or_else(unknown)
}

/// The bytes that a miner sends: the file's, or those of the shard in a folder.
fn submission(path: &Path) -> Result<Vec<u8>, ScoreError> {
    if !path.is_dir() {
        // One that is too long is examined too: it has a receipt that says so.
        return read(path, u64::MAX);
    }
    let unread = |error| ScoreError::Shard { path: path.to_owned(), error: Box::new(error) };
    Ok(Shard::open_folder(path, &params::SHARD_LIMITS).map_err(unread)?.0.encode())
}

fn read(path: &Path, max: u64) -> Result<Vec<u8>, ScoreError> {
    let unread = |error| ScoreError::File { path: path.to_owned(), error };
    let found = std::fs::metadata(path).map_err(unread)?.len();
    if found > max {
        return Err(ScoreError::TooLong { path: path.to_owned(), found, max });
    }
    std::fs::read(path).map_err(unread)
}

/// What is told of an examination. The receipt and its digest are the same for everybody; the rest is this run's.
#[derive(Serialize)]
struct Report<'a> {
    outcome: &'static str,
    digest: Digest,
    receipt: &'a Receipt,
    finding: Option<Examined>,
    failure: Option<Told<'a>>,
    runs: &'a [RunRecord],
}

/// A failure with its class, for those who don't know the codes.
#[derive(Serialize)]
struct Told<'a> {
    class: u16,
    code: u16,
    about: &'static str,
    detail: &'a str,
}

impl<'a> Report<'a> {
    fn of(evaluation: &'a Evaluation, receipt: &'a Receipt) -> Result<Self, ScoreError> {
        let outcome = match &evaluation.result.outcome {
            Outcome::Ok => "ok",
            Outcome::NoResponse => "no response",
            Outcome::Refused => "refused",
            Outcome::Invalid(_) => "invalid",
            Outcome::TooBig => "too big",
            Outcome::ValidatorFault => "no evidence",
        };
        let finding = evaluation.result.examined.as_deref().map(serde_json::from_str).transpose();
        let failure = evaluation.failure.as_ref().map(|failure| Told {
            class: failure.code.class().number(),
            code: failure.code.number(),
            about: failure.code.about(),
            detail: &failure.detail,
        });
        let finding = finding.map_err(ScoreError::Finding)?;
        Ok(Self { outcome, digest: receipt.digest(), receipt, finding, failure, runs: &evaluation.runs })
    }

    /// Names and texts for a person.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("outcome", self.outcome.to_owned())];
        lines.extend(self.finding.iter().flat_map(found_in_words));
        if let Outcome::Invalid(proof) = &self.receipt.outcome {
            lines.push(("step", proof.step.to_string()));
            lines.extend(proof.record.iter().map(|record| ("record", record.clone())));
            lines.push(("rule", proof.rule.clone()));
            lines.push(("expected", proof.expected.clone()));
            lines.push(("found", proof.found.clone()));
        }
        if let Some(Told { class, code, about, detail }) = &self.failure {
            lines.push(("failure", format!("class {class}, code {code}: {about}")));
            // A proof stands above already.
            if !matches!(self.receipt.outcome, Outcome::Invalid(_)) {
                lines.push(("detail", (*detail).to_owned()));
            }
        }
        lines.push(("engine", self.receipt.engine.clone()));
        lines.push(("receipt", self.digest.to_string()));
        lines
    }
}

fn found_in_words(found: &Examined) -> Vec<(&'static str, String)> {
    let tokens: u64 = found.documents.iter().map(|(_, tokens)| tokens).sum();
    let checked = format!("{} kept and {} dropped records hold", found.sampled_kept, found.sampled_dropped);
    let mut lines = vec![
        ("recipe", found.recipe.clone()),
        ("tokens", format!("{tokens} in {} documents", found.documents.len())),
        ("checked", checked),
    ];
    let aligned = |permille| ("aligned", format!("{permille} permille of the sampled texts, in order"));
    lines.extend(found.aligned_permille.map(aligned));
    lines.extend(found.value.as_ref().map(|value| ("value", value_in_words(value))));
    lines
}

fn value_in_words(value: &Evidence) -> String {
    let Evidence { factor, documents, seeds, mean_bits_per_byte, .. } = value;
    let verdict = match value.verdict {
        Verdict::Equal => return format!("the default recipe's texts, factor {factor:.3}"),
        Verdict::Gain => "trains better",
        Verdict::NotInferior => "trains as well",
        Verdict::Inferior => "trains worse",
        Verdict::Undecided => "undecided, paid as not inferior",
    };
    let (low, high) = (value.low_bits_per_byte, value.high_bits_per_byte);
    format!(
        "{verdict}: {mean_bits_per_byte:+.4} ({low:+.4} to {high:+.4}) bits per byte on {documents} documents \
         with {seeds} seeds, factor {factor:.3}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_say_whose_turn_it_is() {
        let path = PathBuf::from("x");
        let check = |error: ScoreError, code| assert_eq!(error.exit_code(), code, "{error}");
        check(ScoreError::TooLong { path: path.clone(), found: 2, max: 1 }, 2);
        check(ScoreError::Mechanism { path: path.clone(), found: "sums".to_owned() }, 2);
        check(ScoreError::Worker { reason: String::new() }, 3);
        check(ScoreError::Source(SourceOpenError::NoCache), 2);
    }
}
