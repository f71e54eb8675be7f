//! Training: the same bits however it is run, and what is refused.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
};

use lm::{Compute, Model, Tokenizer, TrainConfig, train};
use primitives::Seed;
use serde_json::Value;

use crate::{SMALL, at, done, events, fails, lay_texts, told, trained};

/// All files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, fs::read(entry.path()).expect("a file"))
    };
    entries.map(file).collect()
}

/// What a training is told, with steps enough to be interrupted.
fn long(more: &[&'static str]) -> Vec<&'static str> {
    let small = SMALL.map(|word| if word == "20" { "240" } else { word });
    [&["texts", "--out", "model"], &small[..], more].concat()
}

/// Runs a training until it has told of this step, and ends it; its exit code.
#[cfg(unix)]
fn end_after(home: &Path, arguments: &[&str], step: u64, signal: rustix::process::Signal) -> Option<i32> {
    let mut child = at(home)
        .args(["lm", "train", "--json"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let pid = rustix::process::Pid::from_child(&child);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let is_there = |line: &String| {
        let event: Value = serde_json::from_str(line).expect("each line is JSON");
        event["event"] == "step" && event["step"] == step
    };
    let found = lines.by_ref().map(|line| line.expect("a line")).any(|line| is_there(&line));
    assert!(found, "step {step} is not told");
    rustix::process::kill_process(pid, signal).expect("it is ours");
    // Who doesn't read stops who writes.
    lines.for_each(drop);
    child.wait().expect("it ends").code()
}

#[cfg(unix)]
#[test]
fn a_training_gives_the_same_files_on_any_threads_and_after_any_interruption() {
    use rustix::process::Signal;

    let home = tempfile::tempdir().unwrap();
    lay_texts(&home.path().join("texts"));
    let arguments = long(&[]);
    let model = home.path().join("model");
    let run = |more: &[&str]| done(home.path(), &[&["train"], &arguments[..], more].concat());
    let taken = || {
        let found = files(&model);
        fs::remove_dir_all(&model).unwrap();
        found
    };
    run(&["--threads", "1"]);
    let whole = taken();
    let names: Vec<&str> = whole.keys().map(String::as_str).collect();
    let expected = [
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "training.json",
        "training.jsonl",
    ];
    assert_eq!(names, expected);
    assert_eq!(String::from_utf8_lossy(&whole["training.jsonl"]).lines().count(), 240);
    run(&["--threads", "2", "--checkpoint-every", "7"]);
    assert_eq!(taken(), whole);

    // Killed, then ended by Ctrl-C, then gone on with.
    let often = long(&["--checkpoint-every", "3"]);
    assert_eq!(end_after(home.path(), &often, 7, Signal::KILL), None);
    assert!(!model.join("config.json").exists());
    let again = [&often[..], &["--resume"]].concat();
    let code = end_after(home.path(), &again, 12, Signal::INT);
    // One that was done before it heard of it is done.
    assert!(code == Some(130) || code == Some(0), "{code:?}");
    if code == Some(130) {
        run(&["--resume", "--threads", "2"]);
    }
    assert_eq!(taken(), whole);

    // Killed before there was a checkpoint.
    end_after(home.path(), &long(&["--checkpoint-every", "0"]), 5, Signal::KILL);
    run(&["--resume"]);
    fails(home.path(), &[&["train"], &again[..]].concat(), 10, "the training in model is done");
    assert_eq!(taken(), whole);
}

#[test]
fn the_card_has_the_command_that_gives_the_same_bits_and_the_library_agrees() {
    let home = trained();
    let model = home.path().join("model");
    let card = fs::read_to_string(model.join("README.md")).unwrap();
    let command = card.lines().find(|line| line.starts_with("weigh lm train")).unwrap();
    let first = files(&model);
    fs::remove_dir_all(&model).unwrap();
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let again = at(home.path()).args(words).output().unwrap();
    assert!(again.status.success(), "{}", told(&again));
    assert_eq!(files(&model), first);

    let (read, _) = Model::load(&model, 64).unwrap();
    assert!(card.contains(&read.digest().to_string()));
    let said =
        events(home.path(), &[&["train", "texts", "--out", "again", "--held-out", "0"], &SMALL[..]].concat());
    let digest = &said.last().unwrap()["digest"];
    let tokenizer =
        Tokenizer::from_json(&fs::read(home.path().join("again/tokenizer.json")).unwrap(), "<|endoftext|>")
            .unwrap();
    let mut texts: Vec<_> =
        fs::read_dir(home.path().join("texts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    texts.sort();
    let texts = texts.iter().map(|path| fs::read_to_string(path).unwrap());
    let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    let schedule =
        TrainConfig { steps: 20, batch: 4, sequence: 48, warmup_steps: 2, ..TrainConfig::default() };
    let tokens = tokenizer.stream(&texts).unwrap();
    let compute = Compute::new(1).unwrap();
    let plain = train(read.config(), &tokens, &schedule, Seed::from_number(3), &compute).unwrap();
    assert_eq!(digest, &Value::String(plain.model.digest().to_string()));
}

#[test]
fn each_kind_of_tokenizer_and_family_trains() {
    let home = trained();
    let home = home.path();
    let base =
        ["train", "texts", "--dim", "32", "--layers", "1", "--steps", "2", "--batch", "2", "--context", "32"];
    for (name, more) in [
        ("bytes", &["--tokenizer", "bytes"][..]),
        ("file", &["--tokenizer", "model/tokenizer.json"]),
        ("qwen3", &["--vocab", "280", "--family", "qwen3", "--untied", "--decay", "constant", "--clip", "0"]),
        ("sums", &["--vocab", "280", "--accumulate", "3", "--sequence", "9"]),
    ] {
        let said = events(home, &[&base[..], &["--out", name], more].concat());
        let held_out = &said.last().unwrap()["held_out"];
        assert!(held_out["bits_per_byte"].as_f64().unwrap() < 12.0, "{said:?}");
        let measured = events(home, &["eval", name, "texts/0001.md"]);
        assert!(measured[0]["nats"].as_f64().unwrap() > 0.0);
    }
    let vocab = |name: &str| -> Value {
        serde_json::from_slice::<Value>(&fs::read(home.join(name).join("config.json")).unwrap()).unwrap()["vocab_size"]
            .clone()
    };
    assert_eq!((vocab("bytes"), vocab("file"), vocab("qwen3")), (257.into(), 300.into(), 280.into()));
}

#[test]
fn what_can_not_be_trained_is_told_with_what_mends_it() {
    let home = trained();
    let home = home.path();
    fs::create_dir(home.join("empty")).unwrap();
    fs::write(home.join("latin.txt"), b"caf\xe9").unwrap();
    fs::write(home.join("tiny.txt"), "weigh").unwrap();
    let train = |words: &[&str], code: i32, says: &str| {
        fails(home, &[&["train", "--out", "new"], words].concat(), code, says);
    };
    train(&["nothing"], 3, "nothing can't be read");
    train(&["empty"], 3, "no text in empty");
    train(&["latin.txt"], 1, "latin.txt is not utf-8 from byte 3 on");
    train(&["tiny.txt"], 2, "5 bytes of text are too few to keep a part for validation");
    train(&["tiny.txt", "--held-out", "0"], 2, "are too few for sequences of 128");
    train(&["texts", "--vocab", "500000"], 2, "ask for fewer, `--vocab ");
    train(&["texts", "--vocab", "1000000"], 2, "is 1000000, expected 257 to 524288");
    train(&["texts", "--tokenizer", "none.json"], 3, "none.json can't be read");
    train(&["texts", "--tokenizer", "tiny.txt"], 1, "the tokenizer of tiny.txt can't be used");
    train(&["texts", "--tokenizer", "bytes", "--vocab", "300"], 2, "cannot be used with");
    train(&["texts", "--heads", "3"], 2, "no such model: dim 64 is not a multiple of 2 · heads 6");
    train(&["texts", "--sequence", "300"], 2, "sequence is 300, expected at most the model's context");
    train(&["texts", "--rate", "2"], 2, "peak_rate is 2, expected 0 to 1");
    train(&["texts", "--batch", "0"], 2, "batch");
    train(&["texts", "--steps", "0"], 2, "0 is not in 1..");
    train(&["texts", "--held-out", "51"], 2, "expected 0 to 50");
    train(&["texts", "--threads", "0"], 2, "0 is not in 1..=1024");
    assert!(!home.join("new").exists(), "what fails at once leaves nothing behind");
    fails(home, &["train", "texts", "--out", "model"], 2, "folder model is not empty");
    fails(home, &["train", "texts", "--out", "other", "--resume"], 3, "no training was begun in other");
}

#[cfg(unix)]
#[test]
fn a_training_is_gone_on_with_only_as_it_was_begun() {
    let home = tempfile::tempdir().unwrap();
    lay_texts(&home.path().join("texts"));
    let arguments = long(&["--checkpoint-every", "2"]);
    end_after(home.path(), &arguments, 5, rustix::process::Signal::KILL);
    let go_on = |change: &[&str], code: i32, says: &str| {
        let words = [&["train", "--resume"], &arguments[..], change].concat();
        fails(home.path(), &words, code, says);
    };
    let twice = "the training in model was begun with";
    let replaced: Vec<&str> = arguments.iter().map(|word| if *word == "240" { "21" } else { word }).collect();
    fails(
        home.path(),
        &[&["train", "--resume"], &replaced[..]].concat(),
        2,
        &format!("{twice} schedule.steps 240, not 21"),
    );
    fs::write(home.path().join("texts/0000.md"), "another text").unwrap();
    go_on(&[], 2, twice);
    fs::remove_dir_all(home.path().join("texts")).unwrap();
    lay_texts(&home.path().join("texts"));
    let checkpoint = home.path().join("model/checkpoint.safetensors");
    let good = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, &good[..good.len() - 1]).unwrap();
    go_on(&[], 1, "checkpoint.safetensors can't be gone on with");
    fs::write(&checkpoint, &good).unwrap();
    fs::write(home.path().join("model/training.jsonl"), "").unwrap();
    go_on(&[], 1, "it lacks the line of step 0");
}
