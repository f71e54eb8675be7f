//! Answers: bytes of one kind with what every answer carries: a validator for caches, and a policy for browsers.

use std::net::Ipv6Addr;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use maud::Markup;
use primitives::Digest;
use serde_json::{Value, json};

/// What a page may load and do: its own files, and nothing of anybody else's.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Bytes of the digest that an entity tag shows: two versions of one page won't agree in these by chance.
const TAG_BYTES: usize = 12;

/// The longest name of a host. Source: RFC 1035, 2.3.4.
const HOST_MAX_BYTES: usize = 253;

/// What an answer's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Html,
    Json,
    Problem,
    Csv,
    Text,
    Metrics,
    Css,
    JavaScript,
    Svg,
    Bytes,
}

impl Kind {
    fn content_type(self) -> &'static str {
        match self {
            Kind::Html => "text/html; charset=utf-8",
            Kind::Json => "application/json",
            Kind::Problem => "application/problem+json",
            Kind::Csv => "text/csv; charset=utf-8",
            Kind::Text => "text/plain; charset=utf-8",
            // Source: Prometheus exposition formats, text format 0.0.4.
            Kind::Metrics => "text/plain; version=0.0.4; charset=utf-8",
            Kind::Css => "text/css; charset=utf-8",
            Kind::JavaScript => "text/javascript; charset=utf-8",
            Kind::Svg => "image/svg+xml",
            Kind::Bytes => "application/octet-stream",
        }
    }
}

/// A whole answer to a request with these headers: 304 without a body where the asker has it already.
pub(crate) fn whole(asked: &HeaderMap, kind: Kind, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    // Weak, since the bytes that travel are those of one compression or another.
    let tag = format!("W/\"{}\"", &Digest::of(&body).to_string()[..TAG_BYTES * 2]);
    let (status, body) = if has_already(asked, &tag) {
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        (StatusCode::OK, body)
    };
    let mut response = of_kind(status, kind, body);
    let tag = HeaderValue::try_from(tag).expect("hexadecimal digits are a header's value");
    response.headers_mut().insert(header::ETAG, tag);
    response
}

/// Whether the asker says that it has what this tag names. Source: RFC 9110, 13.1.2, the weak comparison.
pub(crate) fn has_already(asked: &HeaderMap, tag: &str) -> bool {
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.trim_start_matches("W/") == tag.trim_start_matches("W/")
    })
}

/// Where the asker reaches this house, as far as its request says so in a plain way: what it says comes back in commands
/// that people paste. Source: RFC 9110, 7.2; a registered name or an address, and a port.
pub(crate) fn origin(asked: &HeaderMap) -> Option<String> {
    let mut said = asked.get_all(header::HOST).iter();
    let (host, None) = (said.next()?.to_str().ok()?, said.next()) else { return None };
    let bracket = host.rfind(']').map_or(0, |at| at + 1);
    let (name, port) = match host[bracket..].find(':') {
        Some(at) => (&host[..bracket + at], Some(&host[bracket + at + 1..])),
        None => (host, None),
    };
    let is_port = port.is_none_or(|port| {
        port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let is_label = |label: &str| {
                let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                !label.is_empty() && !label.starts_with('-') && label.bytes().all(inner)
            };
            name.len() <= HOST_MAX_BYTES && name.split('.').all(is_label)
        }
    };
    (is_port && is_name).then(|| format!("http://{host}"))
}

/// A page.
pub(crate) fn page(asked: &HeaderMap, page: Markup) -> Response {
    whole(asked, Kind::Html, page.into_string())
}

/// A JSON document.
pub(crate) fn document(asked: &HeaderMap, document: &Value) -> Response {
    whole(asked, Kind::Json, document.to_string())
}

/// An answer of another status than 200.
pub(crate) fn of_kind(status: StatusCode, kind: Kind, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind.content_type()));
    // What is shown changes with every block: it may be kept, and must be asked for again.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// Why a request got nothing. Source: RFC 9457, problem details for HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
    /// When to come again, in seconds, where that would help.
    retry_after_s: Option<u32>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after_s: None }
    }

    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Problem")
    }

    /// The problem as a document.
    pub(crate) fn document(&self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.title(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = of_kind(self.status, Kind::Problem, body.to_string());
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// What every answer tells a browser.
pub(crate) async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut say = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    say(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::REFERRER_POLICY, "no-referrer");
    say(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    say(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    response
}

/// The one of `offered` that the asker likes best; the first where it does not say. Source: RFC 9110, 12.5.1.
pub(crate) fn preferred<'a>(asked: &HeaderMap, offered: &[&'a str]) -> &'a str {
    let accept: Vec<&str> =
        asked.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = accept.join(",");
    let liking = |kind: &str| {
        let (family, _) = kind.split_once('/').unwrap_or((kind, ""));
        let mut best = (0, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default();
            let precision = match range {
                "*/*" => 1,
                range if range.strip_suffix("/*") == Some(family) => 2,
                range if range.eq_ignore_ascii_case(kind) => 3,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
            if precision > best.0 {
                best = (precision, weight.unwrap_or(0.0));
            }
        }
        best.1
    };
    let mut chosen = (offered[0], 0.0);
    for kind in offered {
        let liked = liking(kind);
        if liked > chosen.1 {
            chosen = (kind, liked);
        }
    }
    chosen.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_host_comes_back() {
        let check = |host: &str, is_plain: bool| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).unwrap())]);
            assert_eq!(origin(&headers), is_plain.then(|| format!("http://{host}")), "{host}");
        };
        for plain in
            ["127.0.0.1:8420", "localhost", "weigh.example.org:80", "xn--a-b.example", "[::1]:8420", "[::1]"]
        {
            check(plain, true);
        }
        for odd in [
            "",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:1:2",
            "a b",
            "a/b",
            "a@b",
            "a;reboot",
            "$(reboot)",
            "`id`",
            "a'b",
            "a\"b",
            "-o",
            "a..b",
            "a.-b",
            "[::1",
            "::1",
            "[]",
            "[::g]",
            "[::1]x",
            "x[::1]",
            "[::1]:x",
        ] {
            check(odd, false);
        }
        check(&"a".repeat(253), true);
        check(&"a".repeat(254), false);
        assert_eq!(origin(&HeaderMap::new()), None);
        let mut twice = HeaderMap::new();
        twice.append(header::HOST, HeaderValue::from_static("a"));
        twice.append(header::HOST, HeaderValue::from_static("a"));
        assert_eq!(origin(&twice), None);
    }

    #[test]
    fn the_asker_gets_what_it_likes_best() {
        let offered = ["text/html", "application/json", "text/csv"];
        let check = |accept: &'static str, expect: &str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(preferred(&headers, &offered), expect, "{accept}");
        };
        check("text/csv", "text/csv");
        check("*/*", "text/html");
        check("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html");
        check("application/json;q=0.5, text/csv;q=0.9", "text/csv");
        check("application/*", "application/json");
        check("text/html;q=0, */*;q=0.1", "application/json");
        check("image/png", "text/html");
        assert_eq!(preferred(&HeaderMap::new(), &offered), "text/html");
    }
}
