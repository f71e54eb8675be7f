//! Text that follows a text: the likeliest tokens, or tokens drawn from a stream that a seed names.

use std::ops::ControlFlow;

use primitives::Seed;
use thiserror::Error;

use crate::{
    compute::Compute,
    decode::{DecodeError, Decoder},
};

/// Names the streams that tokens are drawn from; another version is another draw.
const DRAW_PURPOSE: &str = "lm generate v1";

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// The likeliest one; of several, the one with the least number.
    Greedy,
    /// One that is drawn.
    Drawn(Draw),
}

/// How tokens are drawn. The token at a position of the text depends on the seed and that position alone, apart from
/// the text before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Names the stream.
    pub seed: Seed,
    /// By which logits are divided: above 0, at most [`Draw::TEMPERATURE_MAX`].
    pub temperature: f64,
    /// How many of the likeliest tokens are drawn from, at least 1.
    pub top_k: usize,
    /// The least probability that these have together, above 0 and at most 1: the fewest likeliest tokens that reach it are
    /// drawn from. Source: Holtzman et al., "The curious case of neural text degeneration", 2020.
    pub top_p: f64,
}

impl Draw {
    /// The highest temperature: beyond it any token is as good as any other.
    pub const TEMPERATURE_MAX: f64 = 100.0;

    /// Draws from all tokens by their probability.
    #[must_use]
    pub fn plain(seed: Seed) -> Self {
        Self { seed, temperature: 1.0, top_k: usize::MAX, top_p: 1.0 }
    }
}

/// No text can be generated.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum GenerateError {
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
    /// The model predicts nothing for some token that can be compared with others.
    #[error("logit of token {token} at position {position} is not finite")]
    NotFinite {
        /// The first such token.
        token: usize,
        /// The position.
        position: usize,
    },
    /// Tokens can't be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// What has been generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The tokens behind the prompt, without the one that ended them.
    pub tokens: Vec<u32>,
    /// Why there are no more.
    pub finish: Finish,
}

/// Why a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A token that ends texts was chosen.
    Stop,
    /// There are as many as were asked for.
    Length,
    /// The context is full.
    Context,
    /// Whoever was told of the tokens broke off.
    Broken,
}

/// Generates at most `most` tokens behind `prompt`, until one of `stops` is chosen or the context is full.
///
/// # Errors
/// [`GenerateError`] where a setting is out of range, the prompt can't be read, or a logit is not finite.
pub fn generate(
    compute: &Compute,
    decoder: &Decoder,
    prompt: &[u32],
    most: usize,
    stops: &[u32],
    sampling: Sampling,
) -> Result<Generated, GenerateError> {
    generate_each(compute, decoder, prompt, most, stops, sampling, |_| ControlFlow::Continue(()))
}

/// As [`generate`], and tells each token as soon as it is chosen, until that breaks off.
///
/// # Errors
/// As [`generate`]; what was told before an error stands.
pub fn generate_each(
    compute: &Compute,
    decoder: &Decoder,
    prompt: &[u32],
    most: usize,
    stops: &[u32],
    sampling: Sampling,
    mut each: impl FnMut(u32) -> ControlFlow<()>,
) -> Result<Generated, GenerateError> {
    check(sampling)?;
    let mut sequence = decoder.start();
    let mut logits = decoder.read(compute, &mut sequence, prompt)?;
    let mut tokens = Vec::new();
    while tokens.len() < most {
        let position = sequence.tokens();
        if let Some(token) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(GenerateError::NotFinite { token, position });
        }
        let token = match sampling {
            Sampling::Greedy => likeliest(&logits),
            Sampling::Drawn(draw) => drawn(&logits, &draw, position),
        };
        if stops.contains(&token) {
            return Ok(Generated { tokens, finish: Finish::Stop });
        }
        tokens.push(token);
        if each(token).is_break() {
            return Ok(Generated { tokens, finish: Finish::Broken });
        }
        if tokens.len() == most {
            break;
        }
        if position == decoder.config().context {
            return Ok(Generated { tokens, finish: Finish::Context });
        }
        logits = decoder.read(compute, &mut sequence, &[token])?;
    }
    Ok(Generated { tokens, finish: Finish::Length })
}

fn check(sampling: Sampling) -> Result<(), GenerateError> {
    let Sampling::Drawn(Draw { temperature, top_k, top_p, .. }) = sampling else { return Ok(()) };
    let refuse = |name, value, expected| Err(GenerateError::Setting { name, value, expected });
    if !(temperature > 0.0 && temperature <= Draw::TEMPERATURE_MAX) {
        return refuse("temperature", temperature, "above 0, at most 100");
    }
    if top_k == 0 {
        return refuse("top_k", 0.0, "at least 1");
    }
    if !(top_p > 0.0 && top_p <= 1.0) {
        return refuse("top_p", top_p, "above 0, at most 1");
    }
    Ok(())
}

/// The number of a token.
fn token_of(index: usize) -> u32 {
    u32::try_from(index).expect("a vocabulary has fewer tokens")
}

/// The first of the largest logits.
fn likeliest(logits: &[f32]) -> u32 {
    let larger = |best: usize, index: usize| if logits[index] > logits[best] { index } else { best };
    token_of((1..logits.len()).fold(0, larger))
}

/// A token drawn for a position: the likeliest first, sums in f64 in that order.
fn drawn(logits: &[f32], draw: &Draw, position: usize) -> u32 {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    let likelier = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    if draw.top_k < order.len() {
        order.select_nth_unstable_by(draw.top_k, likelier);
        order.truncate(draw.top_k);
    }
    order.sort_unstable_by(likelier);
    let largest = f64::from(logits[order[0]]);
    let weight =
        |index: &usize| primitives::math::exp((f64::from(logits[*index]) - largest) / draw.temperature);
    let sums = order.iter().map(weight).scan(0.0, |sum, weight| {
        *sum += weight;
        Some(*sum)
    });
    let mut sums: Vec<f64> = sums.collect();
    let total = sums.last().copied().unwrap_or(0.0);
    let enough = sums.partition_point(|sum| *sum < draw.top_p * total);
    sums.truncate(enough + 1);
    let total = sums.last().copied().unwrap_or(0.0);
    // 53 bits, as many as a number of that kind has.
    let bits = draw.seed.stream(DRAW_PURPOSE, position as u64).next_u64() >> 11;
    let at = bits as f64 / (1u64 << 53) as f64 * total;
    let chosen = sums.partition_point(|sum| *sum <= at).min(sums.len() - 1);
    token_of(order[chosen])
}
