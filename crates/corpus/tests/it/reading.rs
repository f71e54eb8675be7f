//! Records read from archives and dumps of every form: the same as others read, the same whatever the packing and the
//! number of threads, and every row of theirs verified from its bytes alone.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::Command,
};

use corpus::{
    Archives, Cut, Extent, Fields, Layout, Recipes, RecordKind, Rules, Shard, Source as _,
    archive::Content,
    reading::{Pool, Taken, map_in_order, records},
    source::threads,
    verify,
};
use primitives::{Digest, Seed};
use serde_json::{Value, json};

use crate::{MINER, prose};

const ALL: Cut = Cut { entries_max: u32::MAX, bytes_max: u64::MAX };
/// Where we and warcio differ, and why.
const DIFFERENT: [(&str, &str); 4] = [
    (
        "chatnoir-eu+chatnoir-resiliparse/clipped.warc.gz",
        "its only record is cut: warcio gives what there is of it",
    ),
    (
        "webrecorder+warcio/bad.arc",
        "lengths of -1 and abc, dates of 18 digits: warcio gives records of no bytes",
    ),
    (
        "webrecorder+warcio/example-space-in-url.arc",
        "its last record is cut by twelve bytes: warcio gives what there is of it",
    ),
    (
        "webrecorder+warcio/example-wrong-chunks.warc.gz",
        "a record's head and body in two members: warcio gives the head",
    ),
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// A record as warcio's script prints it.
fn line_of(taken: &Taken<'_>) -> Option<Value> {
    let Content::Record(record) = &taken.step.content else { return None };
    let is_arc = record.record_id.is_empty() && record.date.len() == 14;
    let kind = match record.kind {
        RecordKind::Warcinfo if is_arc => "arc_header",
        kind => kind.name(),
    };
    let mut crc = flate2::Crc::new();
    crc.update(&record.payload);
    // warcio mends blanks in addresses of WARC records.
    let url = if is_arc { record.url.clone() } else { record.url.replace(' ', "%20") };
    Some(json!([kind, url, record.payload.len(), crc.sum()]))
}

fn warcio_golden() -> String {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/warcio.jsonl");
    std::fs::read_to_string(golden).unwrap()
}

fn compare_with_warcio(root: &Path, lines: &str) {
    let source = Archives::open(root).unwrap();
    let mut ours: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let survey = source.survey(ALL).unwrap();
    for extent in &survey.extents {
        for taken in records(extent, &source).unwrap() {
            let taken = taken.unwrap();
            let is_of = |path: &&str| {
                taken.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let path = source.paths().find(is_of).unwrap();
            ours.entry(path.to_owned()).or_default().extend(line_of(&taken));
        }
    }
    let (mut same, mut differing) = (0, Vec::new());
    for line in lines.lines() {
        let theirs: Value = serde_json::from_str(line).unwrap();
        let path = theirs["path"].as_str().unwrap();
        let ours = ours.get(path).map_or(&[][..], Vec::as_slice);
        let mut theirs_of = theirs["records"].as_array().unwrap().clone();
        // Where warcio gives up, we go on; what it read before is compared.
        let is_whole = theirs["error"].is_null();
        let ours = if is_whole { ours } else { &ours[..ours.len().min(theirs_of.len())] };
        for (theirs, ours) in theirs_of.iter_mut().zip(ours) {
            // Types that the format does not have.
            if !RecordKind::ALL.iter().any(|kind| theirs[0] == kind.name()) && theirs[0] != "arc_header" {
                theirs[0] = RecordKind::Other.name().into();
            }
            if theirs[2].is_null() {
                (theirs[2], theirs[3]) = (ours[2].clone(), ours[3].clone());
            }
        }
        if theirs_of == ours {
            same += theirs_of.len();
        } else {
            let at = theirs_of.iter().zip(ours).position(|(theirs, ours)| theirs != ours);
            let at = at.unwrap_or(ours.len().min(theirs_of.len()));
            println!(
                "{path}: {} records, warcio has {}; first at {at}: {:?}, warcio has {:?}",
                ours.len(),
                theirs_of.len(),
                ours.get(at),
                theirs_of.get(at)
            );
            differing.push(path.to_owned());
        }
    }
    println!("{same} records are warcio's");
    assert_eq!(differing, DIFFERENT.map(|(path, _)| path.to_owned()));
}

#[test]
fn records_are_those_that_warcio_reads() {
    let Some(root) = crate::shared::shared("warc") else { return };
    compare_with_warcio(&root, &warcio_golden());
    let Some(python) = option_env!("WEIGH_WARCIO_PYTHON") else {
        println!("skipped: WEIGH_WARCIO_PYTHON names no Python with warcio");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/warcio_records.py");
    let printed = Command::new(python).arg(script).arg(&root).output().unwrap();
    assert!(printed.status.success());
    compare_with_warcio(&root, std::str::from_utf8(&printed.stdout).unwrap());
}

/// Files in a folder of their own.
fn laid(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(root.path().join(name), bytes).unwrap();
    }
    let path = root.path().to_owned();
    (root, path)
}

/// Builds a shard of every task, checks it and each of its rows from the row's bytes alone, and gives the texts.
fn texts(root: &Path, layout: Layout, cut: Cut) -> Vec<String> {
    let source = Archives::open_as(root, layout).unwrap();
    let mut texts = Vec::new();
    for extent in source.extents(cut).unwrap() {
        let extent: Extent = serde_json::from_str(&serde_json::to_string(&extent).unwrap()).unwrap();
        let shard = Shard::build(&extent, &source, MINER, &Rules::default()).unwrap();
        assert_eq!(verify::offline(&shard, &extent, &MINER, Recipes::Pinned, &Rules::default()), Ok(()));
        let path = extent.paths().next().unwrap();
        for (number, row) in (0u32..).zip(&shard.ledger.rows) {
            let bytes = source.read_range(path, row.offset_bytes, row.length_bytes).unwrap();
            assert_eq!(
                verify::row(&shard, &extent, number, &bytes, &Rules::default()),
                Ok(()),
                "{path} {number}"
            );
        }
        texts.extend(shard.documents.into_iter().map(|document| document.text));
    }
    texts
}

fn pages(count: usize) -> Vec<String> {
    let mut stream = Seed::from_number(11).stream("pages", 0);
    (0..count).map(|_| prose(&mut stream, 80).replace("# Weighing\n\n", "")).collect()
}

fn warc(text: &str) -> Vec<u8> {
    let block = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n{text}");
    format!(
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://x.example/\r\nContent-Type: application/http\r\n\
         Content-Length: {}\r\n\r\n{block}\r\n\r\n",
        block.len()
    )
    .into_bytes()
}

#[test]
fn an_archive_gives_the_same_texts_however_it_is_packed() {
    let pages = pages(9);
    let records: Vec<Vec<u8>> = pages.iter().map(|page| warc(page)).collect();
    let whole = records.concat();
    // Any bytes are a dictionary.
    let dictionary = whole[..4096].to_vec();
    let with_dictionary = |dictionary: &[u8], stored: &[u8]| {
        let length = u32::try_from(stored.len()).unwrap().to_le_bytes();
        let mut archive = [&[0x5d, 0x2a, 0x4d, 0x18][..], &length, stored].concat();
        for record in &records {
            let mut packer = zstd::bulk::Compressor::with_dictionary(3, dictionary).unwrap();
            archive.extend(packer.compress(record).unwrap());
        }
        archive
    };
    let mut forms = vec![
        ("a.warc", whole.clone()),
        ("a.warc.gz", records.iter().flat_map(|record| gzip(record)).collect()),
        ("b.warc.gz", gzip(&whole)),
        ("a.warc.zst", records.iter().flat_map(|record| zstd(record)).collect()),
        ("b.warc.zst", zstd(&whole)),
        ("a.warc.bz2", bzip2(&whole)),
    ];
    forms.push(("d.warc.zst", with_dictionary(&dictionary, &dictionary)));
    forms.push(("e.warc.zst", with_dictionary(&dictionary, &zstd(&dictionary))));
    for (name, bytes) in forms {
        let (_folder, root) = laid(&[(name, bytes)]);
        for cut in [ALL, Cut { entries_max: 2, bytes_max: u64::MAX }] {
            assert_eq!(texts(&root, Layout::Records, cut).len(), pages.len(), "{name}");
        }
    }
}

#[test]
fn a_wikis_dump_is_cut_into_its_pages() {
    let pages = pages(7);
    let mut xml = String::from("<mediawiki>\n  <siteinfo><sitename>W</sitename></siteinfo>\n");
    for (id, page) in pages.iter().enumerate() {
        let namespace = if id == 3 { 1 } else { 0 };
        let _ = write!(
            xml,
            "  <page>\n    <title>T {id}</title>\n    <ns>{namespace}</ns>\n    <id>{id}</id>\n    <revision><id>1</id>\
             <timestamp>2026-01-02T03:04:05Z</timestamp><text xml:space=\"preserve\">'''A''' {page} {{{{stub}}}}\
             </text></revision>\n  </page>\n"
        );
    }
    xml.push_str("</mediawiki>\n");
    let xml = xml.into_bytes();
    for (name, bytes) in [
        ("w.xml", xml.clone()),
        ("w.xml.bz2", bzip2(&xml)),
        ("w.xml.gz", gzip(&xml)),
        ("w.xml.zst", zstd(&xml)),
    ] {
        let (_folder, root) = laid(&[(name, bytes)]);
        for cut in [ALL, Cut { entries_max: 3, bytes_max: u64::MAX }] {
            let texts = texts(&root, Layout::Wiki, cut);
            assert_eq!(texts.len(), 6, "{name}");
            assert!(texts[0].starts_with("# T 0\n\nA "), "{}", texts[0]);
            assert!(!texts[0].contains("stub"));
        }
    }
}

#[test]
fn a_forums_posts_are_brought_together() {
    let pages = pages(8);
    let mut xml = String::from("<?xml version=\"1.0\"?>\n<posts>\n");
    for (id, page) in pages.iter().enumerate() {
        let kind = if id < 4 {
            "PostTypeId=\"1\" Title=\"T\"".to_owned()
        } else {
            format!("PostTypeId=\"2\" ParentId=\"{}\"", id - 4)
        };
        let page = page.replace('\n', "&#xA;");
        let _ = writeln!(
            xml,
            "  <row Id=\"{id}\" {kind} Score=\"{}\" Body=\"&lt;p&gt;{page}&lt;/p&gt;\" />",
            id + 10
        );
    }
    xml.push_str("</posts>\n");
    let (_folder, root) =
        laid(&[("Posts.xml", xml.clone().into_bytes()), ("Posts.xml.gz", gzip(xml.as_bytes()))]);
    let out = root.join("Posts.threads");
    for from in ["Posts.xml", "Posts.xml.gz"] {
        threads::arrange(&root.join(from), &out).unwrap();
        let texts = texts(&root, Layout::Threads, Cut { entries_max: 3, bytes_max: u64::MAX });
        assert_eq!(texts.len(), 4, "{from}");
    }
    let source = Archives::open_as(&root, Layout::Threads).unwrap();
    let extent = source.extents(ALL).unwrap().remove(0);
    let scores: Vec<Option<i64>> =
        records(&extent, &source).unwrap().map(|taken| taken.unwrap().score()).collect();
    assert_eq!(scores, [10, 11, 12, 13].map(Some));
}

#[test]
fn lines_of_json_and_tables_give_the_same_texts() {
    let pages = pages(700);
    let lines: String = pages
        .iter()
        .enumerate()
        .map(|(id, page)| format!("{}\n", json!({"id": id, "text": page, "more": [1, {"text": 2}]})))
        .collect();
    let lines = lines.into_bytes();
    let layout = || Layout::Rows(Fields { url: None, date: None, ..Fields::default() });
    let cut = Cut { entries_max: 300, bytes_max: u64::MAX };
    let forms = [
        ("a.jsonl", lines.clone()),
        ("a.jsonl.gz", gzip(&lines)),
        ("a.jsonl.zst", zstd(&lines)),
        ("a.parquet", table(&pages)),
    ];
    for (name, bytes) in forms {
        let (_folder, root) = laid(&[(name, bytes)]);
        let texts = texts(&root, layout(), cut);
        assert_eq!(texts.len(), pages.len(), "{name}");
        assert_eq!(texts[699], pages[699].trim_end(), "{name}");
    }
}

/// A Parquet file with a dictionary, snappy and an optional column, as libraries write them by default.
fn table(pages: &[String]) -> Vec<u8> {
    use parquet::{
        basic::Compression,
        data_type::{ByteArray, ByteArrayType, Int64Type},
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::parser::parse_message_type,
    };
    let schema = "message rows { required int64 id; optional binary text (UTF8); optional double x; }";
    let schema = std::sync::Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties.into()).unwrap();
    for (group, pages) in pages.chunks(400).enumerate() {
        let mut rows = writer.next_row_group().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let ids: Vec<i64> = (0..pages.len()).map(|at| i64::try_from(group * 400 + at).unwrap()).collect();
        column.typed::<Int64Type>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let texts: Vec<ByteArray> = pages.iter().map(|page| page.as_bytes().into()).collect();
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&vec![1; texts.len()]), None).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column
            .typed::<parquet::data_type::DoubleType>()
            .write_batch(&[], Some(&vec![0; texts.len()]), None)
            .unwrap();
        column.close().unwrap();
        rows.close().unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn damaged_dumps_end_in_words() {
    let pages = pages(40);
    let lines: String = pages.iter().map(|page| format!("{}\n", json!({"text": page}))).collect();
    let table = table(&pages);
    let mut stream = Seed::from_number(5).stream("damage", 0);
    for (name, whole) in [
        ("a.jsonl.gz", gzip(lines.as_bytes())),
        ("a.jsonl.zst", zstd(lines.as_bytes())),
        ("a.jsonl.bz2", bzip2(lines.as_bytes())),
        ("a.parquet", table),
    ] {
        for _ in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..=stream.index(4) {
                let at = stream.index(bytes.len());
                bytes[at] = u8::try_from(stream.below(256)).unwrap();
            }
            if stream.below(3) == 0 {
                bytes.truncate(1 + stream.index(whole.len()));
            }
            let (_folder, root) = laid(&[(name, bytes)]);
            let source = Archives::open_as(&root, Layout::Rows(Fields::default())).unwrap();
            match source.survey(ALL) {
                Ok(survey) => {
                    for extent in &survey.extents {
                        assert!(records(extent, &source).unwrap().all(|taken| taken.is_ok()));
                    }
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    // A bomb ends by its ratio.
    let (_folder, root) = laid(&[("a.jsonl.zst", zstd(&vec![b'a'; 256 << 20]))]);
    let survey = Archives::open_as(&root, Layout::Rows(Fields::default())).unwrap().survey(ALL).unwrap();
    assert_eq!(survey.gaps.len(), 1);
    assert!(survey.gaps[0].first_byte < 80 << 20, "{:?}", survey.gaps);
}

#[test]
fn any_number_of_threads_reads_the_same() {
    let records_of: Vec<Vec<u8>> = pages(60).iter().map(|page| gzip(&warc(page))).collect();
    let (_folder, root) = laid(&[("a.warc.gz", records_of.concat())]);
    let source = Archives::open(&root).unwrap();
    let extent = source.extents(ALL).unwrap().remove(0);
    let read = |threads: usize, bytes_max: u64| {
        let pool = Pool { threads: NonZeroUsize::new(threads).unwrap(), bytes_max };
        let mut rows = Vec::new();
        let work = |taken: Result<Taken<'_>, _>| {
            let taken: Taken<'_> = taken?;
            Ok::<_, corpus::SourceError>((taken.row(), taken.page().map(|page| page.text)))
        };
        let sink = |done: Result<_, corpus::SourceError>| {
            rows.push(done?);
            Ok::<_, corpus::SourceError>(())
        };
        map_in_order(
            records(&extent, &source).unwrap(),
            |taken| taken.as_ref().map_or(0, Taken::held_bytes),
            work,
            pool,
            sink,
        )
        .unwrap();
        rows
    };
    let one = read(1, 1);
    assert_eq!(one.len(), 60);
    for (threads, bytes_max) in [(2, 1), (2, 5000), (4, 1 << 20)] {
        assert_eq!(read(threads, bytes_max), one);
    }
    // A source that changed is told behind the last record.
    let Extent::Archive(range) = &extent else { panic!("an archive's extent") };
    let changed = Extent::Archive(corpus::ArchiveRange { digest: Digest::of(b"x"), ..range.clone() });
    assert!(records(&changed, &source).unwrap().last().unwrap().is_err());
}
