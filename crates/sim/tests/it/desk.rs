//! What miners lease at the owner's desk.

use std::sync::Arc;

use corpus::{Cut, Source as _};
use mechanisms::{Strategy, Work, dataset::miner::Honest};
use neuron::{Miner, MinerFact};
use primitives::{Digest, Seed};
use sim::{InMemory, MinerPlan, Party, Scenario, World};
use store::EventNumber;

/// Honest, with a source that lacks what half of the tasks are made of.
struct Lacking(Honest);

impl Strategy for Lacking {
    fn id(&self) -> &'static str {
        "lacking"
    }

    fn about(&self) -> &'static str {
        "can't read half of the source"
    }

    fn is_honest(&self) -> bool {
        true
    }

    fn appetite(&self, planned: usize) -> usize {
        self.0.appetite(planned)
    }

    fn make(&self, work: &Work<'_>) -> Option<Vec<u8>> {
        Digest::of(work.task).0[0].is_multiple_of(2).then(|| self.0.make(work))?
    }
}

/// How many answers each miner committed to, round by round, where they ask for so many of 24 tasks.
fn announced(appetites: &[usize]) -> Vec<Vec<usize>> {
    let seed = Seed::from_number(3);
    let source = Arc::new(sim::texts(&seed, 24));
    let extents = source.extents(Cut { entries_max: 1, bytes_max: u64::MAX }).expect("texts in memory");
    let mut scenario = Scenario::dataset(seed, source, extents, 24);
    let lacking = |tasks: &usize| {
        let strategy = Arc::new(Lacking(Honest { id: "honest", tasks: *tasks }));
        MinerPlan { strategy, joins_in_epoch: 0 }
    };
    scenario.miners = appetites.iter().map(lacking).collect();
    let mut world = World::new(scenario, &InMemory).expect("a world");
    for _ in 0..3 {
        world.run_epoch().expect("an epoch");
    }
    let of = |miner: usize| -> Vec<usize> {
        let log = Miner::log(&world.identity(Party::Miner(miner)));
        let store = &world.keeping(Party::Miner(miner)).store;
        let events = store.read(&log, EventNumber::START, 1_000).expect("readable");
        let lines = events.iter().filter_map(|event| match event.body.read().expect("an event is a fact") {
            MinerFact::Announced { lines, .. } => Some(lines.len()),
            _ => None,
        });
        lines.collect()
    };
    (0..appetites.len()).map(of).collect()
}

#[test]
fn a_miner_leases_another_task_for_each_that_comes_to_nothing() {
    assert_eq!(announced(&[3, 1]), vec![vec![3; 3], vec![1; 3]]);
    // Who wants more than can be made commits to what there was.
    let all = &announced(&[20])[0];
    assert!(all.len() == 3 && all.iter().all(|lines| (8..17).contains(lines)), "{all:?}");
}
