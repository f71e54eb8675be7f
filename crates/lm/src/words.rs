//! How a text is cut into words, which no merge crosses.
//!
//! The ways that are known are those of GPT-2, SmolLM, Llama 3 and Qwen. Files give them as regular expressions; these
//! are recognised by their text, and the words are cut by the code below: a foreign pattern is never run. Every
//! character belongs to a word, so that the words of a text are the text. What letters, numbers and white space are
//! does not follow the newest tables but those of the library `tokenizers`, so that a text's tokens are the same
//! everywhere and stay what they are.

mod later;

use serde_json::{Value, json};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

pub(crate) use later::is_later_part;
use later::{is_later_digit, is_later_sign};

/// How words are cut by the models from Llama 3 and Qwen 2 on. Source: their `tokenizer.json`.
const SPLIT: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|",
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
);
/// Most numbers in a word of Llama 3, of which Qwen has one.
const LLAMA_DIGITS: usize = 3;

/// A way to cut a text into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Contractions; letters, numbers or other signs with one blank before them; white space.
    /// Source: Radford et al., GPT-2, 2019.
    Gpt2,
    /// As [`Words::Gpt2`], and each digit stands alone.
    Smollm,
    /// Contractions; letters with one sign before them; up to three numbers; other signs with one blank before and line
    /// breaks behind them; white space up to a line break; other white space. A word that is a token needs no merges.
    Llama3,
    /// As [`Words::Llama3`], but numbers stand alone, words are cut from the composed form of a text (NFC), and all
    /// tokens are made by merges.
    Qwen2,
}

impl Words {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Gpt2, Self::Smollm, Self::Llama3, Self::Qwen2];

    /// The name in commands and GGUF files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt-2",
            Self::Smollm => "smollm",
            Self::Llama3 => "llama-bpe",
            Self::Qwen2 => "qwen2",
        }
    }

    /// Whether a text is composed before it is cut.
    pub(crate) fn composes(self) -> bool {
        self == Self::Qwen2
    }

    /// Whether a word that is a token is that token, whatever the merges say.
    pub(crate) fn ignores_merges(self) -> bool {
        self == Self::Llama3
    }

    /// The `normalizer` of a `tokenizer.json`.
    pub(crate) fn normalizer(self) -> Value {
        if self.composes() { json!({"type": "NFC"}) } else { Value::Null }
    }

    /// The `pre_tokenizer` of a `tokenizer.json`.
    pub(crate) fn pre_tokenizer(self) -> Value {
        let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
        let sequence =
            |first: Value, last: Value| json!({"type": "Sequence", "pretokenizers": [first, last]});
        match self {
            Self::Gpt2 => byte_level(true),
            Self::Smollm => sequence(json!({"type": "Digits", "individual_digits": true}), byte_level(true)),
            Self::Llama3 | Self::Qwen2 => {
                let pattern = json!({"Regex": self.pattern()});
                let split =
                    json!({"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false});
                sequence(split, byte_level(false))
            }
        }
    }

    fn pattern(self) -> String {
        SPLIT.replace("DIGITS", if self == Self::Llama3 { r"\p{N}{1,3}" } else { r"\p{N}" })
    }

    /// The way whose words a pattern finds; what is done before the words are cut is not told by it.
    pub(crate) fn of_pattern(pattern: &str) -> Option<Self> {
        [Self::Llama3, Self::Qwen2].into_iter().find(|words| words.pattern() == pattern)
    }

    /// Hands over the words of a text in order.
    pub(crate) fn each<'a>(self, text: &'a str, mut take: impl FnMut(&'a str)) {
        let mut cut = |mut text: &'a str, length: fn(&str) -> usize| {
            while !text.is_empty() {
                let (word, rest) = text.split_at(length(text));
                take(word);
                text = rest;
            }
        };
        match self {
            Self::Gpt2 => cut(text, gpt2_length),
            Self::Smollm => {
                let mut rest = text;
                while !rest.is_empty() {
                    let (part, after) = split_digit(rest);
                    cut(part, gpt2_length);
                    rest = after;
                }
            }
            Self::Llama3 => cut(text, |text| split_length(text, LLAMA_DIGITS)),
            Self::Qwen2 => cut(text, |text| split_length(text, 1)),
        }
    }
}

/// What the patterns tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Letter,
    Number,
    Space,
    Other,
}

/// The classes of the first 128 characters, by which most texts are cut.
const ASCII: [Class; 128] = {
    let mut classes = [Class::Other; 128];
    let mut at = 0u8;
    while at < 128 {
        if at.is_ascii_alphabetic() {
            classes[at as usize] = Class::Letter;
        } else if at.is_ascii_digit() {
            classes[at as usize] = Class::Number;
        } else if matches!(at, b'\t'..=b'\r' | b' ') {
            classes[at as usize] = Class::Space;
        }
        at += 1;
    }
    classes
};

pub(crate) fn class(letter: char) -> Class {
    if let Some(class) = ASCII.get(letter as usize) {
        return *class;
    }
    if letter.is_whitespace() {
        return Class::Space;
    }
    match letter.general_category_group() {
        GeneralCategoryGroup::Letter if !is_later_sign(letter) => Class::Letter,
        GeneralCategoryGroup::Number if !is_later_sign(letter) => Class::Number,
        _ => Class::Other,
    }
}

/// Class and bytes of the character at a place of a text.
fn class_at(text: &str, at: usize) -> Option<(Class, usize)> {
    let byte = *text.as_bytes().get(at)?;
    if let Some(class) = ASCII.get(usize::from(byte)) {
        return Some((*class, 1));
    }
    let letter = text[at..].chars().next().expect("the text goes on");
    Some((class(letter), letter.len_utf8()))
}

/// Where the characters of a class end that begin at a place of a text.
fn run(text: &str, mut at: usize, kind: Class) -> usize {
    while let Some((_, size)) = class_at(text, at).filter(|(class, _)| *class == kind) {
        at += size;
    }
    at
}

/// Length in bytes of the first word of a text that is not empty, as GPT-2's pattern cuts it: a contraction; letters,
/// numbers or other signs with one blank before them; white space.
fn gpt2_length(text: &str) -> usize {
    const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    if text.starts_with('\'')
        && let Some(contraction) = CONTRACTIONS.iter().find(|one| text.starts_with(**one))
    {
        return contraction.len();
    }
    let blank = usize::from(text.starts_with(' '));
    match class_at(text, blank) {
        Some((kind, size)) if kind != Class::Space => run(text, blank + size, kind),
        _ => space_length(text, run(text, 0, Class::Space)),
    }
}

/// Of white space that begins a text and ends at a place: all but its last character, which goes with the next word;
/// all of it if that is one character, or the end of the text.
fn space_length(text: &str, end: usize) -> usize {
    let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    if last == 0 || end == text.len() { end } else { last }
}

/// Length in bytes of the first word of a text that is not empty, as the patterns of Llama 3 and Qwen cut it, with so
/// many numbers in a word.
fn split_length(text: &str, digits: usize) -> usize {
    if let Some(length) = any_case_contraction(text) {
        return length;
    }
    let (kind, size) = class_at(text, 0).expect("the text is not empty");
    let first = text.as_bytes()[0];
    match kind {
        Class::Letter => return run(text, size, Class::Letter),
        Class::Number => {
            let mut at = size;
            for _ in 1..digits {
                at += class_at(text, at)
                    .filter(|(class, _)| *class == Class::Number)
                    .map_or(0, |(_, size)| size);
            }
            return at;
        }
        Class::Space | Class::Other => {}
    }
    let next = class_at(text, size).map(|(class, _)| class);
    if next == Some(Class::Letter) && !matches!(first, b'\r' | b'\n') {
        return run(text, size, Class::Letter);
    }
    if kind == Class::Other || first == b' ' && next == Some(Class::Other) {
        let end = run(text, size, Class::Other);
        let breaks = text.as_bytes()[end..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        return end + breaks;
    }
    let end = run(text, 0, Class::Space);
    match text.as_bytes()[..end].iter().rposition(|byte| matches!(byte, b'\r' | b'\n')) {
        Some(last) => last + 1,
        None => space_length(text, end),
    }
}

/// Length in bytes of the contraction that begins a text, in small or capital letters or with a long s.
fn any_case_contraction(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    let bytes = rest.as_bytes();
    match bytes.first()?.to_ascii_lowercase() {
        b's' | b't' | b'm' | b'd' => Some(2),
        first @ (b'r' | b'v' | b'l') => {
            let second = if first == b'l' { b'l' } else { b'e' };
            (bytes.get(1)?.to_ascii_lowercase() == second).then_some(3)
        }
        _ => rest.starts_with('\u{17f}').then_some(3),
    }
}

/// The first part of a text in which digits stand alone: one digit, or all before the next one.
fn split_digit(text: &str) -> (&str, &str) {
    let is_digit = |at: usize| {
        let (class, size) = class_at(text, at)?;
        let later = class == Class::Other && text[at..].starts_with(is_later_digit);
        Some((class == Class::Number || later, size))
    };
    let mut end = 0;
    while let Some((digit, size)) = is_digit(end) {
        if digit {
            end = if end == 0 { size } else { end };
            break;
        }
        end += size;
    }
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: Words, text: &str, expect: &[&str]) {
        let mut found = Vec::new();
        words.each(text, |word| found.push(word));
        assert_eq!(found, expect, "{words:?} {text:?}");
    }

    #[test]
    fn words_are_cut_as_gpt2_cuts_them() {
        let check = |text: &str, expect: &[&str]| check(Words::Gpt2, text, expect);
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
        check(Words::Smollm, "ab12 ½", &["ab", "1", "2", " ", "½"]);
        check(Words::Smollm, "a  1", &["a", "  ", "1"]);
    }

    #[test]
    fn words_are_cut_as_llama3_and_qwen2_cut_them() {
        let both = |text: &str, expect: &[&str]| {
            check(Words::Llama3, text, expect);
            check(Words::Qwen2, text, expect);
        };
        both("Hello, (world)!\n\n x", &["Hello", ",", " (", "world", ")!\n\n", " x"]);
        both("WE'LL 'S' it'ſ", &["WE", "'LL", " '", "S", "'", " it", "'ſ"]);
        both("a \t\n \n  b\r\n\rc", &["a", " \t\n \n", " ", " b", "\r\n\r", "c"]);
        both("\tx  \u{a0}y   ", &["\tx", "  ", "\u{a0}y", "   "]);
        both("\n'tis $x ☕ e\u{301}", &["\n", "'t", "is", " $", "x", " ☕", " e", "\u{301}"]);
        check(Words::Llama3, "1984 12345½", &["198", "4", " ", "123", "45½"]);
        check(Words::Qwen2, "19 ½", &["1", "9", " ", "½"]);
    }

    #[test]
    fn classes_of_all_characters_are_as_recorded() {
        let of = |letter: char| {
            let text = format!("{letter}a");
            let alone = split_digit(&text).0.len() == letter.len_utf8();
            (class(letter) as u8) << 1 | u8::from(alone)
        };
        let classes: Vec<u8> = ('\0'..=char::MAX).map(of).collect();
        // A change of the tables that this crate uses is to be answered in `later.rs`.
        assert_eq!(
            primitives::Digest::of(&classes).to_string(),
            "ffe382a81a8e42efaaed6e102dc2790fa62fcd3445ea1ab04bff7d475112f003"
        );
    }

    #[test]
    fn patterns_are_known_by_their_text_alone() {
        for words in [Words::Llama3, Words::Qwen2] {
            assert_eq!(Words::of_pattern(&words.pattern()), Some(words));
        }
        assert_eq!(Words::of_pattern(SPLIT), None);
        assert_eq!(Words::of_pattern(""), None);
    }
}
