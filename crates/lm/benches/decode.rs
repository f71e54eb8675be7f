//! CPU seconds of reading a prompt and of writing behind it, ours and transformers' in turn, on one thread.
//!
//! Run: `WEIGH_TORCH_PYTHON=… WEIGH_SMOLLM2=… cargo bench -p lm --bench decode`, on Linux, whose `/proc` is read.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads its settings and files, and prints"
)]

mod measure;

use std::{env, path::Path, process::Command};

use lm::{Compute, Decoder, Model, SaveOptions};
use measure::{cpu_seconds, median};

const READ: u32 = 256;
const WRITE: u32 = 64;
const RUNS: usize = 5;

/// Seconds of reading and of writing.
fn ours(compute: &Compute, decoder: &Decoder) -> [f64; 2] {
    let tokens: Vec<u32> = (1..=READ).collect();
    let mut sequence = decoder.start();
    let start = cpu_seconds();
    let mut logits = decoder.read(compute, &mut sequence, &tokens).expect("known tokens");
    let reading = cpu_seconds() - start;
    let start = cpu_seconds();
    for _ in 0..WRITE {
        let best = (0..logits.len()).fold(0, |best, at| if logits[at] > logits[best] { at } else { best });
        let token = u32::try_from(best).expect("a token");
        logits = decoder.read(compute, &mut sequence, &[token]).expect("a known token");
    }
    [reading, cpu_seconds() - start]
}

fn main() {
    let Ok(path) = env::var("WEIGH_SMOLLM2") else {
        println!("skipped: WEIGH_SMOLLM2 names no GGUF file");
        return;
    };
    let compute = Compute::new(1).expect("one thread");
    let (model, ends) = Model::load_gguf(Path::new(&path), 2048).expect("a model");
    let decoder = Decoder::new(&compute, &model).expect("a model of usual heads");
    let python = env::var("WEIGH_TORCH_PYTHON").ok();
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("copy");
    if python.is_some() {
        model.save(&folder, &SaveOptions { ends, ..SaveOptions::default() }).expect("room for the model");
    }
    drop(model);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/smollm2.py");
    let theirs = |python: &str| -> [f64; 2] {
        let mut run = Command::new(python);
        run.arg(&script).arg("speed").arg(&folder).args([READ.to_string(), WRITE.to_string()]);
        let output = run.output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).expect("text");
        let times: serde_json::Value =
            serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
        ["reading", "writing"].map(|name| times[name].as_f64().expect("seconds"))
    };
    let mut all: [Vec<[f64; 2]>; 2] = Default::default();
    for _ in 0..RUNS {
        all[0].push(ours(&compute, &decoder));
        all[1].extend(python.as_deref().map(theirs));
    }
    for (at, (name, tokens)) in [("reading", READ), ("writing", WRITE)].into_iter().enumerate() {
        let [ours, theirs] = [0, 1].map(|who: usize| all[who].iter().map(|run| run[at]).collect::<Vec<_>>());
        let per_second = |seconds: f64| f64::from(tokens) / seconds;
        let own = median(ours);
        print!("{name}: {:.1} tokens per CPU second", per_second(own));
        if theirs.is_empty() {
            println!();
        } else {
            let peer = median(theirs);
            println!(", transformers {:.1}: ratio {:.2}", per_second(peer), peer / own);
        }
    }
}
