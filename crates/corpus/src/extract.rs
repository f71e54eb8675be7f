//! Main text: the part of a page that it was made for.
//!
//! [`main_text`] is the pinned recipe's; [`paragraphs`] and [`all_lines`] are for open recipes, and differ from it and
//! from each other as honest extractors do.

use dom_smoothie::{CandidateSelectMode, Config, Readability};

use crate::{
    decision::Reason,
    html::{self, Line},
    page::{Form, Page},
};

/// Words that make a line a paragraph.
const PARAGRAPH_MIN_WORDS: usize = 12;
/// Words of a line that is worth keeping at all: below are menus, buttons and dates.
const LINE_MIN_WORDS: usize = 5;

/// The main text of a page by the pinned recipe: HTML through a readability score, the rest as it is.
///
/// # Errors
/// None of its own; the type is that of every extraction.
pub fn main_text(page: &Page) -> Result<String, Reason> {
    match page.form {
        Form::Text => Ok(page.text.clone()),
        Form::Html => Ok(readable(&page.text)),
    }
}

/// Lines of at least twelve words that are not mostly links.
///
/// # Errors
/// None of its own; the type is that of every extraction.
pub fn paragraphs(page: &Page) -> Result<String, Reason> {
    Ok(lines_where(page, |line| line.words >= PARAGRAPH_MIN_WORDS && !line.is_link()))
}

/// Every visible line of at least five words.
///
/// # Errors
/// None of its own; the type is that of every extraction.
pub fn all_lines(page: &Page) -> Result<String, Reason> {
    Ok(lines_where(page, |line| line.words >= LINE_MIN_WORDS))
}

/// Everything that a reader of the page sees: what an open recipe's text is laid against.
#[must_use]
pub fn whole_text(page: &Page) -> String {
    match page.form {
        Form::Text => page.text.clone(),
        Form::Html => html::joined(&html::visible_text(&page.text)),
    }
}

fn lines_where(page: &Page, wanted: impl Fn(&Line) -> bool) -> String {
    match page.form {
        Form::Text => page.text.clone(),
        Form::Html => html::joined(html::visible_text(&page.text).iter().filter(|line| wanted(line))),
    }
}

/// The readability algorithm of Firefox's reader view; the lines are ours.
fn readable(html: &str) -> String {
    let config = Config {
        disable_json_ld: true,
        candidate_select_mode: CandidateSelectMode::Readability,
        ..Config::default()
    };
    let article = Readability::new(html, None, Some(config)).and_then(|mut page| page.parse());
    article.map_or_else(|_| String::new(), |article| html::joined(&html::visible_text(&article.content)))
}
