//! Wikitext made plain: headings, paragraphs, lists, tables and code as light Markdown.
//!
//! Templates, references, images, categories and markup go; the labels of links stay. This is no MediaWiki: templates
//! are not expanded. Every byte is looked at a bounded number of times.
//!
//! Source: "Help:Formatting", "Help:Links", "Help:Tables" and "Help:Templates", mediawiki.org.

use std::collections::BTreeMap;

/// Links, tables and templates in one another that are followed; deeper ones are left out.
const DEPTH_MAX: usize = 12;
/// The longest tag that is taken for one.
const TAG_MAX_BYTES: usize = 2048;
/// Elements whose content is no text.
const DROPPED: [&str; 14] = [
    "ref",
    "references",
    "gallery",
    "math",
    "chem",
    "timeline",
    "score",
    "imagemap",
    "graph",
    "mapframe",
    "maplink",
    "templatedata",
    "templatestyles",
    "style",
];
/// Elements whose content is code.
const CODE: [&str; 3] = ["syntaxhighlight", "source", "pre"];
/// Templates whose last argument is the text that a reader sees.
const TRANSPARENT: [&str; 8] =
    ["lang", "nowrap", "nobr", "small", "em", "strong", "transl", "transliteration"];
/// Namespaces whose links show an image or nothing, in the languages of the largest wikis.
const HIDDEN_SPACES: [&str; 22] = [
    "file",
    "image",
    "category",
    "media",
    "datei",
    "bild",
    "kategorie",
    "fichier",
    "catégorie",
    "archivo",
    "categoría",
    "ficheiro",
    "imagem",
    "categoria",
    "immagine",
    "bestand",
    "afbeelding",
    "categorie",
    "plik",
    "kategoria",
    "файл",
    "категория",
];
/// Characters by name that wikis use; what is not here stays as it is.
const ENTITIES: [(&str, &str); 12] = [
    ("nbsp", " "),
    ("thinsp", " "),
    ("ensp", " "),
    ("emsp", " "),
    ("ndash", "–"),
    ("mdash", "—"),
    ("minus", "−"),
    ("hellip", "…"),
    ("times", "×"),
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
];

/// The text that a reader of the page sees.
pub(super) fn plain(source: &str) -> String {
    let source = source.replace('\r', "");
    let ends = brackets(&source);
    let mut plain =
        Plain { source: &source, ends, sought: Vec::new(), out: String::with_capacity(source.len() / 2) };
    plain.run(0, source.len(), 0);
    tidy(&plain.out)
}

/// Where each opening `{{{`, `{{`, `[[` and `{|` has its end. Openings that nothing closes are text.
fn brackets(source: &str) -> BTreeMap<usize, usize> {
    let bytes = source.as_bytes();
    let mut ends = BTreeMap::new();
    let mut open: Vec<(u8, usize)> = Vec::new();
    let mut close = |open: &mut Vec<(u8, usize)>, kind: u8, end: usize| {
        // What stands open within is text.
        while let Some((found, at)) = open.pop() {
            if found == kind {
                ends.insert(at, end);
                return;
            }
        }
    };
    // How many of each kind stand open, so that a closing one without an opening one costs nothing.
    let mut counts = [0usize; 4];
    let mut at = 0;
    while at + 1 < bytes.len() {
        let is_line = at == 0 || bytes[at - 1] == b'\n';
        let step = match (bytes[at], bytes[at + 1]) {
            (b'{', b'{') if is_parameter(bytes, at) => Some((3, true)),
            (b'}', b'}') if bytes[at..].starts_with(b"}}}") && open.last().is_some_and(|top| top.0 == 3) => {
                Some((3, false))
            }
            (b'{', b'|') if is_line => Some((2, true)),
            (b'|', b'}') if is_line => Some((2, false)),
            (b'{', b'{') => Some((0, true)),
            (b'}', b'}') => Some((0, false)),
            (b'[', b'[') => Some((1, true)),
            (b']', b']') => Some((1, false)),
            _ => None,
        };
        match step {
            Some((kind, true)) => {
                open.push((kind, at));
                counts[usize::from(kind)] += 1;
                at += if kind == 3 { 3 } else { 2 };
            }
            Some((kind, false)) if counts[usize::from(kind)] > 0 => {
                let end = at + if kind == 3 { 3 } else { 2 };
                close(&mut open, kind, end);
                counts = [0; 4];
                for (kind, _) in open.iter().rev().take(DEPTH_MAX * 4) {
                    counts[usize::from(*kind)] += 1;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    ends
}

/// Whether exactly three braces open here: those of a template's parameter.
fn is_parameter(bytes: &[u8], at: usize) -> bool {
    let run = bytes[at..].iter().take(4).take_while(|byte| **byte == b'{').count();
    run == 3 && (at == 0 || bytes[at - 1] != b'{')
}

struct Plain<'a> {
    source: &'a str,
    ends: BTreeMap<usize, usize>,
    /// What was sought, from where, and where it was found first: so that it is sought once.
    sought: Vec<(String, usize, usize)>,
    out: String,
}

impl Plain<'_> {
    /// Renders a part of the source.
    fn run(&mut self, mut at: usize, end: usize, depth: usize) {
        let source = self.source;
        let mut is_line = true;
        while at < end {
            if is_line {
                is_line = false;
                at = self.line_start(at, end);
                continue;
            }
            let rest = &source[at..end];
            let next = rest.find(['{', '[', '\'', '<', '&', '\n', '_']).unwrap_or(rest.len());
            self.out.push_str(&rest[..next]);
            at += next;
            let Some(byte) = source.as_bytes()[..end].get(at) else { return };
            let bracket = self.ends.get(&at).copied().filter(|close| *close <= end);
            at = match (byte, bracket) {
                (b'{', Some(close)) if source[at..].starts_with("{|") => {
                    self.table(at, close, depth);
                    close
                }
                (b'{', Some(close)) => {
                    self.template(at + 2, close - 2, depth);
                    close
                }
                (b'[', Some(close)) => {
                    self.link(at + 2, close - 2, depth);
                    close
                }
                (b'[', None) => self.outer_link(at, end),
                (b'\'', _) => {
                    let run = rest[next..].bytes().take_while(|byte| *byte == b'\'').count();
                    if run == 1 {
                        self.out.push('\'');
                    }
                    at + run
                }
                (b'<', _) => self.tag(at, end),
                (b'&', _) => self.entity(at, end),
                (b'_', _) => self.word(at, end),
                (b'\n', _) => {
                    self.out.push('\n');
                    is_line = true;
                    at + 1
                }
                (_, _) => {
                    self.out.push(char::from(*byte));
                    at + 1
                }
            };
        }
    }

    /// Headings, lists, rules and indents; gives where the line's text begins.
    fn line_start(&mut self, at: usize, end: usize) -> usize {
        let rest = &self.source[at..end];
        let line = rest.split('\n').next().unwrap_or(rest);
        let trimmed = line.trim_end();
        let equals = trimmed.bytes().take_while(|byte| *byte == b'=').count().min(6);
        if equals > 0 && trimmed.len() > 2 * equals && trimmed.ends_with(&"=".repeat(equals)) {
            let title = &trimmed[equals..trimmed.len() - equals];
            let _ = std::fmt::Write::write_fmt(&mut self.out, format_args!("\n{} ", "#".repeat(equals)));
            let title = self.apart(at + equals, at + equals + title.len(), DEPTH_MAX / 2);
            self.out.push_str(&title);
            self.out.push('\n');
            return at + line.len();
        }
        if trimmed.starts_with("----") {
            return at + line.len();
        }
        let marks = line.bytes().take_while(|byte| matches!(byte, b'*' | b'#' | b':' | b';')).count();
        if marks > 0 {
            match line.as_bytes()[marks - 1] {
                b'*' => self.out.push_str("- "),
                b'#' => self.out.push_str("1. "),
                _ => {}
            }
        }
        let text = &line[marks..];
        at + marks + (text.len() - text.trim_start_matches([' ', '\t']).len())
    }

    /// What a reader sees of a template: of few the last argument.
    fn template(&mut self, from: usize, end: usize, depth: usize) {
        let inner = self.source.get(from..end).unwrap_or_default();
        let (name, _) = inner.split_once('|').unwrap_or((inner, ""));
        let is_transparent = TRANSPARENT.contains(&name.trim().to_ascii_lowercase().as_str());
        if is_transparent && depth < DEPTH_MAX {
            let bars = self.bars(from, end);
            if let Some(last) = bars.last() {
                self.nested(last + 1, end, depth);
            }
        }
    }

    /// The label of a link, or its target; nothing where it shows an image or sorts the page.
    fn link(&mut self, from: usize, end: usize, depth: usize) {
        let inner = self.source.get(from..end).unwrap_or_default();
        let target = inner.split('|').next().unwrap_or(inner).trim();
        if let Some((space, _)) = target.split_once(':')
            && HIDDEN_SPACES.contains(&space.trim().to_lowercase().as_str())
        {
            return;
        }
        match self.bars(from, end).last() {
            Some(_) if depth >= DEPTH_MAX => {}
            Some(bar) if !self.source[bar + 1..end].trim().is_empty() => self.nested(bar + 1, end, depth),
            _ => self.out.push_str(target.trim_start_matches(':')),
        }
    }

    /// Where `|` stands between these two, outside of what is bracketed.
    fn bars(&self, from: usize, end: usize) -> Vec<usize> {
        let (mut bars, mut at) = (Vec::new(), from);
        while let Some(found) = self.source[at..end].find(['|', '{', '[']) {
            at += found;
            match self.ends.get(&at).filter(|close| **close <= end) {
                Some(close) => at = *close,
                None => {
                    if self.source.as_bytes()[at] == b'|' {
                        bars.push(at);
                    }
                    at += 1;
                }
            }
        }
        bars
    }

    /// A part within a line of another.
    fn nested(&mut self, from: usize, end: usize, depth: usize) {
        if depth < DEPTH_MAX {
            // A mark at its beginning is no list.
            let is_mark = |byte: &u8| matches!(byte, b'*' | b'#' | b':' | b';' | b'=');
            let marks = self.source.as_bytes()[from..end].iter().take_while(|byte| is_mark(byte)).count();
            self.out.push_str(&self.source[from..from + marks]);
            self.run(from + marks, end, depth + 1);
        }
    }

    /// `[address label]`.
    fn outer_link(&mut self, at: usize, end: usize) -> usize {
        let rest = &self.source[at + 1..end];
        let is_address =
            ["http://", "https://", "//", "ftp://", "mailto:"].iter().any(|scheme| rest.starts_with(scheme));
        let shown = &rest.as_bytes()[..rest.len().min(TAG_MAX_BYTES)];
        let close = if is_address { memchr::memchr2(b']', b'\n', shown) } else { None };
        match close.filter(|close| shown[*close] == b']') {
            Some(close) => {
                let label = rest[..close].split_once(' ').map_or("", |(_, label)| label);
                self.out.push_str(label.trim());
                at + close + 2
            }
            None => {
                self.out.push('[');
                at + 1
            }
        }
    }

    /// An HTML tag or comment; gives where the text goes on.
    fn tag(&mut self, at: usize, end: usize) -> usize {
        let rest = &self.source[at..end];
        if rest.starts_with("<!--") {
            return self.closing("-->", at + 4, end).map_or(end, |close| close + 3);
        }
        let mut room = rest.len().min(TAG_MAX_BYTES);
        while !rest.is_char_boundary(room) {
            room -= 1;
        }
        let name: String =
            rest[1..room].trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        let close = if name.is_empty() { None } else { memchr::memchr(b'>', &rest.as_bytes()[..room]) };
        let Some(close) = close else {
            self.out.push('<');
            return at + 1;
        };
        let name = name.to_ascii_lowercase();
        let behind = at + close + 1;
        if rest.starts_with("</") || rest[..close].ends_with('/') {
            self.line_break(&name);
            return behind;
        }
        let is_code = CODE.contains(&name.as_str());
        if is_code || name == "nowiki" || DROPPED.contains(&name.as_str()) {
            let mark = format!("</{name}");
            let Some(last) = self.closing(&mark, behind, end) else { return behind };
            let inner = &self.source[behind..last];
            if is_code {
                self.out.push_str("\n```\n");
                self.out.push_str(inner.trim_matches('\n'));
                self.out.push_str("\n```\n");
            } else if name == "nowiki" {
                self.out.push_str(inner);
            }
            return self.source[last..end].find('>').map_or(end, |close| last + close + 1);
        }
        self.line_break(&name);
        behind
    }

    fn line_break(&mut self, name: &str) {
        if matches!(name, "br" | "p" | "div" | "li" | "tr" | "blockquote" | "poem") {
            self.out.push('\n');
        }
    }

    /// Where the mark stands next.
    fn closing(&mut self, mark: &str, from: usize, end: usize) -> Option<usize> {
        let known = self.sought.iter_mut().find(|(known, ..)| known == mark);
        let at = match &known {
            Some((_, sought, at)) if (*sought..=*at).contains(&from) => *at,
            _ => self.source[from..].find(mark).map_or(usize::MAX, |at| from + at),
        };
        match known {
            Some(known) => (known.1, known.2) = (from, at),
            None => self.sought.push((mark.to_owned(), from, at)),
        }
        Some(at).filter(|close| *close <= end)
    }

    fn entity(&mut self, at: usize, end: usize) -> usize {
        let rest = &self.source.as_bytes()[at + 1..end.min(at + 12)];
        let name = rest
            .iter()
            .position(|byte| *byte == b';')
            .and_then(|length| std::str::from_utf8(&rest[..length]).ok());
        let known = name.and_then(|name| {
            let number = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => digits.parse().ok(),
            });
            let by_name =
                || ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
            number.and_then(char::from_u32).map(String::from).or_else(by_name)
        });
        match (name, known) {
            (Some(name), Some(text)) => {
                self.out.push_str(&text);
                at + name.len() + 2
            }
            _ => {
                self.out.push('&');
                at + 1
            }
        }
    }

    /// `__TOC__` and its like.
    fn word(&mut self, at: usize, end: usize) -> usize {
        let rest = &self.source[at..end];
        let inner = rest.strip_prefix("__").and_then(|rest| {
            let length = rest.bytes().take(20).take_while(u8::is_ascii_uppercase).count();
            rest[length..].starts_with("__").then_some(length)
        });
        match inner {
            Some(length) if length > 2 => at + length + 4,
            _ => {
                self.out.push('_');
                at + 1
            }
        }
    }

    /// A table: a line for each row, its cells between bars.
    fn table(&mut self, from: usize, end: usize, depth: usize) {
        if depth >= DEPTH_MAX {
            return;
        }
        let (inner_end, mut at) = (end - 2, from);
        // The first line holds attributes.
        at = self.source[at..inner_end].find('\n').map_or(inner_end, |line| at + line + 1);
        let mut cells: Vec<String> = Vec::new();
        let mut is_first = true;
        self.out.push('\n');
        while at < inner_end {
            let line_end = self.line_end(at, inner_end);
            let line = &self.source[at..line_end];
            let mark = line.trim_start();
            let start = at + (line.len() - mark.len());
            if mark.starts_with("|-") {
                self.row(&mut cells, &mut is_first);
            } else if mark.starts_with("|+") {
                self.nested(start + 2, line_end, depth);
                self.out.push('\n');
            } else if mark.starts_with(['|', '!']) {
                self.cells(start + 1, line_end, depth, &mut cells);
            } else {
                // A cell goes on.
                let more = self.apart(at, line_end, depth);
                match cells.last_mut() {
                    Some(cell) if !more.is_empty() => {
                        cell.push(' ');
                        cell.push_str(&more);
                    }
                    _ => {}
                }
            }
            at = line_end + 1;
        }
        self.row(&mut cells, &mut is_first);
    }

    /// Where the line ends, what is bracketed counting as one.
    fn line_end(&self, from: usize, end: usize) -> usize {
        let mut at = from;
        while let Some(found) = self.source[at..end].find(['\n', '{', '[']) {
            at += found;
            if self.source.as_bytes()[at] == b'\n' {
                return at;
            }
            at = self.ends.get(&at).copied().filter(|close| *close <= end).unwrap_or(at + 1);
        }
        end
    }

    /// The cells of one line: parted by `||` or `!!`, each with attributes before a single bar.
    fn cells(&mut self, from: usize, end: usize, depth: usize, cells: &mut Vec<String>) {
        let bars = self.bars(from, end);
        let mut start = from;
        let mut at = 0;
        let bytes = self.source.as_bytes();
        let mut attributes = None;
        while at < bars.len() {
            let bar = bars[at];
            if bytes.get(bar + 1) == Some(&b'|') && bar + 1 < end {
                let cell = self.apart(attributes.take().map_or(start, |bar| bar + 1), bar, depth);
                cells.push(cell);
                start = bar + 2;
                at += 2;
            } else {
                attributes.get_or_insert(bar);
                at += 1;
            }
        }
        let cell = self.apart(attributes.map_or(start, |bar| bar + 1).min(end), end, depth);
        cells.extend(cell.split("!!").map(|cell| cell.trim().to_owned()));
    }

    /// A part rendered on one line of its own.
    fn apart(&mut self, from: usize, end: usize, depth: usize) -> String {
        let out = std::mem::take(&mut self.out);
        if from < end {
            self.nested(from, end, depth);
        }
        let part = std::mem::replace(&mut self.out, out);
        part.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn row(&mut self, cells: &mut Vec<String>, is_first: &mut bool) {
        if cells.iter().any(|cell| !cell.is_empty()) {
            self.out.push_str("| ");
            self.out.push_str(&cells.join(" | "));
            self.out.push_str(" |\n");
            if std::mem::take(is_first) {
                self.out.push('|');
                self.out.push_str(&" --- |".repeat(cells.len()));
                self.out.push('\n');
            }
        }
        cells.clear();
    }
}

/// Drops headings that nothing stands under, and blank lines but one.
fn tidy(text: &str) -> String {
    let level = |line: &str| {
        let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
        if hashes > 0 && line.as_bytes().get(hashes) == Some(&b' ') { hashes } else { 0 }
    };
    let mut kept: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let found = level(line);
        if found > 0 {
            while kept.last().is_some_and(|last| last.is_empty() || level(last) >= found) {
                kept.pop();
            }
            if !kept.is_empty() {
                kept.push("");
            }
            kept.push(line);
            kept.push("");
        } else if !line.is_empty() || kept.last().is_some_and(|last| !last.is_empty()) {
            kept.push(line);
        }
    }
    while kept.last().is_some_and(|last| last.is_empty() || level(last) > 0) {
        kept.pop();
    }
    kept.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests;
