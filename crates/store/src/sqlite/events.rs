//! The rows of logs and events.

use std::collections::BTreeMap;

use primitives::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{column, failed, integer, json, signed};
use crate::{Appended, Event, EventNumber, NewEvent, StoreError};

/// Appends in order; the caller holds the write lock.
pub(super) async fn append(
    to: &mut SqliteConnection,
    events: &[(String, NewEvent)],
) -> Result<Vec<Appended>, StoreError> {
    let mut heads: BTreeMap<&str, EventNumber> = BTreeMap::new();
    let mut done = Vec::with_capacity(events.len());
    for (log, event) in events {
        if let Some(key) = &event.dedup_key
            && let Some(first) = find(to, log, key).await?
        {
            done.push(first.repeated_by(log, event)?);
            continue;
        }
        let last = match heads.get(log.as_str()) {
            Some(&last) => last,
            None => head(to, log).await?,
        };
        let number = EventNumber(last.0 + 1);
        heads.insert(log, number);
        sqlx::query(
            "INSERT INTO events (log, number, at_ms, kind, body, dedup_key) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(log)
        .bind(signed(number.0))
        .bind(event.at.0)
        .bind(&event.kind)
        .bind(event.body.as_str())
        .bind(&event.dedup_key)
        .execute(&mut *to)
        .await
        .map_err(failed("append an event"))?;
        done.push(Appended { number, fresh: true });
    }
    for (log, head) in heads {
        sqlx::query(
            "INSERT INTO logs (log, head) VALUES ($1, $2)
             ON CONFLICT (log) DO UPDATE SET head = excluded.head",
        )
        .bind(log)
        .bind(signed(head.0))
        .execute(&mut *to)
        .await
        .map_err(failed("move the head of a log"))?;
    }
    Ok(done)
}

pub(super) async fn head(of: &mut SqliteConnection, log: &str) -> Result<EventNumber, StoreError> {
    let row = sqlx::query("SELECT head FROM logs WHERE log = $1")
        .bind(log)
        .fetch_optional(of)
        .await
        .map_err(failed("read the head of a log"))?;
    row.map_or(Ok(EventNumber::START), |row| Ok(EventNumber(integer(&row, "head")?)))
}

pub(super) async fn read(
    from: &mut SqliteConnection,
    log: &str,
    after: EventNumber,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    let rows = sqlx::query(
        "SELECT number, at_ms, kind, body, dedup_key FROM events
         WHERE log = $1 AND number > $2 ORDER BY number LIMIT $3",
    )
    .bind(log)
    .bind(signed(after.0))
    .bind(limit)
    .fetch_all(from)
    .await
    .map_err(failed("read events"))?;
    rows.iter().map(event).collect()
}

pub(super) async fn find(
    from: &mut SqliteConnection,
    log: &str,
    dedup_key: &str,
) -> Result<Option<Event>, StoreError> {
    let row = sqlx::query(
        "SELECT number, at_ms, kind, body, dedup_key FROM events WHERE log = $1 AND dedup_key = $2",
    )
    .bind(log)
    .bind(dedup_key)
    .fetch_optional(from)
    .await
    .map_err(failed("find an event by its key"))?;
    row.as_ref().map(event).transpose()
}

fn event(row: &SqliteRow) -> Result<Event, StoreError> {
    Ok(Event {
        number: EventNumber(integer(row, "number")?),
        kind: column(row, "kind")?,
        body: json("event body", column(row, "body")?)?,
        at: Timestamp(column(row, "at_ms")?),
        dedup_key: column(row, "dedup_key")?,
    })
}
