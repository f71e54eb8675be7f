//! Words that are addresses of the web, which stay whole.

use super::classes::{Classes, DIGIT, LOWER};

const LABEL_MAX_CHARS: usize = 64;
const TOP_LEVEL_CHARS: std::ops::RangeInclusive<usize> = 2..=63;
const PORT_DIGITS: std::ops::RangeInclusive<usize> = 2..=5;

/// Whether a word is an address: a scheme or not, a user or not, a host with a top level or a public IPv4 address, a
/// port or not, and whatever follows `/`, `?` or `#`.
///
/// Source: the pattern of spaCy 3.8 (`lang/tokenizer_exceptions.py`), after Diego Perini's. It is a regular language,
/// so that one walk from each place at which a host can begin decides it.
pub(super) fn is_address(word: &str, classes: Classes) -> bool {
    if !word.contains('.') {
        return false;
    }
    let scheme = scheme_length(word);
    if is_host_and_rest(word, classes) || scheme > 0 && is_host_and_rest(&word[scheme..], classes) {
        return true;
    }
    // Any text up to an at sign can be a user; a walk ends at the next one, for no host has any.
    word.match_indices('@').any(|(at, _)| at > 0 && is_host_and_rest(&word[at + 1..], classes))
}

/// The length of a scheme with its `://`, or 0.
fn scheme_length(word: &str) -> usize {
    let Some((scheme, rest)) = word.split_once(':') else { return 0 };
    let fits = |c: char| c.is_alphanumeric() || "_+-.".contains(c);
    let fits = scheme.chars().nth(1).is_some() && rest.starts_with("//") && scheme.chars().all(fits);
    if fits { scheme.len() + 3 } else { 0 }
}

fn is_host_and_rest(text: &str, classes: Classes) -> bool {
    starts_public_ipv4(text, classes) || starts_named_host(text, classes)
}

/// What may follow a host: a port or not, then the end or a path.
fn ends_host(rest: &str, classes: Classes) -> bool {
    let after_port = |rest: &str| rest.is_empty() || rest.starts_with(['/', '?', '#']);
    let Some(port) = rest.strip_prefix(':') else { return after_port(rest) };
    let digits = port.chars().take(6).take_while(|c| classes.of(*c) & DIGIT != 0);
    let (count, bytes) = digits.fold((0, 0), |(count, bytes), c| (count + 1, bytes + c.len_utf8()));
    PORT_DIGITS.contains(&count) && after_port(&port[bytes..])
}

fn starts_named_host(text: &str, classes: Classes) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || ('\u{a1}'..='\u{ffff}').contains(&c);
    let mut rest = text;
    let mut labels = 0;
    loop {
        if labels > 0 {
            let top =
                rest.chars().take(TOP_LEVEL_CHARS.end() + 1).take_while(|c| classes.of(*c) & LOWER != 0);
            let (count, bytes) = top.fold((0, 0), |(count, bytes), c| (count + 1, bytes + c.len_utf8()));
            if TOP_LEVEL_CHARS.contains(&count) && ends_host(&rest[bytes..], classes) {
                return true;
            }
        }
        let (mut chars, mut bytes, mut last) = (0, 0, None);
        for c in rest.chars() {
            let hyphen = c == '-' || c == '_';
            if !(inner(c) || hyphen && chars > 0) {
                break;
            }
            (chars, bytes, last) = (chars + 1, bytes + c.len_utf8(), Some(c));
        }
        let whole = last.is_some_and(inner) && chars <= LABEL_MAX_CHARS;
        match rest[bytes..].strip_prefix('.') {
            Some(next) if whole => rest = next,
            _ => return false,
        }
        labels += 1;
    }
}

/// Whether the text begins with an address of four numbers that is in no private network, and what follows fits.
fn starts_public_ipv4(text: &str, classes: Classes) -> bool {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let mut numbers = [0u16; 4];
    let mut count = 0;
    for part in text[..end].split('.') {
        let padded = part.len() > 1 && part.starts_with('0');
        // The outer numbers are written without zeros before them.
        let fits = (1..=3).contains(&part.len()) && count < 4 && !(padded && (count == 0 || count == 3));
        let Some(number) = part.parse().ok().filter(|number| fits && *number <= 255) else { return false };
        numbers[count] = number;
        count += 1;
    }
    let [a, b, _, d] = numbers;
    let private = matches!((a, b), (10 | 127, _) | (169, 254) | (192, 168) | (172, 16..=31));
    count == 4
        && !private
        && (1..=223).contains(&a)
        && (1..=254).contains(&d)
        && ends_host(&text[end..], classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_words_with_full_stops() {
        let check = |word: &str, expect| assert_eq!(is_address(word, Classes::get()), expect, "{word}");
        for word in [
            "example.com",
            "www.example.co.uk/path?x=y",
            "https://user:word@example.com:8080/",
            "me@example.com",
            "a.bc",
            "8.8.8.8",
            "8.8.8.8:53",
            "ftp://1.2.3.4/x",
            "mailto:me@example.com",
            "пример.рф",
            "@@example.com",
        ] {
            check(word, true);
        }
        for word in [
            "",
            "word",
            "e.g",
            "lower.Upper",
            "10.0.0.1",
            "1.2.3",
            "1.2.3.255",
            "example.c",
            "-a.com",
            ".com",
        ] {
            check(word, false);
        }
        check("example.com:1", false);
        check("example.com,", false);
        check(&format!("{}.com", "a".repeat(64)), true);
        check(&format!("{}.com", "a".repeat(65)), false);
    }
}
