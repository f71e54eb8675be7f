//! A real model beside transformers: its loss, its text, and our copy of it in transformers' hands.

#![expect(clippy::disallowed_methods, reason = "files and variables are the way to the other program")]

use std::{env, fs, path::Path, process::Command};

use lm::{Compute, Decoder, Gguf, Model, Sampling, SaveOptions, Tokenizer, generate, score_tokens};
use serde_json::Value;

use crate::story::TEXT;

const PYTHON: &str = "WEIGH_TORCH_PYTHON";
/// Names the GGUF file of SmolLM2-135M-Instruct.
const MODEL: &str = "WEIGH_SMOLLM2";
/// Tokens of the text.
const TOKENS: usize = 256;

#[test]
fn a_real_model_gives_transformers_loss_text_and_logits() {
    let (Ok(python), Ok(path)) = (env::var(PYTHON), env::var(MODEL)) else {
        println!("skipped: {PYTHON} names no Python with transformers, or {MODEL} no model");
        return;
    };
    let compute = Compute::new(1).unwrap();
    let (model, ends) = Model::load_gguf(Path::new(&path), 2048).unwrap();
    let file = Gguf::open(Path::new(&path)).unwrap();
    let (json, start) = (file.tokenizer_json().unwrap(), file.start_token().unwrap());
    let tokenizer = Tokenizer::from_json(&json, start).unwrap();
    let tokens: Vec<u32> =
        tokenizer.encode(TEXT.repeat(9).as_bytes()).unwrap().iter().map(|t| t.id).collect();
    let tokens = &tokens[..TOKENS];

    let nats = score_tokens(&model, &[tokens], model.config().context, &compute).unwrap();
    let loss = nats[0].iter().sum::<f64>() / nats[0].len() as f64;
    let decoder = Decoder::new(&compute, &model).unwrap();
    let greedy = generate(&compute, &decoder, &tokens[..16], 32, &[], Sampling::Greedy).unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("copy");
    model.save(&folder, &SaveOptions { ends, ..SaveOptions::default() }).unwrap();
    fs::write(folder.join("tokens.json"), serde_json::to_vec(tokens).unwrap()).unwrap();
    let logits = model.logits(&compute, tokens).unwrap();
    let bytes: Vec<u8> = logits.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(folder.join("logits.f32"), bytes).unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/smollm2.py");
    let output = Command::new(python).arg(script).args(["check", &path]).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let theirs: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let expected = theirs["loss"].as_f64().unwrap();
    println!("loss {loss}, transformers {theirs}");
    assert!((loss - expected).abs() < 1e-4, "{loss} {expected}");
    assert_eq!(serde_json::to_value(&greedy.tokens).unwrap(), theirs["greedy"]);
    // The copy is the same model to transformers, and our logits are those that it gives in f64. Two computations in f32
    // may be twice as far from each other as each is from that.
    assert_eq!(theirs["same_model"], true, "{theirs}");
    let apart = |name: &str| theirs[name].as_f64().unwrap();
    assert!(apart("ours_from_exact") <= 1e-4 && apart("ours_from_theirs") <= 2e-4, "{theirs}");
}
