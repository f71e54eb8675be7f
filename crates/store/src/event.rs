//! Events: what happened, appended to a log and never changed.
//!
//! The numbers of a log start at 1 and have no gap. They are given out inside of the write that makes the event
//! visible, one write at a time, so that a reader who resumes after the last number it saw misses nothing.

use std::fmt;

use primitives::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Json, StoreError, check_name};

/// An event's place in its log; the first is 1, and 0 stands before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventNumber(pub u64);

impl EventNumber {
    /// Before the first event: a reader who has seen nothing resumes here.
    pub const START: EventNumber = EventNumber(0);
}

impl fmt::Display for EventNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event that is to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What kind of fact this is, for readers that select; `TaskSubmitted`.
    pub kind: String,
    /// The fact.
    pub body: Json,
    /// When it happened, as its writer says. Numbers, not times, give the order.
    pub at: Timestamp,
    /// Where present, the log takes one event under this key: the same kind and body again are a repetition and
    /// get the first number, anything else is refused. An idempotency key or a (netuid, mechid, epoch) goes here.
    pub dedup_key: Option<String>,
}

impl NewEvent {
    /// An event without a key: appending it twice makes two.
    #[must_use]
    pub fn new(kind: impl Into<String>, body: Json, at: Timestamp) -> Self {
        Self { kind: kind.into(), body, at, dedup_key: None }
    }

    /// The same event, to be appended once per `key` and log.
    #[must_use]
    pub fn once(self, key: impl Into<String>) -> Self {
        Self { dedup_key: Some(key.into()), ..self }
    }

    pub(crate) fn check(&self, log: &str) -> Result<(), StoreError> {
        check_name("log name", log)?;
        check_name("event kind", &self.kind)?;
        self.dedup_key.as_deref().map_or(Ok(()), |key| check_name("event key", key))
    }

    pub(crate) fn numbered(&self, number: EventNumber) -> Event {
        let Self { kind, body, at, dedup_key } = self.clone();
        Event { number, kind, body, at, dedup_key }
    }
}

/// An event of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the log.
    pub number: EventNumber,
    /// What kind of fact this is.
    pub kind: String,
    /// The fact.
    pub body: Json,
    /// When it happened, as its writer says.
    pub at: Timestamp,
    /// The key under which it was appended once.
    pub dedup_key: Option<String>,
}

impl Event {
    /// The answer to `again`, which came under this event's key. Only kind and body are compared: a writer that
    /// repeats itself after a crash has a later clock.
    pub(crate) fn repeated_by(&self, log: &str, again: &NewEvent) -> Result<Appended, StoreError> {
        if self.kind == again.kind && self.body == again.body {
            return Ok(Appended { number: self.number, fresh: false });
        }
        Err(StoreError::Reused {
            what: "event",
            scope: log.to_owned(),
            key: self.dedup_key.clone().unwrap_or_default(),
        })
    }
}

/// Where an event stands after appending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its number.
    pub number: EventNumber,
    /// Whether it was written now; otherwise its key was known and nothing was written.
    pub fresh: bool,
}
