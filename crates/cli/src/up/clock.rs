//! What the blocks of a house's chain say of the time.

use devchain::{Handle as Node, Made, NodeError};
use primitives::{DurationMs, Timestamp};

/// From one block to the next, where blocks count the time: as on the main network.
const BLOCK: DurationMs = DurationMs(12_000);
/// The earliest time that counted blocks follow: the first moment of 2026 in milliseconds since 1970.
const BEGINNING: Timestamp = Timestamp(1_767_225_600_000);

/// Where a block's time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The time of day.
    Day,
    /// Each block is 12 s after the one before. Blocks' hashes cover their time and much is drawn from hashes: a run that
    /// is to come out the same on another day can't have that day's time in its blocks.
    Blocks,
}

impl Clock {
    /// A run whose epochs are counted is one to be repeated.
    pub(crate) fn of_run(epochs: Option<u64>) -> Self {
        if epochs.is_some() { Self::Blocks } else { Self::Day }
    }

    /// Makes a block.
    pub(crate) fn step(self, node: &Node) -> Result<Made, NodeError> {
        node.step(match self {
            Self::Day => None,
            Self::Blocks => Some(after(node.state().head().time)),
        })
    }
}

fn after(time: Timestamp) -> Timestamp {
    time.max(BEGINNING) + BLOCK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_count_from_the_beginning_or_from_the_block_before() {
        let first = after(Timestamp(0));
        assert_eq!(first, BEGINNING + BLOCK);
        assert_eq!(after(first), BEGINNING + BLOCK + BLOCK);
    }
}
