//! What a page and its server ask for: not to be used for training.
//!
//! Read are the HTTP fields `X-Robots-Tag` and `tdm-reservation`, and the page's `meta` elements `robots`, `ccbot` and
//! `tdm-reservation`. Which of these count for a text is [`OptOut::reserves_text`]'s to say.

use std::{fmt, str::FromStr};

use parity_scale_codec::{Decode, Encode};
use thiserror::Error;

use crate::{archive::Fields, page::Form};

/// Bytes of a page in which its head is looked for.
const HEAD_MAX_BYTES: usize = 1 << 18;
/// Common Crawl's robot, whose archives are read here: what is said to other robots by name says nothing about these.
const ROBOT: &str = "ccbot";

/// The wishes that were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct OptOut {
    /// `noai` or `noml`: no use for training.
    pub no_training: bool,
    /// `noimageai`: no use of its images for training.
    pub no_image_training: bool,
    /// `noindex` or `none`: no place in search results.
    pub no_index: bool,
    /// `tdm-reservation: 1`: text and data mining is reserved.
    ///
    /// Source: TDM Reservation Protocol, W3C community group report of 2024, after article 4(3) of directive (EU)
    /// 2019/790.
    pub mining_reserved: bool,
}

impl OptOut {
    /// What a server's fields say, their names in lower case.
    #[must_use]
    pub fn of_fields(fields: &Fields) -> Self {
        let mut wishes = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "x-robots-tag" => wishes.robots_field(value),
                "tdm-reservation" => wishes.mining_reserved |= value.trim() == "1",
                _ => {}
            }
        }
        wishes
    }

    /// What the `meta` elements in a page's head say.
    #[must_use]
    pub fn of_html(html: &str) -> Self {
        let mut wishes = Self::default();
        let mut rest = html.as_bytes();
        rest = &rest[..rest.len().min(HEAD_MAX_BYTES)];
        while let Some(at) = memchr::memchr(b'<', rest) {
            rest = &rest[at + 1..];
            if let Some(comment) = rest.strip_prefix(b"!--") {
                let Some(end) = memchr::memmem::find(comment, b"-->") else { break };
                rest = &comment[end..];
            } else if starts_with(rest, b"body") {
                break;
            } else if starts_with(rest, b"meta") {
                rest = wishes.meta(&rest[4..]);
            }
        }
        wishes
    }

    /// What a page says: plain text has no head.
    pub(crate) fn of_page(form: Form, text: &str) -> Self {
        if form == Form::Html { Self::of_html(text) } else { Self::default() }
    }

    /// Both wishes.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            no_training: self.no_training || other.no_training,
            no_image_training: self.no_image_training || other.no_image_training,
            no_index: self.no_index || other.no_index,
            mining_reserved: self.mining_reserved || other.mining_reserved,
        }
    }

    /// Whether a text is to be left alone: its training or its mining is reserved. What is said of images says nothing
    /// of the text, and a page that stays out of search results has not said anything about training.
    #[must_use]
    pub fn reserves_text(self) -> bool {
        self.no_training || self.mining_reserved
    }

    /// Whether a page's images are to be left alone: as [`OptOut::reserves_text`], or their training is reserved.
    #[must_use]
    pub fn reserves_images(self) -> bool {
        self.reserves_text() || self.no_image_training
    }

    /// Takes a `meta` element from behind its name; what follows it is left.
    fn meta<'a>(&mut self, mut rest: &'a [u8]) -> &'a [u8] {
        let (mut name, mut content) = (String::new(), String::new());
        while let Some((attribute, value, behind)) = attribute(rest) {
            rest = behind;
            let value = || String::from_utf8_lossy(value).trim().to_ascii_lowercase();
            // Of two attributes of one name the first counts.
            if attribute.eq_ignore_ascii_case(b"name") && name.is_empty() {
                name = value();
            } else if attribute.eq_ignore_ascii_case(b"content") && content.is_empty() {
                content = value();
            }
        }
        match name.as_str() {
            "robots" | ROBOT => content.split(',').for_each(|wish| self.wish(wish)),
            "tdm-reservation" => self.mining_reserved |= content == "1",
            _ => {}
        }
        rest
    }

    /// Takes a field's wishes; a robot's name before a colon limits what follows it to that robot.
    ///
    /// Source: Google's reference of `X-Robots-Tag`.
    fn robots_field(&mut self, value: &str) {
        let value = value.to_ascii_lowercase();
        let mut concerned = true;
        for part in value.split(',') {
            let wish = match part.split_once(':') {
                // These wishes have a value of their own.
                Some((name, _)) if name.trim().starts_with("max-") || name.trim() == "unavailable_after" => {
                    continue;
                }
                Some((robot, wish)) => {
                    concerned = robot.trim() == ROBOT || robot.trim() == "*";
                    wish
                }
                None => part,
            };
            if concerned {
                self.wish(wish);
            }
        }
    }

    fn wish(&mut self, wish: &str) {
        match wish.trim() {
            "noai" | "noml" => self.no_training = true,
            "noimageai" => self.no_image_training = true,
            "noindex" | "none" => self.no_index = true,
            _ => {}
        }
    }
}

/// The names of the wishes with spaces between.
impl fmt::Display for OptOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (self.no_training, "noai"),
            (self.no_image_training, "noimageai"),
            (self.no_index, "noindex"),
            (self.mining_reserved, "tdm-reservation"),
        ];
        let names: Vec<&str> = named.iter().filter(|(found, _)| *found).map(|(_, name)| *name).collect();
        f.write_str(&names.join(" "))
    }
}

/// A text is no list of wishes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{found:?} is no list of wishes")]
pub struct OptOutError {
    /// The text, cut to 40 characters.
    pub found: String,
}

/// Takes exactly what is displayed.
impl FromStr for OptOut {
    type Err = OptOutError;

    fn from_str(text: &str) -> Result<Self, OptOutError> {
        let mut wishes = Self::default();
        for name in text.split(' ') {
            wishes.mining_reserved |= name == "tdm-reservation";
            wishes.wish(name);
        }
        let wrong = || OptOutError { found: text.chars().take(40).collect() };
        if wishes.to_string() == text { Ok(wishes) } else { Err(wrong()) }
    }
}

/// Whether a tag of this name begins here.
fn starts_with(rest: &[u8], name: &[u8]) -> bool {
    rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
        && rest.get(name.len()).is_some_and(|byte| byte.is_ascii_whitespace() || b"/>".contains(byte))
}

/// The next attribute's name and value, and what follows; none at the tag's end.
fn attribute(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let skipped = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'/';
    let rest = &rest[rest.iter().position(|byte| !skipped(byte))?..];
    if rest[0] == b'>' {
        return None;
    }
    // An equals sign at the beginning belongs to the name.
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/>=".contains(byte);
    let (name, behind) = rest.split_at(1 + rest[1..].iter().position(ends).unwrap_or(rest.len() - 1));
    let Some(value) = behind.trim_ascii_start().strip_prefix(b"=") else { return Some((name, b"", behind)) };
    let value = value.trim_ascii_start();
    match value.first()? {
        quote @ (b'"' | b'\'') => {
            let end = memchr::memchr(*quote, &value[1..])?;
            Some((name, &value[1..=end], &value[end + 2..]))
        }
        _ => {
            let end = value.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>')?;
            Some((name, &value[..end], &value[end..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_say_what_they_wish_in_their_head() {
        let check =
            |html: &str, expect: &str| assert_eq!(OptOut::of_html(html).to_string(), expect, "{html}");
        check("<meta name=\"robots\" content=\"index, follow\">", "");
        check("<meta name=\"robots\" content=\"noai, NoImageAI\">", "noai noimageai");
        check("<META content='noindex,noai' name=Robots />", "noai noindex");
        check("<meta name=robots content=noai>", "noai");
        check("<meta name = 'ccbot' content = none>", "noindex");
        check("<meta name=googlebot content=noai>", "");
        check("<meta name=\"tdm-reservation\" content=\"1\">", "tdm-reservation");
        check("<meta name=\"tdm-reservation\" content=\"0\">", "");
        check("<!-- <meta name=robots content=noai> -->", "");
        check("<body><meta name=robots content=noai>", "");
        check("<meta name=robots name=other content=noai content=x>", "noai");
        check("<metaname=robots content=noai>", "");
        for open in [
            "<meta name=robots content='noai",
            "<meta name=robots content=noai",
            "<meta name",
            "<meta =",
            "<",
        ] {
            check(open, "");
        }
    }

    #[test]
    fn servers_say_what_they_wish_in_their_fields() {
        let check = |name: &str, value: &str, expect: &str| {
            let fields = vec![(name.to_owned(), value.to_owned())];
            assert_eq!(OptOut::of_fields(&fields).to_string(), expect, "{name}: {value}");
        };
        check("x-robots-tag", "noai, noimageai", "noai noimageai");
        check("x-robots-tag", "googlebot: noai", "");
        check("x-robots-tag", "googlebot: noindex, ccbot: noai", "noai");
        check("x-robots-tag", "max-snippet: 20, noai", "noai");
        check("tdm-reservation", " 1 ", "tdm-reservation");
        check("tdm-reservation", "0", "");
        check("x-other", "noai", "");
    }

    #[test]
    fn only_what_is_said_of_the_text_counts_for_it() {
        let reserves = |html: &str| OptOut::of_html(html).reserves_text();
        assert!(reserves("<meta name=robots content=noai>"));
        assert!(reserves("<meta name=tdm-reservation content=1>"));
        assert!(!reserves("<meta name=robots content='noindex, noimageai'>"));
    }
}
