//! Miners that try to be paid without the work. Each must end at zero, with its reason.

use corpus::{
    Decision, DocumentRow, Extent, Ledger, LedgerRow, Reason, Recipe, RecordKind, Rules, Shard,
    document::TEXT_MAX_BYTES,
};
use primitives::{Digest, Hotkey, Stream};

use super::{Task, miner::build, params};
use crate::{Strategy, Work};

/// Tasks that an attacker claims: as greedy as a good miner.
const TASKS: usize = 3;
/// Words of a made-up document.
const MADE_UP_WORDS: usize = 120;
/// Stored bytes that a made-up record claims: about what a page takes.
const MADE_UP_RECORD_BYTES: u64 = 20_000;
/// Longest text that a fat lie invents: as long as one is taken, less a page.
const FAT_LIE_MAX_BYTES: usize = TEXT_MAX_BYTES - 4096;
/// One sentence is put behind so many lines or sentences of the page.
const INJECT_EVERY: usize = 10;

/// What an attacker turns an honest shard into.
type Falsify = fn(&Ground, &mut Shard, &mut Stream);

/// What an attacker knows of its task.
struct Ground {
    task: Task,
    rules: Rules,
}

/// An attack that works on what the honest recipe gives.
#[derive(Clone, Copy)]
pub struct Falsifier {
    id: &'static str,
    about: &'static str,
    falsify: Falsify,
    /// Whether it says that a recipe of its own made its texts.
    claims_own_recipe: bool,
}

/// Processes the first third of each task and leaves the rest out of its ledger.
pub const LIMIT_AND_RUN: Falsifier = Falsifier {
    id: "limit-and-run",
    about: "processes the first third of each task and leaves the rest out",
    falsify: limit_and_run,
    claims_own_recipe: false,
};
/// Tiles the task, but calls two pages in three empty without having read them.
pub const FALSE_DROPS: Falsifier = Falsifier {
    id: "false-drops",
    about: "reads one page in three and writes the others off as empty",
    falsify: false_drops,
    claims_own_recipe: false,
};
/// Delivers one document and writes the rest off in a single row.
pub const ONE_ROW: Falsifier = Falsifier {
    id: "one-row",
    about: "delivers one document and writes the rest of the task off",
    falsify: one_row,
    claims_own_recipe: false,
};
/// Invents a text for every record.
pub const MADE_UP: Falsifier = Falsifier {
    id: "made-up",
    about: "invents a plausible text for every record instead of reading it",
    falsify: made_up,
    claims_own_recipe: false,
};
/// Invents one text as long as all others together and leaves those as they are.
pub const FAT_LIE: Falsifier = Falsifier {
    id: "fat-lie",
    about: "invents one text as long as all its others together",
    falsify: fat_lie,
    claims_own_recipe: false,
};
/// Invents records as well as their texts.
pub const MADE_UP_IDS: Falsifier = Falsifier {
    id: "made-up-ids",
    about: "invents the records that its texts are said to come from",
    falsify: made_up_ids,
    claims_own_recipe: false,
};
/// Gives each record another one's text.
pub const SWAPPED: Falsifier = Falsifier {
    id: "swapped",
    about: "gives each record another one's text",
    falsify: swap,
    claims_own_recipe: true,
};
/// Shuffles the words of each text.
pub const SHUFFLED: Falsifier = Falsifier {
    id: "shuffled",
    about: "shuffles the words of each text",
    falsify: shuffle,
    claims_own_recipe: true,
};
/// Puts a sentence of its own behind every tenth of the page's.
pub const INJECTED: Falsifier = Falsifier {
    id: "injected",
    about: "puts a sentence of its own behind every tenth of the page's",
    falsify: inject,
    claims_own_recipe: true,
};
/// Blows texts up with blank lines and counts them.
pub const PADDING: Falsifier = Falsifier {
    id: "padding",
    about: "blows texts up with blank lines and counts those as tokens",
    falsify: pad,
    claims_own_recipe: false,
};

/// Those that work on an honest shard.
pub const FALSIFIERS: [Falsifier; 10] = [
    LIMIT_AND_RUN,
    FALSE_DROPS,
    ONE_ROW,
    MADE_UP,
    FAT_LIE,
    MADE_UP_IDS,
    SWAPPED,
    SHUFFLED,
    INJECTED,
    PADDING,
];

/// The attacks of this mechanism.
#[must_use]
pub fn all() -> Vec<&'static dyn Strategy> {
    let falsifiers = FALSIFIERS.iter().map(|attack| attack as &dyn Strategy);
    falsifiers.chain([&Copycat as &dyn Strategy, &Relay, &Silent]).collect()
}

impl Falsifier {
    /// The same attack, under the pinned recipe's name or under one of its own.
    #[must_use]
    pub const fn claiming(self, own_recipe: bool) -> Self {
        Self { claims_own_recipe: own_recipe, ..self }
    }
}

impl Strategy for Falsifier {
    fn id(&self) -> &'static str {
        self.id
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn is_honest(&self) -> bool {
        false
    }

    fn appetite(&self, planned: usize) -> usize {
        TASKS.min(planned)
    }

    fn make(&self, work: &Work<'_>) -> Option<Vec<u8>> {
        let (task, rules, mut shard) = build(work)?;
        let ground = Ground { task, rules };
        if self.claims_own_recipe && ground.task.terms.open {
            shard.header.recipe = Recipe { id: "own".into(), version: 1 };
        }
        (self.falsify)(&ground, &mut shard, &mut work.seed.stream("falsify", 0));
        Some(shard.encode())
    }
}

fn limit_and_run(_ground: &Ground, shard: &mut Shard, _draws: &mut Stream) {
    let rows = shard.ledger.rows.len();
    let keep = rows.div_ceil(3).min(rows.saturating_sub(1));
    shard.ledger.rows.truncate(keep);
    shard.documents.retain(|row| (row.record as usize) < keep);
}

fn false_drops(_ground: &Ground, shard: &mut Shard, _draws: &mut Stream) {
    let honest = std::mem::take(&mut shard.documents);
    let mut kept = Vec::new();
    for (at, document) in honest.into_iter().enumerate() {
        let row = &mut shard.ledger.rows[document.record as usize];
        if at % 3 == 1 {
            kept.push(document);
        } else {
            row.decision = Decision::Dropped(Reason::Empty);
        }
    }
    shard.documents = kept;
    orphaned_duplicates_are_empty(shard);
}

fn one_row(ground: &Ground, shard: &mut Shard, _draws: &mut Stream) {
    let Some(first) = shard.documents.first().map(|document| document.record as usize) else { return };
    shard.documents.truncate(1);
    match &ground.task.extent {
        Extent::Files(_) => {
            for row in &mut shard.ledger.rows[first + 1..] {
                row.decision = Decision::Dropped(Reason::Empty);
            }
        }
        Extent::Archive(range) => {
            let Some(next) = shard.ledger.rows.get(first + 1).cloned() else { return };
            shard.ledger.rows.truncate(first + 1);
            let length_bytes = range.end_byte() - next.offset_bytes;
            let decision = Decision::Dropped(Reason::Empty);
            shard.ledger.rows.push(LedgerRow { length_bytes, kind: RecordKind::Response, decision, ..next });
        }
    }
}

fn made_up(ground: &Ground, shard: &mut Shard, draws: &mut Stream) {
    shard.documents.clear();
    for (record, row) in (0..).zip(&mut shard.ledger.rows) {
        if matches!(row.kind, RecordKind::File | RecordKind::Response) {
            row.decision = Decision::Kept;
            shard.documents.push(document(record, row, invent(draws), &ground.rules));
        }
    }
}

fn fat_lie(ground: &Ground, shard: &mut Shard, draws: &mut Stream) {
    let bytes: usize = shard.documents.iter().map(|row| row.text.len()).sum();
    let Some(at) = shard.documents.len().checked_sub(1).map(|last| last / 2) else { return };
    let mut text = String::new();
    while text.len() < bytes.min(FAT_LIE_MAX_BYTES) {
        text.push_str(&invent(draws));
        text.push('\n');
    }
    retext(&mut shard.documents[at], text, &ground.rules);
}

fn made_up_ids(ground: &Ground, shard: &mut Shard, draws: &mut Stream) {
    let mut rows = Vec::new();
    match &ground.task.extent {
        Extent::Files(slice) => rows.extend(slice.entries().iter().map(|entry| LedgerRow {
            path: format!("{}.bak", entry.path),
            offset_bytes: 0,
            length_bytes: entry.length_bytes,
            kind: RecordKind::File,
            digest: entry.digest,
            decision: Decision::Kept,
        })),
        Extent::Archive(range) => {
            let mut offset_bytes = range.first_byte;
            while offset_bytes < range.end_byte() {
                let length_bytes = MADE_UP_RECORD_BYTES.min(range.end_byte() - offset_bytes);
                rows.push(LedgerRow {
                    path: range.path.clone(),
                    offset_bytes,
                    length_bytes,
                    kind: RecordKind::Response,
                    digest: Digest::of(&offset_bytes.to_le_bytes()),
                    decision: Decision::Kept,
                });
                offset_bytes += length_bytes;
            }
        }
    }
    shard.documents =
        (0..).zip(&rows).map(|(record, row)| document(record, row, invent(draws), &ground.rules)).collect();
    shard.ledger = Ledger { rows };
}

fn swap(ground: &Ground, shard: &mut Shard, _draws: &mut Stream) {
    let texts: Vec<String> = shard.documents.iter().map(|row| row.text.clone()).collect();
    let count = texts.len().max(1);
    for (at, row) in shard.documents.iter_mut().enumerate() {
        retext(row, texts[(at + 1) % count].clone(), &ground.rules);
    }
}

fn shuffle(ground: &Ground, shard: &mut Shard, draws: &mut Stream) {
    for row in &mut shard.documents {
        let mut words: Vec<&str> = row.text.split_whitespace().collect();
        draws.shuffle(&mut words);
        let text = words.join(" ");
        retext(row, text, &ground.rules);
    }
}

fn inject(ground: &Ground, shard: &mut Shard, draws: &mut Stream) {
    for row in &mut shard.documents {
        let mut text = String::with_capacity(row.text.len() + row.text.len() / 5);
        let mut sentences = 0;
        for piece in row.text.split_inclusive(['.', '\n']) {
            text.push_str(piece);
            sentences += usize::from(piece.trim().len() > 1);
            if sentences == INJECT_EVERY {
                sentences = 0;
                text.push_str(if piece.ends_with('\n') { "" } else { " " });
                text.push_str(&sentence(draws));
                text.push_str(if piece.ends_with('\n') { "\n" } else { "" });
            }
        }
        if sentences > 0 && !text.ends_with('\n') {
            text.push('\n');
            text.push_str(&sentence(draws));
        }
        retext(row, text, &ground.rules);
    }
}

fn pad(ground: &Ground, shard: &mut Shard, _draws: &mut Stream) {
    for row in &mut shard.documents {
        let tokens = row.tokens.saturating_mul(2);
        let text = row.text.replace('\n', "\n\n\n\n");
        retext(row, text, &ground.rules);
        row.tokens = tokens;
    }
}

/// Duplicates of what is no longer kept are called empty too, so that the claims agree with each other.
fn orphaned_duplicates_are_empty(shard: &mut Shard) {
    let kept: Vec<u32> = shard.documents.iter().map(|row| row.record).collect();
    for row in &mut shard.ledger.rows {
        if let Decision::Dropped(Reason::DuplicateOf { row: of }) = row.decision
            && kept.binary_search(&of).is_err()
        {
            row.decision = Decision::Dropped(Reason::Empty);
        }
    }
}

fn document(record: u32, row: &LedgerRow, text: String, rules: &Rules) -> DocumentRow {
    let url = format!("https://pages.example/{}/{record}", row.offset_bytes);
    DocumentRow { url, ..DocumentRow::of_text(record, text, rules) }
}

/// Puts another text into a row, with true labels: a false one would be found without the source.
fn retext(row: &mut DocumentRow, text: String, rules: &Rules) {
    *row = row.clone().with_text(text, rules);
}

/// Waits for another miner's commitment, takes what it published and puts its own name on it.
pub struct Copycat;

impl Strategy for Copycat {
    fn id(&self) -> &'static str {
        "copycat"
    }

    fn about(&self) -> &'static str {
        "puts its own name on what another miner has committed to"
    }

    fn is_honest(&self) -> bool {
        false
    }

    fn appetite(&self, _planned: usize) -> usize {
        0
    }

    fn make(&self, _work: &Work<'_>) -> Option<Vec<u8>> {
        None
    }

    fn rework(&self, hotkey: Hotkey, published: &[u8]) -> Option<Vec<u8>> {
        let mut shard = Shard::decode(published, &params::SHARD_LIMITS).ok()?;
        shard.header.miner = hotkey;
        Some(shard.encode())
    }

    fn is_copier(&self) -> bool {
        true
    }
}

/// Commits to another miner's root as its own, and passes that miner's bytes on. It needs no bytes for the commitment, so
/// that it can be included before the one it copies.
pub struct Relay;

impl Strategy for Relay {
    fn id(&self) -> &'static str {
        "relay"
    }

    fn about(&self) -> &'static str {
        "commits to another miner's root as its own and passes that miner's bytes on"
    }

    fn is_honest(&self) -> bool {
        false
    }

    fn appetite(&self, _planned: usize) -> usize {
        0
    }

    fn make(&self, _work: &Work<'_>) -> Option<Vec<u8>> {
        None
    }

    fn rework(&self, _hotkey: Hotkey, published: &[u8]) -> Option<Vec<u8>> {
        Some(published.to_vec())
    }

    fn is_copier(&self) -> bool {
        true
    }
}

/// Registers and does nothing.
pub struct Silent;

impl Strategy for Silent {
    fn id(&self) -> &'static str {
        "silent"
    }

    fn about(&self) -> &'static str {
        "registers, answers nothing and waits to be paid"
    }

    fn is_honest(&self) -> bool {
        false
    }

    fn appetite(&self, _planned: usize) -> usize {
        0
    }

    fn make(&self, _work: &Work<'_>) -> Option<Vec<u8>> {
        None
    }
}

const COMMON: [&str; 24] = [
    "the",
    "weigh",
    "house",
    "stands",
    "by",
    "market",
    "and",
    "goods",
    "are",
    "brought",
    "to",
    "it",
    "that",
    "with",
    "have",
    "be",
    "of",
    "measured",
    "before",
    "they",
    "paid",
    "merchants",
    "every",
    "day",
];

/// Sentences of common words: they pass the recipe's quality rules.
fn invent(words: &mut Stream) -> String {
    let mut text = String::new();
    for at in 0..MADE_UP_WORDS {
        if at > 0 {
            text.push(if at % 12 == 0 { '\n' } else { ' ' });
        }
        text.push_str(COMMON[words.index(COMMON.len())]);
        if at % 12 == 11 {
            text.push('.');
        }
    }
    text
}

/// One sentence of a dozen common words.
fn sentence(words: &mut Stream) -> String {
    let chosen: Vec<&str> = (0..12).map(|_| COMMON[words.index(COMMON.len())]).collect();
    format!("{}.", chosen.join(" "))
}
