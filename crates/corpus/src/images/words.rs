//! What is said of an image, and what of that says nothing.

use super::{WORDS_MAX_CHARS, Why};
use crate::html::{Attr, NodeId, Tag, Tree};

/// Characters of an `alt` below which it says nothing.
///
/// Source: Schuhmann et al., "LAION-5B" (2022), section 3.1.
const ALT_MIN_CHARS: usize = 5;
/// Words in an address's path that stand for furniture of sites.
///
/// Source: Laurençon et al., "OBELICS" (2023), appendix A.1, and Zhu et al., "Multimodal C4" (2023), section 2. The
/// whole address is searched there; a host is called after what its owner sells.
const FURNITURE: [&str; 5] = ["logo", "button", "icon", "plugin", "widget"];
/// Endings of files that hold drawings and icons: training takes images of pixels.
const DRAWINGS: [&str; 4] = [".svg", ".svgz", ".ico", ".cur"];
/// Endings of files that hold images.
const ENDINGS: [&str; 14] = [
    ".avif", ".bmp", ".gif", ".heic", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".psd", ".svg", ".tif",
    ".tiff", ".webp",
];
/// Classes of boxes and of the words in them that stand for `figure` and `figcaption`.
///
/// Source: the markup of WordPress's captions and of MediaWiki's thumbnails and galleries.
const CAPTIONED: [(&str, &str); 3] =
    [("wp-caption", "wp-caption-text"), ("thumbinner", "thumbcaption"), ("gallerybox", "gallerytext")];
/// Elements around a caption among which its box is looked for.
const BOX_LEVELS: usize = 4;
/// Elements and pieces of text of a caption that are looked at.
const NODES_MAX: u32 = 4096;
/// Elements around `figcaption` among which its figure is looked for.
const FIGURE_LEVELS: usize = 64;
/// Digits in a row that a camera or a server counts with.
const COUNTER_MIN_DIGITS: usize = 3;

/// The figure, or what stands for one, whose words this element holds.
pub(super) fn captioned(tree: &Tree<'_>, node: NodeId) -> Option<NodeId> {
    let around = tree.ancestors(node);
    if tree.tag(node) == Some(Tag::Figcaption) {
        return around.take(FIGURE_LEVELS).find(|around| tree.tag(*around) == Some(Tag::Figure));
    }
    let classes = tree.attribute(node, Attr::Class)?;
    let is_of = |classes: &str, wanted: &str| classes.split_ascii_whitespace().any(|class| class == wanted);
    let (outer, _) = CAPTIONED.iter().find(|(_, inner)| is_of(&classes, inner))?;
    around.take(BOX_LEVELS).find(|around| {
        let classes = tree.attribute(*around, Attr::Class);
        classes.is_some_and(|classes| is_of(&classes, outer))
    })
}

/// Words with single spaces between them and without controls, cut to [`WORDS_MAX_CHARS`].
pub(super) fn line<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let (mut line, mut chars) = (String::new(), 0);
    for word in words {
        let gap = (!line.is_empty()).then_some(' ');
        for c in gap.into_iter().chain(word.chars().filter(|c| !c.is_control())) {
            if chars == WORDS_MAX_CHARS {
                return line.trim_end().to_owned();
            }
            line.push(c);
            chars += 1;
        }
    }
    line
}

/// The text in an element as a line; elements that are not inline part words.
pub(super) fn text_of(tree: &Tree<'_>, element: NodeId) -> String {
    let (mut text, mut node) = (String::new(), element);
    let end = tree.end(element).min(element.saturating_add(NODES_MAX));
    // White space can be many times as long as the words between.
    while node < end && text.len() < 16 * WORDS_MAX_CHARS {
        match tree.tag(node) {
            Some(Tag::Script | Tag::Style | Tag::Noscript | Tag::Template | Tag::Svg) => {
                node = tree.end(node)
            }
            Some(tag) => {
                if !tag.is_inline() || tag == Tag::Img {
                    text.push(' ');
                }
                node += 1;
            }
            None => {
                text.push_str(&tree.text(node));
                node += 1;
                // The end of a block leaves no node of its own.
                let ended = tree.ancestors(node - 1).take_while(|around| tree.end(*around) <= node);
                if ended.filter_map(|around| tree.tag(around)).any(|tag| !tag.is_inline()) {
                    text.push(' ');
                }
            }
        }
    }
    line(text.split_whitespace())
}

/// Pixels of a side, by the attribute or else by the style; none where it is not declared or is a share of something.
///
/// Source: the HTML standard, 2.3.4.4, "rules for parsing dimension values".
pub(super) fn side_pixels(tree: &Tree<'_>, image: NodeId, name: Attr, property: &str) -> Option<u32> {
    let of_attribute = tree.attribute(image, name).and_then(|value| pixels(&value, &["", "px"]));
    of_attribute.or_else(|| {
        let style = tree.attribute(image, Attr::Style)?;
        let mut rules = style.split(';').filter_map(|rule| rule.split_once(':'));
        let (_, value) = rules.find(|(name, _)| name.trim().eq_ignore_ascii_case(property))?;
        pixels(value.trim_end_matches("!important"), &["px"])
    })
}

/// A length with one of these units.
fn pixels(value: &str, units: &[&str]) -> Option<u32> {
    let value = value.trim();
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (digits, mut unit) = value.split_at(end);
    if let Some(part) = unit.strip_prefix('.') {
        unit = part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let unit = unit.trim();
    units.iter().any(|known| unit.eq_ignore_ascii_case(known)).then(|| digits.parse().ok())?
}

/// Whether a path can be that of an image that a page shows for itself.
pub(super) fn check_path(path: &str) -> Result<(), Why> {
    let path = path.to_ascii_lowercase();
    if DRAWINGS.iter().any(|ending| path.ends_with(ending)) {
        return Err(Why::Drawing);
    }
    if FURNITURE.iter().any(|word| path.contains(word)) { Err(Why::Furniture) } else { Ok(()) }
}

/// Whether an `alt` says anything.
pub(super) fn check_alt(alt: &str) -> Result<(), Why> {
    if alt.is_empty() {
        return Err(Why::NoWords);
    }
    let lower = alt.to_ascii_lowercase();
    if ["http://", "https://", "www.", "data:"].iter().any(|start| lower.starts_with(start))
        && !alt.contains(' ')
    {
        return Err(Why::AltAddress);
    }
    if ENDINGS.iter().any(|ending| lower.ends_with(ending)) || is_counted(alt) {
        return Err(Why::AltFileName);
    }
    if alt.chars().count() < ALT_MIN_CHARS { Err(Why::AltShort) } else { Ok(()) }
}

/// Whether a text is one word with a counter, as cameras and servers name files: `IMG_0123`, `DSC-4567`, `00123`.
fn is_counted(alt: &str) -> bool {
    let digits = alt.bytes().rev().take_while(u8::is_ascii_digit).count();
    let stem = &alt[..alt.len() - digits];
    let is_name = stem.is_empty() || stem.ends_with(['_', '-']);
    digits >= COUNTER_MIN_DIGITS
        && is_name
        && stem.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alt_that_says_nothing_is_told_apart() {
        let check = |alt: &str, expect: Result<(), Why>| assert_eq!(check_alt(alt), expect, "{alt:?}");
        check("a red kite over a field", Ok(()));
        check("Kites", Ok(()));
        check("", Err(Why::NoWords));
        check("kite", Err(Why::AltShort));
        check("日本", Err(Why::AltShort));
        check("Kite above field.JPG", Err(Why::AltFileName));
        check("IMG_0123", Err(Why::AltFileName));
        check("DSC-4567", Err(Why::AltFileName));
        check("2013-05-04_101", Err(Why::AltFileName));
        check("Model 3000", Ok(()));
        check("BMW320", Ok(()));
        check("https://x.example/kite", Err(Why::AltAddress));
        check("www.kites.example by day", Ok(()));
    }

    #[test]
    fn sides_are_read_as_declared() {
        let check = |image: &str, expect: Option<u32>| {
            let tree = Tree::of(image).unwrap();
            assert_eq!(side_pixels(&tree, 1, Attr::Width, "width"), expect, "{image}");
        };
        check("<img width=30>", Some(30));
        check("<img width=' 30.7px '>", Some(30));
        check("<img width=100%>", None);
        check("<img width=auto>", None);
        check("<img width=99999999999>", None);
        check("<img style='height:1px; Width : 20px!important'>", Some(20));
        check("<img style='max-width:20px'>", None);
        check("<img style='width:20em'>", None);
        check("<img style='width:20px' width=1>", Some(1));
        check("<img>", None);
    }

    #[test]
    fn a_text_is_a_line_of_bounded_length() {
        let check = |page: &str, expect: &str| {
            let tree = Tree::of(page).unwrap();
            assert_eq!(text_of(&tree, 1), expect, "{page}");
        };
        check("<figcaption> a <b>b</b>c<p>d</p>e<br>f<script>g</script></figcaption>h", "a bc d e f");
        check("<figcaption><div>a</div><div>b</div></figcaption>", "a b");
        let long = format!("<figcaption>{}</figcaption>", "word ".repeat(1000));
        let tree = Tree::of(&long).unwrap();
        assert_eq!(text_of(&tree, 1).chars().count(), 999, "cut between two words");
    }
}
