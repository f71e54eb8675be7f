//! The words in a run of characters without white space.
//!
//! Source: the algorithm of spaCy 3.8's tokenizer (`tokenizer.pyx`) with its rules for English
//! (`lang/punctuation.py`, `lang/en/punctuation.py`). Marks are taken off both ends until nothing more comes off or a
//! special case is left; what remains is a special case, an address or is cut at the marks within. At the end, words
//! beside each other that make up a special case are joined to it. One difference: the original also looks for
//! special cases across white space, finds them not to be any, and then overlooks shorter ones that they overlap.

use super::{
    address::is_address,
    classes::{ALPHA, BEFORE_STOP, CURRENCY, Classes, ICON, LOWER, PREFIX, QUOTE, SUFFIX, UPPER},
    special::Specials,
};

/// Currencies of more than one sign.
const LETTERED_CURRENCIES: [&str; 3] = ["US$", "C$", "A$"];
const POSSESSIVES: [&str; 4] = ["'s", "'S", "’s", "’S"];
/// Taken off behind a digit. The two that the original runs into each other by mistake are so here.
const UNITS: &str = "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h \
    kmh mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг \
    м/с км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ \
    ملغ كوب اكواب";
const UNIT_MAX_BYTES: usize = 10;
/// Hyphens in the order in which they are tried, and how far a word may go on behind them.
const HYPHENS: [&str; 7] = ["-", "–", "—", "--", "---", "——", "~"];

/// Where the words of `run` end, by the rules and the special cases.
pub(super) fn split(run: &str, classes: Classes, specials: &Specials, ends: &mut Vec<usize>) {
    if let Some(special) = specials.find(run) {
        ends.extend(&special.ends);
        return;
    }
    Split { classes, specials: Some(specials) }.run(run, ends);
    if ends.len() > 1 {
        join_specials(run, specials, ends);
    }
}

/// Where the words of `run` end by the rules alone.
pub(super) fn split_by_rules(run: &str, classes: Classes, ends: &mut Vec<usize>) {
    Split { classes, specials: None }.run(run, ends);
}

struct Split<'a> {
    classes: Classes,
    specials: Option<&'a Specials>,
}

impl Split<'_> {
    fn is(&self, c: Option<char>, class: u16) -> bool {
        c.is_some_and(|c| self.classes.of(c) & class != 0)
    }

    fn is_special(&self, text: &str) -> bool {
        !text.is_empty() && self.specials.is_some_and(|specials| specials.find(text).is_some())
    }

    fn run(&self, run: &str, ends: &mut Vec<usize>) {
        let (mut first, mut end) = (0, run.len());
        let mut behind = Vec::new();
        loop {
            let rest = &run[first..end];
            if rest.is_empty() || self.is_special(rest) {
                break;
            }
            let prefix = self.prefix_length(rest);
            if prefix > 0 && self.is_special(&rest[prefix..]) {
                first += prefix;
                ends.push(first);
                break;
            }
            let suffix = self.suffix_length(&rest[prefix..]);
            if suffix > 0 && self.is_special(&rest[..rest.len() - suffix]) {
                behind.push(end);
                end -= suffix;
                break;
            }
            if prefix == 0 && suffix == 0 {
                break;
            }
            if prefix > 0 {
                first += prefix;
                ends.push(first);
            }
            if suffix > 0 {
                behind.push(end);
                end -= suffix;
            }
        }
        if first < end {
            self.middle(&run[first..end], first, ends);
        }
        ends.extend(behind.iter().rev());
    }

    fn middle(&self, word: &str, offset: usize, ends: &mut Vec<usize>) {
        if let Some(special) = self.specials.and_then(|specials| specials.find(word)) {
            ends.extend(special.ends.iter().map(|end| offset + end));
        } else if is_address(word, self.classes) {
            ends.push(offset + word.len());
        } else {
            self.cut_within(word, offset, ends);
        }
    }

    /// The bytes of what is taken off the beginning.
    fn prefix_length(&self, word: &str) -> usize {
        let mut chars = word.chars();
        let Some(first) = chars.next() else { return 0 };
        match first {
            '+' => usize::from(!chars.next().is_some_and(|next| next.is_ascii_digit())),
            '.' => dots(word.bytes()),
            'U' | 'C' | 'A' => {
                LETTERED_CURRENCIES.iter().find(|sign| word.starts_with(**sign)).map_or(0, |sign| sign.len())
            }
            _ if self.is(Some(first), PREFIX) => first.len_utf8(),
            _ => 0,
        }
    }

    /// The bytes of what is taken off the end: the longest that any rule takes.
    fn suffix_length(&self, word: &str) -> usize {
        let mut chars = word.chars().rev();
        let Some(last) = chars.next() else { return 0 };
        let before = chars.next();
        if last == '.' {
            return match dots(word.bytes().rev()) {
                0 => usize::from(self.stop_is_parted(before, chars.next())),
                run => run,
            };
        }
        if last == '…' && before == Some('…') {
            return 2 * '…'.len_utf8();
        }
        if self.is(Some(last), SUFFIX) {
            // No other rule ends in one of these.
            return last.len_utf8();
        }
        if let Some(possessive) = POSSESSIVES.iter().find(|end| word.ends_with(**end)) {
            return possessive.len();
        }
        if last == '+' {
            return usize::from(before.is_some_and(|c| c.is_ascii_digit()));
        }
        behind_digit(word, |end| {
            LETTERED_CURRENCIES.contains(&end)
                || UNITS.split(' ').any(|unit| unit == end)
                || end.chars().count() == 1 && self.is(end.chars().next(), CURRENCY)
        })
    }

    /// Whether a full stop behind these two characters, the nearer one first, is a word of its own.
    fn stop_is_parted(&self, before: Option<char>, second: Option<char>) -> bool {
        let degrees = second == Some('°') && before.is_some_and(|c| "FfCcKk".contains(c));
        self.is(before, BEFORE_STOP) || degrees || self.is(before, UPPER) && self.is(second, UPPER)
    }

    /// Cuts at the marks within a word.
    fn cut_within(&self, word: &str, offset: usize, ends: &mut Vec<usize>) {
        let (mut at, mut start, mut before) = (0, 0, None);
        while let Some(c) = word[at..].chars().next() {
            let length = self.infix_length(&word[at..], c, before);
            if length == 0 {
                at += c.len_utf8();
                before = Some(c);
                continue;
            }
            // What stands at the beginning parts nothing.
            if at > 0 {
                if at > start {
                    ends.push(offset + at);
                }
                ends.push(offset + at + length);
                start = at + length;
            }
            before = word[at..at + length].chars().next_back();
            at += length;
        }
        if start < word.len() {
            ends.push(offset + word.len());
        }
    }

    /// The bytes of the mark that parts a word at this character, or 0.
    fn infix_length(&self, rest: &str, c: char, before: Option<char>) -> usize {
        if c.is_ascii_alphanumeric() {
            return 0;
        }
        let next = rest[c.len_utf8()..].chars().next();
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let word_before = || self.is(before, ALPHA) || digit(before);
        match c {
            '.' => match dots(rest.bytes()) {
                0 => usize::from(self.is(before, LOWER | QUOTE) && self.is(next, UPPER | QUOTE)),
                run => run,
            },
            ',' => usize::from(self.is(before, ALPHA) && self.is(next, ALPHA)),
            ':' | '<' | '>' | '=' | '/' => usize::from(word_before() && self.is(next, ALPHA)),
            '…' => c.len_utf8(),
            '+' | '*' | '^' => usize::from(digit(before) && (digit(next) || next == Some('-'))),
            '-' if digit(before) && (digit(next) || next == Some('-')) => 1,
            '-' | '–' | '—' | '~' if word_before() => {
                let fits = |hyphen: &&&str| {
                    let after = rest.strip_prefix(**hyphen);
                    after.is_some_and(|after| self.is(after.chars().next(), ALPHA))
                };
                HYPHENS.iter().find(fits).map_or(0, |hyphen| hyphen.len())
            }
            _ if self.is(Some(c), ICON) => c.len_utf8(),
            _ => 0,
        }
    }
}

/// The length of a run of two full stops or more, else 0.
fn dots(bytes: impl Iterator<Item = u8>) -> usize {
    let run = bytes.take_while(|byte| *byte == b'.').count();
    if run > 1 { run } else { 0 }
}

/// The bytes behind the last digit of ASCII, if these end a word so.
fn behind_digit(word: &str, fits: impl Fn(&str) -> bool) -> usize {
    let tail = word.bytes().rev().take(UNIT_MAX_BYTES + 1).position(|byte| byte.is_ascii_digit());
    match tail {
        Some(length) if length > 0 && fits(&word[word.len() - length..]) => length,
        _ => 0,
    }
}

/// Joins words that make up a special case: the longest ones first, then the first ones.
fn join_specials(run: &str, specials: &Specials, ends: &mut Vec<usize>) {
    const WORDS_MAX: usize = 12;
    let begin = |at: usize| if at == 0 { 0 } else { ends[at - 1] };
    // Words, the place of the first one, and what they make up.
    let mut found = Vec::new();
    let bytes = run.as_bytes();
    for first in 0..ends.len() - 1 {
        if !specials.can_join(bytes[begin(first)], bytes[ends[first]]) {
            continue;
        }
        for last in first + 1..ends.len().min(first + WORDS_MAX) {
            let text = &run[begin(first)..ends[last]];
            if text.len() > super::special::LENGTH_MAX_BYTES {
                break;
            }
            let Some(special) = specials.find(text) else { continue };
            let same = special.ends_by_rules.len() == last - first + 1
                && (first..=last)
                    .zip(&special.ends_by_rules)
                    .all(|(at, end)| ends[at] - begin(first) == *end);
            if same && special.ends != special.ends_by_rules {
                found.push((last - first + 1, first, special));
            }
        }
    }
    if found.is_empty() {
        return;
    }
    found.sort_by_key(|(words, first, _)| (std::cmp::Reverse(*words), *first));
    let mut taken = vec![false; ends.len()];
    let mut joined: Vec<(usize, usize, &super::special::Special)> = Vec::new();
    for (words, first, special) in found {
        if !taken[first] && !taken[first + words - 1] {
            joined.push((first, words, special));
        }
        taken[first..first + words].fill(true);
    }
    joined.sort_by_key(|(first, ..)| *first);
    let (mut result, mut at) = (Vec::with_capacity(ends.len()), 0);
    for (first, words, special) in joined {
        result.extend_from_slice(&ends[at..first]);
        let offset = begin(first);
        result.extend(special.ends.iter().map(|end| offset + end));
        at = first + words;
    }
    result.extend_from_slice(&ends[at..]);
    *ends = result;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(run: &str) -> String {
        let mut ends = Vec::new();
        split(run, Classes::get(), Specials::get(), &mut ends);
        let mut begin = 0;
        let word = |end: usize| &run[std::mem::replace(&mut begin, end)..end];
        ends.into_iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn runs_are_split_as_spacy_splits_them() {
        let check = |run: &str, expect: &str| assert_eq!(words(run), expect, "{run}");
        check("word", "word");
        check("(word).", "( word ) .");
        check("\"Don't!\"", "\" Do n't ! \"");
        check("it’s", "it ’s");
        check("dog's", "dog 's");
        check("$5.00", "$ 5.00");
        check("5km", "5 km");
        check("5%,", "5 % ,");
        check("US$10", "US$ 10");
        check("10US$", "10 US$");
        check("well-known", "well - known");
        check("2020-21", "2020 - 21");
        check("and/or", "and/or");
        check("either/or", "either / or");
        check("end.Next", "end . Next");
        check("U.S.", "U.S.");
        check("NASA.", "NASA .");
        check("e.g.", "e.g.");
        check("...and...", "... and ...");
        check("what......", "what ......");
        check("see:example.com/x-y.", "see : example.com / x - y.");
        check("(https://a.example/b?c=d)", "( https://a.example/b?c=d )");
        check("me@example.com,", "me@example.com ,");
        check("smile:)", "smile :)");
        check("(:)", "( :)");
        check("10a.m.", "10 a.m.");
        check("25°C.", "25 ° C .");
        check("+1", "+1");
        check("+x", "+ x");
        check("3+", "3 +");
        check("a--b", "a -- b");
        check("🙂🙂ok", "🙂 🙂 ok");
        check("-5", "-5");
        check("1,000", "1,000");
        check("a,b", "a , b");
        check("__x__", "_ _ x _ _");
        check("key=value", "key = value");
    }

    #[test]
    fn every_byte_is_in_a_word() {
        for run in
            ["", ".", "..", "'", "''", "’s", "…", "……", "$", "5$", "¯\\(ツ)/¯", ">:(", "x'", "--", "°F."]
        {
            assert_eq!(words(run).replace(' ', ""), run);
        }
    }
}
