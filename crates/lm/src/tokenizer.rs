//! From bytes to tokens: the bytes themselves, or byte-level BPE read from a Hugging Face `tokenizer.json`.
//!
//! Every token stands for a known number of bytes, so that losses per token become bits per byte and models with
//! different tokenizers can be compared. The text is taken as it is: the names of special tokens in it are text.
//! A file that asks for anything beyond the byte-level BPE of GPT-2 and its kin is refused.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    fmt,
    marker::PhantomData,
};

use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};
use thiserror::Error;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::tensors::json_depth;

/// The start token of the bytes' vocabulary.
pub const BYTES_START: u32 = 256;
/// Size of the bytes' vocabulary.
pub const BYTES_VOCAB: usize = 257;
/// Most bytes of a `tokenizer.json`; the largest in use have some 30 MB.
const MAX_FILE_BYTES: usize = 64 << 20;
/// Most tokens of a vocabulary; the largest in use have some 260,000.
const MAX_VOCAB: usize = 1 << 20;
/// Most merges; the largest files in use have some 515,000.
const MAX_MERGES: usize = 1 << 20;
/// Most tokens that are added to the vocabulary; some 6,000 are in use.
const MAX_ADDED: usize = 1 << 16;
/// Most steps in a row by which words are cut; three are in use.
const MAX_STEPS: usize = 16;
/// Most characters of a message's reason.
const MAX_REASON_CHARS: usize = 400;
/// Deepest nesting of the file.
const MAX_JSON_DEPTH: usize = 64;

/// A tokenizer cannot be read, or a text not be turned into tokens.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenizerError {
    /// The file is too long.
    #[error("tokenizer.json has {found} bytes, at most {MAX_FILE_BYTES} are allowed")]
    TooLong {
        /// How many it has.
        found: usize,
    },
    /// The file is no JSON of the expected form.
    #[error("tokenizer.json cannot be read: {reason}")]
    Unreadable {
        /// What the parser said.
        reason: String,
    },
    /// The file asks for what is not done here.
    #[error("tokenizer.json asks for {what}, only byte-level BPE as in GPT-2 is supported")]
    Unsupported {
        /// What it asks for.
        what: String,
    },
    /// The vocabulary contradicts itself.
    #[error("vocabulary of tokenizer.json is wrong: {reason}")]
    Vocabulary {
        /// How.
        reason: String,
    },
    /// A byte of the text has no token. Vocabularies lack bytes that their makers never saw.
    #[error("byte {byte:#04x} at {place} of the text has no token in the vocabulary")]
    NoToken {
        /// Which byte.
        byte: u8,
        /// Where in the text.
        place: usize,
    },
    /// The text is not UTF-8, which BPE files are made for.
    #[error("text is not utf-8 from byte {valid_bytes} on")]
    NotText {
        /// How many bytes are fine.
        valid_bytes: usize,
    },
}

/// One token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// How many bytes of the text it stands for.
    pub bytes: u32,
}

/// Turns bytes into tokens.
#[derive(Clone, Debug)]
pub struct Tokenizer(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Bytes,
    Bpe(Box<Bpe>),
}

impl Tokenizer {
    /// Every byte is a token; [`BYTES_START`] stands before a text.
    #[must_use]
    pub fn bytes() -> Self {
        Self(Kind::Bytes)
    }

    /// Byte-level BPE from the bytes of a `tokenizer.json`; `start` names the token that stands before a text.
    ///
    /// # Errors
    /// The file is too long, unreadable, of another kind, or contradicts itself.
    pub fn from_json(json: &[u8], start: &str) -> Result<Self, TokenizerError> {
        Ok(Self(Kind::Bpe(Box::new(Bpe::from_json(json, start)?))))
    }

    /// How many tokens a model needs to know for this tokenizer.
    #[must_use]
    pub fn vocab(&self) -> usize {
        match &self.0 {
            Kind::Bytes => BYTES_VOCAB,
            Kind::Bpe(bpe) => bpe.vocab,
        }
    }

    /// The token that stands before a text.
    #[must_use]
    pub fn start(&self) -> u32 {
        match &self.0 {
            Kind::Bytes => BYTES_START,
            Kind::Bpe(bpe) => bpe.start,
        }
    }

    /// The tokens of a text, without the start token. Their bytes add up to the text's.
    ///
    /// # Errors
    /// The tokenizer needs UTF-8 and the text is not, or it has a byte that no token stands for.
    pub fn encode(&self, text: &[u8]) -> Result<Vec<Token>, TokenizerError> {
        match &self.0 {
            Kind::Bytes => Ok(text.iter().map(|byte| Token { id: u32::from(*byte), bytes: 1 }).collect()),
            Kind::Bpe(bpe) => {
                let text = std::str::from_utf8(text)
                    .map_err(|error| TokenizerError::NotText { valid_bytes: error.valid_up_to() })?;
                bpe.encode(text)
            }
        }
    }

    /// Texts as one stream for training, the start token before each.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn stream<T: AsRef<[u8]>>(&self, texts: &[T]) -> Result<Vec<u32>, TokenizerError> {
        let mut stream = Vec::new();
        for text in texts {
            stream.push(self.start());
            stream.extend(self.encode(text.as_ref())?.iter().map(|token| token.id));
        }
        Ok(stream)
    }
}

/// The parts of `tokenizer.json` that decide how text is encoded.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    normalizer: Option<Named>,
    pre_tokenizer: PreTokenizer,
    model: BpeModel,
    #[serde(default)]
    added_tokens: AtMost<MAX_ADDED, AddedToken>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
}

#[derive(Deserialize)]
struct PreTokenizer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    add_prefix_space: bool,
    #[serde(default = "yes")]
    use_regex: bool,
    #[serde(default)]
    individual_digits: bool,
    #[serde(default)]
    pretokenizers: AtMost<MAX_STEPS, PreTokenizer>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct BpeModel {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    dropout: Option<f64>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    vocab: Vocabulary,
    merges: AtMost<MAX_MERGES, Merge>,
}

/// A list whose length is bounded while it is read.
struct AtMost<const MAX: usize, T>(Vec<T>);

impl<const MAX: usize, T> Default for AtMost<MAX, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, const MAX: usize, T: Deserialize<'de>> Deserialize<'de> for AtMost<MAX, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<const MAX: usize, T>(PhantomData<T>);
        impl<'de, const MAX: usize, T: Deserialize<'de>> Visitor<'de> for Reader<MAX, T> {
            type Value = AtMost<MAX, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX}")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == MAX {
                        return Err(A::Error::invalid_length(MAX + 1, &self));
                    }
                    items.push(item);
                }
                Ok(AtMost(items))
            }
        }
        deserializer.deserialize_seq(Reader(PhantomData))
    }
}

/// Numbers of tokens; their count is bounded while they are read.
struct Vocabulary(BTreeMap<String, u32>);

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vocabulary;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_VOCAB} tokens with their numbers")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
                let mut tokens = BTreeMap::new();
                while let Some((token, id)) = map.next_entry::<String, u32>()? {
                    if tokens.len() == MAX_VOCAB {
                        return Err(A::Error::invalid_length(MAX_VOCAB + 1, &self));
                    }
                    tokens.insert(token, id);
                }
                Ok(Vocabulary(tokens))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A merge: a text with a blank as written by older files, or a pair as written by newer ones.
enum Merge {
    Text(String),
    Pair(String, String),
}

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Merge;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a merge: a text or a pair of texts")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Merge, E> {
                Ok(Merge::Text(text.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Merge, A::Error> {
                let length = |at: usize| A::Error::invalid_length(at, &"a pair of texts");
                let left = seq.next_element()?.ok_or_else(|| length(0))?;
                let right = seq.next_element()?.ok_or_else(|| length(1))?;
                match seq.next_element::<String>()? {
                    None => Ok(Merge::Pair(left, right)),
                    Some(_) => Err(length(3)),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A byte-level BPE.
#[derive(Clone, Debug)]
struct Bpe {
    /// The token of each byte that has one.
    bytes: Vec<Option<u32>>,
    /// (left, right) → (rank, merged).
    merges: BTreeMap<(u32, u32), (u32, u32)>,
    /// Whole words that are tokens and need no merges; empty unless the file asks for it.
    words: BTreeMap<Vec<u8>, u32>,
    /// Whether digits stand alone.
    single_digits: bool,
    start: u32,
    vocab: usize,
}

impl Bpe {
    fn from_json(json: &[u8], start: &str) -> Result<Self, TokenizerError> {
        if json.len() > MAX_FILE_BYTES {
            return Err(TokenizerError::TooLong { found: json.len() });
        }
        let depth = json_depth(json);
        if depth > MAX_JSON_DEPTH {
            let reason = format!("it is {depth} levels deep, at most {MAX_JSON_DEPTH} are allowed");
            return Err(TokenizerError::Unreadable { reason });
        }
        let file: File = serde_json::from_slice(json).map_err(|error| {
            // The parser quotes what it was given, however long.
            TokenizerError::Unreadable { reason: error.to_string().chars().take(MAX_REASON_CHARS).collect() }
        })?;
        let single_digits = check_supported(&file)?;
        let wrong = |reason: String| TokenizerError::Vocabulary { reason };
        let vocab = &file.model.vocab.0;
        let ids: BTreeSet<u32> = vocab.values().copied().collect();
        if ids.len() != vocab.len() {
            return Err(wrong("two tokens have the same number".into()));
        }
        let added = file.added_tokens.0.iter().map(|token| token.id);
        let size = ids.last().copied().into_iter().chain(added).max().map_or(0, |last| last as usize + 1);
        if !(1..=MAX_VOCAB).contains(&size) {
            return Err(wrong(format!("it has {size} tokens, expected 1 to {MAX_VOCAB}")));
        }
        let alphabet = alphabet();
        let token = |text: &str| {
            vocab.get(text).copied().ok_or_else(|| wrong(format!("token {:?} is missing", shortened(text))))
        };
        let bytes =
            alphabet.iter().map(|letter| vocab.get(&*letter.encode_utf8(&mut [0; 4])).copied()).collect();
        let mut merges = BTreeMap::new();
        for (rank, merge) in (0..).zip(&file.model.merges.0) {
            let (left, right) = match merge {
                Merge::Pair(left, right) => (&left[..], &right[..]),
                Merge::Text(text) => text
                    .split_once(' ')
                    .ok_or_else(|| wrong(format!("merge {:?} is no pair", shortened(text))))?,
            };
            let merged = token(&[left, right].concat())?;
            merges.entry((token(left)?, token(right)?)).or_insert((rank, merged));
        }
        let mut words = BTreeMap::new();
        if file.model.ignore_merges {
            let byte_of: BTreeMap<char, u8> = alphabet.into_iter().zip(0..=u8::MAX).collect();
            for (text, id) in vocab {
                if let Some(word) = text.chars().map(|letter| byte_of.get(&letter).copied()).collect() {
                    words.insert(word, *id);
                }
            }
        }
        let special = file.added_tokens.0.iter().find(|token| token.content == start).map(|token| token.id);
        let start = match special {
            Some(id) => id,
            None => token(start)?,
        };
        Ok(Self { bytes, merges, words, single_digits, start, vocab: size })
    }

    fn encode(&self, text: &str) -> Result<Vec<Token>, TokenizerError> {
        let missing = |(_, byte): &(usize, u8)| self.bytes[usize::from(*byte)].is_none();
        if let Some((place, byte)) = text.bytes().enumerate().find(missing) {
            return Err(TokenizerError::NoToken { byte, place });
        }
        let mut tokens = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = if self.single_digits { split_digit(rest) } else { (rest, "") };
            rest = after;
            let mut part = part;
            while !part.is_empty() {
                let (word, after) = part.split_at(word_length(part));
                part = after;
                self.encode_word(word.as_bytes(), &mut tokens);
            }
        }
        Ok(tokens)
    }

    /// Merges the pair of lowest rank, the leftmost first, until none is left; O(n log n) in the word's length.
    fn encode_word(&self, word: &[u8], out: &mut Vec<Token>) {
        if let Some(&id) = self.words.get(word) {
            out.push(Token { id, bytes: u32::try_from(word.len()).expect("a token of the file is short") });
            return;
        }
        const NONE: usize = usize::MAX;
        struct Piece {
            token: Token,
            before: usize,
            after: usize,
            alive: bool,
        }
        let mut pieces: Vec<Piece> = word
            .iter()
            .enumerate()
            .map(|(at, byte)| Piece {
                token: Token { id: self.bytes[usize::from(*byte)].expect("the text was checked"), bytes: 1 },
                before: at.checked_sub(1).unwrap_or(NONE),
                after: if at + 1 < word.len() { at + 1 } else { NONE },
                alive: true,
            })
            .collect();
        let candidate = |pieces: &[Piece], left: usize| {
            let right = pieces.get(left)?.after;
            let pair = (pieces[left].token.id, pieces.get(right)?.token.id);
            let (rank, _) = *self.merges.get(&pair)?;
            Some(Reverse((rank, left, pair)))
        };
        let mut queue: BinaryHeap<_> =
            (0..pieces.len()).filter_map(|left| candidate(&pieces, left)).collect();
        while let Some(Reverse((_, left, pair))) = queue.pop() {
            // An entry is stale when one of its two pieces has been merged since.
            let right = pieces[left].after;
            if !pieces[left].alive || right == NONE || (pieces[left].token.id, pieces[right].token.id) != pair
            {
                continue;
            }
            let (_, merged) = self.merges[&pair];
            let after = pieces[right].after;
            pieces[right].alive = false;
            pieces[left].token =
                Token { id: merged, bytes: pieces[left].token.bytes + pieces[right].token.bytes };
            pieces[left].after = after;
            if after != NONE {
                pieces[after].before = left;
            }
            queue.extend(candidate(&pieces, left));
            queue.extend(candidate(&pieces, pieces[left].before));
        }
        out.extend(pieces.iter().filter(|piece| piece.alive).map(|piece| piece.token));
    }
}

/// Refuses what would change the encoding and is not done here; says whether digits stand alone.
fn check_supported(file: &File) -> Result<bool, TokenizerError> {
    let unsupported = |what: String| Err(TokenizerError::Unsupported { what });
    let model = &file.model;
    if let Some(kind) = model.kind.as_deref().filter(|kind| *kind != "BPE") {
        return unsupported(format!("a model of type {:?}", shortened(kind)));
    }
    if let Some(normalizer) = &file.normalizer {
        return unsupported(format!("the normalizer {:?}", shortened(&normalizer.kind)));
    }
    let affix = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if model.dropout.is_some_and(|dropout| dropout != 0.0)
        || model.byte_fallback
        || affix(&model.continuing_subword_prefix)
        || affix(&model.end_of_word_suffix)
    {
        return unsupported("dropout, byte fallback or marks at the ends of words".into());
    }
    let steps = match file.pre_tokenizer.kind.as_str() {
        "Sequence" => &file.pre_tokenizer.pretokenizers.0[..],
        _ => std::slice::from_ref(&file.pre_tokenizer),
    };
    let byte_level =
        |step: &PreTokenizer| step.kind == "ByteLevel" && step.use_regex && !step.add_prefix_space;
    match steps {
        [only] if byte_level(only) => Ok(false),
        [digits, last] if byte_level(last) && digits.kind == "Digits" && digits.individual_digits => Ok(true),
        _ => {
            let kinds: Vec<&str> = steps.iter().take(8).map(|step| shortened(&step.kind)).collect();
            unsupported(format!("the pre-tokenizer {kinds:?} with its settings"))
        }
    }
}

/// The first part of a foreign text, for messages.
fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(40).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// The letter that stands for each byte in the files: printable bytes for themselves, the others from 256 up.
/// Source: Radford et al., GPT-2, 2019.
fn alphabet() -> Vec<char> {
    let mut next = 256;
    let letter = |byte: u8| {
        if matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) {
            return char::from(byte);
        }
        let letter = char::from_u32(next).expect("256 to 323 are characters");
        next += 1;
        letter
    };
    (0..=u8::MAX).map(letter).collect()
}

/// The first part of a text in which digits stand alone: one digit, or all before the next one.
fn split_digit(text: &str) -> (&str, &str) {
    let mut letters = text.char_indices();
    let end = match letters.next() {
        Some((_, first)) if first.is_numeric() => letters.next().map(|(at, _)| at),
        _ => letters.find(|(_, letter)| letter.is_numeric()).map(|(at, _)| at),
    };
    text.split_at(end.unwrap_or(text.len()))
}

/// What the pattern of GPT-2 tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

fn class(letter: char) -> Class {
    if letter.is_whitespace() {
        return Class::Space;
    }
    match letter.general_category_group() {
        GeneralCategoryGroup::Letter => Class::Letter,
        GeneralCategoryGroup::Number => Class::Number,
        _ => Class::Other,
    }
}

/// Length in bytes of the first word of a text that is not empty, as GPT-2's pattern cuts it: a contraction; letters,
/// numbers or other signs with one blank before them; white space up to the last, or to the end of the text.
fn word_length(text: &str) -> usize {
    const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    if let Some(contraction) = CONTRACTIONS.iter().find(|one| text.starts_with(**one)) {
        return contraction.len();
    }
    let body = text.strip_prefix(' ').unwrap_or(text);
    if let Some(kind) = body.chars().next().map(class).filter(|kind| *kind != Class::Space) {
        let rest = body.find(|letter| class(letter) != kind);
        return rest.map_or(text.len(), |at| at + text.len() - body.len());
    }
    match text.find(|letter: char| !letter.is_whitespace()) {
        None => text.len(),
        Some(end) => {
            let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
            if last == 0 { end } else { last }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_gpt2_cuts_them() {
        let check = |text: &str, expect: &[&str]| {
            let mut rest = text;
            let mut words = Vec::new();
            while !rest.is_empty() {
                let (word, after) = rest.split_at(word_length(rest));
                words.push(word);
                rest = after;
            }
            assert_eq!(words, expect, "{text:?}");
        };
        check("Hello, world!", &["Hello", ",", " world", "!"]);
        check("we've it's 'tis", &["we", "'ve", " it", "'s", " '", "tis"]);
        check("a  b\n\nc ", &["a", " ", " b", "\n", "\n", "c", " "]);
        check("a   ", &["a", "   "]);
        check("x\tyear 1984½", &["x", "\t", "year", " 1984½"]);
        check("naïve Ωμέγα ☕☕", &["naïve", " Ωμέγα", " ☕☕"]);
        check("\u{301}a", &["\u{301}", "a"]);
    }

    #[test]
    fn digits_stand_alone_where_asked() {
        assert_eq!(split_digit("ab12"), ("ab", "12"));
        assert_eq!(split_digit("12"), ("1", "2"));
        assert_eq!(split_digit("½"), ("½", ""));
    }
}
