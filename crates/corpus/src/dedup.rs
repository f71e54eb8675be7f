//! Which documents came first: exact and near duplicates across all shards, by an index on disk that outgrows memory.
//!
//! A document goes in as keys, one for its [`fingerprint`](crate::document::fingerprint) and one for each band of its
//! [`Signature`](crate::minhash::Signature), with the [`Claim`] by which its owner committed to it. For each key the index
//! keeps the earliest claim and no other. So what it answers depends on what is in it, and neither on the order nor on
//! the batches in which that came; putting something in twice changes nothing. [`Clusters`] turns answers into groups,
//! and [`Pairs`] these into a list of duplicates.
//!
//! The index is a folder of sorted runs, of which eight of about one size are merged into a larger one. A batch is one
//! run: it is in the index when the list of runs has been replaced, and until then nothing of it is. Memory: some 100 MiB
//! for a batch of the greatest size, and half a megabyte for reading and merging, whatever is in the index. Disk: 480
//! bytes for each different document, and as much again while the largest runs are merged.

use std::{cmp::Reverse, collections::BinaryHeap, fs::File, io, path::Path};

use parity_scale_codec::{Decode, Encode};
use primitives::Digest;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::minhash::BANDS;

mod clusters;
mod duplicates;
mod folder;
mod run;

pub use clusters::{CLUSTERED_MAX, Clusters, ClustersFull};
pub use duplicates::{Duplicate, DuplicatesError, Pairs, duplicates_as_parquet, duplicates_of_parquet};

use folder::IndexFolder;
use run::{Cursor, Key, Root, RunWriter};

/// Keys in one batch: those of 65,536 documents and more, which is the most that a shard has.
pub const BATCH_MAX_KEYS: usize = 1 << 20;
/// Runs of one size before they are merged: each key is written anew once for each eightfold growth of the index, and a
/// question reads at most seven runs of each size.
const FAN_IN: usize = 8;
/// Bits of a key below its kind.
const KIND_SHIFT: u32 = 120;

/// When and where a document was committed to; the earlier claim gets the credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
pub struct Claim {
    /// The block of the commitment.
    pub block: u64,
    /// The document's place among all that were committed in that block, as the caller counts them.
    pub row: u64,
}

/// A document as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// By which it was committed to.
    pub claim: Claim,
    /// What its exact duplicates share.
    pub fingerprint: Digest,
    /// What its near duplicates are found by; none for a text of fewer than five words.
    pub bands: Option<[u64; BANDS]>,
}

/// How like two documents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// They have one fingerprint.
    Exact,
    /// They have a band in common.
    Near,
}

/// An earlier document that has something in common with the one asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// The earlier claim.
    pub claim: Claim,
    /// What is in common.
    pub likeness: Likeness,
}

/// Why the index can't be used.
#[derive(Debug, Error)]
pub enum IndexError {
    /// The operating system refused.
    #[error("cannot read or write {path}")]
    Io {
        /// The file or directory.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what was written.
    #[error("{path} is damaged at byte {at_byte}: {what}")]
    Damaged {
        /// The file.
        path: String,
        /// Where, as far as that is known: the beginning of the block that has the damage.
        at_byte: u64,
        /// What was found.
        what: &'static str,
    },
    /// Another process has the index open.
    #[error("{path} is in use by another process")]
    Busy {
        /// The folder.
        path: String,
    },
    /// A batch is too large.
    #[error("batch has {found} keys, at most {BATCH_MAX_KEYS} are allowed")]
    Batch {
        /// Its keys.
        found: usize,
    },
}

/// The earliest claim of every key, on disk.
#[derive(Debug)]
pub struct DedupIndex {
    folder: IndexFolder,
    runs: Vec<Run>,
    /// The number of the next run; none is used twice while the index is open.
    next: u64,
}

/// A run in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    number: u64,
    /// 0 for a batch, and one more for each merge.
    tier: u32,
    root: Root,
}

impl Item {
    /// The kind stands above the hash, so that a fingerprint never meets a band, nor a band one of another number.
    fn keys(&self) -> impl Iterator<Item = Key> {
        let (head, _) = self.fingerprint.0.split_first_chunk().expect("16 of 32 bytes");
        let exact = Key::from_le_bytes(*head) >> (Key::BITS - KIND_SHIFT);
        let bands = self.bands.into_iter().flatten();
        let near = (1..).zip(bands).map(|(kind, band): (Key, u64)| kind << KIND_SHIFT | Key::from(band));
        std::iter::once(exact).chain(near)
    }
}

fn likeness(key: Key) -> Likeness {
    if key >> KIND_SHIFT == 0 { Likeness::Exact } else { Likeness::Near }
}

impl DedupIndex {
    /// Opens the index in a folder, which is made where it is missing, and clears away what a killed process left.
    ///
    /// # Errors
    /// [`IndexError`] where the folder can't be used, is damaged, or is open elsewhere.
    pub fn open(folder: &Path) -> Result<Self, IndexError> {
        let folder = IndexFolder::open(folder)?;
        let runs = folder.list()?;
        folder.sweep(&runs)?;
        for run in &runs {
            folder.check_length(run)?;
        }
        let next = runs.iter().map(|run| run.number + 1).max().unwrap_or(0);
        Ok(Self { folder, runs, next })
    }

    /// For each item what it has in common with earlier ones: for each of its keys the earliest claim to it, in the index
    /// or among the items, where that is before the item's own. In ascending order; the first has the credit.
    ///
    /// # Errors
    /// [`IndexError::Batch`] for too many items, else [`IndexError`] where the index can't be read.
    pub fn earlier(&self, items: &[Item]) -> Result<Vec<Vec<Match>>, IndexError> {
        let mut keys = batch(items)?;
        for run in &self.runs {
            let mut cursor = self.cursor(run)?;
            for (key, claim) in &mut keys {
                if let Some(earlier) = cursor.find(*key)? {
                    *claim = earlier.min(*claim);
                }
            }
        }
        let matches = |item: &Item| {
            let claim_of = |key: Key| keys.binary_search_by_key(&key, |(key, _)| *key).map(|at| keys[at].1);
            let mut matches: Vec<Match> = item
                .keys()
                .filter_map(|key| Some(Match { claim: claim_of(key).ok()?, likeness: likeness(key) }))
                .filter(|found| found.claim < item.claim)
                .collect();
            matches.sort_unstable();
            matches.dedup_by_key(|found| found.claim);
            matches
        };
        Ok(items.iter().map(matches).collect())
    }

    /// Takes the items in, all or none of them. When it returns they survive a power cut.
    ///
    /// # Errors
    /// [`IndexError::Batch`] for too many items, else [`IndexError`] where files can't be written or merged. Then the items
    /// are in or are not, and it does no harm to put them in again.
    pub fn insert(&mut self, items: &[Item]) -> Result<(), IndexError> {
        let keys = batch(items)?;
        let written = self.write(0, |writer| {
            keys.iter().try_for_each(|(key, claim)| writer.push(*key, *claim)).map_err(Failed::Write)
        })?;
        if let Some(run) = written {
            let mut runs = self.runs.clone();
            runs.push(run);
            self.folder.replace_list(&runs)?;
            self.runs = runs;
        }
        self.merge()
    }

    /// Keys in all runs. One that is in several counts in each, so that merging makes it less.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.runs.iter().map(|run| run.root.keys).sum()
    }

    /// Reads the whole index and compares every block with its digest.
    ///
    /// # Errors
    /// [`IndexError`] with the first damage.
    pub fn check(&self) -> Result<(), IndexError> {
        for run in &self.runs {
            let mut cursor = self.cursor(run)?;
            let mut keys = 0;
            while cursor.next()?.is_some() {
                keys += 1;
            }
            if keys != run.root.keys {
                let what = "another number of keys than the list says";
                return Err(IndexError::Damaged { path: self.folder.name_of(run.number), at_byte: 0, what });
            }
        }
        Ok(())
    }

    /// Merges runs until there are fewer than [`FAN_IN`] of each tier.
    fn merge(&mut self) -> Result<(), IndexError> {
        while let Some(tier) = self.crowded_tier() {
            let (merged, mut runs): (Vec<Run>, Vec<Run>) =
                self.runs.iter().cloned().partition(|run| run.tier == tier);
            let mut cursors = Vec::with_capacity(merged.len());
            for run in &merged {
                cursors.push(self.cursor(run)?);
            }
            runs.extend(self.write(tier + 1, |writer| merge_into(&mut cursors, writer))?);
            self.folder.replace_list(&runs)?;
            self.runs = runs;
            for run in merged {
                self.folder.remove_run(run.number)?;
            }
        }
        Ok(())
    }

    fn crowded_tier(&self) -> Option<u32> {
        let of_tier = |tier: u32| self.runs.iter().filter(|run| run.tier == tier).count();
        self.runs.iter().map(|run| run.tier).find(|tier| of_tier(*tier) >= FAN_IN)
    }

    fn cursor(&self, run: &Run) -> Result<Cursor<File>, IndexError> {
        Cursor::new(self.folder.open_run(run.number)?, self.folder.name_of(run.number), run.root)
    }

    /// Writes a run, which is not in the list yet; none where it would have no keys.
    fn write(
        &mut self,
        tier: u32,
        fill: impl FnOnce(&mut RunWriter<File>) -> Result<(), Failed>,
    ) -> Result<Option<Run>, IndexError> {
        let number = self.next;
        self.next += 1;
        let io = |source| IndexError::Io { path: self.folder.name_of(number), source };
        let mut writer = RunWriter::new(self.folder.create_run(number)?);
        fill(&mut writer).map_err(|failed| match failed {
            Failed::Write(error) => io(error),
            Failed::Read(error) => error,
        })?;
        let Some((file, root)) = writer.finish().map_err(io)? else {
            self.folder.remove_run(number)?;
            return Ok(None);
        };
        self.folder.seal_run(number, &file)?;
        Ok(Some(Run { number, tier, root }))
    }
}

/// What went wrong while a run was being filled.
enum Failed {
    Write(io::Error),
    Read(IndexError),
}

/// The keys of these items in ascending order, each with its earliest claim.
fn batch(items: &[Item]) -> Result<Vec<(Key, Claim)>, IndexError> {
    let found = items.iter().map(|item| if item.bands.is_some() { 1 + BANDS } else { 1 }).sum();
    if found > BATCH_MAX_KEYS {
        return Err(IndexError::Batch { found });
    }
    let mut keys: Vec<(Key, Claim)> = Vec::with_capacity(found);
    keys.extend(items.iter().flat_map(|item| item.keys().map(|key| (key, item.claim))));
    keys.sort_unstable();
    keys.dedup_by_key(|(key, _)| *key);
    Ok(keys)
}

/// Merges runs into one, of equal keys the earliest claim.
fn merge_into(cursors: &mut [Cursor<File>], writer: &mut RunWriter<File>) -> Result<(), Failed> {
    let mut heads = BinaryHeap::with_capacity(cursors.len());
    for (number, cursor) in cursors.iter_mut().enumerate() {
        heads.extend(cursor.next().map_err(Failed::Read)?.map(|(key, claim)| Reverse((key, claim, number))));
    }
    let mut last = None;
    while let Some(Reverse((key, claim, number))) = heads.pop() {
        if last != Some(key) {
            writer.push(key, claim).map_err(Failed::Write)?;
            last = Some(key);
        }
        let next = cursors[number].next().map_err(Failed::Read)?;
        heads.extend(next.map(|(key, claim)| Reverse((key, claim, number))));
    }
    Ok(())
}

/// How a folder is named in errors.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
