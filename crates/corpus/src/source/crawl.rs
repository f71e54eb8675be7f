//! Common Crawl: its crawls' lists of files, and the places of records that its index tells.
//!
//! A crawl's id names a list of paths, each path an archive at the same host: [`list_url`], [`paths`], [`file_url`]. A
//! line of the index names one record within one: [`Place`]. [`super::remote`] brings them.
//!
//! Source: "Get started" and "CDXJ index", commoncrawl.org.

use std::{fmt, io::Read as _, str::FromStr};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use thiserror::Error;

use crate::{archive::RATIO_MAX, manifest::plain_path};

/// Where Common Crawl offers its files to everyone.
pub const HOST: &str = "https://data.commoncrawl.org";
/// The longest id: those of today have fifteen characters.
const ID_MAX_BYTES: usize = 32;
/// The longest list, unpacked: ten times those of today.
const LIST_MAX_BYTES: u64 = 128 << 20;
/// The longest line of an index: an address and a few facts.
const LINE_MAX_BYTES: usize = 64 << 10;

/// What is no crawl, list or place of Common Crawl's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CrawlError {
    /// An id is not of the form.
    #[error("{found:?} is no crawl's id such as CC-MAIN-2024-10")]
    Id {
        /// The id, cut to 60 characters.
        found: String,
    },
    /// A list can't be unpacked, or is too long.
    #[error("the list of paths is damaged, or has more than {LIST_MAX_BYTES} bytes")]
    List,
    /// A list names a path that is none.
    #[error("line {line} of the list of paths is not a plain path: {found:?}")]
    Path {
        /// The line, from 1.
        line: usize,
        /// The path, cut to 60 characters.
        found: String,
    },
    /// A line of an index can't be understood.
    #[error("no place of a record: {what}")]
    Place {
        /// What is wrong.
        what: String,
    },
}

/// A crawl's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrawlId(String);

impl FromStr for CrawlId {
    type Err = CrawlError;

    fn from_str(text: &str) -> Result<Self, CrawlError> {
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_id = text.len() <= ID_MAX_BYTES && text.starts_with("CC-") && text.split('-').all(plain);
        if is_id { Ok(Self(text.to_owned())) } else { Err(CrawlError::Id { found: short(text) }) }
    }
}

impl fmt::Display for CrawlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which files of a crawl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// What servers answered.
    Warc,
    /// The text in it.
    Wet,
    /// Facts about it.
    Wat,
}

/// The address of a crawl's list of paths.
#[must_use]
pub fn list_url(host: &str, crawl: &CrawlId, files: Files) -> String {
    let name = match files {
        Files::Warc => "warc",
        Files::Wet => "wet",
        Files::Wat => "wat",
    };
    file_url(host, &format!("crawl-data/{crawl}/{name}.paths.gz"))
}

/// The address of a file.
#[must_use]
pub fn file_url(host: &str, path: &str) -> String {
    format!("{}/{path}", host.trim_end_matches('/'))
}

/// The paths in a list, as it is fetched.
///
/// # Errors
/// [`CrawlError`] for a list that is damaged or too long, or has something else in it.
pub fn paths(list: &[u8]) -> Result<Vec<String>, CrawlError> {
    let max = LIST_MAX_BYTES.min((list.len() as u64).saturating_mul(RATIO_MAX));
    let mut text = String::new();
    let read = MultiGzDecoder::new(list).take(max + 1).read_to_string(&mut text);
    if read.is_err() || text.len() as u64 > max {
        return Err(CrawlError::List);
    }
    let path = |(number, line): (usize, &str)| {
        let path = line.trim();
        let wrong = || CrawlError::Path { line: number + 1, found: short(path) };
        if plain_path(path) { Ok(path.to_owned()) } else { Err(wrong()) }
    };
    text.lines().enumerate().map(path).collect()
}

/// Where one record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The archive's path.
    pub path: String,
    /// Where the record begins, in stored bytes.
    pub first_byte: u64,
    /// Its length in stored bytes, at least 1.
    pub length_bytes: u64,
}

impl FromStr for Place {
    type Err = CrawlError;

    /// From a line of the index, or the JSON in it alone.
    fn from_str(line: &str) -> Result<Self, CrawlError> {
        let wrong = |what: String| CrawlError::Place { what };
        if line.len() > LINE_MAX_BYTES {
            return Err(wrong(format!(
                "the line has {} bytes, at most {LINE_MAX_BYTES} are taken",
                line.len()
            )));
        }
        let json = line.find('{').map_or("", |at| &line[at..]);
        let Facts { filename, offset, length } =
            serde_json::from_str(json.trim_end()).map_err(|error| wrong(error.to_string()))?;
        let number = |name: &str, number: Number| match number {
            Number::Plain(number) => Ok(number),
            Number::Text(text) => {
                text.parse().map_err(|_| wrong(format!("{name} {:?} is no number", short(&text))))
            }
        };
        let (first_byte, length_bytes) = (number("offset", offset)?, number("length", length)?);
        let fits = length_bytes > 0 && first_byte.checked_add(length_bytes).is_some();
        if !plain_path(&filename) || !fits {
            let range = format!("{length_bytes} bytes from {first_byte}");
            return Err(wrong(format!("{range} of {:?}", short(&filename))));
        }
        Ok(Self { path: filename, first_byte, length_bytes })
    }
}

/// What the index says of a record, as far as it matters here. Numbers are texts there.
#[derive(Deserialize)]
struct Facts {
    filename: String,
    offset: Number,
    length: Number,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(u64),
    Text(String),
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn a_crawls_files_have_these_addresses() {
        let crawl: CrawlId = "CC-MAIN-2024-10".parse().unwrap();
        assert_eq!(
            list_url(HOST, &crawl, Files::Warc),
            "https://data.commoncrawl.org/crawl-data/CC-MAIN-2024-10/warc.paths.gz"
        );
        assert_eq!(
            list_url("http://x/", &crawl, Files::Wet),
            "http://x/crawl-data/CC-MAIN-2024-10/wet.paths.gz"
        );
        for wrong in ["", "CC-", "MAIN-2024-10", "CC-MAIN-2024-10/..", "CC-MAIN--10", &"CC-A".repeat(20)] {
            assert!(wrong.parse::<CrawlId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_are_unpacked_and_checked() {
        let packed = |text: &str| {
            let mut member = GzEncoder::new(Vec::new(), Compression::best());
            member.write_all(text.as_bytes()).unwrap();
            member.finish().unwrap()
        };
        let path = "crawl-data/CC-MAIN-2024-10/segments/1/warc/a-00000.warc.gz";
        assert_eq!(paths(&packed(&format!("{path}\n{path}\n"))).unwrap(), [path, path]);
        assert_eq!(paths(&packed("a\n../b\n")), Err(CrawlError::Path { line: 2, found: "../b".into() }));
        assert_eq!(paths(&packed(path)[..20]), Err(CrawlError::List));
        assert_eq!(paths(&packed(&"a\n".repeat(1 << 20))), Err(CrawlError::List));
        assert_eq!(paths(b"crawl-data/x"), Err(CrawlError::List));
    }

    #[test]
    fn places_are_read_from_lines_of_the_index() {
        let line = r#"org,example)/ 20240301000000 {"url": "https://example.org/", "mime": "text/html", "status": "200", "digest": "X", "length": "1234", "offset": "5678", "filename": "crawl-data/a.warc.gz"}"#;
        let place = Place { path: "crawl-data/a.warc.gz".into(), first_byte: 5678, length_bytes: 1234 };
        assert_eq!(line.parse(), Ok(place.clone()));
        assert_eq!(r#"{"filename":"crawl-data/a.warc.gz","offset":5678,"length":1234}"#.parse(), Ok(place));
        for wrong in [
            "",
            "org,example)/ 20240301000000",
            r#"{"filename":"a","offset":1}"#,
            r#"{"filename":"../a","offset":1,"length":1}"#,
            r#"{"filename":"a","offset":1,"length":0}"#,
            r#"{"filename":"a","offset":"x","length":1}"#,
            r#"{"filename":"a","offset":18446744073709551615,"length":1}"#,
        ] {
            assert!(matches!(wrong.parse::<Place>(), Err(CrawlError::Place { .. })), "{wrong}");
        }
        assert!(format!("{{{}", " ".repeat(70_000)).parse::<Place>().is_err());
    }
}
