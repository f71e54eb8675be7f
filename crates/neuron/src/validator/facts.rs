//! What a validator has made durable, and the state that follows from it.
//!
//! The state is the fold of the facts and of nothing else: a validator that is started again from its log knows
//! what it knew.

use std::collections::{BTreeMap, BTreeSet};

use chain::{BlockNumber, WeightVector};
use mechanisms::{CaseResult, Committed, Outcome, Round, Verdict};
use primitives::{AlphaRao, Digest, DurationMs, Hotkey, Seed, Timestamp, Uid};
use serde::{Deserialize, Serialize};

use crate::{
    outbox::{Intent, Outcome as Sent, Purpose},
    rounds::Plan,
    wire::PartLine,
};

/// A fact in a validator's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ValidatorFact {
    /// A round has begun.
    RoundOpened {
        /// The round, without its jobs.
        round: Round,
    },
    /// The deadline has passed: what was committed, and the seed that audits it.
    RoundSealed {
        /// The round.
        round: u64,
        /// Draws every sample.
        audit_seed: Seed,
        /// What each miner had committed.
        commitments: Vec<(Hotkey, Committed)>,
    },
    /// A miner has shown its manifest, or something else in its place.
    ManifestListed {
        /// The round.
        round: u64,
        /// The miner.
        hotkey: Hotkey,
        /// Its lines; empty where they are not what was committed.
        lines: Vec<PartLine>,
        /// [`Outcome::Ok`], or what is wrong with it.
        outcome: Outcome,
        /// From the question to the answer.
        latency: DurationMs,
        /// When the answer was there.
        at: Timestamp,
    },
    /// One of a miner's answers is kept and waits for its examination.
    PartKept {
        /// The round.
        round: u64,
        /// The miner.
        hotkey: Hotkey,
        /// The task's place in the plan.
        task: u32,
    },
    /// An answer was examined.
    Examined {
        /// The round.
        round: u64,
        /// The miner.
        hotkey: Hotkey,
        /// The task's place in the plan.
        task: u32,
        /// What was found.
        result: CaseResult<String>,
    },
    /// The round was judged.
    RoundJudged {
        /// The round.
        round: u64,
        /// The judgements.
        verdict: Verdict,
    },
    /// Weights of an epoch have been decided on; they are sent behind this fact.
    WeightsDecided {
        /// The epoch.
        epoch: u64,
        /// The weights.
        weights: WeightVector,
    },
    /// An extrinsic has been decided on; it is sent behind this fact.
    Intended {
        /// The extrinsic.
        intent: Intent,
    },
    /// What became of an extrinsic is known.
    Settled {
        /// What it was for.
        purpose: Purpose,
        /// What became of it.
        outcome: Sent,
    },
    /// An epoch has run: who earned what.
    EpochClosed {
        /// The epoch.
        epoch: u64,
        /// The block in which it ran.
        block: BlockNumber,
        /// Slot, key and alpha of each neuron that earned anything.
        emission: Vec<(Uid, Hotkey, AlphaRao)>,
    },
}

impl ValidatorFact {
    /// The kind under which the log has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RoundOpened { .. } => "RoundOpened",
            Self::RoundSealed { .. } => "RoundSealed",
            Self::ManifestListed { .. } => "ManifestListed",
            Self::PartKept { .. } => "PartKept",
            Self::Examined { .. } => "Examined",
            Self::RoundJudged { .. } => "RoundJudged",
            Self::WeightsDecided { .. } => "WeightsDecided",
            Self::Intended { .. } => "Intended",
            Self::Settled { .. } => "Settled",
            Self::EpochClosed { .. } => "EpochClosed",
        }
    }

    /// The key under which the log takes the fact once.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::RoundOpened { round } => format!("opened/{}", round.number),
            Self::RoundSealed { round, .. } => format!("sealed/{round}"),
            Self::ManifestListed { round, hotkey, .. } => format!("listed/{round}/{hotkey}"),
            Self::PartKept { round, hotkey, task } => format!("kept/{round}/{hotkey}/{task}"),
            Self::Examined { round, hotkey, task, .. } => format!("examined/{round}/{hotkey}/{task}"),
            Self::RoundJudged { round, .. } => format!("judged/{round}"),
            Self::WeightsDecided { epoch, .. } => format!("weights/{epoch}"),
            Self::Intended { intent } => format!("intended/{:?}", intent.purpose),
            Self::Settled { purpose, .. } => format!("settled/{purpose:?}"),
            Self::EpochClosed { epoch, .. } => format!("closed/{epoch}"),
        }
    }
}

/// What is known of one miner in one round.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MinerState {
    pub(super) listed: Option<Listed>,
    pub(super) kept: BTreeSet<u32>,
    pub(super) examined: BTreeMap<u32, CaseResult<String>>,
}

/// A manifest that was shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    /// By the task's place in the plan.
    pub(super) lines: BTreeMap<u32, PartLine>,
    pub(super) outcome: Outcome,
    pub(super) latency: DurationMs,
    pub(super) at: Timestamp,
}

/// What is known of one round.
#[derive(Clone, Debug)]
pub(super) struct RoundState {
    pub(super) plan: Plan,
    pub(super) sealed: Option<Sealed>,
    pub(super) miners: BTreeMap<Hotkey, MinerState>,
    pub(super) is_judged: bool,
}

/// What was known when a round's deadline had passed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sealed {
    pub(super) audit_seed: Seed,
    pub(super) commitments: BTreeMap<Hotkey, Committed>,
}

impl RoundState {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, sealed: None, miners: BTreeMap::new(), is_judged: false }
    }

    /// Files a manifest under the places of its tasks.
    pub(super) fn list(&mut self, fact: &ValidatorFact) {
        let ValidatorFact::ManifestListed { hotkey, lines, outcome, latency, at, .. } = fact else { return };
        let placed = lines.iter().filter_map(|line| Some((*self.plan.by_id.get(&line.task)?, *line)));
        let listed = Listed { lines: placed.collect(), outcome: outcome.clone(), latency: *latency, at: *at };
        self.miners.entry(*hotkey).or_default().listed = Some(listed);
    }

    /// Whether nothing more can come: each committed miner has shown its manifest, and each answer is examined.
    pub(super) fn is_complete(&self) -> bool {
        let Some(sealed) = &self.sealed else { return false };
        sealed.commitments.keys().all(|hotkey| {
            let miner = self.miners.get(hotkey);
            let listed = miner.and_then(|miner| miner.listed.as_ref());
            listed.is_some_and(|listed| {
                listed.lines.keys().all(|task| miner.is_some_and(|miner| miner.examined.contains_key(task)))
            })
        })
    }
}

/// An epoch's weights on their way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WeightsState {
    pub(super) weights: WeightVector,
    pub(super) sent: Option<Sent>,
    pub(super) is_reveal_intended: bool,
}

/// Everything that the facts say.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) rounds: BTreeMap<u64, RoundState>,
    pub(super) weights: BTreeMap<u64, WeightsState>,
    pub(super) index: mechanisms::Index,
    pub(super) standings: mechanisms::Standings,
    pub(super) closed: Option<u64>,
}

impl Known {
    /// A digest of the state, for comparing a live machine with one that was started from its log.
    pub(super) fn digest(&self) -> Digest {
        let rounds: Vec<_> = self
            .rounds
            .iter()
            .map(|(number, round)| (number, &round.sealed, &round.miners, round.is_judged))
            .collect();
        let text =
            format!("{rounds:?}{:?}{:?}{:?}{:?}", self.weights, self.index, self.standings, self.closed);
        Digest::of(text.as_bytes())
    }
}
