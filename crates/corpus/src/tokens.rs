//! Counting tokens by a rule that needs no model: the unit in which miners are credited.
//!
//! Tokenizer `words/1`: a maximal run of alphanumeric characters (Unicode's Alphabetic and Numeric) is one token;
//! every other character that is not white space is one token. A run has no greatest length, so a wall of letters
//! earns one token. It is no byte-pair encoding and isn't meant to predict one.

/// The tokenizer's name, as it stands in reports next to every count.
pub const TOKENIZER: &str = "words/1";

/// Tokens in `text`.
#[must_use]
pub fn count(text: &str) -> u64 {
    let (mut tokens, mut in_run) = (0u64, false);
    for c in text.chars() {
        let word = c.is_alphanumeric();
        tokens += u64::from(if word { !in_run } else { !c.is_whitespace() });
        in_run = word;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_count_once_and_marks_one_each() {
        let check = |text: &str, expect| assert_eq!(count(text), expect, "{text:?}");
        check("", 0);
        check(" \n\t\u{a0}", 0);
        check("weights and measures", 3);
        check("don't", 3);
        check("fn f(x: u8) -> u8 { x }", 13);
        check("snake_case 3.14", 6);
        check("naïve Straße Ωμέγα 東京", 4);
        check(&"a".repeat(100_000), 1);
    }
}
