//! Archives, dumps and shards as the seeds have them, and what holds for the steps of any.

use std::sync::LazyLock;

use corpus::{
    Cut, Extent, Fields, Layout, MemoryArchive, Rules, Shard, Source as _,
    archive::{Content, RECORD_MAX_BYTES, Step},
};
use primitives::{Digest, Hotkey};

/// What reading an archive may hold: two records, what they are unpacked from, and what a page of one of them takes.
pub const READING_MAX_BYTES: usize = 12 * RECORD_MAX_BYTES;

/// Goes through the steps of an archive: every byte belongs to one, and whoever holds a step's bytes alone finds the same
/// step.
pub fn each_step(layout: &Layout, bytes: &[u8], mut tell: impl FnMut(&Content)) {
    let mut reader = layout.reader(bytes).digesting();
    let mut at = 0;
    while let Some(step) = reader.step().expect("memory can be read, and little of it costs little") {
        assert!(step.offset_bytes == at && step.length_bytes > 0);
        let from = usize::try_from(at).expect("within the input");
        at += step.length_bytes;
        let alone = &bytes[from..usize::try_from(at).expect("within the input")];
        if let Content::Record(record) = &step.content {
            assert!(record.payload.len() <= RECORD_MAX_BYTES);
        }
        tell(&step.content);
        assert_eq!(layout.step(alone), Ok(Step { offset_bytes: 0, ..step }));
    }
    assert_eq!(at, bytes.len() as u64);
    assert_eq!(reader.take_run_digest(), Some(Digest::of(bytes)));
}

/// The layout that an input's first byte names, and the dump behind it.
pub fn dump_of(input: &[u8]) -> Option<(Layout, &[u8])> {
    let (first, bytes) = input.split_first()?;
    let layout = match first {
        b'w' => Layout::Wiki,
        b't' => Layout::Threads,
        _ => Layout::Rows(Fields::default()),
    };
    Some((layout, bytes))
}

/// Web archives, one of each form.
pub fn genuine_archives() -> Vec<Vec<u8>> {
    let pages = [("https://x.example/1", "<p>one"), ("https://x.example/2", "<p>two <b>three</b>")];
    let packed = MemoryArchive::of_pages("a.warc.gz", pages);
    let answer =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=latin1\r\nContent-Encoding: gzip\r\n\r\n<p>one";
    let warc = format!(
        "WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: <https://x.example/>\r\nContent-Type: application/http\r\n\
         Content-Length: {}\r\n\r\n{answer}\r\n\r\n",
        answer.len()
    );
    let arc = format!("http://x.example/a b 192.0.2.1 20260102030405 text/html {}\n{answer}\n", answer.len());
    vec![
        packed.bytes().to_vec(),
        warc.as_bytes().to_vec(),
        warc.repeat(3).into_bytes(),
        arc.into_bytes(),
        [b"\x28\xb5\x2f\xfd\x20\x03\x19\x00\x00abc"[..].to_vec(), packed.bytes().to_vec()].concat(),
    ]
}

/// Dumps, one of each layout, behind the byte that names it.
pub fn genuine_dumps() -> Vec<Vec<u8>> {
    let wiki = "<mediawiki>\n<page><title>T</title><ns>0</ns><id>1</id><revision><timestamp>2026</timestamp><text>== A ==\n\
        '''b''' [[c|d]] {{e|f}} &lt;ref&gt;g&lt;/ref&gt;\n{| x\n! h\n|-\n| i || j\n|}\n* k</text></revision></page>\n</mediawiki>";
    let threads = "<row Id=\"1\" PostTypeId=\"1\" Score=\"2\" Title=\"T\" Body=\"&lt;p&gt;q\" />\n\
        <row Id=\"2\" PostTypeId=\"2\" ParentId=\"1\" Score=\"-1\" Body=\"a\" />\n\n";
    let rows = "{\"text\":\"a\",\"url\":\"https://x.example/\",\"id\":7,\"date\":null}\n{\"x\":[{}],\"text\":\"b\"}\n";
    ["w", "t", "r"].iter().zip([wiki, threads, rows]).map(|(first, dump)| [*first, dump].concat().into()).collect()
}

/// A task with what it is about, and an honest shard of it, which has a row of each kind of decision.
pub struct Task {
    /// The archive.
    pub source: MemoryArchive,
    /// All of it.
    pub extent: Extent,
    /// What decides.
    pub rules: Rules,
    /// Whose shard it is.
    pub miner: Hotkey,
    /// The shard.
    pub shard: Shard,
}

/// The task of the seeds' shards.
pub fn task() -> &'static Task {
    static TASK: LazyLock<Task> = LazyLock::new(|| {
        let page = |word: &str| format!("<p>{}", format!("the {word} and that weight have to be with it. ").repeat(12));
        let (one, other) = (page("scale"), page("measure"));
        let pages = [("https://x.example/1", one.as_str()), ("https://x.example/2", &other), ("https://x.example/3", &one)];
        let pages = pages.into_iter().chain([("https://x.example/4", "<p>short")]);
        let source = MemoryArchive::of_pages("a.warc.gz", pages);
        let all = Cut { entries_max: u32::MAX, bytes_max: u64::MAX };
        let extent = source.extents(all).expect("memory can be read").remove(0);
        let rules = Rules { filters: corpus::Filters::NONE, ..Rules::default() };
        let miner = Hotkey::from_bytes([1; 32]);
        let shard = Shard::build(&extent, &source, miner, &rules).expect("nothing has changed");
        Task { source, extent, rules, miner, shard }
    });
    &TASK
}

/// Heads of answers, of which one has folded lines and one no reason.
pub fn genuine_heads() -> Vec<Vec<u8>> {
    [
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Folded: a\r\n b\r\n\r\nbody",
        "HTTP/1.0 404\nServer: x\nno colon\n\n",
        "http/2 301 Moved\r\nLocation: https://x.example/\r\nX-Robots-Tag: noindex\r\n\r\n",
    ]
    .map(|head| head.as_bytes().to_vec())
    .to_vec()
}
