//! Files of the GGUF format: a model of the Llama family with its tokenizer, as llama.cpp writes it.
//!
//! What is handed out has Hugging Face's names and order: tensors, `config.json`, `tokenizer.json`. A file that asks for
//! anything that would change a model's output and is not done here is refused.
//! Source of names and order: llama.cpp, `gguf-py/gguf/tensor_mapping.py` and `convert_hf_to_gguf.py`.

mod metadata;
mod vocabulary;

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, json};

use crate::{
    encoding::Encoding,
    tensors::{LoadError, Place, Source, Tensors, supported},
};
use metadata::{Head, List, TensorLine, Value, read_head};

/// Where numbers are aligned unless the file says otherwise, in bytes.
const DEFAULT_ALIGNMENT: u64 = 32;
/// Largest alignment in bytes: a page of memory.
const MAX_ALIGNMENT: u64 = 4096;
/// Most layers that a name can tell.
const MAX_LAYERS: u32 = 10_000;
/// What rotary positions have where a file does not say. Source: llama.cpp, `llama-model.cpp`.
const DEFAULT_ROPE_BASE: f64 = 10_000.0;

/// Names of types that are not read, by their numbers. Source: ggml, `enum ggml_type`.
const OTHER_TYPES: [(u32, &str); 24] = [
    (4, "Q4_2"),
    (5, "Q4_3"),
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
];

/// A model in a GGUF file of version 2 or 3: llama (with mistral), qwen2 or qwen3.
#[derive(Debug)]
pub struct Gguf {
    source: Source,
    values: BTreeMap<String, Value>,
    architecture: Architecture,
    places: BTreeMap<String, Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Architecture {
    Llama,
    Qwen2,
    Qwen3,
}

impl Architecture {
    const ALL: [Self; 3] = [Self::Llama, Self::Qwen2, Self::Qwen3];

    /// In GGUF, and as Hugging Face's type of model.
    fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    /// Hugging Face's class.
    fn class(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
        }
    }
}

impl Gguf {
    /// Reads the head of a file and checks its table of tensors; the numbers stay where they are.
    ///
    /// # Errors
    /// The file is a symbolic link or not regular; its head breaks a rule of the format or has more than 32 MB,
    /// 4,096 values, 1,048,576 items of a list, 20,000 tensors of 4 dimensions; the architecture, a type or the name
    /// of a tensor is not known; the tensors don't fill the rest of the file in order.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        Self::read(Source::open(path)?)
    }

    /// The same for a file in memory.
    ///
    /// # Errors
    /// As [`Gguf::open`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, LoadError> {
        Self::read(Source::from_bytes("gguf file", bytes))
    }

    fn read(mut source: Source) -> Result<Self, LoadError> {
        let Head { values, tensors, bytes } = read_head(&mut source)?;
        let name = values.get("general.architecture");
        let architecture = Architecture::ALL
            .into_iter()
            .find(|one| matches!(name, Some(Value::Text(text)) if text == one.name()))
            .ok_or_else(|| unsupported("general.architecture", name, "llama, qwen2 or qwen3"))?;
        let mut file = Self { source, values, architecture, places: BTreeMap::new() };
        file.place(tensors, bytes)?;
        Ok(file)
    }

    /// Checks that tensors follow each other, each at the next aligned place, to the end of the file.
    fn place(&mut self, tensors: Vec<(String, TensorLine)>, head_bytes: u64) -> Result<(), LoadError> {
        let alignment = self.whole("general.alignment")?.unwrap_or(DEFAULT_ALIGNMENT);
        if !alignment.is_power_of_two() || !(8..=MAX_ALIGNMENT).contains(&alignment) {
            let reason = format!("it is {alignment}, expected a power of two from 8 to {MAX_ALIGNMENT}");
            return Err(LoadError::malformed("general.alignment", reason));
        }
        let data = head_bytes.next_multiple_of(alignment);
        let room = self.source.len.saturating_sub(data);
        let mut end = 0;
        for (name, line) in tensors {
            let wrong = |reason: String| LoadError::malformed(format!("tensor {name:?}"), reason);
            let encoding = encoding(&name, line.kind)?;
            let (shape, bytes) = extent(&line.dimensions, encoding).map_err(wrong)?;
            let expected = u64::next_multiple_of(end, alignment);
            if line.offset != expected || bytes > room.saturating_sub(expected) {
                let offset = line.offset;
                let reason =
                    format!("its {bytes} bytes lie at {offset}, expected at {expected}, to at most {room}");
                return Err(wrong(reason));
            }
            end = expected + bytes;
            let (to, heads) = self.renamed(&name)?;
            if let Some(heads) = heads {
                let rows = shape.first().map_or(0, |rows| *rows as u64);
                if heads == 0 || rows == 0 || rows % (2 * heads) != 0 {
                    return Err(wrong(format!("its {rows} rows are not a multiple of 2 · {heads} heads")));
                }
            }
            let paired_heads = heads.and_then(|heads| usize::try_from(heads).ok());
            let place =
                Place { shape, encoding: Ok(encoding), source: 0, start: data + expected, paired_heads };
            if self.places.insert(to, place).is_some() {
                return Err(wrong("its name stands twice".into()));
            }
        }
        // A writer may fill up to the alignment after the last tensor, too.
        if room > end.next_multiple_of(alignment) {
            let reason = format!("{room} bytes follow the head, its tensors take {end}");
            return Err(LoadError::malformed(&self.source.name, reason));
        }
        Ok(())
    }

    /// Hugging Face's name of a tensor, and the heads whose rows are paired.
    fn renamed(&self, name: &str) -> Result<(String, Option<u64>), LoadError> {
        let plain = match name {
            "token_embd.weight" => Some("model.embed_tokens.weight"),
            "output_norm.weight" => Some("model.norm.weight"),
            "output.weight" => Some("lm_head.weight"),
            _ => None,
        };
        if let Some(plain) = plain {
            return Ok((plain.into(), None));
        }
        let unknown = || LoadError::Unsupported {
            what: format!("tensor {name:?}"),
            expected: format!("the tensors of {}", self.architecture.name()),
        };
        let (layer, part) =
            name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')).ok_or_else(unknown)?;
        let known = layer.parse::<u32>().ok().filter(|number| number.to_string() == layer);
        let layer = known.filter(|number| *number < MAX_LAYERS).ok_or_else(unknown)?;
        let (part, ending) = part.rsplit_once('.').ok_or_else(unknown)?;
        let to = match (part, ending) {
            ("attn_norm", "weight") => "input_layernorm",
            ("ffn_norm", "weight") => "post_attention_layernorm",
            ("attn_q_norm", "weight") => "self_attn.q_norm",
            ("attn_k_norm", "weight") => "self_attn.k_norm",
            ("attn_q", "weight" | "bias") => "self_attn.q_proj",
            ("attn_k", "weight" | "bias") => "self_attn.k_proj",
            ("attn_v", "weight" | "bias") => "self_attn.v_proj",
            ("attn_output", "weight" | "bias") => "self_attn.o_proj",
            ("ffn_gate", "weight" | "bias") => "mlp.gate_proj",
            ("ffn_up", "weight" | "bias") => "mlp.up_proj",
            ("ffn_down", "weight" | "bias") => "mlp.down_proj",
            _ => return Err(unknown()),
        };
        // llama.cpp turns pairs of neighbours where Hugging Face turns halves; for qwen it does as Hugging Face.
        let heads = match part {
            "attn_q" if self.architecture == Architecture::Llama => Some(self.heads()?.0),
            "attn_k" if self.architecture == Architecture::Llama => Some(self.heads()?.1),
            _ => None,
        };
        Ok((format!("model.layers.{layer}.{to}.{ending}"), heads))
    }

    /// The tensors under Hugging Face's names, in Hugging Face's order of rows and dimensions.
    #[must_use]
    pub fn into_tensors(self) -> Tensors {
        Tensors::new(self.places, vec![self.source])
    }

    /// The sizes as Hugging Face's `config.json` has them.
    ///
    /// # Errors
    /// A value is missing, of another type, or asks for what is not done here: experts, scaled positions, heads of
    /// which only a part is turned.
    pub fn config(&self) -> Result<serde_json::Value, LoadError> {
        let (heads, kv_heads) = self.heads()?;
        let width = self.needed("embedding_length")?;
        let head_dim = match self.whole(&self.key("attention.key_length"))? {
            Some(length) => length,
            None if heads > 0 && width % heads == 0 => width / heads,
            None => {
                let reason = format!("{width} is not a multiple of {heads} heads");
                return Err(LoadError::malformed(self.key("embedding_length"), reason));
            }
        };
        for key in ["attention.value_length", "rope.dimension_count"] {
            if self.whole(&self.key(key))?.is_some_and(|length| length != head_dim) {
                return Err(self.refused(key, &format!("{head_dim}, the length of a head")));
            }
        }
        if self.whole(&self.key("expert_count"))?.is_some_and(|count| count != 0) {
            return Err(self.refused("expert_count", "none"));
        }
        for key in ["rope.scaling.type", "rope.scale_linear"] {
            let value = self.values.get(&self.key(key));
            let none = match value {
                None => true,
                Some(Value::Text(text)) => text == "none",
                Some(Value::Real(scale)) => (*scale - 1.0).abs() == 0.0,
                Some(_) => false,
            };
            if !none {
                return Err(self.refused(key, "none"));
            }
        }
        let mut config = Map::new();
        let mut put = |key: &str, value: serde_json::Value| config.insert(key.into(), value);
        put("architectures", json!([self.architecture.class()]));
        put("model_type", json!(self.architecture.name()));
        put("hidden_act", json!("silu"));
        put("hidden_size", json!(width));
        put("num_hidden_layers", json!(self.needed("block_count")?));
        put("num_attention_heads", json!(heads));
        put("num_key_value_heads", json!(kv_heads));
        put("head_dim", json!(head_dim));
        put("intermediate_size", json!(self.needed("feed_forward_length")?));
        put("max_position_embeddings", json!(self.needed("context_length")?));
        put("rope_theta", json!(self.real("rope.freq_base")?.unwrap_or(DEFAULT_ROPE_BASE)));
        let epsilon = "attention.layer_norm_rms_epsilon";
        put("rms_norm_eps", json!(self.real(epsilon)?.ok_or_else(|| self.absent(epsilon))?));
        put("vocab_size", json!(self.list("tokenizer.ggml.tokens")?.count));
        put("tie_word_embeddings", json!(!self.places.contains_key("lm_head.weight")));
        put("torch_dtype", json!("float32"));
        match self.architecture {
            Architecture::Llama => {
                put("attention_bias", json!(self.has_bias("self_attn.q_proj")));
                put("mlp_bias", json!(self.has_bias("mlp.gate_proj")));
            }
            Architecture::Qwen2 => {
                put("use_sliding_window", json!(false));
            }
            Architecture::Qwen3 => {
                put("attention_bias", json!(self.has_bias("self_attn.q_proj")));
                put("use_sliding_window", json!(false));
            }
        }
        for (from, to) in [("bos", "bos_token_id"), ("eos", "eos_token_id")] {
            if let Some(id) = self.whole(&format!("tokenizer.ggml.{from}_token_id"))? {
                put(to, json!(id));
            }
        }
        Ok(config.into())
    }

    fn has_bias(&self, part: &str) -> bool {
        self.places.contains_key(&format!("model.layers.0.{part}.bias"))
    }

    /// Heads of queries, and of keys and values.
    fn heads(&self) -> Result<(u64, u64), LoadError> {
        let heads = self.needed("attention.head_count")?;
        let kv_heads = self.whole(&self.key("attention.head_count_kv"))?.unwrap_or(heads);
        LoadError::check(self.key("attention.head_count"), heads, u32::MAX.into())?;
        LoadError::check(self.key("attention.head_count_kv"), kv_heads, u32::MAX.into())?;
        Ok((heads, kv_heads))
    }

    fn key(&self, part: &str) -> String {
        format!("{}.{part}", self.architecture.name())
    }

    fn absent(&self, part: &str) -> LoadError {
        LoadError::malformed(&self.source.name, format!("it lacks the value {:?}", self.key(part)))
    }

    fn refused(&self, part: &str, expected: &str) -> LoadError {
        let key = self.key(part);
        unsupported(&key, self.values.get(&key), expected)
    }

    fn needed(&self, part: &str) -> Result<u64, LoadError> {
        self.whole(&self.key(part))?.ok_or_else(|| self.absent(part))
    }

    fn whole(&self, key: &str) -> Result<Option<u64>, LoadError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Unsigned(number)) => Ok(Some(*number)),
            Some(Value::Signed(number)) if *number >= 0 => Ok(Some(number.unsigned_abs())),
            other => Err(unsupported(key, other, "a whole number")),
        }
    }

    fn real(&self, part: &str) -> Result<Option<f64>, LoadError> {
        let key = self.key(part);
        match self.values.get(&key) {
            None => Ok(None),
            Some(Value::Real(number)) if number.is_finite() => Ok(Some(*number)),
            other => Err(unsupported(&key, other, "a finite number")),
        }
    }

    fn list(&self, key: &str) -> Result<&List, LoadError> {
        match self.values.get(key) {
            Some(Value::List(list)) => Ok(list),
            other => Err(unsupported(key, other, "a list")),
        }
    }
}

/// An error about a value, with the value as far as it is short.
fn unsupported(key: &str, value: Option<&Value>, expected: &str) -> LoadError {
    let found = match value {
        None => "missing".into(),
        Some(Value::Unsigned(number)) => number.to_string(),
        Some(Value::Signed(number)) => number.to_string(),
        Some(Value::Real(number)) => number.to_string(),
        Some(Value::Bool(truth)) => truth.to_string(),
        Some(Value::Text(text)) => format!("{:?}", text.chars().take(60).collect::<String>()),
        Some(Value::List(list)) => format!("a list of {}", list.count),
    };
    LoadError::Unsupported { what: format!("{key} {found}"), expected: expected.into() }
}

/// The encoding of a type's number. Source: ggml, `enum ggml_type`.
fn encoding(tensor: &str, kind: u32) -> Result<Encoding, LoadError> {
    Ok(match kind {
        0 => Encoding::F32,
        1 => Encoding::F16,
        2 => Encoding::Q4_0,
        3 => Encoding::Q4_1,
        6 => Encoding::Q5_0,
        7 => Encoding::Q5_1,
        8 => Encoding::Q8_0,
        12 => Encoding::Q4K,
        13 => Encoding::Q5K,
        14 => Encoding::Q6K,
        30 => Encoding::Bf16,
        _ => {
            let known = OTHER_TYPES.iter().find(|(number, _)| *number == kind);
            let name = known.map_or_else(|| kind.to_string(), |(_, name)| (*name).into());
            let what = format!("tensor {tensor:?} of type {name}");
            return Err(LoadError::Unsupported { what, expected: supported() });
        }
    })
}

/// The shape, slowest dimension first, and the length in bytes of a tensor.
fn extent(dimensions: &[u64], encoding: Encoding) -> Result<(Vec<usize>, u64), String> {
    let block = encoding.block_len() as u64;
    let Some((fastest, _)) = dimensions.split_first().filter(|(fastest, _)| **fastest % block == 0) else {
        return Err(format!("its dimensions {dimensions:?} don't begin with a multiple of {block}"));
    };
    let reason = || format!("the product of its dimensions {dimensions:?} is zero or beyond 64 bits");
    let blocks = dimensions[1..].iter().try_fold(fastest / block, |product, size| product.checked_mul(*size));
    let bytes =
        blocks.filter(|blocks| *blocks > 0).and_then(|n| n.checked_mul(encoding.block_bytes() as u64));
    let numbers = blocks.and_then(|blocks| usize::try_from(blocks.checked_mul(4 * block)?).ok());
    let shape = dimensions.iter().rev().map(|size| usize::try_from(*size).ok()).collect::<Option<_>>();
    match (shape, bytes, numbers) {
        (Some(shape), Some(bytes), Some(_)) => Ok((shape, bytes)),
        _ => Err(reason()),
    }
}
