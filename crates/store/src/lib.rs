//! Durable state: events, leases, scores and artifacts.
//!
//! One meaning, two keepers. What may be written, what is refused and why stands in the modules [`event`],
//! [`lease`], [`score`] and [`commit`]; [`Memory`] keeps it in ordered maps for the simulator and for tests,
//! [`Sqlite`] keeps it in a file, and [`Durable`] is that file for callers that are not async. Both keepers give
//! the same answers to the same calls, which a test demands of random sequences.
//!
//! All writing of facts goes through one door, [`Store::commit`]: the end of a job, the events that tell of it,
//! the scores that follow and the jobs that it causes become durable together or not at all. When a call has
//! returned, its effect survives a kill and a power cut.
//!
//! Time is an argument everywhere; nothing here reads a clock. Start with [`Store`] and [`Commit`], then
//! [`lease::Job`]. Large bytes do not belong in the database: they are [`artifacts`], named by their content.

pub mod artifacts;
pub mod commit;
mod durable;
pub mod event;
mod json;
pub mod lease;
mod memory;
pub mod score;
mod sqlite;

use primitives::{DurationMs, Hotkey, MechId, NetUid, Timestamp};
use thiserror::Error;

pub use commit::{Commit, Committed, Settled, Settlement};
pub use durable::Durable;
pub use event::{Appended, Event, EventNumber, NewEvent};
pub use json::{Json, JsonError};
pub use lease::{
    Claim, Counts, Enqueued, Failure, Fence, Job, JobNumber, JobState, Lease, LeaseError, NewJob,
};
pub use memory::Memory;
pub use score::Score;
pub use sqlite::{SCHEMA_VERSION, Sqlite};

/// The longest name of a log, queue, key, owner or kind, in bytes: names are index entries and stand in log lines.
pub const MAX_NAME_BYTES: usize = 512;

/// The longest JSON text of one event, payload, result or set of score parts, in bytes; more is an artifact.
pub const MAX_JSON_BYTES: usize = 1 << 20;

/// The most rows that one read returns, whatever limit was asked for: a page is held in memory whole.
pub const MAX_PAGE: usize = 10_000;

/// Why the store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The caller does not hold the job that it speaks for, or no longer.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A key was used before for something else; what was stored first stays.
    #[error("{what} {key:?} of {scope:?} was stored before with other content")]
    Reused {
        /// `event`, `job` or `score`.
        what: &'static str,
        /// The log, the queue, or the subnet and mechanism.
        scope: String,
        /// The key that was used twice.
        key: String,
    },
    /// An argument lies outside of its bounds; nothing was written.
    #[error("{what} is {found}, expected {bound}")]
    Argument {
        /// Which argument.
        what: &'static str,
        /// What was given.
        found: String,
        /// What would be accepted.
        bound: String,
    },
    /// The file was written by a newer version of this program.
    #[error(
        "store {path} has schema version {found}, this program knows up to {known}: use the newer program"
    )]
    TooNew {
        /// The file.
        path: String,
        /// The version that it has.
        found: i64,
        /// The version that this program writes.
        known: i64,
    },
    /// A stored row is not what this program writes.
    #[error("stored {what} is damaged: {detail}")]
    Damaged {
        /// Which row.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The database failed; a commit whose answer is lost this way may have happened and is safe to repeat.
    #[error("could not {doing}: {error}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// What the database said; its text is part of this error's.
        error: sqlx::Error,
    },
    /// The thread or runtime that drives the database could not be started.
    #[error("could not start the driver of the store: {0}")]
    Driver(#[from] std::io::Error),
}

/// Gives each event of `log` above `after` to `each`, page by page, and returns the number of the last one.
///
/// # Errors
/// What `each` says, which ends it, and [`StoreError`] where the store cannot be read.
pub fn each_event<E: From<StoreError>>(
    store: &dyn Store,
    log: &str,
    after: EventNumber,
    mut each: impl FnMut(&Event) -> Result<(), E>,
) -> Result<EventNumber, E> {
    let mut read = after;
    loop {
        let page = store.read(log, read, MAX_PAGE)?;
        let Some(last) = page.last() else { return Ok(read) };
        read = last.number;
        page.iter().try_for_each(&mut each)?;
    }
}

/// Durable state, seen by a synchronous caller. [`Memory`] and [`Durable`] implement it; [`Sqlite`] has the same
/// methods as async ones.
///
/// A handle is cheap to clone and to share; every method is atomic. `limit` is cut to [`MAX_PAGE`].
pub trait Store: Send + Sync {
    /// Writes all of `commit` or nothing.
    ///
    /// Repeating a commit whose settlement was already accepted under the same fence writes nothing and answers
    /// [`Settled::Already`]; without a settlement, event and job keys make a repetition harmless.
    ///
    /// # Errors
    /// [`StoreError::Lease`] where the settlement is refused, [`StoreError::Reused`] and
    /// [`StoreError::Argument`] for its parts; nothing is written then.
    fn commit(&self, commit: &Commit) -> Result<Committed, StoreError>;

    /// The events of `log` with numbers above `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    fn read(&self, log: &str, after: EventNumber, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// The number of the last event of `log`, 0 for an empty log.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    fn head(&self, log: &str) -> Result<EventNumber, StoreError>;

    /// The event of `log` that was appended under `dedup_key`.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    fn find(&self, log: &str, dedup_key: &str) -> Result<Option<Event>, StoreError>;

    /// Takes the first job that is ready at `now` for `owner` until `now + ttl`: lowest lane, then oldest.
    /// Leases that have run out are ended first, as by [`Store::expire`].
    ///
    /// # Errors
    /// [`StoreError::Argument`] for a bad owner or a ttl that is not positive.
    fn lease(
        &self,
        queue: &str,
        owner: &str,
        now: Timestamp,
        ttl: DurationMs,
    ) -> Result<Option<Lease>, StoreError>;

    /// Moves a live lease's deadline to `now + ttl`, never back, and returns it.
    ///
    /// # Errors
    /// [`StoreError::Lease`] where the claim is no longer (or never was) live.
    fn heartbeat(&self, claim: &Claim, now: Timestamp, ttl: DurationMs) -> Result<Timestamp, StoreError>;

    /// Ends the leases of `queue` whose deadline is at or before `now`; returns how many. Their jobs become
    /// ready again, or dead where it was the last attempt.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be written.
    fn expire(&self, queue: &str, now: Timestamp) -> Result<usize, StoreError>;

    /// Makes a dead job ready at `now` with its attempts counted from zero; its failures stay.
    ///
    /// # Errors
    /// [`LeaseError::NotDead`] or [`LeaseError::Unknown`].
    fn revive(&self, queue: &str, key: &str, now: Timestamp) -> Result<(), StoreError>;

    /// The job of `queue` with this key.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    fn job(&self, queue: &str, key: &str) -> Result<Option<Job>, StoreError>;

    /// The jobs of `queue` in `state` (or in any) with numbers above `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    fn jobs(
        &self,
        queue: &str,
        state: Option<JobState>,
        after: JobNumber,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError>;

    /// How many jobs of `queue` are in which state at `now`.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    fn counts(&self, queue: &str, now: Timestamp) -> Result<Counts, StoreError>;

    /// The score of the highest round of one hotkey.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    fn latest_score(
        &self,
        netuid: NetUid,
        mechid: MechId,
        hotkey: Hotkey,
    ) -> Result<Option<Score>, StoreError>;

    /// The score of the highest round of each hotkey above `after`, ascending by hotkey, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    fn latest_scores(
        &self,
        netuid: NetUid,
        mechid: MechId,
        after: Option<Hotkey>,
        limit: usize,
    ) -> Result<Vec<Score>, StoreError>;

    /// All scores of one hotkey of rounds at or above `from_round`, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    fn score_history(
        &self,
        netuid: NetUid,
        mechid: MechId,
        hotkey: Hotkey,
        from_round: u64,
        limit: usize,
    ) -> Result<Vec<Score>, StoreError>;

    /// Appends events to one log; the answer has one entry per event.
    ///
    /// # Errors
    /// As [`Store::commit`].
    fn append(&self, log: &str, events: &[NewEvent]) -> Result<Vec<Appended>, StoreError> {
        Ok(self.commit(&Commit::new().events(log, events))?.events)
    }

    /// Puts one job into a queue, once per key.
    ///
    /// # Errors
    /// As [`Store::commit`].
    fn enqueue(&self, queue: &str, job: NewJob) -> Result<Enqueued, StoreError> {
        let done = self.commit(&Commit::new().job(queue, job))?;
        Ok(done.jobs.into_iter().next().expect("one job gives one answer"))
    }

    /// Finishes a job with its result.
    ///
    /// # Errors
    /// As [`Store::commit`].
    fn ack(&self, claim: &Claim, result: Json, now: Timestamp) -> Result<Settled, StoreError> {
        let done = self.commit(&Commit::new().done(claim, result, now))?;
        Ok(done.settled.expect("a settlement gives an answer"))
    }

    /// Finishes a job with its result and appends the events that tell of it, together or not at all.
    ///
    /// # Errors
    /// As [`Store::commit`].
    fn ack_with(
        &self,
        claim: &Claim,
        result: Json,
        log: &str,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        self.commit(&Commit::new().done(claim, result, now).events(log, events))
    }

    /// Gives a job back with a reason: ready again at `retry_at`, or dead after its last attempt.
    ///
    /// # Errors
    /// As [`Store::commit`].
    fn fail(
        &self,
        claim: &Claim,
        reason: &str,
        now: Timestamp,
        retry_at: Timestamp,
    ) -> Result<Settled, StoreError> {
        let done = self.commit(&Commit::new().failed(claim, reason, now, retry_at))?;
        Ok(done.settled.expect("a settlement gives an answer"))
    }
}

/// Refuses an empty or overlong name, and one with a zero byte, which a database may cut.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        let (found, bound) = (format!("{} bytes", name.len()), format!("1 to {MAX_NAME_BYTES} bytes"));
        return Err(StoreError::Argument { what, found, bound });
    }
    if name.contains('\0') {
        return Err(StoreError::Argument {
            what,
            found: format!("{name:?}"),
            bound: "text without a zero byte".to_owned(),
        });
    }
    Ok(())
}

/// Refuses an integer that a signed 64-bit column cannot hold.
pub(crate) fn check_signed(what: &'static str, value: u64) -> Result<(), StoreError> {
    match i64::try_from(value) {
        Ok(_) => Ok(()),
        Err(_) => Err(StoreError::Argument {
            what,
            found: value.to_string(),
            bound: format!("at most {}", i64::MAX),
        }),
    }
}

/// Refuses a span that is not positive.
pub(crate) fn check_ttl(ttl: DurationMs) -> Result<(), StoreError> {
    if ttl.0 > 0 {
        return Ok(());
    }
    Err(StoreError::Argument {
        what: "time to live",
        found: ttl.to_string(),
        bound: "at least 1 ms".to_owned(),
    })
}
