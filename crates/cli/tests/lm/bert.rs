//! Writes a small BERT as sentence-transformers would.

use std::{fs, path::Path};

use primitives::Seed;
use serde_json::{Value, json};

/// Writes a BERT of one layer over a few words.
pub(crate) fn lay_bert(folder: &Path) {
    let words =
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "weight", "of", "bale", "##s", "a", "measure"];
    let vocab: serde_json::Map<String, Value> =
        words.iter().enumerate().map(|(id, word)| ((*word).to_owned(), json!(id))).collect();
    let special = |id: usize| {
        json!({"id": id, "content": words[id], "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    };
    let piece = |id: &str| json!({"SpecialToken": {"id": id, "type_id": 0}});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": (0..5).map(special).collect::<Vec<_>>(),
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [piece("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, piece("[SEP]")],
            "pair": [piece("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, piece("[SEP]"),
                {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab},
    });
    let (hidden, inner, positions) = (16, 32, 32);
    let config = json!({
        "model_type": "bert", "hidden_size": hidden, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": inner, "max_position_embeddings": positions, "type_vocab_size": 2,
        "vocab_size": words.len(), "layer_norm_eps": 1e-12, "hidden_act": "gelu",
    });
    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![words.len(), hidden]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![positions, hidden]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, hidden]),
    ];
    let layer = "encoder.layer.0";
    for norm in ["embeddings".to_owned(), format!("{layer}.attention.output"), format!("{layer}.output")] {
        shapes.extend(["weight", "bias"].map(|part| (format!("{norm}.LayerNorm.{part}"), vec![hidden])));
    }
    for (part, outputs, inputs) in [
        ("attention.self.query", hidden, hidden),
        ("attention.self.key", hidden, hidden),
        ("attention.self.value", hidden, hidden),
        ("attention.output.dense", hidden, hidden),
        ("intermediate.dense", inner, hidden),
        ("output.dense", hidden, inner),
    ] {
        shapes.push((format!("{layer}.{part}.weight"), vec![outputs, inputs]));
        shapes.push((format!("{layer}.{part}.bias"), vec![outputs]));
    }
    // Source of the layout: the safetensors format, a length, a table and the numbers.
    let (mut table, mut data) = (serde_json::Map::new(), Vec::new());
    let mut stream = Seed::from_number(1).stream("bert", 0);
    for (name, shape) in shapes {
        let start = data.len();
        for _ in 0..shape.iter().product::<usize>() {
            let number = stream.below(1 << 20) as f32 / (1u32 << 20) as f32 - 0.5;
            data.extend(number.to_le_bytes());
        }
        table.insert(name, json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]}));
    }
    let table = Value::Object(table).to_string();
    let bytes = [&(table.len() as u64).to_le_bytes()[..], table.as_bytes(), &data].concat();
    fs::create_dir_all(folder).expect("a folder can be made");
    fs::write(folder.join("config.json"), config.to_string()).expect("a file can be written");
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).expect("a file can be written");
    fs::write(folder.join("model.safetensors"), bytes).expect("a file can be written");
}
