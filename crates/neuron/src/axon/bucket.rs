//! Token buckets by key, in bounded memory; the moment is an argument.

use std::{collections::BTreeMap, time::Duration};

/// Keys that are remembered at once, about 5 MB; keys beyond share one bucket until others are full again.
const KEYS_MAX: usize = 65_536;

/// How fast a bucket fills, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests a second in the long run.
    pub per_s: f64,
    /// Requests at once after a pause; less than 1 refuses everything.
    pub burst: f64,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

/// One bucket per key, full at first.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rate: Rate,
    keys_max: usize,
    by_key: BTreeMap<K, Bucket>,
    /// The bucket of all keys for which there was no room.
    rest: Bucket,
    /// When full buckets were last thrown out; once a second is enough.
    pruned_at: Duration,
}

impl<K: Ord + Copy> Buckets<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self::with_keys_max(rate, KEYS_MAX)
    }

    fn with_keys_max(rate: Rate, keys_max: usize) -> Self {
        let rest = Bucket { tokens: rate.burst, at: Duration::ZERO };
        Self { rate, keys_max, by_key: BTreeMap::new(), rest, pruned_at: Duration::ZERO }
    }

    /// Takes one token of the key; `false` where there is none. `now` counts from any fixed moment.
    pub(crate) fn take(&mut self, key: K, now: Duration) -> bool {
        let rate = self.rate;
        if self.by_key.len() >= self.keys_max && now.saturating_sub(self.pruned_at) >= Duration::from_secs(1)
        {
            self.pruned_at = now;
            self.by_key.retain(|_, bucket| bucket.filled(rate, now) < rate.burst);
        }
        let room = self.by_key.len() < self.keys_max;
        let bucket = match self.by_key.get_mut(&key) {
            Some(bucket) => bucket,
            None if room => self.by_key.entry(key).or_insert(Bucket { tokens: rate.burst, at: now }),
            None => &mut self.rest,
        };
        let tokens = bucket.filled(rate, now);
        let taken = tokens >= 1.0;
        *bucket = Bucket { tokens: if taken { tokens - 1.0 } else { tokens }, at: now.max(bucket.at) };
        taken
    }
}

impl Bucket {
    fn filled(&self, rate: Rate, now: Duration) -> f64 {
        let since_s = now.saturating_sub(self.at).as_secs_f64();
        (self.tokens + since_s * rate.per_s).min(rate.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_s: 2.0, burst: 3.0 };

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_burst_passes_then_the_rate() {
        let mut buckets = Buckets::new(RATE);
        let taken = |buckets: &mut Buckets<u8>, key, at| (0..10).filter(|_| buckets.take(key, at)).count();
        assert_eq!(taken(&mut buckets, 1, seconds(0)), 3);
        assert_eq!(taken(&mut buckets, 2, seconds(0)), 3, "each key has its own");
        assert_eq!(taken(&mut buckets, 1, seconds(1)), 2);
        assert_eq!(taken(&mut buckets, 1, seconds(100)), 3, "no more than the burst");
        assert_eq!(taken(&mut buckets, 1, seconds(50)), 0, "a clock that goes back gives nothing");
    }

    #[test]
    fn memory_is_bounded_and_new_keys_share_what_is_left() {
        let mut buckets = Buckets::with_keys_max(RATE, 10);
        let taken = (0..100u8).filter(|key| buckets.take(*key, seconds(0))).count();
        assert_eq!((taken, buckets.by_key.len()), (10 + 3, 10));
        assert!(buckets.take(99, seconds(5)), "full buckets make room");
        assert!(buckets.by_key.len() <= 10);
    }
}
