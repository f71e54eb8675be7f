//! Addresses whose pages are not wanted: by their domain, or by a word in them.

use std::collections::BTreeSet;

use primitives::Digest;
use thiserror::Error;

/// The longest list: the largest public ones have five million domains.
pub const BLOCKLIST_MAX_BYTES: usize = 256 << 20;
/// The longest entry: a domain's limit (RFC 1035, section 2.3.4).
const ENTRY_MAX_BYTES: usize = 255;

/// A list of domains and words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocklist {
    domains: BTreeSet<Box<str>>,
    words: BTreeSet<Box<str>>,
    digest: Option<Digest>,
}

/// A blocklist can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlocklistError {
    /// It is too long.
    #[error("blocklist has {found} bytes, expected at most {BLOCKLIST_MAX_BYTES}")]
    TooLong {
        /// Its bytes.
        found: usize,
    },
    /// A line is neither a domain nor a word.
    #[error(
        "line {line} of the blocklist is {found:?}, expected a domain or a word of at most {ENTRY_MAX_BYTES} letters, digits and hyphens"
    )]
    Line {
        /// The line, from 1.
        line: usize,
        /// What it is, cut to 60 characters.
        found: String,
    },
}

impl Blocklist {
    /// Reads a list: an entry a line, a domain where it has a full stop and else a word; what follows `#` is a remark.
    /// Domains beyond ASCII are written in Punycode, as they stand in addresses.
    ///
    /// # Errors
    /// A [`BlocklistError`] that says which line is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, BlocklistError> {
        if bytes.len() > BLOCKLIST_MAX_BYTES {
            return Err(BlocklistError::TooLong { found: bytes.len() });
        }
        let mut list = Self { digest: Some(Digest::of(bytes)), ..Self::default() };
        for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
            let entry = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
            if entry.is_empty() {
                continue;
            }
            let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
            let text = std::str::from_utf8(entry).ok().filter(|text| text.bytes().all(|byte| fits(&byte)));
            let text = text.map(|text| text.trim_matches('.').to_ascii_lowercase());
            match text.filter(|text| !text.is_empty() && text.len() <= ENTRY_MAX_BYTES) {
                Some(domain) if domain.contains('.') => _ = list.domains.insert(domain.into()),
                Some(word) if word.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                    list.words.insert(word.into());
                }
                _ => {
                    let found =
                        String::from_utf8_lossy(&entry[..entry.len().min(240)]).chars().take(60).collect();
                    return Err(BlocklistError::Line { line: number, found });
                }
            }
        }
        Ok(list)
    }

    /// The digest of the list's bytes; none for the empty list.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The entry that an address is on the list for: its host or a domain above it, or a run of letters and digits
    /// anywhere in it.
    #[must_use]
    pub fn hit(&self, url: &str) -> Option<&str> {
        let url = url.to_ascii_lowercase();
        let mut domain = Some(host(&url));
        while let Some(name) = domain {
            if let Some(found) = self.domains.get(name) {
                return Some(found);
            }
            domain = name.split_once('.').map(|(_, above)| above);
        }
        if self.words.is_empty() {
            return None;
        }
        let mut words = url.split(|c: char| !c.is_ascii_alphanumeric());
        words.find_map(|word| self.words.get(word)).map(|word| &**word)
    }
}

/// The host in an address in lower case.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.split(':').next().unwrap_or(host).trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_match_by_their_end_and_words_as_a_whole() {
        let list =
            Blocklist::read(b"# bad places\nbad.example\n  Casino # a word\n\nsub.mixed.example.\n").unwrap();
        let check = |url: &str, expect: Option<&str>| assert_eq!(list.hit(url), expect, "{url}");
        check("https://bad.example/", Some("bad.example"));
        check("https://www.BAD.example:8080/x", Some("bad.example"));
        check("https://me:word@bad.example./?x", Some("bad.example"));
        check("https://notbad.example/", None);
        check("https://bad.example.org/", None);
        check("https://good.example/bad.example", None);
        check("https://mixed.example/", None);
        check("https://a.sub.mixed.example/", Some("sub.mixed.example"));
        check("https://good.example/best-casino_games", Some("casino"));
        check("https://good.example/casinos", None);
        check("", None);
        assert_eq!(Blocklist::default().hit("https://bad.example/"), None);
    }

    #[test]
    fn lines_that_are_no_entry_are_named() {
        let check = |text: &[u8], line: usize| {
            let error = Blocklist::read(text).unwrap_err();
            assert!(matches!(&error, BlocklistError::Line { line: found, .. } if *found == line), "{error}");
        };
        check(b"a.example\nhttps://b.example/", 2);
        check(b"two words", 1);
        check(b"x\n\ncaf\xe9.example", 3);
        check("é".repeat(200).as_bytes(), 1);
        check(format!("{}.example", "a".repeat(255)).as_bytes(), 1);
        check(b"...", 1);
    }
}
