//! Addresses of people and their machines in a text: e-mail, IPv4 and IPv6.
//!
//! The idea is that of datatrove's `PIIFormatter`, which FineWeb's texts went through: each address is replaced by one
//! that is reserved for examples, so that a sentence stays one. Only public IP addresses are anybody's. The finding is
//! stricter here: a top level is letters, an IP address stands by itself and not within a longer row of numbers, and
//! addresses reserved for examples stay as they are, so that a second pass finds nothing.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
};

/// What stands for each e-mail address. Source: RFC 2606 reserves the domain.
pub const EMAIL_REPLACEMENT: &str = "email@example.com";
/// What stands for each IPv4 address. Source: RFC 5737 reserves the network.
pub const IPV4_REPLACEMENT: &str = "192.0.2.1";
/// What stands for each IPv6 address. Source: RFC 3849 reserves the network.
pub const IPV6_REPLACEMENT: &str = "2001:db8::1";

/// The longest part before the at sign. Source: RFC 5321, section 4.5.3.1.1.
const LOCAL_MAX_BYTES: usize = 64;
/// The longest part behind it. Source: RFC 5321, section 4.5.3.1.2.
const DOMAIN_MAX_BYTES: usize = 255;
/// The longest IPv6 address: eight groups of four digits.
const IPV6_MAX_BYTES: usize = 39;

/// A text without its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted<'a> {
    /// The text, each address replaced.
    pub text: Cow<'a, str>,
    /// E-mail addresses that were found.
    pub emails: u32,
    /// Public IP addresses that were found.
    pub ips: u32,
}

impl Redacted<'_> {
    /// Finds and replaces the addresses in a text.
    #[must_use]
    pub fn of(text: &str) -> Redacted<'_> {
        let (text, emails) = replaced(text, next_email);
        let (text, ips) = match text {
            Cow::Borrowed(text) => replaced(text, next_ip),
            Cow::Owned(text) => {
                let (text, ips) = replaced(&text, next_ip);
                (Cow::Owned(text.into_owned()), ips)
            }
        };
        Redacted { text, emails, ips }
    }

    /// Whether there was any.
    #[must_use]
    pub fn any(&self) -> bool {
        self.emails > 0 || self.ips > 0
    }
}

/// Where something stands, and what replaces it.
type Found = (usize, usize, &'static str);

/// A text with everything replaced that `next` finds from a place on.
fn replaced(text: &str, next: impl Fn(&str, usize) -> Option<Found>) -> (Cow<'_, str>, u32) {
    let (mut result, mut done, mut count) = (String::new(), 0, 0);
    while let Some((first, end, replacement)) = next(text, done) {
        result.push_str(&text[done..first]);
        result.push_str(replacement);
        (done, count) = (end, count + 1);
    }
    if count == 0 {
        return (Cow::Borrowed(text), 0);
    }
    result.push_str(&text[done..]);
    (Cow::Owned(result), count)
}

/// The next e-mail address that begins at `from` or later.
fn next_email(text: &str, from: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'@', &bytes[from..]).map(|at| from + at).find_map(|at| {
        let first = local_start(text, from, at)?;
        // What goes on to another at sign is no domain, but the beginning of another address.
        let end = domain_end(bytes, at + 1).filter(|end| bytes.get(*end) != Some(&b'@'))?;
        let domain = text[at + 1..end].to_ascii_lowercase();
        let is_example = ["example.com", "example.org", "example.net"].iter().any(|reserved| {
            domain.strip_suffix(reserved).is_some_and(|above| above.is_empty() || above.ends_with('.'))
        });
        (!is_example).then_some((first, end, EMAIL_REPLACEMENT))
    })
}

/// Where the part before an at sign begins: its words are parted by single full stops, and it begins where a word does.
fn local_start(text: &str, from: usize, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    // RFC 5322, section 3.2.3: atext.
    let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let mut first = at;
    while first > from {
        let before = bytes[first - 1];
        let stop = before == b'.' && first < at && bytes[first] != b'.';
        if !is_atom(before) && !stop {
            break;
        }
        first -= 1;
        if at - first > LOCAL_MAX_BYTES {
            return None;
        }
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = text[..first].chars().next_back().is_some_and(is_word);
    (first..at).find(|place| {
        let word = is_word(char::from(bytes[*place]));
        std::mem::replace(&mut before, word) != word && bytes[*place] != b'.'
    })
}

/// Where a domain ends that begins here: labels of letters, digits and hyphens, the last one of letters.
fn domain_end(bytes: &[u8], first: usize) -> Option<usize> {
    let (mut at, mut labels, mut end) = (first, 0, None);
    loop {
        let is_inner = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-';
        let length = bytes[at..].iter().take(DOMAIN_MAX_BYTES + 1).take_while(is_inner).count();
        let hyphens = bytes[at..at + length].iter().rev().take_while(|byte| **byte == b'-').count();
        let label = &bytes[at..at + length - hyphens];
        if label.is_empty() || label[0] == b'-' || at + label.len() - first > DOMAIN_MAX_BYTES {
            return end;
        }
        let is_top =
            label.len() > 1 && label.iter().all(u8::is_ascii_alphabetic) || label.starts_with(b"xn--");
        if labels > 0 && is_top {
            end = Some(at + label.len());
        }
        labels += 1;
        at += length + 1;
        if hyphens > 0 || bytes.get(at - 1) != Some(&b'.') {
            return end;
        }
    }
}

/// The next public IP address that begins at `from` or later.
fn next_ip(text: &str, from: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let is_inner = |byte: u8| byte.is_ascii_hexdigit() || byte == b'.' || byte == b':';
    let mut at = from;
    while at < bytes.len() {
        if !is_inner(bytes[at]) {
            at += 1;
            continue;
        }
        let length = bytes[at..].iter().take_while(|byte| is_inner(**byte)).count();
        // A row of such characters within a word is part of that.
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let alone = !text[..at].chars().next_back().is_some_and(is_word)
            && !text[at + length..].chars().next().is_some_and(|c| is_word(c) && c != '-');
        if alone && let Some(found) = ip_within(text, at, at + length).filter(|found| found.0 >= from) {
            return Some(found);
        }
        at += length;
    }
    None
}

/// A public IP address that is this whole run but for marks of punctuation and a port behind.
fn ip_within(text: &str, first: usize, end: usize) -> Option<Found> {
    let run = text[first..end].trim_end_matches(['.', ':']);
    let first = first + (run.len() - run.trim_start_matches('.').len());
    let run = run.trim_start_matches('.');
    let (v4, port) = run.split_once(':').unwrap_or((run, ""));
    if v4.len() <= 15 && port.bytes().all(|byte| byte.is_ascii_digit()) {
        let address: Ipv4Addr = v4.parse().ok()?;
        return is_public_v4(address).then_some((first, first + v4.len(), IPV4_REPLACEMENT));
    }
    if run.len() > IPV6_MAX_BYTES {
        return None;
    }
    let address: Ipv6Addr = run.parse().ok()?;
    is_public_v6(address).then_some((first, first + run.len(), IPV6_REPLACEMENT))
}

/// Source: IANA's registry of special-purpose IPv4 addresses (RFC 6890).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved =
        matches!((a, b, c), (0 | 127 | 224.., ..) | (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _));
    !reserved && !address.is_private() && !address.is_link_local() && !address.is_documentation()
}

/// Source: IANA's registry of special-purpose IPv6 addresses (RFC 6890): what is given out is in 2000::/3.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let documentation = (a, b) == (0x2001, 0xdb8) || a == 0x3fff && b < 0x1000;
    let protocols = a == 0x2001 && b < 0x200;
    a & 0xe000 == 0x2000 && !documentation && !protocols
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_replaced_and_counted() {
        let check = |text: &str, expect: &str, counts: (u32, u32)| {
            let found = Redacted::of(text);
            assert_eq!((&*found.text, (found.emails, found.ips)), (expect, counts), "{text}");
        };
        check("write to me@site.org.", "write to email@example.com.", (1, 0));
        check("<first.last+tag@mail.site.co.uk>", "<email@example.com>", (1, 0));
        check("a@b.cd,e@f.gh", "email@example.com,email@example.com", (2, 0));
        check("'me@site.org' (me@site.org)", "'email@example.com' (email@example.com)", (2, 0));
        check("éme@site.org", "éme@site.org", (0, 0));
        check("a@b.cd@e.fg", "a@email@example.com", (1, 0));
        for text in [
            "me@site",
            "@site.org",
            "me.@site.org",
            "3@2.50",
            "me@-site.org",
            "me@example.com",
            "me@a.example.org",
        ] {
            check(text, text, (0, 0));
        }
        check(&format!("{}@site.org", "a".repeat(65)), &format!("{}@site.org", "a".repeat(65)), (0, 0));
        check("at 8.8.8.8, or 8.8.4.4:53.", "at 192.0.2.1, or 192.0.2.1:53.", (0, 2));
        check("from 2a00:1450:4001::200e on", "from 2001:db8::1 on", (0, 1));
        check("[2a00:1450:4001::200e]:443", "[2001:db8::1]:443", (0, 1));
        for text in [
            "10.0.0.1 127.0.0.1 192.168.1.1 192.0.2.7 169.254.1.1 100.64.0.1",
            "1.2.3 1.2.3.4.5 1.2.3.256 v1.2.3.4 01.2.3.4 1.2.3.4a",
            "12:30:45 ::1 fe80::1 2001:db8::5 a::b std::fmt::Debug",
        ] {
            check(text, text, (0, 0));
        }
    }

    #[test]
    fn a_second_pass_finds_nothing() {
        let text = "me@site.org 8.8.8.8 2a00:1450:4001::200e";
        let once = Redacted::of(text);
        assert!(once.any());
        assert!(!Redacted::of(&once.text).any());
    }
}
