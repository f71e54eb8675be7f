//! The evaluation queue's worker end: takes an examination under a lease, commits what came of it.
//!
//! A worker may be slow, stall or die. Its lease then runs out and another worker takes the job; what the first
//! one says later is refused by the fence, so that each answer is examined once for good.
//!
//! An examination that failed for a reason of ours leaves the main lane for the tail lane, which is served when the
//! main one is empty. There it is tried again a few times and then left, dead, to a person, who can revive it.

use std::sync::Arc;

use primitives::{DurationMs, Timestamp};
use store::{Commit, Committed, Json, Lease, NewEvent, NewJob, Settled, Store, StoreError};

use crate::{Class, Code, Evaluation, Evaluator, Examination, Failure, Shelves};

/// Leases of one examination in the main lane before it is given up: a lease is lost with the worker that held it.
pub const MAX_ATTEMPTS: u32 = 3;
/// Leases in the tail lane, after which a person has to look.
pub const TAIL_ATTEMPTS: u32 = 3;
/// The lane of fresh examinations.
pub const MAIN_LANE: u8 = 0;
/// The lane of examinations that failed for a reason of ours.
pub const TAIL_LANE: u8 = 1;
/// From a failure in the tail lane to the next try, in milliseconds: what ails a machine rarely ends in a moment.
pub const TAIL_PAUSE: DurationMs = DurationMs(60_000);
/// What the key of a job in the tail lane ends with.
pub const TAIL_KEY: &str = "/tail";

/// A fresh examination as a job of the main lane.
///
/// # Errors
/// [`store::JsonError`] where the examination is too long for a row.
pub fn job(examination: &Examination, now: Timestamp) -> Result<NewJob, store::JsonError> {
    let Examination { round, hotkey, task, .. } = examination;
    let payload = Json::of(examination)?;
    Ok(NewJob { max_attempts: MAX_ATTEMPTS, ..NewJob::new(format!("{round}/{hotkey}/{task}"), payload, now) })
}

/// An examination under a lease.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    lease: Lease,
    /// What is to be examined.
    pub job: Examination,
}

/// Takes the next examination of a queue.
///
/// # Errors
/// [`StoreError`] where the store can't be written or the job can't be read.
pub fn take(
    store: &dyn Store,
    queue: &str,
    worker: &str,
    now: Timestamp,
    ttl: DurationMs,
) -> Result<Option<Taken>, StoreError> {
    let Some(lease) = store.lease(queue, worker, now, ttl)? else { return Ok(None) };
    let job = lease
        .payload
        .read()
        .map_err(|error| StoreError::Damaged { what: "examination", detail: error.to_string() })?;
    Ok(Some(Taken { lease, job }))
}

/// Examines what was taken.
#[must_use]
pub fn run(taken: &Taken, evaluator: &dyn Evaluator, shelves: &Shelves<'_>) -> Evaluation {
    match shelves.artifacts.get(taken.job.part) {
        Ok(bytes) => evaluator.examine(&taken.job, Arc::new(bytes), shelves),
        Err(error) => Evaluation::ours(Failure::new(Code::BytesMissing, error.to_string())),
    }
}

/// The commit that ends an examination: the job and the event that tells of it together, or neither.
///
/// # Errors
/// [`StoreError`] as [`Store::commit`]: the lease has passed to another worker, or the store can't be written.
pub fn finish(
    store: &dyn Store,
    taken: &Taken,
    log: &str,
    event: NewEvent,
    now: Timestamp,
) -> Result<Committed, StoreError> {
    store.commit(&Commit::new().done(&taken.lease.claim, Json::null(), now).event(log, event))
}

/// Where an examination went that failed for a reason of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Postponed {
    /// It will be tried again.
    Again,
    /// No try is left; the job is dead until a person revives it.
    ToAPerson,
}

/// Puts off an examination that failed for a reason of ours: from the main lane to the tail lane, and from there
/// to a person. No event tells of it, since nothing is known about the submission. `None` where the failure is not
/// ours, and the examination is to be finished.
///
/// # Errors
/// [`StoreError`] as [`Store::commit`]: the lease has passed to another worker, or the store can't be written.
pub fn postpone(
    store: &dyn Store,
    taken: &Taken,
    evaluation: &Evaluation,
    now: Timestamp,
) -> Result<Option<Postponed>, StoreError> {
    let Some(failure) = evaluation.failure.as_ref().filter(|failure| failure.code.class() == Class::Ours)
    else {
        return Ok(None);
    };
    let Taken { lease, .. } = taken;
    if lease.lane == MAIN_LANE {
        let tail = NewJob {
            lane: TAIL_LANE,
            max_attempts: TAIL_ATTEMPTS,
            ..NewJob::new(format!("{}{TAIL_KEY}", lease.claim.key), lease.payload.clone(), now)
        };
        let reason = Json::of(failure)
            .map_err(|error| StoreError::Damaged { what: "failure", detail: error.to_string() })?;
        store.commit(&Commit::new().done(&lease.claim, reason, now).job(&lease.claim.queue, tail))?;
        return Ok(Some(Postponed::Again));
    }
    let settled = store.fail(&lease.claim, &failure.to_string(), now, now + TAIL_PAUSE)?;
    Ok(Some(if settled == Settled::Dead { Postponed::ToAPerson } else { Postponed::Again }))
}
