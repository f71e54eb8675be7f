//! What a model looks like: sizes that fit together, and small ones with names.

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
    /// The model would not fit.
    #[error("model has {parameters} parameters, at most {MAX_PARAMETERS} are allowed")]
    TooLarge {
        /// How many there would be.
        parameters: u64,
    },
}

/// Sizes of a model of the Llama family, as they are written down; [`Config`] is what has been checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Number of tokens that exist.
    pub vocab: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads; `dim` is a multiple, with an even quotient.
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
        })
    }
}

impl Config {
    /// Checks sizes.
    ///
    /// # Errors
    /// A size is zero or too large, sizes don't divide, or a number is out of range.
    pub fn new(sizes: Sizes) -> Result<Self, ConfigError> {
        let named = [
            ("vocab", sizes.vocab),
            ("dim", sizes.dim),
            ("layers", sizes.layers),
            ("heads", sizes.heads),
            ("kv_heads", sizes.kv_heads),
            ("ffn_dim", sizes.ffn_dim),
            ("context", sizes.context),
        ];
        if let Some(&(name, value)) = named.iter().find(|(_, value)| !(1..=MAX_SIZE).contains(value)) {
            return Err(ConfigError::Size { name, value });
        }
        let divides = |whole_name, whole, part_name, part| {
            let error = ConfigError::Divides { whole_name, whole, part_name, part };
            if whole % part == 0 { Ok(()) } else { Err(error) }
        };
        divides("dim", sizes.dim, "2 · heads", 2 * sizes.heads)?;
        divides("heads", sizes.heads, "kv_heads", sizes.kv_heads)?;
        let number = |name, value: f64, range, good: bool| {
            if good { Ok(()) } else { Err(ConfigError::Number { name, value, range }) }
        };
        let theta = sizes.rope_theta;
        number("rope_theta", theta, "1 to 1e9", (1.0..=1e9).contains(&theta))?;
        let epsilon = sizes.norm_eps;
        number("norm_eps", epsilon, "1e-12 to 0.1", (1e-12..=0.1).contains(&epsilon))?;
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
        self.dim / self.heads
    }

    /// Width of the keys, and of the values.
    #[must_use]
    pub fn kv_dim(&self) -> usize {
        self.kv_heads * self.head_dim()
    }

    /// How many parameters there are.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        // At most 2^21 each: one product of two fits, and so does the sum over the layers in 128 bits.
        let wide = |a: usize, b: usize| a as u128 * b as u128;
        let attention = 2 * wide(self.dim, self.dim) + 2 * wide(self.dim, self.kv_dim());
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
            assert_eq!(Config::new(config.0.clone()), Ok(config.clone()));
            let parameters = config.parameters() as f64 / 1e6;
            assert!((parameters / millions - 1.0).abs() < 0.2, "{preset:?} has {parameters} million");
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused_with_their_values() {
        let good = Preset::Mouse.config().0;
        let check = |change: fn(&mut Sizes), message: &str| {
            let mut sizes = good.clone();
            change(&mut sizes);
            assert_eq!(Config::new(sizes).unwrap_err().to_string(), message);
        };
        check(|s| s.layers = 0, "layers is 0, expected 1 to 2097152");
        check(|s| s.heads = 3, "dim 64 is not a multiple of 2 · heads 6");
        check(|s| s.heads = 64, "dim 64 is not a multiple of 2 · heads 128");
        check(|s| (s.heads, s.kv_heads) = (4, 3), "heads 4 is not a multiple of kv_heads 3");
        check(|s| s.rope_theta = f64::NAN, "rope_theta is NaN, expected 1 to 1e9");
        check(|s| s.norm_eps = 0.0, "norm_eps is 0, expected 1e-12 to 0.1");
        check(
            |s| (s.dim, s.layers, s.vocab) = (1 << 20, 1 << 21, 1 << 21),
            "model has 9224539718204522496 parameters, at most 4294967296 are allowed",
        );
    }
}
