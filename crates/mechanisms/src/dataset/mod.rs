//! Paying for pretraining data: real text, processed whole, proven honest.
//!
//! **What is asked for.** A task is a run of a source's sorted manifest. The miner turns each entry into a
//! document or writes down why not, and delivers a shard: documents and a decision ledger. It commits the Merkle
//! root over its shards of the round on chain.
//!
//! **What is paid.** Verified unique tokens: a document counts for the miner that committed to it first, once
//! per pass over the source. Scores are shares of all tokens that were verified in the round. Time is only a
//! deadline.
//!
//! **Why it can't be gamed.** Facts are checked exactly. The ledger must tile the task, so that leaving
//! something out shows; the entries that are re-extracted are drawn by a block hash that did not exist when the
//! miner committed, kept and dropped alike; the shard carries the miner's key, so that a copied one has another
//! root; copied content counts for the earlier commitment. A proven fault earns zero for the round, clears what
//! was earned before, and comes with a certificate that anyone can replay.
//!
//! **What is known to be weak.** A new pass over the source pays again for what an earlier one brought, so that in
//! a small source whoever kept its shards has no work in the next pass. All verified tokens are paid alike, whatever they are worth for training. Two
//! commitments in one block are ordered by their roots. A part of the entries is sampled where a task has more
//! than [`params::SAMPLE_ENTRIES`]; a fault in a share f of them escapes with probability (1 − f)^k.

pub mod attacks;
mod examine;
mod judge;
pub mod miner;
pub mod params;
mod task;

use primitives::{Digest, DurationMs};

use crate::{
    Aggregation, Case, Certificate, ExaminedCase, Fault, Fetch, Index, Inputs, Limits, Mechanism, Payout,
    Round, Shape, Truth, Verdict,
};

pub use examine::Examined;
pub use task::{Job, Task};

/// The dataset mechanism.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dataset;

/// Its name in the catalogue.
pub const ID: &str = "dataset";

impl Mechanism for Dataset {
    type Task = Task;
    type Submission = corpus::shard::Shard;
    type Examined = Examined;

    fn id(&self) -> &'static str {
        ID
    }

    fn about(&self) -> &'static str {
        "documents of a source with a record of every decision, paid by verified unique tokens"
    }

    fn shape(&self) -> Shape {
        Shape::Push
    }

    fn limits(&self) -> Limits {
        Limits {
            submission_bytes: params::SHARD_LIMITS.encoded_max_bytes,
            items: params::SHARDS_PER_ROUND_MAX,
            examine: DurationMs(params::EXAMINE_MAX_MS),
            memory_bytes: params::EXAMINE_MAX_MEMORY_BYTES,
        }
    }

    fn aggregation(&self) -> Aggregation {
        Aggregation::Window { rounds: params::WINDOW_ROUNDS }
    }

    fn payout(&self) -> Payout {
        Payout::Proportional { exponent: 1 }
    }

    fn plan(&self, round: &Round) -> Result<Vec<Task>, String> {
        task::plan(round)
    }

    fn needs(&self, case: &Case<Task>) -> Vec<Fetch> {
        examine::needs(case)
    }

    fn parse(&self, bytes: &[u8]) -> Result<Self::Submission, Certificate> {
        examine::parse(bytes)
    }

    fn root(&self, submission: &Self::Submission) -> Option<Digest> {
        Some(submission.root())
    }

    fn examine(&self, case: &Case<Task>, inputs: &Inputs) -> Result<Examined, Fault> {
        examine::examine(case, inputs)
    }

    fn judge(&self, cases: &[ExaminedCase<Examined>], index: &Index, _truth: Option<&Truth>) -> Verdict {
        judge::judge(cases, index)
    }
}
