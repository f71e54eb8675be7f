//! Main text: the part of a page that it was made for.
//!
//! [`main_text`] is the pinned recipe's; [`paragraphs`] and [`all_lines`] are for open recipes, and differ from it and
//! from each other as honest extractors do.

mod block;
mod context;
mod features;
mod forest;
mod lexicon;
mod metadata;
mod model;
mod outline;
mod render;
mod text;

pub(crate) use block::Stand;
pub use block::{Block, Blocks};
pub use features::{COUNT as FEATURES, NAMES as FEATURE_NAMES};
pub(crate) use metadata::TITLE_MAX_CHARS;
pub use metadata::{Metadata, metadata};
pub(crate) use render::Rendered;

use crate::{
    decision::Reason,
    html::{Tag, Tree},
    page::{Form, Page},
};

/// Words that make a line a paragraph.
const PARAGRAPH_MIN_WORDS: u32 = 12;
/// Words of a line that is worth keeping at all: below are menus, buttons and dates.
const LINE_MIN_WORDS: u32 = 5;

/// Blocks of a web page that the model judges: each takes two kilobytes, and some ten microseconds. Among 1,497 real pages
/// none has 7,500.
const JUDGED_MAX: usize = 1 << 15;

/// What the model is told of a page's blocks: the numbers of those that it judges, and for each of them a row of
/// [`FEATURES`] numbers, whose names are [`FEATURE_NAMES`].
#[must_use]
pub fn features(html_bytes: usize, tree: &Tree<'_>, blocks: &Blocks) -> (Vec<usize>, Vec<i32>) {
    let features = features::Features::of(html_bytes, tree, blocks);
    (features.readings.iter().map(|reading| reading.block).collect(), features.rows)
}

/// The main text of a page by the pinned recipe: of HTML the blocks that the model chooses, as light Markdown; a text as
/// it is.
///
/// # Errors
/// Those of [`Tree::of`], and [`Reason::TooLarge`] for a web page of more than 32,768 blocks.
pub fn main_text(page: &Page) -> Result<String, Reason> {
    match page.form {
        Form::Text => Ok(page.text.clone()),
        Form::Html => Ok(Chosen::of(&page.text)?.render().text),
    }
}

/// An HTML page, and which of its blocks are its main text.
pub(crate) struct Chosen<'a> {
    pub(crate) tree: Tree<'a>,
    pub(crate) blocks: Blocks,
    /// For each block.
    pub(crate) wanted: Vec<bool>,
}

impl<'a> Chosen<'a> {
    pub(crate) fn of(html: &'a str) -> Result<Self, Reason> {
        let tree = Tree::of(html)?;
        let blocks = Blocks::of(&tree);
        let wanted = if is_web_page(&tree) {
            if blocks.list().len() > JUDGED_MAX {
                return Err(Reason::TooLarge);
            }
            model::judge(html.len(), &tree, &blocks)
        } else {
            blocks.list().iter().map(|block| block.is_text).collect()
        };
        Ok(Self { tree, blocks, wanted })
    }

    pub(crate) fn render(&self) -> Rendered {
        render::render(&self.tree, &self.blocks, &self.wanted)
    }
}

/// Whether a page has what pages of sites have around their text. What has none of it is a text with markup, such as a
/// Markdown file rendered, and all of it is meant to be read.
fn is_web_page(tree: &Tree<'_>) -> bool {
    let is_of_page = |tag| {
        matches!(
            tag,
            Tag::Html | Tag::Head | Tag::Body | Tag::Title | Tag::Meta | Tag::Link | Tag::Script | Tag::Nav
        )
    };
    (0..tree.len()).any(|node| tree.tag(node).is_some_and(is_of_page))
}

/// Lines of at least twelve words that are not mostly links.
///
/// # Errors
/// Those of [`Tree::of`].
pub fn paragraphs(page: &Page) -> Result<String, Reason> {
    blocks_where(page, |block| {
        block.is_text && block.words >= PARAGRAPH_MIN_WORDS && block.link_words * 2 <= block.words
    })
}

/// Every line of at least five words.
///
/// # Errors
/// Those of [`Tree::of`].
pub fn all_lines(page: &Page) -> Result<String, Reason> {
    blocks_where(page, |block| block.is_text && block.words >= LINE_MIN_WORDS)
}

/// All text of a page: what an open recipe's text is laid against.
///
/// # Errors
/// Those of [`Tree::of`].
pub fn whole_text(page: &Page) -> Result<String, Reason> {
    blocks_where(page, |_| true)
}

/// The blocks that are wanted, one below the other; of a page without markup all.
fn blocks_where(page: &Page, is_wanted: impl Fn(&Block) -> bool) -> Result<String, Reason> {
    match page.form {
        Form::Text => Ok(page.text.clone()),
        Form::Html => {
            let blocks = Blocks::of(&Tree::of(&page.text)?);
            let wanted: Vec<&str> = blocks
                .list()
                .iter()
                .filter(|block| is_wanted(block))
                .map(|block| blocks.text(block))
                .collect();
            Ok(wanted.join("\n"))
        }
    }
}
