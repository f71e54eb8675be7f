//! The typed surface that each mechanism implements.

use primitives::{Digest, DurationMs};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Aggregation, Case, Certificate, ExaminedCase, Fault, Fetch, Index, Inputs, Payout, Round, Strategy,
    Truth, Verdict,
};

/// Who moves first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The validator asks and scores the answer.
    Pull,
    /// The miner publishes and commits; the validator audits when it likes.
    Push,
    /// The miner commits, reveals later, and is scored when the truth has arrived.
    Delayed,
}

impl Shape {
    /// Who moves first, in one line.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Shape::Pull => "the validator: it asks and scores the answer",
            Shape::Push => "the miner: it publishes and commits, the validator audits",
            Shape::Delayed => "the miner: it commits and is scored when the truth has arrived",
        }
    }
}

/// What an answer may cost its validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one submission.
    pub submission_bytes: usize,
    /// Answers that one miner may give in one round.
    pub items: usize,
    /// CPU time of one examination.
    pub examine: DurationMs,
    /// Memory of one examination, in bytes.
    pub memory_bytes: u64,
    /// Pieces that one examination may have fetched.
    pub fetches: usize,
}

/// One kind of work. Everything here is a pure function: the same arguments give the same bits everywhere.
pub trait Mechanism: Send + Sync {
    /// What is asked for.
    type Task: Serialize + DeserializeOwned;
    /// What is answered; hostile, and bounded by [`Mechanism::limits`].
    type Submission;
    /// What an examination finds: small, and trusted from then on.
    type Examined: Serialize + DeserializeOwned;

    /// The name in the catalogue.
    fn id(&self) -> &'static str;
    /// What is asked for and paid, in one line.
    fn about(&self) -> &'static str;
    /// What must be the same for two findings to have the same bits, with its version: recipes, kernels.
    fn engine(&self) -> String;
    /// Who moves first.
    fn shape(&self) -> Shape;
    /// What an answer may cost.
    fn limits(&self) -> Limits;
    /// How judgements of many rounds become one score.
    fn aggregation(&self) -> Aggregation;
    /// How scores become shares.
    fn payout(&self) -> Payout;
    /// Who works in it: the honest, the most diligent first, then the attacks. One that stands in the catalogue has both.
    fn strategies(&self) -> Vec<&'static dyn Strategy> {
        Vec::new()
    }
    /// Rust source whose first comment says what is paid, why that can't be gamed and what is weak. One that stands in the
    /// catalogue has such words.
    fn source_text(&self) -> &'static str {
        ""
    }

    /// The tasks of a round, the same on every validator.
    ///
    /// # Errors
    /// A text that names the job which can't be read.
    fn plan(&self, round: &Round) -> Result<Vec<Self::Task>, String>;

    /// The bytes that examining a case wants whatever the submission says.
    fn needs(&self, case: &Case<Self::Task>) -> Vec<Fetch>;

    /// Reads hostile bytes; runs in the worker.
    ///
    /// # Errors
    /// A certificate that the bytes are no submission.
    fn parse(&self, bytes: &[u8]) -> Result<Self::Submission, Certificate>;

    /// The Merkle root under which a miner's manifest names a submission; none where its bytes are its only name.
    fn root(&self, submission: &Self::Submission) -> Option<Digest> {
        let _ = submission;
        None
    }

    /// Examines one case; runs in the worker.
    ///
    /// # Errors
    /// [`Fault::Proven`] against the miner, [`Fault::NoEvidence`] where the validator lacked something, [`Fault::Needs`]
    /// where the submission says what else has to be seen.
    fn examine(&self, case: &Case<Self::Task>, inputs: &Inputs) -> Result<Self::Examined, Fault>;

    /// Judges all cases of a round together. A miner without a case gets no judgement.
    fn judge(&self, cases: &[ExaminedCase<Self::Examined>], index: &Index, truth: Option<&Truth>) -> Verdict;
}
