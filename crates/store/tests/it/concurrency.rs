//! Many at once: writers, readers that resume, workers whose leases run out.
//!
//! `STORE_JOBS` sets the number of jobs that the workers share; 1,000 by default.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    thread,
};

use primitives::{DurationMs, Timestamp};
use store::{
    Commit, Counts, Durable, EventNumber, JobNumber, JobState, Json, Memory, Settled, Store, StoreError,
};

use super::{durable, event, job};

const WRITERS: usize = 4;
const BATCHES: usize = 25;
const WORKERS: usize = 8;
const JOBS: usize = 1_000;

/// Handles for threads: of one connection pool, of one pool each as processes have them, and of memory.
fn handles(path: &Path, count: usize) -> Vec<Durable> {
    (0..count).map(|_| Durable::open(path).unwrap()).collect()
}

fn readers_miss_nothing(writers: &[&dyn Store], reader: &dyn Store) {
    let running = AtomicUsize::new(writers.len());
    let total = writers.len() * BATCHES * 3;
    thread::scope(|scope| {
        for (who, &store) in writers.iter().enumerate() {
            let running = &running;
            scope.spawn(move || {
                for batch in 0..BATCHES {
                    let body = format!("[{who},{batch}]");
                    let done =
                        store.append("log", &[event("a", &body), event("b", &body), event("c", &body)]);
                    let numbers: Vec<u64> = done.unwrap().iter().map(|e| e.number.0).collect();
                    assert_eq!(numbers, [numbers[0], numbers[0] + 1, numbers[0] + 2]);
                }
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let mut seen = Vec::new();
        loop {
            let over = running.load(Ordering::SeqCst) == 0;
            let last = EventNumber(seen.len() as u64);
            let page = reader.read("log", last, 7).unwrap();
            let end = page.is_empty() && over;
            for event in page {
                assert_eq!(event.number.0, seen.len() as u64 + 1, "a reader that resumes misses nothing");
                seen.push((event.kind, event.body));
            }
            if end {
                break;
            }
        }
        assert_eq!(seen.len(), total);
        for batch in seen.chunks(3) {
            let kinds: Vec<&str> = batch.iter().map(|(kind, _)| kind.as_str()).collect();
            assert_eq!(kinds, ["a", "b", "c"], "batches do not mix");
            assert!(batch.iter().all(|(_, body)| *body == batch[0].1));
        }
    });
}

#[test]
fn a_reader_that_resumes_misses_nothing_on_one_handle() {
    let (_folder, store) = durable();
    readers_miss_nothing(&[&store as &dyn Store; WRITERS], &store);
    let memory = Memory::new();
    readers_miss_nothing(&[&memory as &dyn Store; WRITERS], &memory);
}

#[test]
fn a_reader_that_resumes_misses_nothing_across_handles() {
    let (folder, store) = durable();
    let writers = handles(&folder.path().join("store.db"), WRITERS);
    let writers: Vec<&dyn Store> = writers.iter().map(|store| store as &dyn Store).collect();
    readers_miss_nothing(&writers, &store);
}

/// Workers share jobs under a clock that they push themselves; every fifth lease is slow and runs out, and its
/// holder tries to commit all the same.
fn each_result_is_committed_once(stores: &[&dyn Store], jobs: usize) {
    let first = stores[0];
    let keys = 0..jobs;
    let commit = keys.fold(Commit::new(), |commit, n| {
        commit.job("queue", store::NewJob { max_attempts: 1_000, ..job(&n.to_string()) })
    });
    first.commit(&commit).unwrap();
    let clock = AtomicI64::new(1);
    let finished = AtomicBool::new(false);
    let accepted = Mutex::new(BTreeSet::new());
    let (refused, leased) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ttl = DurationMs(1_000);
    thread::scope(|scope| {
        for (who, &store) in stores.iter().enumerate() {
            let (clock, finished, accepted) = (&clock, &finished, &accepted);
            let (refused, leased) = (&refused, &leased);
            scope.spawn(move || {
                let owner = format!("worker {who}");
                while !finished.load(Ordering::SeqCst) {
                    let now = Timestamp(clock.fetch_add(1, Ordering::SeqCst));
                    let Some(lease) = store.lease("queue", &owner, now, ttl).unwrap() else {
                        // All that is left is held: let it run out or be finished.
                        clock.fetch_add(ttl.0 / 4, Ordering::SeqCst);
                        let counts = store.counts("queue", now).unwrap();
                        finished.fetch_or(counts.done == jobs as u64, Ordering::SeqCst);
                        continue;
                    };
                    if leased.fetch_add(1, Ordering::SeqCst).is_multiple_of(5) {
                        clock.fetch_add(ttl.0 * 2, Ordering::SeqCst);
                    }
                    let key = &lease.claim.key;
                    let result = Json::of(&(who, lease.claim.fence)).unwrap();
                    let told = event("Done", &format!("\"{key}\""));
                    let now = Timestamp(clock.load(Ordering::SeqCst));
                    match store.ack_with(&lease.claim, result.clone(), "log", &[told], now) {
                        Ok(done) => {
                            assert_eq!(done.settled, Some(Settled::Done));
                            assert!(accepted.lock().unwrap().insert(key.clone()), "{key} was accepted twice");
                        }
                        Err(StoreError::Lease(_)) => {
                            refused.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(
        first.counts("queue", Timestamp(0)).unwrap(),
        Counts { done: jobs as u64, ..Counts::default() }
    );
    assert_eq!(accepted.lock().unwrap().len(), jobs);
    assert!(refused.load(Ordering::SeqCst) >= jobs / 10, "leases ran out and were refused");
    let mut events = Vec::new();
    let mut last = EventNumber::START;
    loop {
        let page = first.read("log", last, usize::MAX).unwrap();
        let Some(end) = page.last() else { break };
        last = end.number;
        events.extend(page.into_iter().map(|event| event.body.read::<String>().unwrap()));
    }
    assert_eq!(events.len(), jobs, "one event per job");
    assert_eq!(events.into_iter().collect::<BTreeSet<_>>(), accepted.into_inner().unwrap());
    let done = first.jobs("queue", Some(JobState::Done), JobNumber(0), usize::MAX).unwrap();
    for job in done {
        let (_, fence): (usize, u64) = job.result.unwrap().read().unwrap();
        assert_eq!(fence, job.fence.0, "the result is the newest holder's");
        let fences: Vec<u64> = job.failures.iter().map(|failure| failure.fence.0).collect();
        assert!(fences.is_sorted_by(|a, b| a < b) && fences.iter().all(|&old| old < fence));
    }
}

fn jobs() -> usize {
    std::env::var("STORE_JOBS").ok().map_or(JOBS, |text| text.parse().unwrap())
}

#[test]
fn eight_workers_commit_each_result_once_in_memory() {
    let memory = Memory::new();
    each_result_is_committed_once(&[&memory as &dyn Store; WORKERS], jobs());
}

#[test]
fn eight_workers_commit_each_result_once_in_one_file() {
    let (folder, store) = durable();
    let others = handles(&folder.path().join("store.db"), 1);
    // Half of the workers share a handle with each other, the rest another one, as two processes would.
    let stores: Vec<&dyn Store> =
        (0..WORKERS).map(|n| if n % 2 == 0 { &store as &dyn Store } else { &others[0] }).collect();
    each_result_is_committed_once(&stores, jobs());
}
