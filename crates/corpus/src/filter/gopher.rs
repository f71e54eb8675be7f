//! Gopher's rules on quality: too short, too symbolic, too little prose.
//!
//! Source: Rae et al., "Scaling Language Models: Methods, Analysis & Insights from Training Gopher" (2021), appendix
//! A.1.1, as in datatrove 0.10.1's `gopher_quality_filter.py`.

use super::above;
use crate::{
    decision::Gopher,
    words::{HAS_LETTER, HAS_NO_SYMBOL, Words, is_space},
};

/// Words that are not of symbols alone.
const WORDS_MIN: u64 = 50;
const WORDS_MAX: u64 = 100_000;
const MEAN_WORD_MIN_CHARS: u64 = 3;
const MEAN_WORD_MAX_CHARS: u64 = 10;
/// Hash signs, and ellipses, per hundred words.
const SYMBOLS_MAX_PERCENT: u64 = 10;
const BULLET_LINES_MAX_PERCENT: u64 = 90;
const ELLIPSIS_LINES_MAX_PERCENT: u64 = 30;
/// Words with at least one letter.
const ALPHA_WORDS_MIN_PERCENT: u64 = 80;
const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];
/// Different ones that have to occur.
const STOP_WORDS_MIN: u64 = 2;
/// Signs that begin an item of a list.
const BULLETS: [char; 2] = ['•', '-'];

/// The first rule that a text breaks, in the order of [`Gopher::ALL`].
pub(super) fn broken(words: &Words<'_>) -> Option<Gopher> {
    let of = Counts::of(words);
    Gopher::ALL.iter().copied().find(|rule| match rule {
        Gopher::ShortDoc => of.plain < WORDS_MIN,
        Gopher::LongDoc => of.plain > WORDS_MAX,
        Gopher::ShortWords => of.plain_chars < of.plain * MEAN_WORD_MIN_CHARS,
        Gopher::LongWords => of.plain_chars > of.plain * MEAN_WORD_MAX_CHARS,
        Gopher::Hashes => above(of.hashes, of.all, SYMBOLS_MAX_PERCENT),
        Gopher::Ellipses => above(of.ellipses, of.all, SYMBOLS_MAX_PERCENT),
        Gopher::BulletLines => above(of.bullet_lines, of.lines, BULLET_LINES_MAX_PERCENT),
        Gopher::EllipsisLines => above(of.ellipsis_lines, of.lines, ELLIPSIS_LINES_MAX_PERCENT),
        Gopher::AlphaWords => of.alpha * 100 < of.all * ALPHA_WORDS_MIN_PERCENT,
        Gopher::StopWords => of.stop_words < STOP_WORDS_MIN,
    })
}

/// What the rules decide by.
#[derive(Default)]
pub(super) struct Counts {
    /// Words.
    pub(super) all: u64,
    /// Words that are not of symbols alone, and the characters in them.
    pub(super) plain: u64,
    pub(super) plain_chars: u64,
    /// Words with a letter.
    pub(super) alpha: u64,
    pub(super) hashes: u64,
    pub(super) ellipses: u64,
    pub(super) lines: u64,
    pub(super) bullet_lines: u64,
    pub(super) ellipsis_lines: u64,
    /// Different stop words.
    pub(super) stop_words: u64,
}

impl Counts {
    pub(super) fn of(words: &Words<'_>) -> Self {
        let marks = |mark: &str| memchr::memmem::find_iter(words.text.as_bytes(), mark).count() as u64;
        let mut counts = Self {
            all: words.len() as u64,
            hashes: marks("#"),
            ellipses: marks("...") + marks("…"),
            stop_words: stop_words(words),
            ..Self::default()
        };
        for kind in words.iter() {
            let is_plain = u64::from(kind.bits & HAS_NO_SYMBOL != 0);
            counts.plain += is_plain;
            counts.plain_chars += is_plain * u64::from(kind.chars);
            counts.alpha += u64::from(kind.bits & HAS_LETTER != 0);
        }
        for (line, _) in words.lines() {
            counts.lines += 1;
            counts.bullet_lines += u64::from(is_bulleted(line));
            counts.ellipsis_lines += u64::from(ends_in_ellipsis(line));
        }
        counts
    }
}

fn is_bulleted(line: &str) -> bool {
    line.trim_start_matches(is_space).starts_with(BULLETS)
}

fn ends_in_ellipsis(line: &str) -> bool {
    let line = line.trim_end_matches(is_space);
    line.ends_with("...") || line.ends_with('…')
}

/// How many of the stop words occur.
fn stop_words(words: &Words<'_>) -> u64 {
    let mut found = 0u8;
    for kind in words.iter().filter(|kind| (2..=4).contains(&kind.chars)) {
        if let Some(place) = STOP_WORDS.iter().position(|stop| *stop == kind.text) {
            found |= 1 << place;
            if found == u8::MAX {
                break;
            }
        }
    }
    u64::from(found.count_ones())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 60 words of ordinary prose in four lines.
    const PROSE: &str = "The public weighhouse was a building where goods were weighed before they were sold.\n\
        Its scales belonged to the town and the master of the house had sworn to be fair to both sides.\n\
        A merchant who doubted a weight could ask that it be taken again before witnesses of his own choice.\n\
        What the scales said was written down and signed and it settled the price.";

    fn check(text: &str, expect: Option<Gopher>) {
        assert_eq!(broken(&Words::of(text)), expect, "{text:.80}");
    }

    #[test]
    fn each_rule_names_the_text_that_breaks_it() {
        check(PROSE, None);
        check("", Some(Gopher::ShortDoc));
        check(&"word and ".repeat(24), Some(Gopher::ShortDoc));
        check(&"the and word word ".repeat(25_001), Some(Gopher::LongDoc));
        check(&"a to be of ".repeat(20), Some(Gopher::ShortWords));
        check(&"incomprehensibilities and ".repeat(60), Some(Gopher::LongWords));
        check(&format!("{PROSE}{}", " #".repeat(30)), Some(Gopher::Hashes));
        check(&format!("{PROSE}{}", " ... that".repeat(20)), Some(Gopher::Ellipses));
        check(&PROSE.replace('\n', "\n- ").replace("The public", "• The public"), Some(Gopher::BulletLines));
        check(&PROSE.replace(".\n", "...\n"), Some(Gopher::EllipsisLines));
        check(&format!("{PROSE}{}", " 1234".repeat(30)), Some(Gopher::AlphaWords));
        check(&"lorem ipsum dolor sit amet ".repeat(20), Some(Gopher::StopWords));
        check(&"The words To count are Of lower case ".repeat(10), Some(Gopher::StopWords));
    }

    #[test]
    fn thresholds_themselves_pass() {
        check(&"the word and line being ".repeat(10), None);
        check(&"the word and line being ".repeat(20_000), None);
        // 100 words, of which 10 are hash signs, which are words as well.
        check(&format!("{} {}", "the word and line being ".repeat(18), "# ".repeat(10)), None);
        check(
            &format!("{} {}", "the word and line being ".repeat(18), "# ".repeat(11)),
            Some(Gopher::Hashes),
        );
        // 80 of 100 words have letters.
        check(&format!("{} {}", "the word and line being ".repeat(16), "123 ".repeat(20)), None);
        check(
            &format!("{} {}", "the word and line being ".repeat(16), "123 ".repeat(21)),
            Some(Gopher::AlphaWords),
        );
        // Nine lines of ten, three lines of ten.
        let lines =
            |of: usize, with: &dyn Fn(usize) -> String| (0..of).map(with).collect::<Vec<_>>().join("\n");
        let bullets = |i: usize| format!("{}the word and line being", if i < 9 { "- " } else { "" });
        check(&lines(10, &bullets), None);
        check(&lines(9, &bullets), Some(Gopher::ShortDoc));
        let bullets = |i: usize| format!("{}the word and line being", if i < 19 { "- " } else { "" });
        check(&lines(20, &bullets), Some(Gopher::BulletLines));
        let dots = |i: usize| format!("the word and line being so{}", if i < 3 { "..." } else { "" });
        check(&lines(10, &dots), None);
        check(&lines(9, &dots), Some(Gopher::EllipsisLines));
    }
}
