//! A pass through a model: losses forwards, gradients backwards.
//!
//! Sequences of a batch lie one after the other, without padding, and no row of a result depends on another
//! sequence. Where a doc comment gives a shape, `tokens` counts those of the whole batch.

use std::ops::Range;

use thiserror::Error;

use crate::{
    attention::{self, Heads, Rotary, Shape, Spare, within},
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
/// Tokens per thread that go through several steps together, so that each finds in the cache what the last one left. Whole
/// blocks of k and of rows: gradients summed over tokens have the bits of sums over the whole batch.
const CHUNK: usize = 256;
/// Tokens per thread that go through the feed-forward part together on the way forwards, where nothing is summed over them.
const STEP: usize = 96;
const _: () = assert!(CHUNK.is_multiple_of(K_BLOCK) && CHUNK.is_multiple_of(rows::ROW_BLOCK));

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

/// What the backward pass needs of a layer; without one, of a group of its tokens.
#[derive(Default)]
struct LayerActivations {
    /// The layer's input: [tokens of the batch, dim].
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

/// A layer's matrices as right sides of products.
#[derive(Default)]
struct Weights {
    qkv: Packed,
    output: Packed,
    gate_up: Packed,
    down: Packed,
}

/// Buffers of a pass, kept from one to the next. Those without the whole batch's tokens have a group's.
#[derive(Default)]
pub(crate) struct Workspace {
    layers: Vec<LayerActivations>,
    rotary: Option<Rotary>,
    /// The residual stream, or its gradient: [tokens, dim].
    stream: Buffer,
    /// A normalised input of a product: [tokens of the batch, dim].
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
    /// The layer's weights.
    weights: Weights,
    packed: Packed,
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
    fn of(&self, range: &Range<usize>) -> &[f32] {
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
        let groups = groups(&batch.lengths, CHUNK * scene.compute.threads(), 1);
        self.prepare(scene, batch, &groups, false);
        for layer in &scene.model.layout.layers {
            self.forward_layer(scene, layer, 0, &groups, false);
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
        let groups = groups(&batch.lengths, CHUNK * scene.compute.threads(), CHUNK);
        self.prepare(scene, batch, &groups, true);
        for (index, layer) in layers.iter().enumerate() {
            self.forward_layer(scene, layer, index, &groups, true);
        }
        self.output(scene, batch, Some(gradient));
        for (index, layer) in layers.iter().enumerate().rev() {
            self.backward_layer(scene, layer, index, &groups, gradient);
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
    fn prepare(&mut self, scene: Scene<'_>, batch: &Batch, groups: &[Group<'_>], keep: bool) {
        let config = scene.model.config();
        let (tokens, dim, query_dim) = (batch.tokens(), config.dim, config.query_dim());
        let at_once = groups.iter().map(|group| group.tokens.len()).max().unwrap_or(0);
        let kept = if keep { tokens } else { at_once };
        self.layers.resize_with(if keep { config.layers } else { 1 }, LayerActivations::default);
        for layer in &mut self.layers {
            layer.input.make_room(tokens * dim);
            layer.heads.make_room(scene.shape, kept);
            layer.stats.resize(kept * config.heads, (0.0, 0.0));
            let projected = if config.has_head_norms() { kept * scene.shape.width() } else { 0 };
            layer.projected.make_room(projected);
            layer.attended.make_room(kept * query_dim);
            layer.middle.make_room(kept * dim);
            layer.gate_up.make_room(kept * 2 * config.ffn_dim);
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
        self.by_head.make_room(at_once * query_dim);
        self.qkv.make_room(at_once * scene.shape.width());
        self.inner.make_room(at_once.min(CHUNK * scene.compute.threads()) * config.ffn_dim);
        self.logits.make_room(tokens.min(LOGIT_ROWS) * config.vocab.next_multiple_of(LANES));
        self.losses.resize(tokens, 0.0);
        let embeddings = scene.of(&scene.model.layout.embeddings);
        for (row, token) in self.stream.chunks_exact_mut(dim).zip(&batch.inputs) {
            row.copy_from_slice(&embeddings[*token as usize * dim..][..dim]);
        }
    }

    /// Takes the residual stream through one layer, group by group, leaving in the kept activations what its gradient needs.
    fn forward_layer(
        &mut self,
        scene: Scene<'_>,
        layout: &LayerLayout,
        index: usize,
        groups: &[Group<'_>],
        keep: bool,
    ) {
        let Scene { compute, epsilon, .. } = scene;
        let config = scene.model.config();
        let (dim, query_dim, ffn_dim) = (config.dim, config.query_dim(), config.ffn_dim);
        let width = scene.shape.width();
        let rotary = self.rotary.as_ref().expect("prepared before");
        let (layer, weights) = (&mut self.layers[index], &mut self.weights);
        std::mem::swap(&mut layer.input, &mut self.stream);
        weights.qkv.fill_with(compute, weight(scene.of(&layout.qkv), dim), dim, width);
        weights.output.fill_with(compute, weight(scene.of(&layout.output), query_dim), query_dim, dim);
        weights.gate_up.fill_with(compute, weight(scene.of(&layout.gate_up), dim), dim, 2 * ffn_dim);
        weights.down.fill_with(compute, weight(scene.of(&layout.down), ffn_dim), ffn_dim, dim);
        for group in groups {
            let shape = Shape { lengths: group.lengths, ..scene.shape };
            let tokens = group.tokens.len();
            // Where the group's part of what is kept stands.
            let kept = if keep { group.tokens.clone() } else { 0..tokens };
            let input = &layer.input[within(&group.tokens, dim)];
            let normed = &mut self.normed[..tokens * dim];
            let rows = &mut self.qkv[..tokens * width];
            let to = match &layout.head_norms {
                Some(_) => &mut layer.projected[within(&kept, width)],
                None => &mut *rows,
            };
            rows::norm(compute, normed, input, scene.of(&layout.attention_norm), epsilon);
            product(compute, to, width, (normed, dim), &weights.qkv, Onto::Nothing);
            if let Some(bias) = &layout.qkv_bias {
                rows::add_bias(compute, to, scene.of(bias));
            }
            if let Some(gains) = &layout.head_norms {
                let projected = &layer.projected[within(&kept, width)];
                head_norm::forward(compute, rows, projected, scene.of(gains), shape, epsilon);
            }
            attention::split_heads(compute, layer.heads.of_mut(shape, &kept), rows, shape, (rotary, 0));
            let by_head = &mut self.by_head[..tokens * query_dim];
            let stats = &mut layer.stats[within(&kept, config.heads)];
            attention::forward(compute, by_head, stats, layer.heads.of(shape, &kept), shape, &self.spare);
            let attended = &mut layer.attended[within(&kept, query_dim)];
            attention::join_rows(compute, attended, by_head, shape);
            let middle = &mut layer.middle[within(&kept, dim)];
            product(compute, middle, dim, (attended, query_dim), &weights.output, Onto::Rows(input));
            if let Some(bias) = &layout.output_bias {
                rows::add_bias(compute, middle, scene.of(bias));
            }

            let step = STEP * compute.threads();
            let stream = self.stream[within(&group.tokens, dim)].chunks_mut(step * dim);
            let gate_up = layer.gate_up[within(&kept, 2 * ffn_dim)].chunks_mut(step * 2 * ffn_dim);
            for ((stream, gate_up), middle) in stream.zip(gate_up).zip(middle.chunks(step * dim)) {
                let (normed, inner) = (&mut normed[..middle.len()], &mut self.inner[..gate_up.len() / 2]);
                rows::norm(compute, normed, middle, scene.of(&layout.ffn_norm), epsilon);
                product(compute, gate_up, 2 * ffn_dim, (normed, dim), &weights.gate_up, Onto::Nothing);
                rows::swiglu(compute, inner, gate_up, ffn_dim);
                product(compute, stream, dim, (inner, ffn_dim), &weights.down, Onto::Rows(middle));
            }
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

    /// Takes the gradient of the residual stream back through one layer, group by group.
    fn backward_layer(
        &mut self,
        scene: Scene<'_>,
        layout: &LayerLayout,
        index: usize,
        groups: &[Group<'_>],
        gradient: &mut [f32],
    ) {
        let Scene { compute, epsilon, .. } = scene;
        let config = scene.model.config();
        let (dim, ffn_dim) = (config.dim, config.ffn_dim);
        let (query_dim, width) = (scene.shape.query_width(), scene.shape.width());
        let rotary = self.rotary.as_ref().expect("prepared before");
        let (layer, weights) = (&mut self.layers[index], &mut self.weights);
        let (packed, parts) = (&mut self.packed, &mut self.parts);
        weights.down.fill_with(compute, Matrix::rows(scene.of(&layout.down), ffn_dim), dim, ffn_dim);
        weights.gate_up.fill_with(compute, Matrix::rows(scene.of(&layout.gate_up), dim), 2 * ffn_dim, dim);
        weights.output.fill_with(compute, Matrix::rows(scene.of(&layout.output), query_dim), dim, query_dim);
        weights.qkv.fill_with(compute, Matrix::rows(scene.of(&layout.qkv), dim), width, dim);
        for group in groups {
            let chunk = CHUNK * compute.threads();
            for first in group.tokens.clone().step_by(chunk) {
                let tokens = first..group.tokens.end.min(first + chunk);
                // The first ones are written over what stands there.
                let onto = if first == 0 { Onto::Nothing } else { Onto::Sum };
                let stream = &mut self.stream[within(&tokens, dim)];
                let gate_up = &mut layer.gate_up[within(&tokens, 2 * ffn_dim)];
                let inner = &mut self.inner[..tokens.len() * ffn_dim];
                product(compute, inner, ffn_dim, (stream, dim), &weights.down, Onto::Nothing);
                rows::swiglu_backward(compute, gate_up, inner, ffn_dim);
                let to = &mut gradient[layout.down.clone()];
                outer(compute, to, (stream, dim), (inner, ffn_dim), packed, onto);
                let middle = &layer.middle[within(&tokens, dim)];
                let (normed, d_normed) =
                    (&mut self.normed[..middle.len()], &mut self.d_normed[..middle.len()]);
                let gain = scene.of(&layout.ffn_norm);
                rows::norm(compute, normed, middle, gain, epsilon);
                let d_gate_up = (&*gate_up, 2 * ffn_dim);
                let to = &mut gradient[layout.gate_up.clone()];
                outer(compute, to, d_gate_up, (normed, dim), packed, onto);
                product(compute, d_normed, dim, d_gate_up, &weights.gate_up, Onto::Nothing);
                let d_gain = &mut gradient[layout.ffn_norm.clone()];
                rows::norm_backward(compute, stream, d_gain, d_normed, middle, gain, epsilon, parts);
            }

            let shape = Shape { lengths: group.lengths, ..scene.shape };
            let tokens = &group.tokens;
            let onto = if tokens.start == 0 { Onto::Nothing } else { Onto::Sum };
            let stream = &mut self.stream[within(tokens, dim)];
            if let Some(bias) = &layout.output_bias {
                rows::column_sums(compute, &mut gradient[bias.clone()], stream, parts);
            }
            let attended = (&layer.attended[within(tokens, query_dim)], query_dim);
            let to = &mut gradient[layout.output.clone()];
            outer(compute, to, (stream, dim), attended, packed, onto);
            let d_attended = &mut self.d_normed[..tokens.len() * query_dim];
            product(compute, d_attended, query_dim, (stream, dim), &weights.output, Onto::Nothing);
            let by_head = &mut self.by_head[..tokens.len() * query_dim];
            attention::split_rows(compute, by_head, d_attended, shape);
            let all = 0..tokens.len();
            self.d_heads.make_room(shape, all.end);
            let stats = &layer.stats[within(tokens, config.heads)];
            let (to, heads) = (self.d_heads.of_mut(shape, &all), layer.heads.of(shape, tokens));
            attention::backward(compute, to, by_head, stats, heads, shape, &self.spare);
            let d_qkv = &mut self.qkv[..tokens.len() * width];
            attention::join_heads(compute, d_qkv, self.d_heads.of(shape, &all), shape, rotary);
            if let Some(range) = &layout.head_norms {
                let (gains, d_gains) = (scene.of(range), &mut gradient[range.clone()]);
                let projected = &layer.projected[within(tokens, width)];
                head_norm::backward(compute, d_qkv, d_gains, projected, gains, shape, epsilon, parts);
            }
            if let Some(bias) = &layout.qkv_bias {
                rows::column_sums(compute, &mut gradient[bias.clone()], d_qkv, parts);
            }
            let gain = scene.of(&layout.attention_norm);
            let input = &layer.input[within(tokens, dim)];
            let (normed, d_normed) = (&mut self.normed[..input.len()], &mut self.d_normed[..input.len()]);
            rows::norm(compute, normed, input, gain, epsilon);
            let d_qkv = (&*d_qkv, width);
            outer(compute, &mut gradient[layout.qkv.clone()], d_qkv, (normed, dim), packed, onto);
            product(compute, d_normed, dim, d_qkv, &weights.qkv, Onto::Nothing);
            let d_gain = &mut gradient[layout.attention_norm.clone()];
            rows::norm_backward(compute, stream, d_gain, d_normed, input, gain, epsilon, parts);
        }
    }
}

/// Whole sequences that go through a layer together.
struct Group<'a> {
    tokens: Range<usize>,
    lengths: &'a [usize],
}

/// Groups of at least so many tokens, and of a multiple of `unit`, where the sequences' lengths allow for it; the last one
/// has what is left.
fn groups(lengths: &[usize], least: usize, unit: usize) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    let (mut first, mut start, mut end) = (0, 0, 0);
    for (index, length) in lengths.iter().enumerate() {
        end += length;
        let is_last = index + 1 == lengths.len();
        if is_last || (end - start >= least && end.is_multiple_of(unit)) {
            groups.push(Group { tokens: start..end, lengths: &lengths[first..=index] });
            (first, start) = (index + 1, end);
        }
    }
    groups
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
    onto: Onto<'_>,
) {
    packed.fill_with(compute, Matrix::rows(input, inputs), input.len() / inputs, inputs);
    let left = Matrix::rows(d_output, outputs).transposed();
    gemm::multiply(compute, to, inputs, inputs, left, packed, onto);
}
