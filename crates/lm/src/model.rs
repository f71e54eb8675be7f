//! A model: its configuration and one flat buffer of parameters, with a name for every part of it.
//!
//! Names and shapes are those that Hugging Face's Llama uses. In the buffer the query, key and value matrices of a
//! layer are neighbours, and so are gate and up: each group is one matrix product.

use std::{borrow::Cow, ops::Range};

use primitives::{Digest, Seed};
use safetensors::{Dtype, View};
use thiserror::Error;

use crate::{
    config::{Config, ConfigError, Sizes},
    math,
};

/// Domain of a model's digest; a change of the layout changes this text.
const DIGEST_DOMAIN: &str = "weighhouse lm parameters v1";
/// First bytes of an exported model.
const EXPORT_MAGIC: &[u8; 16] = b"weighhouse lm v1";
/// Most bytes of the configuration in an exported model, as for `config.json`.
const MAX_CONFIG_BYTES: usize = 1 << 20;
/// The one NaN that leaves this crate: which of two NaNs an addition hands on differs between machines.
const CANONICAL_NAN: u32 = 0x7fc0_0000;
/// Standard deviation of the embeddings at the start. Source: Radford et al., GPT-2, 2019.
const EMBEDDING_DEVIATION: f64 = 0.02;
/// Purpose of the streams of initial parameters, one per tensor.
const INIT_PURPOSE: &str = "lm init v1";

/// Bytes are not a model.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ModelError {
    /// They don't start as an export does.
    #[error("these {found} bytes are no exported model: the first 16 are not its mark")]
    Mark {
        /// How many bytes there are.
        found: usize,
    },
    /// They end early or late.
    #[error("exported model has {found} bytes, expected {expected}")]
    Length {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The configuration is no JSON of the expected form.
    #[error("configuration of the exported model cannot be read: {reason}")]
    Unreadable {
        /// What the parser said.
        reason: String,
    },
    /// The configuration is impossible.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The number of parameters is not the configuration's.
    #[error("{found} parameters for a configuration with {expected}")]
    Count {
        /// How many were given.
        found: usize,
        /// How many there should be.
        expected: u64,
    },
    /// A tensor has other numbers than its shape.
    #[error("tensor {name} has {found} numbers, expected {expected}")]
    Tensor {
        /// Which one.
        name: String,
        /// How many were given.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Tensors cannot be written down.
    #[error("tensors cannot be written as safetensors: {reason}")]
    Safetensors {
        /// What the library said.
        reason: String,
    },
}

/// A part of the flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Hugging Face's name.
    pub name: String,
    /// Rows and columns of a matrix, or the length of a vector.
    pub shape: Vec<usize>,
    /// Where in the buffer.
    pub range: Range<usize>,
}

/// A language model of the Llama family.
#[derive(Clone, Debug)]
pub struct Model {
    config: Config,
    pub(crate) parameters: Vec<f32>,
    tensors: Vec<Tensor>,
    pub(crate) layout: Layout,
}

/// Where one layer's parts lie in the buffer.
#[derive(Clone, Debug)]
pub(crate) struct LayerLayout {
    /// [dim]
    pub(crate) attention_norm: Range<usize>,
    /// [query_dim + 2 · kv_dim, dim]: queries, keys, values.
    pub(crate) qkv: Range<usize>,
    /// [query_dim + 2 · kv_dim], where there are biases.
    pub(crate) qkv_bias: Option<Range<usize>>,
    /// [dim, query_dim]
    pub(crate) output: Range<usize>,
    /// [dim], where there is one.
    pub(crate) output_bias: Option<Range<usize>>,
    /// [2 · head_dim]: gains of the heads of queries and of keys, where these have norms.
    pub(crate) head_norms: Option<Range<usize>>,
    /// [dim]
    pub(crate) ffn_norm: Range<usize>,
    /// [2 · ffn_dim, dim]: gate, up.
    pub(crate) gate_up: Range<usize>,
    /// [dim, ffn_dim]
    pub(crate) down: Range<usize>,
}

/// Where everything lies in the buffer.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// [vocab, dim]
    pub(crate) embeddings: Range<usize>,
    pub(crate) layers: Vec<LayerLayout>,
    /// [dim]
    pub(crate) norm: Range<usize>,
    /// [vocab, dim]; the embeddings where they are tied.
    pub(crate) head: Range<usize>,
}

impl Layout {
    /// Lays the parts out in order, and names them.
    fn new(config: &Config) -> (Self, Vec<Tensor>) {
        let mut tensors: Vec<Tensor> = Vec::new();
        let mut place = |name: String, shape: &[usize]| {
            let start = tensors.last().map_or(0, |last| last.range.end);
            let range = start..start + shape.iter().product::<usize>();
            tensors.push(Tensor { name, shape: shape.to_vec(), range: range.clone() });
            range
        };
        let (vocab, dim, ffn_dim) = (config.vocab, config.dim, config.ffn_dim);
        let (head_dim, query_dim, kv_dim) = (config.head_dim(), config.query_dim(), config.kv_dim());
        let embeddings = place("model.embed_tokens.weight".into(), &[vocab, dim]);
        let mut layers = Vec::with_capacity(config.layers);
        for index in 0..config.layers {
            let name = |part: &str| format!("model.layers.{index}.{part}.weight");
            let bias = |part: &str| format!("model.layers.{index}.self_attn.{part}_proj.bias");
            let attention_norm = place(name("input_layernorm"), &[dim]);
            let q = place(name("self_attn.q_proj"), &[query_dim, dim]);
            place(name("self_attn.k_proj"), &[kv_dim, dim]);
            let v = place(name("self_attn.v_proj"), &[kv_dim, dim]);
            let qkv_bias = config.has_qkv_bias().then(|| {
                let q = place(bias("q"), &[query_dim]);
                place(bias("k"), &[kv_dim]);
                q.start..place(bias("v"), &[kv_dim]).end
            });
            let output = place(name("self_attn.o_proj"), &[dim, query_dim]);
            let output_bias = config.has_output_bias().then(|| place(bias("o"), &[dim]));
            let head_norms = config.has_head_norms().then(|| {
                let q = place(name("self_attn.q_norm"), &[head_dim]);
                q.start..place(name("self_attn.k_norm"), &[head_dim]).end
            });
            let ffn_norm = place(name("post_attention_layernorm"), &[dim]);
            let gate = place(name("mlp.gate_proj"), &[ffn_dim, dim]);
            let up = place(name("mlp.up_proj"), &[ffn_dim, dim]);
            let down = place(name("mlp.down_proj"), &[dim, ffn_dim]);
            let (qkv, gate_up) = (q.start..v.end, gate.start..up.end);
            layers.push(LayerLayout {
                attention_norm,
                qkv,
                qkv_bias,
                output,
                output_bias,
                head_norms,
                ffn_norm,
                gate_up,
                down,
            });
        }
        let norm = place("model.norm.weight".into(), &[dim]);
        let head =
            if config.tied { embeddings.clone() } else { place("lm_head.weight".into(), &[vocab, dim]) };
        (Self { embeddings, layers, norm, head }, tensors)
    }
}

impl Model {
    /// A model with random parameters, which follow from the seed alone: gains are 1, biases 0, embeddings have a standard
    /// deviation of 0.02, matrices one of 1/√inputs, and those that write into the residual stream 1/√(2 · layers)
    /// of that. Source for the last: Radford et al., GPT-2, 2019.
    #[must_use]
    pub fn init(config: &Config, seed: Seed) -> Self {
        let (layout, tensors) = Layout::new(config);
        let mut parameters = vec![1.0; tensors.last().map_or(0, |last| last.range.end)];
        for (index, tensor) in tensors.iter().enumerate() {
            let &[_, inputs] = &tensor.shape[..] else {
                if tensor.name.ends_with(".bias") {
                    parameters[tensor.range.clone()].fill(0.0);
                }
                continue;
            };
            let deviation = if tensor.range == layout.embeddings || tensor.range == layout.head {
                EMBEDDING_DEVIATION
            } else if tensor.name.contains("o_proj") || tensor.name.contains("down_proj") {
                1.0 / (inputs as f64 * 2.0 * config.layers as f64).sqrt()
            } else {
                1.0 / (inputs as f64).sqrt()
            };
            let mut stream = seed.stream(INIT_PURPOSE, index as u64);
            for pair in parameters[tensor.range.clone()].chunks_mut(2) {
                let deviates = normal_pair(|| stream.next_u64());
                for (to, deviate) in pair.iter_mut().zip(deviates) {
                    *to = math::round_to_f32(deviate * deviation);
                }
            }
        }
        Self { config: config.clone(), parameters, tensors, layout }
    }

    /// A model with the given parameters, in the order of [`Model::tensors`].
    ///
    /// # Errors
    /// There are more or fewer than the configuration has.
    pub fn from_parameters(config: &Config, parameters: Vec<f32>) -> Result<Self, ModelError> {
        let expected = config.parameters();
        if parameters.len() as u64 != expected {
            return Err(ModelError::Count { found: parameters.len(), expected });
        }
        let (layout, tensors) = Layout::new(config);
        Ok(Self { config: config.clone(), parameters, tensors, layout })
    }

    /// A model whose tensors are asked for by name and shape, in the order of [`Model::tensors`].
    ///
    /// Space grows with what comes, so that a configuration that claims more than there is costs nothing.
    ///
    /// # Errors
    /// Those of `take`, and where it gives more or fewer numbers than a shape has.
    pub fn from_tensors<E: From<ModelError>>(
        config: &Config,
        mut take: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let (layout, tensors) = Layout::new(config);
        let mut parameters = Vec::new();
        for tensor in &tensors {
            let numbers = take(&tensor.name, &tensor.shape)?;
            if numbers.len() != tensor.range.len() {
                let (name, found) = (tensor.name.clone(), numbers.len());
                return Err(ModelError::Tensor { name, found, expected: tensor.range.len() }.into());
            }
            parameters.extend(numbers);
        }
        Ok(Self { config: config.clone(), parameters, tensors, layout })
    }

    /// The sizes.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All parameters, tensor after tensor.
    #[must_use]
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// Names, shapes and places of the tensors, in order of their places.
    #[must_use]
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// All parameters, to be changed, and the tensors that they are.
    pub(crate) fn parameters_and_tensors(&mut self) -> (&mut [f32], &[Tensor]) {
        (&mut self.parameters, &self.tensors)
    }

    /// The numbers of one tensor.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&[f32]> {
        let tensor = self.tensors.iter().find(|tensor| tensor.name == name)?;
        Some(&self.parameters[tensor.range.clone()])
    }

    /// The digest of configuration and parameters.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_parts(DIGEST_DOMAIN, &[&self.config_json(), &little_endian(&self.parameters)])
    }

    /// The model as bytes: a mark, the length of the configuration (u32), the configuration as JSON, the parameters
    /// as little-endian f32.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        let config = self.config_json();
        let length = u32::try_from(config.len()).expect("a configuration is a few hundred bytes");
        [&EXPORT_MAGIC[..], &length.to_le_bytes(), &config, &little_endian(&self.parameters)].concat()
    }

    /// Reads what [`Model::export`] wrote.
    ///
    /// # Errors
    /// The bytes are not exactly such a model; nothing is allocated before their number is known to be right.
    pub fn import(bytes: &[u8]) -> Result<Self, ModelError> {
        let rest = bytes.strip_prefix(EXPORT_MAGIC).ok_or(ModelError::Mark { found: bytes.len() })?;
        let short = |expected| ModelError::Length { found: bytes.len(), expected };
        let header = EXPORT_MAGIC.len() + 4;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(short(header))?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_CONFIG_BYTES {
            let reason = format!("it has {length} bytes, at most {MAX_CONFIG_BYTES} are allowed");
            return Err(ModelError::Unreadable { reason });
        }
        let (config, data) = rest.split_at_checked(length).ok_or(short(header + length))?;
        let sizes: Sizes = serde_json::from_slice(config)
            .map_err(|error| ModelError::Unreadable { reason: error.to_string() })?;
        let config = Config::new(sizes)?;
        let expected = usize::try_from(4 * config.parameters()).unwrap_or(usize::MAX);
        if data.len() != expected {
            return Err(short((header + length).saturating_add(expected)));
        }
        let numbers = data.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        Self::from_parameters(&config, numbers)
    }

    /// The tensors as a safetensors file.
    ///
    /// # Errors
    /// The library refuses to write them.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        let views = self.tensors.iter().map(|tensor| {
            let data = little_endian(&self.parameters[tensor.range.clone()]);
            (&tensor.name, TensorView { shape: &tensor.shape, data })
        });
        safetensors::serialize(views, None)
            .map_err(|error| ModelError::Safetensors { reason: error.to_string() })
    }

    fn config_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.config).expect("sizes are plain numbers")
    }
}

struct TensorView<'a> {
    shape: &'a [usize],
    data: Vec<u8>,
}

impl View for TensorView<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}

/// The bits of a number, every NaN the same.
pub(crate) fn canonical_bits(x: f32) -> u32 {
    if x.is_nan() { CANONICAL_NAN } else { x.to_bits() }
}

pub(crate) fn little_endian(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| canonical_bits(*x).to_le_bytes()).collect()
}

/// Two independent standard normal deviates. Source: Box & Muller, "A note on the generation of random normal
/// deviates", 1958.
fn normal_pair(mut bits: impl FnMut() -> u64) -> [f64; 2] {
    // 53 bits each; the first is moved off 0, whose logarithm is infinite.
    let unit = |bits: u64| (bits >> 11) as f64 / (1u64 << 53) as f64;
    let radius = (-2.0 * math::ln(1.0 - unit(bits()))).sqrt();
    let (sine, cosine) = math::sin_cos(2.0 * std::f64::consts::PI * unit(bits()));
    [radius * cosine, radius * sine]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    fn mouse() -> Model {
        Model::init(&Preset::Mouse.config(), Seed::from_number(1))
    }

    #[test]
    fn tensors_fill_the_buffer_and_have_as_many_numbers_as_the_configuration_says() {
        for tied in [true, false] {
            let mut sizes: Sizes = Preset::Cat.config().into();
            sizes.tied = tied;
            let config = Config::new(sizes).unwrap();
            let model = Model::init(&config, Seed::from_number(1));
            assert_eq!(model.parameters().len() as u64, config.parameters());
            let mut end = 0;
            for tensor in model.tensors() {
                assert_eq!((tensor.range.start, tensor.range.len()), (end, tensor.shape.iter().product()));
                end = tensor.range.end;
            }
            assert_eq!(end, model.parameters().len());
            assert_eq!(model.tensor("lm_head.weight").is_some(), !tied);
        }
    }

    #[test]
    fn initial_parameters_follow_the_seed_and_have_the_stated_deviation() {
        let model = mouse();
        assert_eq!(model.digest(), mouse().digest());
        assert_ne!(model.digest(), Model::init(model.config(), Seed::from_number(2)).digest());
        let queries = model.tensor("model.layers.0.self_attn.q_proj.weight").unwrap();
        let mean = queries.iter().map(|x| f64::from(*x)).sum::<f64>() / queries.len() as f64;
        let square = queries.iter().map(|x| f64::from(x * x)).sum::<f64>() / queries.len() as f64;
        assert!(mean.abs() < 0.01 && (square.sqrt() / 0.125 - 1.0).abs() < 0.05, "{mean} {square}");
        assert!(
            model.tensor("model.norm.weight").unwrap().iter().all(|gain| gain.to_bits() == 1.0f32.to_bits())
        );
    }

    #[test]
    fn import_after_export_is_the_identity_and_nothing_else_is_imported() {
        let model = mouse();
        let bytes = model.export();
        let again = Model::import(&bytes).unwrap();
        assert_eq!(again.digest(), model.digest());
        assert!(matches!(Model::import(&bytes[..bytes.len() - 1]), Err(ModelError::Length { .. })));
        assert!(matches!(Model::import(&[&bytes[..], &[0]].concat()), Err(ModelError::Length { .. })));
        for cut in [0, 5, 16, 18, 20, 60] {
            assert!(Model::import(&bytes[..cut]).is_err(), "{cut} bytes");
        }
        let mut wild = bytes.clone();
        wild[16..20].fill(255);
        assert!(matches!(Model::import(&wild), Err(ModelError::Unreadable { .. })));
    }

    #[test]
    fn every_nan_has_the_same_digest() {
        let with = |bits: u32| {
            let mut model = mouse();
            model.parameters[7] = f32::from_bits(bits);
            model.digest()
        };
        assert_eq!(with(0x7fc0_0000), with(0xffc0_0001));
        assert_ne!(with(0), with(0x8000_0000));
    }

    #[test]
    fn safetensors_hold_every_tensor_under_its_name() {
        let model = mouse();
        let bytes = model.to_safetensors().unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.len(), model.tensors().len());
        for tensor in model.tensors() {
            let view = file.tensor(&tensor.name).unwrap();
            assert_eq!(view.shape(), tensor.shape);
            assert_eq!(view.data(), little_endian(&model.parameters[tensor.range.clone()]));
        }
    }
}
