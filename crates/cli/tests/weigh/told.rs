//! What each command says of itself and of what it found: help, JSON, exit codes.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{at_home, message};

fn weigh(home: &Path, arguments: &[&str]) -> std::process::Output {
    at_home(home).args(arguments).output().expect("the binary runs")
}

/// The help of a command and of all below it, in their order.
fn helps(home: &Path, command: &[String], all: &mut String) {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let help = weigh(home, &[&words[..], &["--help"]].concat());
    assert!(help.status.success(), "{command:?}: {}", message(&help));
    let help = String::from_utf8(help.stdout).unwrap();
    all.push_str(&format!("$ weigh {}\n\n{help}\n", [&words[..], &["--help"]].concat().join(" ")));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| !line.is_empty()) {
        // A long description goes on below its command's name, farther to the right.
        let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
        let name = name.split_whitespace().next().unwrap().to_owned();
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
    let unknown = weigh(home.path(), &["mechanism", "show", "datset"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(message(&unknown).contains("did you mean \"dataset\"?"), "{}", message(&unknown));
}
