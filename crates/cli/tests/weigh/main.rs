//! The binary as a user meets it: what it prints, and with which exit code it ends.

#[path = "../lm/bert.rs"]
mod bert;
mod builds;
mod configured;
mod crawls;
mod doctors;
mod queues;
mod told;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use corpus::Source as _;
use primitives::Seed;
use serde_json::Value;

fn weigh(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weigh")).args(arguments).output().expect("the binary runs")
}

/// The binary as somebody meets it who has nothing but a home: no variables, and the home is the working folder.
fn at_home(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weigh"));
    command.env_clear().env("HOME", home).current_dir(home).stdin(std::process::Stdio::null());
    command
}

/// A message without the lines and marks that a terminal's width puts into it.
fn message(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lays a source of made-up texts out as files.
fn lay_texts(folder: &Path, files: usize) {
    let texts = sim::texts(&Seed::from_number(7), files);
    for entry in texts.manifest().entries() {
        let place = folder.join(&entry.path);
        fs::create_dir_all(place.parent().expect("paths have a folder")).expect("a folder can be made");
        fs::write(place, texts.read(&entry.path).expect("the text is there")).expect("a file can be written");
    }
}

/// The events that a run over this folder prints.
fn run(command: &[&str], folder: &Path, more: &[&str]) -> Vec<Value> {
    let folder = folder.to_str().expect("a plain path");
    let mut arguments = command.to_vec();
    arguments.extend(["--epochs", "4", "--json", "--source", folder]);
    arguments.extend(more);
    let output = weigh(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("utf-8");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// What a summary must say of five honest miners and the usual four attackers.
fn check_summary(events: &[Value]) {
    let epochs = events.iter().filter(|event| event["event"] == "epoch").count();
    assert_eq!(epochs, 4);
    let summary = events.last().expect("a summary's form");
    assert_eq!((&summary["event"], &summary["epochs"]), (&"summary".into(), &4.into()));
    assert!(summary["honest_emission_share"].as_f64().expect("a summary's form") >= 0.95);
    let miners = summary["miners"].as_array().expect("a summary's form");
    let (honest, cheats): (Vec<_>, Vec<_>) = miners.iter().partition(|miner| miner["honest"] == true);
    assert_eq!((honest.len(), cheats.len()), (5, 4));
    let mut paid: Vec<(u64, f64)> = honest
        .iter()
        .map(|miner| {
            let share = miner["emission_share"].as_f64().expect("a summary's form");
            (miner["verified_tokens"].as_u64().expect("a summary's form"), share)
        })
        .collect();
    paid.sort_by_key(|(tokens, _)| *tokens);
    assert!(paid[0].1 > 0.0 && paid[0].1 < paid[4].1, "{paid:?}");
    for cheat in cheats {
        let reasons = cheat["reasons"].as_array().expect("a summary's form");
        let text = reasons.last().expect("a summary's form").as_str().expect("a summary's form");
        let expect = match cheat["strategy"].as_str().expect("a summary's form") {
            "limit-and-run" => "step 0: ledger has a row for every record",
            "made-up" => "step 1: ",
            // What it has copied may be another attacker's.
            "copycat" => "",
            "silent" => "nothing committed",
            other => panic!("attack {other} has no expectation here"),
        };
        assert!(cheat["emission_share"] == 0.0 && text.starts_with(expect), "{cheat}");
    }
    let validators = summary["validators"].as_array().expect("a summary's form");
    assert!(
        validators.iter().all(|validator| validator["weights_set"].as_u64().expect("a summary's form") >= 3),
        "{summary}"
    );
}

#[test]
fn a_rehearsal_pays_honest_work_by_its_tokens_and_names_why_attackers_get_nothing() {
    let folder = tempfile::tempdir().unwrap();
    lay_texts(folder.path(), 600);
    for seed in ["1", "2", "3"] {
        check_summary(&run(&["sim", "run", "dataset"], folder.path(), &["--seed", seed]));
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others_wherever_things_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let keep = tempfile::tempdir().unwrap();
    lay_texts(folder.path(), 240);
    let dataset = ["sim", "run", "dataset"];
    let digest = |more: &[&str]| run(&dataset, folder.path(), more).last().unwrap()["state_digest"].clone();
    let first = digest(&["--seed", "1"]);
    assert_eq!(first, digest(&["--seed", "1", "--keep", keep.path().to_str().unwrap()]));
    assert_ne!(first, digest(&["--seed", "2"]));
    let again = weigh(&["sim", "run", "dataset", "--keep", keep.path().to_str().unwrap(), "--epochs", "1"]);
    assert_eq!(again.status.code(), Some(2), "a folder that is in use is not written over");
}

#[test]
fn errors_say_what_and_how_to_mend_it_and_have_their_exit_codes() {
    let empty = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], code: i32, says: &str| {
        let output = weigh(arguments);
        let text = message(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty() || code == 2, "{arguments:?}");
    };
    let folder = empty.path().to_str().unwrap();
    check(&["up", "--source", folder, "--epochs", "1"], 2, "name a larger folder or archive");
    check(&["up", "--attack", "bribery", "--epochs", "1"], 2, "limit-and-run");
    check(&["status", "--state", folder], 3, &format!("found one with `weigh up --state {folder}`"));
    check(&["explain", "0", "--state", folder], 3, &format!("found one with `weigh up --state {folder}`"));
    check(&["up", "--source", "/nonexistent", "--epochs", "1"], 3, "can't be opened");
    check(&["up", "--epochs", "0"], 2, "0 is not in 1..");
    check(&["up", "--epoch", "1"], 2, "--epochs");
    check(&["chain", "epoch", "/nonexistent"], 1, "cannot read /nonexistent");
    check(&["sim", "run", "calm"], 2, "unrecognized subcommand 'calm'");
}

#[cfg(target_os = "linux")]
#[test]
fn texts_are_judged_by_each_filter_by_itself() {
    let home = tempfile::tempdir().expect("a folder can be made");
    let path = home.path().join("texts.jsonl");
    let lines = "{\"id\": \"a\", \"text\": \"the weight of that house\"}\n\n{\"id\": 2, \"text\": \"\"}\n";
    fs::write(&path, lines).expect("a file can be written");
    let path = path.to_str().expect("a plain path");
    let output = weigh(&["data", "filter", path, "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let judged: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let first = serde_json::json!({
        "gopher_repetition": "top_2_gram",
        "gopher_quality": "gopher_short_doc",
        "c4": "too_few_sentences",
        "fineweb_quality": "line_punct_ratio",
    });
    assert_eq!(
        (&judged[0]["id"], &judged[0]["lang"], &judged[0]["reject"]),
        (&"a".into(), &"en".into(), &first)
    );
    assert_eq!((&judged[1]["id"], &judged[1]["reject"]["fineweb_quality"]), (&2.into(), &"empty".into()));
    fs::write(path, "{\"id\": 1}\n").expect("a file can be written");
    let refused = weigh(&["data", "filter", path]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(message(&refused).contains("line 1 of"), "{}", message(&refused));
    assert!(message(&refused).contains("missing field `text`"), "{}", message(&refused));
}

#[test]
fn the_supervisors_child_is_hidden_and_reads_no_request_without_walls() {
    let help = weigh(&["--help"]);
    assert!(!String::from_utf8_lossy(&help.stdout).contains("worker-child"));
    let bare = weigh(&["worker-child", "{}"]);
    assert_eq!((bare.status.code(), bare.stdout.as_slice()), (Some(2), &b""[..]));
    let told = String::from_utf8_lossy(&bare.stderr).into_owned();
    assert!(told.contains("walls can't be read"), "{told}");
}

#[test]
fn the_recorded_epochs_come_out_to_the_last_bit() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/yuma/yuma_cases.json");
    let Ok(text) = fs::read_to_string(&file) else {
        println!("skipped: there is no {}", file.display());
        return;
    };
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let output = weigh(&["chain", "epoch", file.to_str().unwrap()]);
    assert!(output.status.success());
    let ours: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut ours = ours.as_array().unwrap().iter();
    for case in recorded["cases"].as_array().unwrap() {
        for epoch in case["epochs"].as_array().unwrap() {
            assert_eq!(ours.next().unwrap(), &epoch["oracle"], "{}", case["id"]);
        }
    }
    assert!(ours.next().is_none());
}

#[test]
fn storms_are_counted() {
    let output = weigh(&["sim", "run", "storm", "--seeds", "2", "--json"]);
    assert!(output.status.success());
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&event["seeds"], event["failed"].as_array().unwrap().len()), (&2.into(), 0));
}
