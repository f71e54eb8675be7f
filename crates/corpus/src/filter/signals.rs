//! What the filters decide by, as numbers that stand beside a text.
//!
//! A reader of a dataset sets stricter thresholds with them than the recipe's, without reading the texts again. Shares are
//! rounded down, so that a number on a threshold says less than the filter knows: the filters compare the counts.

use parity_scale_codec::{Decode, Encode};

use super::{fineweb, gopher, repetition};
use crate::words::Words;

macro_rules! signals {
    ($($name:ident $meaning:literal)*) => {
        /// Counts of a text and shares in thousandths; a share of nothing is 0.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
        pub struct Signals {
            $(#[doc = $meaning] pub $name: u32,)*
        }

        impl Signals {
            /// Each signal's name and meaning.
            pub const NAMES: [(&'static str, &'static str); [$(stringify!($name)),*].len()] =
                [$((stringify!($name), $meaning)),*];

            /// The values in the order of their names.
            #[must_use]
            pub fn values(&self) -> [u32; Self::NAMES.len()] {
                [$(self.$name),*]
            }

            pub(crate) fn of_values([$($name),*]: [u32; Self::NAMES.len()]) -> Self {
                Self { $($name),* }
            }
        }
    };
}

signals! {
    words "Words that are not of symbols alone, as Gopher's rules count them."
    word_chars_permille "Characters of such a word in the mean, in thousandths."
    stop_words "How many of Gopher's eight stop words occur."
    alpha_words_permille "Words with a letter, of all words."
    hashes_permille "Hash signs per thousand words."
    ellipses_permille "Ellipses per thousand words."
    bullet_lines_permille "Lines that begin as an item of a list does, of all lines."
    ellipsis_lines_permille "Lines that end in an ellipsis, of all lines."
    ended_lines_permille "Lines that end in a mark that ends sentences, of all that are not blank."
    short_lines_permille "Lines of at most 30 characters, of all that are not blank."
    line_ends_permille "Line ends per thousand words."
    repeated_lines_permille "Lines that stood before, of all lines."
    repeated_line_chars_permille "Characters in lines that stood before, of all but line ends, as FineWeb's rules count them."
    repeated_paragraphs_permille "Paragraphs that stood before, of all paragraphs."
}

impl Signals {
    /// The signals of a text. Takes time linear in the text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self::of_words(&Words::of(text))
    }

    pub(crate) fn of_words(words: &Words<'_>) -> Self {
        let (gopher, fineweb) = (gopher::Counts::of(words), fineweb::Counts::of(words));
        let (lines, paragraphs) = (repetition::repeated_lines(words), repetition::repeated_paragraphs(words));
        Self {
            words: count(gopher.plain),
            word_chars_permille: permille(gopher.plain_chars, gopher.plain),
            stop_words: count(gopher.stop_words),
            alpha_words_permille: permille(gopher.alpha, gopher.all),
            hashes_permille: permille(gopher.hashes, gopher.all),
            ellipses_permille: permille(gopher.ellipses, gopher.all),
            bullet_lines_permille: permille(gopher.bullet_lines, gopher.lines),
            ellipsis_lines_permille: permille(gopher.ellipsis_lines, gopher.lines),
            ended_lines_permille: permille(fineweb.ended, fineweb.lines),
            short_lines_permille: permille(fineweb.short, fineweb.lines),
            line_ends_permille: permille(fineweb.line_ends, fineweb.words),
            repeated_lines_permille: permille(lines.repeated, lines.total),
            repeated_line_chars_permille: permille(fineweb.repeated_chars, fineweb.chars),
            repeated_paragraphs_permille: permille(paragraphs.repeated, paragraphs.total),
        }
    }
}

/// Texts are far too short for more.
fn count(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn permille(part: u64, whole: u64) -> u32 {
    (part * 1000).checked_div(whole).map_or(0, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_what_can_be_counted_by_hand() {
        let check = |text: &str, expect: &[(&str, u32)]| {
            let found = Signals::of(text);
            let found = Signals::NAMES.iter().map(|(name, _)| *name).zip(found.values());
            let told: Vec<(&str, u32)> = found.filter(|(_, value)| *value > 0).collect();
            assert_eq!(told, expect, "{text:?}");
        };
        check("", &[]);
        check(
            "the goods and 12 scales",
            &[
                ("words", 5),
                // 19 characters in five words.
                ("word_chars_permille", 3800),
                ("stop_words", 2),
                ("alpha_words_permille", 800),
                ("short_lines_permille", 1000),
            ],
        );
        check(
            "- one item\n- one item\n\nA line of more than thirty characters that ends.\n\n- one item",
            &[
                ("words", 15),
                // 60 characters; hyphens and the full stop are the other four of 19 words.
                ("word_chars_permille", 4000),
                ("stop_words", 2),
                ("alpha_words_permille", 789),
                ("bullet_lines_permille", 500),
                ("ended_lines_permille", 250),
                ("short_lines_permille", 750),
                ("line_ends_permille", 263),
                ("repeated_lines_permille", 500),
                ("repeated_line_chars_permille", 256),
            ],
        );
    }
}
