//! The queues of a local subnet's validators, seen and mended from outside.

use std::path::Path;

use neuron::{Identity, Validator};
use primitives::{Digest, DurationMs, Hotkey, MechId, NetUid, Seed, Timestamp};
use serde_json::Value;
use store::{Durable, Store as _};
use worker::{Examination, queue};

use crate::{at_home, lay_texts, message};

fn weigh(home: &Path, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output = at_home(home).args(arguments).args(["--state", "house"]).output().expect("the binary runs");
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), json, message(&output))
}

#[test]
fn an_examination_that_was_given_up_is_named_with_its_failure_and_can_be_put_back_once() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    assert_eq!(weigh(home, &["queue", "list"]).0, Some(3), "there is no subnet yet");
    lay_texts(&home.join("texts"), 240);
    let cast = ["--source", "texts", "--port", "0", "--validators", "2", "--miners", "1", "--attack", "none"];
    let (code, _, told) = weigh(home, &[&["up", "--epochs", "2"], &cast[..]].concat());
    assert_eq!(code, Some(0), "{told}");

    let (code, listed, told) = weigh(home, &["queue", "list", "--json"]);
    assert_eq!(code, Some(0), "{told}");
    let validators = listed["validators"].as_array().unwrap();
    assert_eq!(validators.len(), 2);
    assert!(validators.iter().all(|one| one["done"].as_u64().unwrap() > 0 && one["dead"] == 0), "{listed}");
    assert_eq!(weigh(home, &["queue", "retry", "--all"]).0, Some(10), "nothing was given up");

    let hotkey: Hotkey = validators[0]["hotkey"].as_str().unwrap().parse().unwrap();
    let miner = Hotkey::from_bytes([7; 32]);
    let key = format!("900/{miner}/0");
    {
        let identity = Identity { hotkey, netuid: NetUid(1), mechid: MechId::MAIN };
        let name = Validator::queue(&identity);
        let store = Durable::open(&home.join("house/validator-0/store.sqlite")).unwrap();
        let examination = Examination {
            mechanism: "dataset".to_owned(),
            round: 900,
            hotkey: miner,
            task: 0,
            task_json: "{}".to_owned(),
            root: Digest::of(b"root"),
            part: Digest::of(b"part"),
            audit_seed: Seed::default(),
        };
        let mut job = queue::job(&examination, Timestamp(1)).unwrap();
        job.max_attempts = 1;
        store.enqueue(&name, job).unwrap();
        let lease = store.lease(&name, "hand", Timestamp(2), DurationMs(1000)).unwrap().unwrap();
        store.fail(&lease.claim, "the disk\u{1b}[2J is full", Timestamp(3), Timestamp(3)).unwrap();
    }
    let (_, listed, _) = weigh(home, &["queue", "list", "--json"]);
    assert_eq!((&listed["validators"][0]["dead"], &listed["validators"][1]["dead"]), (&1.into(), &0.into()));
    let dead = listed["examinations"].as_array().unwrap().iter().find(|one| one["state"] == "dead").unwrap();
    assert_eq!((dead["key"].as_str(), dead["validator"].as_str()), (Some(&*key), Some("validator-0")));

    let (_, shown, _) = weigh(home, &["queue", "show", &key, "--json"]);
    let job = &shown["jobs"][0];
    assert_eq!((&job["state"], &job["round"], &job["attempt"]), (&"dead".into(), &900.into(), &1.into()));
    assert_eq!(job["failures"][0]["owner"], "hand");
    let text = at_home(home).args(["queue", "show", &key, "--state", "house"]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("attempt 1 by hand") && text.contains("the disk\\u{1b}[2J is full"), "{text}");

    let retry = ["queue", "retry", &key, "--json"];
    let (_, planned, _) = weigh(home, &[&retry[..], &["--dry-run"]].concat());
    let (code, done, _) = weigh(home, &retry);
    assert_eq!(code, Some(0));
    assert_eq!((&planned["retried"], &planned["dry_run"]), (&done["retried"], &true.into()));
    assert_eq!(weigh(home, &["queue", "show", &key, "--json"]).1["jobs"][0]["state"], "ready");
    assert_eq!(weigh(home, &retry).0, Some(10), "it is on its way");
    assert_eq!(weigh(home, &["queue", "retry", "1/nobody/2"]).0, Some(3));
    assert_eq!(weigh(home, &["queue", "show", "1/nobody/2"]).0, Some(3));
    assert_eq!(weigh(home, &["queue", "retry"]).0, Some(2), "neither a key nor --all");
}
