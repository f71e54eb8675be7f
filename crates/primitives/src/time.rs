//! Time as a value: milliseconds, handed in by whoever owns a clock.

use std::{
    fmt,
    ops::{Add, Sub},
};

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A moment in milliseconds since the Unix epoch; in the simulator, since its start.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A span of milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct DurationMs(pub i64);

impl Add<DurationMs> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: DurationMs) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl Sub for Timestamp {
    type Output = DurationMs;
    fn sub(self, earlier: Timestamp) -> DurationMs {
        DurationMs(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for DurationMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}
