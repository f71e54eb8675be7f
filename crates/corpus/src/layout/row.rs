//! A line of JSON as a page.

use serde::{
    Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::Fields;
use crate::{
    decision::Reason,
    optout::OptOut,
    page::{Form, NAME_MAX_BYTES, Page, URL_MAX_BYTES},
};

/// The page in one line.
pub(super) fn page(line: &[u8], fields: &Fields) -> Result<Page, Reason> {
    let mut from = serde_json::Deserializer::from_slice(line);
    let read = from.deserialize_map(Row { fields }).and_then(|row| from.end().map(|()| row));
    let [text, url, id, date] = read.map_err(|_| Reason::Malformed)?;
    let (url, id, date) = (url.unwrap_or_default(), id.unwrap_or_default(), date.unwrap_or_default());
    if url.len() > URL_MAX_BYTES || id.len().max(date.len()) > NAME_MAX_BYTES {
        return Err(Reason::Malformed);
    }
    let text = text.ok_or(Reason::Empty)?;
    Ok(Page { url, record_id: id, date, form: Form::Text, text, opt_out: OptOut::default() })
}

/// Takes text, address, name and date out of an object, and passes over all else.
struct Row<'a> {
    fields: &'a Fields,
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = [Option<String>; 4];

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let wanted = [
            Some(&self.fields.text),
            self.fields.url.as_ref(),
            self.fields.id.as_ref(),
            self.fields.date.as_ref(),
        ];
        let mut found = [const { None }; 4];
        while let Some(name) = map.next_key::<String>()? {
            match wanted.iter().position(|wanted| *wanted == Some(&name)) {
                // Names are numbers at times, and anything may be null.
                Some(at) => {
                    found[at] = match map.next_value::<serde_json::Value>()? {
                        serde_json::Value::String(text) => Some(text),
                        serde_json::Value::Number(number) if at > 0 => Some(number.to_string()),
                        _ => None,
                    };
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_members_are_taken() {
        let fields = Fields { text: "content".into(), ..Fields::default() };
        let check = |line: &str, expect: Result<(&str, &str, &str), Reason>| {
            let found = page(line.as_bytes(), &fields).map(|page| (page.text, page.url, page.record_id));
            assert_eq!(found, expect.map(|(a, b, c)| (a.into(), b.into(), c.into())), "{line}");
        };
        check(
            r#"{"id":7,"content":"a\nb","url":"https://x.example/","more":[{"text":1}]}"#,
            Ok(("a\nb", "https://x.example/", "7")),
        );
        check("{\"content\":\"x\"}\r\n", Ok(("x", "", "")));
        check(r#"{"content":null}"#, Err(Reason::Empty));
        check(r#"{"text":"x"}"#, Err(Reason::Empty));
        check("{\"content\":\"x\"} {}", Err(Reason::Malformed));
        check("[1]", Err(Reason::Malformed));
        check("", Err(Reason::Malformed));
        check(&format!(r#"{{"content":"x","id":"{}"}}"#, "y".repeat(257)), Err(Reason::Malformed));
        check(&"[".repeat(100_000), Err(Reason::Malformed));
        check(&format!("{{\"x\":{}", "[".repeat(100_000)), Err(Reason::Malformed));
    }
}
