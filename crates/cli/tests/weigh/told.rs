//! What each command says of itself and of what it found: help, JSON, exit codes.

use std::{fs, path::Path};

use primitives::{MechId, NetUid};
use serde_json::Value;

use crate::{at_home, bert::lay_bert, lay_texts, message};

fn weigh(home: &Path, arguments: &[&str]) -> std::process::Output {
    at_home(home).args(arguments).output().expect("the binary runs")
}

/// The help of a command and of all below it, in their order.
fn helps(home: &Path, command: &[String], all: &mut String) {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let help = weigh(home, &[&words[..], &["--help"]].concat());
    assert!(help.status.success(), "{command:?}: {}", message(&help));
    let help = String::from_utf8(help.stdout).expect("as the test laid it out");
    all.push_str(&format!("$ weigh {}\n\n{help}\n", [&words[..], &["--help"]].concat().join(" ")));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| !line.is_empty()) {
        // A long description goes on below its command's name, farther to the right.
        let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
        let name = name.split_whitespace().next().expect("as the test laid it out").to_owned();
        helps(home, &[command, &[name]].concat(), all);
    }
}

#[test]
fn the_help_of_every_command_is_as_it_was_reviewed() {
    let home = tempfile::tempdir().unwrap();
    let mut found = String::new();
    helps(home.path(), &[], &mut found);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/weigh/golden/help.txt");
    if std::env::var_os("WEIGH_BLESS").is_some_and(|asked| asked == "1") {
        fs::write(&golden, &found).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "{differs:?} differs first in {}; WEIGH_BLESS=1 writes it anew",
        golden.display()
    );
}

#[test]
fn the_manual_has_a_page_for_every_command_and_shells_complete_them() {
    let home = tempfile::tempdir().unwrap();
    let written = weigh(home.path(), &["man", "--dir", "pages", "--json"]);
    let pages: Value = serde_json::from_slice(&written.stdout).unwrap();
    let mut helps_of = String::new();
    helps(home.path(), &[], &mut helps_of);
    let commands: Vec<&str> = helps_of.lines().filter_map(|line| line.strip_prefix("$ weigh ")).collect();
    assert_eq!(pages["pages"].as_array().unwrap().len(), commands.len());
    for command in commands {
        let words: Vec<&str> = command.split(' ').filter(|word| *word != "--help").collect();
        let name = [&["weigh"], &words[..]].concat().join("-");
        let page = fs::read_to_string(home.path().join("pages").join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    let first = weigh(home.path(), &["man"]).stdout;
    assert_eq!(first, fs::read(home.path().join("pages/weigh.1")).unwrap());
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = weigh(home.path(), &["completions", shell]);
        let script = String::from_utf8(script.stdout).unwrap();
        assert!(script.contains("leaderboard") && !script.contains("worker-child"), "{shell}");
    }
}

#[test]
fn a_mechanism_shows_its_honest_miners_and_its_attacks() {
    let home = tempfile::tempdir().unwrap();
    let list: Value =
        serde_json::from_slice(&weigh(home.path(), &["mechanism", "list", "--json"]).stdout).unwrap();
    let ids: Vec<&str> =
        list["mechanisms"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, mechanisms::catalogue().iter().map(|mechanism| mechanism.id()).collect::<Vec<_>>());
    for mechanism in mechanisms::catalogue() {
        let shown = weigh(home.path(), &["mechanism", "show", mechanism.id(), "--json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let count = |name: &str| shown[name].as_array().unwrap().len();
        assert_eq!(count("attacks") + count("honest"), mechanism.strategies().len());
        let text = weigh(home.path(), &["mechanism", "show", mechanism.id()]);
        let text = String::from_utf8(text.stdout).unwrap();
        for strategy in mechanism.strategies() {
            assert!(text.contains(strategy.id()), "{}", strategy.id());
        }
    }
    let unknown = weigh(home.path(), &["mechanism", "show", "data-set"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(message(&unknown).contains("did you mean \"dataset\"?"), "{}", message(&unknown));
}

/// A way to call each command that answers in JSON, over a home with texts, a house, shards and a wallet; and how it ends.
fn calls(home: &Path) -> Vec<(Vec<String>, i32)> {
    let listed = weigh(home, &["queue", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("as the test laid it out");
    let store =
        store::Durable::open(&home.join("house/validator-0/store.sqlite")).expect("as the test laid it out");
    let hotkey = listed["validators"][0]["hotkey"]
        .as_str()
        .expect("as the test laid it out")
        .parse()
        .expect("as the test laid it out");
    let identity = neuron::Identity { hotkey, netuid: NetUid(1), mechid: MechId::MAIN };
    let queue = neuron::Validator::queue(&identity);
    let jobs =
        store::Store::jobs(&store, &queue, None, store::JobNumber(0), 1).expect("as the test laid it out");
    let examination = jobs[0].key.clone();
    drop(store);
    let key = weigh(home, &["wallet", "show", "--json"]);
    let key: Value = serde_json::from_slice(&key.stdout).expect("as the test laid it out");
    let address = key["hotkeys"][0]["key"]["address"].as_str().expect("as the test laid it out").to_owned();
    let signed = weigh(home, &["wallet", "sign", "--message", "m", "--json"]);
    let signed: Value = serde_json::from_slice(&signed.stdout).expect("as the test laid it out");
    let signature = signed["signature"].as_str().expect("as the test laid it out").to_owned();
    let case = ["--source", "texts", "--case", "shards/00000/case.json"];
    let small = ["--tokenizer", "bytes", "--dim", "32", "--layers", "1", "--steps", "2", "--batch", "2"];
    let calls: Vec<(Vec<&str>, i32)> = vec![
        (vec!["up", "--epochs", "1"], 0),
        (vec!["status"], 0),
        (vec!["leaderboard"], 0),
        (vec!["explain", "1"], 0),
        (vec!["chain", "replay"], 0),
        (vec!["queue", "list"], 0),
        (vec!["queue", "show", &examination], 0),
        (vec!["queue", "retry", "--all", "--dry-run"], 10),
        (vec!["sim", "run", "storm", "--seeds", "1"], 0),
        (vec!["sim", "run", "dataset", "--epochs", "1", "--source", "texts"], 0),
        (vec!["data", "build", "texts", "--out", "more"], 0),
        (vec!["data", "inspect", "shards/00000"], 0),
        (vec!["data", "verify", "shards", "--source", "texts"], 0),
        (vec!["data", "dedup", "shards", "--out", "list"], 0),
        (vec!["data", "export", "shards", "--out", "hub", "--tokens", "bytes"], 0),
        (vec!["data", "verify", "hub", "--source", "texts"], 0),
        (vec!["data", "images", "texts", "--out", "pairs"], 0),
        (vec!["data", "verify", "pairs"], 0),
        (vec!["data", "bench", "texts", "--pages", "3", "--runs", "1"], 0),
        (vec!["data", "extract", "page.md"], 0),
        (vec!["data", "filter", "texts.jsonl"], 0),
        ([&["score", "dataset", "shards/00000"], &case[..]].concat(), 0),
        ([&["lm", "train", "shards", "--out", "model"], &small[..]].concat(), 0),
        (vec!["lm", "eval", "model", "page.md", "--per-token"], 0),
        (vec!["lm", "generate", "model", "--tokens", "3"], 0),
        (vec!["lm", "embed", "bert", "a text"], 0),
        (vec!["lm", "convert", "model", "copy"], 0),
        (vec!["lm", "bench", "--preset", "mouse", "--seconds", "0"], 0),
        (vec!["wallet", "new", "--no-password", "--dry-run", "--wallet", "w"], 0),
        (vec!["wallet", "list"], 0),
        (vec!["wallet", "show"], 0),
        (vec!["wallet", "import", "--key", "hotkey", "--wallet", "x", "--address", &address], 0),
        (vec!["wallet", "export", "--key", "hotkey"], 0),
        (vec!["wallet", "sign", "--message", "m"], 0),
        (vec!["wallet", "verify", "--message", "m", "--address", &address, "--signature", &signature], 0),
        (vec!["mechanism", "list"], 0),
        (vec!["mechanism", "show", "dataset"], 0),
        (vec!["config", "show"], 0),
        (vec!["doctor"], 0),
        (vec!["man", "--dir", "pages"], 0),
        (vec!["down"], 10),
        (vec!["reset"], 0),
    ];
    let owned = calls.into_iter().map(|(words, code)| (words.into_iter().map(str::to_owned).collect(), code));
    owned.collect()
}

#[test]
fn every_command_that_answers_in_json_prints_json_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    lay_texts(&home.join("texts"), 240);
    lay_bert(&home.join("bert"));
    fs::write(home.join("page.md"), "# A page\n\nthe weight and the measure of that house\n").unwrap();
    fs::write(home.join("texts.jsonl"), "{\"id\": 1, \"text\": \"the weight of that house\"}\n").unwrap();
    let text =
        "[up]\nsource = 'texts'\nstate = 'house'\nport = 0\nvalidators = 1\nminers = 1\nattacks = []\n";
    fs::write(home.join("weigh.toml"), text).unwrap();
    for prepared in [
        &["up", "--epochs", "2", "--state", "house"][..],
        &["data", "build", "texts", "--out", "shards"],
        &["wallet", "new", "--no-password"],
    ] {
        let done = weigh(home, prepared);
        assert!(done.status.success(), "{prepared:?}: {}", message(&done));
    }
    let calls = calls(home);
    for (call, code) in &calls {
        let words: Vec<&str> = call.iter().map(String::as_str).chain(["--json"]).collect();
        let answer = weigh(home, &words);
        assert_eq!(answer.status.code(), Some(*code), "{words:?}: {}", message(&answer));
        let text = String::from_utf8(answer.stdout).unwrap();
        for line in text.lines() {
            let parsed = serde_json::from_str::<Value>(line);
            assert!(parsed.is_ok_and(|value| value.is_object()), "{words:?}: {line}");
        }
        let is_told_by_error = *code == 10 && call[0] == "queue";
        assert!(is_told_by_error || !text.is_empty(), "{words:?} prints nothing");
    }
    // A command that has the flag and no call above would go unseen.
    let mut all = String::new();
    helps(home, &[], &mut all);
    let mut command = "";
    for line in all.lines() {
        if let Some(name) = line.strip_prefix("$ weigh ").and_then(|line| line.strip_suffix("--help")) {
            command = name.trim();
        } else if line.trim_start().starts_with("--json") {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            let of_a_chain = ["subnet", "register", "stake", "weights", "axon", "commit"];
            let needs_a_chain = of_a_chain.contains(&words[0].as_str())
                || matches!(
                    command,
                    "chain serve"
                        | "chain step"
                        | "chain fund"
                        | "chain snapshot"
                        | "chain revert"
                        | "chain set"
                        | "chain warp"
                        | "chain status"
                        | "wallet balance"
                );
            if needs_a_chain {
                // They have tests of their own, with a served chain.
                continue;
            }
            assert!(calls.iter().any(|(call, _)| call.starts_with(&words)), "weigh {command} is not called");
        }
    }
}

/// What a terminal is shown as standard error.
#[cfg(target_os = "linux")]
fn on_a_terminal(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    use std::io::Read as _;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("as the test laid it out");
    grantpt(&terminal).expect("as the test laid it out");
    unlockpt(&terminal).expect("as the test laid it out");
    let name = ptsname(&terminal, Vec::new())
        .expect("as the test laid it out")
        .into_string()
        .expect("as the test laid it out");
    let side = fs::File::options().read(true).write(true).open(name).expect("as the test laid it out");
    let mut command = at_home(home);
    command.args(arguments).env("TERM", "xterm").envs(variables.iter().copied()).stderr(side);
    command.stdout(std::process::Stdio::null());
    let mut child = command.spawn().expect("as the test laid it out");
    // The program's side is open in the child alone, so that reading ends with it.
    drop(command);
    let mut terminal = fs::File::from(terminal);
    let mut shown = Vec::new();
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = terminal.read(&mut part) {
        shown.extend_from_slice(&part[..read]);
    }
    assert!(child.wait().expect("as the test laid it out").success());
    String::from_utf8_lossy(&shown).into_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn bars_are_for_terminals_and_only_where_nobody_says_no() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let storm = ["sim", "run", "storm", "--seeds", "3"];
    let shown = on_a_terminal(home, &storm, &[]);
    assert!(shown.contains("of 3 seeds"), "{shown:?}");
    for silent in ["--no-progress", "--quiet", "-q", "--json"] {
        assert_eq!(on_a_terminal(home, &[&storm[..], &[silent]].concat(), &[]), "", "{silent}");
    }
    assert_eq!(on_a_terminal(home, &storm, &[("WEIGH_PROGRESS", "false")]), "");
    assert!(weigh(home, &storm).stderr.is_empty(), "a pipe is no terminal");

    lay_texts(&home.join("texts"), 240);
    let built = on_a_terminal(home, &["data", "build", "texts", "--out", "shards"], &[]);
    assert!(built.contains("iB of ") && built.contains("iB/s"), "{built:?}");
    let verified = on_a_terminal(home, &["data", "verify", "shards", "--source", "texts"], &[]);
    assert!(verified.contains("of 240 records"), "{verified:?}");
    let case = ["--source", "texts", "--case", "shards/00000/case.json"];
    let scored = on_a_terminal(home, &[&["score", "dataset", "shards/00000"], &case[..]].concat(), &[]);
    assert!(scored.contains("examining"), "{scored:?}");
    let rehearsed =
        on_a_terminal(home, &["sim", "run", "dataset", "--epochs", "1", "--source", "texts"], &[]);
    assert!(rehearsed.contains("epoch") && rehearsed.contains("of 20"), "{rehearsed:?}");
    let small = ["--tokenizer", "bytes", "--dim", "32", "--layers", "1", "--steps", "9", "--batch", "2"];
    let trained =
        on_a_terminal(home, &[&["lm", "train", "shards", "--out", "model"], &small[..]].concat(), &[]);
    assert!(trained.contains("of 9, loss ") && trained.contains("tokens/s"), "{trained:?}");
    let measured = on_a_terminal(home, &["lm", "eval", "model", "shards"], &[]);
    assert!(measured.contains(" tokens, "), "{measured:?}");
}
