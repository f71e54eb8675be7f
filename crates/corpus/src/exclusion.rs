//! Texts that no shard may hold: benchmarks and held-out documents, as hashes of their runs of 13 words.
//!
//! Source for 13: Brown et al., "Language Models are Few-Shot Learners" (2020), appendix C.

use primitives::Digest;
use thiserror::Error;

use crate::grams::Grams;

/// Words in a run.
pub(crate) const GRAM_WORDS: usize = 13;
/// Hashes in one list: 128 MiB, some 16 million words of benchmarks.
pub(crate) const EXCLUSION_MAX_GRAMS: usize = 1 << 24;

/// The first bytes of an encoded list; the last is the version of the encoding.
const MAGIC: [u8; 8] = *b"whexcl\0\x01";
const GRAM_BYTES: usize = 8;
const DIGEST_DOMAIN: &str = "weighhouse corpus exclusion v1";

/// Why bytes, or texts, are no exclusion list.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExclusionError {
    /// There are more runs than the bound.
    #[error("exclusion list has {found} runs of words, at most {EXCLUSION_MAX_GRAMS} are allowed")]
    Count {
        /// Runs found.
        found: usize,
    },
    /// The bytes are not an encoded list of this version.
    #[error("{bytes} bytes are not an encoded exclusion list: {what}")]
    Form {
        /// Bytes given.
        bytes: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// Where a text meets the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The number of the run's first word in the text.
    pub word: usize,
    /// The run, in lower case and without marks.
    pub gram: String,
}

/// A sorted set of runs of words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusion {
    grams: Vec<u64>,
}

impl Exclusion {
    /// The list over these texts. A text of fewer words than a run has none.
    ///
    /// # Errors
    /// [`ExclusionError::Count`] for too many runs.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, ExclusionError> {
        let mut grams = Vec::new();
        for text in texts {
            grams.extend(Grams::of(text.as_ref(), GRAM_WORDS).hashes());
        }
        grams.sort_unstable();
        grams.dedup();
        if grams.len() > EXCLUSION_MAX_GRAMS {
            return Err(ExclusionError::Count { found: grams.len() });
        }
        Ok(Self { grams })
    }

    /// Runs in the list.
    #[must_use]
    pub fn len(&self) -> usize {
        self.grams.len()
    }

    /// Whether nothing is excluded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grams.is_empty()
    }

    /// The first run of a text that is in the list.
    #[must_use]
    pub fn hits(&self, text: &str) -> Option<Hit> {
        if self.grams.is_empty() {
            return None;
        }
        let grams = Grams::of(text, GRAM_WORDS);
        let word = grams.hashes().position(|gram| self.grams.binary_search(&gram).is_ok())?;
        Some(Hit { word, gram: grams.text(word).to_owned() })
    }

    /// The list's name.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_parts(DIGEST_DOMAIN, &[&self.encode()])
    }

    /// The list as bytes: magic and version, then the hashes in ascending order, little endian.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        MAGIC.into_iter().chain(self.grams.iter().flat_map(|gram| gram.to_le_bytes())).collect()
    }

    /// Reads what [`Exclusion::encode`] wrote; one list has exactly one encoding.
    ///
    /// # Errors
    /// [`ExclusionError`] for bytes of another form or too many.
    pub fn decode(bytes: &[u8]) -> Result<Self, ExclusionError> {
        let form = |what| ExclusionError::Form { bytes: bytes.len(), what };
        let body = bytes.strip_prefix(&MAGIC).ok_or(form("wrong magic or version"))?;
        let (chunks, rest) = body.as_chunks::<GRAM_BYTES>();
        if !rest.is_empty() {
            return Err(form("cut within a hash"));
        }
        if chunks.len() > EXCLUSION_MAX_GRAMS {
            return Err(ExclusionError::Count { found: chunks.len() });
        }
        let grams: Vec<u64> = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect();
        if grams.is_sorted_by(|a, b| a < b) {
            Ok(Self { grams })
        } else {
            Err(form("hashes are not in ascending order"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &str = "Which of the town's scales was trusted by merchants who came from beyond the river to sell their wool?";

    #[test]
    fn thirteen_words_in_a_row_are_a_hit() {
        let list = Exclusion::new([QUESTION, "too short to have a run"]).unwrap();
        assert_eq!(list.len(), 20 - GRAM_WORDS + 1);
        let around = |middle: &str| list.hits(&format!("some words before {middle} and behind"));
        let hit = around(&QUESTION.to_uppercase().replace(' ', " - ")).unwrap();
        assert_eq!(
            (hit.word, hit.gram.as_str()),
            (3, "which of the town s scales was trusted by merchants who came from")
        );
        let words: Vec<&str> = QUESTION.split(' ').collect();
        assert!(around(&words[..12].join(" ")).is_some(), "the apostrophe parts a word");
        assert!(around(&words[..11].join(" ")).is_none());
        assert!(around(&words.iter().rev().copied().collect::<Vec<_>>().join(" ")).is_none());
        assert!(Exclusion::default().hits(QUESTION).is_none());
    }

    #[test]
    fn a_list_has_one_encoding() {
        let list = Exclusion::new([QUESTION]).unwrap();
        let bytes = list.encode();
        assert_eq!(Exclusion::decode(&bytes).as_ref(), Ok(&list));
        let mut swapped = bytes.clone();
        swapped[8..24].rotate_left(8);
        let doubled = [&bytes[..16], &bytes[8..]].concat();
        for bad in [&bytes[..7], &bytes[..17], &swapped, &doubled, b"whexcl\0\x02"] {
            assert!(Exclusion::decode(bad).is_err());
        }
        assert_ne!(list.digest(), Exclusion::default().digest());
    }
}
