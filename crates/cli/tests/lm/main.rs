//! Language models as a user of `weigh lm` meets them.

mod bert;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the writer of files is shared, and has more than is needed here"
)]
#[path = "../../../lm/tests/it/gguf_file.rs"]
mod gguf_file;
mod train;
mod transformers;
mod used;

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use corpus::Source as _;
use primitives::Seed;
use serde_json::Value;

/// The binary as somebody meets it whose home is the working folder.
fn at(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weigh"));
    command.env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    command
}

fn weigh(home: &Path, arguments: &[&str]) -> Output {
    at(home).args(["lm"]).args(arguments).output().expect("the binary runs")
}

/// What was told on standard error, in one line.
fn told(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).replace(['│', '├', '╰', '─', '▶', '×'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Standard output of a command that ends well.
fn done(home: &Path, arguments: &[&str]) -> String {
    let output = weigh(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// The JSON lines of a command that ends well.
fn events(home: &Path, arguments: &[&str]) -> Vec<Value> {
    let said = done(home, &[arguments, &["--json"]].concat());
    said.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// Asserts that a command fails so.
fn fails(home: &Path, arguments: &[&str], code: i32, says: &str) {
    let output = weigh(home, arguments);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    assert!(told.contains(says), "{arguments:?}: {told}");
}

/// Made-up texts in a folder, some hundred kilobytes.
fn lay_texts(folder: &Path) {
    let texts = sim::texts(&Seed::from_number(7), 120);
    fs::create_dir_all(folder).expect("a folder can be made");
    for (number, entry) in texts.manifest().entries().iter().enumerate() {
        // One of them is no text, which other tests are about.
        let Ok(text) = String::from_utf8(texts.read(&entry.path).expect("the text is there")) else {
            continue;
        };
        fs::write(folder.join(format!("{number:04}.md")), text).expect("a file can be written");
    }
}

/// What a training is told so that it takes a second: 20 steps of a model of 20,000 parameters.
const SMALL: [&str; 22] = [
    "--vocab",
    "300",
    "--dim",
    "32",
    "--layers",
    "1",
    "--heads",
    "2",
    "--kv-heads",
    "1",
    "--ffn-dim",
    "64",
    "--context",
    "64",
    "--sequence",
    "48",
    "--batch",
    "4",
    "--steps",
    "20",
    "--seed",
    "3",
];

/// A home with texts, and a model made of them.
fn trained() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    lay_texts(&home.path().join("texts"));
    done(home.path(), &[&["train", "texts", "--out", "model"], &SMALL[..]].concat());
    home
}
