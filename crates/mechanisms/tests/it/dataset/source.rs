//! Files as a registry has them: prose, lists, code, copies, stubs and bytes that are no text.

use corpus::Memory;
use primitives::{Seed, Stream};

const SUBJECTS: [&str; 12] = [
    "the parser",
    "this crate",
    "a caller",
    "the weighhouse",
    "every request",
    "the scale",
    "a merchant",
    "the manifest",
    "each miner",
    "the town council",
    "an auditor",
    "the river trade",
];
const VERBS: [&str; 12] = [
    "keeps",
    "measures",
    "returns",
    "compares",
    "refuses",
    "records",
    "balances",
    "carries",
    "opens",
    "signs",
    "sorts",
    "remembers",
];
const OBJECTS: [&str; 14] = [
    "the weight of the goods",
    "a list of errors",
    "bytes that have no owner",
    "the price of grain",
    "the state of the ledger",
    "a copy of the contract",
    "what was promised",
    "its own configuration",
    "the last good answer",
    "every barrel and crate",
    "a stream of tokens",
    "the names of witnesses",
    "the length of the rope",
    "several small weights",
];
const TAILS: [&str; 10] = [
    "with great care",
    "and then stops",
    "to be safe",
    "before noon",
    "when it is asked to",
    "that the law demands",
    "in the order of arrival",
    "without waiting",
    "as they have always done",
    "for a small fee",
];

/// `files` generated files, the same for the same seed.
pub(crate) fn library(seed: u64, files: usize) -> Memory {
    let mut stream = Seed::from_number(seed).stream("library", 0);
    let mut made: Vec<(String, Vec<u8>)> = Vec::with_capacity(files);
    for at in 0..files {
        // The first files of every source are prose, so that there is something to copy and to be paid for.
        let kind = if at < 3 { 9 } else { stream.below(16) };
        let (name, bytes) = match kind {
            0 => ("NOTES.txt", b"see the other file".to_vec()),
            1 => ("BADGES.md", b"[![build](https://ci.example/b.svg)](https://ci.example)\n".to_vec()),
            2 => ("LATIN.txt", [sentences(&mut stream, 20).as_bytes(), b" caf\xe9 \xff"].concat()),
            3 => ("TABLE.txt", "4711 0815 3.14 ".repeat(40).into_bytes()),
            4 | 5 => {
                let (_, earlier) = &made[stream.index(at)];
                ("COPY.txt", earlier.clone())
            }
            6 => ("SHOUT.md", sentences_of(&made[stream.index(at)].1)),
            7 | 8 => ("CHANGELOG.md", changelog(&mut stream).into_bytes()),
            _ => ("README.md", readme(&mut stream, at).into_bytes()),
        };
        made.push((format!("crate-{at:03}/{name}"), bytes));
    }
    Memory::new(made).expect("plain paths")
}

/// A cosmetic variant: the same words, some with a capital, with other marks between them.
fn sentences_of(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).replace(" s", " S").replace(". ", " ; ").into_bytes()
}

fn sentences(stream: &mut Stream, count: usize) -> String {
    let mut text = String::new();
    for _ in 0..count {
        let mut pick = |words: &[&'static str]| words[stream.index(words.len())];
        let sentence = [pick(&SUBJECTS), pick(&VERBS), pick(&OBJECTS), pick(&TAILS)].join(" ");
        text.push_str(&sentence);
        text.push_str(". ");
    }
    text
}

fn readme(stream: &mut Stream, at: usize) -> String {
    let (first, second) = (6 + stream.index(8), 4 + stream.index(20));
    let (intro, body) = (sentences(stream, first), sentences(stream, second));
    format!(
        "# crate {at}\n\n[![build](b.svg)](https://ci.example)\n\n{intro}\n\n## Use\n\n```rust\nfn main() {{ weigh({at}); }}\n```\n\n{body}\n\n- *quick* and `small`\n- tested\n"
    )
}

fn changelog(stream: &mut Stream) -> String {
    let mut text = String::from("# Changes\n");
    for release in (1..4 + stream.below(4)).rev() {
        text.push_str(&format!("\n## 0.{release}.0\n\n{}\n\n", sentences(stream, 4)));
        for _ in 0..3 {
            text.push_str(&format!("* {}\n", sentences(stream, 1)));
        }
    }
    text
}
