//! A pass through a model: losses forwards, gradients backwards.
//!
//! Sequences of a batch lie one after the other, without padding, and no row of a result depends on another
//! sequence. Where a doc comment gives a shape, `tokens` counts those of the whole batch.

use thiserror::Error;

use crate::{
    attention::{self, Heads, Rotary, Shape, Spare},
    buffer::Buffer,
    compute::Compute,
    config::Config,
    gemm::{self, K_BLOCK, Matrix, Onto, Packed},
    head_norm,
    lanes::LANES,
    math,
    model::{LayerLayout, Model},
    rows,
};

/// Tokens whose logits exist at a time. Equal to a block of k, so that the gradient of the output matrix has the
/// bits of one product over the whole batch.
const LOGIT_ROWS: usize = K_BLOCK;
/// Tokens per thread that go through several steps together, so that each finds in the cache what the last one left.
const CHUNK: usize = 256;

/// Sequences don't suit a model.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// There is nothing to do.
    #[error("batch has no tokens")]
    Empty,
    /// A sequence is longer than the model's context, or empty.
    #[error("sequence {index} of the batch has {length} tokens, expected 1 to {context}")]
    Length {
        /// Which one.
        index: usize,
        /// Its length.
        length: usize,
        /// The model's context.
        context: usize,
    },
    /// A sequence's inputs and targets don't pair.
    #[error("sequence {index} of the batch has {inputs} inputs and {targets} targets")]
    Pairs {
        /// Which one.
        index: usize,
        /// Its inputs.
        inputs: usize,
        /// Its targets.
        targets: usize,
    },
    /// A token does not exist.
    #[error("token {token} at position {position} is beyond the vocabulary of {vocab}")]
    Token {
        /// The token.
        token: u32,
        /// Where it stands in its sequence.
        position: usize,
        /// The size of the vocabulary.
        vocab: usize,
    },
}

/// Sequences with the token that follows each of their tokens, checked against a model's sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    lengths: Vec<usize>,
    inputs: Vec<u32>,
    targets: Vec<u32>,
}

impl Batch {
    /// Pairs of inputs and targets of equal length.
    ///
    /// # Errors
    /// There are none, or one is too long, or a token does not exist.
    pub fn new(config: &Config, sequences: &[(&[u32], &[u32])]) -> Result<Self, BatchError> {
        let mut batch = Self::default();
        for (index, (inputs, targets)) in sequences.iter().enumerate() {
            if inputs.len() != targets.len() {
                return Err(BatchError::Pairs { index, inputs: inputs.len(), targets: targets.len() });
            }
            if !(1..=config.context).contains(&inputs.len()) {
                return Err(BatchError::Length { index, length: inputs.len(), context: config.context });
            }
            check_tokens(config, inputs)?;
            check_tokens(config, targets)?;
            batch.lengths.push(inputs.len());
            batch.inputs.extend_from_slice(inputs);
            batch.targets.extend_from_slice(targets);
        }
        if batch.inputs.is_empty() { Err(BatchError::Empty) } else { Ok(batch) }
    }

    /// How many tokens are predicted.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.inputs.len()
    }

    /// The sequences: inputs and, for each, the token behind it.
    pub fn sequences(&self) -> impl Iterator<Item = (&[u32], &[u32])> {
        let ends = self.lengths.iter().scan(0, |end, length| {
            *end += length;
            Some((*end - length, *end))
        });
        ends.map(|(start, end)| (&self.inputs[start..end], &self.targets[start..end]))
    }
}

/// Refuses tokens that the model does not know.
pub(crate) fn check_tokens(config: &Config, tokens: &[u32]) -> Result<(), BatchError> {
    match tokens.iter().position(|token| *token as usize >= config.vocab) {
        None => Ok(()),
        Some(position) => Err(BatchError::Token { token: tokens[position], position, vocab: config.vocab }),
    }
}

impl Model {
    /// The negative log-likelihood of every target, in nats, in the batch's order.
    #[must_use]
    pub fn nats(&self, compute: &Compute, batch: &Batch) -> Vec<f64> {
        let mut workspace = Workspace::default();
        workspace.nats(self, compute, batch);
        workspace.losses
    }

    /// The mean negative log-likelihood per target, in nats, and its gradient in the order of the parameters.
    #[must_use]
    pub fn loss_and_gradient(&self, compute: &Compute, batch: &Batch) -> (f64, Vec<f32>) {
        let mut gradient = Vec::new();
        let loss = Workspace::default().loss_and_gradient(self, compute, batch, &mut gradient);
        (loss, gradient)
    }

    /// The logits after each token of one sequence: [tokens, vocab].
    ///
    /// # Errors
    /// There are no tokens or more than the model's context, or one does not exist.
    pub fn logits(&self, compute: &Compute, tokens: &[u32]) -> Result<Vec<f32>, BatchError> {
        let batch = Batch::new(self.config(), &[(tokens, tokens)])?;
        Ok(Workspace::default().logits(self, compute, &batch))
    }
}

/// What the backward pass needs of a layer.
#[derive(Default)]
struct LayerActivations {
    /// The layer's input: [tokens, dim].
    input: Buffer,
    heads: Heads,
    /// Maximum and inverse sum of each row of attention.
    stats: Vec<(f32, f32)>,
    /// Queries, keys and values before the norms of heads, where there are such: as [`Workspace::qkv`].
    projected: Buffer,
    /// The attention's result: [tokens, query_dim].
    attended: Buffer,
    /// Between attention and feed-forward: [tokens, dim].
    middle: Buffer,
    /// [tokens, 2 · ffn_dim]
    gate_up: Buffer,
}

/// Buffers of a pass, kept from one to the next.
#[derive(Default)]
pub(crate) struct Workspace {
    layers: Vec<LayerActivations>,
    rotary: Option<Rotary>,
    /// The residual stream, or its gradient: [tokens, dim].
    stream: Buffer,
    /// A normalised input of a product: [tokens, dim].
    normed: Buffer,
    /// Its gradient, or at other times that of the attention's result: [tokens, dim or query_dim].
    d_normed: Buffer,
    /// Queries, keys and values, or their gradient, token by token.
    qkv: Buffer,
    /// The attention's result or its gradient, head by head.
    by_head: Buffer,
    d_heads: Heads,
    /// The feed-forward part's inner result or its gradient: [tokens, ffn_dim].
    inner: Buffer,
    logits: Buffer,
    /// One per token, in nats.
    pub(crate) losses: Vec<f64>,
    spare: Spare,
    packed: Packed,
    down: Packed,
    head: Packed,
    head_turned: Packed,
    parts: Vec<f32>,
}

/// What stays the same within a pass.
#[derive(Clone, Copy)]
struct Scene<'a> {
    model: &'a Model,
    compute: &'a Compute,
    shape: Shape<'a>,
    epsilon: f32,
}

impl Scene<'_> {
    fn of(&self, range: &std::ops::Range<usize>) -> &[f32] {
        &self.model.parameters[range.clone()]
    }
}

impl Workspace {
    /// Leaves in `losses` the negative log-likelihood of every target.
    pub(crate) fn nats(&mut self, model: &Model, compute: &Compute, batch: &Batch) {
        let scene = scene(model, compute, batch);
        compute.inside(|| {
            self.forward(scene, batch);
            self.output(scene, batch, None);
        });
    }

    /// The logits after each token of the batch: [tokens, vocab].
    fn logits(&mut self, model: &Model, compute: &Compute, batch: &Batch) -> Vec<f32> {
        let scene = scene(model, compute, batch);
        compute.inside(|| self.forward(scene, batch));
        let (vocab, dim) = (model.config().vocab, model.config().dim);
        let gain = scene.of(&model.layout.norm);
        rows::norm(compute, &mut self.normed, &self.stream, gain, scene.epsilon);
        self.head_turned.fill_with(compute, weight(scene.of(&model.layout.head), dim), dim, vocab);
        let mut logits = vec![0.0; batch.tokens() * vocab];
        product(compute, &mut logits, vocab, (&self.normed, dim), &self.head_turned, Onto::Nothing);
        logits
    }

    /// The mean loss, and its gradient into `gradient`.
    pub(crate) fn loss_and_gradient(
        &mut self,
        model: &Model,
        compute: &Compute,
        batch: &Batch,
        gradient: &mut Vec<f32>,
    ) -> f64 {
        compute.inside(|| self.forward_and_backward(scene(model, compute, batch), batch, gradient));
        self.losses.iter().sum::<f64>() / batch.tokens() as f64
    }

    /// Takes the residual stream through all layers, keeping nothing of them.
    fn forward(&mut self, scene: Scene<'_>, batch: &Batch) {
        self.prepare(scene, batch, 1);
        for layer in &scene.model.layout.layers {
            self.forward_layer(scene, layer, 0);
        }
    }

    /// Leaves the losses, and their mean's gradient in `gradient`.
    fn forward_and_backward(&mut self, scene: Scene<'_>, batch: &Batch, gradient: &mut Vec<f32>) {
        let model = scene.model;
        gradient.resize(model.parameters.len(), 0.0);
        // What is added to; the other matrices' gradients are written at once.
        for tensor in model.tensors() {
            let parts = [&model.layout.embeddings, &model.layout.head];
            if tensor.shape.len() == 1 || parts.contains(&&tensor.range) {
                gradient[tensor.range.clone()].fill(0.0);
            }
        }
        let layers = &model.layout.layers;
        self.prepare(scene, batch, layers.len());
        for (index, layer) in layers.iter().enumerate() {
            self.forward_layer(scene, layer, index);
        }
        self.output(scene, batch, Some(gradient));
        for (index, layer) in layers.iter().enumerate().rev() {
            self.backward_layer(scene, layer, index, gradient);
        }
        let dim = model.config().dim;
        let embeddings = &mut gradient[model.layout.embeddings.clone()];
        for (token, row) in batch.inputs.iter().zip(self.stream.chunks_exact(dim)) {
            for (sum, x) in embeddings[*token as usize * dim..][..dim].iter_mut().zip(row) {
                *sum += x;
            }
        }
    }

    /// Makes room, and starts the residual stream with the embeddings.
    fn prepare(&mut self, scene: Scene<'_>, batch: &Batch, kept_layers: usize) {
        let config = scene.model.config();
        let (tokens, dim, query_dim) = (batch.tokens(), config.dim, config.query_dim());
        self.layers.resize_with(kept_layers, LayerActivations::default);
        for layer in &mut self.layers {
            layer.input.make_room(tokens * dim);
            layer.heads.resize(scene.shape);
            layer.stats.resize(tokens * config.heads, (0.0, 0.0));
            let projected = if config.has_head_norms() { tokens * scene.shape.width() } else { 0 };
            layer.projected.make_room(projected);
            layer.attended.make_room(tokens * query_dim);
            layer.middle.make_room(tokens * dim);
            layer.gate_up.make_room(tokens * 2 * config.ffn_dim);
        }
        let longest = batch.lengths.iter().copied().max().unwrap_or(0);
        let enough = |rotary: &Rotary| rotary.positions() >= longest;
        if !self.rotary.as_ref().is_some_and(enough) {
            let (head_dim, theta) = (config.head_dim(), config.rope_theta);
            self.rotary = Some(Rotary::new(longest, head_dim, theta, config.rope_scaling));
        }
        self.stream.make_room(tokens * dim);
        self.normed.make_room(tokens * dim);
        self.d_normed.make_room(tokens * dim.max(query_dim));
        self.by_head.make_room(tokens * query_dim);
        self.qkv.make_room(tokens * scene.shape.width());
        self.inner.make_room(tokens * config.ffn_dim);
        self.logits.make_room(tokens.min(LOGIT_ROWS) * config.vocab.next_multiple_of(LANES));
        self.losses.resize(tokens, 0.0);
        let embeddings = scene.of(&scene.model.layout.embeddings);
        for (row, token) in self.stream.chunks_exact_mut(dim).zip(&batch.inputs) {
            row.copy_from_slice(&embeddings[*token as usize * dim..][..dim]);
        }
    }

    /// Takes the residual stream through one layer, leaving in the kept activations what its gradient needs.
    fn forward_layer(&mut self, scene: Scene<'_>, layout: &LayerLayout, index: usize) {
        let Scene { compute, shape, epsilon, .. } = scene;
        let config = scene.model.config();
        let (dim, query_dim, ffn_dim) = (config.dim, config.query_dim(), config.ffn_dim);
        let rotary = self.rotary.as_ref().expect("prepared before");
        let (layer, packed) = (&mut self.layers[index], &mut self.packed);

        let chunk = CHUNK * compute.threads();
        let normed = &mut self.normed[..];
        std::mem::swap(&mut layer.input, &mut self.stream);
        packed.fill_with(compute, weight(scene.of(&layout.qkv), dim), dim, shape.width());
        let qkv = if layout.head_norms.is_some() { &mut layer.projected } else { &mut self.qkv };
        for (qkv, input) in qkv.chunks_mut(chunk * shape.width()).zip(layer.input.chunks(chunk * dim)) {
            let normed = &mut normed[..input.len()];
            rows::norm(compute, normed, input, scene.of(&layout.attention_norm), epsilon);
            product(compute, qkv, shape.width(), (normed, dim), packed, Onto::Nothing);
        }
        if let Some(bias) = &layout.qkv_bias {
            rows::add_bias(compute, qkv, scene.of(bias));
        }
        if let Some(gains) = &layout.head_norms {
            head_norm::forward(compute, &mut self.qkv, &layer.projected, scene.of(gains), shape, epsilon);
        }
        attention::split_heads(compute, &mut layer.heads, &self.qkv, shape, (rotary, 0));
        let spare = &self.spare;
        attention::forward(compute, &mut self.by_head, &mut layer.stats, &layer.heads, shape, spare);
        attention::join_rows(compute, &mut layer.attended, &self.by_head, shape);
        packed.fill_with(compute, weight(scene.of(&layout.output), query_dim), query_dim, dim);
        let onto = Onto::Rows(&layer.input);
        product(compute, &mut layer.middle, dim, (&layer.attended, query_dim), packed, onto);
        if let Some(bias) = &layout.output_bias {
            rows::add_bias(compute, &mut layer.middle, scene.of(bias));
        }

        let down = &mut self.down;
        packed.fill_with(compute, weight(scene.of(&layout.gate_up), dim), dim, 2 * ffn_dim);
        down.fill_with(compute, weight(scene.of(&layout.down), ffn_dim), ffn_dim, dim);
        let to = self.stream.chunks_mut(chunk * dim).zip(layer.gate_up.chunks_mut(chunk * 2 * ffn_dim));
        for ((stream, gate_up), middle) in to.zip(layer.middle.chunks(chunk * dim)) {
            let (normed, inner) = (&mut normed[..middle.len()], &mut self.inner[..gate_up.len() / 2]);
            rows::norm(compute, normed, middle, scene.of(&layout.ffn_norm), epsilon);
            product(compute, gate_up, 2 * ffn_dim, (normed, dim), packed, Onto::Nothing);
            rows::swiglu(compute, inner, gate_up, ffn_dim);
            product(compute, stream, dim, (inner, ffn_dim), down, Onto::Rows(middle));
        }
    }

    /// The losses and, where a gradient is wanted, the output's part of it and the stream's gradient.
    fn output(&mut self, scene: Scene<'_>, batch: &Batch, mut gradient: Option<&mut Vec<f32>>) {
        let Scene { model, compute, epsilon, .. } = scene;
        let (vocab, dim) = (model.config().vocab, model.config().dim);
        let stride = vocab.next_multiple_of(LANES);
        let gain = scene.of(&model.layout.norm);
        rows::norm(compute, &mut self.normed, &self.stream, gain, epsilon);
        let head = scene.of(&model.layout.head);
        self.head_turned.fill_with(compute, weight(head, dim), dim, vocab);
        if gradient.is_some() {
            self.head.fill_with(compute, Matrix::rows(head, dim), vocab, dim);
        }
        let scale = gradient.as_ref().map(|_| math::round_to_f32(1.0 / batch.tokens() as f64));
        let d_normed = &mut self.d_normed[..self.normed.len()];
        let chunks = self.normed.chunks(LOGIT_ROWS * dim).zip(d_normed.chunks_mut(LOGIT_ROWS * dim));
        let labels = batch.targets.chunks(LOGIT_ROWS).zip(self.losses.chunks_mut(LOGIT_ROWS));
        for ((normed, d_normed), (targets, losses)) in chunks.zip(labels) {
            let logits = &mut self.logits[..targets.len() * stride];
            let left = Matrix::rows(normed, dim);
            gemm::multiply(compute, logits, stride, vocab, left, &self.head_turned, Onto::Nothing);
            rows::cross_entropy(compute, logits, targets, losses, vocab, scale);
            if let Some(gradient) = &mut gradient {
                let left = Matrix::rows(logits, stride);
                gemm::multiply(compute, d_normed, dim, dim, left, &self.head, Onto::Nothing);
                self.packed.fill_with(compute, Matrix::rows(normed, dim), targets.len(), dim);
                let to = &mut gradient[model.layout.head.clone()];
                gemm::multiply(compute, to, dim, dim, left.transposed(), &self.packed, Onto::Sum);
            }
        }
        if let Some(gradient) = gradient {
            // The stream's value is needed for its own gradient; `normed` is free by now.
            std::mem::swap(&mut self.stream, &mut self.normed);
            self.stream.fill(0.0);
            let (d_x, d_gain) = (&mut self.stream, &mut gradient[model.layout.norm.clone()]);
            rows::norm_backward(
                compute,
                d_x,
                d_gain,
                &self.d_normed[..self.normed.len()],
                &self.normed,
                gain,
                epsilon,
                &mut self.parts,
            );
        }
    }

    /// Takes the gradient of the residual stream back through one layer.
    fn backward_layer(&mut self, scene: Scene<'_>, layout: &LayerLayout, index: usize, gradient: &mut [f32]) {
        let Scene { compute, shape, epsilon, .. } = scene;
        let config = scene.model.config();
        let (dim, ffn_dim) = (config.dim, config.ffn_dim);
        let (query_dim, width) = (shape.query_width(), shape.width());
        let rotary = self.rotary.as_ref().expect("prepared before");
        let (layer, packed, parts) = (&mut self.layers[index], &mut self.packed, &mut self.parts);
        let stream = &mut self.stream;
        let (d_normed, d_attended) = (stream.len(), layer.attended.len());

        let chunk = CHUNK * compute.threads();
        packed.fill_with(compute, Matrix::rows(scene.of(&layout.down), ffn_dim), dim, ffn_dim);
        let inner = self.inner.chunks_mut(chunk * ffn_dim).zip(layer.gate_up.chunks_mut(chunk * 2 * ffn_dim));
        for ((inner, gate_up), stream) in inner.zip(stream.chunks(chunk * dim)) {
            product(compute, inner, ffn_dim, (stream, dim), packed, Onto::Nothing);
            rows::swiglu_backward(compute, gate_up, inner, ffn_dim);
        }
        outer(compute, &mut gradient[layout.down.clone()], (stream, dim), (&self.inner, ffn_dim), packed);
        let gain = scene.of(&layout.ffn_norm);
        rows::norm(compute, &mut self.normed, &layer.middle, gain, epsilon);
        let d_gate_up = (&layer.gate_up[..], 2 * ffn_dim);
        outer(compute, &mut gradient[layout.gate_up.clone()], d_gate_up, (&self.normed, dim), packed);
        packed.fill_with(compute, Matrix::rows(scene.of(&layout.gate_up), dim), 2 * ffn_dim, dim);
        product(compute, &mut self.d_normed[..d_normed], dim, d_gate_up, packed, Onto::Nothing);
        let d_gain = &mut gradient[layout.ffn_norm.clone()];
        rows::norm_backward(
            compute,
            stream,
            d_gain,
            &self.d_normed[..d_normed],
            &layer.middle,
            gain,
            epsilon,
            parts,
        );

        if let Some(bias) = &layout.output_bias {
            rows::column_sums(compute, &mut gradient[bias.clone()], stream, parts);
        }
        let attended = (&layer.attended[..], query_dim);
        outer(compute, &mut gradient[layout.output.clone()], (stream, dim), attended, packed);
        packed.fill_with(compute, Matrix::rows(scene.of(&layout.output), query_dim), dim, query_dim);
        let d_attended = &mut self.d_normed[..d_attended];
        product(compute, d_attended, query_dim, (stream, dim), packed, Onto::Nothing);
        attention::split_rows(compute, &mut self.by_head, d_attended, shape);
        self.d_heads.resize(shape);
        let (to, d_out, spare) = (&mut self.d_heads, &self.by_head, &self.spare);
        attention::backward(compute, to, d_out, &layer.stats, &layer.heads, shape, spare);
        attention::join_heads(compute, &mut self.qkv, &self.d_heads, shape, rotary);
        if let Some(range) = &layout.head_norms {
            let (gains, d_gains) = (scene.of(range), &mut gradient[range.clone()]);
            let (d_qkv, projected) = (&mut self.qkv, &layer.projected);
            head_norm::backward(compute, d_qkv, d_gains, projected, gains, shape, epsilon, parts);
        }
        if let Some(bias) = &layout.qkv_bias {
            rows::column_sums(compute, &mut gradient[bias.clone()], &self.qkv, parts);
        }
        let gain = scene.of(&layout.attention_norm);
        rows::norm(compute, &mut self.normed, &layer.input, gain, epsilon);
        let d_qkv = (&self.qkv[..], width);
        outer(compute, &mut gradient[layout.qkv.clone()], d_qkv, (&self.normed, dim), packed);
        packed.fill_with(compute, Matrix::rows(scene.of(&layout.qkv), dim), width, dim);
        product(compute, &mut self.d_normed[..d_normed], dim, d_qkv, packed, Onto::Nothing);
        let d_gain = &mut gradient[layout.attention_norm.clone()];
        rows::norm_backward(
            compute,
            stream,
            d_gain,
            &self.d_normed[..d_normed],
            &layer.input,
            gain,
            epsilon,
            parts,
        );
    }
}

fn scene<'a>(model: &'a Model, compute: &'a Compute, batch: &'a Batch) -> Scene<'a> {
    let config = model.config();
    let shape = Shape {
        heads: config.heads,
        kv_heads: config.kv_heads,
        head_dim: config.head_dim(),
        lengths: &batch.lengths,
    };
    Scene { model, compute, shape, epsilon: math::round_to_f32(config.norm_eps) }
}

/// A weight [outputs, inputs] as the right side of a product with rows of inputs.
fn weight(numbers: &[f32], inputs: usize) -> Matrix<'_> {
    Matrix::rows(numbers, inputs).transposed()
}

/// `to` [tokens, width] gets rows [tokens, _] times what is packed.
fn product(
    compute: &Compute,
    to: &mut [f32],
    width: usize,
    (left, stride): (&[f32], usize),
    right: &Packed,
    onto: Onto<'_>,
) {
    gemm::multiply(compute, to, width, width, Matrix::rows(left, stride), right, onto);
}

/// A weight's gradient [outputs, inputs]: the sum over tokens of d_output ⊗ input.
fn outer(
    compute: &Compute,
    to: &mut [f32],
    (d_output, outputs): (&[f32], usize),
    (input, inputs): (&[f32], usize),
    packed: &mut Packed,
) {
    packed.fill_with(compute, Matrix::rows(input, inputs), input.len() / inputs, inputs);
    let left = Matrix::rows(d_output, outputs).transposed();
    gemm::multiply(compute, to, inputs, inputs, left, packed, Onto::Nothing);
}
