//! Which document of many shards repeats which, as a list and as a table.
//!
//! Documents that have a fingerprint or a band in common, by themselves or through others, are one group. Its first
//! document, by shard and then by record, is kept; each other one is a [`Duplicate`] of that.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use parquet::{errors::ParquetError, schema::types::Type};
use thiserror::Error;

use super::{CLUSTERED_MAX, Claim, Clusters, ClustersFull, DedupIndex, IndexError, Item, Likeness, Match};
use crate::{
    shard::ShardError,
    table::{self, Bounds, Column, GROUP_ROWS, Kind, TableError, Values, Writer},
};

const COLUMNS: [Column; 5] = [
    ("shard", Kind::Number),
    ("record", Kind::Number),
    ("duplicate_of_shard", Kind::Number),
    ("duplicate_of_record", Kind::Number),
    ("kind", Kind::Text),
];
/// A row unpacked: four numbers, and a kind behind its length.
const ROW_BYTES: usize = 4 * 8 + 4 + 5;
const UNPACKED_MAX_BYTES: u64 = (CLUSTERED_MAX * ROW_BYTES) as u64;
static SCHEMA: LazyLock<Arc<Type>> = LazyLock::new(|| table::schema(&COLUMNS));

/// A document that repeats an earlier one. The block of its claim is its shard's number, the row its record's in the
/// shard's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duplicate {
    /// The document.
    pub document: Claim,
    /// The first of its group.
    pub of: Claim,
    /// Exact where the two have one fingerprint; near where bands connect them, be it through others.
    pub likeness: Likeness,
}

/// Why duplicates can't be found.
#[derive(Debug, Error)]
pub enum DuplicatesError {
    /// The index can't be used.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// There are more than memory is set aside for.
    #[error(transparent)]
    Full(#[from] ClustersFull),
}

/// Pairs of a document and an earlier one, gathered in any order: what comes of them depends on the pairs alone.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    clusters: Clusters,
    /// Each document of a pair, with the first that has its fingerprint where that is an earlier one. Also the earlier of
    /// a pair may be a duplicate: by a later document that connects it with one before both.
    exact: BTreeMap<Claim, Option<Claim>>,
}

impl Pairs {
    /// Takes in a pair. An exact one must name the first document that has the fingerprint.
    ///
    /// # Errors
    /// [`ClustersFull`] where there are too many documents in pairs.
    pub fn add(&mut self, document: Claim, earlier: Match) -> Result<(), ClustersFull> {
        self.clusters.join(document, earlier.claim)?;
        self.exact.entry(earlier.claim).or_default();
        let exact = self.exact.entry(document).or_default();
        if earlier.likeness == Likeness::Exact {
            *exact = Some(earlier.claim);
        }
        Ok(())
    }

    /// What the pairs come to, in ascending order.
    #[must_use]
    pub fn duplicates(&self) -> Vec<Duplicate> {
        let duplicate = |(document, exact): (&Claim, &Option<Claim>)| {
            let of = self.clusters.first(*document);
            let likeness = if *exact == Some(of) { Likeness::Exact } else { Likeness::Near };
            (of != *document).then_some(Duplicate { document: *document, of, likeness })
        };
        self.exact.iter().filter_map(duplicate).collect()
    }
}

impl DedupIndex {
    /// Takes in a shard's documents and adds what they have in common with those that are in. Where all shards come in
    /// ascending order, the pairs connect every group.
    ///
    /// # Errors
    /// [`DuplicatesError`] where the index can't be used or there are too many pairs.
    pub fn pair(&mut self, shard: &[Item], pairs: &mut Pairs) -> Result<(), DuplicatesError> {
        for (item, earlier) in shard.iter().zip(self.earlier(shard)?) {
            for earlier in earlier {
                pairs.add(item.claim, earlier)?;
            }
        }
        Ok(self.insert(shard)?)
    }
}

/// The duplicates as a Parquet file with the columns `shard`, `record`, `duplicate_of_shard`, `duplicate_of_record` and
/// `kind`, which is `exact` or `near`. Equal lists give equal bytes.
#[must_use]
pub fn duplicates_as_parquet(duplicates: &[Duplicate]) -> Vec<u8> {
    let wrote = || -> Result<Vec<u8>, ParquetError> {
        let mut table = Writer::new(Vec::new(), &COLUMNS, &SCHEMA, |_| true)?;
        for rows in duplicates.chunks(GROUP_ROWS) {
            let numbers = |field: fn(&Duplicate) -> u64| Values::Number(rows.iter().map(field).collect());
            let values = [
                numbers(|row| row.document.block),
                numbers(|row| row.document.row),
                numbers(|row| row.of.block),
                numbers(|row| row.of.row),
                Values::Text(rows.iter().map(|row| row.likeness.name().to_owned()).collect()),
            ];
            table.group(&values, 0..rows.len())?;
        }
        table.finish()
    };
    wrote().expect("memory takes any table of the schema")
}

/// Reads what [`duplicates_as_parquet`] wrote, from anyone.
///
/// # Errors
/// [`ShardError`] for another form or more than [`CLUSTERED_MAX`] rows.
pub fn duplicates_of_parquet(bytes: Vec<u8>) -> Result<Vec<Duplicate>, ShardError> {
    let (bytes, what) = (Bytes::from(bytes), "duplicates");
    let bounds = Bounds { rows_max: CLUSTERED_MAX, unpacked_max_bytes: UNPACKED_MAX_BYTES, ratio_max: 1 };
    let (values, _) = table::read(&COLUMNS, &SCHEMA, &bytes, bounds).map_err(|error| match error {
        TableError::Rows { found, max } => ShardError::Rows { what, found, max },
        TableError::Unpacked { found } => {
            ShardError::Payload { what, stored: bytes.len(), found, max: CLUSTERED_MAX * ROW_BYTES }
        }
        TableError::Form { what } => ShardError::Form { what },
    })?;
    let [
        Values::Number(blocks),
        Values::Number(rows),
        Values::Number(of_blocks),
        Values::Number(of_rows),
        Values::Text(kinds),
    ] = &values[..]
    else {
        unreachable!("the schema was compared");
    };
    let claim = |(&block, &row)| Claim { block, row };
    let documents = blocks.iter().zip(rows).map(claim);
    let firsts = of_blocks.iter().zip(of_rows).map(claim);
    let likeness = |kind: &String| Likeness::named(kind).ok_or(ShardError::Form { what: "unknown kind" });
    let rows = documents.zip(firsts).zip(kinds);
    let list: Result<Vec<Duplicate>, ShardError> = rows
        .map(|((document, of), kind)| Ok(Duplicate { document, of, likeness: likeness(kind)? }))
        .collect();
    let list = list?;
    let is_earlier = |one: &Duplicate| one.of < one.document;
    if list.is_sorted_by_key(|one| one.document) && list.iter().all(is_earlier) {
        Ok(list)
    } else {
        Err(ShardError::Form { what: "duplicates are not in order" })
    }
}

impl Likeness {
    fn named(name: &str) -> Option<Self> {
        [Self::Exact, Self::Near].into_iter().find(|likeness| likeness.name() == name)
    }

    /// Its name in tables and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Near => "near",
        }
    }
}

#[cfg(test)]
mod tests {
    use primitives::{Digest, Seed};
    use proptest::prelude::*;

    use super::*;
    use crate::minhash::{BANDS, share_a_band};

    /// Shards of a small world, so that many documents share something.
    fn world(seed: u64, shards: u64) -> Vec<Vec<Item>> {
        let mut stream = Seed::from_number(seed).stream("world", 0);
        let mut item = |block, row: u64| {
            let bands = [(); BANDS].map(|()| stream.below(2000));
            let fingerprint = Digest::of(&stream.below(200).to_le_bytes());
            // Rows of a ledger that were kept: with gaps.
            Item {
                claim: Claim { block, row: row * 3 },
                fingerprint,
                bands: (!row.is_multiple_of(5)).then_some(bands),
            }
        };
        (0..shards).map(|block| (0..8).map(|row| item(block, row)).collect()).collect()
    }

    /// By comparing each document with each, and walking from one to the next.
    fn expected(all: &[Item]) -> Vec<Duplicate> {
        let exact = |one: &Item, other: &Item| one.fingerprint == other.fingerprint;
        let alike = |one: &Item, other: &Item| {
            exact(one, other)
                || one.bands.zip(other.bands).is_some_and(|(one, other)| share_a_band(&one, &other))
        };
        let mut found = Vec::new();
        for item in all {
            let mut group = vec![item];
            let mut at = 0;
            while at < group.len() {
                let next: Vec<&Item> = all.iter().filter(|other| alike(group[at], other)).collect();
                group.extend(next.into_iter().filter(|next| !group.contains(next)).collect::<Vec<_>>());
                at += 1;
            }
            let first = group.into_iter().min_by_key(|item| item.claim).unwrap();
            if first != item {
                let likeness = if exact(first, item) { Likeness::Exact } else { Likeness::Near };
                found.push(Duplicate { document: item.claim, of: first.claim, likeness });
            }
        }
        found.sort_unstable();
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn the_index_finds_the_groups_that_comparing_all_finds(seed: u64, shards in 1u64..8) {
            let world = world(seed, shards);
            let folder = tempfile::tempdir().unwrap();
            let mut index = DedupIndex::open(folder.path()).unwrap();
            let mut pairs = Pairs::default();
            for shard in &world {
                index.pair(shard, &mut pairs).unwrap();
            }
            let duplicates = pairs.duplicates();
            prop_assert_eq!(&duplicates, &expected(&world.concat()));
        }
    }

    #[test]
    fn a_world_has_duplicates_of_both_kinds() {
        let found = expected(&world(1, 6).concat());
        for likeness in [Likeness::Exact, Likeness::Near] {
            assert!(found.iter().any(|duplicate| duplicate.likeness == likeness), "{likeness:?}");
        }
        assert!(found.len() < 6 * 8 / 2, "most are one group");
    }

    fn claim(number: u64) -> Claim {
        Claim { block: number / 100, row: number % 100 }
    }

    fn list(count: u64) -> Vec<Duplicate> {
        let duplicate = |number: u64| {
            let likeness = if number.is_multiple_of(3) { Likeness::Exact } else { Likeness::Near };
            Duplicate { document: claim(number), of: claim(number / 2), likeness }
        };
        (1..=count).map(duplicate).collect()
    }

    #[test]
    fn a_table_is_read_back() {
        for count in [0, 1, GROUP_ROWS as u64 + 1] {
            let list = list(count);
            assert_eq!(duplicates_of_parquet(duplicates_as_parquet(&list)).as_ref(), Ok(&list));
        }
    }

    #[test]
    fn another_table_is_refused() {
        let form = |list: &[Duplicate]| duplicates_of_parquet(duplicates_as_parquet(list)).unwrap_err();
        let order = ShardError::Form { what: "duplicates are not in order" };
        let mut swapped = list(9);
        swapped.swap(3, 4);
        assert_eq!(form(&swapped), order);
        let itself = Duplicate { document: claim(1), of: claim(1), likeness: Likeness::Near };
        assert_eq!(form(&[itself]), order);
        let bytes = duplicates_as_parquet(&list(9));
        for cut in 0..bytes.len() {
            assert!(duplicates_of_parquet(bytes[..cut].to_vec()).is_err(), "{cut}");
        }
    }
}
