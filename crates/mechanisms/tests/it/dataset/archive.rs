//! Real pages: a web archive cut into tasks, honest variants of three recipes, and each attack at the step that finds it.

use std::{path::Path, sync::Arc};

use corpus::{Archives, Cut, Extent, Source};
use mechanisms::{
    CaseResult, Certificate, ErasedMechanism, Inputs, Outcome, Strategy, Work,
    dataset::{
        Dataset, Examined, Job, Terms,
        attacks::{FALSIFIERS, Falsifier},
        miner::{HONEST, OWN_RECIPES},
    },
    examine_with,
};
use primitives::Seed;

use super::{planned, shard_of};
use crate::arena::{Answer, case, key, round};

/// Stored bytes of one task: the archive makes 17 of them, with some ninety pages each.
const TASK_BYTES: u64 = 4_000_000;
/// Tasks and audit seeds by default; `WEIGH_FULL=1` takes all tasks and 100 seeds.
const DEFAULT_TASKS: usize = 2;
const DEFAULT_SEEDS: u64 = 3;

#[expect(clippy::disallowed_methods, reason = "the full count is asked for by the environment")]
fn is_full() -> bool {
    std::env::var("WEIGH_FULL").is_ok_and(|value| value == "1")
}

/// The archive and its tasks; none where the data is not there.
fn pages() -> Option<(Archives, Vec<Extent>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/wcxb/dev.warc.gz");
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    let source = Archives::open(&path).expect("an archive");
    let extents = source.extents(Cut { entries_max: u32::MAX, bytes_max: TASK_BYTES }).expect("readable");
    Some((source, extents))
}

/// One miner's shard of a task under these terms, and the means to examine it under any audit seed.
struct Bench<'a> {
    source: &'a dyn Source,
    task: Vec<u8>,
    round: mechanisms::Round,
    answer: Answer,
}

impl<'a> Bench<'a> {
    fn new(source: &'a dyn Source, extent: &Extent, terms: Terms, strategy: &dyn Strategy) -> Self {
        let mut round = round(0, 1, &[1]);
        let job = Job { extents: vec![extent.clone()], tasks_per_round: 1, terms };
        round.jobs = vec![Arc::new(job.encode())];
        let task = planned(&round).remove(0).bytes;
        let work = Work { hotkey: key(1), round: 0, task: &task, source, seed: Seed::from_number(1) };
        let bytes = strategy.make(&work).expect("a shard");
        let root = shard_of(&bytes).root();
        Self { source, task, round, answer: Answer::to(0, 1, bytes).committed(20, root) }
    }

    fn examined(&self, seed: u64) -> CaseResult<String> {
        let mut case = case(&Dataset, &self.round, &self.task, &self.answer);
        case.audit_seed = Seed::from_number(seed);
        let bytes = self.answer.bytes.clone().expect("shown");
        let examine = |case: &_, inputs: &Inputs| ErasedMechanism::examine(&Dataset, case, inputs).ok();
        examine_with(&Dataset, &case, Inputs::of(Arc::new(bytes)), self.source, examine)
    }

    fn fault(&self, seed: u64) -> Certificate {
        match self.examined(seed).outcome {
            Outcome::Invalid(proof) => proof,
            other => panic!("expected a proven fault, found {other:?}"),
        }
    }

    fn passed(&self, seed: u64) -> Examined {
        let result = self.examined(seed);
        let found = result.examined.unwrap_or_else(|| panic!("expected a finding, found {:?}", result.outcome));
        serde_json::from_str(&found).expect("own finding")
    }
}

fn open() -> Terms {
    Terms { open: true, ..Terms::plain() }
}

#[test]
fn three_honest_variants_are_never_faulted() {
    let Some((source, extents)) = pages() else { return };
    assert!(extents.len() >= 16, "{} tasks", extents.len());
    let (tasks, seeds) = if is_full() { (extents.len(), 100) } else { (DEFAULT_TASKS, DEFAULT_SEEDS) };
    let honest: [&dyn Strategy; 3] = [&HONEST[0], &OWN_RECIPES[0], &OWN_RECIPES[1]];
    for (at, extent) in extents.iter().enumerate().take(tasks) {
        for strategy in honest {
            let bench = Bench::new(&source, extent, open(), strategy);
            // All seeds over all tasks together.
            for seed in (0..seeds).filter(|seed| !is_full() || *seed as usize % tasks == at) {
                let found = bench.passed(seed);
                assert!(found.sampled_kept >= 48 && found.sampled_dropped >= 16, "{found:?}");
                println!("task {at} seed {seed} {}: aligned {:?}", found.recipe, found.aligned_permille);
            }
        }
    }
}

/// Where and by which rules an attack may be found.
fn expected(attack: &Falsifier, own_recipe: bool) -> (u8, &'static [&'static str]) {
    match (attack.id(), own_recipe) {
        ("limit-and-run", _) => (0, &["ledger has a row for every record"]),
        ("padding", _) => (0, &["tokens are counted"]),
        ("one-row", _) | ("made-up-ids", _) => (1, &["a row is exactly one record"]),
        ("false-drops", _) => (1, &["decision is the recipe's"]),
        ("made-up", _) => {
            (1, &["decision is the recipe's", "address, name and date are the record's", "text is the recipe's"])
        }
        ("swapped" | "shuffled" | "injected", false) => (1, &["text is the recipe's"]),
        ("swapped" | "shuffled", true) => (1, &["texts stand in their pages"]),
        ("injected", true) => (1, &["texts stand in their pages in order"]),
        (other, _) => panic!("attack {other} has no expectation here"),
    }
}

#[test]
fn each_attack_is_found_at_its_step_with_record_and_rule() {
    let Some((source, extents)) = pages() else { return };
    let seeds = if is_full() { 100 } else { DEFAULT_SEEDS };
    for (at, attack) in FALSIFIERS.iter().enumerate() {
        for own_recipe in [false, true] {
            let attack = attack.claiming(own_recipe);
            if own_recipe && !matches!(attack.id(), "swapped" | "shuffled" | "injected") {
                continue;
            }
            let extent = &extents[(at * 2 + usize::from(own_recipe)) % extents.len()];
            let bench = Bench::new(&source, extent, open(), &attack);
            let (step, rules) = expected(&attack, own_recipe);
            for seed in 0..seeds {
                let proof = bench.fault(seed);
                let context = format!("{}, own recipe {own_recipe}, seed {seed}: {proof}", attack.id());
                assert!(proof.step == step && rules.contains(&proof.rule.as_str()), "{context}");
                assert!(proof.record.as_ref().is_some_and(|record| record.starts_with("dev.warc.gz@")), "{context}");
                if seed == 0 {
                    println!("{context}");
                }
            }
        }
    }
}
