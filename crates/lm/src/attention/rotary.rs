//! Rotary positions.

use crate::{
    config::RopeScaling,
    lanes::{Lanes, Vector as _},
    math,
    rows::over_vectors,
};

/// Cosines and sines of the rotary positions. Source: Su et al., "RoFormer", 2021; halves paired as in Llama.
pub(crate) struct Rotary {
    /// [position, head_dim / 2]
    cosines: Vec<f32>,
    /// As the cosines.
    sines: Vec<f32>,
    half: usize,
}

impl Rotary {
    /// The table for so many positions: angle = position · theta^(−2i / head_dim), slowed down where a scaling is given,
    /// computed in f64.
    pub(crate) fn new(positions: usize, head_dim: usize, theta: f64, scaling: Option<RopeScaling>) -> Self {
        let half = head_dim / 2;
        let log_theta = math::ln(theta);
        let rate = |i: usize| {
            let rate = primitives::math::exp(-log_theta * (2 * i) as f64 / head_dim as f64);
            scaling.map_or(rate, |scaling| scaling.slow_down(rate))
        };
        let rates: Vec<f64> = (0..half).map(rate).collect();
        let angle = |position: usize, rate: f64| {
            let (sine, cosine) = math::sin_cos(position as f64 * rate);
            (math::round_to_f32(cosine), math::round_to_f32(sine))
        };
        let (cosines, sines) =
            (0..positions).flat_map(|p| rates.iter().map(move |rate| angle(p, *rate))).unzip();
        Self { cosines, sines, half }
    }

    /// How many positions the table has.
    pub(crate) fn positions(&self) -> usize {
        self.cosines.len() / self.half
    }

    /// `to` gets one head's numbers at a position, turned forwards or back.
    #[inline(always)]
    pub(super) fn turn<L: Lanes>(&self, to: &mut [f32], head: &[f32], position: usize, sign: f32) {
        let table = position * self.half..(position + 1) * self.half;
        let (cosines, sines) = (&self.cosines[table.clone()], &self.sines[table]);
        let ((to_low, to_high), (low, high)) = (to.split_at_mut(self.half), head.split_at(self.half));
        over_vectors!([to_low], [low, high, cosines, sines], [sign], L, {
            low.mul(cosines).sub(high.mul(sines.mul(sign)))
        });
        over_vectors!([to_high], [low, high, cosines, sines], [sign], L, {
            high.mul(cosines).add(low.mul(sines.mul(sign)))
        });
    }
}
