//! A validator's end of its evaluation queue: which queue it is, and what its log says of an examination.
//!
//! How an examination is run, behind which walls, and what becomes of one that fails for a reason of ours stands
//! in the crate `worker`.

use mechanisms::CaseResult;
use primitives::{DurationMs, Timestamp};
use store::{Committed, Store, StoreError};
use worker::{
    Evaluation, Examination,
    queue::{self, Postponed, Taken},
};

use crate::{machine::Identity, validator, validator::Validator, validator::ValidatorFact};

/// Takes the next examination of a validator's queue.
///
/// # Errors
/// [`StoreError`] as [`queue::take`].
pub fn take(
    store: &dyn Store,
    identity: &Identity,
    worker: &str,
    now: Timestamp,
    ttl: DurationMs,
) -> Result<Option<Taken>, StoreError> {
    queue::take(store, &Validator::queue(identity), worker, now, ttl)
}

/// The commit that ends an examination: the job and the fact together, or neither.
///
/// # Errors
/// [`StoreError`] as [`queue::finish`].
pub fn finish(
    store: &dyn Store,
    identity: &Identity,
    taken: &Taken,
    result: CaseResult<String>,
    now: Timestamp,
) -> Result<(Committed, ValidatorFact), StoreError> {
    let Examination { round, hotkey, task, .. } = taken.job;
    let fact = ValidatorFact::Examined { round, hotkey, task, result };
    let committed =
        queue::finish(store, taken, &Validator::log(identity), validator::event(&fact, now), now)?;
    Ok((committed, fact))
}

/// What became of an examination.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// It is in the validator's log.
    Finished(Committed, Box<ValidatorFact>),
    /// It failed for a reason of ours, and nothing is said about the miner.
    Postponed(Postponed),
}

/// Finishes an examination, or puts it off where it failed for a reason of ours. A round that is judged meanwhile
/// leaves its miner alone.
///
/// # Errors
/// [`StoreError`] as [`queue::finish`] and [`queue::postpone`].
pub fn settle(
    store: &dyn Store,
    identity: &Identity,
    taken: &Taken,
    evaluation: Evaluation,
    now: Timestamp,
) -> Result<Settled, StoreError> {
    if let Some(postponed) = queue::postpone(store, taken, &evaluation, now)? {
        return Ok(Settled::Postponed(postponed));
    }
    let (committed, fact) = finish(store, identity, taken, evaluation.result, now)?;
    Ok(Settled::Finished(committed, Box::new(fact)))
}
