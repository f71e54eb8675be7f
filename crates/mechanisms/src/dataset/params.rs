//! The mechanism's numbers, with their reasons.

use corpus::shard::Limits;

/// Entries of a task that are re-extracted: at 96, one entry in twenty falsified is found with a probability of
/// 1 − 0.95^96 = 0.993, and the check stays under a second of CPU time.
pub const SAMPLE_ENTRIES: usize = 96;

/// Rounds over which a miner's shares are averaged: each epoch pays for the tokens that its round verified, so that
/// two miners with the same tokens earn the same, whenever they brought them.
pub const WINDOW_ROUNDS: u32 = 1;

/// Shards that one miner may deliver in a round: the manifest of a submission stays under 64 KiB.
pub const SHARDS_PER_ROUND_MAX: usize = 256;

/// CPU time of one examination, in milliseconds: the largest shard's samples take under a second.
pub const EXAMINE_MAX_MS: i64 = 10_000;

/// Memory of one examination: a shard at its largest decodes to 256 MiB.
pub const EXAMINE_MAX_MEMORY_BYTES: u64 = 1 << 30;

/// What is accepted as a shard at all.
pub const SHARD_LIMITS: Limits = Limits {
    encoded_max_bytes: 64 << 20,
    decoded_max_bytes: 256 << 20,
    // Prose compresses 3 to 5 times, licences 50 times; beyond this it is padding.
    ratio_max: 256,
    rows_max: 1 << 16,
    text_max_bytes: corpus::document::TEXT_MAX_BYTES,
};
