//! An examination as a job, the trait that runs it, and the evaluator that does so in this process.

use std::{num::NonZeroUsize, sync::Arc};

use corpus::Source;
use mechanisms::{
    Case, CaseResult, ErasedCase, ErasedMechanism, Fetch, Finding, Inputs, MechanismError, Outcome,
};
use primitives::{Digest, Hotkey, Seed};
use serde::{Deserialize, Serialize};
use store::artifacts::Artifacts;

use crate::{Class, Code, Failure, RunRecord};

/// One examination, with all that a worker on another machine would need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// The mechanism's id.
    pub mechanism: String,
    /// The round.
    pub round: u64,
    /// Whose answer.
    pub hotkey: Hotkey,
    /// The task's place in the round's plan.
    pub task: u32,
    /// The task.
    pub task_json: String,
    /// The answer's root, as committed.
    pub root: Digest,
    /// The artifact with the answer's bytes.
    pub part: Digest,
    /// Draws the samples.
    pub audit_seed: Seed,
}

impl Examination {
    /// The case that the mechanism sees.
    #[must_use]
    pub fn case(&self) -> ErasedCase {
        Case {
            round: self.round,
            task: self.task_json.clone().into_bytes(),
            hotkey: self.hotkey,
            root: Some(self.root),
            audit_seed: self.audit_seed,
        }
    }
}

/// Where the bytes come from that an examination needs beside the submission.
#[derive(Clone, Copy)]
pub struct Shelves<'a> {
    /// The validator's own reading of the source.
    pub source: &'a dyn Source,
    /// What the validator keeps by digest.
    pub artifacts: &'a dyn Artifacts,
}

/// What an examination asked for and what of it could be brought.
pub(crate) struct Gathered {
    inputs: Inputs,
    /// Why the rest is not there.
    missing: Vec<String>,
    /// What the examination said that it lacks.
    lacking: String,
}

impl Gathered {
    /// Brings everything that a case needs whatever the submission says. What can't be brought is left out: the
    /// examination says what follows.
    pub(crate) fn of(
        mechanism: &dyn ErasedMechanism,
        case: &ErasedCase,
        submission: Arc<Vec<u8>>,
        threads: NonZeroUsize,
        shelves: &Shelves<'_>,
    ) -> Result<Self, Failure> {
        let needs = mechanism.needs(case).map_err(foreign)?;
        let inputs = Inputs { threads, ..Inputs::of(submission) };
        let mut gathered = Self { inputs, missing: Vec::new(), lacking: String::new() };
        gathered.bring(needs, shelves);
        Ok(gathered)
    }

    /// Brings what an examination asked for when it had seen the submission; there is no asking after that.
    pub(crate) fn bring_more(
        &mut self,
        mechanism: &dyn ErasedMechanism,
        more: Vec<Fetch>,
        shelves: &Shelves<'_>,
    ) -> Result<(), Failure> {
        let (found, max) = (more.len(), mechanism.limits().fetches);
        if found > max {
            let detail = format!("{found} pieces are asked for, at most {max} are allowed");
            return Err(Failure::new(Code::RequestTooLong, detail));
        }
        self.bring(more, shelves);
        self.inputs.is_last = true;
        Ok(())
    }

    fn bring(&mut self, wanted: Vec<Fetch>, shelves: &Shelves<'_>) {
        for fetch in wanted {
            match fetch.resolve(shelves.source) {
                Ok(bytes) => _ = self.inputs.fetched.insert(fetch, Arc::new(bytes)),
                Err(error) => self.missing.push(error.to_string()),
            }
        }
    }

    /// What the examination sees.
    pub(crate) fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The result of an examination that has been given all that it asked for.
    pub(crate) fn ended(&mut self, finding: Finding) -> Result<CaseResult<String>, Failure> {
        match finding {
            Finding::Done(result) => Ok(result),
            Finding::Lacking(reason) => {
                self.lacking = reason;
                Ok(CaseResult::ours())
            }
            Finding::Needs(more) => {
                let detail = format!("{} more pieces are asked for a second time", more.len());
                Err(Failure::new(Code::Garbage, detail))
            }
        }
    }

    /// The evaluation of an examination that came to its end.
    pub(crate) fn evaluation(&self, result: CaseResult<String>) -> Evaluation {
        let failure = match &result.outcome {
            Outcome::Invalid(proof) if proof.step == 0 => {
                Some(Failure::new(Code::NotCommitted, proof.to_string()))
            }
            Outcome::Invalid(proof) => Some(Failure::new(Code::RuleBroken, proof.to_string())),
            Outcome::TooBig => Some(Failure::new(Code::TooBig, "above the mechanism's limit")),
            Outcome::ValidatorFault => Some(match self.missing.first() {
                Some(reason) => Failure::new(Code::BytesMissing, reason.clone()),
                None => Failure::new(Code::NoEvidence, self.lacking.clone()),
            }),
            Outcome::Ok | Outcome::NoResponse | Outcome::Refused => None,
        };
        Evaluation { result, failure, runs: Vec::new() }
    }
}

/// A task that its mechanism did not plan.
pub(crate) fn foreign(error: MechanismError) -> Failure {
    Failure::new(Code::ForeignTask, error.to_string())
}

/// What came of an examination: the result that counts, and the evidence for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What the validator records, the same for every evaluator.
    pub result: CaseResult<String>,
    /// What went wrong and whose fault it is, where something did.
    pub failure: Option<Failure>,
    /// Each run of a child, in order; none for [`Inline`].
    pub runs: Vec<RunRecord>,
}

impl Evaluation {
    /// An examination that failed for a reason of ours.
    #[must_use]
    pub fn ours(failure: Failure) -> Self {
        let result = CaseResult::ours();
        Self { result, failure: Some(failure), runs: Vec::new() }
    }

    /// Whose fault it is, where something went wrong.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        self.failure.as_ref().map(|failure| failure.code.class())
    }
}

/// Runs examinations: in the same process, or in a child behind walls.
pub trait Evaluator: Send + Sync {
    /// What came of examining `submission`; every fault is in the evaluation, this never fails.
    fn examine(&self, job: &Examination, submission: Arc<Vec<u8>>, shelves: &Shelves<'_>) -> Evaluation;
}

/// Examines in the same process.
pub struct Inline {
    /// The mechanism whose answers are examined.
    pub mechanism: &'static dyn ErasedMechanism,
}

impl Evaluator for Inline {
    fn examine(&self, job: &Examination, submission: Arc<Vec<u8>>, shelves: &Shelves<'_>) -> Evaluation {
        self.evaluate(job, submission, shelves).unwrap_or_else(Evaluation::ours)
    }
}

impl Inline {
    fn evaluate(
        &self,
        job: &Examination,
        submission: Arc<Vec<u8>>,
        shelves: &Shelves<'_>,
    ) -> Result<Evaluation, Failure> {
        let case = job.case();
        let mut gathered = Gathered::of(self.mechanism, &case, submission, NonZeroUsize::MIN, shelves)?;
        let mut finding = self.mechanism.examine(&case, gathered.inputs()).map_err(foreign)?;
        if let Finding::Needs(more) = finding {
            gathered.bring_more(self.mechanism, more, shelves)?;
            finding = self.mechanism.examine(&case, gathered.inputs()).map_err(foreign)?;
        }
        let result = gathered.ended(finding)?;
        Ok(gathered.evaluation(result))
    }
}
