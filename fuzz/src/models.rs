//! Model files: small right ones, and what must hold of whatever was read.

use lm::{
    AdamW, Compute, Config, Decay, Family, Gguf, LoadError, Model, RopeScaling, Sizes, Tensors, Tokenizer,
    TokenizerError, TrainConfig, Trainer,
};
use primitives::Seed;
use serde_json::{Map, json};

/// Takes every tensor, and reads what was taken once more from a file written anew.
pub fn take_all(mut tensors: Tensors) {
    let names: Vec<String> = tensors.names().map(Into::into).collect();
    let (mut table, mut data, mut taken) = (Map::new(), Vec::new(), Vec::new());
    for name in names {
        let shape = tensors.shape(&name).expect("it was named").to_vec();
        match tensors.take(&name, &shape) {
            Ok(numbers) => {
                assert_eq!(numbers.len(), shape.iter().product::<usize>(), "{name:?}");
                assert!(numbers.iter().all(|number| number.is_finite()), "{name:?}");
                let start = data.len();
                data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
                // The writer's name for texts about the file is no tensor's.
                let name = format!("_{}", taken.len());
                let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
                table.insert(name.clone(), entry);
                taken.push((name, shape));
            }
            Err(LoadError::Unsupported { .. } | LoadError::NotFinite { .. }) => {
                assert!(tensors.discard(&name), "what was refused is still there");
            }
            Err(other) => panic!("{name:?}: {other}"),
        }
    }
    tensors.finish().expect("all were taken");
    let mut again = Tensors::from_safetensors_bytes(safetensors(table, &data)).expect("just written");
    let mut bytes = Vec::with_capacity(data.len());
    for (name, shape) in taken {
        let numbers = again.take(&name, &shape).expect("just written");
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    assert!(bytes == data, "written and read again");
}

/// Reads a tokenizer and cuts a text with it: the tokens' bytes add up to the text's, or a byte has no token.
pub fn cut(json: &[u8], start: &str, text: &[u8]) {
    let tokenizer = match Tokenizer::from_json(json, start) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!((tokenizer.start() as usize) < tokenizer.vocab());
    match tokenizer.encode(text) {
        Ok(tokens) => {
            assert_eq!(tokens.iter().map(|token| token.bytes as usize).sum::<usize>(), text.len());
            assert!(tokens.iter().all(|token| (token.id as usize) < tokenizer.vocab()));
        }
        Err(TokenizerError::NoToken { byte, place }) => assert_eq!(text[place], byte),
        Err(TokenizerError::NotText { valid_bytes }) => {
            assert_eq!(std::str::from_utf8(text).map_err(|error| error.valid_up_to()), Err(valid_bytes));
        }
        Err(other) => panic!("{other}"),
    }
}

/// The start token of the seeds' tokenizers.
pub const START: &str = "<s>";

/// Tokenizers over a few bytes: those of the seeds' GGUF files, and the same with other steps before.
pub fn genuine_tokenizers() -> Vec<Vec<u8>> {
    let of_gguf = |file: Vec<u8>| Gguf::from_bytes(file).and_then(|gguf| gguf.tokenizer_json());
    let mut files: Vec<Vec<u8>> =
        genuine_gguf().into_iter().step_by(2).map(|file| of_gguf(file).expect("a tokenizer")).collect();
    let plain = json!({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true});
    let digits =
        json!({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, plain]});
    for (pre, ignore_merges) in [(&plain, true), (&digits, false)] {
        let file = json!({
            "added_tokens": [{"id": 6, "content": START}],
            "normalizer": null,
            "pre_tokenizer": pre,
            "model": {
                "type": "BPE",
                "ignore_merges": ignore_merges,
                "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "1": 5},
                "merges": [["a", "b"], "Ġ ab"],
            },
        });
        files.push(file.to_string().into());
    }
    files
}

/// A `config.json` of each member of the family, in the older form and the newer one.
pub fn genuine_configs() -> Vec<Vec<u8>> {
    let sizes = json!({
        "vocab_size": 9, "hidden_size": 8, "intermediate_size": 6, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 64,
    });
    let file = |model_type: &str, more: serde_json::Value| {
        let mut file = sizes.as_object().expect("an object").clone();
        file.insert("model_type".into(), model_type.into());
        file.extend(more.as_object().expect("an object").clone());
        serde_json::Value::from(file).to_string().into_bytes()
    };
    let llama3 = json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    });
    vec![
        file(
            "llama",
            json!({"bos_token_id": 1, "eos_token_id": [2, 3], "rope_theta": 1e4, "rope_scaling": llama3}),
        ),
        file("llama", json!({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e6}})),
        file("mistral", json!({"sliding_window": 64, "torch_dtype": "bfloat16", "rms_norm_eps": 1e-5})),
        file(
            "qwen2",
            json!({"sliding_window": 32, "use_sliding_window": false, "tie_word_embeddings": true}),
        ),
        file("qwen3", json!({"head_dim": 6, "attention_bias": true, "layer_types": ["full_attention"]})),
    ]
}

/// Checkpoints of the smallest trainings: before the first step and behind it, of each member of the family.
pub fn genuine_checkpoints() -> Vec<Vec<u8>> {
    let compute = Compute::new(1).expect("one thread");
    let checkpoint = |family: Family, steps: u64| {
        let sizes = Sizes {
            vocab: 3,
            dim: 2,
            layers: 1,
            heads: 1,
            kv_heads: 1,
            ffn_dim: 1,
            context: 4,
            rope_theta: 1e4,
            norm_eps: 1e-5,
            tied: family != Family::Mistral,
            family,
            head_dim: (family == Family::Qwen3).then_some(4),
            attention_bias: false,
            rope_scaling: (family == Family::Llama).then_some(RopeScaling::Linear { factor: 2.0 }),
        };
        let schedule = TrainConfig {
            steps: 3,
            batch: 1,
            accumulate: if family == Family::Llama { 2 } else { 1 },
            sequence: 3,
            peak_rate: 1e-3,
            warmup_steps: 1,
            decay: if steps == 0 { Decay::Constant } else { Decay::Cosine { floor: 0.5 } },
            clip: (family != Family::Qwen2).then_some(1.0),
            adamw: AdamW::default(),
        };
        let model = Model::init(&Config::new(sizes).expect("they fit together"), Seed::from_number(4));
        let mut trainer = Trainer::new(model, schedule, Seed::from_number(5)).expect("settings in range");
        for _ in 0..steps {
            trainer.step(&compute, &[0, 1, 2, 0, 1]).expect("a step");
        }
        trainer.checkpoint_bytes().expect("finite numbers")
    };
    Family::ALL.into_iter().flat_map(|family| [checkpoint(family, 0), checkpoint(family, 1)]).collect()
}

fn safetensors(table: Map<String, serde_json::Value>, data: &[u8]) -> Vec<u8> {
    let table = serde_json::Value::from(table).to_string();
    [&(table.len() as u64).to_le_bytes()[..], table.as_bytes(), data].concat()
}

/// Files of tensors of each type, of none, and with texts about them.
pub fn genuine_safetensors() -> Vec<Vec<u8>> {
    let file = |table: serde_json::Value, data: &[u8]| {
        safetensors(table.as_object().expect("an object").clone(), data)
    };
    let one = |dtype: &str, bytes: usize| {
        let table =
            json!({"model.norm.weight": {"dtype": dtype, "shape": [2, 2], "data_offsets": [0, bytes]}});
        file(table, &vec![0x3f; bytes])
    };
    vec![
        file(json!({}), &[]),
        file(
            json!({
                "__metadata__": {"format": "pt"},
                "a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
                "b": {"dtype": "F16", "shape": [], "data_offsets": [12, 14]},
            }),
            &[0x3e; 14],
        ),
        one("F32", 16),
        one("F16", 8),
        one("BF16", 8),
        one("I64", 32),
    ]
}

/// Models of one layer of each architecture, with tensors of each type and a tokenizer over three bytes.
pub fn genuine_gguf() -> Vec<Vec<u8>> {
    ["llama", "qwen2", "qwen3"].into_iter().flat_map(|name| [gguf(name, 2), gguf(name, 3)]).collect()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn list(kind: u32, items: &[Vec<u8>]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(items.len() as u64).to_le_bytes(), &items.concat()].concat()
}

fn gguf(architecture: &str, version: u32) -> Vec<u8> {
    let texts = |all: &[&str]| list(8, &all.iter().map(|one| text(one)).collect::<Vec<_>>());
    let number = |value: u32| value.to_le_bytes().to_vec();
    let own = |key: &str| format!("{architecture}.{key}");
    let values = [
        ("general.architecture".to_owned(), 8, text(architecture)),
        (own("block_count"), 4, number(1)),
        (own("context_length"), 4, number(8)),
        (own("embedding_length"), 4, number(32)),
        (own("feed_forward_length"), 4, number(32)),
        (own("attention.head_count"), 4, number(2)),
        (own("attention.layer_norm_rms_epsilon"), 6, 1e-5f32.to_le_bytes().to_vec()),
        ("tokenizer.ggml.model".to_owned(), 8, text("gpt2")),
        ("tokenizer.ggml.pre".to_owned(), 8, text("smollm")),
        ("tokenizer.ggml.tokens".to_owned(), 9, texts(&["a", "b", "1", "ab", "<s>"])),
        ("tokenizer.ggml.merges".to_owned(), 9, texts(&["a b"])),
        ("tokenizer.ggml.token_type".to_owned(), 9, list(5, &[1, 1, 1, 1, 3].map(number))),
        ("tokenizer.ggml.bos_token_id".to_owned(), 4, number(4)),
    ];
    // Name, dimensions with the fastest first, number of the type, bytes.
    let tensors: [(&str, [u64; 2], u32, usize); 11] = [
        ("token_embd.weight", [32, 5], 8, 170),
        ("output_norm.weight", [32, 1], 0, 128),
        ("blk.0.attn_q.weight", [32, 4], 2, 72),
        ("blk.0.attn_k.weight", [32, 4], 3, 80),
        ("blk.0.attn_v.weight", [32, 4], 6, 88),
        ("blk.0.attn_output.weight", [32, 4], 7, 96),
        ("blk.0.ffn_gate.weight", [256, 1], 12, 144),
        ("blk.0.ffn_up.weight", [256, 1], 13, 176),
        ("blk.0.ffn_down.weight", [256, 1], 14, 210),
        ("blk.0.attn_norm.weight", [32, 1], 1, 64),
        ("blk.0.ffn_norm.weight", [32, 1], 30, 64),
    ];
    let mut file = [&b"GGUF"[..], &version.to_le_bytes()].concat();
    file.extend((tensors.len() as u64).to_le_bytes());
    file.extend((values.len() as u64).to_le_bytes());
    for (key, kind, bytes) in values {
        file.extend([text(&key), number(kind), bytes].concat());
    }
    let mut data = Vec::new();
    for (name, dimensions, kind, bytes) in tensors {
        data.resize(data.len().next_multiple_of(32), 0);
        file.extend([text(name), number(2)].concat());
        file.extend(dimensions.iter().flat_map(|size| size.to_le_bytes()));
        file.extend(number(kind));
        file.extend((data.len() as u64).to_le_bytes());
        data.resize(data.len() + bytes, 0x2e);
    }
    file.resize(file.len().next_multiple_of(32), 0);
    [file, data].concat()
}
