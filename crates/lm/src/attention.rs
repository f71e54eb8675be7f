//! Causal attention with rotary positions and grouped queries, forwards and backwards.
//!
//! Sequences of any lengths lie one after the other in a batch, without padding. Queries, keys and values lie head by
//! head: for each sequence [heads, length, head_dim]. Queries go in blocks of [`QUERY_BLOCK`]; a block sees no key
//! behind its last query, so that the upper triangle is skipped. The probabilities are not kept for the backward pass:
//! each row's maximum and inverse sum give them again.

mod rotary;
mod softmax;

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use crate::{
    buffer::Buffer,
    compute::Compute,
    gemm::{Growing, Matrix, Onto, Packed, Product, Strips, strips},
    lanes::{Kernel, LANES, Lanes},
};

pub(crate) use rotary::Rotary;
use softmax::softmax_backward;
pub(crate) use softmax::{Seen, softmax};

/// Queries per block: gradients of keys and values are summed block by block, in order. Part of the contract.
const QUERY_BLOCK: usize = 32;

/// Sizes of the attention of one layer, and the lengths of the sequences in the batch.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads; each serves `heads / kv_heads` query heads.
    pub(crate) kv_heads: usize,
    /// Numbers per head.
    pub(crate) head_dim: usize,
    /// Lengths of the sequences, in tokens.
    pub(crate) lengths: &'a [usize],
}

impl Shape<'_> {
    /// Numbers per token in the queries.
    pub(crate) fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Numbers per token in the keys, and in the values.
    pub(crate) fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Numbers per token in queries, keys and values together.
    pub(crate) fn width(&self) -> usize {
        self.query_width() + 2 * self.kv_width()
    }
}

/// Copies one head's numbers: too few for a call.
#[inline(always)]
fn copy(to: &mut [f32], head: &[f32]) {
    let ((to, to_rest), (from, rest)) = (to.as_chunks_mut::<LANES>(), head.as_chunks::<LANES>());
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    to_rest.copy_from_slice(rest);
}

/// Queries, keys and values, or their gradients, head by head.
#[derive(Default)]
pub(crate) struct Heads<Numbers = Buffer> {
    /// For each sequence [heads, length, head_dim].
    pub(crate) queries: Numbers,
    /// For each sequence [kv_heads, length, head_dim].
    pub(crate) keys: Numbers,
    /// As the keys.
    pub(crate) values: Numbers,
}

impl Heads {
    /// Makes room for so many tokens.
    pub(crate) fn make_room(&mut self, shape: Shape<'_>, tokens: usize) {
        self.queries.make_room(tokens * shape.query_width());
        self.keys.make_room(tokens * shape.kv_width());
        self.values.make_room(tokens * shape.kv_width());
    }

    /// Those of some tokens, of whole sequences.
    pub(crate) fn of(&self, shape: Shape<'_>, tokens: &Range<usize>) -> Heads<&[f32]> {
        let (wide, narrow) = (within(tokens, shape.query_width()), within(tokens, shape.kv_width()));
        Heads { queries: &self.queries[wide], keys: &self.keys[narrow.clone()], values: &self.values[narrow] }
    }

    /// Those of some tokens, of whole sequences, to be written.
    pub(crate) fn of_mut(&mut self, shape: Shape<'_>, tokens: &Range<usize>) -> Heads<&mut [f32]> {
        let (wide, narrow) = (within(tokens, shape.query_width()), within(tokens, shape.kv_width()));
        Heads {
            queries: &mut self.queries[wide],
            keys: &mut self.keys[narrow.clone()],
            values: &mut self.values[narrow],
        }
    }
}

/// Where the numbers of some rows stand.
pub(crate) fn within(rows: &Range<usize>, width: usize) -> Range<usize> {
    rows.start * width..rows.end * width
}

/// One head of one sequence, to be filled from columns of token-major rows.
struct Gather<'a> {
    to: &'a mut [f32],
    rows: &'a [f32],
    width: usize,
    column: usize,
    head_dim: usize,
    /// Turns each row by its position, the first one standing at this.
    rotary: Option<(&'a Rotary, usize)>,
}

impl Kernel for Gather<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let rows = self.rows.chunks_exact(self.width);
        for (position, (to, row)) in self.to.chunks_exact_mut(self.head_dim).zip(rows).enumerate() {
            let head = &row[self.column..self.column + self.head_dim];
            match self.rotary {
                Some((rotary, past)) => rotary.turn::<L>(to, head, past + position, 1.0),
                None => copy(to, head),
            }
        }
    }
}

fn gather_tasks<'a>(
    to: &'a mut [f32],
    rows: &'a [f32],
    shape: Shape<'_>,
    (heads, width, first_column): (usize, usize, usize),
    rotary: Option<(&'a Rotary, usize)>,
) -> Vec<Gather<'a>> {
    let head_dim = shape.head_dim;
    let (mut to, mut rows) = (to, rows);
    let mut tasks = Vec::with_capacity(shape.lengths.len() * heads);
    for length in shape.lengths {
        let (own, rest) = to.split_at_mut(length * heads * head_dim);
        let (own_rows, rest_rows) = rows.split_at(length * width);
        (to, rows) = (rest, rest_rows);
        for (head, to) in own.chunks_exact_mut(length * head_dim).enumerate() {
            let column = first_column + head * head_dim;
            tasks.push(Gather { to, rows: own_rows, width, column, head_dim, rotary });
        }
    }
    tasks
}

/// Splits token-major rows [tokens, queries ‖ keys ‖ values] into heads and turns queries and keys; each sequence's first
/// row stands at position `past`.
pub(crate) fn split_heads(
    compute: &Compute,
    to: Heads<&mut [f32]>,
    rows: &[f32],
    shape: Shape<'_>,
    (rotary, past): (&Rotary, usize),
) {
    let turned = Some((rotary, past));
    let (width, query_width, kv_width) = (shape.width(), shape.query_width(), shape.kv_width());
    let mut tasks = gather_tasks(to.queries, rows, shape, (shape.heads, width, 0), turned);
    let columns = (shape.kv_heads, width, query_width);
    tasks.extend(gather_tasks(to.keys, rows, shape, columns, turned));
    let columns = (shape.kv_heads, width, query_width + kv_width);
    tasks.extend(gather_tasks(to.values, rows, shape, columns, None));
    compute.each(tasks);
}

/// Lays token-major rows [tokens, query width] out head by head, without turning.
pub(crate) fn split_rows(compute: &Compute, to: &mut [f32], rows: &[f32], shape: Shape<'_>) {
    compute.each(gather_tasks(to, rows, shape, (shape.heads, shape.query_width(), 0), None));
}

/// Token-major rows of one sequence, to be filled from heads.
struct Scatter<'a> {
    rows: &'a mut [f32],
    width: usize,
    head_dim: usize,
    /// Heads of this sequence, and the table by which to turn them back.
    parts: Vec<(&'a [f32], Option<&'a Rotary>)>,
}

impl Kernel for Scatter<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let length = self.rows.len() / self.width;
        for (position, row) in self.rows.chunks_exact_mut(self.width).enumerate() {
            let mut columns = row.chunks_exact_mut(self.head_dim);
            for (part, rotary) in &self.parts {
                for head in part.chunks_exact(length * self.head_dim) {
                    let to = columns.next().expect("the parts fill the row");
                    let head = &head[position * self.head_dim..][..self.head_dim];
                    match rotary {
                        Some(rotary) => rotary.turn::<L>(to, head, position, -1.0),
                        None => copy(to, head),
                    }
                }
            }
        }
    }
}

/// The reverse of [`split_heads`] for gradients: a turn's gradient is the turn back.
pub(crate) fn join_heads(
    compute: &Compute,
    rows: &mut [f32],
    from: Heads<&[f32]>,
    shape: Shape<'_>,
    rotary: &Rotary,
) {
    let parts = [
        (from.queries, shape.heads, Some(rotary)),
        (from.keys, shape.kv_heads, Some(rotary)),
        (from.values, shape.kv_heads, None),
    ];
    join(compute, rows, &parts, shape);
}

/// The reverse of [`split_rows`].
pub(crate) fn join_rows(compute: &Compute, rows: &mut [f32], from: &[f32], shape: Shape<'_>) {
    join(compute, rows, &[(from, shape.heads, None)], shape);
}

/// Fills token-major rows from parts of (numbers, heads, table to turn back by), side by side.
fn join<'a>(
    compute: &Compute,
    rows: &mut [f32],
    from: &[(&'a [f32], usize, Option<&'a Rotary>)],
    shape: Shape<'_>,
) {
    let head_dim = shape.head_dim;
    let width = from.iter().map(|(_, heads, _)| heads * head_dim).sum();
    let (mut rows, mut first) = (rows, 0);
    let mut tasks = Vec::with_capacity(shape.lengths.len());
    for length in shape.lengths {
        let (own, rest) = rows.split_at_mut(length * width);
        rows = rest;
        let part = |(data, heads, rotary): &(&'a [f32], usize, Option<&'a Rotary>)| {
            let numbers = heads * head_dim;
            (&data[first * numbers..][..length * numbers], *rotary)
        };
        let parts = from.iter().map(part).collect();
        tasks.push(Scatter { rows: own, width, head_dim, parts });
        first += length;
    }
    compute.each(tasks);
}

/// The query heads of one sequence that share a key head.
struct Forward<'a> {
    out: &'a mut [f32],
    /// (maximum, inverse sum) per row.
    stats: &'a mut [(f32, f32)],
    queries: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    length: usize,
    head_dim: usize,
    spare: &'a Spare,
}

/// Space that tasks leave to the next ones: what is freed goes back to the system, and costs more to get again than a
/// short sequence's attention. Nothing is read of it that was not written before.
#[derive(Default)]
pub(crate) struct Spare(Mutex<Vec<Room>>);

impl Spare {
    fn take(&self) -> Room {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give(&self, room: Room) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(room);
    }
}

/// What one task needs.
#[derive(Default)]
struct Room {
    keys: Packed,
    keys_turned: Packed,
    values: Packed,
    right: Packed,
    scores: Scores,
    slopes: Buffer,
}

/// The scores of a block of queries: [queries, stride].
struct Scores {
    data: Buffer,
    strips: Box<Strips>,
}

impl Default for Scores {
    fn default() -> Self {
        Self { data: Buffer::default(), strips: strips() }
    }
}

/// How many scores so many queries have at a time that see at most so many keys.
fn block_len(queries: usize, keys: usize) -> usize {
    queries.min(QUERY_BLOCK) * keys.next_multiple_of(LANES)
}

/// `to` [rows, columns] = left · right on this thread.
#[inline(always)]
fn product<L: Lanes>(
    (to, stride): (&mut [f32], usize),
    (rows, columns, k): (usize, usize, usize),
    left: Matrix<'_>,
    right: &Packed,
    onto: Onto<'_>,
    strips: &mut Strips,
) {
    Product { to, stride, rows, first_column: 0, columns, k, left, right, onto }.compute::<L>(strips);
}

/// 1/√head_dim, by which scores are scaled.
fn score_scale(head_dim: usize) -> f32 {
    1.0 / (head_dim as f32).sqrt()
}

impl Kernel for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (length, dim) = (self.length, self.head_dim);
        let scale = score_scale(dim);
        let mut room = self.spare.take();
        let Room { keys_turned: keys, values, scores, .. } = &mut room;
        keys.fill(Matrix::rows(self.keys, dim).transposed(), dim, length);
        values.fill(Matrix::rows(self.values, dim), length, dim);
        scores.data.make_room(block_len(length, length));
        let heads = self.out.chunks_exact_mut(length * dim).zip(self.queries.chunks_exact(length * dim));
        for ((out, queries), stats) in heads.zip(self.stats.chunks_exact_mut(length)) {
            attend::<L>((out, queries, stats), 0, (keys, values), scale, scores);
        }
        self.spare.give(room);
    }
}

/// One query head: `out` and `queries` [length, head_dim], whose first query stands at position `past`, behind keys and
/// values of all positions before.
#[inline(always)]
fn attend<L: Lanes>(
    (out, queries, stats): (&mut [f32], &[f32], &mut [(f32, f32)]),
    past: usize,
    (keys, values): (&Packed, &Packed),
    scale: f32,
    scores: &mut Scores,
) {
    let length = stats.len();
    let dim = out.len() / length;
    for first in (0..length).step_by(QUERY_BLOCK) {
        let rows = QUERY_BLOCK.min(length - first);
        let seen = past + first + rows;
        let stride = seen.next_multiple_of(LANES);
        let queries = Matrix::rows(&queries[first * dim..], dim);
        let (data, strips) = (&mut scores.data[..], &mut *scores.strips);
        product::<L>((data, stride), (rows, seen, dim), queries, keys, Onto::Nothing, strips);
        let (data, stats) = (&mut data[..rows * stride], &mut stats[first..first + rows]);
        softmax::<L>((&mut *data, stride), Seen { first: past + first + 1, more: 1 }, scale, stats);
        let out = &mut out[first * dim..];
        let left = Matrix::rows(data, stride);
        product::<L>((out, dim), (rows, dim, seen), left, values, Onto::Nothing, strips);
    }
}

/// `out` gets the attention's result head by head, `stats` [heads, length] per sequence what the backward pass needs.
pub(crate) fn forward(
    compute: &Compute,
    out: &mut [f32],
    stats: &mut [(f32, f32)],
    heads: Heads<&[f32]>,
    shape: Shape<'_>,
    spare: &Spare,
) {
    let (group, head_dim) = (shape.heads / shape.kv_heads, shape.head_dim);
    let (mut out, mut stats) = (out, stats);
    let Heads { mut queries, mut keys, mut values } = heads;
    let mut tasks = Vec::with_capacity(shape.lengths.len() * shape.kv_heads);
    for &length in shape.lengths {
        for _ in 0..shape.kv_heads {
            let (wide, narrow) = (group * length * head_dim, length * head_dim);
            tasks.push(Forward {
                out: take_mut(&mut out, wide),
                stats: take_mut(&mut stats, group * length),
                queries: take(&mut queries, wide),
                keys: take(&mut keys, narrow),
                values: take(&mut values, narrow),
                length,
                head_dim,
                spare,
            });
        }
    }
    compute.each(tasks);
}

/// Cuts the first `count` items off.
fn take<'a, T>(from: &mut &'a [T], count: usize) -> &'a [T] {
    let (own, rest) = from.split_at(count);
    *from = rest;
    own
}

/// Cuts the first `count` items off.
fn take_mut<'a, T>(from: &mut &'a mut [T], count: usize) -> &'a mut [T] {
    let (own, rest) = std::mem::take(from).split_at_mut(count);
    *from = rest;
    own
}

/// Keys and values of one sequence in one layer, kept for the tokens to come.
pub(crate) struct Past {
    /// Keys as columns and values as rows, by their heads.
    heads: Vec<(Packed, Growing)>,
    tokens: usize,
}

impl Past {
    /// Nothing yet. Heads have at most [`crate::gemm::K_BLOCK`] numbers.
    pub(crate) fn new(kv_heads: usize, head_dim: usize) -> Self {
        let head = |_| (Packed::without_columns(head_dim), Growing::new(head_dim));
        Self { heads: (0..kv_heads).map(head).collect(), tokens: 0 }
    }
}

/// The query heads of some new tokens that share a key head, and what is kept of it.
struct Behind<'a> {
    out: &'a mut [f32],
    stats: &'a mut [(f32, f32)],
    queries: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    kept: &'a mut (Packed, Growing),
    past: usize,
    tokens: usize,
}

impl Kernel for Behind<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (tokens, dim) = (self.tokens, self.keys.len() / self.tokens);
        for (key, value) in self.keys.chunks_exact(dim).zip(self.values.chunks_exact(dim)) {
            self.kept.0.push_column(key);
            self.kept.1.push(value);
        }
        let kept = (&self.kept.0, self.kept.1.packed());
        let scale = score_scale(dim);
        let mut scores = Scores::default();
        scores.data.make_room(block_len(tokens, self.past + tokens));
        let heads = self.out.chunks_exact_mut(tokens * dim).zip(self.queries.chunks_exact(tokens * dim));
        for ((out, queries), stats) in heads.zip(self.stats.chunks_exact_mut(tokens)) {
            attend::<L>((out, queries, stats), self.past, kept, scale, &mut scores);
        }
    }
}

/// The attention of new tokens of one sequence behind its past, which they join: `out` as in [`forward`], with the same bits
/// as if all had come at once.
pub(crate) fn forward_behind(
    compute: &Compute,
    out: &mut [f32],
    stats: &mut [(f32, f32)],
    heads: Heads<&[f32]>,
    past: &mut Past,
    shape: Shape<'_>,
) {
    let tokens: usize = shape.lengths.iter().sum();
    let (wide, narrow) = (shape.heads / shape.kv_heads * tokens * shape.head_dim, tokens * shape.head_dim);
    let before = past.tokens;
    let parts = heads.queries.chunks_exact(wide).zip(heads.keys.chunks_exact(narrow));
    let parts = parts.zip(heads.values.chunks_exact(narrow)).zip(&mut past.heads);
    let to = out.chunks_exact_mut(wide).zip(stats.chunks_exact_mut(wide / shape.head_dim));
    let tasks = to.zip(parts).map(|((out, stats), (((queries, keys), values), kept))| Behind {
        out,
        stats,
        queries,
        keys,
        values,
        kept,
        past: before,
        tokens,
    });
    compute.each(tasks.collect());
    past.tokens += tokens;
}

struct Backward<'a> {
    d_queries: &'a mut [f32],
    d_keys: &'a mut [f32],
    d_values: &'a mut [f32],
    d_out: &'a [f32],
    stats: &'a [(f32, f32)],
    queries: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    length: usize,
    head_dim: usize,
    spare: &'a Spare,
}

impl Kernel for Backward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (length, dim) = (self.length, self.head_dim);
        let scale = score_scale(dim);
        let mut room = self.spare.take();
        let Room { keys, keys_turned, values: values_turned, right, scores, slopes } = &mut room;
        keys.fill(Matrix::rows(self.keys, dim), length, dim);
        keys_turned.fill(Matrix::rows(self.keys, dim).transposed(), dim, length);
        values_turned.fill(Matrix::rows(self.values, dim).transposed(), dim, length);
        self.d_keys.fill(0.0);
        self.d_values.fill(0.0);
        let Scores { data: weights, strips } = scores;
        weights.make_room(block_len(length, length));
        slopes.make_room(block_len(length, length));
        let heads =
            self.d_queries.chunks_exact_mut(length * dim).zip(self.queries.chunks_exact(length * dim));
        let outs = self.d_out.chunks_exact(length * dim).zip(self.stats.chunks_exact(length));
        for ((d_queries, queries), (d_out, stats)) in heads.zip(outs) {
            for first in (0..length).step_by(QUERY_BLOCK) {
                let rows = QUERY_BLOCK.min(length - first);
                let seen = first + rows;
                let stride = seen.next_multiple_of(LANES);
                let queries = &queries[first * dim..][..rows * dim];
                let d_out = &d_out[first * dim..][..rows * dim];
                let size = (rows, seen, dim);
                let left = Matrix::rows(queries, dim);
                product::<L>((weights, stride), size, left, keys_turned, Onto::Nothing, strips);
                let left = Matrix::rows(d_out, dim);
                product::<L>((slopes, stride), size, left, values_turned, Onto::Nothing, strips);
                let both = (&mut weights[..rows * stride], &mut slopes[..rows * stride]);
                let seen_by = Seen { first: first + 1, more: 1 };
                softmax_backward::<L>(both, stride, seen_by, &stats[first..first + rows], scale);
                let (weights_left, slopes_left) =
                    (Matrix::rows(weights, stride), Matrix::rows(slopes, stride));
                let to = (&mut d_queries[first * dim..], dim);
                product::<L>(to, (rows, dim, seen), slopes_left, keys, Onto::Nothing, strips);
                right.fill(Matrix::rows(d_out, dim), rows, dim);
                let size = (seen, dim, rows);
                let left = weights_left.transposed();
                product::<L>((&mut *self.d_values, dim), size, left, right, Onto::Sum, strips);
                right.fill(Matrix::rows(queries, dim), rows, dim);
                let left = slopes_left.transposed();
                product::<L>((&mut *self.d_keys, dim), size, left, right, Onto::Sum, strips);
            }
        }
        self.spare.give(room);
    }
}

/// Gradients of queries, keys and values, given that of the result head by head.
pub(crate) fn backward(
    compute: &Compute,
    to: Heads<&mut [f32]>,
    d_out: &[f32],
    stats: &[(f32, f32)],
    heads: Heads<&[f32]>,
    shape: Shape<'_>,
    spare: &Spare,
) {
    let (group, head_dim) = (shape.heads / shape.kv_heads, shape.head_dim);
    let Heads { queries: mut d_queries, keys: mut d_keys, values: mut d_values } = to;
    let Heads { mut queries, mut keys, mut values } = heads;
    let (mut d_out, mut stats) = (d_out, stats);
    let mut tasks = Vec::with_capacity(shape.lengths.len() * shape.kv_heads);
    for &length in shape.lengths {
        for _ in 0..shape.kv_heads {
            let (wide, narrow) = (group * length * head_dim, length * head_dim);
            tasks.push(Backward {
                d_queries: take_mut(&mut d_queries, wide),
                d_keys: take_mut(&mut d_keys, narrow),
                d_values: take_mut(&mut d_values, narrow),
                d_out: take(&mut d_out, wide),
                stats: take(&mut stats, group * length),
                queries: take(&mut queries, wide),
                keys: take(&mut keys, narrow),
                values: take(&mut values, narrow),
                length,
                head_dim,
                spare,
            });
        }
    }
    compute.each(tasks);
}
