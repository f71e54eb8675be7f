//! Which part of the source is asked for in which round.

use corpus::{Manifest, Span, TaskSlice};
use serde::{Deserialize, Serialize};

use crate::Round;

/// What the subnet's owner asks for: a source, cut into tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The source's files.
    pub manifest: Manifest,
    /// Entries in one task, at least 1.
    pub entries_per_task: u32,
    /// Tasks in one round, at least 1.
    pub tasks_per_round: u32,
}

impl Job {
    /// The job as the bytes that a [`Round`] carries.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a job is plain data with string keys")
    }

    /// How many tasks one pass over the source has.
    #[must_use]
    pub fn tasks_per_pass(&self) -> u64 {
        (self.manifest.entries().len() as u64).div_ceil(u64::from(self.entries_per_task.max(1)))
    }
}

/// One unit of work: a run of the manifest's entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The entries with their paths, lengths and digests.
    pub slice: TaskSlice,
    /// Which pass over the source this is; a document counts once per pass.
    pub pass: u64,
}

/// The tasks of a round: the source is gone through in order, round after round, and begun again at its end.
///
/// # Errors
/// A text that says which job can't be read.
pub(super) fn plan(round: &Round) -> Result<Vec<Task>, String> {
    let mut tasks = Vec::new();
    for (at, bytes) in round.jobs.iter().enumerate() {
        let job: Job = serde_json::from_slice(bytes).map_err(|error| format!("job {at}: {error}"))?;
        if job.entries_per_task == 0 || job.tasks_per_round == 0 {
            return Err(format!("job {at}: entries_per_task and tasks_per_round are at least 1"));
        }
        plan_job(&job, round.number, &mut tasks).map_err(|error| format!("job {at}: {error}"))?;
    }
    Ok(tasks)
}

fn plan_job(job: &Job, round: u64, tasks: &mut Vec<Task>) -> Result<(), corpus::ManifestError> {
    let per_pass = job.tasks_per_pass();
    if per_pass == 0 {
        return Ok(());
    }
    let manifest = job.manifest.root();
    // A round never holds the same task twice, however small the source is.
    let in_round = u64::from(job.tasks_per_round).min(per_pass);
    let first = round.saturating_mul(in_round);
    for serial in first..first.saturating_add(in_round) {
        let start = (serial % per_pass) * u64::from(job.entries_per_task);
        let start = usize::try_from(start).expect("an entry's index fits");
        let rest = job.manifest.entries().get(start..).unwrap_or_default();
        let entries = &rest[..rest.len().min(job.entries_per_task as usize)];
        let span = Span {
            manifest,
            first: u32::try_from(start).expect("a manifest has at most 2^20 entries"),
            count: u32::try_from(entries.len()).expect("at most entries_per_task"),
        };
        tasks.push(Task { slice: TaskSlice::new(span, entries.to_vec())?, pass: serial / per_pass });
    }
    Ok(())
}
