//! A trained folder in transformers' hands.

use std::{env, fs, path::Path, process::Command};

use serde_json::Value;

use crate::{events, trained};

/// Names a Python with PyTorch and transformers.
const PYTHON: &str = "WEIGH_TORCH_PYTHON";

#[test]
fn transformers_reads_a_trained_folder_and_finds_the_same_tokens_and_loss() {
    let Ok(python) = env::var(PYTHON) else {
        println!("skipped: {PYTHON} names no Python with transformers");
        return;
    };
    let home = trained();
    let home = home.path();
    let text = "the weight and the measure — naïve Ωμέγα ☕ of that house, 1984\n";
    fs::write(home.join("text.txt"), text).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/counterparts/transformers_folder.py");
    let theirs = |model: &str| -> Value {
        let mut run = Command::new(&python);
        let output = run.arg(&script).args([model, "text.txt"]).current_dir(home).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(said.lines().last().unwrap()).unwrap()
    };
    let arguments =
        ["train", "texts", "--tokenizer", "bytes", "--out", "bytes", "--steps", "2", "--context", "96"];
    events(home, &[&arguments[..], &["--sequence", "32", "--family", "qwen2"]].concat());
    for model in ["model", "bytes"] {
        let theirs = theirs(model);
        let ours = events(home, &["eval", model, "text.txt", "--per-token"]);
        let total = ours.last().unwrap();
        let (loss, expected) = (total["nats_per_token"].as_f64().unwrap(), theirs["loss"].as_f64().unwrap());
        println!("{model}: loss {loss}, transformers {expected}");
        assert!((loss - expected).abs() < 1e-4, "{model}: {loss} {expected}");
        let tokens =
            ours.iter().filter(|event| event["event"] == "token").map(|event| event["token"].clone());
        assert_eq!(Value::Array(tokens.collect()), theirs["tokens"], "{model}");
        let prompt = ["generate", model, "--prompt", "the weight", "--tokens", "16"];
        let greedy = events(home, &prompt).remove(0);
        assert_eq!(greedy["text"], theirs["greedy"], "{model}");
        assert_eq!(theirs["decoded"], text, "{model}");
    }
}
