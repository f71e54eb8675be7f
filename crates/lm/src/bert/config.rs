//! What a BERT looks like: its `config.json`, checked.

use serde::Deserialize;

use crate::tensors::LoadError;

/// The file that this comes from.
const FILE: &str = "config.json";
/// Most parameters: 4 GiB of f32, three times the largest in use.
const MAX_PARAMETERS: u64 = 1 << 30;

/// Sizes of a BERT under the names of its `config.json`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Config {
    pub(crate) hidden_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) type_vocab_size: usize,
    pub(crate) vocab_size: usize,
    pub(crate) layer_norm_eps: f64,
    hidden_act: String,
    model_type: String,
    #[serde(default)]
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

impl Config {
    /// Refuses sizes that don't fit together, and what is not computed here.
    pub(crate) fn check(self) -> Result<Self, LoadError> {
        let malformed = |reason: String| Err(LoadError::malformed(FILE, reason));
        // From 16 on, a packed matrix has less than twice its numbers.
        let sizes = [
            ("hidden_size", self.hidden_size, 16, 1 << 14),
            ("num_hidden_layers", self.num_hidden_layers, 1, 256),
            ("num_attention_heads", self.num_attention_heads, 1, 256),
            ("intermediate_size", self.intermediate_size, 16, 1 << 16),
            ("max_position_embeddings", self.max_position_embeddings, 1, 1 << 14),
            ("type_vocab_size", self.type_vocab_size, 1, 256),
            ("vocab_size", self.vocab_size, 1, 1 << 20),
        ];
        for (name, value, least, most) in sizes {
            if !(least..=most).contains(&value) {
                return malformed(format!("{name} is {value}, expected {least} to {most}"));
            }
        }
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if !hidden.is_multiple_of(heads) {
            return malformed(format!(
                "hidden_size {hidden} is not a multiple of num_attention_heads {heads}"
            ));
        }
        if !(1e-15..=0.1).contains(&self.layer_norm_eps) {
            return malformed(format!("layer_norm_eps is {}, expected 1e-15 to 0.1", self.layer_norm_eps));
        }
        let position = self.position_embedding_type.as_deref().unwrap_or("absolute");
        let named = [
            ("model_type", self.model_type.as_str(), "bert"),
            ("hidden_act", self.hidden_act.as_str(), "gelu"),
            ("position_embedding_type", position, "absolute"),
            ("is_decoder", if self.is_decoder { "true" } else { "false" }, "false"),
        ];
        for (name, value, expected) in named {
            if value != expected {
                let value: String = value.chars().take(40).collect();
                let what = format!("{name} {value:?} of {FILE}");
                return Err(LoadError::Unsupported { what, expected: expected.into() });
            }
        }
        LoadError::check(format!("number of parameters of {FILE}"), self.parameters(), MAX_PARAMETERS)?;
        Ok(self)
    }

    /// How many parameters there are. Every size is at most 2^20, and no product or sum here is near 2^64.
    fn parameters(&self) -> u64 {
        let (hidden, inner) = (self.hidden_size as u64, self.intermediate_size as u64);
        let rows = self.vocab_size + self.max_position_embeddings + self.type_vocab_size;
        let layer = 4 * (hidden + 1) * hidden + 2 * hidden * inner + inner + 5 * hidden;
        (rows as u64 + 2) * hidden + self.num_hidden_layers as u64 * layer
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn small() -> Value {
        json!({
            "model_type": "bert", "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
            "intermediate_size": 40, "max_position_embeddings": 20, "type_vocab_size": 2, "vocab_size": 30,
            "layer_norm_eps": 1e-12, "hidden_act": "gelu", "some_thing_else": [1],
        })
    }

    /// The configuration of a small model.
    pub(crate) fn config() -> Config {
        serde_json::from_value::<Config>(small()).unwrap().check().unwrap()
    }

    #[test]
    fn sizes_that_do_not_fit_and_other_models_are_refused_with_their_values() {
        let check = |name: &str, value: Value, message: &str| {
            let mut file = small();
            file[name] = value;
            let error = serde_json::from_value::<Config>(file).unwrap().check().unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        };
        check("hidden_size", 15.into(), "hidden_size is 15, expected 16 to 16384");
        check("num_attention_heads", 5.into(), "hidden_size 24 is not a multiple of num_attention_heads 5");
        check("layer_norm_eps", 0.0.into(), "layer_norm_eps is 0, expected 1e-15 to 0.1");
        check(
            "hidden_act",
            "relu".into(),
            "hidden_act \"relu\" of config.json is not supported, expected gelu",
        );
        check("model_type", "roberta".into(), "model_type \"roberta\"");
        check("position_embedding_type", "relative_key".into(), "position_embedding_type \"relative_key\"");
        check("is_decoder", true.into(), "is_decoder \"true\"");
        check("vocab_size", (1u64 << 40).into(), "vocab_size is 1099511627776, expected 1 to 1048576");
        let mut large = config();
        (large.hidden_size, large.num_attention_heads, large.num_hidden_layers) = (1 << 14, 1, 256);
        let error = large.check().unwrap_err().to_string();
        assert!(error.starts_with("number of parameters of config.json is "), "{error}");
    }
}
