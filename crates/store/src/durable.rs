//! The SQLite store for callers that are not async: drivers of step machines, tests, command-line tools.

use std::{future::Future, path::Path, sync::Arc};

use primitives::{DurationMs, Hotkey, MechId, NetUid, Timestamp};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    Claim, Commit, Committed, Counts, Event, EventNumber, Job, JobNumber, JobState, Lease, Score, Sqlite,
    Store, StoreError,
};

/// A [`Sqlite`] with a small runtime of its own. Its methods block until the answer is there, also when they
/// are called from async code, which should use [`Sqlite`] instead. A clone is another handle to the same file.
#[derive(Clone, Debug)]
pub struct Durable {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sqlite: Sqlite,
    /// Present until it is dropped.
    runtime: Option<Runtime>,
}

impl Durable {
    /// As [`Sqlite::open`].
    ///
    /// # Errors
    /// As there, and [`StoreError::Driver`] where the runtime does not start.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        match block_on(&runtime, Sqlite::open(path)) {
            Ok(sqlite) => Ok(Self { inner: Arc::new(Inner { sqlite, runtime: Some(runtime) }) }),
            Err(error) => {
                // A plain drop of a runtime panics inside of another one.
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// As [`Sqlite::schema_version`].
    ///
    /// # Errors
    /// As there.
    pub fn schema_version(&self) -> Result<i64, StoreError> {
        self.wait(self.inner.sqlite.schema_version())
    }

    fn wait<T: Send>(&self, work: impl Future<Output = T> + Send) -> T {
        let runtime = self.inner.runtime.as_ref().expect("the runtime lives as long as its handles");
        block_on(runtime, work)
    }

    fn sqlite(&self) -> &Sqlite {
        &self.inner.sqlite
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            block_on(&runtime, self.sqlite.close());
            // As in `open`.
            runtime.shutdown_background();
        }
    }
}

/// Runs `work` to its end on `runtime`; from inside of another runtime, where a thread may not block on a
/// second one, on a thread of its own.
fn block_on<T: Send>(runtime: &Runtime, work: impl Future<Output = T> + Send) -> T {
    if Handle::try_current().is_err() {
        return runtime.block_on(work);
    }
    std::thread::scope(|scope| {
        let helper = scope.spawn(|| runtime.block_on(work));
        helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Store for Durable {
    fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        self.wait(self.sqlite().commit(commit))
    }

    fn read(&self, log: &str, after: EventNumber, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.wait(self.sqlite().read(log, after, limit))
    }

    fn head(&self, log: &str) -> Result<EventNumber, StoreError> {
        self.wait(self.sqlite().head(log))
    }

    fn find(&self, log: &str, dedup_key: &str) -> Result<Option<Event>, StoreError> {
        self.wait(self.sqlite().find(log, dedup_key))
    }

    fn lease(
        &self,
        queue: &str,
        owner: &str,
        now: Timestamp,
        ttl: DurationMs,
    ) -> Result<Option<Lease>, StoreError> {
        self.wait(self.sqlite().lease(queue, owner, now, ttl))
    }

    fn heartbeat(&self, claim: &Claim, now: Timestamp, ttl: DurationMs) -> Result<Timestamp, StoreError> {
        self.wait(self.sqlite().heartbeat(claim, now, ttl))
    }

    fn expire(&self, queue: &str, now: Timestamp) -> Result<usize, StoreError> {
        self.wait(self.sqlite().expire(queue, now))
    }

    fn revive(&self, queue: &str, key: &str, now: Timestamp) -> Result<(), StoreError> {
        self.wait(self.sqlite().revive(queue, key, now))
    }

    fn job(&self, queue: &str, key: &str) -> Result<Option<Job>, StoreError> {
        self.wait(self.sqlite().job(queue, key))
    }

    fn jobs(
        &self,
        queue: &str,
        state: Option<JobState>,
        after: JobNumber,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError> {
        self.wait(self.sqlite().jobs(queue, state, after, limit))
    }

    fn counts(&self, queue: &str, now: Timestamp) -> Result<Counts, StoreError> {
        self.wait(self.sqlite().counts(queue, now))
    }

    fn latest_score(
        &self,
        netuid: NetUid,
        mechid: MechId,
        hotkey: Hotkey,
    ) -> Result<Option<Score>, StoreError> {
        self.wait(self.sqlite().latest_score(netuid, mechid, hotkey))
    }

    fn latest_scores(
        &self,
        netuid: NetUid,
        mechid: MechId,
        after: Option<Hotkey>,
        limit: usize,
    ) -> Result<Vec<Score>, StoreError> {
        self.wait(self.sqlite().latest_scores(netuid, mechid, after, limit))
    }

    fn score_history(
        &self,
        netuid: NetUid,
        mechid: MechId,
        hotkey: Hotkey,
        from_round: u64,
        limit: usize,
    ) -> Result<Vec<Score>, StoreError> {
        self.wait(self.sqlite().score_history(netuid, mechid, hotkey, from_round, limit))
    }
}
