//! Gopher's rules on repetition: lines, paragraphs and runs of words that come again.
//!
//! Source: Rae et al., "Scaling Language Models" (2021), table A1, as in datatrove 0.10.1's
//! `gopher_repetition_filter.py`. Runs are compared word by word; the original compares the letters of the words in a
//! row, which differs where two runs of the same letters are parted in different places.

use super::{Duplicates, above, duplicates};
use crate::{
    decision::Repetition,
    numbering::{Hasher, Table},
    words::{Words, is_space},
};

const LINES_MAX_PERCENT: u64 = 30;
const LINE_CHARS_MAX_PERCENT: u64 = 20;
/// The commonest run of so many words may cover so much of the text.
const TOP_RUNS: [(usize, u64, Repetition); 3] =
    [(2, 20, Repetition::Top2), (3, 18, Repetition::Top3), (4, 16, Repetition::Top4)];
/// Runs of so many words that stood before may cover so much of the text.
const REPEATED_RUNS: [(usize, u64, Repetition); 6] = [
    (5, 15, Repetition::Repeated5),
    (6, 14, Repetition::Repeated6),
    (7, 13, Repetition::Repeated7),
    (8, 12, Repetition::Repeated8),
    (9, 11, Repetition::Repeated9),
    (10, 10, Repetition::Repeated10),
];

/// The first rule that a text breaks, in the order of [`Repetition::ALL`].
pub(super) fn broken(words: &Words<'_>) -> Option<Repetition> {
    let (text, chars) = (words.text, words.chars);
    if text.is_empty() {
        return Some(Repetition::Empty);
    }
    let paragraphs = repeated_paragraphs(words);
    if above(paragraphs.repeated, paragraphs.total, LINES_MAX_PERCENT) {
        return Some(Repetition::Paragraphs);
    }
    if above(paragraphs.repeated_chars, chars, LINE_CHARS_MAX_PERCENT) {
        return Some(Repetition::ParagraphChars);
    }
    let lines = repeated_lines(words);
    if above(lines.repeated, lines.total, LINES_MAX_PERCENT) {
        return Some(Repetition::Lines);
    }
    if above(lines.repeated_chars, chars, LINE_CHARS_MAX_PERCENT) {
        return Some(Repetition::LineChars);
    }
    let mut runs = Runs::of(words);
    for (length, percent, rule) in TOP_RUNS {
        runs.lengthen();
        debug_assert_eq!(runs.length, length);
        if above(runs.commonest_chars(), chars, percent) {
            return Some(rule);
        }
    }
    for (length, percent, rule) in REPEATED_RUNS {
        runs.lengthen();
        debug_assert_eq!(runs.length, length);
        if above(runs.repeated_chars(), chars, percent) {
            return Some(rule);
        }
    }
    None
}

pub(super) fn repeated_paragraphs(words: &Words<'_>) -> Duplicates {
    duplicates(paragraphs(words.text.trim_matches(is_space)), words)
}

pub(super) fn repeated_lines(words: &Words<'_>) -> Duplicates {
    duplicates(lines(words.text), words)
}

/// What two line ends or more part.
fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let all = rest?;
        let Some(at) = all.find("\n\n") else { return rest.take() };
        rest = Some(all[at..].trim_start_matches('\n'));
        Some(&all[..at])
    })
}

/// What one line end or more part: an empty one at each end where the text has line ends there.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let inner = text.trim_matches('\n');
    let before = text.starts_with('\n').then_some("");
    let behind = (text.ends_with('\n') && !inner.is_empty()).then_some("");
    let inner_lines = inner.split('\n').filter(move |line| !line.is_empty() || inner.is_empty());
    before.into_iter().chain(inner_lines).chain(behind)
}

/// Stands for every run that occurs once.
const ONCE: u32 = u32::MAX;

/// All runs of so many words, as numbers: equal runs have equal ones.
///
/// A run that occurs twice consists of two shorter ones that do, so that few runs of an ordinary text ever get a
/// number of their own.
struct Runs {
    length: usize,
    /// By the place of the first word.
    numbers: Vec<u32>,
    /// The place of the first run of each number, and how often it occurs.
    kinds: Vec<(u32, u32)>,
    /// Characters in all words before each place.
    chars_before: Vec<u64>,
    hasher: Hasher,
    table: Table,
    /// The two shorter runs that a number stands for.
    pairs: Vec<(u32, u32)>,
    seen: Vec<bool>,
}

impl Runs {
    /// Runs of one word.
    fn of(words: &Words<'_>) -> Self {
        let mut chars_before = Vec::with_capacity(words.len() + 1);
        let mut chars = 0;
        chars_before.push(0);
        for kind in words.iter() {
            chars += u64::from(kind.chars);
            chars_before.push(chars);
        }
        let mut runs = Self {
            length: 1,
            numbers: words.numbers().collect(),
            kinds: vec![(0, 0); words.kinds()],
            chars_before,
            hasher: Hasher::of(words.text),
            table: Table::new(words.len() / 4),
            pairs: Vec::new(),
            seen: Vec::new(),
        };
        for number in &runs.numbers {
            runs.kinds[*number as usize].1 += 1;
        }
        runs.forget_single_ones();
        runs
    }

    /// Goes on to runs of one word more.
    fn lengthen(&mut self) {
        self.length += 1;
        self.table.clear();
        self.pairs.clear();
        self.kinds.clear();
        let count = self.numbers.len().saturating_sub(1);
        for at in 0..count {
            let pair = (self.numbers[at], self.numbers[at + 1]);
            if pair.0 == ONCE || pair.1 == ONCE {
                self.numbers[at] = ONCE;
                continue;
            }
            let pairs = &self.pairs;
            let number =
                self.table.number(self.hasher.pair(pair.0, pair.1), |number| pairs[number as usize] == pair);
            if number as usize == self.pairs.len() {
                self.pairs.push(pair);
                self.kinds.push((u32::try_from(at).expect("fewer words than bytes"), 0));
            }
            self.kinds[number as usize].1 += 1;
            self.numbers[at] = number;
        }
        self.numbers.truncate(count);
        self.forget_single_ones();
    }

    fn forget_single_ones(&mut self) {
        for number in &mut self.numbers {
            if *number != ONCE && self.kinds[*number as usize].1 == 1 {
                *number = ONCE;
            }
        }
    }

    fn chars(&self, first: usize) -> u64 {
        self.chars_before[first + self.length] - self.chars_before[first]
    }

    /// The characters that the commonest run covers, with a space between its words; of several the first one.
    fn commonest_chars(&self) -> u64 {
        let (mut place, mut times) = (0, 1);
        for (first, count) in &self.kinds {
            if *count > times {
                (place, times) = (*first as usize, *count);
            }
        }
        let any = !self.numbers.is_empty();
        if any { (self.chars(place) + self.length as u64 - 1) * u64::from(times) } else { 0 }
    }

    /// The characters in runs that stood before. A run that did is left out as a whole; else the next one begins at
    /// the next word.
    fn repeated_chars(&mut self) -> u64 {
        self.seen.clear();
        self.seen.resize(self.kinds.len(), false);
        let (mut at, mut chars) = (0, 0);
        while let Some(number) = self.numbers.get(at) {
            if *number != ONCE && std::mem::replace(&mut self.seen[*number as usize], true) {
                chars += self.chars(at);
                at += self.length;
            } else {
                at += 1;
            }
        }
        chars
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<Repetition>) {
        assert_eq!(broken(&Words::of(text)), expect, "{text:.80}");
    }

    /// So many different words, from this one on.
    fn words(from: usize, count: usize) -> String {
        (from..from + count).map(|i| format!("w{i:03}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn texts_are_parted_as_by_the_original() {
        let check = |found: Vec<&str>, expect: &[&str]| assert_eq!(found, expect);
        check(lines("a\n\nb\nc").collect(), &["a", "b", "c"]);
        check(lines("\na\n").collect(), &["", "a", ""]);
        check(lines("a").collect(), &["a"]);
        check(lines("\n\n").collect(), &["", ""]);
        check(paragraphs("a\nb\n\n\nc\n\nd").collect(), &["a\nb", "c", "d"]);
        check(paragraphs("").collect(), &[""]);
    }

    #[test]
    fn each_rule_names_the_text_that_breaks_it() {
        check("", Some(Repetition::Empty));
        check(&words(0, 50), None);
        check(
            &format!("{}\n\n{}\n\n{}", words(0, 50), words(100, 5), words(100, 5)),
            Some(Repetition::Paragraphs),
        );
        let long = format!("{}\n\n{}", words(100, 30), words(100, 30));
        check(
            &format!("{}\n\n{}\n\n{}\n\n{long}", words(0, 9), words(10, 9), words(20, 9)),
            Some(Repetition::ParagraphChars),
        );
        check(&format!("{}\n{}\n{}", words(0, 50), words(100, 5), words(100, 5)), Some(Repetition::Lines));
        let long = long.replace("\n\n", "\n");
        check(
            &format!("{}\n{}\n{}\n{long}", words(0, 9), words(10, 9), words(20, 9)),
            Some(Repetition::LineChars),
        );
        let mixed = |run: &str, times: usize| {
            (0..times).map(|i| format!("{run} {}", words(100 + i * 9, 9))).collect::<Vec<_>>().join(" ")
        };
        check(&mixed("againandagain goes", 10), Some(Repetition::Top2));
        check(&mixed("and again goes", 10), Some(Repetition::Top3));
        check(&mixed("so it goes again", 10), Some(Repetition::Top4));
        // Five different runs, each twice.
        let twice = |length: usize, filler: usize| {
            let runs: Vec<String> = (0..10).map(|i| words(i % 5 * 20, length)).collect();
            runs.iter()
                .enumerate()
                .map(|(i, run)| format!("{run} {} ", words(200 + i * 50, filler)))
                .collect::<String>()
        };
        check(&twice(5, 6), Some(Repetition::Repeated5));
        check(&twice(9, 25), None);
        check(&twice(10, 25), Some(Repetition::Repeated10));
    }

    #[test]
    fn thresholds_themselves_pass() {
        // Three of ten lines stood before; their characters are few.
        let lines = |repeated: usize, all: usize| {
            let line = |i: usize| if i < repeated + 1 { "x".into() } else { words(i * 20, 10) };
            (0..all).map(line).collect::<Vec<_>>().join("\n")
        };
        check(&lines(3, 10), None);
        check(&lines(3, 9), Some(Repetition::Lines));
    }

    #[test]
    fn runs_are_numbered_as_they_occur() {
        let words = Words::of("a b c a b c a b");
        let mut runs = Runs::of(&words);
        runs.lengthen();
        // "a b" three times, three characters each.
        assert_eq!(runs.commonest_chars(), 9);
        assert_eq!(runs.repeated_chars(), 4);
        runs.lengthen();
        assert_eq!(runs.commonest_chars(), 10);
        assert_eq!(runs.repeated_chars(), 3);
    }
}
