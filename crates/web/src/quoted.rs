//! Strangers' text made fit to be shown: cut to a bound and without characters that change what stands around it.
//!
//! Escaping is the page's part (maud does it); what this module takes out would do harm in any format. Where a text
//! goes into a page it stands in a `<bdi>` besides, so that its direction ends with it.

use maud::{Markup, html};

/// Characters of a name that are kept.
pub(crate) const NAME_MAX_CHARS: usize = 64;

/// Characters of a line of prose that are kept: a certificate with its quotes is shorter.
pub(crate) const LINE_MAX_CHARS: usize = 700;

/// Stands where a text was cut.
const CUT: char = '…';

/// A stranger's name.
pub(crate) fn name(text: &str) -> String {
    clean(text, NAME_MAX_CHARS)
}

/// A stranger's line of prose.
pub(crate) fn line(text: &str) -> String {
    clean(text, LINE_MAX_CHARS)
}

/// The first `max_chars` characters; control characters become spaces, and those that turn or hide text are left out.
fn clean(text: &str, max_chars: usize) -> String {
    // Characters beyond this can't make it into the result, however many of those before it are left out.
    let head = text.chars().take(max_chars * 4);
    let mut kept = head.filter(|c| !steers(*c)).map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = kept.by_ref().take(max_chars).collect();
    if kept.next().is_some() {
        shown.pop();
        shown.push(CUT);
    }
    shown.trim().to_owned()
}

/// Whether a character changes the direction of others, or shows as nothing. Source: Unicode 16, explicit directional
/// formatting (UAX 9), and the default-ignorable format characters that can tell two equal-looking names apart.
fn steers(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A cleaned text inside of a page: its direction is its own.
pub(crate) fn isolated(text: &str) -> Markup {
    html! { bdi { (text) } }
}

/// A text as one word of a POSIX shell: as it is where nothing in it means anything there, else in quotes.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A cell of a CSV file, in quotes where it must be. A text that a spreadsheet would run gets an apostrophe in front.
pub(crate) fn csv_cell(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if risky { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_and_keeps_its_direction_to_itself() {
        let check = |text: &str, expect: &str| assert_eq!(name(text), expect, "{text:?}");
        check("honest-tireless", "honest-tireless");
        check("abc\u{202e}gnp.exe", "abcgnp.exe");
        check("a\u{0}b\nc\u{1b}[31m", "a b c [31m");
        check("\u{200b}\u{feff}", "");
        check("مرحبا", "مرحبا");
        check(&"x".repeat(64), &"x".repeat(64));
        check(&"x".repeat(300), &format!("{}…", "x".repeat(63)));
        check(&format!("{}a", "\u{202e}".repeat(10_000)), "");
    }

    #[test]
    fn markup_is_escaped() {
        let page = isolated("<img src=x onerror=alert(1)>").into_string();
        assert_eq!(page, "<bdi>&lt;img src=x onerror=alert(1)&gt;</bdi>");
    }

    #[test]
    fn a_word_of_the_shell_is_one_word_and_means_nothing_else() {
        let check = |text: &str, expect: &str| assert_eq!(shell_word(text), expect, "{text:?}");
        check("/srv/texts-1", "/srv/texts-1");
        check("https://example.org/a.warc.gz", "https://example.org/a.warc.gz");
        check("", "''");
        check("my texts", "'my texts'");
        check("~/texts", "'~/texts'");
        check("$(reboot)", "'$(reboot)'");
        check("it's; `id`", r"'it'\''s; `id`'");
    }

    #[test]
    fn a_formula_is_no_formula_any_more() {
        let check = |text: &str, expect: &str| assert_eq!(csv_cell(text), expect, "{text:?}");
        check("plain", "plain");
        check("=1+1", "'=1+1");
        check("+1", "'+1");
        check("-1", "'-1");
        check("@SUM(A1)", "'@SUM(A1)");
        check("\tx", "'\tx");
        check("a,b", "\"a,b\"");
        check("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\"");
    }
}
