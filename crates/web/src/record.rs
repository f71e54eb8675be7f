//! The house's public record: what happened in a subnet, as events that anybody may read.
//!
//! Whoever runs a house appends these to one log of a store; every page and every answer of the API is a fold of them. Each
//! record has a key under which the log takes it once, so that a writer that repeats itself after a crash changes
//! nothing. Names, addresses and reasons may quote a stranger: nothing here has been made safe to show. A field that came
//! later has a default, so that older logs are read too.

use mechanisms::{Judgement, Outcome};
use primitives::{AlphaRao, BlockNumber, Digest, DurationMs, Hotkey, NetUid, Seed, Timestamp, Uid};
use serde::{Deserialize, Serialize};
use store::{Json, JsonError, NewEvent};

/// The log that holds the records.
pub const LOG: &str = "house";

/// Something that happened.
#[expect(clippy::large_enum_variant, reason = "most records are examinations, and few are held at a time")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// The house opened its doors, or did so again after a stop. The newest of these counts.
    Opened {
        /// How often it has been opened, from 1.
        times: u64,
        /// What the subnet is called.
        name: String,
        /// The chain's number for it.
        netuid: NetUid,
        /// The mechanism by which it weighs.
        mechanism: String,
        /// Blocks in an epoch.
        tempo: u16,
        /// Time between two blocks.
        block_time: DurationMs,
        /// What the tasks are made of, in words.
        source: String,
        /// Bytes of it.
        source_bytes: u64,
        /// Where miners lease tasks; none where tasks are handed out inside one process only.
        task_api: Option<String>,
    },
    /// A neuron has taken a slot.
    Registered {
        /// Its slot.
        uid: Uid,
        /// Its key.
        hotkey: Hotkey,
        /// What it calls itself. A stranger's text.
        name: String,
        /// What it is there for.
        role: Role,
        /// For a neuron that the house itself has set up: how it behaves, and whether it deserves to be paid.
        cast: Option<Cast>,
        /// Since which block.
        block: BlockNumber,
    },
    /// A neuron has lost its slot.
    Deregistered {
        /// The slot.
        uid: Uid,
        /// Its key.
        hotkey: Hotkey,
        /// Since which block.
        block: BlockNumber,
    },
    /// A round has begun; a round is one epoch.
    RoundOpened {
        /// Its number: the epoch's.
        round: u64,
        /// The block after which it opened.
        block: BlockNumber,
        /// The last block whose commitments count.
        deadline: BlockNumber,
        /// Its tasks, by their places in the plan.
        tasks: Vec<TaskLine>,
    },
    /// The deadline has passed: what was committed, and the seed that draws every sample.
    RoundSealed {
        /// The round.
        round: u64,
        /// Of the first block's hash after the deadline.
        audit_seed: Seed,
        /// Miner, Merkle root and block of each commitment.
        commitments: Vec<(Hotkey, Digest, BlockNumber)>,
    },
    /// A validator has examined what a miner brought for one task.
    Examined {
        /// The validator.
        validator: Hotkey,
        /// The round.
        round: u64,
        /// The task's place in the plan.
        task: u32,
        /// The miner.
        miner: Hotkey,
        /// BLAKE3 of the submission's bytes; the submission's id.
        submission: Digest,
        /// The submission's length.
        bytes: u64,
        /// What came of it.
        outcome: Outcome,
        /// The mechanism's finding as JSON, where there is one.
        finding: Option<String>,
        /// The digest of the validator's receipt, where it has made one.
        receipt: Option<Digest>,
        /// What the examination cost in CPU time, where it was measured.
        cpu: Option<DurationMs>,
        /// The submission's own root, as the miner's manifest names it.
        #[serde(default)]
        root: Option<Digest>,
        /// The validator's sr25519 signature of the receipt's digest, in lower-case hexadecimal.
        #[serde(default)]
        signature: Option<String>,
    },
    /// A validator has judged a round.
    Judged {
        /// The validator.
        validator: Hotkey,
        /// The round.
        round: u64,
        /// One judgement per miner of the round.
        judgements: Vec<Judgement>,
    },
    /// A validator's weights of an epoch are on the chain.
    WeightsSet {
        /// The validator.
        validator: Hotkey,
        /// The epoch in which they were decided.
        epoch: u64,
        /// In which block they were committed to, where they were.
        block: Option<BlockNumber>,
        /// The weights, of 65535 at most.
        weights: Vec<(Uid, u16)>,
    },
    /// Consensus has run over an epoch.
    EpochClosed {
        /// The epoch.
        epoch: u64,
        /// The block in which it ran.
        block: BlockNumber,
        /// Every neuron, by uid.
        neurons: Vec<NeuronLine>,
    },
}

/// What a neuron is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Owns the subnet.
    Owner,
    /// Weighs.
    Validator,
    /// Brings work.
    Miner,
}

/// The part of a neuron that the house itself has set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cast {
    /// The strategy's id.
    pub strategy: String,
    /// What it does, in words.
    pub about: String,
    /// Whether it deserves to be paid.
    pub honest: bool,
}

/// A task of a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLine {
    /// Its id.
    pub id: Digest,
    /// Where in the source it lies, in words. May quote a file's name.
    pub about: String,
    /// Records or files that it spans, where that is known.
    pub entries: Option<u64>,
    /// Stored bytes that it spans.
    pub bytes: u64,
    /// Under which digest the house keeps the task as its mechanism writes it, where it does.
    #[serde(default)]
    pub text: Option<Digest>,
}

/// A neuron when an epoch closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuronLine {
    /// Its slot.
    pub uid: Uid,
    /// Its key.
    pub hotkey: Hotkey,
    /// Alpha staked with it.
    pub stake: AlphaRao,
    /// Whether it may set weights.
    pub validator_permit: bool,
    /// Share of the miners' reward, of 65535.
    pub incentive: u16,
    /// Share of the validators' reward, of 65535.
    pub dividends: u16,
    /// How much of its weights stood within consensus, of 65535.
    pub validator_trust: u16,
    /// What validators agree that it is worth, of 65535.
    pub consensus: u16,
    /// Alpha earned in this epoch.
    pub earned: AlphaRao,
    /// Since which block it holds its slot.
    pub registered_at: BlockNumber,
    /// Whether it can't lose its slot yet.
    pub immune: bool,
}

impl Record {
    /// The kind under which the log has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Record::Opened { .. } => "Opened",
            Record::Registered { .. } => "Registered",
            Record::Deregistered { .. } => "Deregistered",
            Record::RoundOpened { .. } => "RoundOpened",
            Record::RoundSealed { .. } => "RoundSealed",
            Record::Examined { .. } => "Examined",
            Record::Judged { .. } => "Judged",
            Record::WeightsSet { .. } => "WeightsSet",
            Record::EpochClosed { .. } => "EpochClosed",
        }
    }

    /// The key under which the log takes the record once.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Record::Opened { times, .. } => format!("opened/{times}"),
            Record::Registered { uid, hotkey, block, .. } => format!("registered/{uid}/{hotkey}/{block}"),
            Record::Deregistered { uid, hotkey, block } => format!("deregistered/{uid}/{hotkey}/{block}"),
            Record::RoundOpened { round, .. } => format!("round/{round}"),
            Record::RoundSealed { round, .. } => format!("sealed/{round}"),
            Record::Examined { validator, round, task, miner, .. } => {
                format!("examined/{validator}/{round}/{miner}/{task}")
            }
            Record::Judged { validator, round, .. } => format!("judged/{validator}/{round}"),
            Record::WeightsSet { validator, epoch, .. } => format!("weights/{validator}/{epoch}"),
            Record::EpochClosed { epoch, .. } => format!("epoch/{epoch}"),
        }
    }

    /// The event that the log takes, once.
    ///
    /// # Errors
    /// [`JsonError`] where the record is longer than a store takes.
    pub fn event(&self, at: Timestamp) -> Result<NewEvent, JsonError> {
        Ok(NewEvent::new(self.kind(), Json::of(self)?, at).once(self.key()))
    }
}

/// What changes with every block, and stands in no log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The newest block.
    pub block: BlockNumber,
    /// When it was made.
    pub at: Timestamp,
    /// The epoch that is running.
    pub epoch: u64,
    /// The block in which it ends.
    pub epoch_ends_at: BlockNumber,
    /// Submissions that wait for an examination, over all validators.
    pub queued: u64,
    /// Examinations under way.
    pub running: u64,
}
