//! Many small subnets in bad weather: whatever is lost, doubled, late or killed, the invariants hold.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use primitives::{Digest, DurationMs, Hotkey, MechId, NetUid, Timestamp};
use rayon::prelude::*;
use sim::{InMemory, Keeping, RunError, Scenario, Stores, Violation, World};
use store::{
    Claim, Commit, Committed, Counts, Event, EventNumber, Job, JobNumber, JobState, Lease, Score, Store,
    StoreError,
};

/// Seeds that are run by default, some seconds, and for the full count, half an hour.
const DEFAULT_SEEDS: u64 = 120;
const FULL_SEEDS: u64 = 10_000;

/// Runs one seed to its end and gives the world's digest.
fn run(seed: u64, stores: &dyn Stores) -> Result<Digest, RunError> {
    let mut world = World::new(Scenario::storm(seed), stores)?;
    world.run(|_| {})?;
    Ok(world.digest())
}

fn digests(threads: usize, seeds: std::ops::Range<u64>) -> Vec<Digest> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
    let all = || seeds.into_par_iter().map(|seed| (seed, run(seed, &InMemory)));
    let done: Vec<_> = pool.install(|| all().collect());
    let failed: Vec<String> = done
        .iter()
        .filter_map(|(seed, result)| Some(format!("seed {seed}: {}", result.as_ref().err()?)))
        .collect();
    assert!(failed.is_empty(), "{} of {} seeds failed:\n{}", failed.len(), done.len(), failed.join("\n"));
    done.into_iter().filter_map(|(_, result)| result.ok()).collect()
}

#[test]
fn invariants_hold_in_every_storm_and_every_seed_is_another_world() {
    let seeds = crate::seeds(DEFAULT_SEEDS, FULL_SEEDS);
    let all = digests(2, seeds.clone());
    let distinct: BTreeSet<&Digest> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "two seeds gave the same world");
    println!("seeds {seeds:?}, all invariants held");
}

#[test]
fn the_same_seed_gives_the_same_bits_at_one_and_two_threads() {
    assert_eq!(digests(1, 0..12), digests(2, 0..12));
}

/// A store that has lost its fences: what a worker says after its lease has passed to another is taken all the
/// same.
struct LostFence(store::Memory);

impl Store for LostFence {
    fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        match self.0.commit(commit) {
            Err(StoreError::Lease(_)) => {
                let mut unfenced = Commit { settlement: None, ..commit.clone() };
                for (_, event) in &mut unfenced.events {
                    event.dedup_key = None;
                }
                self.0.commit(&unfenced)
            }
            done => done,
        }
    }

    fn read(&self, log: &str, after: EventNumber, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.0.read(log, after, limit)
    }

    fn head(&self, log: &str) -> Result<EventNumber, StoreError> {
        self.0.head(log)
    }

    fn find(&self, log: &str, dedup_key: &str) -> Result<Option<Event>, StoreError> {
        self.0.find(log, dedup_key)
    }

    fn lease(
        &self,
        queue: &str,
        owner: &str,
        now: Timestamp,
        ttl: DurationMs,
    ) -> Result<Option<Lease>, StoreError> {
        self.0.lease(queue, owner, now, ttl)
    }

    fn heartbeat(&self, claim: &Claim, now: Timestamp, ttl: DurationMs) -> Result<Timestamp, StoreError> {
        self.0.heartbeat(claim, now, ttl)
    }

    fn expire(&self, queue: &str, now: Timestamp) -> Result<usize, StoreError> {
        self.0.expire(queue, now)
    }

    fn revive(&self, queue: &str, key: &str, now: Timestamp) -> Result<(), StoreError> {
        self.0.revive(queue, key, now)
    }

    fn job(&self, queue: &str, key: &str) -> Result<Option<Job>, StoreError> {
        self.0.job(queue, key)
    }

    fn jobs(
        &self,
        queue: &str,
        state: Option<JobState>,
        after: JobNumber,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError> {
        self.0.jobs(queue, state, after, limit)
    }

    fn counts(&self, queue: &str, now: Timestamp) -> Result<Counts, StoreError> {
        self.0.counts(queue, now)
    }

    fn latest_score(
        &self,
        netuid: NetUid,
        mechid: MechId,
        hotkey: Hotkey,
    ) -> Result<Option<Score>, StoreError> {
        self.0.latest_score(netuid, mechid, hotkey)
    }

    fn latest_scores(
        &self,
        netuid: NetUid,
        mechid: MechId,
        after: Option<Hotkey>,
        limit: usize,
    ) -> Result<Vec<Score>, StoreError> {
        self.0.latest_scores(netuid, mechid, after, limit)
    }

    fn score_history(
        &self,
        netuid: NetUid,
        mechid: MechId,
        hotkey: Hotkey,
        from_round: u64,
        limit: usize,
    ) -> Result<Vec<Score>, StoreError> {
        self.0.score_history(netuid, mechid, hotkey, from_round, limit)
    }
}

struct LostFences;

impl Stores for LostFences {
    fn open(&self, _party: &Hotkey) -> Result<Keeping, String> {
        let artifacts = Arc::new(store::artifacts::InMemory::new());
        Ok(Keeping { store: Arc::new(LostFence(store::Memory::new())), artifacts })
    }
}

#[test]
fn a_lost_fence_is_caught_and_its_seed_replays() {
    let caught = Mutex::new(None);
    let noticed = (0..200).find(|seed| {
        let Err(RunError::Violation(violation)) = run(*seed, &LostFences) else { return false };
        *caught.lock().unwrap() = Some(violation);
        true
    });
    let seed = noticed.expect("200 storms without noticing a lost fence");
    let violation = caught.into_inner().unwrap().unwrap();
    assert!(matches!(violation, Violation::ExaminedTwice { .. }), "{violation}");
    let again = run(seed, &LostFences).unwrap_err();
    assert_eq!(again.to_string(), violation.to_string());
    run(seed, &InMemory).expect("with its fences the same seed is sound");
    println!("seed {seed}: {violation}");
}
