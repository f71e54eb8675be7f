//! Character references: `&amp;`, `&#38;`, `&#x26;`.

use std::sync::LazyLock;

/// The standard's names, sorted by their bytes, each with the code points that it stands for.
///
/// Source: the HTML standard, 13.5, "Named character references"; made by `sorted(html.entities.html5.items())` of
/// Python 3.
const NAMES: &str = include_str!("references.txt");
/// The longest name that stands without its semicolon.
const BARE_NAME_MAX: usize = 6;
/// The longest name of all, without its semicolon.
const NAME_MAX: usize = 31;

static TABLE: LazyLock<Vec<(&str, &str)>> =
    LazyLock::new(|| NAMES.lines().filter_map(|line| line.split_once(' ')).collect());

/// The names that stand without their semicolon, each as a number and with its place in the table: a page of nothing but
/// ampersands asks for several at each.
static BARE: LazyLock<Vec<(u64, usize)>> = LazyLock::new(|| {
    let bare = TABLE.iter().enumerate().filter(|(_, entry)| !entry.0.ends_with(';'));
    let mut bare: Vec<_> = bare.map(|(at, entry)| (bare_number(entry.0.as_bytes()), at)).collect();
    bare.sort_unstable();
    bare
});

/// A name of at most [`BARE_NAME_MAX`] bytes, none of which is 0.
fn bare_number(name: &[u8]) -> u64 {
    name.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Where a text with references stands: in an attribute fewer of them count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Text,
    Attribute,
}

/// Appends the text with its references replaced.
pub(super) fn decode_into(out: &mut String, raw: &str, place: Place) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = reference_into(out, rest.as_bytes(), place);
        if length == 0 {
            out.push('&');
            rest = &rest[1..];
        } else {
            rest = &rest[length..];
        }
    }
    out.push_str(rest);
}

/// Appends what the reference at the beginning stands for; its length, 0 where there is none.
///
/// Source: the HTML standard, 13.2.5.72 to 13.2.5.80.
fn reference_into(out: &mut String, from: &[u8], place: Place) -> usize {
    if from.get(1) == Some(&b'#') {
        return number_into(out, from);
    }
    let name = &from[1..];
    let length = name.iter().take(NAME_MAX + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if name.get(length) == Some(&b';') && named_into(out, &name[..=length]) {
        return length + 2;
    }
    for bare in (2..=length.min(BARE_NAME_MAX)).rev() {
        let goes_on = name.get(bare).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'=');
        if place == Place::Attribute && goes_on {
            continue;
        }
        if let Ok(found) = BARE.binary_search_by_key(&bare_number(&name[..bare]), |entry| entry.0) {
            points_into(out, TABLE[BARE[found].1].1);
            return bare + 1;
        }
    }
    0
}

fn named_into(out: &mut String, name: &[u8]) -> bool {
    let simple = match name {
        b"amp;" => '&',
        b"nbsp;" => '\u{a0}',
        b"quot;" => '"',
        b"lt;" => '<',
        b"gt;" => '>',
        _ => {
            let Ok(at) = TABLE.binary_search_by(|entry| entry.0.as_bytes().cmp(name)) else { return false };
            points_into(out, TABLE[at].1);
            return true;
        }
    };
    out.push(simple);
    true
}

fn points_into(out: &mut String, points: &str) {
    let points = points.split(' ').map(|point| u32::from_str_radix(point, 16));
    out.extend(points.filter_map(|point| char::from_u32(point.ok()?)));
}

fn number_into(out: &mut String, from: &[u8]) -> usize {
    let radix = if matches!(from.get(2), Some(b'x' | b'X')) { 16 } else { 10 };
    let start = if radix == 16 { 3 } else { 2 };
    let digits = from[start..].iter().map_while(|byte| char::from(*byte).to_digit(radix));
    let (mut value, mut count) = (0u32, 0usize);
    for digit in digits {
        value = value.saturating_mul(radix).saturating_add(digit);
        count += 1;
    }
    if count == 0 {
        return 0;
    }
    out.push(match value {
        0 => char::REPLACEMENT_CHARACTER,
        0x80..=0x9f => WINDOWS_1252[(value - 0x80) as usize],
        _ => char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER),
    });
    let end = start + count;
    end + usize::from(from.get(end) == Some(&b';'))
}

/// What the numbers from 128 to 159 stand for.
///
/// Source: the HTML standard, 13.2.5.80, the table there.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_the_standard_says() {
        let check = |raw: &str, text: &str, attribute: &str| {
            for (place, expect) in [(Place::Text, text), (Place::Attribute, attribute)] {
                let mut out = String::new();
                decode_into(&mut out, raw, place);
                assert_eq!(out, expect, "{raw:?}");
            }
        };
        check("a &amp; b", "a & b", "a & b");
        check("&notit;", "¬it;", "&notit;");
        check("&notin;", "∉", "∉");
        check("&copy=1", "©=1", "&copy=1");
        check("&copy 1", "© 1", "© 1");
        check("&bne;&NotEqualTilde;", "=\u{20e5}≂\u{338}", "=\u{20e5}≂\u{338}");
        check("&#65;&#x42&#67", "ABC", "ABC");
        check(
            "&#150;&#0;&#xd800;&#x110000;&#99999999999;",
            "–\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
            "–\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
        );
        check("&;&#;&#x;&&x", "&;&#;&#x;&&x", "&;&#;&#x;&&x");
        check("&CounterClockwiseContourIntegral;", "∳", "∳");
        assert_eq!(TABLE.len(), 2231);
        assert!(TABLE.is_sorted_by(|a, b| a.0.as_bytes() < b.0.as_bytes()));
        assert!(TABLE.iter().all(|entry| entry.0.trim_end_matches(';').len() <= NAME_MAX));
        assert!(TABLE.iter().all(|entry| entry.0.ends_with(';') || entry.0.len() <= BARE_NAME_MAX));
    }
}
