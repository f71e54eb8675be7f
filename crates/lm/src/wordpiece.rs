//! From text to the tokens of a BERT: WordPiece, read from a Hugging Face `tokenizer.json`.
//!
//! Text is cleaned, ideographs are set apart, accents and capitals go where the file says so; words end at white
//! space and punctuation; each is cut into the longest pieces that the vocabulary has. The tokens are those that the
//! library `tokenizers` makes, also where a text has the name of a special token in it: `[SEP]` is that token.
//! Sources: Devlin et al., BERT, `tokenization.py`, 2018; Schuster & Nakajima, "Japanese and Korean voice search",
//! 2012. A file that asks for anything else is refused.

mod signs;

use std::{cmp::Reverse, collections::BTreeMap, fmt, marker::PhantomData, ops::Range};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};
use unicode_normalization::UnicodeNormalization as _;

use crate::tensors::LoadError;
use signs::{Sign, is_ideograph};

/// The file that all this comes from.
pub(crate) const FILE: &str = "tokenizer.json";
/// Most tokens of a vocabulary; the largest of a BERT in use has 501,153.
const MAX_VOCAB: usize = 1 << 19;
/// Most bytes of a token; the longest in use have some 60.
const MAX_TOKEN_BYTES: usize = 256;
/// Most tokens with names that are looked for in texts, and most of those around a text; there are 5, and 2.
const MAX_SPECIAL: usize = 256;
const MAX_AROUND: usize = 8;
/// Most characters of a word that is cut into pieces: the work grows with their square. Files say 100.
const MAX_WORD_CHARS: usize = 1000;

/// Turns text into tokens.
#[derive(Clone, Debug)]
pub(crate) struct WordPiece {
    normalizer: Normalizer,
    vocab: Vocabulary,
    /// Pieces that begin a word, and pieces that go on with one.
    starts: Pieces,
    continuations: Pieces,
    unknown: u32,
    word_chars: usize,
    /// Names that are tokens wherever they stand, longest first.
    special: Vec<(String, u32)>,
    before: Vec<u32>,
    after: Vec<u32>,
    largest: u32,
}

/// The tokens in the order of their texts, which stand one after the other.
#[derive(Clone, Debug, Default)]
struct Vocabulary {
    texts: String,
    tokens: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    length: u32,
    id: u32,
}

impl Vocabulary {
    fn text(&self, entry: &Entry) -> &str {
        &self.texts[entry.start as usize..][..entry.length as usize]
    }

    fn get(&self, text: &str) -> Option<u32> {
        let at = self.tokens.binary_search_by(|entry| self.text(entry).cmp(text)).ok()?;
        Some(self.tokens[at].id)
    }

    /// The pieces with a mark before them.
    fn marked(&self, mark: &str) -> Pieces {
        let first = self.tokens.partition_point(|entry| self.text(entry) < mark);
        let marked = self.tokens[first..].iter().take_while(|entry| self.text(entry).starts_with(mark));
        let (mut count, mut longest) = (0, 0);
        for entry in marked {
            (count, longest) = (count + 1, longest.max(entry.length as usize - mark.len()));
        }
        Pieces { among: first..first + count, mark: mark.len(), longest }
    }

    /// The longest piece that a text begins with, and its bytes.
    fn longest_of(&self, pieces: &Pieces, text: &str) -> Option<(u32, usize)> {
        let among = &self.tokens[pieces.among.clone()];
        let mut end = text.floor_char_boundary(pieces.longest);
        while end > 0 {
            let piece = &text[..end];
            if let Ok(at) = among.binary_search_by(|entry| self.text(entry)[pieces.mark..].cmp(piece)) {
                return Some((among[at].id, end));
            }
            end = text.floor_char_boundary(end - 1);
        }
        None
    }
}

/// Tokens that follow each other in a vocabulary and begin with the same mark.
#[derive(Clone, Debug)]
struct Pieces {
    among: Range<usize>,
    /// Bytes of the mark.
    mark: usize,
    /// Bytes of the longest, without the mark.
    longest: usize,
}

impl WordPiece {
    /// Reads the bytes of a `tokenizer.json`, which the caller has found to be of bounded length.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, LoadError> {
        let file: File = serde_json::from_slice(json).map_err(|error| LoadError::malformed(FILE, error))?;
        let wrong = |reason: String| LoadError::malformed(FILE, reason);
        check_kind("normalizer", &file.normalizer.kind, "BertNormalizer")?;
        check_kind("pre-tokenizer", &file.pre_tokenizer.kind, "BertPreTokenizer")?;
        check_kind("model", file.model.kind.as_deref().unwrap_or("WordPiece"), "WordPiece")?;
        let (model, vocab) = (&file.model, &file.model.vocab);
        if !(1..=MAX_WORD_CHARS).contains(&model.max_input_chars_per_word) {
            let found = model.max_input_chars_per_word;
            return Err(wrong(format!(
                "max_input_chars_per_word is {found}, expected 1 to {MAX_WORD_CHARS}"
            )));
        }
        let mut ids: Vec<u32> = vocab.tokens.iter().map(|entry| entry.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(wrong("two tokens of its vocabulary have the same number".into()));
        }
        // Pieces with the mark begin words, too, where a text has the mark itself.
        let (starts, continuations) = (vocab.marked(""), vocab.marked(&model.continuing_subword_prefix));
        let Some(unknown) = vocab.get(&model.unk_token) else {
            return Err(wrong(format!("its vocabulary has no token {:?}", shortened(&model.unk_token))));
        };
        let special = special_tokens(&file.added_tokens.0, vocab)?;
        ids.extend(special.iter().map(|(_, id)| id));
        ids.sort_unstable();
        let (before, after) = around(file.post_processor)?;
        if let Some(id) = before.iter().chain(&after).find(|id| ids.binary_search(id).is_err()) {
            return Err(wrong(format!(
                "token {id} stands around texts, and the vocabulary has no such number"
            )));
        }
        let largest = *ids.last().expect("there is an unknown token");
        let (normalizer, word_chars) = (file.normalizer, model.max_input_chars_per_word);
        let vocab = file.model.vocab;
        Ok(Self {
            normalizer,
            vocab,
            starts,
            continuations,
            unknown,
            word_chars,
            special,
            before,
            after,
            largest,
        })
    }

    /// The largest number of a token.
    pub(crate) fn largest(&self) -> u32 {
        self.largest
    }

    /// How many tokens stand around each text.
    pub(crate) fn around(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// The tokens of a text with those around it, at most `most` in all, which is not less than [`Self::around`]: of
    /// a longer text the first ones.
    pub(crate) fn encode(&self, text: &str, most: usize) -> Vec<u32> {
        let mut tokens = self.before.clone();
        let most = most - self.after.len();
        let mut rest = text;
        while !rest.is_empty() && tokens.len() < most {
            let (plain, special) = self.next_special(rest);
            self.encode_plain(&rest[..plain], most, &mut tokens);
            rest = &rest[plain..];
            if let Some((name, id)) = special {
                tokens.push(*id);
                rest = &rest[name.len()..];
            }
        }
        tokens.truncate(most);
        tokens.extend(&self.after);
        tokens
    }

    /// How many bytes come before the first special token of a text, and that token.
    fn next_special(&self, text: &str) -> (usize, Option<&(String, u32)>) {
        for (at, _) in text.char_indices() {
            let here = &text[at..];
            if let Some(special) = self.special.iter().find(|(name, _)| here.starts_with(name.as_str())) {
                return (at, Some(special));
            }
        }
        (text.len(), None)
    }

    /// Adds the tokens of a text without special ones, and stops when there are `most`.
    fn encode_plain(&self, text: &str, most: usize, tokens: &mut Vec<u32>) {
        let mut word = String::new();
        // Of a word that is too long only its length counts.
        let mut chars = 0;
        let mut flush = |word: &mut String, chars: &mut usize| {
            if *chars > 0 {
                self.encode_word(word, *chars, tokens);
            }
            word.clear();
            *chars = 0;
            tokens.len() >= most
        };
        for letter in self.normalizer.apply(text) {
            let space = letter.is_whitespace();
            let alone = !space && Sign::of(letter) == Sign::Punctuation;
            if (space || alone) && flush(&mut word, &mut chars) {
                return;
            }
            if space {
                continue;
            }
            if chars < self.word_chars {
                word.push(letter);
            }
            chars += 1;
            if alone && flush(&mut word, &mut chars) {
                return;
            }
        }
        flush(&mut word, &mut chars);
    }

    fn encode_word(&self, word: &str, chars: usize, tokens: &mut Vec<u32>) {
        let start = tokens.len();
        let mut rest = if chars > self.word_chars { None } else { Some(word) };
        let mut pieces = &self.starts;
        while let Some(text) = rest.filter(|text| !text.is_empty()) {
            rest = self.vocab.longest_of(pieces, text).map(|(id, bytes)| {
                tokens.push(id);
                &text[bytes..]
            });
            pieces = &self.continuations;
        }
        if rest.is_none() {
            tokens.truncate(start);
            tokens.push(self.unknown);
        }
    }
}

impl Normalizer {
    /// The characters of a text as the vocabulary knows them.
    fn apply<'a>(&self, text: &'a str) -> Box<dyn Iterator<Item = char> + 'a> {
        let Self { clean_text, handle_chinese_chars, strip_accents, lowercase, .. } = *self;
        let cleaned = move |letter: char| {
            if !clean_text {
                return Some(letter);
            }
            match Sign::of(letter) {
                Sign::Space => Some(' '),
                Sign::Control => None,
                _ => Some(letter).filter(|letter| *letter != '\u{fffd}'),
            }
        };
        let set_apart = move |letter: char| {
            let space = (handle_chinese_chars && is_ideograph(letter)).then_some(' ');
            space.into_iter().chain([letter]).chain(space)
        };
        let letters = text.chars().filter_map(cleaned).flat_map(set_apart);
        let letters: Box<dyn Iterator<Item = char> + 'a> = if strip_accents.unwrap_or(lowercase) {
            Box::new(letters.nfd().filter(|letter| Sign::of(*letter) != Sign::Accent))
        } else {
            Box::new(letters)
        };
        if lowercase { Box::new(letters.flat_map(char::to_lowercase)) } else { letters }
    }
}

/// The parts of `tokenizer.json` that decide how text is encoded.
#[derive(Deserialize)]
struct File {
    normalizer: Normalizer,
    pre_tokenizer: PreTokenizer,
    model: Model,
    post_processor: PostProcessor,
    added_tokens: List<AddedToken>,
}

#[derive(Clone, Debug, Deserialize)]
struct Normalizer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    clean_text: bool,
    #[serde(default)]
    handle_chinese_chars: bool,
    /// As `lowercase` where it is not said.
    #[serde(default)]
    strip_accents: Option<bool>,
    #[serde(default)]
    lowercase: bool,
}

#[derive(Deserialize)]
struct PreTokenizer {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    unk_token: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: usize,
    vocab: Vocabulary,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
}

/// `BertProcessing` has `cls` and `sep`, `TemplateProcessing` the others.
#[derive(Deserialize)]
struct PostProcessor {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    cls: Option<(String, u32)>,
    #[serde(default)]
    sep: Option<(String, u32)>,
    #[serde(default)]
    single: Option<List<Part>>,
    #[serde(default)]
    special_tokens: Option<Table<Around, MAX_SPECIAL>>,
}

/// A part of a template.
#[derive(Deserialize)]
enum Part {
    SpecialToken { id: String, type_id: u32 },
    Sequence { id: String, type_id: u32 },
}

#[derive(Deserialize)]
struct Around {
    ids: List<u32>,
}

/// A list of at most [`MAX_SPECIAL`] items.
struct List<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    if list.len() == MAX_SPECIAL {
                        return Err(A::Error::custom(format!("a list has more than {MAX_SPECIAL} items")));
                    }
                    list.push(item);
                }
                Ok(List(list))
            }
        }
        deserializer.deserialize_seq(Reader(PhantomData))
    }
}

/// Says why a token's text is refused, if it is.
fn check_length<E: serde::de::Error>(text: &str) -> Result<(), E> {
    if (1..=MAX_TOKEN_BYTES).contains(&text.len()) {
        return Ok(());
    }
    let (name, bytes) = (shortened(text), text.len());
    Err(E::custom(format!("token {name:?} has {bytes} bytes, expected 1 to {MAX_TOKEN_BYTES}")))
}

fn twice<E: serde::de::Error>(text: &str) -> E {
    E::custom(format!("the token {:?} stands twice", shortened(text)))
}

/// An object of at most so many tokens with something to each, none of them twice.
struct Table<V, const MOST: usize>(BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Table<V, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<V, const MOST: usize>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>, const MOST: usize> Visitor<'de> for Reader<V, MOST> {
            type Value = Table<V, MOST>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tokens")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<V, MOST>, A::Error> {
                let mut table = BTreeMap::new();
                while let Some((text, value)) = map.next_entry::<String, V>()? {
                    check_length(&text)?;
                    if table.len() == MOST {
                        return Err(A::Error::custom(format!("there are more than {MOST} tokens")));
                    }
                    let name = shortened(&text).to_owned();
                    if table.insert(text, value).is_some() {
                        return Err(twice(&name));
                    }
                }
                Ok(Table(table))
            }
        }
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vocabulary;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tokens")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
                let Vocabulary { mut texts, mut tokens } = Vocabulary::default();
                while let Some((start, length)) = map.next_key_seed(Text(&mut texts))? {
                    if tokens.len() == MAX_VOCAB {
                        return Err(A::Error::custom(format!("there are more than {MAX_VOCAB} tokens")));
                    }
                    tokens.push(Entry { start, length, id: map.next_value()? });
                }
                let text = |entry: &Entry| &texts[entry.start as usize..][..entry.length as usize];
                tokens.sort_unstable_by(|a, b| text(a).cmp(text(b)));
                if let Some(pair) = tokens.windows(2).find(|pair| text(&pair[0]) == text(&pair[1])) {
                    return Err(twice(text(&pair[0])));
                }
                Ok(Vocabulary { texts, tokens })
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Appends a token's text and returns where it begins and how long it is.
struct Text<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = (u32, u32);
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(u32, u32), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = (u32, u32);
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(u32, u32), E> {
        check_length(text)?;
        let start = u32::try_from(self.0.len()).expect("a file is at most 64 MB");
        self.0.push_str(text);
        Ok((start, u32::try_from(text.len()).expect("at most MAX_TOKEN_BYTES")))
    }
}

fn check_kind(part: &str, kind: &str, expected: &str) -> Result<(), LoadError> {
    if kind == expected {
        return Ok(());
    }
    let what = format!("the {part} {:?} of {FILE}", shortened(kind));
    Err(LoadError::Unsupported { what, expected: expected.into() })
}

/// The tokens that are found by their names, longest first.
fn special_tokens(added: &[AddedToken], vocab: &Vocabulary) -> Result<Vec<(String, u32)>, LoadError> {
    let mut special = Vec::with_capacity(added.len());
    for AddedToken { id, content, single_word, lstrip, rstrip, normalized } in added {
        let name = shortened(content);
        if *single_word || *lstrip || *rstrip || *normalized {
            return Err(LoadError::Unsupported {
                what: format!("the added token {name:?} of {FILE} with its settings"),
                expected: "single_word, lstrip, rstrip and normalized to be false".into(),
            });
        }
        if !(1..=MAX_TOKEN_BYTES).contains(&content.len()) {
            let bytes = content.len();
            let reason = format!("added token {name:?} has {bytes} bytes, expected 1 to {MAX_TOKEN_BYTES}");
            return Err(LoadError::malformed(FILE, reason));
        }
        if let Some(other) = vocab.get(content).filter(|other| other != id) {
            return Err(LoadError::malformed(
                FILE,
                format!("token {name:?} has the numbers {other} and {id}"),
            ));
        }
        special.push((content.clone(), *id));
    }
    special.sort_by_key(|(name, _)| Reverse(name.len()));
    Ok(special)
}

/// The tokens before and behind each text.
fn around(processor: PostProcessor) -> Result<(Vec<u32>, Vec<u32>), LoadError> {
    let unsupported = || LoadError::Unsupported {
        what: format!("the post-processor {:?} of {FILE} with its settings", shortened(&processor.kind)),
        expected: format!(
            "BertProcessing, or a template of one sequence and up to {MAX_AROUND} tokens of type 0"
        ),
    };
    let (single, special) = match &processor {
        PostProcessor { kind, cls: Some(cls), sep: Some(sep), .. } if kind == "BertProcessing" => {
            return Ok((vec![cls.1], vec![sep.1]));
        }
        PostProcessor { kind, single: Some(single), special_tokens: Some(special), .. }
            if kind == "TemplateProcessing" =>
        {
            (&single.0, &special.0)
        }
        _ => return Err(unsupported()),
    };
    let (mut before, mut after, mut seen) = (Vec::new(), Vec::new(), false);
    for part in single {
        match part {
            Part::Sequence { id, type_id: 0 } if id == "A" && !seen => seen = true,
            Part::SpecialToken { id, type_id: 0 } => {
                let to = if seen { &mut after } else { &mut before };
                to.extend(special.get(id).map(|token| &token.ids.0[..]).ok_or_else(unsupported)?);
            }
            _ => return Err(unsupported()),
        }
        if before.len() + after.len() > MAX_AROUND {
            return Err(unsupported());
        }
    }
    if seen { Ok((before, after)) } else { Err(unsupported()) }
}

/// The first part of a foreign text, for messages.
fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(40).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn file() -> Value {
        let words = [
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "weigh", "##house", "##s", "##ed", "we", "!", "a", "\u{4e2d}",
        ];
        let vocab: serde_json::Map<String, Value> =
            words.iter().zip(0..).map(|(word, id): (_, u32)| ((*word).into(), id.into())).collect();
        let added: Vec<Value> =
            (0..4).map(|id| json!({"id": id, "content": words[id], "special": true})).collect();
        let token = |id: u32, name: &str| json!({"id": name, "ids": [id], "tokens": [name]});
        json!({
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [
                    {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}},
                    {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                ],
                "special_tokens": {"[CLS]": token(2, "[CLS]"), "[SEP]": token(3, "[SEP]")},
            },
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 20, "vocab": vocab,
            },
            "added_tokens": added,
        })
    }

    fn read(file: &Value) -> Result<WordPiece, LoadError> {
        WordPiece::from_json(file.to_string().as_bytes())
    }

    #[test]
    fn words_are_cut_into_the_longest_pieces() {
        let pieces = read(&file()).unwrap();
        assert_eq!((pieces.largest(), pieces.around()), (11, 2));
        let check = |text: &str, expect: &[u32]| {
            let tokens = pieces.encode(text, 100);
            assert_eq!(tokens, [&[2], expect, &[3]].concat(), "{text:?}");
            for most in 2..tokens.len() {
                assert_eq!(
                    pieces.encode(text, most),
                    [&tokens[..most - 1], &[3]].concat(),
                    "{most} of {text:?}"
                );
            }
        };
        check("", &[]);
        check(" \n\t ", &[]);
        check("weighhouses weighed", &[4, 5, 6, 4, 7]);
        check("W\u{c9}igh\u{301} !weigh!", &[4, 9, 4, 9]);
        check("we\u{0}igh\u{200b} weighx", &[4, 1]);
        check("weigh\u{4e2d}a", &[4, 11, 10]);
        check("weigh[SEP]we [sep]", &[4, 3, 8, 1, 1, 1]);
        check(&"we".repeat(11), &[1]);
        check(&format!("{} a", "a".repeat(1000)), &[1, 10]);
    }

    #[test]
    fn files_that_ask_for_something_else_are_refused_in_words() {
        let check = |change: fn(&mut Value), message: &str| {
            let mut file = file();
            change(&mut file);
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        };
        check(|f| f["model"]["type"] = "BPE".into(), "the model \"BPE\" of tokenizer.json is not supported");
        check(|f| f["normalizer"]["type"] = "NFC".into(), "the normalizer \"NFC\"");
        check(|f| f["normalizer"] = Value::Null, "tokenizer.json is malformed");
        check(|f| f["pre_tokenizer"]["type"] = "Whitespace".into(), "the pre-tokenizer \"Whitespace\"");
        check(|f| f["model"]["unk_token"] = "?".into(), "its vocabulary has no token \"?\"");
        check(|f| f["model"]["vocab"]["b"] = 4.into(), "two tokens of its vocabulary have the same number");
        check(|f| f["model"]["vocab"][""] = 40.into(), "token \"\" has 0 bytes, expected 1 to 256");
        check(|f| f["model"]["max_input_chars_per_word"] = 5000.into(), "is 5000, expected 1 to 1000");
        check(|f| f["added_tokens"][0]["lstrip"] = true.into(), "the added token \"[PAD]\"");
        check(|f| f["added_tokens"][0]["id"] = 9.into(), "token \"[PAD]\" has the numbers 0 and 9");
        check(
            |f| f["added_tokens"] = vec![json!({"id": 0, "content": "a"}); 257].into(),
            "more than 256 items",
        );
        check(|f| f["post_processor"]["single"][1]["Sequence"]["id"] = "B".into(), "the post-processor");
        check(
            |f| f["post_processor"]["special_tokens"]["[CLS]"]["ids"] = vec![99].into(),
            "token 99 stands around",
        );
        let twice = file().to_string().replace("\"##ed\":7", "\"##ed\":7,\"##ed\":8");
        let error = WordPiece::from_json(twice.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("the token \"##ed\" stands twice"), "{error}");
    }

    #[test]
    fn bert_processing_is_the_template_in_fewer_words() {
        let mut file = file();
        file["post_processor"] = json!({"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]});
        assert_eq!(read(&file).unwrap().encode("we", 9), [2, 8, 3]);
    }
}
