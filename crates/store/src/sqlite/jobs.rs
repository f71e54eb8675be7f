//! The rows of queues and jobs.

use std::collections::BTreeMap;

use primitives::{DurationMs, Timestamp};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{column, failed, integer, json, signed};
use crate::{Counts, Enqueued, Fence, Job, JobNumber, JobState, Json, Lease, LeaseError, NewJob, StoreError};

/// Ends what has run out, then takes the first job that is ready.
pub(super) async fn lease(
    to: &mut SqliteConnection,
    queue: &str,
    owner: &str,
    now: Timestamp,
    ttl: DurationMs,
) -> Result<Option<Lease>, StoreError> {
    expire(to, queue, now).await?;
    let row = sqlx::query(
        "UPDATE jobs
         SET state = 'leased', fence = fence + 1, attempt = attempt + 1, owner = $2, deadline_ms = $3
         WHERE queue = $1 AND number = (
             SELECT number FROM jobs WHERE queue = $1 AND state = 'ready' AND ready_at_ms <= $4
             ORDER BY lane, number LIMIT 1
         )
         RETURNING *",
    )
    .bind(queue)
    .bind(owner)
    .bind((now + ttl).0)
    .bind(now.0)
    .fetch_optional(to)
    .await
    .map_err(failed("lease a job"))?;
    let Some(row) = row else { return Ok(None) };
    Ok(job(&row)?.lease())
}

/// Ends the leases that have run out, in the order of their deadlines.
pub(super) async fn expire(
    to: &mut SqliteConnection,
    queue: &str,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM jobs WHERE queue = $1 AND state = 'leased' AND deadline_ms <= $2
         ORDER BY deadline_ms, number",
    )
    .bind(queue)
    .bind(now.0)
    .fetch_all(&mut *to)
    .await
    .map_err(failed("find leases that ran out"))?;
    for row in &rows {
        let mut over = job(row)?;
        over.expire(now);
        save(to, &over).await?;
    }
    Ok(rows.len())
}

/// Loads a job, asks `rule`, and stores what it made of it.
pub(super) async fn change<T>(
    to: &mut SqliteConnection,
    queue: &str,
    key: &str,
    rule: impl FnOnce(&mut Job) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let unknown = || LeaseError::Unknown { queue: queue.to_owned(), key: key.to_owned() };
    let old = find(to, queue, key).await?.ok_or_else(unknown)?;
    let mut new = old.clone();
    let answer = rule(&mut new)?;
    if new != old {
        save(to, &new).await?;
    }
    Ok(answer)
}

/// Enqueues in order; the caller holds the write lock.
pub(super) async fn enqueue(
    to: &mut SqliteConnection,
    jobs: &[(String, NewJob)],
) -> Result<Vec<Enqueued>, StoreError> {
    let mut heads: BTreeMap<&str, JobNumber> = BTreeMap::new();
    let mut done = Vec::with_capacity(jobs.len());
    for (queue, new) in jobs {
        if let Some(first) = find(to, queue, &new.key).await? {
            done.push(first.repeated_by(new)?);
            continue;
        }
        let last = match heads.get(queue.as_str()) {
            Some(&last) => last,
            None => head(to, queue).await?,
        };
        let number = JobNumber(last.0 + 1);
        heads.insert(queue, number);
        insert(to, &new.numbered(queue, number)).await?;
        done.push(Enqueued { number, fresh: true });
    }
    for (queue, head) in heads {
        sqlx::query(
            "INSERT INTO queues (queue, head) VALUES ($1, $2)
             ON CONFLICT (queue) DO UPDATE SET head = excluded.head",
        )
        .bind(queue)
        .bind(signed(head.0))
        .execute(&mut *to)
        .await
        .map_err(failed("move the head of a queue"))?;
    }
    Ok(done)
}

pub(super) async fn find(
    from: &mut SqliteConnection,
    queue: &str,
    key: &str,
) -> Result<Option<Job>, StoreError> {
    let row = sqlx::query("SELECT * FROM jobs WHERE queue = $1 AND job_key = $2")
        .bind(queue)
        .bind(key)
        .fetch_optional(from)
        .await
        .map_err(failed("find a job"))?;
    row.as_ref().map(job).transpose()
}

pub(super) async fn list(
    from: &mut SqliteConnection,
    queue: &str,
    state: Option<JobState>,
    after: JobNumber,
    limit: i64,
) -> Result<Vec<Job>, StoreError> {
    let query = match state {
        Some(_) => {
            "SELECT * FROM jobs WHERE queue = $1 AND number > $2 AND state = $4 ORDER BY number LIMIT $3"
        }
        None => "SELECT * FROM jobs WHERE queue = $1 AND number > $2 ORDER BY number LIMIT $3",
    };
    let mut query = sqlx::query(query).bind(queue).bind(signed(after.0)).bind(limit);
    if let Some(state) = state {
        query = query.bind(state.name());
    }
    let rows = query.fetch_all(from).await.map_err(failed("list jobs"))?;
    rows.iter().map(job).collect()
}

/// Counts by what a lease at `now` would see: leases that ran out stand where expiry will put them.
pub(super) async fn counts(
    of: &mut SqliteConnection,
    queue: &str,
    now: Timestamp,
) -> Result<Counts, StoreError> {
    let rows = sqlx::query(
        "SELECT CASE
             WHEN state IN ('done', 'dead') THEN state
             WHEN state = 'leased' AND deadline_ms > $2 THEN 'leased'
             WHEN state = 'leased' AND attempt >= max_attempts THEN 'dead'
             WHEN ready_at_ms <= $2 THEN 'ready'
             ELSE 'waiting'
         END AS standing, COUNT(*) AS jobs
         FROM jobs WHERE queue = $1 GROUP BY standing",
    )
    .bind(queue)
    .bind(now.0)
    .fetch_all(of)
    .await
    .map_err(failed("count jobs"))?;
    let mut counts = Counts::default();
    for row in &rows {
        let jobs = integer(row, "jobs")?;
        match column(row, "standing")? {
            "ready" => counts.ready = jobs,
            "waiting" => counts.waiting = jobs,
            "leased" => counts.leased = jobs,
            "done" => counts.done = jobs,
            _ => counts.dead = jobs,
        }
    }
    Ok(counts)
}

async fn head(of: &mut SqliteConnection, queue: &str) -> Result<JobNumber, StoreError> {
    let row = sqlx::query("SELECT head FROM queues WHERE queue = $1")
        .bind(queue)
        .fetch_optional(of)
        .await
        .map_err(failed("read the head of a queue"))?;
    row.map_or(Ok(JobNumber(0)), |row| Ok(JobNumber(integer(&row, "head")?)))
}

/// Writes a job that is new: nothing of it was leased or settled yet.
async fn insert(to: &mut SqliteConnection, job: &Job) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO jobs (queue, number, job_key, lane, payload, state, enqueued_at_ms, ready_at_ms, attempt,
                           max_attempts, fence, failures)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, 0, '[]')",
    )
    .bind(&job.queue)
    .bind(signed(job.number.0))
    .bind(&job.key)
    .bind(i64::from(job.lane))
    .bind(job.payload.as_str())
    .bind(job.state.name())
    .bind(job.enqueued_at.0)
    .bind(job.ready_at.0)
    .bind(i64::from(job.max_attempts))
    .execute(to)
    .await
    .map_err(failed("enqueue a job"))?;
    Ok(())
}

/// Writes what a rule can have changed.
async fn save(to: &mut SqliteConnection, job: &Job) -> Result<(), StoreError> {
    let failures = serde_json::to_string(&job.failures).expect("failures are numbers and text");
    sqlx::query(
        "UPDATE jobs SET state = $3, ready_at_ms = $4, attempt = $5, fence = $6, owner = $7, deadline_ms = $8,
                         result = $9, finished_at_ms = $10, failures = $11
         WHERE queue = $1 AND number = $2",
    )
    .bind(&job.queue)
    .bind(signed(job.number.0))
    .bind(job.state.name())
    .bind(job.ready_at.0)
    .bind(i64::from(job.attempt))
    .bind(signed(job.fence.0))
    .bind(&job.owner)
    .bind(job.deadline.map(|at| at.0))
    .bind(job.result.as_ref().map(Json::as_str))
    .bind(job.finished_at.map(|at| at.0))
    .bind(failures)
    .execute(to)
    .await
    .map_err(failed("store a job"))?;
    Ok(())
}

fn job(row: &SqliteRow) -> Result<Job, StoreError> {
    let state: &str = column(row, "state")?;
    let result: Option<String> = column(row, "result")?;
    let failures: &str = column(row, "failures")?;
    Ok(Job {
        queue: column(row, "queue")?,
        key: column(row, "job_key")?,
        number: JobNumber(integer(row, "number")?),
        lane: integer(row, "lane")?,
        payload: json("job payload", column(row, "payload")?)?,
        state: JobState::ALL.into_iter().find(|known| known.name() == state).ok_or_else(|| {
            StoreError::Damaged { what: "job state", detail: format!("{state:?} is no state") }
        })?,
        enqueued_at: Timestamp(column(row, "enqueued_at_ms")?),
        ready_at: Timestamp(column(row, "ready_at_ms")?),
        attempt: integer(row, "attempt")?,
        max_attempts: integer(row, "max_attempts")?,
        fence: Fence(integer(row, "fence")?),
        owner: column(row, "owner")?,
        deadline: column::<Option<i64>>(row, "deadline_ms")?.map(Timestamp),
        result: result.map(|text| json("job result", text)).transpose()?,
        finished_at: column::<Option<i64>>(row, "finished_at_ms")?.map(Timestamp),
        failures: serde_json::from_str(failures)
            .map_err(|error| StoreError::Damaged { what: "job failures", detail: error.to_string() })?,
    })
}
