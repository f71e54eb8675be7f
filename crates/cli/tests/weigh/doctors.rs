//! What the doctor finds in a healthy house, in a broken one, and beside one that is being run.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Stdio},
};

use serde_json::Value;

use crate::{at_home, lay_texts, message};

/// The exit code, and the checks that were made.
fn doctor(home: &Path, variables: &[(&str, &str)]) -> (Option<i32>, Vec<Value>) {
    let output = at_home(home)
        .envs(variables.iter().copied())
        .args(["doctor", "--json"])
        .output()
        .expect("the binary runs");
    let told: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", message(&output)));
    (output.status.code(), told["checks"].as_array().expect("as the test laid it out").clone())
}

/// Asserts how a check came out, and that it says this, or its mend does.
fn check(checks: &[Value], name: &str, verdict: &str, says: &str) {
    let one = checks.iter().find(|one| one["check"] == name && one["verdict"] == verdict);
    let one = one.unwrap_or_else(|| panic!("{name} is not {verdict}: {checks:#?}"));
    let told = format!(
        "{} {}",
        one["found"].as_str().expect("as the test laid it out"),
        one["mend"].as_str().unwrap_or("")
    );
    assert!(told.contains(says), "{told}");
}

/// A home with a source and a founded house that nobody runs.
fn founded() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("as the test laid it out");
    lay_texts(&home.path().join("texts"), 240);
    let text =
        "[up]\nsource = 'texts'\nstate = 'house'\nport = 0\nvalidators = 1\nminers = 1\nattacks = []\n";
    fs::write(home.path().join("weigh.toml"), text).expect("as the test laid it out");
    let up = at_home(home.path())
        .args(["up", "--epochs", "1", "--state", "house"])
        .output()
        .expect("as the test laid it out");
    assert!(up.status.success(), "{}", message(&up));
    home
}

#[test]
fn a_healthy_house_passes_and_a_home_without_texts_fails() {
    let home = founded();
    let (code, checks) = doctor(home.path(), &[]);
    assert_eq!(code, Some(0), "{checks:#?}");
    check(&checks, "configuration", "ok", "./weigh.toml");
    check(&checks, "state", "ok", "house can be written");
    check(&checks, "lock", "ok", "has ended");
    check(&checks, "founding", "ok", "seed 0, 1 validators, 1 miners");
    check(&checks, "chain", "ok", "blocks");
    check(&checks, "stores", "ok", "4 open");
    check(&checks, "source", "ok", "240 documents");
    let empty = tempfile::tempdir().unwrap();
    let (code, checks) = doctor(empty.path(), &[]);
    assert_eq!(code, Some(1));
    check(&checks, "founding", "ok", "there is no subnet yet");
    check(&checks, "source", "failed", "name a folder");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "to look leaves nothing behind");
}

#[test]
fn a_broken_part_is_named_with_what_mends_it_and_is_left_as_it_is() {
    let home = founded();
    let home = home.path();
    let log = home.join("house/chain/blocks.log");
    let whole = fs::read(&log).unwrap();

    let torn = &whole[..whole.len() - 3];
    fs::write(&log, torn).unwrap();
    let (code, checks) = doctor(home, &[]);
    assert_eq!(code, Some(0), "a cut-off record is no failure");
    check(&checks, "chain", "warning", "is cut off");
    assert_eq!(fs::read(&log).unwrap(), torn);

    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xff;
    fs::write(&log, &damaged).unwrap();
    let (code, checks) = doctor(home, &[]);
    assert_eq!(code, Some(1));
    check(&checks, "chain", "failed", "`weigh reset`");
    assert_eq!(fs::read(&log).unwrap(), damaged);
    fs::write(&log, &whole).unwrap();

    fs::write(home.join("house/miner-0/store.sqlite"), "no database at all, and long enough to be none")
        .unwrap();
    let (code, checks) = doctor(home, &[]);
    assert_eq!(code, Some(1));
    check(&checks, "stores", "failed", "miner-0");
    fs::remove_dir_all(home.join("house/miner-0")).unwrap();
    check(&doctor(home, &[]).1, "stores", "warning", "1 of 4 are missing");

    fs::write(home.join("house/house.json"), "{").unwrap();
    check(&doctor(home, &[]).1, "founding", "failed", "house.json");
    let named = at_home(home).args(["doctor", "--state", "house", "--json"]).output().unwrap();
    let named: Value = serde_json::from_slice(&named.stdout).unwrap();
    // Alone it would remove another subnet.
    check(named["checks"].as_array().unwrap(), "founding", "failed", "`weigh reset --state house`");

    fs::write(home.join("weigh.toml"), "[up]\nprot = 1").unwrap();
    let (code, checks) = doctor(home, &[]);
    assert_eq!(code, Some(1));
    check(&checks, "configuration", "failed", "line 2, column 1: unknown key \"prot\"");
    check(&checks, "founding", "ok", "there is no subnet yet");
}

#[test]
fn a_port_that_is_taken_and_keys_that_others_read_are_warnings() {
    let home = founded();
    let home = home.path();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (code, checks) = doctor(home, &[("WEIGH_UP_PORT", &port)]);
    assert_eq!(code, Some(0));
    check(&checks, "port", "warning", "is taken by another program");
    drop(listener);
    check(&doctor(home, &[("WEIGH_UP_PORT", &port)]).1, "port", "ok", "is free");

    let new = at_home(home).args(["wallet", "new", "--no-password", "--json"]).output().unwrap();
    assert!(new.status.success(), "{}", message(&new));
    check(&doctor(home, &[]).1, "wallets", "ok", "nobody else");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let coldkey = home.join(".bittensor/wallets/default/coldkey");
        fs::set_permissions(&coldkey, fs::Permissions::from_mode(0o644)).unwrap();
        let checks = doctor(home, &[]).1;
        check(&checks, "wallets", "warning", "others can read 1 secret key files");
        let mend =
            checks.iter().find(|one| one["check"] == "wallets").unwrap()["mend"].as_str().unwrap().to_owned();
        let command = mend.split('`').nth(1).unwrap();
        let mended = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
        assert!(mended.success(), "{command}");
        check(&doctor(home, &[]).1, "wallets", "ok", "nobody else");
    }
}

/// A house that is being run, killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended can't be killed.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[test]
fn a_house_that_is_run_is_looked_at_without_being_held_up() {
    let home = founded();
    let home = home.path();
    let child = at_home(home)
        .args(["up", "--json", "--block-time", "20"])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the binary runs");
    let mut running = Running(child);
    let mut lines = BufReader::new(running.0.stdout.take().expect("piped")).lines();
    let mut next = |kind: &str| loop {
        let line = lines.next().unwrap_or_else(|| panic!("the run ended before {kind}")).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["event"] == kind {
            return event;
        }
    };
    let url = next("website")["url"].as_str().unwrap().to_owned();
    let port = url.rsplit(':').next().unwrap();
    next("epoch");
    let (code, checks) = doctor(home, &[("WEIGH_UP_PORT", port)]);
    assert_eq!(code, Some(0), "{checks:#?}");
    check(&checks, "lock", "ok", &format!("run by process {} at {url}", running.0.id()));
    check(&checks, "port", "ok", "is this subnet's own");
    check(&checks, "chain", "ok", "blocks");
    check(&checks, "stores", "ok", "4 open");
    let listed = at_home(home).args(["queue", "list", "--json"]).output().unwrap();
    assert!(listed.status.success(), "{}", message(&listed));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(listed["validators"][0]["done"].as_u64().unwrap() > 0, "{listed}");
    // It goes on as if nobody had looked.
    next("epoch");
}
