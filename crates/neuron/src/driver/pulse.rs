//! Who is still at work: what a local chain waits for before it makes a block.
//!
//! On a chain that has its neurons in one process, a block that comes while they compute proves nothing but that the
//! machine is slow. The real network doesn't wait, and nothing in a neuron relies on it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use primitives::{BlockNumber, Hotkey};

/// Counts work under way, and knows which block each neuron has seen to.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    running: Arc<AtomicUsize>,
    seen: Arc<Mutex<BTreeMap<Hotkey, BlockNumber>>>,
}

impl Pulse {
    /// Something is at work until the guard is dropped.
    #[must_use]
    pub fn busy(&self) -> Busy {
        self.running.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(&self.running))
    }

    /// A neuron has done what follows from a block, as far as it did not have to wait.
    pub fn has_seen(&self, hotkey: Hotkey, block: BlockNumber) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(hotkey, block);
    }

    /// A neuron is no longer waited for.
    pub fn forget(&self, hotkey: &Hotkey) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(hotkey);
    }

    /// Whether everybody has seen to `block` and nobody is at work.
    #[must_use]
    pub fn is_quiet(&self, block: BlockNumber) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.values().all(|seen| *seen >= block) && self.running.load(Ordering::SeqCst) == 0
    }

    /// Work under way.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

/// Work under way, until it is dropped.
#[derive(Debug)]
pub struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_quiet_when_all_have_seen_the_block_and_nobody_works() {
        let (pulse, hotkey) = (Pulse::default(), Hotkey::from_bytes([1; 32]));
        assert!(pulse.is_quiet(7));
        pulse.has_seen(hotkey, 6);
        assert!(!pulse.is_quiet(7));
        pulse.has_seen(hotkey, 7);
        let busy = pulse.busy();
        assert!(!pulse.is_quiet(7));
        drop(busy);
        assert!(pulse.is_quiet(7));
        pulse.forget(&hotkey);
        assert!(pulse.is_quiet(8));
    }
}
