//! FineWeb's rules: lines that end as sentences do, and few short or repeated ones.
//!
//! Source: Penedo et al., "The FineWeb Datasets" (2024), section 3.6, as in datatrove 0.10.1's
//! `fineweb_quality_filter.py`.

use super::{above, duplicates};
use crate::{
    decision::FineWeb,
    words::{
        Words,
        classes::{Classes, TERMINAL},
        is_space,
    },
};

/// Lines that end in a mark that ends sentences.
const ENDED_LINES_MIN_PERCENT: u64 = 12;
const SHORT_LINES_MAX_PERCENT: u64 = 67;
const SHORT_LINE_MAX_CHARS: usize = 30;
/// Characters in lines that stood before.
const REPEATED_CHARS_MAX_PERCENT: u64 = 1;
/// Line ends per hundred words.
const LINE_ENDS_MAX_PERCENT: u64 = 30;

/// The first rule that a text breaks, in the order of [`FineWeb::ALL`].
pub(super) fn broken(words: &Words<'_>) -> Option<FineWeb> {
    let of = Counts::of(words);
    FineWeb::ALL.iter().copied().find(|rule| match rule {
        FineWeb::Empty => of.lines == 0,
        FineWeb::UnendedLines => of.ended * 100 < of.lines * ENDED_LINES_MIN_PERCENT,
        FineWeb::ShortLines => above(of.short, of.lines, SHORT_LINES_MAX_PERCENT),
        FineWeb::RepeatedChars => above(of.repeated_chars, of.chars, REPEATED_CHARS_MAX_PERCENT),
        FineWeb::Lists => above(of.line_ends, of.words, LINE_ENDS_MAX_PERCENT),
    })
}

/// What the rules decide by.
pub(super) struct Counts {
    pub(super) words: u64,
    /// Characters but line ends.
    pub(super) chars: u64,
    pub(super) line_ends: u64,
    /// Lines that are not blank.
    pub(super) lines: u64,
    /// Lines that end in a mark that ends sentences.
    pub(super) ended: u64,
    pub(super) short: u64,
    /// Characters in lines that stood before.
    pub(super) repeated_chars: u64,
}

impl Counts {
    pub(super) fn of(words: &Words<'_>) -> Self {
        let (text, classes) = (words.text, Classes::get());
        let lines = || text.split('\n').filter(|line| !line.trim_matches(is_space).is_empty());
        let (mut ended, mut short) = (0, 0);
        for line in lines() {
            ended += u64::from(line.chars().next_back().is_some_and(|c| classes.of(c) & TERMINAL != 0));
            short += u64::from(line.chars().nth(SHORT_LINE_MAX_CHARS).is_none());
        }
        let line_ends = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        let of_lines = duplicates(lines(), words);
        Self {
            words: words.len() as u64,
            chars: words.chars - line_ends,
            line_ends,
            lines: of_lines.total,
            ended,
            short,
            repeated_chars: of_lines.repeated_chars,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<FineWeb>) {
        assert_eq!(broken(&Words::of(text)), expect, "{text:.80}");
    }

    #[test]
    fn each_rule_names_the_text_that_breaks_it_and_thresholds_pass() {
        let lines =
            |of: usize, line: &dyn Fn(usize) -> String| (0..of).map(line).collect::<Vec<_>>().join("\n");
        check("", Some(FineWeb::Empty));
        check(" \n\t", Some(FineWeb::Empty));
        check("One line that ends.", Some(FineWeb::ShortLines));
        let ended =
            |i: usize| format!("line {i} is longer than thirty characters{}", if i < 3 { "." } else { "" });
        check(&lines(25, &ended), None);
        check(&lines(26, &ended), Some(FineWeb::UnendedLines));
        let short = |i: usize| if i < 67 { format!("line {i:024}.") } else { format!("line {i:025}.") };
        check(&lines(100, &short), Some(FineWeb::Lists));
        check(&lines(99, &short), Some(FineWeb::ShortLines));
        // 100 characters of 10,000 stood before; with one line less, of 9,900.
        let line =
            |i: usize| format!("{} and so on to the very end of {:03}.", "it is ".repeat(11), i.max(1));
        assert_eq!(line(0).len(), 100);
        check(&lines(100, &line), None);
        check(&lines(99, &line), Some(FineWeb::RepeatedChars));
        let listed = |i: usize| format!("thisisasinglelongword andtheother{i} x.");
        check(&lines(10, &listed), None);
        check(&lines(11, &|i| listed(i).replace(" x.", ".")), Some(FineWeb::Lists));
    }
}
