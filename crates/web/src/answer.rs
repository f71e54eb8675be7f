//! Answers: bytes of one kind with what every answer carries: a validator for caches, and a policy for browsers.

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
        }
    }
}

/// A whole answer to a request with these headers: 304 without a body where the asker has it already.
pub(crate) fn whole(asked: &HeaderMap, kind: Kind, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    // Weak, since the bytes that travel are those of one compression or another.
    let tag = format!("W/\"{}\"", &Digest::of(&body).to_string()[..TAG_BYTES * 2]);
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known.flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.trim_start_matches("W/") == tag.trim_start_matches("W/")
    });
    let (status, body) =
        if is_known { (StatusCode::NOT_MODIFIED, Bytes::new()) } else { (StatusCode::OK, body) };
    let mut response = of_kind(status, kind, body);
    let tag = HeaderValue::try_from(tag).expect("hexadecimal digits are a header's value");
    response.headers_mut().insert(header::ETAG, tag);
    response
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
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
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
        of_kind(self.status, Kind::Problem, body.to_string())
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
