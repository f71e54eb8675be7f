//! What a model of main text is trained on: the blocks of the pages of a web archive, as lines of JSON.
//!
//! `cargo run --release -p corpus --example blocks -- ARCHIVE [NAMES]`, where `NAMES` is a gzipped file of JSON lines
//! with an `id` for each page in turn.

use std::io::{Read, Write};

use corpus::{
    Page, RecordKind, archive,
    extract::{self, Blocks},
    html::{Attr, NodeId, ROOT, Tag, Tree},
};
use serde_json::{Value, json};

/// Words below which a page is looked at for text that scripts would show.
const FEW_WORDS: u32 = 200;
/// Characters of a text among the data of scripts.
const DATA_TEXT_MIN_CHARS: usize = 80;
/// Characters of a page's data that are written.
const DATA_MAX_CHARS: usize = 200_000;

#[expect(clippy::disallowed_methods, reason = "an example is an edge")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let bytes = std::fs::read(arguments.next().expect("an archive's path")).expect("an archive");
    let names = arguments.next().map(|path| names(&std::fs::read(path).expect("a file of names")));
    let mut out = std::io::stdout().lock();
    let (mut at, mut number) = (0, 0);
    while at < bytes.len() {
        let step = archive::step(&bytes[at..]).expect("a record");
        if let archive::Content::Record(record) = &step.content
            && record.kind == RecordKind::Response
        {
            let page = Page::of_record(record).expect("a page");
            let id = names.as_ref().map_or_else(|| number.to_string(), |names| names[number].clone());
            serde_json::to_writer(&mut out, &facts(&id, &page)).expect("a pipe that is open");
            out.write_all(b"\n").expect("a pipe that is open");
            number += 1;
        }
        at += usize::try_from(step.length_bytes).expect("it lies in memory");
    }
}

fn names(packed: &[u8]) -> Vec<String> {
    let mut json = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut json).expect("gzipped text");
    let id = |line| serde_json::from_str::<Value>(line).ok()?["id"].as_str().map(str::to_owned);
    json.lines().map(|line| id(line).expect("a line with an id")).collect()
}

fn facts(id: &str, page: &Page) -> Value {
    let tree = Tree::of(&page.text).expect("a page within bounds");
    let blocks = Blocks::of(&tree);
    let (mut meta, mut extras, mut data, mut lang) = (vec![], vec![], vec![], String::new());
    let mut title = None;
    let words: u32 = blocks.list().iter().filter(|block| block.is_text).map(|block| block.words).sum();
    for node in 0..tree.len() {
        let attribute = |name| tree.attribute(node, name);
        match tree.tag(node) {
            Some(Tag::Html) => lang = attribute(Attr::Lang).unwrap_or_default().into_owned(),
            Some(Tag::Title) if title.is_none() => title = Some(tree.text_in(node)),
            Some(Tag::Meta) => {
                let name = attribute(Attr::Name).or_else(|| attribute(Attr::Property));
                if let (Some(name), Some(content)) = (name, attribute(Attr::Content)) {
                    meta.push((name, content));
                }
            }
            Some(Tag::Script) => {
                let kind = attribute(Attr::Type).unwrap_or_default();
                if kind == "application/ld+json" {
                    data.push(tree.text_in(node).chars().take(DATA_MAX_CHARS).collect::<String>());
                    strings("jsonld", &tree.text_in(node), &mut extras, true);
                } else if words < FEW_WORDS && kind == "application/json" {
                    strings("data", &tree.text_in(node), &mut extras, false);
                }
            }
            _ => {}
        }
    }
    let mut wanted = vec![false; tree.len() as usize];
    wanted[ROOT as usize] = true;
    for block in blocks.list() {
        let mut node = block.first;
        while !wanted[node as usize] {
            wanted[node as usize] = true;
            node = tree.parent(node);
        }
    }
    let mut place = vec![0; wanted.len()];
    let mut nodes = vec![];
    for node in 0..tree.len() {
        place[node as usize] = nodes.len();
        if wanted[node as usize] {
            nodes.push(element(&tree, node, place[tree.parent(node) as usize]));
            continue;
        }
        // What has no text counts for what it stands in.
        let around = place[tree.parent(node) as usize];
        place[node as usize] = around;
        let counter = match tree.tag(node) {
            Some(Tag::Img | Tag::Image) => 7,
            Some(Tag::Input | Tag::Select | Tag::Textarea | Tag::Button) => 8,
            Some(Tag::Iframe | Tag::Video | Tag::Audio | Tag::Embed) => 9,
            Some(Tag::Svg) => 10,
            Some(Tag::Time) => 11,
            _ => continue,
        };
        let count: &mut Value = &mut nodes[around][counter];
        *count = json!(count.as_u64().unwrap_or(0) + 1);
    }
    let block = |block: &extract::Block| {
        json!([
            place[block.node as usize],
            blocks.text(block),
            block.link_words,
            block.links,
            block.strong_words,
            place[block.first as usize],
            block.words,
            block.is_text,
            block.part,
            block.code_words,
            block.chars,
            block.link_chars,
            block.breaks,
        ])
    };
    let (judged, numbers) = extract::features(page.text.len(), &tree, &blocks);
    json!({
        "judged": judged,
        "rows": numbers.chunks(extract::FEATURES).collect::<Vec<_>>(),
        "id": id,
        "url": page.url,
        "html_bytes": page.text.len(),
        "lang": lang,
        "title": title,
        "meta": meta,
        "nodes": nodes,
        "blocks": blocks.list().iter().map(block).collect::<Vec<_>>(),
        "extras": extras,
        "ld": data,
    })
}

fn element(tree: &Tree<'_>, node: NodeId, parent: usize) -> Value {
    let attribute = |name| tree.attribute(node, name).unwrap_or_default();
    let item = [attribute(Attr::Itemprop), attribute(Attr::Itemtype)].join(" ");
    json!([
        parent,
        tree.tag(node).map(Tag::text),
        attribute(Attr::Class),
        attribute(Attr::Id),
        attribute(Attr::Role),
        item.trim(),
        u8::from(tree.is_hidden(node)),
        0,
        0,
        0,
        0,
        0,
    ])
}

/// The longer texts among the data of a script, with their keys and the type of what they belong to.
fn strings(source: &str, json: &str, out: &mut Vec<(String, String)>, with_types: bool) {
    let Ok(data) = serde_json::from_str::<Value>(json.trim()) else { return };
    let mut open = vec![(String::new(), &data)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items.iter().rev().map(|item| (path.clone(), item))),
            Value::Object(fields) => {
                let kind = fields.get("@type").and_then(Value::as_str).unwrap_or_default();
                if with_types && !kind.is_empty() {
                    out.push((format!("{source}-type"), kind.to_owned()));
                }
                open.extend(fields.iter().rev().map(|(key, value)| (format!("{kind}.{key}"), value)));
            }
            Value::String(text) if text.len() >= DATA_TEXT_MIN_CHARS && text.contains(' ') => {
                out.push((format!("{source}:{path}"), text.clone()));
            }
            _ => {}
        }
    }
}
