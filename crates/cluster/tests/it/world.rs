//! Made-up shards, and what the index of `corpus` says of them.

use corpus::dedup::{Claim, DedupIndex, Duplicate, Item, Likeness, Pairs};
use corpus::minhash::BANDS;
use primitives::{Digest, Seed};

/// Shards of so many documents each. A third share a fingerprint or a band with others; some have no bands.
pub(crate) fn world(seed: u64, shards: u64, documents: u64) -> Vec<Vec<Item>> {
    let mut stream = Seed::from_number(seed).stream("world", 0);
    let all = shards * documents;
    let mut item = |block, row: u64| {
        let bands = [(); BANDS].map(|()| stream.below(40 * all));
        let fingerprint = Digest::of(&stream.below(4 * all).to_le_bytes());
        // Rows of a ledger that were kept: with gaps.
        Item { claim: Claim { block, row: row * 3 }, fingerprint, bands: (row % 5 > 0).then_some(bands) }
    };
    (0..shards).map(|block| (0..documents).map(|row| item(block, row)).collect()).collect()
}

/// The duplicates as one process finds them on its disk.
pub(crate) fn by_index(world: &[Vec<Item>]) -> Vec<Duplicate> {
    let folder = tempfile::tempdir().unwrap();
    let mut index = DedupIndex::open(folder.path()).unwrap();
    let mut pairs = Pairs::default();
    for shard in world {
        index.pair(shard, &mut pairs).unwrap();
    }
    pairs.duplicates()
}

/// Whether a list says enough to be compared by: duplicates of both kinds, and most documents are none.
pub(crate) fn is_telling(duplicates: &[Duplicate], documents: usize) {
    for likeness in [Likeness::Exact, Likeness::Near] {
        assert!(duplicates.iter().any(|one| one.likeness == likeness), "no duplicate is {likeness:?}");
    }
    let (found, half) = (duplicates.len(), documents / 2);
    assert!((documents / 20..half).contains(&found), "{found} duplicates of {documents} documents");
}
