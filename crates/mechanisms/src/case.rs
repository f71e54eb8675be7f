//! What a mechanism is told and what it answers: rounds, cases, findings, judgements.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc};

use corpus::{Source, SourceError};
use primitives::{BlockNumber, Digest, DurationMs, Hotkey, MechId, NetUid, Seed, Timestamp, Uid, Unit};
use serde::{Deserialize, Serialize};

/// Characters of hostile text that a certificate quotes at most.
const QUOTE_MAX_CHARS: usize = 200;
/// Domain of audit seeds.
const AUDIT_DOMAIN: &str = "weighhouse audit seed v1";

/// A miner as the round knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundMiner {
    /// Its slot when the round opened.
    pub uid: Uid,
    /// Its key; scores belong to it.
    pub hotkey: Hotkey,
}

/// One round of a mechanism: everything from which its tasks follow, the same for every validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The subnet.
    pub netuid: NetUid,
    /// The chain's mechanism whose weights the round feeds.
    pub mechid: MechId,
    /// The subnet's epoch in which the round runs.
    pub number: u64,
    /// The hash of the block at which the round opened, as a seed: public from then on.
    pub seed: Seed,
    /// The block at which it opened.
    pub opened_at: BlockNumber,
    /// The last block whose commitments count.
    pub deadline: BlockNumber,
    /// The miners, by uid.
    pub miners: Vec<RoundMiner>,
    /// What the subnet's owner and clients ask for, as bytes that the mechanism defines. Not written with the
    /// round: whoever reads one back has the jobs.
    #[serde(skip)]
    pub jobs: Vec<Arc<Vec<u8>>>,
}

impl Round {
    /// The audit seed: from the hash of the first block after the deadline, the mechanism and the round. It is
    /// unknown to a miner when it commits and known to everybody afterwards.
    #[must_use]
    pub fn audit_seed(&self, mechanism: &str, after_deadline: &Digest) -> Seed {
        let parts: [&[u8]; 3] = [&after_deadline.0, mechanism.as_bytes(), &self.number.to_le_bytes()];
        Seed(Digest::of_parts(AUDIT_DOMAIN, &parts))
    }
}

/// What a miner committed on chain for a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The Merkle root over what it will show.
    pub root: Digest,
    /// The block that included the commitment.
    pub block: BlockNumber,
}

/// One piece of work by one miner, as an examination sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case<T> {
    /// The round's number.
    pub round: u64,
    /// What was asked for.
    pub task: T,
    /// Who answers.
    pub hotkey: Hotkey,
    /// The root under which the miner's commitment names this answer, where the mechanism has commitments.
    pub root: Option<Digest>,
    /// Draws every sample; see [`Round::audit_seed`].
    pub audit_seed: Seed,
}

/// Bytes that an examination asks the validator to bring.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fetch {
    /// One whole file of the task's source.
    File {
        /// Its path in the source's manifest.
        path: String,
    },
    /// A run of bytes of one of the source's files.
    Range {
        /// The file's path.
        path: String,
        /// The first byte.
        first_byte: u64,
        /// How many.
        length_bytes: u64,
    },
    /// What the subnet's owner put beside the source, by its digest.
    Supply {
        /// The digest of its bytes.
        digest: Digest,
    },
}

impl Fetch {
    /// The bytes, as `source` has them.
    ///
    /// # Errors
    /// [`SourceError`] where they can't be had.
    pub fn resolve(&self, source: &dyn Source) -> Result<Vec<u8>, SourceError> {
        match self {
            Fetch::File { path } => source.read(path),
            Fetch::Range { path, first_byte, length_bytes } => {
                source.read_range(path, *first_byte, *length_bytes)
            }
            Fetch::Supply { digest } => source.supply(digest),
        }
    }
}

/// The only things that an examination can see beside its case. All of it may be hostile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The miner's answer.
    pub submission: Arc<Vec<u8>>,
    /// What [`crate::Mechanism::needs`] and [`Fault::Needs`] asked for; what could not be brought is not there.
    pub fetched: BTreeMap<Fetch, Arc<Vec<u8>>>,
    /// Whether everything that was asked for has been tried: what is not there now will not come.
    pub is_last: bool,
    /// Threads that may be used. The finding is the same for any number.
    pub threads: NonZeroUsize,
}

impl Inputs {
    /// A submission, nothing fetched, one thread.
    #[must_use]
    pub fn of(submission: Arc<Vec<u8>>) -> Self {
        Self { submission, fetched: BTreeMap::new(), is_last: false, threads: NonZeroUsize::MIN }
    }
}

/// A proof of a miner's fault that anyone can replay from the case's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The step of the verification ladder that found it.
    pub step: u8,
    /// Which record, where the fault lies in one.
    pub record: Option<String>,
    /// The rule that was broken.
    pub rule: String,
    /// What the rule demands.
    pub expected: String,
    /// What was there instead.
    pub found: String,
}

impl Certificate {
    /// A certificate; quoted texts are cut to a bounded length.
    #[must_use]
    pub fn new(step: u8, record: Option<&str>, rule: &str, expected: &str, found: &str) -> Self {
        let cut = |text: &str| text.chars().take(QUOTE_MAX_CHARS).collect::<String>();
        Self { step, record: record.map(cut), rule: cut(rule), expected: cut(expected), found: cut(found) }
    }
}

impl std::fmt::Display for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step {}: {}", self.step, self.rule)?;
        if let Some(record) = &self.record {
            write!(f, " at {record}")?;
        }
        let shown = |text: &str| if text.is_empty() { "\"\"".to_owned() } else { text.to_owned() };
        write!(f, " (expected {}, found {})", shown(&self.expected), shown(&self.found))
    }
}

/// Why an examination has no finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The miner's fault, with its proof.
    Proven(Certificate),
    /// Nothing can be said about the miner: the validator lacked something. Neutral, and tried again.
    NoEvidence {
        /// What was lacking.
        reason: String,
    },
    /// More bytes are wanted, which ones only the submission could say. The examination is run again with them, once.
    Needs(Vec<Fetch>),
}

/// How far a case came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Examined without a fault.
    Ok,
    /// The miner committed nothing or did not answer.
    NoResponse,
    /// The miner answered that it will not show what it committed.
    Refused,
    /// A fault was proven.
    Invalid(Certificate),
    /// The answer was larger than the mechanism's limits.
    TooBig,
    /// The validator could not find out: the miner is left alone.
    ValidatorFault,
}

/// What came of examining one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult<E> {
    /// How far it came.
    pub outcome: Outcome,
    /// The finding, where the outcome is [`Outcome::Ok`].
    pub examined: Option<E>,
}

impl CaseResult<String> {
    /// The validator could not find out.
    #[must_use]
    pub fn ours() -> Self {
        Self { outcome: Outcome::ValidatorFault, examined: None }
    }
}

/// What one run of an examination came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It is finished.
    Done(CaseResult<String>),
    /// It wants these bytes and to be run again; see [`Fault::Needs`].
    Needs(Vec<Fetch>),
    /// Nothing can be said, for this reason; see [`Fault::NoEvidence`]. At most [`LACKING_MAX_CHARS`] characters.
    Lacking(String),
}

/// The longest reason of [`Finding::Lacking`]: a path and a sentence. It may quote a stranger.
pub const LACKING_MAX_CHARS: usize = 1_024;

/// A case with its finding, as judging sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExaminedCase<E> {
    /// Whose case.
    pub hotkey: Hotkey,
    /// Its slot when the round opened.
    pub uid: Uid,
    /// How far it came.
    pub outcome: Outcome,
    /// From question to answer.
    pub latency: DurationMs,
    /// When the answer was there.
    pub received_at: Timestamp,
    /// What the miner had committed.
    pub committed: Option<Committed>,
    /// The finding, where the outcome is [`Outcome::Ok`].
    pub examined: Option<E>,
}

/// What earlier rounds made known: who was first to bring a piece of content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The first bringer by the content's fingerprint.
    pub first: BTreeMap<Digest, Hotkey>,
}

/// Ground truth that arrived after the commitments, for delayed mechanisms; its bytes are the mechanism's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth(pub Vec<u8>);

/// What one miner's work of a round is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Whose work.
    pub hotkey: Hotkey,
    /// The score; none leaves the miner as it was (the validator's fault), zero was earned.
    pub score: Option<Unit>,
    /// Names and values that reproduce the score.
    pub parts: Vec<(String, f64)>,
    /// Why, in one line.
    pub reason: String,
    /// The proof, where a fault was proven; it also clears what the miner had earned before.
    pub certificate: Option<Certificate>,
}

/// The judgement of a round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// One judgement per miner of the round, by hotkey.
    pub judgements: Vec<Judgement>,
    /// What the round adds to the [`Index`].
    pub learned: Vec<(Digest, Hotkey)>,
}
