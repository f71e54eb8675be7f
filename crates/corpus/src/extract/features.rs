//! What is told of each block to the model that judges it: numbers, all of them integers.
//!
//! Shares are in thousandths, rounded down, and 0 of nothing. What is unbounded is cut off where larger values say no
//! more. Names and order are those of [`NAMES`]; a model is trained on exactly these.

use std::collections::BTreeMap;

use super::{
    block::Blocks,
    lexicon::Purpose,
    outline::{Element, Outline, Place, Reading, Sums},
    text::{Text, hash_run},
};
use crate::html::{Attr, ROOT, Tag, Tree};

/// How many numbers a block has.
pub const COUNT: usize = 147;
/// Blocks on either side that make a block's neighbourhood.
const WINDOW: usize = 5;
/// The levels at which nearness to an element is cut off.
const LEVELS_MAX: i32 = 30;
/// Elements of one kind in a row from which they are records: posts, products, results.
pub(super) const RECORDS_MIN: i32 = 3;
/// Words in a row that two blocks share.
const GRAM_WORDS: usize = 4;
/// Characters of a title that count.
const TITLE_MAX_CHARS: usize = 300;

/// The names of a block's numbers, in their order.
pub const NAMES: &str = "words linkd dots end upper caps seps lex_legal lexd tag \
    depth dup dupb dupa pos wpos idx ridx titlecov desc \
    h1d hd hl secw seclinkd htitle hlex_ugc n-1_tag n1_tag win_words \
    win_linkd a0_w a0_linkd a0_sib a0_sibi a0_nch a1_share a1_wpb a1_long a1_lexd \
    a1_sib a1_nch a2_w a2_share a2_linkd a2_wpb a2_long a2_lexd a3_w a3_share \
    a3_linkd a3_wpb a3_long a3_lexd a4_w a4_share a4_linkd a4_lexd a5_w a5_share \
    a5_linkd a5_wpb a5_long a5_lexd rnear_n rnear_w rnear_own rnear_share rnear_linkd rnear_up \
    rfar_n rfar_w rfar_own rfar_share rfar_linkd rfar_up t500_share t500_linkd t500_long t500_up \
    t250_share t250_linkd t250_long t250_up t100_share t100_linkd t100_long t100_up sig_n sig_w \
    sig_linkd sig_share anc_article anc_main anc_section anc_aside anc_nav anc_header anc_footer anc_form \
    anc_table anc_ol anc_li anc_button v_body v_comments v_content v_dialog v_disclaimer v_footer \
    v_hentry v_main v_modal v_single v_visible pg_words pg_blocks pg_linkd pg_long pg_longw \
    pg_pw pg_liw pg_tdw pg_prew pg_short pg_cur pg_hid pg_stop pg_n_h2 pg_n_h3 \
    pg_n_article pg_n_form pg_n_section pg_n_ul pg_lex_account pg_lex_legal pg_lex_share pg_lex_nav pg_lex_related \
    pg_lex_ugc pg_lex_shop pg_lex_place pg_lex_date pg_lex_author pg_html ld_11 og_type";

const ANCESTORS: [Tag; 12] = [
    Tag::Article,
    Tag::Main,
    Tag::Section,
    Tag::Aside,
    Tag::Nav,
    Tag::Header,
    Tag::Footer,
    Tag::Form,
    Tag::Table,
    Tag::Ol,
    Tag::Li,
    Tag::Button,
];
const TOKENS: [&str; 11] = [
    "body",
    "comments",
    "content",
    "dialog",
    "disclaimer",
    "footer",
    "hentry",
    "main",
    "modal",
    "single",
    "visible",
];
const TAGS: [Tag; 20] = [
    Tag::P,
    Tag::H1,
    Tag::H2,
    Tag::H3,
    Tag::H4,
    Tag::H5,
    Tag::H6,
    Tag::Li,
    Tag::Td,
    Tag::Th,
    Tag::Div,
    Tag::Pre,
    Tag::Blockquote,
    Tag::Dt,
    Tag::Dd,
    Tag::Button,
    Tag::Figcaption,
    Tag::Section,
    Tag::Article,
    Tag::Body,
];

/// The numbers of a page's blocks, and what a second look at them needs.
pub(super) struct Features {
    pub(super) outline: Outline,
    pub(super) readings: Vec<Reading>,
    /// For each reading [`COUNT`] numbers.
    pub(super) rows: Vec<i32>,
    /// For each reading the last one up to it that is a heading.
    pub(super) heading: Vec<Option<usize>>,
    /// For each reading a number that those share whose surroundings look alike.
    pub(super) pattern: Vec<usize>,
    /// For each reading the nearest and the outermost record that it stands in.
    pub(super) records: Vec<(Option<Place>, Option<Place>)>,
}

/// `1000 a / b`, rounded down.
fn share(a: i64, b: i64) -> i64 {
    if b == 0 { 0 } else { 1000 * a / b }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).expect("pages are below 4 GiB")
}

impl Features {
    pub(super) fn of(html_bytes: usize, tree: &Tree<'_>, blocks: &Blocks) -> Self {
        let (outline, readings) = Outline::of(tree, blocks);
        let page = PageFacts::of(html_bytes, tree, &outline, &readings);
        let heading = headings(&outline, &readings);
        let patterns = Patterns::of(&outline, &readings);
        let records = readings.iter().map(|reading| records(&outline, reading.place)).collect();
        let mut all = Self {
            outline,
            readings,
            rows: Vec::new(),
            heading,
            pattern: patterns.of_block.clone(),
            records,
        };
        all.rows.reserve(all.readings.len() * COUNT);
        let view = View::of(&all, page, patterns, tree);
        let mut rows = Vec::with_capacity(all.readings.len() * COUNT);
        for at in 0..all.readings.len() {
            view.row(at, &mut rows);
        }
        debug_assert_eq!(rows.len(), all.readings.len() * COUNT);
        all.rows = rows;
        all
    }
}

/// For each block the last one up to it that stands in a heading.
fn headings(outline: &Outline, readings: &[Reading]) -> Vec<Option<usize>> {
    let mut last = None;
    let heading = |(at, reading): (usize, &Reading)| {
        if outline.elements[reading.place].tag.is_heading() {
            last = Some(at);
        }
        last
    };
    readings.iter().enumerate().map(heading).collect()
}

/// The nearest and the outermost element around a place, itself included, that is one of several alike.
fn records(outline: &Outline, place: Place) -> (Option<Place>, Option<Place>) {
    let is_record = |at: &Place| *at > 0 && outline.elements[*at].alike >= RECORDS_MIN;
    let mut records = outline.chain(place).filter(is_record);
    let near = records.next();
    (near, records.last().or(near))
}

/// Blocks whose surroundings look alike: the element of the first text and the one around it in name and classes, the
/// next one in name.
struct Patterns {
    of_block: Vec<usize>,
    sums: Vec<Sums>,
}

impl Patterns {
    fn of(outline: &Outline, readings: &[Reading]) -> Self {
        let mut numbers: BTreeMap<(u32, Option<u32>, Option<Tag>), usize> = BTreeMap::new();
        let (mut of_block, mut sums): (Vec<usize>, Vec<Sums>) = (Vec::new(), Vec::new());
        for reading in readings {
            let mut chain = outline.chain(reading.first).map(|at| &outline.elements[at]);
            let first = chain.next().map_or(0, |element| element.kind);
            let key =
                (first, chain.next().map(|element| element.kind), chain.next().map(|element| element.tag));
            let next = numbers.len();
            let number = *numbers.entry(key).or_insert(next);
            if number == sums.len() {
                sums.push(Sums::default());
            }
            sums[number].words += reading.sums.words;
            sums[number].link_words += reading.sums.link_words;
            sums[number].blocks += 1;
            of_block.push(number);
        }
        Self { of_block, sums }
    }
}

/// What is told of the page as a whole, the same for each block.
struct PageFacts {
    words: i64,
    /// Their words' hashes, in order.
    title: Vec<u64>,
    description: Vec<u64>,
    numbers: Vec<i64>,
}

impl PageFacts {
    fn of(html_bytes: usize, tree: &Tree<'_>, outline: &Outline, readings: &[Reading]) -> Self {
        let head = Head::of(tree);
        let all = &outline.root().within;
        let total = all.words;
        let words_where = |is_wanted: &dyn Fn(&Reading, &Element) -> bool| -> i64 {
            let wanted =
                readings.iter().filter(|reading| is_wanted(reading, &outline.elements[reading.place]));
            wanted.map(|reading| reading.sums.words).sum()
        };
        let is_long =
            |reading: &Reading| reading.sums.words >= 20 && 2 * reading.sums.link_words < reading.sums.words;
        let long_words = words_where(&|reading, _| is_long(reading));
        let of_tag = |tags: &[Tag]| share(words_where(&|_, element| tags.contains(&element.tag)), total);
        let few = readings.iter().filter(|reading| reading.sums.words <= 3).count();
        let prices = readings.iter().filter(|reading| reading.text.has_price).count();
        let mut numbers = vec![
            total.min(30_000),
            count(readings.len()).min(3000),
            share(all.link_words, total),
            share(long_words, total),
            long_words.min(30_000),
            of_tag(&[Tag::P]),
            of_tag(&[Tag::Li]),
            of_tag(&[Tag::Td, Tag::Th]),
            of_tag(&[Tag::Pre]),
            share(count(few), count(readings.len())),
            count(prices).min(200),
            share(words_where(&|reading, _| reading.is_hidden), total),
            share(all.stop_words, total),
        ];
        for tag in [Tag::H2, Tag::H3, Tag::Article, Tag::Form, Tag::Section, Tag::Ul] {
            numbers
                .push(count(outline.elements.iter().filter(|element| element.tag == tag).count()).min(100));
        }
        for purpose in 0..Purpose::COUNT {
            numbers.push(share(readings.iter().map(|reading| reading.text.purposes[purpose]).sum(), total));
        }
        numbers.push((count(html_bytes) / 1024).min(5000));
        numbers.push(i64::from(head.has_person));
        numbers.push(head.kind);
        Self {
            words: total.max(1),
            title: vocabulary(&head.title),
            description: vocabulary(&head.description),
            numbers,
        }
    }
}

/// The words of a text, each once, in order.
fn vocabulary(text: &str) -> Vec<u64> {
    let mut words = Text::of(text).words;
    words.sort_unstable();
    words.dedup();
    words
}

/// What a page's head says.
#[derive(Default)]
struct Head {
    /// The title and that for previews.
    title: String,
    description: String,
    has_person: bool,
    /// 1 an article, 2 a product, 3 a website, 4 something else, 0 unsaid.
    kind: i64,
}

impl Head {
    fn of(tree: &Tree<'_>) -> Self {
        let (mut title, mut og_title, mut description, mut kind) = (None, None, None, None);
        let mut has_person = false;
        for node in 0..tree.len() {
            match tree.tag(node) {
                Some(Tag::Title) if title.is_none() => title = Some(tree.text_in(node)),
                Some(Tag::Meta) => {
                    let attribute = |name| tree.attribute(node, name);
                    let Some(name) = attribute(Attr::Name).or_else(|| attribute(Attr::Property)) else {
                        continue;
                    };
                    let place = match name.to_ascii_lowercase().as_str() {
                        "og:title" => &mut og_title,
                        "og:type" => &mut kind,
                        "description" => &mut description,
                        _ => continue,
                    };
                    if place.is_none() {
                        *place = attribute(Attr::Content).map(std::borrow::Cow::into_owned);
                    }
                }
                Some(Tag::Script) if !has_person => {
                    let is_data =
                        tree.attribute(node, Attr::Type).is_some_and(|kind| kind == "application/ld+json");
                    has_person = is_data && names_person(&tree.text_in(node));
                }
                _ => {}
            }
        }
        let kind = match kind.unwrap_or_default().to_lowercase() {
            kind if kind.is_empty() => 0,
            kind if kind.starts_with("article") => 1,
            kind if kind.starts_with("product") || kind.starts_with("og:product") => 2,
            kind if kind.starts_with("website") => 3,
            _ => 4,
        };
        let title = title.unwrap_or_default();
        let mut title: String =
            title.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_MAX_CHARS).collect();
        title.push(' ');
        title.push_str(&og_title.unwrap_or_default());
        Self { title, description: description.unwrap_or_default(), has_person, kind }
    }
}

/// Whether data for search engines tells of a person: `"@type": "Person"`.
fn names_person(json: &str) -> bool {
    json.match_indices("\"Person\"").any(|(at, _)| {
        let before = json[..at].trim_end().strip_suffix(':').map(str::trim_end);
        before.is_some_and(|before| before.ends_with("\"@type\""))
    })
}

/// The page as the rows are written from it.
struct View<'v> {
    all: &'v Features,
    page: PageFacts,
    patterns: Patterns,
    /// For each block its runs of words that stand in earlier ones, and those that stand elsewhere from it on.
    shared: Vec<(i64, i64, i64)>,
    /// For each block how many have the same words.
    same: Vec<i64>,
    /// Words before each block.
    before: Vec<i64>,
    first_heading: Option<usize>,
    /// Words and link words under each heading, by its block; the first entry is what stands above all.
    sections: Vec<(i64, i64)>,
    /// For each element the levels up to the nearest with each of the tags and tokens.
    marks: Vec<[i32; ANCESTORS.len() + TOKENS.len()]>,
}

impl<'v> View<'v> {
    fn of(all: &'v Features, page: PageFacts, patterns: Patterns, tree: &Tree<'_>) -> Self {
        let readings = &all.readings;
        let mut before = Vec::with_capacity(readings.len());
        let mut sections = vec![(0, 0); readings.len() + 1];
        let mut sum = 0;
        for (reading, heading) in readings.iter().zip(&all.heading) {
            before.push(sum);
            sum += reading.sums.words;
            let section = &mut sections[heading.map_or(0, |at| at + 1)];
            section.0 += reading.sums.words;
            section.1 += reading.sums.link_words;
        }
        let is_h1 = |at: &usize| all.outline.elements[readings[*at].place].tag == Tag::H1;
        let mut h1s = (0..readings.len()).filter(is_h1);
        let first = h1s.clone().next();
        let first_heading = h1s.find(|at| similar(&readings[*at].text.words, &page.title) >= 500).or(first);
        let (shared, same) = (shared_runs(readings), same_words(readings));
        let marks = marks(&all.outline, tree);
        Self { all, page, patterns, shared, same, before, first_heading, sections, marks }
    }

    fn row(&self, at: usize, rows: &mut Vec<i32>) {
        let (outline, readings) = (&self.all.outline, &self.all.readings);
        let reading = &readings[at];
        let element = &outline.elements[reading.place];
        let text = &reading.text;
        let mut push = |number: i64| rows.push(i32::try_from(number).expect("cut off or a share"));
        let sums = &reading.sums;

        push(sums.words.min(2000));
        push(share(sums.link_words, sums.words));
        push(text.stops.min(50));
        push(text.ending);
        push(share(text.capitals, text.chars));
        push(share(text.capital_pieces, text.pieces));
        push(text.separators.min(20));
        push(text.purposes[Purpose::LEGAL].min(20));
        push(share(sums.purpose_words, sums.words));
        push(tag_number(element.tag));

        push(i64::from(element.depth).min(60));
        push(self.same[at].min(20));
        let (runs, earlier, later) = self.shared[at];
        push(share(earlier, runs));
        push(share(later, runs));
        push(share(count(at), count(readings.len())));
        push(share(self.before[at], self.page.words));
        push(count(at).min(2000));
        push(count(readings.len() - 1 - at).min(2000));
        push(covered(&text.words, &self.page.title));
        push(similar(&text.words, &self.page.description));

        push(self.first_heading.map_or(999, |first| (count(at) - count(first)).clamp(-500, 500)));
        let heading = self.all.heading[at];
        push(heading.map_or(201, |heading| count(at - heading).min(200)));
        let over = heading.map(|heading| &readings[heading]);
        push(over.map_or(0, |over| heading_level(outline.elements[over.place].tag)));
        let section = self.sections[heading.map_or(0, |heading| heading + 1)];
        push(section.0.min(5000));
        push(share(section.1, section.0));
        push(over.map_or(0, |over| similar(&over.text.words, &self.page.title)));
        push(over.map_or(0, |over| share(over.text.purposes[Purpose::UGC], over.sums.words)));
        let tag_at = |at: Option<usize>| {
            at.and_then(|at| readings.get(at))
                .map_or(-1, |other| tag_number(outline.elements[other.place].tag))
        };
        push(tag_at(at.checked_sub(1)));
        push(tag_at(Some(at + 1)));
        let window = &readings[at.saturating_sub(WINDOW)..readings.len().min(at + WINDOW + 1)];
        let window_words: i64 = window.iter().map(|other| other.sums.words).sum();
        push(window_words.min(3000));

        push(share(window.iter().map(|other| other.sums.link_words).sum(), window_words));
        let mut around = [element; 6];
        for level in 1..around.len() {
            around[level] = &outline.elements[around[level - 1].parent];
        }
        let total = self.page.words;
        let words = |level: usize| around[level].within.words.min(20_000);
        let of_page = |level: usize| share(around[level].within.words, total);
        let links = |level: usize| share(around[level].within.link_words, around[level].within.words);
        let per_block =
            |level: usize| (around[level].within.words / around[level].within.blocks.max(1)).min(500);
        let long = |level: usize| share(around[level].within.long_words, around[level].within.words);
        let purpose = |level: usize| share(around[level].within.purpose_words, around[level].within.words);
        let alike = |level: usize| i64::from(around[level].alike).min(200);
        let children = |level: usize| {
            let is_root = around[level].node == ROOT;
            if is_root { 1 } else { i64::from(outline.elements[around[level].parent].children).min(200) }
        };
        push(words(0));
        push(links(0));
        push(alike(0));
        push(i64::from(around[0].alike_before).min(200));
        push(children(0));
        push(of_page(1));
        push(per_block(1));
        push(long(1));
        push(purpose(1));
        push(alike(1));
        push(children(1));
        for level in 2..around.len() {
            push(words(level));
            push(of_page(level));
            push(links(level));
            if level != 4 {
                push(per_block(level));
                push(long(level));
            }
            push(purpose(level));
        }
        let (near, far) = self.all.records[at];
        for record in [near, far] {
            let Some(place) = record else {
                (0..6).for_each(|_| push(-1));
                continue;
            };
            let record = &outline.elements[place];
            let list = &outline.elements[record.parent];
            push(i64::from(record.alike).min(200));
            push((list.within.words / i64::from(list.children.max(1))).min(2000));
            push(record.within.words.min(2000));
            push(share(list.within.words, total));
            push(share(list.within.link_words, list.within.words));
            push(i64::from(element.depth - record.depth).min(30));
        }
        for part in [500, 250, 100] {
            // From the root down as long as enough of the page is in it; the nearer has never more than the farther.
            let has_part = |place: &Place| outline.elements[*place].within.words * 1000 >= part * total;
            let top = outline.chain(reading.place).find(has_part).unwrap_or(0);
            let top = &outline.elements[top];
            push(share(top.within.words, total));
            push(share(top.within.link_words, top.within.words));
            push(share(top.within.long_words, top.within.words));
            push(i64::from(element.depth - top.depth).min(40));
        }
        let pattern = &self.patterns.sums[self.patterns.of_block[at]];
        push(pattern.blocks.min(500));
        push((pattern.words / pattern.blocks.max(1)).min(1000));
        push(share(pattern.link_words, pattern.words));
        push(share(pattern.words, total));
        for mark in self.marks[reading.first] {
            push(i64::from(mark));
        }
        for number in &self.page.numbers {
            push(*number);
        }
    }
}

/// The share of words that stand in a vocabulary.
fn similar(words: &[u64], vocabulary: &[u64]) -> i64 {
    let known = words.iter().filter(|word| vocabulary.binary_search(word).is_ok());
    share(count(known.count()), count(words.len()))
}

/// The share of a vocabulary that stands among words.
fn covered(words: &[u64], vocabulary: &[u64]) -> i64 {
    let mut found = vec![false; vocabulary.len()];
    for word in words {
        if let Ok(at) = vocabulary.binary_search(word) {
            found[at] = true;
        }
    }
    share(count(found.iter().filter(|found| **found).count()), count(found.len()))
}

fn tag_number(tag: Tag) -> i64 {
    TAGS.iter().position(|known| *known == tag).map_or(0, |at| count(at) + 1)
}

fn heading_level(tag: Tag) -> i64 {
    TAGS[1..7].iter().position(|known| *known == tag).map_or(0, |at| count(at) + 1)
}

/// For each block its runs of words, those that stand in earlier blocks, and those that stand again from it on.
fn shared_runs(readings: &[Reading]) -> Vec<(i64, i64, i64)> {
    let mut shared = vec![(0, 0, 0); readings.len()];
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for (at, reading) in readings.iter().enumerate() {
        runs.extend(reading.text.words.windows(GRAM_WORDS).map(|run| (hash_run(run), at)));
        shared[at].0 = count((reading.text.words.len() + 1).saturating_sub(GRAM_WORDS));
    }
    runs.sort_unstable();
    for alike in runs.chunk_by(|a, b| a.0 == b.0) {
        let mut before = 0;
        for of_block in alike.chunk_by(|a, b| a.1 == b.1) {
            let (_, earlier, later) = &mut shared[of_block[0].1];
            *earlier += if before > 0 { count(of_block.len()) } else { 0 };
            *later += if alike.len() - before > 1 { count(of_block.len()) } else { 0 };
            before += of_block.len();
        }
    }
    shared
}

/// For each block how many have the same words, itself included.
fn same_words(readings: &[Reading]) -> Vec<i64> {
    let mut same = vec![0; readings.len()];
    let mut hashes: Vec<(u64, usize)> =
        readings.iter().enumerate().map(|(at, reading)| (hash_run(&reading.text.words), at)).collect();
    hashes.sort_unstable();
    for alike in hashes.chunk_by(|a, b| a.0 == b.0) {
        for (_, at) in alike {
            same[*at] = count(alike.len());
        }
    }
    same
}

/// For each element the levels up to the nearest with each of the tags and tokens, itself being 1; 0 for none.
fn marks(outline: &Outline, tree: &Tree<'_>) -> Vec<[i32; ANCESTORS.len() + TOKENS.len()]> {
    let mut marks: Vec<[i32; ANCESTORS.len() + TOKENS.len()]> = Vec::with_capacity(outline.elements.len());
    for element in &outline.elements {
        let mut own = if element.node == ROOT { [0; _] } else { marks[element.parent] };
        for mark in &mut own {
            *mark += i32::from(*mark > 0 && *mark < LEVELS_MAX);
        }
        if let Some(at) = ANCESTORS.iter().position(|tag| *tag == element.tag) {
            own[at] = 1;
        }
        for name in [Attr::Class, Attr::Id, Attr::Role, Attr::Itemprop, Attr::Itemtype] {
            let Some(value) = tree.attribute(element.node, name) else { continue };
            for part in value.split_whitespace() {
                // The type of an item is the last part of its address.
                let is_item = matches!(name, Attr::Itemprop | Attr::Itemtype);
                let part = if is_item { part.rsplit('/').next().unwrap_or(part) } else { part };
                for_tokens(part, |token| {
                    let is_token = |known: &&str| known.eq_ignore_ascii_case(token);
                    if let Some(at) = TOKENS.iter().position(is_token) {
                        own[ANCESTORS.len() + at] = 1;
                    }
                });
            }
        }
        marks.push(own);
    }
    marks
}

/// The words in a name such as `postBody-2`: runs of ASCII letters, cut where capitals begin a word.
fn for_tokens(name: &str, mut use_token: impl FnMut(&str)) {
    for run in name.split(|c: char| !c.is_ascii_alphabetic()) {
        let bytes = run.as_bytes();
        let mut start = 0;
        for at in 1..=bytes.len() {
            let begins = at == bytes.len()
                || bytes[at].is_ascii_uppercase()
                    && (bytes[at - 1].is_ascii_lowercase()
                        || bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase));
            if begins {
                use_token(&run[start..at]);
                start = at;
            }
        }
    }
}
