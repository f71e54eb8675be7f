//! What a page says of itself: its title, its date, its language.

use serde_json::Value;

use crate::{
    decision::Reason,
    html::{Attr, NodeId, Tag, Tree},
    page::{Form, Page},
};

/// What a page says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The title of what the page is about, without the site's name; empty where there is none.
    pub title: String,
    /// The day on which it was published, as `YYYY-MM-DD`; none where the page states none that there is.
    pub date: Option<String>,
    /// The language, as a lower-case code of two or three letters; a hint that is often wrong.
    pub language: Option<String>,
}

/// Characters of a title; longer ones are no titles.
pub(crate) const TITLE_MAX_CHARS: usize = 300;
/// Values looked at in the data that a page has for search engines.
const VALUES_MAX: usize = 10_000;
/// What sites put between a page's title and their name.
const SEPARATORS: [&str; 7] = [" | ", " - ", " – ", " — ", " · ", " :: ", " » "];
/// Names of `meta` that give the day of publication, the surest first.
const DATE_NAMES: [&str; 12] = [
    "article:published_time",
    "og:published_time",
    "datepublished",
    "publish-date",
    "publish_date",
    "pubdate",
    "parsely-pub-date",
    "sailthru.date",
    "dc.date.issued",
    "dcterms.created",
    "dc.date",
    "date",
];

/// Reads what a page says of itself. Of a text nothing is known but its first line, where that is a heading: so begin
/// articles of wikis and threads.
///
/// # Errors
/// Those of [`Tree::of`].
pub fn metadata(page: &Page) -> Result<Metadata, Reason> {
    match page.form {
        Form::Text => {
            let heading = page.text.lines().next().and_then(|first| first.strip_prefix("# "));
            Ok(Metadata { title: heading.map(line).unwrap_or_default(), ..Metadata::default() })
        }
        Form::Html => Ok(Sources::of(&Tree::of(&page.text)?).metadata()),
    }
}

/// Where the answers may stand, each as the page has it.
#[derive(Default)]
struct Sources {
    og_title: String,
    headline: String,
    h1: String,
    title: String,
    /// With the place of the name in [`DATE_NAMES`].
    meta_date: Option<(usize, String)>,
    data_date: Option<String>,
    item_date: Option<String>,
    time: Option<String>,
    html_lang: String,
    og_locale: String,
}

impl Sources {
    fn of(tree: &Tree<'_>) -> Self {
        let mut found = Self::default();
        for node in 0..tree.len() {
            match tree.tag(node) {
                Some(Tag::Html) => first(&mut found.html_lang, || attribute(tree, node, Attr::Lang)),
                // Drawings have titles, too.
                Some(Tag::Title) if tree.ancestors(node).all(|around| tree.tag(around) != Some(Tag::Svg)) => {
                    first(&mut found.title, || line(&tree.text_in(node)));
                }
                Some(Tag::H1) => first(&mut found.h1, || line(&tree.text_in(node))),
                Some(Tag::Meta) => found.meta(tree, node),
                Some(Tag::Time) if found.time.is_none() => {
                    found.time = day(&attribute(tree, node, Attr::Datetime));
                }
                Some(Tag::Script)
                    if attribute(tree, node, Attr::Type).eq_ignore_ascii_case("application/ld+json") =>
                {
                    found.data(&tree.text_in(node));
                }
                _ => {}
            }
            let is_date = |name: &str| name.eq_ignore_ascii_case("datePublished");
            if found.item_date.is_none()
                && tree.attribute(node, Attr::Itemprop).is_some_and(|name| is_date(&name))
            {
                let said = [Attr::Content, Attr::Datetime].into_iter();
                found.item_date = said.filter_map(|name| day(&attribute(tree, node, name))).next();
            }
        }
        found
    }

    fn meta(&mut self, tree: &Tree<'_>, node: NodeId) {
        let content = || line(&attribute(tree, node, Attr::Content));
        for name in [Attr::Property, Attr::Name] {
            let name = attribute(tree, node, name).to_ascii_lowercase();
            match name.as_str() {
                "" => {}
                "og:title" => first(&mut self.og_title, content),
                "og:locale" => first(&mut self.og_locale, content),
                name => {
                    let Some(rank) = DATE_NAMES.iter().position(|known| *known == name) else { continue };
                    if self.meta_date.as_ref().is_none_or(|(best, _)| rank < *best)
                        && let Some(day) = day(&content())
                    {
                        self.meta_date = Some((rank, day));
                    }
                }
            }
        }
    }

    /// Reads the data that a page has for search engines; what is no JSON says nothing.
    fn data(&mut self, json: &str) {
        let Ok(data) = serde_json::from_str::<Value>(json.trim()) else { return };
        let (mut open, mut values) = (vec![&data], 0);
        while let Some(value) = open.pop() {
            values += 1;
            match value {
                _ if values > VALUES_MAX => return,
                Value::Array(items) => open.extend(items.iter().rev()),
                Value::Object(fields) => {
                    let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
                    first(&mut self.headline, || line(text("headline")));
                    self.data_date = self.data_date.take().or_else(|| day(text("datePublished")));
                    open.extend(fields.values().rev().filter(|value| value.is_array() || value.is_object()));
                }
                _ => {}
            }
        }
    }

    fn metadata(self) -> Metadata {
        let stated = if self.og_title.is_empty() { self.headline } else { self.og_title };
        let stated = if stated.is_empty() { self.title } else { stated };
        let title = if stated.is_empty() { self.h1 } else { without_site(&stated, &self.h1) };
        let meta_date = self.meta_date.map(|(_, day)| day);
        let language = [&self.html_lang, &self.og_locale].into_iter().find_map(|code| language(code));
        Metadata { title, date: meta_date.or(self.data_date).or(self.item_date).or(self.time), language }
    }
}

fn attribute(tree: &Tree<'_>, node: NodeId, name: Attr) -> String {
    tree.attribute(node, name).unwrap_or_default().into_owned()
}

/// Fills what is empty.
fn first(place: &mut String, text: impl FnOnce() -> String) {
    if place.is_empty() {
        *place = text();
    }
}

/// A text with single spaces; empty where it is too long.
fn line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > TITLE_MAX_CHARS { String::new() } else { line }
}

/// A title without the name of its site: the page's heading where the title has it in full, else what stands before the
/// last separator, if that is the longer part.
fn without_site(title: &str, heading: &str) -> String {
    if !heading.is_empty() && title.contains(heading) && heading.split(' ').count() > 1 {
        return heading.to_owned();
    }
    let cut = SEPARATORS.iter().filter_map(|separator| title.rsplit_once(separator));
    match cut.max_by_key(|(before, _)| before.len()) {
        Some((before, behind)) if before.chars().count() > behind.chars().count() => before.to_owned(),
        _ => title.to_owned(),
    }
}

/// The day that a text begins with, as `YYYY-MM-DD`: `2024-01-31T…`, `2024/01/31`, `20240131`.
fn day(text: &str) -> Option<String> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0u32, |value, byte| Some(value * 10 + char::from(*byte).to_digit(10)?))
    };
    let separated = matches!(bytes.get(4), Some(b'-' | b'/')) && bytes.get(4) == bytes.get(7);
    let (year, month, day, end) = if separated {
        (number(0, 4)?, number(5, 7)?, number(8, 10)?, 10)
    } else {
        (number(0, 4)?, number(4, 6)?, number(6, 8)?, 8)
    };
    if bytes.get(end).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let is_date = (1900..=2100).contains(&year) && (1..=days).contains(&day);
    is_date.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// The language of a code such as `en-GB` or `pt_BR`.
fn language(code: &str) -> Option<String> {
    let primary = code.trim().split(['-', '_']).next()?.to_ascii_lowercase();
    let is_code = matches!(primary.len(), 2 | 3) && primary.bytes().all(|byte| byte.is_ascii_lowercase());
    is_code.then_some(primary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_say_their_title() {
        let check = |page: &str, expect: &str| {
            assert_eq!(Sources::of(&Tree::of(page).unwrap()).metadata().title, expect, "{page}");
        };
        check("<title>The weighhouse | Town</title>", "The weighhouse");
        check("<title>Town - The weighhouse</title><h1>The weighhouse</h1>", "The weighhouse");
        check("<title>Town</title><meta property=og:title content='A &amp; B'>", "A & B");
        check("<h1> Only <b>this</b></h1>", "Only this");
        check(
            "<script type='application/ld+json'>[{\"headline\":\"In data\"}]</script><title>x</title>",
            "In data",
        );
        check("<svg><title>icon</title></svg>", "");
        check("", "");
    }

    #[test]
    fn pages_say_their_day() {
        let check = |page: &str, expect: Option<&str>| {
            let found = Sources::of(&Tree::of(page).unwrap()).metadata().date;
            assert_eq!(found.as_deref(), expect, "{page}");
        };
        check("<time datetime='2024-02-29T10:00'>", Some("2024-02-29"));
        check("<time datetime='2023-02-29'>", None);
        check("<time datetime='2024-01-02'><meta name=date content='20240131'>", Some("2024-01-31"));
        check(
            "<meta name=date content='2024-01-31'><meta property=article:published_time content='2024/01/30'>",
            Some("2024-01-30"),
        );
        check("<p itemprop=datePublished content=2020-05-06>", Some("2020-05-06"));
        check("<time datetime='PT5M'><time datetime='0000-00-00'>", None);
        check(
            "<script type='application/ld+json'>{\"@graph\":[{\"datePublished\":\"2021-01-01\"}]}</script>",
            Some("2021-01-01"),
        );
    }

    #[test]
    fn pages_hint_at_their_language() {
        let check = |page: &str, expect: Option<&str>| {
            let found = Sources::of(&Tree::of(page).unwrap()).metadata().language;
            assert_eq!(found.as_deref(), expect, "{page}");
        };
        check("<html lang=en-GB>", Some("en"));
        check("<html lang=''><meta property=og:locale content=pt_BR>", Some("pt"));
        check("<html lang=english>", None);
    }
}
