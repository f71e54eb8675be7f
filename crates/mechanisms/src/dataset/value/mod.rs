//! Step 5 of the ladder: what a shard's texts are worth, found by training on them.
//!
//! Two corpora of the same length are each mixed into a frozen base: the shard's texts, and those that the default recipe
//! makes of the same records. Both trainings go on from one base model in the same order, and both score the same held-out
//! documents, which the audit seed draws after the commitment. Everything follows from public bytes and that seed, so
//! that whoever runs it again gets the same [`Evidence`] to the bit.
//!
//! A model that has learned to read first tells corpora apart in a hundred steps; two untrained ones differ more by their
//! seeds than by what they were fed.
//!
//! [`evidence`] weighs differences; this module makes them.

pub mod evidence;

use std::num::NonZeroUsize;

use corpus::{Exclusion, Shard, Source, SourceError};
use lm::{Compute, Model, Tokenizer, TrainConfig, Trainer};
use primitives::{Digest, Seed};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use evidence::{Evidence, Terms, Verdict};

use crate::Fetch;

/// The longest supply: texts of a base or of a pool.
const SUPPLY_MAX_BYTES: usize = 64 << 20;

/// How a shard's worth is found; part of the task, so that it is known before the work begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The digest of the model that every training goes on from, as [`Model::export`] writes it; over bytes.
    pub model: Digest,
    /// The digest of the base mix, as [`encode_texts`] writes it.
    pub base: Digest,
    /// The digest of the pool that held-out documents are drawn from.
    pub pool: Digest,
    /// Tokens (bytes and ends of documents) that are taken of the shard and of the default recipe's texts: more of them buy
    /// no score.
    pub candidate_tokens: usize,
    /// Held-out documents.
    pub documents: usize,
    /// Bytes of a held-out document that are scored, from its beginning.
    pub document_bytes: usize,
    /// Pairs of trainings.
    pub seeds: u32,
    /// How a training goes on from the base model.
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
        [self.model, self.base, self.pool].into_iter().map(|digest| Fetch::Supply { digest }).collect()
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
        let rows = shard.ledger.rows.len().max(reference.ledger.rows.len());
        let mut records: Vec<usize> = (0..rows).collect();
        seed.stream("records", 0).shuffle(&mut records);
        let pick = |shard: &Shard| {
            let rows = records.iter().filter_map(|at| shard.document(u32::try_from(*at).ok()?));
            Corpus::of(rows.map(|row| row.text.as_str()), self.candidate_tokens)
        };
        let (candidate, reference) = (pick(shard), pick(reference));
        if candidate == reference {
            return Ok(Evidence::equal(&self.terms));
        }
        let ground = Ground::read(self, source)?;
        let differences = self.differences(&ground, &candidate, &reference, seed, threads)?;
        Ok(Evidence::weigh(&self.terms, &differences))
    }

    /// By seed and held-out document: bits per byte under the reference's model minus those under the candidate's. Both are cut
    /// to the shorter one's length.
    ///
    /// # Errors
    /// [`ExperimentError::Models`] where a training fails.
    pub fn differences(
        &self,
        ground: &Ground,
        candidate: &Corpus,
        reference: &Corpus,
        seed: &Seed,
        threads: NonZeroUsize,
    ) -> Result<Vec<Vec<f64>>, ExperimentError> {
        let length = candidate.0.len().min(reference.0.len()).min(self.candidate_tokens);
        let cut = |corpus: &Corpus| Corpus(corpus.0[..length].to_vec());
        let (candidate, reference) = (cut(candidate), cut(reference));
        let held_out = self.held_out(ground, &[&candidate, &reference], seed)?;
        (0..u64::from(self.seeds))
            .map(|at| {
                let theirs = self.bits_per_byte(ground, &reference, &held_out, (seed, at), threads)?;
                let ours = self.bits_per_byte(ground, &candidate, &held_out, (seed, at), threads)?;
                Ok(theirs.iter().zip(&ours).map(|(theirs, ours)| theirs - ours).collect())
            })
            .collect()
    }

    /// The documents that all models score: drawn from the pool, without any that shares a 13-gram with what is trained on.
    ///
    /// # Errors
    /// [`ExperimentError::Models`] where there is more text than can be looked through.
    pub fn held_out(
        &self,
        ground: &Ground,
        trained: &[&Corpus],
        seed: &Seed,
    ) -> Result<Vec<Vec<u8>>, ExperimentError> {
        let trained: Vec<String> = trained.iter().map(|corpus| corpus.text()).collect();
        let known = Exclusion::new(ground.base.iter().chain(&trained)).map_err(|error| models(&error))?;
        let mut order: Vec<usize> = (0..ground.pool.len()).collect();
        seed.stream("held-out", 0).shuffle(&mut order);
        let fresh = order.into_iter().map(|at| &ground.pool[at]).filter(|text| known.hits(text).is_none());
        let cut = |text: &String| text.as_bytes()[..text.len().min(self.document_bytes)].to_vec();
        Ok(fresh.take(self.documents).map(cut).collect())
    }

    /// Bits per byte of each held-out document under the base model, trained on with the base and `mixed`; `training` is the
    /// experiment's seed and which of its trainings this is.
    ///
    /// # Errors
    /// [`ExperimentError::Models`] where a training fails.
    pub fn bits_per_byte(
        &self,
        ground: &Ground,
        mixed: &Corpus,
        held_out: &[Vec<u8>],
        training: (&Seed, u64),
        threads: NonZeroUsize,
    ) -> Result<Vec<f64>, ExperimentError> {
        let compute = Compute::new(threads.get()).map_err(|error| models(&error))?;
        let tokens = [&ground.base_tokens[..], &mixed.0].concat();
        let seed = training.0.derive("training", training.1);
        let trainer = Trainer::new(ground.model.clone(), self.training.clone(), seed);
        let mut trainer = trainer.map_err(|error| models(&error))?;
        trainer.run(&compute, &tokens).map_err(|error| models(&error))?;
        let model = trainer.into_state().model;
        let stride = model.config().context / 2;
        let scores = lm::score_texts(&model, &Tokenizer::bytes(), held_out, stride.max(1), &compute);
        let scores = scores.map_err(|error| models(&error))?;
        Ok(scores.iter().map(|score| score.bits_per_byte().unwrap_or(0.0)).collect())
    }
}

/// Documents as a stream of tokens: each document's bytes behind a start token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus(Vec<u32>);

impl Corpus {
    /// These documents, one behind the other, up to `most` tokens.
    #[must_use]
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>, most: usize) -> Self {
        let start = Tokenizer::bytes().start();
        let mut tokens = Vec::new();
        for text in texts {
            if tokens.len() >= most {
                break;
            }
            tokens.push(start);
            tokens.extend(text.bytes().map(u32::from));
        }
        tokens.truncate(most);
        Self(tokens)
    }

    /// The tokens.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.0
    }

    /// The documents as one text: their ends become spaces, so that no run of words is looked for across them in vain.
    fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().map(|token| u8::try_from(*token).unwrap_or(b' ')).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What the owner supplies, read: the same for every shard of a job.
#[derive(Debug)]
pub struct Ground {
    /// What every training goes on from.
    pub model: Model,
    /// The base mix.
    pub base: Vec<String>,
    /// What held-out documents are drawn from.
    pub pool: Vec<String>,
    base_tokens: Vec<u32>,
}

impl Ground {
    /// A ground of these parts.
    #[must_use]
    pub fn new(model: Model, base: Vec<String>, pool: Vec<String>) -> Self {
        let base_tokens = Corpus::of(base.iter().map(String::as_str), usize::MAX).0;
        Self { model, base, pool, base_tokens }
    }

    fn read(experiment: &Experiment, source: &dyn Source) -> Result<Self, ExperimentError> {
        let digest = experiment.model;
        let model = Model::import(&supply(source, digest)?);
        let model = model.map_err(|error| ExperimentError::Supply { digest, reason: error.to_string() })?;
        Ok(Self::new(model, texts(source, experiment.base)?, texts(source, experiment.pool)?))
    }
}

fn models(error: &dyn std::fmt::Display) -> ExperimentError {
    ExperimentError::Models { reason: error.to_string() }
}

/// The bytes of a supply.
fn supply(source: &dyn Source, digest: Digest) -> Result<Vec<u8>, ExperimentError> {
    let bytes = source.supply(&digest)?;
    let fail = |reason: String| Err(ExperimentError::Supply { digest, reason });
    if bytes.len() > SUPPLY_MAX_BYTES {
        return fail(format!("{} bytes, at most {SUPPLY_MAX_BYTES} are allowed", bytes.len()));
    }
    if Digest::of(&bytes) != digest {
        return fail("its bytes have another digest".to_owned());
    }
    Ok(bytes)
}

/// The texts of a supply.
fn texts(source: &dyn Source, digest: Digest) -> Result<Vec<String>, ExperimentError> {
    let read = serde_json::from_slice(&supply(source, digest)?);
    read.map_err(|error| ExperimentError::Supply { digest, reason: error.to_string() })
}
