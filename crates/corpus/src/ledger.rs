//! The ledger: one row for each record of the task, whether it was kept or not.
//!
//! A shard that leaves records out must say so here, and a ledger that leaves one out does not tile its task: silence
//! can't hide work that was not done. Files tile against the list that the task names; records of an archive tile
//! byte for byte, each beginning where the one before ends.

use std::{collections::BTreeMap, fmt};

use parity_scale_codec::{Decode, Encode};
use primitives::Digest;
use thiserror::Error;

use crate::{
    archive::RecordKind,
    decision::Decision,
    extent::{ArchiveRange, Extent},
    manifest::{Entry, TaskSlice},
};

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LedgerRow {
    /// The path of the file, or of the archive.
    pub path: String,
    /// Where the record begins in it, in stored bytes; 0 for a file.
    pub offset_bytes: u64,
    /// Its length in stored bytes.
    pub length_bytes: u64,
    /// What kind of record it is.
    pub kind: RecordKind,
    /// The digest of what it holds: the file's bytes; what a server sent behind its header, as stored; of other records
    /// the block; of what can't be read as a record, and of a dump, the stored bytes.
    pub digest: Digest,
    /// Kept, or dropped and why.
    pub decision: Decision,
}

impl LedgerRow {
    /// How faults name the record: a file by its path, a record of an archive by path and offset.
    #[must_use]
    pub fn name(&self) -> RecordName<'_> {
        match self.kind {
            RecordKind::File => RecordName { path: &self.path, offset_bytes: None },
            _ => RecordName { path: &self.path, offset_bytes: Some(self.offset_bytes) },
        }
    }
}

/// A record's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordName<'a> {
    path: &'a str,
    offset_bytes: Option<u64>,
}

impl fmt::Display for RecordName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset_bytes {
            None => f.write_str(self.path),
            Some(offset) => write!(f, "{}@{offset}", self.path),
        }
    }
}

/// The rows in the order of the task's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The rows.
    pub rows: Vec<LedgerRow>,
}

/// The first place where a ledger and its task part.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TilingError {
    /// A record has no row.
    #[error("record {record} has no row")]
    Missing {
        /// The record's name.
        record: String,
        /// The place in the ledger at which its row should stand.
        row: usize,
    },
    /// A row belongs to no record that is left, or repeats one.
    #[error("row {row} ({record}) belongs to no record that is left")]
    Extra {
        /// The record's name as the row has it.
        record: String,
        /// The row's place in the ledger.
        row: usize,
    },
    /// A record's row stands at another place.
    #[error("record {record} has its row at place {found} instead of {row}")]
    Moved {
        /// The record's name.
        record: String,
        /// The place at which its row should stand.
        row: usize,
        /// The place at which it stands.
        found: usize,
    },
    /// A row states another place, length, kind or digest than its record has.
    #[error("row {row} of record {record} states {found}, expected {expected}")]
    Changed {
        /// The record's name.
        record: String,
        /// The row's place in the ledger.
        row: usize,
        /// What the record has.
        expected: String,
        /// What the row states.
        found: String,
    },
}

impl Ledger {
    /// Whether the rows cover the task one by one, in order and with nothing else.
    ///
    /// # Errors
    /// [`TilingError`] with the first place where they don't.
    pub fn tiles(&self, extent: &Extent) -> Result<(), TilingError> {
        match extent {
            Extent::Files(slice) => self.tiles_files(slice),
            Extent::Archive(range) => self.tiles_range(range),
        }
    }

    /// The number of each decision, duplicates together.
    #[must_use]
    pub fn decisions(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for row in &self.rows {
            let text = row.decision.to_string();
            let key = match text.split_once(':') {
                Some((kind @ ("dup_of" | "near_dup_of"), _)) => kind.to_owned(),
                _ => text,
            };
            *counts.entry(key).or_default() += 1;
        }
        counts
    }

    fn tiles_files(&self, slice: &TaskSlice) -> Result<(), TilingError> {
        let mut rows = self.rows.iter().enumerate();
        for (row, wanted) in slice.entries().iter().enumerate() {
            let record = wanted.path.clone();
            let Some((_, found)) = rows.next() else { return Err(TilingError::Missing { record, row }) };
            if found.path != wanted.path {
                return Err(self.misplaced_file(&slice.entries()[row..], row));
            }
            let facts = |offset: u64, length: u64, kind: RecordKind, digest: Digest| {
                format!("{kind} of {length} bytes from {offset} with digest {digest}")
            };
            let expected = facts(0, wanted.length_bytes, RecordKind::File, wanted.digest);
            let found = facts(found.offset_bytes, found.length_bytes, found.kind, found.digest);
            if expected != found {
                return Err(TilingError::Changed { record, row, expected, found });
            }
        }
        rows.next().map_or(Ok(()), |(row, extra)| Err(extra.extra(row)))
    }

    /// What to call the row that stands where the first entry of `left` should: its own row is further down, or the
    /// stranger is from outside of what is left, or the entry was left out.
    fn misplaced_file(&self, left: &[Entry], row: usize) -> TilingError {
        let record = left[0].path.clone();
        let stranger = &self.rows[row];
        if !left.iter().any(|entry| entry.path == stranger.path) {
            return stranger.extra(row);
        }
        match self.rows[row..].iter().position(|later| later.path == record) {
            Some(further) => TilingError::Moved { record, row, found: row + further },
            None => TilingError::Missing { record, row },
        }
    }

    fn tiles_range(&self, range: &ArchiveRange) -> Result<(), TilingError> {
        let named = |offset: u64| RecordName { path: &range.path, offset_bytes: Some(offset) }.to_string();
        let end = range.end_byte();
        let mut at = range.first_byte;
        for (row, found) in self.rows.iter().enumerate() {
            if found.offset_bytes != at {
                return Err(self.misplaced_record(range, row, at));
            }
            if at == end || found.length_bytes == 0 {
                return Err(found.extra(row));
            }
            if found.path != range.path || found.kind == RecordKind::File {
                let expected = format!("a record of {}", range.path);
                let found = format!("a {} of {}", found.kind, found.path);
                return Err(TilingError::Changed { record: named(at), row, expected, found });
            }
            let next = at.saturating_add(found.length_bytes);
            if next > end {
                let (expected, found) = (length(end - at), length(found.length_bytes));
                return Err(TilingError::Changed { record: named(at), row, expected, found });
            }
            at = next;
        }
        if at == end { Ok(()) } else { Err(TilingError::Missing { record: named(at), row: self.rows.len() }) }
    }

    /// What to call the row that stands where the record at `at` should. Its own row is further down; or only its
    /// offset is wrong, since the row behind it fits; or the stranger begins in what is covered already, because the
    /// row before states too much or the stranger repeats; or the record was left out.
    fn misplaced_record(&self, range: &ArchiveRange, row: usize, at: u64) -> TilingError {
        let found = &self.rows[row];
        let record = RecordName { path: &range.path, offset_bytes: Some(at) }.to_string();
        let further = self.rows[row..].iter().position(|later| later.offset_bytes == at);
        if found.offset_bytes > at
            && let Some(further) = further
        {
            return TilingError::Moved { record, row, found: row + further };
        }
        let behind = at.saturating_add(found.length_bytes);
        let next = self.rows.get(row + 1).map_or(range.end_byte(), |next| next.offset_bytes);
        if behind == next {
            let (expected, found) = (format!("offset {at}"), format!("offset {}", found.offset_bytes));
            return TilingError::Changed { record, row, expected, found };
        }
        if found.offset_bytes > at {
            return TilingError::Missing { record, row };
        }
        match row.checked_sub(1).map(|before| (before, &self.rows[before])) {
            Some((before, overlong)) if further.is_none() && found.offset_bytes > overlong.offset_bytes => {
                TilingError::Changed {
                    record: overlong.name().to_string(),
                    row: before,
                    expected: length(found.offset_bytes - overlong.offset_bytes),
                    found: length(overlong.length_bytes),
                }
            }
            _ => found.extra(row),
        }
    }
}

impl LedgerRow {
    fn extra(&self, row: usize) -> TilingError {
        TilingError::Extra { record: self.name().to_string(), row }
    }
}

fn length(bytes: u64) -> String {
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::Manifest;

    fn files(count: usize) -> (Extent, Ledger) {
        let entries = (0..count + 3).map(|i| Entry::of(&format!("{i:03}.md"), &i.to_le_bytes())).collect();
        let manifest = Manifest::new(entries).unwrap();
        let span = crate::Span { manifest: manifest.root(), first: 2, count: u32::try_from(count).unwrap() };
        let slice = manifest.slice(span).unwrap();
        let row = |entry: &Entry| LedgerRow {
            path: entry.path.clone(),
            offset_bytes: 0,
            length_bytes: entry.length_bytes,
            kind: RecordKind::File,
            digest: entry.digest,
            decision: Decision::Kept,
        };
        let rows = slice.entries().iter().map(row).collect();
        (Extent::Files(slice), Ledger { rows })
    }

    fn records(count: usize) -> (Extent, Ledger) {
        let mut at = 1000;
        let row = |place: usize| {
            let length_bytes = 50 + place as u64 * 7 % 40;
            let offset_bytes = at;
            at += length_bytes;
            LedgerRow {
                path: "a.warc.gz".into(),
                offset_bytes,
                length_bytes,
                kind: RecordKind::Response,
                digest: Digest::default(),
                decision: Decision::Kept,
            }
        };
        let rows: Vec<LedgerRow> = (0..count).map(row).collect();
        let range = ArchiveRange {
            path: "a.warc.gz".into(),
            archive_bytes: at + 5,
            first_byte: 1000,
            length_bytes: at - 1000,
            digest: Digest::default(),
            layout: crate::Layout::Records,
        };
        (Extent::Archive(range), Ledger { rows })
    }

    proptest! {
        #[test]
        fn every_tampering_is_named(archive: bool, count in 2usize..30, a: usize, b: usize, kind in 0u8..6) {
            let (extent, whole) = if archive { records(count) } else { files(count) };
            prop_assert_eq!(whole.tiles(&extent), Ok(()));
            let (a, b) = (a % count, b % count);
            let (low, high) = (a.min(b), a.max(b));
            let record = |at: usize| whole.rows[at].name().to_string();
            let mut ledger = whole.clone();
            let (name, row) = match kind {
                0 => {
                    ledger.rows.remove(a);
                    prop_assert_eq!(ledger.tiles(&extent), Err(TilingError::Missing { record: record(a), row: a }));
                    return Ok(());
                }
                1 => {
                    ledger.rows.swap(low, high);
                    let moved = TilingError::Moved { record: record(low), row: low, found: high };
                    prop_assert_eq!(ledger.tiles(&extent), if low == high { Ok(()) } else { Err(moved) });
                    return Ok(());
                }
                2 => {
                    ledger.rows.insert(high, whole.rows[low].clone());
                    // Repeating a row at once or later: the stranger is the copy behind it.
                    (record(low), if low == high { high + 1 } else { high })
                }
                3 => {
                    ledger.rows.truncate(a);
                    prop_assert_eq!(ledger.tiles(&extent), Err(TilingError::Missing { record: record(a), row: a }));
                    return Ok(());
                }
                4 => {
                    ledger.rows[a].length_bytes += 1;
                    let found = ledger.tiles(&extent).unwrap_err();
                    let named = matches!(&found, TilingError::Changed { record: name, row, .. }
                        if *name == record(a) && *row == a);
                    prop_assert!(named, "{found:?}");
                    return Ok(());
                }
                _ => {
                    ledger.rows[a].offset_bytes += 3;
                    let found = ledger.tiles(&extent).unwrap_err();
                    let named = matches!(&found, TilingError::Changed { record: name, row, .. }
                        if *name == record(a) && *row == a);
                    prop_assert!(named, "{found:?}");
                    return Ok(());
                }
            };
            prop_assert_eq!(ledger.tiles(&extent), Err(TilingError::Extra { record: name, row }));
        }
    }

    #[test]
    fn an_extra_row_at_the_end_is_named() {
        for (extent, mut ledger) in [files(3), records(3)] {
            let mut extra = ledger.rows[2].clone();
            extra.path = "zzz".into();
            extra.offset_bytes += extra.length_bytes;
            let record = extra.name().to_string();
            ledger.rows.push(extra);
            assert_eq!(ledger.tiles(&extent), Err(TilingError::Extra { record, row: 3 }));
        }
    }

    #[test]
    fn rows_of_another_archive_and_empty_rows_are_named() {
        let (extent, whole) = records(4);
        let mut ledger = whole.clone();
        ledger.rows[1].path = "b.warc.gz".into();
        assert!(matches!(ledger.tiles(&extent), Err(TilingError::Changed { row: 1, .. })));
        let mut empty = whole.rows[2].clone();
        empty.length_bytes = 0;
        let mut ledger = whole;
        ledger.rows.insert(2, empty);
        assert!(matches!(ledger.tiles(&extent), Err(TilingError::Extra { row: 2, .. })));
    }
}
