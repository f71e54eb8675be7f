//! `weigh queue`: the examinations of the local subnet's validators: what waits, what is under way, what was given up.
//!
//! Read from the validators' own stores, which a running house goes on writing meanwhile. An examination that failed for a
//! reason of ours leaves its first job done and goes on as a second one in the tail lane; both are shown.

use std::{io, process::ExitCode, sync::Arc};

use clap::{Args, Subcommand};
use comfy_table::Cell;
use miette::Diagnostic;
use neuron::{Identity, Validator};
use primitives::{Hotkey, MechId, Timestamp};
use serde_json::{Value, json};
use store::{Counts, Job, JobNumber, JobState, MAX_PAGE, Store, StoreError};
use thiserror::Error;
use web::{House, house::Neuron, record::Role};
use worker::{
    Examination, Failure,
    queue::{MAIN_LANE, TAIL_KEY},
};

use super::{
    control::{self, ControlError, HouseArguments},
    folder::{FolderError, HouseFolder},
};
use crate::{
    config::Configuration,
    show::{self, Show},
};

/// Examinations that a list names one by one for a person; `--json` has all.
const SHOWN_JOBS: usize = 20;

/// `weigh queue …`.
#[derive(Subcommand)]
pub(crate) enum QueueCommand {
    /// Count each validator's examinations, and name those that wait, are under way or were given up.
    List(HouseArguments),
    /// Show one examination at every validator that has it, with its attempts and failures.
    Show(ShowArguments),
    /// Put examinations that were given up back into their queues.
    Retry(RetryArguments),
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    /// The examination, as `weigh queue list` names it: round/hotkey/task.
    key: String,
    #[command(flatten)]
    house: HouseArguments,
}

#[derive(Args)]
pub(crate) struct RetryArguments {
    /// The examination, as `weigh queue list` names it: round/hotkey/task.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    key: Option<String>,
    /// All that were given up.
    #[arg(long)]
    all: bool,
    /// Say what would be put back, and put nothing back.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    house: HouseArguments,
}

impl QueueCommand {
    /// Takes from the configuration what no flag says.
    pub(crate) fn settle(&mut self, configuration: &Configuration) {
        match self {
            QueueCommand::List(house) => house.settle(configuration),
            QueueCommand::Show(arguments) => arguments.house.settle(configuration),
            QueueCommand::Retry(arguments) => arguments.house.settle(configuration),
        }
    }
}

/// Nothing could be told of a queue, or put back into it.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum QueueError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Control(#[from] ControlError),
    /// A queue can't be read or written.
    #[error("the queue of {validator} can't be used")]
    #[diagnostic(help("`weigh doctor` looks at every store"))]
    Store {
        validator: String,
        #[source]
        error: Box<StoreError>,
    },
    /// No queue has it.
    #[error("no validator has an examination {key}")]
    #[diagnostic(help("`weigh queue list` names those that wait, are under way or were given up"))]
    Unknown { key: String },
    /// There is nothing to put back.
    #[error("{what} was not given up")]
    #[diagnostic(help("`weigh queue list` names those that were"))]
    NotDead { what: String },
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl QueueError {
    /// 3 where there is no such examination, 10 where it is on its way already, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            QueueError::Control(error) => error.exit_code(),
            QueueError::Unknown { .. } => 3,
            QueueError::NotDead { .. } => 10,
            QueueError::Store { .. } | QueueError::Output(_) => 1,
        }
    }
}

impl From<FolderError> for QueueError {
    fn from(error: FolderError) -> Self {
        QueueError::Control(error.into())
    }
}

/// One validator's queue.
struct Queue {
    validator: String,
    hotkey: Hotkey,
    name: String,
    /// None for a validator that has not written anything.
    store: Option<Arc<dyn Store>>,
}

impl Queue {
    fn failed(&self, error: StoreError) -> QueueError {
        QueueError::Store { validator: self.validator.clone(), error: Box::new(error) }
    }

    fn counts(&self, now: Timestamp) -> Result<Counts, QueueError> {
        let Some(store) = &self.store else { return Ok(Counts::default()) };
        store.counts(&self.name, now).map_err(|error| self.failed(error))
    }

    /// All jobs in a state.
    fn jobs(&self, state: JobState) -> Result<Vec<Job>, QueueError> {
        let Some(store) = &self.store else { return Ok(Vec::new()) };
        let (mut all, mut after) = (Vec::new(), JobNumber(0));
        loop {
            let page = store.jobs(&self.name, Some(state), after, MAX_PAGE);
            let page = page.map_err(|error| self.failed(error))?;
            let Some(last) = page.last() else { return Ok(all) };
            after = last.number;
            all.extend(page);
        }
    }

    /// The jobs of an examination: the one in the main lane, and the one in the tail lane where there is one.
    fn of_examination(&self, key: &str) -> Result<Vec<Job>, QueueError> {
        let Some(store) = &self.store else { return Ok(Vec::new()) };
        let key = key.strip_suffix(TAIL_KEY).unwrap_or(key);
        let keys = [key.to_owned(), format!("{key}{TAIL_KEY}")];
        let jobs = keys.iter().map(|key| store.job(&self.name, key).map_err(|error| self.failed(error)));
        let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
        Ok(jobs.into_iter().flatten().collect())
    }
}

/// The queues of all validators of the house.
fn queues(folder: &HouseFolder, house: &House) -> Result<Vec<Queue>, QueueError> {
    let Some(sign) = &house.sign else { return Ok(Vec::new()) };
    let validators = house.neurons.values().filter(|neuron| neuron.role == Role::Validator);
    let mut validators: Vec<&Neuron> = validators.filter(|neuron| neuron.left_at.is_none()).collect();
    validators.sort_by_key(|neuron| neuron.uid);
    let queues = validators.into_iter().map(|neuron| {
        let identity = Identity { hotkey: neuron.hotkey, netuid: sign.netuid, mechid: MechId::MAIN };
        // To look does not make a store.
        let is_there = folder.has_store(&neuron.name);
        let store = if is_there { Some(folder.store(&neuron.name)?) } else { None };
        let name = Validator::queue(&identity);
        Ok(Queue { validator: neuron.name.clone(), hotkey: neuron.hotkey, name, store })
    });
    queues.collect()
}

/// Runs one of the commands.
pub(crate) fn queue(command: &QueueCommand) -> Result<ExitCode, QueueError> {
    let (QueueCommand::List(at)
    | QueueCommand::Show(ShowArguments { house: at, .. })
    | QueueCommand::Retry(RetryArguments { house: at, .. })) = command;
    let folder = control::folder(at)?;
    let house = control::house(&folder)?;
    let queues = queues(&folder, &house)?;
    let (event, text) = match command {
        QueueCommand::List(_) => list(&queues)?,
        QueueCommand::Show(arguments) => show_one(&queues, &house, &arguments.key)?,
        QueueCommand::Retry(arguments) => retry(&queues, arguments)?,
    };
    Show::new(at.is_json()).say(&event, &text)?;
    Ok(ExitCode::SUCCESS)
}

fn list(queues: &[Queue]) -> Result<(Value, String), QueueError> {
    let now = super::now();
    let mut table = show::table(&["validator", "waiting", "ready", "leased", "done", "dead"]);
    let mut named = show::table(&["examination", "validator", "is", "attempt", "last failure"]);
    let (mut validators, mut jobs) = (Vec::new(), Vec::new());
    for queue in queues {
        let counts = queue.counts(now)?;
        let mut row = vec![Cell::new(&queue.validator)];
        let numbers = [counts.waiting, counts.ready, counts.leased, counts.done, counts.dead];
        row.extend(numbers.map(|count| show::right(&count.to_string())));
        table.add_row(row);
        validators.push(json!({"name": queue.validator, "hotkey": queue.hotkey, "waiting": counts.waiting,
            "ready": counts.ready, "leased": counts.leased, "done": counts.done, "dead": counts.dead}));
        for state in [JobState::Dead, JobState::Leased, JobState::Ready] {
            for job in queue.jobs(state)? {
                let failure = last_failure(&job);
                if jobs.len() < SHOWN_JOBS {
                    named.add_row(vec![
                        job.key.clone(),
                        queue.validator.clone(),
                        standing(&job, now).to_owned(),
                        format!("{} of {}", job.attempt, job.max_attempts),
                        show::cut(&show::plain(failure.as_deref().unwrap_or("-"))),
                    ]);
                }
                jobs.push(json!({"key": job.key, "validator": queue.validator, "state": standing(&job, now),
                    "attempt": job.attempt, "max_attempts": job.max_attempts, "last_failure": failure}));
            }
        }
    }
    let mut text = table.to_string();
    if !jobs.is_empty() {
        text.push_str(&format!("\n\n{named}"));
    }
    if let Some(more) = jobs.len().checked_sub(SHOWN_JOBS).filter(|more| *more > 0) {
        text.push_str(&format!("\n and {more} more; `weigh queue list --json` names all"));
    }
    Ok((json!({"validators": validators, "examinations": jobs}), text))
}

fn show_one(queues: &[Queue], house: &House, key: &str) -> Result<(Value, String), QueueError> {
    let now = super::now();
    let mut text = format!("examination {}", key.strip_suffix(TAIL_KEY).unwrap_or(key));
    let mut told = Vec::new();
    for queue in queues {
        for job in queue.of_examination(key)? {
            let examination = job.payload.read::<Examination>().ok();
            if let Some(examination) = examination.as_ref().filter(|_| told.is_empty()) {
                let miner = house.neuron(&examination.hotkey);
                let miner = miner.map_or_else(|| examination.hotkey.to_string(), Neuron::title);
                text.push_str(&format!("\nsubmission  {}\nby          {miner}", examination.part));
            }
            let lane = if job.lane == MAIN_LANE { "main" } else { "tail" };
            text.push_str(&format!(
                "\n\n{}: {}, {lane} lane, attempt {} of {}, came {}",
                queue.validator,
                standing(&job, now),
                job.attempt,
                job.max_attempts,
                ago(now, job.enqueued_at)
            ));
            if let Some(lease) = job.lease() {
                let left = lease.deadline.0.saturating_sub(now.0).max(0) / 1000;
                text.push_str(&format!(
                    "\n  held by {}, for {left} s at most",
                    show::plain(&lease.claim.owner)
                ));
            }
            for failure in &job.failures {
                let (attempt, by, when) = (failure.attempt, &failure.owner, ago(now, failure.at));
                let reason = show::plain(&failure.reason);
                text.push_str(&format!("\n  attempt {attempt} by {}, {when}: {reason}", show::plain(by)));
            }
            if let Some(failure) = put_off(&job) {
                let when = job.finished_at.map_or_else(String::new, |at| format!(" {}", ago(now, at)));
                let reason = show::plain(&failure.to_string());
                text.push_str(&format!("\n  put off to the tail lane{when}: {reason}"));
            }
            told.push(json!({
                "validator": queue.validator, "hotkey": queue.hotkey, "key": job.key,
                "state": standing(&job, now), "lane": lane, "attempt": job.attempt,
                "max_attempts": job.max_attempts, "owner": job.owner, "enqueued_at": job.enqueued_at,
                "ready_at": job.ready_at, "deadline": job.deadline, "finished_at": job.finished_at,
                "failures": job.failures, "put_off": put_off(&job),
                "last_failure": last_failure(&job),
                "round": examination.as_ref().map(|examination| examination.round),
                "miner": examination.as_ref().map(|examination| examination.hotkey),
                "task": examination.as_ref().map(|examination| examination.task),
                "submission": examination.as_ref().map(|examination| examination.part),
            }));
        }
    }
    if told.is_empty() {
        return Err(QueueError::Unknown { key: key.to_owned() });
    }
    Ok((json!({"key": key, "jobs": told}), text))
}

fn retry(queues: &[Queue], arguments: &RetryArguments) -> Result<(Value, String), QueueError> {
    let now = super::now();
    let mut dead: Vec<(&Queue, Job)> = Vec::new();
    let mut is_known = false;
    for queue in queues {
        let jobs = match &arguments.key {
            None => queue.jobs(JobState::Dead)?,
            Some(key) => queue.of_examination(key)?,
        };
        is_known |= !jobs.is_empty();
        dead.extend(jobs.into_iter().filter(|job| job.state == JobState::Dead).map(|job| (queue, job)));
    }
    match &arguments.key {
        Some(key) if !is_known => return Err(QueueError::Unknown { key: key.clone() }),
        Some(key) if dead.is_empty() => {
            return Err(QueueError::NotDead { what: format!("examination {key}") });
        }
        None if dead.is_empty() => return Err(QueueError::NotDead { what: "any examination".to_owned() }),
        _ => {}
    }
    let mut lines = Vec::new();
    let mut told = Vec::new();
    for (queue, job) in dead {
        if let Some(store) = queue.store.as_ref().filter(|_| !arguments.dry_run) {
            store.revive(&queue.name, &job.key, now).map_err(|error| queue.failed(error))?;
        }
        let done = if arguments.dry_run { "would be put back" } else { "is put back" };
        lines.push(format!("{} {done} into the queue of {}", job.key, queue.validator));
        told.push(json!({"key": job.key, "validator": queue.validator}));
    }
    Ok((json!({"retried": told, "dry_run": arguments.dry_run}), lines.join("\n")))
}

/// Where a job stands, in the words of the table.
fn standing(job: &Job, now: Timestamp) -> &'static str {
    match job.state {
        JobState::Ready if job.ready_at > now => "waiting",
        // Nobody has noticed yet that the lease has run out.
        JobState::Leased if job.deadline.is_some_and(|deadline| deadline <= now) => "ready",
        JobState::Done if put_off(job).is_some() => "put off",
        state => state.name(),
    }
}

/// Why the job was ended in favour of one in the tail lane, where it was.
fn put_off(job: &Job) -> Option<Failure> {
    job.result.as_ref()?.read().ok()
}

fn last_failure(job: &Job) -> Option<String> {
    let failed = job.failures.last().map(|failure| failure.reason.clone());
    put_off(job).map(|failure| failure.to_string()).or(failed)
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    match now.0.saturating_sub(at.0).max(0) / 1000 {
        seconds @ ..120 => format!("{seconds} s ago"),
        seconds @ ..7200 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_unit_that_fits_and_never_in_the_future() {
        let check = |at: i64, says: &str| assert_eq!(ago(Timestamp(10_000_000), Timestamp(at)), says);
        check(9_999_000, "1 s ago");
        check(9_000_000, "16 min ago");
        check(0, "2 h ago");
        check(10_005_000, "0 s ago");
    }
}
