//! What one run of a child cost and how it ended: evidence for people, outside of every digest.

use primitives::Digest;
use serde::{Deserialize, Serialize};

use crate::Walls;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself.
    Exit {
        /// Its exit code.
        code: i32,
    },
    /// By a signal that this supervisor did not send.
    Signal {
        /// The signal's number.
        number: i32,
    },
    /// By this supervisor.
    Killed {
        /// Why.
        why: Kill,
    },
}

/// Why the supervisor ended a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kill {
    /// Its deadline had passed.
    Deadline,
    /// It wrote more than a result may have.
    Output,
}

/// One run of a child, as measured by its supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// How it ended.
    pub ending: Ending,
    /// Whether nothing else ran in this supervisor meanwhile.
    pub quiet: bool,
    /// From start to end, in milliseconds.
    pub wall_ms: u64,
    /// Processor time outside of the kernel, in milliseconds.
    pub user_ms: u64,
    /// Processor time inside the kernel, in milliseconds.
    pub system_ms: u64,
    /// Time in which it could have run and had no processor, in milliseconds; known where its deadline passed.
    pub starved_ms: u64,
    /// The most memory that it held at once, in bytes.
    pub max_rss_bytes: u64,
    /// Bytes that it was given.
    pub request_bytes: u64,
    /// Bytes that it wrote as its result, at most one more than a result may have.
    pub output_bytes: u64,
    /// The walls that it was told to put up.
    pub walls: Walls,
    /// When it was to be ended, in milliseconds after its start.
    pub deadline_ms: u64,
    /// The digest of the program's file.
    pub program: Digest,
    /// The beginning of what it wrote as errors; hostile text.
    pub errors: String,
}
