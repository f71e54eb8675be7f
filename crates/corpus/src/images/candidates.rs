//! Where an image may be had: `src`, `srcset`, the sources of a `picture`, and what scripts put into `src` later.

use super::address::{Address, Unfit};
use crate::html::{Attr, NodeId, Tag, Tree};

/// Candidates of one image that are looked at; pages name five to ten.
const CANDIDATES_MAX: usize = 32;
/// Sources of one picture that are looked at.
const SOURCES_MAX: u32 = 32;
/// Attributes from which scripts take the address once the image comes into view, the commonest first; `src` then
/// holds a placeholder.
///
/// Source: the documentation of lazysizes, of jQuery's Lazy Load and of WP Rocket.
const LAZY: [Attr; 3] = [Attr::DataSrc, Attr::DataLazySrc, Attr::DataOriginal];

/// The addresses of an image, the one to be had first: the widest of its candidates or, where none has a width, the
/// densest. Else why there is none.
pub(super) fn addresses(
    tree: &Tree<'_>,
    image: NodeId,
    base: Option<&Address>,
) -> Result<Vec<Address>, Unfit> {
    let mut candidates = Vec::new();
    let parent = tree.parent(image);
    // White space may stand between two.
    let near = image - (image - parent - 1).min(2 * SOURCES_MAX);
    let of_picture = (near..image)
        .filter(|node| tree.tag(parent) == Some(Tag::Picture) && tree.tag(*node) == Some(Tag::Source));
    // Of two that are alike the image's own counts: it is in a form that every reader knows.
    for node in std::iter::once(image).chain(of_picture) {
        for name in [Attr::DataSrcset, Attr::Srcset] {
            let Some(set) = tree.attribute(node, name) else { continue };
            candidates.extend(SourceSet { rest: &set }.map(|(url, size)| (url.to_owned(), size)));
            if candidates.len() >= CANDIDATES_MAX {
                break;
            }
        }
    }
    candidates.truncate(CANDIDATES_MAX);
    let plain = LAZY.into_iter().chain([Attr::Src]).filter_map(|name| tree.attribute(image, name));
    candidates.extend(plain.map(|url| (url.into_owned(), ONE)));
    candidates.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let mut unfit = Unfit::Empty;
    let mut addresses: Vec<Address> = Vec::new();
    for (url, _) in candidates {
        match Address::resolve(&url, base) {
            Ok(address) if addresses.contains(&address) => {}
            Ok(address) => addresses.push(address),
            Err(why) => unfit = why,
        }
    }
    if addresses.is_empty() { Err(unfit) } else { Ok(addresses) }
}

/// How large a candidate is: any width is more than any density.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Size {
    /// Thousandths of the density of one.
    Density(u32),
    /// Pixels.
    Width(u32),
}

const ONE: Size = Size::Density(1000);

/// The candidates in a `srcset`.
///
/// Source: the HTML standard, 4.8.4.2.3, "parse a srcset attribute"; candidates with descriptors that can't be read
/// have a density of one.
struct SourceSet<'a> {
    rest: &'a str,
}

impl<'a> Iterator for SourceSet<'a> {
    type Item = (&'a str, Size);

    fn next(&mut self) -> Option<Self::Item> {
        let is_space = |c: char| c.is_ascii_whitespace();
        let rest = self.rest.trim_start_matches(|c: char| is_space(c) || c == ',');
        if rest.is_empty() {
            return None;
        }
        let (url, rest) = rest.split_at(rest.find(is_space).unwrap_or(rest.len()));
        if url.ends_with(',') {
            self.rest = rest;
            return Some((url.trim_end_matches(','), ONE));
        }
        let mut depth = 0u32;
        let ends = |c: char| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        };
        let (descriptors, rest) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        self.rest = rest;
        Some((url, descriptors.split_ascii_whitespace().find_map(size).unwrap_or(ONE)))
    }
}

fn size(descriptor: &str) -> Option<Size> {
    if let Some(width) = descriptor.strip_suffix('w') {
        return width.parse().ok().map(Size::Width);
    }
    let (whole, part) = descriptor.strip_suffix('x').map(|x| x.split_once('.').unwrap_or((x, "0")))?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    let thousandths: u32 = format!("{part:0<3}")[..3].parse().ok()?;
    Some(Size::Density(whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(thousandths)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, expect: Result<&[&str], Unfit>) {
        let tree = Tree::of(page).unwrap();
        let image = (0..tree.len()).find(|node| tree.tag(*node) == Some(Tag::Img)).unwrap();
        let base = Address::resolve("https://x.example/", None).unwrap();
        let found = addresses(&tree, image, Some(&base));
        let found = found.map(|all| all.iter().map(|one| one.to_string().split_off(18)).collect::<Vec<_>>());
        assert_eq!(found, expect.map(|all| all.iter().map(|one| (*one).to_owned()).collect()), "{page}");
    }

    #[test]
    fn the_largest_candidate_comes_first() {
        check("<img src=a>", Ok(&["a"]));
        check("<img src=a srcset='b 300w, c 1200w,d 600w'>", Ok(&["c", "d", "b", "a"]));
        check("<img src=a srcset='b 1.5x, c 2x'>", Ok(&["c", "b", "a"]));
        check("<img src=a srcset='b'>", Ok(&["b", "a"]));
        check("<img src=a srcset='a 1x, b 0.75x'>", Ok(&["a", "b"]));
        check("<img src=a srcset=', b,c , d 9999999999w, e f(1,2) 3x, '>", Ok(&["e", "b,c", "d", "a"]));
        check(
            "<picture><source srcset='b 800w'><source srcset='c 900w'><img src=a srcset='d 900w'></picture>",
            Ok(&["d", "c", "b", "a"]),
        );
        check("<source srcset='b 800w'><img src=a>", Ok(&["a"]));
    }

    #[test]
    fn placeholders_give_way() {
        let data = "data:image/gif;base64,R0lGODlhAQABAAAAACw=";
        check(&format!("<img src='{data}' data-src=a>"), Ok(&["a"]));
        check(&format!("<img src='{data}' data-original=a data-srcset='b 5w'>"), Ok(&["b", "a"]));
        check(&format!("<img src=a srcset='{data} 1w'>"), Ok(&["a"]));
        check("<img src=blank data-lazy-src=a>", Ok(&["a", "blank"]));
        check(&format!("<img src='{data}'>"), Err(Unfit::Data));
        check("<img src=''>", Err(Unfit::Empty));
        check("<img alt=x>", Err(Unfit::Empty));
        check("<img src='blob:x'>", Err(Unfit::Scheme));
    }

    #[test]
    fn no_set_is_too_long() {
        let set: String = (0..100_000).map(|number| format!("i{number} {number}w,")).collect();
        let page = format!("<img src=a srcset='{set}'>");
        let tree = Tree::of(&page).unwrap();
        let base = Address::resolve("https://x.example/", None).unwrap();
        assert_eq!(addresses(&tree, 1, Some(&base)).unwrap().len(), CANDIDATES_MAX + 1);
    }
}
