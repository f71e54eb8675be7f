//! A run: sorted keys, each with its earliest claim, as blocks that form a static B-tree.
//!
//! A block has 32 KiB: up to 1,024 records of 32 bytes, then zeros. A record of a leaf is a key (16), and the claim's block
//! (8) and row (8). A record above is the first key of a block further down (16), that block's number (4), the records in
//! it (4) and the beginning of the digest of these (8). Numbers are little endian. A block stands behind all that are
//! below it. Whoever knows the last one's number, records and digest, which is the [`Root`], notices any damage in the
//! block that has it, and finds a key by reading one block of each level.

use std::io::{self, Read, Seek, SeekFrom, Write};

use primitives::Digest;
use serde::{Deserialize, Serialize};

use super::{Claim, IndexError};

/// A key as the index sorts it.
pub(super) type Key = u128;

pub(super) const BLOCK_BYTES: usize = BLOCK_RECORDS * RECORD_BYTES;
const BLOCK_RECORDS: usize = 1024;
const RECORD_BYTES: usize = 32;
/// Levels of a tree over all blocks that 32 bits number.
const LEVELS_MAX: usize = 5;
const BLOCK_DOMAIN: &str = "weighhouse corpus dedup block v1";

/// Where a tree begins, and how much belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Root {
    /// Blocks in the run; the last one is the root's.
    pub(super) blocks: u32,
    /// Levels of blocks, at least 1.
    pub(super) levels: u8,
    /// Records in the root's block.
    pub(super) records: u32,
    /// The beginning of the digest of these.
    pub(super) check: u64,
    /// Keys in the run.
    pub(super) keys: u64,
}

/// A block as the one above names it.
#[derive(Clone, Copy)]
struct Child {
    block: u32,
    records: u32,
    check: u64,
}

/// The beginning of the digest of a block's records, and of its level above the leaves: a block is read as what it is.
fn check_of(level: usize, records: &[u8]) -> u64 {
    let digest = Digest::of_parts(BLOCK_DOMAIN, &[&(level as u64).to_le_bytes(), records]);
    let (head, _) = digest.0.split_first_chunk().expect("a digest has 32 bytes");
    u64::from_le_bytes(*head)
}

/// The fields of a record: its key, and two numbers that are a claim's, or a block's place and digest.
fn record(bytes: &[u8; RECORD_BYTES]) -> (Key, u64, u64) {
    let (key, rest) = bytes.split_first_chunk().expect("16 of 32 bytes");
    let (first, rest) = rest.split_first_chunk().expect("8 of 16 bytes");
    let (second, _) = rest.split_first_chunk().expect("8 of 8 bytes");
    (Key::from_le_bytes(*key), u64::from_le_bytes(*first), u64::from_le_bytes(*second))
}

fn append(to: &mut Vec<u8>, key: Key, first: u64, second: u64) {
    to.extend_from_slice(&key.to_le_bytes());
    to.extend_from_slice(&first.to_le_bytes());
    to.extend_from_slice(&second.to_le_bytes());
}

/// Writes a run in one pass. Memory: a block for each level.
pub(super) struct RunWriter<W> {
    to: W,
    /// The records of each level, leaves first, that are not written yet.
    pending: Vec<Vec<u8>>,
    blocks: u32,
    keys: u64,
}

impl<W: Write> RunWriter<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, pending: vec![Vec::new()], blocks: 0, keys: 0 }
    }

    /// Appends a key, which is greater than all before.
    pub(super) fn push(&mut self, key: Key, claim: Claim) -> io::Result<()> {
        self.keys += 1;
        self.append(0, key, claim.block, claim.row)
    }

    /// Writes what is pending; none where there was no key.
    pub(super) fn finish(mut self) -> io::Result<Option<(W, Root)>> {
        if self.keys == 0 {
            return Ok(None);
        }
        let mut level = 0;
        loop {
            let is_top = level + 1 == self.pending.len();
            let (records, _) = self.pending[level].as_chunks::<RECORD_BYTES>();
            if let (true, [only]) = (is_top && level > 0, records) {
                let (_, child, check) = record(only);
                let Child { records, .. } = Child::of(child, check);
                let levels = u8::try_from(level).expect("a few levels");
                let root = Root { blocks: self.blocks, levels, records, check, keys: self.keys };
                return Ok(Some((self.to, root)));
            }
            if !records.is_empty() {
                self.write_block(level)?;
            }
            level += 1;
        }
    }

    fn append(&mut self, level: usize, key: Key, first: u64, second: u64) -> io::Result<()> {
        if level == self.pending.len() {
            self.pending.push(Vec::new());
        }
        append(&mut self.pending[level], key, first, second);
        if self.pending[level].len() == BLOCK_BYTES { self.write_block(level) } else { Ok(()) }
    }

    /// Writes a level's pending records as a block and names it one level up.
    fn write_block(&mut self, level: usize) -> io::Result<()> {
        let records = std::mem::take(&mut self.pending[level]);
        let (chunks, _) = records.as_chunks::<RECORD_BYTES>();
        let (key, ..) = record(chunks.first().expect("a block that is written has records"));
        let count = u32::try_from(chunks.len()).expect("at most 1,024 records");
        let block = self.blocks;
        self.blocks = block.checked_add(1).ok_or_else(|| io::Error::other("run has 2^32 blocks"))?;
        self.to.write_all(&records)?;
        self.to.write_all(&vec![0; BLOCK_BYTES - records.len()])?;
        let child = Child { block, records: count, check: check_of(level, &records) };
        self.append(level + 1, key, child.place(), child.check)
    }
}

impl Child {
    fn of(place: u64, check: u64) -> Self {
        let [block, records] = [place, place >> 32].map(low_half);
        Self { block, records, check }
    }

    fn place(self) -> u64 {
        u64::from(self.block) | u64::from(self.records) << 32
    }
}

/// Goes through a run in the order of its keys. Memory: a block for each level.
pub(super) struct Cursor<R> {
    from: R,
    /// How errors name the run.
    name: String,
    root: Root,
    /// The blocks from the root to a leaf; empty before the first is read.
    path: Vec<Level>,
    /// All keys of the run that are in the leaf, or could be, are below this one; none in the last leaf.
    below: Option<Key>,
}

/// A block that was read and checked, and a place in it.
struct Level {
    records: Vec<[u8; RECORD_BYTES]>,
    at: usize,
}

impl Level {
    fn key(&self, at: usize) -> Option<Key> {
        self.records.get(at).map(|bytes| record(bytes).0)
    }
}

impl<R: Read + Seek> Cursor<R> {
    /// # Errors
    /// [`IndexError::Damaged`] for a root that no run has.
    pub(super) fn new(from: R, name: String, root: Root) -> Result<Self, IndexError> {
        if root.blocks == 0 || !(1..=LEVELS_MAX).contains(&usize::from(root.levels)) {
            let what = "a root that no run has";
            return Err(IndexError::Damaged { path: name, at_byte: 0, what });
        }
        Ok(Self { from, name, root, path: Vec::new(), below: None })
    }

    /// Goes on to the first key that is not below `key`, and returns its claim if it is this one. Keys that are asked
    /// for never become smaller.
    pub(super) fn find(&mut self, key: Key) -> Result<Option<Claim>, IndexError> {
        let is_here = !self.path.is_empty() && self.below.is_none_or(|below| key < below);
        if !is_here {
            self.descend(key)?;
        }
        let leaf = self.path.last_mut().expect("a cursor that went down stands in a leaf");
        leaf.at += leaf.records[leaf.at..].partition_point(|bytes| record(bytes).0 < key);
        let found = leaf.records.get(leaf.at).map(record).filter(|(found, ..)| *found == key);
        Ok(found.map(|(_, block, row)| Claim { block, row }))
    }

    /// The next key and its claim.
    pub(super) fn next(&mut self) -> Result<Option<(Key, Claim)>, IndexError> {
        if self.path.is_empty() {
            self.descend(0)?;
        }
        if self.path.last().is_some_and(|leaf| leaf.at == leaf.records.len()) {
            match self.below {
                Some(below) => self.descend(below)?,
                None => return Ok(None),
            }
        }
        let leaf = self.path.last_mut().expect("a cursor that went down stands in a leaf");
        let (key, block, row) = record(&leaf.records[leaf.at]);
        leaf.at += 1;
        Ok(Some((key, Claim { block, row })))
    }

    /// Reads down to the leaf that has `key`, if any has. Blocks that are on the way already are kept.
    fn descend(&mut self, key: Key) -> Result<(), IndexError> {
        let Root { blocks, levels, records, check, .. } = self.root;
        if self.path.is_empty() {
            let root = Child { block: blocks - 1, records, check };
            let level = self.read(root, None, blocks, 0)?;
            self.path.push(level);
        }
        self.below = None;
        for depth in 0..usize::from(levels) - 1 {
            let above = &self.path[depth];
            let at = above.records.partition_point(|bytes| record(bytes).0 <= key).saturating_sub(1);
            let (first, place, check) = record(&above.records[at]);
            let parent = if depth == 0 { blocks - 1 } else { self.number(depth) };
            self.below = above.key(at + 1).or(self.below);
            let is_kept = depth + 1 < self.path.len() && above.at == at;
            self.path[depth].at = at;
            if !is_kept {
                self.path.truncate(depth + 1);
                let level = self.read(Child::of(place, check), Some(first), parent, depth + 1)?;
                self.path.push(level);
            }
        }
        Ok(())
    }

    /// The number of the block at this depth, which the one above names.
    fn number(&self, depth: usize) -> u32 {
        let above = &self.path[depth - 1];
        let (_, place, check) = record(&above.records[above.at]);
        Child::of(place, check).block
    }

    /// Reads a block and holds it to what the one above says: it begins with that key and stands before `limit`.
    fn read(
        &mut self,
        child: Child,
        first: Option<Key>,
        limit: u32,
        depth: usize,
    ) -> Result<Level, IndexError> {
        let Child { block, records, check } = child;
        let at_byte = u64::from(block) * BLOCK_BYTES as u64;
        let damaged = |what| Err(IndexError::Damaged { path: self.name.clone(), at_byte, what });
        if block >= limit || !(1..=BLOCK_RECORDS).contains(&(records as usize)) {
            return damaged("a block that can't be where it is named");
        }
        let mut bytes = vec![0; records as usize * RECORD_BYTES];
        let done = self.from.seek(SeekFrom::Start(at_byte)).and_then(|_| self.from.read_exact(&mut bytes));
        match done {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return damaged("the file is cut"),
            Err(source) => return Err(IndexError::Io { path: self.name.clone(), source }),
            Ok(()) => {}
        }
        if check_of(usize::from(self.root.levels) - 1 - depth, &bytes) != check {
            return damaged("a block that differs from its digest");
        }
        let (records, _) = bytes.as_chunks::<RECORD_BYTES>();
        let is_sorted = records.is_sorted_by(|a, b| record(a).0 < record(b).0);
        if !is_sorted || first.is_some_and(|first| record(&records[0]).0 != first) {
            return damaged("keys that are not in order");
        }
        Ok(Level { records: records.to_vec(), at: 0 })
    }
}

/// The lower four bytes.
fn low_half(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Cursor as Bytes};

    use proptest::prelude::*;

    use super::*;

    fn written(keys: &BTreeMap<Key, Claim>) -> (Vec<u8>, Root) {
        let mut writer = RunWriter::new(Vec::new());
        for (key, claim) in keys {
            writer.push(*key, *claim).unwrap();
        }
        writer.finish().unwrap().unwrap()
    }

    fn cursor(bytes: &[u8], root: Root) -> Cursor<Bytes<&[u8]>> {
        Cursor::new(Bytes::new(bytes), "run".into(), root).unwrap()
    }

    fn all(bytes: &[u8], root: Root) -> Result<Vec<(Key, Claim)>, IndexError> {
        let mut cursor = Cursor::new(Bytes::new(bytes), "run".into(), root)?;
        let mut found = Vec::new();
        while let Some(entry) = cursor.next()? {
            found.push(entry);
        }
        Ok(found)
    }

    fn keys(count: u32) -> BTreeMap<Key, Claim> {
        let key = |i: u32| Key::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        (1..=count).map(|i| (key(i), Claim { block: u64::from(i), row: 1 })).collect()
    }

    #[test]
    fn what_was_written_is_read_in_order_and_found() {
        let full = u32::try_from(BLOCK_RECORDS).unwrap();
        // The last is past a full second level, so that there are three.
        for count in [1, 2, full - 1, full, full + 1, 5 * full, full * full + 1] {
            let keys = keys(count);
            let (bytes, root) = written(&keys);
            assert_eq!((root.keys, bytes.len()), (u64::from(count), root.blocks as usize * BLOCK_BYTES));
            let step = if count > 100_000 { 97 } else { 1 };
            assert!(all(&bytes, root).unwrap().into_iter().eq(keys.clone()), "{count}");
            let mut cursor = cursor(&bytes, root);
            for (key, claim) in keys.iter().step_by(step) {
                if !keys.contains_key(&(key - 1)) {
                    assert_eq!(cursor.find(key - 1).unwrap(), None);
                }
                assert_eq!(cursor.find(*key).unwrap(), Some(*claim));
                assert_eq!(cursor.find(*key).unwrap(), Some(*claim), "asked for again");
            }
            assert_eq!(cursor.find(Key::MAX).unwrap(), keys.get(&Key::MAX).copied());
        }
        assert!(RunWriter::new(Vec::new()).finish().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn any_change_is_noticed_with_its_place(count in 1u32..6000, at: prop::sample::Index, flip in 1u8..=255) {
            let (mut bytes, root) = written(&keys(count));
            let at = at.index(bytes.len());
            let is_used = {
                bytes[at] ^= flip;
                let found = all(&bytes, root);
                match found {
                    Err(IndexError::Damaged { at_byte, .. }) => {
                        prop_assert_eq!(at_byte, (at - at % BLOCK_BYTES) as u64);
                        true
                    }
                    Err(other) => return Err(TestCaseError::fail(other.to_string())),
                    // Only what fills a block up is not looked at.
                    Ok(found) => {
                        prop_assert!(found.into_iter().eq(keys(count)));
                        bytes[at] ^= flip;
                        prop_assert_eq!(bytes[at], 0);
                        false
                    }
                }
            };
            prop_assert!(is_used || at % BLOCK_BYTES >= RECORD_BYTES);
        }

        #[test]
        fn strange_roots_and_cut_files_are_damage(blocks: u32, levels: u8, records: u32, check: u64, cut: prop::sample::Index) {
            let (bytes, root) = written(&keys(3000));
            let strange = Root { blocks, levels, records, check, keys: 3000 };
            let is_damage = |found| matches!(found, Err(IndexError::Damaged { .. }));
            prop_assert!(is_damage(all(&bytes, strange)));
            let other_levels = Root { levels: root.levels ^ (1 + levels % 7), ..root };
            prop_assert!(is_damage(all(&bytes, other_levels)));
            prop_assert!(is_damage(all(&bytes[..cut.index(bytes.len() - BLOCK_BYTES)], root)));
        }
    }
}
