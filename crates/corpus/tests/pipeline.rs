//! From a source to a verified shard, and every way to cheat on it that the checks name.

use std::{collections::BTreeMap, path::PathBuf};

use corpus::{
    Decision, Document, DocumentRow, Folder, FolderLimits, Gopher, Limits, Memory, Reason, RowError, Shard,
    Source, SourceError, TaskSlice, document, tokens,
    verify::{self, Rule, Step},
};
use primitives::{Digest, Hotkey, Seed, Stream, merkle};
use proptest::prelude::*;

const MINER: Hotkey = Hotkey::from_bytes([1; 32]);
const RIVAL: Hotkey = Hotkey::from_bytes([2; 32]);
const WORDS: [&str; 12] =
    ["the", "scale", "and", "weight", "of", "merchant", "with", "grain", "that", "settled", "price", "have"];

fn prose(stream: &mut Stream, words: usize) -> String {
    let mut text = String::from("# Weighing\n\n");
    for place in 0..words {
        text.push_str(WORDS[stream.index(WORDS.len())]);
        text.push_str(if place % 17 == 16 { ".\n\n" } else { " " });
    }
    text.push_str("the end of that");
    text
}

/// Files of every fate: kept, duplicate in other clothes, short, empty, not UTF-8, all digits.
fn files(seed: u64, count: usize) -> Vec<(String, Vec<u8>)> {
    let mut stream = Seed::from_number(seed).stream("files", 0);
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for place in 0..count {
        let bytes = match stream.below(10) {
            0 => b"too short".to_vec(),
            1 => b"![badge](b.svg)".to_vec(),
            2 => b"caf\xe9".to_vec(),
            3 => "1234 5678 ".repeat(40).into_bytes(),
            4 | 5 if place > 0 => {
                let (_, earlier) = &files[stream.index(place)];
                String::from_utf8_lossy(earlier).to_uppercase().replace(". ", " ; ").into_bytes()
            }
            _ => {
                let words = 60 + stream.index(60);
                prose(&mut stream, words).into_bytes()
            }
        };
        files.push((format!("crate-{place:03}/README.md"), bytes));
    }
    files
}

struct Case {
    source: Memory,
    task: TaskSlice,
    shard: Shard,
}

impl Case {
    fn new(seed: u64, count: u32) -> Self {
        let source = Memory::new(files(seed, count as usize + 5)).expect("plain paths");
        let manifest = source.manifest();
        // The first entries belong to another task, so that indices and places differ.
        let span = corpus::Span { manifest: manifest.root(), first: 5, count };
        let task = manifest.slice(span).expect("five entries and the task's");
        let shard = Shard::build(&task, &source, MINER).expect("nothing changed");
        Self { source, task, shard }
    }

    fn check_rows(&self, shard: &Shard) -> Result<(), RowError> {
        self.task.numbered().try_for_each(|(index, entry)| {
            verify::row(shard, &self.task, index, &self.source.read(&entry.path).expect("nothing changed"))
        })
    }

    /// The first fault that all checks together find.
    fn fault(&self, shard: &Shard) -> Option<(Step, Option<u32>, Rule)> {
        let named = |fault: verify::Fault| Some((fault.step, fault.record, fault.rule));
        match verify::offline(shard, &self.task, &MINER) {
            Err(fault) => named(fault),
            Ok(()) => match self.check_rows(shard) {
                Err(RowError::Fault(fault)) => named(fault),
                Err(other) => panic!("{other}"),
                Ok(()) => None,
            },
        }
    }

    fn kept(&self) -> Vec<u32> {
        self.shard.documents.iter().map(|row| row.entry).collect()
    }

    fn place(&self, entry: u32) -> usize {
        (entry - self.task.span().first) as usize
    }
}

fn row_of(entry: u32, text: &str) -> DocumentRow {
    let fingerprint = document::fingerprint(text);
    DocumentRow { entry, text: text.to_owned(), tokens: tokens::count(text), fingerprint }
}

#[test]
fn the_recipe_gives_these_bits() {
    let source = "# The *weighhouse*\n\n[![ci](https://x.example/ci.svg)](https://x.example)\n\nGoods were weighed \
        here, in the open, before they\r\nwere sold; the master of the [scales](https://x.example/s) had sworn to be \
        fair.\n\n1. The seller named the weight.\n2. The buyer could have it taken again.\n   - With witnesses.\n\n```sh\n\
        weigh  --twice\n```\n\n<p>dropped</p>\n\n| good | pounds |\n|---|---|\n| wool | 12 |\n\nWhat the scales said \
        was written down and it settled that price for good.\n";
    let made = Document::extract("docs/house.md", source.as_bytes()).unwrap();
    assert_eq!(
        made.text,
        "The weighhouse\n\nGoods were weighed here, in the open, before they were sold; the master of the scales had \
         sworn to be fair.\n\n1. The seller named the weight.\n2. The buyer could have it taken again.\n  - With \
         witnesses.\n\nweigh  --twice\n\ngood | pounds\nwool | 12\n\nWhat the scales said was written down and it \
         settled that price for good."
    );
    assert_eq!(made.tokens, 74);
    let expect = "7308a664fed5ae6980ffcc8a3ce7926648113b1a882965c4534aeab8d66b9635";
    assert_eq!(made.fingerprint.to_string(), expect);
}

#[test]
fn each_entry_gets_its_decision() {
    let long = prose(&mut Seed::from_number(1).stream("t", 0), 80);
    let source = Memory::new([
        ("a.md", long.as_bytes().to_vec()),
        ("b.md", long.to_uppercase().replace('#', "##").into_bytes()),
        ("c.txt", b"short".to_vec()),
        ("d.md", b"<img src=x>".to_vec()),
        ("e.txt", vec![0xff; 10]),
        ("f.txt", vec![b'a'; document::RECORD_MAX_BYTES + 1]),
        ("g.md", format!("{} deep", ">".repeat(100)).into_bytes()),
        ("h.txt", long.clone().into_bytes()),
    ])
    .unwrap();
    let task = source.manifest().slice(source.manifest().spans(100)[0]).unwrap();
    let shard = Shard::build(&task, &source, MINER).unwrap();
    let decisions: Vec<String> = shard.ledger.rows.iter().map(|row| row.decision.to_string()).collect();
    let expect =
        ["kept", "dup_of:0", "gopher:short_doc", "empty", "not_utf8", "too_large", "too_nested", "dup_of:0"];
    assert_eq!(decisions, expect);
    assert_eq!(shard.documents.len(), 1);
    assert_eq!(shard.tokens(), tokens::count(&shard.documents[0].text));
}

#[test]
fn each_leaf_is_proven_under_the_root() {
    let case = Case::new(3, 20);
    let (leaves, root) = (case.shard.leaves(), case.shard.root());
    assert_eq!(leaves.len(), 1 + 20 + case.shard.documents.len());
    for (place, leaf) in leaves.iter().enumerate() {
        assert!(merkle::Proof::of(&leaves, place).unwrap().verify(&root, leaf));
    }
}

#[test]
fn a_source_that_changed_gives_no_shard_and_no_fault() {
    let mut case = Case::new(4, 10);
    let entry = case.task.entries()[3].clone();
    case.source.overwrite(&entry.path, b"something else".to_vec());
    let failed = Shard::build(&case.task, &case.source, MINER);
    assert!(matches!(failed, Err(SourceError::Changed { path, .. }) if path == entry.path));
    let unproven = verify::row(&case.shard, &case.task, 8, b"something else");
    assert!(matches!(unproven, Err(RowError::NoEvidence { expected, .. }) if expected == entry.digest));
    let outside = verify::row(&case.shard, &case.task, 4, b"");
    assert_eq!(outside, Err(RowError::Unknown { entry: 4 }));
}

#[test]
fn an_entry_that_is_not_the_tasks_own_gives_no_shard() {
    // The source has moved on and is consistent with itself; the task still names the earlier bytes.
    let before = Memory::new([("a.md", "before")]).unwrap();
    let after = Memory::new([("a.md", "after")]).unwrap();
    let task = before.manifest().slice(before.manifest().spans(1)[0]).unwrap();
    assert!(matches!(Shard::build(&task, &after, MINER), Err(SourceError::Changed { .. })));
}

#[test]
fn each_way_to_cheat_is_named() {
    let case = Case::new(5, 40);
    let kept = case.kept();
    let [first, second, last] = [kept[0], kept[1], kept[kept.len() - 1]];
    let duplicate =
        case.shard.ledger.rows.iter().position(|row| row.decision.to_string().starts_with("dup_of"));
    let duplicate = duplicate.expect("the seed has a duplicate");
    let duplicate_entry = case.task.span().first + u32::try_from(duplicate).unwrap();
    let check = |name: &str, cheat: &dyn Fn(&mut Shard), expect: (Step, Option<u32>, Rule)| {
        let mut shard = case.shard.clone();
        cheat(&mut shard);
        assert_eq!(case.fault(&shard), Some(expect), "{name}");
        assert_ne!(shard.root(), case.shard.root(), "{name}");
        let decoded = Shard::decode(&shard.encode(), &Limits::default());
        assert_eq!(decoded.as_ref(), Ok(&shard), "{name}");
    };
    let drop = |shard: &mut Shard, entry: u32, reason| {
        shard.ledger.rows[case.place(entry)].decision = Decision::Dropped(reason);
        shard.documents.retain(|row| row.entry != entry);
    };
    check("copy under another name", &|s| s.header.miner = RIVAL, (Step::Header, None, Rule::Miner));
    check("another task", &|s| s.header.task = Digest::of(b"x"), (Step::Header, None, Rule::Task));
    check("another recipe", &|s| s.header.recipe.version += 1, (Step::Header, None, Rule::Recipe));
    check(
        "limit and run",
        &|s| {
            s.ledger.rows.truncate(case.place(second));
            s.documents.truncate(1);
        },
        (Step::Tiling, Some(second), Rule::RowMissing),
    );
    check("documents cut", &|s| drop_last(s), (Step::Claims, Some(last), Rule::Documents));
    check(
        "made-up record",
        &|s| s.documents.push(row_of(999, "text")),
        (Step::Claims, Some(999), Rule::Documents),
    );
    check("swapped rows", &|s| s.documents.swap(0, 1), (Step::Claims, Some(first), Rule::Documents));
    check("tokens up", &|s| s.documents[1].tokens += 1, (Step::Claims, Some(second), Rule::Tokens));
    check(
        "fingerprint hidden",
        &|s| s.documents[1].fingerprint = Digest::of(b"x"),
        (Step::Claims, Some(second), Rule::Fingerprint),
    );
    check(
        "one text twice",
        &|s| s.documents[1] = row_of(second, &s.documents[0].text.clone()),
        (Step::Claims, Some(second), Rule::Decision),
    );
    check(
        "duplicate of nothing",
        &|s| drop(s, first, Reason::DuplicateOf { entry: last }),
        (Step::Claims, Some(first), Rule::DuplicateOf),
    );
    check(
        "injected sentence",
        &|s| s.documents[1] = row_of(second, &format!("{} Buy now.", s.documents[1].text)),
        (Step::Row, Some(second), Rule::Text),
    );
    check(
        "shuffled words",
        &|s| {
            let mut words: Vec<&str> = case.shard.documents[1].text.split(' ').collect();
            words.reverse();
            s.documents[1] = row_of(second, &words.join(" "));
        },
        (Step::Row, Some(second), Rule::Text),
    );
    check(
        "work not done",
        &|s| drop(s, last, Reason::Gopher(Gopher::ShortDoc)),
        (Step::Row, Some(last), Rule::Decision),
    );
    check(
        "duplicate of another text",
        &|s| drop(s, last, Reason::DuplicateOf { entry: first }),
        (Step::Row, Some(last), Rule::Decision),
    );
    check(
        "duplicate kept in other words",
        &|s| {
            s.ledger.rows[duplicate].decision = Decision::Kept;
            let at = s.documents.partition_point(|row| row.entry < duplicate_entry);
            s.documents.insert(at, row_of(duplicate_entry, "words that stand nowhere else"));
        },
        (Step::Row, Some(duplicate_entry), Rule::Decision),
    );
}

fn drop_last(shard: &mut Shard) {
    shard.documents.pop();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn honest_work_passes_every_check_and_every_encoding(seed: u64, count in 1u32..40) {
        let case = Case::new(seed, count);
        prop_assert_eq!(case.fault(&case.shard), None);
        let bytes = case.shard.encode();
        let decoded = Shard::decode(&bytes, &Limits::default());
        prop_assert_eq!(decoded.as_ref(), Ok(&case.shard));
        let again = Shard::build(&case.task, &case.source, MINER).unwrap();
        prop_assert_eq!(again.encode(), bytes);
        let rival = Shard::build(&case.task, &case.source, RIVAL).unwrap();
        prop_assert_ne!(rival.root(), case.shard.root());
    }

    #[test]
    fn damaged_bytes_are_never_a_shard(seed: u64, at: usize, flip in 1u8..=255, cut: usize) {
        let bytes = Case::new(seed, 12).shard.encode();
        let mut damaged = bytes.clone();
        damaged[at % bytes.len()] ^= flip;
        prop_assert!(Shard::decode(&damaged, &Limits::default()).is_err());
        prop_assert!(Shard::decode(&bytes[..cut % bytes.len()], &Limits::default()).is_err());
    }

    #[test]
    fn any_tampered_ledger_row_is_a_fault(seed: u64, count in 2u32..30, a: usize, b: usize, kind in 0u8..5) {
        let case = Case::new(seed, count);
        let mut shard = case.shard.clone();
        let rows = &mut shard.ledger.rows;
        let (a, b) = (a % rows.len(), b % rows.len());
        match kind {
            0 => { rows.remove(a); }
            1 => rows.swap(a, b),
            2 => rows.insert(a, rows[b].clone()),
            3 => rows[a].length_bytes ^= 1,
            _ => rows[a].decision = rows[b].decision,
        }
        prop_assert_eq!(case.fault(&shard).is_some(), shard != case.shard);
    }
}

/// Prints what it finds; skips where no cargo home with unpacked crates is known at compile time.
#[test]
fn the_crate_registry_becomes_verified_shards() {
    let home = option_env!("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| option_env!("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let Some(home) = home else { return println!("skipped: neither CARGO_HOME nor HOME was set") };
    let folder = match Folder::cargo_registry(&home, FolderLimits::default()) {
        Ok(folder) if !folder.manifest().entries().is_empty() => folder,
        Ok(_) => return println!("skipped: no documentation in {}", home.display()),
        Err(error) => return println!("skipped: {error}"),
    };
    let manifest = folder.manifest();
    assert!(manifest.entries().iter().all(|entry| !entry.path.contains("index.crates.io")));
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let (mut tokens, mut encoded, mut text) = (0, 0, 0);
    for span in manifest.spans(256) {
        let task = manifest.slice(span).unwrap();
        let shard = Shard::build(&task, &folder, MINER).unwrap();
        assert_eq!(verify::offline(&shard, &task, &MINER), Ok(()));
        let mut stream = Seed::from_number(u64::from(span.first)).stream("audit", 0);
        for place in stream.sample(task.entries().len(), 96) {
            let entry = &task.entries()[place];
            let index = span.first + u32::try_from(place).unwrap();
            let bytes = folder.read(&entry.path).unwrap();
            assert_eq!(verify::row(&shard, &task, index, &bytes), Ok(()), "{}", entry.path);
        }
        let bytes = shard.encode();
        assert_eq!(Shard::decode(&bytes, &Limits::default()).as_ref(), Ok(&shard));
        for row in &shard.ledger.rows {
            let reason = row.decision.to_string();
            let kind = if reason.starts_with("dup_of") { "dup_of".to_owned() } else { reason };
            *reasons.entry(kind).or_default() += 1;
        }
        tokens += shard.tokens();
        encoded += bytes.len();
        text += shard.documents.iter().map(|row| row.text.len()).sum::<usize>();
    }
    let bytes: u64 = manifest.entries().iter().map(|entry| entry.length_bytes).sum();
    println!("{} files of {bytes} bytes: {text} bytes of text, {tokens} tokens", manifest.entries().len());
    println!("encoded in {encoded} bytes; decisions {reasons:?}");
    assert!(reasons.contains_key("kept"));
}
