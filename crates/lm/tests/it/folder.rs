//! Folders of Hugging Face's kind: what is written is read again, and transformers agrees on the logits.

#![expect(clippy::disallowed_methods, reason = "files and variables are the way to the other program")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use lm::{
    Compute, Config, Ends, Family, Instructions, LoadError, Model, Numbers, RopeScaling, SaveError,
    SaveOptions, Sizes, Tensors, read_beside,
};
use serde_json::{Value, json};

use crate::gradient::{lively, sequences, shapes};

/// Names a Python that can import torch and transformers.
const PYTHON: &str = "WEIGH_TORCH_PYTHON";
/// Names a GGUF file of SmolLM2-135M.
const SMOLLM2: &str = "WEIGH_SMOLLM2";
/// How far a logit may be from that of transformers.
const TOLERANCE: f64 = 1e-4;

/// An empty folder of this name.
fn fresh(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("folder").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// Every shape, with sizes that transformers accepts: the stream a multiple of the heads.
fn models() -> Vec<(String, Model)> {
    let name = |name: &str| name.replace([',', ' '], "-");
    shapes().into_iter().map(|(shape, sizes)| (name(shape), lively(sizes))).collect()
}

#[test]
fn reading_a_folder_after_writing_it_is_the_identity() {
    let root = fresh("identity");
    for (name, model) in models() {
        let folder = root.join(&name);
        let ends = Ends { begin: Some(1), end: vec![2, 3] };
        let beside = [("tokenizer.json", &b"{}"[..])];
        let options = SaveOptions { ends: ends.clone(), beside: &beside, ..SaveOptions::default() };
        model.save(&folder, &options).unwrap();
        assert_eq!(files(&folder), ["config.json", "model.safetensors", "tokenizer.json"]);
        let (again, again_ends) = Model::load(&folder, usize::MAX).unwrap();
        assert_eq!((again.digest(), again_ends), (model.digest(), ends), "{name}");
        assert_eq!(again.config(), model.config());
        assert_eq!(Model::load(&folder, 5).unwrap().0.config().context, 5);
    }
}

#[test]
fn a_model_in_several_files_is_the_same_model() {
    let root = fresh("several");
    let (_, model) = models().remove(9);
    for (limit, count) in [(1, 100), (10_000, 0), (1 << 30, 1)] {
        let folder = root.join(limit.to_string());
        let options = SaveOptions { max_file_bytes: limit, ..SaveOptions::default() };
        model.save(&folder, &options).unwrap();
        let written = files(&folder).iter().filter(|name| name.ends_with(".safetensors")).count();
        assert!(if count == 0 { (2..100).contains(&written) } else { written <= count }, "{written} files");
        assert_eq!(files(&folder).contains(&"model.safetensors.index.json".into()), written > 1);
        assert_eq!(Model::load(&folder, 80).unwrap().0.digest(), model.digest());
    }
}

#[test]
fn bf16_is_read_as_the_numbers_that_it_rounds_to() {
    let folder = fresh("bf16");
    let (_, model) = models().remove(0);
    model.save(&folder, &SaveOptions { numbers: Numbers::Bf16, ..SaveOptions::default() }).unwrap();
    let (again, _) = Model::load(&folder, 80).unwrap();
    for (a, b) in model.parameters().iter().zip(again.parameters()) {
        assert!((a - b).abs() <= a.abs() / 256.0 && b.to_bits().trailing_zeros() >= 16, "{a} became {b}");
    }
}

#[test]
fn f16_is_read_as_the_numbers_that_it_rounds_to_and_larger_ones_are_refused() {
    let folder = fresh("f16");
    let (_, model) = models().remove(0);
    let options = SaveOptions { numbers: Numbers::F16, ..SaveOptions::default() };
    model.save(&folder, &options).unwrap();
    let (again, _) = Model::load(&folder, 80).unwrap();
    for (a, b) in model.parameters().iter().zip(again.parameters()) {
        let least = 1.0 / 16_777_216.0;
        assert!((a - b).abs() <= (a.abs() / 2048.0).max(least / 2.0), "{a} became {b}");
    }
    let mut parameters = model.parameters().to_vec();
    parameters[3] = -65_520.0;
    let large = Model::from_parameters(model.config(), parameters).unwrap();
    let error = large.save(&folder.join("large"), &options).unwrap_err().to_string();
    assert_eq!(error, "tensor model.embed_tokens.weight has -65520, as f16 at most 65504 can be written");
    assert!(!folder.join("large").exists());
}

#[test]
fn files_beside_a_model_are_read_within_bounds() {
    let folder = fresh("beside");
    fs::create_dir_all(folder.join("inner")).unwrap();
    fs::write(folder.join("tokenizer.json"), b"12345").unwrap();
    assert_eq!(read_beside(&folder, "tokenizer.json", 5), Ok(Some(b"12345".into())));
    assert_eq!(read_beside(&folder, "none", 5), Ok(None));
    let refused = |name: &str, most: u64, says: &str| {
        let error = read_beside(&folder, name, most).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    refused("tokenizer.json", 4, "is 5, at most 4 is allowed");
    refused("inner", 5, "inner");
    for name in ["../x", "a/b", ".hidden", "", "..", "a\\b"] {
        refused(name, 5, "it is not plain");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("tokenizer.json", folder.join("link")).unwrap();
        refused("link", 5, "link");
    }
}

#[test]
fn what_would_be_overwritten_or_lie_elsewhere_is_not_written() {
    let root = fresh("refused");
    let (_, model) = models().remove(0);
    for name in ["../up", "a/b", ".hidden", "", "config.json", "model.safetensors", "nul\0"] {
        let beside = [(name, &b""[..])];
        let options = SaveOptions { beside: &beside, ..SaveOptions::default() };
        let refused = model.save(&root.join("new"), &options);
        assert_eq!(refused, Err(SaveError::Name { name: name.into() }));
    }
    assert!(files(&root).is_empty());
    fs::write(root.join("mine"), b"").unwrap();
    assert!(matches!(model.save(&root, &SaveOptions::default()), Err(SaveError::NotEmpty { .. })));
    assert_eq!(files(&root), ["mine"]);
}

#[test]
fn folders_whose_parts_disagree_are_refused_in_words() {
    let (_, model) = models().remove(0);
    let check = |name: &str, change: &dyn Fn(&Path), message: &str| {
        let folder = fresh("disagree").join(name);
        model.save(&folder, &SaveOptions::default()).unwrap();
        change(&folder);
        let error = Model::load(&folder, 80).unwrap_err().to_string();
        assert!(error.contains(message), "{name}: {error}");
    };
    let set = |key: &'static str, value: Value| {
        move |folder: &Path| {
            let path = folder.join("config.json");
            let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            config[key] = value.clone();
            fs::write(path, config.to_string()).unwrap();
        }
    };
    check(
        "layers",
        &set("num_hidden_layers", json!(3)),
        "\"model.layers.2.input_layernorm.weight\" is missing",
    );
    check("fewer", &set("num_hidden_layers", json!(1)), "9 tensors are left");
    check("vocab", &set("vocab_size", json!(30)), "has shape [29, 24], expected [30, 24]");
    check("untied", &set("tie_word_embeddings", json!(false)), "\"lm_head.weight\" is missing");
    check("huge", &set("vocab_size", json!(2_000_000)), "has shape [29, 24], expected [2000000, 24]");
    check("none", &|folder| fs::remove_file(folder.join("config.json")).unwrap(), "cannot be read");
    let large = |folder: &Path| fs::write(folder.join("config.json"), vec![b' '; (1 << 20) + 1]).unwrap();
    check("large", &large, "is 1048577, at most 1048576 is allowed");
}

#[test]
fn an_output_matrix_beside_tied_embeddings_has_to_be_the_same() {
    let (_, tied) = models().remove(0);
    let untied = Config::new(Sizes { tied: false, ..**tied.config() }).unwrap();
    for change in [0.0, 1.0] {
        let embeddings = tied.tensor("model.embed_tokens.weight").unwrap().to_vec();
        let both = Model::from_tensors(&untied, |name, _| -> Result<Vec<f32>, LoadError> {
            Ok(match tied.tensor(name) {
                Some(numbers) => numbers.to_vec(),
                None => embeddings.iter().map(|x| x + change).collect(),
            })
        });
        let bytes = both.unwrap().to_safetensors().unwrap();
        let again = Model::from_all_tensors(tied.config(), Tensors::from_safetensors_bytes(bytes).unwrap());
        match again {
            Ok(again) => assert!(change < 0.5 && again.digest() == tied.digest()),
            Err(error) => assert!(change > 0.5 && error.to_string().contains("tied"), "{error}"),
        }
    }
}

/// The largest difference, as a test of transformers' logits [tokens][vocab].
fn largest_difference(ours: &[f32], theirs: &Value) -> f64 {
    let theirs = theirs.as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
    let theirs: Vec<f64> = theirs.map(|x| x.as_f64().unwrap()).collect();
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).fold(0.0, |most, (a, b)| most.max((f64::from(*a) - b).abs()))
}

fn peer(python: &str, request: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/hub.py");
    let output = Command::new(python).arg(script).arg(request.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn transformers_gives_the_logits_of_what_we_write_and_we_those_of_what_it_writes() {
    let Ok(python) = env::var(PYTHON) else {
        println!("skipped: {PYTHON} names no Python with torch and transformers");
        return;
    };
    let root = fresh("transformers");
    let tokens = sequences().remove(2).0;
    let mut models = models();
    let llama3 = RopeScaling::Llama3 { factor: 4.0, slow_turns: 0.5, fast_turns: 3.0, first_context: 40 };
    let scaled = Sizes { family: Family::Qwen2, rope_scaling: Some(llama3), ..**models[0].1.config() };
    models.push(("qwen2-scaled".into(), lively(scaled)));
    for (index, (name, model)) in models.iter().enumerate() {
        let max_file_bytes = if index % 2 == 0 { 10_000 } else { 1 << 30 };
        model.save(&root.join(name), &SaveOptions { max_file_bytes, ..SaveOptions::default() }).unwrap();
    }
    let folders: Vec<PathBuf> = models.iter().map(|(name, _)| root.join(name)).collect();
    let request = json!({"read": folders, "write": root.join("theirs"), "tokens": tokens});
    let answer = peer(&python, &request);
    let compute = Compute::new(2).unwrap();
    for ((name, model), theirs) in models.iter().zip(answer["read"].as_array().unwrap()) {
        let difference = largest_difference(&model.logits(&compute, &tokens).unwrap(), theirs);
        println!("ours, {name}: largest difference {difference:.1e}");
        assert!(difference < TOLERANCE, "{name}: {difference:e}");
    }
    let written = answer["written"].as_object().unwrap();
    assert!(written.len() >= 4, "each member of the family is written");
    for (name, theirs) in written {
        let (model, _) = Model::load(&root.join("theirs").join(name), 80).unwrap();
        let ours = model.logits(&compute, &tokens).unwrap();
        let difference = largest_difference(&ours, theirs);
        println!("theirs, {name}: largest difference {difference:.1e}");
        assert!(difference < TOLERANCE, "{name}: {difference:e}");
        for instructions in Instructions::available() {
            let other = Compute::with(3, instructions).unwrap();
            assert_eq!(bits(&model.logits(&other, &tokens).unwrap()), bits(&ours));
        }
    }
}

#[test]
fn a_real_model_has_the_logits_that_transformers_gives_it() {
    let (Ok(python), Ok(path)) = (env::var(PYTHON), env::var(SMOLLM2)) else {
        println!("skipped: {PYTHON} or {SMOLLM2} is not set");
        return;
    };
    let (model, ends) = Model::load_gguf(Path::new(&path), 64).unwrap();
    let folder = fresh("smollm2").join("model");
    model.save(&folder, &SaveOptions { ends, ..SaveOptions::default() }).unwrap();
    let tokens: Vec<u32> = (0..24u32).map(|i| 1000 + 37 * i * i).collect();
    let answer = peer(&python, &json!({"read": [folder], "tokens": tokens}));
    let difference =
        largest_difference(&model.logits(&Compute::new(2).unwrap(), &tokens).unwrap(), &answer["read"][0]);
    println!("SmolLM2: largest difference {difference:.1e}");
    assert!(difference < TOLERANCE, "{difference:e}");
    assert_eq!(Model::load(&folder, 64).unwrap().0.digest(), model.digest());
    fs::remove_dir_all(folder).unwrap();
}
