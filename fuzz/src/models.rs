//! Model files: small right ones, and what must hold of whatever was read.

use lm::{LoadError, Tensors};
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
