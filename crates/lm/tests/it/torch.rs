//! Losses beside PyTorch's, where a Python that has it is named (see `benches/peers/README.md`).

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "files and a variable are the way to the other program, and its numbers are shown"
)]

use std::{env, fs, path::PathBuf, process::Command};

use lm::{Compute, Model, Preset, Sizes, Tokenizer, TrainConfig, Trainer};
use primitives::Seed;
use serde_json::{Value, json};

use crate::story::TEXT;

/// Names a Python that can import torch.
const PYTHON: &str = "WEIGH_TORCH_PYTHON";
const STEPS: u64 = 20;

#[test]
fn losses_are_no_further_from_f64_than_twice_pytorchs_f32() {
    let Ok(python) = env::var(PYTHON) else {
        println!("skipped: {PYTHON} names no Python with torch");
        return;
    };
    for preset in Preset::ALL {
        compare(&python, preset);
    }
}

fn compare(python: &str, preset: Preset) {
    let schedule =
        TrainConfig { steps: STEPS, batch: 8, sequence: 96, warmup_steps: 5, ..TrainConfig::default() };
    let model = Model::init(&preset.config(), Seed::from_number(1));
    let tokens = Tokenizer::bytes().stream(&[TEXT]).unwrap();
    let mut trainer = Trainer::new(model.clone(), schedule.clone(), Seed::from_number(2)).unwrap();
    let batches: Vec<_> = (0..STEPS).map(|step| trainer.batch(&tokens, step).unwrap()).collect();
    let drawn = batches.iter().flat_map(|batch| batch.sequences()).flat_map(|(i, t)| [i, t]).flatten();

    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("torch-{preset:?}"));
    fs::create_dir_all(&folder).unwrap();
    let bytes: Vec<u8> = model.parameters().iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(folder.join("parameters.f32"), bytes).unwrap();
    fs::write(folder.join("tokens.u32"), drawn.flat_map(|token| token.to_le_bytes()).collect::<Vec<u8>>())
        .unwrap();
    let tensors: Vec<Value> =
        model.tensors().iter().map(|one| json!({"name": one.name, "shape": one.shape})).collect();
    let rates: Vec<f64> = (0..STEPS).map(|step| schedule.rate(step)).collect();
    let sizes: Sizes = preset.config().into();
    let meta = json!({"sizes": sizes, "schedule": schedule, "tensors": tensors, "rates": rates});
    fs::write(folder.join("meta.json"), meta.to_string()).unwrap();

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/compare.py");
    let output = Command::new(python).args([script, "losses"]).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    let losses = |kind: &str| theirs[kind].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let (narrow, wide): (Vec<f64>, Vec<f64>) = (losses("torch.float32"), losses("torch.float64"));

    let steps = trainer.run(&Compute::new(1).unwrap(), &tokens).unwrap();
    println!("{preset:?}\nstep       ours  torch f32  torch f64   |ours − f64|  |f32 − f64|");
    // Errors grow with the steps and pass through zero by chance, so that the yardstick is the largest so far.
    let mut allowed: f64 = 0.0;
    for (index, ((step, narrow), wide)) in steps.iter().zip(&narrow).zip(&wide).enumerate() {
        let (error, theirs) = ((step.loss - wide).abs(), (narrow - wide).abs());
        println!("{index:4} {:10.6} {narrow:10.6} {wide:10.6}     {error:.2e}     {theirs:.2e}", step.loss);
        allowed = allowed.max(theirs).max(f64::from(f32::EPSILON) * wide);
        assert!(error <= 2.0 * allowed, "step {index}: {error:.2e} against {allowed:.2e}");
    }
}
