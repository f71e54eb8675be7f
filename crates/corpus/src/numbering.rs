//! Numbers for things, equal ones for equal things: hash tables whose result does not depend on the hash.

use primitives::Digest;

/// A hash that nobody can aim at: its seed is drawn from the text whose parts it hashes, so that another choice of
/// words is another hash.
#[derive(Clone, Copy)]
pub(crate) struct Hasher(u64);

/// Odd, with bits well spread: the golden ratio's fraction and π's.
const SPREAD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0x243f_6a88_85a3_08d3];

impl Hasher {
    pub(crate) fn of(text: &str) -> Self {
        let digest = Digest::of(text.as_bytes());
        let (seed, _) = digest.0.split_first_chunk().expect("a digest has 32 bytes");
        Self(u64::from_le_bytes(*seed))
    }

    /// The hash of a text.
    #[inline]
    pub(crate) fn text(self, text: &str) -> u32 {
        let bytes = text.as_bytes();
        let mut hash = self.0 ^ bytes.len() as u64;
        let mut eights = bytes.chunks_exact(8);
        for eight in &mut eights {
            hash =
                fold(hash ^ u64::from_le_bytes(eight.try_into().expect("eight bytes")), SPREAD[0] ^ self.0);
        }
        let mut last = 0;
        for byte in eights.remainder() {
            last = last << 8 | u64::from(*byte);
        }
        high(fold(hash ^ last, SPREAD[1] ^ self.0))
    }

    /// The hash of two numbers.
    #[inline]
    pub(crate) fn pair(self, first: u32, second: u32) -> u32 {
        high(fold(self.0 ^ (u64::from(first) << 32 | u64::from(second)), SPREAD[0] ^ self.0))
    }
}

/// Both halves of a product, folded.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b | 1);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are wanted")]
    let folded = product as u64 ^ (product >> 64) as u64;
    folded
}

#[inline]
fn high(hash: u64) -> u32 {
    u32::try_from(hash >> 32).expect("32 bits")
}

/// Numbers from 0, by the hash of what they stand for and a comparison with it.
pub(crate) struct Table {
    /// A hash, and a number and one; 0 is free. The length is a power of two, at least twice the numbers.
    slots: Vec<(u32, u32)>,
    count: u32,
}

impl Table {
    /// A table that holds about so many numbers without growing.
    pub(crate) fn new(expected: usize) -> Self {
        let length = (expected.max(8) * 2).next_power_of_two();
        Self { slots: vec![(0, 0); length], count: 0 }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.slots.fill((0, 0));
        self.count = 0;
    }

    /// The number of what has this hash and is equal by this comparison; a new one, the next, if there is none.
    #[inline]
    pub(crate) fn number(&mut self, hash: u32, is_equal: impl Fn(u32) -> bool) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let (found, entry) = self.slots[at];
            if entry == 0 {
                break;
            }
            if found == hash && is_equal(entry - 1) {
                return entry - 1;
            }
            at = (at + 1) & mask;
        }
        self.count += 1;
        self.slots[at] = (hash, self.count);
        if self.count as usize * 2 > self.slots.len() {
            self.grow();
        }
        self.count - 1
    }

    fn grow(&mut self) {
        let longer = vec![(0, 0); self.slots.len() * 2];
        let mask = longer.len() - 1;
        for (hash, entry) in std::mem::replace(&mut self.slots, longer).into_iter().filter(|slot| slot.1 != 0)
        {
            let mut at = hash as usize & mask;
            while self.slots[at].1 != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = (hash, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_things_have_equal_numbers() {
        let words: Vec<String> = (0..10_000).map(|i| format!("w{}", i % 5_000)).collect();
        let hasher = Hasher::of("seed");
        let mut table = Table::new(0);
        let mut known: Vec<&str> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let number = table.number(hasher.text(word), |number| known[number as usize] == word) as usize;
            assert_eq!(number, at % 5_000);
            if number == known.len() {
                known.push(word);
            }
        }
        // One hash for all: the comparison decides.
        table.clear();
        assert_eq!([5, 6, 5].map(|thing| table.number(1, |number| number + 5 == thing)), [0, 1, 0]);
    }
}
