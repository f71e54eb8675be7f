//! Shards: what a miner makes of a task, as bytes and under one root.
//!
//! A shard is the miner's claim. Decoding accepts whatever has the form and stays within [`Limits`]; whether the claim
//! is true is for [`crate::verify`]. The root is taken over the content, not over the compressed bytes, and binds the
//! miner's hotkey: a copied shard is another shard.

use std::collections::BTreeMap;

use parity_scale_codec::{Decode, Encode};
use primitives::{Digest, Hotkey, merkle};

pub use crate::container::{
    FolderError, FolderManifest, Limits, ShardError, documents_of_parquet, ledger_of_parquet,
};

use crate::{
    decision::{Decision, Reason},
    document::{Document, Extractor, RECIPE, Recipe, Rules},
    extent::Extent,
    extract,
    filter::Signals,
    ledger::{Ledger, LedgerRow},
    minhash::BANDS,
    optout::OptOut,
    page::{Form, Page},
    reading,
    source::{Source, SourceError},
};

/// Who made a shard, of what and how.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Header {
    /// The recipe that was run.
    pub recipe: Recipe,
    /// [`Extent::digest`] of what the task covers.
    pub task: Digest,
    /// The miner.
    pub miner: Hotkey,
}

/// One kept document.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DocumentRow {
    /// The row of the ledger that it belongs to.
    pub record: u32,
    /// The address that the record names; empty for files.
    pub url: String,
    /// The record's own name; empty for files.
    pub record_id: String,
    /// When the record was taken, as it says it; empty for files.
    pub date: String,
    /// The page's title; empty where it has none.
    pub title: String,
    /// The day on which the page says that it was published, as `YYYY-MM-DD`; empty where it says none.
    pub published: String,
    /// What the page and its server ask for.
    pub opt_out: OptOut,
    /// The text's language as an ISO 639-1 code, or [`crate::language::UNDETERMINED`].
    pub language: String,
    /// How sure that is, in thousandths.
    pub language_permille: u16,
    /// Its text.
    pub text: String,
    /// Its length in tokens of [`crate::tokens::TOKENIZER`].
    pub tokens: u64,
    /// [`crate::document::fingerprint`] of its text.
    pub fingerprint: Digest,
    /// What the filters decide by, of its text.
    pub signals: Signals,
    /// The MinHash bands of its text, where the task's rules ask for near duplicates and the text has five words.
    pub bands: Option<[u64; BANDS]>,
}

/// A task's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Who, what and how.
    pub header: Header,
    /// One row per record of the task.
    pub ledger: Ledger,
    /// One row per kept record, in the ledger's order.
    pub documents: Vec<DocumentRow>,
}

impl Shard {
    /// Runs the pinned recipe over a task and keeps each text once.
    ///
    /// # Errors
    /// [`SourceError`] where the source can't be read or is not what the task says: then there is no honest shard.
    pub fn build(
        extent: &Extent,
        source: &dyn Source,
        miner: Hotkey,
        rules: &Rules,
    ) -> Result<Self, SourceError> {
        Self::build_with(extent, source, miner, RECIPE, rules, &extract::main_text)
    }

    /// As [`Shard::build`], with an extraction of one's own and the name that it goes by.
    ///
    /// # Errors
    /// As [`Shard::build`].
    pub fn build_with(
        extent: &Extent,
        source: &dyn Source,
        miner: Hotkey,
        recipe: Recipe,
        rules: &Rules,
        extract: &Extractor<'_>,
    ) -> Result<Self, SourceError> {
        let kept = Kept::default();
        let mut making = Making { rules, extract, kept, rows: Vec::new(), documents: Vec::new() };
        for taken in reading::records(extent, source)? {
            let taken = taken?;
            making.add(taken.row(), taken.page());
        }
        let header = Header { recipe, task: extent.digest(), miner };
        Ok(Self { header, ledger: Ledger { rows: making.rows }, documents: making.documents })
    }

    /// The tokens that the document rows state, together.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.documents.iter().fold(0, |sum, row| sum.saturating_add(row.tokens))
    }

    /// The document of this row of the ledger.
    #[must_use]
    pub fn document(&self, row: u32) -> Option<&DocumentRow> {
        self.documents.iter().find(|document| document.record == row)
    }

    /// The Merkle leaves: the header, then each ledger row, then each document row, each under a tag of its own.
    #[must_use]
    pub fn leaves(&self) -> Vec<Digest> {
        let header = std::iter::once(merkle::leaf(&(0u8, &self.header).encode()));
        let rows = self.ledger.rows.iter().map(|row| merkle::leaf(&(1u8, row).encode()));
        let documents = self.documents.iter().map(|row| merkle::leaf(&(2u8, row).encode()));
        header.chain(rows).chain(documents).collect()
    }

    /// The Merkle root over [`Shard::leaves`]: what the miner commits to.
    #[must_use]
    pub fn root(&self) -> Digest {
        merkle::root(&self.leaves())
    }
}

/// A shard under way.
struct Making<'a> {
    rules: &'a Rules,
    extract: &'a Extractor<'a>,
    kept: Kept,
    rows: Vec<LedgerRow>,
    documents: Vec<DocumentRow>,
}

impl Making<'_> {
    /// Decides about one record.
    fn add(&mut self, mut row: LedgerRow, page: Result<Page, Reason>) {
        // A task's limits keep its rows far below; a shard of more would be refused anyway.
        let number = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let made = page.and_then(|page| Ok((Document::of_page(&page, self.rules, self.extract)?, page)));
        row.decision = match made {
            Err(reason) => Decision::Dropped(reason),
            Ok((document, page)) => match self.kept.duplicate_of(&document.fingerprint, document.bands) {
                Some(reason) => Decision::Dropped(reason),
                None => {
                    self.kept.insert(number, document.fingerprint, document.bands);
                    self.documents.push(DocumentRow::of(number, page, document));
                    Decision::Kept
                }
            },
        };
        self.rows.push(row);
    }
}

/// What was kept so far, by what duplicates have in common.
#[derive(Default)]
pub(crate) struct Kept {
    /// The row that was kept first with each fingerprint.
    exact: BTreeMap<Digest, u32>,
    /// The row that was kept first with each band, by its number.
    near: BTreeMap<(usize, u64), u32>,
}

impl Kept {
    /// Takes in a row that is kept.
    pub(crate) fn insert(&mut self, row: u32, fingerprint: Digest, bands: Option<[u64; BANDS]>) {
        self.exact.entry(fingerprint).or_insert(row);
        for band in bands.into_iter().flatten().enumerate() {
            self.near.entry(band).or_insert(row);
        }
    }

    /// Why a document with these is none of its own: it equals a kept one or, where it has bands, resembles one.
    pub(crate) fn duplicate_of(&self, fingerprint: &Digest, bands: Option<[u64; BANDS]>) -> Option<Reason> {
        if let Some(&row) = self.exact.get(fingerprint) {
            return Some(Reason::DuplicateOf { row });
        }
        let rows = bands.into_iter().flatten().enumerate().filter_map(|band| self.near.get(&band));
        rows.min().map(|&row| Reason::NearDuplicateOf { row })
    }
}

impl DocumentRow {
    /// The row of a text by itself, with what is said of it by these rules; nothing is known of its page.
    #[must_use]
    pub fn of_text(record: u32, text: String, rules: &Rules) -> Self {
        let nowhere = Page {
            url: String::new(),
            record_id: String::new(),
            date: String::new(),
            form: Form::Text,
            text: String::new(),
            opt_out: OptOut::default(),
        };
        Self::of(record, nowhere, Document::of_text(text, rules))
    }

    /// The same row with another text, and what is said of that.
    #[must_use]
    pub fn with_text(self, text: String, rules: &Rules) -> Self {
        let Self { record, url, record_id, date, title, published, opt_out, .. } = self;
        let of_text = Self::of_text(record, text, rules);
        Self { url, record_id, date, title, published, opt_out, ..of_text }
    }

    /// The row of a document made of this page.
    pub(crate) fn of(record: u32, page: Page, document: Document) -> Self {
        let Page { url, record_id, date, opt_out, .. } = page;
        let Document { text, language, language_permille, tokens, .. } = document;
        let Document { fingerprint, signals, bands, title, published, .. } = document;
        Self {
            record,
            url,
            record_id,
            date,
            title,
            published,
            opt_out,
            language: language.to_owned(),
            language_permille,
            text,
            tokens,
            fingerprint,
            signals,
            bands,
        }
    }
}
