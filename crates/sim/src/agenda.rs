//! What will happen when: the simulator's own queue of events and its virtual time.

use std::collections::BTreeMap;

use primitives::{DurationMs, Timestamp};

/// Happenings in the order of their time; those of one time in the order in which they were planned.
pub(crate) struct Agenda<T> {
    now: Timestamp,
    planned: u64,
    queue: BTreeMap<(Timestamp, u64), T>,
}

impl<T> Agenda<T> {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { now, planned: 0, queue: BTreeMap::new() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn plan(&mut self, after: DurationMs, what: T) {
        self.planned += 1;
        self.queue.insert((self.now + after, self.planned), what);
    }

    /// The next happening; time moves to it.
    pub(crate) fn next(&mut self) -> Option<T> {
        let ((at, _), what) = self.queue.pop_first()?;
        self.now = at;
        Some(what)
    }
}
