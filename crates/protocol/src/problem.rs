//! Refusals as clients see them: a status and a short, constant `application/problem+json` body.

use http::StatusCode;

/// A refusal's constant parts. Nothing of the request is echoed, so that a body can be sent to anyone.
///
/// Source: RFC 9457.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The last part of the problem's type, one word per kind of refusal.
    pub kind: &'static str,
    /// One sentence for people.
    pub title: &'static str,
}

impl Problem {
    /// The media type of [`Problem::body`].
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// A refusal of this kind.
    #[must_use]
    pub const fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self { status, kind, title }
    }

    /// The JSON body; `kind` and `title` are ours and need no escaping.
    #[must_use]
    pub fn body(&self) -> String {
        format!(
            r#"{{"type":"urn:weighhouse:problem:{}","title":"{}","status":{}}}"#,
            self.kind,
            self.title,
            self.status.as_u16()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_json_with_the_three_members() {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "stale", "the nonce is too old");
        let body: serde_json::Value = serde_json::from_str(&problem.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:weighhouse:problem:stale", "title": "the nonce is too old", "status": 401
            })
        );
    }
}
