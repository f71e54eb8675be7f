//! The store in memory: ordered maps behind a lock, for the simulator and for tests.
//!
//! A clone is another handle to the same state, as a second connection would be; what was committed survives
//! everything that a simulated crash drops. [`Memory::fork`] copies the state instead.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use primitives::{DurationMs, Hotkey, MechId, NetUid, Timestamp};

use crate::{
    Appended, Claim, Commit, Committed, Counts, Enqueued, Event, EventNumber, Job, JobNumber, JobState,
    Lease, LeaseError, MAX_PAGE, NewEvent, NewJob, Score, Settled, Store, StoreError, check_name, check_ttl,
};

/// Durable state for as long as the process lives.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    logs: BTreeMap<String, Log>,
    queues: BTreeMap<String, Queue>,
    scores: BTreeMap<(NetUid, MechId, Hotkey), BTreeMap<u64, Score>>,
}

#[derive(Clone, Debug, Default)]
struct Log {
    /// The event with number n stands at n − 1.
    events: Vec<Event>,
    by_key: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, Default)]
struct Queue {
    /// The job with number n stands at n − 1.
    jobs: Vec<Job>,
    by_key: BTreeMap<String, usize>,
    /// Jobs in state `Ready` in the order of leasing: lane, index.
    ready: BTreeSet<(u8, usize)>,
    /// Jobs in state `Leased` in the order of expiry: deadline, index.
    leased: BTreeSet<(Timestamp, usize)>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store of its own that starts with a copy of this one's state.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { state: Arc::new(Mutex::new(self.lock().clone())) }
    }

    /// No method leaves the state half-written when it panics: all checks come before the first change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        commit.check()?;
        let mut state = self.lock();

        let mut settled = None;
        if let Some(settlement) = &commit.settlement {
            let claim = settlement.claim();
            let mut job = state.job(&claim.queue, &claim.key)?.clone();
            let outcome = settlement.apply(&mut job)?;
            if outcome == Settled::Already {
                return Ok(Committed { settled: Some(outcome), ..Committed::default() });
            }
            settled = Some((outcome, job));
        }
        let known_events: Vec<_> = commit
            .events
            .iter()
            .map(|(log, event)| state.known_event(log, event))
            .collect::<Result<_, _>>()?;
        for score in &commit.scores {
            state.known_score(score)?;
        }
        let known_jobs: Vec<_> =
            commit.jobs.iter().map(|(queue, job)| state.known_job(queue, job)).collect::<Result<_, _>>()?;

        // Nothing is refused from here on.
        let mut done = Committed::default();
        if let Some((outcome, job)) = settled {
            done.settled = Some(outcome);
            state.queues.entry(job.queue.clone()).or_default().put(job);
        }
        for ((log, event), known) in commit.events.iter().zip(known_events) {
            let appended = known.unwrap_or_else(|| state.logs.entry(log.clone()).or_default().append(event));
            done.events.push(appended);
        }
        for score in &commit.scores {
            let history = state.scores.entry((score.netuid, score.mechid, score.hotkey)).or_default();
            history.entry(score.round).or_insert_with(|| score.clone());
        }
        for ((queue, job), known) in commit.jobs.iter().zip(known_jobs) {
            let put =
                known.unwrap_or_else(|| state.queues.entry(queue.clone()).or_default().enqueue(queue, job));
            done.jobs.push(put);
        }
        Ok(done)
    }

    fn read(&self, log: &str, after: EventNumber, limit: usize) -> Result<Vec<Event>, StoreError> {
        let state = self.lock();
        let Some(log) = state.logs.get(log) else { return Ok(Vec::new()) };
        let from = index(after.0).min(log.events.len());
        Ok(log.events[from..].iter().take(limit.min(MAX_PAGE)).cloned().collect())
    }

    fn head(&self, log: &str) -> Result<EventNumber, StoreError> {
        let state = self.lock();
        Ok(EventNumber(state.logs.get(log).map_or(0, |log| log.events.len() as u64)))
    }

    fn find(&self, log: &str, dedup_key: &str) -> Result<Option<Event>, StoreError> {
        let state = self.lock();
        Ok(state.logs.get(log).and_then(|log| log.by_key(dedup_key)).cloned())
    }

    fn lease(
        &self,
        queue: &str,
        owner: &str,
        now: Timestamp,
        ttl: DurationMs,
    ) -> Result<Option<Lease>, StoreError> {
        check_name("owner", owner)?;
        check_ttl(ttl)?;
        let mut state = self.lock();
        let Some(queue) = state.queues.get_mut(queue) else { return Ok(None) };
        queue.expire(now);
        let first = queue.ready.iter().map(|&(_, at)| at).find(|&at| queue.jobs[at].ready_at <= now);
        let Some(at) = first else { return Ok(None) };
        let mut job = queue.jobs[at].clone();
        job.take(owner, now + ttl);
        let lease = job.lease();
        queue.put(job);
        Ok(lease)
    }

    fn heartbeat(&self, claim: &Claim, now: Timestamp, ttl: DurationMs) -> Result<Timestamp, StoreError> {
        check_ttl(ttl)?;
        let mut state = self.lock();
        let mut job = state.job(&claim.queue, &claim.key)?.clone();
        let deadline = job.beat(claim, now, ttl)?;
        state.queues.entry(claim.queue.clone()).or_default().put(job);
        Ok(deadline)
    }

    fn expire(&self, queue: &str, now: Timestamp) -> Result<usize, StoreError> {
        Ok(self.lock().queues.get_mut(queue).map_or(0, |queue| queue.expire(now)))
    }

    fn revive(&self, queue: &str, key: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut state = self.lock();
        let mut job = state.job(queue, key)?.clone();
        job.revive(now)?;
        state.queues.entry(queue.to_owned()).or_default().put(job);
        Ok(())
    }

    fn job(&self, queue: &str, key: &str) -> Result<Option<Job>, StoreError> {
        Ok(self.lock().job(queue, key).ok().cloned())
    }

    fn jobs(
        &self,
        queue: &str,
        state: Option<JobState>,
        after: JobNumber,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError> {
        let all = self.lock();
        let Some(queue) = all.queues.get(queue) else { return Ok(Vec::new()) };
        let from = index(after.0).min(queue.jobs.len());
        let wanted = queue.jobs[from..].iter().filter(|job| state.is_none_or(|state| job.state == state));
        Ok(wanted.take(limit.min(MAX_PAGE)).cloned().collect())
    }

    fn counts(&self, queue: &str, now: Timestamp) -> Result<Counts, StoreError> {
        let state = self.lock();
        let mut counts = Counts::default();
        for job in state.queues.get(queue).into_iter().flat_map(|queue| &queue.jobs) {
            let over = job.deadline.is_some_and(|deadline| deadline <= now);
            let last = job.attempt >= job.max_attempts;
            *match job.state {
                JobState::Leased if !over => &mut counts.leased,
                JobState::Leased if last => &mut counts.dead,
                JobState::Ready | JobState::Leased if job.ready_at <= now => &mut counts.ready,
                JobState::Ready | JobState::Leased => &mut counts.waiting,
                JobState::Done => &mut counts.done,
                JobState::Dead => &mut counts.dead,
            } += 1;
        }
        Ok(counts)
    }

    fn latest_score(
        &self,
        netuid: NetUid,
        mechid: MechId,
        hotkey: Hotkey,
    ) -> Result<Option<Score>, StoreError> {
        let state = self.lock();
        let history = state.scores.get(&(netuid, mechid, hotkey));
        Ok(history.and_then(|history| history.values().next_back()).cloned())
    }

    fn latest_scores(
        &self,
        netuid: NetUid,
        mechid: MechId,
        after: Option<Hotkey>,
        limit: usize,
    ) -> Result<Vec<Score>, StoreError> {
        let state = self.lock();
        let first = Hotkey::from_bytes([0; 32]);
        let from = match after {
            Some(hotkey) => Bound::Excluded((netuid, mechid, hotkey)),
            None => Bound::Included((netuid, mechid, first)),
        };
        let histories = state.scores.range((from, Bound::Unbounded));
        let ours = histories.take_while(|((net, mech, _), _)| (*net, *mech) == (netuid, mechid));
        let latest = ours.filter_map(|(_, history)| history.values().next_back());
        Ok(latest.take(limit.min(MAX_PAGE)).cloned().collect())
    }

    fn score_history(
        &self,
        netuid: NetUid,
        mechid: MechId,
        hotkey: Hotkey,
        from_round: u64,
        limit: usize,
    ) -> Result<Vec<Score>, StoreError> {
        let state = self.lock();
        let Some(history) = state.scores.get(&(netuid, mechid, hotkey)) else { return Ok(Vec::new()) };
        Ok(history.range(from_round..).map(|(_, score)| score).take(limit.min(MAX_PAGE)).cloned().collect())
    }
}

impl State {
    fn job(&self, queue: &str, key: &str) -> Result<&Job, LeaseError> {
        let unknown = || LeaseError::Unknown { queue: queue.to_owned(), key: key.to_owned() };
        self.queues.get(queue).and_then(|queue| queue.by_key(key)).ok_or_else(unknown)
    }

    fn known_event(&self, log: &str, event: &NewEvent) -> Result<Option<Appended>, StoreError> {
        let Some(key) = &event.dedup_key else { return Ok(None) };
        let first = self.logs.get(log).and_then(|log| log.by_key(key));
        first.map(|first| first.repeated_by(log, event)).transpose()
    }

    fn known_score(&self, score: &Score) -> Result<(), StoreError> {
        let history = self.scores.get(&(score.netuid, score.mechid, score.hotkey));
        history.and_then(|history| history.get(&score.round)).map_or(Ok(()), |first| first.repeated_by(score))
    }

    fn known_job(&self, queue: &str, job: &NewJob) -> Result<Option<Enqueued>, StoreError> {
        let first = self.queues.get(queue).and_then(|queue| queue.by_key(&job.key));
        first.map(|first| first.repeated_by(job)).transpose()
    }
}

impl Log {
    fn by_key(&self, key: &str) -> Option<&Event> {
        self.by_key.get(key).map(|&at| &self.events[at])
    }

    fn append(&mut self, event: &NewEvent) -> Appended {
        let at = self.events.len();
        let number = EventNumber(at as u64 + 1);
        if let Some(key) = &event.dedup_key {
            self.by_key.insert(key.clone(), at);
        }
        self.events.push(event.numbered(number));
        Appended { number, fresh: true }
    }
}

impl Queue {
    fn by_key(&self, key: &str) -> Option<&Job> {
        self.by_key.get(key).map(|&at| &self.jobs[at])
    }

    fn enqueue(&mut self, queue: &str, job: &NewJob) -> Enqueued {
        let at = self.jobs.len();
        let number = JobNumber(at as u64 + 1);
        self.by_key.insert(job.key.clone(), at);
        self.jobs.push(job.numbered(queue, number));
        self.ready.insert((job.lane, at));
        Enqueued { number, fresh: true }
    }

    /// Stores a changed job and moves it between the indices.
    fn put(&mut self, job: Job) {
        let at = index(job.number.0) - 1;
        let old = &self.jobs[at];
        self.ready.remove(&(old.lane, at));
        if let Some(deadline) = old.deadline {
            self.leased.remove(&(deadline, at));
        }
        match (job.state, job.deadline) {
            (JobState::Ready, _) => drop(self.ready.insert((job.lane, at))),
            (JobState::Leased, Some(deadline)) => drop(self.leased.insert((deadline, at))),
            _ => {}
        }
        self.jobs[at] = job;
    }

    fn expire(&mut self, now: Timestamp) -> usize {
        let over: Vec<usize> =
            self.leased.iter().take_while(|(deadline, _)| *deadline <= now).map(|&(_, at)| at).collect();
        for &at in &over {
            let mut job = self.jobs[at].clone();
            job.expire(now);
            self.put(job);
        }
        over.len()
    }
}

/// A number as an index; one beyond the address space stands behind every vector.
fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
