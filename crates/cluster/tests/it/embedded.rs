//! The plan in this process: its answer is that of the index, however the work is cut.

use cluster::{ClusterError, Engine, Keys};
use corpus::dedup::{Claim, Item};
use primitives::{Digest, Seed};
use proptest::prelude::*;

use crate::world::{self, by_index, world};

fn embedded(threads: usize) -> Engine {
    Engine::Embedded { threads, memory_max_bytes: 64 << 20 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_finds_what_the_index_finds(seed: u64, shards in 0u64..6, threads in 1usize..5) {
        let world = world(seed, shards, 40);
        let expect = by_index(&world);
        let mut shuffled = world.clone();
        Seed::from_number(seed).stream("order", 0).shuffle(&mut shuffled);
        for shards in [&world, &shuffled] {
            let folder = tempfile::tempdir().unwrap();
            let mut keys = Keys::create(folder.path()).unwrap();
            for shard in shards {
                keys.add(shard).unwrap();
            }
            prop_assert_eq!(&keys.duplicates(&embedded(threads)).unwrap(), &expect);
        }
    }
}

#[test]
fn a_world_has_duplicates_of_both_kinds_and_many_groups() {
    world::is_telling(&by_index(&world(1, 6, 40)), 6 * 40);
}

#[test]
fn what_memory_does_not_hold_goes_to_files() {
    let world = world(2, 4, 20_000);
    let folder = tempfile::tempdir().unwrap();
    let mut keys = Keys::create(folder.path()).unwrap();
    for shard in &world {
        keys.add(shard).unwrap();
    }
    // A million keys of 25 bytes each.
    let small = Engine::Embedded { threads: 2, memory_max_bytes: 20 << 20 };
    let found = keys.duplicates(&small).unwrap();
    assert_eq!(found, by_index(&world));
}

#[test]
fn a_place_beyond_32_bits_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = Keys::create(folder.path()).unwrap();
    for claim in [Claim { block: 1 << 32, row: 0 }, Claim { block: 0, row: 1 << 32 }] {
        let refused = keys.add(&[Item { claim, fingerprint: Digest::of(b""), bands: None }]);
        assert!(matches!(refused, Err(ClusterError::Number { .. })), "{refused:?}");
    }
    let last = u64::from(u32::MAX);
    let item = |block, row| Item { claim: Claim { block, row }, fingerprint: Digest::of(b""), bands: None };
    keys.add(&[item(last, last - 1), item(last, last)]).unwrap();
    keys.add(&[]).unwrap();
    let found = keys.duplicates(&embedded(2)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].document, found[0].of), (item(last, last).claim, item(last, last - 1).claim));
}

#[test]
fn a_damaged_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = Keys::create(folder.path()).unwrap();
    keys.add(&world(3, 1, 40)[0]).unwrap();
    std::fs::write(folder.path().join("keys-00000.parquet"), b"PAR1 is not enough PAR1").unwrap();
    let failed = keys.duplicates(&embedded(1));
    assert!(matches!(failed, Err(ClusterError::Plan { .. })), "{failed:?}");
}
