//! Markdown to light plain text: what a reader would read aloud, in the author's order.
//!
//! Kept are headings, paragraphs, quotes, lists (with their bullets and numbers), tables (cells between ` | `) and
//! code. Dropped are images with their descriptions, the targets of links, bare addresses in angle brackets, HTML
//! and front matter. Lines inside a paragraph are joined, so that wrapping at another column is no difference.

use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use crate::decision::Reason;

/// Open elements at one time: an eight-level list with a linked, emphasised word in it has about 20.
pub(crate) const NESTING_MAX: usize = 64;
/// List levels that are shown by indentation; deeper ones stand under the last, so that indentation can't outgrow
/// the text.
const INDENT_MAX_LEVELS: usize = 6;

/// The text of a Markdown document.
///
/// # Errors
/// [`Reason::TooNested`] beyond [`NESTING_MAX`].
pub(crate) fn render(source: &str) -> Result<String, Reason> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut page = Page::default();
    let mut depth = 0usize;
    for event in Parser::new_ext(source, options) {
        match &event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING_MAX {
            return Err(Reason::TooNested);
        }
        page.event(event);
    }
    page.flush();
    Ok(page.out)
}

/// Text being laid out.
#[derive(Default)]
struct Page {
    out: String,
    /// The block under way.
    block: String,
    /// Cells of the table row under way.
    cells: Vec<String>,
    /// One per open list: the next number where it is ordered.
    lists: Vec<Option<u64>>,
    /// The bullet or number that waits for its item's first text.
    marker: Option<String>,
    /// Open elements whose content is dropped.
    muted: usize,
    /// Whether the block before belongs to the same list or table, so that no blank line parts them.
    run: bool,
    in_code: bool,
    in_table: bool,
}

impl Page {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(&tag),
            Event::End(tag) => self.close(tag),
            _ if self.muted > 0 => {}
            Event::Text(text) | Event::Code(text) => self.block.push_str(&text),
            Event::SoftBreak => self.block.push(' '),
            Event::HardBreak => self.block.push('\n'),
            Event::Rule => self.flush(),
            // Raw HTML has no reader; task markers are state, not prose; the other kinds are not enabled.
            _ => {}
        }
    }

    fn open(&mut self, tag: &Tag<'_>) {
        match tag {
            _ if self.muted > 0 || mutes(tag) => {
                self.flush_before_block(tag);
                self.muted += 1;
            }
            Tag::List(first) => {
                self.flush();
                self.lists.push(*first);
            }
            Tag::Item => {
                self.flush();
                self.marker = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let marker = format!("{number}. ");
                        *number = number.saturating_add(1);
                        marker
                    }
                    _ => "- ".to_owned(),
                });
            }
            Tag::CodeBlock(CodeBlockKind::Indented | CodeBlockKind::Fenced(_)) => {
                self.flush();
                self.in_code = true;
            }
            Tag::Table(_) => {
                self.flush();
                self.run = false;
                self.in_table = true;
            }
            Tag::TableCell => self.block.clear(),
            Tag::Paragraph | Tag::Heading { .. } | Tag::BlockQuote(_) => self.flush(),
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        if self.muted > 0 {
            self.muted -= 1;
            return;
        }
        match tag {
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
                self.marker = None;
                self.run &= !self.lists.is_empty();
            }
            TagEnd::CodeBlock => {
                self.flush();
                self.in_code = false;
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.block);
                self.cells.push(cell.trim().to_owned());
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                let cells = std::mem::take(&mut self.cells);
                if cells.iter().any(|cell| !cell.is_empty()) {
                    self.block = cells.join(" | ");
                }
                self.flush();
            }
            TagEnd::Table => {
                self.in_table = false;
                self.run = !self.lists.is_empty();
            }
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::BlockQuote(_) | TagEnd::Item => self.flush(),
            _ => {}
        }
    }

    /// A dropped block still ends the text before it; a dropped image stands inside a line.
    fn flush_before_block(&mut self, tag: &Tag<'_>) {
        if matches!(tag, Tag::HtmlBlock | Tag::MetadataBlock(_)) {
            self.flush();
        }
    }

    /// Ends the block under way and lays it out, with its item's marker, below the one before.
    fn flush(&mut self) {
        let block = std::mem::take(&mut self.block);
        let trimmed = if self.in_code { block.trim_matches('\n').trim_end() } else { block.trim() };
        if trimmed.trim().is_empty() {
            return;
        }
        let together = self.in_table || !self.lists.is_empty();
        if !self.out.is_empty() {
            self.out.push_str(if self.run && together { "\n" } else { "\n\n" });
        }
        self.run = together;
        if !self.lists.is_empty() {
            let indent = (self.lists.len() - 1).min(INDENT_MAX_LEVELS) * 2;
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.out.push_str(&self.marker.take().unwrap_or_else(|| "  ".to_owned()));
        }
        if self.in_code {
            self.out.push_str(trimmed);
            return;
        }
        // Inline elements that were dropped leave the spaces around them.
        for (number, line) in trimmed.lines().enumerate() {
            if number > 0 {
                self.out.push('\n');
            }
            for (place, word) in line.split_whitespace().enumerate() {
                if place > 0 {
                    self.out.push(' ');
                }
                self.out.push_str(word);
            }
        }
    }
}

fn mutes(tag: &Tag<'_>) -> bool {
    match tag {
        Tag::Image { .. } | Tag::HtmlBlock | Tag::MetadataBlock(_) => true,
        // The text of such a link is its own address.
        Tag::Link { link_type, .. } => matches!(link_type, LinkType::Autolink | LinkType::Email),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expect: &str) {
        assert_eq!(render(source).unwrap(), expect, "{source:?}");
    }

    #[test]
    fn headings_and_paragraphs_are_kept_and_lines_joined() {
        check("# Title\n\nOne\ntwo.\n\nThree", "Title\n\nOne two.\n\nThree");
        check("Title\n=====\ntext  \nbroken", "Title\n\ntext\nbroken");
        check("a *b* **c** ~~d~~ `e f` &amp; \\*", "a b c d e f & *");
        check("> quoted\n> text\n\nafter", "quoted text\n\nafter");
        check("above\n\n---\n\nbelow", "above\n\nbelow");
    }

    #[test]
    fn targets_images_and_html_are_dropped() {
        check("see [the book](https://x.example/b \"t\") now", "see the book now");
        check("see [the book][b]\n\n[b]: https://x.example", "see the book");
        check("![alt](a.png) text", "text");
        check("a ![alt](a.png) b", "a b");
        check("[![build](b.svg)](https://x.example)\n[![docs](d.svg)](https://y.example)\n\ntext", "text");
        check("mail <me@x.example> or <https://x.example>.", "mail or .");
        check("<div align=\"center\">\n<b>raw</b>\n</div>\n\ntext <br> and <kbd>key</kbd>", "text and key");
        check("before\n<!-- note\nlonger -->\nafter", "before\n\nafter");
        check("---\ntitle: x\n---\n\ntext", "text");
    }

    #[test]
    fn lists_keep_their_shape() {
        check("- a\n- b\n  - c\n  - d\n- e\n\nend", "- a\n- b\n  - c\n  - d\n- e\n\nend");
        check("3. a\n4. b", "3. a\n4. b");
        check("- a\n\n  more\n\n- b", "- a\n  more\n- b");
        check("- [ ] open\n- [x] done", "- open\n- done");
        check("- ![badge](b.svg)\n- text", "- text");
        check("text\n- a\n\n1. b", "text\n\n- a\n\n1. b");
    }

    #[test]
    fn code_is_kept_verbatim() {
        check("```rust\nfn f() {\n    g();\n\n}\n```\nafter", "fn f() {\n    g();\n\n}\n\nafter");
        check("text\n\n    indented\n      more\n", "text\n\nindented\n  more");
        check("```\n<b>&amp;\n```", "<b>&amp;");
    }

    #[test]
    fn tables_are_rows_of_cells() {
        check("| a | b |\n|---|---|\n| 1 | `2` |\n| ![x](y) | [3](z) |\n\nend", "a | b\n1 | 2\n| 3\n\nend");
        check("t\n\n| a |\n|---|\n\n| b |\n|---|", "t\n\na\n\nb");
    }

    #[test]
    fn nesting_bombs_of_the_greatest_length_are_a_decision() {
        let at = |levels: usize| render(&format!("{} text", "> ".repeat(levels)));
        assert_eq!(at(NESTING_MAX - 1), Ok("text".into()));
        assert_eq!(at(NESTING_MAX), Err(Reason::TooNested));
        for bomb in
            ["> ", "- ", ">", "* > ", "[", "![", "*a_", "`", "<", "<!--", "|a\n|-\n", "&", "[a](", "1. "]
        {
            let source = bomb.repeat(crate::document::RECORD_MAX_BYTES / bomb.len());
            assert!(matches!(render(&source), Ok(_) | Err(Reason::TooNested)), "{bomb:?}");
        }
    }

    #[test]
    fn wide_tables_do_not_multiply() {
        let columns = "|a".repeat(20_000);
        let source = format!("{columns}|\n{}|\n{}", "|-".repeat(20_000), "|b\n".repeat(20_000));
        assert!(render(&source).unwrap().len() < 40 * source.len());
    }
}
