//! RMSNorm of each head of queries and keys, on token-major rows [tokens, queries ‖ keys ‖ values]; values stay.
//!
//! All heads of the queries share one gain [head_dim], and so do those of the keys. The gradient of a gain runs across
//! tokens and heads: within a block of rows token by token and head by head, then block by block.

use crate::{
    attention::Shape,
    compute::Compute,
    lanes::{Kernel, Lanes, Vector as _},
    rows::{self, ROW_BLOCK, over_vectors, sum_of_products},
};

/// How a row is cut.
#[derive(Clone, Copy)]
struct Columns {
    head_dim: usize,
    /// Numbers of the queries.
    queries: usize,
    /// Numbers of the queries and keys.
    normed: usize,
    /// Numbers of the row.
    width: usize,
}

impl Columns {
    fn new(shape: Shape<'_>) -> Self {
        let queries = shape.query_width();
        let normed = queries + shape.kv_width();
        Self { head_dim: shape.head_dim, queries, normed, width: shape.width() }
    }

    /// Where the heads with norms begin, and the half of the gains that is theirs.
    fn heads(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.normed)
            .step_by(self.head_dim)
            .map(move |at| (at, usize::from(at >= self.queries) * self.head_dim))
    }
}

struct Forward<'a> {
    to: &'a mut [f32],
    from: &'a [f32],
    gains: &'a [f32],
    columns: Columns,
    epsilon: f32,
}

impl Kernel for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Columns { head_dim, normed, width, .. } = self.columns;
        for (to, from) in self.to.chunks_exact_mut(width).zip(self.from.chunks_exact(width)) {
            to[normed..].copy_from_slice(&from[normed..]);
            for (at, gain) in self.columns.heads() {
                let (to, x) = (&mut to[at..at + head_dim], &from[at..at + head_dim]);
                let gain = &self.gains[gain..gain + head_dim];
                let scale = rows::inverse_rms::<L>(x, self.epsilon);
                over_vectors!([to], [x, gain], [scale], L, { x.mul(scale).mul(gain) });
            }
        }
    }
}

/// `to` gets the rows `from`, each head of queries and keys normed; `gains` [2 · head_dim] are those of the queries,
/// then those of the keys.
pub(crate) fn forward(
    compute: &Compute,
    to: &mut [f32],
    from: &[f32],
    gains: &[f32],
    shape: Shape<'_>,
    epsilon: f32,
) {
    let columns = Columns::new(shape);
    let share = compute.share(from.len() / columns.width, ROW_BLOCK) * columns.width;
    let tasks = to.chunks_mut(share).zip(from.chunks(share));
    compute.each(tasks.map(|(to, from)| Forward { to, from, gains, columns, epsilon }).collect());
}

struct Backward<'a> {
    d: &'a mut [f32],
    /// This block's part of the gradients of the gains.
    d_gains: &'a mut [f32],
    from: &'a [f32],
    gains: &'a [f32],
    columns: Columns,
    epsilon: f32,
}

impl Kernel for Backward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Columns { head_dim, width, .. } = self.columns;
        for (d, from) in self.d.chunks_exact_mut(width).zip(self.from.chunks_exact(width)) {
            for (at, gain) in self.columns.heads() {
                let (d, x) = (&mut d[at..at + head_dim], &from[at..at + head_dim]);
                let s = rows::inverse_rms::<L>(x, self.epsilon);
                let d_gain = &mut self.d_gains[gain..gain + head_dim];
                let d_to = &d[..];
                over_vectors!([d_gain], [d_to, x], [s], L, { d_to.fma(x.mul(s), d_gain) });
                let gain = &self.gains[gain..gain + head_dim];
                over_vectors!([d], [gain], [], L, { d.mul(gain) });
                // With w = d · gain and n = x·s: dx = s·(w − n · mean(w·n)).
                let mean = sum_of_products::<L>(d, x) * s / head_dim as f32;
                over_vectors!([d], [x], [s, mean], L, { s.mul(d.sub(x.mul(s).mul(mean))) });
            }
        }
    }
}

/// The gradient of the normed rows becomes that of the rows `from`; the gradients of the gains are added to `d_gains`.
/// `parts` is space for sums of blocks.
#[expect(clippy::too_many_arguments, reason = "a gradient has an argument per operand")]
pub(crate) fn backward(
    compute: &Compute,
    d: &mut [f32],
    d_gains: &mut [f32],
    from: &[f32],
    gains: &[f32],
    shape: Shape<'_>,
    epsilon: f32,
    parts: &mut Vec<f32>,
) {
    let columns = Columns::new(shape);
    let block = ROW_BLOCK * columns.width;
    parts.clear();
    parts.resize(from.len().div_ceil(block) * gains.len(), 0.0);
    let blocks = d.chunks_mut(block).zip(from.chunks(block)).zip(parts.chunks_mut(gains.len()));
    let task = |((d, from), d_gains)| Backward { d, d_gains, from, gains, columns, epsilon };
    compute.each(blocks.map(task).collect());
    rows::add_in_order(d_gains, parts);
}
