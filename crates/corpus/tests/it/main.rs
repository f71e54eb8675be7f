//! From a source to a verified shard, and every way to cheat on it that the checks name.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests print what they measure, read shared files and may panic"
)]

mod dedup;
mod filters;
mod hub;
mod images;
mod reading;
mod remote;
mod shared;
mod token_shard;

use std::{collections::BTreeMap, path::PathBuf};

use corpus::{
    ArchiveRange, Cut, Decision, Document, DocumentRow, Exclusion, Extent, Filters, Folder, FolderLimits,
    Gopher, Limits, Memory, MemoryArchive, Page, Reason, Recipes, RowError, Rules, Shard, Source,
    SourceError, document,
    minhash::BANDS,
    tokens,
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
                String::from_utf8_lossy(earlier).replace(" s", " S").replace(". ", " ; ").into_bytes()
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
    source: Box<dyn Source>,
    extent: Extent,
    rules: Rules,
    shard: Shard,
}

impl Case {
    fn files(seed: u64, count: u32) -> Self {
        let source = Memory::new(files(seed, count as usize + 5)).expect("plain paths");
        let manifest = source.manifest();
        // The first entries belong to another task, so that indices and places differ.
        let span = corpus::Span { manifest: manifest.root(), first: 5, count };
        let extent = Extent::Files(manifest.slice(span).expect("five entries and the task's"));
        Self::of(Box::new(source), extent)
    }

    /// The same files as pages of an archive, of which the first three belong to another task.
    fn archive(seed: u64, count: u32) -> Self {
        let files = files(seed, count as usize + 3);
        let pages: Vec<(String, String)> = files
            .into_iter()
            .map(|(path, bytes)| {
                let text = String::from_utf8_lossy(&bytes).replace('\n', "</p><p>");
                (format!("https://x.example/{path}"), format!("<html><body><p>{text}</p></body></html>"))
            })
            .collect();
        let pages = pages.iter().map(|(url, html)| (url.as_str(), html.as_str()));
        let source = MemoryArchive::of_pages("crawl/a.warc.gz", pages);
        let single = source.extents(Cut { entries_max: 1, bytes_max: u64::MAX }).expect("whole");
        let Extent::Archive(first) = &single[3] else { panic!("no archive") };
        let length_bytes = source.bytes().len() as u64 - first.first_byte;
        let rest = &source.bytes()[usize::try_from(first.first_byte).unwrap()..];
        let range = ArchiveRange { length_bytes, digest: Digest::of(rest), ..first.clone() };
        Self::of(Box::new(source), Extent::Archive(range))
    }

    fn any(archive: bool, seed: u64, count: u32) -> Self {
        if archive { Self::archive(seed, count) } else { Self::files(seed, count) }
    }

    fn of(source: Box<dyn Source>, extent: Extent) -> Self {
        let rules = Rules::default();
        let shard = Shard::build(&extent, &*source, MINER, &rules).expect("nothing changed");
        Self { source, extent, rules, shard }
    }

    /// What a validator reads for a row: of an archive, wherever the row says that its record is.
    fn bytes(&self, shard: &Shard, row: usize) -> Vec<u8> {
        match &self.extent {
            Extent::Files(slice) => self.source.read(&slice.entries()[row].path).expect("nothing changed"),
            Extent::Archive(range) => {
                let row = &shard.ledger.rows[row];
                self.source
                    .read_range(&range.path, row.offset_bytes, row.length_bytes)
                    .expect("within the archive")
            }
        }
    }

    fn check_row(&self, shard: &Shard, row: usize) -> Result<(), RowError> {
        let number = u32::try_from(row).unwrap();
        verify::row(shard, &self.extent, number, &self.bytes(shard, row), &self.rules)
    }

    /// The first fault that all checks together find.
    fn fault(&self, shard: &Shard) -> Option<(Step, Option<u32>, Rule)> {
        let named = |fault: verify::Fault| Some((fault.step, fault.row, fault.rule));
        if let Err(fault) = verify::offline(shard, &self.extent, &MINER, Recipes::Pinned, &self.rules) {
            return named(*fault);
        }
        match (0..shard.ledger.rows.len()).try_for_each(|row| self.check_row(shard, row)) {
            Err(RowError::Fault(fault)) => named(*fault),
            Err(other) => panic!("{other}"),
            Ok(()) => None,
        }
    }

    fn kept(&self) -> Vec<u32> {
        self.shard.documents.iter().map(|row| row.record).collect()
    }
}

fn row_of(record: u32, text: &str) -> DocumentRow {
    DocumentRow::of_text(record, text.to_owned(), &Rules::default())
}

#[test]
fn the_recipe_gives_these_bits() {
    let source = "# The *weighhouse*\n\n[![ci](https://x.example/ci.svg)](https://x.example)\n\nGoods were weighed \
        here, in the open, before they\r\nwere sold; the master of the [scales](https://x.example/s) had sworn to be \
        fair.\n\n1. The seller named the weight.\n2. The buyer could have it taken again.\n   - With witnesses.\n\n```sh\n\
        weigh  --twice\n```\n\n<p>raw</p>\n\n| good | pounds |\n|---|---|\n| wool | 12 |\n\nWhat the scales said \
        was written down and it settled that price for good.\n";
    let page = Page::of_file("docs/house.md", source.as_bytes()).unwrap();
    // So many marks in so little text would not pass for prose.
    let rules = Rules { filters: Filters::NONE, ..Rules::default() };
    let made = Document::of_page(&page, &rules, &corpus::extract::main_text).unwrap();
    let expect = "# The weighhouse\n\nGoods were weighed here, in the open, before they were sold; the master of the scales had \
        sworn to be fair.\n\n1. The seller named the weight.\n2. The buyer could have it taken again.\n  - With witnesses.\n\n\
        ```\nweigh  --twice\n```\n\nraw\n\n| good | pounds |\n| --- | --- |\n| wool | 12 |\n\nWhat the scales said was \
        written down and it settled that price for good.";
    assert_eq!(made.text, expect);
    let pinned = (made.language, made.language_permille, made.tokens, made.fingerprint.to_string());
    let print = "4d1bd364f3711621fb1d87096f24e0067a100efd3f3ce05e8ba66f807dbb62ff".to_owned();
    assert_eq!(pinned, ("en", 1000, 95, print));
}

#[test]
fn each_entry_gets_its_decision() {
    let long = prose(&mut Seed::from_number(1).stream("t", 0), 80);
    let german =
        "Was die Waage sagte, wurde aufgeschrieben und unterschrieben, und damit stand der Preis fest. ";
    let secret = "nobody may train on this sentence since it is a question of the final exam";
    let source = Memory::new([
        ("a.md", long.as_bytes().to_vec()),
        ("b.md", long.replace(" s", " S").replace('#', "##").into_bytes()),
        ("c.txt", b"short".to_vec()),
        ("d.md", b"<img src=x>".to_vec()),
        ("e.txt", vec![0x01; 10]),
        ("f.txt", vec![b'a'; document::TEXT_MAX_BYTES + 1]),
        ("g.md", format!("{} deep", ">".repeat(100)).into_bytes()),
        ("h.txt", long.trim_start_matches("# ").as_bytes().to_vec()),
        ("i.txt", german.repeat(10).into_bytes()),
        ("j.txt", format!("{} {secret}", long.replace("grain", "wool")).into_bytes()),
    ])
    .unwrap();
    let rules = Rules {
        languages: vec!["en".parse().unwrap()],
        exclusion: Exclusion::new([secret]).unwrap(),
        ..Rules::default()
    };
    let extent = source.extents(Cut { entries_max: 100, bytes_max: u64::MAX }).unwrap().remove(0);
    let shard = Shard::build(&extent, &source, MINER, &rules).unwrap();
    let decisions: Vec<String> = shard.ledger.rows.iter().map(|row| row.decision.to_string()).collect();
    let expect = [
        "kept",
        "dup_of:0",
        "gopher:short_doc",
        "empty",
        "charset",
        "too_large",
        "too_nested",
        "dup_of:0",
        "lang",
        "contaminated",
    ];
    assert_eq!(decisions, expect);
    assert_eq!(shard.documents.len(), 1);
    assert_eq!(shard.tokens(), tokens::count(&shard.documents[0].text));
    for row in 0..10 {
        let path = &shard.ledger.rows[row as usize].path;
        let bytes = source.read(path).unwrap();
        assert_eq!(verify::row(&shard, &extent, row, &bytes, &rules), Ok(()), "{path}");
    }
}

#[test]
fn near_duplicates_are_dropped_where_the_rules_say_so() {
    let mut stream = Seed::from_number(12).stream("t", 0);
    // Of twelve words in chance order, so that the 5-grams of two texts are others.
    let [one, other] = [(); 2].map(|()| prose(&mut stream, 200));
    let like = one.replacen("grain", "wool", 1);
    assert_ne!(one, like);
    let files = [("a.md", &one), ("b.md", &like), ("c.md", &other), ("d.md", &like), ("e.md", &one)];
    let source = Memory::new(files.map(|(path, text)| (path, text.as_bytes()))).unwrap();
    let extent = source.extents(Cut { entries_max: 100, bytes_max: u64::MAX }).unwrap().remove(0);
    let check = |near_duplicates: bool, expect: &str| {
        let rules = Rules { near_duplicates, ..Rules::default() };
        let shard = Shard::build(&extent, &source, MINER, &rules).unwrap();
        let decisions: Vec<String> = shard.ledger.rows.iter().map(|row| row.decision.to_string()).collect();
        assert_eq!(decisions.join(" "), expect);
        assert_eq!(verify::offline(&shard, &extent, &MINER, Recipes::Pinned, &rules), Ok(()));
        for (row, (_, text)) in (0u32..).zip(files) {
            assert_eq!(verify::row(&shard, &extent, row, text.as_bytes(), &rules), Ok(()));
            let others = Rules { near_duplicates: !near_duplicates, ..Rules::default() };
            let found = verify::row(&shard, &extent, row, text.as_bytes(), &others);
            // What is kept has bands or not; the copy of the variant is told otherwise too, since what it copies is not kept.
            assert_eq!(found.is_err(), row < 3 || (row == 3 && near_duplicates), "{found:?}");
        }
        assert_eq!(Shard::decode(&shard.encode(), &Limits::default()).as_ref(), Ok(&shard));
        shard
    };
    check(false, "kept kept kept dup_of:1 dup_of:0");
    let mut shard = check(true, "kept near_dup_of:0 kept near_dup_of:0 dup_of:0");
    assert_eq!(shard.ledger.decisions()["near_dup_of"], 2);
    let rules = Rules { near_duplicates: true, ..Rules::default() };
    let faulty = |touch: &dyn Fn(&mut Shard)| {
        let mut shard = shard.clone();
        touch(&mut shard);
        let fault = verify::offline(&shard, &extent, &MINER, Recipes::Pinned, &rules).unwrap_err();
        (fault.row, fault.rule)
    };
    assert_eq!(faulty(&|shard| shard.documents[1].bands = None), (Some(2), Rule::Bands));
    assert_eq!(faulty(&|shard| shard.documents[1].bands.as_mut().unwrap()[3] ^= 1), (Some(2), Rule::Bands));
    let kept_like = |shard: &mut Shard| {
        shard.ledger.rows[1].decision = Decision::Kept;
        let text = shard.documents[0].text.replacen("grain", "wool", 1);
        shard.documents.insert(1, DocumentRow::of_text(1, text, &rules));
    };
    assert_eq!(faulty(&kept_like), (Some(1), Rule::Decision), "without the source");
    shard.ledger.rows[1].decision = Decision::Dropped(Reason::NearDuplicateOf { row: 2 });
    let fault = verify::row(&shard, &extent, 1, like.as_bytes(), &rules);
    assert!(matches!(fault, Err(RowError::Fault(fault)) if fault.rule == Rule::Decision));
    shard.ledger.rows[1].decision = Decision::Dropped(Reason::NearDuplicateOf { row: 1 });
    let fault = verify::offline(&shard, &extent, &MINER, Recipes::Pinned, &rules).unwrap_err();
    assert_eq!((fault.row, fault.rule), (Some(1), Rule::DuplicateOf));
}

#[test]
fn each_leaf_is_proven_under_the_root() {
    let case = Case::archive(3, 20);
    let (leaves, root) = (case.shard.leaves(), case.shard.root());
    assert_eq!(leaves.len(), 1 + 20 + case.shard.documents.len());
    for (place, leaf) in leaves.iter().enumerate() {
        assert!(merkle::Proof::of(&leaves, place).unwrap().verify(&root, leaf));
    }
}

#[test]
fn a_source_that_changed_gives_no_shard_and_no_fault() {
    let case = Case::files(4, 10);
    let Extent::Files(slice) = &case.extent else { panic!("files") };
    let entry = slice.entries()[3].clone();
    let mut source = Memory::new(files(4, 15)).unwrap();
    source.overwrite(&entry.path, b"something else".to_vec());
    let failed = Shard::build(&case.extent, &source, MINER, &case.rules);
    assert!(matches!(failed, Err(SourceError::Changed { path, .. }) if path == entry.path));
    let unproven = verify::row(&case.shard, &case.extent, 3, b"something else", &case.rules);
    assert!(matches!(unproven, Err(RowError::NoEvidence { record, .. }) if record == entry.path));
    let outside = verify::row(&case.shard, &case.extent, 10, b"", &case.rules);
    assert_eq!(outside, Err(RowError::Unknown { row: 10 }));

    let case = Case::archive(4, 10);
    let Extent::Archive(range) = &case.extent else { panic!("archive") };
    let other = ArchiveRange { digest: Digest::of(b"x"), ..range.clone() };
    let failed = Shard::build(&Extent::Archive(other), &*case.source, MINER, &case.rules);
    assert!(matches!(failed, Err(SourceError::Changed { .. })));
    let unproven = verify::row(&case.shard, &case.extent, 3, b"cut", &case.rules);
    assert!(matches!(unproven, Err(RowError::NoEvidence { .. })));
}

#[test]
fn an_entry_that_is_not_the_tasks_own_gives_no_shard() {
    // The source has moved on and is consistent with itself; the task still names the earlier bytes.
    let before = Memory::new([("a.md", "before")]).unwrap();
    let after = Memory::new([("a.md", "after")]).unwrap();
    let extent = before.extents(Cut { entries_max: 1, bytes_max: 1 }).unwrap().remove(0);
    let built = Shard::build(&extent, &after, MINER, &Rules::default());
    assert!(matches!(built, Err(SourceError::Changed { .. })));
}

#[test]
fn each_way_to_cheat_is_named() {
    for archive in [false, true] {
        cheat_each_way(&Case::any(archive, 5, 40));
    }
}

fn cheat_each_way(case: &Case) {
    let kept = case.kept();
    let [first, second, last] = [kept[0], kept[1], kept[kept.len() - 1]];
    let duplicate =
        case.shard.ledger.rows.iter().position(|row| row.decision.to_string().starts_with("dup_of"));
    let duplicate = duplicate.expect("the seed has a duplicate");
    let duplicate_row = u32::try_from(duplicate).unwrap();
    let check = |name: &str, cheat: &dyn Fn(&mut Shard), expect: (Step, Option<u32>, Rule)| {
        let mut shard = case.shard.clone();
        cheat(&mut shard);
        assert_eq!(case.fault(&shard), Some(expect), "{name}");
        assert_ne!(shard.root(), case.shard.root(), "{name}");
        let decoded = Shard::decode(&shard.encode(), &Limits::default());
        assert_eq!(decoded.as_ref(), Ok(&shard), "{name}");
    };
    let drop = |shard: &mut Shard, row: u32, reason| {
        shard.ledger.rows[row as usize].decision = Decision::Dropped(reason);
        shard.documents.retain(|document| document.record != row);
    };
    let rewrite = |shard: &mut Shard, text: &str| {
        shard.documents[1] = shard.documents[1].clone().with_text(text.to_owned(), &Rules::default());
    };
    check("copy under another name", &|s| s.header.miner = RIVAL, (Step::Header, None, Rule::Miner));
    check("another task", &|s| s.header.task = Digest::of(b"x"), (Step::Header, None, Rule::Task));
    check("another recipe", &|s| s.header.recipe.version += 1, (Step::Header, None, Rule::Recipe));
    check(
        "limit and run",
        &|s| {
            s.ledger.rows.truncate(second as usize);
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
    check("surer", &|s| s.documents[1].language_permille ^= 1, (Step::Claims, Some(second), Rule::Language));
    check(
        "fingerprint hidden",
        &|s| s.documents[1].fingerprint = Digest::of(b"x"),
        (Step::Claims, Some(second), Rule::Fingerprint),
    );
    check(
        "one text twice",
        &|s| rewrite(s, &s.documents[0].text.clone()),
        (Step::Claims, Some(second), Rule::Decision),
    );
    check(
        "duplicate of nothing",
        &|s| drop(s, first, Reason::DuplicateOf { row: last }),
        (Step::Claims, Some(first), Rule::DuplicateOf),
    );
    check(
        "another address",
        &|s| s.documents[1].url = "https://elsewhere.example/".into(),
        (Step::Row, Some(second), Rule::Provenance),
    );
    check("another title", &|s| s.documents[1].title.push('!'), (Step::Row, Some(second), Rule::Metadata));
    check(
        "another day",
        &|s| s.documents[1].published = "2026-11-22".into(),
        (Step::Row, Some(second), Rule::Metadata),
    );
    check(
        "a wish hidden or made up",
        &|s| s.documents[1].opt_out.no_training ^= true,
        (Step::Row, Some(second), Rule::Metadata),
    );
    check("more words", &|s| s.documents[1].signals.words += 1, (Step::Row, Some(second), Rule::Signals));
    check(
        "fewer repeated lines",
        &|s| s.documents[1].signals.repeated_paragraphs_permille ^= 1,
        (Step::Row, Some(second), Rule::Signals),
    );
    check(
        "bands that nobody asked for",
        &|s| s.documents[1].bands = Some([7; BANDS]),
        (Step::Claims, Some(second), Rule::Bands),
    );
    check(
        "injected sentence",
        &|s| rewrite(s, &format!("{} Buy now.", s.documents[1].text)),
        (Step::Row, Some(second), Rule::Text),
    );
    check(
        "shuffled words",
        &|s| {
            let mut words: Vec<&str> = case.shard.documents[1].text.split(' ').collect();
            words.reverse();
            rewrite(s, &words.join(" "));
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
        &|s| drop(s, last, Reason::DuplicateOf { row: first }),
        (Step::Row, Some(last), Rule::Decision),
    );
    check(
        "duplicate kept in other words",
        &|s| {
            s.ledger.rows[duplicate].decision = Decision::Kept;
            let at = s.documents.partition_point(|row| row.record < duplicate_row);
            s.documents.insert(at, row_of(duplicate_row, "words that stand nowhere else"));
        },
        (Step::Row, Some(duplicate_row), Rule::Decision),
    );
    if matches!(case.extent, Extent::Archive(_)) {
        check(
            "two records in one row",
            &|s| {
                let behind = s.ledger.rows.remove(second as usize + 1);
                s.ledger.rows[second as usize].length_bytes += behind.length_bytes;
                renumber_behind(s, second);
            },
            (Step::Row, Some(second), Rule::RowSpan),
        );
        check(
            "the payload of another",
            &|s| s.ledger.rows[second as usize].digest = Digest::of(b"x"),
            (Step::Row, Some(second), Rule::RowChanged),
        );
    }
}

/// Keeps the claims of a shard consistent after the row behind `row` was taken out of the ledger.
fn renumber_behind(shard: &mut Shard, row: u32) {
    let gone = row + 1;
    shard.documents.retain(|document| document.record != gone);
    for document in &mut shard.documents {
        document.record -= u32::from(document.record > gone);
    }
    for ledger_row in &mut shard.ledger.rows {
        if let Decision::Dropped(Reason::DuplicateOf { row: of }) = &mut ledger_row.decision {
            if *of == gone {
                ledger_row.decision = Decision::Dropped(Reason::Empty);
            } else {
                *of -= u32::from(*of > gone);
            }
        }
    }
}

fn drop_last(shard: &mut Shard) {
    shard.documents.pop();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn honest_work_passes_every_check_and_every_encoding(archive: bool, seed: u64, count in 1u32..40) {
        let case = Case::any(archive, seed, count);
        prop_assert_eq!(case.fault(&case.shard), None);
        let bytes = case.shard.encode();
        let decoded = Shard::decode(&bytes, &Limits::default());
        prop_assert_eq!(decoded.as_ref(), Ok(&case.shard));
        let again = Shard::build(&case.extent, &*case.source, MINER, &case.rules).unwrap();
        prop_assert_eq!(again.encode(), bytes);
        let rival = Shard::build(&case.extent, &*case.source, RIVAL, &case.rules).unwrap();
        prop_assert_ne!(rival.root(), case.shard.root());
    }

    #[test]
    fn damaged_bytes_are_never_a_shard(seed: u64, at: usize, flip in 1u8..=255, cut: usize) {
        let bytes = Case::files(seed, 12).shard.encode();
        let mut damaged = bytes.clone();
        damaged[at % bytes.len()] ^= flip;
        prop_assert!(Shard::decode(&damaged, &Limits::default()).is_err());
        prop_assert!(Shard::decode(&bytes[..cut % bytes.len()], &Limits::default()).is_err());
    }

    #[test]
    fn any_tampered_ledger_row_is_a_fault(
        archive: bool, seed: u64, count in 2u32..30, a: usize, b: usize, kind in 0u8..6,
    ) {
        let case = Case::any(archive, seed, count);
        let mut shard = case.shard.clone();
        let rows = &mut shard.ledger.rows;
        let (a, b) = (a % rows.len(), b % rows.len());
        match kind {
            0 => { rows.remove(a); }
            1 => rows.swap(a, b),
            2 => rows.insert(a, rows[b].clone()),
            3 => rows[a].length_bytes ^= 1,
            4 => rows[a].digest = rows[b].digest,
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
    let rules = Rules { languages: vec!["en".parse().unwrap()], ..Rules::default() };
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let (mut tokens, mut encoded, mut text) = (0, 0, 0);
    // Every fourth task: all of them take half a minute on a busy machine.
    for (number, extent) in (0..).zip(folder.extents(Cut { entries_max: 256, bytes_max: u64::MAX }).unwrap())
    {
        let shard = Shard::build(&extent, &folder, MINER, &rules).unwrap();
        assert_eq!(verify::offline(&shard, &extent, &MINER, Recipes::Pinned, &rules), Ok(()));
        let mut stream = Seed::from_number(number).stream("audit", 0);
        for place in stream.sample(shard.ledger.rows.len(), 16) {
            let bytes = folder.read(&shard.ledger.rows[place].path).unwrap();
            let row = u32::try_from(place).unwrap();
            assert_eq!(verify::row(&shard, &extent, row, &bytes, &rules), Ok(()), "{row}");
        }
        let bytes = shard.encode();
        assert_eq!(Shard::decode(&bytes, &Limits::default()).as_ref(), Ok(&shard));
        for (reason, count) in shard.ledger.decisions() {
            *reasons.entry(reason).or_default() += count;
        }
        tokens += shard.tokens();
        encoded += bytes.len();
        text += shard.documents.iter().map(|row| row.text.len()).sum::<usize>();
    }
    let bytes: u64 = manifest.entries().iter().map(|entry| entry.length_bytes).sum();
    println!(
        "{} files of {bytes} bytes; a quarter: {text} bytes of text, {tokens} tokens",
        manifest.entries().len()
    );
    println!("encoded in {encoded} bytes; decisions {reasons:?}");
    assert!(reasons.contains_key("kept"));
}
