//! The evaluation queue's other end: takes an examination under a lease, runs it, commits the finding.
//!
//! A worker may be slow, stall or die. Its lease then runs out and another worker takes the job; what the first
//! one says later is refused by the fence, so that each answer is examined once for good.

use std::{collections::BTreeMap, sync::Arc};

use corpus::Source;
use mechanisms::{Case, CaseResult, ErasedMechanism, Fetch, Inputs, Outcome};
use primitives::{Digest, DurationMs, Hotkey, Seed, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Commit, Committed, Json, Lease, Store, StoreError, artifacts::Artifacts};

use crate::{machine::Identity, validator, validator::Validator, validator::ValidatorFact};

/// Leases of one examination before it is given up as the validator's own fault.
pub const MAX_ATTEMPTS: u32 = 3;

/// One examination, with all that a worker on another machine would need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// The mechanism's id.
    pub mechanism: String,
    /// The round.
    pub round: u64,
    /// Whose answer.
    pub hotkey: Hotkey,
    /// The task's place in the round's plan.
    pub task: u32,
    /// The task.
    pub task_json: String,
    /// The answer's root, as committed.
    pub root: Digest,
    /// The artifact with the answer's bytes.
    pub part: Digest,
    /// Draws the samples.
    pub audit_seed: Seed,
}

/// Runs examinations: in the same process, or in a child behind walls.
pub trait Evaluator: Send + Sync {
    /// The result of an examination of `submission`; its faults are in the result, this never fails.
    fn examine(&self, job: &Examination, submission: Arc<Vec<u8>>, source: &dyn Source)
    -> CaseResult<String>;
}

/// Examines in the same process.
pub struct Inline {
    /// The mechanism whose answers are examined.
    pub mechanism: &'static dyn ErasedMechanism,
}

impl Evaluator for Inline {
    fn examine(
        &self,
        job: &Examination,
        submission: Arc<Vec<u8>>,
        source: &dyn Source,
    ) -> CaseResult<String> {
        let case = Case {
            round: job.round,
            task: job.task_json.clone().into_bytes(),
            hotkey: job.hotkey,
            root: Some(job.root),
            audit_seed: job.audit_seed,
        };
        let ours = CaseResult { outcome: Outcome::ValidatorFault, examined: None };
        let Ok(needs) = self.mechanism.needs(&case) else { return ours };
        let mut fetched = BTreeMap::new();
        for fetch in needs {
            let Fetch::Source { path } = &fetch;
            // What can't be read is left out: the examination says what follows from that.
            if let Ok(bytes) = source.read(path) {
                fetched.insert(fetch, Arc::new(bytes));
            }
        }
        self.mechanism.examine(&case, &Inputs { submission, fetched }).unwrap_or(ours)
    }
}

/// An examination under a lease.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    lease: Lease,
    /// What is to be examined.
    pub job: Examination,
}

/// Takes the next examination of a validator's queue.
///
/// # Errors
/// [`StoreError`] where the store can't be written or the job can't be read.
pub fn take(
    store: &dyn Store,
    identity: &Identity,
    worker: &str,
    now: Timestamp,
    ttl: DurationMs,
) -> Result<Option<Taken>, StoreError> {
    let Some(lease) = store.lease(&Validator::queue(identity), worker, now, ttl)? else { return Ok(None) };
    let job = lease
        .payload
        .read()
        .map_err(|error| StoreError::Damaged { what: "examination", detail: error.to_string() })?;
    Ok(Some(Taken { lease, job }))
}

/// Examines what was taken.
#[must_use]
pub fn run(
    taken: &Taken,
    evaluator: &dyn Evaluator,
    artifacts: &dyn Artifacts,
    source: &dyn Source,
) -> CaseResult<String> {
    match artifacts.get(taken.job.part) {
        Ok(bytes) => evaluator.examine(&taken.job, Arc::new(bytes), source),
        Err(_) => CaseResult { outcome: Outcome::ValidatorFault, examined: None },
    }
}

/// The commit that ends an examination: the job and the fact together, or neither.
///
/// # Errors
/// [`StoreError`] as [`Store::commit`]: the lease has passed to another worker, or the store can't be written.
pub fn finish(
    store: &dyn Store,
    identity: &Identity,
    taken: &Taken,
    result: CaseResult<String>,
    now: Timestamp,
) -> Result<(Committed, ValidatorFact), StoreError> {
    let Examination { round, hotkey, task, .. } = taken.job;
    let fact = ValidatorFact::Examined { round, hotkey, task, result };
    let commit = Commit::new()
        .done(&taken.lease.claim, Json::null(), now)
        .event(&Validator::log(identity), validator::event(&fact, now));
    Ok((store.commit(&commit)?, fact))
}
