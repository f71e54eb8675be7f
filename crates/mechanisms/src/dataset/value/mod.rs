//! Step 5 of the ladder: what a shard's texts are worth, found by training on them.
//!
//! Two corpora of the same length are each mixed into a frozen base: the shard's texts, and those that the default recipe
//! makes of the same records. Models of the same beginnings see them in the same order, and both score the same held-out
//! documents, which the audit seed draws after the commitment. Everything follows from public bytes and that seed, so
//! that whoever runs it again gets the same [`Evidence`] to the bit.
//!
//! [`evidence`] weighs differences; this module makes them.

pub mod evidence;

use std::num::NonZeroUsize;

use corpus::{Exclusion, Shard, Source, SourceError};
use lm::{Compute, Preset, Tokenizer, TrainConfig};
use primitives::{Digest, Seed};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use evidence::{Evidence, Terms, Verdict};

use crate::Fetch;

/// The longest supply: texts of a base or of a pool.
const SUPPLY_MAX_BYTES: usize = 64 << 20;
/// The end of a document in a stream of bytes. Prose holds none, since texts are normalised.
const DOCUMENT_END: u8 = 0;

/// How a shard's worth is found; part of the task, so that it is known before the work begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The digest of the base mix, as [`encode_texts`] writes it.
    pub base: Digest,
    /// The digest of the pool that held-out documents are drawn from.
    pub pool: Digest,
    /// Bytes that are taken of the shard and of the default recipe's texts: more of them buy no score.
    pub candidate_bytes: usize,
    /// Held-out documents.
    pub documents: usize,
    /// Bytes of a held-out document that are scored, from its beginning.
    pub document_bytes: usize,
    /// Pairs of trainings.
    pub seeds: u32,
    /// The models.
    pub model: Preset,
    /// Their training.
    pub training: TrainConfig,
    /// How the outcome is weighed and paid.
    pub terms: Terms,
}

/// An experiment can't be made. Never the miner's doing: too few of its texts are no error.
#[derive(Debug, Error)]
pub enum ExperimentError {
    /// A supply is not at hand.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A supply has another digest or form, or is too long.
    #[error("supply {digest} can't be used: {reason}")]
    Supply {
        /// Its digest.
        digest: Digest,
        /// What is wrong.
        reason: String,
    },
    /// Training or scoring refused its settings, or diverged.
    #[error("models can't be trained: {reason}")]
    Models {
        /// What was said.
        reason: String,
    },
}

/// Texts of a base or a pool as the bytes of a supply: a JSON list of strings.
#[must_use]
pub fn encode_texts(texts: &[String]) -> Vec<u8> {
    serde_json::to_vec(texts).expect("strings are plain data")
}

impl Experiment {
    /// What has to be fetched for it.
    #[must_use]
    pub fn supplies(&self) -> Vec<Fetch> {
        vec![Fetch::Supply { digest: self.base }, Fetch::Supply { digest: self.pool }]
    }

    /// Compares a shard with what the default recipe makes of the same records.
    ///
    /// # Errors
    /// [`ExperimentError`] where a supply or a training fails.
    pub fn weigh(
        &self,
        shard: &Shard,
        reference: &Shard,
        source: &dyn Source,
        seed: &Seed,
        threads: NonZeroUsize,
    ) -> Result<Evidence, ExperimentError> {
        let order = seed.stream("records", 0);
        let rows = shard.ledger.rows.len().max(reference.ledger.rows.len());
        let mut records: Vec<usize> = (0..rows).collect();
        { order }.shuffle(&mut records);
        let pick = |shard: &Shard| {
            let texts = records.iter().filter_map(|at| shard.document(u32::try_from(*at).ok()?));
            stream(texts.map(|row| row.text.as_str()), self.candidate_bytes)
        };
        let (ours, theirs) = (pick(shard), pick(reference));
        let base = texts(source, self.base)?;
        let pool = texts(source, self.pool)?;
        self.compare(&base, &ours, &theirs, &pool, seed, threads)
    }

    /// Compares a candidate's bytes with the reference's: both are cut to the shorter one's length.
    ///
    /// # Errors
    /// [`ExperimentError::Models`] where a training fails.
    pub fn compare(
        &self,
        base: &[String],
        candidate: &[u8],
        reference: &[u8],
        pool: &[String],
        seed: &Seed,
        threads: NonZeroUsize,
    ) -> Result<Evidence, ExperimentError> {
        let length = candidate.len().min(reference.len()).min(self.candidate_bytes);
        if candidate[..length] == reference[..length] {
            return Ok(Evidence::equal(&self.terms));
        }
        let differences = self.differences(base, candidate, reference, pool, seed, threads)?;
        Ok(Evidence::weigh(&self.terms, &differences))
    }

    /// By seed and held-out document: bits per byte under the reference's model minus those under the candidate's.
    ///
    /// # Errors
    /// [`ExperimentError::Models`] where a training fails.
    pub fn differences(
        &self,
        base: &[String],
        candidate: &[u8],
        reference: &[u8],
        pool: &[String],
        seed: &Seed,
        threads: NonZeroUsize,
    ) -> Result<Vec<Vec<f64>>, ExperimentError> {
        let length = candidate.len().min(reference.len()).min(self.candidate_bytes);
        let (candidate, reference) = (&candidate[..length], &reference[..length]);
        let held_out = self.held_out(base, candidate, reference, pool, seed);
        let base = stream(base.iter().map(String::as_str), usize::MAX);
        (0..u64::from(self.seeds))
            .map(|at| {
                let seed = seed.derive("training", at);
                let with_reference = self.bits_per_byte(&base, reference, &held_out, seed, threads)?;
                let with_candidate = self.bits_per_byte(&base, candidate, &held_out, seed, threads)?;
                Ok(with_reference.iter().zip(&with_candidate).map(|(theirs, ours)| theirs - ours).collect())
            })
            .collect()
    }

    /// The documents that both models score: drawn from the pool, without any that shares a 13-gram with what is trained on.
    fn held_out(
        &self,
        base: &[String],
        candidate: &[u8],
        reference: &[u8],
        pool: &[String],
        seed: &Seed,
    ) -> Vec<Vec<u8>> {
        let trained = [String::from_utf8_lossy(candidate), String::from_utf8_lossy(reference)];
        let known = Exclusion::new(base.iter().map(String::as_str).chain(trained.iter().map(|text| &**text)));
        let mut order: Vec<usize> = (0..pool.len()).collect();
        seed.stream("held-out", 0).shuffle(&mut order);
        let fresh = order.into_iter().map(|at| &pool[at]).filter(|text| known.hit(text).is_none());
        let cut = |text: &String| text.as_bytes()[..text.len().min(self.document_bytes)].to_vec();
        fresh.take(self.documents).map(cut).collect()
    }

    /// Bits per byte of each held-out document under a model trained on the base and `mixed`.
    fn bits_per_byte(
        &self,
        base: &[u8],
        mixed: &[u8],
        held_out: &[Vec<u8>],
        seed: Seed,
        threads: NonZeroUsize,
    ) -> Result<Vec<f64>, ExperimentError> {
        let fail = |error: &dyn std::fmt::Display| ExperimentError::Models { reason: error.to_string() };
        let compute = Compute::new(threads.get()).map_err(|error| fail(&error))?;
        let tokenizer = Tokenizer::bytes();
        let tokens: Vec<u32> = base.iter().chain(mixed).map(|byte| u32::from(*byte)).collect();
        let config = self.model.config();
        let trained = lm::train(&config, &tokens, &self.training, seed, &compute).map_err(|error| fail(&error))?;
        let scores = lm::score_texts(&trained.model, &tokenizer, held_out, config.context / 2, &compute)
            .map_err(|error| fail(&error))?;
        Ok(scores.iter().map(|score| score.bits_per_byte().unwrap_or(0.0)).collect())
    }
}

/// Documents one behind the other, each with its end, up to `most` bytes.
fn stream<'a>(texts: impl Iterator<Item = &'a str>, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        if bytes.len() >= most {
            break;
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(DOCUMENT_END);
    }
    bytes.truncate(most);
    bytes
}

/// The texts of a supply.
fn texts(source: &dyn Source, digest: Digest) -> Result<Vec<String>, ExperimentError> {
    let bytes = source.supply(&digest)?;
    let fail = |reason: String| ExperimentError::Supply { digest, reason };
    if bytes.len() > SUPPLY_MAX_BYTES {
        return Err(fail(format!("{} bytes, at most {SUPPLY_MAX_BYTES} are allowed", bytes.len())));
    }
    if Digest::of(&bytes) != digest {
        return Err(fail("its bytes have another digest".to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|error| fail(error.to_string()))
}
