//! Miners that try to be paid without the work. Each must end at zero, with its reason.

use corpus::{
    Decision, LedgerRow, RECIPE, Reason,
    document::fingerprint,
    shard::{DocumentRow, Header, Shard},
    tokens,
};
use primitives::{Hotkey, Stream};

use super::{Task, miner::build, params};
use crate::{Strategy, Work};

/// Tasks that an attacker claims: as greedy as a good miner.
const TASKS: usize = 3;
/// Words of a made-up document.
const MADE_UP_WORDS: usize = 120;

/// The attacks of this mechanism.
#[must_use]
pub fn all() -> [&'static dyn Strategy; 5] {
    [&PartOnly, &MadeUp, &Copycat, &Silent, &FalseDrops]
}

/// Processes the first third of each task and leaves the rest out of its ledger.
pub struct PartOnly;

impl Strategy for PartOnly {
    fn id(&self) -> &'static str {
        "part-only"
    }

    fn about(&self) -> &'static str {
        "processes the first third of each task and leaves the rest out"
    }

    fn is_honest(&self) -> bool {
        false
    }

    fn appetite(&self, planned: usize) -> usize {
        TASKS.min(planned)
    }

    fn make(&self, work: &Work<'_>) -> Option<Vec<u8>> {
        let (task, mut shard) = build(work)?;
        let keep = task.slice.entries().len().div_ceil(3).min(task.slice.entries().len().saturating_sub(1));
        shard.ledger.rows.truncate(keep);
        let end = task.slice.span().first as usize + keep;
        shard.documents.retain(|row| (row.entry as usize) < end);
        Some(shard.encode())
    }
}

/// Tiles the task, but calls two entries in three dropped without having read them.
pub struct FalseDrops;

impl Strategy for FalseDrops {
    fn id(&self) -> &'static str {
        "false-drops"
    }

    fn about(&self) -> &'static str {
        "reads one entry in three and writes the others off as empty"
    }

    fn is_honest(&self) -> bool {
        false
    }

    fn appetite(&self, planned: usize) -> usize {
        TASKS.min(planned)
    }

    fn make(&self, work: &Work<'_>) -> Option<Vec<u8>> {
        let (task, mut shard) = build(work)?;
        let first = task.slice.span().first as usize;
        for (at, row) in shard.ledger.rows.iter_mut().enumerate() {
            if at % 3 != 0 || matches!(row.decision, Decision::Dropped(Reason::DuplicateOf { .. })) {
                row.decision = Decision::Dropped(Reason::Empty);
            }
        }
        shard.documents.retain(|row| (row.entry as usize - first).is_multiple_of(3));
        Some(shard.encode())
    }
}

/// Invents a text for every entry.
pub struct MadeUp;

impl Strategy for MadeUp {
    fn id(&self) -> &'static str {
        "made-up"
    }

    fn about(&self) -> &'static str {
        "invents a plausible text for every entry instead of reading it"
    }

    fn is_honest(&self) -> bool {
        false
    }

    fn appetite(&self, planned: usize) -> usize {
        TASKS.min(planned)
    }

    fn make(&self, work: &Work<'_>) -> Option<Vec<u8>> {
        let task: Task = serde_json::from_slice(work.task).ok()?;
        let mut words = work.seed.stream("made-up words", 0);
        let mut shard = Shard {
            header: Header { recipe: RECIPE, task: task.slice.digest(), miner: work.hotkey },
            ledger: corpus::Ledger::default(),
            documents: Vec::new(),
        };
        for (entry, source) in task.slice.numbered() {
            let text = invent(&mut words);
            shard.ledger.rows.push(LedgerRow {
                path: source.path.clone(),
                length_bytes: source.length_bytes,
                digest: source.digest,
                decision: Decision::Kept,
            });
            let (tokens, fingerprint) = (tokens::count(&text), fingerprint(&text));
            shard.documents.push(DocumentRow { entry, text, tokens, fingerprint });
        }
        Some(shard.encode())
    }
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

/// Sentences of common words: they pass the recipe's quality rules.
fn invent(words: &mut Stream) -> String {
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
