//! Memory and SQLite give the same answers to any sequence of calls, and the promises on leases hold in it.
//!
//! `STORE_AGREEMENT_CASES` sets the number of sequences; a release is checked with 2,000.

use std::{collections::BTreeMap, fmt::Debug};

use primitives::{DurationMs, Hotkey, MechId, NetUid, Timestamp};
use proptest::{collection::vec, prelude::*};
use store::{
    Claim, Commit, EventNumber, Fence, JobNumber, JobState, Json, Lease, Memory, NewEvent, NewJob, Score,
    Settled, Store, StoreError,
};

use super::durable;

const LOGS: [&str; 2] = ["log", "Log"];
const QUEUES: [&str; 2] = ["evaluate", "tasks"];
const CASES: u32 = 24;
const STEPS: usize = 80;

/// One call; small numbers pick names and times, so that calls meet and bounds are hit exactly.
#[derive(Clone, Debug)]
enum Op {
    Commit { settle: Option<Settle>, events: Vec<Ev>, scores: Vec<(u8, u8, u8)>, jobs: Vec<Jb> },
    Lease { queue: usize, owner: u8, ttl: i64 },
    Heartbeat { of: Pick, ttl: i64 },
    Expire { queue: usize },
    Revive { queue: usize, key: u8 },
    Read { log: usize, after: u64, limit: usize },
    Find { log: usize, key: u8 },
    Jobs { queue: usize, state: Option<JobState>, after: u64, limit: usize },
    Scores { after: Option<u8>, limit: usize, hotkey: u8, from_round: u64 },
    Clock { forward: i64 },
}

/// Which of the leases seen so far, and what is forged about it.
#[derive(Clone, Debug)]
struct Pick {
    index: prop::sample::Index,
    forge: u8,
}

#[derive(Clone, Debug)]
struct Settle {
    of: Pick,
    result: Option<u8>,
    retry: i64,
}

#[derive(Clone, Debug)]
struct Ev {
    log: usize,
    body: u8,
    key: Option<u8>,
}

#[derive(Clone, Debug)]
struct Jb {
    queue: usize,
    key: u8,
    payload: u8,
    lane: u8,
    delay: i64,
    attempts: u32,
}

fn pick() -> impl Strategy<Value = Pick> {
    // Most claims are of leases as they were given out; the rest are forged.
    (any::<prop::sample::Index>(), 0..12u8).prop_map(|(index, forge)| Pick { index, forge })
}

fn op() -> impl Strategy<Value = Op> {
    let settle = (pick(), prop::option::weighted(0.6, 0..2u8), -2..20i64)
        .prop_map(|(of, result, retry)| Settle { of, result, retry });
    // Contradictions are seldom everywhere: a refused commit tells less than one that is written.
    let event = (0..2usize, 0..30u8, prop::option::of(0..12u8)).prop_map(|(log, body, key)| Ev {
        log,
        body: body / 29,
        key,
    });
    let job = (0..2usize, 0..16u8, 0..40u8, 0..2u8, -1..5i64, 1..5u32).prop_map(
        |(queue, key, payload, lane, delay, attempts)| Jb {
            queue,
            key,
            payload: payload / 39,
            lane,
            delay,
            attempts,
        },
    );
    let queue = 0..2usize;
    let state = prop::option::of(prop::sample::select(JobState::ALL.to_vec()));
    prop_oneof![
        6 => (
            prop::option::weighted(0.5, settle), vec(event, 0..4), vec((0..3u8, 0..4u8, 0..30u8), 0..3),
            vec(job, 0..3),
        )
            .prop_map(|(settle, events, scores, jobs)| Op::Commit { settle, events, scores, jobs }),
        8 => (queue.clone(), 0..3u8, -1..12i64).prop_map(|(queue, owner, ttl)| Op::Lease { queue, owner, ttl }),
        2 => (pick(), 0..12i64).prop_map(|(of, ttl)| Op::Heartbeat { of, ttl }),
        1 => queue.clone().prop_map(|queue| Op::Expire { queue }),
        1 => (queue.clone(), 0..16u8).prop_map(|(queue, key)| Op::Revive { queue, key }),
        1 => (0..2usize, 0..20u64, 0..9usize).prop_map(|(log, after, limit)| Op::Read { log, after, limit }),
        1 => (0..2usize, 0..12u8).prop_map(|(log, key)| Op::Find { log, key }),
        1 => (queue, state, 0..9u64, 0..9usize)
            .prop_map(|(queue, state, after, limit)| Op::Jobs { queue, state, after, limit }),
        1 => (prop::option::of(0..3u8), 0..4usize, 0..3u8, 0..4u64)
            .prop_map(|(after, limit, hotkey, from_round)| Op::Scores { after, limit, hotkey, from_round }),
        3 => (-3..15i64).prop_map(|forward| Op::Clock { forward }),
    ]
}

/// What both keepers are told in turn, and what was seen.
struct Story<'a> {
    memory: &'a Memory,
    durable: &'a dyn Store,
    now: Timestamp,
    leases: Vec<Lease>,
    fences: BTreeMap<(String, String), Fence>,
    results: BTreeMap<(String, String), Json>,
}

impl Story<'_> {
    /// Asks both; the answers, refusals included, must be the same.
    fn ask<T: Debug>(&self, call: impl Fn(&dyn Store) -> Result<T, StoreError>) -> Option<T> {
        let told = |answer: &Result<T, StoreError>| match answer {
            Ok(value) => format!("{value:?}"),
            Err(refusal) => format!("refused: {refusal}"),
        };
        let (one, two) = (call(self.memory), call(self.durable));
        assert_eq!(told(&one), told(&two), "memory and sqlite differ");
        one.ok()
    }

    fn claim(&self, of: &Pick) -> Claim {
        let nobody = Claim { queue: "evaluate".into(), key: "0".into(), owner: "0".into(), fence: Fence(1) };
        let recent: Vec<&Lease> = self.leases.iter().rev().take(6).collect();
        let mut claim = if recent.is_empty() { nobody } else { of.index.get(&recent).claim.clone() };
        match of.forge {
            0 => claim.fence.0 += 1,
            1 => claim.owner = "thief".into(),
            2 => claim.key = "none".into(),
            3 => claim.fence.0 = claim.fence.0.saturating_sub(1),
            _ => {}
        }
        claim
    }

    fn step(&mut self, op: &Op) {
        let now = self.now;
        match op {
            Op::Commit { settle, events, scores, jobs } => {
                let commit = self.commit(settle.as_ref(), events, scores, jobs);
                let done = self.ask(|store| store.commit(&commit));
                self.settled(&commit, done.and_then(|done| done.settled));
            }
            Op::Lease { queue, owner, ttl } => {
                let (queue, owner, ttl) = (QUEUES[*queue], owner.to_string(), DurationMs(*ttl));
                if let Some(Some(lease)) = self.ask(|store| store.lease(queue, &owner, now, ttl)) {
                    let key = (queue.to_owned(), lease.claim.key.clone());
                    let before = self.fences.insert(key.clone(), lease.claim.fence);
                    assert!(before.is_none_or(|before| before < lease.claim.fence), "fences grow");
                    assert!(!self.results.contains_key(&key), "a finished job is never leased");
                    self.leases.push(lease);
                }
            }
            Op::Heartbeat { of, ttl } => {
                let (claim, ttl) = (self.claim(of), DurationMs(*ttl));
                self.ask(|store| store.heartbeat(&claim, now, ttl));
            }
            Op::Expire { queue } => drop(self.ask(|store| store.expire(QUEUES[*queue], now))),
            Op::Revive { queue, key } => {
                self.ask(|store| store.revive(QUEUES[*queue], &key.to_string(), now));
            }
            Op::Read { log, after, limit } => {
                self.ask(|store| store.read(LOGS[*log], EventNumber(*after), *limit));
            }
            Op::Find { log, key } => drop(self.ask(|store| store.find(LOGS[*log], &key.to_string()))),
            Op::Jobs { queue, state, after, limit } => {
                self.ask(|store| store.jobs(QUEUES[*queue], *state, JobNumber(*after), *limit));
            }
            Op::Scores { after, limit, hotkey: of, from_round } => {
                let (net, mech) = (NetUid(1), MechId(0));
                self.ask(|store| store.latest_scores(net, mech, after.map(hotkey), *limit));
                self.ask(|store| store.score_history(net, mech, hotkey(*of), *from_round, *limit));
                self.ask(|store| store.latest_score(net, mech, hotkey(*of)));
            }
            Op::Clock { forward } => self.now = self.now + DurationMs(*forward),
        }
    }

    fn commit(&self, settle: Option<&Settle>, events: &[Ev], scores: &[(u8, u8, u8)], jobs: &[Jb]) -> Commit {
        let mut commit = Commit::new();
        if let Some(Settle { of, result, retry }) = settle {
            let claim = self.claim(of);
            commit = match result {
                Some(result) => commit.done(&claim, json(*result), self.now),
                None => commit.failed(&claim, "broken", self.now, self.now + DurationMs(*retry)),
            };
        }
        for &Ev { log, body, key } in events {
            let event = NewEvent::new("kind", json(body), self.now);
            commit = commit.event(LOGS[log], key.map_or(event.clone(), |key| event.once(key.to_string())));
        }
        for &(who, round, value) in scores {
            commit = commit.score(Score {
                netuid: NetUid(1),
                mechid: MechId(0),
                hotkey: hotkey(who),
                round: round.into(),
                // The same round seldom gets another value.
                value: f64::from(value / 29),
                parts: json(0),
                at: self.now,
            });
        }
        for jb in jobs {
            commit = commit.job(
                QUEUES[jb.queue],
                NewJob {
                    key: jb.key.to_string(),
                    payload: json(jb.payload),
                    lane: jb.lane,
                    ready_at: self.now + DurationMs(jb.delay),
                    max_attempts: jb.attempts,
                },
            );
        }
        commit
    }

    /// A result is committed once, by the holder of the newest fence.
    fn settled(&mut self, commit: &Commit, outcome: Option<Settled>) {
        let (Some(settlement), Some(outcome)) = (&commit.settlement, outcome) else { return };
        let claim = settlement.claim();
        let key = (claim.queue.clone(), claim.key.clone());
        assert_eq!(self.fences.get(&key), Some(&claim.fence), "only the newest fence settles");
        if let (store::Settlement::Done { result, .. }, Settled::Done) = (settlement, outcome) {
            assert_eq!(self.results.insert(key, result.clone()), None, "a result is committed once");
        }
    }

    fn compare_everything(&self) {
        for log in LOGS {
            let all = self.ask(|store| store.read(log, EventNumber::START, usize::MAX)).unwrap();
            let head = self.ask(|store| store.head(log)).unwrap();
            let numbers: Vec<u64> = all.iter().map(|event| event.number.0).collect();
            assert_eq!(numbers, (1..=head.0).collect::<Vec<_>>(), "no gap");
        }
        for queue in QUEUES {
            let all = self.ask(|store| store.jobs(queue, None, JobNumber(0), usize::MAX)).unwrap();
            for job in all {
                let expected = self.results.get(&(queue.to_owned(), job.key.clone()));
                assert_eq!(job.result.as_ref(), expected, "a result never changes");
            }
            for ahead in [-5, 0, 5, 100] {
                self.ask(|store| store.counts(queue, self.now + DurationMs(ahead)));
            }
        }
        self.ask(|store| store.latest_scores(NetUid(1), MechId(0), None, usize::MAX));
    }
}

fn json(n: u8) -> Json {
    Json::of(&n).unwrap()
}

fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

fn cases() -> u32 {
    std::env::var("STORE_AGREEMENT_CASES").ok().map_or(CASES, |text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_give_the_same_answers(ops in vec(op(), STEPS / 2..STEPS)) {
        let (_folder, durable) = durable();
        let memory = Memory::new();
        let mut story = Story {
            memory: &memory,
            durable: &durable,
            now: Timestamp(0),
            leases: Vec::new(),
            fences: BTreeMap::new(),
            results: BTreeMap::new(),
        };
        for op in &ops {
            story.step(op);
        }
        story.compare_everything();
    }
}
