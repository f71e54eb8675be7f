//! Makes the vocabulary of a byte-level BPE from texts.
//!
//! As long as the vocabulary has room, the pair of neighbours that comes most often in all words becomes a token; of
//! pairs that come equally often, the one with the lesser numbers, left before right. Counts are exact and nothing
//! depends on an order other than that of words and numbers, so that the same texts make the same file on every
//! machine. The library `tokenizers` follows the same rule, but counts in 32 bits, takes what its hash tables give
//! first where a token comes about in two ways, and forgets to count anew a pair that has been merged before.
//! Source: Sennrich et al., "Neural machine translation of rare words with subword units", 2016.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    hash::{BuildHasherDefault, Hasher},
};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::{
    letters::ALPHABET,
    tokenizer::{MAX_VOCAB, TokenizerError},
    word_counts::WordCounts,
    words::Words,
};

/// Most characters of a special token's name.
const MAX_NAME_CHARS: usize = 64;
/// Marks the edges of words, and places within a token.
const EDGE: u32 = u32::MAX;
const WITHIN: u32 = u32::MAX - 1;

/// Makes the vocabulary of a byte-level BPE from texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BpeTrainer {
    /// Most tokens: the special ones, one for each byte, and what is made of them. There are fewer if no pair comes
    /// often enough.
    pub vocab: usize,
    /// How often a pair has to come to become a token; 0 is as good as 1.
    pub min_frequency: u64,
    /// Name of the token before a text, the first one. A name has 2 to 64 characters.
    pub start: String,
    /// Name of the token behind a text, the second one.
    pub end: Option<String>,
    /// How texts are cut into words.
    pub words: Words,
}

impl Default for BpeTrainer {
    /// 8,192 tokens that came at least twice, `<|start|>` and `<|end|>` among them, in words as GPT-2 cuts them.
    fn default() -> Self {
        Self {
            vocab: 8192,
            min_frequency: 2,
            start: "<|start|>".into(),
            end: Some("<|end|>".into()),
            words: Words::Gpt2,
        }
    }
}

impl BpeTrainer {
    /// Makes a vocabulary from texts and returns the bytes of a `tokenizer.json`. Of the texts only their words with
    /// their counts are kept; see [`WordCounts`]. In the library `tokenizers`, the file sets the start token before
    /// each text.
    ///
    /// # Errors
    /// A setting is out of range, or a text is not UTF-8.
    pub fn train<T: AsRef<[u8]>>(
        &self,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Vec<u8>, TokenizerError> {
        self.check()?;
        let mut counts = WordCounts::new(self.words);
        texts.into_iter().try_for_each(|text| counts.add(text.as_ref()))?;
        self.train_words(&counts)
    }

    /// As [`BpeTrainer::train`], from words that have been counted.
    ///
    /// # Errors
    /// A setting is out of range, or the words were cut in another way.
    pub fn train_words(&self, counts: &WordCounts) -> Result<Vec<u8>, TokenizerError> {
        let special = self.check()?;
        if counts.words() != self.words {
            let (value, expected) = (counts.words().name().into(), self.words.name().into());
            return Err(TokenizerError::Setting { name: "way to cut words", value, expected });
        }
        let mut vocabulary = Vocabulary::new(&special);
        let mut training = Training::new(&vocabulary, counts);
        let mut merges = Vec::new();
        while vocabulary.len() < self.vocab
            && let Some((pair, known)) = training.next_pair(self.min_frequency)
        {
            let merged = match known {
                Some(known) => known,
                None => {
                    let Some(merged) = vocabulary.join(pair) else { continue };
                    merges.push(pair);
                    merged
                }
            };
            training.merge(pair, merged);
        }
        Ok(self.file(&vocabulary, &merges))
    }

    /// The special tokens' names, if all settings are in range.
    fn check(&self) -> Result<Vec<&str>, TokenizerError> {
        let special: Vec<&str> =
            [Some(&self.start), self.end.as_ref()].into_iter().flatten().map(|name| &name[..]).collect();
        for (at, name) in special.iter().enumerate() {
            if !(2..=MAX_NAME_CHARS).contains(&name.chars().count()) || special[..at].contains(name) {
                let expected = format!("2 to {MAX_NAME_CHARS} characters, each name once");
                let value = format!("{:?}", name.chars().take(MAX_NAME_CHARS).collect::<String>());
                return Err(TokenizerError::Setting { name: "special token", value, expected });
            }
        }
        let least = special.len() + ALPHABET.len();
        if !(least..=MAX_VOCAB).contains(&self.vocab) {
            let (value, expected) = (self.vocab.to_string(), format!("{least} to {MAX_VOCAB}"));
            return Err(TokenizerError::Setting { name: "size", value, expected });
        }
        Ok(special)
    }

    fn file(&self, vocabulary: &Vocabulary, merges: &[(u32, u32)]) -> Vec<u8> {
        let special = vocabulary.texts.iter().take(vocabulary.special);
        let added = |(id, content): (usize, &String)| {
            Sorted(json!({
                "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            }))
        };
        let start = &self.start;
        let token = json!({"SpecialToken": {"id": start, "type_id": 0}});
        let text = |id: &str, kind: u32| json!({"Sequence": {"id": id, "type_id": kind}});
        let post_processor = json!({
            "type": "TemplateProcessing",
            "single": [token, text("A", 0)],
            "pair": [token, text("A", 0), token, text("B", 1)],
            "special_tokens": {start: {"id": start, "ids": [0], "tokens": [start]}},
        });
        let text = |id: u32| &vocabulary.texts[id as usize][..];
        let file = File {
            version: "1.0",
            truncation: (),
            padding: (),
            added_tokens: special.enumerate().map(added).collect(),
            normalizer: Sorted(self.words.normalizer()),
            pre_tokenizer: Sorted(self.words.pre_tokenizer()),
            post_processor: Sorted(post_processor),
            decoder: Sorted(
                json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}),
            ),
            model: Model {
                kind: "BPE",
                dropout: (),
                unk_token: (),
                continuing_subword_prefix: (),
                end_of_word_suffix: (),
                fuse_unk: false,
                byte_fallback: false,
                ignore_merges: self.words.ignores_merges(),
                vocab: &vocabulary.texts,
                merges: merges.iter().map(|(left, right)| (text(*left), text(*right))).collect(),
            },
        };
        serde_json::to_vec(&file).expect("texts and numbers")
    }
}

/// A `tokenizer.json`, with the fields in the library's order.
#[derive(Serialize)]
struct File<'a> {
    version: &'static str,
    truncation: (),
    padding: (),
    added_tokens: Vec<Sorted>,
    normalizer: Sorted,
    pre_tokenizer: Sorted,
    post_processor: Sorted,
    decoder: Sorted,
    model: Model<'a>,
}

#[derive(Serialize)]
struct Model<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    dropout: (),
    unk_token: (),
    continuing_subword_prefix: (),
    end_of_word_suffix: (),
    fuse_unk: bool,
    byte_fallback: bool,
    ignore_merges: bool,
    #[serde(serialize_with = "numbered")]
    vocab: &'a [String],
    merges: Vec<(&'a str, &'a str)>,
}

/// A value whose fields are written in the order of their names, whatever else `serde_json` is built for.
struct Sorted(Value);

impl Serialize for Sorted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Value::Object(fields) => {
                let fields: BTreeMap<&String, Sorted> =
                    fields.iter().map(|(name, value)| (name, Sorted(value.clone()))).collect();
                fields.serialize(serializer)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(|item| Sorted(item.clone()))),
            plain => plain.serialize(serializer),
        }
    }
}

/// Texts with their numbers, in their order.
fn numbered<S: Serializer>(texts: &&[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(texts.iter().zip(0u32..))
}

/// The tokens so far.
struct Vocabulary {
    /// How many of them are special, the first ones.
    special: usize,
    /// What stands in the file, by number.
    texts: Vec<String>,
    numbers: BTreeMap<String, u32>,
    /// The tokens of the bytes.
    bytes: Vec<u32>,
}

impl Vocabulary {
    /// The special tokens, then the bytes in the order of their letters.
    fn new(special: &[&str]) -> Self {
        let mut alphabet = ALPHABET;
        alphabet.sort_unstable();
        let mut texts: Vec<String> = special.iter().map(|name| (*name).to_owned()).collect();
        texts.extend(alphabet.iter().map(char::to_string));
        let numbers: BTreeMap<String, u32> = texts.iter().cloned().zip(0..).collect();
        let bytes = ALPHABET.iter().map(|letter| numbers[&*letter.encode_utf8(&mut [0; 4])]).collect();
        Self { special: special.len(), texts, numbers, bytes }
    }

    fn len(&self) -> usize {
        self.texts.len()
    }

    /// The number of the token that a pair makes; nothing if that has the name of a special one.
    fn join(&mut self, (left, right): (u32, u32)) -> Option<u32> {
        let text = format!("{}{}", self.texts[left as usize], self.texts[right as usize]);
        if let Some(known) = self.numbers.get(&text) {
            return Some(*known).filter(|known| *known as usize >= self.special);
        }
        let new = u32::try_from(self.texts.len()).expect("at most MAX_VOCAB");
        self.numbers.insert(text.clone(), new);
        self.texts.push(text);
        Some(new)
    }
}

/// All words as tokens, and the pairs of neighbours in them.
struct Training {
    /// The words in the order of their bytes, an [`EDGE`] before and behind each. A token stands at its first and at
    /// its last byte; between these is what no pair has.
    places: Vec<u32>,
    /// How often the word comes that a place belongs to.
    counts: Vec<u64>,
    word: Vec<u32>,
    /// Bytes of the tokens.
    lengths: Vec<u32>,
    pairs: Vec<Pair>,
    numbers: PairNumbers,
    queue: BinaryHeap<Queued>,
    /// Pairs that have been merged before and have come about again.
    again: BTreeSet<((u32, u32), u32)>,
}

struct Pair {
    pair: (u32, u32),
    /// How often it comes in all words; pairs that overlap count, too.
    count: u64,
    /// The count of its only entry in the queue that is not stale.
    queued: u64,
    /// What it has been merged into.
    merged: Option<u32>,
    /// Where it has come about; it may have gone since.
    at: Vec<u32>,
}

/// Greatest count first, then least numbers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Queued {
    count: u64,
    pair: Reverse<(u32, u32)>,
    number: u32,
}

/// Looked up, never walked, so that its order shows nowhere.
#[expect(clippy::disallowed_types, reason = "looked up, never walked")]
type PairNumbers = std::collections::HashMap<u64, u32, BuildHasherDefault<PairHasher>>;

/// The hash of a pair's two numbers, which the trainer gives and no text chooses.
#[derive(Default)]
struct PairHasher(u64);

impl Hasher for PairHasher {
    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("pairs are numbers");
    }
    fn write_u64(&mut self, pair: u64) {
        // Source of the multiplier: Steele & Vigna, "Computationally easy, spectrally good multipliers", 2021.
        const MIX: u64 = 0xd134_2543_de82_ef95;
        self.0 = (pair.rotate_left(32) ^ pair.wrapping_mul(MIX)).wrapping_mul(MIX);
        self.0 ^= self.0 >> 32;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

fn index(number: u32) -> usize {
    number as usize
}

impl Training {
    fn new(vocabulary: &Vocabulary, counts: &WordCounts) -> Self {
        let words = counts.sorted();
        let short = |length: usize| u32::try_from(length).expect("words have at most 64 MB together");
        let mut lengths = vec![1; vocabulary.len()];
        lengths[..vocabulary.special].fill(0);
        let mut training = Self {
            places: vec![EDGE],
            counts: words.iter().map(|(_, count)| *count).collect(),
            word: vec![0],
            lengths,
            pairs: Vec::new(),
            numbers: PairNumbers::default(),
            queue: BinaryHeap::new(),
            again: BTreeSet::new(),
        };
        for (number, (word, count)) in words.iter().enumerate() {
            training.places.extend(word.iter().map(|byte| vocabulary.bytes[usize::from(*byte)]));
            training.places.push(EDGE);
            training.word.resize(training.places.len(), short(number));
            let first = training.places.len() - 1 - word.len();
            for at in first..training.places.len() - 2 {
                training.more((training.places[at], training.places[at + 1]), short(at), *count);
            }
        }
        for number in 0..training.pairs.len() {
            training.enqueue(short(number));
        }
        training
    }

    /// The number of a pair, which it gets if it has none.
    fn number(&mut self, pair: (u32, u32)) -> u32 {
        let key = u64::from(pair.0) << 32 | u64::from(pair.1);
        let next = u32::try_from(self.pairs.len()).expect("fewer than there are places");
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.pairs.push(Pair { pair, count: 0, queued: 0, merged: None, at: Vec::new() });
        }
        number
    }

    /// A pair has come about at a place, in a word that comes so often.
    fn more(&mut self, pair: (u32, u32), at: u32, count: u64) -> u32 {
        let number = self.number(pair);
        let pair = &mut self.pairs[index(number)];
        pair.count += count;
        pair.at.push(at);
        number
    }

    /// A pair has gone from a place in a word that comes so often.
    fn less(&mut self, pair: (u32, u32), count: u64) {
        let number = self.number(pair);
        let pair = &mut self.pairs[index(number)];
        pair.count -= count;
        if pair.count == 0 {
            pair.at = Vec::new();
        }
    }

    fn enqueue(&mut self, number: u32) {
        let Pair { pair, count, queued, merged, .. } = &mut self.pairs[index(number)];
        if *count == 0 {
            return;
        }
        if merged.is_some() {
            self.again.insert((*pair, number));
        } else if *count != *queued {
            *queued = *count;
            self.queue.push(Queued { count: *count, pair: Reverse(*pair), number });
        }
    }

    /// The pair that is to be merged next, and what it has been merged into before: such a pair comes first, since it
    /// would be merged in every text.
    fn next_pair(&mut self, min_frequency: u64) -> Option<((u32, u32), Option<u32>)> {
        if let Some((pair, number)) = self.again.pop_first() {
            return Some((pair, self.pairs[index(number)].merged));
        }
        while let Some(Queued { count, number, .. }) = self.queue.pop() {
            let pair = &self.pairs[index(number)];
            if pair.queued != count {
                continue;
            }
            if pair.count != count {
                self.enqueue(number);
                continue;
            }
            return (count >= min_frequency).then_some((pair.pair, None));
        }
        None
    }

    /// Merges a pair in all words, from left to right.
    fn merge(&mut self, (left, right): (u32, u32), merged: u32) {
        let (left_length, right_length) = (self.lengths[index(left)], self.lengths[index(right)]);
        let length = left_length + right_length;
        self.lengths.resize(self.lengths.len().max(index(merged) + 1), length);
        let number = self.number((left, right));
        let mut places = std::mem::take(&mut self.pairs[index(number)].at);
        if !places.is_sorted() {
            places.sort_unstable();
        }
        let mut changed = Vec::new();
        for at in places {
            let (end, here) = (index(at + length), index(at));
            let middle = index(at + left_length);
            if self.places[here] != left || self.places[middle] != right {
                continue;
            }
            let count = self.counts[index(self.word[here])];
            let (before, after) = (self.places[here - 1], self.places[end]);
            self.places[middle - 1] = WITHIN;
            self.places[middle] = WITHIN;
            self.places[here] = merged;
            self.places[end - 1] = merged;
            if before != EDGE {
                self.less((before, left), count);
                changed.push(self.more((before, merged), at - self.lengths[index(before)], count));
            }
            if after != EDGE {
                self.less((right, after), count);
                changed.push(self.more((merged, after), at, count));
            }
        }
        let pair = &mut self.pairs[index(number)];
        (pair.count, pair.queued, pair.merged, pair.at) = (0, 0, Some(merged), Vec::new());
        changed.sort_unstable();
        changed.dedup();
        for number in changed {
            self.enqueue(number);
        }
    }
}
