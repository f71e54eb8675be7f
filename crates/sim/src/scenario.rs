//! What is simulated.

use std::sync::Arc;

use corpus::{Cut, Extent, Source};
use mechanisms::{ErasedMechanism, Strategy, dataset};
use primitives::{DurationMs, Seed};

use crate::synthetic;

/// How rough the world is. Chances are per mille.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// A message takes at least this long.
    pub delay_min: DurationMs,
    /// And at most this long.
    pub delay_max: DurationMs,
    /// A message is lost.
    pub drop: u32,
    /// A message arrives twice.
    pub duplicate: u32,
    /// A party crashes in a given block.
    pub crash: u32,
    /// A party crashes between two effects.
    pub crash_between_effects: u32,
    /// The longest time that a crashed party stays away.
    pub downtime_max: DurationMs,
    /// A worker stalls past its lease and answers late.
    pub stall: u32,
}

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            delay_min: DurationMs(20),
            delay_max: DurationMs(200),
            drop: 0,
            duplicate: 0,
            crash: 0,
            crash_between_effects: 0,
            downtime_max: DurationMs(0),
            stall: 0,
        }
    }

    /// Everything goes wrong now and then.
    #[must_use]
    pub const fn rough() -> Self {
        Self {
            delay_min: DurationMs(20),
            delay_max: DurationMs(3000),
            drop: 30,
            duplicate: 30,
            crash: 10,
            crash_between_effects: 3,
            downtime_max: DurationMs(20_000),
            stall: 50,
        }
    }
}

/// A miner of the scenario.
#[derive(Clone)]
pub struct MinerPlan {
    /// How it behaves.
    pub strategy: Arc<dyn Strategy>,
    /// In which epoch of the run it registers; 0 is before the run.
    pub joins_in_epoch: u64,
}

/// A subnet and what befalls it.
#[derive(Clone)]
pub struct Scenario {
    /// Everything random follows from it.
    pub seed: Seed,
    /// How many validators, each with the same stake.
    pub validators: usize,
    /// The miners.
    pub miners: Vec<MinerPlan>,
    /// Slots of the subnet, the owner's included; at least as many as join before the run.
    pub slots: u16,
    /// Epochs to run.
    pub epochs: u64,
    /// Blocks in an epoch.
    pub tempo: u16,
    /// Virtual time between two blocks.
    pub block_time: DurationMs,
    /// What goes wrong.
    pub faults: Faults,
    /// The mechanism.
    pub mechanism: &'static dyn ErasedMechanism,
    /// What its tasks are made of.
    pub source: Arc<dyn Source + Send + Sync>,
    /// The owner's jobs.
    pub jobs: Vec<Arc<Vec<u8>>>,
}

impl Scenario {
    /// A dataset subnet over `source`, without faults, with one miner of each honest diligence and the attacks.
    #[must_use]
    pub fn dataset(
        seed: Seed,
        source: Arc<dyn Source + Send + Sync>,
        extents: Vec<Extent>,
        tasks_per_round: u32,
    ) -> Self {
        let job = dataset::Job { extents, tasks_per_round, terms: dataset::Terms::plain() };
        let honest = dataset::miner::HONEST.into_iter().map(|honest| Arc::new(honest) as Arc<dyn Strategy>);
        let attacks: [Arc<dyn Strategy>; 4] = [
            Arc::new(dataset::attacks::LIMIT_AND_RUN),
            Arc::new(dataset::attacks::MADE_UP),
            Arc::new(dataset::attacks::Copycat),
            Arc::new(dataset::attacks::Silent),
        ];
        let plan = |strategy| MinerPlan { strategy, joins_in_epoch: 0 };
        Self {
            seed,
            validators: 3,
            miners: honest.chain(attacks).map(plan).collect(),
            slots: 64,
            epochs: 3,
            tempo: 20,
            block_time: DurationMs(12_000),
            faults: Faults::none(),
            mechanism: &dataset::Dataset,
            source,
            jobs: vec![Arc::new(job.encode())],
        }
    }

    /// The small subnet of the many-seeds test: 3 validators, 8 miners of which 3 are dishonest, made-up texts,
    /// everything goes wrong now and then.
    #[must_use]
    pub fn storm(number: u64) -> Self {
        let seed = Seed::from_number(number);
        let source = Arc::new(synthetic::texts(&seed, 60));
        // Its miners want 15 tasks together: there is work for everybody.
        let extents = source.extents(Cut { entries_max: 3, bytes_max: u64::MAX }).expect("texts in memory");
        let dataset = Self::dataset(seed, source, extents, 16);
        let mut scenario = Self { faults: Faults::rough(), epochs: 4, ..dataset };
        let honest = |tasks| dataset::miner::Honest { id: "honest", tasks };
        let strategies: [Arc<dyn Strategy>; 8] = [
            Arc::new(honest(3)),
            Arc::new(honest(2)),
            Arc::new(honest(2)),
            Arc::new(honest(1)),
            Arc::new(honest(1)),
            Arc::new(dataset::attacks::LIMIT_AND_RUN),
            Arc::new(dataset::attacks::MADE_UP),
            Arc::new(dataset::attacks::Copycat),
        ];
        let plan = |strategy| MinerPlan { strategy, joins_in_epoch: 0 };
        scenario.miners = strategies.into_iter().map(plan).collect();
        scenario
    }
}
