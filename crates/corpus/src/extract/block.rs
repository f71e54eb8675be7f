//! A page cut into blocks: runs of text between which a reader sees a break.
//!
//! Everything that has text is a block, hidden or not, menu or article: which of them matter is decided elsewhere.

use crate::html::{NodeId, ROOT, Tag, Tree};

/// The blocks of a page, in its order.
#[derive(Debug)]
pub struct Blocks {
    text: String,
    list: Vec<Block>,
    images: Vec<Stand>,
}

/// Where an image stands among a page's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    /// The image.
    pub(crate) node: NodeId,
    /// The block that it stands in or, where it stands between two, the one behind it.
    pub(crate) block: u32,
    /// How many bytes of all blocks' text come before it.
    pub(crate) at: u32,
}

/// One run of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The nearest element around it that is no inline one.
    pub node: NodeId,
    /// The element that its first text stands in: `node`, or an inline element in it.
    pub first: NodeId,
    /// How many blocks of the same run of inline elements come before it: two line breaks in a row divide them.
    pub part: u32,
    /// Whether a reader can ever see it: text in templates, fallbacks and lists of choices can't be seen as text.
    pub is_text: bool,
    /// Runs of letters, digits and underscores.
    pub words: u32,
    /// Of those, in links.
    pub link_words: u32,
    /// Of those, in `b`, `strong`, `em` or `i`.
    pub strong_words: u32,
    /// Of those, in `code`, `kbd`, `samp` or `tt`.
    pub code_words: u32,
    /// Characters that are no white space.
    pub chars: u32,
    /// Of those, in links.
    pub link_chars: u32,
    /// Links that begin in it.
    pub links: u32,
    /// Line breaks in it.
    pub breaks: u32,
    start: u32,
    end: u32,
}

impl Block {
    /// Where its text stands in that of all blocks.
    pub(crate) fn span(&self) -> std::ops::Range<u32> {
        self.start..self.end
    }
}

impl Blocks {
    /// Cuts a page.
    #[must_use]
    pub fn of(tree: &Tree<'_>) -> Self {
        let mut cutter = Cutter::new(tree);
        cutter.run();
        Self { text: cutter.text, list: cutter.list, images: cutter.images }
    }

    /// The blocks.
    #[must_use]
    pub fn list(&self) -> &[Block] {
        &self.list
    }

    /// A block's text: single spaces and line breaks, or as it stands where the page says that it is laid out already
    /// (`pre`). Never empty, and no white space at its ends but for that before the first line of a `pre`.
    #[must_use]
    pub fn text(&self, block: &Block) -> &str {
        &self.text[block.start as usize..block.end as usize]
    }

    /// The images that a reader may see, in the page's order.
    pub(crate) fn images(&self) -> &[Stand] {
        &self.images
    }
}

/// Elements whose content is no text of the page.
fn is_passed_over(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::Annotation
            | Tag::AnnotationXml
            | Tag::Audio
            | Tag::Canvas
            | Tag::Head
            | Tag::Iframe
            | Tag::Noembed
            | Tag::Noframes
            | Tag::Script
            | Tag::Style
            | Tag::Svg
            | Tag::Textarea
            | Tag::Title
            | Tag::Video
    )
}

/// Elements whose content is seen only where something is switched off, or as something else than text.
fn is_no_text(tag: Tag) -> bool {
    matches!(tag, Tag::Datalist | Tag::Noscript | Tag::Object | Tag::Select | Tag::Template)
}

/// An element that the walk is in.
struct Around {
    node: NodeId,
    end: NodeId,
    tag: Tag,
}

struct Cutter<'t, 'a> {
    tree: &'t Tree<'a>,
    text: String,
    list: Vec<Block>,
    images: Vec<Stand>,
    around: Vec<Around>,
    block: Block,
    gap: Gap,
    in_word: bool,
    no_text: u32,
    preformatted: u32,
    strong: u32,
    code: u32,
    begins_link: bool,
    part: u32,
}

/// What stands between the last character and the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Break,
}

impl<'t, 'a> Cutter<'t, 'a> {
    fn new(tree: &'t Tree<'a>) -> Self {
        Self {
            tree,
            text: String::new(),
            list: Vec::new(),
            images: Vec::new(),
            around: Vec::new(),
            block: Block::default(),
            gap: Gap::None,
            in_word: false,
            no_text: 0,
            preformatted: 0,
            strong: 0,
            code: 0,
            begins_link: false,
            part: 0,
        }
    }

    fn run(&mut self) {
        let mut node = ROOT;
        while node < self.tree.len() {
            while self.around.last().is_some_and(|around| around.end <= node) {
                self.leave();
            }
            node = match self.tree.tag(node) {
                None => {
                    self.append(node);
                    node + 1
                }
                Some(tag) if is_passed_over(tag) => {
                    if !tag.is_inline() {
                        self.cut();
                    }
                    self.tree.end(node)
                }
                Some(tag) => {
                    self.enter(node, tag);
                    node + 1
                }
            };
        }
        while !self.around.is_empty() {
            self.leave();
        }
        self.cut();
    }

    fn enter(&mut self, node: NodeId, tag: Tag) {
        match tag {
            Tag::Br => self.line_break(),
            Tag::Wbr => {}
            Tag::Img | Tag::Image | Tag::Input => {
                if tag != Tag::Input {
                    let (block, at) = (position(self.list.len()), position(self.text.len()));
                    self.images.push(Stand { node, block, at });
                }
                self.widen(Gap::Space);
            }
            _ if tag.is_inline() => {}
            _ => self.cut(),
        }
        self.count(tag, 1);
        self.around.push(Around { node, end: self.tree.end(node), tag });
    }

    fn leave(&mut self) {
        let Some(Around { tag, .. }) = self.around.pop() else { return };
        match tag {
            Tag::Br => {}
            _ if tag.is_inline() => {}
            _ => self.cut(),
        }
        self.count(tag, u32::MAX);
    }

    /// Adds one, or takes it off again, for what an element says of the text in it.
    fn count(&mut self, tag: Tag, by: u32) {
        let counter = match tag {
            Tag::B | Tag::Strong | Tag::Em | Tag::I => &mut self.strong,
            Tag::Code | Tag::Kbd | Tag::Samp | Tag::Tt => &mut self.code,
            Tag::Pre | Tag::Listing | Tag::Xmp | Tag::Plaintext => &mut self.preformatted,
            Tag::A => {
                self.begins_link |= by == 1;
                return;
            }
            _ if is_no_text(tag) => &mut self.no_text,
            _ => return,
        };
        *counter = counter.wrapping_add(by);
    }

    fn is_empty(&self) -> bool {
        self.text.len() == self.block.start as usize
    }

    fn widen(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
        self.in_word = false;
    }

    /// Ends the line; where it ended already, the block.
    fn line_break(&mut self) {
        if self.preformatted > 0 {
            self.text.push('\n');
            self.in_word = false;
        } else if self.gap == Gap::Break && !self.is_empty() {
            let part = self.part + 1;
            self.cut();
            self.part = part;
        } else {
            self.widen(Gap::Break);
        }
    }

    /// Ends the block.
    fn cut(&mut self) {
        let start = self.block.start as usize;
        let end = start + self.text[start..].trim_end().len();
        self.text.truncate(end);
        let mut block = std::mem::take(&mut self.block);
        if self.text[start..].trim_start().is_empty() {
            self.text.truncate(start);
        } else {
            block.end = position(end);
            block.part = self.part;
            self.list.push(block);
        }
        // What was cut off at the end stands before no image.
        let end = position(self.text.len());
        self.images.iter_mut().rev().take_while(|image| image.at > end).for_each(|image| image.at = end);
        self.block.start = end;
        (self.gap, self.in_word, self.part) = (Gap::None, false, 0);
    }

    fn append(&mut self, node: NodeId) {
        let text = self.tree.text(node);
        let in_link = self.tree.is_in_link(node);
        let chars_before = self.block.chars;
        let is_first = chars_before == 0;
        for c in text.chars() {
            if c.is_whitespace() {
                self.in_word = false;
                if self.preformatted > 0 {
                    if c != '\r' {
                        self.text.push(c);
                    }
                } else {
                    self.gap = self.gap.max(Gap::Space);
                }
                continue;
            }
            if self.gap != Gap::None {
                if !self.is_empty() {
                    self.text.push(if self.gap == Gap::Break { '\n' } else { ' ' });
                    self.block.breaks += u32::from(self.gap == Gap::Break);
                }
                self.gap = Gap::None;
            }
            let is_word = c.is_alphanumeric() || c == '_';
            if is_word && !self.in_word {
                self.block.words += 1;
                self.block.link_words += u32::from(in_link);
                self.block.strong_words += u32::from(self.strong > 0);
                self.block.code_words += u32::from(self.code > 0);
            }
            self.in_word = is_word;
            self.block.chars += 1;
            // Controls are no characters of a text; NUL is what broken pages are full of.
            self.text.push(if c == '\0' { '\u{fffd}' } else { c });
        }
        let chars = self.block.chars - chars_before;
        if chars == 0 {
            return;
        }
        if in_link {
            self.block.link_chars += chars;
            self.block.links += u32::from(std::mem::take(&mut self.begins_link));
        }
        if is_first {
            self.block.first = self.tree.parent(node);
            let container = self.around.iter().rev().find(|around| !around.tag.is_inline());
            self.block.node = container.map_or(ROOT, |around| around.node);
            self.block.is_text = self.no_text == 0;
        }
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at)
        .expect("pages are below 4 GiB, and no reference is longer than what it stands for by half")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(page: &str) -> Vec<(String, Block)> {
        let tree = Tree::of(page).unwrap();
        let blocks = Blocks::of(&tree);
        blocks.list().iter().map(|block| (blocks.text(block).to_owned(), *block)).collect()
    }

    #[test]
    fn text_is_cut_where_a_reader_sees_a_break() {
        let check = |page: &str, expect: &[&str]| {
            let texts: Vec<String> = blocks(page).into_iter().map(|(text, _)| text).collect();
            assert_eq!(texts, expect, "{page}");
        };
        check("<p>one <b>two</b>three<p> four ", &["one twothree", "four"]);
        check("<head><title>t</title></head><body>x<br>y", &["x\ny"]);
        check("x<br> <br>y<br>", &["x", "y"]);
        check("a<script>if (a<b) {'</p>'}</script>b<style>c{}</style>d", &["a", "b", "d"]);
        check("a <svg><text>b</text></svg> c", &["a c"]);
        check("<table><tr><td>a<td>b<tr><td>c</table>", &["a", "b", "c"]);
        check("<ul><li>a</li><li>b &amp;\u{a0} c</li></ul>", &["a", "b & c"]);
        check("a<img>b<button>c</button><label>d</label>", &["a b", "c", "d"]);
        check("<pre>a\n  b\r\n c </pre> d", &["a\n  b\n c", "d"]);
        check("<pre>  a\n</pre>", &["  a"]);
        check("<!-- x --> a <noscript>b</noscript>", &["a", "b"]);
        check(" <p> <p>&nbsp;", &[]);
    }

    #[test]
    fn blocks_know_what_is_in_them() {
        let page = "<div>see <a href=x>the big_book</a> <b>now</b><br>on <code>x y</code></div>";
        let (_, block) = &blocks(page)[0];
        assert_eq!((block.words, block.link_words, block.links), (7, 2, 1));
        assert_eq!((block.strong_words, block.code_words, block.breaks), (1, 2, 1));
        assert_eq!((block.chars, block.link_chars), (21, 11));
        assert_eq!((block.node, block.first, block.part), (1, 1, 0));
        let found = blocks("<div><a href=x><span>a</span><br><br>b</a></div><template>c</template>");
        let facts: Vec<_> = found.iter().map(|(_, block)| (block.first, block.part, block.is_text)).collect();
        assert_eq!(facts, [(3, 0, true), (2, 1, true), (8, 0, false)]);
    }
}
