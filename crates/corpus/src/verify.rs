//! Checking a shard: each check is a pure function, and a fault says what anyone can recompute.
//!
//! [`offline`] needs the shard and its task alone: who and what it says it is, whether its ledger tiles the task, and
//! whether its rows agree with each other. [`row`] takes one entry's bytes and runs the recipe again. Bytes that are
//! not the entry's prove nothing about the miner: that is [`RowError::NoEvidence`], never a fault.

use std::{collections::BTreeMap, fmt};

use primitives::{Digest, Hotkey};
use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

use crate::{
    decision::{Decision, Reason},
    document::{Document, RECIPE, fingerprint},
    ledger::TilingError,
    manifest::TaskSlice,
    shard::Shard,
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
    /// [`row`].
    Row,
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
    /// Every entry has a row.
    RowMissing,
    /// Every row has an entry.
    RowExtra,
    /// Rows stand in the entries' order.
    RowMoved,
    /// A row states its entry's length and digest.
    RowChanged,
    /// The documents are those of the kept rows, in order.
    Documents,
    /// A duplicate names an earlier kept entry.
    DuplicateOf,
    /// The decision is the recipe's.
    Decision,
    /// The text is the recipe's.
    Text,
    /// The tokens are counted.
    Tokens,
    /// The fingerprint is the text's.
    Fingerprint,
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
#[error("{step:?} of record {record:?} breaks {rule:?}: expected {expected}, found {found}")]
pub struct Fault {
    /// The check that failed.
    pub step: Step,
    /// The entry's index in the manifest, where the fault is in one.
    pub record: Option<u32>,
    /// The rule that was broken.
    pub rule: Rule,
    /// What the rule gives.
    pub expected: Quote,
    /// What the shard says.
    pub found: Quote,
}

/// Why a row did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RowError {
    /// The miner is provably wrong.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The bytes at hand are not the entry's, so nothing follows from them.
    #[error("bytes of {path} have digest {found}, not {expected}: no evidence")]
    NoEvidence {
        /// The entry's path.
        path: String,
        /// The digest that the task states.
        expected: Digest,
        /// The digest of the bytes at hand.
        found: Digest,
    },
    /// The task has no such entry; the caller drew outside of it.
    #[error("task has no entry {entry}")]
    Unknown {
        /// The index asked for.
        entry: u32,
    },
}

/// All that can be checked without the source: [`header`], [`tiling`], [`claims`].
///
/// # Errors
/// The first [`Fault`].
pub fn offline(shard: &Shard, task: &TaskSlice, miner: &Hotkey) -> Result<(), Fault> {
    header(shard, task, miner)?;
    tiling(shard, task)?;
    claims(shard, task)
}

/// Whether the shard says that it is this miner's work on this task by the pinned recipe.
///
/// # Errors
/// A [`Fault`] in the first field that differs.
pub fn header(shard: &Shard, task: &TaskSlice, miner: &Hotkey) -> Result<(), Fault> {
    let header = &shard.header;
    let check = |rule, equal, expected, found| {
        if equal { Ok(()) } else { Err(Fault { step: Step::Header, record: None, rule, expected, found }) }
    };
    let digest = task.digest();
    check(Rule::Recipe, header.recipe == RECIPE, Quote::of(RECIPE), Quote::of(&header.recipe))?;
    check(Rule::Task, header.task == digest, Quote::of(digest), Quote::of(header.task))?;
    check(Rule::Miner, header.miner == *miner, Quote::of(miner), Quote::of(header.miner))
}

/// Whether the ledger has exactly the task's entries; see [`crate::Ledger::tiles`].
///
/// # Errors
/// A [`Fault`] for the first row that is missing, extra, moved or changed.
pub fn tiling(shard: &Shard, task: &TaskSlice) -> Result<(), Fault> {
    let (rule, record, expected, found) = match shard.ledger.tiles(task) {
        Ok(()) => return Ok(()),
        Err(TilingError::Missing { entry, path }) => {
            (Rule::RowMissing, Some(entry), Quote::of(path), Quote::of("none"))
        }
        Err(TilingError::Extra { row, path }) => {
            let wanted = task.entries().get(row).map_or("none", |entry| &entry.path);
            (Rule::RowExtra, None, Quote::of(format_args!("row {row}: {wanted}")), Quote::of(path))
        }
        Err(TilingError::Moved { entry, row, .. }) => {
            let place = entry.saturating_sub(task.span().first);
            let (expected, found) = (format!("row {place}"), format!("row {row}"));
            (Rule::RowMoved, Some(entry), Quote::of(expected), Quote::of(found))
        }
        Err(TilingError::Changed { entry, expected, found, .. }) => {
            (Rule::RowChanged, Some(entry), Quote::of(expected), Quote::of(found))
        }
    };
    Err(Fault { step: Step::Tiling, record, rule, expected, found })
}

/// Whether the rows agree with each other: a document for each kept entry and for no other, in order; tokens and
/// fingerprints those of the texts; no text kept twice; each duplicate after the kept entry that it names.
///
/// # Errors
/// The first [`Fault`], in the order of the ledger.
pub fn claims(shard: &Shard, task: &TaskSlice) -> Result<(), Fault> {
    let fault = |entry, rule, expected: &dyn fmt::Display, found: &dyn fmt::Display| Fault {
        step: Step::Claims,
        record: Some(entry),
        rule,
        expected: Quote::of(expected),
        found: Quote::of(found),
    };
    let document_of =
        |entry: Option<u32>| entry.map_or("none".to_owned(), |entry| format!("document of entry {entry}"));
    let mut documents = shard.documents.iter();
    let mut kept: BTreeMap<Digest, u32> = BTreeMap::new();
    let mut kept_entries: Vec<u32> = Vec::new();
    for (entry, row) in (task.span().first..).zip(&shard.ledger.rows) {
        match row.decision {
            Decision::Kept => {
                let next = documents.next();
                let Some(document) = next.filter(|document| document.entry == entry) else {
                    let found = document_of(next.map(|document| document.entry));
                    return Err(fault(entry, Rule::Documents, &document_of(Some(entry)), &found));
                };
                let counted = tokens::count(&document.text);
                if document.tokens != counted {
                    return Err(fault(entry, Rule::Tokens, &counted, &document.tokens));
                }
                let print = fingerprint(&document.text);
                if document.fingerprint != print {
                    return Err(fault(entry, Rule::Fingerprint, &print, &document.fingerprint));
                }
                if let Some(&earlier) = kept.get(&print) {
                    let expected = Decision::Dropped(Reason::DuplicateOf { entry: earlier });
                    return Err(fault(entry, Rule::Decision, &expected, &row.decision));
                }
                kept.insert(print, entry);
                kept_entries.push(entry);
            }
            // Pushed in ascending order, so what is found in it is kept and earlier.
            Decision::Dropped(Reason::DuplicateOf { entry: of })
                if kept_entries.binary_search(&of).is_err() =>
            {
                return Err(fault(entry, Rule::DuplicateOf, &"an earlier kept entry", &row.decision));
            }
            Decision::Dropped(_) => {}
        }
    }
    match documents.next() {
        Some(extra) => {
            Err(fault(extra.entry, Rule::Documents, &document_of(None), &document_of(Some(extra.entry))))
        }
        None => Ok(()),
    }
}

/// Runs the recipe on the bytes of one entry and compares decision, text, tokens and fingerprint bit for bit.
///
/// Whether a document is a duplicate is decided by the fingerprints that the shard states for earlier entries;
/// [`claims`] has checked them against the texts.
///
/// # Errors
/// [`RowError::Fault`] where the shard is wrong, [`RowError::NoEvidence`] where `bytes` are not the entry's,
/// [`RowError::Unknown`] where the task has no entry `index`.
pub fn row(shard: &Shard, task: &TaskSlice, index: u32, bytes: &[u8]) -> Result<(), RowError> {
    let entry = task.entry(index).ok_or(RowError::Unknown { entry: index })?;
    if !entry.names(bytes) {
        let (path, expected, found) = (entry.path.clone(), entry.digest, Digest::of(bytes));
        return Err(RowError::NoEvidence { path, expected, found });
    }
    let fault = |rule, expected: &dyn fmt::Display, found: &dyn fmt::Display| {
        let (expected, found) = (Quote::of(expected), Quote::of(found));
        Err(RowError::Fault(Fault { step: Step::Row, record: Some(index), rule, expected, found }))
    };
    let Some(claimed) = shard.ledger.rows.get((index - task.span().first) as usize) else {
        return fault(Rule::RowMissing, &entry.path, &"none");
    };
    let expected = Document::extract(&entry.path, bytes);
    let decision = match &expected {
        Err(reason) => Decision::Dropped(*reason),
        Ok(document) => shard
            .documents
            .iter()
            .find(|row| row.entry < index && row.fingerprint == document.fingerprint)
            .map_or(Decision::Kept, |row| Decision::Dropped(Reason::DuplicateOf { entry: row.entry })),
    };
    if claimed.decision != decision {
        return fault(Rule::Decision, &decision, &claimed.decision);
    }
    let (Ok(document), Decision::Kept) = (expected, decision) else { return Ok(()) };
    let Some(row) = shard.document(index) else {
        return fault(Rule::Documents, &format_args!("document of entry {index}"), &"none");
    };
    if row.text != document.text {
        let (expected, found) = difference(&document.text, &row.text);
        return fault(Rule::Text, &expected, &found);
    }
    if row.tokens != document.tokens {
        return fault(Rule::Tokens, &document.tokens, &row.tokens);
    }
    if row.fingerprint != document.fingerprint {
        return fault(Rule::Fingerprint, &document.fingerprint, &row.fingerprint);
    }
    Ok(())
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
            record: Some(3),
            rule: Rule::Text,
            expected: Quote::of("é".repeat(10_000)),
            found: Quote::of("short"),
        };
        let json = serde_json::to_string(&fault).unwrap();
        assert!(json.len() < 4 * QUOTE_MAX_CHARS, "{}", json.len());
        assert!(json.starts_with(r#"{"step":"row","record":3,"rule":"text","expected":"é"#), "{json}");
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
