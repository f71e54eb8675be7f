//! A page as a tree: nodes in one list, in the order of the page, that point into its text.
//!
//! Built in one pass after the HTML standard's tree construction (13.2.6), as far as it shows in which text stands in
//! which element: implied end tags, elements without content, end tags out of order, head and body, SVG and MathML.
//! Left out is what moves nodes (text in a table that stands in no cell stays there) and what makes copies (a
//! formatting element that its paragraph closed is not opened again).

use std::borrow::Cow;

use super::{
    reference::{self, Place},
    tag::{Attr, Tag},
    token::{Attribute, Kind, Span, Token, Tokenizer},
};
use crate::decision::Reason;

/// Elements one in another. Among 1,497 real pages the deepest has 63.
pub const DEPTH_MAX: usize = 512;
/// Attributes in one tag.
pub const ATTRIBUTES_MAX: usize = 1024;
/// Elements and pieces of text of a page, 20 bytes each.
pub const NODES_MAX: usize = 1 << 20;

/// The number of a node; the root is 0.
pub type NodeId = u32;

/// The root of every tree.
pub const ROOT: NodeId = 0;

/// A page as a tree.
#[derive(Debug)]
pub struct Tree<'a> {
    page: &'a str,
    nodes: Vec<Node>,
    attributes: Vec<(Attr, u32, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    what: What,
    in_link: bool,
    depth: u16,
    parent: NodeId,
    /// The first node behind all that stands in this one.
    end: NodeId,
    /// Of a text, where it stands in the page; of an element, where its attributes stand in the list.
    from: u32,
    to: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Element(Tag),
    Text(Kind),
}

impl<'a> Tree<'a> {
    /// Reads a page.
    ///
    /// # Errors
    /// [`Reason::TooNested`] beyond [`DEPTH_MAX`] or [`ATTRIBUTES_MAX`], [`Reason::TooLarge`] beyond [`NODES_MAX`]
    /// or for a page of 4 GiB.
    pub fn of(page: &'a str) -> Result<Self, Reason> {
        if u32::try_from(page.len()).is_err() {
            return Err(Reason::TooLarge);
        }
        let mut builder = Builder::new(page);
        builder.run()?;
        Ok(builder.finish())
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.nodes.len()).expect("bounded by NODES_MAX")
    }

    /// Never: there is always the root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The element's name; none for a text. The root is an element of no known name.
    #[must_use]
    pub fn tag(&self, node: NodeId) -> Option<Tag> {
        match self.node(node).what {
            What::Element(tag) => Some(tag),
            What::Text(_) => None,
        }
    }

    /// The element in which a node stands; the root stands in itself.
    #[must_use]
    pub fn parent(&self, node: NodeId) -> NodeId {
        self.node(node).parent
    }

    /// The first node behind all that stand in this one: what is between is its subtree.
    #[must_use]
    pub fn end(&self, node: NodeId) -> NodeId {
        self.node(node).end
    }

    /// Elements around a node.
    #[must_use]
    pub fn depth(&self, node: NodeId) -> u16 {
        self.node(node).depth
    }

    /// Whether an element `a` with an address was open where the node begins.
    #[must_use]
    pub fn is_in_link(&self, node: NodeId) -> bool {
        self.node(node).in_link
    }

    /// The elements around a node, from the nearest to the root.
    pub fn ancestors(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let next = |node: &NodeId| (*node != ROOT).then(|| self.parent(*node));
        std::iter::successors(next(&node), next)
    }

    /// An attribute's value; none where the element doesn't have it.
    #[must_use]
    pub fn attribute(&self, node: NodeId, name: Attr) -> Option<Cow<'a, str>> {
        let node = self.node(node);
        if matches!(node.what, What::Text(_)) {
            return None;
        }
        let attributes = &self.attributes[node.from as usize..node.to as usize];
        let (_, start, end) = attributes.iter().find(|attribute| attribute.0 == name)?;
        Some(decoded(&self.page[*start as usize..*end as usize], Place::Attribute))
    }

    /// Whether the element itself says that it is not shown.
    #[must_use]
    pub fn is_hidden(&self, node: NodeId) -> bool {
        let says = |name, wanted: &str| {
            self.attribute(node, name).is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted))
        };
        let hides = |style: Cow<'_, str>| {
            style.split(';').filter_map(|rule| rule.split_once(':')).any(|(property, value)| {
                let value = value.trim().trim_end_matches("!important").trim_end();
                match property.trim() {
                    property if property.eq_ignore_ascii_case("display") => {
                        value.eq_ignore_ascii_case("none")
                    }
                    property if property.eq_ignore_ascii_case("visibility") => {
                        value.eq_ignore_ascii_case("hidden")
                    }
                    _ => false,
                }
            })
        };
        self.attribute(node, Attr::Hidden).is_some()
            || says(Attr::AriaHidden, "true")
            || self.attribute(node, Attr::Style).is_some_and(hides)
    }

    /// The text of a text node, as it stands in the page; empty for an element.
    #[must_use]
    pub fn text(&self, node: NodeId) -> Cow<'a, str> {
        let node = self.node(node);
        let raw = || &self.page[node.from as usize..node.to as usize];
        match node.what {
            What::Element(_) => Cow::Borrowed(""),
            What::Text(Kind::Data | Kind::Rcdata) => decoded(raw(), Place::Text),
            What::Text(Kind::Raw | Kind::Cdata) => Cow::Borrowed(raw()),
        }
    }

    /// All text in an element.
    #[must_use]
    pub fn text_in(&self, node: NodeId) -> String {
        (node..self.end(node)).map(|node| self.text(node)).collect()
    }

    fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node as usize]
    }
}

fn decoded(raw: &str, place: Place) -> Cow<'_, str> {
    if memchr::memchr(b'&', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    reference::decode_into(&mut out, raw, place);
    Cow::Owned(out)
}

/// A tree being built.
struct Builder<'a> {
    page: &'a str,
    tokenizer: Tokenizer<'a>,
    nodes: Vec<Node>,
    attributes: Vec<(Attr, u32, u32)>,
    /// The open elements, from the root on. Each stands in the one before, or in one of those that it stood in and
    /// that have ended alone.
    open: Vec<Open>,
    /// How many of each name are open, so that most end tags without a start tag cost nothing.
    open_count: [u16; Tag::COUNT],
    open_links: u16,
    html: Option<NodeId>,
    body: Option<NodeId>,
    had_head: bool,
}

#[derive(Clone, Copy)]
struct Open {
    node: NodeId,
    tag: Tag,
    name: Span,
    /// Whether what stands in it is SVG or MathML.
    is_foreign_inside: bool,
    is_link: bool,
}

impl<'a> Builder<'a> {
    fn new(page: &'a str) -> Self {
        let root = Node {
            what: What::Element(Tag::Other),
            in_link: false,
            depth: 0,
            parent: ROOT,
            end: 0,
            from: 0,
            to: 0,
        };
        let open = Open {
            node: ROOT,
            tag: Tag::Other,
            name: Span::default(),
            is_foreign_inside: false,
            is_link: false,
        };
        // Real pages have a node for every 30 to 100 bytes.
        let mut nodes = Vec::with_capacity(16 + page.len() / 64);
        nodes.push(root);
        Self {
            page,
            tokenizer: Tokenizer::new(page),
            nodes,
            attributes: Vec::with_capacity(16 + page.len() / 128),
            open: vec![open],
            open_count: [0; Tag::COUNT],
            open_links: 0,
            html: None,
            body: None,
            had_head: false,
        }
    }

    fn run(&mut self) -> Result<(), Reason> {
        while let Some(token) = self.tokenizer.next(self.in_foreign()) {
            match token {
                Token::Text(span, kind) => self.text(span, kind)?,
                Token::Start { name, is_self_closing } => self.start(name, is_self_closing)?,
                Token::End { name } => self.end(name)?,
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Tree<'a> {
        for at in (1..self.nodes.len()).rev() {
            let node = &mut self.nodes[at];
            node.end = node.end.max(u32::try_from(at).expect("bounded by NODES_MAX") + 1);
            let (end, parent) = (node.end, node.parent as usize);
            self.nodes[parent].end = self.nodes[parent].end.max(end);
        }
        self.nodes[0].end = self.nodes[0].end.max(1);
        Tree { page: self.page, nodes: self.nodes, attributes: self.attributes }
    }

    fn top(&self) -> Open {
        *self.open.last().expect("the root is never closed")
    }

    fn in_foreign(&self) -> bool {
        self.top().is_foreign_inside
    }

    fn push_node(&mut self, what: What, from: u32, to: u32) -> Result<NodeId, Reason> {
        let parent = self.top().node;
        let depth = self.nodes[parent as usize].depth + 1;
        if usize::from(depth) > DEPTH_MAX + usize::from(matches!(what, What::Text(_))) {
            return Err(Reason::TooNested);
        }
        if self.nodes.len() >= NODES_MAX {
            return Err(Reason::TooLarge);
        }
        let number = u32::try_from(self.nodes.len()).expect("bounded by NODES_MAX");
        let in_link = self.open_links > 0;
        self.nodes.push(Node { what, in_link, depth, parent, end: 0, from, to });
        Ok(number)
    }

    fn text(&mut self, span: Span, kind: Kind) -> Result<(), Reason> {
        let (mut start, top) = (span.start, self.top().tag);
        let bytes = &self.page.as_bytes()[span.start..span.end];
        // Of white space between blocks nothing is ever seen.
        if kind == Kind::Data {
            let space = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if top == Tag::Head || top == Tag::Html || top == Tag::Other && self.body.is_none() {
                if space == bytes.len() {
                    return Ok(());
                }
                if top == Tag::Head {
                    self.close_to(self.open.len() - 1);
                }
            }
        }
        // The line break behind the start tag belongs to the tag.
        let is_first = self.nodes.len() == self.top().node as usize + 1;
        if is_first && matches!(top, Tag::Pre | Tag::Listing | Tag::Textarea) {
            start += usize::from(bytes.starts_with(b"\r"));
            start += usize::from(self.page.as_bytes()[start..span.end].starts_with(b"\n"));
        }
        if start < span.end {
            self.push_node(What::Text(kind), position(start), position(span.end))?;
        }
        Ok(())
    }

    fn start(&mut self, name: Span, is_self_closing: bool) -> Result<(), Reason> {
        if self.tokenizer.attributes.len() > ATTRIBUTES_MAX {
            return Err(Reason::TooNested);
        }
        let tag = Tag::of(name.of(self.page).as_bytes());
        if self.in_foreign() && (tag.ends_foreign() || tag == Tag::Font && self.has_font_attribute()) {
            while self.in_foreign() {
                self.close_to(self.open.len() - 1);
            }
        }
        let in_foreign = self.in_foreign();
        if !in_foreign && !self.make_room(tag) {
            return Ok(());
        }
        let (from, is_link) = self.keep_attributes(tag);
        let node = self.push_node(What::Element(tag), from, position(self.attributes.len()))?;
        match tag {
            Tag::Html => self.html = self.html.or(Some(node)),
            Tag::Body => self.body = self.body.or(Some(node)),
            Tag::Head => self.had_head = true,
            _ => {}
        }
        let begins_foreign = matches!(tag, Tag::Svg | Tag::Math);
        if in_foreign || begins_foreign {
            if is_self_closing {
                return Ok(());
            }
        } else if tag.is_void() {
            return Ok(());
        } else {
            self.tokenizer.enter(tag, self.open_count[Tag::Noscript as usize] > 0);
        }
        let is_foreign_inside = begins_foreign || in_foreign && !tag.is_integration_point();
        let is_link = is_link && tag == Tag::A;
        self.open_count[tag as usize] += 1;
        self.open_links += u16::from(is_link);
        self.open.push(Open { node, tag, name, is_foreign_inside, is_link });
        Ok(())
    }

    /// Whether nothing but the root and `html` is open.
    fn is_at_start(&self) -> bool {
        self.open[1..].iter().all(|open| open.tag == Tag::Html)
    }

    fn has_font_attribute(&self) -> bool {
        let is_of_font = |attribute: &Attribute| {
            let name = attribute.name.of(self.page);
            ["color", "face", "size"].iter().any(|wanted| name.eq_ignore_ascii_case(wanted))
        };
        self.tokenizer.attributes.iter().any(is_of_font)
    }

    /// Puts the attributes of the start tag just read to the others: where they begin, and whether an address is
    /// among them. Of a repeated one the first counts.
    fn keep_attributes(&mut self, tag: Tag) -> (u32, bool) {
        let from = self.attributes.len();
        let mut seen = 0u32;
        for attribute in &self.tokenizer.attributes {
            let name = Attr::of(attribute.name.of(self.page).as_bytes());
            let bit = 1 << name as u8;
            if name != Attr::Other && seen & bit == 0 {
                seen |= bit;
                let value = attribute.value;
                self.attributes.push((name, position(value.start), position(value.end)));
            }
        }
        (position(from), tag == Tag::A && seen & 1 << Attr::Href as u8 != 0)
    }

    /// Closes what ends where an element of this name begins; whether the element is made at all.
    fn make_room(&mut self, tag: Tag) -> bool {
        match tag {
            // A second one gives its attributes to the first; those that matter stand in the first anyhow.
            Tag::Html if self.html.is_some() || self.open.len() > 1 => return false,
            Tag::Head if self.had_head || self.body.is_some() || !self.is_at_start() => return false,
            Tag::Body if self.body.is_some() => return false,
            Tag::Html | Tag::Head => return true,
            _ => {}
        }
        if !tag.is_of_head() && self.open_count[Tag::Head as usize] > 0 {
            // In the head only what switched-off scripts are for may be open besides.
            let head = self.open.iter().rposition(|open| open.tag == Tag::Head).expect("it is counted");
            if self.open[head..].iter().all(|open| matches!(open.tag, Tag::Head | Tag::Noscript)) {
                self.close_to(head);
            }
        }
        if tag.closes_paragraph() {
            match tag {
                Tag::Li => self.close_item(&[Tag::Li]),
                Tag::Dd | Tag::Dt => self.close_item(&[Tag::Dd, Tag::Dt]),
                _ => {}
            }
            self.close_in_scope(Tag::P, Scope::Button);
            if tag.is_heading() && self.top().tag.is_heading() {
                self.close_to(self.open.len() - 1);
            }
        }
        match tag {
            Tag::A | Tag::Nobr => self.end_alone(tag),
            Tag::Button => self.close_in_scope(Tag::Button, Scope::Block),
            Tag::Option | Tag::Optgroup => {
                if self.top().tag == Tag::Option {
                    self.close_to(self.open.len() - 1);
                }
                if tag == Tag::Optgroup && self.top().tag == Tag::Optgroup {
                    self.close_to(self.open.len() - 1);
                }
            }
            Tag::Rb | Tag::Rt | Tag::Rp | Tag::Rtc => {
                if matches!(self.top().tag, Tag::Rb | Tag::Rt | Tag::Rp) {
                    self.close_to(self.open.len() - 1);
                }
            }
            Tag::Td | Tag::Th => self.close_in_table(&[Tag::Td, Tag::Th]),
            Tag::Tr => self.close_in_table(&[Tag::Td, Tag::Th, Tag::Tr]),
            Tag::Tbody | Tag::Thead | Tag::Tfoot | Tag::Caption | Tag::Colgroup => {
                self.close_in_table(&[
                    Tag::Td,
                    Tag::Th,
                    Tag::Tr,
                    Tag::Tbody,
                    Tag::Thead,
                    Tag::Tfoot,
                    Tag::Caption,
                    Tag::Colgroup,
                ]);
            }
            _ => {}
        }
        true
    }

    fn end(&mut self, name: Span) -> Result<(), Reason> {
        let tag = Tag::of(name.of(self.page).as_bytes());
        match tag {
            // What comes behind the body's end belongs to the body.
            Tag::Body | Tag::Html => {}
            Tag::Br => {
                self.make_room(tag);
                let none = position(self.attributes.len());
                self.push_node(What::Element(tag), none, none)?;
            }
            Tag::P if self.open_count[Tag::P as usize] == 0 => {
                self.make_room(tag);
                let none = position(self.attributes.len());
                self.push_node(What::Element(tag), none, none)?;
            }
            _ if tag.is_void() => {}
            _ if self.open_count[tag as usize] == 0 && !tag.is_heading() => {}
            _ if self.in_foreign() => self.end_other(tag, name),
            _ if tag.ends_alone() => self.end_alone(tag),
            Tag::P => self.close_in_scope(tag, Scope::Button),
            Tag::Li => self.close_in_scope(tag, Scope::List),
            Tag::Template | Tag::Head => self.close_in_scope(tag, Scope::Page),
            Tag::Table
            | Tag::Tbody
            | Tag::Thead
            | Tag::Tfoot
            | Tag::Tr
            | Tag::Td
            | Tag::Th
            | Tag::Caption
            | Tag::Colgroup => self.close_in_scope(tag, Scope::Table),
            _ if tag.is_heading() => {
                // Any heading's end is the end of any heading.
                let headings = [Tag::H1, Tag::H2, Tag::H3, Tag::H4, Tag::H5, Tag::H6];
                if headings.iter().any(|heading| self.open_count[*heading as usize] > 0) {
                    self.close_nearest(|open| open.tag.is_heading(), |open| open.tag.is_boundary());
                }
            }
            _ if tag.is_special() => self.close_in_scope(tag, Scope::Block),
            _ => self.end_other(tag, name),
        }
        Ok(())
    }

    /// Closes the nearest open element of this name with all in it, unless a block stands between.
    fn end_other(&mut self, tag: Tag, name: Span) {
        let (page, in_foreign) = (self.page, self.in_foreign());
        let name = name.of(page);
        self.close_nearest(
            |open| open.tag == tag && (tag != Tag::Other || open.name.of(page).eq_ignore_ascii_case(name)),
            |open| !in_foreign && open.tag.is_special(),
        );
    }

    fn close_nearest(&mut self, is_end: impl Fn(&Open) -> bool, is_boundary: impl Fn(&Open) -> bool) {
        for at in (1..self.open.len()).rev() {
            let open = &self.open[at];
            if is_end(open) {
                return self.close_to(at);
            }
            if is_boundary(open) {
                return;
            }
        }
    }

    fn close_in_scope(&mut self, tag: Tag, scope: Scope) {
        if self.open_count[tag as usize] > 0 {
            self.close_nearest(|open| open.tag == tag, |open| scope.ends_at(open.tag));
        }
    }

    /// Closes the nearest open list item of these names; only paragraphs and boxes are looked through.
    fn close_item(&mut self, tags: &[Tag]) {
        if tags.iter().all(|tag| self.open_count[*tag as usize] == 0) {
            return;
        }
        let is_looked_through = |tag| matches!(tag, Tag::Address | Tag::Div | Tag::P);
        self.close_nearest(
            |open| tags.contains(&open.tag),
            |open| open.tag.is_special() && !is_looked_through(open.tag),
        );
    }

    /// Closes the outermost open element of these names within the nearest table.
    fn close_in_table(&mut self, tags: &[Tag]) {
        let mut outermost = None;
        if tags.iter().all(|tag| self.open_count[*tag as usize] == 0) {
            return;
        }
        for at in (1..self.open.len()).rev() {
            let tag = self.open[at].tag;
            if Scope::Table.ends_at(tag) {
                break;
            }
            if tags.contains(&tag) {
                outermost = Some(at);
            }
        }
        if let Some(at) = outermost {
            self.close_to(at);
        }
    }

    /// Closes the nearest open element of this name; what was opened in it stays open, unless it is inline.
    fn end_alone(&mut self, tag: Tag) {
        if self.open_count[tag as usize] == 0 {
            return;
        }
        let mut has_block = false;
        for at in (1..self.open.len()).rev() {
            let open = self.open[at];
            if open.tag == tag {
                if has_block {
                    self.forget(open);
                    self.open.remove(at);
                } else {
                    self.close_to(at);
                }
                return;
            }
            if tag != Tag::Form && open.tag.is_boundary() {
                return;
            }
            has_block |= open.tag.is_special();
        }
    }

    /// Closes the open elements from this place in their list on.
    fn close_to(&mut self, at: usize) {
        while self.open.len() > at.max(1) {
            let open = self.top();
            self.forget(open);
            self.open.pop();
        }
    }

    fn forget(&mut self, open: Open) {
        self.open_count[open.tag as usize] -= 1;
        self.open_links -= u16::from(open.is_link);
    }
}

/// How far an end tag reaches.
///
/// Source: the HTML standard, 13.2.4.2, "has an element in button scope", "in list item scope", "in table scope".
#[derive(Clone, Copy)]
enum Scope {
    Block,
    Button,
    List,
    Table,
    Page,
}

impl Scope {
    fn ends_at(self, tag: Tag) -> bool {
        match self {
            Self::Block => tag.is_boundary(),
            Self::Button => tag.is_boundary() || tag == Tag::Button,
            Self::List => tag.is_boundary() || matches!(tag, Tag::Ol | Tag::Ul),
            Self::Table => matches!(tag, Tag::Html | Tag::Table | Tag::Template),
            Self::Page => false,
        }
    }
}

/// A place in a page or a list that is bounded by one.
fn position(at: usize) -> u32 {
    u32::try_from(at).expect("pages are below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as text: names with brackets around what stands in them.
    fn outline(page: &str) -> String {
        fn write(tree: &Tree<'_>, node: NodeId, out: &mut String) {
            match tree.tag(node) {
                None => out.push_str(tree.text(node).trim()),
                Some(tag) => {
                    out.push_str(if node == ROOT { "" } else { tag.text() });
                    out.push('(');
                    let mut child = node + 1;
                    while child < tree.end(node) {
                        assert_eq!(tree.parent(child), node);
                        write(tree, child, out);
                        child = tree.end(child);
                        if child < tree.end(node) {
                            out.push(' ');
                        }
                    }
                    out.push(')');
                }
            }
        }
        let mut out = String::new();
        write(&Tree::of(page).unwrap(), ROOT, &mut out);
        out
    }

    #[test]
    fn elements_end_where_the_standard_ends_them() {
        let check = |page: &str, expect: &str| assert_eq!(outline(page), expect, "{page}");
        check("", "()");
        check("<p>a<p>b<div>c</div>d", "(p(a) p(b) div(c) d)");
        check("<ul><li>a<ul><li>b</ul><li>c</ul>d", "(ul(li(a ul(li(b))) li(c)) d)");
        check("<dl><dt>a<dd>b<dt>c</dl>", "(dl(dt(a) dd(b) dt(c)))");
        check("<table><tr><td>a<td>b<tr><th>c</table>d", "(table(tr(td(a) td(b)) tr(th(c))) d)");
        check(
            "<table><thead><tr><td>a<tbody><tr><td><table><tr><td>b</table>c</table>",
            "(table(thead(tr(td(a))) tbody(tr(td(table(tr(td(b))) c)))))",
        );
        check("<div><table><td></div>a</table>b</div>c", "(div(table(td(a)) b) c)");
        check("<select><option>a<option>b</select>", "(select(option(a) option(b)))");
        check("<h1>a<h2>b</h3>c", "(h1(a) h2(b) c)");
        check("a<br>b</br>c<img>d</img>", "(a br() b br() c img() d)");
        check("</p>a</div></b>", "(p() a)");
        check("<p>a<button>b<p>c</button>d", "(p(a button(b p(c)) d))");
        check("<b>a<p>b</b>c</p>d", "(b(a p(b c)) d)");
        check("<x-y>a<x-z>b</x-y>c", "((a (b)) c)");
        check("<svg><title>a</title><p>b", "(svg(title(a)) p(b))");
        check("<svg><style><g>a</style></svg>b", "(svg(style((a))) b)");
        check("<svg/>a<div/>b", "(svg() a div(b))");
        check("<noscript><iframe></noscript>a", "(noscript(iframe()) a)");
        check("<noscript><script><!--<script></noscript>a", "(noscript(script(<!--<script>)) a)");
        check("<template><li>a</template>b", "(template(li(a)) b)");
        check("<pre>\na\n</pre>", "(pre(a))");
    }

    #[test]
    fn head_and_body_are_found_where_they_are_left_out() {
        let check = |page: &str, expect: &str| assert_eq!(outline(page), expect, "{page}");
        check("<!doctype html><html> <head> <title>a</title> <p>b", "(html(head(title(a)) p(b)))");
        check("<head><title>a</title><body>b<body>c", "(head(title(a)) body(b c))");
        check("<head><meta><link>a", "(head(meta() link()) a)");
        check("<head><noscript><style>a</style></noscript><meta>", "(head(noscript(style(a)) meta()))");
        check("<head><noscript><img></noscript><meta>", "(head(noscript()) img() meta())");
        check("<html><body>a</body></html><p>b", "(html(body(a p(b))))");
        check("<div>a<head>b<html>c", "(div(a b c))");
    }

    #[test]
    fn a_link_ends_with_its_end_tag_wherever_that_stands() {
        let check = |page: &str, expect: &str| {
            let tree = Tree::of(page).unwrap();
            let linked: String =
                (0..tree.len()).filter(|node| tree.is_in_link(*node)).map(|node| tree.text(node)).collect();
            assert_eq!(linked, expect, "{page}");
        };
        check("a<a href=x>b<b>c</b></a>d", "bc");
        check("<a name=x>b</a>c", "");
        check("<a href=x><div>b</a>c</div>d", "b");
        check("<a href=x>b<a href=y>c</a>d</a>e", "bc");
        check("<table><td><a href=x>b<td>c</table>d", "b");
    }

    #[test]
    fn what_is_beyond_a_bound_is_refused() {
        let check = |page: String, expect: Result<(), Reason>| {
            assert_eq!(Tree::of(&page).map(|_| ()), expect, "{page:.60}");
        };
        check("<div>".repeat(DEPTH_MAX) + "a", Ok(()));
        check("<div>".repeat(DEPTH_MAX + 1), Err(Reason::TooNested));
        check("<b><div></b>".repeat(DEPTH_MAX), Err(Reason::TooNested));
        check("<div></x>".repeat(DEPTH_MAX + 1), Err(Reason::TooNested));
        check(format!("<svg>{}", "<g>".repeat(DEPTH_MAX)), Err(Reason::TooNested));
        check("<p>a<li>b<td>c<br><img>".repeat(10_000), Ok(()));
        check("<div><span></div>".repeat(10_000), Ok(()));
        check(format!("<x{}>", " a=1".repeat(ATTRIBUTES_MAX)), Ok(()));
        check(format!("<x{}>", " a".repeat(ATTRIBUTES_MAX + 1)), Err(Reason::TooNested));
        check(format!("<x{}>", "/a='>'".repeat(ATTRIBUTES_MAX + 1)), Err(Reason::TooNested));
        check(format!("<script>{}</script>", "<div>".repeat(4_000)), Ok(()));
        check("<p>".repeat(NODES_MAX - 1), Ok(()));
        check("<p>".repeat(NODES_MAX), Err(Reason::TooLarge));
    }

    #[test]
    fn attributes_are_read() {
        let tree = Tree::of(
            "<p id=a class='b &amp; c' id=d hidden x=y STYLE=\"color: red; display : None !important\">",
        )
        .unwrap();
        assert_eq!(tree.attribute(1, Attr::Id).as_deref(), Some("a"));
        assert_eq!(tree.attribute(1, Attr::Class).as_deref(), Some("b & c"));
        assert_eq!(tree.attribute(1, Attr::Hidden).as_deref(), Some(""));
        assert_eq!(tree.attribute(1, Attr::Href), None);
        assert!(tree.is_hidden(1));
        for shown in ["<p aria-hidden=false>", "<p style='display:block'>", "<p style='xdisplay:none'>"] {
            assert!(!Tree::of(shown).unwrap().is_hidden(1), "{shown}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_a_tree(page in "([<>/='\"! a-f-]|<div|</div>|<p>|<td>|<table>|</table>|<li>|<a href=x>|</a>|<b>|</b>|<form>|</form>|<script>|</script>|<!--|-->|<svg>|<title>|<template>|<head>|<body>){0,60}") {
            let tree = Tree::of(&page).unwrap();
            for node in 1..tree.len() {
                let parent = tree.parent(node);
                proptest::prop_assert!(parent < node && tree.tag(parent).is_some());
                proptest::prop_assert!(tree.end(node) > node && tree.end(node) <= tree.end(parent));
                proptest::prop_assert_eq!(tree.depth(node), tree.depth(parent) + 1);
            }
            proptest::prop_assert_eq!(tree.end(ROOT), tree.len());
        }
    }
}
