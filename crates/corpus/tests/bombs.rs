//! What is made to be costly: each ends in a decision of the ledger or in words, soon and in little memory.
//!
//! A process of its own, since memory is measured.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests print what they measure, lay out files and may panic"
)]

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
};

use corpus::{
    Archives, Cut, Document, Fields, Layout, Page, Pii, Reason, RecordKind, Rules, Verdict,
    archive::{Content, HttpHead, RECORD_MAX_BYTES, Reader, Record, Step},
    extract,
};
use flate2::{Compress, Compression, FlushCompress, write::GzEncoder};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;
/// What others allocate would be counted, too.
static ALONE: Mutex<()> = Mutex::new(());

const ALL: Cut = Cut { entries_max: u32::MAX, bytes_max: u64::MAX };
/// Whether `CORPUS_BOMBS` was set when this was compiled: then lines are of 10 GB each, and every unit is also said until a
/// record of the greatest length is full. That takes minutes.
const IS_FULL: bool = option_env!("CORPUS_BOMBS").is_some();
/// Length of a line without end, and of the longest of them: offsets in it need more than 32 bits.
const LINE_BYTES: u64 = if IS_FULL { 10_000_000_000 } else { 200_000_000 };
const LONGEST_LINE_BYTES: u64 = if IS_FULL { 10_000_000_000 } else { 5_000_000_000 };
/// Most seconds of the processor for reading, and for each gigabyte of something large.
const SECONDS_MAX: f64 = 2.0;
/// Most seconds of the processor for a record, full ones being of 16 MiB.
const RECORD_SECONDS_MAX: f64 = if IS_FULL { 4.0 } else { 2.0 };
/// Most bytes at once for a record: itself packed and unpacked, its text in UTF-8, and what is made of that.
const RECORD_HELD_MAX_BYTES: usize = 400 << 20;
/// Most bytes at once for reading what gives no record.
const READING_HELD_MAX_BYTES: usize = 100 << 20;

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds that this thread has run; 0 where the system does not tell.
fn seconds() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Runs code and holds it to bounds on time and memory.
fn bounded<T>(name: &str, seconds_max: f64, bytes_max: usize, code: impl FnOnce() -> T) -> T {
    ALLOCATED.reset_peak_usage();
    let (held, before) = (ALLOCATED.current_usage(), seconds());
    let result = code();
    let (took, bytes) = (seconds() - before, ALLOCATED.peak_usage().saturating_sub(held));
    println!("{name}: {took:.2} s, {} MiB", bytes >> 20);
    assert!(took <= seconds_max && bytes <= bytes_max, "{name}: {took} s and {bytes} bytes");
    result
}

/// So many equal bytes between a head and a tail, none of which are kept anywhere.
struct Endless {
    head: Vec<u8>,
    fill: u8,
    fill_bytes: u64,
    tail: Vec<u8>,
    at: u64,
}

impl Endless {
    fn length_bytes(&self) -> u64 {
        self.head.len() as u64 + self.fill_bytes + self.tail.len() as u64
    }
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let (head, fill_end) = (self.head.len() as u64, self.head.len() as u64 + self.fill_bytes);
        let part = |bytes: &[u8], from: u64, out: &mut [u8]| {
            let rest = &bytes[usize::try_from(from).unwrap().min(bytes.len())..];
            let read = rest.len().min(out.len());
            out[..read].copy_from_slice(&rest[..read]);
            read
        };
        let read = if self.at < head {
            part(&self.head, self.at, out)
        } else if self.at < fill_end {
            let read = usize::try_from(fill_end - self.at).unwrap_or(usize::MAX).min(out.len());
            out[..read].fill(self.fill);
            read
        } else {
            part(&self.tail, self.at - fill_end, out)
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(by) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        self.at = self.at.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// What became of the steps of an archive, those in a row that are alike together.
fn kinds<R: Read + Seek>(from: R, length_bytes: u64, layout: Layout) -> Vec<(&'static str, RecordKind)> {
    let mut reader = Reader::new(from, 0, length_bytes, layout).digesting();
    let (mut kinds, mut at) = (Vec::new(), 0);
    while let Some(step) = reader.step().unwrap() {
        assert_eq!(step.offset_bytes, at);
        at += step.length_bytes;
        kinds.push((what(&step), step.kind()));
    }
    assert_eq!(at, length_bytes);
    assert!(reader.take_run_digest().is_some());
    kinds.dedup();
    kinds
}

fn what(step: &Step) -> &'static str {
    match step.content {
        Content::Record(_) => "record",
        Content::TooLarge { .. } => "too large",
        Content::Malformed { .. } => "malformed",
        Content::Gap { .. } => "gap",
    }
}

/// A record with this block, of which so much is said to follow.
fn warc(block: &str, more_bytes: u64) -> String {
    let length = block.len() as u64 + more_bytes;
    format!(
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://x.example/\r\nContent-Type: application/http\r\n\
         Content-Length: {length}\r\n\r\n{block}"
    )
}

fn whole_warc() -> String {
    warc("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>one", 0) + "\r\n\r\n"
}

#[test]
fn lines_without_end_are_passed_over() {
    let _alone = alone();
    let line = LINE_BYTES;
    let record = RecordKind::Response;
    let is_lost = |kind| vec![("too large", kind), ("record", kind)];
    let gap = vec![("gap", RecordKind::Other), ("record", record)];
    let row = Layout::Rows(Fields::default());
    let one = whole_warc();
    let http = "HTTP/1.1 200 OK\r\nX: ";
    let cases: Vec<(&str, Layout, String, u8, String, Vec<_>)> = vec![
        (
            "JSON",
            row.clone(),
            "{\"text\":\"".into(),
            b'a',
            "\"}\n{\"text\":\"x\"}\n".into(),
            is_lost(RecordKind::Row),
        ),
        ("brackets", row, "{\"text\":".into(), b'[', "\n{\"text\":\"x\"}\n".into(), is_lost(RecordKind::Row)),
        (
            "wiki",
            Layout::Wiki,
            "<page><text>".into(),
            b'{',
            "</page>\n<page>\n</page>\n".into(),
            is_lost(RecordKind::WikiPage),
        ),
        (
            "wiki's beginning",
            Layout::Wiki,
            "<mediawiki>".into(),
            b' ',
            "<page>\n</page>\n".into(),
            vec![("too large", RecordKind::Frame), ("record", RecordKind::WikiPage)],
        ),
        (
            "thread",
            Layout::Threads,
            "<row Id=\"1\" Body=\"".into(),
            b'&',
            "\" />\n\n<row />\n\n".into(),
            is_lost(RecordKind::Thread),
        ),
        ("nothing", Layout::Records, String::new(), 0, format!("\n{one}"), gap.clone()),
        ("blank lines", Layout::Records, String::new(), b'\n', one.clone(), gap.clone()),
        (
            "WARC header",
            Layout::Records,
            "WARC/1.0\r\nX: ".into(),
            b'a',
            format!("\r\n\r\n{one}"),
            gap.clone(),
        ),
        ("ARC header", Layout::Records, "http://x.example/".into(), b' ', format!("9\n{one}"), gap.clone()),
        ("WARC block", Layout::Records, warc("", line), b'a', format!("\r\n\r\n{one}"), is_lost(record)),
        ("HTTP header", Layout::Records, warc(http, line), b'a', format!("\r\n\r\n{one}"), is_lost(record)),
        ("skippable frame", Layout::Records, "\x50*M\x18".into(), 0xff, format!("\n{one}"), gap),
    ];
    for (name, layout, head, fill, tail, expect) in cases {
        let (head, tail) = (head.into_bytes(), tail.into_bytes());
        let fill_bytes = match name {
            "JSON" => LONGEST_LINE_BYTES,
            // The frame says that it has 2^32 − 1 bytes: less than that, so that it runs beyond the end.
            "skippable frame" => line.min(u64::from(u32::MAX) / 2),
            _ => line,
        };
        let bytes = Endless { head, fill, fill_bytes, tail, at: 0 };
        let length = bytes.length_bytes();
        #[expect(clippy::cast_precision_loss, reason = "a bound")]
        let seconds_max = SECONDS_MAX * (fill_bytes as f64 / 1e9).max(1.0);
        let found = bounded(name, seconds_max, READING_HELD_MAX_BYTES, || kinds(bytes, length, layout));
        assert_eq!(found, expect, "{name}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A gzip member of a head and so many zeros that nobody needs to pack: blocks that end at a byte can be repeated.
fn gzip_bomb(head: &[u8], mebibytes: usize) -> Vec<u8> {
    let block = |bytes: &[u8], flush: FlushCompress| {
        let mut packed = Vec::with_capacity(bytes.len() + 1024);
        Compress::new(Compression::best(), false).compress_vec(bytes, &mut packed, flush).unwrap();
        packed
    };
    let zeros = block(&vec![0; 1 << 20], FlushCompress::Full);
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    bomb.extend(block(head, FlushCompress::Full));
    (0..mebibytes).for_each(|_| bomb.extend_from_slice(&zeros));
    bomb.extend(block(&[], FlushCompress::Finish));
    bomb.extend([0; 8]);
    bomb
}

/// A zstd frame of so many blocks of 128 KiB zeros, without saying how much it unpacks to.
///
/// Source: RFC 8878, 3.1.1.
fn zstd_bomb(blocks: usize, window: u8) -> Vec<u8> {
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0, window];
    for block in 0..blocks {
        let head = (128 << 10) << 3 | 1 << 1 | u32::from(block + 1 == blocks);
        bomb.extend_from_slice(&head.to_le_bytes()[..3]);
        bomb.push(0);
    }
    bomb
}

#[test]
fn packed_records_that_unfold_are_no_records() {
    let _alone = alone();
    let one = gzip(whole_warc().as_bytes());
    let (other, response) = (RecordKind::Other, RecordKind::Response);
    let head = warc("HTTP/1.1 200 OK\r\n\r\n", 20 << 30);
    let cases = [
        ("gzip of 10 GiB", gzip_bomb(head.as_bytes(), 10 << 10), ("gap", other)),
        ("gzip of 900 MiB", gzip_bomb(head.as_bytes(), 900), ("gap", other)),
        ("zstd of 10 GiB", zstd_bomb(80 << 10, 0x38), ("too large", other)),
        // A window of 128 MiB, and the widest that can be written.
        ("zstd's window", zstd_bomb(200, 0x88), ("too large", other)),
        ("zstd's widest window", zstd_bomb(200, 0xff), ("gap", other)),
    ];
    for (name, bomb, expect) in cases {
        let bytes = [&bomb[..], &one].concat();
        let read = || kinds(io::Cursor::new(&bytes), bytes.len() as u64, Layout::Records);
        // zstd's memory is its own, and not counted here.
        let found = bounded(name, SECONDS_MAX, READING_HELD_MAX_BYTES, read);
        assert_eq!(found, [expect, ("record", response)], "{name}");
    }
    // Whoever has many of them is told so.
    let bytes = gzip_bomb(head.as_bytes(), 1100).repeat(40);
    let mut reader = Reader::new(io::Cursor::new(&bytes), 0, bytes.len() as u64, Layout::Records);
    let read = || std::iter::from_fn(|| reader.step().transpose()).find_map(Result::err);
    let error = bounded("many", 4.0 * SECONDS_MAX, READING_HELD_MAX_BYTES, read).expect("it is refused");
    assert!(error.to_string().contains("unpacked in vain"), "{error}");
}

#[test]
fn packed_dumps_that_unfold_end_in_words() {
    let _alone = alone();
    let bzip2 = |mebibytes: usize| {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        encoder.write_all(&vec![0; mebibytes << 20]).unwrap();
        encoder.finish().unwrap()
    };
    let root = tempfile::tempdir().unwrap();
    // A frame, member or stream may follow another.
    let forms = [
        ("gz", gzip_bomb(b"", 10 << 10)),
        ("zst", zstd_bomb(80 << 10, 0x38)),
        ("bz2", bzip2(32).repeat(320)),
    ];
    for (ending, bomb) in forms {
        for (name, layout) in [
            ("a.jsonl", Layout::Rows(Fields::default())),
            ("a.xml", Layout::Wiki),
            ("a.threads", Layout::Threads),
        ] {
            let place = root.path().join(format!("{name}.{ending}"));
            fs::write(&place, &bomb).unwrap();
            let survey = || Archives::open_as(&place, layout).unwrap().survey(ALL).unwrap();
            let survey = bounded(&format!("{name}.{ending}"), SECONDS_MAX, READING_HELD_MAX_BYTES, survey);
            let [gap] = &survey.gaps[..] else { panic!("{:?}", survey.gaps) };
            assert!(gap.error.to_string().contains("bomb") && gap.first_byte < 80 << 20, "{gap:?}");
        }
    }
}

/// A Parquet file with one column of texts.
fn table(texts: &[&[u8]], has_dictionary: bool) -> Vec<u8> {
    use parquet::{
        basic::{Compression, ZstdLevel},
        data_type::{ByteArray, ByteArrayType},
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::parser::parse_message_type,
    };
    let schema = parse_message_type("message rows { required binary text (UTF8); }").unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(has_dictionary)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema.into(), properties.into()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    let texts: Vec<ByteArray> = texts.iter().map(|text| text.to_vec().into()).collect();
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    rows.close().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn tables_that_unfold_end_in_words() {
    let _alone = alone();
    let text = of("a measured word ", 64 << 10);
    let tables = [
        ("rows of one dictionary's text", table(&vec![text.as_bytes(); 20_000], true)),
        ("a page", table(&[of("a", 140 << 20).as_bytes()], false)),
    ];
    let root = tempfile::tempdir().unwrap();
    for (name, table) in tables {
        assert!(table.len() < 1 << 20, "{name}: {} bytes", table.len());
        let place = root.path().join("a.parquet");
        fs::write(&place, &table).unwrap();
        let rows = Layout::Rows(Fields::default());
        let survey = || Archives::open_as(&place, rows).unwrap().survey(ALL).unwrap();
        let survey = bounded(name, SECONDS_MAX, READING_HELD_MAX_BYTES, survey);
        let [gap] = &survey.gaps[..] else { panic!("{name}: {:?}", survey.gaps) };
        assert!(gap.error.to_string().contains("bomb") && gap.first_byte < 80 << 20, "{name}: {gap:?}");
    }
}

/// 64 MiB of the letter `a`, as the package `brotli` of PyPI packs them at level 9.
const BROTLI: &str = "cbffff3f0024c2e2b14072effff8ffff078004401c1680eefd1fffffff00900088c302d0bdffe3ffff1f001200715800baf7\
    7ffcffff034002200e0b40f7fe8fffff7f004800c46101e8defff1ffff0f000980382c00ddfb3ffeffff012001108705a07b\
    ff37";

fn response(fields: &[(&str, &str)], payload: Vec<u8>) -> Record {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Record {
        kind: RecordKind::Response,
        url: "https://x.example/".into(),
        record_id: String::new(),
        date: String::new(),
        content_type: "application/http".into(),
        identified_type: String::new(),
        http: Some(HttpHead { status: 200, fields }),
        payload,
    }
}

#[test]
fn bodies_that_unfold_are_too_large() {
    let _alone = alone();
    let zeros = vec![b' '; RECORD_MAX_BYTES];
    let raw = {
        let mut packed = Vec::with_capacity(1 << 20);
        Compress::new(Compression::best(), false)
            .compress_vec(&zeros, &mut packed, FlushCompress::Finish)
            .unwrap();
        packed
    };
    let brotli: Vec<u8> =
        (0..BROTLI.len()).step_by(2).map(|at| u8::from_str_radix(&BROTLI[at..at + 2], 16).unwrap()).collect();
    let gzips = gzip_bomb(b"", 10 << 10);
    let cases: [(&str, &str, Vec<u8>, Reason); 6] = [
        ("gzip", "gzip", gzips[..4 << 20].to_vec(), Reason::TooLarge),
        ("gzip in gzip", "gzip, gzip", gzip(&gzips), Reason::TooLarge),
        ("deflate", "deflate", raw, Reason::TooLarge),
        ("brotli", "br", brotli.clone(), Reason::TooLarge),
        ("brotli in gzip", "br, gzip", gzip(&brotli), Reason::TooLarge),
        ("many", &"gzip,".repeat(10_000), gzips[..1 << 20].to_vec(), Reason::Malformed),
    ];
    for (name, encoding, body, expect) in cases {
        let record = response(&[("content-type", "text/html"), ("content-encoding", encoding)], body);
        let page = bounded(name, SECONDS_MAX, READING_HELD_MAX_BYTES, || Page::of_record(&record));
        assert_eq!(page, Err(expect), "{name}");
    }
}

/// What the pinned recipe, with every rule that there is, makes of a page.
fn document(page: Result<Page, Reason>) -> Result<Document, Reason> {
    let rules = Rules { pii: Pii::Replace, near_duplicates: true, heed_opt_out: true, ..Rules::default() };
    page.and_then(|page| Document::of_page(&page, &rules, &extract::main_text))
}

/// How long the texts are that the unit of this number is said for: the first one's as long as records may be.
fn sizes(number: usize, longest_bytes: usize) -> Vec<usize> {
    if IS_FULL || number == 0 { vec![1 << 19, longest_bytes] } else { vec![1 << 19] }
}

/// A text of a unit said again and again.
fn of(unit: &str, bytes: usize) -> String {
    unit.repeat(bytes / unit.len())
}

#[test]
fn pages_made_to_be_costly_are_decided_soon() {
    let _alone = alone();
    let units = [
        "<div>",
        "<b><i>",
        "<a href=x>",
        "<p>",
        "<table><tr><td>",
        "<li>",
        "</p>",
        "</x>",
        "<svg>",
        "<!--",
        "<!-->",
        "<![CDATA[",
        "<?",
        "<x a",
        " a",
        "<",
        "&",
        "&amp;",
        "&#x10ffff",
        "&notin",
        "<script>",
        "<title>",
        "<textarea>",
        "<select><option>",
        "<form>",
        "<template>",
        "<meta charset=x>",
        "<br>",
        "a<br>",
        "<td>a",
        "<pre>\n",
        "<p>a. b",
        "<h1>a</h1>",
        "<img alt=a>",
        "a ",
        "a",
        "\u{301}",
        "é",
        "\u{1f600}\u{200d}",
        "a@b.c ",
        "1.1.1.1 ",
        "<b><p>a</b>",
        "<a><div>",
        "<nobr>",
        "<table>a",
        "<math><mi>",
        "<font color=x>",
        "</b>",
        "<noscript>",
        "<body a=b>",
        "<p hidden>a",
        "<ul><li><p>a</ul>",
        "\n",
        "\r\n\n",
        "\t",
        "<!doctype x>",
        "=",
        "\"",
    ];
    for (number, unit) in units.into_iter().enumerate() {
        for bytes in sizes(number, RECORD_MAX_BYTES) {
            let html = format!("<!doctype html><body>{}", of(unit, bytes - 64)).into_bytes();
            let record = response(&[("content-type", "text/html; charset=utf-8")], html);
            let decide = || document(Page::of_record(&record));
            let name = format!("{unit:?} of {} KiB", bytes >> 10);
            let made = bounded(&name, RECORD_SECONDS_MAX, RECORD_HELD_MAX_BYTES, decide);
            assert!(made.is_err(), "{name}: {made:?}");
        }
    }
    // Of what a page of so many cells takes, the model would take the most.
    let cells = format!("<!doctype html><body><table>{}", of("<td>a", 2 << 20)).into_bytes();
    let record = response(&[("content-type", "text/html")], cells);
    let made =
        bounded("cells", RECORD_SECONDS_MAX, RECORD_HELD_MAX_BYTES, || document(Page::of_record(&record)));
    assert_eq!(made, Err(Reason::TooLarge));
    // One tag with all attributes, and one with a long value.
    for tag in [format!("<x {}>", of("a=b ", 8 << 20)), format!("<x a=\"{}\">a", of("&amp;", 8 << 20))] {
        let record = response(&[("content-type", "text/html")], tag.into_bytes());
        let made = bounded("attributes", RECORD_SECONDS_MAX, RECORD_HELD_MAX_BYTES, || {
            document(Page::of_record(&record))
        });
        assert!(made.is_err(), "{made:?}");
    }
}

#[test]
fn markdown_made_to_be_costly_is_decided_soon() {
    let _alone = alone();
    let units = [
        ">",
        "*",
        "**",
        "_a",
        "[",
        "]",
        "![",
        "[a](",
        "`",
        "``a",
        "<",
        "<a ",
        "|",
        "|a|\n|-|\n",
        "- ",
        "1. ",
        "  - a\n",
        "#",
        "# a\n",
        "a\n",
        "\n",
        "---\n",
        "~~",
        "[a]: b\n",
        "[a]",
        "&amp;",
        "\\",
        "```\n",
        "    a\n",
        "<!--",
        "- [ ] ",
        "a*b_",
        "[^1]",
        "> ",
        "> > a\n",
        "<div>\n",
        "<?",
        "\u{301}",
    ];
    for (number, unit) in units.into_iter().enumerate() {
        for bytes in sizes(number, 2 << 20) {
            let text = of(unit, bytes).into_bytes();
            let name = format!("{unit:?} of {} KiB", bytes >> 10);
            let decide = || document(Page::of_file("a.md", &text));
            let made = bounded(&name, RECORD_SECONDS_MAX, RECORD_HELD_MAX_BYTES, decide);
            assert!(made.is_err(), "{name}: {made:?}");
        }
    }
}

#[test]
fn pages_of_dumps_made_to_be_costly_are_decided_soon() {
    let _alone = alone();
    let room = if IS_FULL { RECORD_MAX_BYTES } else { 1 << 19 };
    let check = |name: &str, layout: &Layout, bytes: String| {
        let step = layout.step(bytes.as_bytes()).unwrap();
        assert_eq!(what(&step), "record", "{name}");
        let decide = || document(layout.page(&step.content));
        let made = bounded(name, RECORD_SECONDS_MAX, RECORD_HELD_MAX_BYTES, decide);
        assert!(made.is_err(), "{name}: {made:?}");
    };
    let units = [
        "{{",
        "}}",
        "{{a|",
        "{{{",
        "[[",
        "]]",
        "[[a|",
        "[",
        "[http://x ",
        "{|\n",
        "\n{|",
        "\n|}",
        "\n|-\n| a || b",
        "'''",
        "''",
        "&lt;ref&gt;",
        "&lt;!--",
        "&lt;pre&gt;",
        "&lt;",
        "\n*",
        "\n#",
        "\n=",
        "\n== a ==",
        "\n:;",
        "__",
        "&amp;amp;",
        "~~~~",
        "{{a}}",
        "[[File:a|[[b]]|c]]",
        "a",
        "\n",
        "&#10;",
        "&quot;",
    ];
    for unit in units {
        let text = of(unit, room - 256);
        let page = format!(
            "<page><title>T</title><ns>0</ns><id>1</id><revision><text>{text}</text></revision></page>"
        );
        check(&format!("wiki {unit:?}"), &Layout::Wiki, page);
    }
    for unit in ["<a>", "<a b=\"c\"/>", "<title>a</title>", "&amp;", "<!--a-->", "<?a?>", "<![CDATA[a]]>"] {
        check(&format!("wiki's XML {unit:?}"), &Layout::Wiki, format!("<page>{}", of(unit, room - 64)));
    }
    let question = "<row Id=\"1\" PostTypeId=\"1\" Title=\"T\" ";
    for unit in ["<row Id=\"2\" PostTypeId=\"2\" ParentId=\"1\" Body=\"\" />\n", "<row ", "\n ", "<"] {
        let rows = of(unit, room - 256);
        check(&format!("thread {unit:?}"), &Layout::Threads, format!("{question}Body=\"q\" />\n{rows}\n\n"));
    }
    for unit in ["a=\"b\" ", "Body=\"b\" ", "Body=\"", "Body=\"&lt;div&gt;\" ", "&amp;"] {
        let attributes = of(unit, room - 256);
        check(&format!("post {unit:?}"), &Layout::Threads, format!("{question}{attributes} />\n\n"));
    }
    let rows = Layout::Rows(Fields::default());
    for unit in ["1,", "[],", "{},", "[[[[],[]]]],", "\"a\",", "null,", "1e9,", "0.1,"] {
        for name in ["text", "url", "other"] {
            let items = of(unit, room - 64);
            check(&format!("row's {name} {unit:?}"), &rows, format!("{{\"{name}\":[{items}0]}}\n"));
        }
    }
    for unit in ["\"text\":\"a\",", "\"a\":0,", "\\u0041", "\\\\", "\\ud800"] {
        let members = of(unit, room - 64);
        let is_text = unit.starts_with('\\');
        let line =
            if is_text { format!("{{\"text\":\"{members}\"}}\n") } else { format!("{{{members}\"b\":0}}\n") };
        check(&format!("row {unit:?}"), &rows, line);
    }
}

#[test]
fn texts_made_to_be_costly_are_judged_soon() {
    let _alone = alone();
    let units = [
        "a",
        "a ",
        "ab cd ef\n",
        "\n",
        "- a\n",
        "…",
        "{",
        "lorem ipsum ",
        "javascript\n",
        "a.",
        "a. ",
        ". ",
        "\u{301}",
        "a\u{301}",
        "\u{1f600}",
        "\u{1f468}\u{200d}",
        "\u{1f1e9}",
        "漢",
        "漢字。",
        "ก",
        "가",
        "ﷺ",
        "\u{1d15e}",
        "a@",
        "a@b.cd ",
        "@",
        "1.",
        "1.2.3.4 ",
        "::",
        "1:",
        "http://",
        "https://a.b/c ",
        "www.",
        "\u{200b}",
        "\u{feff}",
        "\u{85}",
        "\t",
        "'",
        "n't ",
        "\"",
        "I'm ",
        "1,000.00 ",
        "a-",
        "U.S.A. ",
        "e.g. ",
        "#",
        "İ",
        "ß",
        "Σ",
    ];
    for (number, unit) in units.into_iter().enumerate() {
        for bytes in sizes(number, RECORD_MAX_BYTES) {
            let text = of(unit, bytes).into_bytes();
            let name = format!("{unit:?} of {} KiB", bytes >> 10);
            let decide = || document(Page::of_file("a.txt", &text));
            let made = bounded(&name, RECORD_SECONDS_MAX, RECORD_HELD_MAX_BYTES, decide);
            assert!(made.is_err(), "{name}: {made:?}");
        }
        // All filters, and not only up to the first that refuses.
        let text = of(unit, if IS_FULL { 2 << 20 } else { 1 << 19 });
        let name = format!("filters of {unit:?}");
        bounded(&name, RECORD_SECONDS_MAX, RECORD_HELD_MAX_BYTES, || Verdict::of(&text));
    }
}

#[test]
fn any_encoding_is_decoded_in_bounds() {
    let _alone = alone();
    let labels = [
        "utf-8",
        "utf-16",
        "utf-16be",
        "iso-2022-jp",
        "gb18030",
        "big5",
        "euc-kr",
        "shift_jis",
        "windows-1252",
        "x-user-defined",
        "replacement",
        "hz-gb-2312",
        "utf-7",
        &"x".repeat(1 << 16),
        "",
    ];
    let fills: [&[u8]; 8] = [
        b"\xff",
        b"\x1b$B!",
        b"\x00",
        b"a",
        b"\x84\x31\xa4\x37",
        b"\xd8\x00",
        b"\x80",
        b"<meta charset=utf-16>",
    ];
    let room = if IS_FULL { RECORD_MAX_BYTES } else { 1 << 18 };
    for label in labels {
        for fill in fills {
            let body = fill.repeat(room / fill.len());
            let stated = format!("text/html; charset={label}");
            let record = response(&[("content-type", &stated)], body);
            let name = format!("{:.20} of {fill:x?}", label);
            let made = bounded(&name, RECORD_SECONDS_MAX, RECORD_HELD_MAX_BYTES, || {
                document(Page::of_record(&record))
            });
            assert!(made.is_err(), "{name}: {made:?}");
        }
    }
}
