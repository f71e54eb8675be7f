//! Reads a `tokenizer.json`. Texts go straight into one row of bytes each for tokens and merges, so that a file takes
//! no more memory than a few times its length.

use std::{collections::hash_map::RandomState, fmt, hash::BuildHasher as _, marker::PhantomData};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};

use super::{Bpe, Merge, Merges, NONE, Pieces, Span};
use crate::{
    letters::{append_bytes, letters},
    tensors::json_depth,
    tokenizer::{MAX_FILE_BYTES, MAX_VOCAB, Start, TokenizerError},
    words::Words,
};

/// Most merges; the largest files in use have some 515,000.
const MAX_MERGES: usize = 1 << 19;
/// Most tokens that are added to the vocabulary; some 6,000 are in use.
const MAX_ADDED: usize = 1 << 16;
/// Most steps in a row by which words are cut; three are in use.
const MAX_STEPS: usize = 16;
/// Most characters of a message's reason.
const MAX_REASON_CHARS: usize = 400;
/// Deepest nesting of the file.
const MAX_JSON_DEPTH: usize = 64;

fn wrong(reason: String) -> TokenizerError {
    TokenizerError::Vocabulary { reason }
}

impl Bpe {
    /// Reads the bytes of a `tokenizer.json`.
    pub(crate) fn from_json(json: &[u8], start: Start<'_>) -> Result<Self, TokenizerError> {
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
        let (words, composes) = check_supported(&file)?;
        let File { model, added_tokens: AtMost(added), .. } = file;
        let mut tokens = Tokens::new(model.vocab, added.iter().map(|token| token.id))?;
        for token in &added {
            tokens.add(token)?;
        }
        let merges = tokens.merges(&model.merges)?;
        let mut bytes = Vec::with_capacity(256);
        bytes.extend((0..=u8::MAX).map(|byte| tokens.find(&[byte], true).unwrap_or(NONE)));
        let start = match start {
            Start::Named(name) => {
                let named = added.iter().find(|token| token.content == name).map(|token| token.id);
                let missing = || wrong(format!("token {:?} is missing", shortened(name)));
                named.or_else(|| tokens.find_text(name)).ok_or_else(missing)?
            }
            Start::Numbered(id) if tokens.pieces.get(id).is_some() => id,
            Start::Numbered(id) => return Err(wrong(format!("token {id}, the start, is missing"))),
        };
        let Tokens { pieces, vocab, .. } = tokens;
        let mut whole = Vec::new();
        if model.ignore_merges {
            let piece = |id: u32| pieces.get(id).map_or(&[][..], |(bytes, _)| bytes);
            let spelled = |id: &u32| pieces.spans[*id as usize].is_some_and(|span| span.spelled);
            whole = (0..vocab).filter(spelled).collect();
            whole.sort_unstable_by(|a, b| piece(*a).cmp(piece(*b)));
        }
        let complete = !bytes.contains(&NONE);
        Ok(Self { words, composes, bytes, complete, merges, whole, pieces, start })
    }
}

/// The tokens of a file, found by their bytes.
struct Tokens {
    pieces: Pieces,
    /// Places by hash: the number of the token that stands there. Half of them stay empty.
    places: Vec<u32>,
    /// Whoever makes a file cannot know where its tokens stand.
    hasher: RandomState,
    /// The numbers of the vocabulary are below this one.
    vocab: u32,
}

impl Tokens {
    fn new(vocab: Vocabulary, added: impl ExactSizeIterator<Item = u32>) -> Result<Self, TokenizerError> {
        let count = vocab.tokens.len() + added.len();
        let size = |ids: &mut dyn Iterator<Item = u32>| ids.max().map_or(0, |last| last as usize + 1);
        let own = size(&mut vocab.tokens.iter().map(|token| token.id));
        let all = own.max(size(&mut added.into_iter()));
        if !(1..=MAX_VOCAB).contains(&all) {
            return Err(wrong(format!("it has {all} tokens, expected 1 to {MAX_VOCAB}")));
        }
        let mut tokens = Self {
            pieces: Pieces { bytes: vocab.bytes, spans: vec![None; all] },
            places: vec![NONE; (2 * count).next_power_of_two()],
            hasher: RandomState::new(),
            vocab: u32::try_from(own).expect("at most MAX_VOCAB"),
        };
        let mut start = 0;
        for token in &vocab.tokens {
            let span = Span { start, length: token.length, special: false, spelled: token.spelled };
            start += token.length;
            tokens.insert(token.id, span)?;
        }
        Ok(tokens)
    }

    /// The place of a token with these bytes, or an empty one.
    fn place(&self, bytes: &[u8], spelled: bool) -> usize {
        let most = self.places.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "the lower bits of a hash are as good as any")]
        let mut at = self.hasher.hash_one(bytes) as usize & most;
        loop {
            let id = self.places[at];
            let same = |span: Span| span.spelled == spelled && self.pieces.bytes_of(span) == bytes;
            if id == NONE || self.pieces.spans[id as usize].is_some_and(same) {
                return at;
            }
            at = (at + 1) & most;
        }
    }

    fn insert(&mut self, id: u32, span: Span) -> Result<(), TokenizerError> {
        let bytes = self.pieces.bytes_of(span);
        let place = self.place(bytes, span.spelled);
        if self.places[place] != NONE {
            let name = if span.spelled { letters(bytes) } else { String::from_utf8_lossy(bytes).into() };
            return Err(wrong(format!("token {:?} stands twice", shortened(&name))));
        }
        let known = &mut self.pieces.spans[id as usize];
        if known.is_some() {
            return Err(wrong(format!("two tokens have the same number {id}")));
        }
        *known = Some(span);
        self.places[place] = id;
        Ok(())
    }

    fn find(&self, bytes: &[u8], spelled: bool) -> Option<u32> {
        Some(self.places[self.place(bytes, spelled)]).filter(|id| *id != NONE)
    }

    fn find_text(&self, text: &str) -> Option<u32> {
        let mut bytes = Vec::new();
        let spelled = append_bytes(text, &mut bytes);
        self.find(&bytes, spelled)
    }

    /// A token that a file adds to its vocabulary, or one of the vocabulary about which it says more.
    fn add(&mut self, token: &AddedToken) -> Result<(), TokenizerError> {
        let AddedToken { id, content, special } = token;
        match self.find_text(content) {
            Some(known) if known == *id => {
                if let Some(span) = &mut self.pieces.spans[known as usize] {
                    span.special = *special;
                }
                Ok(())
            }
            Some(known) => {
                Err(wrong(format!("token {:?} has the numbers {known} and {id}", shortened(content))))
            }
            None => {
                let start = self.pieces.bytes.len();
                let spelled = append_bytes(content, &mut self.pieces.bytes);
                let short = |length: usize| u32::try_from(length).expect("a file is at most 64 MB");
                let length = short(self.pieces.bytes.len() - start);
                self.insert(*id, Span { start: short(start), length, special: *special, spelled })
            }
        }
    }

    fn merges(&self, list: &MergeList) -> Result<Merges, TokenizerError> {
        let mut merges = Vec::with_capacity(list.lengths.len());
        let mut rest = &list.bytes[..];
        for (rank, (left, right)) in (0..).zip(&list.lengths) {
            let (both, after) = rest.split_at((left + right) as usize);
            let (left, right) = both.split_at(*left as usize);
            rest = after;
            let id = |bytes: &[u8]| {
                let missing = || wrong(format!("token {:?} is missing", shortened(&letters(bytes))));
                self.find(bytes, true).ok_or_else(missing)
            };
            let merged = id(both)?;
            merges.push((id(left)?, Merge { right: id(right)?, rank, merged }));
        }
        Ok(Merges::new(self.pieces.spans.len(), merges))
    }
}

/// How words are cut, and whether texts are composed before. Refuses what would change the encoding and is not done.
fn check_supported(file: &File) -> Result<(Words, bool), TokenizerError> {
    let unsupported = |what: String| Err(TokenizerError::Unsupported { what });
    let model = &file.model;
    if let Some(kind) = model.kind.as_deref().filter(|kind| *kind != "BPE") {
        return unsupported(format!("a model of type {:?}", shortened(kind)));
    }
    let normalizer = file.normalizer.as_ref().map(|normalizer| &normalizer.kind[..]);
    if let Some(kind) = normalizer.filter(|kind| *kind != "NFC") {
        return unsupported(format!("the normalizer {:?}", shortened(kind)));
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
    let byte_level = |step: &PreTokenizer, use_regex: bool| {
        step.kind == "ByteLevel" && step.use_regex == use_regex && !step.add_prefix_space
    };
    let words = match steps {
        [only] if byte_level(only, true) => Some(Words::Gpt2),
        [first, last] if byte_level(last, true) && first.kind == "Digits" && first.individual_digits => {
            Some(Words::Smollm)
        }
        [first, last] if byte_level(last, false) && first.kind == "Split" => match &first.pattern {
            Some(Pattern::Regex(pattern)) if first.behavior == "Isolated" && !first.invert => {
                let known = Words::of_pattern(pattern);
                if known.is_none() {
                    return unsupported(format!("words of the pattern {:?}", shortened(pattern)));
                }
                known
            }
            _ => None,
        },
        _ => None,
    };
    match words {
        Some(words) => Ok((words, normalizer.is_some())),
        None => {
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
    #[serde(default)]
    special: bool,
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
    pattern: Option<Pattern>,
    #[serde(default)]
    behavior: String,
    #[serde(default)]
    invert: bool,
    #[serde(default)]
    pretokenizers: AtMost<MAX_STEPS, PreTokenizer>,
}

#[derive(Deserialize)]
enum Pattern {
    Regex(String),
    #[serde(rename = "String")]
    Text(serde::de::IgnoredAny),
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
    merges: MergeList,
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

/// The tokens of a file in its order; their count is bounded while they are read.
struct Vocabulary {
    /// What they stand for, one after the other.
    bytes: Vec<u8>,
    tokens: Vec<Listed>,
}

struct Listed {
    id: u32,
    length: u32,
    spelled: bool,
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vocabulary;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_VOCAB} tokens with their numbers")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
                let mut vocab = Vocabulary { bytes: Vec::new(), tokens: Vec::new() };
                while let Some((length, spelled)) = map.next_key_seed(Text(&mut vocab.bytes))? {
                    if vocab.tokens.len() == MAX_VOCAB {
                        return Err(A::Error::invalid_length(MAX_VOCAB + 1, &self));
                    }
                    vocab.tokens.push(Listed { id: map.next_value()?, length, spelled });
                }
                Ok(vocab)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Appends the bytes that a text's letters stand for and returns how many these are, and whether all letters stand for
/// one; else the text's own.
struct Text<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = (u32, bool);
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(u32, bool), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = (u32, bool);
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(u32, bool), E> {
        let before = self.0.len();
        let spelled = append_bytes(text, self.0);
        let length = u32::try_from(self.0.len() - before).expect("a file is at most 64 MB");
        Ok((length, spelled))
    }
}

/// Merges in the order of their ranks; their count is bounded while they are read.
struct MergeList {
    /// What the pairs stand for, one after the other.
    bytes: Vec<u8>,
    lengths: Vec<(u32, u32)>,
}

impl<'de> Deserialize<'de> for MergeList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = MergeList;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX_MERGES}")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<MergeList, A::Error> {
                let mut list = MergeList { bytes: Vec::new(), lengths: Vec::new() };
                while let Some(lengths) = seq.next_element_seed(Pair(&mut list.bytes))? {
                    if list.lengths.len() == MAX_MERGES {
                        return Err(A::Error::invalid_length(MAX_MERGES + 1, &self));
                    }
                    list.lengths.push(lengths);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

/// Appends a merge: a text with a blank as written by older files, or a pair as written by newer ones.
struct Pair<'a>(&'a mut Vec<u8>);

impl Pair<'_> {
    /// Lengths of two texts that are read by [`Text`].
    fn lengths<E: serde::de::Error>(left: (u32, bool), right: (u32, bool)) -> Result<(u32, u32), E> {
        match (left, right) {
            ((0, _), _) | (_, (0, _)) => Err(E::custom("a merge has an empty part")),
            ((left, true), (right, true)) => Ok((left, right)),
            _ => Err(E::custom("a merge has letters that stand for no byte")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = (u32, u32);
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(u32, u32), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = (u32, u32);
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a merge: a text or a pair of texts")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(u32, u32), E> {
        let Some((left, right)) = text.split_once(' ') else {
            return Err(E::custom(format!("merge {:?} is no pair", shortened(text))));
        };
        let left = Text(self.0).visit_str(left)?;
        Self::lengths(left, Text(self.0).visit_str(right)?)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(u32, u32), A::Error> {
        let length = |at: usize| A::Error::invalid_length(at, &"a pair of texts");
        let left = seq.next_element_seed(Text(self.0))?.ok_or_else(|| length(0))?;
        let right = seq.next_element_seed(Text(self.0))?.ok_or_else(|| length(1))?;
        match seq.next_element::<serde::de::IgnoredAny>()? {
            None => Self::lengths(left, right),
            Some(_) => Err(length(3)),
        }
    }
}
