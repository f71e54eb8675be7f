//! The task desk: leases a round's tasks to miners, so that honest ones don't do the same work twice.
//!
//! It is a convenience and nothing rests on it: validators verify from chain and answers, and credit what two
//! miners brought to the earlier commitment.

use primitives::{DurationMs, Hotkey, Timestamp};
use store::{JobState, Json, MAX_PAGE, NewJob, Store, StoreError};

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
}
