//! Builds that are killed: the same command goes on to the same bytes.

#![cfg(unix)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use corpus::MemoryArchive;
use primitives::Seed;
use walkdir::WalkDir;

/// Kills within the work, for each number of threads.
const KILLS: u64 = 10;
/// Rounds in which there must have been as many: a build that ends before its moment has come is begun anew.
const ROUNDS_MAX: u64 = 100;
/// Pages of the archive.
const PAGES: usize = 400;
/// Stored bytes of a task, so that there are some dozens.
const TASK_BYTES: &str = "4096";

/// An archive of pages of chance words, each of which passes the filters.
fn lay_archive(place: &Path) {
    const WORDS: [&str; 12] = [
        "the", "scale", "and", "weight", "of", "merchant", "with", "grain", "that", "settled", "price",
        "have",
    ];
    let mut words = Seed::from_number(5).stream("words", 0);
    let page = |number: usize| {
        let text: Vec<&str> = (0..90).map(|_| WORDS[words.index(WORDS.len())]).collect();
        (
            format!("https://example.org/{number}"),
            format!("<html><body><p>{}.</p></body></html>", text.join(" ")),
        )
    };
    let pages: Vec<(String, String)> = (0..PAGES).map(page).collect();
    let pages = pages.iter().map(|(url, html)| (url.as_str(), html.as_str()));
    fs::write(place, MemoryArchive::of_pages("a.warc.gz", pages).bytes()).expect("a file can be written");
}

/// A source and the folders for its shards.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { root: tempfile::tempdir().expect("a folder can be made") };
        lay_archive(&place.path("a.warc.gz"));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The command that builds into this folder, with what it says on standard error kept.
    fn build(&self, out: &Path, threads: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weigh"));
        command.args(["data", "build"]).arg(self.path("a.warc.gz")).arg("--out").arg(out);
        command.args(["--bytes-per-task", TASK_BYTES, "--threads", threads]);
        let said = fs::File::create(self.path("said")).expect("a file can be made");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        command
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path("said")).unwrap_or_default()
    }

    fn build_whole(&self, out: &Path, threads: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let status = self.build(out, threads).status().expect("the binary runs");
        assert!(status.success(), "{}", self.said());
        tree(out)
    }

    /// Runs the build until so much is there and kills it then; whether it was under way.
    fn kill_at(&self, out: &Path, threads: &str, wanted: u64) -> bool {
        let mut child = self.build(out, threads).spawn().expect("the binary runs");
        while progress(out) < wanted {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                assert!(status.success(), "{}", self.said());
                return false;
            }
            std::thread::yield_now();
        }
        child.kill().expect("a child can be killed, be it over");
        let status = child.wait().expect("a child can be waited for");
        assert!(status.success() || status.signal() == Some(9), "{}", self.said());
        status.signal() == Some(9)
    }
}

/// Every file below a folder, with its bytes.
fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files =
        WalkDir::new(root).into_iter().map(|entry| entry.expect("the folder can be read").into_path());
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("the file can be read");
        (path.strip_prefix(root).expect("below it").to_owned(), bytes)
    };
    files.filter(|path| path.is_file()).map(read).collect()
}

/// Files below a folder and their bytes, counted together, as far as they can be seen while somebody writes there.
fn progress(root: &Path) -> u64 {
    let entries = WalkDir::new(root).into_iter().filter_map(Result::ok);
    let files = entries.filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file);
    files.map(|file| file.len() + 1).sum()
}

#[test]
fn a_build_killed_at_ten_moments_goes_on_to_the_same_bytes() {
    let place = Place::new();
    let whole = place.build_whole(&place.path("whole"), "1");
    let tasks = whole.keys().filter(|name| name.ends_with("task.json")).count();
    assert!(tasks >= 20, "{tasks} tasks");
    assert!(place.build_whole(&place.path("two"), "2") == whole, "two threads make other bytes than one");
    let all = progress(&place.path("whole"));
    for threads in ["1", "2"] {
        let out = place.path("killed");
        let mut moments = Seed::from_number(8).stream("kills", threads.parse().expect("a number"));
        let (mut kills, mut rounds) = (0, 0);
        while kills < KILLS {
            rounds += 1;
            assert!(rounds <= ROUNDS_MAX, "{kills} kills within the work in {ROUNDS_MAX} builds");
            // On average the kills to come share evenly what is left.
            let there = progress(&out);
            let reach = (all - there) * 2 / (KILLS - kills + 1);
            let wanted = there + 1 + moments.below(reach.max(1));
            if place.kill_at(&out, threads, wanted) && progress(&out) < all {
                kills += 1;
            } else {
                fs::remove_dir_all(&out).expect("the folder can be removed");
            }
        }
        let same = place.build_whole(&out, threads) == whole;
        assert!(same, "{KILLS} kills in {rounds} builds with {threads} threads left other bytes");
        fs::remove_dir_all(&out).expect("the folder can be removed");
    }
}
