//! What a BERT does between its matrix products: embeddings, LayerNorm, attention in both directions, biases, pooling.
//!
//! Every row of a result depends on its own sequence alone, and on nothing about how rows are shared out.

use super::config::Config;
use crate::{
    attention::{Seen, softmax},
    compute::Compute,
    gemm::{self, Matrix, Onto, Packed, Product, strips},
    lanes::{Kernel, LANES, Lanes, Vector as _},
    math,
    rows::{self, ROW_BLOCK, over_vectors, sum_of_products},
};

/// Queries per block: as many rows as a product packs at a time.
const QUERY_BLOCK: usize = 24;
/// Least length by which a pooled vector is divided. Source: PyTorch, `torch.nn.functional.normalize`.
const LEAST_LENGTH: f32 = 1e-12;

/// A matrix with a bias, ready for products.
pub(super) struct Dense {
    weight: Packed,
    bias: Vec<f32>,
}

impl Dense {
    /// From a weight [outputs, inputs] and a bias [outputs].
    pub(super) fn new(weight: &[f32], bias: Vec<f32>) -> Self {
        let inputs = weight.len() / bias.len();
        let mut packed = Packed::default();
        packed.fill(Matrix::rows(weight, inputs).transposed(), inputs, bias.len());
        Self { weight: packed, bias }
    }

    /// `to` [rows, outputs] = `left` [rows, inputs] · weight, without the bias.
    fn product(&self, compute: &Compute, to: &mut [f32], left: &[f32]) {
        let outputs = self.bias.len();
        let left = Matrix::rows(left, left.len() / (to.len() / outputs).max(1));
        gemm::multiply(compute, to, outputs, outputs, left, &self.weight, Onto::Nothing);
    }

    /// `to` [rows, outputs] = left · weight + bias.
    pub(super) fn apply(&self, compute: &Compute, to: &mut [f32], left: &[f32]) {
        self.product(compute, to, left);
        rows::add_bias(compute, to, &self.bias);
    }

    /// `to` [rows, outputs] = GELU(left · weight + bias).
    pub(super) fn apply_gelu(&self, compute: &Compute, to: &mut [f32], left: &[f32]) {
        self.product(compute, to, left);
        each_rows(compute, to, self.bias.len(), |rows, _| AddGelu { rows, bias: &self.bias });
    }

    /// `stream` [rows, outputs] = LayerNorm((left · weight + bias) + stream), with space of its size.
    pub(super) fn apply_onto(
        &self,
        compute: &Compute,
        stream: &mut [f32],
        left: &[f32],
        norm: &Norm,
        space: &mut [f32],
    ) {
        self.product(compute, space, left);
        let (bias, space) = (&self.bias, &*space);
        each_rows(compute, stream, bias.len(), |rows, first| AddNorm {
            rows,
            other: &space[first..],
            bias,
            norm,
        });
    }
}

/// Runs a kernel on shares of the rows; it gets its rows and the place of their first number.
fn each_rows<'a, K: Kernel<Output = ()> + Send>(
    compute: &Compute,
    rows: &'a mut [f32],
    width: usize,
    kernel: impl Fn(&'a mut [f32], usize) -> K,
) {
    let share = compute.share(rows.len() / width, 1) * width;
    let tasks = rows.chunks_mut(share).enumerate().map(|(index, rows)| kernel(rows, index * share));
    compute.each(tasks.collect());
}

struct AddGelu<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
}

impl Kernel for AddGelu<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let bias = self.bias;
        for row in self.rows.chunks_exact_mut(bias.len()) {
            over_vectors!([row], [bias], [], L, { math::gelu(row.add(bias)) });
        }
    }
}

/// LayerNorm: (x − mean) / √(variance + ε) · gain + bias. Source: "Layer normalization", arXiv 1607.06450, 2016.
pub(super) struct Norm {
    pub(super) gain: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) epsilon: f32,
}

impl Norm {
    #[inline(always)]
    fn apply<L: Lanes>(&self, row: &mut [f32]) {
        let (gain, bias) = (&self.gain[..], &self.bias[..]);
        let count = row.len() as f32;
        let (vectors, rest) = row.as_chunks::<LANES>();
        let mut sum = L::splat(0.0);
        for x in vectors {
            sum = sum.add(L::load(x));
        }
        sum = sum.add(L::load_part(rest, 0.0));
        let of_all = sum.sum() / count;
        let mean = L::splat(of_all);
        let mut squares = L::splat(0.0);
        for x in vectors {
            let off = L::load(x).sub(mean);
            squares = off.fma(off, squares);
        }
        let off = L::load_part(rest, of_all).sub(mean);
        squares = off.fma(off, squares);
        let (mean, scale) = (of_all, 1.0 / (squares.sum() / count + self.epsilon).sqrt());
        over_vectors!([row], [gain, bias], [mean, scale], L, { row.sub(mean).mul(scale).fma(gain, bias) });
    }
}

struct AddNorm<'a> {
    rows: &'a mut [f32],
    other: &'a [f32],
    bias: &'a [f32],
    norm: &'a Norm,
}

impl Kernel for AddNorm<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (bias, width) = (self.bias, self.bias.len());
        for (row, other) in self.rows.chunks_exact_mut(width).zip(self.other.chunks_exact(width)) {
            over_vectors!([row], [other, bias], [], L, { other.add(bias).add(row) });
            self.norm.apply::<L>(row);
        }
    }
}

/// The tables of embeddings, each of rows of one width.
pub(super) struct Tables {
    pub(super) words: Vec<f32>,
    pub(super) positions: Vec<f32>,
    /// Of the first type of token: all texts are of that.
    pub(super) kind: Vec<f32>,
    pub(super) norm: Norm,
}

impl Tables {
    /// `to` [tokens, width] = LayerNorm((word + type) + position), for sequences one after the other.
    pub(super) fn embed(&self, compute: &Compute, to: &mut [f32], sequences: &[&[u32]]) {
        let places: Vec<(u32, usize)> =
            sequences.iter().flat_map(|tokens| tokens.iter().copied().zip(0..)).collect();
        let width = self.kind.len();
        each_rows(compute, to, width, |rows, first| Embed {
            rows,
            places: &places[first / width..],
            tables: self,
        });
    }
}

struct Embed<'a> {
    rows: &'a mut [f32],
    /// Token and position of each row.
    places: &'a [(u32, usize)],
    tables: &'a Tables,
}

impl Kernel for Embed<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (kind, width) = (&self.tables.kind[..], self.tables.kind.len());
        for (row, (token, position)) in self.rows.chunks_exact_mut(width).zip(self.places) {
            let word = &self.tables.words[*token as usize * width..][..width];
            let position = &self.tables.positions[position * width..][..width];
            over_vectors!([row], [word, kind, position], [], L, { word.add(kind).add(position) });
            self.tables.norm.apply::<L>(row);
        }
    }
}

/// Some queries of one sequence, which see all of it.
struct Attend<'a> {
    /// [queries, hidden]
    out: &'a mut [f32],
    /// Position of the first query.
    first: usize,
    /// [length, queries ‖ keys ‖ values] of the whole sequence.
    rows: &'a [f32],
    heads: usize,
    hidden: usize,
}

impl Kernel for Attend<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (hidden, width, dim) = (self.hidden, 3 * self.hidden, self.hidden / self.heads);
        let (length, queries) = (self.rows.len() / width, self.out.len() / hidden);
        let stride = length.next_multiple_of(LANES);
        let scale = 1.0 / (dim as f32).sqrt();
        let (mut keys, mut values) = (Packed::default(), Packed::default());
        let (mut scores, mut strips) = (vec![0.0; QUERY_BLOCK * stride], strips());
        let mut stats = [(0.0, 0.0); QUERY_BLOCK];
        for column in (0..hidden).step_by(dim) {
            keys.fill(Matrix::rows(&self.rows[hidden + column..], width).transposed(), dim, length);
            values.fill(Matrix::rows(&self.rows[2 * hidden + column..], width), length, dim);
            for start in (0..queries).step_by(QUERY_BLOCK) {
                let rows = QUERY_BLOCK.min(queries - start);
                let left = Matrix::rows(&self.rows[(self.first + start) * width + column..], width);
                let (right, to, onto) = (&keys, &mut scores[..], Onto::Nothing);
                let product =
                    Product { to, stride, rows, first_column: 0, columns: length, k: dim, left, right, onto };
                product.compute::<L>(&mut strips);
                let block = (&mut scores[..rows * stride], stride);
                softmax::<L>(block, Seen { first: length, more: 0 }, scale, &mut stats[..rows]);
                let (left, to) = (Matrix::rows(&scores, stride), &mut self.out[start * hidden + column..]);
                let (right, stride) = (&values, hidden);
                let product =
                    Product { to, stride, rows, first_column: 0, columns: dim, k: length, left, right, onto };
                product.compute::<L>(&mut strips);
            }
        }
    }
}

/// `to` [tokens, hidden] = attention of `rows` [tokens, queries ‖ keys ‖ values], each sequence within itself.
/// Source: Vaswani et al., "Attention is all you need", 2017.
pub(super) fn attend(compute: &Compute, to: &mut [f32], rows: &[f32], lengths: &[usize], config: &Config) {
    let (heads, hidden) = (config.num_attention_heads, config.hidden_size);
    let share = compute.share(to.len() / hidden, QUERY_BLOCK);
    let (mut to, mut rows, mut tasks) = (to, rows, Vec::new());
    for length in lengths {
        let (out, other_out) = to.split_at_mut(length * hidden);
        let (own, others) = rows.split_at(length * 3 * hidden);
        (to, rows) = (other_out, others);
        for (index, out) in out.chunks_mut(share * hidden).enumerate() {
            tasks.push(Attend { out, first: index * share, rows: own, heads, hidden });
        }
    }
    compute.each(tasks);
}

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// Their mean.
    Mean,
    /// The first one.
    First,
}

struct Pool<'a> {
    to: &'a mut [f32],
    rows: &'a [f32],
    pooling: Pooling,
}

impl Kernel for Pool<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let to = self.to;
        let width = to.len();
        match self.pooling {
            Pooling::First => to.copy_from_slice(&self.rows[..width]),
            Pooling::Mean => {
                let mut block = vec![0.0; width];
                to.fill(0.0);
                for rows in self.rows.chunks(ROW_BLOCK * width) {
                    let sum = &mut block[..];
                    sum.fill(0.0);
                    for row in rows.chunks_exact(width) {
                        over_vectors!([sum], [row], [], L, { sum.add(row) });
                    }
                    let sum = &block[..];
                    over_vectors!([to], [sum], [], L, { to.add(sum) });
                }
                let count = (self.rows.len() / width) as f32;
                over_vectors!([to], [], [count], L, { to.div(count) });
            }
        }
        let length = sum_of_products::<L>(to, to).sqrt();
        let length = if length > LEAST_LENGTH { length } else { LEAST_LENGTH };
        over_vectors!([to], [], [length], L, { to.div(length) });
    }
}

/// One vector of length 1 per sequence: `to` [sequences, hidden] from `rows` [tokens, hidden].
pub(super) fn pool(compute: &Compute, to: &mut [f32], rows: &[f32], lengths: &[usize], pooling: Pooling) {
    let (width, mut rows) = (to.len() / lengths.len().max(1), rows);
    let mut tasks = Vec::with_capacity(lengths.len());
    for (to, length) in to.chunks_exact_mut(width.max(1)).zip(lengths) {
        let (own, others) = rows.split_at(length * width);
        rows = others;
        tasks.push(Pool { to, rows: own, pooling });
    }
    compute.each(tasks);
}
