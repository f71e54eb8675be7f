//! The replay store: which nonces of which hotkeys were accepted, in bounded memory, without a write to disk.

use std::collections::BTreeSet;

use primitives::Hotkey;
use thiserror::Error;

use crate::{UnixNanos, Window};

/// Seconds behind the clock for which accepted nonces are kept. It must exceed the age that a window allows plus the
/// time that a body may take to arrive, and it does, 10 s and 30 s; what is older is refused without looking.
pub(crate) const RETENTION_S: u64 = 60;

/// Nonces kept at once, about 25 MB. Below about 4,300 accepted requests a second nothing is pushed out before its
/// time; above, the span shrinks, and it reaches the 10 s of the window only beyond 26,000.
pub(crate) const CAPACITY: usize = 262_144;

/// Why a nonce is refused after its signature passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// The very request was accepted before.
    #[error("nonce {nonce} of {hotkey} was accepted before")]
    Seen {
        /// The sender.
        hotkey: Hotkey,
        /// Its nonce.
        nonce: UnixNanos,
    },
    /// An earlier run of this process may have accepted it, which nobody remembers.
    #[error("nonce {nonce} could have been accepted before the start, nonces must be later than {until}")]
    BeforeStart {
        /// The nonce.
        nonce: UnixNanos,
        /// The last nonce that an earlier run could have accepted.
        until: UnixNanos,
    },
    /// It is older than what the store remembers.
    #[error("nonce {nonce} is older than what is remembered, nonces must be later than {until}")]
    Forgotten {
        /// The nonce.
        nonce: UnixNanos,
        /// The newest nonce that may have been forgotten.
        until: UnixNanos,
    },
}

/// Accepted (nonce, hotkey) pairs behind a floor that only rises.
///
/// Nothing at or below the floor is ever accepted, so a pair may be forgotten once the floor has passed it: forgetting
/// refuses an honest request at worst and never lets a replay through. The floor starts at the last nonce that an
/// earlier run could have accepted, then follows the clock at 60 seconds, or the oldest pairs that a full store
/// pushes out. A clock that goes back does not lower it.
#[derive(Debug)]
pub struct Replay {
    seen: BTreeSet<(UnixNanos, Hotkey)>,
    floor: UnixNanos,
    start_floor: UnixNanos,
    capacity: usize,
}

impl Replay {
    /// An empty store of a process that starts now: nonces up to the start and the allowed skew are refused.
    #[must_use]
    pub fn started(start: UnixNanos) -> Self {
        Self::with_capacity(start, CAPACITY)
    }

    /// As [`Replay::started`], with room for so many pairs, at least one.
    #[must_use]
    pub fn with_capacity(start: UnixNanos, capacity: usize) -> Self {
        let floor = start.plus_s(Window::STANDARD.skew_max_s);
        Self { seen: BTreeSet::new(), floor, start_floor: floor, capacity: capacity.max(1) }
    }

    /// Accepts a pair once.
    ///
    /// # Errors
    /// [`ReplayError`] for a pair that was or may have been accepted before.
    pub fn admit(&mut self, hotkey: Hotkey, nonce: UnixNanos, now: UnixNanos) -> Result<(), ReplayError> {
        self.raise_floor(now.minus_s(RETENTION_S));
        if nonce <= self.floor {
            return Err(match self.floor == self.start_floor {
                true => ReplayError::BeforeStart { nonce, until: self.floor },
                false => ReplayError::Forgotten { nonce, until: self.floor },
            });
        }
        if !self.seen.insert((nonce, hotkey)) {
            return Err(ReplayError::Seen { hotkey, nonce });
        }
        if self.seen.len() > self.capacity
            && let Some((oldest, _)) = self.seen.pop_first()
        {
            self.floor = self.floor.max(oldest);
        }
        Ok(())
    }

    /// How many pairs are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    fn raise_floor(&mut self, to: UnixNanos) {
        if to <= self.floor {
            return;
        }
        self.floor = to;
        while self.seen.first().is_some_and(|(nonce, _)| *nonce <= to) {
            self.seen.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, thread};

    use super::*;
    use crate::nonce::NANOS_PER_S;

    const START: UnixNanos = UnixNanos(1_000 * NANOS_PER_S);

    fn hotkey(byte: u8) -> Hotkey {
        Hotkey::from_bytes([byte; 32])
    }

    #[test]
    fn a_pair_is_accepted_once_and_each_hotkey_has_its_own() {
        let mut replay = Replay::started(START);
        let now = START.plus_s(5);
        assert_eq!(replay.admit(hotkey(1), now, now), Ok(()));
        assert_eq!(replay.admit(hotkey(2), now, now), Ok(()));
        assert_eq!(
            replay.admit(hotkey(1), now, now),
            Err(ReplayError::Seen { hotkey: hotkey(1), nonce: now })
        );
    }

    #[test]
    fn nonces_that_an_earlier_run_could_have_accepted_are_refused() {
        let mut replay = Replay::started(START);
        let until = START.plus_s(2);
        assert_eq!(
            replay.admit(hotkey(1), until, START),
            Err(ReplayError::BeforeStart { nonce: until, until })
        );
        assert_eq!(replay.admit(hotkey(1), UnixNanos(until.0 + 1), START), Ok(()));
    }

    #[test]
    fn what_is_forgotten_is_refused_even_when_the_clock_goes_back() {
        let mut replay = Replay::started(START);
        let early = START.plus_s(5);
        assert_eq!(replay.admit(hotkey(1), early, early), Ok(()));
        let late = early.plus_s(RETENTION_S);
        assert_eq!(replay.admit(hotkey(1), late, late), Ok(()));
        assert_eq!(replay.len(), 1, "the first pair is forgotten");
        for now in [late, early] {
            assert_eq!(
                replay.admit(hotkey(1), early, now),
                Err(ReplayError::Forgotten { nonce: early, until: early })
            );
        }
    }

    #[test]
    fn a_full_store_forgets_the_oldest_and_accepts_none_of_them_again() {
        let mut replay = Replay::with_capacity(START, 10);
        let now = START.plus_s(5);
        let nonces: Vec<_> = (0..100).map(|n| UnixNanos(now.0 + n)).collect();
        for &nonce in &nonces {
            assert_eq!(replay.admit(hotkey(1), nonce, now), Ok(()));
            assert!(replay.len() <= 10);
        }
        for &nonce in &nonces {
            assert!(replay.admit(hotkey(1), nonce, now).is_err(), "{nonce}");
        }
    }

    #[test]
    fn of_many_threads_with_one_nonce_exactly_one_is_accepted() {
        let replay = Mutex::new(Replay::started(START));
        let now = START.plus_s(5);
        let accepted: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..500u64)
                            .filter(|n| {
                                let nonce = UnixNanos(now.0 + n);
                                replay.lock().unwrap().admit(hotkey(1), nonce, now).is_ok()
                            })
                            .count()
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(accepted, 500);
    }

    proptest::proptest! {
        /// Whatever the order of moments and however small the store, no pair is accepted twice.
        #[test]
        fn no_pair_is_ever_accepted_twice(
            capacity in 1usize..20,
            calls in proptest::collection::vec((0u8..3, 0u64..200, 0u64..200), 1..300),
        ) {
            let mut replay = Replay::with_capacity(START, capacity);
            let mut accepted = BTreeSet::new();
            for (key, nonce_s, now_s) in calls {
                let nonce = START.plus_s(nonce_s);
                if replay.admit(hotkey(key), nonce, START.plus_s(now_s)).is_ok() {
                    proptest::prop_assert!(accepted.insert((key, nonce)));
                }
            }
        }
    }
}
