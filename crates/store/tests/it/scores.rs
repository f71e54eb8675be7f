//! Scores: per hotkey and round, with the events of the same fact, to the last bit.

use primitives::{Hotkey, MechId, NetUid, Timestamp};
use store::{Commit, EventNumber, Score, StoreError};

use super::{both, event, json};

const NET: NetUid = NetUid(7);
const MAIN: MechId = MechId::MAIN;

fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

fn score(who: u8, round: u64, value: f64) -> Score {
    let (netuid, mechid, hotkey) = (NET, MAIN, hotkey(who));
    Score { netuid, mechid, hotkey, round, value, parts: json("{\"base\":1}"), at: Timestamp(5) }
}

#[test]
fn the_latest_score_is_that_of_the_highest_round() {
    both(|store| {
        let all = [score(2, 10, 0.5), score(0xff, 11, 0.25), score(0, 3, 1.0), score(2, 9, 0.75)];
        store.commit(&Commit::new().scores(all.clone())).unwrap();
        store.commit(&Commit::new().score(Score { mechid: MechId(1), ..score(2, 99, 0.0) })).unwrap();
        store.commit(&Commit::new().score(Score { netuid: NetUid(8), ..score(1, 99, 0.0) })).unwrap();
        let [ten, eleven, three, nine] = all;
        assert_eq!(store.latest_score(NET, MAIN, hotkey(2)).unwrap(), Some(ten.clone()));
        assert_eq!(store.latest_score(NET, MAIN, hotkey(1)).unwrap(), None);
        let board = store.latest_scores(NET, MAIN, None, 99).unwrap();
        assert_eq!(board, [three, ten.clone(), eleven.clone()]);
        let page = store.latest_scores(NET, MAIN, Some(hotkey(0)), 1).unwrap();
        assert_eq!(page.iter().collect::<Vec<_>>(), [&ten]);
        assert_eq!(store.latest_scores(NET, MAIN, Some(hotkey(0xff)), 9).unwrap(), []);
        assert_eq!(store.score_history(NET, MAIN, hotkey(2), 0, 9).unwrap(), [nine, ten.clone()]);
        assert_eq!(store.score_history(NET, MAIN, hotkey(2), 10, 9).unwrap(), [ten]);
        assert_eq!(store.score_history(NET, MAIN, hotkey(2), u64::MAX, 9).unwrap(), []);
    });
}

#[test]
fn every_bit_of_a_score_is_kept() {
    both(|store| {
        let values = [0.1 + 0.2, -0.0, f64::MIN_POSITIVE / 2.0, f64::MAX, 1.0, 1e-300];
        for (round, value) in (0u64..).zip(values) {
            store.commit(&Commit::new().score(score(1, round, value))).unwrap();
            let kept = store.latest_score(NET, MAIN, hotkey(1)).unwrap().unwrap();
            assert_eq!(kept.value.to_bits(), value.to_bits());
        }
        for value in [f64::NAN, f64::INFINITY] {
            let error = store.commit(&Commit::new().score(score(2, 1, value))).unwrap_err();
            assert!(matches!(error, StoreError::Argument { what: "score value", .. }), "{error}");
        }
    });
}

#[test]
fn a_score_may_be_repeated_but_never_changed() {
    both(|store| {
        let epoch = |value| {
            Commit::new()
                .event("log", event("EpochClosed", "4").once("4"))
                .scores([score(1, 4, 0.5), score(2, 4, value)])
        };
        store.commit(&epoch(0.25)).unwrap();
        store.commit(&epoch(0.25)).unwrap();
        let error = store.commit(&epoch(0.125)).unwrap_err();
        assert!(matches!(error, StoreError::Reused { what: "score", .. }), "{error}");
        assert_eq!(store.score_history(NET, MAIN, hotkey(2), 0, 9).unwrap(), [score(2, 4, 0.25)]);
        assert_eq!(store.head("log").unwrap(), EventNumber(1));
    });
}

#[test]
fn half_an_epoch_is_never_written() {
    both(|store| {
        store.commit(&Commit::new().score(score(3, 4, 0.5))).unwrap();
        let contradicting = Commit::new().event("log", event("EpochClosed", "4")).scores([
            score(1, 4, 0.5),
            score(2, 4, 0.5),
            score(3, 4, 0.75),
        ]);
        assert!(store.commit(&contradicting).is_err());
        assert_eq!(store.head("log").unwrap(), EventNumber::START);
        assert_eq!(store.latest_scores(NET, MAIN, None, 9).unwrap(), [score(3, 4, 0.5)]);
    });
}
