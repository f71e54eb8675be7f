//! What a miner has made durable.

use serde::{Deserialize, Serialize};

use crate::{
    outbox::{Intent, Outcome, Purpose},
    wire::PartLine,
};

/// A fact in a miner's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MinerFact {
    /// An answer to a task is made and kept.
    Made {
        /// The round.
        round: u64,
        /// The task's place in the plan.
        task: u32,
        /// How the manifest will name it.
        line: PartLine,
    },
    /// The round's manifest is fixed; its commitment is sent behind this fact.
    Announced {
        /// The round.
        round: u64,
        /// The manifest.
        lines: Vec<PartLine>,
        /// The extrinsic.
        intent: Intent,
    },
    /// What became of an extrinsic is known.
    Settled {
        /// What it was for.
        purpose: Purpose,
        /// What became of it.
        outcome: Outcome,
    },
}

impl MinerFact {
    /// The kind under which the log has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Made { .. } => "Made",
            Self::Announced { .. } => "Announced",
            Self::Settled { .. } => "Settled",
        }
    }

    /// The key under which the log takes the fact once.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Made { round, task, .. } => format!("made/{round}/{task}"),
            Self::Announced { round, .. } => format!("announced/{round}"),
            Self::Settled { purpose, .. } => format!("settled/{purpose:?}"),
        }
    }
}
