//! Chosen blocks as a text: light Markdown, with the page's headings, lists, quotes, tables and listings.

use super::block::{Block, Blocks};
use crate::html::{Attr, NodeId, ROOT, Tag, Tree};

/// Characters of a cell that is written as one of a table; longer ones are the columns of a layout.
const CELL_MAX_BYTES: usize = 200;
/// Quotes in quotes, and lists in lists, that are told apart.
const LEVELS_MAX: u8 = 8;

/// The blocks that are wanted, in the page's order. `wanted` has an entry for each.
///
/// A heading is a line with one to six `#`, an item of a list begins with `- ` or its number, a quote's lines begin with
/// `> `, a listing stands between fences, and cells of a row between bars. Blank lines part all but items and rows.
pub(crate) fn render(tree: &Tree<'_>, blocks: &Blocks, wanted: &[bool]) -> Rendered {
    let places = places(tree);
    let chosen: Vec<(&Block, Place)> = blocks
        .list()
        .iter()
        .zip(wanted)
        .filter(|(_, wanted)| **wanted)
        .map(|(block, _)| (block, places[block.node as usize]))
        .collect();
    let mut writer = Writer { out: String::new(), copies: Vec::new(), last: None };
    let mut at = 0;
    while at < chosen.len() {
        let place = chosen[at].1;
        let row = chosen[at..].iter().take_while(|(_, other)| other.row == place.row).count();
        if place.row != ROOT && is_of_table(blocks, &chosen[at..at + row]) {
            writer.row(blocks, &chosen[at..at + row], is_header(tree, &chosen[at..at + row]));
        } else {
            for (block, place) in &chosen[at..at + row] {
                writer.block(tree, blocks.text(block), block.span().start, *place);
            }
        }
        at += row;
    }
    Rendered { text: writer.out, copies: writer.copies }
}

/// A text, and where each part of it stood.
pub(crate) struct Rendered {
    /// The text.
    pub(crate) text: String,
    copies: Vec<Copied>,
}

/// A run of bytes that stand in the text as in a block.
#[derive(Clone, Copy)]
struct Copied {
    /// Where in the text of all blocks.
    from: u32,
    /// Where in the rendered text.
    to: usize,
    length: usize,
}

impl Rendered {
    /// Where what stands before this place in the text of all blocks ends here; none where nothing of it is here.
    pub(crate) fn end_before(&self, at: u32) -> Option<usize> {
        let before = self.copies.partition_point(|copied| copied.from < at).checked_sub(1)?;
        let Copied { from, to, length } = self.copies[before];
        Some(to + length.min((at - from) as usize))
    }
}

/// Where an element stands, as far as its text shows it. [`ROOT`] stands for none.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    quotes: u8,
    lists: u8,
    heading: u8,
    is_preformatted: bool,
    item: NodeId,
    /// The item's number in an ordered list; 0 in others.
    number: u32,
    cell: NodeId,
    row: NodeId,
}

fn places(tree: &Tree<'_>) -> Vec<Place> {
    let mut places = vec![Place::default(); tree.len() as usize];
    // The number that the next item of a list has.
    let mut next = vec![0u32; tree.len() as usize];
    for node in 1..tree.len() {
        let parent = tree.parent(node);
        let mut place = places[parent as usize];
        let Some(tag) = tree.tag(node) else { continue };
        match tag {
            Tag::Blockquote => place.quotes = (place.quotes + 1).min(LEVELS_MAX),
            Tag::Ol | Tag::Ul | Tag::Menu | Tag::Dir => {
                place = Place { lists: (place.lists + 1).min(LEVELS_MAX), item: ROOT, number: 0, ..place };
                if tag == Tag::Ol {
                    let start = tree.attribute(node, Attr::Start).and_then(|start| start.trim().parse().ok());
                    next[node as usize] = start.unwrap_or(1);
                }
            }
            Tag::Li => {
                (place.item, place.number) = (node, next[parent as usize]);
                if place.number > 0 {
                    next[parent as usize] = place.number.saturating_add(1);
                }
                place.lists = place.lists.max(1);
            }
            Tag::Pre | Tag::Listing | Tag::Xmp | Tag::Plaintext => place.is_preformatted = true,
            Tag::H1 => place.heading = 1,
            Tag::H2 => place.heading = 2,
            Tag::H3 => place.heading = 3,
            Tag::H4 => place.heading = 4,
            Tag::H5 => place.heading = 5,
            Tag::H6 => place.heading = 6,
            Tag::Tr => (place.row, place.cell) = (node, ROOT),
            Tag::Td | Tag::Th => place.cell = node,
            Tag::Table => (place.row, place.cell) = (ROOT, ROOT),
            _ => {}
        }
        places[node as usize] = place;
    }
    places
}

/// Whether the blocks of a row are short, and one in each of at least two cells.
fn is_of_table(blocks: &Blocks, row: &[(&Block, Place)]) -> bool {
    row.len() > 1
        && row.iter().all(|(block, place)| place.cell != ROOT && blocks.text(block).len() <= CELL_MAX_BYTES)
        && row.windows(2).all(|two| two[0].1.cell != two[1].1.cell)
}

fn is_header(tree: &Tree<'_>, row: &[(&Block, Place)]) -> bool {
    row.iter().all(|(_, place)| tree.tag(place.cell) == Some(Tag::Th))
}

struct Writer {
    out: String,
    copies: Vec<Copied>,
    last: Option<Place>,
}

impl Writer {
    /// Goes on to where the next block is written.
    fn part(&mut self, place: Place, is_row: bool) {
        let Some(last) = self.last.replace(place) else { return };
        let next_item = place.item != ROOT && last.item != ROOT && place.item != last.item;
        let next_row = is_row && last.row != ROOT && last.row != place.row;
        self.out.push_str(if next_item || next_row { "\n" } else { "\n\n" });
    }

    fn row(&mut self, blocks: &Blocks, row: &[(&Block, Place)], is_header: bool) {
        self.part(row[0].1, true);
        for (block, _) in row {
            self.out.push_str("| ");
            self.push_line(blocks.text(block), block.span().start);
            self.out.push(' ');
        }
        self.out.push('|');
        if is_header {
            self.out.push('\n');
            self.out.push_str(&"| --- ".repeat(row.len()));
            self.out.push('|');
        }
    }

    /// Writes a block; `from` is where its text begins in that of all blocks.
    fn block(&mut self, tree: &Tree<'_>, text: &str, from: u32, place: Place) {
        let begins_item =
            place.item != ROOT && self.last.is_none_or(|last| !is_within(tree, last.item, place.item));
        self.part(place, false);
        let indent = usize::from(place.lists.saturating_sub(1)) * 2;
        let mut prefix = "> ".repeat(place.quotes.into()) + &" ".repeat(indent);
        if place.is_preformatted {
            let fence = if text.contains("```") { "~~~~" } else { "```" };
            self.out.extend([&prefix, fence, "\n"]);
            self.lines(text, from, &prefix);
            self.out.extend(["\n", &prefix, fence]);
            return;
        }
        self.out.push_str(&prefix);
        if begins_item && place.number > 0 {
            self.out.push_str(&format!("{}. ", place.number));
        } else if begins_item {
            self.out.push_str("- ");
        } else if place.item != ROOT {
            self.out.push_str("  ");
        }
        if place.heading > 0 {
            self.out.push_str(&"#".repeat(place.heading.into()));
            self.out.push(' ');
            self.push_line(text, from);
            return;
        }
        if place.item != ROOT {
            prefix.push_str("  ");
        }
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        self.copy(first, from);
        if !rest.is_empty() {
            self.out.push('\n');
            self.lines(rest, behind(from, first.len() + 1), &prefix);
        }
    }

    fn lines(&mut self, text: &str, mut from: u32, prefix: &str) {
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                self.out.push('\n');
            }
            self.out.push_str(prefix);
            self.copy(line, from);
            from = behind(from, line.len() + 1);
        }
    }

    fn copy(&mut self, text: &str, from: u32) {
        self.copies.push(Copied { from, to: self.out.len(), length: text.len() });
        self.out.push_str(text);
    }

    /// A text as one line.
    fn push_line(&mut self, text: &str, from: u32) {
        self.copies.push(Copied { from, to: self.out.len(), length: text.len() });
        self.out.extend(text.chars().map(|c| if c == '\n' { ' ' } else { c }));
    }
}

/// A place so many bytes farther.
fn behind(from: u32, bytes: usize) -> u32 {
    from.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// Whether a node is this element or stands in it.
fn is_within(tree: &Tree<'_>, node: NodeId, element: NodeId) -> bool {
    (element..tree.end(element)).contains(&node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_become_light_markdown() {
        let check = |page: &str, expect: &str| {
            let tree = Tree::of(page).unwrap();
            let blocks = Blocks::of(&tree);
            assert_eq!(render(&tree, &blocks, &vec![true; blocks.list().len()]).text, expect, "{page}");
        };
        check("<h1>a</h1><p>b<p>c<h3>d<br>e</h3>", "# a\n\nb\n\nc\n\n### d e");
        check("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>e", "- a\n- b\n  - c\n- d\n\ne");
        check("<ol start=3><li>a<li><p>b<p>c</ol>", "3. a\n4. b\n\n  c");
        check("<blockquote>a<br>b<p>c</blockquote>d", "> a\n> b\n\n> c\n\nd");
        check("<pre>a\n  b</pre>c", "```\na\n  b\n```\n\nc");
        check("<table><tr><th>a<th>b<tr><td>c<td>d</table>e", "| a | b |\n| --- | --- |\n| c | d |\n\ne");
        check("<table><tr><td><p>a<p>b<td>c</table>", "a\n\nb\n\nc");
        check("<table><tr><td>a</table>", "a");
    }

    #[test]
    fn only_what_is_wanted_is_written() {
        let tree = Tree::of("<p>a<p>b<ul><li>c<li>d</ul>").unwrap();
        let blocks = Blocks::of(&tree);
        assert_eq!(render(&tree, &blocks, &[false, true, false, true]).text, "b\n\n- d");
        assert_eq!(render(&tree, &blocks, &[false; 4]).text, "");
    }

    #[test]
    fn places_in_blocks_are_found_in_the_text() {
        let page = "<h2>one</h2><blockquote>two<br>three</blockquote><pre>four\n five</pre><ul><li>six<li>seven</ul>\
                    <table><tr><td>eight<td>nine</table>";
        let tree = Tree::of(page).unwrap();
        let blocks = Blocks::of(&tree);
        for left_out in 0..blocks.list().len() {
            let wanted: Vec<bool> = (0..blocks.list().len()).map(|number| number != left_out).collect();
            let rendered = render(&tree, &blocks, &wanted);
            let mut last = None;
            for (block, wanted) in blocks.list().iter().zip(wanted) {
                for (at, c) in (block.span().start..).zip(blocks.text(block).chars()) {
                    let end = rendered.end_before(at + 1);
                    if wanted && c != '\n' {
                        assert!(
                            rendered.text[..end.unwrap()].ends_with(c),
                            "{c:?} at {at}: {:?}",
                            rendered.text
                        );
                    }
                    assert!(wanted || end == last, "{c:?} at {at}");
                    last = end;
                }
            }
        }
    }
}
