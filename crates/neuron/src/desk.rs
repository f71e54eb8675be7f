//! The task desk: leases a round's tasks to miners, so that honest ones don't do the same work twice.
//!
//! It is a convenience and nothing rests on it: validators verify from chain and answers, and credit what two
//! miners brought to the earlier commitment.

use primitives::{DurationMs, Hotkey, Timestamp};
use store::{Claim, JobState, Json, MAX_PAGE, NewJob, Store, StoreError};

use crate::wire::{LeasedTask, PARTS_MAX};

/// The queue of a round's tasks.
fn queue(mechanism: &str, round: u64) -> String {
    format!("tasks/{mechanism}/{round}")
}

/// Puts a round's tasks out, once: by their places in the plan.
///
/// # Errors
/// [`StoreError`] where the store can't be written.
pub fn open(
    store: &dyn Store,
    mechanism: &str,
    round: u64,
    tasks: u32,
    now: Timestamp,
) -> Result<(), StoreError> {
    let queue = queue(mechanism, round);
    let mut commit = store::Commit::new();
    for task in 0..tasks {
        commit = commit.job(&queue, NewJob::new(task.to_string(), Json::null(), now));
    }
    store.commit(&commit).map(|_| ())
}

/// Leases tasks to `miner` until it holds `want` of them, and returns all that it holds: asking again changes
/// nothing. A lease that has run out goes to the next miner.
///
/// # Errors
/// [`StoreError`] where the store can't be read or written.
pub fn lease(
    store: &dyn Store,
    mechanism: &str,
    round: u64,
    miner: Hotkey,
    want: u32,
    now: Timestamp,
    ttl: DurationMs,
) -> Result<Vec<LeasedTask>, StoreError> {
    let (queue, owner) = (queue(mechanism, round), miner.to_string());
    let want = usize::try_from(want).unwrap_or(usize::MAX).min(PARTS_MAX);
    let mut held = Vec::new();
    store.expire(&queue, now)?;
    let leased = store.jobs(&queue, Some(JobState::Leased), store::JobNumber(0), MAX_PAGE)?;
    for job in leased.iter().filter(|job| job.owner.as_deref() == Some(&owner)) {
        held.extend(task_of(&job.key, job.fence));
    }
    while held.len() < want {
        let Some(lease) = store.lease(&queue, &owner, now, ttl)? else { break };
        held.extend(task_of(&lease.claim.key, lease.claim.fence));
    }
    held.truncate(want);
    Ok(held)
}

/// Takes finished tasks off the desk. A task that has passed to another miner meanwhile is that one's: its fence
/// says so, and it stays where it is.
///
/// # Errors
/// [`StoreError`] where the store can't be read or written.
pub fn done(
    store: &dyn Store,
    mechanism: &str,
    round: u64,
    miner: Hotkey,
    tasks: &[LeasedTask],
    now: Timestamp,
) -> Result<(), StoreError> {
    for LeasedTask { task, fence } in tasks.iter().take(PARTS_MAX) {
        let (queue, key, owner) = (queue(mechanism, round), task.to_string(), miner.to_string());
        match store.ack(&Claim { queue, key, owner, fence: *fence }, Json::null(), now) {
            Ok(_) | Err(StoreError::Lease(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn task_of(key: &str, fence: store::Fence) -> Option<LeasedTask> {
    key.parse().ok().map(|task| LeasedTask { task, fence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_leased_to_one_miner_at_a_time_and_returns_when_its_lease_runs_out() {
        let store = store::Memory::new();
        let (now, ttl) = (Timestamp(0), DurationMs(100));
        let key = |at| Hotkey::from_bytes([at; 32]);
        let tasks = |miner, want, now| -> Vec<u32> {
            let held = lease(&store, "dataset", 1, key(miner), want, now, ttl).unwrap();
            held.iter().map(|leased| leased.task).collect()
        };
        open(&store, "dataset", 1, 3, now).unwrap();
        open(&store, "dataset", 1, 3, now).unwrap();
        assert_eq!(tasks(1, 2, now), vec![0, 1]);
        assert_eq!(tasks(1, 2, now), vec![0, 1]);
        assert_eq!(tasks(2, 2, now), vec![2]);
        assert_eq!(tasks(2, 2, Timestamp(100)), vec![0, 1]);
        assert_eq!(tasks(1, 2, Timestamp(100)), vec![2]);
    }

    #[test]
    fn a_finished_task_is_leased_to_nobody_and_a_stale_fence_finishes_nothing() {
        let store = store::Memory::new();
        let ttl = DurationMs(100);
        let (one, two) = (Hotkey::from_bytes([1; 32]), Hotkey::from_bytes([2; 32]));
        let take = |miner, now| lease(&store, "dataset", 1, miner, 1, now, ttl).unwrap();
        open(&store, "dataset", 1, 2, Timestamp(0)).unwrap();
        let (first, second) = (take(one, Timestamp(0)), take(two, Timestamp(0)));
        done(&store, "dataset", 1, one, &first, Timestamp(50)).unwrap();
        // The second lease runs out and passes to the first miner; the one who held it can't finish it any more.
        let passed = take(one, Timestamp(200));
        assert_eq!(passed[0].task, second[0].task);
        done(&store, "dataset", 1, two, &second, Timestamp(210)).unwrap();
        assert_eq!(take(one, Timestamp(220)), passed);
        done(&store, "dataset", 1, one, &passed, Timestamp(230)).unwrap();
        assert_eq!(take(two, Timestamp(1000)), vec![]);
    }
}
