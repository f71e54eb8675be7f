//! The composed form of a text (NFC), and where each part of it comes from.
//!
//! A text is composed stretch by stretch: a stretch begins with a character that joins with nothing before it, so that
//! what follows cannot change it. Characters of newer Unicode stay what they are, as in the library `tokenizers`. Source: Unicode Standard Annex 15, "Unicode normalization forms".

use unicode_normalization::{
    IsNormalized, UnicodeNormalization as _, char::canonical_combining_class, is_nfc_quick,
};

use crate::words::is_later_part;

/// A text that was not composed, and its composed form.
#[derive(Debug)]
pub(crate) struct Composed {
    pub(crate) text: String,
    /// Ends of the stretches that have changed: in the composed form, and in the text.
    changed: Vec<(usize, usize)>,
    /// Their beginnings.
    from: Vec<(usize, usize)>,
}

impl Composed {
    /// The composed form of a text, or nothing if that is the text itself.
    pub(crate) fn of(text: &str) -> Option<Self> {
        if text.is_ascii() {
            return None;
        }
        let mut composed = Self { text: String::new(), changed: Vec::new(), from: Vec::new() };
        let mut copied = 0;
        let mut rest = text;
        while let Some((stretch, needs)) = next_stretch(rest) {
            let start = text.len() - rest.len();
            rest = &rest[stretch.len()..];
            if !needs || unicode_normalization::is_nfc(stretch) {
                continue;
            }
            composed.text.push_str(&text[copied..start]);
            composed.from.push((composed.text.len(), start));
            composed.text.extend(stretch.nfc());
            copied = start + stretch.len();
            composed.changed.push((composed.text.len(), copied));
        }
        composed.text.push_str(&text[copied..]);
        (!composed.changed.is_empty()).then_some(composed)
    }

    /// The place in the text that a place in the composed form comes from. Within a stretch that has changed this is
    /// the stretch's beginning.
    pub(crate) fn origin(&self, place: usize) -> usize {
        let before = self.changed.partition_point(|(end, _)| *end <= place);
        if let Some((_, start)) = self.from.get(before).filter(|(start, _)| *start <= place) {
            return *start;
        }
        let (end, origin) = before.checked_sub(1).map_or((0, 0), |last| self.changed[last]);
        origin + (place - end)
    }
}

/// The first stretch of a text, and whether its form is in question.
fn next_stretch(text: &str) -> Option<(&str, bool)> {
    let mut letters = text.char_indices();
    let (_, first) = letters.next()?;
    if is_later_part(first) {
        return Some((&text[..first.len_utf8()], false));
    }
    let mut needs = !stands(first);
    let end = letters.find(|(_, letter)| {
        let begins = stands(*letter);
        needs |= !begins;
        begins
    });
    Some((end.map_or(text, |(at, _)| &text[..at]), needs))
}

/// Whether a character stays what it is and joins with nothing before it.
fn stands(letter: char) -> bool {
    letter < '\u{300}'
        || is_later_part(letter)
        || canonical_combining_class(letter) == 0 && is_nfc_quick([letter].into_iter()) == IsNormalized::Yes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stretches_together_are_the_composed_text(text in "[a-e\u{300}-\u{345}\u{1100}-\u{1112}\u{1161}-\u{1175}\u{11a8}-\u{11c2}\u{915}-\u{93c}\u{9c7}\u{9be}\u{9d7}\u{212b}\u{fb1d}\u{2f800}é]{0,24}") {
            let expected: String = text.nfc().collect();
            let found = Composed::of(&text);
            prop_assert_eq!(found.as_ref().map_or(&text[..], |composed| &composed.text), &expected);
        }

        #[test]
        fn places_come_from_places_in_order(text in "[a-e\u{300}-\u{345}\u{1100}-\u{1112}\u{1161}-\u{1175}]{0,24}") {
            if let Some(composed) = Composed::of(&text) {
                let places: Vec<usize> = (0..=composed.text.len()).map(|at| composed.origin(at)).collect();
                prop_assert!(places.is_sorted());
                prop_assert_eq!((places[0], places[composed.text.len()]), (0, text.len()));
            }
        }
    }

    #[test]
    fn a_place_within_a_changed_stretch_comes_from_its_beginning() {
        let composed = Composed::of("xe\u{301}yA\u{30a}").unwrap();
        assert_eq!(composed.text, "xéyÅ");
        let places: Vec<usize> = (0..=6).map(|at| composed.origin(at)).collect();
        assert_eq!(places, [0, 1, 1, 4, 5, 5, 8]);
        assert!(Composed::of("xéyÅ").is_none());
    }
}
