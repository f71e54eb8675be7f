//! A text as words: the one tokenisation that all filters share.
//!
//! Words are those of spaCy's blank English tokenizer, which datatrove's filters use: see [`split`]. Each different
//! run of characters between white space is split once, and what the rules ask of a word is found out once for each
//! different word.

mod address;
pub(crate) mod classes;
mod special;
mod split;

use classes::{Classes, LETTER, MARK, SENTENCE_END, SYMBOL};
use special::Specials;

use crate::numbering::{Hasher, Table};

/// A word holds a character that is no symbol by Gopher's rules.
pub(crate) const HAS_NO_SYMBOL: u8 = 1;
/// A word holds a letter.
pub(crate) const HAS_LETTER: u8 = 1 << 1;
/// A word is a mark that ends a sentence.
pub(crate) const ENDS_SENTENCE: u8 = 1 << 2;
/// A word is of marks alone.
pub(crate) const IS_MARKS: u8 = 1 << 3;

/// Beside a word's number: white space that counts as a token stands before it.
const AFTER_SPACE: u32 = 1 << 31;

/// A text's words.
pub(crate) struct Words<'a> {
    /// The text.
    pub(crate) text: &'a str,
    /// Its characters.
    pub(crate) chars: u64,
    /// The different words, and runs that were split into such.
    kinds: Vec<Kind<'a>>,
    /// The kinds of the words in their order, each with [`AFTER_SPACE`] or without.
    stream: Vec<u32>,
    /// The lines by every character that ends one, without these, and where in the stream each begins.
    lines: Vec<(&'a str, u32)>,
}

/// What is known of a word.
#[derive(Clone, Copy)]
pub(crate) struct Kind<'a> {
    pub(crate) text: &'a str,
    pub(crate) chars: u32,
    pub(crate) bits: u8,
    /// Where its pieces stand if it was split as a run; they are at least one then.
    pieces: (u32, u32),
}

impl<'a> Words<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let mut builder = Builder {
            classes: Classes::get(),
            specials: Specials::get(),
            hasher: Hasher::of(text),
            table: Table::new(text.len() / 16),
            kinds: Vec::with_capacity(text.len() / 16),
            pieces: Vec::with_capacity(text.len() / 6),
            stream: Vec::with_capacity(text.len() / 4),
            ends: Vec::new(),
        };
        let mut lines = Vec::new();
        for line in lines_of(text) {
            lines.push((line, place(builder.stream.len())));
            builder.line(line);
        }
        let chars = text.chars().count() as u64;
        Self { text, chars, kinds: builder.kinds, stream: builder.stream, lines }
    }

    /// How many words there are.
    pub(crate) fn len(&self) -> usize {
        self.stream.len()
    }

    /// The words in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Kind<'a>> {
        self.numbers().map(|number| &self.kinds[number as usize])
    }

    /// The words in their order as numbers: equal words have equal ones, below [`Words::kinds`].
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.stream.iter().map(|entry| entry & !AFTER_SPACE)
    }

    /// Above all words' numbers.
    pub(crate) fn kinds(&self) -> usize {
        self.kinds.len()
    }

    /// The lines, by every character that ends one, with the number of sentences in each when it is asked for.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&'a str, impl Fn() -> u64)> {
        self.lines.iter().enumerate().map(move |(at, (line, first))| {
            let end = self.lines.get(at + 1).map_or(self.stream.len(), |(_, next)| *next as usize);
            (*line, move || self.sentences(*first as usize, end).0)
        })
    }

    /// Sentences among the words of a line without white space at its ends, and whether the last one has ended.
    ///
    /// Source: spaCy's sentencizer. A sentence begins with the first word that is no mark behind one that ends a
    /// sentence; white space beyond a single space is such a word.
    fn sentences(&self, first: usize, end: usize) -> (u64, bool) {
        let (mut sentences, mut ended) = (1, false);
        for (at, entry) in self.stream[first..end].iter().enumerate() {
            if ended && at > 0 && entry & AFTER_SPACE != 0 {
                sentences += 1;
                ended = false;
            }
            let bits = self.kinds[(entry & !AFTER_SPACE) as usize].bits;
            if bits & ENDS_SENTENCE != 0 {
                ended = true;
            } else if ended && bits & IS_MARKS == 0 {
                sentences += 1;
                ended = false;
            }
        }
        (sentences, ended)
    }
}

/// Sentences in a line that is no line of the text: one from which something was taken.
pub(crate) fn sentences_of(line: &str) -> u64 {
    let words = Words::of(line);
    let (sentences, ended) = words.sentences(0, words.stream.len());
    // White space at the end is a word as well, beyond a single space.
    let tail = &line[line.trim_end_matches(is_space).len()..];
    sentences + u64::from(ended && !tail.is_empty() && tail != " ")
}

/// The lines of a text by every character that ends one, and by `\r\n`. There is none behind the last end.
///
/// Source: Python's `str.splitlines`.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.as_bytes();
        let mut at = 0;
        let (end, length) = loop {
            match bytes.get(at) {
                None => break (at, 0),
                Some(b'\r') if bytes.get(at + 1) == Some(&b'\n') => break (at, 2),
                Some(b'\n'..=b'\r' | 0x1c..=0x1e) => break (at, 1),
                Some(0xc2) if bytes.get(at + 1) == Some(&0x85) => break (at, 2),
                Some(0xe2)
                    if bytes.get(at + 1) == Some(&0x80) && matches!(bytes.get(at + 2), Some(0xa8 | 0xa9)) =>
                {
                    break (at, 3);
                }
                Some(_) => at += 1,
            }
        };
        let line = &rest[..end];
        rest = &rest[end + length..];
        Some(line)
    })
}

/// White space as Python's `str.isspace` has it: Unicode's, and the four separators of ASCII.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// A place in a vector of fewer than 2^31 entries: a text is at most so long.
fn place(at: usize) -> u32 {
    u32::try_from(at).expect("a text is shorter than 2 GiB")
}

struct Builder<'a> {
    classes: Classes,
    specials: &'static Specials,
    hasher: Hasher,
    table: Table,
    kinds: Vec<Kind<'a>>,
    pieces: Vec<u32>,
    stream: Vec<u32>,
    /// Where the pieces of the run at hand end.
    ends: Vec<usize>,
}

impl<'a> Builder<'a> {
    /// Takes the words of a line.
    fn line(&mut self, line: &'a str) {
        let bytes = line.as_bytes();
        let (mut at, mut gap_from) = (0, 0);
        while at < bytes.len() {
            let space = space_length(line, at);
            if space > 0 {
                at += space;
                continue;
            }
            let (run_from, gap) = (at, &bytes[gap_from..at]);
            while at < bytes.len() && space_length(line, at) == 0 {
                at += char_length(bytes[at]);
            }
            // A single space only parts; what is more is a token.
            let is_token = gap.len() > usize::from(gap.first() == Some(&b' '));
            self.run(&line[run_from..at], if is_token { AFTER_SPACE } else { 0 });
            gap_from = at;
        }
    }

    /// Takes the words of a run without white space.
    fn run(&mut self, run: &'a str, mark: u32) {
        let number = self.kind(run);
        let (mut first, mut end) = self.kinds[number as usize].pieces;
        if first == end {
            (first, end) = self.split(run);
            self.kinds[number as usize].pieces = (first, end);
        }
        let from = self.stream.len();
        self.stream.extend_from_slice(&self.pieces[first as usize..end as usize]);
        self.stream[from] |= mark;
    }

    /// Splits a run into pieces; where these are.
    fn split(&mut self, run: &'a str) -> (u32, u32) {
        let mut ends = std::mem::take(&mut self.ends);
        ends.clear();
        if run.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            match self.specials.find(run) {
                Some(special) => ends.extend(&special.ends),
                None => ends.push(run.len()),
            }
        } else {
            split::split(run, self.classes, self.specials, &mut ends);
        }
        let (first, mut begin) = (self.pieces.len(), 0);
        for end in &ends {
            let piece = self.kind(&run[begin..*end]);
            self.pieces.push(piece);
            begin = *end;
        }
        self.ends = ends;
        (place(first), place(self.pieces.len()))
    }

    /// The number of a word or run.
    fn kind(&mut self, text: &'a str) -> u32 {
        let kinds = &self.kinds;
        let number = self.table.number(self.hasher.text(text), |number| kinds[number as usize].text == text);
        if number as usize == self.kinds.len() {
            self.kinds.push(Kind::of(text, self.classes));
        }
        number
    }
}

impl<'a> Kind<'a> {
    fn of(text: &'a str, classes: Classes) -> Self {
        let (mut chars, mut any, mut all) = (0, 0, MARK | SYMBOL);
        for c in text.chars() {
            let class = classes.of(c);
            chars += 1;
            any |= class;
            all &= class;
        }
        let mut bits = 0;
        let mut add = |when: bool, bit: u8| bits |= if when { bit } else { 0 };
        add(all & SYMBOL == 0, HAS_NO_SYMBOL);
        add(any & LETTER != 0, HAS_LETTER);
        add(chars == 1 && any & SENTENCE_END != 0, ENDS_SENTENCE);
        add(all & MARK != 0, IS_MARKS);
        Self { text, chars, bits, pieces: (0, 0) }
    }
}

/// The bytes of the white space at this place, or 0.
#[inline]
fn space_length(line: &str, at: usize) -> usize {
    match line.as_bytes()[at] {
        b' ' | b'\t'..=b'\r' | 0x1c..=0x1f => 1,
        // No other first byte begins white space.
        0xc2 | 0xe1..=0xe3 => {
            line[at..].chars().next().filter(|c| c.is_whitespace()).map_or(0, char::len_utf8)
        }
        _ => 0,
    }
}

/// The bytes of a character by its first one.
#[inline]
fn char_length(first: u8) -> usize {
    match first {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_order_and_equal_ones_their_number() {
        let words = Words::of("The dog's bone. The dog didn't!\n\u{a0}The\tend");
        let texts: Vec<&str> = words.iter().map(|kind| kind.text).collect();
        assert_eq!(texts.join(" "), "The dog 's bone . The dog did n't ! The end");
        let numbers: Vec<u32> = words.numbers().collect();
        assert_eq!((numbers[0], numbers[1]), (numbers[5], numbers[6]));
        assert_ne!(numbers[0], numbers[1]);
    }

    #[test]
    fn lines_end_as_in_python() {
        let check =
            |text: &str, expect: &[&str]| assert_eq!(lines_of(text).collect::<Vec<_>>(), expect, "{text:?}");
        check("", &[]);
        check("a\nb", &["a", "b"]);
        check("a\n\nb\n", &["a", "", "b"]);
        check(
            "a\r\nb\rc\u{b}d\u{c}e\u{1c}f\u{85}g\u{2028}h\u{2029}i",
            &["a", "b", "c", "d", "e", "f", "g", "h", "i"],
        );
        check("…a\u{a0}b", &["…a\u{a0}b"]);
    }

    #[test]
    fn sentences_are_counted_as_spacy_counts_them() {
        let check = |line: &str, expect| assert_eq!(sentences_of(line), expect, "{line:?}");
        check("", 1);
        check("One sentence", 1);
        check("One. Two! Three?", 3);
        check("Mr. Smith said \"Yes.\" He did.", 2);
        check("Wait... what", 1);
        check("One.  \" Two", 2);
        check("One.  ", 2);
        check("One. ", 1);
        check("... . ? !", 1);
        check("3.5 is a number. So is 4.", 2);
    }
}
