//! Events: gapless, appended once per key, together or not at all.

use primitives::Timestamp;
use store::{Commit, EventNumber, StoreError};

use super::{both, event, job, json};

#[test]
fn numbers_start_at_one_per_log_and_have_no_gap() {
    both(|store| {
        let three = [event("a", "1"), event("b", "2"), event("c", "3")];
        let numbers: Vec<u64> = store.append("x", &three).unwrap().iter().map(|e| e.number.0).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(store.append("y", &three[..1]).unwrap()[0].number, EventNumber(1));
        assert_eq!(store.append("x", &three[..1]).unwrap()[0].number, EventNumber(4));
        assert_eq!(store.head("x").unwrap(), EventNumber(4));
        assert_eq!(store.head("z").unwrap(), EventNumber::START);
        assert_eq!(store.append("z", &[]).unwrap(), []);
        let kinds: Vec<String> =
            store.read("x", EventNumber(1), 2).unwrap().into_iter().map(|e| e.kind).collect();
        assert_eq!(kinds, ["b", "c"]);
        assert_eq!(store.read("x", EventNumber(u64::MAX), 2).unwrap(), []);
        assert_eq!(store.read("x", EventNumber(0), 0).unwrap(), []);
    });
}

#[test]
fn an_event_comes_back_as_it_was_appended() {
    both(|store| {
        let mut sent = event("Ä \u{1f600}", "{ \"x\": 0.1000, \"y\": [1e300, \"\\u0000\"] }").once("k'\"%_");
        sent.at = Timestamp(i64::MIN);
        store.append("log", std::slice::from_ref(&sent)).unwrap();
        let found = store.find("log", "k'\"%_").unwrap().unwrap();
        let all = store.read("log", EventNumber::START, 9).unwrap();
        assert_eq!(all.iter().collect::<Vec<_>>(), [&found]);
        assert_eq!(
            (found.kind, found.body, found.at, found.dedup_key),
            (sent.kind, sent.body, sent.at, sent.dedup_key)
        );
    });
}

#[test]
fn the_same_key_again_returns_the_first_number_and_writes_nothing() {
    both(|store| {
        let intent = event("WeightsIntended", "[1,2]").once("1/0/77");
        assert!(store.append("chain", std::slice::from_ref(&intent)).unwrap()[0].fresh);
        store.append("chain", &[event("Other", "0")]).unwrap();
        // After a crash the clock has moved on; that makes it no other intent.
        let mut later = intent.clone();
        later.at = Timestamp(9_999);
        let again = store.append("chain", &[event("Before", "0"), later, event("After", "0")]).unwrap();
        let told: Vec<_> = again.iter().map(|e| (e.number.0, e.fresh)).collect();
        assert_eq!(told, [(3, true), (1, false), (4, true)]);
        assert_eq!(store.head("chain").unwrap(), EventNumber(4));
        // Keys belong to their log.
        assert!(store.append("elsewhere", &[intent]).unwrap()[0].fresh);
    });
}

#[test]
fn the_same_key_with_other_content_is_refused_with_the_whole_batch() {
    both(|store| {
        store.append("chain", &[event("WeightsIntended", "[1,2]").once("1/0/77")]).unwrap();
        for other in [event("WeightsIntended", "[2,1]"), event("WeightsSent", "[1,2]")] {
            let batch = Commit::new()
                .event("chain", event("Before", "0"))
                .event("chain", other.once("1/0/77"))
                .job("queue", job("a"));
            let error = store.commit(&batch).unwrap_err();
            assert!(matches!(error, StoreError::Reused { what: "event", .. }), "{error}");
            assert_eq!(
                error.to_string(),
                "event \"1/0/77\" of \"chain\" was stored before with other content"
            );
        }
        assert_eq!(store.head("chain").unwrap(), EventNumber(1));
        assert_eq!(store.job("queue", "a").unwrap(), None);
    });
}

#[test]
fn arguments_out_of_bounds_are_refused_before_anything_is_written() {
    both(|store| {
        let fine = event("kind", "0");
        let long = "x".repeat(store::MAX_NAME_BYTES + 1);
        let twice = [event("a", "0").once("k"), event("a", "0").once("k")];
        let check = |commit: Commit, expect: &str| {
            let error = store.commit(&commit.event("log", fine.clone())).unwrap_err();
            assert!(matches!(error, StoreError::Argument { .. }), "{error:?}");
            assert_eq!(error.to_string(), expect);
        };
        check(Commit::new().event("", fine.clone()), "log name is 0 bytes, expected 1 to 512 bytes");
        check(
            Commit::new().event("log", event(&long, "0")),
            "event kind is 513 bytes, expected 1 to 512 bytes",
        );
        check(
            Commit::new().event("log", fine.clone().once("a\0")),
            "event key is \"a\\0\", expected text without a zero byte",
        );
        check(
            Commit::new().events("log", &twice),
            "key of a commit's parts is \"k\" for two events, expected each key once",
        );
        let mut hopeless = job("a");
        hopeless.max_attempts = 0;
        check(Commit::new().job("queue", hopeless), "number of attempts is 0, expected at least 1");
        let many = vec![fine.clone(); store::commit::MAX_COMMIT_ITEMS];
        check(
            Commit::new().events("log", &many),
            "number of parts of a commit is 20001, expected at most 20000",
        );
        assert_eq!(store.head("log").unwrap(), EventNumber::START);
        assert_eq!(json("0").as_str(), "0");
    });
}
