//! Functions that give the same bits on every machine: built from + − × ÷ alone, never from a platform's libm.

/// `ln 2` split so that `k · LN2_HI` is exact for |k| < 2^20. Source: Cody & Waite, "Software manual for the
/// elementary functions", 1980.
const LN2_HI: f64 = 6.931_471_803_691_238e-1;
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;
/// Below this `exp` is 0: the smallest normal f64 is exp(−708.39…), and results below it are flushed.
const EXP_MIN: f64 = -708.0;
/// Above this `exp` is infinite.
const EXP_MAX: f64 = 709.0;
/// Terms of the Taylor series on |r| ≤ ln 2 / 2: the first one left out is below 2^-60.
const EXP_TERMS: u32 = 14;

/// `e^x`, within 2 units in the last place; 0 below −708 and infinity above 709; NaN stays NaN.
#[must_use]
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x < EXP_MIN {
        return 0.0;
    }
    if x > EXP_MAX {
        return f64::INFINITY;
    }
    let k = (x * std::f64::consts::LOG2_E).round();
    let r = (x - k * LN2_HI) - k * LN2_LO;
    let mut sum = 1.0;
    for term in (1..=EXP_TERMS).rev() {
        sum = 1.0 + sum * r / f64::from(term);
    }
    #[expect(clippy::cast_possible_truncation, reason = "|k| is at most 1023")]
    let k = k as i64;
    // 2^1023 is the largest power there is, so the last doubling is done apart.
    let (k, twice) = if k > 1023 { (k - 1, 2.0) } else { (k, 1.0) };
    #[expect(clippy::cast_sign_loss, reason = "k + 1023 is from 1 to 2046")]
    let power = f64::from_bits(((k + 1023) as u64) << 52);
    sum * power * twice
}

/// `x` multiplied by itself `exponent` times in order: `((x·x)·x)·…`; 1 for exponent 0.
#[must_use]
pub fn power(x: f64, exponent: u32) -> f64 {
    (0..exponent).fold(1.0, |product, _| product * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the platform's exp is the reference here")]
    fn exp_is_within_two_ulp_of_the_platform() {
        let mut stream = crate::Seed::from_number(3).stream("exp", 0);
        for _ in 0..200_000 {
            let x = stream.below(1_416_000_000) as f64 / 1e6 - 708.0;
            let (ours, libm) = (exp(x), x.exp());
            let ulps = (ours.to_bits() as i64 - libm.to_bits() as i64).abs();
            assert!(ulps <= 2, "exp({x}): {ours:e} against {libm:e}, {ulps} ulp");
        }
        assert!(exp(f64::NAN).is_nan());
        assert_eq!((exp(0.0), exp(-1e9), exp(1e9)), (1.0, 0.0, f64::INFINITY));
    }
}
