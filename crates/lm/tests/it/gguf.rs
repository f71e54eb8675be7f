//! Model files that are right: numbers and tokens as the Python packages have them (see `tests/peers/gguf_peer.py`).

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "files and a variable are the way to the other program, and what is skipped is told"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use lm::{Gguf, Model, Preset, Tensors, Tokenizer};
use primitives::Seed;
use serde_json::{Value, json};

use crate::gguf_file::{GgufFile, text};

/// Names a Python that can import gguf, tokenizers and transformers.
const PYTHON: &str = "WEIGH_TORCH_PYTHON";
/// Names the file of SmolLM2-135M-Instruct.
const SMOLLM2: &str = "WEIGH_SMOLLM2";
/// Offsets of the half-precision scales in a block, by number of type, with the block's numbers and bytes.
const SCALES: [(u32, usize, usize, &[usize]); 8] = [
    (8, 32, 34, &[0]),
    (2, 32, 18, &[0]),
    (3, 32, 20, &[0, 2]),
    (6, 32, 22, &[0]),
    (7, 32, 24, &[0, 2]),
    (12, 256, 144, &[0, 2]),
    (13, 256, 176, &[0, 2]),
    (14, 256, 210, &[208]),
];

fn variable(name: &str) -> Option<String> {
    let value = env::var(name).ok();
    if value.is_none() {
        println!("skipped: {name} is not set");
    }
    value
}

fn peer(python: &str, args: &[&str]) -> Vec<u8> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/gguf_peer.py");
    let output = Command::new(python).arg(script).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

fn read_bits(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)).collect()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn blocks_of_each_type_have_the_references_bits() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("fixtures/gguf_blocks.json")).unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let expected = read_bits(&unhex(&case["f32"]));
        let mut file = GgufFile::empty();
        file.set("general.architecture", 8, text(b"qwen2"));
        let kind = u32::try_from(case["number"].as_u64().unwrap()).unwrap();
        file.push("output.weight", &[expected.len() as u64, 1], kind, &unhex(&case["bytes"]));
        let mut tensors = Gguf::from_bytes(file.bytes()).unwrap().into_tensors();
        let numbers = tensors.take("lm_head.weight", &[1, expected.len()]).unwrap();
        assert_eq!(bits(&numbers), expected, "{}", case["type"]);
    }
}

#[test]
fn many_blocks_of_each_type_have_the_references_bits() {
    let Some(python) = variable(PYTHON) else { return };
    let folder = folder("gguf-blocks");
    let mut stream = Seed::from_number(5).stream("blocks", 0);
    let mut file = GgufFile::empty();
    file.set("general.architecture", 8, text(b"qwen3"));
    let (rows, width) = (300, 512);
    for (layer, (kind, length, size, scales)) in SCALES.into_iter().enumerate() {
        let mut bytes: Vec<u8> =
            (0..rows * width / length * size).map(|_| stream.next_u64().to_le_bytes()[0]).collect();
        for block in bytes.chunks_exact_mut(size) {
            // A scale's second byte holds its exponent: not all ones, so that it is finite.
            scales.iter().for_each(|at| block[at + 1] &= 0xbf);
        }
        file.push(&format!("blk.{layer}.ffn_up.weight"), &[width as u64, rows as u64], kind, &bytes);
    }
    let path = folder.join("blocks.gguf");
    fs::write(&path, file.bytes()).unwrap();
    let names: Vec<String> = (0..SCALES.len()).map(|layer| format!("blk.{layer}.ffn_up.weight")).collect();
    let mut args = vec!["numbers", path.to_str().unwrap(), folder.to_str().unwrap()];
    args.extend(names.iter().map(String::as_str));
    peer(&python, &args);
    let mut tensors = Tensors::from_gguf(&path).unwrap();
    for (layer, name) in names.iter().enumerate() {
        let numbers =
            tensors.take(&format!("model.layers.{layer}.mlp.up_proj.weight"), &[rows, width]).unwrap();
        let theirs = read_bits(&fs::read(folder.join(format!("{name}.f32"))).unwrap());
        assert!(bits(&numbers) == theirs, "type {}", SCALES[layer].0);
        println!("type {}: {} numbers are equal", SCALES[layer].0, theirs.len());
    }
    tensors.finish().unwrap();
}

#[test]
fn a_llama_has_hugging_faces_names_rows_sizes_and_tokenizer() {
    let gguf = Gguf::from_bytes(GgufFile::llama().bytes()).unwrap();
    let expected = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 8,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
        "intermediate_size": 16, "max_position_embeddings": 64, "rope_theta": 10000.0, "rms_norm_eps": 1e-5,
        "vocab_size": 258, "tie_word_embeddings": true, "torch_dtype": "float32", "attention_bias": false,
        "mlp_bias": false, "bos_token_id": 257
    });
    assert_eq!(gguf.config().unwrap(), expected);
    assert_eq!(gguf.start_token().unwrap(), "<s>");
    let tokenizer = Tokenizer::from_json(&gguf.tokenizer_json().unwrap(), "<s>").unwrap();
    assert_eq!((tokenizer.start(), tokenizer.vocab()), (257, 258));
    let ids = |text: &str| -> Vec<u32> {
        tokenizer.encode(text.as_bytes()).unwrap().iter().map(|token| token.id).collect()
    };
    assert_eq!(ids("he 12"), [256, u32::from(b' '), u32::from(b'1'), u32::from(b'2')]);

    let mut tensors = gguf.into_tensors();
    assert_eq!(tensors.names().count(), 11);
    assert_eq!(tensors.shape("model.embed_tokens.weight"), Some(&[258, 8][..]));
    let queries = tensors.take("model.layers.0.self_attn.q_proj.weight", &[8, 8]).unwrap();
    let firsts: Vec<f32> = queries.chunks(8).map(|row| row[0] - queries[0]).collect();
    // Rows 0, 2 and 1, 3 of each head of four, eight numbers of 1/64 in a row.
    assert_eq!(firsts, [0, 2, 1, 3, 4, 6, 5, 7].map(|row: u8| f32::from(row) / 8.0));
    let values = tensors.take("model.layers.0.self_attn.v_proj.weight", &[4, 8]).unwrap();
    assert_eq!(values.chunks(8).map(|row| row[0] - values[0]).collect::<Vec<_>>(), [0.0, 0.125, 0.25, 0.375]);
    assert_eq!(tensors.names().count(), 9);
}

#[test]
fn version_2_other_alignments_and_no_fill_at_the_end_are_read() {
    let mut file = GgufFile::empty();
    (file.version, file.alignment) = (2, 64);
    file.set("general.alignment", 4, 64u32.to_le_bytes().into());
    file.set("general.architecture", 8, text(b"qwen3"));
    file.set("a list of lists", 9, [&9u32.to_le_bytes()[..], &1u64.to_le_bytes(), &[0; 12]].concat());
    file.push("output_norm.weight", &[2], 1, &[0, 0x3c, 0, 0xc0]);
    file.push("blk.0.attn_q_norm.weight", &[1], 30, &[0x80, 0x3f]);
    let mut tensors = Gguf::from_bytes(file.bytes()).unwrap().into_tensors();
    assert_eq!(tensors.take("model.norm.weight", &[2]).unwrap(), [1.0, -2.0]);
    assert_eq!(tensors.take("model.layers.0.self_attn.q_norm.weight", &[1]).unwrap(), [1.0]);
    tensors.finish().unwrap();
}

#[test]
fn a_model_written_as_safetensors_is_read_back_to_the_bit_from_one_file_or_many() {
    let model = Model::init(&Preset::Cat.config(), Seed::from_number(3));
    let bytes = model.to_safetensors().unwrap();
    let same = |mut tensors: Tensors| {
        for tensor in model.tensors() {
            assert_eq!(tensors.shape(&tensor.name), Some(&tensor.shape[..]));
            let numbers = tensors.take(&tensor.name, &tensor.shape).unwrap();
            assert_eq!(bits(&numbers), bits(&model.parameters()[tensor.range.clone()]), "{}", tensor.name);
        }
        tensors.finish().unwrap();
    };
    same(Tensors::from_safetensors_bytes(bytes.clone()).unwrap());
    let one = folder("safetensors-one");
    fs::write(one.join("model.safetensors"), &bytes).unwrap();
    same(Tensors::from_safetensors(&one).unwrap());

    let many = folder("safetensors-many");
    let mut map = serde_json::Map::new();
    for (number, part) in model.tensors().chunks(4).enumerate() {
        let file = format!("model-{number:05}.safetensors");
        let (mut header, mut data) = (serde_json::Map::new(), Vec::<u8>::new());
        for tensor in part {
            let start = data.len();
            data.extend(model.parameters()[tensor.range.clone()].iter().flat_map(|x| x.to_le_bytes()));
            let entry = json!({"dtype": "F32", "shape": tensor.shape, "data_offsets": [start, data.len()]});
            header.insert(tensor.name.clone(), entry);
            map.insert(tensor.name.clone(), json!(file));
        }
        let header = Value::from(header).to_string();
        let length = (header.len() as u64).to_le_bytes();
        fs::write(many.join(file), [&length[..], header.as_bytes(), &data].concat()).unwrap();
    }
    let index = json!({"metadata": {"total_size": 4 * model.parameters().len()}, "weight_map": map});
    fs::write(many.join("model.safetensors.index.json"), index.to_string()).unwrap();
    same(Tensors::from_safetensors(&many).unwrap());
}

#[test]
fn smollm2_is_read_whole_with_the_references_numbers() {
    let Some(file) = variable(SMOLLM2) else { return };
    let path = Path::new(&file);
    let gguf = Gguf::open(path).unwrap();
    let config = gguf.config().unwrap();
    println!("{config}");
    assert_eq!((&config["num_hidden_layers"], &config["vocab_size"]), (&json!(30), &json!(49_152)));
    assert_eq!((&config["rms_norm_eps"], &config["rope_theta"]), (&json!(1e-5), &json!(100_000.0)));
    let mut tensors = gguf.into_tensors();
    let shapes: Vec<(String, Vec<usize>)> =
        tensors.names().map(|name| (name.to_owned(), tensors.shape(name).unwrap().to_vec())).collect();
    assert_eq!(shapes.len(), 272);
    let all: usize = shapes.iter().map(|(name, shape)| tensors.take(name, shape).unwrap().len()).sum();
    tensors.finish().unwrap();
    assert_eq!(all, 134_515_008, "the model's parameters");

    let Some(python) = variable(PYTHON) else { return };
    let folder = folder("smollm2");
    let named = [
        ("token_embd.weight", "embed_tokens.weight", vec![49_152, 576], None),
        ("blk.0.ffn_down.weight", "layers.0.mlp.down_proj.weight", vec![576, 1536], None),
        ("blk.7.attn_q.weight", "layers.7.self_attn.q_proj.weight", vec![576, 576], Some(9)),
        ("blk.29.attn_k.weight", "layers.29.self_attn.k_proj.weight", vec![192, 576], Some(3)),
        ("output_norm.weight", "norm.weight", vec![576], None),
    ];
    let mut args = vec!["numbers", &file, folder.to_str().unwrap()];
    args.extend(named.iter().map(|(name, ..)| *name));
    peer(&python, &args);
    let mut tensors = Tensors::from_gguf(path).unwrap();
    for (name, ours, shape, heads) in named {
        let ours = bits(&tensors.take(&format!("model.{ours}"), &shape).unwrap());
        let theirs = read_bits(&fs::read(folder.join(format!("{name}.f32"))).unwrap());
        if let Some(heads) = heads {
            // [heads, 2, half, columns] here is [heads, half, 2, columns] there.
            let half = shape[0] / heads / 2;
            for (row, numbers) in ours.chunks(shape[1]).enumerate() {
                let (head, side, index) = (row / (2 * half), row / half % 2, row % half);
                let there = (head * half + index) * 2 + side;
                assert!(numbers == &theirs[there * shape[1]..][..shape[1]], "{name} row {row}");
            }
        } else {
            assert!(ours == theirs, "{name}");
        }
        println!("{name}: {} numbers are equal", ours.len());
    }
}

#[test]
fn smollm2_has_the_peers_tokens() {
    let (Some(file), Some(python)) = (variable(SMOLLM2), variable(PYTHON)) else { return };
    let gguf = Gguf::open(Path::new(&file)).unwrap();
    let json = gguf.tokenizer_json().unwrap();
    let tokenizer = Tokenizer::from_json(&json, gguf.start_token().unwrap()).unwrap();
    assert_eq!((tokenizer.start(), tokenizer.vocab()), (1, 49_152));
    let path = folder("smollm2").join("tokenizer.json");
    fs::write(&path, json).unwrap();
    for text in [
        crate::story::TEXT,
        "In 1984, 3.14159 × 10² ≈ 314; it's the weighhouse's naïve Ωμέγα ☕☕\n\n\tdef f(x):\n        return x\u{a0}+ 1  ",
    ] {
        let tokens = tokenizer.encode(text.as_bytes()).unwrap();
        let ours: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let theirs = peer(&python, &["ids", path.to_str().unwrap(), &file, text]);
        let theirs: Value = serde_json::from_slice(&theirs).unwrap();
        assert_eq!(json!(ours), theirs["tokenizers"], "tokenizers");
        assert_eq!(json!(ours), theirs["transformers"], "transformers");
        println!("{} bytes: {} tokens are equal", text.len(), ours.len());
    }
}
