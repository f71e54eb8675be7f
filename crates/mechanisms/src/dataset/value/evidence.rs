//! From paired differences to a verdict: what a handful of trainings on many documents proves, and what that pays.
//!
//! There are two sources of chance. Documents: their differences are bounded, and a betting martingale gives an interval
//! for their mean that holds at every sample size at once, so that looking early is no cheating. Trainings: the same corpora
//! give other models under other seeds, whatever the number of documents; that part widens the interval and never
//! shrinks with documents. Nothing here draws or trains.

use serde::{Deserialize, Serialize};

/// What the two sides of the interval may err together, in a shard's one experiment.
pub const ALPHA: f64 = 0.05;
/// Fractions of the largest allowed bet over which capital is spread: from small and frequent gains to large and rare
/// ones. The mean over them is a martingale as each of them is.
const BETS: [f64; 6] = [1.0 / 64.0, 1.0 / 32.0, 1.0 / 16.0, 1.0 / 8.0, 1.0 / 4.0, 1.0 / 2.0];
/// Halvings of the search for an interval's end: its width in bits per byte is then below 10^-9.
const HALVINGS: u32 = 30;
/// Degrees of freedom of [`Terms::seed_sd_bits_per_byte`], as many as the calibration that gave it is trusted for.
const PRIOR_FREEDOM: f64 = 6.0;
/// Student's t at one side of [`ALPHA`] / 2 for 7, 8 and 9 degrees of freedom: the prior's and those of 2, 3 or 4
/// seeds. Source: any table of the distribution.
const STUDENT_T: [f64; 3] = [2.365, 2.306, 2.262];

/// The numbers by which evidence is weighed. All are bits per byte.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// A document's difference is cut to ± this much, so that no single document decides.
    pub clip_bits_per_byte: f64,
    /// Being worse by less than this is not inferior.
    pub margin_bits_per_byte: f64,
    /// Beyond the margin, this much worse pays nothing.
    pub taper_bits_per_byte: f64,
    /// A proven gain of this much pays the whole bonus.
    pub gain_bits_per_byte: f64,
    /// Spread of the mean difference between training seeds, where both corpora are worth the same: from calibration.
    pub seed_sd_bits_per_byte: f64,
    /// What a shard is paid at most, as a multiple of its verified tokens.
    pub factor_max: f64,
}

/// What the evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The texts are the default recipe's, byte for byte: nothing was trained.
    Equal,
    /// Better, beyond chance.
    Gain,
    /// Not worse by more than the margin, beyond chance.
    NotInferior,
    /// Worse by more than the margin, beyond chance.
    Inferior,
    /// Too little evidence. Paid as if not inferior.
    Undecided,
}

/// The outcome of an experiment, with everything that a reader needs to weigh it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it says.
    pub verdict: Verdict,
    /// What a verified token of the shard is paid, as a multiple: from 0 to [`Terms::factor_max`].
    pub factor: f64,
    /// Held-out documents that were scored.
    pub documents: u32,
    /// Documents after which the verdict stood for the first time; 0 where it is equal or undecided.
    pub decided_after: u32,
    /// Pairs of models that were trained.
    pub seeds: u32,
    /// The mean difference, in bits per byte: above 0 the shard's texts train better than the default recipe's.
    pub mean_bits_per_byte: f64,
    /// The interval's lower end, trainings included.
    pub low_bits_per_byte: f64,
    /// The interval's upper end, trainings included.
    pub high_bits_per_byte: f64,
    /// The part of the interval's half-width that is due to trainings.
    pub seed_part_bits_per_byte: f64,
    /// The bound to which each difference was cut.
    pub clip_bits_per_byte: f64,
    /// Half the interval: a difference of twice this much would have been seen.
    pub resolution_bits_per_byte: f64,
}

impl Evidence {
    /// The evidence of equal bytes: a factor of exactly 1, and nothing to measure.
    #[must_use]
    pub fn equal(terms: &Terms) -> Self {
        Self {
            verdict: Verdict::Equal,
            factor: 1.0,
            documents: 0,
            decided_after: 0,
            seeds: 0,
            mean_bits_per_byte: 0.0,
            low_bits_per_byte: 0.0,
            high_bits_per_byte: 0.0,
            seed_part_bits_per_byte: 0.0,
            clip_bits_per_byte: terms.clip_bits_per_byte,
            resolution_bits_per_byte: 0.0,
        }
    }

    /// Weighs `differences[seed][document]`: bits per byte under the default recipe's model minus those under the
    /// shard's. All seeds have the same documents in the same order. Without documents or with fewer than two seeds
    /// nothing is decided.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a few hundred documents")]
    pub fn weigh(terms: &Terms, differences: &[Vec<f64>]) -> Self {
        let clip = terms.clip_bits_per_byte;
        let documents = differences.iter().map(Vec::len).min().unwrap_or(0);
        let seeds = differences.len();
        let cut = |value: f64| if value.is_nan() { -clip } else { value.clamp(-clip, clip) };
        let of_seed: Vec<f64> =
            differences.iter().map(|row| mean(row[..documents].iter().map(|value| cut(*value)))).collect();
        let pairs: Vec<f64> =
            (0..documents).map(|at| mean(differences.iter().map(|row| cut(row[at])))).collect();
        let seed_part = seed_part(terms, &of_seed);

        let mut found = (Verdict::Undecided, 0);
        let mut interval = (-clip, clip);
        // Decisions are looked at where the number of documents has grown by an eighth: more often would only cost time.
        let mut next = 1;
        for seen in 1..=documents {
            if seeds < 2 || (seen < next && seen < documents) {
                continue;
            }
            next = seen + seen.div_ceil(8);
            // An end once proven stays proven: the running intersection holds at every time together.
            let (low, high) = bounds(&pairs[..seen], clip);
            interval = (interval.0.max(low), interval.1.min(high));
            let verdict = verdict(terms, interval.0 - seed_part, interval.1 + seed_part);
            if verdict != found.0 {
                found = (verdict, seen);
            }
        }
        let (low, high) = (interval.0 - seed_part, interval.1 + seed_part);
        let verdict = found.0;
        Self {
            verdict,
            factor: factor(terms, verdict, low, high),
            documents: documents as u32,
            decided_after: if verdict == Verdict::Undecided { 0 } else { found.1 as u32 },
            seeds: seeds as u32,
            mean_bits_per_byte: mean(pairs.iter().copied()),
            low_bits_per_byte: low,
            high_bits_per_byte: high,
            seed_part_bits_per_byte: seed_part,
            clip_bits_per_byte: clip,
            resolution_bits_per_byte: (high - low) / 2.0,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred values")]
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    if count == 0 { 0.0 } else { values.fold(0.0, |sum, value| sum + value) / count as f64 }
}

/// How far the mean may be off because of the trainings alone: the variance between this experiment's seeds, pooled with
/// the calibrated one, since two or three values say little of their spread.
#[expect(clippy::cast_precision_loss, reason = "a handful of seeds")]
fn seed_part(terms: &Terms, of_seed: &[f64]) -> f64 {
    let seeds = of_seed.len();
    if seeds < 2 {
        return terms.clip_bits_per_byte;
    }
    let centre = mean(of_seed.iter().copied());
    let squares = of_seed.iter().fold(0.0, |sum, value| sum + (value - centre) * (value - centre));
    let prior = terms.seed_sd_bits_per_byte * terms.seed_sd_bits_per_byte;
    let pooled = (PRIOR_FREEDOM * prior + squares) / (PRIOR_FREEDOM + (seeds - 1) as f64);
    let t = STUDENT_T[(seeds - 2).min(STUDENT_T.len() - 1)];
    t * (pooled / seeds as f64).sqrt()
}

fn verdict(terms: &Terms, low: f64, high: f64) -> Verdict {
    if low > 0.0 {
        Verdict::Gain
    } else if high < -terms.margin_bits_per_byte {
        Verdict::Inferior
    } else if low > -terms.margin_bits_per_byte {
        Verdict::NotInferior
    } else {
        Verdict::Undecided
    }
}

/// Pays by the end of the interval that is nearer to nothing happening: what is proven, not what is likely.
fn factor(terms: &Terms, verdict: Verdict, low: f64, high: f64) -> f64 {
    match verdict {
        Verdict::Equal | Verdict::NotInferior | Verdict::Undecided => 1.0,
        Verdict::Gain => 1.0 + (terms.factor_max - 1.0) * (low / terms.gain_bits_per_byte).clamp(0.0, 1.0),
        Verdict::Inferior => {
            let beyond = -terms.margin_bits_per_byte - high;
            1.0 - (beyond / terms.taper_bits_per_byte).clamp(0.0, 1.0)
        }
    }
}

/// The interval for the mean of values within ± `clip`: those means against which no gambler has won 2 / [`ALPHA`]
/// times its stake.
///
/// Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", 2023, with the bets of a
/// fixed grid; by Ville's inequality the interval holds at all sample sizes together with probability 1 − [`ALPHA`].
fn bounds(values: &[f64], clip: f64) -> (f64, f64) {
    let scaled: Vec<f64> = values.iter().map(|value| (value + clip) / (2.0 * clip)).collect();
    let mirrored: Vec<f64> = scaled.iter().map(|value| 1.0 - value).collect();
    let low = least_unbroken(&scaled);
    let high = 1.0 - least_unbroken(&mirrored);
    ((2.0 * low - 1.0) * clip, (2.0 * high - 1.0) * clip)
}

/// The least mean in [0, 1] against which betting that values are higher has not won.
fn least_unbroken(values: &[f64]) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Capital falls as the mean under test grows, so that the end can be halved in on.
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if capital(values, middle) >= 2.0 / ALPHA { low = middle } else { high = middle }
    }
    low
}

/// What a gambler has who bets that values are above `mean_tested`, spread over [`BETS`], having begun with 1.
#[expect(clippy::cast_precision_loss, reason = "a handful of bets")]
fn capital(values: &[f64], mean_tested: f64) -> f64 {
    let largest = if mean_tested > 0.0 { 1.0 / mean_tested } else { f64::MAX };
    let total = BETS.iter().fold(0.0, |sum, fraction| {
        let bet = fraction * largest.min(1e6);
        // Capped: more than enough to win, and nothing overflows.
        sum + values
            .iter()
            .fold(1.0, |won: f64, value| (won * (1.0 + bet * (value - mean_tested))).min(1e100))
    });
    total / BETS.len() as f64
}

#[cfg(test)]
mod tests {
    use primitives::Seed;

    use super::*;

    const TERMS: Terms = Terms {
        clip_bits_per_byte: 0.1,
        margin_bits_per_byte: 0.01,
        taper_bits_per_byte: 0.05,
        gain_bits_per_byte: 0.05,
        seed_sd_bits_per_byte: 0.002,
        factor_max: 2.0,
    };

    /// Differences around `centre` with a spread of about `spread`, drawn by `seed`.
    fn drawn(seed: u64, documents: usize, centre: f64, spread: f64) -> Vec<Vec<f64>> {
        let stream = |at| Seed::from_number(seed).stream("differences", at);
        #[expect(clippy::cast_precision_loss, reason = "a random fraction")]
        let row = |at: u64| {
            let mut stream = stream(at);
            let mut unit = || stream.next_u64() as f64 / u64::MAX as f64 - 0.5;
            // A sum of four uniforms has a standard deviation of 1/√3.
            (0..documents).map(|_| centre + spread * 1.732 * (unit() + unit() + unit() + unit())).collect()
        };
        vec![row(0), row(1), row(2)]
    }

    #[test]
    fn equal_bytes_pay_exactly_once() {
        let evidence = Evidence::equal(&TERMS);
        assert_eq!((evidence.verdict, evidence.factor.to_bits()), (Verdict::Equal, 1.0_f64.to_bits()));
    }

    #[test]
    fn clear_differences_are_decided_and_paid_by_what_is_proven() {
        let check = |documents: usize, centre: f64, expect: Verdict, (low, high): (f64, f64)| {
            let evidence = Evidence::weigh(&TERMS, &drawn(1, documents, centre, 0.03));
            assert_eq!(evidence.verdict, expect, "{evidence:?}");
            assert!((low..=high).contains(&evidence.factor), "{evidence:?}");
            assert!(evidence.decided_after > 0 && evidence.decided_after as usize <= documents);
        };
        check(128, 0.06, Verdict::Gain, (1.3, 2.0));
        check(128, -0.09, Verdict::Inferior, (0.0, 0.5));
        check(512, 0.001, Verdict::NotInferior, (1.0, 1.0));
    }

    #[test]
    fn little_evidence_decides_nothing_and_costs_nothing() {
        for differences in
            [vec![], vec![vec![0.09; 100]], drawn(2, 4, -0.03, 0.03), drawn(3, 40, -0.01, 0.05)]
        {
            let evidence = Evidence::weigh(&TERMS, &differences);
            assert_eq!((evidence.verdict, evidence.decided_after), (Verdict::Undecided, 0), "{evidence:?}");
            assert_eq!(evidence.factor.to_bits(), 1.0_f64.to_bits());
        }
    }

    #[test]
    fn trainings_that_disagree_decide_nothing() {
        let calm = Evidence::weigh(&TERMS, &[vec![-0.05; 200], vec![-0.05; 200], vec![-0.05; 200]]);
        let torn = Evidence::weigh(&TERMS, &[vec![-0.1; 200], vec![-0.05; 200], vec![0.0; 200]]);
        assert_eq!((calm.verdict, torn.verdict), (Verdict::Inferior, Verdict::Undecided));
    }

    #[test]
    fn broken_differences_count_as_the_worst() {
        let evidence = Evidence::weigh(&TERMS, &[vec![f64::NAN; 200], vec![f64::NEG_INFINITY; 200]]);
        assert_eq!(evidence.verdict, Verdict::Inferior);
    }

    #[test]
    fn intervals_hold_at_all_sizes_together() {
        // Of 400 experiments with a known mean, at most α·400 = 20 may ever leave it out; betting is careful, so fewer do.
        let left_out = (0..400).filter(|seed| {
            let values = &drawn(*seed, 200, 0.02, 0.03)[0];
            (1..=20).any(|part| {
                let (low, high) = bounds(&values[..part * 10], 0.1);
                low > 0.02 || high < 0.02
            })
        });
        assert!(left_out.count() <= 20);
    }

    proptest::proptest! {
        #[test]
        fn better_documents_never_pay_less(seed: u64, centre in -0.08f64..0.08, gain in 0.0f64..0.05) {
            let worse = drawn(seed, 64, centre, 0.03);
            let better: Vec<Vec<f64>> =
                worse.iter().map(|row| row.iter().map(|value| value + gain).collect()).collect();
            let (worse, better) = (Evidence::weigh(&TERMS, &worse), Evidence::weigh(&TERMS, &better));
            proptest::prop_assert!(better.factor >= worse.factor - 1e-9, "{:?} {:?}", worse, better);
        }

        #[test]
        fn factors_stay_in_their_range(values in proptest::collection::vec(-1.0f64..1.0, 0..60)) {
            let evidence = Evidence::weigh(&TERMS, &[values.clone(), values]);
            proptest::prop_assert!((0.0..=TERMS.factor_max).contains(&evidence.factor));
            proptest::prop_assert!(evidence.low_bits_per_byte <= evidence.high_bits_per_byte);
        }
    }
}
