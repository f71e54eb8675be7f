//! Quality rules on a text: too short, too symbolic, too little prose.
//!
//! Source for every rule and threshold: Rae et al., "Scaling Language Models: Methods, Analysis & Insights from
//! Training Gopher" (2021), appendix A.1.1. Words here are what white space parts, without the marks around them;
//! other implementations split words by a language model and decide otherwise near the thresholds. All comparisons
//! are of integers.

use crate::decision::Gopher;

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
const STOP_WORDS_MIN: u32 = 2;
/// Signs that begin an item of a list. The paper says "bullet point"; these are its usual spellings.
const BULLETS: [char; 6] = ['-', '*', '•', '‣', '◦', '–'];

/// Applies the rules in the order of [`Gopher::ALL`].
///
/// # Errors
/// The first rule that the text breaks.
pub(crate) fn check(text: &str) -> Result<(), Gopher> {
    let facts = Facts::of(text);
    // `part` of `whole` in percent, compared without division.
    let above = |part: u64, whole: u64, percent: u64| part * 100 > whole * percent;
    let words = facts.words;
    let broken = Gopher::ALL.iter().copied().find(|rule| match rule {
        Gopher::ShortDoc => words < WORDS_MIN,
        Gopher::LongDoc => words > WORDS_MAX,
        Gopher::ShortWords => facts.word_chars < words * MEAN_WORD_MIN_CHARS,
        Gopher::LongWords => facts.word_chars > words * MEAN_WORD_MAX_CHARS,
        Gopher::Hashes => above(facts.hashes, words, SYMBOLS_MAX_PERCENT),
        Gopher::Ellipses => above(facts.ellipses, words, SYMBOLS_MAX_PERCENT),
        Gopher::BulletLines => above(facts.bullet_lines, facts.lines, BULLET_LINES_MAX_PERCENT),
        Gopher::EllipsisLines => above(facts.ellipsis_lines, facts.lines, ELLIPSIS_LINES_MAX_PERCENT),
        Gopher::AlphaWords => facts.alpha_words * 100 < words * ALPHA_WORDS_MIN_PERCENT,
        Gopher::StopWords => facts.stop_words.count_ones() < STOP_WORDS_MIN,
    });
    broken.map_or(Ok(()), Err)
}

/// What the rules look at, counted in one pass.
#[derive(Default)]
struct Facts {
    words: u64,
    word_chars: u64,
    alpha_words: u64,
    /// One bit per entry of [`STOP_WORDS`] that occurs.
    stop_words: u8,
    hashes: u64,
    ellipses: u64,
    /// Lines that are not blank.
    lines: u64,
    bullet_lines: u64,
    ellipsis_lines: u64,
}

impl Facts {
    fn of(text: &str) -> Self {
        let mut facts = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            facts.lines += 1;
            facts.bullet_lines += u64::from(line.starts_with(BULLETS));
            facts.ellipsis_lines += u64::from(line.ends_with("...") || line.ends_with('…'));
            facts.hashes += line.matches('#').count() as u64;
            facts.ellipses += (line.matches("...").count() + line.matches('…').count()) as u64;
            for word in line.split_whitespace() {
                facts.word(word.trim_matches(|c: char| !c.is_alphanumeric()));
            }
        }
        facts
    }

    fn word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        self.words += 1;
        self.word_chars += word.chars().count() as u64;
        self.alpha_words += u64::from(word.chars().any(char::is_alphabetic));
        if let Some(place) = STOP_WORDS.iter().position(|stop| word.eq_ignore_ascii_case(stop)) {
            self.stop_words |= 1 << place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 60 words of ordinary prose in four lines.
    const PROSE: &str = "The public weighhouse was a building where goods were weighed before they were sold.\n\
        Its scales belonged to the town and the master of the house had sworn to be fair to both sides.\n\
        A merchant who doubted a weight could ask that it be taken again before witnesses of his own choice.\n\
        What the scales said was written down and signed and it settled the price.";

    #[test]
    fn each_rule_names_the_text_that_breaks_it() {
        let check = |text: &str, expect| assert_eq!(super::check(text), expect, "{text:.80}");
        check(PROSE, Ok(()));
        check("", Err(Gopher::ShortDoc));
        check(&"word and ".repeat(24), Err(Gopher::ShortDoc));
        check(&"the and word word ".repeat(25_001), Err(Gopher::LongDoc));
        check(&"a to be of ".repeat(20), Err(Gopher::ShortWords));
        check(&"incomprehensibilities and ".repeat(60), Err(Gopher::LongWords));
        check(&format!("{PROSE}{}", " #".repeat(30)), Err(Gopher::Hashes));
        check(&format!("{PROSE}{}", " ... that".repeat(20)), Err(Gopher::Ellipses));
        check(&PROSE.replace("\n", "\n- ").replace("The public", "* The public"), Err(Gopher::BulletLines));
        check(&PROSE.replace(".\n", "...\n"), Err(Gopher::EllipsisLines));
        check(&format!("{PROSE}{}", " 1234".repeat(30)), Err(Gopher::AlphaWords));
        check(&"lorem ipsum dolor sit amet ".repeat(20), Err(Gopher::StopWords));
    }

    #[test]
    fn thresholds_themselves_pass() {
        assert_eq!(check(&"the word and line being ".repeat(10)), Ok(()));
        assert_eq!(check(&"the word and line being ".repeat(20_000)), Ok(()));
        let at = format!("{} ##########", "the word and line being ".repeat(20));
        assert_eq!(check(&at), Ok(()));
    }
}
