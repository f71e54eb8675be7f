//! Texts that no shard may hold: benchmarks and held-out documents, as hashes of their runs of 13 words.
//!
//! A list has 64 bits of each run, so that a run that is not in it is taken for one with probability 2⁻⁴⁰ for the longest
//! list: once in some hundred million documents of 10,000 words.
//!
//! Source for 13: Brown et al., "Language Models are Few-Shot Learners" (2020), appendix C.

use primitives::Digest;
use serde_json::Value;
use thiserror::Error;

use crate::grams::Grams;

/// Words in a run.
pub(crate) const GRAM_WORDS: usize = 13;
/// Hashes in one list: 128 MiB, some 16 million words of benchmarks.
pub(crate) const EXCLUSION_MAX_GRAMS: usize = 1 << 24;

/// The first bytes of an encoded list; the last is the version of the encoding.
const MAGIC: [u8; 8] = *b"whexcl\0\x01";
/// What all versions begin with.
const MAGIC_STEM: &[u8] = MAGIC.split_at(7).0;
const GRAM_BYTES: usize = 8;
/// Hashes in a bucket, in the mean: two lines of a processor's cache, of which a look-up then reads one or
/// two wherever they are in 128 MiB.
const BUCKET_GRAMS: usize = 16;
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
    /// The bytes are no text.
    #[error("byte {at} of an eval set is not UTF-8")]
    Text {
        /// The first such byte's place.
        at: usize,
    },
    /// A line of an eval set can't be read.
    #[error("line {line} of an eval set is not JSON: {what}")]
    Json {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        what: String,
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
    /// Where the hashes of each [`bucket`] begin, and behind the last one's the number of all.
    starts: Vec<u32>,
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
            // Texts may repeat each other without end, runs may not.
            if grams.len() > 2 * EXCLUSION_MAX_GRAMS {
                unique(&mut grams)?;
            }
        }
        unique(&mut grams)?;
        Ok(Self::of_sorted(grams))
    }

    /// The list over an eval set in JSON lines: over every string in each line, wherever it stands. A run does not go from
    /// one string to the next.
    ///
    /// # Errors
    /// [`ExclusionError::Json`] with the first line that is not JSON; [`ExclusionError::Count`].
    pub fn of_json_lines(lines: &str) -> Result<Self, ExclusionError> {
        let mut texts = Vec::new();
        for (line, json) in (1..).zip(lines.lines()).filter(|(_, json)| !json.trim().is_empty()) {
            let value = serde_json::from_str(json)
                .map_err(|error| ExclusionError::Json { line, what: error.to_string() })?;
            strings(value, &mut texts);
        }
        Self::new(texts)
    }

    /// The list that a file stands for: an encoded one, an eval set in JSON lines where its first line begins as an object or
    /// an array does, else one text per line.
    ///
    /// # Errors
    /// [`ExclusionError`].
    pub fn read(bytes: &[u8]) -> Result<Self, ExclusionError> {
        if bytes.starts_with(MAGIC_STEM) {
            return Self::decode(bytes);
        }
        let text =
            std::str::from_utf8(bytes).map_err(|error| ExclusionError::Text { at: error.valid_up_to() })?;
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with(['{', '[']) {
            Self::of_json_lines(text)
        } else {
            Self::new(text.lines())
        }
    }

    fn of_sorted(grams: Vec<u64>) -> Self {
        if grams.is_empty() {
            return Self::default();
        }
        let buckets = grams.len().div_ceil(BUCKET_GRAMS);
        let mut starts = vec![0u32; buckets + 1];
        for gram in &grams {
            starts[bucket(*gram, buckets) + 1] += 1;
        }
        let mut before = 0;
        for start in &mut starts {
            before += *start;
            *start = before;
        }
        Self { grams, starts }
    }

    fn contains(&self, gram: u64) -> bool {
        let Some(buckets) = self.starts.len().checked_sub(1) else { return false };
        let at = bucket(gram, buckets);
        self.grams[self.starts[at] as usize..self.starts[at + 1] as usize].binary_search(&gram).is_ok()
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
        let word = grams.hashes().position(|gram| self.contains(gram))?;
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
            Ok(Self::of_sorted(grams))
        } else {
            Err(form("hashes are not in ascending order"))
        }
    }
}

/// The bucket of a hash out of so many, in the order of hashes.
fn bucket(gram: u64, buckets: usize) -> usize {
    let upper = (u128::from(gram) * buckets as u128) >> u64::BITS;
    usize::try_from(upper).expect("less than the number of buckets")
}

/// Sorts hashes and keeps each once.
fn unique(grams: &mut Vec<u64>) -> Result<(), ExclusionError> {
    grams.sort_unstable();
    grams.dedup();
    match grams.len() {
        found if found > EXCLUSION_MAX_GRAMS => Err(ExclusionError::Count { found }),
        _ => Ok(()),
    }
}

/// All strings in a value. The parser follows 128 levels.
fn strings(value: Value, to: &mut Vec<String>) {
    match value {
        Value::String(text) => to.push(text),
        Value::Array(values) => values.into_iter().for_each(|value| strings(value, to)),
        Value::Object(fields) => fields.into_iter().for_each(|(_, value)| strings(value, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
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
    fn each_hash_is_found_and_no_other() {
        // Even and all in one bucket; of each kind also the ends of what 64 bits hold.
        for count in [1u64, 15, 16, 17, 1000, 5000] {
            for step in [1, 3, u64::MAX / count] {
                let grams: Vec<u64> = (1..=count).map(|i| i * step).collect();
                let list = Exclusion::of_sorted(grams.clone());
                for gram in &grams {
                    assert!(list.contains(*gram));
                    for near in [gram.wrapping_sub(1), gram.wrapping_add(1)] {
                        assert_eq!(list.contains(near), grams.binary_search(&near).is_ok());
                    }
                }
                assert!(!list.contains(0));
            }
        }
    }

    #[test]
    fn every_string_of_an_eval_set_counts() {
        let json =
            format!("{{\"id\": 7, \"q\": {{\"options\": [\"x\", {QUESTION:?}]}}}}\n\n{{\"a\": null}}\n");
        assert_eq!(Exclusion::of_json_lines(&json), Exclusion::new([QUESTION]));
        let broken = Exclusion::of_json_lines(&format!("{json}{{")).unwrap_err();
        assert!(matches!(broken, ExclusionError::Json { line: 4, .. }), "{broken}");
        let deep = Exclusion::of_json_lines(&"[".repeat(100_000));
        assert!(matches!(deep, Err(ExclusionError::Json { line: 1, .. })));
    }

    #[test]
    fn files_are_told_apart_by_how_they_begin() {
        let expect = Exclusion::new([QUESTION]);
        let check = |bytes: &[u8]| assert_eq!(Exclusion::read(bytes), expect);
        check(format!("too short to count\n{QUESTION}\n").as_bytes());
        check(format!("\u{feff}\n {{\"text\": {QUESTION:?}}}\n").as_bytes());
        check(&expect.clone().unwrap().encode());
        assert_eq!(Exclusion::read(b""), Ok(Exclusion::default()));
        assert_eq!(Exclusion::read(b"caf\xe9"), Err(ExclusionError::Text { at: 3 }));
        let later = Exclusion::read(b"whexcl\0\x02");
        assert!(matches!(later, Err(ExclusionError::Form { bytes: 8, .. })), "{later:?}");
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
