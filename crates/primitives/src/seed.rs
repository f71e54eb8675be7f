//! Seeds and the random streams drawn from them: all randomness of the house is one of these.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use rand_core::Rng as _;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// Domain of seed derivation; a change of the scheme changes this text.
const DERIVE_DOMAIN: &str = "weighhouse seed v1";

/// 32 bytes from which everything random in one place follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub Digest);

impl Seed {
    /// The seed named by a number, as given on a command line.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self(Digest::of_parts(DERIVE_DOMAIN, &[b"number", &number.to_le_bytes()]))
    }

    /// The seed for one purpose and index; different pairs give independent seeds.
    #[must_use]
    pub fn derive(&self, purpose: &str, index: u64) -> Self {
        Self(Digest::of_parts(DERIVE_DOMAIN, &[&self.0.0, purpose.as_bytes(), &index.to_le_bytes()]))
    }

    /// The seed for one purpose and a list of byte strings.
    #[must_use]
    pub fn derive_from(&self, purpose: &str, parts: &[&[u8]]) -> Self {
        let bound = Digest::of_parts(purpose, parts);
        Self(Digest::of_parts(DERIVE_DOMAIN, &[&self.0.0, purpose.as_bytes(), &bound.0]))
    }

    /// A random stream for one purpose and index.
    #[must_use]
    pub fn stream(&self, purpose: &str, index: u64) -> Stream {
        Stream(ChaCha8Rng::from_seed(self.derive(purpose, index).0.0))
    }
}

/// A deterministic stream of random numbers (ChaCha8).
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, without bias; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // Source: Lemire, "Fast random integer generation in an interval", 2019.
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
            let low = wide as u64;
            if low >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// An index below `len`; 0 where `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("an index below a usize fits")
    }

    /// True with a probability of `per_mille` / 1000.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < u64::from(per_mille)
    }

    /// `count` distinct indices below `len`, ascending; all of them where `count >= len`.
    pub fn sample(&mut self, len: usize, count: usize) -> Vec<usize> {
        if count >= len {
            return (0..len).collect();
        }
        // Source: Floyd's algorithm, in Bentley, "Programming pearls: a sample of brilliance", 1987.
        let mut chosen = std::collections::BTreeSet::new();
        for top in len - count..len {
            let pick = self.index(top + 1);
            if !chosen.insert(pick) {
                chosen.insert(top);
            }
        }
        chosen.into_iter().collect()
    }

    /// Shuffles in place (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let pick = self.index(last + 1);
            items.swap(last, pick);
        }
    }

    /// Fills `bytes` with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_fixed_for_ever() {
        let mut stream = Seed::from_number(7).stream("test", 0);
        let drawn = [stream.next_u64(), stream.next_u64()];
        assert_eq!(drawn, [24_620_203_697_795_159, 5_161_923_386_957_982_205]);
    }

    #[test]
    fn purposes_and_indices_are_independent() {
        let seed = Seed::from_number(1);
        assert_ne!(seed.derive("a", 0), seed.derive("a", 1));
        assert_ne!(seed.derive("a", 0), seed.derive("b", 0));
        assert_ne!(seed.derive_from("a", &[b"xy"]), seed.derive_from("a", &[b"x", b"y"]));
    }

    proptest::proptest! {
        #[test]
        fn samples_are_distinct_ascending_and_in_range(number: u64, len in 0usize..200, count in 0usize..200) {
            let drawn = Seed::from_number(number).stream("s", 0).sample(len, count);
            proptest::prop_assert_eq!(drawn.len(), count.min(len));
            proptest::prop_assert!(drawn.windows(2).all(|w| w[0] < w[1]));
            proptest::prop_assert!(drawn.iter().all(|&i| i < len));
        }
    }
}
