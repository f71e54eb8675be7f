//! Checking a shard: each check is a pure function, and a fault says what anyone can recompute.
//!
//! [`offline`] needs the shard and its task alone: who and what it says it is, whether its ledger tiles the task, and
//! whether its rows agree with each other. [`row`] takes one record's bytes and runs the pinned recipe again;
//! [`aligned`] takes them for a shard of an open recipe and measures how much of the row stands in the page. Bytes
//! that are not the record's prove nothing about the miner: that is [`RowError::NoEvidence`], never a fault.

use std::fmt;

use primitives::{Digest, Hotkey};
use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

use crate::{
    alignment::Alignment,
    archive::RecordKind,
    container::bands_text,
    decision::{Decision, Reason},
    document::{Document, RECIPE, Rules, bands, fingerprint},
    extent::Extent,
    extract,
    filter::Signals,
    ledger::{LedgerRow, TilingError},
    minhash::share_a_band,
    page::Page,
    shard::{DocumentRow, Kept, Shard},
    tokens,
};

/// The longest value that a fault quotes: enough for a path's tail or a line of text, and small in a log of thousands.
pub const QUOTE_MAX_CHARS: usize = 160;
/// Characters of a text that are quoted around a difference.
const EXCERPT_CHARS: usize = 60;

/// What was being checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// [`header`].
    Header,
    /// [`tiling`].
    Tiling,
    /// [`claims`].
    Claims,
    /// [`row`] and [`aligned`].
    Row,
}

/// Which recipes a task takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipes {
    /// [`RECIPE`] alone: every row is recomputed bit for bit.
    Pinned,
    /// Any: rows are laid against their pages.
    Open,
}

/// The rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The shard was made with the pinned recipe.
    Recipe,
    /// The shard belongs to this task.
    Task,
    /// The shard belongs to this miner.
    Miner,
    /// Every record has a row.
    RowMissing,
    /// Every row has a record.
    RowExtra,
    /// Rows stand in the records' order.
    RowMoved,
    /// A row states its record's place, length, kind and digest.
    RowChanged,
    /// A row of an archive is exactly one record.
    RowSpan,
    /// The documents are those of the kept rows, in order.
    Documents,
    /// A duplicate names an earlier kept row.
    DuplicateOf,
    /// The decision is the recipe's.
    Decision,
    /// The text is the recipe's.
    Text,
    /// Address, name and date are the record's.
    Provenance,
    /// The language is the text's.
    Language,
    /// The tokens are counted.
    Tokens,
    /// The fingerprint is the text's.
    Fingerprint,
    /// Title, day of publication and opt-out are the page's.
    Metadata,
    /// The quality signals are the text's.
    Signals,
    /// The MinHash bands are the text's, where the task asks for near duplicates.
    Bands,
}

/// A value quoted in a fault, cut to [`QUOTE_MAX_CHARS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quote(String);

impl Quote {
    fn of(value: impl fmt::Display) -> Self {
        let text = value.to_string();
        match text.char_indices().nth(QUOTE_MAX_CHARS) {
            None => Self(text),
            Some(_) => Self(text.chars().take(QUOTE_MAX_CHARS - 1).chain(['…']).collect()),
        }
    }

    /// The quoted text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for Quote {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let chars = text.chars().count();
        if chars > QUOTE_MAX_CHARS {
            let message = format!("quote has {chars} characters, at most {QUOTE_MAX_CHARS} are allowed");
            return Err(de::Error::custom(message));
        }
        Ok(Self(text))
    }
}

/// A certificate: whoever has the shard, the task and the record's bytes finds the same by running the step again.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{step:?} of record {} breaks {rule:?}: expected {expected}, found {found}", shown(record.as_ref()))]
pub struct Fault {
    /// The check that failed.
    pub step: Step,
    /// The row's place in the ledger, where the fault is in one.
    pub row: Option<u32>,
    /// The record's name, where the fault is in one: a file's path, or an archive's path and the offset in it.
    pub record: Option<Quote>,
    /// The rule that was broken.
    pub rule: Rule,
    /// What the rule gives.
    pub expected: Quote,
    /// What the shard says.
    pub found: Quote,
}

fn shown(record: Option<&Quote>) -> &str {
    record.map_or("none", Quote::as_str)
}

/// Why a row did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RowError {
    /// The miner is provably wrong.
    #[error(transparent)]
    Fault(#[from] Box<Fault>),
    /// The bytes at hand are not the record's, so nothing follows from them.
    #[error("{found_bytes} bytes with digest {found} are not record {record}: no evidence")]
    NoEvidence {
        /// The record's name.
        record: String,
        /// The number of bytes at hand.
        found_bytes: usize,
        /// Their digest.
        found: Digest,
    },
    /// The shard has no such row; the caller drew outside of it.
    #[error("ledger has no row {row}")]
    Unknown {
        /// The row asked for.
        row: u32,
    },
}

/// All that can be checked without the source: [`header`], [`tiling`], [`claims`].
///
/// # Errors
/// The first [`Fault`].
pub fn offline(
    shard: &Shard,
    extent: &Extent,
    miner: &Hotkey,
    recipes: Recipes,
    rules: &Rules,
) -> Result<(), Box<Fault>> {
    header(shard, extent, miner, recipes)?;
    tiling(shard, extent)?;
    claims(shard, rules)
}

/// Whether the shard says that it is this miner's work on this task by a recipe that the task takes.
///
/// # Errors
/// A [`Fault`] in the first field that differs.
pub fn header(shard: &Shard, extent: &Extent, miner: &Hotkey, recipes: Recipes) -> Result<(), Box<Fault>> {
    let header = &shard.header;
    let check = |rule, equal, expected: &dyn fmt::Display, found: &dyn fmt::Display| {
        let (expected, found) = (Quote::of(expected), Quote::of(found));
        let fault = || Box::new(Fault { step: Step::Header, row: None, record: None, rule, expected, found });
        if equal { Ok(()) } else { Err(fault()) }
    };
    let digest = extent.digest();
    let taken = recipes == Recipes::Open || header.recipe == RECIPE;
    check(Rule::Recipe, taken, &RECIPE, &header.recipe)?;
    check(Rule::Task, header.task == digest, &digest, &header.task)?;
    check(Rule::Miner, header.miner == *miner, miner, &header.miner)
}

/// Whether the ledger covers exactly the task; see [`crate::Ledger::tiles`].
///
/// # Errors
/// A [`Fault`] for the first row that is missing, extra, moved or changed.
pub fn tiling(shard: &Shard, extent: &Extent) -> Result<(), Box<Fault>> {
    let Err(error) = shard.ledger.tiles(extent) else { return Ok(()) };
    let (rule, row, record, expected, found) = match error {
        TilingError::Missing { record, row } => {
            (Rule::RowMissing, row, record, format!("row {row}"), "none".to_owned())
        }
        TilingError::Extra { record, row } => {
            let found = format!("row {row}: {record}");
            (Rule::RowExtra, row, record, "no row for it".to_owned(), found)
        }
        TilingError::Moved { record, row, found } => {
            (Rule::RowMoved, row, record, format!("row {row}"), format!("row {found}"))
        }
        TilingError::Changed { record, row, expected, found } => {
            (Rule::RowChanged, row, record, expected, found)
        }
    };
    Err(Box::new(Fault {
        step: Step::Tiling,
        row: u32::try_from(row).ok(),
        record: Some(Quote::of(record)),
        rule,
        expected: Quote::of(expected),
        found: Quote::of(found),
    }))
}

/// Whether the rows agree with each other: a document for each kept row and for no other, in order; languages, tokens,
/// fingerprints and bands those of the texts; no text kept twice and, where the rules ask for near duplicates, none with a
/// band of an earlier one; each duplicate after the kept row that it names. Signals cost more and are [`row`]'s to check.
///
/// # Errors
/// The first [`Fault`], in the order of the ledger.
pub fn claims(shard: &Shard, rules: &Rules) -> Result<(), Box<Fault>> {
    let rows = &shard.ledger.rows;
    let document_of =
        |row: Option<u32>| row.map_or("none".to_owned(), |row| format!("document of row {row}"));
    let mut documents = shard.documents.iter();
    let mut kept = Kept::default();
    let mut kept_rows: Vec<u32> = Vec::new();
    for (number, row) in (0u32..).zip(rows) {
        let at = At { step: Step::Claims, number, row: Some(row) };
        match row.decision {
            Decision::Kept => {
                let next = documents.next();
                let Some(document) = next.filter(|document| document.record == number) else {
                    let found = document_of(next.map(|document| document.record));
                    return at.fault(Rule::Documents, &document_of(Some(number)), &found);
                };
                at.labels(document, rules)?;
                if let Some(reason) = kept.duplicate_of(&document.fingerprint, document.bands) {
                    return at.fault(Rule::Decision, &Decision::Dropped(reason), &row.decision);
                }
                kept.insert(number, document.fingerprint, document.bands);
                kept_rows.push(number);
            }
            // Pushed in ascending order, so what is found in it is kept and earlier.
            Decision::Dropped(Reason::DuplicateOf { row: of } | Reason::NearDuplicateOf { row: of })
                if kept_rows.binary_search(&of).is_err() =>
            {
                return at.fault(Rule::DuplicateOf, &"an earlier kept row", &row.decision);
            }
            Decision::Dropped(_) => {}
        }
    }
    match documents.next() {
        Some(extra) => {
            let at = At { step: Step::Claims, number: extra.record, row: rows.get(extra.record as usize) };
            at.fault(Rule::Documents, &document_of(None), &document_of(Some(extra.record)))
        }
        None => Ok(()),
    }
}

/// Runs the pinned recipe on the bytes of one row's record and compares decision, text and labels bit for bit.
///
/// `bytes` of an archive are what stands at the row's offset with its length, and count as they are; those of a file
/// count if they are what the task names. Whether a document is a duplicate is decided by the fingerprints
/// and bands that the shard states for earlier rows; [`claims`] has checked them against the texts.
///
/// # Errors
/// [`RowError::Fault`] where the shard is wrong, [`RowError::NoEvidence`] where `bytes` are not the record's,
/// [`RowError::Unknown`] where the ledger has no such row.
pub fn row(shard: &Shard, extent: &Extent, row: u32, bytes: &[u8], rules: &Rules) -> Result<(), RowError> {
    let (at, claimed, page) = record(shard, extent, row, bytes)?;
    let made = page.and_then(|page| Ok((Document::of_page(&page, rules, &extract::main_text)?, page)));
    let decision = match &made {
        Err(reason) => Decision::Dropped(*reason),
        Ok((document, _)) => {
            duplicate_of_earlier(shard, row, document).map_or(Decision::Kept, Decision::Dropped)
        }
    };
    if claimed.decision != decision {
        at.fault(Rule::Decision, &decision, &claimed.decision)?;
    }
    let (Ok((document, page)), Decision::Kept) = (made, decision) else { return Ok(()) };
    let expected = DocumentRow::of(row, page, document);
    let found = at.document(shard)?;
    Ok(at.same(&expected, found)?)
}

/// Why a row's document is none of its own, by the documents that the shard states for earlier rows.
fn duplicate_of_earlier(shard: &Shard, row: u32, document: &Document) -> Option<Reason> {
    let mut earlier = shard.documents.iter().filter(|earlier| earlier.record < row);
    if let Some(same) = earlier.clone().find(|earlier| earlier.fingerprint == document.fingerprint) {
        return Some(Reason::DuplicateOf { row: same.record });
    }
    let bands = document.bands?;
    let is_like = |earlier: &&DocumentRow| earlier.bands.is_some_and(|other| share_a_band(&other, &bands));
    earlier.find(is_like).map(|like| Reason::NearDuplicateOf { row: like.record })
}

/// Checks what an open recipe shares with the pinned one for a row, which is all but the main text, and lays its text
/// against the page that its record holds: all of the page's visible text.
///
/// A dropped row has nothing to lay, and gives an alignment of no runs: a recipe of one's own may leave out what it likes.
///
/// # Errors
/// As [`row`].
pub fn aligned(
    shard: &Shard,
    extent: &Extent,
    row: u32,
    bytes: &[u8],
    rules: &Rules,
) -> Result<Alignment, RowError> {
    let (at, claimed, page) = record(shard, extent, row, bytes)?;
    if claimed.decision != Decision::Kept {
        return Ok(Alignment::default());
    }
    let (page, whole) = match page.and_then(|page| Ok((extract::whole_text(&page)?, page))) {
        Ok((whole, page)) => (page, whole),
        Err(reason) => {
            at.fault(Rule::Decision, &reason, &claimed.decision)?;
            return Ok(Alignment::default());
        }
    };
    let found = at.document(shard)?;
    match Document::of_page(&page, rules, &|_| Ok(found.text.clone())) {
        Ok(document) => at.same(&DocumentRow::of(row, page, document), found)?,
        Err(reason) => at.fault(Rule::Decision, &Decision::Dropped(reason), &claimed.decision)?,
    }
    Ok(Alignment::of(&found.text, &whole))
}

/// The page of a row's record, once the row's facts about it have been checked.
fn record<'a>(
    shard: &'a Shard,
    extent: &Extent,
    number: u32,
    bytes: &[u8],
) -> Result<(At<'a>, &'a LedgerRow, Result<Page, Reason>), RowError> {
    let claimed = shard.ledger.rows.get(number as usize).ok_or(RowError::Unknown { row: number })?;
    let at = At { step: Step::Row, number, row: Some(claimed) };
    let no_evidence =
        |record: String| RowError::NoEvidence { record, found_bytes: bytes.len(), found: Digest::of(bytes) };
    let facts = |kind: RecordKind, digest: Digest| format!("{kind} with digest {digest}");
    let found = facts(claimed.kind, claimed.digest);
    match extent {
        Extent::Files(slice) => {
            let Some(entry) = slice.entries().get(number as usize) else {
                at.fault(Rule::RowExtra, &"no row for it", &claimed.name())?;
                return Err(RowError::Unknown { row: number });
            };
            if !entry.names(bytes) {
                return Err(no_evidence(entry.path.clone()));
            }
            let expected = facts(RecordKind::File, entry.digest);
            if expected != found || claimed.path != entry.path {
                at.fault(Rule::RowChanged, &expected, &found)?;
            }
            let page = Page::of_file(&entry.path, bytes).map(|page| Page { url: String::new(), ..page });
            Ok((at, claimed, page))
        }
        Extent::Archive(range) => {
            if bytes.len() as u64 != claimed.length_bytes {
                return Err(no_evidence(claimed.name().to_string()));
            }
            let step = match range.layout.step(bytes) {
                Ok(step) if step.length_bytes == bytes.len() as u64 => step,
                Ok(step) => {
                    let expected = format!("one record of {} bytes", step.length_bytes);
                    at.fault(Rule::RowSpan, &expected, &format!("{} bytes", bytes.len()))?;
                    step
                }
                Err(error) => {
                    at.fault(Rule::RowSpan, &"one record", &error)?;
                    return Err(RowError::Unknown { row: number });
                }
            };
            let expected = facts(step.kind(), step.digest());
            if expected != found {
                at.fault(Rule::RowChanged, &expected, &found)?;
            }
            Ok((at, claimed, range.layout.page(&step.content)))
        }
    }
}

/// Where a check stands.
struct At<'a> {
    step: Step,
    number: u32,
    row: Option<&'a LedgerRow>,
}

impl At<'_> {
    fn fault(
        &self,
        rule: Rule,
        expected: &dyn fmt::Display,
        found: &dyn fmt::Display,
    ) -> Result<(), Box<Fault>> {
        Err(Box::new(Fault {
            step: self.step,
            row: Some(self.number),
            record: self.row.map(|row| Quote::of(row.name())),
            rule,
            expected: Quote::of(expected),
            found: Quote::of(found),
        }))
    }

    fn document<'s>(&self, shard: &'s Shard) -> Result<&'s DocumentRow, RowError> {
        let found = shard.document(self.number);
        if found.is_none() {
            self.fault(Rule::Documents, &format_args!("document of row {}", self.number), &"none")?;
        }
        found.ok_or(RowError::Unknown { row: self.number })
    }

    /// Whether a document is what its record gives, column by column.
    fn same(&self, expected: &DocumentRow, found: &DocumentRow) -> Result<(), Box<Fault>> {
        let named = |row: &DocumentRow| format!("{} {} {}", row.date, row.record_id, row.url);
        self.equal(Rule::Provenance, named(expected), named(found))?;
        if found.text != expected.text {
            let (expected, found) = difference(&expected.text, &found.text);
            return self.fault(Rule::Text, &expected, &found);
        }
        let said =
            |row: &DocumentRow| format!("{:?} {:?} {:?}", row.opt_out.to_string(), row.published, row.title);
        self.equal(Rule::Metadata, said(expected), said(found))?;
        self.equal(Rule::Language, language(expected), language(found))?;
        self.equal(Rule::Tokens, expected.tokens, found.tokens)?;
        self.equal(Rule::Fingerprint, expected.fingerprint, found.fingerprint)?;
        let values = expected.signals.values().into_iter().zip(found.signals.values());
        for ((name, _), (expected, found)) in Signals::NAMES.iter().zip(values) {
            self.equal(Rule::Signals, format!("{name} {expected}"), format!("{name} {found}"))?;
        }
        self.equal(Rule::Bands, bands_text(expected.bands), bands_text(found.bands))
    }

    /// Whether what a document says of its text is so, as far as every document is checked for it.
    fn labels(&self, document: &DocumentRow, rules: &Rules) -> Result<(), Box<Fault>> {
        let guess = rules.guess(&document.text);
        self.equal(Rule::Language, format!("{} {}", guess.code, guess.permille), language(document))?;
        self.equal(Rule::Tokens, tokens::count(&document.text), document.tokens)?;
        self.equal(Rule::Fingerprint, fingerprint(&document.text), document.fingerprint)?;
        self.equal(Rule::Bands, bands_text(bands(&document.text, rules)), bands_text(document.bands))
    }

    fn equal<T: PartialEq + fmt::Display>(
        &self,
        rule: Rule,
        expected: T,
        found: T,
    ) -> Result<(), Box<Fault>> {
        if expected == found { Ok(()) } else { self.fault(rule, &expected, &found) }
    }
}

fn language(row: &DocumentRow) -> String {
    format!("{} {}", row.language, row.language_permille)
}

/// Both texts from the character at which they part, with the byte at which it stands.
fn difference(expected: &str, found: &str) -> (String, String) {
    let same = expected.chars().zip(found.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8());
    let at: usize = same.sum();
    let excerpt = |text: &str| {
        let rest: String = text[at..].chars().take(EXCERPT_CHARS).collect();
        format!("{} bytes, from byte {at}: {rest:?}", text.len())
    };
    (excerpt(expected), excerpt(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_stay_small_and_are_read_back() {
        let fault = Fault {
            step: Step::Row,
            row: Some(3),
            record: Some(Quote::of("a.warc.gz@17")),
            rule: Rule::Text,
            expected: Quote::of("é".repeat(10_000)),
            found: Quote::of("short"),
        };
        let json = serde_json::to_string(&fault).unwrap();
        assert!(json.len() < 4 * QUOTE_MAX_CHARS, "{}", json.len());
        assert!(
            json.starts_with(r#"{"step":"row","row":3,"record":"a.warc.gz@17","rule":"text","expected":"é"#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), fault);
        let long = json.replace("short", &"x".repeat(QUOTE_MAX_CHARS + 1));
        assert!(serde_json::from_str::<Fault>(&long).is_err());
    }

    #[test]
    fn differences_are_shown_where_they_begin() {
        let check = |a: &str, b: &str, expect: (&str, &str)| {
            assert_eq!(difference(a, b), (expect.0.to_owned(), expect.1.to_owned()));
        };
        check("naïve x", "naïve y", ("8 bytes, from byte 7: \"x\"", "8 bytes, from byte 7: \"y\""));
        check(
            "same",
            "same and more",
            ("4 bytes, from byte 4: \"\"", "13 bytes, from byte 4: \" and more\""),
        );
        check("é", "è", ("2 bytes, from byte 0: \"é\"", "2 bytes, from byte 0: \"è\""));
    }
}
