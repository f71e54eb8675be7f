//! Web pages in whole subnets: three honest recipes among every attack, each found at its step by three validators.

use std::{path::Path, sync::Arc};

use corpus::{Archives, Cut, Extent, Shard, Source as _};
use mechanisms::{
    Strategy, Work,
    dataset::{
        Job, Terms,
        attacks::{Copycat, FALSIFIERS, Falsifier, INJECTED, Relay, Silent},
        miner::{HONEST, OWN_RECIPES},
    },
};
use primitives::{Hotkey, Seed};
use rayon::prelude::*;
use sim::{Faults, InMemory, MinerLine, MinerPlan, Scenario, World};

/// Seeds that are run by default, some seconds, and for the full count, some minutes.
const DEFAULT_SEEDS: u64 = 2;
const FULL_SEEDS: u64 = 100;
/// Stored bytes of one task: some fifteen pages that are kept.
const TASK_BYTES: u64 = 800_000;
/// Pages that the pinned recipe keeps of a task, at least: of fewer there may be nothing to swap or to leave out.
const KEPT_MIN: usize = 4;
/// Tasks of a round: as many as are wanted, and some to spare.
const TASKS: usize = 20;

/// A strategy that takes on one task, whatever its appetite.
struct One(Arc<dyn Strategy>);

impl Strategy for One {
    fn id(&self) -> &'static str {
        self.0.id()
    }

    fn about(&self) -> &'static str {
        self.0.about()
    }

    fn is_honest(&self) -> bool {
        self.0.is_honest()
    }

    fn appetite(&self, planned: usize) -> usize {
        self.0.appetite(planned).min(1)
    }

    fn make(&self, work: &Work<'_>) -> Option<Vec<u8>> {
        self.0.make(work)
    }

    fn rework(&self, hotkey: Hotkey, published: &[u8]) -> Option<Vec<u8>> {
        self.0.rework(hotkey, published)
    }

    fn is_copier(&self) -> bool {
        self.0.is_copier()
    }
}

/// The honest, then the attacks.
fn strategies() -> Vec<Arc<dyn Strategy>> {
    let honest: [Arc<dyn Strategy>; 3] =
        [Arc::new(HONEST[0]), Arc::new(OWN_RECIPES[0]), Arc::new(OWN_RECIPES[1])];
    // Injected sentences say that the pinned recipe made them: in so few pages those of another one pass now and then.
    let own =
        |attack: &Falsifier| if attack.id() == INJECTED.id() { attack.claiming(false) } else { *attack };
    let falsifiers = FALSIFIERS.iter().map(|attack| Arc::new(own(attack)) as Arc<dyn Strategy>);
    let others: [Arc<dyn Strategy>; 3] = [Arc::new(Copycat), Arc::new(Relay), Arc::new(Silent)];
    honest.into_iter().chain(falsifiers).chain(others).map(|strategy| Arc::new(One(strategy)) as _).collect()
}

/// How many pages the pinned recipe keeps of a task.
fn kept(extent: &Extent, source: &Archives) -> usize {
    let rules = Terms::plain().rules(source).expect("nothing is excluded");
    let shard = Shard::build(extent, source, Hotkey::from_bytes([0; 32]), &rules);
    shard.expect("a readable task").documents.len()
}

/// The subnet of a seed: its tasks are those of its round in the archive. Nothing gets lost, so that everybody is judged.
fn scenario(seed: u64, source: &Archives, extents: &[Extent]) -> Scenario {
    let first = usize::try_from(seed).expect("a small seed") * TASKS;
    let extents = (first..first + TASKS).map(|at| extents[at % extents.len()].clone()).collect();
    let terms = Terms { open: true, ..Terms::plain() };
    let job = Job { extents, tasks_per_round: u32::MAX, terms };
    let plain = Scenario::dataset(Seed::from_number(seed), Arc::new(source.clone()), Vec::new(), 1);
    let plan = |strategy| MinerPlan { strategy, joins_in_epoch: 0 };
    Scenario {
        miners: strategies().into_iter().map(plan).collect(),
        epochs: 2,
        faults: Faults::none(),
        jobs: vec![Arc::new(job.encode())],
        ..plain
    }
}

/// Whether an attack ended as its step says.
fn is_found(line: &MinerLine) -> bool {
    let found = |rules: &[&str]| rules.iter().any(|rule| line.reason.starts_with(rule));
    let names_record = line.reason.contains(" at dev.warc.gz@");
    match line.strategy.as_str() {
        "limit-and-run" => names_record && found(&["step 0: ledger has a row for every record"]),
        "padding" => names_record && found(&["step 0: tokens are counted"]),
        "one-row" | "made-up-ids" => names_record && found(&["step 1: a row is exactly one record"]),
        "false-drops" => names_record && found(&["step 1: decision is the recipe's"]),
        "made-up" => {
            names_record && found(&["step 1: decision is the recipe's", "step 1: address, name and date"])
        }
        "swapped" | "shuffled" => {
            let rules = ["step 1: texts stand in their pages in order", "step 1: decision is the recipe's"];
            names_record && found(&rules)
        }
        "fat-lie" | "injected" => names_record && found(&["step 1: text is the recipe's"]),
        // What it has copied may be another attacker's.
        "copycat" => found(&["nothing new: all ", "step 0", "step 1"]),
        "relay" => found(&["step 0: shard belongs to its miner"]),
        "silent" => found(&["nothing committed"]),
        other => panic!("attack {other} has no expectation here"),
    }
}

#[test]
fn each_attack_is_found_at_its_step_and_no_honest_recipe_is_faulted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/wcxb/dev.warc.gz");
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    let source = Archives::open(&path).expect("an archive");
    let extents = source.extents(Cut { entries_max: u32::MAX, bytes_max: TASK_BYTES }).expect("readable");
    let extents: Vec<Extent> =
        extents.into_par_iter().filter(|extent| kept(extent, &source) >= KEPT_MIN).collect();
    assert!(extents.len() >= 2 * TASKS, "{} tasks", extents.len());
    let seeds = crate::seeds(DEFAULT_SEEDS, FULL_SEEDS);
    let wrong: Vec<String> = seeds
        .clone()
        .into_par_iter()
        .flat_map_iter(|seed| {
            let mut world = World::new(scenario(seed, &source, &extents), &InMemory).expect("a world");
            let report = world.run_epoch().expect("an epoch").clone();
            let wrong = report.miners.into_iter().filter(|line| {
                let is_right = if line.honest {
                    line.score > Some(0.0)
                } else {
                    line.score == Some(0.0) && is_found(line)
                };
                !is_right
            });
            wrong.map(move |line| format!("seed {seed}: {line:?}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{} lines are wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("seeds {seeds:?}: all attacks found by step and rule, no honest miner faulted");
}
