//! Image–text pairs as a repository, and of real pages.

use std::{collections::BTreeMap, fs, path::Path};

use corpus::{
    Cut, Page, RecordKind, Source, archive,
    html::{Tag, Tree},
    images::{
        Images, Pair,
        repository::{Examined, ImagesManifest, ImagesWriter, check},
    },
    page::Form,
    reading::{self, Pool, Taken},
    source::MemoryArchive,
};

use crate::shared::shared;

fn pool(threads: usize) -> Pool {
    Pool { threads: threads.try_into().unwrap(), bytes_max: 1 << 20 }
}

/// An archive of pages, some of them with images.
fn archive_of(count: usize) -> MemoryArchive {
    let page = |number: usize| {
        let images: String = (0..number % 4)
            .map(|image| {
                format!(
                    "<p>before {image}<img src=i{image}.jpg alt='image {image} of page {number}'><img src=x>"
                )
            })
            .collect();
        let robots = if number % 5 == 4 { "<meta name=robots content=noimageai>" } else { "" };
        (
            format!("https://x.example/{number}/"),
            format!("<head>{robots}</head><h1>Page {number}</h1>{images}"),
        )
    };
    let pages: Vec<(String, String)> = (0..count).map(page).collect();
    MemoryArchive::of_pages("a.warc.gz", pages.iter().map(|(url, html)| (url.as_str(), html.as_str())))
}

const CUT: Cut = Cut { entries_max: 9, bytes_max: u64::MAX };

fn write(root: &Path, source: &dyn Source, threads: usize, heed_opt_out: bool) -> ImagesManifest {
    let mut writer = ImagesWriter::create(root, heed_opt_out);
    for extent in source.extents(CUT).unwrap() {
        let records = reading::records(&extent, source).unwrap().map(Result::unwrap);
        let look = |taken: Taken<'_>| Examined::of(&taken, heed_opt_out);
        let examined: Vec<Examined> = {
            let mut all = Vec::new();
            reading::map_in_order(records, Taken::held_bytes, look, pool(threads), |one| {
                all.push(one);
                Ok::<(), ()>(())
            })
            .unwrap();
            all
        };
        writer.begin(extent);
        for one in &examined {
            writer.add(one).unwrap();
        }
    }
    writer.finish().unwrap()
}

fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    files.map(|entry| (name(entry.path()), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn pairs_are_made_again_from_the_source_alone() {
    let source = archive_of(30);
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let manifest = write(one.path(), &source, 1, true);
    assert_eq!(manifest, write(two.path(), &source, 3, true));
    assert_eq!(tree(one.path()), tree(two.path()));
    assert_eq!((manifest.records, manifest.tasks.len()), (30, 4));
    assert_eq!(manifest.decisions, BTreeMap::from([("kept".into(), 24), ("optout".into(), 6)]));
    let shown: u64 = (0..30).filter(|number| number % 5 != 4).map(|number| number % 4).sum();
    assert_eq!((manifest.images, manifest.pairs), (2 * shown, shown));
    assert_eq!(manifest.dropped, BTreeMap::from([("no_words".into(), shown)]));
    assert_eq!(check(one.path(), None, |_| {}).unwrap(), manifest);
    let mut bytes = 0;
    let again = check(one.path(), Some((&source, pool(2))), |length| bytes += length).unwrap();
    assert_eq!((again, bytes), (manifest, source.bytes().len() as u64));
    let all = write(&two.path().join("all"), &source, 1, false);
    assert_eq!(all.decisions, BTreeMap::from([("kept".into(), 30)]));
}

/// What somebody makes of the pairs of one page, with all digests and counts as they should be, is named.
#[test]
fn each_change_of_a_pair_is_named() {
    let source = archive_of(12);
    let extents = source.extents(CUT).unwrap();
    let forged = |change: &dyn Fn(&mut Vec<Examined>)| {
        let root = tempfile::tempdir().unwrap();
        let mut writer = ImagesWriter::create(root.path(), false);
        for extent in &extents {
            let records = reading::records(extent, &source).unwrap().map(Result::unwrap);
            let mut all: Vec<Examined> = records.map(|taken| Examined::of(&taken, false)).collect();
            if *extent == extents[0] {
                change(&mut all);
            }
            writer.begin(extent.clone());
            all.iter().for_each(|one| writer.add(one).unwrap());
        }
        writer.finish().unwrap();
        let offline = check(root.path(), None, |_| {}).map(drop).map_err(|error| error.to_string());
        let whole = check(root.path(), Some((&source, pool(1))), |_| {});
        (offline, whole.map(drop).map_err(|error| error.to_string()))
    };
    assert_eq!(forged(&|_| {}), (Ok(()), Ok(())));
    let records = reading::records(&extents[0], &source).unwrap().map(Result::unwrap);
    let rows: Vec<Examined> = records.map(|taken| Examined::of(&taken, false)).collect();
    let name = rows[3].row.name().to_string();
    type Change = fn(&mut Pair);
    let changes: [(Change, &str); 8] = [
        (|pair| pair.src.push('x'), "src"),
        (|pair| pair.alt = "words of mine".into(), "alt"),
        (|pair| pair.caption.push('x'), "caption"),
        (|pair| pair.heading.clear(), "heading"),
        (|pair| pair.text_before.clear(), "text_before"),
        (|pair| pair.link.push('x'), "link"),
        (|pair| pair.text_offset = Some(1000), "text_offset"),
        (|pair| pair.width = Some(2), "width"),
    ];
    for (change, what) in changes {
        let (offline, whole) = forged(&|all| change(&mut all[3].images.pairs[1]));
        assert_eq!(offline, Ok(()), "{what}");
        let whole = whole.unwrap_err();
        let is_told = whole.contains(&name) && (whole.contains(what) || what == "text_offset");
        assert!(is_told, "{what}: {whole}");
    }
    let check_rows = |change: &dyn Fn(&mut Vec<Examined>), name: &str| {
        for found in <[_; 2]>::from(forged(change)) {
            let found = found.unwrap_err();
            assert!(found.contains(name), "{found}");
        }
    };
    check_rows(&|all| drop(all.remove(3)), &name);
    check_rows(&|all| all.swap(3, 4), &name);
    check_rows(&|all| all[3].row.length_bytes += 1, &name);
    check_rows(&|all| all.push(all[8].clone()), &rows[8].row.name().to_string());
    let (offline, whole) = forged(&|all| drop(all[3].images.pairs.pop()));
    assert_eq!(offline, Ok(()));
    assert!(whole.unwrap_err().contains(&name));
    // An archive that is another one says nothing.
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &source, 1, false);
    let other = archive_of(13);
    let other = MemoryArchive::new("a.warc.gz", other.bytes()[..].to_vec());
    let same = check(root.path(), Some((&other, pool(1))), |_| {});
    assert!(same.is_ok(), "it has the same records before the last");
    let mut bytes = source.bytes().to_vec();
    let at = bytes.len() - 40;
    bytes[at] ^= 1;
    let other = MemoryArchive::new("a.warc.gz", bytes);
    let error = check(root.path(), Some((&other, pool(1))), |_| {}).unwrap_err();
    assert!(error.to_string().contains("changed"), "{error}");
}

#[test]
fn touched_files_are_named() {
    let source = archive_of(9);
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &source, 1, false);
    for (path, bytes) in tree(root.path()) {
        let place = root.path().join(&path);
        let refused = || check(root.path(), None, |_| {}).unwrap_err().to_string();
        fs::write(&place, &bytes[..bytes.len() - 5]).unwrap();
        assert!(refused().contains(&path), "{path}");
        fs::remove_file(&place).unwrap();
        assert!(refused().contains(&path), "{path}");
        fs::write(&place, bytes).unwrap();
    }
    fs::write(root.path().join("data/more"), b"").unwrap();
    let error = check(root.path(), None, |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "data/more is not named in manifest.json");
}

/// Every image of real pages is a pair or has its reason, and a pair's place in the main text is where it says.
#[test]
fn real_pages_account_for_every_image() {
    let Some(place) = shared("wcxb/dev.warc.gz") else { return };
    let bytes = fs::read(place).unwrap();
    let (mut at, mut pages) = (0, 0);
    let (mut pairs, mut placed, mut captioned, mut dropped) = (0u64, 0u64, 0u64, BTreeMap::new());
    while at < bytes.len() && pages < 60 {
        let step = archive::step(&bytes[at..]).unwrap();
        at += usize::try_from(step.length_bytes).unwrap();
        let archive::Content::Record(record) = step.content else { continue };
        if record.kind != RecordKind::Response {
            continue;
        }
        pages += 1;
        let page = Page::of_record(&record).unwrap();
        let images = Images::of(&page).unwrap();
        assert_eq!(page.form, Form::Html);
        let tree = Tree::of(&page.text).unwrap();
        let count =
            (0..tree.len()).filter(|node| matches!(tree.tag(*node), Some(Tag::Img | Tag::Image))).count();
        assert_eq!(images.count(), count as u64, "{}", page.url);
        let text = corpus::document::text(&page, &corpus::extract::main_text).unwrap_or_default();
        for pair in &images.pairs {
            assert!(pair.src.starts_with("http"), "{}", pair.src);
            pairs += 1;
            captioned += u64::from(!pair.caption.is_empty());
            let Some(offset) = pair.text_offset else { continue };
            placed += 1;
            assert!(offset > 0 && (offset as usize) < text.chars().count(), "{} {offset}", page.url);
            assert!(!text.chars().nth(offset as usize - 1).unwrap().is_whitespace(), "{} {offset}", page.url);
        }
        for (why, count) in images.dropped {
            *dropped.entry(why.name()).or_insert(0u64) += u64::from(count);
        }
    }
    println!(
        "{pages} pages: {pairs} pairs, {placed} in the main text, {captioned} with captions; without: {dropped:?}"
    );
    assert!(pairs > 5 * pages && placed > pages && captioned > 10, "{pairs} {placed} {captioned}");
}
