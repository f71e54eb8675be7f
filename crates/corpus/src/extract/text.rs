//! What is counted in a text, in one pass over it.

use super::lexicon::{Purpose, known};

/// The words of a text and the kinds of its characters.
#[derive(Default)]
pub(super) struct Text {
    /// The runs of letters, digits and underscores, in lower case, each as its [`hash`].
    pub(super) words: Vec<u64>,
    /// Words for each purpose.
    pub(super) purposes: [i64; Purpose::COUNT],
    pub(super) stop_words: i64,
    pub(super) chars: i64,
    pub(super) capitals: i64,
    /// Ends of sentences.
    pub(super) stops: i64,
    /// Marks that part the entries of a list written in one line.
    pub(super) separators: i64,
    /// What stands between white space, and how much of it begins with a capital.
    pub(super) pieces: i64,
    pub(super) capital_pieces: i64,
    pub(super) has_price: bool,
    /// 1 the end of a sentence, 2 a colon, 3 a comma or semicolon, 4 a digit, 5 a letter, 0 anything else.
    pub(super) ending: i64,
}

impl Text {
    pub(super) fn of(text: &str) -> Self {
        let mut found = Self { ending: ending(text), ..Self::default() };
        let (mut word, mut in_piece) = (None, false);
        for c in text.chars() {
            found.chars += 1;
            if c.is_alphanumeric() || c == '_' {
                word = Some(hash_char(word.unwrap_or(HASH_START), c));
            } else {
                if let Some(word) = word.take() {
                    found.word(word);
                }
                match c {
                    '.' | '!' | '?' | '。' => found.stops += 1,
                    '|' | '·' | '•' | '›' | '»' | '/' | '→' => found.separators += 1,
                    '$' | '€' | '£' | '¥' | '₹' => found.has_price = true,
                    _ => {}
                }
            }
            let is_capital = c.is_uppercase();
            found.capitals += i64::from(is_capital);
            let is_space = c.is_whitespace();
            if !in_piece && !is_space {
                found.pieces += 1;
                found.capital_pieces += i64::from(is_capital);
            }
            in_piece = !is_space;
        }
        if let Some(word) = word {
            found.word(word);
        }
        found
    }

    fn word(&mut self, word: u64) {
        self.words.push(word);
        let known = known(word);
        self.stop_words += i64::from(known.is_stop);
        if let Some(purpose) = known.purpose {
            self.purposes[purpose.0] += 1;
        }
    }
}

fn ending(text: &str) -> i64 {
    match text.trim_end_matches(['"', '\'', '”', '’', ')', ' ']).chars().next_back() {
        Some('.' | '!' | '?' | '…' | '。') => 1,
        Some(':') => 2,
        Some(',' | ';') => 3,
        Some(c) if c.is_ascii_digit() => 4,
        Some(c) if c.is_alphabetic() => 5,
        _ => 0,
    }
}

const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;
const HASH_FACTOR: u64 = 0x0100_0000_01b3;

/// FNV-1a of a word in lower case, by characters. Words that collide are taken for each other.
///
/// Source: Fowler, Noll & Vo, the FNV hash, with the parameters for 64 bits.
pub(super) fn hash(word: &str) -> u64 {
    word.chars().fold(HASH_START, hash_char)
}

fn hash_char(hash: u64, c: char) -> u64 {
    if c.is_ascii() {
        return mix(hash, c.to_ascii_lowercase());
    }
    c.to_lowercase().fold(hash, mix)
}

fn mix(hash: u64, c: char) -> u64 {
    (hash ^ u64::from(u32::from(c))).wrapping_mul(HASH_FACTOR)
}

/// The hash of words in a row.
pub(super) fn hash_run(words: &[u64]) -> u64 {
    // FNV's step does not mix the high half of a word into the low one; the shift does.
    words.iter().fold(HASH_START, |hash, word| (hash.rotate_left(29) ^ word).wrapping_mul(HASH_FACTOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_counted() {
        let text = Text::of("Cookie Policy | the Shop_2. Über $5)");
        assert_eq!(text.words, ["cookie", "policy", "the", "shop_2", "über", "5"].map(hash));
        assert_eq!((text.purposes[Purpose::LEGAL], text.stop_words), (2, 1));
        assert_eq!((text.capitals, text.pieces, text.capital_pieces), (4, 7, 4));
        assert_eq!((text.stops, text.separators, text.has_price, text.ending), (1, 1, true, 4));
        assert_eq!(text.chars, 36);
        assert_ne!(hash_run(&[1, 2]), hash_run(&[2, 1]));
        assert!(Text::of("").words.is_empty());
    }
}
