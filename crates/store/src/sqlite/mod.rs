//! The store in a SQLite file: write-ahead log, every commit fsynced before it is acknowledged.
//!
//! One connection writes, so writers of this process wait in line; writers of other processes are held off by
//! `BEGIN IMMEDIATE`, which is also the lock under which numbers are given out. A few connections read without
//! waiting for the writer. The rules are those of [`crate::event`], [`crate::lease`] and [`crate::commit`]; here
//! is only how rows are found and kept. The statements keep to what Postgres understands too, but for the lock.

mod events;
mod jobs;
mod scores;

use std::{path::Path, time::Duration};

use primitives::{DurationMs, Hotkey, MechId, NetUid, Timestamp};
use sqlx::{
    Connection as _, Row as _, SqliteConnection, SqlitePool, SqliteTransaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use crate::{
    Appended, Claim, Commit, Committed, Counts, Enqueued, Event, EventNumber, Job, JobNumber, JobState, Json,
    Lease, MAX_PAGE, NewEvent, NewJob, Score, Settled, StoreError, check_name, check_ttl,
};

/// The schema that this program writes: the version of the last file under `migrations/`.
pub const SCHEMA_VERSION: i64 = 1;

/// Connections that read: a page, a stream of events and a worker's question at a time, each answered in
/// microseconds.
const READERS: u32 = 4;

/// How long a caller waits for the writers before it, of this process or another, until it gives up: far longer
/// than the largest commit takes on a slow disk.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Durable state in a file. A clone is another handle to the same connections.
///
/// Its methods are those of [`crate::Store`], as async ones; what they promise is written there.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    /// Opens the file at `path`, creates it where it is missing, and brings its schema up to
    /// [`SCHEMA_VERSION`].
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for a file of a newer program, [`StoreError::Database`] where it is no store.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY_TIMEOUT)
            .test_before_acquire(false)
            .connect_with(options.clone().create_if_missing(true))
            .await
            .map_err(failed("open the store"))?;
        if let Err(error) = migrate(&writer, path).await {
            writer.close().await;
            return Err(error);
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY_TIMEOUT)
            .test_before_acquire(false)
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .map_err(failed("open the store for reading"))?;
        Ok(Self { writer, readers })
    }

    /// Closes all connections; the last one moves the write-ahead log into the file. Every acknowledged write is
    /// already safe without it.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The version of the open file's schema.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        let mut reader = self.reader().await?;
        applied_version(&mut reader).await.map_err(failed("read the schema version"))
    }

    /// As [`crate::Store::commit`].
    ///
    /// # Errors
    /// As there.
    pub async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        commit.check()?;
        let mut tx = self.begin().await?;
        let done = apply(&mut tx, commit).await;
        end(tx, done).await
    }

    /// As [`crate::Store::read`].
    ///
    /// # Errors
    /// As there.
    pub async fn read(&self, log: &str, after: EventNumber, limit: usize) -> Result<Vec<Event>, StoreError> {
        events::read(&mut *self.reader().await?, log, after, page(limit)).await
    }

    /// As [`crate::Store::head`].
    ///
    /// # Errors
    /// As there.
    pub async fn head(&self, log: &str) -> Result<EventNumber, StoreError> {
        events::head(&mut *self.reader().await?, log).await
    }

    /// As [`crate::Store::find`].
    ///
    /// # Errors
    /// As there.
    pub async fn find(&self, log: &str, dedup_key: &str) -> Result<Option<Event>, StoreError> {
        events::find(&mut *self.reader().await?, log, dedup_key).await
    }

    /// As [`crate::Store::lease`].
    ///
    /// # Errors
    /// As there.
    pub async fn lease(
        &self,
        queue: &str,
        owner: &str,
        now: Timestamp,
        ttl: DurationMs,
    ) -> Result<Option<Lease>, StoreError> {
        check_name("owner", owner)?;
        check_ttl(ttl)?;
        let mut tx = self.begin().await?;
        let taken = jobs::lease(&mut tx, queue, owner, now, ttl).await;
        end(tx, taken).await
    }

    /// As [`crate::Store::heartbeat`].
    ///
    /// # Errors
    /// As there.
    pub async fn heartbeat(
        &self,
        claim: &Claim,
        now: Timestamp,
        ttl: DurationMs,
    ) -> Result<Timestamp, StoreError> {
        check_ttl(ttl)?;
        let mut tx = self.begin().await?;
        let deadline =
            jobs::change(&mut tx, &claim.queue, &claim.key, |job| Ok(job.beat(claim, now, ttl)?)).await;
        end(tx, deadline).await
    }

    /// As [`crate::Store::expire`].
    ///
    /// # Errors
    /// As there.
    pub async fn expire(&self, queue: &str, now: Timestamp) -> Result<usize, StoreError> {
        let mut tx = self.begin().await?;
        let ended = jobs::expire(&mut tx, queue, now).await;
        end(tx, ended).await
    }

    /// As [`crate::Store::revive`].
    ///
    /// # Errors
    /// As there.
    pub async fn revive(&self, queue: &str, key: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let revived = jobs::change(&mut tx, queue, key, |job| Ok(job.revive(now)?)).await;
        end(tx, revived).await
    }

    /// As [`crate::Store::job`].
    ///
    /// # Errors
    /// As there.
    pub async fn job(&self, queue: &str, key: &str) -> Result<Option<Job>, StoreError> {
        jobs::find(&mut *self.reader().await?, queue, key).await
    }

    /// As [`crate::Store::jobs`].
    ///
    /// # Errors
    /// As there.
    pub async fn jobs(
        &self,
        queue: &str,
        state: Option<JobState>,
        after: JobNumber,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError> {
        jobs::list(&mut *self.reader().await?, queue, state, after, page(limit)).await
    }

    /// As [`crate::Store::counts`].
    ///
    /// # Errors
    /// As there.
    pub async fn counts(&self, queue: &str, now: Timestamp) -> Result<Counts, StoreError> {
        jobs::counts(&mut *self.reader().await?, queue, now).await
    }

    /// As [`crate::Store::latest_score`].
    ///
    /// # Errors
    /// As there.
    pub async fn latest_score(
        &self,
        netuid: NetUid,
        mechid: MechId,
        hotkey: Hotkey,
    ) -> Result<Option<Score>, StoreError> {
        scores::latest_of(&mut *self.reader().await?, netuid, mechid, hotkey).await
    }

    /// As [`crate::Store::latest_scores`].
    ///
    /// # Errors
    /// As there.
    pub async fn latest_scores(
        &self,
        netuid: NetUid,
        mechid: MechId,
        after: Option<Hotkey>,
        limit: usize,
    ) -> Result<Vec<Score>, StoreError> {
        scores::latest(&mut *self.reader().await?, netuid, mechid, after, page(limit)).await
    }

    /// As [`crate::Store::score_history`].
    ///
    /// # Errors
    /// As there.
    pub async fn score_history(
        &self,
        netuid: NetUid,
        mechid: MechId,
        hotkey: Hotkey,
        from_round: u64,
        limit: usize,
    ) -> Result<Vec<Score>, StoreError> {
        let mut reader = self.reader().await?;
        scores::history(&mut reader, netuid, mechid, hotkey, from_round, page(limit)).await
    }

    /// As [`crate::Store::append`].
    ///
    /// # Errors
    /// As there.
    pub async fn append(&self, log: &str, events: &[NewEvent]) -> Result<Vec<Appended>, StoreError> {
        Ok(self.commit(&Commit::new().events(log, events)).await?.events)
    }

    /// As [`crate::Store::enqueue`].
    ///
    /// # Errors
    /// As there.
    pub async fn enqueue(&self, queue: &str, job: NewJob) -> Result<Enqueued, StoreError> {
        let done = self.commit(&Commit::new().job(queue, job)).await?;
        Ok(done.jobs.into_iter().next().expect("one job gives one answer"))
    }

    /// As [`crate::Store::ack`].
    ///
    /// # Errors
    /// As there.
    pub async fn ack(&self, claim: &Claim, result: Json, now: Timestamp) -> Result<Settled, StoreError> {
        let done = self.commit(&Commit::new().done(claim, result, now)).await?;
        Ok(done.settled.expect("a settlement gives an answer"))
    }

    /// As [`crate::Store::ack_with`].
    ///
    /// # Errors
    /// As there.
    pub async fn ack_with(
        &self,
        claim: &Claim,
        result: Json,
        log: &str,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        self.commit(&Commit::new().done(claim, result, now).events(log, events)).await
    }

    /// As [`crate::Store::fail`].
    ///
    /// # Errors
    /// As there.
    pub async fn fail(
        &self,
        claim: &Claim,
        reason: &str,
        now: Timestamp,
        retry_at: Timestamp,
    ) -> Result<Settled, StoreError> {
        let done = self.commit(&Commit::new().failed(claim, reason, now, retry_at)).await?;
        Ok(done.settled.expect("a settlement gives an answer"))
    }

    async fn begin(&self) -> Result<SqliteTransaction<'static>, StoreError> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed("lock the store for writing"))
    }

    async fn reader(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, StoreError> {
        self.readers.acquire().await.map_err(failed("reach the store for reading"))
    }
}

/// The parts of a commit in the order that [`Commit`] names.
async fn apply(to: &mut SqliteConnection, commit: &Commit) -> Result<Committed, StoreError> {
    let mut done = Committed::default();
    if let Some(settlement) = &commit.settlement {
        let claim = settlement.claim();
        let outcome = jobs::change(to, &claim.queue, &claim.key, |job| Ok(settlement.apply(job)?)).await?;
        done.settled = Some(outcome);
        if outcome == Settled::Already {
            return Ok(done);
        }
    }
    done.events = events::append(to, &commit.events).await?;
    scores::write(to, &commit.scores).await?;
    done.jobs = jobs::enqueue(to, &commit.jobs).await?;
    Ok(done)
}

/// Makes the work of a transaction durable, or undoes it where it was refused.
async fn end<T>(tx: SqliteTransaction<'_>, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
    match outcome {
        Ok(value) => {
            tx.commit().await.map_err(failed("commit"))?;
            Ok(value)
        }
        Err(refused) => {
            tx.rollback().await.map_err(failed("roll back"))?;
            Err(refused)
        }
    }
}

/// Applies the missing migrations in one transaction, so that two processes that open a new file at once see it
/// empty or whole.
async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let mut connection = writer.acquire().await.map_err(failed("open the store"))?;
    let mut tx =
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed("lock the store for its migration"))?;
    let found = applied_version(&mut tx).await.map_err(failed("read the schema version"))?;
    if found > SCHEMA_VERSION {
        let path = path.display().to_string();
        return Err(StoreError::TooNew { path, found, known: SCHEMA_VERSION });
    }
    MIGRATIONS
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(|error| failed("migrate the store")(sqlx::Error::Migrate(Box::new(error))))?;
    tx.commit().await.map_err(failed("commit the migration"))
}

/// The last migration that a file has seen, 0 for a new file.
async fn applied_version(of: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let known = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
    if sqlx::query_scalar::<_, i64>(known).fetch_one(&mut *of).await? == 0 {
        return Ok(0);
    }
    sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(of).await
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| StoreError::Database { doing, error }
}

fn page(limit: usize) -> i64 {
    i64::try_from(limit.min(MAX_PAGE)).expect("a page is far smaller than an i64")
}

/// A number as a column holds it; one beyond it stands behind all rows.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A column of a row, under whatever type the caller names.
fn column<'r, T>(row: &'r SqliteRow, name: &'static str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(name).map_err(|error| StoreError::Damaged { what: name, detail: error.to_string() })
}

/// A column that holds an integer of a narrower or unsigned type.
fn integer<T: TryFrom<i64>>(row: &SqliteRow, name: &'static str) -> Result<T, StoreError> {
    let stored: i64 = column(row, name)?;
    T::try_from(stored)
        .map_err(|_| StoreError::Damaged { what: name, detail: format!("{stored} is out of range") })
}

fn json(what: &'static str, text: String) -> Result<Json, StoreError> {
    Json::parse(text).map_err(|error| StoreError::Damaged { what, detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kill cannot show what a power cut would lose, so the settings that decide it are read back.
    #[tokio::test]
    async fn commits_reach_the_disk_before_they_are_acknowledged() {
        /// `PRAGMA synchronous` as SQLite numbers it. Source: its documentation of pragmas.
        const FULL: i64 = 2;
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("store.db")).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *tx).await.unwrap();
        let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *tx).await.unwrap();
        assert_eq!((synchronous, journal.as_str()), (FULL, "wal"));
        tx.rollback().await.unwrap();
        store.close().await;
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("store.db")).await.unwrap();
        let mut reader = store.reader().await.unwrap();
        sqlx::query("DELETE FROM events").execute(&mut *reader).await.unwrap_err();
    }

    /// A dropped future stands for a client that hung up in the middle of its request.
    #[tokio::test]
    async fn an_abandoned_commit_leaves_no_half_and_blocks_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("store.db")).await.unwrap();
        let events = vec![NewEvent::new("kind", Json::null(), Timestamp(0)); 50];
        for polls in 0..60 {
            let before = store.head("log").await.unwrap().0;
            let mut work = Box::pin(store.append("log", &events));
            for _ in 0..polls {
                tokio::select! {
                    biased;
                    _ = &mut work => break,
                    () = tokio::task::yield_now() => {}
                }
            }
            drop(work);
            store.append("log", &events).await.unwrap();
            let written = store.head("log").await.unwrap().0 - before;
            assert!(written == 50 || written == 100, "{written} events after {polls} polls");
        }
    }

    #[test]
    fn the_schema_version_is_that_of_the_last_migration() {
        assert_eq!(MIGRATIONS.iter().map(|migration| migration.version).max(), Some(SCHEMA_VERSION));
    }
}
