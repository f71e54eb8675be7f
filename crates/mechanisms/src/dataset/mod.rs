//! Paying for pretraining data: real text, processed whole, proven honest.
//!
//! **What is asked for.** A task is a part of a source: a run of a folder's sorted manifest, or a run of whole records in
//! a web archive. The miner turns each record into a document or writes down why not, and delivers a shard: documents and
//! a decision ledger. It commits the Merkle root over its shards of the round on chain.
//!
//! **What is paid.** Honesty × verified unique tokens × value. A document counts for the miner that committed to it first,
//! once per pass over the source. By the pinned recipe every token is worth one. Where the terms take other recipes, a
//! shard's texts and those of the pinned recipe are trained on side by side: a proven gain pays up to the terms' factor,
//! being provably worse by more than the margin tapers to nothing, and what is undecided pays one and says so. Scores are
//! shares of all worth that was verified in the round. Time is only a deadline.
//!
//! **Why it can't be gamed.** Facts are checked exactly. The ledger must tile the task, so that leaving something out shows;
//! the records that are checked against the source are drawn by a block hash that did not exist when the miner committed,
//! each by what a lie in it would bring: kept ones by the token, dropped ones by the byte. A text of the pinned recipe comes
//! out to the bit; those of another recipe must stand in their pages in order, on average. The shard carries the miner's key, so that a copied one has another root; copied content
//! counts for the earlier commitment. Excluded benchmarks are looked for in every kept document. Held-out documents and
//! training seeds are drawn after the commitment, and volume buys no value: both sides train on as many bytes. A proven fault
//! earns zero for the round and comes with a certificate that anyone can replay.
//!
//! **What is known to be weak.** A new pass over the source pays again for what an earlier one brought, so that in
//! a small source whoever kept its shards has no work in the next pass. Two commitments in one block are ordered by their
//! roots. Samples find a fault in a share f of the kept tokens with a probability of 1 − (1 − f)^k, k being
//! [`params::SAMPLE_KEPT`]. Under a recipe of its own a miner may drop what it likes, and a few percent of strange text
//! can't be told from extraction gone wrong. A value is an estimate: it says with which interval.

pub mod attacks;
mod examine;
mod judge;
pub mod miner;
pub mod params;
pub mod sample;
mod task;
pub mod value;

use primitives::{Digest, DurationMs};

use crate::{
    Aggregation, Case, Certificate, ExaminedCase, Fault, Fetch, Index, Inputs, Limits, Mechanism, Payout,
    Round, Shape, Strategy, Truth, Verdict,
};

pub use examine::Examined;
pub use task::{Job, Task, Terms};

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
        "documents of a source with a record of every decision, paid by verified unique tokens and their worth"
    }

    fn engine(&self) -> String {
        format!("{} lm/{}", corpus::RECIPE, lm::KERNEL_VERSION)
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
            fetches: params::FETCHES_MAX,
        }
    }

    fn aggregation(&self) -> Aggregation {
        Aggregation::Window { rounds: params::WINDOW_ROUNDS }
    }

    fn payout(&self) -> Payout {
        Payout::Proportional { exponent: 1 }
    }

    fn strategies(&self) -> Vec<&'static dyn Strategy> {
        let honest = miner::HONEST.iter().map(|honest| honest as &dyn Strategy);
        let own_recipes = miner::OWN_RECIPES.iter().map(|own| own as &dyn Strategy);
        honest.chain(own_recipes).chain(attacks::all()).collect()
    }

    fn source_text(&self) -> &'static str {
        include_str!("mod.rs")
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
