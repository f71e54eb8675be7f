//! The index of duplicates on disk: what it answers, what it survives, and what it refuses.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use corpus::{
    dedup::{BATCH_MAX_KEYS, Claim, Clusters, DedupIndex, IndexError, Item, Likeness, Match},
    document::fingerprint,
    minhash::{BANDS, Signature},
};
use primitives::{Digest, Seed, Stream};
use proptest::prelude::*;

fn claim(number: u64) -> Claim {
    Claim { block: number / 10, row: number % 10 }
}

/// An item out of a small world, so that many share something.
fn item(stream: &mut Stream, number: u64) -> Item {
    let mut band = || stream.below(60);
    let bands = [(); BANDS].map(|()| band());
    let fingerprint = Digest::of(&band().to_le_bytes());
    Item { claim: claim(number), fingerprint, bands: (band() > 10).then_some(bands) }
}

fn items(seed: u64, count: u64) -> Vec<Item> {
    let mut stream = Seed::from_number(seed).stream("items", 0);
    (0..count).map(|number| item(&mut stream, number)).collect()
}

/// What an item has, by kind and value.
fn facts(item: &Item) -> Vec<(usize, Vec<u8>)> {
    let exact = (0, item.fingerprint.0.to_vec());
    let bands = item.bands.into_iter().flatten().enumerate();
    std::iter::once(exact).chain(bands.map(|(at, band)| (1 + at, band.to_le_bytes().to_vec()))).collect()
}

/// What the index should say, by a map.
fn expected(known: &[Item], asked: &[Item]) -> Vec<Vec<Match>> {
    let mut first: BTreeMap<(usize, Vec<u8>), Claim> = BTreeMap::new();
    for item in known {
        for fact in facts(item) {
            let claim = first.entry(fact).or_insert(item.claim);
            *claim = item.claim.min(*claim);
        }
    }
    let matches = |item: &Item| {
        let mut found: BTreeMap<Claim, Likeness> = BTreeMap::new();
        for fact in facts(item) {
            let likeness = if fact.0 == 0 { Likeness::Exact } else { Likeness::Near };
            if let Some(claim) = first.get(&fact).filter(|claim| **claim < item.claim) {
                let best = found.entry(*claim).or_insert(likeness);
                *best = likeness.min(*best);
            }
        }
        found.into_iter().map(|(claim, likeness)| Match { claim, likeness }).collect()
    };
    asked.iter().map(matches).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn answers_depend_on_what_is_in_it_and_not_on_the_way_there(
        seed: u64,
        count in 1u64..150,
        batches in 1usize..40,
        again: bool,
    ) {
        let all = items(seed, count);
        let expect = expected(&all, &all);
        let mut shuffled = all.clone();
        Seed::from_number(seed).stream("order", 0).shuffle(&mut shuffled);
        let folder = tempfile::tempdir().unwrap();
        let mut index = DedupIndex::open(folder.path()).unwrap();
        for (number, batch) in shuffled.chunks(shuffled.len().div_ceil(batches)).enumerate() {
            index.insert(batch).unwrap();
            if again && number % 3 == 0 {
                index.insert(batch).unwrap();
            }
            if number % 10 == 5 {
                drop(index);
                index = DedupIndex::open(folder.path()).unwrap();
            }
        }
        index.check().unwrap();
        prop_assert_eq!(index.earlier(&all).unwrap(), expect);
        // Those that are asked about count too, in the index or not.
        let (known, asked) = all.split_at(all.len() / 2);
        let folder = tempfile::tempdir().unwrap();
        let mut index = DedupIndex::open(folder.path()).unwrap();
        index.insert(known).unwrap();
        prop_assert_eq!(&index.earlier(asked).unwrap(), &expected(&all, asked));
    }
}

#[test]
fn the_earlier_commitment_has_the_credit_whoever_comes_first() {
    let text = "Goods were weighed here in the open before they were sold and the master of the scales had sworn to \
        be fair to both sides so that what they said was written down and it settled the price for good.";
    let near = text.replace("for good", "at once");
    let item = |number: u64, text: &str| Item {
        claim: claim(number),
        fingerprint: fingerprint(text),
        bands: Signature::of(text).map(|signature| signature.bands()),
    };
    let (first, copy, like, other) =
        (item(5, text), item(9, &text.to_uppercase()), item(12, &near), item(14, "too short to resemble"));
    let folder = tempfile::tempdir().unwrap();
    let mut index = DedupIndex::open(folder.path()).unwrap();
    // The copy is seen first.
    index.insert(&[copy, like, other]).unwrap();
    assert_eq!(index.earlier(&[copy]).unwrap(), [vec![]]);
    index.insert(&[first]).unwrap();
    let found = index.earlier(&[first, copy, like, other]).unwrap();
    let earliest = |likeness| vec![Match { claim: first.claim, likeness }];
    assert_eq!(found, [vec![], earliest(Likeness::Exact), earliest(Likeness::Near), vec![]]);
    let mut clusters = Clusters::default();
    for (item, matches) in [first, copy, like, other].iter().zip(&found) {
        for found in matches {
            clusters.join(item.claim, found.claim).unwrap();
        }
    }
    let firsts = [first, copy, like, other].map(|item| clusters.first(item.claim));
    assert_eq!(firsts, [first.claim, first.claim, first.claim, other.claim]);
}

#[test]
fn clusters_don_t_depend_on_the_batches() {
    let all = items(3, 90);
    let firsts = |batch: usize| {
        let folder = tempfile::tempdir().unwrap();
        let mut index = DedupIndex::open(folder.path()).unwrap();
        let mut clusters = Clusters::default();
        for batch in all.chunks(batch) {
            for (item, matches) in batch.iter().zip(index.earlier(batch).unwrap()) {
                matches.iter().for_each(|found| clusters.join(item.claim, found.claim).unwrap());
            }
            index.insert(batch).unwrap();
        }
        all.iter().map(|item| clusters.first(item.claim)).collect::<Vec<_>>()
    };
    let whole = firsts(90);
    assert_eq!(firsts(1), whole);
    assert_eq!(firsts(7), whole);
    assert!(whole.iter().zip(&all).any(|(first, item)| *first != item.claim));
}

#[test]
fn an_index_is_open_once_and_a_batch_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = DedupIndex::open(folder.path()).unwrap();
    assert!(matches!(DedupIndex::open(folder.path()), Err(IndexError::Busy { .. })));
    let many = vec![items(1, 1)[0]; BATCH_MAX_KEYS + 1];
    assert!(matches!(index.insert(&many), Err(IndexError::Batch { .. })));
    assert!(matches!(index.earlier(&many), Err(IndexError::Batch { .. })));
    index.insert(&[]).unwrap();
    assert_eq!(index.keys(), 0);
    drop(index);
    DedupIndex::open(folder.path()).unwrap();
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn damage_is_named_with_its_file_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let all = items(4, 400);
    let mut index = DedupIndex::open(folder.path()).unwrap();
    index.insert(&all[..200]).unwrap();
    index.insert(&all[200..]).unwrap();
    drop(index);
    let whole = files(folder.path());
    let found = |asked: &[Item]| -> Result<(), IndexError> {
        let index = DedupIndex::open(folder.path())?;
        index.check()?;
        index.earlier(asked).map(drop)
    };
    found(&all).unwrap();
    let mut stream = Seed::from_number(5).stream("damage", 0);
    for (name, bytes) in whole.iter().filter(|(name, _)| *name != "lock") {
        let place = folder.path().join(name);
        for round in 0..60 {
            let mut damaged = bytes.clone();
            match round % 4 {
                0 => damaged.truncate(stream.index(bytes.len())),
                1 => damaged.push(0),
                // Runs fill their blocks up with zeros, at which nobody looks.
                _ => {
                    let used = 1 + bytes.iter().rposition(|byte| *byte != 0).unwrap();
                    damaged[stream.index(used)] ^= 1 + u8::try_from(stream.below(255)).unwrap();
                }
            }
            fs::write(&place, &damaged).unwrap();
            match found(&all) {
                Err(IndexError::Damaged { path, at_byte, .. }) => {
                    assert!(path.ends_with(name.as_str()), "{path}");
                    assert!(at_byte <= bytes.len() as u64);
                }
                // Zeros at the end of a block's last record, or between records and the block's end.
                Ok(()) => assert!(name.ends_with(".keys") && round % 4 > 1, "{name} {round}"),
                Err(other) => panic!("{other}"),
            }
        }
        fs::remove_file(&place).unwrap();
        let missing = found(&all);
        let is_named = match &missing {
            Err(IndexError::Io { path, .. } | IndexError::Damaged { path, .. }) => path.ends_with(name),
            _ => false,
        };
        assert!(is_named, "{missing:?}");
        for (name, bytes) in &whole {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        found(&all).unwrap();
    }
}

#[test]
fn what_a_killed_process_left_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let all = items(6, 30);
    let mut index = DedupIndex::open(folder.path()).unwrap();
    index.insert(&all[..20]).unwrap();
    drop(index);
    let before = files(folder.path());
    // A batch whose run is on the disk, whole or in part, and the list is not replaced.
    fs::write(folder.path().join("run-1.keys"), b"half of a block").unwrap();
    fs::write(folder.path().join("runs.json.new"), b"{\"version\":1,\"ru").unwrap();
    fs::write(folder.path().join("run-x.keys"), b"somebody's own").unwrap();
    let mut index = DedupIndex::open(folder.path()).unwrap();
    assert!(!folder.path().join("run-1.keys").exists());
    assert_eq!(index.earlier(&all).unwrap(), expected(&all, &all));
    index.insert(&all[20..]).unwrap();
    index.check().unwrap();
    assert_eq!(fs::read(folder.path().join("run-x.keys")).unwrap(), b"somebody's own");
    drop(index);
    // A merge whose list is replaced, and whose old runs are not removed.
    fs::copy(folder.path().join("run-1.keys"), folder.path().join("run-7.keys")).unwrap();
    DedupIndex::open(folder.path()).unwrap().check().unwrap();
    assert!(!folder.path().join("run-7.keys").exists());
    assert!(before.contains_key("run-0.keys"));
}

const CHILD_FOLDER: &str = "WEIGH_TEST_DEDUP_FOLDER";
const CHILD_BATCH: u64 = 40;

fn child_batch(number: u64) -> Vec<Item> {
    let mut stream = Seed::from_number(number).stream("child", 0);
    (number * CHILD_BATCH..(number + 1) * CHILD_BATCH).map(|number| item(&mut stream, number)).collect()
}

/// The process that the next test kills: puts batch after batch in and says so. By itself it does nothing.
#[test]
fn inserts_until_it_is_killed() {
    let Some(folder) = env::var_os(CHILD_FOLDER) else { return };
    let mut index = DedupIndex::open(Path::new(&folder)).unwrap();
    for number in 0..10_000 {
        index.insert(&child_batch(number)).unwrap();
        // Not with println, which the harness would catch.
        writeln!(std::io::stdout(), "in {number}").unwrap();
    }
}

#[test]
fn a_killed_insert_leaves_the_old_state_or_the_new_one() {
    let mut stream = Seed::from_number(11).stream("kill", 0);
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["dedup::inserts_until_it_is_killed", "--exact", "--nocapture"])
            .env(CHILD_FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = stream.below(70);
        let mut done = 0;
        while done <= wanted {
            let line = lines.next().unwrap().unwrap();
            done += u64::from(line.starts_with("in "));
        }
        // Some way into what it does next: a merge after each eighth batch, else writing.
        (0..stream.below(4000)).for_each(|round| {
            std::hint::black_box(Digest::of(&round.to_le_bytes()));
        });
        child.kill().unwrap();
        child.wait().unwrap();
        done += lines.map_while(Result::ok).filter(|line| line.starts_with("in ")).count() as u64;
        let index = DedupIndex::open(folder.path()).unwrap();
        index.check().unwrap();
        let known = |batches: u64| (0..batches).flat_map(child_batch).collect::<Vec<Item>>();
        // All keys of what was said to be in, and of the next batch all or none.
        let asked: Vec<Item> = known(done + 1)
            .into_iter()
            .map(|item| Item { claim: Claim { block: u64::MAX, row: u64::MAX }, ..item })
            .collect();
        let found = index.earlier(&asked).unwrap();
        let (old, new) = (expected(&known(done), &asked), expected(&known(done + 1), &asked));
        println!("killed after {done} batches: {} keys", index.keys());
        assert!(found == old || found == new);
    }
}
