//! A question of Stack Exchange with its answers as a page.
//!
//! Source: "Database schema documentation for the public data dump", Meta Stack Exchange 2677.

use quick_xml::{Reader, XmlVersion, events::Event};

use crate::{
    archive::RecordKind,
    decision::Reason,
    optout::OptOut,
    page::{Form, Page},
};

/// `PostTypeId` of a question.
const QUESTION: u64 = 1;
/// `PostTypeId` of an answer.
const ANSWER: u64 = 2;

/// A row of `Posts.xml`.
pub(crate) struct Post {
    /// Its number.
    id: u64,
    kind: u64,
    parent: Option<u64>,
    score: i64,
    date: String,
    title: String,
    body: String,
}

impl Post {
    /// The thread of the post in one line, whether it is an answer in it, and its number; none where it holds no post.
    pub(crate) fn key(line: &[u8]) -> Option<(u64, bool, u64)> {
        let line = std::str::from_utf8(line).ok()?.trim();
        line.strip_prefix("<row ")?;
        let Ok(Event::Empty(row)) = Reader::from_str(line).read_event() else { return None };
        let (mut id, mut kind, mut parent) = (None, 0, None);
        for attribute in row.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            // Numbers need no unescaping.
            match attribute.key.as_ref() {
                "Id" => id = attribute.value.parse().ok(),
                "PostTypeId" => kind = attribute.value.parse().ok()?,
                "ParentId" => parent = attribute.value.parse().ok(),
                _ => {}
            }
        }
        let id = id?;
        Some(match parent {
            Some(question) if kind == ANSWER => (question, true, id),
            _ => (id, false, id),
        })
    }

    /// The post in one line; none where it holds none.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?.trim();
        // Only lines of rows are worth a parser.
        line.strip_prefix("<row ")?;
        let mut reader = Reader::from_str(line);
        let Ok(Event::Empty(row)) = reader.read_event() else { return None };
        let mut post = Self {
            id: 0,
            kind: 0,
            parent: None,
            score: 0,
            date: String::new(),
            title: String::new(),
            body: String::new(),
        };
        let mut id = None;
        for attribute in row.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            match attribute.key.as_ref() {
                "Id" => id = value.parse().ok(),
                "PostTypeId" => post.kind = value.parse().ok()?,
                "ParentId" => post.parent = value.parse().ok(),
                "Score" => post.score = value.parse().ok()?,
                "CreationDate" => post.date = value.into_owned(),
                "Title" => post.title = value.into_owned(),
                "Body" => post.body = value.into_owned(),
                _ => {}
            }
        }
        post.id = id?;
        Some(post)
    }
}

/// The page of a thread: the question, then its answers, best first and older ones first among equals.
pub(super) fn page(rows: &[u8]) -> Result<Page, Reason> {
    let mut posts = rows.split(|byte| *byte == b'\n').filter_map(Post::parse);
    let no_page = Reason::NotAPage { kind: RecordKind::Thread };
    let question = posts.next().filter(|post| post.kind == QUESTION).ok_or(no_page)?;
    let mut answers: Vec<Post> =
        posts.filter(|post| post.kind == ANSWER && post.parent == Some(question.id)).collect();
    answers.sort_by_key(|post| (std::cmp::Reverse(post.score), post.id));
    let mut text = String::from("<!DOCTYPE html><html><body><article><h1>");
    for c in question.title.chars() {
        match c {
            '<' => text.push_str("&lt;"),
            '&' => text.push_str("&amp;"),
            c => text.push(c),
        }
    }
    text.push_str("</h1>");
    for post in std::iter::once(&question).chain(&answers) {
        text.push_str("<section>");
        text.push_str(&post.body);
        text.push_str("</section>");
    }
    text.push_str("</article></body></html>");
    let (record_id, date) = (question.id.to_string(), question.date);
    Ok(Page { url: String::new(), record_id, date, form: Form::Html, text, opt_out: OptOut::default() })
}

/// The votes of the question that a thread begins with.
pub(super) fn score(rows: &[u8]) -> Option<i64> {
    let first = Post::parse(rows.split(|byte| *byte == b'\n').next()?)?;
    (first.kind == QUESTION).then_some(first.score)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: &str = concat!(
        r#"  <row Id="4" PostTypeId="1" CreationDate="2008-07-31T21:42:52.667" Score="7" Body="&lt;p&gt;How &amp;amp; why?&lt;/p&gt;&#xA;" Title="Weigh &lt;gold&gt;" />"#,
        "\n",
        r#"  <row Id="7" PostTypeId="2" ParentId="4" Score="1" Body="&lt;p&gt;So.&lt;/p&gt;" />"#,
        "\n",
        r#"  <row Id="9" PostTypeId="2" ParentId="4" Score="3" Body="&lt;p&gt;Better so.&lt;/p&gt;" />"#,
        "\n\n"
    );

    #[test]
    fn a_question_and_its_answers_are_one_page() {
        let page = page(THREAD.as_bytes()).unwrap();
        assert_eq!((page.record_id.as_str(), page.date.as_str()), ("4", "2008-07-31T21:42:52.667"));
        let body = "<h1>Weigh &lt;gold></h1><section><p>How &amp; why?</p>\n</section><section><p>Better so.</p></section>\
            <section><p>So.</p></section>";
        assert!(page.text.contains(body), "{}", page.text);
        assert_eq!(score(THREAD.as_bytes()), Some(7));
    }

    #[test]
    fn other_posts_and_damaged_rows_are_no_pages() {
        for rows in [
            "",
            "<posts>\n",
            r#"<row Id="7" PostTypeId="2" ParentId="4" Body="x" />"#,
            r#"<row PostTypeId="1" Body="x" />"#,
            r#"<row Id="1" PostTypeId="1" Body="x"#,
            r#"<row Id="1" PostTypeId="1" Body="&nope;" />"#,
            r#"<row Id="x" PostTypeId="1" />"#,
        ] {
            assert!(page(rows.as_bytes()).is_err(), "{rows}");
            assert_eq!(score(rows.as_bytes()), None, "{rows}");
        }
    }
}
