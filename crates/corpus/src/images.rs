//! Image–text pairs: the images of a page, each with the words that are about it.
//!
//! [`Images::of`] is a pure function of the page, as extraction is: whoever has the record finds the same pairs. Nothing
//! is fetched; sizes are those that the page declares. An image that makes no pair is told with its reason. Start with
//! [`Pair`]; [`repository`] writes them down and checks what was written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use primitives::Digest;
use serde::Serialize;

use self::address::{Address, Unfit};
use crate::{
    decision::Reason,
    document::{self, Recipe},
    extract::{Block, Chosen, Stand},
    html::{Attr, NodeId, ROOT, Tag, Tree},
    page::{Form, Page},
};

mod address;
mod candidates;
pub mod repository;
mod words;

/// The recipe for pairs; raised with every change of its output, as that of texts is.
pub const RECIPE: Recipe = Recipe { id: std::borrow::Cow::Borrowed("weigh-images"), version: 1 };
/// Images of a page that are looked at; long galleries have some hundreds.
pub const IMAGES_MAX: usize = 2048;
/// Characters of an `alt`, a caption and a heading; what is longer is cut.
pub const WORDS_MAX_CHARS: usize = 1000;
/// Characters of the text before and of the text after an image.
pub const CONTEXT_MAX_CHARS: usize = 300;
const PAIR_DOMAIN: &str = "weighhouse image-text pair v1";

/// An image and what a page says about it. Texts have single spaces, but for those of a `pre`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// Where the image is: an absolute address of `http` or `https`.
    pub src: String,
    /// What stands for it; empty where nothing does.
    pub alt: String,
    /// What its figure says of it; empty where nothing does.
    pub caption: String,
    /// The nearest heading above it; empty where there is none.
    pub heading: String,
    /// The last characters of visible text before it.
    pub text_before: String,
    /// The first characters of visible text behind it.
    pub text_after: String,
    /// Where the link leads that it is; empty where it is none.
    pub link: String,
    /// Its number among the page's images.
    pub image: u32,
    /// The number of the block of text that it stands in or, where it stands between two, of the one behind it.
    pub block: u32,
    /// How many characters of the page's main text, as [`document::text`] gives it, stand before it; none where it does
    /// not stand in the main text.
    pub text_offset: Option<u32>,
    /// Its width in pixels, as declared.
    pub width: Option<u32>,
    /// Its height in pixels, as declared.
    pub height: Option<u32>,
}

/// Why an image makes no pair; where several apply, the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The page has [`IMAGES_MAX`] before it.
    TooMany,
    /// It stands where no reader sees it: in a drawing, a template, a fallback for what isn't switched off.
    NotShown,
    /// It has no address.
    NoAddress,
    /// The page holds the image itself, which is a placeholder or an ornament.
    DataUri,
    /// Its address is not of the web.
    Scheme,
    /// Its address is relative to one that isn't known, or has no host.
    BadAddress,
    /// Its address is longer than [`crate::page::URL_MAX_BYTES`].
    LongAddress,
    /// It stands in a `noscript`, for an image that stands outside of it.
    NoscriptCopy,
    /// It is declared to be at most one pixel wide or high: for counting visitors, or for making room.
    Pixel,
    /// It is a drawing or an icon by its address's ending: `.svg`, `.svgz`, `.ico`, `.cur`.
    Drawing,
    /// Its address's path has a word that stands for furniture of sites.
    Furniture,
    /// There is neither `alt` nor caption.
    NoWords,
    /// There is no caption, and the `alt` is the name of a file.
    AltFileName,
    /// There is no caption, and the `alt` is an address.
    AltAddress,
    /// There is no caption, and the `alt` is too short.
    AltShort,
    /// The page has the same image with the same words before it.
    Repeated,
}

impl Why {
    /// Every reason, in order.
    pub const ALL: [Self; 16] = [
        Self::TooMany,
        Self::NotShown,
        Self::NoAddress,
        Self::DataUri,
        Self::Scheme,
        Self::BadAddress,
        Self::LongAddress,
        Self::NoscriptCopy,
        Self::Pixel,
        Self::Drawing,
        Self::Furniture,
        Self::NoWords,
        Self::AltFileName,
        Self::AltAddress,
        Self::AltShort,
        Self::Repeated,
    ];

    /// The reason's name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TooMany => "too_many",
            Self::NotShown => "not_shown",
            Self::NoAddress => "no_address",
            Self::DataUri => "data_uri",
            Self::Scheme => "scheme",
            Self::BadAddress => "bad_address",
            Self::LongAddress => "long_address",
            Self::NoscriptCopy => "noscript_copy",
            Self::Pixel => "pixel",
            Self::Drawing => "drawing",
            Self::Furniture => "furniture",
            Self::NoWords => "no_words",
            Self::AltFileName => "alt_file_name",
            Self::AltAddress => "alt_address",
            Self::AltShort => "alt_short",
            Self::Repeated => "repeated",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Unfit> for Why {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Empty => Self::NoAddress,
            Unfit::Data => Self::DataUri,
            Unfit::Scheme => Self::Scheme,
            Unfit::Unresolved => Self::BadAddress,
            Unfit::Long => Self::LongAddress,
        }
    }
}

/// The images of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// Those that make pairs, in the page's order.
    pub pairs: Vec<Pair>,
    /// How many make none, by the reason.
    pub dropped: BTreeMap<Why, u32>,
}

impl Images {
    /// The images of a page; a text has none.
    ///
    /// # Errors
    /// Those of [`Tree::of`].
    pub fn of(page: &Page) -> Result<Self, Reason> {
        match page.form {
            Form::Text => Ok(Self::default()),
            Form::Html => Ok(Reader::new(page)?.images(page)),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.pairs.len() as u64 + self.dropped.values().map(|count| u64::from(*count)).sum::<u64>()
    }
}

/// An image with what it takes to tell whether another stands for it.
struct Seen {
    number: u32,
    /// Whether it is for readers who switched scripts off.
    is_copy: bool,
    /// Every address that it may be had from.
    all: Vec<Digest>,
    /// Where it stands, and the address that counts.
    found: Result<(Stand, Option<Address>), Why>,
}

/// A page as its images are looked at.
struct Reader<'a> {
    chosen: Chosen<'a>,
    base: Option<Address>,
    /// The blocks that can be seen, and those of them that stand in headings.
    visible: Vec<usize>,
    headings: Vec<usize>,
    /// The element with the words for all in a figure, by the figure.
    captions: BTreeMap<NodeId, NodeId>,
}

impl<'a> Reader<'a> {
    fn new(page: &'a Page) -> Result<Self, Reason> {
        let chosen = Chosen::of(&page.text)?;
        let tree = &chosen.tree;
        let mut in_heading = vec![false; tree.len() as usize];
        let (mut base, mut captions) = (Address::resolve(&page.url, None).ok(), BTreeMap::new());
        let mut has_base = false;
        for node in 1..tree.len() {
            let tag = tree.tag(node);
            in_heading[node as usize] =
                in_heading[tree.parent(node) as usize] || tag.is_some_and(Tag::is_heading);
            match tag {
                // Of several the first that has an address counts.
                Some(Tag::Base) if !has_base => {
                    if let Some(href) = tree.attribute(node, Attr::Href) {
                        base = Address::resolve(&href, base.as_ref()).ok().or(base);
                        has_base = true;
                    }
                }
                Some(_) => {
                    if let Some(figure) = words::captioned(tree, node) {
                        captions.entry(figure).or_insert(node);
                    }
                }
                None => {}
            }
        }
        let hidden = hidden(tree);
        let blocks = chosen.blocks.list();
        let is_seen = |block: &Block| block.is_text && !hidden[block.first as usize];
        let visible: Vec<usize> = (0..blocks.len()).filter(|at| is_seen(&blocks[*at])).collect();
        let is_heading = |at: &usize| in_heading[blocks[*at].first as usize];
        let headings = visible.iter().copied().filter(is_heading).collect();
        Ok(Self { base, visible, headings, captions, chosen })
    }

    fn images(&self, page: &Page) -> Images {
        let tree = &self.chosen.tree;
        let mut stands = self.chosen.blocks.images().iter().peekable();
        let all = (0..tree.len()).filter(|node| matches!(tree.tag(*node), Some(Tag::Img | Tag::Image)));
        let mut seen: Vec<Seen> = Vec::new();
        let mut images = Images::default();
        for (number, node) in (0u32..).zip(all) {
            if seen.len() >= IMAGES_MAX {
                images.drop(Why::TooMany);
                continue;
            }
            let stand = stands.next_if(|stand| stand.node == node).ok_or(Why::NotShown);
            let stand = stand.and_then(|stand| {
                let is_template = tree.ancestors(node).any(|around| tree.tag(around) == Some(Tag::Template));
                if is_template { Err(Why::NotShown) } else { Ok(*stand) }
            });
            let found = stand.and_then(|stand| {
                let addresses = candidates::addresses(tree, node, self.base.as_ref())?;
                Ok((stand, addresses))
            });
            let is_copy = tree.ancestors(node).any(|around| tree.tag(around) == Some(Tag::Noscript));
            let digest = |address: &Address| Digest::of(address.to_string().as_bytes());
            let all = found.iter().flat_map(|(_, addresses)| addresses).map(digest).collect();
            let found = found.map(|(stand, addresses)| (stand, addresses.into_iter().next()));
            seen.push(Seen { number, is_copy, all, found });
        }
        let outside: BTreeSet<Digest> =
            seen.iter().filter(|seen| !seen.is_copy).flat_map(|seen| &seen.all).copied().collect();
        let mut before: BTreeSet<Digest> = BTreeSet::new();
        let mut places = Vec::new();
        for Seen { number, is_copy, all, found } in seen {
            let pair = found.and_then(|(stand, address)| {
                if is_copy && all.iter().any(|address| outside.contains(address)) {
                    return Err(Why::NoscriptCopy);
                }
                let pair = self.pair(number, &stand, &address.ok_or(Why::NoAddress)?)?;
                let words = [&pair.src, &pair.alt, &pair.caption].map(|text| text.as_bytes());
                let is_new = before.insert(Digest::of_parts(PAIR_DOMAIN, &words));
                if is_new { Ok((pair, stand.at)) } else { Err(Why::Repeated) }
            });
            match pair {
                Ok((pair, at)) => {
                    places.push(at);
                    images.pairs.push(pair);
                }
                Err(why) => images.drop(why),
            }
        }
        let offsets = self.offsets(page, &places);
        for (pair, offset) in images.pairs.iter_mut().zip(offsets) {
            pair.text_offset = offset;
        }
        images
    }

    /// The pair of one image, but for its place in the main text.
    fn pair(&self, image: u32, stand: &Stand, address: &Address) -> Result<Pair, Why> {
        let tree = &self.chosen.tree;
        let side = |name, property| words::side_pixels(tree, stand.node, name, property);
        let (width, height) = (side(Attr::Width, "width"), side(Attr::Height, "height"));
        if [width, height].into_iter().flatten().any(|side| side <= 1) {
            return Err(Why::Pixel);
        }
        words::check_path(address.path())?;
        let alt = tree.attribute(stand.node, Attr::Alt).unwrap_or_default();
        let alt = words::line(alt.split_whitespace());
        let figure = tree.ancestors(stand.node).find_map(|around| self.captions.get(&around));
        let caption = figure.map_or_else(String::new, |caption| words::text_of(tree, *caption));
        if caption.is_empty() {
            words::check_alt(&alt)?;
        }
        let link = tree.ancestors(stand.node).find(|around| tree.tag(*around) == Some(Tag::A));
        let link = link.and_then(|link| tree.attribute(link, Attr::Href));
        let link = link.and_then(|href| Address::resolve(&href, self.base.as_ref()).ok());
        Ok(Pair {
            src: address.to_string(),
            alt,
            caption,
            heading: self.heading(stand),
            text_before: self.text_before(stand),
            text_after: self.text_after(stand),
            link: link.map_or_else(String::new, |link| link.to_string()),
            image,
            block: stand.block,
            text_offset: None,
            width,
            height,
        })
    }

    /// How many of these blocks begin before an image: the last one may go on behind it.
    fn begun(&self, blocks: &[usize], stand: &Stand) -> usize {
        let list = self.chosen.blocks.list();
        blocks.partition_point(|at| list[*at].span().start < stand.at)
    }

    fn heading(&self, stand: &Stand) -> String {
        let begun = self.begun(&self.headings, stand);
        let Some(heading) = begun.checked_sub(1).map(|last| self.headings[last]) else {
            return String::new();
        };
        let text = self.chosen.blocks.text(&self.chosen.blocks.list()[heading]);
        words::line(text.split_whitespace())
    }

    fn text_before(&self, stand: &Stand) -> String {
        let blocks = &self.chosen.blocks;
        let (mut pieces, mut left) = (Vec::new(), CONTEXT_MAX_CHARS);
        for at in self.visible[..self.begun(&self.visible, stand)].iter().rev() {
            let block = &blocks.list()[*at];
            let text = blocks.text(block);
            let text = &text[..text.len().min((stand.at - block.span().start) as usize)];
            let first = text.char_indices().rev().nth(left - 1).map_or(0, |(first, _)| first);
            let piece = text[first..].trim();
            if piece.is_empty() {
                continue;
            }
            pieces.push(piece);
            // A line break stands between two.
            left = left.saturating_sub(piece.chars().count() + 1);
            if left == 0 {
                break;
            }
        }
        pieces.reverse();
        pieces.join("\n")
    }

    fn text_after(&self, stand: &Stand) -> String {
        let blocks = &self.chosen.blocks;
        let (mut pieces, mut left) = (Vec::new(), CONTEXT_MAX_CHARS);
        for at in &self.visible[self.begun(&self.visible, stand).saturating_sub(1)..] {
            let block = &blocks.list()[*at];
            let text = blocks.text(block);
            let text =
                text[text.len().min(stand.at.saturating_sub(block.span().start) as usize)..].trim_start();
            if text.is_empty() {
                continue;
            }
            let end = text.char_indices().nth(left).map_or(text.len(), |(end, _)| end);
            let piece = text[..end].trim_end();
            pieces.push(piece);
            left = left.saturating_sub(piece.chars().count() + 1);
            if left == 0 {
                break;
            }
        }
        pieces.join("\n")
    }

    /// How many characters of the main text stand before each of these places, which are in order.
    ///
    /// A place is in the main text where some of it stands before and some behind, and the nearest visible text on one
    /// side is of it.
    fn offsets(&self, page: &Page, places: &[u32]) -> Vec<Option<u32>> {
        let none = vec![None; places.len()];
        let Chosen { blocks, wanted, .. } = &self.chosen;
        let list = blocks.list();
        let first = list.iter().zip(wanted).find(|(_, wanted)| **wanted);
        let last = list.iter().zip(wanted).rfind(|(_, wanted)| **wanted);
        let (Some((first, _)), Some((last, _))) = (first, last) else { return none };
        let main = first.span().start..last.span().end;
        let rendered = self.chosen.render();
        let Ok(text) = document::text(page, &|_| Ok(rendered.text.clone())) else { return none };
        let is_of_main = |at: u32| {
            let begun = self.visible.partition_point(|number| list[*number].span().start < at);
            let near = [begun.checked_sub(1), Some(begun)].into_iter().flatten();
            let is_near = near.filter_map(|number| self.visible.get(number)).any(|number| wanted[*number]);
            main.start < at && at < main.end && is_near
        };
        let mut both =
            Walk { raw: rendered.text.chars(), raw_at: 0, text: text.chars().peekable(), chars: 0, seen: 0 };
        let offset = |at: &u32| {
            let end = rendered.end_before(*at).filter(|_| is_of_main(*at));
            end.map(|end| both.to(end))
        };
        places.iter().map(offset).collect()
    }
}

impl Images {
    fn drop(&mut self, why: Why) {
        *self.dropped.entry(why).or_default() += 1;
    }
}

/// Goes through a text and the same text normalised at once. Normalising changes white space and leaves characters out.
struct Walk<'a> {
    raw: std::str::Chars<'a>,
    raw_at: usize,
    text: std::iter::Peekable<std::str::Chars<'a>>,
    /// Characters of the normalised text that have been passed, up to the last that is no white space.
    chars: u32,
    /// And with white space behind it.
    seen: u32,
}

impl Walk<'_> {
    /// Goes on to this byte of the raw text and says how many characters of the other stand before it.
    fn to(&mut self, raw_at: usize) -> u32 {
        while self.raw_at < raw_at
            && let Some(c) = self.raw.next()
        {
            self.raw_at += c.len_utf8();
            if c.is_whitespace() {
                continue;
            }
            while self.text.next_if(|c| c.is_whitespace()).is_some() {
                self.seen += 1;
            }
            if self.text.next_if_eq(&c).is_some() {
                self.seen += 1;
                self.chars = self.seen;
            }
        }
        self.chars
    }
}

/// For each node, whether it or an element around it says that it is not shown.
fn hidden(tree: &Tree<'_>) -> Vec<bool> {
    let mut hidden = vec![false; tree.len() as usize];
    for node in ROOT + 1..tree.len() {
        let is_around = hidden[tree.parent(node) as usize];
        hidden[node as usize] = is_around || tree.tag(node).is_some() && tree.is_hidden(node);
    }
    hidden
}

#[cfg(test)]
mod tests;
