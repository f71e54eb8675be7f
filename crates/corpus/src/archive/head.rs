//! Header lines: of records in either format, and of what servers answered.

use std::borrow::Cow;

use super::{Fields, HttpHead, Record, RecordKind};

/// The longest block of header lines, of a record or of a response in it; servers cut theirs at 8 or 16 kB.
pub(super) const HEAD_MAX_BYTES: usize = 64 << 10;
/// Header lines in one block.
const HEAD_MAX_LINES: usize = 512;
/// Fields in the heading line of an ARC record: an address with more blanks in it is none.
const ARC_MAX_FIELDS: usize = 256;

/// The header of a record.
pub(super) struct Head {
    /// Bytes of the header with the blank line behind it.
    pub(super) length: usize,
    pub(super) block_bytes: u64,
    pub(super) kind: RecordKind,
    url: String,
    record_id: String,
    date: String,
    content_type: String,
    identified_type: String,
}

impl Head {
    /// The header that these bytes begin with; none where there is no such, or it goes on behind them.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if is_warc(bytes) { Self::parse_warc(bytes) } else { Self::parse_arc(bytes) }
    }

    fn parse_warc(bytes: &[u8]) -> Option<Self> {
        // The first of each name counts, and few of them are looked for: the others take no memory.
        const NAMES: [&str; 7] = [
            "warc-type",
            "content-length",
            "warc-target-uri",
            "warc-record-id",
            "warc-date",
            "content-type",
            "warc-identified-payload-type",
        ];
        let mut found: [Option<String>; NAMES.len()] = Default::default();
        let (_, length) = head_lines(bytes, |name, value| {
            let place = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name));
            if let Some(place) = place.map(|place| &mut found[place]) {
                place.get_or_insert_with(|| value.to_owned());
            }
        })?;
        let [kind, block_bytes, url, record_id, date, content_type, identified_type] =
            found.map(Option::unwrap_or_default);
        let bare = |text: String| match text.trim_start_matches('<').trim_end_matches('>') {
            bare if bare.len() == text.len() => text,
            bare => bare.to_owned(),
        };
        let kind = match kind.to_ascii_lowercase().as_str() {
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
            block_bytes: decimal(&block_bytes)?,
            kind,
            url: bare(url),
            record_id: bare(record_id),
            date,
            content_type,
            identified_type,
        })
    }

    /// `URL address date type length`, and in the later version of the format some fields before the length. The URL
    /// may have blanks in it, so fields are counted from the end.
    ///
    /// Source: Burner & Kahle, "Arc File Format" (1996).
    fn parse_arc(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().take(HEAD_MAX_BYTES).position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(bytes.get(..end)?).ok()?.trim_end();
        let mut fields: Vec<&str> = line.split(' ').take(ARC_MAX_FIELDS).collect();
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

    /// Whether its block is an answer with a head of its own.
    pub(super) fn is_exchange(&self) -> bool {
        self.kind == RecordKind::Response
            && self.content_type.to_ascii_lowercase().starts_with("application/http")
    }

    /// The record with this header.
    pub(super) fn record(self, http: Option<HttpHead>, payload: Vec<u8>) -> Record {
        Record {
            kind: self.kind,
            url: self.url,
            record_id: self.record_id,
            date: self.date,
            content_type: self.content_type,
            identified_type: self.identified_type,
            http,
            payload,
        }
    }
}

/// Whether bytes begin as a WARC record does, of any version.
pub(super) fn is_warc(bytes: &[u8]) -> bool {
    bytes.starts_with(b"WARC/")
}

impl HttpHead {
    /// The head of an answer, and its length with the blank line behind it; none where the bytes don't begin with one
    /// that ends in them.
    #[must_use]
    pub fn parse(block: &[u8]) -> Option<(Self, usize)> {
        let mut fields = Fields::new();
        let (first, length) = head_lines(block, |name, value| {
            fields.push((name.to_ascii_lowercase(), value.to_owned()));
        })?;
        let mut words = first.split_ascii_whitespace();
        words.next().filter(|version| version.to_ascii_uppercase().starts_with("HTTP/"))?;
        let status = words.next().filter(|word| word.len() == 3)?.parse().ok()?;
        Some((Self { status, fields }, length))
    }
}

/// Tells each header line's name and value in order, and gives the first line and the length of all with the blank line
/// behind them. A line that begins with white space continues the one before; one without a colon is passed over. Where
/// there is no whole head, what was told stands for nothing.
fn head_lines(bytes: &[u8], mut tell: impl FnMut(&str, &str)) -> Option<(Cow<'_, str>, usize)> {
    let (mut first, mut at) = (None, 0);
    let mut last: Option<Line<'_>> = None;
    for _ in 0..HEAD_MAX_LINES {
        let rest = bytes.get(at..)?;
        let rest = &rest[..rest.len().min(HEAD_MAX_BYTES.checked_sub(at)?)];
        let line = &rest[..memchr::memchr(b'\n', rest)?];
        at += line.len() + 1;
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        if first.is_none() {
            first = Some(text);
        } else if text.is_empty() {
            last.inspect(|line| line.tell(&mut tell));
            return Some((first?, at));
        } else if text.starts_with([' ', '\t']) {
            if let Some(line) = &mut last {
                line.go_on(&text);
            }
        } else if let Some(colon) = text.find(':') {
            last.replace(Line { text, colon, value: None }).inspect(|line| line.tell(&mut tell));
        }
    }
    None
}

/// A header line.
struct Line<'a> {
    text: Cow<'a, str>,
    colon: usize,
    /// Its value, where more lines belong to it.
    value: Option<String>,
}

impl Line<'_> {
    fn tell(&self, tell: &mut impl FnMut(&str, &str)) {
        let value = self.value.as_deref().unwrap_or_else(|| self.text[self.colon + 1..].trim());
        tell(self.text[..self.colon].trim(), value);
    }

    fn go_on(&mut self, more: &str) {
        let value = self.value.get_or_insert_with(|| self.text[self.colon + 1..].trim().to_owned());
        let more = more.trim();
        // A value may begin with its second line, and an empty line adds nothing.
        if !value.is_empty() && !more.is_empty() {
            value.push(' ');
        }
        value.push_str(more);
    }
}

pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
}

/// Digits only: `+5` and the like are other people's spellings of nothing.
fn decimal(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_values_are_joined_by_single_spaces() {
        let head = b"HTTP/1.1 200 OK\r\nA:\r\n b\r\nC: d\r\n \t\r\nE: f\r\n g\r\n\r\n";
        let (head, length) = HttpHead::parse(head).unwrap();
        assert_eq!((head.field("a"), head.field("c"), head.field("e"), length), ("b", "d", "f g", 47));
    }
}
