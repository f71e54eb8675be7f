//! A line of JSON as a page.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;

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
                    found[at] = match map.next_value::<Scalar>()? {
                        Scalar::Text(text) => Some(text),
                        Scalar::Number(number) if at > 0 => Some(number.to_string()),
                        Scalar::Number(_) | Scalar::Other => None,
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

/// A text or a number; what else there may be is passed over, and takes no memory.
enum Scalar {
    Text(String),
    Number(Number),
    Other,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Number::from_f64(number).map_or(Scalar::Other, Scalar::Number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Scalar, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
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
        check(r#"{"content":[["x",{}],1]}"#, Err(Reason::Empty));
        check(r#"{"content":{"content":"x"}}"#, Err(Reason::Empty));
        check(r#"{"content":"x","url":-7,"id":1.50}"#, Ok(("x", "-7", "1.5")));
        check(r#"{"content":"x","url":true,"id":[1e3,"y"]}"#, Ok(("x", "", "")));
        check(r#"{"content":[1e}"#, Err(Reason::Malformed));
        check("{\"content\":\"x\"} {}", Err(Reason::Malformed));
        check("[1]", Err(Reason::Malformed));
        check("", Err(Reason::Malformed));
        check(&format!(r#"{{"content":"x","id":"{}"}}"#, "y".repeat(257)), Err(Reason::Malformed));
        check(&"[".repeat(100_000), Err(Reason::Malformed));
        check(&format!("{{\"x\":{}", "[".repeat(100_000)), Err(Reason::Malformed));
    }
}
