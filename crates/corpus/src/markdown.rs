//! Markdown to HTML, so that it goes the way of every page.
//!
//! Front matter is dropped. Raw HTML passes, as it does on the sites that show such files.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

use crate::decision::Reason;

/// Open elements at one time: an eight-level list with a linked, emphasised word in it has about 20.
const NESTING_MAX: usize = 64;
/// Marks of quotes, one in another, at the beginning of a line. The parser takes a hundred and fifty bytes for each before
/// it tells of any.
const QUOTES_MAX: usize = 1024;
/// HTML per byte of Markdown, and what is added for small files: footnotes and tables can multiply their source.
const GROWTH_MAX: usize = 16;
const GROWTH_FREE_BYTES: usize = 64 << 10;

/// The HTML of a Markdown document.
///
/// # Errors
/// [`Reason::TooNested`] beyond [`NESTING_MAX`] or [`QUOTES_MAX`], [`Reason::TooLarge`] beyond [`GROWTH_MAX`].
pub(crate) fn to_html(source: &str) -> Result<String, Reason> {
    let marks = |line: &str| {
        line.bytes().take_while(|byte| b"> \t".contains(byte)).filter(|byte| *byte == b'>').count()
    };
    if source.split(['\n', '\r']).any(|line| marks(line) > QUOTES_MAX) {
        return Err(Reason::TooNested);
    }
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let out_max = GROWTH_FREE_BYTES + source.len().saturating_mul(GROWTH_MAX);
    let (mut depth, mut written, mut failed) = (0usize, 0usize, None);
    let mut in_metadata = false;
    let checked = Parser::new_ext(source, options).map_while(|event| {
        match &event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        written = written.saturating_add(EVENT_BYTES + text_bytes(&event));
        if depth > NESTING_MAX {
            failed = Some(Reason::TooNested);
        } else if written > out_max {
            failed = Some(Reason::TooLarge);
        }
        failed.is_none().then_some(event)
    });
    let kept = checked.filter(|event| {
        match event {
            Event::Start(Tag::MetadataBlock(_)) => in_metadata = true,
            Event::End(TagEnd::MetadataBlock(_)) => in_metadata = false,
            _ => return !in_metadata,
        }
        false
    });
    let mut out = String::new();
    html::push_html(&mut out, kept);
    failed.map_or(Ok(out), Err)
}

/// About what an event's own tag takes.
const EVENT_BYTES: usize = 8;

fn text_bytes(event: &Event<'_>) -> usize {
    match event {
        Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => text.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_become_pages() {
        let check = |source: &str, expect: &str| assert_eq!(to_html(source).unwrap(), expect, "{source:?}");
        check("# Title\n\none *two*", "<h1>Title</h1>\n<p>one <em>two</em></p>\n");
        check("---\ntitle: x\n---\n\ntext", "<p>text</p>\n");
        check("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n");
        check("a <b>c</b>", "<p>a <b>c</b></p>\n");
    }

    #[test]
    fn nesting_bombs_are_a_decision() {
        let at = |levels: usize| to_html(&format!("{} text", "> ".repeat(levels)));
        assert!(at(NESTING_MAX - 1).is_ok());
        assert_eq!(at(NESTING_MAX), Err(Reason::TooNested));
        for bomb in
            ["> ", "- ", ">", "* > ", "[", "![", "*a_", "`", "<", "<!--", "|a\n|-\n", "&", "[a](", "1. "]
        {
            let source = bomb.repeat((1 << 18) / bomb.len());
            let made = to_html(&source);
            assert!(matches!(made, Ok(_) | Err(Reason::TooNested | Reason::TooLarge)), "{bomb:?}");
        }
    }

    #[test]
    fn wide_tables_do_not_multiply() {
        let columns = "|a".repeat(20_000);
        let source = format!("{columns}|\n{}|\n{}", "|-".repeat(20_000), "|b\n".repeat(20_000));
        let made = to_html(&source);
        assert!(made.is_err() || made.unwrap().len() < 80 * source.len());
    }
}
