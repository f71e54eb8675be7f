//! Who is still at work, and whose turn it is: what a local chain waits for before it makes a block.
//!
//! On a chain that has its neurons in one process, a block that comes while they compute proves nothing but that the
//! machine is slow. And which of them hears of a block first proves nothing but whose thread ran first, yet it decides who is
//! asked first and who gets which task: they take turns instead, in an order that the block draws. The real network neither
//! waits nor draws, and nothing in a neuron relies on it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chain::Head;
use primitives::{BlockNumber, Digest, Hotkey};
use tokio::sync::watch;

/// Counts work under way, and knows which block each neuron has seen to.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    counts: Mutex<Counts>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Counts {
    running: usize,
    /// Questions to others without an answer; they count among what runs.
    asking: usize,
    /// Calls that the chain has, by the newest block when it took them, whose senders don't know yet what became of them.
    sent: BTreeMap<BlockNumber, usize>,
    /// The newest block that each neuron has seen to; none for one that is coming up.
    seen: BTreeMap<Hotkey, Option<BlockNumber>>,
}

impl Counts {
    /// Whether nobody waits to be told what the block made of a call.
    fn is_told(&self, block: BlockNumber) -> bool {
        // A call that the next block left out is not waited for any longer: another block alone can bring it.
        block.checked_sub(1).is_none_or(|before| !self.sent.contains_key(&before))
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(Shared { counts: Mutex::default(), changed: watch::Sender::new(()) }))
    }
}

impl Pulse {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, how: impl FnOnce(&mut Counts)) {
        how(&mut self.counts());
        self.0.changed.send_replace(());
    }

    fn guard(&self, what: Work) -> Busy {
        self.change(|counts| what.count(counts, true));
        Busy { pulse: self.clone(), what }
    }

    /// Something is at work until the guard is dropped.
    #[must_use]
    pub fn busy(&self) -> Busy {
        self.guard(Work::Running)
    }

    /// Somebody else is asked until the guard is dropped.
    #[must_use]
    pub fn asking(&self) -> Busy {
        self.guard(Work::Asking)
    }

    /// The chain has taken in a call, with `head` as its newest block; until the guard is dropped its sender has not heard
    /// what the next block made of it.
    #[must_use]
    pub fn sent(&self, head: BlockNumber) -> Busy {
        self.guard(Work::Sent(head))
    }

    /// A neuron comes up: it is waited for from now on.
    pub fn join(&self, hotkey: Hotkey) {
        self.change(|counts| _ = counts.seen.insert(hotkey, None));
    }

    /// A neuron has done what follows from a block, as far as it did not have to wait.
    pub fn has_seen(&self, hotkey: Hotkey, block: BlockNumber) {
        self.change(|counts| _ = counts.seen.insert(hotkey, Some(block)));
    }

    /// A neuron is no longer waited for.
    pub fn forget(&self, hotkey: &Hotkey) {
        self.change(|counts| _ = counts.seen.remove(hotkey));
    }

    /// Waits until all whom the lot puts before this neuron have seen to the block, and nobody waits for an answer: what it
    /// then asks others finds them in the same state, however the threads ran.
    pub async fn turn(&self, hotkey: Hotkey, head: &Head) {
        let mut changed = self.0.changed.subscribe();
        while !self.is_turn(hotkey, head) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    fn is_turn(&self, hotkey: Hotkey, head: &Head) -> bool {
        let lot = |of: &Hotkey| Digest::of(&[head.hash.0, of.0.0].concat());
        let (own, counts) = (lot(&hotkey), self.counts());
        let is_before = |of: &Hotkey| *of != hotkey && lot(of) < own;
        counts.asking == 0
            && counts.is_told(head.number)
            && counts.seen.iter().all(|(of, seen)| *seen >= Some(head.number) || !is_before(of))
    }

    /// Whether everybody has seen to `block` and nobody is at work.
    #[must_use]
    pub fn is_quiet(&self, block: BlockNumber) -> bool {
        let counts = self.counts();
        counts.seen.values().all(|seen| *seen >= Some(block)) && counts.running == 0 && counts.is_told(block)
    }

    /// Work under way.
    #[must_use]
    pub fn running(&self) -> usize {
        self.counts().running
    }
}

/// What a guard counts.
#[derive(Clone, Copy, Debug)]
enum Work {
    Running,
    Asking,
    Sent(BlockNumber),
}

impl Work {
    fn count(self, counts: &mut Counts, begins: bool) {
        let step = |count: &mut usize| *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        match self {
            Work::Running => step(&mut counts.running),
            Work::Asking => {
                step(&mut counts.running);
                step(&mut counts.asking);
            }
            Work::Sent(head) => {
                let count = counts.sent.entry(head).or_default();
                step(count);
                if *count == 0 {
                    counts.sent.remove(&head);
                }
            }
        }
    }
}

/// Work under way, until it is dropped.
#[derive(Debug)]
pub struct Busy {
    pulse: Pulse,
    what: Work,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.pulse.change(|counts| self.what.count(counts, false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_quiet_when_all_have_seen_the_block_and_nobody_works() {
        let (pulse, hotkey) = (Pulse::default(), Hotkey::from_bytes([1; 32]));
        assert!(pulse.is_quiet(7));
        pulse.join(hotkey);
        assert!(!pulse.is_quiet(0), "one that comes up is waited for");
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

    #[test]
    fn what_the_next_block_made_of_a_call_is_waited_for() {
        let pulse = Pulse::default();
        let sent = pulse.sent(7);
        assert!(pulse.is_quiet(7), "the block that brings it has to be made first");
        assert!(!pulse.is_quiet(8));
        assert!(pulse.is_quiet(9), "one that a block left out holds up no other");
        drop(sent);
        assert!(pulse.is_quiet(8));
    }

    #[test]
    fn turns_come_one_after_the_other_in_an_order_that_the_block_draws() {
        let neurons = [1, 2, 3, 4, 5].map(|at| Hotkey::from_bytes([at; 32]));
        let order_at = |number: u64| {
            let pulse = Pulse::default();
            neurons.iter().for_each(|hotkey| pulse.join(*hotkey));
            let head = Head { number, hash: Digest::of(&number.to_le_bytes()), ..Head::default() };
            let mut order = Vec::new();
            while order.len() < neurons.len() {
                let may: Vec<_> = neurons.iter().filter(|of| !order.contains(*of)).collect();
                let may: Vec<_> = may.into_iter().filter(|of| pulse.is_turn(**of, &head)).collect();
                assert_eq!(may.len(), 1, "one at a time");
                let asking = pulse.asking();
                assert!(!pulse.is_turn(*may[0], &head), "nobody while another waits for an answer");
                drop(asking);
                pulse.has_seen(*may[0], number);
                order.push(*may[0]);
            }
            order
        };
        assert_eq!(order_at(3), order_at(3));
        assert_ne!(order_at(3), order_at(4));
    }
}
