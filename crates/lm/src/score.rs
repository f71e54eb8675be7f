//! How well a model predicts texts: nats per token, bits per byte.
//!
//! A text longer than the context is scored in overlapping windows. Each window starts `stride` tokens after the one
//! before and counts only for the positions that no earlier window has reached, so that every position counts exactly
//! once. No text's score depends on the others that are scored with it.
//!
//! [`Scorer`] is the seam behind which likelihoods are computed: by the [`Reference`], whose bits are the same everywhere, or
//! faster and less exactly by [`crate::remote::Server`], whose numbers count for nothing before a
//! [`crate::SpotCheck`] has held a sample of them against the reference's.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    compute::Compute,
    model::Model,
    pass::{Batch, BatchError, Workspace, check_tokens},
    tokenizer::{Tokenizer, TokenizerError},
};

/// Tokens that go through the model at a time: enough to keep the threads busy, few enough for the caches.
const TOKENS_AT_ONCE: usize = 2048;

/// Texts cannot be scored.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ScoreError {
    /// Windows would leave gaps or stand still.
    #[error("stride is {stride}, expected 1 to the context of {context}")]
    Stride {
        /// What was given.
        stride: usize,
        /// The model's context.
        context: usize,
    },
    /// Windows are longer than what the model sees at once.
    #[error("windows have {windows} tokens, at most the model's context of {context} are possible")]
    Context {
        /// How many they have.
        windows: usize,
        /// The model's context.
        context: usize,
    },
    /// A text cannot be turned into tokens.
    #[error("text {index}: {source}")]
    Text {
        /// Which one.
        index: usize,
        /// Why not.
        source: TokenizerError,
    },
    /// Tokens don't suit the model.
    #[error(transparent)]
    Tokens(#[from] BatchError),
}

/// What the model makes of one text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Negative log-likelihood of the whole text, in nats; NaN has one form.
    pub nats: f64,
    /// Length of the text in bytes.
    pub bytes: u64,
    /// Length of the text in tokens.
    pub tokens: u64,
}

impl Score {
    /// The score of a text of so many bytes, from the negative log-likelihood of each of its tokens, in nats.
    #[must_use]
    pub fn of(nats: &[f64], bytes: u64) -> Self {
        Self { nats: nats.iter().sum(), bytes, tokens: nats.len() as u64 }
    }

    /// Bits per byte; absent for an empty text.
    #[must_use]
    pub fn bits_per_byte(&self) -> Option<f64> {
        (self.bytes > 0).then(|| self.nats / std::f64::consts::LN_2 / self.bytes as f64)
    }
}

/// How texts are cut into overlapping windows: so many tokens at a time, each window so many after the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    context: usize,
    stride: usize,
}

impl Windows {
    /// Windows of at most `context` tokens, not counting the one that the last of them predicts, `stride` tokens apart.
    ///
    /// # Errors
    /// The stride is 0 or above the context.
    pub fn new(context: usize, stride: usize) -> Result<Self, ScoreError> {
        if (1..=context).contains(&stride) {
            Ok(Self { context, stride })
        } else {
            Err(ScoreError::Stride { stride, context })
        }
    }

    /// Most tokens that a prediction depends on.
    #[must_use]
    pub fn context(self) -> usize {
        self.context
    }

    /// How many tokens after the one before a window starts.
    #[must_use]
    pub fn stride(self) -> usize {
        self.stride
    }

    /// Those of a sequence with so many tokens to predict, in order.
    pub(crate) fn cut(self, positions: usize) -> Vec<Window> {
        let mut windows = Vec::new();
        let (mut start, mut done) = (0, 0);
        while done < positions {
            let end = positions.min(start + self.context);
            windows.push(Window { start, end, first: done });
            done = end;
            start += self.stride;
        }
        windows
    }
}

/// One window of a sequence: its inputs are the tokens from `start` to before `end`, its targets those behind each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The first input whose target counts: no earlier window has it.
    pub(crate) first: usize,
}

/// What tells how likely texts are.
pub trait Scorer {
    /// Why it can't.
    type Error: std::error::Error;

    /// The negative log-likelihood of each token but the first, given those before it in its window, in nats: for a
    /// sequence of n tokens n − 1 numbers, the first one that of the second token; none for an empty sequence.
    ///
    /// # Errors
    /// The scorer's own.
    fn nats(&self, sequences: &[&[u32]], windows: Windows) -> Result<Vec<Vec<f64>>, Self::Error>;
}

/// The scorer that all others are measured by: this crate's arithmetic, with the same bits everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// What predicts.
    pub model: &'a Model,
    /// Where it is computed.
    pub compute: &'a Compute,
}

impl Scorer for Reference<'_> {
    type Error = ScoreError;

    fn nats(&self, sequences: &[&[u32]], windows: Windows) -> Result<Vec<Vec<f64>>, ScoreError> {
        let Self { model, compute } = *self;
        let config = model.config();
        if windows.context > config.context {
            return Err(ScoreError::Context { windows: windows.context, context: config.context });
        }
        for sequence in sequences {
            check_tokens(config, sequence)?;
        }
        let mut nats: Vec<Vec<f64>> =
            sequences.iter().map(|tokens| Vec::with_capacity(tokens.len())).collect();
        let mut workspace = Workspace::default();
        let mut waiting: Vec<(usize, Window)> = Vec::new();
        let mut waiting_tokens = 0;
        let mut flush = |waiting: &mut Vec<(usize, Window)>| -> Result<(), BatchError> {
            if waiting.is_empty() {
                return Ok(());
            }
            let pair = |&(index, Window { start, end, .. }): &(usize, Window)| {
                (&sequences[index][start..end], &sequences[index][start + 1..=end])
            };
            let batch = Batch::new(config, &waiting.iter().map(pair).collect::<Vec<_>>())?;
            workspace.nats(model, compute, &batch);
            let mut losses = &workspace.losses[..];
            for (index, Window { start, end, first }) in waiting.drain(..) {
                let (own, rest) = losses.split_at(end - start);
                losses = rest;
                nats[index]
                    .extend(own[first - start..].iter().map(|&x| if x.is_nan() { f64::NAN } else { x }));
            }
            Ok(())
        };
        for (index, sequence) in sequences.iter().enumerate() {
            for window in windows.cut(sequence.len().saturating_sub(1)) {
                let length = window.end - window.start;
                if waiting_tokens + length > TOKENS_AT_ONCE {
                    flush(&mut waiting)?;
                    waiting_tokens = 0;
                }
                waiting.push((index, window));
                waiting_tokens += length;
            }
        }
        flush(&mut waiting)?;
        Ok(nats)
    }
}

/// The negative log-likelihood of each token but the first, given those before it, in nats, for several sequences: the
/// [`Reference`]'s, in windows of the model's context.
///
/// # Errors
/// The stride is 0 or above the context, or a token is beyond the vocabulary.
pub fn score_tokens(
    model: &Model,
    sequences: &[&[u32]],
    stride: usize,
    compute: &Compute,
) -> Result<Vec<Vec<f64>>, ScoreError> {
    Reference { model, compute }.nats(sequences, Windows::new(model.config().context, stride)?)
}

/// The tokens of texts, each on its own behind a start token: what is scored of them.
///
/// # Errors
/// A text cannot be turned into tokens.
pub fn text_tokens<T: AsRef<[u8]>>(tokenizer: &Tokenizer, texts: &[T]) -> Result<Vec<Vec<u32>>, ScoreError> {
    let encode = |(index, text): (usize, &T)| {
        let mut ids = vec![tokenizer.start()];
        let tokens = tokenizer.encode(text.as_ref()).map_err(|source| ScoreError::Text { index, source })?;
        ids.extend(tokens.iter().map(|token| token.id));
        Ok(ids)
    };
    texts.iter().enumerate().map(encode).collect()
}

/// The scores of texts, each on its own behind a start token.
///
/// # Errors
/// The stride is 0 or above the context, a text cannot be turned into tokens, or the tokenizer has more tokens than
/// the model.
pub fn score_texts<T: AsRef<[u8]>>(
    model: &Model,
    tokenizer: &Tokenizer,
    texts: &[T],
    stride: usize,
    compute: &Compute,
) -> Result<Vec<Score>, ScoreError> {
    let encoded = text_tokens(tokenizer, texts)?;
    let sequences: Vec<&[u32]> = encoded.iter().map(|ids| &ids[..]).collect();
    let nats = score_tokens(model, &sequences, stride, compute)?;
    let score = |(text, nats): (&T, &Vec<f64>)| Score::of(nats, text.as_ref().len() as u64);
    Ok(texts.iter().zip(&nats).map(score).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn windows_count_every_position_once_in_order(n in 0usize..500, context in 1usize..60, stride in 1usize..60) {
            let stride = stride.min(context);
            let mut next = 0;
            for Window { start, end, first } in Windows::new(context, stride).unwrap().cut(n) {
                proptest::prop_assert_eq!(first, next);
                proptest::prop_assert!(start <= first && first < end && end - start <= context);
                next = end;
            }
            proptest::prop_assert_eq!(next, n);
        }
    }
}
