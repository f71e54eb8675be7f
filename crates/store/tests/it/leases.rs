//! Leases: one live lease per job, and a result is committed once.

use primitives::{DurationMs, Timestamp};
use store::{
    Claim, Commit, Counts, Event, EventNumber, Fence, JobNumber, JobState, LeaseError, NewJob, Settled,
    Store, StoreError,
};

use super::{both, event, job, json};

const TTL: DurationMs = DurationMs(100);

fn refused<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> LeaseError {
    match outcome {
        Err(StoreError::Lease(error)) => error,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

fn lease(store: &dyn Store, owner: &str, now: i64) -> Claim {
    store.lease("queue", owner, Timestamp(now), TTL).unwrap().unwrap().claim
}

#[test]
fn lower_lanes_go_first_then_older_jobs_and_none_before_its_time() {
    both(|store| {
        let plan = [("late", 1, 0), ("future", 0, 500), ("urgent", 0, 0), ("later", 1, 0)];
        for (key, lane, ready_at) in plan {
            let new = NewJob { lane, ..NewJob::new(key, json("{}"), Timestamp(ready_at)) };
            assert!(store.enqueue("queue", new).unwrap().fresh);
        }
        let order: Vec<String> = (0..3).map(|_| lease(store, "w", 0).key).collect();
        assert_eq!(order, ["urgent", "late", "later"]);
        assert_eq!(store.lease("queue", "w", Timestamp(0), TTL).unwrap(), None);
        assert_eq!(store.lease("elsewhere", "w", Timestamp(0), TTL).unwrap(), None);
        assert_eq!(
            store.counts("queue", Timestamp(0)).unwrap(),
            Counts { waiting: 1, leased: 3, ..Counts::default() }
        );
        assert_eq!(store.counts("queue", Timestamp(500)).unwrap(), Counts { ready: 4, ..Counts::default() });
        assert_eq!(lease(store, "w", 500).key, "future");
    });
}

#[test]
fn enqueueing_again_changes_nothing_even_when_the_job_is_done() {
    both(|store| {
        let first = store.enqueue("queue", job("a")).unwrap();
        let claim = lease(store, "w", 0);
        assert_eq!(store.ack(&claim, json("1"), Timestamp(1)).unwrap(), Settled::Done);
        let again = store.enqueue("queue", NewJob { lane: 9, ..job("a") }).unwrap();
        assert_eq!((again.number, again.fresh), (first.number, false));
        assert_eq!(store.lease("queue", "w", Timestamp(1), TTL).unwrap(), None);
        let other = NewJob::new("a", json("[]"), Timestamp(0));
        assert!(matches!(store.enqueue("queue", other), Err(StoreError::Reused { what: "job", .. })));
    });
}

#[test]
fn expired_work_cannot_commit() {
    both(|store| {
        store.enqueue("queue", job("a")).unwrap();
        let claim = lease(store, "slow", 0);
        assert_eq!(store.heartbeat(&claim, Timestamp(50), TTL).unwrap(), Timestamp(150));
        // A heartbeat never shortens a lease.
        assert_eq!(store.heartbeat(&claim, Timestamp(51), DurationMs(1)).unwrap(), Timestamp(150));
        let expired = LeaseError::Expired { key: "a".into(), found: Fence(1), deadline: 150, now: 150 };
        assert_eq!(refused(store.ack(&claim, json("1"), Timestamp(150))), expired);
        assert_eq!(refused(store.heartbeat(&claim, Timestamp(150), TTL)), expired);
        assert_eq!(refused(store.fail(&claim, "no", Timestamp(150), Timestamp(0))), expired);
        // Once the queue has noticed, a clock that is set back does not bring the lease to life again.
        assert_eq!(store.expire("queue", Timestamp(150)).unwrap(), 1);
        let released =
            LeaseError::Released { key: "a".into(), found: Fence(1), reason: "lease expired".into() };
        assert_eq!(refused(store.ack(&claim, json("1"), Timestamp(10))), released);
    });
}

#[test]
fn a_retaken_job_takes_only_the_newest_holders_result() {
    both(|store| {
        store.enqueue("queue", job("a")).unwrap();
        let old = lease(store, "slow", 0);
        let new = lease(store, "quick", 100);
        assert_eq!((old.fence, new.fence), (Fence(1), Fence(2)));
        let retaken = LeaseError::Retaken { key: "a".into(), found: Fence(1), last: Fence(2) };
        // The old holder's clock may be behind: the fence counts, not its time.
        assert_eq!(refused(store.ack(&old, json("1"), Timestamp(5))), retaken);
        let thief = Claim { owner: "slow".into(), ..new.clone() };
        assert!(matches!(refused(store.ack(&thief, json("1"), Timestamp(101))), LeaseError::NotOwner { .. }));
        let forged = Claim { fence: Fence(3), ..new.clone() };
        assert!(matches!(refused(store.ack(&forged, json("1"), Timestamp(101))), LeaseError::Forged { .. }));
        let unknown = Claim { key: "b".into(), ..new.clone() };
        assert!(matches!(
            refused(store.ack(&unknown, json("1"), Timestamp(101))),
            LeaseError::Unknown { .. }
        ));
        assert_eq!(store.ack(&new, json("2"), Timestamp(101)).unwrap(), Settled::Done);
        assert_eq!(refused(store.ack(&old, json("1"), Timestamp(102))), retaken);
        assert_eq!(store.job("queue", "a").unwrap().unwrap().result, Some(json("2")));
    });
}

#[test]
fn repeating_an_ack_is_harmless_and_a_result_never_changes() {
    both(|store| {
        store.enqueue("queue", job("a")).unwrap();
        let claim = lease(store, "w", 0);
        let events = [event("Scored", "1")];
        let first = store.ack_with(&claim, json("1"), "log", &events, Timestamp(1)).unwrap();
        assert_eq!((first.settled, first.last_event()), (Some(Settled::Done), Some(EventNumber(1))));
        // The answer was lost; the worker sends it again long after its deadline.
        let again = store.ack_with(&claim, json("1"), "log", &events, Timestamp(9_999)).unwrap();
        assert_eq!((again.settled, again.events.len()), (Some(Settled::Already), 0));
        assert_eq!(store.head("log").unwrap(), EventNumber(1));
        let finished = LeaseError::Finished { key: "a".into(), found: Fence(1) };
        assert_eq!(refused(store.ack(&claim, json("2"), Timestamp(2))), finished);
        assert_eq!(refused(store.heartbeat(&claim, Timestamp(2), TTL)), finished);
        assert_eq!(refused(store.fail(&claim, "no", Timestamp(2), Timestamp(2))), finished);
    });
}

#[test]
fn a_refused_ack_leaves_no_event_and_a_refused_event_leaves_no_ack() {
    both(|store| {
        store.enqueue("queue", job("a")).unwrap();
        let old = lease(store, "slow", 0);
        let claim = lease(store, "w", 100);
        let stale = Commit::new().done(&old, json("1"), Timestamp(101)).event("log", event("Scored", "1"));
        assert!(matches!(refused(store.commit(&stale)), LeaseError::Retaken { .. }));
        assert_eq!(store.read("log", EventNumber::START, 9).unwrap(), Vec::<Event>::new());
        store.append("log", &[event("Scored", "1").once("a")]).unwrap();
        let torn =
            store.ack_with(&claim, json("1"), "log", &[event("Scored", "2").once("a")], Timestamp(102));
        assert!(matches!(torn, Err(StoreError::Reused { .. })));
        assert_eq!(store.job("queue", "a").unwrap().unwrap().state, JobState::Leased);
    });
}

#[test]
fn a_job_that_fails_too_often_is_dead_with_its_reasons_until_it_is_revived() {
    both(|store| {
        store.enqueue("queue", NewJob { max_attempts: 2, ..job("a") }).unwrap();
        let first = lease(store, "w1", 0);
        let outcome = store.fail(&first, "out of memory", Timestamp(10), Timestamp(60)).unwrap();
        assert_eq!(outcome, Settled::Retrying);
        // The same report again is a repetition, another one is not.
        let again = store.fail(&first, "out of memory", Timestamp(11), Timestamp(60)).unwrap();
        assert_eq!(again, Settled::Already);
        assert!(matches!(
            refused(store.fail(&first, "bad luck", Timestamp(11), Timestamp(60))),
            LeaseError::Released { .. }
        ));
        assert_eq!(store.lease("queue", "w2", Timestamp(59), TTL).unwrap(), None);
        let second = lease(store, "w2", 60);
        assert!(matches!(refused(store.revive("queue", "a", Timestamp(60)),), LeaseError::NotDead { .. }));
        // The second holder is never heard of again.
        assert_eq!(store.counts("queue", Timestamp(160)).unwrap(), Counts { dead: 1, ..Counts::default() });
        assert_eq!(store.lease("queue", "w3", Timestamp(160), TTL).unwrap(), None);
        let dead = store.jobs("queue", Some(JobState::Dead), JobNumber(0), 9).unwrap().remove(0);
        let told: Vec<_> =
            dead.failures.iter().map(|f| (f.fence.0, f.owner.as_str(), f.at.0, f.reason.as_str())).collect();
        assert_eq!(told, [(1, "w1", 10, "out of memory"), (2, "w2", 160, "lease expired")]);

        store.revive("queue", "a", Timestamp(200)).unwrap();
        let third = lease(store, "w3", 200);
        assert_eq!(third.fence, Fence(3));
        assert!(matches!(refused(store.ack(&second, json("1"), Timestamp(61))), LeaseError::Retaken { .. }));
        assert_eq!(store.ack(&third, json("1"), Timestamp(201)).unwrap(), Settled::Done);
        assert_eq!(store.job("queue", "a").unwrap().unwrap().failures.len(), 2);
    });
}

#[test]
fn a_hostile_reason_is_cut_between_characters() {
    both(|store| {
        store.enqueue("queue", job("a")).unwrap();
        let claim = lease(store, "w", 0);
        store.fail(&claim, &"€\0".repeat(1_000), Timestamp(1), Timestamp(1)).unwrap();
        let kept = store.job("queue", "a").unwrap().unwrap().failures.remove(0).reason;
        assert_eq!(kept.len(), store::lease::MAX_REASON_BYTES);
    });
}

#[test]
fn an_endless_lease_has_a_deadline_and_an_empty_one_is_refused() {
    both(|store| {
        store.enqueue("queue", job("a")).unwrap();
        for (owner, ttl) in [("w", 0), ("w", -1), ("", 1)] {
            let error = store.lease("queue", owner, Timestamp(0), DurationMs(ttl)).unwrap_err();
            assert!(matches!(error, StoreError::Argument { .. }), "{error}");
        }
        let lease = store.lease("queue", "w", Timestamp(9), DurationMs(i64::MAX)).unwrap().unwrap();
        assert_eq!(lease.deadline, Timestamp(i64::MAX));
    });
}
