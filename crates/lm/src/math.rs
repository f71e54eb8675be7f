//! Elementary functions that give the same bits on every machine, in f64 one at a time and in f32 a vector at a time.
//!
//! They are made of + − × ÷ √ and fused multiply-add alone; `exp` and `power` in f64 are those of
//! [`primitives::math`].

use std::f64::consts::{LN_2, PI, SQRT_2};

use crate::lanes::{ROUNDER, Vector};

/// Terms of the series of artanh on |s| ≤ 0.172: the first one left out is below 2^-58 of the result.
const LN_TERMS: u32 = 11;
/// Terms of the Taylor series of sine and cosine on |r| ≤ π/4: the first one left out is below 2^-56.
const TRIG_TERMS: u32 = 9;
/// π/2 in three parts, the first two short enough that a whole number up to 2^20 times each is exact.
/// Source: Cody & Waite, "Software manual for the elementary functions", 1980.
const HALF_PI: [f64; 3] = [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];

/// The f32 nearest to `x`.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what is wanted")]
pub(crate) fn round_to_f32(x: f64) -> f32 {
    x as f32
}

/// The natural logarithm, within 2 units in the last place for normal positive input; −∞ at 0, NaN below 0.
pub(crate) fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x < f64::MIN_POSITIVE {
        // Subnormal input is scaled up by 2^54 first.
        return if x > 0.0 { ln(x * 18_014_398_509_481_984.0) - 54.0 * LN_2 } else { f64::NEG_INFINITY };
    }
    if x.is_infinite() {
        return x;
    }
    let bits = x.to_bits();
    let exponent = i32::try_from(bits >> 52).expect("11 bits") - 1023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    let (m, k) = if mantissa > SQRT_2 { (mantissa / 2.0, exponent + 1) } else { (mantissa, exponent) };
    // ln m = 2 artanh s with s = (m − 1)/(m + 1).
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    for term in (1..=LN_TERMS).rev() {
        sum = (sum + 1.0 / f64::from(2 * term + 1)) * square;
    }
    f64::from(k) * LN_2 + (2.0 * s + 2.0 * s * sum)
}

/// Sine and cosine of an angle in radians, within 1e-15 for |x| up to a million; NaN for what is not finite.
pub(crate) fn sin_cos(x: f64) -> (f64, f64) {
    if !x.is_finite() {
        return (f64::NAN, f64::NAN);
    }
    let k = (x / (PI / 2.0)).round();
    let r = ((x - k * HALF_PI[0]) - k * HALF_PI[1]) - k * HALF_PI[2];
    let square = r * r;
    let (mut sine, mut cosine) = (1.0, 1.0);
    for term in (1..=TRIG_TERMS).rev() {
        let n = f64::from(2 * term);
        sine = 1.0 - sine * square / (n * (n + 1.0));
        cosine = 1.0 - cosine * square / (n * (n - 1.0));
    }
    sine *= r;
    #[expect(clippy::cast_possible_truncation, reason = "only the quadrant matters")]
    match (k as i64).rem_euclid(4) {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// `ln 2` split so that `k` times the first part is exact for |k| ≤ 2^13.
const LN2_HI: f32 = 0.693_359_4;
const LN2_LO: f32 = -2.121_944_4e-4;
/// Above this `exp` is infinite in f32, below the other it rounds to 0.
const EXP_MAX: f32 = 89.0;
const EXP_MIN: f32 = -104.0;
/// 1/n! from n = 7 down: on |r| ≤ ln 2 / 2 the first term left out is below 2^-27.
const EXP_TAYLOR: [f32; 8] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];

/// `e^x` in each lane, within 2 units in the last place; subnormal results are kept, NaN stays NaN.
#[inline(always)]
pub(crate) fn exp<L: Vector>(x: L) -> L {
    // In this order a NaN of `x` comes through both comparisons.
    let x = L::splat(EXP_MIN).max(L::splat(EXP_MAX).min(x));
    let rounder = L::splat(ROUNDER);
    let k = x.fma(L::splat(std::f32::consts::LOG2_E), rounder).sub(rounder);
    let minus_k = L::splat(0.0).sub(k);
    let r = minus_k.fma(L::splat(LN2_LO), minus_k.fma(L::splat(LN2_HI), x));
    let mut sum = L::splat(EXP_TAYLOR[0]);
    for coefficient in &EXP_TAYLOR[1..] {
        sum = sum.fma(r, L::splat(*coefficient));
    }
    sum.scaled(k)
}

/// The logistic function 1/(1 + e^−x) in each lane.
#[inline(always)]
pub(crate) fn logistic<L: Vector>(x: L) -> L {
    let one = L::splat(1.0);
    one.div(one.add(exp(L::splat(0.0).sub(x))))
}

/// The tail's polynomial has the variable q = 1/(1 + TAIL_RATE · t); above TAIL_MAX the tail is 0 in f32.
const TAIL_RATE: f32 = 0.3;
const TAIL_MAX: f32 = 14.5;
/// P(q) from q^9 down, a minimax fit (Remez) with relative error 3.5e-9 for t from 0 to TAIL_MAX.
/// Source of the form: Hastings, "Approximations for digital computers", 1955, as in Abramowitz & Stegun, 7.1.26.
const TAIL: [f32; 10] = [
    -0.020_623_462,
    0.112_435_57,
    -0.228_213_5,
    0.191_784_41,
    -0.079_423_39,
    0.096_156_776,
    0.078_389_67,
    0.110_235_42,
    0.119_571_81,
    0.119_686_69,
];

/// GELU in each lane: x·Φ(x) with the normal distribution's Φ, within 8 units in the last place; NaN stays NaN.
///
/// It is max(x, 0) − t·(1 − Φ(t)) with t = |x|, and 1 − Φ(t) = e^(−t²/2) · q · P(q), so that nothing cancels for
/// negative x. Source: Hendrycks & Gimpel, "Gaussian error linear units", 2016.
#[inline(always)]
pub(crate) fn gelu<L: Vector>(x: L) -> L {
    let (zero, one, half) = (L::splat(0.0), L::splat(1.0), L::splat(-0.5));
    // In this order a NaN of `x` comes through the comparisons.
    let t = L::splat(TAIL_MAX).min(x.max(zero.sub(x)));
    let square = t.mul(t);
    // What rounding took from the square: e^(−t²/2) would have 12 times its error at t = 5.
    let lost = t.fma(t, zero.sub(square));
    let power = exp(square.mul(half)).mul(lost.fma(half, one));
    let q = one.div(t.fma(L::splat(TAIL_RATE), one));
    let mut sum = L::splat(TAIL[0]);
    for coefficient in &TAIL[1..] {
        sum = sum.fma(q, L::splat(*coefficient));
    }
    zero.max(x).sub(t.mul(power.mul(q.mul(sum))))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the platform's functions are the reference here")]
pub(crate) mod tests {
    use primitives::Seed;

    use super::*;
    use crate::lanes::{Instructions, Kernel, LANES, Lanes};

    struct Exp([f32; LANES]);

    impl Kernel for Exp {
        type Output = [f32; LANES];
        #[inline(always)]
        fn run<L: Lanes>(self) -> [f32; LANES] {
            exp(L::load(&self.0)).to_array()
        }
    }

    #[test]
    fn exp_is_within_two_ulp_and_the_same_on_every_path() {
        let mut stream = Seed::from_number(5).stream("exp", 0);
        for _ in 0..50_000 {
            let input: [f32; LANES] = std::array::from_fn(|_| stream.below(195_000_000) as f32 / 1e6 - 105.0);
            let output = Instructions::Scalar.run(Exp(input));
            for instructions in Instructions::available() {
                assert_eq!(instructions.run(Exp(input)).map(f32::to_bits), output.map(f32::to_bits));
            }
            for (x, y) in input.into_iter().zip(output) {
                let exact = f64::from(x).exp();
                let ulps = (i64::from(y.to_bits()) - i64::from(round_to_f32(exact).to_bits())).abs();
                assert!(ulps <= 2, "exp({x}): {y:e} against {exact:e}");
            }
        }
        let special = [0.0, f32::NEG_INFINITY, f32::INFINITY, -1e30, 1e30, f32::NAN, -0.0, 1.0];
        let out = Instructions::best().run(Exp(special));
        assert_eq!(out[..5], [1.0, 0.0, f32::INFINITY, 0.0, f32::INFINITY]);
        assert!(out[5].is_nan());
        assert_eq!(out[6].to_bits(), 1.0f32.to_bits());
    }

    struct Gelu([f32; LANES]);

    impl Kernel for Gelu {
        type Output = [f32; LANES];
        #[inline(always)]
        fn run<L: Lanes>(self) -> [f32; LANES] {
            gelu(L::load(&self.0)).to_array()
        }
    }

    /// 1 − Φ(t) for t ≥ 0: a series below 3, a continued fraction above.
    /// Source: Abramowitz & Stegun, 26.2.11 and 26.2.14.
    pub(crate) fn upper_tail(t: f64) -> f64 {
        let density = (-t * t / 2.0).exp() / (2.0 * PI).sqrt();
        if t < 3.0 {
            let (mut term, mut sum) = (t, t);
            for n in 1..80 {
                term *= t * t / f64::from(2 * n + 1);
                sum += term;
            }
            return 0.5 - density * sum;
        }
        density / (1..=120).rev().fold(t, |below, k| t + f64::from(k) / below)
    }

    #[test]
    fn gelu_is_within_eight_ulp_and_the_same_on_every_path() {
        let mut stream = Seed::from_number(7).stream("gelu", 0);
        let mut largest = 0;
        for round in 0..60_000 {
            // Over all that is not almost x or almost 0, then near 0.
            let width = if round % 3 == 0 { 0.01 } else { 13.0 };
            let input: [f32; LANES] = std::array::from_fn(|_| {
                round_to_f32((stream.below(1 << 40) as f64 / (1u64 << 39) as f64 - 1.0) * width)
            });
            let output = Instructions::Scalar.run(Gelu(input));
            for instructions in Instructions::available() {
                assert_eq!(instructions.run(Gelu(input)).map(f32::to_bits), output.map(f32::to_bits));
            }
            for (x, y) in input.into_iter().zip(output) {
                let wide = f64::from(x);
                let tail = wide.abs() * upper_tail(wide.abs());
                let exact = if x > 0.0 { wide - tail } else { -tail };
                let ulps = (i64::from(y.to_bits()) - i64::from(round_to_f32(exact).to_bits())).abs();
                assert!(ulps <= 8, "gelu({x}): {y:e} against {exact:e}, {ulps} ulp");
                largest = largest.max(ulps);
            }
        }
        println!("largest error: {largest} ulp");
        let special = [0.0, -0.0, 1e-30, -1e-30, f32::INFINITY, f32::NEG_INFINITY, 1e30, f32::NAN];
        let out = Instructions::best().run(Gelu(special));
        assert_eq!(out[..7], [0.0, 0.0, 5e-31, -5e-31, f32::INFINITY, 0.0, 1e30]);
        assert!(out[7].is_nan());
    }

    #[test]
    fn ln_sine_and_cosine_are_close_to_the_platforms() {
        let mut stream = Seed::from_number(6).stream("ln", 0);
        for _ in 0..50_000 {
            let x = f64::from_bits(stream.next_u64() >> 1);
            if x.is_finite() && x >= f64::MIN_POSITIVE {
                let (ours, libm) = (ln(x), x.ln());
                assert!((ours - libm).abs() <= 2.0 * f64::EPSILON * libm.abs(), "ln({x:e}) {ours} {libm}");
            }
            let near = 0.5 + stream.below(1 << 50) as f64 / (1u64 << 50) as f64;
            assert!((ln(near) - near.ln()).abs() <= 2.0 * f64::EPSILON * near.ln().abs().max(1e-300) + 1e-17);
            let angle = stream.below(1 << 50) as f64 / (1u64 << 29) as f64 - 1e6;
            let (sine, cosine) = sin_cos(angle);
            assert!((sine - angle.sin()).abs() < 1e-15 && (cosine - angle.cos()).abs() < 1e-15, "at {angle}");
        }
        assert_eq!((ln(1.0), ln(0.0)), (0.0, f64::NEG_INFINITY));
        assert!((ln(5e-324) - 5e-324f64.ln()).abs() < 1e-12 && ln(-1.0).is_nan());
    }
}
