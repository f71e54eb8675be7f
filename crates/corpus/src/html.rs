//! HTML without a tree: what a reader sees, line by line, and whether a page is safe to parse.
//!
//! [`visible_text`] walks the tokens of html5ever. [`check_shape`] is an own scan over the bytes that refuses what makes
//! tree builders quadratic, before any of them sees the page.

use std::cell::RefCell;

use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};

use crate::decision::Reason;

/// Open elements at one time. Among 1,497 real pages the deepest has 63; tree builders take seconds from some 10,000 on.
pub const DEPTH_MAX: usize = 512;
/// Attributes in one tag; a tokenizer compares each with all before.
pub const ATTRIBUTES_MAX: usize = 1024;

/// One line of visible text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The text, with single spaces between words and none at its ends; never empty.
    pub text: String,
    /// Words of it that stood in links.
    pub link_words: usize,
    /// Words in all.
    pub words: usize,
}

impl Line {
    /// Whether more than half of its words stood in links.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.link_words * 2 > self.words
    }
}

/// All text outside of scripts, styles, templates, fallbacks and the head, with each block as a line.
#[must_use]
pub fn visible_text(html: &str) -> Vec<Line> {
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    // The sink never asks for a pause, so one call takes all.
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    let mut reader = tokenizer.sink.reader.into_inner();
    reader.end_line();
    reader.lines
}

/// The lines' texts, one below the other.
pub(crate) fn joined<'a>(lines: impl IntoIterator<Item = &'a Line>) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line.text);
    }
    text
}

#[derive(Default)]
struct Sink {
    reader: RefCell<Reader>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line_number: u64) -> TokenSinkResult<()> {
        let mut reader = self.reader.borrow_mut();
        match token {
            Token::CharacterTokens(text) => reader.text(&text),
            Token::TagToken(tag) => return reader.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// Lines being made.
#[derive(Default)]
struct Reader {
    lines: Vec<Line>,
    line: Line,
    /// Whether white space stood since the last character.
    space: bool,
    in_link: bool,
    /// The element whose whole content is passed over.
    muted: Option<Muted>,
}

/// An element that hides what is in it, and how many of its name are open within.
struct Muted {
    name: String,
    depth: usize,
}

impl Reader {
    fn text(&mut self, text: &str) {
        if self.muted.is_some() {
            return;
        }
        for c in text.chars() {
            if c.is_whitespace() {
                self.space = true;
                continue;
            }
            if self.space || self.line.text.is_empty() {
                if !self.line.text.is_empty() {
                    self.line.text.push(' ');
                }
                self.line.words += 1;
                self.line.link_words += usize::from(self.in_link);
                self.space = false;
            }
            self.line.text.push(c);
        }
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        let opens = tag.kind == TagKind::StartTag;
        if let Some(muted) = &mut self.muted {
            // In a head that was never closed the body still begins.
            if muted.name == "head" && opens && name == "body" {
                self.muted = None;
            } else if muted.name == name {
                muted.depth = if opens { muted.depth + 1 } else { muted.depth - 1 };
                if muted.depth == 0 {
                    self.muted = None;
                }
            }
        } else if opens && MUTED.contains(&name) && !(tag.self_closing && FOREIGN.contains(&name)) {
            self.end_unless_inline(name);
            self.muted = Some(Muted { name: name.to_owned(), depth: 1 });
        } else {
            match name {
                "a" => self.in_link = opens,
                "td" | "th" | "img" | "input" | "wbr" => self.space |= name != "wbr",
                _ => self.end_unless_inline(name),
            }
        }
        if opens { raw(name) } else { TokenSinkResult::Continue }
    }

    fn end_unless_inline(&mut self, name: &str) {
        if !INLINE.contains(&name) {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        self.space = false;
        if !self.line.text.is_empty() {
            self.lines.push(std::mem::take(&mut self.line));
        }
    }
}

/// Elements whose content nobody reads, or only where something is switched off.
const MUTED: [&str; 15] = [
    "head", "script", "style", "noscript", "template", "svg", "math", "iframe", "noembed", "noframes",
    "object", "textarea", "select", "datalist", "title",
];
/// Of those, the ones that close themselves with a slash.
const FOREIGN: [&str; 2] = ["svg", "math"];
/// Elements that stand inside of a line; any other begins one and ends one.
const INLINE: [&str; 40] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font",
    "i", "ins", "kbd", "label", "mark", "meter", "nobr", "output", "picture", "q", "rp", "rt", "ruby", "s",
    "samp", "small", "source", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var",
];

/// How the tokenizer has to go on behind a start tag.
fn raw(name: &str) -> TokenSinkResult<()> {
    match name {
        "script" => TokenSinkResult::RawData(RawKind::ScriptData),
        "style" | "iframe" | "noembed" | "noframes" | "xmp" => TokenSinkResult::RawData(RawKind::Rawtext),
        "textarea" | "title" => TokenSinkResult::RawData(RawKind::Rcdata),
        "plaintext" => TokenSinkResult::Plaintext,
        _ => TokenSinkResult::Continue,
    }
}

/// Refuses pages that would cost a tree builder time beyond their length.
///
/// Elements that close by themselves (paragraphs, items, cells) don't count: what they stand in does. The page is
/// scanned twice. The first scan passes over scripts, styles and other raw text. Where exactly a tree builder takes an
/// element for raw text depends on what is around it, so the second takes none for it, under wider bounds.
///
/// # Errors
/// [`Reason::TooNested`] beyond [`DEPTH_MAX`] or [`ATTRIBUTES_MAX`].
pub fn check_shape(html: &str) -> Result<(), Reason> {
    Scan::new(html, DEPTH_MAX, ATTRIBUTES_MAX, true).run()?;
    Scan::new(html, RAW_DEPTH_MAX, RAW_ATTRIBUTES_MAX, false).run()
}

/// Bounds of the second scan, to which a comparison in a script is a tag. Tree builders still take well under a second.
const RAW_DEPTH_MAX: usize = 8 * DEPTH_MAX;
const RAW_ATTRIBUTES_MAX: usize = 4 * ATTRIBUTES_MAX;

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Open>,
    depth_max: usize,
    attributes_max: usize,
    heeds_raw: bool,
}

/// An open element.
#[derive(Clone, Copy)]
struct Open {
    name: u64,
    is_block: bool,
    /// Whether what stands in it is SVG or MathML.
    is_foreign_inside: bool,
}

impl<'a> Scan<'a> {
    fn new(html: &'a str, depth_max: usize, attributes_max: usize, heeds_raw: bool) -> Self {
        Self { bytes: html.as_bytes(), at: 0, open: Vec::new(), depth_max, attributes_max, heeds_raw }
    }

    fn run(mut self) -> Result<(), Reason> {
        while let Some(at) = self.find(b'<') {
            self.at = at + 1;
            match self.peek() {
                Some(b'!' | b'?') => self.markup(),
                Some(b'/') => {
                    self.at += 1;
                    let name = self.name();
                    self.at = self.find(b'>').unwrap_or(self.bytes.len());
                    self.close(name);
                }
                Some(byte) if byte.is_ascii_alphabetic() => self.start_tag()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn in_foreign(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_foreign_inside)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn find(&self, wanted: u8) -> Option<usize> {
        let rest = self.bytes.get(self.at..)?;
        rest.iter().position(|byte| *byte == wanted).map(|found| self.at + found)
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
    }

    /// The name at the scan's place, hashed.
    fn name(&mut self) -> u64 {
        let start = self.at;
        self.skip_while(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'>'));
        hash(&self.bytes[start..self.at])
    }

    /// Passes over a comment or a declaration.
    fn markup(&mut self) {
        let rest = &self.bytes[self.at..];
        let Some(body) = rest.strip_prefix(b"!--") else {
            self.at = self.find(b'>').unwrap_or(self.bytes.len());
            return;
        };
        if body.starts_with(b">") || body.starts_with(b"->") {
            self.at += 3;
            return;
        }
        // Comments end with and without the exclamation mark of old pages.
        let ends = |at: &usize| body[*at..].starts_with(b"-->") || body[*at..].starts_with(b"--!>");
        self.at += 3 + (0..body.len()).find(ends).map_or(body.len(), |end| end + 2);
    }

    fn start_tag(&mut self) -> Result<(), Reason> {
        let name = self.name();
        let is_self_closing = self.attributes()?;
        if BREAKOUTS.contains(&name) {
            while self.in_foreign() {
                self.open.pop();
            }
        }
        let in_foreign = self.in_foreign();
        let is_foreign = FOREIGN_ROOTS.contains(&name);
        if !in_foreign {
            if self.heeds_raw
                && let Some(end) = RAW.iter().find(|raw| hash(raw) == name)
            {
                self.skip_raw(end);
                return Ok(());
            }
            if LEAVES.contains(&name) {
                return Ok(());
            }
        }
        if is_self_closing && (in_foreign || is_foreign) {
            return Ok(());
        }
        let is_foreign_inside = is_foreign || (in_foreign && !INTEGRATION_POINTS.contains(&name));
        self.open.push(Open { name, is_block: BLOCKS.contains(&name), is_foreign_inside });
        if self.open.len() > self.depth_max { Err(Reason::TooNested) } else { Ok(()) }
    }

    /// Counts attributes up to the end of the tag; whether it ends with a slash.
    fn attributes(&mut self) -> Result<bool, Reason> {
        let may_be_script = !self.heeds_raw && !self.in_foreign();
        let mut count = 0usize;
        loop {
            self.skip_while(|byte| byte.is_ascii_whitespace() || byte == b'/');
            match self.peek() {
                None => return Ok(false),
                Some(b'>') => {
                    self.at += 1;
                    return Ok(self.bytes.get(self.at.wrapping_sub(2)) == Some(&b'/'));
                }
                Some(_) => count += 1,
            }
            if count > self.attributes_max {
                return Err(Reason::TooNested);
            }
            // To the second scan a comparison in a script is a tag, and must not take the script's end with it.
            if may_be_script && self.bytes[self.at..].starts_with(b"</script") {
                return Ok(false);
            }
            // A name may begin with an equals sign.
            self.at += 1;
            let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'=');
            self.skip_while(|byte| !(ends(byte) || may_be_script && byte == b'<'));
            self.skip_while(|byte| byte.is_ascii_whitespace());
            if self.peek() == Some(b'=') {
                self.at += 1;
                self.value();
            }
        }
    }

    fn value(&mut self) {
        self.skip_while(|byte| byte.is_ascii_whitespace());
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                self.at = self.find(quote).map_or(self.bytes.len(), |end| end + 1);
            }
            _ => self.skip_while(|byte| !byte.is_ascii_whitespace() && byte != b'>'),
        }
    }

    /// Goes to the end tag of an element whose content is no markup.
    fn skip_raw(&mut self, name: &[u8]) {
        while let Some(at) = self.find(b'<') {
            self.at = at + 1;
            let Some(rest) = self.bytes[self.at..].strip_prefix(b"/") else { continue };
            let ends =
                rest.get(name.len()).is_none_or(|byte| byte.is_ascii_whitespace() || b"/>".contains(byte));
            if ends && rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
                self.at = self.find(b'>').unwrap_or(self.bytes.len());
                return;
            }
        }
        self.at = self.bytes.len();
    }

    /// Closes the nearest open element of this name, with all in it; a block is not closed by an inline element's
    /// end tag.
    fn close(&mut self, name: u64) {
        let closes_blocks = BLOCKS.contains(&name);
        for (at, open) in self.open.iter().enumerate().rev() {
            if open.name == name {
                self.open.truncate(at);
                return;
            }
            if open.is_block && !closes_blocks {
                return;
            }
        }
    }
}

/// FNV-1a of a name in lower case. Names that collide would only be miscounted.
///
/// Source: Fowler, Noll & Vo, the FNV hash, with the parameters for 64 bits.
const fn hash(name: &[u8]) -> u64 {
    let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while at < name.len() {
        hash = (hash ^ name[at].to_ascii_lowercase() as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

const fn hashes<const N: usize>(names: [&str; N]) -> [u64; N] {
    let (mut hashes, mut at) = ([0; N], 0);
    while at < N {
        hashes[at] = hash(names[at].as_bytes());
        at += 1;
    }
    hashes
}

/// Elements whose content is text alone.
const RAW: [&[u8]; 8] =
    [b"script", b"style", b"iframe", b"noembed", b"noframes", b"xmp", b"textarea", b"title"];
/// Elements without content, and those that the next of their kind closes.
const LEAVES: [u64; 32] = hashes([
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    "param", "keygen", "frame", "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead",
    "tbody", "tfoot", "colgroup", "rb", "rt", "rp",
]);
/// Elements of other languages.
const FOREIGN_ROOTS: [u64; 2] = hashes(["svg", "math"]);
/// Elements of those in which HTML goes on.
///
/// Source: the HTML standard, 13.2.6, "HTML integration point" and "MathML text integration point".
const INTEGRATION_POINTS: [u64; 9] =
    hashes(["foreignobject", "desc", "title", "annotation-xml", "mi", "mo", "mn", "ms", "mtext"]);
/// Elements that end SVG and MathML.
///
/// Source: the HTML standard, 13.2.6.5, "any start tag whose tag name is one of".
const BREAKOUTS: [u64; 45] = hashes([
    "b",
    "big",
    "blockquote",
    "body",
    "br",
    "center",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "hr",
    "i",
    "img",
    "li",
    "listing",
    "menu",
    "meta",
    "nobr",
    "ol",
    "p",
    "pre",
    "ruby",
    "s",
    "small",
    "span",
    "strong",
    "strike",
    "sub",
    "sup",
    "table",
    "tt",
    "u",
    "ul",
    "var",
    "font",
]);
/// Elements that an inline element's end tag does not reach across.
///
/// Source: the HTML standard, 13.2.4.2, "special" elements, without those that are not counted as open.
const BLOCKS: [u64; 38] = hashes([
    "address",
    "applet",
    "article",
    "aside",
    "blockquote",
    "body",
    "button",
    "caption",
    "center",
    "details",
    "dir",
    "div",
    "dl",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hgroup",
    "html",
    "main",
    "marquee",
    "menu",
    "nav",
    "ol",
    "section",
    "table",
    "template",
    "ul",
]);

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(html: &str) -> Vec<String> {
        visible_text(html).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn blocks_are_lines_and_hidden_parts_are_gone() {
        let check = |html: &str, expect: &[&str]| assert_eq!(texts(html), expect, "{html}");
        check("<p>one <b>two</b>three<p>four", &["one twothree", "four"]);
        check("<head><title>t</title></head><body>x<br>y", &["x", "y"]);
        check("<head><title>t</title><body>x", &["x"]);
        check("a<script>if (a<b) {'</p>'}</script>b<style>c{}</style>d", &["a", "b", "d"]);
        check("<svg/>a<svg><text>b</text></svg> c", &["a", "c"]);
        check("<template>a<template>b</template>c</template>d", &["d"]);
        check("<table><tr><td>a<td>b<tr><td>c</table>", &["a b", "c"]);
        check("<ul><li>a</li><li>b &amp; c</li></ul>", &["a", "b & c"]);
        check("<!-- x --> a <noscript>b</noscript>", &["a"]);
        check("", &[]);
    }

    #[test]
    fn lines_know_their_links() {
        let lines = visible_text("<p>see <a href=x>the big book</a> now</p><li><a>home page</a></li><p>none");
        let links: Vec<(usize, usize, bool)> =
            lines.iter().map(|line| (line.link_words, line.words, line.is_link())).collect();
        assert_eq!(links, [(3, 5, true), (2, 2, true), (0, 1, false)]);
    }

    #[test]
    fn nesting_is_counted_as_a_tree_builder_would() {
        let check = |html: String, expect: bool| assert_eq!(check_shape(&html).is_ok(), expect, "{html:.80}");
        check("<div>".repeat(DEPTH_MAX), true);
        check("<div>".repeat(DEPTH_MAX + 1), false);
        check("<div></x>".repeat(DEPTH_MAX + 1), false);
        check("<b><div></b>".repeat(DEPTH_MAX), false);
        check("<svg><path/><g></g></svg>".repeat(10_000), true);
        check(format!("<svg>{}</svg>", "<path/>".repeat(10_000)), true);
        check(format!("<svg>{}", "<div/>".repeat(10_000)), false);
        check(format!("<svg><style>{}", "<g>".repeat(10_000)), false);
        check(format!("<select><style></select>{}", "<div>".repeat(10_000)), false);
        check(format!("<noscript><script></noscript>{}", "<div>".repeat(10_000)), false);
        check("<script>if (a<b) c()</script>".repeat(10_000), true);
        check("<div><span></div>".repeat(10_000), true);
        check("<p>a<li>b<td>c<br><img>".repeat(10_000), true);
        check("<!-- <div> -->".repeat(10_000), true);
        check(format!("<script>{}</script>", "<div>".repeat(4_000)), true);
        check(format!("<div title='{}'>", "<div>".repeat(10_000)), true);
        check(format!("<x{}>", " a=1".repeat(ATTRIBUTES_MAX)), true);
        check(format!("<x{}>", " a".repeat(ATTRIBUTES_MAX + 1)), false);
        check(format!("<x{}>", "/a='>'".repeat(ATTRIBUTES_MAX + 1)), false);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(html in "([<>/='\"! a-f-]|<div|</div>|<script>|</script>|<!--|-->|<svg>|<template>){0,60}") {
            let _ = check_shape(&html);
            proptest::prop_assert!(visible_text(&html).iter().all(|line| !line.text.is_empty() && line.words > 0));
        }
    }
}
