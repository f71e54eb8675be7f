//! What BERT's tokenizer tells apart among characters, by the categories of Unicode 8.
//!
//! The library `tokenizers` has its tables from that version, and models' vocabularies were made with it. Newer signs
//! are plain letters to it, which no vocabulary knows; so they are here, whatever the current tables say. This also
//! keeps a text's tokens what they are when the tables are updated.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// What a character is to the tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Letters, digits, symbols, and all that is newer than the tables.
    Plain,
    /// White space.
    Space,
    /// A word of its own.
    Punctuation,
    /// An accent that stands over a letter.
    Accent,
    /// Control and format characters and those of private use.
    Control,
}

impl Sign {
    /// What the character is.
    pub(crate) fn of(letter: char) -> Self {
        match letter {
            '\t' | '\n' | '\r' | ' ' => return Self::Space,
            '0'..='9' | 'A'..='Z' | 'a'..='z' => return Self::Plain,
            '!'..='~' => return Self::Punctuation,
            // Their categories have changed.
            '\u{1734}' | '\u{1171e}' => return Self::Accent,
            '\u{166d}' | '\u{111c9}' => return Self::Punctuation,
            _ => {}
        }
        let number = u32::from(letter);
        let range = LATER.partition_point(|(_, last)| *last < number);
        if LATER.get(range).is_some_and(|(first, _)| *first <= number) {
            return Self::Plain;
        }
        match letter.general_category() {
            GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::PrivateUse => Self::Control,
            GeneralCategory::NonspacingMark => Self::Accent,
            _ if letter.general_category_group() == GeneralCategoryGroup::Punctuation => Self::Punctuation,
            _ if letter.is_whitespace() => Self::Space,
            _ => Self::Plain,
        }
    }
}

/// Whether a character is an ideograph, which is a word of its own.
/// Source: Devlin et al., BERT, `tokenization.py`, 2018, with the gap before U+2B920 that `tokenizers` has.
pub(crate) fn is_ideograph(letter: char) -> bool {
    matches!(
        u32::from(letter),
        0x3400..=0x4dbf
            | 0x4e00..=0x9fff
            | 0xf900..=0xfaff
            | 0x20000..=0x2a6df
            | 0x2a700..=0x2b73f
            | 0x2b740..=0x2b81f
            | 0x2b920..=0x2ceaf
            | 0x2f800..=0x2fa1f
    )
}

/// Accents, punctuation and control characters that are newer than Unicode 8, or have become so since.
#[rustfmt::skip]
const LATER: &[(u32, u32)] = &[
    (0x5c8, 0x5c9), (0x61d, 0x61d), (0x7fd, 0x7fd), (0x890, 0x891), (0x897, 0x89f), (0x8ca, 0x8e2),
    (0x9fd, 0x9fe), (0xa76, 0xa76), (0xafa, 0xaff), (0xb53, 0xb55), (0xc04, 0xc04), (0xc3c, 0xc3c),
    (0xc77, 0xc77), (0xc84, 0xc84), (0xd00, 0xd00), (0xd3b, 0xd3c), (0xd81, 0xd81), (0xeba, 0xeba),
    (0xece, 0xece), (0x180f, 0x180f), (0x1885, 0x1886), (0x1abf, 0x1af0), (0x1b4e, 0x1b4f), (0x1b7d, 0x1b7f),
    (0x1df6, 0x1dfb), (0x2e43, 0x2e4f), (0x2e52, 0x2e5d), (0x2e60, 0x2e63), (0xa82c, 0xa82c),
    (0xa8c5, 0xa8c5), (0xa8ff, 0xa8ff), (0xa9bd, 0xa9bd), (0x10d24, 0x10d27), (0x10d69, 0x10d6e),
    (0x10eab, 0x10ead), (0x10ecb, 0x10ed0), (0x10ef0, 0x10eff), (0x10f46, 0x10f50), (0x10f55, 0x10f59),
    (0x10f82, 0x10f89), (0x11070, 0x11070), (0x11073, 0x11074), (0x110c2, 0x110c2), (0x110cd, 0x110cd),
    (0x111cf, 0x111cf), (0x1123e, 0x1123e), (0x11241, 0x11241), (0x1133b, 0x1133b), (0x113bb, 0x113c0),
    (0x113ce, 0x113ce), (0x113d0, 0x113d0), (0x113d2, 0x113d2), (0x113d4, 0x113d5), (0x113d7, 0x113d8),
    (0x113e1, 0x113e2), (0x11438, 0x1143f), (0x11442, 0x11444), (0x11446, 0x11446), (0x1144b, 0x1144f),
    (0x1145a, 0x1145b), (0x1145d, 0x1145e), (0x11660, 0x1166c), (0x116b9, 0x116b9), (0x1182f, 0x11837),
    (0x11839, 0x1183b), (0x1193b, 0x1193c), (0x1193e, 0x1193e), (0x11943, 0x11946), (0x119d4, 0x119d7),
    (0x119da, 0x119db), (0x119e0, 0x119e0), (0x119e2, 0x119e2), (0x11a01, 0x11a0a), (0x11a33, 0x11a38),
    (0x11a3b, 0x11a47), (0x11a51, 0x11a56), (0x11a59, 0x11a5b), (0x11a8a, 0x11a96), (0x11a98, 0x11a9c),
    (0x11a9e, 0x11aa2), (0x11b00, 0x11b09), (0x11b60, 0x11b60), (0x11b62, 0x11b64), (0x11b66, 0x11b66),
    (0x11be1, 0x11be1), (0x11c30, 0x11c36), (0x11c38, 0x11c3d), (0x11c3f, 0x11c3f), (0x11c41, 0x11c45),
    (0x11c70, 0x11c71), (0x11c92, 0x11ca7), (0x11caa, 0x11cb0), (0x11cb2, 0x11cb3), (0x11cb5, 0x11cb6),
    (0x11d31, 0x11d36), (0x11d3a, 0x11d3a), (0x11d3c, 0x11d3d), (0x11d3f, 0x11d45), (0x11d47, 0x11d47),
    (0x11d90, 0x11d91), (0x11d95, 0x11d95), (0x11d97, 0x11d97), (0x11df0, 0x11df0), (0x11ef3, 0x11ef4),
    (0x11ef7, 0x11ef8), (0x11f00, 0x11f01), (0x11f36, 0x11f3a), (0x11f40, 0x11f40), (0x11f42, 0x11f4f),
    (0x11f5a, 0x11f5a), (0x11fff, 0x11fff), (0x12ff1, 0x12ff2), (0x13430, 0x13440), (0x13447, 0x13455),
    (0x1611e, 0x16129), (0x1612d, 0x1612f), (0x16d6d, 0x16d6f), (0x16e97, 0x16e9a), (0x16f4f, 0x16f4f),
    (0x16fe2, 0x16fe2), (0x16fe4, 0x16fe4), (0x1cf00, 0x1cf2d), (0x1cf30, 0x1cf46), (0x1d127, 0x1d128),
    (0x1d25b, 0x1d25c), (0x1e000, 0x1e006), (0x1e008, 0x1e018), (0x1e01b, 0x1e021), (0x1e023, 0x1e024),
    (0x1e026, 0x1e02a), (0x1e08f, 0x1e08f), (0x1e130, 0x1e136), (0x1e2ae, 0x1e2ae), (0x1e2ec, 0x1e2ef),
    (0x1e4ec, 0x1e4ef), (0x1e5ee, 0x1e5ef), (0x1e5ff, 0x1e5ff), (0x1e6e3, 0x1e6e3), (0x1e6e6, 0x1e6e6),
    (0x1e6ee, 0x1e6ef), (0x1e6f5, 0x1e6f5), (0x1e944, 0x1e94a), (0x1e95e, 0x1e95f),
];

#[cfg(test)]
mod tests {
    use primitives::Digest;

    use super::*;

    #[test]
    fn classes_of_all_characters_are_as_recorded() {
        let classes: Vec<u8> = ('\0'..=char::MAX).map(|letter| Sign::of(letter) as u8).collect();
        assert!(LATER.is_sorted() && LATER.iter().all(|(first, last)| first <= last));
        // A change of the tables that this crate uses is to be answered by `LATER`.
        assert_eq!(
            Digest::of(&classes).to_string(),
            "754bc32d621ac683a18be65258afb54d42c0b8011b1c6982d830532d83b947c1"
        );
    }
}
