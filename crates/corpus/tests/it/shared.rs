//! The real archives and pages that lie beside the repository; each test says so where they are absent.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use corpus::{
    Alignment, Archives, Cut, Document, Extent, Layout, Limits, Page, Recipe, Recipes, Rules, Shard, Source,
    archive, document, extract, language,
    source::MemoryArchive,
    verify::{self, Rule},
};
use primitives::Seed;
use sha2::{Digest, Sha256};

use crate::MINER;

/// How many pages of the benchmark are looked at, from its first on: all of them take minutes.
/// `CORPUS_WCXB_PAGES` at compile time sets another number.
fn pages_wanted() -> usize {
    option_env!("CORPUS_WCXB_PAGES").and_then(|pages| pages.parse().ok()).unwrap_or(60)
}

pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    if !place.exists() {
        println!("skipped: no {}", place.display());
        return None;
    }
    Some(place)
}

fn all(cut_bytes: u64) -> Cut {
    Cut { entries_max: u32::MAX, bytes_max: cut_bytes }
}

/// The words of a text as the benchmark counts them.
fn words(text: &str) -> BTreeMap<String, u64> {
    let mut words = BTreeMap::new();
    for word in text
        .to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
    {
        *words.entry(word.to_owned()).or_default() += 1;
    }
    words
}

fn f1(found: &str, gold: &str) -> f64 {
    let (found, gold) = (words(found), words(gold));
    let total = |words: &BTreeMap<String, u64>| words.values().sum::<u64>() as f64;
    if gold.is_empty() || found.is_empty() {
        return f64::from(gold.is_empty() && found.is_empty());
    }
    let both: u64 = found.iter().map(|(word, count)| gold.get(word).copied().unwrap_or(0).min(*count)).sum();
    if both == 0 { 0.0 } else { 2.0 * both as f64 / (total(&found) + total(&gold)) }
}

struct Gold {
    url: String,
    text: String,
    kind: String,
    is_held_out: bool,
}

fn golds() -> Option<Vec<Gold>> {
    let mut json = Vec::new();
    let packed = std::fs::File::open(shared("wcxb/dev-gold.jsonl.gz")?).unwrap();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed), &mut json).unwrap();
    let lines = std::str::from_utf8(&json).unwrap().lines();
    let gold = |line: &str| {
        let page: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| page[key].as_str().unwrap_or_default().to_owned();
        let digest = Sha256::digest(text("id").as_bytes());
        let is_held_out = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]).is_multiple_of(3);
        Gold { url: text("url"), text: text("main_content"), kind: text("page_type"), is_held_out }
    };
    Some(lines.map(gold).collect())
}

/// The first pages with their golds.
fn pages() -> Option<Vec<(Page, Gold)>> {
    let golds = golds()?;
    let bytes = std::fs::read(shared("wcxb/dev.warc.gz")?).unwrap();
    let (mut reader, mut pages) = (Layout::Records.reader(&bytes), Vec::new());
    while pages.len() < pages_wanted()
        && let Some(step) = reader.step().unwrap()
    {
        if let archive::Content::Record(record) = step.content
            && record.kind == corpus::RecordKind::Response
        {
            pages.push(record);
        }
    }
    Some(pages.iter().zip(golds).map(|(record, gold)| (Page::of_record(record).unwrap(), gold)).collect())
}

fn quantiles(mut values: Vec<u16>) -> String {
    values.sort_unstable();
    let at = |part: usize| values[(values.len() - 1) * part / 100];
    format!("min {} 1% {} 5% {} 25% {} median {} of {}", at(0), at(1), at(5), at(25), at(50), values.len())
}

/// The least mean word F1 that is promised for all pages and for each kind of them.
const F1_MIN: [(&str, f64); 9] = [
    ("all", 0.86),
    ("held out", 0.86),
    ("article", 0.935),
    ("documentation", 0.94),
    ("service", 0.83),
    ("forum", 0.75),
    ("collection", 0.70),
    ("listing", 0.68),
    ("product", 0.65),
];

/// Nothing was trained or tuned on the pages held out.
#[test]
fn main_text_is_as_good_as_promised() {
    let Some(golds) = golds() else { return };
    let Some(place) = shared("wcxb/dev.warc.gz") else { return };
    let bytes = std::fs::read(place).unwrap();
    let (mut at, mut golds) = (0, golds.into_iter());
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    while at < bytes.len() {
        let step = archive::step(&bytes[at..]).unwrap();
        at += usize::try_from(step.length_bytes).expect("it lies in memory");
        let archive::Content::Record(record) = step.content else { continue };
        if record.kind != corpus::RecordKind::Response {
            continue;
        }
        let (page, gold) = (Page::of_record(&record).unwrap(), golds.next().unwrap());
        assert!(gold.url.is_empty() || page.url == gold.url, "{} {}", page.url, gold.url);
        let f1 = f1(&document::text(&page, &extract::main_text).unwrap_or_default(), &gold.text);
        let half = if gold.is_held_out { "held out" } else { "trained on" };
        for group in ["all", half, &gold.kind] {
            let (sum, count) = sums.entry(group.to_owned()).or_default();
            *sum += f1;
            *count += 1.0;
        }
    }
    for (group, (sum, count)) in &sums {
        println!("word F1 of {count} pages, {group}: {:.4}", sum / count);
    }
    for (group, least) in F1_MIN {
        let (sum, count) = sums[group];
        assert!(sum / count >= least, "{group}: {:.4}, at least {least} is promised", sum / count);
    }
}

#[test]
fn honest_extractors_are_aligned_and_dishonest_rows_are_not() {
    let Some(pages) = pages() else { return };
    let rules = Rules::default();
    let recipes: [(&str, &document::Extractor<'_>); 3] = [
        ("main_text", &extract::main_text),
        ("paragraphs", &extract::paragraphs),
        ("all_lines", &extract::all_lines),
    ];
    let wholes: Vec<String> = pages.iter().map(|(page, _)| extract::whole_text(page).unwrap()).collect();
    for (name, extractor) in recipes {
        let (mut honest, mut injected, mut swapped, mut shuffled) = (vec![], vec![], vec![], vec![]);
        let mut other = String::from("nothing of it stands in any page that somebody has crawled so far");
        for (number, ((page, _), whole)) in (0u64..).zip(pages.iter().zip(&wholes)) {
            let Ok(document) = Document::of_page(page, &rules, extractor) else { continue };
            honest.push(Alignment::of(&document.text, whole).permille());
            injected.push(Alignment::of(&inject(&document.text), whole).permille());
            swapped.push(Alignment::of(&other, whole).permille());
            let mut words: Vec<&str> = document.text.split_whitespace().collect();
            Seed::from_number(number).stream("shuffle", 0).shuffle(&mut words);
            shuffled.push(Alignment::of(&words.join(" "), whole).permille());
            other = document.text;
        }
        println!("{name}: honest {}", quantiles(honest.clone()));
        println!("{name}: 10 % injected {}", quantiles(injected.clone()));
        println!("{name}: swapped {}; shuffled {}", quantiles(swapped.clone()), quantiles(shuffled.clone()));
        let median = |mut values: Vec<u16>| {
            values.sort_unstable();
            values[values.len() / 2]
        };
        assert!(median(honest) >= 950);
        assert!(median(swapped) <= 20);
        assert!(median(shuffled) <= 20);
        assert!((700..930).contains(&median(injected)));
    }
}

/// A sentence of one's own of ten words behind every ninety.
fn inject(text: &str) -> String {
    let (mut injected, mut words) = (String::new(), 0);
    for line in text.lines() {
        for word in line.split_whitespace() {
            injected.push_str(word);
            injected.push(' ');
            words += 1;
            if words % 90 == 0 {
                injected.extend((0..10).map(|i| format!("injected{words}x{i} ")));
            }
        }
        injected.push('\n');
    }
    injected
}

#[test]
fn the_benchmarks_archive_is_tiled_exactly_and_verified() {
    let Some(place) = shared("wcxb/dev.warc.gz") else { return };
    let source = Archives::open(&place).unwrap();
    let survey = source.survey(all(4 << 20)).unwrap();
    assert_eq!(survey.gaps, []);
    assert!(survey.extents.len() >= 16, "{}", survey.extents.len());
    let mut at = 0;
    for extent in &survey.extents {
        let Extent::Archive(range) = extent else { panic!("an archive's extent") };
        assert_eq!(range.first_byte, at);
        at = range.end_byte();
    }
    assert_eq!(at, std::fs::metadata(&place).unwrap().len());
    let rules = Rules { languages: vec!["en".parse().unwrap()], ..Rules::default() };
    let mut decisions: BTreeMap<String, u64> = BTreeMap::new();
    let survey_step = (1497 / pages_wanted()).max(1);
    for extent in survey.extents.iter().step_by(survey_step) {
        let shard = Shard::build(extent, &source, MINER, &rules).unwrap();
        assert_eq!(verify::offline(&shard, extent, &MINER, Recipes::Pinned, &rules), Ok(()));
        let Extent::Archive(range) = extent else { panic!("an archive's extent") };
        for (number, row) in (0u32..).zip(&shard.ledger.rows).step_by(7) {
            let bytes = source.read_range(&range.path, row.offset_bytes, row.length_bytes).unwrap();
            assert_eq!(verify::row(&shard, extent, number, &bytes, &rules), Ok(()));
        }
        assert_eq!(Shard::decode(&shard.encode(), &Limits::default()).as_ref(), Ok(&shard));
        let recipe = Recipe { id: "all-lines".into(), version: 1 };
        let open = Shard::build_with(extent, &source, MINER, recipe, &rules, &extract::all_lines).unwrap();
        assert_eq!(verify::offline(&open, extent, &MINER, Recipes::Open, &rules), Ok(()));
        let pinned = verify::offline(&open, extent, &MINER, Recipes::Pinned, &rules).unwrap_err();
        assert_eq!(pinned.rule, Rule::Recipe);
        for document in open.documents.iter().step_by(5) {
            let row = &open.ledger.rows[document.record as usize];
            let bytes = source.read_range(&range.path, row.offset_bytes, row.length_bytes).unwrap();
            let alignment = verify::aligned(&open, extent, document.record, &bytes, &rules).unwrap();
            assert!(alignment.permille() > 500, "{} {alignment:?}", document.url);
        }
        for (decision, count) in shard.ledger.decisions() {
            *decisions.entry(decision).or_default() += count;
        }
    }
    println!("{} extents, decisions of each {}th: {decisions:?}", survey.extents.len(), survey_step);
    assert!(decisions.contains_key("kept") && decisions.contains_key("not_a_page:request"));
}

/// Every file of other projects' test data, whole, cut and with bytes changed: records or an error, never a panic.
#[test]
fn every_archive_gives_records_or_an_error() {
    let Some(root) = shared("warc") else { return };
    let source = Archives::open(&root).unwrap();
    let rules = Rules::default();
    let survey = source.survey(all(u64::MAX)).unwrap();
    for gap in &survey.gaps {
        println!(
            "{}: {} bytes from {} are no records: {}",
            gap.path, gap.length_bytes, gap.first_byte, gap.error
        );
    }
    for extent in &survey.extents {
        let shard = Shard::build(extent, &source, MINER, &rules).unwrap();
        assert_eq!(verify::offline(&shard, extent, &MINER, Recipes::Pinned, &rules), Ok(()));
        let path = extent.paths().next().unwrap();
        assert!(extent.length_bytes() > 0);
        println!("{path}: {} records {:?}", shard.ledger.rows.len(), shard.ledger.decisions());
        for (number, row) in (0u32..).zip(&shard.ledger.rows).step_by(13) {
            let bytes = source.read_range(path, row.offset_bytes, row.length_bytes).unwrap();
            assert_eq!(verify::row(&shard, extent, number, &bytes, &rules), Ok(()), "{path} {number}");
        }
    }
    let mut stream = Seed::from_number(7).stream("damage", 0);
    for path in source.paths() {
        let whole = source.read(path).unwrap();
        if whole.is_empty() || whole.len() > 300_000 {
            continue;
        }
        for _ in 0..3 {
            let mut bytes = whole.clone();
            bytes.truncate(1 + stream.index(whole.len()));
            for _ in 0..stream.index(8) {
                let at = stream.index(bytes.len());
                bytes[at] = u8::try_from(stream.below(256)).unwrap();
            }
            let damaged = MemoryArchive::new(path, bytes);
            for extent in damaged.survey(all(u64::MAX)).unwrap().extents {
                let shard = Shard::build(&extent, &damaged, MINER, &rules).unwrap();
                assert_eq!(verify::offline(&shard, &extent, &MINER, Recipes::Pinned, &rules), Ok(()));
            }
        }
    }
}

#[test]
fn english_is_told_as_a_larger_model_tells_it() {
    let Some(place) = shared("filters/parity.jsonl.gz") else { return };
    let mut json = Vec::new();
    let packed = std::fs::File::open(place).unwrap();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed), &mut json).unwrap();
    let (mut same, mut lines, mut missed) = (0u32, 0u32, 0u32);
    for line in std::str::from_utf8(&json).unwrap().lines() {
        let page: serde_json::Value = serde_json::from_str(line).unwrap();
        let wanted = page["lang"].as_str().unwrap_or_default().trim_start_matches("__label__") == "en";
        let found = language::guess(page["text"].as_str().unwrap()).code == "en";
        lines += 1;
        same += u32::from(wanted == found);
        missed += u32::from(wanted && !found);
    }
    println!("{same} of {lines} told as the model does; {missed} English texts taken for something else");
    assert!(same * 100 >= lines * 97);
}

/// A shard of twenty rows, as the simulator makes them by the thousand.
#[test]
fn twenty_small_rows_are_quickly_written_and_read() {
    let pages: Vec<(String, String)> = (0..20)
        .map(|i| {
            let text: String = (0..90).map(|word| format!("the weight{} and ", i * 7 + word)).collect();
            (format!("https://x.example/{i}"), format!("<p>{text}</p>"))
        })
        .collect();
    let source =
        MemoryArchive::of_pages("a.warc.gz", pages.iter().map(|(url, html)| (url.as_str(), html.as_str())));
    let extent = source.extents(all(u64::MAX)).unwrap().remove(0);
    let shard = Shard::build(&extent, &source, MINER, &Rules::default()).unwrap();
    assert_eq!(shard.documents.len(), 20, "{:?}", shard.ledger.decisions());
    let rounds = 50;
    let start = cpu_ns();
    for _ in 0..rounds {
        assert_eq!(Shard::decode(&shard.encode(), &Limits::default()).as_ref(), Ok(&shard));
    }
    let each = (cpu_ns() - start) / rounds / 1000;
    println!("encoding and decoding {} bytes took {each} µs of CPU", shard.encode().len());
}

/// CPU time of this thread so far; 0 where the system does not tell.
fn cpu_ns() -> u64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedstat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}
