//! How good and how fast main text is: word F1 against a benchmark's golds, and pages per second of this thread's CPU.
//!
//! `cargo run --release -p corpus --example score -- ARCHIVE GOLDS`, where `GOLDS` is a gzipped file of JSON lines with
//! `id`, `page_type` and `main_content` for each page in turn. The third of the pages that no weight was trained or tuned
//! on is told apart: those for which the first 32 bits of SHA-256 of the `id` are a multiple of three.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "an example is an edge")]

use std::{collections::BTreeMap, io::Read};

use corpus::{Page, RecordKind, archive, extract};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let bytes = std::fs::read(arguments.next().expect("an archive's path")).expect("an archive");
    let packed = std::fs::read(arguments.next().expect("a path of golds")).expect("golds");
    let mut golds = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut golds).expect("gzipped text");
    let (mut at, mut golds, mut spent_ns) = (0, golds.lines(), 0);
    let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    while at < bytes.len() {
        let step = archive::step(&bytes[at..]).expect("a record");
        if let archive::Content::Record(record) = &step.content
            && record.kind == RecordKind::Response
        {
            let page = Page::of_record(record).expect("a page");
            let gold: Value =
                serde_json::from_str(golds.next().expect("a gold for each page")).expect("JSON");
            let text = |key: &str| gold[key].as_str().unwrap_or_default();
            let start_ns = cpu_ns();
            let found = extract::main_text(&page).unwrap_or_default();
            spent_ns += cpu_ns() - start_ns;
            let f1 = f1(&found, text("main_content"));
            let digest = Sha256::digest(text("id").as_bytes());
            let is_held_out =
                u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]).is_multiple_of(3);
            let half = if is_held_out { "held out" } else { "trained on" };
            let kind = text("page_type");
            for group in ["all".into(), half.into(), kind.into(), format!("{kind}, {half}")] {
                groups.entry(group).or_default().push(f1);
            }
        }
        at += usize::try_from(step.length_bytes).expect("it lies in memory");
    }
    for (group, values) in &groups {
        println!(
            "{:.4} of {:4} pages: {group}",
            values.iter().sum::<f64>() / values.len() as f64,
            values.len()
        );
    }
    println!("{:.0} pages per second of CPU", groups["all"].len() as f64 / (spent_ns as f64 / 1e9));
}

fn words(text: &str) -> BTreeMap<String, u64> {
    let mut words = BTreeMap::new();
    let is_mark = |c: char| !(c.is_alphanumeric() || c == '_');
    for word in text.to_lowercase().split(is_mark).filter(|word| !word.is_empty()) {
        *words.entry(word.to_owned()).or_default() += 1;
    }
    words
}

/// The benchmark's measure: over the words of both, however often each occurs.
fn f1(found: &str, gold: &str) -> f64 {
    let (found, gold) = (words(found), words(gold));
    if found.is_empty() || gold.is_empty() {
        return f64::from(found.is_empty() && gold.is_empty());
    }
    let total = |words: &BTreeMap<String, u64>| words.values().sum::<u64>() as f64;
    let both: u64 =
        found.iter().map(|(word, count)| gold.get(word).map_or(0, |other| *other.min(count))).sum();
    2.0 * both as f64 / (total(&found) + total(&gold))
}

/// CPU time of this thread so far; 0 where the system does not tell.
fn cpu_ns() -> u64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedstat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}
