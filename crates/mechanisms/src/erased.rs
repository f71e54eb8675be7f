//! The same surface over bytes, so that mechanisms of different types can stand in one list.

use std::sync::Arc;

use corpus::Source;
use primitives::{Digest, merkle};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::{
    Aggregation, Case, CaseResult, Chapter, ExaminedCase, Fault, Fetch, Finding, Index, Inputs, Limits,
    Mechanism, Outcome, Payout, Round, Shape, Strategy, Truth, Verdict, case::LACKING_MAX_CHARS,
    words::chapters,
};

/// Domain of task ids.
const TASK_DOMAIN: &str = "weighhouse task v1";
/// A task's bytes: they are stored, sent and hashed for each case.
const TASK_MAX_BYTES: usize = 1 << 20;

/// A mechanism could not work on what it was given. Never a miner's doing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MechanismError {
    /// A job of the round can't be read.
    #[error("mechanism {mechanism} can't plan: {reason}")]
    Job {
        /// The mechanism.
        mechanism: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Bytes that this mechanism did not write.
    #[error("mechanism {mechanism} can't read {what}: {reason}")]
    Foreign {
        /// The mechanism.
        mechanism: &'static str,
        /// `task` or `finding`.
        what: &'static str,
        /// What the reader said.
        reason: String,
    },
}

/// A task as canonical bytes, named by their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedTask {
    /// The digest of the mechanism's id and the bytes.
    pub id: Digest,
    /// JSON with the fields in the order of the type.
    pub bytes: Vec<u8>,
}

impl ErasedTask {
    /// The name of a task of a mechanism.
    #[must_use]
    pub fn id_of(mechanism: &str, bytes: &[u8]) -> Digest {
        Digest::of_parts(TASK_DOMAIN, &[mechanism.as_bytes(), bytes])
    }
}

/// A case over task bytes.
pub type ErasedCase = Case<Vec<u8>>;

/// A [`Mechanism`] over bytes; each one has it by a blanket implementation.
pub trait ErasedMechanism: Send + Sync {
    /// See [`Mechanism::id`].
    fn id(&self) -> &'static str;
    /// See [`Mechanism::about`].
    fn about(&self) -> &'static str;
    /// See [`Mechanism::engine`].
    fn engine(&self) -> String;
    /// See [`Mechanism::shape`].
    fn shape(&self) -> Shape;
    /// See [`Mechanism::limits`].
    fn limits(&self) -> Limits;
    /// See [`Mechanism::aggregation`].
    fn aggregation(&self) -> Aggregation;
    /// See [`Mechanism::payout`].
    fn payout(&self) -> Payout;
    /// See [`Mechanism::strategies`].
    fn strategies(&self) -> Vec<&'static dyn Strategy>;
    /// What its room says of it, paragraph by paragraph.
    fn chapters(&self) -> Vec<Chapter>;

    /// Those of its strategies that try to be paid without the work.
    fn attacks(&self) -> Vec<&'static dyn Strategy> {
        self.strategies().into_iter().filter(|strategy| !strategy.is_honest()).collect()
    }

    /// See [`Mechanism::plan`].
    ///
    /// # Errors
    /// [`MechanismError::Job`].
    fn plan(&self, round: &Round) -> Result<Vec<ErasedTask>, MechanismError>;

    /// See [`Mechanism::needs`].
    ///
    /// # Errors
    /// [`MechanismError::Foreign`] for a task that this mechanism did not plan.
    fn needs(&self, case: &ErasedCase) -> Result<Vec<Fetch>, MechanismError>;

    /// The name of an answer in its miner's manifest: the submission's root where it has one, else its bytes' leaf.
    fn root_of(&self, bytes: &[u8]) -> Digest;

    /// Runs an examination once: every fault of the submission is in the result.
    ///
    /// # Errors
    /// [`MechanismError::Foreign`] for a task that this mechanism did not plan.
    fn examine(&self, case: &ErasedCase, inputs: &Inputs) -> Result<Finding, MechanismError>;

    /// Judges findings as [`ErasedMechanism::examine`] wrote them.
    ///
    /// # Errors
    /// [`MechanismError::Foreign`] for a finding that this mechanism did not write.
    fn judge(
        &self,
        cases: &[ExaminedCase<String>],
        index: &Index,
        truth: Option<&Truth>,
    ) -> Result<Verdict, MechanismError>;
}

impl<M: Mechanism> ErasedMechanism for M {
    fn id(&self) -> &'static str {
        Mechanism::id(self)
    }

    fn about(&self) -> &'static str {
        Mechanism::about(self)
    }

    fn engine(&self) -> String {
        Mechanism::engine(self)
    }

    fn shape(&self) -> Shape {
        Mechanism::shape(self)
    }

    fn limits(&self) -> Limits {
        Mechanism::limits(self)
    }

    fn aggregation(&self) -> Aggregation {
        Mechanism::aggregation(self)
    }

    fn payout(&self) -> Payout {
        Mechanism::payout(self)
    }

    fn strategies(&self) -> Vec<&'static dyn Strategy> {
        Mechanism::strategies(self)
    }

    fn chapters(&self) -> Vec<Chapter> {
        chapters(Mechanism::source_text(self))
    }

    fn plan(&self, round: &Round) -> Result<Vec<ErasedTask>, MechanismError> {
        let mechanism = Mechanism::id(self);
        let tasks =
            Mechanism::plan(self, round).map_err(|reason| MechanismError::Job { mechanism, reason })?;
        tasks.iter().map(|task| erase_task(mechanism, task)).collect()
    }

    fn needs(&self, case: &ErasedCase) -> Result<Vec<Fetch>, MechanismError> {
        Ok(Mechanism::needs(self, &typed_case(Mechanism::id(self), case)?))
    }

    fn root_of(&self, bytes: &[u8]) -> Digest {
        let parsed = Mechanism::parse(self, bytes).ok();
        parsed.and_then(|submission| self.root(&submission)).unwrap_or_else(|| merkle::leaf(bytes))
    }

    fn examine(&self, case: &ErasedCase, inputs: &Inputs) -> Result<Finding, MechanismError> {
        let case = typed_case(Mechanism::id(self), case)?;
        if inputs.submission.len() > Mechanism::limits(self).submission_bytes {
            return Ok(Finding::Done(CaseResult { outcome: Outcome::TooBig, examined: None }));
        }
        Ok(Finding::Done(match Mechanism::examine(self, &case, inputs) {
            Ok(found) => CaseResult { outcome: Outcome::Ok, examined: Some(to_json(&found)) },
            Err(Fault::Proven(proof)) => CaseResult { outcome: Outcome::Invalid(proof), examined: None },
            Err(Fault::Needs(more)) if !inputs.is_last => return Ok(Finding::Needs(more)),
            Err(Fault::NoEvidence { reason }) => return Ok(lacking(&reason)),
            Err(Fault::Needs(_)) => return Ok(lacking("more bytes are wanted after the last ones")),
        }))
    }

    fn judge(
        &self,
        cases: &[ExaminedCase<String>],
        index: &Index,
        truth: Option<&Truth>,
    ) -> Result<Verdict, MechanismError> {
        let mechanism = Mechanism::id(self);
        let mut typed = Vec::with_capacity(cases.len());
        for case in cases {
            let examined =
                case.examined.as_deref().map(|text| from_json(mechanism, "finding", text.as_bytes()));
            typed.push(ExaminedCase {
                hotkey: case.hotkey,
                uid: case.uid,
                outcome: case.outcome.clone(),
                latency: case.latency,
                received_at: case.received_at,
                committed: case.committed,
                examined: examined.transpose()?,
            });
        }
        Ok(Mechanism::judge(self, &typed, index, truth))
    }
}

fn lacking(reason: &str) -> Finding {
    Finding::Lacking(reason.chars().take(LACKING_MAX_CHARS).collect())
}

/// Examines a case to its end: brings what is needed, runs `examine` (here, or in a child), brings what that asks for
/// and runs it a second time.
pub fn examine_with(
    mechanism: &dyn ErasedMechanism,
    case: &ErasedCase,
    mut inputs: Inputs,
    source: &dyn Source,
    mut examine: impl FnMut(&ErasedCase, &Inputs) -> Option<Finding>,
) -> CaseResult<String> {
    let Ok(needs) = mechanism.needs(case) else { return CaseResult::ours() };
    bring(&mut inputs, needs, source);
    match examine(case, &inputs) {
        Some(Finding::Done(result)) => return result,
        Some(Finding::Needs(more)) if more.len() <= mechanism.limits().fetches => {
            bring(&mut inputs, more, source);
        }
        _ => return CaseResult::ours(),
    }
    inputs.is_last = true;
    match examine(case, &inputs) {
        Some(Finding::Done(result)) => result,
        _ => CaseResult::ours(),
    }
}

/// What can't be read is left out: the examination says what follows from that.
fn bring(inputs: &mut Inputs, wanted: Vec<Fetch>, source: &dyn Source) {
    for fetch in wanted {
        if let Ok(bytes) = fetch.resolve(source) {
            inputs.fetched.insert(fetch, Arc::new(bytes));
        }
    }
}

fn typed_case<T: DeserializeOwned>(
    mechanism: &'static str,
    case: &ErasedCase,
) -> Result<Case<T>, MechanismError> {
    Ok(Case {
        round: case.round,
        task: from_json(mechanism, "task", &case.task)?,
        hotkey: case.hotkey,
        root: case.root,
        audit_seed: case.audit_seed,
    })
}

fn erase_task<T: Serialize>(mechanism: &'static str, task: &T) -> Result<ErasedTask, MechanismError> {
    let bytes = to_json(task).into_bytes();
    if bytes.len() > TASK_MAX_BYTES {
        let reason = format!("a task has {} bytes, at most {TASK_MAX_BYTES} are allowed", bytes.len());
        return Err(MechanismError::Job { mechanism, reason });
    }
    Ok(ErasedTask { id: ErasedTask::id_of(mechanism, &bytes), bytes })
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("tasks and findings are plain data with string keys")
}

fn from_json<T: DeserializeOwned>(
    mechanism: &'static str,
    what: &'static str,
    bytes: &[u8],
) -> Result<T, MechanismError> {
    serde_json::from_slice(bytes).map_err(|error| MechanismError::Foreign {
        mechanism,
        what,
        reason: error.to_string(),
    })
}
