//! C4's rules: enough sentences, no placeholder text, no code.
//!
//! Source: Raffel et al., "Exploring the Limits of Transfer Learning" (2020), section 2.2, as in datatrove 0.10.1's
//! `c4_filters.py`. A line that is left out here is one whose sentences don't count.

use std::borrow::Cow;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

use crate::{
    decision::C4,
    words::{Words, is_space, sentences_of},
};

const SENTENCES_MIN: u64 = 5;
const LINE_WORDS_MIN: usize = 3;
/// The longest word of a line, parted by white space.
const WORD_MAX_CHARS: usize = 1000;
/// Phrases whose lines don't count.
const POLICIES: [&str; 6] =
    ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"];
/// Each of [`POLICIES`], and the other phrases that are looked for, holds one of these.
const MARKS: [&[u8]; 5] = [b"lorem ipsum", b"javascript", b"cookie", b"terms of use", b"privacy policy"];

/// The first rule that a text breaks.
pub(super) fn broken(words: &Words<'_>) -> Option<C4> {
    let has_phrases = may_have_phrases(words.text);
    let mut sentences = 0;
    for (line, sentences_here) in words.lines() {
        let line = line.trim_matches(is_space);
        if is_too_long_or_short(line) {
            continue;
        }
        let kept = without_citations(line);
        if has_phrases {
            let lower = kept.to_lowercase();
            if lower.contains("lorem ipsum") {
                return Some(C4::LoremIpsum);
            }
            if lower.contains("javascript") {
                continue;
            }
            if kept.contains('{') {
                return Some(C4::CurlyBracket);
            }
            if POLICIES.iter().any(|policy| lower.contains(policy)) {
                continue;
            }
        } else if kept.contains('{') {
            return Some(C4::CurlyBracket);
        }
        if sentences < SENTENCES_MIN {
            sentences += match kept {
                Cow::Borrowed(_) => sentences_here(),
                Cow::Owned(kept) => sentences_of(&kept),
            };
        }
    }
    (sentences < SENTENCES_MIN).then_some(C4::TooFewSentences)
}

/// Whether any phrase can occur: a quick look at the text as a whole.
fn may_have_phrases(text: &str) -> bool {
    // The Kelvin sign is a k in lower case.
    let lower = text.to_ascii_lowercase().replace('\u{212a}', "k");
    MARKS.iter().any(|mark| memchr::memmem::find(lower.as_bytes(), mark).is_some())
}

/// Whether a line has a word that is too long, or fewer words than a sentence has.
fn is_too_long_or_short(line: &str) -> bool {
    let (mut count, mut longest) = (0, 0);
    for word in line.split(is_space).filter(|word| !word.is_empty()) {
        count += 1;
        if word.len() > WORD_MAX_CHARS {
            longest = longest.max(word.chars().count());
        }
        // A line of fewer bytes has no word that is too long.
        if count >= LINE_WORDS_MIN && line.len() <= WORD_MAX_CHARS {
            return false;
        }
    }
    count < LINE_WORDS_MIN || longest > WORD_MAX_CHARS
}

/// A line without the marks of citations: `[1]`, `[edit]` and the like.
fn without_citations(line: &str) -> Cow<'_, str> {
    let Some(mut from) = line.find('[') else { return Cow::Borrowed(line) };
    let (mut kept, mut done) = (String::new(), 0);
    loop {
        let rest = &line[from..];
        match citation_length(rest) {
            0 => from += 1,
            length => {
                kept.push_str(&line[done..from]);
                from += length;
                done = from;
            }
        }
        match line[from..].find('[') {
            Some(at) => from += at,
            None if done == 0 => return Cow::Borrowed(line),
            None => {
                kept.push_str(&line[done..]);
                return Cow::Owned(kept);
            }
        }
    }
}

fn citation_length(text: &str) -> usize {
    if let Some(named) = ["[edit]", "[citation needed]"].iter().find(|named| text.starts_with(**named)) {
        return named.len();
    }
    let inner = &text[1..];
    let digits = inner.trim_start_matches(|c: char| {
        c.is_ascii_digit() || !c.is_ascii() && c.general_category() == GeneralCategory::DecimalNumber
    });
    if digits.starts_with(']') { text.len() - digits.len() + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<C4>) {
        assert_eq!(broken(&Words::of(text)), expect, "{text:.80}");
    }

    #[test]
    fn citations_go() {
        let check = |line: &str, expect: &str| assert_eq!(without_citations(line), expect, "{line}");
        check("plain", "plain");
        check("a [1] b[23]", "a  b");
        check("[edit][citation needed][]x", "x");
        check("[a] [1", "[a] [1");
        check("[[1]", "[");
    }

    #[test]
    fn each_rule_names_the_text_that_breaks_it() {
        let sentence = "It is so here.";
        let times = |count: usize| vec![sentence; count].join(" ");
        check("", Some(C4::TooFewSentences));
        check(&times(4), Some(C4::TooFewSentences));
        check(&times(5), None);
        check(&[sentence; 5].join("\n"), None);
        // What doesn't count: short lines, long words, scripts, policies.
        for line in
            ["Two words.", "We need JavaScript. Really we do.", "Read the Privacy Policy. Do read it."]
        {
            check(&format!("{}\n{line}", times(4)), Some(C4::TooFewSentences));
        }
        let word = "a".repeat(1000);
        check(&format!("{}\nIt is {word}", times(4)), None);
        check(&format!("{}\nIt is a{word}", times(4)), Some(C4::TooFewSentences));
        check(&format!("{}\nLorem IPSUM dolor.", times(9)), Some(C4::LoremIpsum));
        check(&format!("{}\nif x {{ y }}", times(9)), Some(C4::CurlyBracket));
        // In a line that doesn't count they don't either.
        check(&format!("{}\n{{ }}", times(9)), None);
        check(&format!("{}\njavascript is {{", times(9)), None);
        check(&format!("{}\nOne more.  [1]", times(4)), None);
    }
}
