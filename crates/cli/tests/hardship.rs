//! What goes wrong around a user: missing and cut files, damaged state, taken ports, full disks. Each ends in an error that
//! says what, with its exit code, and names the command that mends it, which these tests then run as it stands.

#![cfg(unix)]

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use corpus::{MemoryArchive, Source as _};
use primitives::Seed;
use serde_json::Value;

/// Runs `weigh` as somebody with this home.
fn weigh_at(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weigh"));
    command.args(arguments).env("HOME", home).env_remove("XDG_STATE_HOME").env_remove("XDG_CACHE_HOME");
    command.output().expect("the binary runs")
}

/// What was told on standard error, in one line.
fn told(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).replace(['│', '├', '╰', '─', '▶', '×'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The command in the last pair of backticks of a help, as its words.
fn mending(output: &Output) -> Vec<String> {
    let told = told(output);
    let help = &told[told.rfind("help:").unwrap_or_else(|| panic!("no help in {told}"))..];
    let command = help.split('`').nth_back(1).unwrap_or_else(|| panic!("no command in {help}"));
    command.split(' ').skip(1).map(str::to_owned).collect()
}

fn mend(home: &Path, output: &Output) {
    let words = mending(output);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mended = weigh_at(home, &words);
    assert!(mended.status.success(), "weigh {words:?}: {}", told(&mended));
}

fn lay_texts(folder: &Path) {
    let texts = sim::texts(&Seed::from_number(7), 400);
    for entry in texts.manifest().entries() {
        let place = folder.join(&entry.path);
        fs::create_dir_all(place.parent().expect("paths have a folder")).expect("a folder can be made");
        fs::write(place, texts.read(&entry.path).expect("the text is there")).expect("a file can be written");
    }
}

/// A home with a source, and a subnet that has run for an epoch.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().expect("a folder can be made") };
        lay_texts(&home.source());
        home
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn weigh(&self, arguments: &[&str]) -> Output {
        weigh_at(self.folder.path(), arguments)
    }

    /// Runs the subnet for another epoch.
    fn up(&self) -> Output {
        let (source, state) = (self.source(), self.state());
        let [source, state] = [&source, &state].map(|path| path.to_str().expect("a plain path"));
        self.weigh(&["up", "--epochs", "1", "--json", "--port", "0", "--source", source, "--state", state])
    }
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(path).expect("the file is there");
    file.seek(SeekFrom::Start(at)).expect("it can be sought in");
    file.write_all(bytes).expect("it can be written");
}

#[test]
fn a_missing_source_an_unknown_flag_and_an_unknown_attack_are_told() {
    let home = Home::new();
    let missing = home.weigh(&["up", "--epochs", "1", "--source", "not/there"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(told(&missing).starts_with("source not/there can't be opened"), "{}", told(&missing));
    let flag = home.weigh(&["up", "--eposh", "1"]);
    assert!(flag.status.code() == Some(2) && told(&flag).contains("--epochs"), "{}", told(&flag));
    let attack = home.weigh(&["up", "--epochs", "1", "--attack", "swap"]);
    assert!(attack.status.code() == Some(2) && told(&attack).contains("swapped"), "{}", told(&attack));
    let address = home.weigh(&["up", "--epochs", "1", "--source", "https://example.org/"]);
    assert!(address.status.code() == Some(2) && told(&address).contains("plain name of a file"));
}

#[test]
fn a_cut_archive_is_worked_on_up_to_the_cut_and_what_is_left_out_is_told() {
    let home = Home::new();
    let texts = sim::texts(&Seed::from_number(3), 300);
    let pages: Vec<(String, String)> = texts
        .manifest()
        .entries()
        .iter()
        .filter_map(|entry| {
            let text = String::from_utf8(texts.read(&entry.path).expect("it is there")).ok()?;
            let html = format!("<html><body><article><p>{text}</p></article></body></html>");
            Some((format!("https://example.org/{}", entry.path), html))
        })
        .collect();
    let pages = pages.iter().map(|(url, html)| (url.as_str(), html.as_str()));
    let archive = MemoryArchive::of_pages("cut.warc.gz", pages);
    let path = home.folder.path().join("cut.warc.gz");
    fs::write(&path, &archive.bytes()[..archive.bytes().len() - 700]).expect("it can be written");
    let path = path.to_str().expect("a plain path");
    let output = home.weigh(&["up", "--epochs", "1", "--json", "--port", "0", "--source", path]);
    assert!(output.status.success(), "{}", told(&output));
    let events: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let left_out = events.iter().find(|event| event["event"] == "left_out").expect("it is told");
    let reason = left_out["reason"].as_str().expect("a text");
    assert!(reason.starts_with("cut.warc.gz has ") && reason.contains("left out"), "{reason}");
    let miners = events.last().expect("a summary")["miners"].as_array().expect("a list").clone();
    let verified = |miner: &Value| miner["unpaid_tokens"].as_u64() > Some(0);
    assert!(miners.iter().filter(|miner| miner["honest"] == true).all(verified));

    let out = home.folder.path().join("shards");
    let built = home.weigh(&["data", "build", path, "--out", out.to_str().expect("a plain path")]);
    assert!(built.status.success() && told(&built).contains("left out"), "{}", told(&built));
}

#[test]
fn a_taken_port_is_told_and_the_next_free_one_is_used() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it has an address").port();
    let (source, port_text) = (home.source(), port.to_string());
    let source = source.to_str().expect("a plain path");
    let output = home.weigh(&["up", "--epochs", "1", "--json", "--port", &port_text, "--source", source]);
    assert!(output.status.success(), "{}", told(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let website = text.lines().find(|line| line.contains("\"website\"")).expect("it is told");
    let website: Value = serde_json::from_str(website).expect("each line is JSON");
    assert_eq!(website["port_taken"].as_u64(), Some(port.into()));
    let url = website["url"].as_str().expect("a text");
    let used: u16 = url.rsplit(':').next().expect("it has a port").parse().expect("a number");
    assert!(used > port, "{url}");
}

#[test]
fn damaged_state_is_told_with_the_command_that_mends_it() {
    let home = Home::new();
    let founded = home.up();
    assert!(founded.status.success(), "{}", told(&founded));
    let state = home.state();
    let keep = home.folder.path().join("kept");
    let copy = |from: &Path, to: &Path| {
        let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs");
        assert!(copied.success());
    };
    copy(&state, &keep);
    let log = state.join("chain").join("blocks.log");
    let middle = fs::metadata(&log).expect("it is there").len() / 2;
    let noise = [0xa5; 4096];
    type Damage<'a> = (&'a str, Box<dyn Fn() + 'a>);
    let damages: [Damage<'_>; 5] = [
        (
            "validator-0/store.sqlite",
            Box::new(|| overwrite(&state.join("validator-0/store.sqlite"), 0, &noise)),
        ),
        ("house/store.sqlite", Box::new(|| overwrite(&state.join("house/store.sqlite"), 0, &noise))),
        ("is damaged", Box::new(|| overwrite(&log, middle, &noise))),
        ("house.json", Box::new(|| fs::write(state.join("house.json"), "{").expect("it can be written"))),
        ("job.json", Box::new(|| overwrite(&state.join("job.json"), 2, b"x"))),
    ];
    for (name, damage) in damages {
        damage();
        let refused = home.up();
        assert!(
            refused.status.code() == Some(1) && told(&refused).contains(name),
            "{name}: {}",
            told(&refused)
        );
        assert!(!told(&refused).contains("panicked"), "{}", told(&refused));
        assert_eq!(mending(&refused)[..1], ["reset"], "{name}: {}", told(&refused));
        mend(home.folder.path(), &refused);
        // What is mended is as good as new; the next damage finds the state as it was.
        fs::remove_dir_all(&state).expect("it can be removed");
        copy(&keep, &state);
    }
    let again = home.up();
    assert!(again.status.success(), "{}", told(&again));
}

/// A disk of its own, unmounted when it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// None where this user may not mount one.
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(folder).expect("a folder can be made");
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nothing else can be done about one that stays.
        let _stays = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_after_some_is_freed_the_same_subnet_goes_on() {
    let home = Home::new();
    let Some(disk) = Disk::mount(&home.folder.path().join("disk"), "64m") else {
        println!("skipped: no disk can be mounted here");
        return;
    };
    let (source, state, ballast) = (home.source(), disk.0.join("state"), disk.0.join("ballast"));
    let [source, at] = [&source, &state].map(|path| path.to_str().expect("a plain path"));
    let up = |epochs: &str| {
        home.weigh(&["up", "--epochs", epochs, "--json", "--port", "0", "--source", source, "--state", at])
    };
    let founded = up("1");
    assert!(founded.status.success(), "{}", told(&founded));
    let block = |output: &Output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let event = text.lines().find(|line| line.contains("\"started\"")).expect("it is told").to_owned();
        let event: Value = serde_json::from_str(&event).expect("each line is JSON");
        (event["block"].as_u64().expect("a number"), event["resumed"] == true)
    };
    let mut file = fs::File::create(&ballast).expect("it can be made");
    let mut zeros = std::io::repeat(0).take(64 << 20);
    // It ends where the disk is full.
    let _full = std::io::copy(&mut zeros, &mut file);
    file.set_len(file.metadata().expect("it is there").len().saturating_sub(1 << 20)).expect("it can be cut");
    drop(file);
    let stopped = up("50");
    assert_eq!(stopped.status.code(), Some(1), "{}", told(&stopped));
    let words = told(&stopped);
    assert!(words.contains("bytes left: free some of it") && !words.contains("panicked"), "{words}");
    assert_eq!(mending(&stopped), ["up", "--state", at]);
    fs::remove_file(&ballast).expect("it can be removed");
    let again = up("2");
    assert!(again.status.success(), "{}", told(&again));
    let (before, (resumed_at, is_resumed)) = (block(&founded).0, block(&again));
    assert!(is_resumed && resumed_at > before, "{resumed_at} after {before}");
}
