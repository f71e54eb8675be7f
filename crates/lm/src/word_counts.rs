//! How often each word of many texts comes: all that the trainer of a tokenizer keeps of them.

use std::hash::{BuildHasher as _, RandomState};

use crate::{
    nfc::Composed,
    short_word,
    tokenizer::{TokenizerError, valid},
    words::Words,
};

/// Longest word that is counted, in bytes. Words are short, and what is longer is no language.
const MAX_WORD_BYTES: usize = 1 << 16;
/// Most bytes of the words together; a trainer takes some sixteen times as much memory. English has reached it after
/// some 10 GB of text.
const MAX_BYTES: usize = 64 << 20;
/// Stands for no word.
const NONE: u32 = u32::MAX;

/// Words with their counts. What they are does not depend on the order of texts, until there are more words than are
/// kept: then those that came least are forgotten.
#[derive(Clone, Debug)]
pub struct WordCounts {
    words: Words,
    most_bytes: usize,
    /// The words one after the other.
    bytes: Vec<u8>,
    counted: Vec<Counted>,
    /// Places by hash: which word stands there. Half of them stay empty.
    places: Vec<u32>,
    /// Whoever makes a text cannot know where its words stand.
    hasher: RandomState,
    /// Short words by another hash, each with its place among the words: most words of a text are here.
    recent: Vec<(u128, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    start: u32,
    length: u32,
    count: u64,
}

impl WordCounts {
    /// No words yet, to be cut in this way.
    #[must_use]
    pub fn new(words: Words) -> Self {
        Self {
            words,
            most_bytes: MAX_BYTES,
            bytes: Vec::new(),
            counted: Vec::new(),
            places: vec![NONE; 1 << 10],
            hasher: RandomState::new(),
            recent: vec![(0, 0); 1 << 12],
        }
    }

    /// Counts the words of a text.
    ///
    /// # Errors
    /// The text is not UTF-8.
    pub fn add(&mut self, text: &[u8]) -> Result<(), TokenizerError> {
        let text = valid(text)?;
        let composed = if self.words.composes() { Composed::of(text) } else { None };
        let text = composed.as_ref().map_or(text, |composed| &composed.text);
        self.words.each(text, |word| self.count(word.as_bytes(), 1));
        Ok(())
    }

    /// How the words are cut.
    #[must_use]
    pub fn words(&self) -> Words {
        self.words
    }

    /// The words with their counts, in the order of their bytes.
    pub(crate) fn sorted(&self) -> Vec<(&[u8], u64)> {
        let mut all: Vec<(&[u8], u64)> =
            self.counted.iter().map(|counted| (self.word(*counted), counted.count)).collect();
        all.sort_unstable();
        all
    }

    fn word(&self, counted: Counted) -> &[u8] {
        &self.bytes[counted.start as usize..][..counted.length as usize]
    }

    fn count(&mut self, word: &[u8], times: u64) {
        let recent = short_word::key(word).map(|key| (key, short_word::place(key, self.recent.len())));
        if let Some((key, at)) = recent
            && self.recent[at].0 == key
        {
            self.counted[self.recent[at].1 as usize].count += times;
            return;
        }
        if word.len() > MAX_WORD_BYTES {
            return;
        }
        let place = self.place(word);
        let mut index = self.places[place];
        if index == NONE {
            if self.bytes.len() + word.len() > self.most_bytes {
                self.forget();
                return self.count(word, times);
            }
            let short = |length: usize| u32::try_from(length).expect("at most MAX_BYTES");
            index = short(self.counted.len());
            self.counted.push(Counted {
                start: short(self.bytes.len()),
                length: short(word.len()),
                count: 0,
            });
            self.bytes.extend(word);
            self.places[place] = index;
            if 2 * self.counted.len() > self.places.len() {
                self.rehash(2 * self.places.len());
            }
        }
        self.counted[index as usize].count += times;
        if let Some((key, at)) = recent {
            self.recent[at] = (key, index);
        }
    }

    /// The place of a word, or an empty one.
    fn place(&self, word: &[u8]) -> usize {
        let most = self.places.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "the lower bits of a hash are as good as any")]
        let mut at = self.hasher.hash_one(word) as usize & most;
        while let Some(counted) = self.counted.get(self.places[at] as usize) {
            if self.word(*counted) == word {
                break;
            }
            at = (at + 1) & most;
        }
        at
    }

    fn rehash(&mut self, places: usize) {
        self.places = vec![NONE; places];
        for (index, counted) in (0..).zip(self.counted.clone()) {
            let place = self.place(self.word(counted));
            self.places[place] = index;
        }
    }

    /// Forgets the words that came least, so that at most half of the bytes are left.
    fn forget(&mut self) {
        let left = |least: u64| -> usize {
            self.counted.iter().filter(|word| word.count >= least).map(|word| word.length as usize).sum()
        };
        let mut least = 2;
        while left(least) > self.most_bytes / 2 {
            least *= 2;
        }
        let old = std::mem::take(&mut self.bytes);
        self.counted.retain_mut(|word| {
            let start = u32::try_from(self.bytes.len()).expect("at most MAX_BYTES");
            if word.count >= least {
                self.bytes.extend(&old[word.start as usize..][..word.length as usize]);
                word.start = start;
            }
            word.count >= least
        });
        self.recent.fill((0, 0));
        self.rehash(self.places.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(texts: &[&str], most_bytes: usize) -> Vec<(String, u64)> {
        let mut counts = WordCounts { most_bytes, ..WordCounts::new(Words::Gpt2) };
        texts.iter().for_each(|text| counts.add(text.as_bytes()).unwrap());
        let word = |(word, count): &(&[u8], u64)| (String::from_utf8_lossy(word).into(), *count);
        counts.sorted().iter().map(word).collect()
    }

    #[test]
    fn words_are_counted_whatever_the_order_of_texts() {
        let texts = ["to be or not to be", "to be", " internationalisation is internationalisation"];
        let expected = [
            (" be", 3),
            (" internationalisation", 2),
            (" is", 1),
            (" not", 1),
            (" or", 1),
            (" to", 1),
            ("to", 2),
        ];
        let expected = expected.map(|(word, count)| (word.to_owned(), count));
        assert_eq!(counts(&texts, MAX_BYTES), expected);
        assert_eq!(counts(&[texts[2], texts[1], texts[0]], MAX_BYTES), expected);
    }

    #[test]
    fn words_that_came_least_are_forgotten_when_there_are_too_many() {
        let text: String = (0..2000).map(|n| format!(" frequent w{n:x}")).collect();
        let kept = counts(&[&text], 2000);
        assert!(kept.len() < 400, "{}", kept.len());
        assert!(kept.contains(&(" frequent".into(), 2000)));
    }

    #[test]
    fn a_word_without_end_is_not_counted() {
        let text = "a".repeat(MAX_WORD_BYTES + 1) + " b";
        assert_eq!(counts(&[&text], MAX_BYTES), [(" b".into(), 1)]);
    }
}
