//! From a file's bytes to a document: the pinned recipe.
//!
//! The recipe is size bound → strict UTF-8 → text (Markdown rendered, other text as it is) → normalisation → quality
//! rules → fingerprint. It is a pure function of path and bytes; whoever runs the same [`RECIPE`] gets the same bits.
//! Any change of any step's output is a new version. Removing duplicates needs the other documents and is done by
//! [`crate::Shard::build`].

use std::{borrow::Cow, fmt};

use parity_scale_codec::{Decode, Encode};
use primitives::Digest;
use serde::{Deserialize, Serialize};

use crate::{decision::Reason, filter, markdown, tokens};

/// The recipe that this version of the crate runs. It takes its idea of letters, case and white space from the
/// Unicode tables of the standard library, so a toolchain with other tables asks for a new version as well.
pub const RECIPE: Recipe = Recipe { id: Cow::Borrowed("folder-text"), version: 1 };

/// The longest record that becomes a document. Prose written by hand stays below (the longest changelog among 1,786
/// files of documentation has 195 kB); longer files are tables and test data.
pub const RECORD_MAX_BYTES: usize = 1 << 20;
/// The longest text of a document. Rendering shortens, but for numbered lists and indentation, which can repeat.
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

/// A record that passed the recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The normalised text.
    pub text: String,
    /// Its length in tokens of [`tokens::TOKENIZER`].
    pub tokens: u64,
    /// What exact duplicates have in common; see [`fingerprint`].
    pub fingerprint: Digest,
}

impl Document {
    /// Runs the recipe on one file.
    ///
    /// # Errors
    /// The [`Reason`] why the file is no document.
    pub fn extract(path: &str, bytes: &[u8]) -> Result<Self, Reason> {
        let text = text(path, bytes)?;
        filter::check(&text).map_err(Reason::Gopher)?;
        Ok(Self { tokens: tokens::count(&text), fingerprint: fingerprint(&text), text })
    }
}

/// The text of a file before the quality rules: Markdown by its extension, anything else as plain text.
///
/// # Errors
/// The [`Reason`] why there is none.
pub fn text(path: &str, bytes: &[u8]) -> Result<String, Reason> {
    if bytes.len() > RECORD_MAX_BYTES {
        return Err(Reason::TooLarge);
    }
    let raw = std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?;
    // The parser must not see carriage returns or control characters that normalisation would join text over.
    let plain = normalise(raw);
    let text = if is_markdown(path) { normalise(&markdown::render(&plain)?) } else { plain };
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
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        // By character: the final sigma's rule would make a word's form depend on its neighbours.
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    Digest::of_parts(FINGERPRINT_DOMAIN, &[folded.as_bytes()])
}

fn is_markdown(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    extension.eq_ignore_ascii_case("md") || extension.eq_ignore_ascii_case("markdown")
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
        assert_eq!(RECIPE.to_string(), "folder-text/1");
        assert_eq!(char::UNICODE_VERSION, (17, 0, 0), "other tables need a new version of the recipe");
    }

    #[test]
    fn plain_text_is_normalised() {
        let check =
            |raw: &str, expect: &str| assert_eq!(text("a.txt", raw.as_bytes()).unwrap(), expect, "{raw:?}");
        check("\u{feff}one  \r\ntwo\rthree\t\n", "one\ntwo\nthree");
        check("\n\n  indented\n\n\n\nnext\n", "  indented\n\nnext");
        check("a\u{0}b\u{7}c\u{200b}d\u{c}e", "abcd\ne");
        check("# not a heading <b>", "# not a heading <b>");
        check("tab\tinside", "tab\tinside");
    }

    #[test]
    fn records_without_text_have_a_reason() {
        let check = |path: &str, bytes: &[u8], reason| assert_eq!(text(path, bytes), Err(reason), "{path}");
        check("a.txt", b"", Reason::Empty);
        check("a.txt", b" \n\t\r\n\0", Reason::Empty);
        check(
            "a.md",
            b"[![badge](https://x.example/b.svg)](https://x.example)\n<!-- note -->\n",
            Reason::Empty,
        );
        check("a.md", b"caf\xe9", Reason::NotUtf8);
        check("a.txt", b"\xed\xa0\x80", Reason::NotUtf8);
        check("a.txt", &vec![b'a'; RECORD_MAX_BYTES + 1], Reason::TooLarge);
        assert!(text("a.txt", &vec![b'a'; RECORD_MAX_BYTES]).is_ok());
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

        #[test]
        fn any_bytes_have_a_decision(bytes: Vec<u8>, markdown: bool) {
            let path = if markdown { "a.md" } else { "a.txt" };
            proptest::prop_assert_eq!(text(path, &bytes), text(path, &bytes));
        }
    }
}
