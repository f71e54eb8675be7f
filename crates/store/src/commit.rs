//! A commit: facts that become durable together or not at all.
//!
//! A crash between the end of a job and the event that tells of it, or half-way through an epoch's scores, would
//! leave a store that no replay can explain. So whatever belongs to one fact is gathered in one [`Commit`].

use std::collections::BTreeSet;

use primitives::Timestamp;

use crate::{
    Appended, Claim, Enqueued, Json, NewEvent, NewJob, Score, StoreError, check_name, event::EventNumber,
};

/// The most events, scores and jobs in one commit: the database is locked while it is written.
pub const MAX_COMMIT_ITEMS: usize = 20_000;

/// What is to be written at once. Parts are applied in the order settlement, events, scores, jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// The end of a job that this commit follows from; where it is refused, so is all else.
    pub settlement: Option<Settlement>,
    /// Events, each with its log.
    pub events: Vec<(String, NewEvent)>,
    /// Scores; each may be repeated with the same content and never changed.
    pub scores: Vec<Score>,
    /// Jobs, each with its queue.
    pub jobs: Vec<(String, NewJob)>,
}

/// The end of a lease by its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The job is finished.
    Done {
        /// Which lease.
        claim: Claim,
        /// What came out of it.
        result: Json,
        /// The time of the call.
        now: Timestamp,
    },
    /// The attempt came to nothing.
    Failed {
        /// Which lease.
        claim: Claim,
        /// Why; cut to [`crate::lease::MAX_REASON_BYTES`].
        reason: String,
        /// The time of the call.
        now: Timestamp,
        /// From when on the job may be leased again, where attempts are left.
        retry_at: Timestamp,
    },
}

impl Settlement {
    /// The lease that is settled.
    #[must_use]
    pub fn claim(&self) -> &Claim {
        match self {
            Settlement::Done { claim, .. } | Settlement::Failed { claim, .. } => claim,
        }
    }

    pub(crate) fn apply(&self, job: &mut crate::Job) -> Result<Settled, crate::LeaseError> {
        match self {
            Settlement::Done { claim, result, now } => job.finish(claim, result, *now),
            Settlement::Failed { claim, reason, now, retry_at } => {
                job.give_back(claim, reason, *now, *retry_at)
            }
        }
    }
}

/// What became of a job that was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Finished now.
    Done,
    /// Given back; it will be leased again.
    Retrying,
    /// Given back after its last attempt.
    Dead,
    /// This settlement was accepted before, with all that its commit carried; nothing was written now.
    Already,
}

/// What became of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The settlement's outcome, where there was one.
    pub settled: Option<Settled>,
    /// One entry per event in their order; empty under [`Settled::Already`].
    pub events: Vec<Appended>,
    /// One entry per job in their order; empty under [`Settled::Already`].
    pub jobs: Vec<Enqueued>,
}

impl Committed {
    /// The number of the last event that was appended or repeated.
    #[must_use]
    pub fn last_event(&self) -> Option<EventNumber> {
        self.events.last().map(|event| event.number)
    }
}

impl Commit {
    /// A commit that writes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Finishes a job.
    #[must_use]
    pub fn done(mut self, claim: &Claim, result: Json, now: Timestamp) -> Self {
        self.settlement = Some(Settlement::Done { claim: claim.clone(), result, now });
        self
    }

    /// Gives a job back.
    #[must_use]
    pub fn failed(mut self, claim: &Claim, reason: &str, now: Timestamp, retry_at: Timestamp) -> Self {
        let reason = reason.to_owned();
        self.settlement = Some(Settlement::Failed { claim: claim.clone(), reason, now, retry_at });
        self
    }

    /// Appends an event to `log`.
    #[must_use]
    pub fn event(mut self, log: &str, event: NewEvent) -> Self {
        self.events.push((log.to_owned(), event));
        self
    }

    /// Appends events to `log`.
    #[must_use]
    pub fn events(mut self, log: &str, events: &[NewEvent]) -> Self {
        self.events.extend(events.iter().map(|event| (log.to_owned(), event.clone())));
        self
    }

    /// Writes a score.
    #[must_use]
    pub fn score(mut self, score: Score) -> Self {
        self.scores.push(score);
        self
    }

    /// Writes scores.
    #[must_use]
    pub fn scores(mut self, scores: impl IntoIterator<Item = Score>) -> Self {
        self.scores.extend(scores);
        self
    }

    /// Puts a job into `queue`.
    #[must_use]
    pub fn job(mut self, queue: &str, job: NewJob) -> Self {
        self.jobs.push((queue.to_owned(), job));
        self
    }

    /// Refuses what no store would take, before anything is looked up: bad names and values, too many parts,
    /// and one key twice, of which the second could only be a repetition or a contradiction of the first.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let items = self.events.len() + self.scores.len() + self.jobs.len();
        if items > MAX_COMMIT_ITEMS {
            return Err(StoreError::Argument {
                what: "number of parts of a commit",
                found: items.to_string(),
                bound: format!("at most {MAX_COMMIT_ITEMS}"),
            });
        }
        if let Some(settlement) = &self.settlement {
            check_name("queue name", &settlement.claim().queue)?;
        }
        let mut keys = BTreeSet::new();
        for (log, event) in &self.events {
            event.check(log)?;
            if let Some(key) = &event.dedup_key
                && !keys.insert((log.as_str(), key.as_str()))
            {
                return Err(twice("event", key));
            }
        }
        let mut keys = BTreeSet::new();
        for score in &self.scores {
            score.check()?;
            if !keys.insert(score.key()) {
                return Err(twice("score", &format!("{} round {}", score.hotkey, score.round)));
            }
        }
        let mut keys = BTreeSet::new();
        for (queue, job) in &self.jobs {
            job.check(queue)?;
            if !keys.insert((queue.as_str(), job.key.as_str())) {
                return Err(twice("job", &job.key));
            }
        }
        Ok(())
    }
}

fn twice(what: &'static str, key: &str) -> StoreError {
    StoreError::Argument {
        what: "key of a commit's parts",
        found: format!("{key:?} for two {what}s"),
        bound: "each key once".to_owned(),
    }
}
