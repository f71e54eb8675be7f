//! Which part of the source is asked for in which round.

use std::ops::Range;

use corpus::{Manifest, Span, TaskSlice};
use serde::{Deserialize, Serialize};

use crate::Round;

/// What the subnet's owner asks for: a source, cut into tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The source's files.
    pub manifest: Manifest,
    /// Most entries in one task, at least 1.
    pub entries_per_task: u32,
    /// Bytes at which a task is full, at least 1; the entry that reaches it is its last. Tasks of about the same
    /// length are about the same work, so that a share of the tasks is a share of the pay.
    pub bytes_per_task: u64,
    /// Tasks in one round, at least 1.
    pub tasks_per_round: u32,
}

impl Job {
    /// The job as the bytes that a [`Round`] carries.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a job is plain data with string keys")
    }

    /// The tasks of one pass over the source: runs of entries that follow each other without a gap.
    #[must_use]
    pub fn cuts(&self) -> Vec<Range<usize>> {
        let entries = self.manifest.entries();
        let (mut cuts, mut start, mut bytes) = (Vec::new(), 0, 0_u64);
        for (at, entry) in entries.iter().enumerate() {
            bytes = bytes.saturating_add(entry.length_bytes);
            let is_full = bytes >= self.bytes_per_task || at + 1 - start >= self.entries_per_task as usize;
            if is_full || at + 1 == entries.len() {
                cuts.push(start..at + 1);
                (start, bytes) = (at + 1, 0);
            }
        }
        cuts
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
        if job.entries_per_task == 0 || job.bytes_per_task == 0 || job.tasks_per_round == 0 {
            return Err(format!(
                "job {at}: entries_per_task, bytes_per_task and tasks_per_round are at least 1"
            ));
        }
        plan_job(&job, round.number, &mut tasks).map_err(|error| format!("job {at}: {error}"))?;
    }
    Ok(tasks)
}

fn plan_job(job: &Job, round: u64, tasks: &mut Vec<Task>) -> Result<(), corpus::ManifestError> {
    let cuts = job.cuts();
    let per_pass = cuts.len() as u64;
    if per_pass == 0 {
        return Ok(());
    }
    let manifest = job.manifest.root();
    // A round never holds the same task twice, however small the source is.
    let in_round = u64::from(job.tasks_per_round).min(per_pass);
    let first = round.saturating_mul(in_round);
    for serial in first..first.saturating_add(in_round) {
        let place = usize::try_from(serial % per_pass).expect("below the number of cuts");
        let cut = cuts[place].clone();
        let number = |at: usize| u32::try_from(at).expect("a manifest has at most 2^20 entries");
        let span = Span { manifest, first: number(cut.start), count: number(cut.len()) };
        let entries = job.manifest.entries()[cut].to_vec();
        tasks.push(Task { slice: TaskSlice::new(span, entries)?, pass: serial / per_pass });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use corpus::Entry;

    use super::*;

    #[test]
    fn a_task_is_full_by_bytes_or_by_entries() {
        let lengths = [10_u64, 10, 10, 50, 1, 1, 1, 1, 1];
        let entries = lengths.iter().enumerate().map(|(at, length)| Entry {
            path: format!("{at}.md"),
            length_bytes: *length,
            digest: primitives::Digest::default(),
        });
        let manifest = Manifest::new(entries.collect()).unwrap();
        let job = Job { manifest, entries_per_task: 4, bytes_per_task: 20, tasks_per_round: 1 };
        assert_eq!(job.cuts(), vec![0..2, 2..4, 4..8, 8..9]);
    }
}
