//! Shards: bytes of anyone's, under a right checksum, are refused in words or read; what was read is written and read
//! alike; and the only one that passes every check of its task is the honest one.
#![no_main]

use corpus::{
    Extent, Limits, Recipes, Shard, Source as _,
    shard::{documents_of_parquet, ledger_of_parquet},
    verify,
};
use fuzz::{task, within};
use libfuzzer_sys::fuzz_target;
use primitives::Digest;

const LIMITS: Limits = Limits {
    encoded_max_bytes: 1 << 20,
    decoded_max_bytes: 4 << 20,
    ratio_max: 256,
    rows_max: 1 << 12,
    text_max_bytes: 1 << 20,
};
/// Both tables packed and unpacked, as values, and written anew.
const HELD_MAX_BYTES: usize = 64 << 20;

/// Whether a shard passes every check of the seeds' task.
fn passes(shard: &Shard) -> bool {
    let task = task();
    let Extent::Archive(range) = &task.extent else { unreachable!("an archive") };
    let is_row = |(number, row): (u32, &corpus::LedgerRow)| {
        let bytes = task.source.read_range(&range.path, row.offset_bytes, row.length_bytes);
        bytes.is_ok_and(|bytes| verify::row(shard, &task.extent, number, &bytes, &task.rules).is_ok())
    };
    verify::offline(shard, &task.extent, &task.miner, Recipes::Pinned, &task.rules).is_ok()
        && (0..).zip(&shard.ledger.rows).all(is_row)
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let honest = &task().shard;
    within(HELD_MAX_BYTES, || {
        let read = match first {
            b'l' => ledger_of_parquet(bytes.to_vec(), &LIMITS).map(|ledger| Shard { ledger, ..honest.clone() }),
            b'd' => documents_of_parquet(bytes.to_vec(), &LIMITS)
                .map(|documents| Shard { documents, ..honest.clone() }),
            _ => Shard::decode(&[bytes, &Digest::of(bytes).0].concat(), &LIMITS),
        };
        let Ok(shard) = read else { return };
        assert_eq!(Shard::decode(&shard.encode(), &Limits::default()).as_ref(), Ok(&shard));
        assert_eq!(shard.root() == honest.root(), shard == *honest);
        assert_eq!(passes(&shard), shard == *honest);
    });
});
