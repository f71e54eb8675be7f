//! The elements above a page's blocks, and what stands in each of them.

use std::{borrow::Cow, collections::BTreeMap};

use super::{block::Blocks, text::Text};
use crate::html::{Attr, NodeId, ROOT, Tag, Tree};

/// Words and link words from which a block counts as running text: it is long, and not mostly links.
const LONG_MIN_WORDS: u32 = 12;

/// The number of an element in an [`Outline`]: the root is 0, and what it stands in has a lower one.
pub(super) type Place = usize;

/// The elements that have blocks in them.
pub(super) struct Outline {
    pub(super) elements: Vec<Element>,
}

pub(super) struct Element {
    pub(super) node: NodeId,
    /// Its own place for the root.
    pub(super) parent: Place,
    pub(super) tag: Tag,
    pub(super) depth: i32,
    /// Shared by the elements with this name and these classes.
    pub(super) kind: u32,
    /// How many of its kind the element around it has, this one included, and how many of them come before.
    pub(super) alike: i32,
    pub(super) alike_before: i32,
    /// How many elements with blocks stand in it directly.
    pub(super) children: i32,
    pub(super) is_hidden: bool,
    pub(super) within: Sums,
}

/// What stands in an element, or a page.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) words: i64,
    pub(super) link_words: i64,
    pub(super) blocks: i64,
    pub(super) long_words: i64,
    pub(super) stop_words: i64,
    pub(super) purpose_words: i64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.words += other.words;
        self.link_words += other.link_words;
        self.blocks += other.blocks;
        self.long_words += other.long_words;
        self.stop_words += other.stop_words;
        self.purpose_words += other.purpose_words;
    }
}

/// What is read in a block's text.
pub(super) struct Reading {
    /// The block's number among all.
    pub(super) block: usize,
    pub(super) place: Place,
    /// The element of its first text.
    pub(super) first: Place,
    pub(super) text: Text,
    pub(super) sums: Sums,
    pub(super) is_hidden: bool,
}

/// Elements whose text no reader ever sees as text.
fn is_no_place_for_text(tag: Tag) -> bool {
    matches!(tag, Tag::Datalist | Tag::Math | Tag::Object | Tag::Select | Tag::Template)
}

impl Outline {
    /// The elements around a page's blocks, and the blocks that come into question.
    pub(super) fn of(tree: &Tree<'_>, blocks: &Blocks) -> (Self, Vec<Reading>) {
        let mut place = vec![usize::MAX; tree.len() as usize];
        for block in blocks.list() {
            let mut node = block.first;
            while place[node as usize] == usize::MAX {
                place[node as usize] = 0;
                node = tree.parent(node);
            }
        }
        place[ROOT as usize] = 0;
        let mut elements: Vec<Element> = Vec::new();
        let mut kinds: BTreeMap<(Tag, Cow<'_, str>), u32> = BTreeMap::new();
        let mut is_out = Vec::new();
        for node in 0..tree.len() {
            if place[node as usize] == usize::MAX {
                continue;
            }
            place[node as usize] = elements.len();
            let parent = place[tree.parent(node) as usize];
            let tag = tree.tag(node).unwrap_or(Tag::Other);
            let class = tree.attribute(node, Attr::Class).unwrap_or_default();
            let next = u32::try_from(kinds.len()).expect("bounded by NODES_MAX");
            let kind = *kinds.entry((tag, class)).or_insert(next);
            let is_root = node == ROOT;
            is_out.push(is_no_place_for_text(tag) || !is_root && is_out[parent]);
            let is_hidden = tree.is_hidden(node) || !is_root && elements[parent].is_hidden;
            if !is_root {
                elements[parent].children += 1;
            }
            elements.push(Element {
                node,
                parent,
                tag,
                depth: i32::from(tree.depth(node)),
                kind,
                alike: 1,
                alike_before: 0,
                children: 0,
                is_hidden,
                within: Sums::default(),
            });
        }
        count_alike(&mut elements);
        let mut readings = Vec::new();
        for (number, block) in blocks.list().iter().enumerate() {
            let (own, first) = (place[block.node as usize], place[block.first as usize]);
            if is_out[first] {
                continue;
            }
            let text = Text::of(blocks.text(block));
            let mut sums = Sums {
                words: i64::try_from(text.words.len()).expect("pages are below 4 GiB"),
                blocks: 1,
                stop_words: text.stop_words,
                purpose_words: text.purposes.iter().sum(),
                ..Sums::default()
            };
            sums.link_words = i64::from(block.link_words).min(sums.words);
            let is_long = sums.words >= i64::from(LONG_MIN_WORDS) && 2 * sums.link_words < sums.words;
            sums.long_words = if is_long { sums.words } else { 0 };
            elements[own].within.add(&sums);
            let is_hidden = elements[first].is_hidden;
            readings.push(Reading { block: number, place: own, first, text, sums, is_hidden });
        }
        for at in (1..elements.len()).rev() {
            let (within, parent) = (elements[at].within, elements[at].parent);
            elements[parent].within.add(&within);
        }
        (Self { elements }, readings)
    }

    /// An element and those around it, from the nearest to the root.
    pub(super) fn chain(&self, place: Place) -> impl Iterator<Item = Place> {
        std::iter::successors(Some(place), |at| (*at > 0).then(|| self.elements[*at].parent))
    }

    /// What all stands in.
    pub(super) fn root(&self) -> &Element {
        &self.elements[0]
    }
}

fn count_alike(elements: &mut [Element]) {
    let mut order: Vec<(Place, u32, Place)> =
        elements.iter().enumerate().skip(1).map(|(at, element)| (element.parent, element.kind, at)).collect();
    order.sort_unstable();
    for group in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let alike = i32::try_from(group.len()).expect("bounded by NODES_MAX");
        for (before, (_, _, at)) in (0..).zip(group) {
            (elements[*at].alike, elements[*at].alike_before) = (alike, before);
        }
    }
}
