//! The tokenizer of the HTML standard, 13.2.5, over a text that lies in memory.
//!
//! A token is a range of the page: nothing is copied, and references stay as they are until somebody reads the text.
//! Scripts, styles and comments are passed over at the speed of a search for a byte. What is in error is read as the
//! standard says; the errors themselves are not told. Each byte is looked at a bounded number of times.

use memchr::{memchr, memmem};

use super::tag::Tag;

/// Bytes of a page, from one to before the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn of(self, page: &str) -> &str {
        &page[self.start..self.end]
    }
}

/// A piece of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Characters; the next token may be more of them.
    Text(Span, Kind),
    /// A start tag, whose attributes the tokenizer holds until the next token.
    Start { name: Span, is_self_closing: bool },
    /// An end tag.
    End { name: Span },
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// With references.
    Data,
    /// With references, in an element that has no markup (`title`, `textarea`).
    Rcdata,
    /// As it is, in an element that has no markup.
    Raw,
    /// As it is, between markup.
    Cdata,
}

/// An attribute of a start tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: Span,
    /// Empty where there is none.
    pub(super) value: Span,
}

pub(super) struct Tokenizer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Those of the last start tag, the repeated ones too.
    pub(super) attributes: Vec<Attribute>,
    /// The element whose end tag alone ends the text that comes now.
    raw: Option<Tag>,
    /// Whether the end tag of a `noscript` ends it, too.
    in_noscript: bool,
}

impl<'a> Tokenizer<'a> {
    pub(super) fn new(page: &'a str) -> Self {
        Self { bytes: page.as_bytes(), at: 0, attributes: Vec::new(), raw: None, in_noscript: false }
    }

    /// What stands behind the start tag just read is text up to the element's end tag, if the element is one of those.
    ///
    /// In a `noscript` the text ends with it at the latest: to browsers, which run scripts, the whole of a `noscript` is
    /// raw text, and pages have frames in it that they never close.
    pub(super) fn enter(&mut self, tag: Tag, in_noscript: bool) {
        self.raw = is_raw(tag).then_some(tag);
        self.in_noscript = in_noscript;
    }

    /// The next piece; none at the end. In SVG and MathML there are CDATA sections.
    pub(super) fn next(&mut self, in_foreign: bool) -> Option<Token> {
        if let Some(tag) = self.raw.take() {
            let start = self.at;
            self.at = self.raw_end(tag);
            if self.at > start {
                let kind = if matches!(tag, Tag::Title | Tag::Textarea) { Kind::Rcdata } else { Kind::Raw };
                return Some(Token::Text(Span { start, end: self.at }, kind));
            }
        }
        while self.at < self.bytes.len() {
            let start = self.at;
            self.at = self.next_markup(start);
            if self.at > start {
                return Some(Token::Text(Span { start, end: self.at }, Kind::Data));
            }
            if let Some(token) = self.markup(in_foreign) {
                return Some(token);
            }
        }
        None
    }

    /// The place of the next `<` that begins markup, from this one on; the page's end where there is none.
    fn next_markup(&self, from: usize) -> usize {
        let mut at = from;
        while let Some(found) = memchr(b'<', &self.bytes[at..]) {
            at += found;
            match self.bytes.get(at + 1) {
                Some(b'!' | b'?') => return at,
                Some(b'/') if at + 2 < self.bytes.len() => return at,
                Some(byte) if byte.is_ascii_alphabetic() => return at,
                _ => at += 1,
            }
        }
        self.bytes.len()
    }

    /// Reads the markup at this place; none if it says nothing, or ends with the page.
    fn markup(&mut self, in_foreign: bool) -> Option<Token> {
        let start = self.at;
        match self.bytes[start + 1] {
            b'/' => match self.bytes[start + 2] {
                b'>' => self.at = start + 3,
                byte if byte.is_ascii_alphabetic() => {
                    self.at = start + 2;
                    let (name, _) = self.tag()?;
                    return Some(Token::End { name });
                }
                _ => self.pass(b">", start + 2),
            },
            b'!' => {
                let rest = &self.bytes[start + 2..];
                if rest.starts_with(b"--") {
                    self.pass_comment(start + 4);
                } else if in_foreign && rest.starts_with(b"[CDATA[") {
                    self.pass(b"]]>", start + 9);
                    // Cut short by the page's end, it has no mark behind it.
                    let has_end = self.bytes[start + 9..self.at].ends_with(b"]]>");
                    let end = if has_end { self.at - 3 } else { self.at };
                    if end > start + 9 {
                        return Some(Token::Text(Span { start: start + 9, end }, Kind::Cdata));
                    }
                } else {
                    self.pass(b">", start + 2);
                }
            }
            b'?' => self.pass(b">", start + 2),
            _ => {
                self.at = start + 1;
                let (name, is_self_closing) = self.tag()?;
                return Some(Token::Start { name, is_self_closing });
            }
        }
        None
    }

    /// Goes behind the next occurrence of these bytes, or to the end.
    fn pass(&mut self, end: &[u8], from: usize) {
        let found = match *end {
            [byte] => memchr(byte, &self.bytes[from..]),
            _ => memmem::find(&self.bytes[from..], end),
        };
        self.at = found.map_or(self.bytes.len(), |at| from + at + end.len());
    }

    /// Goes behind a comment whose text begins here.
    fn pass_comment(&mut self, from: usize) {
        let rest = &self.bytes[from..];
        if rest.starts_with(b">") || rest.starts_with(b"->") {
            self.at = from + if rest[0] == b'>' { 1 } else { 2 };
            return;
        }
        self.at = from;
        while let Some(dashes) = memmem::find(&self.bytes[self.at..], b"--") {
            self.at += dashes;
            let end = self.skip(|byte| byte != b'-');
            match &self.bytes[end..] {
                [b'>', ..] => {
                    self.at = end + 1;
                    return;
                }
                [b'!', b'>', ..] => {
                    self.at = end + 2;
                    return;
                }
                _ => {}
            }
        }
        self.at = self.bytes.len();
    }

    /// Reads a tag from its name on: the name, and whether it closes itself; none where the page ends in it.
    fn tag(&mut self) -> Option<(Span, bool)> {
        self.attributes.clear();
        let start = self.at;
        let name = Span { start, end: self.skip(|byte| is_space(byte) || matches!(byte, b'/' | b'>')) };
        loop {
            self.skip(|byte| !is_space(byte));
            match self.peek()? {
                b'>' => {
                    self.at += 1;
                    return Some((name, false));
                }
                b'/' => {
                    self.at += 1;
                    if self.peek()? == b'>' {
                        self.at += 1;
                        return Some((name, true));
                    }
                }
                _ => {
                    let attribute = self.attribute()?;
                    self.attributes.push(attribute);
                }
            }
        }
    }

    fn attribute(&mut self) -> Option<Attribute> {
        let start = self.at;
        // A name may begin with an equals sign.
        self.at += 1;
        let end = self.skip(|byte| is_space(byte) || matches!(byte, b'/' | b'>' | b'='));
        let name = Span { start, end };
        self.skip(|byte| !is_space(byte));
        if self.peek()? != b'=' {
            return Some(Attribute { name, value: Span { start: end, end } });
        }
        self.at += 1;
        self.skip(|byte| !is_space(byte));
        let quote = self.peek()?;
        let start = self.at;
        let value = match quote {
            b'"' | b'\'' => {
                let length = memchr(quote, &self.bytes[start + 1..]);
                let Some(length) = length else {
                    self.at = self.bytes.len();
                    return None;
                };
                self.at = start + length + 2;
                Span { start: start + 1, end: start + 1 + length }
            }
            b'>' => Span { start, end: start },
            _ => Span { start, end: self.skip(|byte| is_space(byte) || byte == b'>') },
        };
        Some(Attribute { name, value })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Goes on to the next byte that is wanted, or the end; its place.
    fn skip(&mut self, is_wanted: impl Fn(u8) -> bool) -> usize {
        while self.peek().is_some_and(|byte| !is_wanted(byte)) {
            self.at += 1;
        }
        self.at
    }

    /// Where the text of such an element ends that begins here.
    fn raw_end(&self, tag: Tag) -> usize {
        match tag {
            Tag::Plaintext => self.bytes.len(),
            Tag::Script => self.script_end(),
            _ => {
                let mut at = self.at;
                while let Some(found) = memchr(b'<', &self.bytes[at..]) {
                    at += found;
                    if self.bytes.get(at + 1) == Some(&b'/') && self.is_raw_end(at + 2, tag) {
                        return at;
                    }
                    at += 1;
                }
                self.bytes.len()
            }
        }
    }

    fn is_raw_end(&self, at: usize, tag: Tag) -> bool {
        self.is_name(at, tag.text()) || self.in_noscript && self.is_name(at, Tag::Noscript.text())
    }

    /// Whether a tag's name stands here, and nothing of it goes on behind.
    fn is_name(&self, at: usize, name: &str) -> bool {
        let found = self.bytes.get(at..at + name.len());
        let behind = self.bytes.get(at + name.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
            && behind.is_some_and(|byte| is_space(*byte) || matches!(byte, b'/' | b'>'))
    }

    /// Where a script ends. In what looks like a comment within it, what looks like a script has an end of its own.
    ///
    /// Source: the HTML standard, 13.2.5.15 to 13.2.5.31, "script data".
    fn script_end(&self) -> usize {
        let mut at = self.at;
        while let Some(found) = memchr(b'<', &self.bytes[at..]) {
            at += found;
            let rest = &self.bytes[at + 1..];
            if rest.first() == Some(&b'/') && self.is_raw_end(at + 2, Tag::Script) {
                return at;
            }
            at += 1;
            if rest.starts_with(b"!--") {
                // The dashes of the beginning may be those of the end.
                match self.escaped_end(at + 1) {
                    Escaped::Comment(end) => at = end,
                    Escaped::Script(end) => return end,
                }
            }
        }
        self.bytes.len()
    }

    fn escaped_end(&self, from: usize) -> Escaped {
        let mut in_script = false;
        let mut at = from;
        while let Some(found) = memchr::memchr2(b'<', b'-', &self.bytes[at..]) {
            at += found;
            let rest = &self.bytes[at..];
            if rest.starts_with(b"-->") {
                return Escaped::Comment(at + 3);
            }
            if rest.starts_with(b"</") && self.is_raw_end(at + 2, Tag::Script) {
                if !in_script || !self.is_name(at + 2, "script") {
                    return Escaped::Script(at);
                }
                in_script = false;
            } else if rest[0] == b'<' && self.is_name(at + 1, "script") {
                in_script = true;
            }
            at += 1;
        }
        Escaped::Script(self.bytes.len())
    }
}

/// What ends the part of a script that looks like a comment, and where.
enum Escaped {
    Comment(usize),
    Script(usize),
}

/// Elements whose content is text alone, where scripts don't run.
fn is_raw(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::Iframe
            | Tag::Noembed
            | Tag::Noframes
            | Tag::Plaintext
            | Tag::Script
            | Tag::Style
            | Tag::Textarea
            | Tag::Title
            | Tag::Xmp
    )
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use html5ever::{
        tendril::StrTendril,
        tokenizer::{
            self as peer, BufferQueue, TagKind, TokenSink, TokenSinkResult, TokenizerOpts, states::RawKind,
        },
    };
    use proptest::{prop_assert_eq, prop_oneof, proptest, strategy::Strategy};

    use super::*;
    use crate::html::reference::{Place, decode_into};

    #[derive(Debug, PartialEq, Eq)]
    enum Piece {
        Text(String),
        Start(String, Vec<(String, String)>, bool),
        End(String),
    }

    /// Pieces, with texts in a row joined.
    #[derive(Default)]
    struct Pieces(Vec<Piece>);

    impl Pieces {
        fn text(&mut self, text: &str) {
            let text = text.replace('\0', "\u{fffd}");
            if text.is_empty() {
                return;
            }
            match self.0.last_mut() {
                Some(Piece::Text(before)) => before.push_str(&text),
                _ => self.0.push(Piece::Text(text)),
            }
        }
    }

    fn decoded(raw: &str, place: Option<Place>) -> String {
        let raw = raw.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}");
        let mut out = String::new();
        match place {
            Some(place) => decode_into(&mut out, &raw, place),
            None => out.push_str(&raw),
        }
        out
    }

    fn ours(page: &str, in_foreign: bool) -> Vec<Piece> {
        let (mut tokenizer, mut pieces) = (Tokenizer::new(page), Pieces::default());
        let named = |name: Span| decoded(&name.of(page).to_ascii_lowercase(), None);
        while let Some(token) = tokenizer.next(in_foreign) {
            match token {
                Token::Text(span, kind) => {
                    let place = matches!(kind, Kind::Data | Kind::Rcdata).then_some(Place::Text);
                    pieces.text(&decoded(span.of(page), place));
                }
                Token::Start { name, is_self_closing } => {
                    let mut attributes: Vec<(String, String)> = vec![];
                    for attribute in &tokenizer.attributes {
                        let name = named(attribute.name);
                        if attributes.iter().all(|(other, _)| *other != name) {
                            attributes
                                .push((name, decoded(attribute.value.of(page), Some(Place::Attribute))));
                        }
                    }
                    pieces.0.push(Piece::Start(named(name), attributes, is_self_closing));
                    if !in_foreign {
                        tokenizer.enter(Tag::of(name.of(page).as_bytes()), false);
                    }
                }
                Token::End { name } => pieces.0.push(Piece::End(named(name))),
            }
        }
        pieces.0
    }

    #[derive(Default)]
    struct Sink {
        pieces: RefCell<Pieces>,
        in_foreign: bool,
    }

    impl TokenSink for Sink {
        type Handle = ();

        fn process_token(&self, token: peer::Token, _line: u64) -> TokenSinkResult<()> {
            let mut pieces = self.pieces.borrow_mut();
            match token {
                peer::Token::CharacterTokens(text) => pieces.text(&text),
                peer::Token::NullCharacterToken => pieces.text("\0"),
                peer::Token::TagToken(tag) if tag.kind == TagKind::EndTag => {
                    pieces.0.push(Piece::End(tag.name.to_string()));
                }
                peer::Token::TagToken(tag) => {
                    let attribute =
                        |one: &html5ever::Attribute| (one.name.local.to_string(), one.value.to_string());
                    let attributes = tag.attrs.iter().map(attribute).collect();
                    pieces.0.push(Piece::Start(tag.name.to_string(), attributes, tag.self_closing));
                    if !self.in_foreign {
                        return match &*tag.name {
                            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
                            "style" | "iframe" | "noembed" | "noframes" | "xmp" => {
                                TokenSinkResult::RawData(RawKind::Rawtext)
                            }
                            "textarea" | "title" => TokenSinkResult::RawData(RawKind::Rcdata),
                            "plaintext" => TokenSinkResult::Plaintext,
                            _ => TokenSinkResult::Continue,
                        };
                    }
                }
                _ => {}
            }
            TokenSinkResult::Continue
        }

        fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
            self.in_foreign
        }
    }

    fn theirs(page: &str, in_foreign: bool) -> Vec<Piece> {
        let queue = BufferQueue::default();
        queue.push_back(StrTendril::from_slice(page));
        let sink = Sink { in_foreign, ..Sink::default() };
        let options = TokenizerOpts { discard_bom: false, ..TokenizerOpts::default() };
        let tokenizer = peer::Tokenizer::new(sink, options);
        let _ = tokenizer.feed(&queue);
        tokenizer.end();
        tokenizer.sink.pieces.into_inner().0
    }

    fn fragment() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[<>/='\"! a-dA-D&;#x\\-\\[\\]?\t\r\n\0é]{1,4}",
            1 => "</?(div|a|script|style|title|textarea|svg|plaintext|iframe|b)( [a-c]{1,2}=['\"]?[a-c&;]{0,3}['\"]?){0,3} ?/?>?",
            1 => "(<!--|-->|--!>|<!-|->|<!DOCTYPE html>|<!\\[CDATA\\[|\\]\\]>|</script|<script|</style|</title)[ />]?",
            1 => "&(amp|lt|not|notin|copy|acute|#[0-9]{1,4}|#x[0-9a-f]{1,5});?",
        ]
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 4000, ..Default::default() })]
        #[test]
        fn tokens_are_those_of_html5ever(
            fragments in proptest::collection::vec(fragment(), 0..16),
            in_foreign in proptest::bool::ANY,
        ) {
            let page = fragments.concat();
            prop_assert_eq!(ours(&page, in_foreign), theirs(&page, in_foreign));
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "pages that lie beside the repository")]
    fn tokens_of_real_pages_are_those_of_html5ever() {
        let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/wcxb/dev.warc.gz");
        let Ok(bytes) = std::fs::read(place) else { return println!("skipped: no {place}") };
        let pages_max = if cfg!(debug_assertions) { 60 } else { usize::MAX };
        let (mut at, mut pages) = (0, 0);
        while at < bytes.len() && pages < pages_max {
            let step = crate::archive::step(&bytes[at..]).unwrap();
            if let crate::archive::Content::Record(record) = &step.content
                && record.kind == crate::RecordKind::Response
            {
                let page = crate::Page::of_record(record).unwrap().text;
                for (ours, theirs) in ours(&page, false).iter().zip(&theirs(&page, false)) {
                    assert_eq!(ours, theirs, "{}", record.url);
                }
                pages += 1;
            }
            at += usize::try_from(step.length_bytes).expect("it lies in memory");
        }
        assert!(pages > 0);
    }
}
