//! Addresses of the web: read, and resolved against the page that names them.

use std::fmt::{self, Write as _};

use crate::page::URL_MAX_BYTES;

/// The address of a thing on the web, in the form in which it is asked for; without what stands behind `#`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    is_secure: bool,
    /// Host and, where it is not the usual one, port.
    host: String,
    /// From the first slash on, without `.` and `..`.
    path: String,
    query: Option<String>,
}

/// Why a text is no address of the web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// There is none.
    Empty,
    /// It holds the thing itself.
    Data,
    /// It belongs to another scheme than `http` and `https`.
    Scheme,
    /// Its host can't be right, or it is relative to an address that isn't known.
    Unresolved,
    /// It is longer than [`URL_MAX_BYTES`].
    Long,
}

impl Address {
    /// Reads a reference that stands in a page with this address.
    ///
    /// Source: the WHATWG URL standard, 4.4, for `http` and `https`, as far as pages use it: user names are left out,
    /// hosts beyond ASCII stay as they are, and a query is encoded as UTF-8.
    pub(super) fn resolve(reference: &str, base: Option<&Self>) -> Result<Self, Unfit> {
        let text: String;
        let mut rest = reference.trim_matches(|c: char| c <= ' ');
        if rest.contains(['\t', '\n', '\r']) {
            text = rest.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
            rest = &text;
        }
        if rest.is_empty() {
            return Err(Unfit::Empty);
        }
        if let Some((scheme, behind)) = scheme(rest) {
            let is_secure = match scheme.to_ascii_lowercase().as_str() {
                "http" => false,
                "https" => true,
                "data" => return Err(Unfit::Data),
                _ => return Err(Unfit::Scheme),
            };
            return Self::absolute(is_secure, behind.trim_start_matches(is_slash));
        }
        let base = base.ok_or(Unfit::Unresolved)?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let mut slashes = rest.chars().take_while(|c| is_slash(*c));
        match (slashes.next(), slashes.next()) {
            (Some(_), Some(_)) => Self::absolute(base.is_secure, rest.trim_start_matches(is_slash)),
            (Some(_), None) => base.with_path("", rest),
            _ if rest.is_empty() => Ok(base.clone()),
            _ if rest.starts_with('?') => base.with_path(&base.path, rest),
            _ => {
                let folder = base.path.rfind('/').map_or("/", |slash| &base.path[..=slash]);
                base.with_path(folder, rest)
            }
        }
    }

    /// The address behind a scheme and its slashes.
    fn absolute(is_secure: bool, rest: &str) -> Result<Self, Unfit> {
        let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port),
            _ => (authority, ""),
        };
        let is_of_host =
            |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_') || c > '\u{7f}' && !c.is_control();
        let is_ip6 = |name: &str| {
            let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
            inner.is_some_and(|inner| inner.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.')))
        };
        if name.trim_matches('.').is_empty() || !(name.chars().all(is_of_host) || is_ip6(name)) {
            return Err(Unfit::Unresolved);
        }
        let mut host = name.to_lowercase();
        let usual = if is_secure { 443 } else { 80 };
        if !port.is_empty() {
            let port: u16 = port.parse().map_err(|_| Unfit::Unresolved)?;
            if port != usual {
                write!(host, ":{port}").expect("a string takes any text");
            }
        }
        let nowhere = Self { is_secure, host, path: "/".to_owned(), query: None };
        let rest = rest.split('#').next().unwrap_or(rest);
        nowhere.with_path("", rest)
    }

    /// The address with this path and query, behind a folder's path.
    fn with_path(&self, folder: &str, rest: &str) -> Result<Self, Unfit> {
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        if folder.len() + rest.len() > URL_MAX_BYTES {
            return Err(Unfit::Long);
        }
        // What stands in the folder's path is written as it should be.
        let (mut joined, path) = match folder {
            "" => ("/".to_owned(), path.strip_prefix(is_slash).unwrap_or(path)),
            folder => (folder.to_owned(), path),
        };
        let mut parts = path.split(is_slash).peekable();
        while let Some(part) = parts.next() {
            match dots(part) {
                1 => {}
                2 => {
                    let above = joined.strip_suffix('/').unwrap_or(&joined).rfind('/');
                    joined.truncate(above.unwrap_or(0) + 1);
                }
                _ => {
                    joined += &encoded(part, |c| matches!(c, '"' | '<' | '>' | '^' | '`' | '{' | '}'));
                    joined.extend(parts.peek().map(|_| '/'));
                }
            }
        }
        let query = query.map(|query| encoded(query, |c| matches!(c, '"' | '<' | '>' | '\'')));
        let address = Self { path: joined, query, host: self.host.clone(), is_secure: self.is_secure };
        if address.to_string().len() > URL_MAX_BYTES { Err(Unfit::Long) } else { Ok(address) }
    }

    /// The path, without the query.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.host, self.path)?;
        self.query.as_ref().map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// Full stops that a segment of a path consists of, also where they are written as `%2e`; 0 for any other segment.
fn dots(segment: &str) -> usize {
    const LONGEST: usize = "%2e%2e".len();
    if segment.len() > LONGEST {
        return 0;
    }
    match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
        "." => 1,
        ".." => 2,
        _ => 0,
    }
}

/// A scheme and what stands behind its colon.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, behind) = text.split_once(':')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(fits))
        .then_some((scheme, behind))
}

/// White space, controls, what is beyond ASCII and what `is_reserved` says, each byte as `%XX`.
fn encoded(text: &str, is_reserved: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c > ' ' && c < '\u{7f}' && !is_reserved(c) {
            out.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            write!(out, "%{byte:02X}").expect("a string takes any text");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_as_browsers_do() {
        let base = Address::resolve("http://User@Shop.example:8080/a/b/page.html?x=1#top", None).unwrap();
        let check = |reference: &str, expect: Result<&str, Unfit>| {
            let found = Address::resolve(reference, Some(&base)).map(|address| address.to_string());
            assert_eq!(found, expect.map(str::to_owned), "{reference:?}");
        };
        check("i.png", Ok("http://shop.example:8080/a/b/i.png"));
        check("./../i.png", Ok("http://shop.example:8080/a/i.png"));
        check("../../../../i.png", Ok("http://shop.example:8080/i.png"));
        check("/i.png?v=2#x", Ok("http://shop.example:8080/i.png?v=2"));
        check("//cdn.example/i.png", Ok("http://cdn.example/i.png"));
        check("\\\\cdn.example\\i.png", Ok("http://cdn.example/i.png"));
        check("?y", Ok("http://shop.example:8080/a/b/page.html?y"));
        check("#x", Ok("http://shop.example:8080/a/b/page.html?x=1"));
        check(
            " HTTPS:\n//CDN.example:443/a b/é'.png?q='é ",
            Ok("https://cdn.example/a%20b/%C3%A9'.png?q=%27%C3%A9"),
        );
        check("https://cdn.example", Ok("https://cdn.example/"));
        check("https:///cdn.example/x/.", Ok("https://cdn.example/x/"));
        check("https://cdn.example/x/%2e%2E/y", Ok("https://cdn.example/y"));
        check("https://[2001:db8::1]:81/y", Ok("https://[2001:db8::1]:81/y"));
        check("a:b.png", Err(Unfit::Scheme));
        check("./a:b.png", Ok("http://shop.example:8080/a/b/a:b.png"));
        check("DATA:image/gif;base64,R0lG", Err(Unfit::Data));
        check("javascript:void(0)", Err(Unfit::Scheme));
        check("", Err(Unfit::Empty));
        check(" \t", Err(Unfit::Empty));
        check("http://", Err(Unfit::Unresolved));
        check("http://a b/", Err(Unfit::Unresolved));
        check("http://a<b/", Err(Unfit::Unresolved));
        check("http://x.example:99999/", Err(Unfit::Unresolved));
        check(&"x".repeat(URL_MAX_BYTES), Err(Unfit::Long));
        check(&"é".repeat(URL_MAX_BYTES / 3), Err(Unfit::Long));
        assert_eq!(Address::resolve("i.png", None), Err(Unfit::Unresolved));
        assert_eq!(Address::resolve("texts/page.md", None), Err(Unfit::Unresolved));
    }

    proptest::proptest! {
        #[test]
        fn an_address_resolved_stays_as_it_is(reference in "[a-z:/.?#@é \\\\%2e\\[\\]]{0,40}") {
            let base = Address::resolve("https://x.example/a/b", None).unwrap();
            if let Ok(address) = Address::resolve(&reference, Some(&base)) {
                let again = Address::resolve(&address.to_string(), None);
                proptest::prop_assert_eq!(again, Ok(address));
            }
        }
    }
}
