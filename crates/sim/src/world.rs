//! The world: what happens next, and what follows from it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use chain::{Call, Hotkey, Included, NetUid, Refusal, SubmitError, Subnet};
use devchain::{Event as ChainEvent, Extrinsic, State};
use neuron::{
    Answer, Ask, AskFailure, AskId, Event, Identity, Miner, RequestId, Validator, desk,
    rounds::{Plan, Times},
};
use primitives::{BlockNumber, Digest, DurationMs, Stream};
use thiserror::Error;
use worker::{
    Inline, Shelves,
    queue::{Taken, run},
};

use crate::{
    agenda::Agenda,
    invariants::{Violation, Watch},
    parties::{MinerParty, Party, ValidatorParty},
    report::{EpochReport, Summary},
    scenario::Scenario,
    setup::{Earned, Ground, Keys, SetupError},
    stores::{Keeping, Stores},
};

/// Blocks whose state can still be read by a party that comes back.
const VIEWS_KEPT: usize = 64;
/// How long a miner may work on a leased task.
const TASK_TTL: DurationMs = DurationMs(90_000);
/// How long a worker may hold an examination.
const EXAMINE_TTL: DurationMs = DurationMs(20_000);
/// Virtual time of one examination.
const EXAMINE_TIME: DurationMs = DurationMs(1_500);
/// How far past its lease a stalled worker answers.
const STALL_TIME: DurationMs = DurationMs(EXAMINE_TTL.0 + 5_000);

/// A run came to a bad end.
#[derive(Debug, Error)]
pub enum RunError {
    /// The world could not begin, or a party could not come back.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Something that must never happen has happened.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// A store failed.
    #[error("store of {party}: {source}")]
    Store {
        /// Whose.
        party: Hotkey,
        /// What it said.
        source: store::StoreError,
    },
}

impl From<neuron::StartError> for RunError {
    fn from(error: neuron::StartError) -> Self {
        Self::Setup(error.into())
    }
}

/// Something that is going to happen.
pub(crate) enum Happening {
    /// The next block.
    Block,
    /// A party learns of a block.
    Head { party: Party, block: BlockNumber },
    /// A question reaches the desk or a miner.
    Question { from: Party, ask: AskId, to: Target, what: Ask },
    /// An answer, or the end of waiting for one, reaches its asker.
    Answer { to: Party, ask: AskId, result: Result<Answer, AskFailure> },
    /// An extrinsic reaches the pool.
    Extrinsic { from: Party, extrinsic: Box<Extrinsic>, valid_until: BlockNumber },
    /// A party hears what became of its extrinsic.
    Submitted { to: Party, nonce: u32, result: Result<Included, SubmitError> },
    /// A miner's strategy has made an answer.
    Made { miner: usize, incarnation: u32, round: u64, task: u32, bytes: Arc<Vec<u8>> },
    /// A validator's worker looks for work.
    WorkerFree { validator: usize },
    /// A worker has examined what it took.
    WorkerDone { validator: usize, taken: Box<Taken> },
    /// A crashed party comes back.
    Restart { party: Party },
}

/// Whom a question is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Desk,
    Miner(usize),
}

/// An extrinsic in the pool.
struct Pooled {
    from: Party,
    extrinsic: Extrinsic,
    valid_until: BlockNumber,
}

/// A subnet under way.
pub struct World {
    pub(crate) scenario: Scenario,
    pub(crate) agenda: Agenda<Happening>,
    pub(crate) chain: State,
    pub(crate) netuid: NetUid,
    pub(crate) owner: Keys,
    pub(crate) validators: Vec<ValidatorParty>,
    pub(crate) miners: Vec<MinerParty>,
    pub(crate) by_hotkey: BTreeMap<Hotkey, Party>,
    pub(crate) desk: Keeping,
    desk_rounds: BTreeSet<u64>,
    views: VecDeque<Arc<Subnet>>,
    pool: Vec<Pooled>,
    pub(crate) luck: Stream,
    pub(crate) requests: BTreeMap<RequestId, (Party, AskId)>,
    pub(crate) request_count: u64,
    pub(crate) watch: Watch,
    pub(crate) earned: BTreeMap<Hotkey, Earned>,
    first_epoch: u64,
    reports: Vec<EpochReport>,
}

impl World {
    /// A world at its first block, its parties keeping what they know in `stores`.
    ///
    /// # Errors
    /// [`RunError::Setup`] where the scenario contradicts itself or a store can't be opened.
    pub fn new(scenario: Scenario, stores: &dyn Stores) -> Result<Self, RunError> {
        let Ground { chain, netuid, mechid, owner, validators, miners } = Ground::new(&scenario)?;
        let keep =
            |hotkey: Hotkey| stores.open(&hotkey).map_err(|reason| SetupError::Store { hotkey, reason });
        let identity = |hotkey| Identity { hotkey, netuid, mechid };
        let mut by_hotkey = BTreeMap::new();
        let mut validator_parties = Vec::new();
        for (at, keys) in validators.iter().enumerate() {
            by_hotkey.insert(keys.hotkey, Party::Validator(at));
            validator_parties.push(ValidatorParty {
                identity: identity(keys.hotkey),
                keeping: keep(keys.hotkey)?,
                secret: scenario.seed.derive("validator secret", at as u64),
                machine: None,
                incarnation: 0,
                examining: None,
            });
        }
        let mut miner_parties = Vec::new();
        for (at, (keys, plan)) in miners.iter().zip(&scenario.miners).enumerate() {
            by_hotkey.insert(keys.hotkey, Party::Miner(at));
            miner_parties.push(MinerParty {
                identity: identity(keys.hotkey),
                coldkey: keys.coldkey,
                keeping: keep(keys.hotkey)?,
                strategy: Arc::clone(&plan.strategy),
                seed: scenario.seed.derive("miner", at as u64),
                joins_in_epoch: plan.joins_in_epoch,
                is_registered: plan.joins_in_epoch == 0,
                machine: None,
                incarnation: 0,
            });
        }
        let view = chain.subnet(netuid).map_err(SetupError::from)?;
        let mut world = Self {
            agenda: Agenda::new(chain.head().time),
            luck: scenario.seed.stream("luck", 0),
            first_epoch: view.schedule.epoch_index,
            watch: Watch::new(&chain, netuid),
            desk: keep(owner.hotkey)?,
            scenario,
            chain,
            netuid,
            owner,
            validators: validator_parties,
            miners: miner_parties,
            by_hotkey,
            desk_rounds: BTreeSet::new(),
            views: VecDeque::from([view]),
            pool: Vec::new(),
            requests: BTreeMap::new(),
            request_count: 0,
            earned: BTreeMap::new(),
            reports: Vec::new(),
        };
        for party in world.present() {
            world.start(party)?;
            world.tell_head(party);
        }
        world.open_desk()?;
        for validator in 0..world.validators.len() {
            world.agenda.plan(EXAMINE_TIME, Happening::WorkerFree { validator });
        }
        world.agenda.plan(world.scenario.block_time, Happening::Block);
        Ok(world)
    }

    /// Runs all epochs of the scenario; `seen` hears of each as it closes.
    ///
    /// # Errors
    /// [`RunError`]; a violation says what was violated, and the scenario's seed replays it.
    pub fn run(&mut self, mut seen: impl FnMut(&EpochReport)) -> Result<Summary, RunError> {
        for _ in 0..self.scenario.epochs {
            seen(self.run_epoch()?);
        }
        self.finish()
    }

    /// Runs until the next epoch has closed.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn run_epoch(&mut self) -> Result<&EpochReport, RunError> {
        while !self.run_block()? {}
        Ok(self.reports.last().expect("an epoch has just closed"))
    }

    /// Runs until the next block has been made, and tells whether an epoch closed with it.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn run_block(&mut self) -> Result<bool, RunError> {
        let (block, closed) = (self.chain.head().number, self.reports.len());
        while self.chain.head().number == block {
            let next = self.agenda.next().expect("each block plans the next one");
            self.happen(next)?;
        }
        Ok(self.reports.len() > closed)
    }

    /// The last checks, and what everybody got.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn finish(&mut self) -> Result<Summary, RunError> {
        self.check_keeping()?;
        let summary = self.summary()?;
        self.watch.at_end(&summary)?;
        Ok(summary)
    }

    /// The chain as it stands.
    #[must_use]
    pub fn chain(&self) -> &State {
        &self.chain
    }

    /// The subnet's number.
    #[must_use]
    pub fn netuid(&self) -> NetUid {
        self.netuid
    }

    /// The epochs that have closed.
    #[must_use]
    pub fn reports(&self) -> &[EpochReport] {
        &self.reports
    }

    /// What a party keeps.
    #[must_use]
    pub fn keeping(&self, party: Party) -> &Keeping {
        match party {
            Party::Validator(at) => &self.validators[at].keeping,
            Party::Miner(at) => &self.miners[at].keeping,
        }
    }

    /// A digest of everything that has come of the world: the chain and all durable state of its parties.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut parts = vec![self.chain.digest()];
        parts
            .extend(self.validators.iter().filter_map(|party| party.machine.as_ref().map(Validator::digest)));
        parts.extend(self.miners.iter().filter_map(|party| party.machine.as_ref().map(Miner::digest)));
        let parts: Vec<&[u8]> = parts.iter().map(|digest| &digest.0[..]).collect();
        Digest::of_parts("weighhouse world v1", &parts)
    }

    /// Who a party is.
    #[must_use]
    pub fn identity(&self, party: Party) -> Identity {
        match party {
            Party::Validator(at) => self.validators[at].identity,
            Party::Miner(at) => self.miners[at].identity,
        }
    }

    /// Parties that are registered.
    pub(crate) fn present(&self) -> Vec<Party> {
        let miners = self.miners.iter().enumerate().filter(|(_, miner)| miner.is_registered);
        (0..self.validators.len())
            .map(Party::Validator)
            .chain(miners.map(|(at, _)| Party::Miner(at)))
            .collect()
    }

    fn happen(&mut self, what: Happening) -> Result<(), RunError> {
        match what {
            Happening::Block => self.block(),
            Happening::Head { party, block } => {
                let Some(subnet) = self.view(block) else { return Ok(()) };
                let nonce = self.chain_nonce(party);
                self.step(party, Event::Head { subnet, nonce })
            }
            Happening::Question { from, ask, to: Target::Desk, what } => {
                let answer = self.at_desk(from, &what)?;
                self.send(Happening::Answer { to: from, ask, result: Ok(answer) });
                Ok(())
            }
            Happening::Question { from, ask, to: Target::Miner(at), what } => {
                self.request_count += 1;
                let request = RequestId(self.request_count);
                self.requests.insert(request, (from, ask));
                let from = self.identity(from).hotkey;
                self.step(Party::Miner(at), Event::Asked { request, from, what })
            }
            Happening::Answer { to, ask, result } => self.step(to, Event::Answer { ask, result }),
            Happening::Extrinsic { from, extrinsic, valid_until } => {
                self.pool.push(Pooled { from, extrinsic: *extrinsic, valid_until });
                Ok(())
            }
            Happening::Submitted { to, nonce, result } => self.step(to, Event::Submitted { nonce, result }),
            Happening::Made { miner, incarnation, round, task, bytes } => {
                self.made(miner, incarnation, round, task, &bytes)
            }
            Happening::WorkerFree { validator } => self.worker_free(validator),
            Happening::WorkerDone { validator, taken } => self.worker_done(validator, &taken),
            Happening::Restart { party } => {
                self.start(party)?;
                self.tell_head(party);
                Ok(())
            }
        }
    }

    /// Makes a block of what is in the pool, tells everybody, and watches over what came of it.
    fn block(&mut self) -> Result<(), RunError> {
        self.agenda.plan(self.scenario.block_time, Happening::Block);
        let number = self.chain.head().number + 1;
        let mut pooled = std::mem::take(&mut self.pool);
        pooled.retain(|one| one.valid_until >= number);
        let extrinsics: Vec<Extrinsic> = pooled.iter().map(|one| one.extrinsic.clone()).collect();
        let epoch = self.chain.subnet(self.netuid).map_err(SetupError::from)?.schedule.epoch_at(number);
        let block = self.chain.block(self.agenda.now(), &extrinsics);
        for (at, (one, outcome)) in pooled.into_iter().zip(&block.outcomes).enumerate() {
            self.tell_outcome(one, number, at, outcome);
        }
        self.watch.at_block(&self.chain, &block, epoch)?;
        self.views.push_back(self.chain.subnet(self.netuid).map_err(SetupError::from)?);
        if self.views.len() > VIEWS_KEPT {
            self.views.pop_front();
        }
        self.open_desk()?;
        for event in &block.events {
            if let ChainEvent::EpochRan { netuid, emission, .. } = event
                && *netuid == self.netuid
            {
                self.close_epoch(emission)?;
            }
        }
        for party in self.present() {
            if self.luck.chance(self.scenario.faults.crash) {
                self.crash(party);
            }
            self.tell_head(party);
        }
        Ok(())
    }

    fn tell_head(&mut self, party: Party) {
        let block = self.chain.head().number;
        let delay = self.delay();
        // A node that misses a block sees the next one.
        if !self.luck.chance(self.scenario.faults.drop) {
            self.agenda.plan(delay, Happening::Head { party, block });
        }
    }

    fn tell_outcome(&mut self, one: Pooled, block: BlockNumber, at: usize, outcome: &Result<(), Refusal>) {
        // The pool keeps what comes before its turn.
        if *outcome == Err(Refusal::Pool(chain::InvalidTransaction::Future)) {
            self.pool.push(one);
            return;
        }
        let call = one.extrinsic.call.name();
        let result = match outcome {
            Ok(()) => Ok(Included { block, index: u32::try_from(at).unwrap_or(u32::MAX) }),
            // A copy of what is in a block already says nothing about that.
            Err(Refusal::Pool(chain::InvalidTransaction::Stale)) => return,
            Err(refusal) => Err(SubmitError::Refused { call, refusal: *refusal }),
        };
        let Some(nonce) = one.extrinsic.nonce else { return };
        self.send(Happening::Submitted { to: one.from, nonce, result });
    }

    /// Puts the tasks of a round out when its epoch begins.
    fn open_desk(&mut self) -> Result<(), RunError> {
        let Some(subnet) = self.views.back().cloned() else { return Ok(()) };
        let Some(times) = Times::of(&subnet.schedule) else { return Ok(()) };
        if subnet.head.number != times.opened_at || !self.desk_rounds.insert(times.number) {
            return Ok(());
        }
        let mechid = chain::MechId::MAIN;
        let mechanism = self.scenario.mechanism;
        let Ok(plan) = Plan::open(&times, mechid, &subnet, mechanism, &self.scenario.jobs) else {
            return Ok(());
        };
        let tasks = u32::try_from(plan.tasks.len()).unwrap_or(u32::MAX);
        desk::open(&*self.desk.store, mechanism.id(), times.number, tasks, self.agenda.now())
            .map_err(|source| RunError::Store { party: self.owner.hotkey, source })
    }

    fn at_desk(&mut self, from: Party, what: &Ask) -> Result<Answer, RunError> {
        let miner = self.identity(from).hotkey;
        let (store, mechanism, now) = (&*self.desk.store, self.scenario.mechanism.id(), self.agenda.now());
        let answer = match what {
            Ask::Lease { round, want } => desk::lease(store, mechanism, *round, miner, *want, now, TASK_TTL)
                .map(|leased| if leased.is_empty() { Answer::Refused } else { Answer::Leases(leased) }),
            Ask::Done { round, tasks } => {
                desk::done(store, mechanism, *round, miner, tasks, now).map(|()| Answer::Noted)
            }
            Ask::Manifest { .. } | Ask::Part { .. } => Ok(Answer::Refused),
        };
        answer.map_err(|source| RunError::Store { party: self.owner.hotkey, source })
    }

    /// The subnet after a recent block.
    pub(crate) fn view(&self, block: BlockNumber) -> Option<Arc<Subnet>> {
        let first = self.views.front()?.head.number;
        let at = usize::try_from(block.checked_sub(first)?).ok()?;
        self.views.get(at).cloned()
    }

    pub(crate) fn chain_nonce(&self, party: Party) -> u32 {
        self.chain.nonce(self.identity(party).hotkey.0)
    }

    fn close_epoch(&mut self, emission: &[devchain::NeuronEmission]) -> Result<(), RunError> {
        let view = self.chain.subnet(self.netuid).map_err(SetupError::from)?;
        for line in emission {
            let Some(neuron) = view.neurons.get(line.uid.index()) else { continue };
            let earned = self.earned.entry(neuron.hotkey).or_default();
            earned.incentive = earned.incentive.saturating_add(line.incentive);
            earned.dividends = earned.dividends.saturating_add(line.dividends);
        }
        self.check_paid(&view, emission)?;
        let report = self.epoch_report(&view, emission)?;
        self.reports.push(report);
        let run = view.schedule.epoch_index - self.first_epoch;
        for at in 0..self.miners.len() {
            let miner = &self.miners[at];
            if !miner.is_registered && miner.joins_in_epoch == run {
                self.join(at);
            }
        }
        Ok(())
    }

    /// Registers a newcomer by the chain's rules: a full subnet gives it the slot of the worst.
    fn join(&mut self, at: usize) {
        let (hotkey, netuid) = (self.miners[at].identity.hotkey, self.netuid);
        let call = Call::BurnedRegister { netuid, hotkey };
        let extrinsic = Extrinsic::new(self.miners[at].coldkey, call);
        let valid_until = BlockNumber::MAX;
        self.pool.push(Pooled { from: Party::Miner(at), extrinsic, valid_until });
        self.miners[at].is_registered = true;
        self.agenda.plan(self.scenario.block_time, Happening::Restart { party: Party::Miner(at) });
    }

    fn made(
        &mut self,
        miner: usize,
        incarnation: u32,
        round: u64,
        task: u32,
        bytes: &[u8],
    ) -> Result<(), RunError> {
        let party = &self.miners[miner];
        if party.machine.is_none() || party.incarnation != incarnation {
            return Ok(());
        }
        let work = mechanisms::Work {
            hotkey: party.identity.hotkey,
            round,
            task: bytes,
            source: &*self.scenario.source,
            seed: party.seed.derive("work", round).derive("task", task.into()),
        };
        let answer = party.strategy.make(&work);
        self.step(Party::Miner(miner), Event::Made { round, task, answer })
    }

    /// Takes the next examination, and says when it will be done; a stalled one takes longer than its lease.
    fn worker_free(&mut self, validator: usize) -> Result<(), RunError> {
        let now = self.agenda.now();
        let stalls = self.luck.chance(self.scenario.faults.stall);
        let party = &mut self.validators[validator];
        let is_down = party.machine.is_none();
        let taken = if is_down {
            None
        } else {
            let worker = format!("worker-{}", party.incarnation);
            neuron::worker::take(&*party.keeping.store, &party.identity, &worker, now, EXAMINE_TTL)
                .map_err(|source| RunError::Store { party: party.identity.hotkey, source })?
        };
        let Some(taken) = taken else {
            self.agenda.plan(EXAMINE_TIME, Happening::WorkerFree { validator });
            return Ok(());
        };
        let time = if stalls { STALL_TIME } else { EXAMINE_TIME };
        if stalls {
            // Another worker goes on meanwhile.
            self.agenda.plan(EXAMINE_TIME, Happening::WorkerFree { validator });
        } else {
            party.examining = Some(taken.clone());
        }
        self.agenda.plan(time, Happening::WorkerDone { validator, taken: Box::new(taken) });
        Ok(())
    }

    /// Commits a finding if the fence still allows it, and tells the validator.
    fn worker_done(&mut self, validator: usize, taken: &Taken) -> Result<(), RunError> {
        let now = self.agenda.now();
        let party = &mut self.validators[validator];
        if party.examining.as_ref() == Some(taken) {
            party.examining = None;
            self.agenda.plan(DurationMs(0), Happening::WorkerFree { validator });
        }
        let inline = Inline { mechanism: self.scenario.mechanism };
        let shelves = Shelves { source: &*self.scenario.source, artifacts: &*party.keeping.artifacts };
        let result = run(taken, &inline, &shelves).result;
        match neuron::worker::finish(&*party.keeping.store, &party.identity, taken, result, now) {
            Ok((committed, fact)) => {
                self.watch.examined(&party.identity, &fact, &committed)?;
                self.step(Party::Validator(validator), Event::Examined(Box::new(fact)))
            }
            // Another worker has, or will have, the job: that is what fences are for.
            Err(store::StoreError::Lease(_)) => Ok(()),
            Err(source) => Err(RunError::Store { party: party.identity.hotkey, source }),
        }
    }
}
