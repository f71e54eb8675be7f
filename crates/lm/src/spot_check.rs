//! Whether claimed likelihoods may be believed: a random sample of the texts is scored again by the reference.
//!
//! [`Claimed`] holds a scorer's numbers and gives none of them out. [`Claimed::check`] makes [`Accepted`] of them, and there is
//! no other way to it.
//!
//! **What a check shows.** All tokens of the texts in the sample are within the tolerance, and so is the mean of each such
//! text. Hence a scorer whose k of n texts are outside of the tolerance is caught unless the sample of m misses all of them,
//! which has the probability C(n − k, m) / C(n, m), [`escape_probability`]: of 1000 texts, 10 bad ones escape a sample of 300
//! in 2.8 cases of 100, a single bad one in 70.
//!
//! **What it can't show.** That any particular text outside of the sample is right. That a scorer has not lied within the
//! tolerance: by `token_nats` at any token, but over a text by no more than `mean_nats` times its tokens; so tolerances are to be
//! as tight as honest rounding allows, and scores that lie closer together than that are not told apart. That the work was
//! done by who claims it, or at all, where many texts are known to somebody who has the reference.
//!
//! **How wide.** vLLM in f32 was at most 2.6e-5 nats from the reference at a token and 3.5e-6 in a text's mean, in bf16 0.38 and
//! 0.056 (SmolLM2-135M, 958 tokens; `benches/peers/README.md`). A server in f32 leaves a liar ten thousand times less.
//!
//! **The seed** must be one that nobody could know when the claims were made, such as that of a block after the one that has
//! their [`Claimed::digest`]. Whoever knows the sample beforehand lies about the rest.

use std::fmt;

use primitives::{Digest, Seed};
use thiserror::Error;

use crate::score::{Reference, ScoreError, Scorer, Windows};

/// Names the stream that samples are drawn from; another version is another sample.
const SAMPLE_PURPOSE: &str = "lm spot check v1";
/// Domain of the claims' digest.
const CLAIMS_DOMAIN: &str = "weighhouse lm claimed nats v1";

/// How many texts are scored again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// So many, or all where there are fewer; at least 1.
    Texts(usize),
    /// So many of a thousand, rounded up; 1 to 1000.
    PerMille(u32),
}

/// What claims have to stand to be accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpotCheck {
    /// How many texts are scored again.
    pub sample: Sample,
    /// The most that a claimed number may differ from the reference's at any token, in nats.
    pub token_nats: f64,
    /// The most that the mean over all tokens of a text may differ, in nats; at most `token_nats`. What rounding does
    /// to single tokens largely cancels out, so that this is much the smaller one.
    pub mean_nats: f64,
}

/// A check can't be made.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CheckError {
    /// A setting is out of range.
    #[error("{name} is {value}, expected {expected}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// No text has a token that is predicted.
    #[error("none of {texts} texts has two tokens: there is nothing to check")]
    Nothing {
        /// How many texts there are.
        texts: usize,
    },
    /// The claims are not one list per text.
    #[error("numbers are claimed for {found} texts, expected {expected}")]
    Texts {
        /// For how many.
        found: usize,
        /// How many texts there are.
        expected: usize,
    },
    /// The claims are not one number per predicted token.
    #[error("{found} numbers are claimed for text {text}, expected {expected}")]
    Count {
        /// Which text.
        text: usize,
        /// How many numbers there are.
        found: usize,
        /// How many tokens are predicted.
        expected: usize,
    },
    /// A claimed number is impossible.
    #[error(
        "{value} nats are claimed for token {token} of text {text}, expected a finite number of at least 0"
    )]
    Number {
        /// Which text.
        text: usize,
        /// Which of its tokens.
        token: usize,
        /// What is claimed.
        value: f64,
    },
    /// The reference can't score the sample.
    #[error("the reference cannot score the sample: {0}")]
    Reference(#[from] ScoreError),
}

/// Likelihoods that somebody claims: what a [`Scorer`] said, before it is believed. The numbers stay inside.
#[derive(Clone)]
pub struct Claimed<'a> {
    texts: Vec<&'a [u32]>,
    windows: Windows,
    nats: Vec<Vec<f64>>,
}

impl fmt::Debug for Claimed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claimed").field("texts", &self.texts.len()).finish_non_exhaustive()
    }
}

impl<'a> Claimed<'a> {
    /// Asks a scorer for the negative log-likelihood of every token but the first of each text.
    ///
    /// # Errors
    /// The scorer's.
    pub fn ask<S: Scorer>(scorer: &S, texts: &[&'a [u32]], windows: Windows) -> Result<Self, S::Error> {
        let nats = scorer.nats(texts, windows)?;
        Ok(Self { texts: texts.to_vec(), windows, nats })
    }

    /// The digest of texts, windows and claimed numbers: what a scorer is held to before the seed is known.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let bytes =
            |numbers: Vec<u64>| -> Vec<u8> { numbers.into_iter().flat_map(u64::to_le_bytes).collect() };
        let windows = [self.windows.context(), self.windows.stride()];
        let mut parts = vec![bytes(windows.map(|size| size as u64).to_vec())];
        parts.extend(
            self.texts.iter().map(|text| bytes(text.iter().map(|token| u64::from(*token)).collect())),
        );
        parts.extend(self.nats.iter().map(|nats| bytes(nats.iter().map(|x| x.to_bits()).collect())));
        Digest::of_parts(CLAIMS_DOMAIN, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Scores a random sample again, in the same windows, and judges all claims by it. Only texts that have something to
    /// check are drawn.
    ///
    /// # Errors
    /// A setting is out of range, there is nothing to check, the claims are not one possible number per token, or the
    /// reference can't score a text.
    pub fn check(
        self,
        check: &SpotCheck,
        reference: &Reference<'_>,
        seed: Seed,
    ) -> Result<Verdict, CheckError> {
        check.settings()?;
        let drawable: Vec<usize> = (0..self.texts.len()).filter(|text| self.texts[*text].len() > 1).collect();
        if drawable.is_empty() {
            return Err(CheckError::Nothing { texts: self.texts.len() });
        }
        self.possible()?;
        let drawn = seed.stream(SAMPLE_PURPOSE, 0).sample(drawable.len(), check.sample.of(drawable.len()));
        let drawn: Vec<usize> = drawn.into_iter().map(|index| drawable[index]).collect();
        let texts: Vec<&[u32]> = drawn.iter().map(|text| self.texts[*text]).collect();
        let ours = reference.nats(&texts, self.windows)?;

        let mut agreement = Agreement { texts: drawn.len(), ..Agreement::default() };
        let mut total = 0.0;
        for (&text, ours) in drawn.iter().zip(&ours) {
            let sum = match agreement.add(check, text, ours, &self.nats[text]) {
                Ok(sum) => sum,
                Err(refusal) => return Ok(Verdict::Refused(refusal)),
            };
            total += sum;
        }
        agreement.mean_nats = total / agreement.tokens as f64;
        Ok(Verdict::Agreed(Accepted { nats: self.nats, agreement }))
    }

    /// Refuses what can be no likelihoods, in the sample or not.
    fn possible(&self) -> Result<(), CheckError> {
        if self.nats.len() != self.texts.len() {
            return Err(CheckError::Texts { found: self.nats.len(), expected: self.texts.len() });
        }
        for (text, (tokens, nats)) in self.texts.iter().zip(&self.nats).enumerate() {
            let expected = tokens.len().saturating_sub(1);
            if nats.len() != expected {
                return Err(CheckError::Count { text, found: nats.len(), expected });
            }
            if let Some(index) = nats.iter().position(|x| !(x.is_finite() && *x >= 0.0)) {
                return Err(CheckError::Number { text, token: index + 1, value: nats[index] });
            }
        }
        Ok(())
    }
}

impl SpotCheck {
    /// Refuses settings that are out of range.
    fn settings(&self) -> Result<(), CheckError> {
        let refuse = |name, value, expected| Err(CheckError::Setting { name, value, expected });
        if !(self.token_nats.is_finite() && self.token_nats >= 0.0) {
            return refuse("token_nats", self.token_nats, "a finite number of at least 0");
        }
        if !(self.mean_nats >= 0.0 && self.mean_nats <= self.token_nats) {
            return refuse("mean_nats", self.mean_nats, "0 to token_nats");
        }
        match self.sample {
            Sample::Texts(0) => refuse("sample of texts", 0.0, "at least 1"),
            Sample::Texts(_) | Sample::PerMille(1..=1000) => Ok(()),
            Sample::PerMille(share) => refuse("sample per mille", f64::from(share), "1 to 1000"),
        }
    }
}

impl Sample {
    /// How many of so many texts are drawn.
    fn of(self, texts: usize) -> usize {
        match self {
            Self::Texts(count) => count,
            Self::PerMille(share) => texts.saturating_mul(share as usize).div_ceil(1000),
        }
    }
}

/// What a check has found.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The sample agrees: here are the claims.
    Agreed(Accepted),
    /// It doesn't: the claims are gone.
    Refused(Refusal),
}

/// Claims that a check has accepted: there is no other way to have them.
#[derive(Clone, Debug)]
pub struct Accepted {
    nats: Vec<Vec<f64>>,
    agreement: Agreement,
}

impl Accepted {
    /// The negative log-likelihood of each token but the first of each text, in nats.
    #[must_use]
    pub fn nats(&self) -> &[Vec<f64>] {
        &self.nats
    }

    /// The same, to keep.
    #[must_use]
    pub fn into_nats(self) -> Vec<Vec<f64>> {
        self.nats
    }

    /// How well the sample agreed.
    #[must_use]
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }
}

/// How well a sample agreed with the reference.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Texts that were scored again.
    pub texts: usize,
    /// Their predicted tokens.
    pub tokens: usize,
    /// The greatest difference at a token, in nats.
    pub greatest_token_nats: f64,
    /// The greatest difference of a text's mean, in nats.
    pub greatest_mean_nats: f64,
    /// The mean over all these tokens of what was claimed less what is right, in nats.
    pub mean_nats: f64,
}

impl Agreement {
    /// Takes up a text; says how much more was claimed than is right, in nats.
    fn add(&mut self, check: &SpotCheck, text: usize, ours: &[f64], theirs: &[f64]) -> Result<f64, Refusal> {
        let mut sum = 0.0;
        for (index, (&ours, &theirs)) in ours.iter().zip(theirs).enumerate() {
            let apart = (theirs - ours).abs();
            // A NaN, which a broken model makes of everything, agrees with nothing.
            if apart.is_nan() || apart > check.token_nats {
                let token = Some(index + 1);
                return Err(Refusal { text, token, ours, theirs, bound_nats: check.token_nats });
            }
            self.greatest_token_nats = self.greatest_token_nats.max(apart);
            sum += theirs - ours;
        }
        let mean = sum / ours.len() as f64;
        if mean.abs() > check.mean_nats {
            let of = |nats: &[f64]| nats.iter().sum::<f64>() / nats.len() as f64;
            let (ours, theirs) = (of(ours), of(theirs));
            return Err(Refusal { text, token: None, ours, theirs, bound_nats: check.mean_nats });
        }
        self.greatest_mean_nats = self.greatest_mean_nats.max(mean.abs());
        self.tokens += ours.len();
        Ok(sum)
    }
}

/// Where claims differ by more than the tolerance: the first such place in the sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusal {
    /// Which text.
    pub text: usize,
    /// Which of its tokens, from 0 on; none where it is the mean over the text that differs.
    pub token: Option<usize>,
    /// What is right, in nats.
    pub ours: f64,
    /// What was claimed, in nats.
    pub theirs: f64,
    /// How far they may be apart, in nats.
    pub bound_nats: f64,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, token, ours, theirs, bound_nats } = self;
        match token {
            Some(token) => write!(f, "token {token} of text {text}")?,
            None => write!(f, "mean of text {text}")?,
        }
        write!(
            f,
            ": claimed {theirs} nats, the reference has {ours}, at most {bound_nats} apart are accepted"
        )
    }
}

/// The probability that none of the `bad` ones of so many texts is in a random sample: C(texts − bad, sample) / C(texts, sample).
#[must_use]
pub fn escape_probability(texts: usize, bad: usize, sample: usize) -> f64 {
    let (bad, sample) = (bad.min(texts), sample.min(texts));
    // The bad ones might as well be drawn at random, and the sample be given: the shorter product is the same.
    let (draws, others) = (bad.min(sample), bad.max(sample));
    let mut probability = 1.0;
    for draw in 0..draws {
        let free = (texts - others).saturating_sub(draw);
        probability *= free as f64 / (texts - draw) as f64;
        if probability < f64::MIN_POSITIVE {
            return 0.0;
        }
    }
    probability
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::{compute::Compute, config::Preset, model::Model};

    /// Says what it is told to.
    struct Parrot(Vec<Vec<f64>>);

    impl Scorer for Parrot {
        type Error = Infallible;
        fn nats(&self, _: &[&[u32]], _: Windows) -> Result<Vec<Vec<f64>>, Infallible> {
            Ok(self.0.clone())
        }
    }

    const TEXTS: [&[u32]; 5] = [&[256, 1, 2, 3], &[256], &[256, 9, 8, 7, 6, 5], &[], &[256, 0]];
    const CHECK: SpotCheck = SpotCheck { sample: Sample::Texts(9), token_nats: 0.1, mean_nats: 0.01 };

    fn verdict(check: &SpotCheck, change: impl Fn(&mut Vec<Vec<f64>>)) -> Result<Verdict, CheckError> {
        let (model, compute) =
            (Model::init(&Preset::Mouse.config(), Seed::from_number(1)), Compute::new(1).unwrap());
        let (reference, windows) =
            (Reference { model: &model, compute: &compute }, Windows::new(64, 32).unwrap());
        let mut nats = reference.nats(&TEXTS, windows).unwrap();
        change(&mut nats);
        let Ok(claimed) = Claimed::ask(&Parrot(nats), &TEXTS, windows);
        claimed.check(check, &reference, Seed::from_number(2))
    }

    fn refusal(check: &SpotCheck, change: impl Fn(&mut Vec<Vec<f64>>)) -> Refusal {
        match verdict(check, change).unwrap() {
            Verdict::Refused(refusal) => refusal,
            Verdict::Agreed(accepted) => panic!("{accepted:?}"),
        }
    }

    #[test]
    fn claims_within_the_tolerance_are_accepted_as_they_are() {
        let nudge = |nats: &mut Vec<Vec<f64>>| {
            nats[2][0] += 0.09;
            nats[2][1] -= 0.08;
        };
        let Verdict::Agreed(accepted) = verdict(&CHECK, nudge).unwrap() else { panic!("refused") };
        let agreement = accepted.agreement();
        assert_eq!((agreement.texts, agreement.tokens), (3, 9));
        let near = |x: f64, expect: f64| assert!((x - expect).abs() < 1e-12, "{x} {expect}");
        near(agreement.greatest_token_nats, 0.09);
        near(agreement.greatest_mean_nats, 0.01 / 5.0);
        near(agreement.mean_nats, 0.01 / 9.0);
        assert_eq!(accepted.nats().iter().map(Vec::len).collect::<Vec<_>>(), [3, 0, 5, 0, 1]);
        assert_eq!(accepted.clone().into_nats(), accepted.nats());
    }

    #[test]
    fn the_first_place_beyond_the_tolerance_is_named() {
        let told = refusal(&CHECK, |nats| nats[2][3] += 0.2);
        assert_eq!((told.text, told.token), (2, Some(4)));
        assert!((told.theirs - told.ours - 0.2).abs() < 1e-12 && (told.bound_nats - 0.1).abs() < 1e-12);
        assert!(told.to_string().starts_with("token 4 of text 2: claimed "), "{told}");
        let biased = refusal(&CHECK, |nats| nats[0].iter_mut().for_each(|x| *x += 0.02));
        assert_eq!((biased.text, biased.token), (0, None));
        assert!(biased.to_string().starts_with("mean of text 0: claimed "), "{biased}");
    }

    #[test]
    fn what_cannot_be_checked_is_refused_in_words() {
        let said = |check: SpotCheck, change: fn(&mut Vec<Vec<f64>>)| {
            verdict(&check, change).unwrap_err().to_string()
        };
        let same = |_: &mut Vec<Vec<f64>>| {};
        for (check, expect) in [
            (SpotCheck { token_nats: f64::NAN, ..CHECK }, "token_nats is NaN, expected a finite number"),
            (SpotCheck { token_nats: f64::INFINITY, ..CHECK }, "token_nats is inf"),
            (SpotCheck { mean_nats: 0.2, ..CHECK }, "mean_nats is 0.2, expected 0 to token_nats"),
            (SpotCheck { mean_nats: -0.1, ..CHECK }, "mean_nats is -0.1"),
            (SpotCheck { sample: Sample::Texts(0), ..CHECK }, "sample of texts is 0, expected at least 1"),
            (
                SpotCheck { sample: Sample::PerMille(1001), ..CHECK },
                "sample per mille is 1001, expected 1 to 1000",
            ),
        ] {
            let error = said(check, same);
            assert!(error.starts_with(expect), "{error:?} {expect:?}");
        }
        // Also where the sample would not have come upon it.
        let one = SpotCheck { sample: Sample::PerMille(1), ..CHECK };
        assert_eq!(said(one, |nats| nats[0].truncate(2)), "2 numbers are claimed for text 0, expected 3");
        for text in [0, 2, 4] {
            let change: fn(&mut Vec<Vec<f64>>) = match text {
                0 => |nats| nats[0][1] = f64::NAN,
                2 => |nats| nats[2][1] = -1e-9,
                _ => |nats| nats[4][0] = f64::INFINITY,
            };
            let error = said(one, change);
            assert!(error.contains(&format!("of text {text}, expected a finite number")), "{error}");
        }
        let (model, compute) =
            (Model::init(&Preset::Mouse.config(), Seed::from_number(1)), Compute::new(1).unwrap());
        let reference = Reference { model: &model, compute: &compute };
        let windows = Windows::new(64, 32).unwrap();
        let empty = Claimed::ask(&reference, &[&[256][..]], windows).unwrap();
        let error = empty.check(&CHECK, &reference, Seed::from_number(1)).unwrap_err().to_string();
        assert_eq!(error, "none of 1 texts has two tokens: there is nothing to check");
    }

    #[test]
    fn a_share_is_rounded_up_and_empty_texts_are_not_drawn() {
        for (sample, expect) in [
            (Sample::PerMille(1), 1),
            (Sample::PerMille(334), 2),
            (Sample::PerMille(1000), 3),
            (Sample::Texts(2), 2),
        ] {
            let check = SpotCheck { sample, ..CHECK };
            let Verdict::Agreed(accepted) = verdict(&check, |_| {}).unwrap() else { panic!("refused") };
            assert_eq!(accepted.agreement().texts, expect, "{sample:?}");
            assert!(accepted.agreement().greatest_token_nats.abs() < f64::MIN_POSITIVE);
        }
    }

    #[test]
    fn the_digest_holds_claims_texts_and_windows() {
        let windows = |context| Windows::new(context, 1).unwrap();
        let digest = |nats: &[f64], text: &[u32], context| {
            let Ok(claimed) = Claimed::ask(&Parrot(vec![nats.to_vec()]), &[text], windows(context));
            claimed.digest()
        };
        let all = [
            digest(&[1.0], &[1, 2], 8),
            digest(&[1.5], &[1, 2], 8),
            digest(&[1.0], &[1, 3], 8),
            digest(&[1.0], &[1, 2], 9),
        ];
        assert_eq!(all[0], digest(&[1.0], &[1, 2], 8));
        assert!((0..4).all(|a| (0..a).all(|b| all[a] != all[b])));
    }

    #[test]
    fn escape_probability_is_that_of_draws_without_replacement() {
        let near = |x: f64, expect: f64| assert!((x - expect).abs() < 1e-12, "{x} {expect}");
        near(escape_probability(10, 1, 3), 0.7);
        near(escape_probability(1000, 1, 300), 0.7);
        near(escape_probability(4, 2, 2), 1.0 / 6.0);
        near(escape_probability(7, 0, 7), 1.0);
        near(escape_probability(7, 5, 0), 1.0);
        near(escape_probability(7, 1, 9), 0.0);
        near(escape_probability(0, 3, 3), 1.0);
        near(escape_probability(1 << 40, 1 << 39, 1 << 39), 0.0);
        let ten = escape_probability(1000, 10, 300);
        assert!((ten - 0.0277).abs() < 1e-4, "{ten}");
    }

    #[test]
    fn samples_miss_bad_texts_as_often_as_the_formula_says() {
        let (texts, bad, sample, draws) = (40, 3, 12, 4000);
        let missed = (0..draws).filter(|draw| {
            let drawn = Seed::from_number(5).stream(SAMPLE_PURPOSE, *draw).sample(texts, sample);
            drawn.iter().all(|text| *text >= bad)
        });
        let (share, expect) = (missed.count() as f64 / draws as f64, escape_probability(texts, bad, sample));
        // Four standard deviations.
        let wide = 4.0 * (expect * (1.0 - expect) / draws as f64).sqrt();
        assert!((share - expect).abs() < wide, "{share} {expect}");
    }

    proptest::proptest! {
        #[test]
        fn sample_and_bad_texts_may_change_places(n in 0usize..60, a in 0usize..60, b in 0usize..60) {
            let (a, b) = (a.min(n), b.min(n));
            let direct = (0..b).map(|i| (n - a).saturating_sub(i) as f64 / (n - i) as f64).product::<f64>();
            proptest::prop_assert!((escape_probability(n, a, b) - direct).abs() < 1e-12);
            proptest::prop_assert!((escape_probability(n, b, a) - direct).abs() < 1e-12);
        }
    }
}
