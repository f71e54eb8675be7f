//! From a record, or a file, to a page: unpacked and decoded.

use std::io::Read;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::Encoding;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use crate::{
    archive::{RATIO_FROM_BYTES, RATIO_MAX, RECORD_MAX_BYTES, Record, RecordKind},
    decision::Reason,
    markdown,
    optout::OptOut,
};

/// Bytes at the beginning of a page in which it may name its encoding.
///
/// Source: the HTML standard asks authors for 1,024; pages with long heads name it later, and browsers wait for more.
const META_PRESCAN_BYTES: usize = 4096;
/// Bytes that the guess of an encoding looks at.
const DETECT_MAX_BYTES: usize = 64 << 10;
/// Characters that no encoding gives, per thousand, above which the bytes are no text.
const BROKEN_MAX_PERMILLE: usize = 10;
/// The longest address; servers refuse longer ones.
pub const URL_MAX_BYTES: usize = 8 << 10;
/// The longest name and date of a record; usual are 47 and 20.
pub const NAME_MAX_BYTES: usize = 256;
/// Bytes that are decoded before what became of them is looked at.
const DECODED_BYTES: usize = 64 << 10;
/// Encodings in a row that a server names; each is undone.
const CONTENT_ENCODINGS_MAX: usize = 2;

/// What extraction is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The address that the record names, or the file's path.
    pub url: String,
    /// The record's own name; empty for files.
    pub record_id: String,
    /// When the record was taken, as it says it; empty for files.
    pub date: String,
    /// What `text` is.
    pub form: Form,
    /// The page, decoded.
    pub text: String,
    /// What it and its server ask for.
    pub opt_out: OptOut,
}

/// What a page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// HTML.
    Html,
    /// Text as it is.
    Text,
}

/// What bytes are said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Medium {
    Html,
    Markdown,
    Text,
}

impl Page {
    /// The page in a record of an archive.
    ///
    /// # Errors
    /// The [`Reason`] why there is none.
    pub fn of_record(record: &Record) -> Result<Self, Reason> {
        let content_type = match record.kind {
            RecordKind::Response => {
                let head = record.http.as_ref();
                if head.is_some_and(|head| head.status != 200) {
                    return Err(Reason::Status);
                }
                head.map_or(record.content_type.as_str(), |head| head.field("content-type"))
            }
            RecordKind::Resource => &record.content_type,
            RecordKind::Conversion => "text/plain",
            kind => return Err(Reason::NotAPage { kind }),
        };
        if record.url.len() > URL_MAX_BYTES || record.record_id.len().max(record.date.len()) > NAME_MAX_BYTES
        {
            return Err(Reason::Malformed);
        }
        let stated = if content_type.is_empty() { &record.identified_type } else { content_type };
        let (essence, parameters) = stated.split_once(';').unwrap_or((stated, ""));
        let medium = match essence.trim().to_ascii_lowercase().as_str() {
            "text/html" | "application/xhtml+xml" => Medium::Html,
            "text/markdown" => Medium::Markdown,
            "text/plain" => Medium::Text,
            _ => return Err(Reason::ContentType),
        };
        let unpacked;
        let body = match &record.http {
            Some(head) => {
                unpacked =
                    unpack(&record.payload, head.field("transfer-encoding"), head.field("content-encoding"))?;
                &unpacked
            }
            None => &record.payload,
        };
        // What a WET file holds has been decoded already.
        let label =
            if record.kind == RecordKind::Conversion { "utf-8" } else { charset_parameter(parameters) };
        let (form, text) = decode(medium, body, label)?;
        let (url, record_id, date) = (record.url.clone(), record.record_id.clone(), record.date.clone());
        let asked = record.http.as_ref().map_or_else(OptOut::default, |head| OptOut::of_fields(&head.fields));
        let opt_out = asked.and(OptOut::of_page(form, &text));
        Ok(Self { url, record_id, date, form, text, opt_out })
    }

    /// The page in a file: HTML and Markdown by their extensions, anything else as text.
    ///
    /// # Errors
    /// The [`Reason`] why there is none.
    pub fn of_file(path: &str, bytes: &[u8]) -> Result<Self, Reason> {
        if bytes.len() > RECORD_MAX_BYTES {
            return Err(Reason::TooLarge);
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
        let medium = match extension.as_str() {
            "html" | "htm" | "xhtml" => Medium::Html,
            "md" | "markdown" => Medium::Markdown,
            _ => Medium::Text,
        };
        let (form, text) = decode(medium, bytes, "")?;
        let opt_out = OptOut::of_page(form, &text);
        Ok(Self { url: path.to_owned(), record_id: String::new(), date: String::new(), form, text, opt_out })
    }
}

fn decode(medium: Medium, bytes: &[u8], label: &str) -> Result<(Form, String), Reason> {
    let text = decode_text(bytes, label, medium == Medium::Html)?;
    match medium {
        Medium::Text => Ok((Form::Text, text)),
        Medium::Html => Ok((Form::Html, text)),
        Medium::Markdown => Ok((Form::Html, markdown::to_html(&text)?)),
    }
}

/// Undoes what a server did to a body on its way.
fn unpack(payload: &[u8], transfer: &str, content: &str) -> Result<Vec<u8>, Reason> {
    let mut body = payload.to_vec();
    if transfer.to_ascii_lowercase().contains("chunked") {
        // Most archives keep the header and join the chunks all the same.
        if let Some(joined) = join_chunks(&body) {
            body = joined;
        }
    }
    let encodings: Vec<&str> = content.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if encodings.len() > CONTENT_ENCODINGS_MAX {
        return Err(Reason::Malformed);
    }
    // The last one named was applied last.
    for encoding in encodings.iter().rev() {
        let packed = &body[..];
        body = match encoding.to_ascii_lowercase().as_str() {
            "identity" | "none" => continue,
            // Archives keep this header, too, above bodies that their crawler unpacked.
            "gzip" | "x-gzip" if !packed.starts_with(&[0x1f, 0x8b]) => continue,
            "gzip" | "x-gzip" => bounded(GzDecoder::new(packed), packed.len())?,
            "deflate" => match bounded(ZlibDecoder::new(packed), packed.len()) {
                // Servers disagree on whether the name means the stream with its wrapper.
                Err(Reason::Malformed) => bounded(DeflateDecoder::new(packed), packed.len())?,
                unpacked => unpacked?,
            },
            "br" => bounded(brotli_decompressor::Decompressor::new(packed, 4096), packed.len())?,
            _ => return Err(Reason::Malformed),
        };
    }
    Ok(body)
}

/// Reads to the end, which must come within the bounds on length and ratio.
fn bounded(mut from: impl Read, packed_bytes: usize) -> Result<Vec<u8>, Reason> {
    let by_ratio = (packed_bytes as u64).saturating_mul(RATIO_MAX).max(RATIO_FROM_BYTES);
    let max = by_ratio.min(RECORD_MAX_BYTES as u64);
    let mut unpacked = Vec::new();
    from.by_ref().take(max + 1).read_to_end(&mut unpacked).map_err(|_| Reason::Malformed)?;
    if unpacked.len() as u64 > max { Err(Reason::TooLarge) } else { Ok(unpacked) }
}

/// The body of a chunked transfer; none where it does not have the form to its end.
fn join_chunks(body: &[u8]) -> Option<Vec<u8>> {
    let (mut joined, mut rest) = (Vec::with_capacity(body.len()), body);
    loop {
        let end = rest.iter().take(64).position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size = line.split(';').next().unwrap_or(line).trim();
        let size = usize::from_str_radix(size, 16).ok().filter(|_| !size.starts_with('+'))?;
        rest = rest.get(end + 1..)?;
        if size == 0 {
            return Some(joined);
        }
        joined.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?;
        rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"))?;
    }
}

/// The text of bytes by what they, their server or the page itself say of their encoding, else by guess.
fn decode_text(bytes: &[u8], label: &str, is_html: bool) -> Result<String, Reason> {
    let stated = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let stated = stated.or_else(|| Encoding::for_label(label.as_bytes()));
    let stated = stated.or_else(|| if is_html { charset_in_page(bytes) } else { None });
    if let Some(text) = stated.and_then(|encoding| decode_as(bytes, encoding)) {
        return Ok(text);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && !is_broken(text)
    {
        return Ok(text.to_owned());
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(DETECT_MAX_BYTES)], true);
    decode_as(bytes, detector.guess(None, Utf8Detection::Allow)).ok_or(Reason::Charset)
}

/// The text in this encoding; none where it is broken, which shows early: a wrong character costs much more than a right
/// one.
fn decode_as(bytes: &[u8], encoding: &'static Encoding) -> Option<String> {
    let mut decoder = encoding.new_decoder();
    let mut text = String::with_capacity(bytes.len());
    let (mut rest, mut odd) = (bytes, 0);
    loop {
        let (part, behind) = rest.split_at(rest.len().min(DECODED_BYTES));
        text.reserve(decoder.max_utf8_buffer_length(part.len())?);
        let counted = text.len();
        let _all_of_it = decoder.decode_to_string(part, &mut text, behind.is_empty());
        odd += odd_chars(&text[counted..]);
        // No encoding has more characters than bytes, but for one at the end that is cut.
        if is_many(odd, bytes.len() + 1) {
            return None;
        }
        if behind.is_empty() {
            break;
        }
        rest = behind;
    }
    if is_many(odd, text.chars().count()) { None } else { Some(text) }
}

/// Whether too many characters are replacements or controls.
fn is_broken(text: &str) -> bool {
    is_many(odd_chars(text), text.chars().count())
}

fn odd_chars(text: &str) -> usize {
    let is_odd = |c: &char| *c == '\u{fffd}' || (*c < ' ' && !matches!(*c, '\t' | '\n' | '\r' | '\u{c}'));
    text.chars().filter(is_odd).count()
}

fn is_many(odd: usize, chars: usize) -> bool {
    odd * 1000 > chars * BROKEN_MAX_PERMILLE
}

/// The value of `charset` among a content type's parameters.
fn charset_parameter(parameters: &str) -> &str {
    let mut values = parameters.split(';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    });
    values.next().unwrap_or("").trim().trim_matches(['"', '\''])
}

/// The encoding that a page names in a `meta` element near its beginning: the first `charset=` within one.
fn charset_in_page(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes[..bytes.len().min(META_PRESCAN_BYTES)].to_ascii_lowercase();
    let mut rest = &head[..];
    while let Some(at) = rest.windows(5).position(|five| five == b"<meta") {
        rest = &rest[at + 5..];
        let tag = &rest[..rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len())];
        let Some(at) = tag.windows(7).position(|seven| seven == b"charset") else { continue };
        let value = tag[at + 7..].trim_ascii_start();
        let Some(value) = value.strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"';/".contains(byte);
        let label = &value[..value.iter().position(ends).unwrap_or(value.len())];
        if let Some(encoding) = Encoding::for_label(label) {
            // A page that can be read up to here in bytes is not in units of two.
            let wide = [encoding_rs::UTF_16BE, encoding_rs::UTF_16LE].contains(&encoding);
            return Some(if wide { encoding_rs::UTF_8 } else { encoding });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::archive::HttpHead;

    fn response(fields: &[(&str, &str)], payload: &[u8]) -> Record {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Record {
            kind: RecordKind::Response,
            url: "https://x.example/".into(),
            record_id: String::new(),
            date: String::new(),
            content_type: "application/http".into(),
            identified_type: String::new(),
            http: Some(HttpHead { status: 200, fields }),
            payload: payload.to_vec(),
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn encodings_are_found_where_they_are_named() {
        let check = |content_type: &str, body: &[u8], expect: Result<&str, Reason>| {
            let page = Page::of_record(&response(&[("content-type", content_type)], body));
            assert_eq!(page.map(|page| page.text), expect.map(str::to_owned), "{content_type}");
        };
        check("text/html; charset=ISO-8859-1", b"caf\xe9", Ok("café"));
        check("text/html; charset=\"utf-8\"", "café".as_bytes(), Ok("café"));
        check("text/html", b"<meta charset=latin1>caf\xe9", Ok("<meta charset=latin1>café"));
        check(
            "text/html",
            "<meta content='x; charset=utf-8'>é".as_bytes(),
            Ok("<meta content='x; charset=utf-8'>é"),
        );
        check("text/html", b"\xef\xbb\xbfx", Ok("x"));
        check("text/html; charset=unknown-8bit", "é".as_bytes(), Ok("é"));
        // A wrong label gives way to what the bytes are.
        check("text/plain; charset=utf-8", b"caf\xe9 cr\xe8me", Ok("café crème"));
        check("text/plain", b"\x00\x01\x02\x03", Err(Reason::Charset));
        check("image/png", b"x", Err(Reason::ContentType));
        check("", b"x", Err(Reason::ContentType));
    }

    #[test]
    fn what_is_decoded_in_parts_is_what_is_decoded_at_once() {
        let at_once = |bytes: &[u8], encoding: &'static Encoding| {
            let (text, _, _) = encoding.decode(bytes);
            if is_broken(&text) { None } else { Some(text.into_owned()) }
        };
        let labels = [
            "utf-8",
            "utf-16",
            "utf-16be",
            "iso-2022-jp",
            "gb18030",
            "big5",
            "shift_jis",
            "latin1",
            "hz-gb-2312",
        ];
        let fills: [&[u8]; 6] =
            ["añ漢😀".as_bytes(), b"\xff", b"\x1b$B!\x1b(B", b"\x84\x31\xa4\x37", b"\xd8\x00a", b"\x00a"];
        for label in labels {
            let encoding = Encoding::for_label(label.as_bytes()).unwrap();
            for fill in fills {
                // Parts end within characters; some texts are right up to there, and some begin with a mark of order.
                for (before, mark) in [(0, &b""[..]), (1, b"\xef\xbb\xbf"), (DECODED_BYTES, b"\xff\xfe")] {
                    let mut bytes = [mark, &b"a".repeat(before)].concat();
                    bytes.extend(fill.repeat(3 * DECODED_BYTES / fill.len()));
                    for bytes in [&bytes[..], &bytes[..bytes.len() - 1], &bytes[..before]] {
                        assert!(
                            decode_as(bytes, encoding) == at_once(bytes, encoding),
                            "{label} {fill:x?} {before}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn packed_bodies_are_unpacked_under_bounds() {
        let page = |encoding: &str, body: &[u8]| {
            let fields = [("content-type", "text/plain"), ("content-encoding", encoding)];
            Page::of_record(&response(&fields, body)).map(|page| page.text)
        };
        let text = "weights and measures ".repeat(20);
        assert_eq!(page("gzip", &gzip(text.as_bytes())).as_ref(), Ok(&text));
        assert_eq!(page("gzip, GZIP", &gzip(&gzip(text.as_bytes()))).as_ref(), Ok(&text));
        assert_eq!(page("gzip", text.as_bytes()).as_ref(), Ok(&text));
        assert_eq!(page("gzip", &gzip(text.as_bytes())[..30]), Err(Reason::Malformed));
        assert_eq!(page("gzip", &gzip(&vec![b'a'; 12 << 20])), Err(Reason::TooLarge));
        assert_eq!(page("snappy", b""), Err(Reason::Malformed));
        assert_eq!(page("br", b"\x0b\x02\x80hello\x03"), Ok("hello".into()));
        let chunked = [("content-type", "text/plain"), ("transfer-encoding", "chunked")];
        let page = |body: &[u8]| Page::of_record(&response(&chunked, body)).map(|page| page.text);
        assert_eq!(page(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), Ok("abcde".into()));
        assert_eq!(page(b"joined already"), Ok("joined already".into()));
    }

    #[test]
    fn only_answers_that_hold_a_page_are_pages() {
        let mut record = response(&[("content-type", "text/html")], b"x");
        record.http.as_mut().unwrap().status = 404;
        assert_eq!(Page::of_record(&record), Err(Reason::Status));
        for kind in [RecordKind::Request, RecordKind::Metadata, RecordKind::Warcinfo, RecordKind::Revisit] {
            record.kind = kind;
            assert_eq!(Page::of_record(&record), Err(Reason::NotAPage { kind }));
        }
        record.kind = RecordKind::Conversion;
        record.http = None;
        assert_eq!(Page::of_record(&record).unwrap().form, Form::Text);
    }
}
