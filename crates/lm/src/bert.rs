//! BERT: an encoder that sees a text in both directions, from tokens to one vector per text.
//!
//! Sequences lie one after the other, without padding. Names and shapes of the parameters are Hugging Face's
//! `BertModel`'s. Source: Devlin et al., "BERT: pre-training of deep bidirectional transformers", 2018.

mod config;
mod layers;

use std::fmt;

use crate::{compute::Compute, math, tensors::LoadError};
pub(crate) use config::Config;
pub(crate) use layers::Pooling;
use layers::{Dense, Norm, Tables, attend, pool};

/// Tokens per thread that go through the feed-forward part at a time: what they grow to stays in the cache.
const INNER_TOKENS: usize = 192;
/// Parameters that a file may have and that nothing here needs.
pub(crate) const UNUSED: [&str; 3] = ["embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"];

/// Gives a parameter by its name and shape.
type Take<'a> = dyn FnMut(&str, &[usize]) -> Result<Vec<f32>, LoadError> + 'a;

/// An encoder with its parameters.
pub(crate) struct Bert {
    config: Config,
    tables: Tables,
    layers: Vec<Layer>,
}

struct Layer {
    /// Queries, keys, values.
    qkv: Dense,
    output: Dense,
    attention_norm: Norm,
    up: Dense,
    down: Dense,
    norm: Norm,
}

impl fmt::Debug for Bert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bert").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Bert {
    /// The encoder whose parameters `take` gives by name and shape.
    pub(crate) fn load(
        config: Config,
        mut take: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, LoadError>,
    ) -> Result<Self, LoadError> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let epsilon = math::round_to_f32(config.layer_norm_eps);
        let norm = |take: &mut Take<'_>, name: &str| {
            let gain = take(&format!("{name}.LayerNorm.weight"), &[hidden])?;
            let bias = take(&format!("{name}.LayerNorm.bias"), &[hidden])?;
            Ok::<_, LoadError>(Norm { gain, bias, epsilon })
        };
        let mut table =
            |name: &str, rows: usize| take(&format!("embeddings.{name}_embeddings.weight"), &[rows, hidden]);
        let words = table("word", config.vocab_size)?;
        let positions = table("position", config.max_position_embeddings)?;
        let mut kind = table("token_type", config.type_vocab_size)?;
        kind.truncate(hidden);
        let tables = Tables { words, positions, kind, norm: norm(&mut take, "embeddings")? };
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            let name = |part: &str| format!("encoder.layer.{index}.{part}");
            let (mut weight, mut bias) = (Vec::new(), Vec::new());
            for part in ["query", "key", "value"] {
                let part = name(&format!("attention.self.{part}"));
                weight.extend(take(&format!("{part}.weight"), &[hidden, hidden])?);
                bias.extend(take(&format!("{part}.bias"), &[hidden])?);
            }
            let qkv = Dense::new(&weight, bias);
            let mut dense = |part: &str, outputs: usize, inputs: usize| {
                let weight = take(&name(&format!("{part}.dense.weight")), &[outputs, inputs])?;
                let bias = take(&name(&format!("{part}.dense.bias")), &[outputs])?;
                Ok::<_, LoadError>(Dense::new(&weight, bias))
            };
            let output = dense("attention.output", hidden, hidden)?;
            let up = dense("intermediate", inner, hidden)?;
            let down = dense("output", hidden, inner)?;
            let attention_norm = norm(&mut take, &name("attention.output"))?;
            let norm = norm(&mut take, &name("output"))?;
            layers.push(Layer { qkv, output, attention_norm, up, down, norm });
        }
        Ok(Self { config, tables, layers })
    }

    /// The sizes.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The vectors of all tokens, [tokens, hidden]. Tokens are below the vocabulary's size, and no sequence is longer
    /// than the positions.
    fn states(&self, compute: &Compute, sequences: &[&[u32]]) -> Vec<f32> {
        let (hidden, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let lengths: Vec<usize> = sequences.iter().map(|tokens| tokens.len()).collect();
        let tokens: usize = lengths.iter().sum();
        let inner_tokens = tokens.min(INNER_TOKENS * compute.threads());
        let [mut stream, mut attended, mut space] = [(); 3].map(|()| vec![0.0; tokens * hidden]);
        let (mut qkv, mut grown) = (vec![0.0; tokens * 3 * hidden], vec![0.0; inner_tokens * inner]);
        self.tables.embed(compute, &mut stream, sequences);
        for layer in &self.layers {
            layer.qkv.apply(compute, &mut qkv, &stream);
            attend(compute, &mut attended, &qkv, &lengths, &self.config);
            layer.output.apply_onto(compute, &mut stream, &attended, &layer.attention_norm, &mut space);
            for stream in stream.chunks_mut((inner_tokens * hidden).max(1)) {
                let grown = &mut grown[..stream.len() / hidden * inner];
                layer.up.apply_gelu(compute, grown, stream);
                let space = &mut space[..stream.len()];
                layer.down.apply_onto(compute, stream, grown, &layer.norm, space);
            }
        }
        stream
    }

    /// One vector of length 1 per sequence, [sequences, hidden]; for the sequences see [`Bert::states`].
    pub(crate) fn pooled(&self, compute: &Compute, sequences: &[&[u32]], pooling: Pooling) -> Vec<f32> {
        let states = compute.inside(|| self.states(compute, sequences));
        let lengths: Vec<usize> = sequences.iter().map(|tokens| tokens.len()).collect();
        let mut pooled = vec![0.0; lengths.len() * self.config.hidden_size];
        pool(compute, &mut pooled, &states, &lengths, pooling);
        pooled
    }
}

#[cfg(test)]
mod tests;
