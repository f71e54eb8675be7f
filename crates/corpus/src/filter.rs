//! Quality rules on a text: Gopher's on repetition and on quality, C4's and FineWeb's.
//!
//! Rules, thresholds and their order are those of datatrove 0.10.1's default English filters, so that a decision can be
//! compared with what the field's pipelines do; C4 runs without its rule on terminal punctuation, as FineWeb did. Each
//! filter looks at the text as it is: C4's also changes texts elsewhere, here it only decides. Every ratio is compared
//! in integers, which gives what the quotients of floats give, since counts stay far below 2^50.

mod c4;
mod fineweb;
mod gopher;
mod repetition;
mod signals;

pub use signals::Signals;

use serde::{Deserialize, Serialize};

use crate::{
    decision::{C4, FineWeb, Gopher, Reason, Repetition},
    words::Words,
};

/// Which filters run, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filters {
    /// Gopher's rules on repetition.
    pub repetition: bool,
    /// Gopher's rules on quality.
    pub gopher: bool,
    /// C4's rules.
    pub c4: bool,
    /// FineWeb's rules.
    pub fineweb: bool,
}

impl Filters {
    /// All four.
    pub const ALL: Self = Self { repetition: true, gopher: true, c4: true, fineweb: true };
    /// None.
    pub const NONE: Self = Self { repetition: false, gopher: false, c4: false, fineweb: false };

    /// Whether a text passes the filters that run.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn check(self, text: &str) -> Result<(), Reason> {
        if self == Self::NONE { Ok(()) } else { self.check_words(&Words::of(text)) }
    }

    pub(crate) fn check_words(self, words: &Words<'_>) -> Result<(), Reason> {
        let broken = |on: bool, rule: &dyn Fn() -> Option<Reason>| {
            if on { rule().map_or(Ok(()), Err) } else { Ok(()) }
        };
        broken(self.repetition, &|| repetition::broken(words).map(Reason::Repetition))?;
        broken(self.gopher, &|| gopher::broken(words).map(Reason::Gopher))?;
        broken(self.c4, &|| c4::broken(words).map(Reason::C4))?;
        broken(self.fineweb, &|| fineweb::broken(words).map(Reason::FineWeb))
    }
}

/// Gopher's rules on quality: what the recipe has run since its first version.
impl Default for Filters {
    fn default() -> Self {
        Self { gopher: true, ..Self::NONE }
    }
}

/// What each filter says of a text by itself: the first of its rules that the text breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Gopher's rules on repetition.
    pub repetition: Option<Repetition>,
    /// Gopher's rules on quality.
    pub gopher: Option<Gopher>,
    /// C4's rules.
    pub c4: Option<C4>,
    /// FineWeb's rules.
    pub fineweb: Option<FineWeb>,
}

impl Verdict {
    /// Judges a text by all four filters.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let words = Words::of(text);
        Self {
            repetition: repetition::broken(&words),
            gopher: gopher::broken(&words),
            c4: c4::broken(&words),
            fineweb: fineweb::broken(&words),
        }
    }
}

/// Whether `part` is more than so many hundredths of `whole`.
fn above(part: u64, whole: u64, percent: u64) -> bool {
    part * 100 > whole * percent
}

/// How many of these texts stood before, and the characters in them.
fn duplicates<'a>(texts: impl Iterator<Item = &'a str>, of: &Words<'_>) -> Duplicates {
    let hasher = crate::numbering::Hasher::of(of.text);
    let mut table = crate::numbering::Table::new(64);
    let mut known: Vec<&str> = Vec::new();
    let mut found = Duplicates::default();
    for text in texts {
        found.total += 1;
        let number = table.number(hasher.text(text), |number| known[number as usize] == text);
        if number as usize == known.len() {
            known.push(text);
        } else {
            found.repeated += 1;
            found.repeated_chars += text.chars().count() as u64;
        }
    }
    found
}

#[derive(Default)]
struct Duplicates {
    total: u64,
    repeated: u64,
    repeated_chars: u64,
}
