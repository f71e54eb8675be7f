//! A page of a wiki's dump.
//!
//! Source: "Help:Export", mediawiki.org, export format 0.11.

use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};

use super::wikitext;
use crate::{
    archive::RecordKind,
    decision::Reason,
    optout::OptOut,
    page::{Form, NAME_MAX_BYTES, Page, URL_MAX_BYTES},
};

/// Elements in one another; the format has four.
const DEPTH_MAX: usize = 16;

/// The page in the bytes from its beginning to the next one's.
pub(super) fn page(bytes: &[u8]) -> Result<Page, Reason> {
    let xml = std::str::from_utf8(bytes).map_err(|_| Reason::Charset)?;
    let xml = xml.split_once("</page>").map_or(xml, |(page, _)| page);
    let mut reader = Reader::from_str(xml);
    let mut path: Vec<String> = Vec::new();
    let (mut title, mut namespace, mut id, mut date, mut text) =
        (String::new(), String::new(), String::new(), String::new(), String::new());
    let no_page = Reason::NotAPage { kind: RecordKind::WikiPage };
    loop {
        let event = reader.read_event().map_err(|_| Reason::Malformed)?;
        let names: [&str; 3] = std::array::from_fn(|at| path.get(at).map_or("", String::as_str));
        let field = match names {
            ["page", "title", ""] => Some(&mut title),
            ["page", "ns", ""] => Some(&mut namespace),
            ["page", "id", ""] => Some(&mut id),
            ["page", "revision", "timestamp"] => Some(&mut date),
            ["page", "revision", "text"] => Some(&mut text),
            _ => None,
        };
        match event {
            Event::Start(start) => {
                if path.len() == DEPTH_MAX {
                    return Err(Reason::TooNested);
                }
                path.push(start.name().as_ref().to_owned());
            }
            Event::End(_) => {
                path.pop();
            }
            Event::Empty(element) if element.name().as_ref() == "redirect" => return Err(no_page),
            Event::Text(run) => {
                if let Some(field) = field {
                    field.push_str(&run.xml10_content());
                }
            }
            Event::GeneralRef(reference) => {
                let Some(field) = field else { continue };
                if let Some(c) = reference.resolve_char_ref().map_err(|_| Reason::Malformed)? {
                    field.push(c);
                } else {
                    let name = reference.xml10_content();
                    field.push_str(resolve_predefined_entity(&name).ok_or(Reason::Malformed)?);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if namespace != "0" || title.is_empty() {
        return Err(no_page);
    }
    if title.len() > URL_MAX_BYTES || id.len().max(date.len()) > NAME_MAX_BYTES {
        return Err(Reason::Malformed);
    }
    let body = wikitext::plain(&text);
    if body.is_empty() {
        return Err(Reason::Empty);
    }
    let text = format!("# {title}\n\n{body}");
    Ok(Page {
        url: title.replace(' ', "_"),
        record_id: id,
        date,
        form: Form::Text,
        text,
        opt_out: OptOut::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(namespace: &str, more: &str, text: &str) -> String {
        format!(
            "<page>\n    <title>Steelyard balance</title>\n    <ns>{namespace}</ns>\n    <id>12</id>{more}\n    <revision>\n      \
             <id>99</id>\n      <timestamp>2026-01-02T03:04:05Z</timestamp>\n      <contributor><username>A</username><id>1\
             </id></contributor>\n      <text bytes=\"9\" xml:space=\"preserve\">{text}</text>\n    </revision>\n  </page>\n"
        )
    }

    #[test]
    fn a_page_of_the_main_namespace_is_a_page() {
        let page = page(
            xml("0", "", "A ''steelyard'' &amp; &lt;ref&gt;x&lt;/ref&gt; &quot;beam&quot;&#33;").as_bytes(),
        );
        let page = page.unwrap();
        assert_eq!(page.text, "# Steelyard balance\n\nA steelyard &  \"beam\"!");
        assert_eq!(
            (page.url.as_str(), page.record_id.as_str(), page.date.as_str()),
            ("Steelyard_balance", "12", "2026-01-02T03:04:05Z")
        );
    }

    #[test]
    fn other_pages_are_told_apart() {
        let check = |xml: String, expect| assert_eq!(page(xml.as_bytes()).unwrap_err(), expect, "{xml}");
        let no_page = Reason::NotAPage { kind: RecordKind::WikiPage };
        check(xml("1", "", "talk"), no_page);
        check(xml("0", "<redirect title=\"X\" />", "#REDIRECT [[X]]"), no_page);
        check(xml("0", "", ""), Reason::Empty);
        check(xml("0", "", "&nope;"), Reason::Malformed);
        check(xml("0", "", "<b>"), Reason::Malformed);
        check(xml("0", &"<a>".repeat(100), ""), Reason::TooNested);
        check("<page>".to_owned(), no_page);
    }
}
