//! From a page to a document: the pinned recipe, and what an open one shares with it.
//!
//! The recipe is page ([`crate::page`]) → address → main text ([`crate::extract`]) → normalisation → people's addresses →
//! language → quality rules → contamination → opt-out → what is said of the text and its page. It is a pure function of the record's bytes and the task's [`Rules`]; whoever runs the
//! same [`RECIPE`] gets the same bits. Any change of any step's output is a new version. An open recipe brings a main
//! text of its own and shares all else. Removing duplicates needs the other documents and is done by
//! [`crate::Shard::build`].

use std::{borrow::Cow, fmt, sync::Arc};

use parity_scale_codec::{Decode, Encode};
use primitives::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    blocklist::Blocklist,
    decision::Reason,
    exclusion::Exclusion,
    extract,
    filter::{Filters, Signals},
    grams,
    language::{self, Guess, Language},
    minhash::{BANDS, Signature},
    page::Page,
    pii::Redacted,
    tokens,
    words::Words,
};

/// The recipe that this version of the crate runs. It takes its idea of letters, case and white space from the
/// Unicode tables of the standard library, so a toolchain with other tables asks for a new version as well, and so
/// does another version of the crates that parse, decode and score pages.
pub const RECIPE: Recipe = Recipe { id: Cow::Borrowed("weigh-text"), version: 3 };

/// The longest text of a document: a long book. Longer ones are tables and logs.
pub const TEXT_MAX_BYTES: usize = 2 << 20;

const FINGERPRINT_DOMAIN: &str = "weighhouse corpus fingerprint v1";

/// Which extraction made a shard.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Recipe {
    /// The recipe's name.
    pub id: Cow<'static, str>,
    /// Raised with every change of its output.
    pub version: u32,
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.id, self.version)
    }
}

/// What of a recipe the task fixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Languages that are kept; none means all.
    pub languages: Vec<Language>,
    /// Which quality rules run.
    pub filters: Filters,
    /// What no text may share 13 words in a row with.
    pub exclusion: Exclusion,
    /// Whether a near duplicate of an earlier record is dropped.
    pub near_duplicates: bool,
    /// Addresses whose pages are not wanted.
    pub blocklist: Blocklist,
    /// What becomes of e-mail and public IP addresses in a text.
    pub pii: Pii,
    /// Whether pages are left out that, or whose servers, reserve their text; see
    /// [`crate::optout::OptOut::reserves_text`].
    pub heed_opt_out: bool,
    /// What tells languages; without it trigrams do, see [`language::guess`].
    pub language_model: Option<Arc<language::Model>>,
}

impl Rules {
    /// The likeliest language of a text.
    #[must_use]
    pub fn guess(&self, text: &str) -> Guess {
        self.language_model.as_ref().map_or_else(|| language::guess(text), |model| model.guess(text))
    }
}

/// What becomes of people's addresses in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pii {
    /// They stay.
    #[default]
    Keep,
    /// Each is replaced; see [`Redacted`].
    Replace,
    /// A text that has any is left out.
    Drop,
}

/// A function that takes the main text from a page.
pub type Extractor<'a> = dyn Fn(&Page) -> Result<String, Reason> + 'a;

/// A page that passed the recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The normalised text.
    pub text: String,
    /// Its language as an ISO 639-1 code, or [`language::UNDETERMINED`].
    pub language: &'static str,
    /// How sure that is, in thousandths.
    pub language_permille: u16,
    /// Its length in tokens of [`tokens::TOKENIZER`].
    pub tokens: u64,
    /// What exact duplicates have in common; see [`fingerprint`].
    pub fingerprint: Digest,
    /// What the filters decide by.
    pub signals: Signals,
    /// What near duplicates have in common, where the rules ask for them and the text has five words; see
    /// [`Signature::bands`].
    pub bands: Option<[u64; BANDS]>,
    /// The page's title; empty where it has none.
    pub title: String,
    /// The day on which the page says that it was published, as `YYYY-MM-DD`; empty where it says none.
    pub published: String,
}

impl Document {
    /// Makes a document of a page by this extraction.
    ///
    /// # Errors
    /// The [`Reason`] why the page is no document.
    pub fn of_page(page: &Page, rules: &Rules, extract: &Extractor<'_>) -> Result<Self, Reason> {
        if rules.blocklist.hit(&page.url).is_some() {
            return Err(Reason::Url);
        }
        let found = text(page, extract)?;
        let redacted = if rules.pii == Pii::Keep { None } else { Some(Redacted::of(&found)) };
        let has_addresses = redacted.as_ref().is_some_and(Redacted::any);
        // All that follows is about the text that will stand there.
        let text = match redacted {
            Some(redacted) if rules.pii == Pii::Replace => redacted.text.into_owned(),
            _ => found,
        };
        if text.len() > TEXT_MAX_BYTES {
            return Err(Reason::TooLarge);
        }
        let guess = rules.guess(&text);
        if !rules.languages.is_empty() && !rules.languages.iter().any(|wanted| wanted.code() == guess.code) {
            return Err(Reason::Language);
        }
        let words = Words::of(&text);
        rules.filters.check_words(&words)?;
        if rules.exclusion.hits(&text).is_some() {
            return Err(Reason::Contaminated);
        }
        if has_addresses && rules.pii == Pii::Drop {
            return Err(Reason::Pii);
        }
        if rules.heed_opt_out && page.opt_out.reserves_text() {
            return Err(Reason::OptOut);
        }
        let signals = Signals::of_words(&words);
        // A page that an extraction of one's own takes may be none by the pinned one's reading.
        let said = extract::metadata(page).unwrap_or_default();
        let made = Self::labelled(text, guess, signals, rules);
        Ok(Self { title: said.title, published: said.date.unwrap_or_default(), ..made })
    }

    /// A text by itself, with what is said of it: no rule looks at it, and no page is known.
    #[must_use]
    pub fn of_text(text: String, rules: &Rules) -> Self {
        let (guess, signals) = (rules.guess(&text), Signals::of(&text));
        Self::labelled(text, guess, signals, rules)
    }

    fn labelled(text: String, guess: Guess, signals: Signals, rules: &Rules) -> Self {
        Self {
            language: guess.code,
            language_permille: guess.permille,
            tokens: tokens::count(&text),
            fingerprint: fingerprint(&text),
            signals,
            bands: bands(&text, rules),
            title: String::new(),
            published: String::new(),
            text,
        }
    }
}

/// What near duplicates of a text have in common, where the rules ask for it; see [`Document::bands`].
pub(crate) fn bands(text: &str, rules: &Rules) -> Option<[u64; BANDS]> {
    rules.near_duplicates.then(|| Signature::of(text)).flatten().map(|signature| signature.bands())
}

/// The normalised main text of a page by this extraction, before any rule looks at it.
///
/// # Errors
/// The [`Reason`] why there is none.
pub fn text(page: &Page, extract: &Extractor<'_>) -> Result<String, Reason> {
    let text = normalise(&extract(page)?);
    match text.len() {
        0 => Err(Reason::Empty),
        length if length > TEXT_MAX_BYTES => Err(Reason::TooLarge),
        _ => Ok(text),
    }
}

/// The digest of a text's words in lower case, whatever stands between them: two documents that differ only in case,
/// white space, punctuation and markup have the same.
#[must_use]
pub fn fingerprint(text: &str) -> Digest {
    let mut folded = String::with_capacity(text.len());
    for word in grams::words_of(text) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        grams::fold_into(&mut folded, word);
    }
    Digest::of_parts(FINGERPRINT_DOMAIN, &[folded.as_bytes()])
}

/// Line ends become `\n`; control characters, byte-order marks and zero-width spaces go; white space at the ends of
/// lines and of the text goes; more than one blank line in a row becomes one.
fn normalise(raw: &str) -> String {
    let mut mapped = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => mapped.push('\n'),
            '\n' | '\t' => mapped.push(c),
            '\u{feff}' | '\u{200b}' => {}
            c if c.is_control() => {}
            c => mapped.push(c),
        }
    }
    let mut text = String::with_capacity(mapped.len());
    let mut blank = 0;
    for line in mapped.lines().map(str::trim_end) {
        if line.is_empty() {
            blank += 1;
            continue;
        }
        if !text.is_empty() {
            text.push_str(if blank > 0 { "\n\n" } else { "\n" });
        }
        text.push_str(line);
        blank = 0;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_is_pinned_to_its_unicode_tables() {
        assert_eq!(RECIPE.to_string(), "weigh-text/3");
        assert_eq!(char::UNICODE_VERSION, (17, 0, 0), "other tables need a new version of the recipe");
    }

    #[test]
    fn text_is_normalised() {
        let check = |raw: &str, expect: &str| assert_eq!(normalise(raw), expect, "{raw:?}");
        check("\u{feff}one  \r\ntwo\rthree\t\n", "one\ntwo\nthree");
        check("\n\n  indented\n\n\n\nnext\n", "  indented\n\nnext");
        check("a\u{0}b\u{7}c\u{200b}d\u{c}e", "abcd\ne");
        check("# not a heading <b>", "# not a heading <b>");
    }

    #[test]
    fn cosmetic_variants_share_a_fingerprint() {
        let check =
            |a: &str, b: &str, same| assert_eq!(fingerprint(a) == fingerprint(b), same, "{a:?} {b:?}");
        check("Weights, and measures!", "weights   AND\n- measures", true);
        check("# Title\n\nText.", "Title -- text", true);
        check("weights and measures", "measures and weights", false);
        check("ab c", "a bc", false);
        check("ΣΑΣ", "σασ", true);
    }

    proptest::proptest! {
        #[test]
        fn normalisation_is_idempotent(raw in "[a-z \\t\\r\\n\u{0}\u{b}\u{feff}\u{200b}\u{85}\u{a0}é]{0,60}") {
            let once = normalise(&raw);
            proptest::prop_assert_eq!(normalise(&once), once);
        }
    }
}
