//! A validator's end of its evaluation queue: which queue it is, and what its log says of an examination.
//!
//! How an examination is run, behind which walls, and what becomes of one that fails for a reason of ours stands
//! in the crate `worker`.

use mechanisms::CaseResult;
use primitives::{DurationMs, Timestamp};
use store::{Claim, Committed, JobNumber, JobState, MAX_PAGE, Store, StoreError};
use worker::{
    Evaluation, Examination,
    queue::{self, Postponed, Taken},
};

use crate::{machine::Identity, validator, validator::Validator, validator::ValidatorFact};

/// Why a lease ended that nobody holds any more.
const LOST: &str = "the process that held the lease has ended";

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

/// Gives back what is leased to `worker`: what it held was lost with the process that it ran in. Returns how many
/// examinations that were. Each lost lease counts as an attempt, so that a submission that ends its validator is known.
///
/// # Errors
/// [`StoreError`] where the store can't be read or written.
pub fn release(
    store: &dyn Store,
    identity: &Identity,
    worker: &str,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let (queue, mut released, mut after) = (Validator::queue(identity), 0, JobNumber(0));
    loop {
        let page = store.jobs(&queue, Some(JobState::Leased), after, MAX_PAGE)?;
        let Some(last) = page.last() else { return Ok(released) };
        after = last.number;
        for job in page.iter().filter(|job| job.owner.as_deref() == Some(worker)) {
            let claim = Claim {
                queue: queue.clone(),
                key: job.key.clone(),
                owner: worker.to_owned(),
                fence: job.fence,
            };
            match store.fail(&claim, LOST, now, now) {
                Ok(_) => released += 1,
                // It has run out by itself.
                Err(StoreError::Lease(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use primitives::{Digest, Hotkey, MechId, NetUid, Seed};
    use store::Commit;

    use super::*;

    #[test]
    fn what_was_leased_to_an_ended_process_can_be_taken_at_once_and_its_result_no_longer_counts() {
        let store = store::Memory::new();
        let hotkey = Hotkey::from_bytes([7; 32]);
        let identity = Identity { hotkey, netuid: NetUid(1), mechid: MechId::MAIN };
        let examination = |task| Examination {
            mechanism: "dataset".to_owned(),
            round: 1,
            hotkey,
            task,
            task_json: "{}".to_owned(),
            root: Digest::of(b"root"),
            part: Digest::of(b"part"),
            audit_seed: Seed::from_number(1),
        };
        let (now, hour) = (Timestamp(1_000), DurationMs(3_600_000));
        let queue = Validator::queue(&identity);
        for task in 0..2 {
            store.commit(&Commit::new().job(&queue, queue::job(&examination(task), now).unwrap())).unwrap();
        }
        let lost = take(&store, &identity, "mine", now, hour).unwrap().unwrap();
        let other = take(&store, &identity, "another's", now, hour).unwrap().unwrap();
        assert!(take(&store, &identity, "mine", now, hour).unwrap().is_none());
        assert_eq!(release(&store, &identity, "mine", now).unwrap(), 1);
        assert_eq!(release(&store, &identity, "mine", now).unwrap(), 0);
        let again = take(&store, &identity, "mine", now, hour).unwrap().unwrap();
        assert_eq!((again.job.task, other.job.task), (lost.job.task, 1));
        let late = finish(&store, &identity, &lost, CaseResult::ours(), now);
        assert!(matches!(late, Err(StoreError::Lease(_))));
        finish(&store, &identity, &again, CaseResult::ours(), now).unwrap();
        finish(&store, &identity, &other, CaseResult::ours(), now).unwrap();
    }
}
