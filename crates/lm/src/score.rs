//! How well a model predicts texts: nats per token, bits per byte.
//!
//! A text longer than the context is scored in overlapping windows. Each window starts `stride` tokens after the one
//! before and counts only for the positions that no earlier window has reached, so that every position counts exactly
//! once. No text's score depends on the others that are scored with it.

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
    /// Bits per byte; absent for an empty text.
    #[must_use]
    pub fn bits_per_byte(&self) -> Option<f64> {
        (self.bytes > 0).then(|| self.nats / std::f64::consts::LN_2 / self.bytes as f64)
    }
}

/// The windows of one sequence: [start, end) of the inputs, and the first position that counts.
fn windows(positions: usize, context: usize, stride: usize) -> Vec<(usize, usize, usize)> {
    let mut windows = Vec::new();
    let (mut start, mut done) = (0, 0);
    while done < positions {
        let end = positions.min(start + context);
        windows.push((start, end, done));
        done = end;
        start += stride;
    }
    windows
}

/// The negative log-likelihood of each token but the first, given those before it, in nats, for several sequences.
///
/// # Errors
/// The stride is 0 or above the context, or a token is beyond the vocabulary.
pub fn score_tokens(
    model: &Model,
    sequences: &[&[u32]],
    stride: usize,
    compute: &Compute,
) -> Result<Vec<Vec<f64>>, ScoreError> {
    let config = model.config();
    let context = config.context;
    if !(1..=context).contains(&stride) {
        return Err(ScoreError::Stride { stride, context });
    }
    for sequence in sequences {
        check_tokens(config, sequence)?;
    }
    let mut nats: Vec<Vec<f64>> = sequences.iter().map(|tokens| Vec::with_capacity(tokens.len())).collect();
    let mut workspace = Workspace::default();
    let mut waiting: Vec<(usize, (usize, usize, usize))> = Vec::new();
    let mut waiting_tokens = 0;
    let mut flush = |waiting: &mut Vec<(usize, (usize, usize, usize))>| -> Result<(), BatchError> {
        if waiting.is_empty() {
            return Ok(());
        }
        let pair = |&(index, (start, end, _)): &(usize, (usize, usize, usize))| {
            (&sequences[index][start..end], &sequences[index][start + 1..=end])
        };
        let batch = Batch::new(config, &waiting.iter().map(pair).collect::<Vec<_>>())?;
        workspace.nats(model, compute, &batch);
        let mut losses = &workspace.losses[..];
        for (index, (start, end, first)) in waiting.drain(..) {
            let (own, rest) = losses.split_at(end - start);
            losses = rest;
            nats[index].extend(own[first - start..].iter().map(|&x| if x.is_nan() { f64::NAN } else { x }));
        }
        Ok(())
    };
    for (index, sequence) in sequences.iter().enumerate() {
        for window in windows(sequence.len().saturating_sub(1), context, stride) {
            let length = window.1 - window.0;
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
    let encode = |(index, text): (usize, &T)| {
        let mut ids = vec![tokenizer.start()];
        let tokens = tokenizer.encode(text.as_ref()).map_err(|source| ScoreError::Text { index, source })?;
        ids.extend(tokens.iter().map(|token| token.id));
        Ok((ids, text.as_ref().len() as u64))
    };
    let encoded = texts.iter().enumerate().map(encode).collect::<Result<Vec<_>, ScoreError>>()?;
    let sequences: Vec<&[u32]> = encoded.iter().map(|(ids, _)| &ids[..]).collect();
    let nats = score_tokens(model, &sequences, stride, compute)?;
    let score = |((_, bytes), nats): (&(Vec<u32>, u64), &Vec<f64>)| Score {
        nats: nats.iter().sum(),
        bytes: *bytes,
        tokens: nats.len() as u64,
    };
    Ok(encoded.iter().zip(&nats).map(score).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn windows_count_every_position_once_in_order(n in 0usize..500, context in 1usize..60, stride in 1usize..60) {
            let stride = stride.min(context);
            let mut next = 0;
            for (start, end, first) in windows(n, context, stride) {
                proptest::prop_assert_eq!(first, next);
                proptest::prop_assert!(start <= first && first < end && end - start <= context);
                next = end;
            }
            proptest::prop_assert_eq!(next, n);
        }
    }
}
