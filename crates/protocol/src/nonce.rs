//! Nonces: moments in nanoseconds that a sender never uses twice.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use thiserror::Error;

/// Nanoseconds in a second.
pub(crate) const NANOS_PER_S: u64 = 1_000_000_000;

/// A moment in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixNanos(pub u64);

impl UnixNanos {
    /// The moment this many seconds later, at most the last one that can be written.
    #[must_use]
    pub const fn plus_s(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(NANOS_PER_S)))
    }

    /// The moment this many seconds earlier, at least the epoch.
    #[must_use]
    pub const fn minus_s(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds.saturating_mul(NANOS_PER_S)))
    }
}

impl fmt::Display for UnixNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ns", self.0)
    }
}

/// How far a nonce may lie from the receiver's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Seconds that a request may have been under way.
    pub age_max_s: u64,
    /// Seconds that the sender's clock may run ahead.
    pub skew_max_s: u64,
}

impl Window {
    /// The window of both protocols. Source: Bittensor SDK 11, `http_auth`, its defaults.
    pub const STANDARD: Self = Self { age_max_s: 10, skew_max_s: 2 };

    /// Whether a request with this nonce may be looked at further.
    ///
    /// # Errors
    /// [`WindowError`] for a nonce outside of the window; both ends belong to it.
    pub fn check(self, nonce: UnixNanos, now: UnixNanos) -> Result<(), WindowError> {
        if nonce < now.minus_s(self.age_max_s) {
            return Err(WindowError::Stale { age_ns: now.0 - nonce.0, age_max_s: self.age_max_s });
        }
        if nonce > now.plus_s(self.skew_max_s) {
            return Err(WindowError::Future { ahead_ns: nonce.0 - now.0, skew_max_s: self.skew_max_s });
        }
        Ok(())
    }
}

/// Why a nonce is not of this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WindowError {
    /// The request is too old.
    #[error("nonce is {age_ns} ns old, at most {age_max_s} s are allowed")]
    Stale {
        /// How old it is.
        age_ns: u64,
        /// The bound.
        age_max_s: u64,
    },
    /// The sender's clock runs too far ahead.
    #[error("nonce is {ahead_ns} ns ahead, at most {skew_max_s} s are allowed")]
    Future {
        /// How far ahead it is.
        ahead_ns: u64,
        /// The bound.
        skew_max_s: u64,
    },
}

/// Gives out nonces that only rise, however often and from however many threads they are asked for.
#[derive(Debug, Default)]
pub struct NonceSource {
    last: AtomicU64,
}

impl NonceSource {
    /// The present moment, or the smallest nonce that was not given out yet.
    pub fn next(&self, now: UnixNanos) -> UnixNanos {
        let after = |last: u64| now.0.max(last.saturating_add(1));
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)))
            .expect("the closure always returns a value");
        UnixNanos(after(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_the_window() {
        let now = UnixNanos(100 * NANOS_PER_S);
        let check = |nonce: u64, expect| assert_eq!(Window::STANDARD.check(UnixNanos(nonce), now), expect);
        check(90 * NANOS_PER_S, Ok(()));
        check(102 * NANOS_PER_S, Ok(()));
        check(90 * NANOS_PER_S - 1, Err(WindowError::Stale { age_ns: 10 * NANOS_PER_S + 1, age_max_s: 10 }));
        check(
            102 * NANOS_PER_S + 1,
            Err(WindowError::Future { ahead_ns: 2 * NANOS_PER_S + 1, skew_max_s: 2 }),
        );
        check(u64::MAX, Err(WindowError::Future { ahead_ns: u64::MAX - now.0, skew_max_s: 2 }));
    }

    #[test]
    fn nonces_rise_when_the_clock_stands_still_or_goes_back() {
        let source = NonceSource::default();
        let given: Vec<u64> = [50, 50, 40, 60, 60].map(|now| source.next(UnixNanos(now)).0).into();
        assert_eq!(given, [50, 51, 52, 60, 61]);
    }
}
