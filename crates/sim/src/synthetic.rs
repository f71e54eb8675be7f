//! Made-up texts for simulations that need many small worlds.

use corpus::Memory;
use primitives::{Seed, Stream};

/// Words that fill the texts; common ones, so that the recipe's quality rules keep most of them.
const WORDS: [&str; 40] = [
    "the", "be", "to", "of", "and", "that", "have", "with", "river", "stone", "market", "scale", "merchant",
    "grain", "weight", "measure", "harbour", "ledger", "barrel", "honest", "morning", "winter", "bridge",
    "timber", "copper", "carries", "brings", "weighs", "counts", "writes", "before", "after", "under",
    "above", "town", "house", "small", "heavy", "old", "new",
];
/// Words of a text: above the recipe's least, small enough for thousands of worlds.
const TEXT_WORDS: (u64, u64) = (60, 120);
/// One file in so many repeats an earlier one, is empty, or is not text.
const ODD_ONE_IN: u64 = 9;

/// `files` files of made-up text, some of them duplicates, empty or not text at all.
///
/// # Panics
/// Never: the paths are plain and distinct.
#[must_use]
pub fn texts(seed: &Seed, files: usize) -> Memory {
    let mut stream = seed.stream("synthetic texts", 0);
    let mut entries: Vec<(String, Vec<u8>)> = Vec::with_capacity(files);
    for at in 0..files {
        let odd = if at > 0 && stream.below(ODD_ONE_IN) == 0 { stream.below(3) + 1 } else { 0 };
        let bytes = match odd {
            1 => entries[stream.index(at)].1.clone(),
            2 => Vec::new(),
            3 => vec![0xff, 0xfe, 0x00, 0x41],
            _ => text(&mut stream).into_bytes(),
        };
        entries.push((format!("text/{at:05}.md"), bytes));
    }
    Memory::new(entries).expect("numbered paths are plain and distinct")
}

fn text(stream: &mut Stream) -> String {
    let words = TEXT_WORDS.0 + stream.below(TEXT_WORDS.1 - TEXT_WORDS.0);
    let mut text = String::from("# On weighing\n\n");
    for at in 0..words {
        text.push_str(WORDS[stream.index(WORDS.len())]);
        text.push_str(if at % 11 == 10 { ".\n" } else { " " });
    }
    text
}
