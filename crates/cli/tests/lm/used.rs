//! What is done with a model: measured, asked for text and vectors, written anew.

use std::fs;

use lm::{Compute, Embedder, Model};
use serde_json::{Value, json};

use crate::{bert::lay_bert, done, events, fails, gguf_file::GgufFile, trained};

#[test]
fn a_model_is_measured_per_file_and_token() {
    let home = trained();
    let home = home.path();
    let said = events(home, &["eval", "model", "texts/0003.md", "texts/0001.md", "--threads", "1"]);
    let (files, total) = said.split_at(2);
    assert_eq!((&files[0]["file"], &files[1]["file"]), (&json!("texts/0001.md"), &json!("texts/0003.md")));
    let sum = |name: &str| files.iter().map(|file| file[name].as_f64().unwrap()).sum::<f64>();
    let all = &total[0];
    for name in ["documents", "bytes", "tokens", "nats"] {
        assert!((all[name].as_f64().unwrap() - sum(name)).abs() < 1e-9, "{name}");
    }
    let (nats, tokens) = (sum("nats"), sum("tokens"));
    assert!((all["nats_per_token"].as_f64().unwrap() - nats / tokens).abs() < 1e-12);
    assert!((all["perplexity"].as_f64().unwrap() / (nats / tokens).exp() - 1.0).abs() < 1e-12);
    assert!((all["bits_per_byte"].as_f64().unwrap() - nats / sum("bytes") / 2f64.ln()).abs() < 1e-12);
    assert_eq!(events(home, &["eval", "model", "texts/0001.md", "texts/0003.md", "--threads", "2"]), said);

    let by_token = events(home, &["eval", "model", "texts/0001.md", "--per-token"]);
    let tokens: Vec<&Value> = by_token.iter().filter(|event| event["event"] == "token").collect();
    let text: String = tokens.iter().map(|token| token["text"].as_str().unwrap()).collect();
    assert_eq!(text, fs::read_to_string(home.join("texts/0001.md")).unwrap());
    let nats: f64 = tokens.iter().map(|token| token["nats"].as_f64().unwrap()).sum();
    assert_eq!(nats.to_bits(), files[0]["nats"].as_f64().unwrap().to_bits());
    assert!(done(home, &["eval", "model", "texts/0001.md"]).contains("bits/byte"));
    // Shorter steps of the window give each token more to go by.
    let near = events(home, &["eval", "model", "texts/0001.md", "--stride", "8"]);
    assert_eq!(near[0]["tokens"], files[0]["tokens"]);

    fails(home, &["eval", "none", "texts"], 3, "there is no model at none");
    fails(home, &["eval", "texts", "texts"], 3, "there is no model at texts");
    fails(home, &["eval", "model", "none.txt"], 3, "none.txt can't be read");
    fails(
        home,
        &["eval", "model", "texts", "--stride", "65"],
        2,
        "stride is 65, expected 1 to the context of 64",
    );
    fails(home, &["eval", "texts/0001.md", "texts"], 1, "model texts/0001.md can't be read");
    fs::remove_file(home.join("model/tokenizer.json")).unwrap();
    fails(home, &["eval", "model", "texts"], 3, "model model has no tokenizer.json");
    fs::write(
        home.join("model/tokenizer.json"),
        r#"{"model": {"type": "Unigram", "vocab": {}, "merges": []}}"#,
    )
    .unwrap();
    fails(home, &["eval", "model", "texts"], 1, "the tokenizer of model can't be used");
}

#[test]
fn text_goes_on_greedily_or_by_a_seed() {
    let home = trained();
    let home = home.path();
    let text = |more: &[&str]| -> Value {
        let said = events(
            home,
            &[&["generate", "model", "--prompt", "the weight", "--tokens", "20"], more].concat(),
        );
        assert_eq!(said.len(), 1);
        said[0].clone()
    };
    let greedy = text(&["--threads", "1"]);
    assert_eq!(greedy, text(&["--threads", "2"]));
    assert_eq!((greedy["tokens"].as_array().unwrap().len(), &greedy["finish"]), (20, &json!("length")));
    assert_eq!(text(&["--top-k", "1"])["tokens"], greedy["tokens"]);
    assert_eq!(text(&["--seed", "1"]), text(&["--seed", "1", "--temperature", "1"]));
    assert_ne!(text(&["--seed", "1"])["text"], text(&["--seed", "2"])["text"]);
    assert_ne!(text(&["--no-start"])["prompt_tokens"], greedy["prompt_tokens"]);
    let plain = done(home, &["generate", "model", "--prompt", "the weight", "--tokens", "20"]);
    assert_eq!(plain, format!("{}\n", greedy["text"].as_str().unwrap()));
    assert!(!done(home, &["generate", "model", "--tokens", "3", "--seed", "5"]).is_empty());

    fails(home, &["generate", "none"], 3, "there is no model at none");
    fails(home, &["generate", "model", "--temperature", "0"], 2, "temperature is 0, expected above 0");
    fails(home, &["generate", "model", "--top-p", "2"], 2, "top_p is 2");
    let long = "weigh ".repeat(200);
    fails(home, &["generate", "model", "--prompt", &long], 2, "exceed the context of 64");
}

#[test]
fn a_copy_is_the_same_model_and_a_shorter_one_nearly() {
    let home = trained();
    let home = home.path();
    let total =
        |model: &str| events(home, &["eval", model, "texts/0001.md"]).remove(0)["nats"].as_f64().unwrap();
    let said = events(home, &["convert", "model", "copy", "--max-file-bytes", "20000"]);
    let (model, copy) =
        (Model::load(&home.join("model"), 64).unwrap(), Model::load(&home.join("copy"), 64).unwrap());
    assert_eq!(model.0.digest(), copy.0.digest());
    assert_eq!(model.1, copy.1);
    assert_eq!(said[0]["digest"], json!(copy.0.digest()));
    assert!(home.join("copy/model.safetensors.index.json").is_file(), "{said:?}");
    assert_eq!(total("copy").to_bits(), total("model").to_bits());
    for numbers in ["bf16", "f16"] {
        done(home, &["convert", "model", numbers, "--numbers", numbers]);
        let apart = (total(numbers) / total("model") - 1.0).abs();
        assert!(apart > 0.0 && apart < 0.01, "{numbers}: {apart}");
    }
    fails(home, &["convert", "model", "copy"], 2, "folder copy is not empty");
    fails(home, &["convert", "none", "new"], 3, "there is no model at none");
    fails(home, &["convert", "model", "new", "--numbers", "f8"], 2, "possible values");
}

#[test]
fn a_gguf_file_is_measured_asked_and_converted() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let mut file = GgufFile::llama();
    fs::write(home.join("small.gguf"), file.bytes()).unwrap();
    fs::write(home.join("text.txt"), "he weighs the bale").unwrap();
    let nats = |model: &str| events(home, &["eval", model, "text.txt"]).remove(0)["nats"].clone();
    assert!(done(home, &["convert", "small.gguf", "folder"]).contains("tokenizer.json"));
    assert_eq!(nats("folder"), nats("small.gguf"));
    let text = |model: &str| {
        events(home, &["generate", model, "--prompt", "he", "--tokens", "4"]).remove(0)["tokens"].clone()
    };
    assert_eq!(text("folder"), text("small.gguf"));

    // One whose tokenizer is of another kind has numbers to convert, and nothing to be asked with.
    file.set("tokenizer.ggml.model", crate::gguf_file::TEXT, crate::gguf_file::text(b"llama"));
    fs::write(home.join("other.gguf"), file.bytes()).unwrap();
    fails(home, &["eval", "other.gguf", "text.txt"], 1, "tokenizer.ggml.model \"llama\" is not supported");
    let converted = crate::weigh(home, &["convert", "other.gguf", "bare"]);
    assert!(converted.status.success() && crate::told(&converted).contains("the tokenizer is left out"));
    assert!(!home.join("bare/tokenizer.json").exists());
}

#[test]
fn texts_become_vectors_and_cosines() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    lay_bert(&home.join("bert"));
    let texts = ["the weight of a bale", "a measure of bales", "the weight of a bale"];
    let said = events(home, &[&["embed", "bert"], &texts[..]].concat());
    let embedder = Embedder::open(&home.join("bert")).unwrap();
    let vectors = embedder.embed(&Compute::new(1).unwrap(), &texts);
    for ((event, text), vector) in said.iter().zip(texts).zip(&vectors) {
        assert_eq!((&event["text"], &event["vector"]), (&json!(text), &json!(vector)));
    }
    fs::write(home.join("texts.txt"), texts.join("\n")).unwrap();
    assert_eq!(events(home, &["embed", "bert", "--file", "texts.txt"]), said);
    let cosines = events(home, &[&["embed", "bert", "--cosines"], &texts[..]].concat());
    let cosine = |a: usize, b: usize| cosines[0]["cosines"][a][b].as_f64().unwrap();
    assert!((cosine(0, 2) - 1.0).abs() < 1e-6 && cosine(0, 1) < 0.9999);
    assert_eq!(cosine(0, 1).to_bits(), cosine(1, 0).to_bits());
    let table = done(home, &[&["embed", "bert", "--cosines"], &texts[..]].concat());
    assert!(table.contains("1.0000") && table.contains("a measure of bales"), "{table}");

    fails(home, &["embed", "none", "x"], 3, "there is no model at none");
    fails(home, &["embed", "bert"], 2, "required");
    fails(home, &["embed", "bert", "--file", "none"], 3, "none can't be read");
    fails(home, &["eval", "bert", "texts.txt"], 1, "bert");
}

#[test]
fn a_machine_is_measured_at_each_preset() {
    let home = tempfile::tempdir().unwrap();
    let said = events(
        home.path(),
        &["bench", "--preset", "mouse", "--preset", "cat", "--seconds", "0", "--threads", "2"],
    );
    let works: Vec<&str> = said.iter().map(|event| event["work"].as_str().unwrap()).collect();
    assert_eq!(works, ["train", "read", "write", "train", "read", "write"]);
    assert!(said.iter().all(|event| event["tokens_per_second"].as_f64().unwrap() > 0.0), "{said:?}");
    fails(home.path(), &["bench", "--seconds", "soon"], 2, "it is no number");
}
