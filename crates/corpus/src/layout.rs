//! How an archive is laid out: where its records begin and end, and how each becomes a page.

use std::io::Cursor;

use serde::{Deserialize, Serialize};

use crate::{
    archive::{self, Content, Record, RecordKind, Step, Unreadable},
    decision::Reason,
    page::Page,
};

mod row;
mod thread;
mod wiki;
mod wikitext;

pub(crate) use thread::Post;

/// What a page of a wiki's dump begins with.
pub(crate) const WIKI_PAGE: &[u8] = b"<page>";

/// How an archive is laid out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// WARC or ARC records; see [`archive`].
    #[default]
    Records,
    /// A dump of MediaWiki in XML: what stands around the pages, then each page up to the next one. A page of the main
    /// namespace that is no redirect is a document.
    Wiki,
    /// Posts of Stack Exchange as [`crate::source::threads`] arranges them: a question with its answers, and a blank line
    /// behind them.
    Threads,
    /// One JSON object per line.
    Rows(Fields),
}

/// Which members of a JSON object, or columns of a table, hold what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// The text.
    pub text: String,
    /// The address; none where there is no such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The row's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
}

impl Default for Fields {
    /// Those of most corpora on the Hub.
    fn default() -> Self {
        let named = |name: &str| Some(name.to_owned());
        Self { text: "text".to_owned(), url: named("url"), id: named("id"), date: named("date") }
    }
}

impl Fields {
    /// All names, the text's first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let others = [&self.url, &self.id, &self.date].into_iter().flatten();
        std::iter::once(&self.text).chain(others).map(String::as_str)
    }
}

impl Layout {
    /// Whether this is the layout of web archives.
    #[must_use]
    pub fn is_records(&self) -> bool {
        *self == Self::Records
    }

    /// The first step of `bytes`.
    ///
    /// # Errors
    /// As [`archive::step`].
    pub fn step(&self, bytes: &[u8]) -> Result<Step, Unreadable> {
        archive::first_step(bytes, self)
    }

    /// The page in a step.
    ///
    /// # Errors
    /// The [`Reason`] why there is none.
    pub fn page(&self, content: &Content) -> Result<Page, Reason> {
        let record = match content {
            Content::Record(record) => record,
            Content::TooLarge { .. } => return Err(Reason::TooLarge),
            Content::Malformed { .. } | Content::Gap { .. } => return Err(Reason::Malformed),
        };
        match (self, record.kind) {
            (Self::Records, _) => Page::of_record(record),
            (Self::Wiki, RecordKind::WikiPage) => wiki::page(&record.payload),
            (Self::Threads, RecordKind::Thread) => thread::page(&record.payload),
            (Self::Rows(fields), RecordKind::Row) => row::page(&record.payload, fields),
            (_, kind) => Err(Reason::NotAPage { kind }),
        }
    }

    /// The votes that a question has got, where a step holds one.
    #[must_use]
    pub fn score(&self, record: &Record) -> Option<i64> {
        match self {
            Self::Threads => thread::score(&record.payload),
            _ => None,
        }
    }

    /// The steps of an archive that is in memory.
    pub fn reader<'a>(&self, bytes: &'a [u8]) -> archive::Reader<Cursor<&'a [u8]>> {
        archive::Reader::new(Cursor::new(bytes), 0, bytes.len() as u64, self.clone())
    }
}
