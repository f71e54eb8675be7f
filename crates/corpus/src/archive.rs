//! Web archives: where a record begins and ends, and what it says.
//!
//! WARC (with WET, whose records are conversions) and ARC, either as gzip members of one record each or as plain
//! records one after the other. A *step* is what one ledger row covers: one member, or one plain record with the
//! line ends behind it. [`step`] finds the first one in some bytes and never reads past it, so that a validator who
//! holds a row's bytes alone sees whether they are exactly one.
//!
//! Own code over a DEFLATE library, since a step's length in stored bytes is a claim that must be checked to the byte,
//! and inflating must stop at a bound of ours: a record reader that owns the stream hides both.

use std::{fmt, io::Read as _, str::FromStr};

use flate2::bufread::GzDecoder;
use parity_scale_codec::{Decode, Encode};
use primitives::Digest;
use thiserror::Error;

/// The longest record, unpacked. Crawlers cut bodies at 1 MB or 5 MB.
pub const RECORD_MAX_BYTES: usize = 16 << 20;
/// The longest block of header lines, of a record or of a response in it; servers cut theirs at 8 or 16 kB.
const HEAD_MAX_BYTES: usize = 64 << 10;
/// Header lines in one block.
const HEAD_MAX_LINES: usize = 512;
/// Unpacked bytes beyond which the end of a member is not looked for: sixty times the longest record.
const MEMBER_MAX_BYTES: u64 = 1 << 30;
/// Unpacked per stored byte. DEFLATE reaches 1,032; pages stay below 40.
pub const RATIO_MAX: u64 = 200;
/// Below this length a member's ratio says nothing: a few hundred equal bytes are no bomb.
pub(crate) const RATIO_FROM_BYTES: u64 = 64 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What kind of record a ledger row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum RecordKind {
    /// A whole file of a folder.
    #[codec(index = 0)]
    File,
    /// What an archive says of itself.
    #[codec(index = 1)]
    Warcinfo,
    /// What a crawler asked.
    #[codec(index = 2)]
    Request,
    /// What a server answered.
    #[codec(index = 3)]
    Response,
    /// Facts about another record.
    #[codec(index = 4)]
    Metadata,
    /// A document without the exchange that fetched it.
    #[codec(index = 5)]
    Resource,
    /// A document made of another record, such as the text in a WET file.
    #[codec(index = 6)]
    Conversion,
    /// A page that had not changed since an earlier visit.
    #[codec(index = 7)]
    Revisit,
    /// Any other kind, and what is no record.
    #[codec(index = 8)]
    Other,
}

impl RecordKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::File,
        Self::Warcinfo,
        Self::Request,
        Self::Response,
        Self::Metadata,
        Self::Resource,
        Self::Conversion,
        Self::Revisit,
        Self::Other,
    ];

    /// The kind's name in reports, which is the archive format's own.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Warcinfo => "warcinfo",
            Self::Request => "request",
            Self::Response => "response",
            Self::Metadata => "metadata",
            Self::Resource => "resource",
            Self::Conversion => "conversion",
            Self::Revisit => "revisit",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for RecordKind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(())
    }
}

/// Bytes at some place of an archive begin no step, so that nothing behind them can be told apart.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no record begins here: {what}")]
pub struct Unreadable {
    /// What is wrong.
    pub what: &'static str,
}

/// One record, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its kind.
    pub kind: RecordKind,
    /// The address that it is about, without angle brackets.
    pub url: String,
    /// Its own name, without angle brackets; empty in ARC.
    pub record_id: String,
    /// When it was taken, as the record says it.
    pub date: String,
    /// The content type of its block.
    pub content_type: String,
    /// The content type that the crawler found by looking.
    pub identified_type: String,
    /// The status line's number and the header lines of a response.
    pub http: Option<HttpHead>,
    /// What the server sent behind its header, else the block.
    pub payload: Vec<u8>,
}

/// Header lines: names in lower case with their values, in order.
pub type Fields = Vec<(String, String)>;

/// The head of a server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpHead {
    /// The status.
    pub status: u16,
    /// Names in lower case with their values.
    pub fields: Fields,
}

impl HttpHead {
    /// The first field of this name, which is in lower case; empty where there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        field(&self.fields, name)
    }
}

/// What a step holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One record.
    Record(Box<Record>),
    /// It is longer, unpacked, than [`RECORD_MAX_BYTES`], or shrinks more than [`RATIO_MAX`] times.
    TooLarge(RecordKind),
    /// No record, or not exactly one.
    Malformed(RecordKind),
}

/// One step and its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Stored bytes that it takes.
    pub length: usize,
    /// What it holds.
    pub content: Content,
}

impl Step {
    /// The record's kind.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        match &self.content {
            Content::Record(record) => record.kind,
            Content::TooLarge(kind) | Content::Malformed(kind) => *kind,
        }
    }

    /// The digest of the record's payload; where there is no such, of the step's `stored` bytes.
    #[must_use]
    pub fn digest(&self, stored: &[u8]) -> Digest {
        match &self.content {
            Content::Record(record) => Digest::of(&record.payload),
            Content::TooLarge(_) | Content::Malformed(_) => Digest::of(stored),
        }
    }
}

/// The first step of `bytes`, which must begin with it.
///
/// # Errors
/// [`Unreadable`] where no step begins, or it does not end within the bytes.
pub fn step(bytes: &[u8]) -> Result<Step, Unreadable> {
    if bytes.starts_with(&GZIP_MAGIC) { member(bytes) } else { plain(bytes) }
}

/// The length of the first step alone; what is in a member need not be kept for it.
pub(crate) fn step_length(bytes: &[u8]) -> Result<usize, Unreadable> {
    if bytes.starts_with(&GZIP_MAGIC) {
        inflate(bytes, 0).map(|member| member.length)
    } else {
        plain_length(bytes)
    }
}

struct Member {
    length: usize,
    /// Up to the bound asked for.
    unpacked: Vec<u8>,
    unpacked_bytes: u64,
}

/// Unpacks one gzip member, keeps no more than `keep` bytes of it and finds its end.
fn inflate(bytes: &[u8], keep: u64) -> Result<Member, Unreadable> {
    let mut rest = bytes;
    let mut decoder = GzDecoder::new(&mut rest);
    let damaged = |_| Unreadable { what: "gzip member is damaged or cut" };
    let mut unpacked = Vec::new();
    decoder.by_ref().take(keep).read_to_end(&mut unpacked).map_err(damaged)?;
    let left = MEMBER_MAX_BYTES.saturating_sub(unpacked.len() as u64);
    let passed = std::io::copy(&mut decoder.by_ref().take(left), &mut std::io::sink()).map_err(damaged)?;
    let unpacked_bytes = unpacked.len() as u64 + passed;
    if unpacked_bytes >= MEMBER_MAX_BYTES {
        return Err(Unreadable { what: "gzip member unpacks to more than 1 GiB" });
    }
    drop(decoder);
    Ok(Member { length: bytes.len() - rest.len(), unpacked, unpacked_bytes })
}

fn member(bytes: &[u8]) -> Result<Step, Unreadable> {
    let keep = RECORD_MAX_BYTES + HEAD_MAX_BYTES + 1;
    let Member { length, unpacked, unpacked_bytes } = inflate(bytes, keep as u64)?;
    let head = Head::parse(&unpacked);
    let kind = head.as_ref().map_or(RecordKind::Other, |head| head.kind);
    let is_bomb = unpacked_bytes > RATIO_FROM_BYTES && unpacked_bytes / RATIO_MAX > length as u64;
    if unpacked_bytes >= keep as u64 || is_bomb {
        return Ok(Step { length, content: Content::TooLarge(kind) });
    }
    // A cut block, or a second record behind the first: the member is not one record.
    let content = head.filter(|head| end_of(&unpacked, head) == Some(unpacked.len()));
    Ok(Step { length, content: content.map_or(Content::Malformed(kind), |head| head.content(&unpacked)) })
}

fn plain_length(bytes: &[u8]) -> Result<usize, Unreadable> {
    let head = Head::parse(bytes).ok_or(Unreadable { what: "no header of a WARC or ARC record" })?;
    end_of(bytes, &head).ok_or(Unreadable { what: "record is cut" })
}

fn plain(bytes: &[u8]) -> Result<Step, Unreadable> {
    let head = Head::parse(bytes).ok_or(Unreadable { what: "no header of a WARC or ARC record" })?;
    let length = end_of(bytes, &head).ok_or(Unreadable { what: "record is cut" })?;
    Ok(Step { length, content: head.content(bytes) })
}

/// Where the record ends with the line ends behind it; none where its block is cut.
fn end_of(bytes: &[u8], head: &Head) -> Option<usize> {
    let end = head.length.checked_add(usize::try_from(head.block_bytes).ok()?)?;
    let behind = bytes.get(end..)?;
    Some(end + behind.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count())
}

/// The header of a record.
struct Head {
    /// Bytes of the header with the blank line behind it.
    length: usize,
    block_bytes: u64,
    kind: RecordKind,
    url: String,
    record_id: String,
    date: String,
    content_type: String,
    identified_type: String,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"WARC/") { Self::parse_warc(bytes) } else { Self::parse_arc(bytes) }
    }

    fn parse_warc(bytes: &[u8]) -> Option<Self> {
        let (_, fields, length) = head_lines(bytes)?;
        let bare = |name| field(&fields, name).trim_start_matches('<').trim_end_matches('>').to_owned();
        let kind = match field(&fields, "warc-type").to_ascii_lowercase().as_str() {
            "warcinfo" => RecordKind::Warcinfo,
            "request" => RecordKind::Request,
            "response" => RecordKind::Response,
            "metadata" => RecordKind::Metadata,
            "resource" => RecordKind::Resource,
            "conversion" => RecordKind::Conversion,
            "revisit" => RecordKind::Revisit,
            _ => RecordKind::Other,
        };
        Some(Self {
            length,
            block_bytes: decimal(field(&fields, "content-length"))?,
            kind,
            url: bare("warc-target-uri"),
            record_id: bare("warc-record-id"),
            date: field(&fields, "warc-date").to_owned(),
            content_type: field(&fields, "content-type").to_owned(),
            identified_type: field(&fields, "warc-identified-payload-type").to_owned(),
        })
    }

    /// `URL address date type length`, and in the later version of the format some fields before the length. The URL
    /// may have blanks in it, so fields are counted from the end.
    ///
    /// Source: Burner & Kahle, "Arc File Format" (1996).
    fn parse_arc(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().take(HEAD_MAX_BYTES).position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(bytes.get(..end)?).ok()?.trim_end();
        let mut fields: Vec<&str> = line.split(' ').collect();
        let block_bytes = decimal(fields.pop()?)?;
        let is_date = |text: &&str| text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
        let date = fields.iter().rposition(is_date).filter(|at| *at >= 2)?;
        let (place, rest) = (fields.get(..date - 1)?, fields.get(date..)?);
        let url = place.join(" ");
        if !url.contains(':') {
            return None;
        }
        let kind = if url.starts_with("filedesc:") { RecordKind::Warcinfo } else { RecordKind::Response };
        Some(Self {
            length: end + 1,
            block_bytes,
            kind,
            record_id: String::new(),
            date: (*rest.first()?).to_owned(),
            content_type: match kind {
                // What stands in the line is the page's type; the block is the whole exchange.
                RecordKind::Response if url.starts_with("http") => "application/http".to_owned(),
                _ => (*rest.get(1)?).to_owned(),
            },
            identified_type: (*rest.get(1)?).to_owned(),
            url,
        })
    }

    /// The record whose header this is; `bytes` hold all of it.
    fn content(self, bytes: &[u8]) -> Content {
        let block_bytes = usize::try_from(self.block_bytes).unwrap_or(usize::MAX);
        if block_bytes > RECORD_MAX_BYTES {
            return Content::TooLarge(self.kind);
        }
        let Some(block) = bytes.get(self.length..).and_then(|rest| rest.get(..block_bytes)) else {
            return Content::Malformed(self.kind);
        };
        let is_exchange = self.content_type.to_ascii_lowercase().starts_with("application/http");
        let (http, payload) = if self.kind == RecordKind::Response && is_exchange {
            match HttpHead::parse(block) {
                Some((head, length)) => (Some(head), block.get(length..).unwrap_or_default().to_vec()),
                None => return Content::Malformed(self.kind),
            }
        } else {
            (None, block.to_vec())
        };
        Content::Record(Box::new(Record {
            kind: self.kind,
            url: self.url,
            record_id: self.record_id,
            date: self.date,
            content_type: self.content_type,
            identified_type: self.identified_type,
            http,
            payload,
        }))
    }
}

impl HttpHead {
    fn parse(block: &[u8]) -> Option<(Self, usize)> {
        let (first, fields, length) = head_lines(block)?;
        let mut words = first.split_ascii_whitespace();
        words.next().filter(|version| version.to_ascii_uppercase().starts_with("HTTP/"))?;
        let status = words.next().filter(|word| word.len() == 3)?.parse().ok()?;
        Some((Self { status, fields }, length))
    }
}

/// A first line, header lines with their names in lower case, and the length of all with the blank line behind them.
/// A line that begins with white space continues the one before; one without a colon is passed over.
fn head_lines(bytes: &[u8]) -> Option<(String, Fields, usize)> {
    let mut fields = Fields::new();
    let (mut first, mut at) = (None, 0);
    for _ in 0..HEAD_MAX_LINES {
        let rest = bytes.get(at..)?;
        let end = rest.iter().take(HEAD_MAX_BYTES.checked_sub(at)?).position(|byte| *byte == b'\n')?;
        let line = rest.get(..end)?;
        at += end + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if first.is_none() {
            first = Some(String::from_utf8_lossy(line).into_owned());
            continue;
        }
        if line.is_empty() {
            return Some((first?, fields, at));
        }
        let text = String::from_utf8_lossy(line);
        if text.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(text.trim());
            }
        } else if let Some((name, value)) = text.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    None
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
}

/// Digits only: `+5` and the like are other people's spellings of nothing.
fn decimal(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn warc(kind: &str, content_type: &str, block: &str) -> Vec<u8> {
        let length = block.len();
        format!(
            "WARC/1.0\r\nWARC-Type: {kind}\r\nwarc-target-uri: <https://x.example/a b>\r\nWARC-Record-ID: <urn:x:1>\r\n\
             WARC-Date: 2026-01-02T03:04:05Z\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{block}\r\n\r\n"
        )
        .into_bytes()
    }

    fn response(body: &str) -> Vec<u8> {
        let block = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Folded: a\r\n b\r\n\r\n{body}");
        warc("response", "application/http; msgtype=response", &block)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn record(bytes: &[u8]) -> Record {
        let step = step(bytes).unwrap();
        assert_eq!(step.length, bytes.len());
        let Content::Record(record) = step.content else { panic!("{:?}", step.content) };
        *record
    }

    #[test]
    fn packed_and_plain_records_are_the_same() {
        let plain = response("<p>hello");
        let read = record(&plain);
        assert_eq!(read, record(&gzip(&plain)));
        assert_eq!((read.kind, read.url.as_str()), (RecordKind::Response, "https://x.example/a b"));
        assert_eq!((read.record_id.as_str(), read.date.as_str()), ("urn:x:1", "2026-01-02T03:04:05Z"));
        assert_eq!(read.payload, b"<p>hello");
        let head = read.http.unwrap();
        assert_eq!((head.status, head.field("x-folded")), (200, "a b"));
        let request = record(&warc("request", "application/http", "GET / HTTP/1.1\r\n\r\n"));
        assert_eq!(
            (request.kind, request.http, &request.payload[..4]),
            (RecordKind::Request, None, &b"GET "[..])
        );
    }

    #[test]
    fn a_step_ends_where_the_next_begins() {
        for pack in [|bytes: &[u8]| bytes.to_vec(), gzip as fn(&[u8]) -> Vec<u8>] {
            let (one, two) = (pack(&response("one")), pack(&response("two")));
            let both = [&one[..], &two].concat();
            assert_eq!(step(&both).unwrap(), step(&one).unwrap());
            assert_eq!(step_length(&both), Ok(one.len()));
            for cut in [0, 1, 20, one.len() / 2] {
                assert!(step(&one[..cut]).is_err(), "{cut}");
            }
            assert!(step(&both[1..]).is_err());
        }
    }

    #[test]
    fn a_member_of_two_records_is_malformed() {
        let two = gzip(&[response("one"), response("two")].concat());
        assert_eq!(step(&two).unwrap().content, Content::Malformed(RecordKind::Response));
        let cut = gzip(&response("one")[..250]);
        assert!(matches!(step(&cut).unwrap().content, Content::Malformed(_)));
        assert_eq!(step(&gzip(b"nothing")).unwrap().content, Content::Malformed(RecordKind::Other));
        assert_eq!(step(&two).unwrap().digest(&two), Digest::of(&two));
    }

    #[test]
    fn bombs_and_giants_are_too_large() {
        let bomb = gzip(&response(&"a".repeat(8 << 20)));
        assert!(8 << 20 > bomb.len() as u64 * RATIO_MAX);
        assert_eq!(step(&bomb).unwrap().content, Content::TooLarge(RecordKind::Response));
        let giant = response(&"a".repeat(RECORD_MAX_BYTES + 1));
        assert_eq!(step(&giant).unwrap().content, Content::TooLarge(RecordKind::Response));
        assert_eq!(step(&giant).unwrap().length, giant.len());
    }

    #[test]
    fn arc_records_are_read() {
        let body = "HTTP/1.0 404 Not Found\r\nContent-Type: text/html\r\n\r\ngone";
        let arc = format!("http://x.example/a b 192.0.2.1 20260102030405 text/html {}\n{body}\n", body.len());
        let read = record(arc.as_bytes());
        assert_eq!((read.kind, read.url.as_str()), (RecordKind::Response, "http://x.example/a b"));
        assert_eq!((read.date.as_str(), read.payload.as_slice()), ("20260102030405", &b"gone"[..]));
        assert_eq!(read.http.unwrap().status, 404);
        assert!(step(b"not an archive 5\nhello").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_step_or_an_error(edits in proptest::collection::vec((0usize..400, 0u8..=255), 0..6), pack: bool) {
            let mut bytes = response("one");
            if pack {
                bytes = gzip(&bytes);
            }
            for (at, value) in edits {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            if let Ok(step) = step(&bytes) {
                proptest::prop_assert!(step.length > 0 && step.length <= bytes.len());
                proptest::prop_assert_eq!(step_length(&bytes), Ok(step.length));
            }
        }
    }
}
