//! Fills an index of duplicates with generated documents, asks about them, and compares every answer with what it must be:
//! `cargo run --release -p corpus --example dedup -- FOLDER DOCUMENTS [ASKED]`.
//!
//! The folder is new or empty. Batches go in last first, so that the earliest claim is always seen last. Prints CPU time, bytes
//! on disk and the peak of memory; for this it needs Linux.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "files and stdout are the way in and out"
)]

use std::{env, error::Error, fs, path::Path};

use corpus::{
    dedup::{Claim, Clusters, DedupIndex, Item},
    minhash::BANDS,
};
use primitives::Digest;

/// Documents in a batch: the most that a shard has.
const BATCH: u64 = 65_536;
/// Bands, and the place behind them.
const LAST: u64 = BANDS as u64;

/// The document that first had what stands at this place of document `number`, the fingerprint behind the bands: every
/// tenth has a band of an earlier one, and every tenth an earlier one's fingerprint.
fn owner(mut number: u64, place: u64) -> u64 {
    loop {
        number = match number % 10 {
            7 if number % LAST == place => number / 2,
            3 if place == LAST => number / 3,
            _ => return number,
        };
    }
}

fn value(number: u64, place: u64) -> Digest {
    Digest::of_parts("weighhouse example dedup", &[&number.to_le_bytes(), &place.to_le_bytes()])
}

fn claim(number: u64) -> Claim {
    Claim { block: number / 1000, row: number % 1000 }
}

fn item(number: u64) -> Item {
    let mut bands = [0; BANDS];
    for (place, band) in (0..).zip(&mut bands) {
        let bytes = value(owner(number, place), place).0;
        *band = u64::from_le_bytes(*bytes.first_chunk().expect("8 of 32 bytes"));
    }
    let fingerprint = value(owner(number, LAST), LAST);
    Item { claim: claim(number), fingerprint, bands: Some(bands) }
}

/// CPU seconds of the first thread. Source: Linux, `Documentation/scheduler/sched-stats.rst`.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}

fn bytes_of(folder: &Path) -> Result<u64, Box<dyn Error>> {
    fs::read_dir(folder)?.try_fold(0, |sum, entry| Ok(sum + entry?.metadata()?.len()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "expected FOLDER DOCUMENTS [ASKED]";
    let folder = env::args().nth(1).ok_or(usage)?;
    let documents: u64 = env::args().nth(2).ok_or(usage)?.parse()?;
    let asked: u64 = env::args().nth(3).map_or(Ok(documents), |asked| asked.parse())?;
    let mut index = DedupIndex::open(Path::new(&folder))?;
    let batches: Vec<u64> = (0..documents).step_by(usize::try_from(BATCH)?).collect();
    let made = |first: u64| (first..documents.min(first + BATCH)).map(item).collect::<Vec<Item>>();
    let mut seconds = 0.0;
    for first in batches.iter().rev() {
        let items = made(*first);
        let start = cpu_seconds()?;
        index.insert(&items)?;
        seconds += cpu_seconds()? - start;
    }
    let bytes = bytes_of(Path::new(&folder))?;
    println!("{documents} documents in {seconds:.1} CPU s: {} keys, {bytes} bytes", index.keys());
    let (mut seconds, mut clusters, mut found, mut count) = (0.0, Clusters::default(), 0u64, 0u64);
    for first in batches.iter().take(usize::try_from(asked.div_ceil(BATCH))?) {
        let items = made(*first);
        let start = cpu_seconds()?;
        let matches = index.earlier(&items)?;
        seconds += cpu_seconds()? - start;
        for (number, (item, matches)) in (*first..).zip(items.iter().zip(matches)) {
            let mut expected: Vec<u64> = (0..=LAST).map(|place| owner(number, place)).collect();
            expected.retain(|owner| *owner != number);
            if matches.iter().map(|found| found.claim).ne(expected.iter().map(|owner| claim(*owner))) {
                return Err(format!("document {number}: {matches:?}, expected {expected:?}").into());
            }
            found += u64::from(!matches.is_empty());
            count += 1;
            for earlier in matches {
                clusters.join(item.claim, earlier.claim)?;
            }
        }
    }
    println!("asked about {count} in {seconds:.1} CPU s: {found} have an earlier one, as they must");
    println!("{} documents in clusters", clusters.len());
    let start = cpu_seconds()?;
    index.check()?;
    println!("all blocks compared with their digests in {:.1} CPU s", cpu_seconds()? - start);
    let status = fs::read_to_string("/proc/self/status")?;
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    Ok(())
}
