//! What a model looks like: sizes that fit together, and small ones with names.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most parameters of one model: 16 GiB of f32, more than any machine here trains.
const MAX_PARAMETERS: u64 = 1 << 32;
/// Most of any single size: keeps products of three sizes within 64 bits.
const MAX_SIZE: usize = 1 << 21;

/// A configuration cannot be a model.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ConfigError {
    /// A size is zero or absurd.
    #[error("{name} is {value}, expected 1 to {MAX_SIZE}")]
    Size {
        /// Which one.
        name: &'static str,
        /// What was given.
        value: usize,
    },
    /// Two sizes don't divide.
    #[error("{whole_name} {whole} is not a multiple of {part_name} {part}")]
    Divides {
        /// Which size should be divisible.
        whole_name: &'static str,
        /// Its value.
        whole: usize,
        /// By which.
        part_name: &'static str,
        /// Its value.
        part: usize,
    },
    /// A real number is out of range.
    #[error("{name} is {value}, expected {range}")]
    Number {
        /// Which one.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// A member of the family lacks what is asked for.
    #[error("{family} models have no {feature}")]
    Feature {
        /// Which member.
        family: Family,
        /// What was asked for.
        feature: &'static str,
    },
    /// The model would not fit.
    #[error("model has {parameters} parameters, at most {MAX_PARAMETERS} are allowed")]
    TooLarge {
        /// How many there would be.
        parameters: u64,
    },
}

/// Members of the Llama family, which differ in the attention's biases and norms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// No biases, or with [`Sizes::attention_bias`] on queries, keys, values and the attention's output.
    #[default]
    Llama,
    /// No biases.
    Mistral,
    /// Biases on queries, keys and values.
    Qwen2,
    /// As Llama, and an RMSNorm on each head of queries and keys before they are turned.
    Qwen3,
}

impl Family {
    /// All members.
    pub const ALL: [Self; 4] = [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3];

    fn is_llama(&self) -> bool {
        *self == Self::Llama
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        })
    }
}

/// How the rates of the rotary positions are slowed down for contexts longer than those of the first training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum RopeScaling {
    /// All by one factor. Source: Chen et al., "Extending context window of large language models via positional
    /// interpolation", 2023.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Slow rates by the factor, fast ones not at all, those between in proportion. Source: Grattafiori et al.,
    /// "The Llama 3 herd of models", 2024, and the model's published code.
    Llama3 {
        /// The factor.
        factor: f64,
        /// A rate with fewer turns than this in the first context is slow.
        slow_turns: f64,
        /// A rate with more turns than this in the first context is fast.
        fast_turns: f64,
        /// The context of the first training, in tokens.
        first_context: usize,
    },
}

impl RopeScaling {
    /// What a rate, in radians per token, becomes.
    pub(crate) fn slow_down(self, rate: f64) -> f64 {
        match self {
            Self::Linear { factor } => rate / factor,
            Self::Llama3 { factor, slow_turns, fast_turns, first_context } => {
                let turns = first_context as f64 * rate / (2.0 * std::f64::consts::PI);
                if turns < slow_turns {
                    rate / factor
                } else if turns > fast_turns {
                    rate
                } else {
                    let kept = (turns - slow_turns) / (fast_turns - slow_turns);
                    (1.0 - kept) * rate / factor + kept * rate
                }
            }
        }
    }

    fn check(self) -> Result<(), ConfigError> {
        let (Self::Linear { factor } | Self::Llama3 { factor, .. }) = self;
        number("factor of rope_scaling", factor, "1 to 1e4", (1.0..=1e4).contains(&factor))?;
        if let Self::Llama3 { slow_turns, fast_turns, first_context, .. } = self {
            number("slow_turns", slow_turns, "1e-3 to 1e4", (1e-3..=1e4).contains(&slow_turns))?;
            let good = fast_turns > slow_turns && fast_turns <= 1e6;
            number("fast_turns", fast_turns, "above slow_turns, at most 1e6", good)?;
            size("first_context", first_context)?;
        }
        Ok(())
    }
}

fn number(name: &'static str, value: f64, range: &'static str, good: bool) -> Result<(), ConfigError> {
    if good { Ok(()) } else { Err(ConfigError::Number { name, value, range }) }
}

fn size(name: &'static str, value: usize) -> Result<(), ConfigError> {
    if (1..=MAX_SIZE).contains(&value) { Ok(()) } else { Err(ConfigError::Size { name, value }) }
}

/// Sizes of a model of the Llama family, as they are written down; [`Config`] is what has been checked.
///
/// What only some members of the family have is left out of the JSON where it is absent, so that a plain model's
/// digest does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Number of tokens that exist.
    pub vocab: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads; where `head_dim` is not given, `dim` is a multiple, with an even quotient.
    pub heads: usize,
    /// Key and value heads; `heads` is a multiple.
    pub kv_heads: usize,
    /// Width of the feed-forward part.
    pub ffn_dim: usize,
    /// Most tokens that are seen at once.
    pub context: usize,
    /// Base of the rotary positions.
    pub rope_theta: f64,
    /// ε under the root of RMSNorm.
    pub norm_eps: f64,
    /// Whether the output matrix is that of the embeddings.
    pub tied: bool,
    /// Which member of the family.
    #[serde(default, skip_serializing_if = "Family::is_llama")]
    pub family: Family,
    /// Numbers per head, an even number, where they are not `dim / heads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Whether queries, keys, values and the attention's output have biases, for members that leave it open: Llama and
    /// Qwen3.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attention_bias: bool,
    /// How the rotary positions are slowed down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<RopeScaling>,
}

/// Sizes that fit together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Sizes", into = "Sizes")]
pub struct Config(Sizes);

impl TryFrom<Sizes> for Config {
    type Error = ConfigError;
    fn try_from(sizes: Sizes) -> Result<Self, ConfigError> {
        Self::new(sizes)
    }
}

impl From<Config> for Sizes {
    fn from(config: Config) -> Self {
        config.0
    }
}

impl std::ops::Deref for Config {
    type Target = Sizes;
    fn deref(&self) -> &Sizes {
        &self.0
    }
}

/// Small models over bytes, for experiments in which many are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// About 0.1 million parameters: 2 layers of 64.
    Mouse,
    /// About 0.4 million: 3 layers of 104.
    Cat,
    /// About 1 million: 5 layers of 128.
    Dog,
}

impl Preset {
    /// All, smallest first.
    pub const ALL: [Self; 3] = [Self::Mouse, Self::Cat, Self::Dog];

    /// The preset's sizes, with a vocabulary of bytes and a start token.
    #[must_use]
    pub fn config(self) -> Config {
        let (dim, layers, heads, kv_heads, ffn_dim) = match self {
            Self::Mouse => (64, 2, 2, 2, 176),
            Self::Cat => (104, 3, 4, 2, 288),
            Self::Dog => (128, 5, 4, 2, 352),
        };
        Config(Sizes {
            vocab: crate::tokenizer::BYTES_VOCAB,
            dim,
            layers,
            heads,
            kv_heads,
            ffn_dim,
            context: 256,
            rope_theta: 10_000.0,
            norm_eps: 1e-5,
            tied: true,
            family: Family::Llama,
            head_dim: None,
            attention_bias: false,
            rope_scaling: None,
        })
    }
}

impl Config {
    /// Checks sizes; a `head_dim` that says what `dim / heads` says is left out.
    ///
    /// # Errors
    /// A size is zero or too large, sizes don't divide, a number is out of range, or the member of the family lacks
    /// what is asked for.
    pub fn new(mut sizes: Sizes) -> Result<Self, ConfigError> {
        let named = [
            ("vocab", sizes.vocab),
            ("dim", sizes.dim),
            ("layers", sizes.layers),
            ("heads", sizes.heads),
            ("kv_heads", sizes.kv_heads),
            ("ffn_dim", sizes.ffn_dim),
            ("context", sizes.context),
        ];
        named.into_iter().try_for_each(|(name, value)| size(name, value))?;
        let divides = |whole_name, whole, part_name, part| {
            let error = ConfigError::Divides { whole_name, whole, part_name, part };
            if whole % part == 0 { Ok(()) } else { Err(error) }
        };
        match sizes.head_dim {
            None => divides("dim", sizes.dim, "2 · heads", 2 * sizes.heads)?,
            Some(head_dim) => {
                size("head_dim", head_dim)?;
                number("head_dim", head_dim as f64, "an even number", head_dim.is_multiple_of(2))?;
                size("heads · head_dim", sizes.heads.saturating_mul(head_dim))?;
                if head_dim.checked_mul(sizes.heads) == Some(sizes.dim) {
                    sizes.head_dim = None;
                }
            }
        }
        divides("heads", sizes.heads, "kv_heads", sizes.kv_heads)?;
        let theta = sizes.rope_theta;
        number("rope_theta", theta, "1 to 1e9", (1.0..=1e9).contains(&theta))?;
        let epsilon = sizes.norm_eps;
        number("norm_eps", epsilon, "1e-12 to 0.1", (1e-12..=0.1).contains(&epsilon))?;
        sizes.rope_scaling.map_or(Ok(()), RopeScaling::check)?;
        if sizes.attention_bias && matches!(sizes.family, Family::Mistral | Family::Qwen2) {
            let feature = "choice of attention_bias";
            return Err(ConfigError::Feature { family: sizes.family, feature });
        }
        let config = Self(sizes);
        let parameters = config.parameters();
        if parameters > MAX_PARAMETERS {
            return Err(ConfigError::TooLarge { parameters });
        }
        Ok(config)
    }

    /// Numbers per head.
    #[must_use]
    pub fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.dim / self.heads)
    }

    /// Width of the queries.
    #[must_use]
    pub fn query_dim(&self) -> usize {
        self.heads * self.head_dim()
    }

    /// Width of the keys, and of the values.
    #[must_use]
    pub fn kv_dim(&self) -> usize {
        self.kv_heads * self.head_dim()
    }

    /// Whether queries, keys and values have biases.
    #[must_use]
    pub fn has_qkv_bias(&self) -> bool {
        self.attention_bias || self.family == Family::Qwen2
    }

    /// Whether the attention's output has a bias.
    #[must_use]
    pub fn has_output_bias(&self) -> bool {
        self.attention_bias
    }

    /// Whether each head of queries and keys has an RMSNorm.
    #[must_use]
    pub fn has_head_norms(&self) -> bool {
        self.family == Family::Qwen3
    }

    /// How many parameters there are.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        // At most 2^21 each: one product of two fits, and so does the sum over the layers in 128 bits.
        let wide = |a: usize, b: usize| a as u128 * b as u128;
        let (query_dim, kv_dim) = (self.query_dim(), self.kv_dim());
        let mut attention = 2 * wide(self.dim, query_dim) + 2 * wide(self.dim, kv_dim);
        if self.has_qkv_bias() {
            attention += query_dim as u128 + 2 * kv_dim as u128;
        }
        if self.has_output_bias() {
            attention += self.dim as u128;
        }
        if self.has_head_norms() {
            attention += 2 * self.head_dim() as u128;
        }
        let layer = attention + 3 * wide(self.dim, self.ffn_dim) + 2 * self.dim as u128;
        let embeddings = wide(self.vocab, self.dim) * if self.tied { 1 } else { 2 };
        let sum = layer * self.layers as u128 + embeddings + self.dim as u128;
        u64::try_from(sum).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_of_the_size_they_claim() {
        for (preset, millions) in Preset::ALL.into_iter().zip([0.1, 0.4, 1.0]) {
            let config = preset.config();
            assert_eq!(Config::new(config.0), Ok(config.clone()));
            let parameters = config.parameters() as f64 / 1e6;
            assert!((parameters / millions - 1.0).abs() < 0.2, "{preset:?} has {parameters} million");
        }
    }

    #[test]
    fn a_head_dim_that_says_nothing_new_makes_no_other_configuration() {
        let plain = Preset::Mouse.config();
        let sizes = Sizes { head_dim: Some(32), ..plain.0 };
        assert_eq!(Config::new(sizes), Ok(plain.clone()));
        let text = serde_json::to_string(&plain).unwrap();
        assert!(text.ends_with(r#""tied":true}"#), "what is absent is not written: {text}");
        let wide = Config::new(Sizes { head_dim: Some(48), ..plain.0 }).unwrap();
        assert_eq!((wide.head_dim(), wide.query_dim(), wide.kv_dim()), (48, 96, 96));
        assert_eq!(serde_json::from_str::<Config>(&serde_json::to_string(&wide).unwrap()).unwrap(), wide);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused_with_their_values() {
        let good = Preset::Mouse.config().0;
        let check = |change: fn(&mut Sizes), message: &str| {
            let mut sizes = good;
            change(&mut sizes);
            assert_eq!(Config::new(sizes).unwrap_err().to_string(), message);
        };
        check(|s| s.layers = 0, "layers is 0, expected 1 to 2097152");
        check(|s| s.heads = 3, "dim 64 is not a multiple of 2 · heads 6");
        check(|s| s.heads = 64, "dim 64 is not a multiple of 2 · heads 128");
        check(|s| (s.heads, s.kv_heads) = (4, 3), "heads 4 is not a multiple of kv_heads 3");
        check(|s| s.rope_theta = f64::NAN, "rope_theta is NaN, expected 1 to 1e9");
        check(|s| s.head_dim = Some(7), "head_dim is 7, expected an even number");
        check(
            |s| (s.heads, s.kv_heads, s.head_dim) = (1 << 20, 1, Some(1 << 20)),
            "heads · head_dim is 1099511627776, expected 1 to 2097152",
        );
        check(
            |s| (s.family, s.attention_bias) = (Family::Mistral, true),
            "mistral models have no choice of attention_bias",
        );
        check(
            |s| s.rope_scaling = Some(RopeScaling::Linear { factor: 0.0 }),
            "factor of rope_scaling is 0, expected 1 to 1e4",
        );
        check(|s| s.norm_eps = 0.0, "norm_eps is 0, expected 1e-12 to 0.1");
        check(
            |s| (s.dim, s.layers, s.vocab) = (1 << 20, 1 << 21, 1 << 21),
            "model has 9224539718204522496 parameters, at most 4294967296 are allowed",
        );
    }
}
