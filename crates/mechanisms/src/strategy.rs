//! A miner's behaviour: what it takes on, what it makes, whether it shows it.

use corpus::Source;
use primitives::{Hotkey, Seed};

/// One task as a miner sees it.
pub struct Work<'a> {
    /// The miner itself.
    pub hotkey: Hotkey,
    /// The round's number.
    pub round: u64,
    /// The task's bytes.
    pub task: &'a [u8],
    /// Where the task's inputs are read.
    pub source: &'a dyn Source,
    /// The miner's own randomness for this task.
    pub seed: Seed,
}

/// How a miner behaves in one mechanism. Honest ones do the work; attacks try to be paid without it.
pub trait Strategy: Send + Sync {
    /// The name shown in tables and given on the command line.
    fn id(&self) -> &'static str;
    /// What it does, in one line.
    fn about(&self) -> &'static str;
    /// Whether it deserves to be paid.
    fn is_honest(&self) -> bool;
    /// How many of a round's `planned` tasks it asks for.
    fn appetite(&self, planned: usize) -> usize;
    /// Its answer to one task; none delivers nothing.
    fn make(&self, work: &Work<'_>) -> Option<Vec<u8>>;
    /// Another miner's published answer turned into its own; none for those who don't copy.
    fn rework(&self, hotkey: Hotkey, published: &[u8]) -> Option<Vec<u8>> {
        let _ = (hotkey, published);
        None
    }
    /// Whether it looks for published answers to [`Strategy::rework`].
    fn is_copier(&self) -> bool {
        false
    }
}

impl<S: Strategy + ?Sized> Strategy for &S {
    fn id(&self) -> &'static str {
        (**self).id()
    }

    fn about(&self) -> &'static str {
        (**self).about()
    }

    fn is_honest(&self) -> bool {
        (**self).is_honest()
    }

    fn appetite(&self, planned: usize) -> usize {
        (**self).appetite(planned)
    }

    fn make(&self, work: &Work<'_>) -> Option<Vec<u8>> {
        (**self).make(work)
    }

    fn rework(&self, hotkey: Hotkey, published: &[u8]) -> Option<Vec<u8>> {
        (**self).rework(hotkey, published)
    }

    fn is_copier(&self) -> bool {
        (**self).is_copier()
    }
}
