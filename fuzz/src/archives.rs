//! Archives and dumps as the seeds have them.

use corpus::{Fields, Layout, MemoryArchive};

/// The layout that an input's first byte names, and the archive behind it.
pub fn layout_of(input: &[u8]) -> Option<(Layout, &[u8])> {
    let (first, bytes) = input.split_first()?;
    let layout = match first {
        b'w' => Layout::Wiki,
        b't' => Layout::Threads,
        b'r' => Layout::Rows(Fields::default()),
        _ => Layout::Records,
    };
    Some((layout, bytes))
}

/// One of each form, behind the byte that names its layout.
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
    let wiki = "<mediawiki>\n<page><title>T</title><ns>0</ns><id>1</id><revision><timestamp>2026</timestamp><text>== A ==\n\
        '''b''' [[c|d]] {{e|f}} &lt;ref&gt;g&lt;/ref&gt;\n{| x\n! h\n|-\n| i || j\n|}\n* k</text></revision></page>\n</mediawiki>";
    let threads = "<row Id=\"1\" PostTypeId=\"1\" Score=\"2\" Title=\"T\" Body=\"&lt;p&gt;q\" />\n\
        <row Id=\"2\" PostTypeId=\"2\" ParentId=\"1\" Score=\"-1\" Body=\"a\" />\n\n";
    let rows = "{\"text\":\"a\",\"url\":\"https://x.example/\",\"id\":7,\"date\":null}\n{\"x\":[{}],\"text\":\"b\"}\n";
    let of = |first: u8, bytes: &[u8]| [&[first][..], bytes].concat();
    vec![
        of(b'.', packed.bytes()),
        of(b'.', warc.as_bytes()),
        of(b'.', warc.repeat(3).as_bytes()),
        of(b'.', arc.as_bytes()),
        of(b'.', &[b"\x28\xb5\x2f\xfd\x20\x03\x19\x00\x00abc"[..], packed.bytes()].concat()),
        of(b'w', wiki.as_bytes()),
        of(b't', threads.as_bytes()),
        of(b'r', rows.as_bytes()),
    ]
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
