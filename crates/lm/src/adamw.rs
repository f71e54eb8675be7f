//! AdamW in one pass over flat buffers; the sum of gradients and the length of one.
//!
//! Source: Loshchilov & Hutter, "Decoupled weight decay regularization", 2019. The order of operations is that of
//! PyTorch's: decay first, then the bias-corrected step.

use serde::{Deserialize, Serialize};

use crate::{
    compute::Compute,
    lanes::{Kernel, Lanes, Vector as _},
    math::round_to_f32,
    rows::{over_vectors, sum_of_products},
};

/// Numbers per block of the gradient's length: each block is summed in f32, the blocks in f64. Part of the contract.
const LENGTH_BLOCK: usize = 4096;

/// What AdamW is given besides the rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// Decay of the first moment, per step.
    pub beta1: f64,
    /// Decay of the second moment, per step.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decay of matrices, times the rate, per step; gains don't decay.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1 }
    }
}

/// Numbers of one step, the same for all parameters of a kind.
#[derive(Clone, Copy)]
struct Factors {
    beta1: f32,
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    /// 1 − rate · decay.
    keep: f32,
    /// rate / (1 − beta1^t).
    step: f32,
    /// √(1 − beta2^t).
    root: f32,
    epsilon: f32,
    /// What the gradient is multiplied by.
    clip: f32,
}

/// The parts of the four buffers that belong together.
pub(crate) struct Buffers<'a> {
    pub(crate) parameters: &'a mut [f32],
    pub(crate) first: &'a mut [f32],
    pub(crate) second: &'a mut [f32],
    pub(crate) gradient: &'a [f32],
}

impl<'a> Buffers<'a> {
    fn split_at(self, length: usize) -> (Self, Self) {
        let (parameters, more_parameters) = self.parameters.split_at_mut(length);
        let (first, more_first) = self.first.split_at_mut(length);
        let (second, more_second) = self.second.split_at_mut(length);
        let (gradient, more_gradient) = self.gradient.split_at(length);
        let rest = Self {
            parameters: more_parameters,
            first: more_first,
            second: more_second,
            gradient: more_gradient,
        };
        (Self { parameters, first, second, gradient }, rest)
    }
}

struct Update<'a> {
    buffers: Buffers<'a>,
    factors: Factors,
}

impl Kernel for Update<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Buffers { parameters, first, second, gradient } = self.buffers;
        let Factors { beta1, one_minus_beta1, beta2, one_minus_beta2, keep, step, root, epsilon, clip } =
            self.factors;
        over_vectors!(
            [parameters, first, second],
            [gradient],
            [beta1, one_minus_beta1, beta2, one_minus_beta2, keep, step, root, epsilon, clip],
            L,
            {
                let gradient = gradient.mul(clip);
                let first = first.mul(beta1).add(gradient.mul(one_minus_beta1));
                let second = second.mul(beta2).add(gradient.mul(gradient).mul(one_minus_beta2));
                let spread = second.sqrt().div(root).add(epsilon);
                (parameters.mul(keep).sub(step.mul(first).div(spread)), first, second)
            }
        );
    }
}

impl AdamW {
    /// One step over all parameters, which are runs of some lengths, each with the word whether it decays; `step` counts
    /// from 1, the gradient is multiplied by `clip` first.
    pub(crate) fn update(
        &self,
        compute: &Compute,
        mut buffers: Buffers<'_>,
        runs: impl Iterator<Item = (usize, bool)>,
        (step, rate, clip): (u64, f64, f32),
    ) {
        let power = |beta| primitives::math::power(beta, u32::try_from(step).unwrap_or(u32::MAX));
        let factors = |decay: f64| Factors {
            beta1: round_to_f32(self.beta1),
            one_minus_beta1: round_to_f32(1.0 - self.beta1),
            beta2: round_to_f32(self.beta2),
            one_minus_beta2: round_to_f32(1.0 - self.beta2),
            keep: round_to_f32(1.0 - rate * decay),
            step: round_to_f32(rate / (1.0 - power(self.beta1))),
            root: round_to_f32((1.0 - power(self.beta2)).sqrt()),
            epsilon: round_to_f32(self.epsilon),
            clip,
        };
        let (decaying, staying) = (factors(self.weight_decay), factors(0.0));
        let mut tasks = Vec::new();
        for (length, decays) in runs {
            let factors = if decays { decaying } else { staying };
            let (run, rest) = buffers.split_at(length);
            buffers = rest;
            let share = compute.share(length, LENGTH_BLOCK);
            let moments = run.first.chunks_mut(share).zip(run.second.chunks_mut(share));
            let values = run.parameters.chunks_mut(share).zip(run.gradient.chunks(share));
            tasks.extend(values.zip(moments).map(|((parameters, gradient), (first, second))| Update {
                buffers: Buffers { parameters, first, second, gradient },
                factors,
            }));
        }
        compute.each(tasks);
    }
}

struct Add<'a> {
    sum: &'a mut [f32],
    addend: &'a [f32],
    factor: f32,
}

impl Kernel for Add<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { sum, addend, factor } = self;
        over_vectors!([sum], [addend], [factor], L, { sum.add(addend).mul(factor) });
    }
}

/// `sum` becomes (sum + addend) · factor, number by number.
pub(crate) fn add(compute: &Compute, sum: &mut [f32], addend: &[f32], factor: f32) {
    let share = compute.share(sum.len(), LENGTH_BLOCK);
    let tasks = sum.chunks_mut(share).zip(addend.chunks(share));
    compute.each(tasks.map(|(sum, addend)| Add { sum, addend, factor }).collect());
}

struct Squares<'a> {
    numbers: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for Squares<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (sum, block) in self.sums.iter_mut().zip(self.numbers.chunks(LENGTH_BLOCK)) {
            *sum = sum_of_products::<L>(block, block);
        }
    }
}

/// The Euclidean length of a gradient.
pub(crate) fn length(compute: &Compute, gradient: &[f32]) -> f64 {
    let mut sums = vec![0.0; gradient.len().div_ceil(LENGTH_BLOCK)];
    let share = compute.share(sums.len(), 1);
    let tasks = sums.chunks_mut(share).zip(gradient.chunks(share * LENGTH_BLOCK));
    compute.each(tasks.map(|(sums, numbers)| Squares { numbers, sums }).collect());
    sums.into_iter().map(f64::from).sum::<f64>().sqrt()
}
