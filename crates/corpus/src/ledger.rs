//! The ledger: one row for each entry of the task, whether it was kept or not.
//!
//! A shard that leaves entries out must say so here, and a ledger that leaves one out does not tile its task: silence
//! can't hide work that was not done.

use parity_scale_codec::{Decode, Encode};
use primitives::Digest;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{decision::Decision, manifest::TaskSlice};

/// What became of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct LedgerRow {
    /// The entry's path.
    pub path: String,
    /// The entry's length in bytes.
    pub length_bytes: u64,
    /// The digest of the entry's bytes.
    pub digest: Digest,
    /// Kept, or dropped and why.
    pub decision: Decision,
}

/// The rows in the order of the task's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger {
    /// The rows.
    pub rows: Vec<LedgerRow>,
}

/// The first place where a ledger and its task part.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TilingError {
    /// An entry has no row.
    #[error("entry {entry} ({path}) has no row")]
    Missing {
        /// The entry's index in the manifest.
        entry: u32,
        /// Its path.
        path: String,
    },
    /// A row belongs to no entry, or repeats one.
    #[error("row {row} ({path}) belongs to no entry that is left")]
    Extra {
        /// The row's place in the ledger.
        row: usize,
        /// Its path.
        path: String,
    },
    /// An entry's row stands at another place.
    #[error("entry {entry} ({path}) has its row at place {row}")]
    Moved {
        /// The entry's index in the manifest.
        entry: u32,
        /// Its path.
        path: String,
        /// The place in the ledger at which its row stands.
        row: usize,
    },
    /// A row states another length or digest than its entry.
    #[error("row of entry {entry} ({path}) states {found}, expected {expected}")]
    Changed {
        /// The entry's index in the manifest.
        entry: u32,
        /// Its path.
        path: String,
        /// The entry's length and digest.
        expected: String,
        /// The row's.
        found: String,
    },
}

impl Ledger {
    /// Whether the rows cover the task's entries one by one, in order and with nothing else.
    ///
    /// # Errors
    /// [`TilingError`] with the first place where they don't.
    pub fn tiles(&self, task: &TaskSlice) -> Result<(), TilingError> {
        let mut rows = self.rows.iter().enumerate();
        for (entry, wanted) in task.numbered() {
            let path = wanted.path.clone();
            let Some((row, found)) = rows.next() else {
                return Err(TilingError::Missing { entry, path });
            };
            if found.path != wanted.path {
                return Err(self.misplaced(task, row, entry));
            }
            if (found.length_bytes, found.digest) != (wanted.length_bytes, wanted.digest) {
                return Err(TilingError::Changed {
                    entry,
                    path,
                    expected: format!("{} bytes {}", wanted.length_bytes, wanted.digest),
                    found: format!("{} bytes {}", found.length_bytes, found.digest),
                });
            }
        }
        match rows.next() {
            Some((row, extra)) => Err(TilingError::Extra { row, path: extra.path.clone() }),
            None => Ok(()),
        }
    }

    /// What to call the row that stands where `entry`'s should: its own row is further down, or the stranger is from
    /// outside of what is left, or `entry` was left out.
    fn misplaced(&self, task: &TaskSlice, row: usize, entry: u32) -> TilingError {
        let left = &task.entries()[row..];
        let (path, stranger) = (&left[0].path, &self.rows[row].path);
        if let Some(further) = self.rows[row..].iter().position(|later| later.path == *path) {
            if left.iter().any(|entry| entry.path == *stranger) {
                return TilingError::Moved { entry, path: path.clone(), row: row + further };
            }
            return TilingError::Extra { row, path: stranger.clone() };
        }
        if left.iter().any(|entry| entry.path == *stranger) {
            return TilingError::Missing { entry, path: path.clone() };
        }
        TilingError::Extra { row, path: stranger.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Entry, Manifest};

    fn task_and_ledger(count: usize) -> (TaskSlice, Ledger) {
        let entries = (0..count + 3).map(|i| Entry::of(&format!("{i:03}.md"), &i.to_le_bytes())).collect();
        let manifest = Manifest::new(entries).unwrap();
        let span = crate::Span { manifest: manifest.root(), first: 2, count: u32::try_from(count).unwrap() };
        let task = manifest.slice(span).unwrap();
        let row = |entry: &Entry| LedgerRow {
            path: entry.path.clone(),
            length_bytes: entry.length_bytes,
            digest: entry.digest,
            decision: Decision::Kept,
        };
        let rows = task.entries().iter().map(row).collect();
        (task, Ledger { rows })
    }

    proptest::proptest! {
        #[test]
        fn every_tampering_is_named(count in 2usize..30, a: usize, b: usize, kind in 0u8..7) {
            let (task, whole) = task_and_ledger(count);
            proptest::prop_assert_eq!(whole.tiles(&task), Ok(()));
            let (a, b) = (a % count, b % count);
            let (low, high) = (a.min(b), a.max(b));
            let named = |at: usize| (u32::try_from(at + 2).unwrap(), task.entries()[at].path.clone());
            let mut ledger = whole.clone();
            let expect = match kind {
                0 => {
                    ledger.rows.remove(a);
                    let (entry, path) = named(a);
                    Err(TilingError::Missing { entry, path })
                }
                1 => {
                    ledger.rows.swap(low, high);
                    let (entry, path) = named(low);
                    if low == high { Ok(()) } else { Err(TilingError::Moved { entry, path, row: high }) }
                }
                2 => {
                    ledger.rows.insert(high, whole.rows[low].clone());
                    // Repeating a row at once or later: the stranger is the copy behind it.
                    let row = if low == high { high + 1 } else { high };
                    Err(TilingError::Extra { row, path: whole.rows[low].path.clone() })
                }
                3 => {
                    ledger.rows[a].path = "elsewhere.md".into();
                    Err(TilingError::Extra { row: a, path: "elsewhere.md".into() })
                }
                4 | 5 => {
                    if kind == 4 {
                        ledger.rows[a].length_bytes += 1;
                    } else {
                        ledger.rows[a].digest.0[b % 32] ^= 1;
                    }
                    let (entry, path) = named(a);
                    let show = |row: &LedgerRow| format!("{} bytes {}", row.length_bytes, row.digest);
                    let (expected, found) = (show(&whole.rows[a]), show(&ledger.rows[a]));
                    Err(TilingError::Changed { entry, path, expected, found })
                }
                _ => {
                    ledger.rows.truncate(a);
                    let (entry, path) = named(a);
                    Err(TilingError::Missing { entry, path })
                }
            };
            proptest::prop_assert_eq!(ledger.tiles(&task), expect);
        }
    }

    #[test]
    fn an_extra_row_at_the_end_is_named() {
        let (task, mut ledger) = task_and_ledger(3);
        let mut extra = ledger.rows[2].clone();
        extra.path = "zzz.md".into();
        ledger.rows.push(extra);
        assert_eq!(ledger.tiles(&task), Err(TilingError::Extra { row: 3, path: "zzz.md".into() }));
    }
}
