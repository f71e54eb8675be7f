//! The mechanism's numbers, with their reasons.

use corpus::shard::Limits;
use lm::TrainConfig;
use primitives::Digest;

use super::value::{Experiment, Terms};

/// Draws of kept records that are checked against the source, by the token: whoever falsifies a share f of the tokens is
/// found with a probability of 1 − (1 − f)^64, that is 0.96 for one in twenty and 0.999 for one in ten.
pub const SAMPLE_KEPT: usize = 64;

/// Draws of dropped records that are checked, by the byte.
pub const SAMPLE_DROPPED: usize = 32;

/// The least mean alignment of many sampled texts, in permille. Of the pages that this was set on, honest extractors
/// have means from 969 to 998, and those with one sentence in ten injected 880.
pub const ALIGNED_LEAST_PERMILLE: u16 = 930;

/// How low a single honest text may stand, in permille: one page in a thousand is extracted that badly.
pub const ALIGNED_LEAST_ALONE_PERMILLE: u16 = 150;

/// Rounds over which a miner's shares are averaged: each epoch pays for the tokens that its round verified, so that
/// two miners with the same tokens earn the same, whenever they brought them.
pub const WINDOW_ROUNDS: u32 = 1;

/// Shards that one miner may deliver in a round: the manifest of a submission stays under 64 KiB.
pub const SHARDS_PER_ROUND_MAX: usize = 256;

/// CPU time of one examination, in milliseconds: the samples of the largest shard take a second, an experiment's six
/// trainings the rest.
pub const EXAMINE_MAX_MS: i64 = 600_000;

/// Memory of one examination: a shard at its largest decodes to 256 MiB.
pub const EXAMINE_MAX_MEMORY_BYTES: u64 = 1 << 30;

/// Pieces that are fetched for one examination: samples, or every file of a task and the experiment's supplies.
pub const FETCHES_MAX: usize = 1 << 12;

/// The experiment that the house recommends, with these supplies: model, base mix and pool.
#[must_use]
pub fn default_experiment(model: Digest, base: Digest, pool: Digest) -> Experiment {
    Experiment {
        model,
        base,
        pool,
        candidate_tokens: 200_000,
        documents: 192,
        document_bytes: 768,
        seeds: 3,
        training: TrainConfig { steps: 100, peak_rate: 1e-3, ..TrainConfig::default() },
        terms: Terms {
            clip_bits_per_byte: 0.1,
            margin_bits_per_byte: 0.01,
            taper_bits_per_byte: 0.05,
            gain_bits_per_byte: 0.05,
            seed_sd_bits_per_byte: 0.003,
            factor_max: 2.0,
        },
    }
}

/// What is accepted as a shard at all.
pub const SHARD_LIMITS: Limits = Limits {
    encoded_max_bytes: 64 << 20,
    decoded_max_bytes: 256 << 20,
    // Prose compresses 3 to 5 times, licences 50 times; beyond this it is padding.
    ratio_max: 256,
    rows_max: 1 << 16,
    text_max_bytes: corpus::document::TEXT_MAX_BYTES,
};
