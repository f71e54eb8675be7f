//! `config.json` as Hugging Face writes it, for the members of the Llama family.
//!
//! What would change the results and is not done here is refused by name; what changes nothing (dropout, caches, the
//! type of the stored numbers) is passed over, and so are names that nobody has heard of. Where a file leaves a value
//! out, the value is the one that transformers 5 takes; sizes that no two models share have to be there.

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::{
    config::{Config, Family, RopeScaling, Sizes},
    tensors::{LoadError, json_depth},
};

/// Most bytes of a `config.json`; those of the supported families have some thousand.
pub(crate) const MAX_CONFIG_BYTES: usize = 1 << 20;
/// Deepest nesting of JSON; the files in use have 2 levels.
const MAX_JSON_DEPTH: usize = 64;
/// Most layers: twelve tensors each of 20,000.
const MAX_LAYERS: usize = 1536;
/// Most tokens that end a text; models in use have at most 3.
const MAX_ENDS: usize = 64;
/// Most characters of a foreign value in a message.
const MAX_SHOWN_CHARS: usize = 60;
/// For messages.
const NAME: &str = "config.json";
/// The window of a Mistral that says nothing of one. Source: `MistralConfig` of transformers.
const MISTRAL_WINDOW: u64 = 4096;
/// The base of rotary positions where none is given. Source: `PreTrainedConfig` of transformers.
const DEFAULT_THETA: f64 = 10_000.0;
/// ε under the root of RMSNorm where none is given. Source: the four configurations in transformers.
const DEFAULT_EPSILON: f64 = 1e-6;

/// Tokens with which a model's texts begin and end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The first token of a text.
    pub begin: Option<u32>,
    /// Tokens after which a text is over.
    pub end: Vec<u32>,
}

/// The fields that count.
#[derive(Deserialize)]
struct Hub {
    model_type: String,
    architectures: Option<Vec<String>>,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: usize,
    rms_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Rope>,
    rope_parameters: Option<Rope>,
    tie_word_embeddings: Option<bool>,
    hidden_act: Option<String>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    partial_rotary_factor: Option<f64>,
    /// Absent and null differ.
    #[serde(default, deserialize_with = "present")]
    sliding_window: Option<Option<u64>>,
    use_sliding_window: Option<bool>,
    layer_types: Option<Vec<String>>,
    torch_dtype: Option<String>,
    dtype: Option<String>,
    bos_token_id: Option<u32>,
    eos_token_id: Option<OneOrMore>,
    quantization_config: Option<Value>,
    auto_map: Option<Value>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(u32),
    More(Vec<u32>),
}

/// Rotary positions, in the older form or the newer one, which holds the base as well.
#[derive(Deserialize)]
struct Rope {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
    r#type: Option<String>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<usize>,
    partial_rotary_factor: Option<f64>,
}

impl Family {
    /// As `model_type` has it.
    fn of_type(model_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.to_string() == model_type)
    }

    /// As `architectures` has it.
    fn architecture(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
        }
    }
}

impl Config {
    /// Reads a `config.json`. The context is the model's or, where that is longer, `max_context`; it may not reach
    /// beyond an active sliding window.
    ///
    /// # Errors
    /// The text has more than 1 MB, nests deeper than 64, is no JSON of the expected form, lacks a size, or asks for
    /// what is not done here; or its sizes don't fit together. Nothing is allocated by what it claims.
    pub fn from_hub_json(text: &[u8], max_context: usize) -> Result<(Self, Ends), LoadError> {
        LoadError::check(format!("length of {NAME} in bytes"), text.len() as u64, MAX_CONFIG_BYTES as u64)?;
        LoadError::check(format!("depth of {NAME}"), json_depth(text) as u64, MAX_JSON_DEPTH as u64)?;
        let hub: Hub = serde_json::from_slice(text).map_err(|error| LoadError::malformed(NAME, error))?;
        let family = Family::of_type(&hub.model_type)
            .ok_or_else(|| unsupported("model_type", &hub.model_type, "llama, mistral, qwen2 or qwen3"))?;
        hub.refuse_what_is_not_done(family)?;
        let layers = hub.num_hidden_layers;
        LoadError::check("num_hidden_layers", layers as u64, MAX_LAYERS as u64)?;
        if family == Family::Qwen3 && hub.head_dim.is_none() {
            return Err(LoadError::malformed(NAME, "head_dim is missing"));
        }
        let kv_heads = match (hub.num_key_value_heads, family) {
            (Some(kv_heads), _) => kv_heads,
            (None, Family::Llama) => hub.num_attention_heads,
            (None, _) => return Err(LoadError::malformed(NAME, "num_key_value_heads is missing")),
        };
        let context = hub.max_position_embeddings.min(max_context);
        if let Some(window) = hub.window(family).filter(|window| *window < context as u64) {
            let expected = format!("a window of the whole context, {context} tokens");
            return Err(unsupported("sliding_window", window, expected));
        }
        let (rope_theta, rope_scaling) = hub.rope()?;
        let sizes = Sizes {
            vocab: hub.vocab_size,
            dim: hub.hidden_size,
            layers,
            heads: hub.num_attention_heads,
            kv_heads,
            ffn_dim: hub.intermediate_size,
            context,
            rope_theta,
            norm_eps: hub.rms_norm_eps.unwrap_or(DEFAULT_EPSILON),
            tied: hub.tie_word_embeddings.unwrap_or(false),
            family,
            head_dim: hub.head_dim,
            attention_bias: hub.attention_bias.unwrap_or(false),
            rope_scaling,
        };
        let config = Self::new(sizes).map_err(|error| LoadError::malformed(NAME, error))?;
        Ok((config, hub.ends()?))
    }

    /// Writes a `config.json` that transformers 4 and 5 read. `number_type` is as torch names it.
    pub(crate) fn to_hub_json(&self, ends: &Ends, number_type: &str) -> Vec<u8> {
        let end = match &ends.end[..] {
            [] => Value::Null,
            [one] => json!(one),
            more => json!(more),
        };
        let scaling = self.rope_scaling.map(|scaling| match scaling {
            RopeScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
            RopeScaling::Llama3 { factor, slow_turns, fast_turns, first_context } => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": slow_turns,
                "high_freq_factor": fast_turns,
                "original_max_position_embeddings": first_context,
            }),
        });
        let mut hub = json!({
            "architectures": [self.family.architecture()],
            "model_type": self.family.to_string(),
            "vocab_size": self.vocab,
            "hidden_size": self.dim,
            "intermediate_size": self.ffn_dim,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim(),
            "max_position_embeddings": self.context,
            "rms_norm_eps": self.norm_eps,
            "rope_theta": self.rope_theta,
            "rope_scaling": scaling,
            "tie_word_embeddings": self.tied,
            "hidden_act": "silu",
            "torch_dtype": number_type,
            "bos_token_id": ends.begin,
            "eos_token_id": end,
        });
        match self.family {
            Family::Llama => {
                hub["attention_bias"] = json!(self.attention_bias);
                hub["mlp_bias"] = json!(false);
            }
            Family::Mistral => hub["sliding_window"] = Value::Null,
            Family::Qwen2 => hub["use_sliding_window"] = json!(false),
            Family::Qwen3 => {
                hub["attention_bias"] = json!(self.attention_bias);
                hub["use_sliding_window"] = json!(false);
            }
        }
        serde_json::to_vec_pretty(&hub).expect("a configuration is plain numbers and texts")
    }
}

impl Hub {
    /// What would give other results than transformers.
    fn refuse_what_is_not_done(&self, family: Family) -> Result<(), LoadError> {
        if let Some(found) = &self.architectures
            && *found != [family.architecture()]
        {
            return Err(unsupported("architectures", found.join(", "), family.architecture()));
        }
        if let Some(found) = self.hidden_act.as_ref().filter(|act| !["silu", "swish"].contains(&&act[..])) {
            return Err(unsupported("hidden_act", found, "silu"));
        }
        if self.mlp_bias == Some(true) {
            return Err(unsupported("mlp_bias", true, "false"));
        }
        if self.quantization_config.is_some() {
            return Err(unsupported("quantization_config", "present", "numbers that are not quantised"));
        }
        if self.auto_map.is_some() {
            return Err(unsupported("auto_map", "present", "a model without code of its own"));
        }
        let ropes = [&self.rope_scaling, &self.rope_parameters].into_iter().flatten();
        let parts = ropes.map(|rope| rope.partial_rotary_factor).chain([self.partial_rotary_factor]);
        if let Some(part) = parts.flatten().find(|part| part.to_bits() != 1.0f64.to_bits()) {
            return Err(unsupported("partial_rotary_factor", part, "1"));
        }
        for (name, found) in [("torch_dtype", &self.torch_dtype), ("dtype", &self.dtype)] {
            let known = ["float32", "float16", "bfloat16"];
            if let Some(found) = found.as_ref().filter(|found| !known.contains(&&found[..])) {
                return Err(unsupported(name, found, "float32, float16 or bfloat16"));
            }
        }
        if let Some(types) = &self.layer_types {
            if types.len() != self.num_hidden_layers {
                let reason =
                    format!("it has {} layer_types for {} layers", types.len(), self.num_hidden_layers);
                return Err(LoadError::malformed(NAME, reason));
            }
            let known = ["full_attention", "sliding_attention"];
            if let Some(found) = types.iter().find(|one| !known.contains(&&one[..])) {
                return Err(unsupported("layer_types", found, "full_attention"));
            }
        }
        Ok(())
    }

    /// The tokens that a layer sees, where that may be less than all.
    fn window(&self, family: Family) -> Option<u64> {
        let window = self.sliding_window.unwrap_or(Some(MISTRAL_WINDOW));
        let slides = |types: &Vec<String>| types.iter().any(|one| one == "sliding_attention");
        match family {
            Family::Llama => None,
            Family::Mistral => window,
            Family::Qwen2 | Family::Qwen3 => {
                let active = self.use_sliding_window == Some(true);
                if active || self.layer_types.as_ref().is_some_and(slides) { window } else { None }
            }
        }
    }

    /// Base and scaling of the rotary positions.
    fn rope(&self) -> Result<(f64, Option<RopeScaling>), LoadError> {
        if self.rope_scaling.is_some() && self.rope_parameters.is_some() {
            return Err(LoadError::malformed(NAME, "it has both rope_scaling and rope_parameters"));
        }
        let rope = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let inner = rope.and_then(|rope| rope.rope_theta);
        if let (Some(outer), Some(inner)) = (self.rope_theta, inner)
            && outer.to_bits() != inner.to_bits()
        {
            return Err(LoadError::malformed(NAME, format!("rope_theta is {outer} and {inner}")));
        }
        let theta = inner.or(self.rope_theta).unwrap_or(DEFAULT_THETA);
        let Some(rope) = rope else { return Ok((theta, None)) };
        let need = |name: &str, value: Option<f64>| {
            value.ok_or_else(|| LoadError::malformed(NAME, format!("{name} of the rope scaling is missing")))
        };
        let kind = rope.rope_type.as_deref().or(rope.r#type.as_deref()).unwrap_or("default");
        let scaling = match kind {
            "default" => None,
            "linear" => Some(RopeScaling::Linear { factor: need("factor", rope.factor)? }),
            "llama3" => Some(RopeScaling::Llama3 {
                factor: need("factor", rope.factor)?,
                slow_turns: need("low_freq_factor", rope.low_freq_factor)?,
                fast_turns: need("high_freq_factor", rope.high_freq_factor)?,
                first_context: rope.original_max_position_embeddings.ok_or_else(|| {
                    let reason = "original_max_position_embeddings of the rope scaling is missing";
                    LoadError::malformed(NAME, reason)
                })?,
            }),
            other => return Err(unsupported("rope_type", other, "default, linear or llama3")),
        };
        Ok((theta, scaling))
    }

    fn ends(&self) -> Result<Ends, LoadError> {
        let end = match &self.eos_token_id {
            None => Vec::new(),
            Some(OneOrMore::One(one)) => vec![*one],
            Some(OneOrMore::More(more)) => more.clone(),
        };
        LoadError::check("number of eos_token_id", end.len() as u64, MAX_ENDS as u64)?;
        for token in end.iter().chain(&self.bos_token_id) {
            let last = (self.vocab_size as u64).saturating_sub(1);
            LoadError::check("token of bos_token_id or eos_token_id", u64::from(*token), last)?;
        }
        Ok(Ends { begin: self.bos_token_id, end })
    }
}

fn unsupported(name: &str, found: impl ToString, expected: impl Into<String>) -> LoadError {
    let found: String = found.to_string().chars().take(MAX_SHOWN_CHARS).collect();
    LoadError::Unsupported { what: format!("{name} {found:?} in {NAME}"), expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    fn sizes(family: Family) -> Sizes {
        Sizes { family, head_dim: Some(48), ..*Preset::Cat.config() }
    }

    #[test]
    fn reading_after_writing_is_the_identity_for_every_member() {
        let linear = RopeScaling::Linear { factor: 2.5 };
        let llama3 =
            RopeScaling::Llama3 { factor: 8.0, slow_turns: 1.0, fast_turns: 4.0, first_context: 8192 };
        for family in Family::ALL {
            for (tied, rope_scaling) in [(true, None), (false, Some(linear)), (true, Some(llama3))] {
                let attention_bias = !tied && matches!(family, Family::Llama | Family::Qwen3);
                let sizes = Sizes { tied, rope_scaling, attention_bias, ..sizes(family) };
                let config = Config::new(sizes).unwrap();
                for end in [vec![], vec![7], vec![1, 2]] {
                    let ends = Ends { begin: end.first().copied(), end };
                    let text = config.to_hub_json(&ends, "float32");
                    assert_eq!(Config::from_hub_json(&text, 4096), Ok((config.clone(), ends)));
                }
            }
        }
    }

    #[test]
    fn what_is_not_done_here_is_refused_by_name() {
        let check = |family: Family, key: &str, value: Value, message: &str| {
            let text = Config::new(sizes(family)).unwrap().to_hub_json(&Ends::default(), "float32");
            let mut hub: Value = serde_json::from_slice(&text).unwrap();
            hub[key] = value;
            let error = Config::from_hub_json(hub.to_string().as_bytes(), 4096).unwrap_err().to_string();
            assert!(error.contains(message), "{key}: {error}");
        };
        let llama = Family::Llama;
        check(llama, "model_type", json!("gpt2"), "model_type \"gpt2\" in config.json is not supported");
        check(llama, "architectures", json!(["LlamaModel"]), "expected LlamaForCausalLM");
        check(llama, "hidden_act", json!("gelu"), "hidden_act \"gelu\"");
        check(llama, "mlp_bias", json!(true), "mlp_bias \"true\"");
        check(llama, "quantization_config", json!({}), "quantization_config");
        check(llama, "auto_map", json!({"AutoModel": "evil.Model"}), "auto_map");
        check(llama, "partial_rotary_factor", json!(0.5), "partial_rotary_factor \"0.5\"");
        check(llama, "torch_dtype", json!("int8"), "torch_dtype \"int8\"");
        check(llama, "rope_scaling", json!({"type": "yarn", "factor": 2}), "rope_type \"yarn\"");
        check(llama, "rope_scaling", json!({"type": "linear"}), "factor of the rope scaling is missing");
        check(llama, "rope_scaling", json!({"type": "linear", "factor": 1e9}), "expected 1 to 1e4");
        check(llama, "rope_parameters", json!({"rope_theta": 5.0}), "rope_theta is 10000 and 5");
        check(llama, "num_hidden_layers", json!(2_000_000), "num_hidden_layers is 2000000, at most 1536");
        check(llama, "num_attention_heads", json!(0), "heads is 0");
        check(llama, "hidden_size", json!(-5), "invalid value: integer `-5`");
        check(llama, "hidden_size", json!(u64::MAX), "dim is 18446744073709551615");
        check(llama, "eos_token_id", json!(257), "is 257, at most 256");
        check(llama, "hidden_size", json!(1 << 21), "at most 4294967296 are allowed");
        check(Family::Mistral, "sliding_window", json!(128), "sliding_window \"128\"");
        check(Family::Qwen2, "attention_bias", json!(true), "qwen2 models have no choice of attention_bias");
        check(Family::Qwen2, "layer_types", json!(["full_attention"]), "1 layer_types for 3 layers");
        check(Family::Qwen3, "head_dim", Value::Null, "head_dim is missing");
    }

    #[test]
    fn a_window_counts_only_where_it_is_active_and_shorter_than_the_context() {
        let read = |family: Family, change: Value, context: usize| {
            let text = Config::new(sizes(family)).unwrap().to_hub_json(&Ends::default(), "float32");
            let mut hub: Value = serde_json::from_slice(&text).unwrap();
            hub.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            Config::from_hub_json(hub.to_string().as_bytes(), context).map(|(config, _)| config.context)
        };
        let window = json!({"sliding_window": 100});
        assert_eq!(read(Family::Mistral, window.clone(), 100), Ok(100));
        assert!(read(Family::Mistral, window.clone(), 101).is_err());
        assert_eq!(read(Family::Llama, window.clone(), 4096), Ok(256));
        assert_eq!(read(Family::Qwen2, window, 4096), Ok(256));
        assert!(
            read(Family::Qwen2, json!({"sliding_window": 100, "use_sliding_window": true}), 4096).is_err()
        );
        let types = json!(["full_attention", "full_attention", "sliding_attention"]);
        assert!(read(Family::Qwen3, json!({"sliding_window": 100, "layer_types": types}), 4096).is_err());
    }

    #[test]
    fn long_deep_and_broken_texts_are_refused() {
        let check = |text: &[u8], message: &str| {
            let error = Config::from_hub_json(text, 64).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        };
        check(&vec![b' '; MAX_CONFIG_BYTES + 1], "length of config.json in bytes is 1048577");
        check(&vec![b'['; MAX_CONFIG_BYTES], "depth of config.json is 1048576, at most 64");
        check(b"", "EOF");
        check(b"{}", "missing field `model_type`");
        check(br#"{"model_type": "llama", "model_type": "llama"}"#, "duplicate field");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, place in 0usize..600, byte: u8) {
            let _ = Config::from_hub_json(&bytes, 64);
            let mut text = Preset::Cat.config().to_hub_json(&Ends::default(), "float32");
            let place = place % text.len();
            text[place] = byte;
            let _ = Config::from_hub_json(&text, 64);
        }
    }
}
