//! Flags, variables and files: which word counts, and how a wrong one is told.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{at_home, lay_texts, message};

/// Value and origin of each setting.
fn settings(home: &Path, variables: &[(&str, &str)], flags: &[&str]) -> Value {
    let shown = at_home(home)
        .envs(variables.iter().copied())
        .args(["config", "show", "--json"])
        .args(flags)
        .output()
        .expect("as the test laid it out");
    assert!(shown.status.success(), "{}", message(&shown));
    serde_json::from_slice(&shown.stdout).expect("as the test laid it out")
}

fn setting<'a>(shown: &'a Value, name: &str) -> &'a Value {
    let mut all = shown["settings"].as_array().expect("as the test laid it out").iter();
    all.find(|setting| setting["name"] == name).unwrap_or_else(|| panic!("no {name} in {shown}"))
}

/// A home with a file of the user and one of the working folder.
fn home_with(user: &str, local: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("as the test laid it out");
    let folder = home.path().join(".config/weighhouse");
    fs::create_dir_all(&folder).expect("as the test laid it out");
    fs::write(folder.join("weigh.toml"), user).expect("as the test laid it out");
    fs::write(home.path().join("weigh.toml"), local).expect("as the test laid it out");
    home
}

#[test]
fn a_flag_beats_a_variable_beats_the_folders_file_beats_the_users_file_beats_what_is_built_in() {
    let home = home_with(
        "[up]\nport = 1001\nminers = 7\nseed = 3\n[output]\ncolor = 'always'\n",
        "[up]\nport = 1002\nminers = 8\n[output]\nprogress = true\n",
    );
    let variables = [("WEIGH_UP_PORT", "1003"), ("WEIGH_COLOR", "auto")];
    let shown = settings(home.path(), &variables, &["--color", "never", "--no-progress"]);
    let check = |name: &str, value: Value, origin: Value| {
        let found = setting(&shown, name);
        assert_eq!((&found["value"], &found["origin"]), (&value, &origin), "{name}");
    };
    check("output.color", json!("never"), json!({"from": "flag", "name": "--color"}));
    check("output.progress", json!(false), json!({"from": "flag", "name": "--no-progress"}));
    check("up.port", json!(1003), json!({"from": "variable", "name": "WEIGH_UP_PORT"}));
    check("up.miners", json!(8), json!({"from": "file", "path": "./weigh.toml", "line": 3}));
    let user = home.path().join(".config/weighhouse/weigh.toml");
    check("up.seed", json!(3), json!({"from": "file", "path": user, "line": 4}));
    check("up.validators", json!(3), json!({"from": "built-in"}));
    check("up.state", json!(home.path().join(".local/state/weighhouse/up")), json!({"from": "built-in"}));
    assert_eq!(shown["files"], json!([user, "./weigh.toml"]));
}

#[test]
fn a_file_that_is_named_stands_in_place_of_the_folders_own() {
    let home = home_with("[up]\nport = 1001", "[up]\nseed = 5\nport = 1002");
    fs::write(home.path().join("other.toml"), "[up]\nport = 1004").unwrap();
    for (variables, flags) in
        [(vec![], vec!["--config", "other.toml"]), (vec![("WEIGH_CONFIG", "other.toml")], vec![])]
    {
        let shown = settings(home.path(), &variables, &flags);
        assert_eq!(setting(&shown, "up.port")["value"], 1004);
        assert_eq!(setting(&shown, "up.seed")["value"], 0);
    }
}

#[test]
fn no_color_is_a_variable_that_the_programs_own_one_overrides() {
    let home = home_with("", "[output]\ncolor = 'always'");
    let color =
        |variables: &[(&str, &str)]| setting(&settings(home.path(), variables, &[]), "output.color").clone();
    assert_eq!(color(&[])["value"], "always");
    assert_eq!(color(&[("NO_COLOR", "")])["value"], "always", "an empty one is not set");
    assert_eq!(color(&[("NO_COLOR", "1")])["value"], "never");
    assert_eq!(color(&[("NO_COLOR", "1"), ("WEIGH_COLOR", "auto")])["value"], "auto");
}

#[test]
fn errors_and_help_are_coloured_when_somebody_asks_for_it_and_plain_else() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["status"][..], &["--help"], &["stats"]] {
        let is_coloured = |more: &[&str]| {
            let output = at_home(home.path()).args(more).args(arguments).output().unwrap();
            output.stderr.contains(&0x1b) || output.stdout.contains(&0x1b)
        };
        assert!(is_coloured(&["--color", "always"]), "{arguments:?}");
        assert!(!is_coloured(&["--color=never"]) && !is_coloured(&[]), "{arguments:?}");
    }
}

#[test]
fn a_wrong_word_ends_every_configured_command_and_says_where_it_stands() {
    let check = |local: &str, variables: &[(&str, &str)], flags: &[&str], says: &str| {
        let home = home_with("", local);
        for command in [&["status"][..], &["config", "show"], &["wallet", "list"]] {
            let output = at_home(home.path())
                .envs(variables.iter().copied())
                .args(command)
                .args(flags)
                .output()
                .unwrap();
            let told = message(&output);
            assert_eq!(output.status.code(), Some(2), "{command:?}: {told}");
            assert!(told.contains(says), "{told}");
            assert!(output.stdout.is_empty());
        }
    };
    let unknown = "./weigh.toml, line 2, column 3: unknown key \"prot\" help: did you mean \"port\"?";
    check("[up]\n  prot = 1", &[], &[], unknown);
    check(
        "[up]\nport = 70000",
        &[],
        &[],
        "line 2, column 8: up.port is 70000, expected a whole number from 0 to 65535",
    );
    check(
        "",
        &[("WEIGH_UP_PROT", "1")],
        &[],
        "unknown variable \"WEIGH_UP_PROT\" help: did you mean \"WEIGH_UP_PORT\"?",
    );
    check("", &[("WEIGH_UP_PORT", "many")], &[], "WEIGH_UP_PORT is \"many\", expected a whole number");
    check("", &[("WEIGH_PROGRESS", "1")], &[], "expected true or false");
    check("", &[], &["--config", "none.toml"], "configuration none.toml can't be read");
}

#[test]
fn variables_of_tests_are_nobodys_settings_and_a_broken_file_leaves_manuals_alone() {
    let home = home_with("", "[up]\nprot = 1");
    let completions = at_home(home.path()).args(["completions", "bash"]).output().unwrap();
    assert!(completions.status.success());
    let home = tempfile::tempdir().unwrap();
    settings(home.path(), &[("WEIGH_FULL", "1"), ("WEIGH_SEEDS", "x"), ("WEIGH_BLESS", "")], &[]);
}

#[test]
fn a_founded_subnet_tells_who_wants_it_otherwise() {
    let home = tempfile::tempdir().unwrap();
    let texts = home.path().join("texts");
    lay_texts(&texts, 240);
    let file = |more: &str| {
        let text =
            format!("[up]\nsource = 'texts'\nstate = 'house'\nport = 0\nvalidators = 1\nminers = 1\n{more}");
        fs::write(home.path().join("weigh.toml"), text).unwrap();
    };
    file("attacks = []\nblock_time_ms = 20");
    let up = |more: &[&str]| {
        at_home(home.path()).args(["up", "--epochs", "1", "--json"]).args(more).output().unwrap()
    };
    // A counted run leaves nothing behind unless the call itself says where.
    let counted = up(&[]);
    assert!(counted.status.success(), "{}", message(&counted));
    assert!(!home.path().join("house").exists());
    let text = String::from_utf8(counted.stdout).unwrap();
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(summary["miners"].as_array().unwrap().len(), 1, "the file's miner, and no attacker");
    assert!(up(&["--state", "house"]).status.success());
    let status = at_home(home.path()).args(["status", "--json"]).output().unwrap();
    assert!(status.status.success(), "the file says where the subnet lies: {}", message(&status));
    file("seed = 4");
    let other = up(&["--state", "house"]);
    assert_eq!(other.status.code(), Some(2));
    let says = "was founded with seed 0, not 4 as ./weigh.toml:7 says";
    assert!(message(&other).contains(says), "{}", message(&other));
    let own = up(&["--state", "house", "--seed", "0"]);
    assert!(
        message(&own).contains("was founded with miners"),
        "the usual attackers are others: {}",
        message(&own)
    );
}
