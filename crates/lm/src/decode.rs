//! A model laid out for reading tokens one after the other, with the keys and values of those before kept.
//!
//! What it computes of a position has the bits of [`Model::nats`]' pass over the whole sequence: the products are the
//! same, in the same order; they are only not done again.

use thiserror::Error;

use crate::{
    attention::{self, Heads, Past, Rotary, Shape},
    buffer::Buffer,
    compute::Compute,
    config::Config,
    gemm::{self, K_BLOCK, Matrix, Onto, Packed},
    head_norm, math,
    model::{LayerLayout, Model},
    pass::{BatchError, check_tokens},
    rows,
};

/// Tokens that are read at a time: enough to use every number of a weight many times, few enough for the caches.
const TOKENS_AT_ONCE: usize = 512;

/// Tokens can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// There is nothing to read.
    #[error("no tokens were given: a prediction needs at least one")]
    Empty,
    /// The sequence becomes longer than the model can see.
    #[error("{past} tokens and {more} more exceed the context of {context}")]
    Context {
        /// Tokens that have been read.
        past: usize,
        /// Tokens that were to be read.
        more: usize,
        /// The model's context.
        context: usize,
    },
    /// The heads are wider than the kept keys allow.
    #[error("heads have {head_dim} numbers, at most {K_BLOCK} can be decoded")]
    HeadDim {
        /// Numbers per head.
        head_dim: usize,
    },
    /// A token is beyond the vocabulary.
    #[error(transparent)]
    Token(#[from] BatchError),
}

/// The weights of one layer, laid out for products.
struct Layer {
    attention_norm: Vec<f32>,
    qkv: Packed,
    qkv_bias: Option<Vec<f32>>,
    head_norms: Option<Vec<f32>>,
    output: Packed,
    output_bias: Option<Vec<f32>>,
    ffn_norm: Vec<f32>,
    gate_up: Packed,
    down: Packed,
}

/// A model's weights, laid out once for all tokens to come; the model itself is not needed any more.
pub struct Decoder {
    config: Config,
    /// [vocab, dim]
    embeddings: Vec<f32>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    head: Packed,
    rotary: Rotary,
    epsilon: f32,
}

/// A sequence that is being read: keys and values of all its tokens, about 8 · layers · kv_dim bytes each.
pub struct Sequence {
    layers: Vec<Past>,
    tokens: usize,
}

impl Sequence {
    /// How many tokens have been read.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

impl Decoder {
    /// Lays a model out.
    ///
    /// # Errors
    /// [`DecodeError::HeadDim`].
    pub fn new(compute: &Compute, model: &Model) -> Result<Self, DecodeError> {
        let config = model.config().clone();
        let (dim, head_dim) = (config.dim, config.head_dim());
        if head_dim > K_BLOCK {
            return Err(DecodeError::HeadDim { head_dim });
        }
        let of = |range: &std::ops::Range<usize>| &model.parameters[range.clone()];
        let packed = |range: &std::ops::Range<usize>, inputs: usize, outputs: usize| {
            let mut packed = Packed::default();
            packed.fill_with(compute, Matrix::rows(of(range), inputs).transposed(), inputs, outputs);
            packed
        };
        let few = |range: &Option<std::ops::Range<usize>>| range.as_ref().map(|range| of(range).to_vec());
        let query_dim = config.query_dim();
        let layer = |layout: &LayerLayout| Layer {
            attention_norm: of(&layout.attention_norm).to_vec(),
            qkv: packed(&layout.qkv, dim, query_dim + 2 * config.kv_dim()),
            qkv_bias: few(&layout.qkv_bias),
            head_norms: few(&layout.head_norms),
            output: packed(&layout.output, query_dim, dim),
            output_bias: few(&layout.output_bias),
            ffn_norm: of(&layout.ffn_norm).to_vec(),
            gate_up: packed(&layout.gate_up, dim, 2 * config.ffn_dim),
            down: packed(&layout.down, config.ffn_dim, dim),
        };
        let layout = &model.layout;
        Ok(Self {
            embeddings: of(&layout.embeddings).to_vec(),
            layers: layout.layers.iter().map(layer).collect(),
            norm: of(&layout.norm).to_vec(),
            head: packed(&layout.head, dim, config.vocab),
            rotary: Rotary::new(config.context, head_dim, config.rope_theta, config.rope_scaling),
            epsilon: math::round_to_f32(config.norm_eps),
            config,
        })
    }

    /// The model's sizes.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A sequence of which nothing has been read.
    #[must_use]
    pub fn start(&self) -> Sequence {
        let past = |_: &Layer| Past::new(self.config.kv_heads, self.config.head_dim());
        Sequence { layers: self.layers.iter().map(past).collect(), tokens: 0 }
    }

    /// Reads tokens on, and predicts the one behind them: a logit for each token that exists. After an error the sequence is as it was.
    ///
    /// # Errors
    /// [`DecodeError`] where there are no tokens, more than the context takes, or one beyond the vocabulary.
    pub fn read(
        &self,
        compute: &Compute,
        sequence: &mut Sequence,
        tokens: &[u32],
    ) -> Result<Vec<f32>, DecodeError> {
        let (past, more, context) = (sequence.tokens, tokens.len(), self.config.context);
        if more == 0 {
            return Err(DecodeError::Empty);
        }
        if more > context - past {
            return Err(DecodeError::Context { past, more, context });
        }
        check_tokens(&self.config, tokens)?;
        Ok(compute.inside(|| self.read_known(compute, sequence, tokens)))
    }

    /// As [`Decoder::read`], of tokens that are known to fit.
    fn read_known(&self, compute: &Compute, sequence: &mut Sequence, tokens: &[u32]) -> Vec<f32> {
        let mut room = Room::default();
        for tokens in tokens.chunks(TOKENS_AT_ONCE) {
            self.read_some(compute, sequence, tokens, &mut room);
        }
        let dim = self.config.dim;
        let last = &room.stream[room.stream.len() - dim..];
        let normed = &mut room.normed[..dim];
        rows::norm(compute, normed, last, &self.norm, self.epsilon);
        let vocab = self.config.vocab;
        let mut logits = vec![0.0; vocab];
        product(compute, &mut logits, normed, &self.head, Onto::Nothing, (dim, vocab));
        logits
    }

    /// Takes tokens through all layers; the residual stream stays in `room`.
    fn read_some(&self, compute: &Compute, sequence: &mut Sequence, tokens: &[u32], room: &mut Room) {
        let (dim, ffn_dim) = (self.config.dim, self.config.ffn_dim);
        let lengths = [tokens.len()];
        let shape = Shape {
            heads: self.config.heads,
            kv_heads: self.config.kv_heads,
            head_dim: self.config.head_dim(),
            lengths: &lengths,
        };
        room.resize(shape, dim, ffn_dim);
        for (row, token) in room.stream.chunks_exact_mut(dim).zip(tokens) {
            row.copy_from_slice(&self.embeddings[*token as usize * dim..][..dim]);
        }
        let Room { stream, normed, projected, qkv, heads, stats, by_head, attended, gate_up, inner } = room;
        let positions = (&self.rotary, sequence.tokens);
        for (layer, past) in self.layers.iter().zip(&mut sequence.layers) {
            rows::norm(compute, normed, stream, &layer.attention_norm, self.epsilon);
            let to = if layer.head_norms.is_some() { &mut *projected } else { &mut *qkv };
            product(compute, to, normed, &layer.qkv, Onto::Nothing, (dim, shape.width()));
            if let Some(bias) = &layer.qkv_bias {
                rows::add_bias(compute, to, bias);
            }
            if let Some(gains) = &layer.head_norms {
                head_norm::forward(compute, qkv, projected, gains, shape, self.epsilon);
            }
            let all = 0..tokens.len();
            attention::split_heads(compute, heads.of_mut(shape, &all), qkv, shape, positions);
            attention::forward_behind(compute, by_head, stats, heads.of(shape, &all), past, shape);
            attention::join_rows(compute, attended, by_head, shape);
            product(compute, stream, attended, &layer.output, Onto::Sum, (shape.query_width(), dim));
            if let Some(bias) = &layer.output_bias {
                rows::add_bias(compute, stream, bias);
            }
            rows::norm(compute, normed, stream, &layer.ffn_norm, self.epsilon);
            product(compute, gate_up, normed, &layer.gate_up, Onto::Nothing, (dim, 2 * ffn_dim));
            rows::swiglu(compute, inner, gate_up, ffn_dim);
            product(compute, stream, inner, &layer.down, Onto::Sum, (ffn_dim, dim));
        }
        sequence.tokens += tokens.len();
    }
}

/// Space for the tokens that are being read.
#[derive(Default)]
struct Room {
    /// [tokens, dim]
    stream: Buffer,
    normed: Buffer,
    /// Queries, keys and values before the norms of heads, where there are such.
    projected: Buffer,
    qkv: Buffer,
    heads: Heads,
    stats: Vec<(f32, f32)>,
    by_head: Buffer,
    attended: Buffer,
    /// [tokens, 2 · ffn_dim]
    gate_up: Buffer,
    /// [tokens, ffn_dim]
    inner: Buffer,
}

impl Room {
    fn resize(&mut self, shape: Shape<'_>, dim: usize, ffn_dim: usize) {
        let tokens: usize = shape.lengths.iter().sum();
        self.stream.make_room(tokens * dim);
        self.normed.make_room(tokens * dim);
        self.projected.make_room(tokens * shape.width());
        self.qkv.make_room(tokens * shape.width());
        self.heads.make_room(shape, tokens);
        self.stats.resize(tokens * shape.heads, (0.0, 0.0));
        self.by_head.make_room(tokens * shape.query_width());
        self.attended.make_room(tokens * shape.query_width());
        self.gate_up.make_room(tokens * 2 * ffn_dim);
        self.inner.make_room(tokens * ffn_dim);
    }
}

/// `to` [tokens, outputs] gets, or is added, rows of inputs times what is packed.
fn product(
    compute: &Compute,
    to: &mut [f32],
    from: &[f32],
    packed: &Packed,
    onto: Onto<'_>,
    (inputs, outputs): (usize, usize),
) {
    gemm::multiply(compute, to, outputs, outputs, Matrix::rows(from, inputs), packed, onto);
}
