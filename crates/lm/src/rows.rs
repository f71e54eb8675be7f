//! What is done row by row between the matrix products: RMSNorm, biases, SwiGLU and the fused cross-entropy,
//! forwards and backwards.
//!
//! Rows are shared out among threads in fixed blocks. Where a result runs across rows (the gradient of a gain), each
//! block has a partial sum of its own, and these are added in order of the blocks.

use crate::{
    compute::Compute,
    lanes::{Kernel, LANES, Lanes, Vector as _, WIDE, Wide as _},
    math,
};

/// Rows per block of a reduction across rows: part of the contract.
pub(crate) const ROW_BLOCK: usize = 64;

/// The sum of squares in 8 lanes and the fixed tree.
#[inline(always)]
pub(crate) fn sum_of_products<L: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    let mut sum = L::splat(0.0);
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        sum = L::load(a).fma(L::load(b), sum);
    }
    if !a_rest.is_empty() {
        sum = L::load_part(a_rest, 0.0).fma(L::load_part(b_rest, 0.0), sum);
    }
    sum.sum()
}

/// Runs `body` on the vectors of some slices of equal length, wide ones first, the last one padded with zeros. The
/// slices of the first list, one or three, are read and written: the body's value, or its tuple of values, is what they
/// become. Those of the second list are read. The third list has numbers that the body sees in all lanes.
macro_rules! over_vectors {
    ([$($out:ident),*], [$($in:ident),*], [$($number:ident),*], $L:ident, $body:block) => {{
        let length = over_vectors!(@first $($out),*).len();
        let mut at = 0;
        over_vectors!(@whole [$($out),*], [$($in),*], [$($number),*], $L::Wide, $crate::lanes::WIDE, at, length, $body);
        over_vectors!(@whole [$($out),*], [$($in),*], [$($number),*], $L, $crate::lanes::LANES, at, length, $body);
        if at < length {
            $(let $in = $L::load_part(&$in[at..], 0.0);)*
            $(let $number = $L::splat($number);)*
            #[allow(unused_variables)]
            let written = { $(let $out = $L::load_part(&$out[at..], 0.0);)* $body };
            over_vectors!(@store_rest [$($out),*], written, at);
        }
    }};
    (@first $out:ident $(, $more:ident)*) => { $out };
    (@whole [$($out:ident),*], [$($in:ident),*], [$($number:ident),*], $V:ty, $step:expr, $at:ident, $length:ident, $body:block) => {
        while $at + $step <= $length {
            $(let $in = <$V>::load($in[$at..].first_chunk().expect("the slices are of equal length"));)*
            $(let $number = <$V>::splat($number);)*
            let ($($out,)*) = ($($out[$at..].first_chunk_mut::<{ $step }>().expect("the slices are of equal length"),)*);
            #[allow(unused_variables)]
            let written = { $(let $out = <$V>::load($out);)* $body };
            over_vectors!(@store [$($out),*], written);
            $at += $step;
        }
    };
    (@store [$a:ident], $w:ident) => { $w.store($a); };
    (@store [$a:ident, $b:ident, $c:ident], $w:ident) => { $w.0.store($a); $w.1.store($b); $w.2.store($c); };
    (@store_rest [$a:ident], $w:ident, $at:ident) => { $w.store_part(&mut $a[$at..]); };
    (@store_rest [$a:ident, $b:ident, $c:ident], $w:ident, $at:ident) => {
        $w.0.store_part(&mut $a[$at..]); $w.1.store_part(&mut $b[$at..]); $w.2.store_part(&mut $c[$at..]);
    };
}
pub(crate) use over_vectors;

/// 1/√(mean of squares + ε).
#[inline(always)]
pub(crate) fn inverse_rms<L: Lanes>(x: &[f32], epsilon: f32) -> f32 {
    1.0 / (sum_of_products::<L>(x, x) / x.len() as f32 + epsilon).sqrt()
}

struct Norm<'a> {
    to: &'a mut [f32],
    x: &'a [f32],
    gain: &'a [f32],
    epsilon: f32,
}

impl Kernel for Norm<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let dim = self.gain.len();
        for (to, x) in self.to.chunks_exact_mut(dim).zip(self.x.chunks_exact(dim)) {
            let (gain, scale) = (self.gain, inverse_rms::<L>(x, self.epsilon));
            over_vectors!([to], [x, gain], [scale], L, { x.mul(scale).mul(gain) });
        }
    }
}

/// RMSNorm: `to` [rows, dim] = x / rms(x) · gain. Source: Zhang & Sennrich, "Root mean square layer normalization",
/// 2019.
pub(crate) fn norm(compute: &Compute, to: &mut [f32], x: &[f32], gain: &[f32], epsilon: f32) {
    let share = compute.share(x.len() / gain.len(), ROW_BLOCK) * gain.len();
    let tasks = to.chunks_mut(share).zip(x.chunks(share)).map(|(to, x)| Norm { to, x, gain, epsilon });
    compute.each(tasks.collect());
}

struct NormBackward<'a> {
    /// Gets the gradient of x added.
    d_x: &'a mut [f32],
    /// This block's part of the gradient of the gain.
    d_gain: &'a mut [f32],
    d_to: &'a [f32],
    x: &'a [f32],
    gain: &'a [f32],
    epsilon: f32,
}

impl Kernel for NormBackward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let dim = self.gain.len();
        let mut weighted = vec![0.0; dim];
        let rows = self.d_to.chunks_exact(dim).zip(self.x.chunks_exact(dim));
        self.d_gain.fill(0.0);
        for (d_x, (d_to, x)) in self.d_x.chunks_exact_mut(dim).zip(rows) {
            let s = inverse_rms::<L>(x, self.epsilon);
            let (gain, d_gain, w) = (self.gain, &mut *self.d_gain, &mut weighted[..]);
            over_vectors!([w], [d_to, gain], [], L, { d_to.mul(gain) });
            over_vectors!([d_gain], [d_to, x], [s], L, { d_to.fma(x.mul(s), d_gain) });
            // With n = x·s: dx = s·(w − n · mean(w·n)).
            let w = &weighted[..];
            let mean = sum_of_products::<L>(w, x) * s / dim as f32;
            over_vectors!([d_x], [w, x], [s, mean], L, { s.fma(w.sub(x.mul(s).mul(mean)), d_x) });
        }
    }
}

/// RMSNorm backwards: adds to `d_x`, and to `d_gain` the blocks' sums in order. `parts` is space for those.
#[expect(clippy::too_many_arguments, reason = "a gradient has an argument per operand")]
pub(crate) fn norm_backward(
    compute: &Compute,
    d_x: &mut [f32],
    d_gain: &mut [f32],
    d_to: &[f32],
    x: &[f32],
    gain: &[f32],
    epsilon: f32,
    parts: &mut Vec<f32>,
) {
    let dim = gain.len();
    let block = ROW_BLOCK * dim;
    parts.clear();
    parts.resize(x.len().div_ceil(block) * dim, 0.0);
    let blocks =
        d_x.chunks_mut(block).zip(parts.chunks_mut(dim)).zip(d_to.chunks(block).zip(x.chunks(block)));
    compute.each(
        blocks
            .map(|((d_x, d_gain), (d_to, x))| NormBackward { d_x, d_gain, d_to, x, gain, epsilon })
            .collect(),
    );
    add_in_order(d_gain, parts);
}

struct AddBias<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
}

impl Kernel for AddBias<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let bias = self.bias;
        for row in self.rows.chunks_exact_mut(bias.len()) {
            over_vectors!([row], [bias], [], L, { row.add(bias) });
        }
    }
}

/// Adds a bias [width] to every row [rows, width].
pub(crate) fn add_bias(compute: &Compute, rows: &mut [f32], bias: &[f32]) {
    let share = compute.share(rows.len() / bias.len(), ROW_BLOCK) * bias.len();
    compute.each(rows.chunks_mut(share).map(|rows| AddBias { rows, bias }).collect());
}

struct ColumnSums<'a> {
    /// This block's sums.
    to: &'a mut [f32],
    rows: &'a [f32],
}

impl Kernel for ColumnSums<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let to = self.to;
        for row in self.rows.chunks_exact(to.len()) {
            over_vectors!([to], [row], [], L, { to.add(row) });
        }
    }
}

/// The gradient of a bias: adds to `to` [width] the rows of each block of `rows` [rows, width], the blocks' sums in
/// order. `parts` is space for those.
pub(crate) fn column_sums(compute: &Compute, to: &mut [f32], rows: &[f32], parts: &mut Vec<f32>) {
    let width = to.len();
    let block = ROW_BLOCK * width;
    parts.clear();
    parts.resize(rows.len().div_ceil(block) * width, 0.0);
    let blocks = parts.chunks_mut(width).zip(rows.chunks(block));
    compute.each(blocks.map(|(to, rows)| ColumnSums { to, rows }).collect());
    add_in_order(to, parts);
}

/// Adds parts, each as long as `to`, one after the other.
pub(crate) fn add_in_order(to: &mut [f32], parts: &[f32]) {
    for part in parts.chunks(to.len()) {
        for (sum, part) in to.iter_mut().zip(part) {
            *sum += part;
        }
    }
}

struct SwiGlu<'a> {
    to: &'a mut [f32],
    gate_up: &'a [f32],
    width: usize,
}

impl Kernel for SwiGlu<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let width = self.width;
        for (to, gate_up) in self.to.chunks_exact_mut(width).zip(self.gate_up.chunks_exact(2 * width)) {
            let (gate, up) = gate_up.split_at(width);
            over_vectors!([to], [gate, up], [], L, { gate.mul(math::logistic(gate)).mul(up) });
        }
    }
}

/// SwiGLU: `to` [rows, width] = gate · logistic(gate) · up, with `gate_up` [rows, 2 · width].
/// Source: Shazeer, "GLU variants improve transformer", 2020.
pub(crate) fn swiglu(compute: &Compute, to: &mut [f32], gate_up: &[f32], width: usize) {
    let share = compute.share(to.len() / width, 1) * width;
    let tasks = to.chunks_mut(share).zip(gate_up.chunks(2 * share));
    compute.each(tasks.map(|(to, gate_up)| SwiGlu { to, gate_up, width }).collect());
}

struct SwiGluBackward<'a> {
    gate_up: &'a mut [f32],
    d_to: &'a mut [f32],
    width: usize,
}

impl Kernel for SwiGluBackward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let width = self.width;
        let one = 1.0;
        for (gate_up, d_to) in self.gate_up.chunks_exact_mut(2 * width).zip(self.d_to.chunks_exact_mut(width))
        {
            let (gate, up) = gate_up.split_at_mut(width);
            over_vectors!([gate, up, d_to], [], [one], L, {
                let open = math::logistic(gate);
                let act = gate.mul(open);
                // d silu = σ·(1 + g·(1 − σ)).
                let slope = open.mul(gate.fma(one.sub(open), one));
                (d_to.mul(up).mul(slope), d_to.mul(act), act.mul(up))
            });
        }
    }
}

/// SwiGLU backwards, in place: `gate_up` becomes its own gradient, and `d_to`, the gradient of the result, becomes
/// the result.
pub(crate) fn swiglu_backward(compute: &Compute, gate_up: &mut [f32], d_to: &mut [f32], width: usize) {
    let share = compute.share(d_to.len() / width, 1) * width;
    let tasks = d_to.chunks_mut(share).zip(gate_up.chunks_mut(2 * share));
    compute.each(tasks.map(|(d_to, gate_up)| SwiGluBackward { gate_up, d_to, width }).collect());
}

/// Each number, times `scale`, becomes `e` to the power of its distance from `largest`; returns the sum, in 8 lanes and the
/// fixed tree. The row has whole vectors.
#[inline(always)]
pub(crate) fn powers<L: Lanes>(row: &mut [f32], scale: f32, largest: f32) -> f32 {
    let (factor, shift) = (L::Wide::splat(scale), L::Wide::splat(largest));
    let mut sum = L::splat(0.0);
    let (wide, rest) = row.as_chunks_mut::<WIDE>();
    for x in wide {
        let power = math::exp(L::Wide::load(x).mul(factor).sub(shift));
        power.store(x);
        let [low, high] = power.halves();
        sum = sum.add(low).add(high);
    }
    for x in rest.as_chunks_mut::<LANES>().0 {
        let power = math::exp(L::load(x).mul(L::splat(scale)).sub(L::splat(largest)));
        power.store(x);
        sum = sum.add(power);
    }
    sum.sum()
}

struct CrossEntropy<'a> {
    logits: &'a mut [f32],
    stride: usize,
    targets: &'a [u32],
    losses: &'a mut [f64],
    vocab: usize,
    /// What each row's gradient is multiplied by; absent where no gradient is wanted.
    scale: Option<f32>,
}

impl Kernel for CrossEntropy<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let rows = self.logits.chunks_exact_mut(self.stride);
        for ((row, target), loss) in rows.zip(self.targets).zip(self.losses) {
            let target = *target as usize;
            row[self.vocab..].fill(f32::NEG_INFINITY);
            let mut largest = L::splat(f32::NEG_INFINITY);
            for x in row.as_chunks::<LANES>().0 {
                largest = largest.max(L::load(x));
            }
            let largest = largest.largest();
            let of_target = row[target];
            let sum = powers::<L>(row, 1.0, largest);
            *loss = math::ln(f64::from(sum)) + (f64::from(largest) - f64::from(of_target));
            if let Some(scale) = self.scale {
                let factor = scale / sum;
                over_vectors!([row], [], [factor], L, { row.mul(factor) });
                row[target] -= scale;
            }
        }
    }
}

/// Cross-entropy of rows of logits, in nats, one loss per row: −ln softmax(row)[target].
///
/// `logits` [rows, stride] with `stride` the vocabulary rounded up to whole vectors; with a scale, the logits become
/// their own gradient times it. Targets are below `vocab`.
pub(crate) fn cross_entropy(
    compute: &Compute,
    logits: &mut [f32],
    targets: &[u32],
    losses: &mut [f64],
    vocab: usize,
    scale: Option<f32>,
) {
    let stride = vocab.next_multiple_of(LANES);
    let share = compute.share(targets.len(), 8);
    let rows = logits.chunks_mut(share * stride).zip(targets.chunks(share)).zip(losses.chunks_mut(share));
    let task = |((logits, targets), losses)| CrossEntropy { logits, stride, targets, losses, vocab, scale };
    compute.each(rows.map(task).collect());
}

#[cfg(test)]
mod tests {
    use primitives::Seed;
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::Instructions;

    fn numbers(seed: u64, len: usize) -> Vec<f32> {
        let mut stream = Seed::from_number(seed).stream("rows", 0);
        (0..len).map(|_| stream.below(8_000_001) as f32 / 1e6 - 4.0).collect()
    }

    /// All kernels of this module on one shape, as bits.
    fn everything(compute: &Compute, rows: usize, width: usize, seed: u64) -> Vec<u64> {
        let (x, gain, d) =
            (numbers(seed, rows * width), numbers(seed ^ 1, width), numbers(seed ^ 2, rows * width));
        let mut normed = vec![0.0; rows * width];
        norm(compute, &mut normed, &x, &gain, 1e-5);
        let (mut d_x, mut d_gain) = (d.clone(), gain.clone());
        norm_backward(compute, &mut d_x, &mut d_gain, &d, &x, &gain, 1e-5, &mut Vec::new());
        let mut gate_up = numbers(seed ^ 3, 2 * rows * width);
        let mut opened = vec![0.0; rows * width];
        swiglu(compute, &mut opened, &gate_up, width);
        let mut d_opened = d.clone();
        swiglu_backward(compute, &mut gate_up, &mut d_opened, width);
        assert_eq!(d_opened, opened, "the backward pass gives the result again");
        let stride = width.next_multiple_of(LANES);
        let mut logits = numbers(seed ^ 4, rows * stride);
        let targets: Vec<u32> = (0..rows).map(|row| u32::try_from(row % width).unwrap()).collect();
        let mut losses = vec![0.0; rows];
        cross_entropy(compute, &mut logits, &targets, &mut losses, width, Some(0.5));
        let (mut biased, mut sums) = (x.clone(), gain.clone());
        add_bias(compute, &mut biased, &gain);
        column_sums(compute, &mut sums, &x, &mut Vec::new());
        let floats = [normed, d_x, d_gain, gate_up, opened, logits, biased, sums].concat();
        floats.iter().map(|x| u64::from(x.to_bits())).chain(losses.iter().map(|x| x.to_bits())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn rows_have_the_same_bits_for_any_thread_count_and_path(
            rows in 1usize..200, width in 1usize..70, threads in 1usize..4, seed: u64,
        ) {
            let reference = everything(&Compute::with(1, Instructions::Scalar).unwrap(), rows, width, seed);
            for instructions in Instructions::available() {
                let compute = Compute::with(threads, instructions).unwrap();
                prop_assert_eq!(&everything(&compute, rows, width, seed), &reference);
            }
        }
    }
}
