//! Leases: who works on which job until when, and whose result counts.
//!
//! A job is `Ready`, `Leased`, `Done` or `Dead`. Each lease of a job carries a fence, one higher than the fence
//! before; only the holder of the newest fence, before its deadline, can settle the job, so that a worker that
//! was slow, cut off or restored from a backup cannot commit. Every lease counts as an attempt, also one that
//! ran out; after the last attempt the job is dead and keeps the reasons.
//!
//! [`Job`] holds these rules as functions without input or output; both keepers load a job, ask it, and store it.

use std::fmt;

use primitives::{DurationMs, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Json, Settled, StoreError, check_name};

/// Attempts of a job before it is dead, where its queue has no other number: enough for two bad workers and a
/// restart, few enough that a submission that kills its worker is known soon.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 5;

/// The longest reason of a failure that is kept, in bytes; the rest of a log is an artifact.
pub const MAX_REASON_BYTES: usize = 2_048;

/// The most failures that a job keeps, the newest ones: revived jobs could gather them without end.
pub const MAX_FAILURES: usize = 64;

/// The reason that stands for a lease that ran out.
pub const EXPIRED: &str = "lease expired";

/// A lease's number within its job: 1, 2, 3, …
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A job's place in its queue in the order of arrival; the first is 1, and 0 stands before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobNumber(pub u64);

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Waiting to be leased, from its `ready_at` on.
    Ready,
    /// Held by an owner; where the deadline has passed, until the next lease or expiry of the queue notices.
    Leased,
    /// Finished, with a result that never changes.
    Done,
    /// Given up after the last attempt, until it is revived.
    Dead,
}

impl JobState {
    /// All states.
    pub const ALL: [JobState; 4] = [JobState::Ready, JobState::Leased, JobState::Done, JobState::Dead];

    /// The state's name: `ready`, `leased`, `done`, `dead`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            JobState::Ready => "ready",
            JobState::Leased => "leased",
            JobState::Done => "done",
            JobState::Dead => "dead",
        }
    }
}

/// Why a claim is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LeaseError {
    /// There is no such job.
    #[error("queue {queue:?} has no job {key:?}")]
    Unknown {
        /// The queue.
        queue: String,
        /// The job's key.
        key: String,
    },
    /// The fence was never given out.
    #[error("fence {found} of job {key:?} was never given out, the last one is {last}")]
    Forged {
        /// The job's key.
        key: String,
        /// The fence of the claim.
        found: Fence,
        /// The last fence of the job.
        last: Fence,
    },
    /// The job was leased again since: somebody else works on it or has finished it.
    #[error("fence {found} of job {key:?} is old, the job was leased again under fence {last}")]
    Retaken {
        /// The job's key.
        key: String,
        /// The fence of the claim.
        found: Fence,
        /// The last fence of the job.
        last: Fence,
    },
    /// The fence is right but belongs to another owner.
    #[error("fence {found} of job {key:?} is not held by {owner:?}")]
    NotOwner {
        /// The job's key.
        key: String,
        /// The fence of the claim.
        found: Fence,
        /// The owner that the claim names.
        owner: String,
    },
    /// The lease ran out before the call.
    #[error("lease of job {key:?} under fence {found} ended at {deadline} ms, now is {now} ms")]
    Expired {
        /// The job's key.
        key: String,
        /// The fence of the claim.
        found: Fence,
        /// When the lease ended, in milliseconds.
        deadline: i64,
        /// The time of the call, in milliseconds.
        now: i64,
    },
    /// The holder gave the job back under this fence, or it ran out and the queue has noticed.
    #[error("lease of job {key:?} under fence {found} has ended: {reason}")]
    Released {
        /// The job's key.
        key: String,
        /// The fence of the claim.
        found: Fence,
        /// Why it ended.
        reason: String,
    },
    /// The job was finished under this fence; a result never changes.
    #[error("job {key:?} was already finished under fence {found}")]
    Finished {
        /// The job's key.
        key: String,
        /// The fence of the claim.
        found: Fence,
    },
    /// Only a dead job can be revived.
    #[error("job {key:?} is {state}, only a dead one can be revived")]
    NotDead {
        /// The job's key.
        key: String,
        /// The job's state.
        state: &'static str,
    },
}

/// What a holder shows to speak for a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// The queue.
    pub queue: String,
    /// The job's key.
    pub key: String,
    /// Who holds it.
    pub owner: String,
    /// The lease's number.
    pub fence: Fence,
}

/// A job in the hands of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What to show when settling it.
    pub claim: Claim,
    /// The job's place in the queue.
    pub number: JobNumber,
    /// The lane it came from.
    pub lane: u8,
    /// What is to be done.
    pub payload: Json,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// From when on the lease is over.
    pub deadline: Timestamp,
}

/// A job that is to be put into a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// The job's name in its queue; the same key and payload again are a repetition and change nothing, also
    /// when the job is finished; another payload is refused.
    pub key: String,
    /// What is to be done.
    pub payload: Json,
    /// Lower lanes are always served first.
    pub lane: u8,
    /// From when on it may be leased.
    pub ready_at: Timestamp,
    /// Leases before it is dead, at least 1.
    pub max_attempts: u32,
}

impl NewJob {
    /// A job of lane 0 with [`DEFAULT_MAX_ATTEMPTS`].
    #[must_use]
    pub fn new(key: impl Into<String>, payload: Json, ready_at: Timestamp) -> Self {
        Self { key: key.into(), payload, lane: 0, ready_at, max_attempts: DEFAULT_MAX_ATTEMPTS }
    }

    pub(crate) fn check(&self, queue: &str) -> Result<(), StoreError> {
        check_name("queue name", queue)?;
        check_name("job key", &self.key)?;
        if self.max_attempts > 0 {
            return Ok(());
        }
        Err(StoreError::Argument {
            what: "number of attempts",
            found: "0".to_owned(),
            bound: "at least 1".to_owned(),
        })
    }

    pub(crate) fn numbered(&self, queue: &str, number: JobNumber) -> Job {
        Job {
            queue: queue.to_owned(),
            key: self.key.clone(),
            number,
            lane: self.lane,
            payload: self.payload.clone(),
            state: JobState::Ready,
            enqueued_at: self.ready_at,
            ready_at: self.ready_at,
            attempt: 0,
            max_attempts: self.max_attempts,
            fence: Fence(0),
            owner: None,
            deadline: None,
            result: None,
            finished_at: None,
            failures: Vec::new(),
        }
    }
}

/// Where a job stands after putting it into a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// Its number.
    pub number: JobNumber,
    /// Whether it was written now; otherwise its key was known and nothing was written.
    pub fresh: bool,
}

/// Why an attempt came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The lease's number.
    pub fence: Fence,
    /// Which attempt it was.
    pub attempt: u32,
    /// Who held the job.
    pub owner: String,
    /// When the holder gave up, or the deadline that passed.
    pub at: Timestamp,
    /// Why; [`EXPIRED`] for a lease that ran out.
    pub reason: String,
}

/// How many jobs of a queue are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Could be leased now, leases that ran out included.
    pub ready: u64,
    /// Ready later: failed and waiting, or enqueued ahead of time.
    pub waiting: u64,
    /// Held under a lease that has not run out.
    pub leased: u64,
    /// Finished.
    pub done: u64,
    /// Given up.
    pub dead: u64,
}

/// A job with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The queue.
    pub queue: String,
    /// The job's name in its queue.
    pub key: String,
    /// Its place in the order of arrival.
    pub number: JobNumber,
    /// Lower lanes are served first.
    pub lane: u8,
    /// What is to be done.
    pub payload: Json,
    /// Where it stands.
    pub state: JobState,
    /// The `ready_at` that it came with.
    pub enqueued_at: Timestamp,
    /// From when on it may be leased.
    pub ready_at: Timestamp,
    /// Leases since it was enqueued or revived.
    pub attempt: u32,
    /// Leases before it is dead.
    pub max_attempts: u32,
    /// The number of its last lease, 0 before the first.
    pub fence: Fence,
    /// Who held it last.
    pub owner: Option<String>,
    /// When its last lease ends or ended.
    pub deadline: Option<Timestamp>,
    /// What came out of it.
    pub result: Option<Json>,
    /// When it was finished or given up.
    pub finished_at: Option<Timestamp>,
    /// Why earlier attempts came to nothing, oldest first, at most [`MAX_FAILURES`].
    pub failures: Vec<Failure>,
}

impl Job {
    /// The lease that the job is under, where it is under one.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        let (JobState::Leased, Some(owner), Some(deadline)) = (self.state, &self.owner, self.deadline) else {
            return None;
        };
        Some(Lease {
            claim: Claim {
                queue: self.queue.clone(),
                key: self.key.clone(),
                owner: owner.clone(),
                fence: self.fence,
            },
            number: self.number,
            lane: self.lane,
            payload: self.payload.clone(),
            attempt: self.attempt,
            deadline,
        })
    }

    /// The answer to the same key again. Lane, time and attempts stay as they came first.
    pub(crate) fn repeated_by(&self, again: &NewJob) -> Result<Enqueued, StoreError> {
        if self.payload == again.payload {
            return Ok(Enqueued { number: self.number, fresh: false });
        }
        Err(StoreError::Reused { what: "job", scope: self.queue.clone(), key: self.key.clone() })
    }

    pub(crate) fn take(&mut self, owner: &str, deadline: Timestamp) {
        self.state = JobState::Leased;
        self.fence = Fence(self.fence.0 + 1);
        self.attempt += 1;
        self.owner = Some(owner.to_owned());
        self.deadline = Some(deadline);
    }

    pub(crate) fn beat(
        &mut self,
        claim: &Claim,
        now: Timestamp,
        ttl: DurationMs,
    ) -> Result<Timestamp, LeaseError> {
        let deadline = self.check_live(claim, now)?.max(now + ttl);
        self.deadline = Some(deadline);
        Ok(deadline)
    }

    /// Finishes the job; the same result again under the same fence is a repetition.
    pub(crate) fn finish(
        &mut self,
        claim: &Claim,
        result: &Json,
        now: Timestamp,
    ) -> Result<Settled, LeaseError> {
        self.check_newest(claim)?;
        if self.state == JobState::Done && self.result.as_ref() == Some(result) {
            return Ok(Settled::Already);
        }
        self.check_live(claim, now)?;
        self.state = JobState::Done;
        self.result = Some(result.clone());
        self.finished_at = Some(now);
        Ok(Settled::Done)
    }

    /// Gives the job back; the same reason again under the same fence is a repetition.
    pub(crate) fn give_back(
        &mut self,
        claim: &Claim,
        reason: &str,
        now: Timestamp,
        retry_at: Timestamp,
    ) -> Result<Settled, LeaseError> {
        self.check_newest(claim)?;
        let reason = cut(reason);
        let said =
            self.failures.last().is_some_and(|last| last.fence == claim.fence && last.reason == reason);
        if said && self.state != JobState::Leased {
            return Ok(Settled::Already);
        }
        self.check_live(claim, now)?;
        Ok(self.end_lease(reason, now, Some(retry_at)))
    }

    /// Ends a lease whose deadline is at or before `now`; false where there is none.
    pub(crate) fn expire(&mut self, now: Timestamp) -> bool {
        match (self.state, self.deadline) {
            (JobState::Leased, Some(deadline)) if deadline <= now => {
                self.end_lease(EXPIRED, deadline, None);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn revive(&mut self, now: Timestamp) -> Result<(), LeaseError> {
        if self.state != JobState::Dead {
            return Err(LeaseError::NotDead { key: self.key.clone(), state: self.state.name() });
        }
        self.state = JobState::Ready;
        self.ready_at = now;
        self.attempt = 0;
        self.finished_at = None;
        Ok(())
    }

    fn end_lease(&mut self, reason: &str, at: Timestamp, retry_at: Option<Timestamp>) -> Settled {
        let owner = self.owner.clone().unwrap_or_default();
        let reason = reason.to_owned();
        self.failures.push(Failure { fence: self.fence, attempt: self.attempt, owner, at, reason });
        let surplus = self.failures.len().saturating_sub(MAX_FAILURES);
        self.failures.drain(..surplus);
        if self.attempt >= self.max_attempts {
            self.state = JobState::Dead;
            self.finished_at = Some(at);
            return Settled::Dead;
        }
        self.state = JobState::Ready;
        self.ready_at = retry_at.unwrap_or(self.ready_at);
        Settled::Retrying
    }

    /// Accepts a claim of the newest lease, whether it is still live or not.
    fn check_newest(&self, claim: &Claim) -> Result<(), LeaseError> {
        let (key, found, last) = (self.key.clone(), claim.fence, self.fence);
        if found > last || found == Fence(0) {
            return Err(LeaseError::Forged { key, found, last });
        }
        if found < last {
            return Err(LeaseError::Retaken { key, found, last });
        }
        if self.owner.as_deref() != Some(&claim.owner) {
            return Err(LeaseError::NotOwner { key, found, owner: claim.owner.clone() });
        }
        Ok(())
    }

    /// Accepts a claim of the newest lease before its deadline, which is returned.
    fn check_live(&self, claim: &Claim, now: Timestamp) -> Result<Timestamp, LeaseError> {
        self.check_newest(claim)?;
        let (key, found) = (self.key.clone(), claim.fence);
        match (self.state, self.deadline) {
            (JobState::Leased, Some(deadline)) if now < deadline => Ok(deadline),
            (JobState::Leased, deadline) => {
                let deadline = deadline.unwrap_or_default().0;
                Err(LeaseError::Expired { key, found, deadline, now: now.0 })
            }
            (JobState::Done, _) => Err(LeaseError::Finished { key, found }),
            (JobState::Ready | JobState::Dead, _) => {
                let reason = self.failures.last().map_or(EXPIRED, |last| &last.reason).to_owned();
                Err(LeaseError::Released { key, found, reason })
            }
        }
    }
}

/// The first [`MAX_REASON_BYTES`] of `reason`, cut between characters: logs of hostile code are any length.
fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MAX_REASON_BYTES)]
}
