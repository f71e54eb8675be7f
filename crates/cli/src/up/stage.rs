//! The neurons of a local subnet, each with its own store, key and axon, and the owner's task desk.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use chain::{Chain as _, Subnet};
use corpus::Source;
use devchain::Handle as Node;
use mechanisms::{EmptyLane, ErasedMechanism, Lane, Strategy, Work};
use neuron::{
    Identity, Validator, axon, dendrite, desk,
    driver::{self, Config, DriveError, Metagraph, MinerPart, Pulse, ValidatorPart},
    rounds::{Plan, Times},
};
use primitives::{DurationMs, Hotkey, MechId, NetUid, Seed, Timestamp};
use protocol::UnixNanos;
use store::{Store, artifacts::Artifacts};
use thiserror::Error;
use tokio::task::JoinSet;
use web::record::{Cast, Role};
use worker::{Evaluator, Shelves, queue};

use super::{
    clock::Clock,
    folder::{FolderError, HouseFolder, PartyKeys},
    found::Parties,
    ledger::{Part, Validating},
    line::Line,
};
use crate::source::TASKS_PER_ROUND;

/// How long a miner may work on a leased task: longer than a round, in which it comes to nothing anyway.
const TASK_TTL: DurationMs = DurationMs(600_000);
/// One miner's part of a round's tasks, at most: a quarter, so that nobody can keep the others from working.
const TASKS_PER_MINER_MAX: u32 = TASKS_PER_ROUND / 4;
/// How often it is looked whether all neurons that are starting wait for a block.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long the others wait for one that takes its time to start.
const START_TIME: Duration = Duration::from_secs(5);
/// How long a neuron's axon lets running requests end.
const GRACE: Duration = Duration::from_millis(300);
/// The longest answer that a question takes: a shard at its largest, with room.
const ANSWER_MAX_BYTES: usize = 65 << 20;

/// A neuron can't take the stage.
#[derive(Debug, Error)]
pub(crate) enum StageError {
    /// Its folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It does not start.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The desk does not start.
    #[error("the task desk does not start: {0}")]
    Desk(#[from] axon::SpawnError),
    /// The desk's store failed.
    #[error("the task desk can't write its store: {0}")]
    Store(#[from] store::StoreError),
    /// Examinations can't be run.
    #[error("examinations can't be run here: {reason}")]
    Worker {
        /// Why.
        reason: String,
    },
    /// A task of the runtime broke.
    #[error("a neuron's start broke off: {0}")]
    Broken(io::Error),
}

/// What the stage is built on.
pub(crate) struct Plot<'a> {
    pub(crate) folder: &'a HouseFolder,
    pub(crate) node: &'a Node,
    pub(crate) line: &'a Line,
    pub(crate) clock: Clock,
    pub(crate) netuid: NetUid,
    pub(crate) mechanism: &'static dyn ErasedMechanism,
    pub(crate) jobs: Vec<Arc<Vec<u8>>>,
    pub(crate) source: Arc<dyn Source + Send + Sync>,
    /// Of the miners, in their order.
    pub(crate) strategies: Vec<Arc<dyn Strategy>>,
    pub(crate) seed: Seed,
    /// Until when an earlier run may have accepted requests.
    pub(crate) accepted_until: UnixNanos,
    /// The first neuron's port; the next ones have those above it. 0 for any that are free.
    pub(crate) axon_port: u16,
}

/// What a neuron keeps.
#[derive(Clone)]
struct Keeping {
    store: Arc<dyn Store>,
    artifacts: Arc<dyn Artifacts>,
}

/// By the place among the validators or the miners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Validator(usize),
    Miner(usize),
}

impl Place {
    /// The name of its folder and of its wallet.
    fn name(self) -> String {
        match self {
            Place::Validator(at) => format!("validator-{at}"),
            Place::Miner(at) => format!("miner-{at}"),
        }
    }

    fn keys(self, parties: &Parties) -> &PartyKeys {
        match self {
            Place::Validator(at) => &parties.validators[at],
            Place::Miner(at) => &parties.miners[at],
        }
    }
}

/// All neurons.
pub(crate) struct Stage {
    node: Node,
    line: Line,
    clock: Clock,
    axon_port: u16,
    netuid: NetUid,
    mechanism: &'static dyn ErasedMechanism,
    jobs: Vec<Arc<Vec<u8>>>,
    source: Arc<dyn Source + Send + Sync>,
    strategies: Vec<Arc<dyn Strategy>>,
    seed: Seed,
    evaluator: Arc<dyn Evaluator>,
    kept: BTreeMap<Place, Keeping>,
    desk_store: Arc<dyn Store>,
    desk: Option<axon::Handle>,
    desk_at: Option<dendrite::Peer>,
    /// What the desk knows of who is registered.
    metagraph: Metagraph,
    opened_round: Option<u64>,
    accepted_until: UnixNanos,
    running: BTreeMap<Place, driver::Handle>,
}

impl Stage {
    /// A stage with nobody on it, over folders and wallets that lie there or are made.
    pub(crate) fn new(plot: Plot<'_>, parties: &Parties) -> Result<Self, StageError> {
        let config = worker::Config::this_program(crate::CHILD);
        let supervisor = worker::Supervisor::new(mechanisms::catalogue(), config)
            .map_err(|error| StageError::Worker { reason: error.to_string() })?;
        let validators = (0..parties.validators.len()).map(Place::Validator);
        let mut kept = BTreeMap::new();
        for place in validators.chain((0..parties.miners.len()).map(Place::Miner)) {
            let name = place.name();
            let (store, artifacts) = (plot.folder.store(&name)?, plot.folder.artifacts(&name)?);
            plot.folder.wallet(&name, place.keys(parties))?;
            kept.insert(place, Keeping { store, artifacts });
        }
        plot.folder.wallet("owner", &parties.owner)?;
        Ok(Self {
            node: plot.node.clone(),
            line: plot.line.clone(),
            clock: plot.clock,
            axon_port: plot.axon_port,
            netuid: plot.netuid,
            mechanism: plot.mechanism,
            jobs: plot.jobs,
            source: plot.source,
            strategies: plot.strategies,
            seed: plot.seed,
            evaluator: Arc::new(supervisor),
            kept,
            desk_store: plot.folder.store("owner")?,
            desk: None,
            desk_at: None,
            metagraph: Metagraph::default(),
            opened_round: None,
            accepted_until: plot.accepted_until,
            running: BTreeMap::new(),
        })
    }

    fn identity(&self, keys: &PartyKeys) -> Identity {
        Identity { hotkey: keys.hotkey(), netuid: self.netuid, mechid: MechId::MAIN }
    }

    /// Each validator with the store that holds its log.
    pub(crate) fn validators(&self, parties: &Parties) -> Vec<Validating> {
        let kept = parties.validators.iter().enumerate().filter_map(|(at, keys)| {
            let store = Arc::clone(&self.kept.get(&Place::Validator(at))?.store);
            Some(Validating { identity: self.identity(keys), store, hotkey: keys.hotkey.clone() })
        });
        kept.collect()
    }

    /// Where each validator keeps what it has examined.
    pub(crate) fn validators_artifacts(&self) -> Vec<Arc<dyn Artifacts>> {
        let of_validators = self.kept.iter().filter(|(place, _)| matches!(place, Place::Validator(_)));
        of_validators.map(|(_, keeping)| Arc::clone(&keeping.artifacts)).collect()
    }

    /// What the record says of each neuron.
    pub(crate) fn parts(&self, parties: &Parties) -> BTreeMap<Hotkey, Part> {
        let mut parts = BTreeMap::new();
        let owner = Part { name: "owner".to_owned(), role: Role::Owner, cast: None };
        parts.insert(parties.owner.hotkey(), owner);
        for (at, keys) in parties.validators.iter().enumerate() {
            let part = Part { name: Place::Validator(at).name(), role: Role::Validator, cast: None };
            parts.insert(keys.hotkey(), part);
        }
        for ((at, keys), strategy) in parties.miners.iter().enumerate().zip(&self.strategies) {
            let cast = Cast {
                strategy: strategy.id().to_owned(),
                about: strategy.about().to_owned(),
                honest: strategy.is_honest(),
            };
            let part = Part { name: Place::Miner(at).name(), role: Role::Miner, cast: Some(cast) };
            parts.insert(keys.hotkey(), part);
        }
        parts
    }

    /// Opens the owner's task desk, on a port that is free. Gives its address.
    pub(crate) fn open_desk(&mut self, parties: &Parties) -> Result<SocketAddr, StageError> {
        let owner = parties.owner.hotkey();
        let routes =
            driver::desk_routes(&self.desk_store, self.mechanism.id(), TASK_TTL, TASKS_PER_MINER_MAX);
        let desk = axon::spawn(axon::Config {
            limits: axon_limits(),
            started: self.accepted_until,
            judge: driver::registered(Arc::clone(&self.metagraph)),
            ..axon::Config::local(owner, routes)
        })?;
        let address = desk.address();
        self.desk_at = Some(dendrite::Peer { hotkey: owner, address });
        self.desk = Some(desk);
        Ok(address)
    }

    /// Starts every neuron.
    pub(crate) async fn raise(&mut self, parties: &Parties, pulse: &Pulse) -> Result<(), StageError> {
        let places: Vec<Place> = self.kept.keys().copied().collect();
        self.start_all(&places, parties, pulse).await
    }

    /// Starts these neurons. Their axons tell the chain where they listen, which takes a block: it is made when all wait for
    /// it, since in blocks that pass before somebody is up, its round passes too.
    async fn start_all(
        &mut self,
        places: &[Place],
        parties: &Parties,
        pulse: &Pulse,
    ) -> Result<(), StageError> {
        let broken = |error: io::Error| StageError::Broken(error);
        let mut starting = JoinSet::new();
        for place in places.iter().copied() {
            let start = self.start(place, parties, pulse);
            starting.spawn(async move { (place, start.await) });
        }
        let mut moved = Instant::now();
        while !starting.is_empty() {
            tokio::select! {
                Some(started) = starting.join_next() => {
                    let (place, handle) = started.map_err(|error| broken(io::Error::other(error)))?;
                    self.running.insert(place, handle?);
                    moved = Instant::now();
                }
                () = tokio::time::sleep(LOOK_EVERY) => {
                    let waiting = self.node.waiting();
                    if waiting < starting.len() && (waiting == 0 || moved.elapsed() < START_TIME) {
                        continue;
                    }
                    let (node, clock) = (self.node.clone(), self.clock);
                    let made = tokio::task::spawn_blocking(move || clock.step(&node)).await;
                    made.map_err(io::Error::other).and_then(|made| made.map_err(io::Error::other)).map_err(broken)?;
                    moved = Instant::now();
                }
            }
        }
        Ok(())
    }

    /// Where the neuron's axon is to listen.
    fn port_of(&self, place: Place) -> u16 {
        match self.axon_port {
            0 => 0,
            first => {
                let before = self.kept.keys().take_while(|other| **other != place).count();
                u16::try_from(before).ok().and_then(|before| first.checked_add(before)).unwrap_or(0)
            }
        }
    }

    fn start(
        &self,
        place: Place,
        parties: &Parties,
        pulse: &Pulse,
    ) -> impl Future<Output = Result<driver::Handle, DriveError>> + Send + 'static {
        let keys = place.keys(parties);
        let keeping = self.kept[&place].clone();
        let config = Config {
            identity: self.identity(keys),
            chain: self.line.clone(),
            signer: Arc::new(keys.hotkey.clone()),
            store: Arc::clone(&keeping.store),
            artifacts: Arc::clone(&keeping.artifacts),
            listen: SocketAddr::from(([127, 0, 0, 1], self.port_of(place))),
            accepted_until: self.accepted_until,
            desk: self.desk_at,
            axon_limits: axon_limits(),
            dendrite_limits: dendrite::Limits {
                body_bytes_max: ANSWER_MAX_BYTES,
                ..dendrite::Limits::default()
            },
            pulse: pulse.clone(),
        };
        let (mechanism, jobs, source) = (self.mechanism, self.jobs.clone(), Arc::clone(&self.source));
        let part = match place {
            Place::Validator(at) => {
                let evaluator = Arc::clone(&self.evaluator);
                let examine = move |taken: &queue::Taken| {
                    let shelves = Shelves { source: &*source, artifacts: &*keeping.artifacts };
                    queue::run(taken, &*evaluator, &shelves)
                };
                Err(ValidatorPart {
                    mechanism,
                    lane: Lane { mechanism: mechanism.id(), weight: 1.0, empty: EmptyLane::Return },
                    jobs,
                    secret: self.seed.derive("validator secret", at as u64),
                    examine: Arc::new(examine),
                })
            }
            Place::Miner(at) => {
                let (strategy, hotkey) = (Arc::clone(&self.strategies[at]), keys.hotkey());
                let (made_by, seed) = (Arc::clone(&strategy), self.seed.derive("miner", at as u64));
                let make = move |round: u64, task: u32, bytes: &[u8]| {
                    let seed = seed.derive("work", round).derive("task", task.into());
                    made_by.make(&Work { hotkey, round, task: bytes, source: &*source, seed })
                };
                Ok(MinerPart { mechanism, strategy, jobs, make: Arc::new(make) })
            }
        };
        async move {
            match part {
                Ok(part) => driver::miner(config, part).await,
                Err(part) => driver::validator(config, part).await,
            }
        }
    }

    /// Puts the tasks of the round that runs out, once; the same tasks again change nothing.
    pub(crate) async fn at_block(&mut self, subnet: &Arc<Subnet>, now: Timestamp) -> Result<(), StageError> {
        *self.metagraph.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(subnet));
        let Some(times) = Times::of(&subnet.schedule).filter(|times| self.opened_round != Some(times.number))
        else {
            return Ok(());
        };
        // A block that is no longer kept, or a job that can't be planned, opens no round; the validators tell of the job.
        let Ok(opened) = self.line.subnet(self.netuid, times.opened_at).await else { return Ok(()) };
        let Ok(plan) = Plan::open(&times, MechId::MAIN, &opened, self.mechanism, &self.jobs) else {
            return Ok(());
        };
        let tasks = u32::try_from(plan.tasks.len()).unwrap_or(u32::MAX);
        tokio::task::block_in_place(|| {
            desk::open(&*self.desk_store, self.mechanism.id(), times.number, tasks, now)
        })?;
        self.opened_round = Some(times.number);
        Ok(())
    }

    /// Starts neurons again that have ended by themselves; says why they had, where one had.
    pub(crate) async fn mend(
        &mut self,
        parties: &Parties,
        pulse: &Pulse,
    ) -> Result<Option<String>, StageError> {
        let ended = self.running.iter().find_map(|(place, handle)| Some((*place, handle.ended()?)));
        let Some((place, reason)) = ended else { return Ok(None) };
        if let Some(handle) = self.running.remove(&place) {
            pulse.forget(&handle.hotkey());
            handle.stop().await;
        }
        // The one that ended ran until a moment ago.
        self.accepted_until = axon::system_clock();
        self.start_all(&[place], parties, pulse).await?;
        Ok(Some(format!("{}: {reason}", place.name())))
    }

    /// Examinations that wait or are under way, over all validators.
    pub(crate) fn queued(&self, parties: &Parties, now: Timestamp) -> u64 {
        let counts =
            self.validators(parties).into_iter().filter_map(|Validating { identity, store, .. }| {
                let counts = store.counts(&Validator::queue(&identity), now).ok()?;
                Some(counts.ready + counts.waiting + counts.leased)
            });
        counts.sum()
    }

    /// Ends all neurons and the desk.
    pub(crate) async fn fall(&mut self) {
        let mut ending = JoinSet::new();
        for (_, handle) in std::mem::take(&mut self.running) {
            ending.spawn(handle.stop());
        }
        if let Some(desk) = self.desk.take() {
            ending.spawn(desk.stop());
        }
        while ending.join_next().await.is_some() {}
    }
}

fn axon_limits() -> axon::Limits {
    axon::Limits { grace: GRACE, ..axon::Limits::default() }
}
