//! The validator: opens rounds, collects what miners committed to, has it examined, judges, sets weights.
//!
//! One step takes one [`Event`]. At each new block [`Validator::step`] asks, in this order: is a round to be
//! opened or sealed ([`rounds`](self)), is something still to be collected, may the round be judged, are weights
//! due or a reveal. Answers and findings only fill in what is missing.

mod collect;
mod facts;
mod pay;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chain::{BlockNumber, Subnet};
use mechanisms::{ErasedMechanism, Lane, MechanismError};
use primitives::{Digest, Seed, Timestamp};
use store::{Commit, Json, NewEvent, NewJob, Store};

pub use facts::ValidatorFact;

use crate::{
    machine::{self, AskId, Effect, Event, Identity, StartError},
    outbox::{Intent, Outbox, Purpose},
    rounds::{Plan, Times},
};
use collect::Question;
use facts::{Known, RoundState, Sealed, WeightsState};

/// Rounds that are kept in memory: the present one, the one before, and one more for stragglers.
const ROUNDS_KEPT: usize = 3;

/// A validator of one mechanism.
pub struct Validator {
    identity: Identity,
    mechanism: &'static dyn ErasedMechanism,
    lane: Lane,
    jobs: Vec<Arc<Vec<u8>>>,
    /// Salts of commitments come from it; never shown.
    secret: Seed,
    version_key: u64,
    known: Known,
    outbox: Outbox,
    incarnation: u32,
    asked: u64,
    head: Option<(Arc<Subnet>, u32)>,
    questions: BTreeMap<AskId, Question>,
    views: BTreeMap<BlockNumber, Arc<Subnet>>,
    views_wanted: BTreeSet<BlockNumber>,
    /// What kept the last step from going on, for its driver to show.
    trouble: Option<MechanismError>,
}

/// The key of a submission of weights: at most one extrinsic exists for it.
#[must_use]
pub fn weights_key(epoch: u64) -> String {
    format!("intended/{:?}", Purpose::Weights { epoch })
}

impl Validator {
    /// The log that a validator writes.
    #[must_use]
    pub fn log(identity: &Identity) -> String {
        format!("validator/{}/{}/{}", identity.netuid, identity.mechid, identity.hotkey)
    }

    /// The queue of its examinations.
    #[must_use]
    pub fn queue(identity: &Identity) -> String {
        format!("examine/{}/{}/{}", identity.netuid, identity.mechid, identity.hotkey)
    }

    /// A validator that knows what its log says. `incarnation` counts its starts.
    ///
    /// # Errors
    /// [`StartError`] where the log can't be read.
    pub fn start(
        identity: Identity,
        mechanism: &'static dyn ErasedMechanism,
        lane: Lane,
        jobs: Vec<Arc<Vec<u8>>>,
        secret: Seed,
        incarnation: u32,
        store: &dyn Store,
    ) -> Result<Self, StartError> {
        let mut validator = Self {
            identity,
            mechanism,
            lane,
            jobs,
            secret,
            version_key: 0,
            known: Known::default(),
            outbox: Outbox::default(),
            incarnation,
            asked: 0,
            head: None,
            questions: BTreeMap::new(),
            views: BTreeMap::new(),
            views_wanted: BTreeSet::new(),
            trouble: None,
        };
        machine::replay(store, &Self::log(&identity), |fact| validator.apply(fact))?;
        Ok(validator)
    }

    /// The validator's identity.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A digest of all durable state.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.known.digest()
    }

    /// What kept the last step from going on, if anything did.
    #[must_use]
    pub fn trouble(&self) -> Option<&MechanismError> {
        self.trouble.as_ref()
    }

    /// What an earlier run had sent: settled by the chain as it is after `block`, where that tells, or to be sent again
    /// before anything else is done with the account's next nonce.
    pub fn resume(
        &mut self,
        block: BlockNumber,
        nonce: u32,
        now: Timestamp,
    ) -> (Vec<Effect>, Option<Intent>) {
        let mut out = Vec::new();
        self.settle_at(&mut out, block, nonce, now);
        (out, self.outbox.due(block))
    }

    fn settle_at(&mut self, out: &mut Vec<Effect>, block: BlockNumber, nonce: u32, now: Timestamp) {
        if let Some((purpose, outcome)) = self.outbox.at_head(block, nonce) {
            self.record(out, ValidatorFact::Settled { purpose, outcome }, now);
        }
    }

    /// Takes one event and says what is to be done.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        let mut out = Vec::new();
        match event {
            Event::Head { subnet, nonce } => {
                let block = subnet.head.number;
                if self.head.as_ref().is_some_and(|(seen, _)| seen.head.number >= block) {
                    return out;
                }
                self.views_wanted.remove(&block);
                self.views.insert(block, Arc::clone(&subnet));
                self.head = Some((subnet, nonce));
                self.settle_at(&mut out, block, nonce, now);
            }
            Event::View(subnet) => {
                self.views_wanted.remove(&subnet.head.number);
                self.views.insert(subnet.head.number, subnet);
            }
            Event::Answer { ask, result } => self.on_answer(&mut out, ask, result, now),
            Event::Submitted { nonce, result } => {
                if let Some((purpose, outcome)) = self.outbox.at_answer(nonce, &result) {
                    self.record(&mut out, ValidatorFact::Settled { purpose, outcome }, now);
                }
            }
            // The worker has committed it already.
            Event::Examined(fact) => self.apply(&fact),
            Event::Asked { .. } | Event::Made { .. } => return out,
        }
        self.advance(&mut out, now);
        out
    }

    /// Whatever can be done with what is known.
    fn advance(&mut self, out: &mut Vec<Effect>, now: Timestamp) {
        let Some((subnet, nonce)) = self.head.clone() else { return };
        let Some(times) = Times::of(&subnet.schedule) else { return };
        let block = subnet.head.number;
        self.open(out, &times, block, now);
        self.seal(out, &times, block, now);
        self.collect(out, times.number, now);
        self.judge(out, &times, block, now);
        let nonce = self.outbox.nonce(nonce);
        self.decide_weights(out, &times, &subnet, nonce, now);
        self.reveal(out, &times, &subnet, nonce, now);
        if let Some(intent) = self.outbox.due(block) {
            out.push(Effect::Submit {
                nonce: intent.nonce,
                call: intent.call,
                valid_until: intent.valid_until,
            });
        }
        self.views = self.views.split_off(&times.opened_at.min(block));
    }

    /// The subnet after `block`; asked for where it is not at hand.
    fn view(&mut self, out: &mut Vec<Effect>, block: BlockNumber) -> Option<Arc<Subnet>> {
        let view = self.views.get(&block).cloned();
        if view.is_none() && self.views_wanted.insert(block) {
            out.push(Effect::View { block });
        }
        view
    }

    fn open(&mut self, out: &mut Vec<Effect>, times: &Times, block: BlockNumber, now: Timestamp) {
        // A validator that comes after the deadline leaves the round alone.
        if self.known.rounds.contains_key(&times.number) || block < times.opened_at || block > times.deadline
        {
            return;
        }
        let Some(opened) = self.view(out, times.opened_at) else { return };
        if let Some(epoch) = times.number.checked_sub(1)
            && self.known.closed.is_none_or(|closed| closed < epoch)
        {
            let earned = opened.neurons.iter().filter(|neuron| !neuron.emission.is_zero());
            let emission = earned.map(|neuron| (neuron.uid, neuron.hotkey, neuron.emission)).collect();
            self.record(out, ValidatorFact::EpochClosed { epoch, block: times.opened_at, emission }, now);
        }
        match Plan::open(times, self.identity.mechid, &opened, self.mechanism, &self.jobs) {
            Ok(plan) => self.record(out, ValidatorFact::RoundOpened { round: plan.round }, now),
            Err(error) => self.trouble = Some(error),
        }
    }

    fn seal(&mut self, out: &mut Vec<Effect>, times: &Times, block: BlockNumber, now: Timestamp) {
        let open = self.known.rounds.get(&times.number).is_some_and(|round| round.sealed.is_none());
        if !open || block < times.audit_at {
            return;
        }
        let Some(view) = self.view(out, times.audit_at) else { return };
        let Some(round) = self.known.rounds.get(&times.number) else { return };
        let audit_seed = round.plan.round.audit_seed(self.mechanism.id(), &view.head.hash);
        let miners = round.plan.round.miners.iter();
        let commitments =
            miners.filter_map(|miner| collect::committed(&view, times, self.mechanism.id(), miner.hotkey));
        let commitments = commitments.collect();
        let fact = ValidatorFact::RoundSealed { round: times.number, audit_seed, commitments };
        self.record(out, fact, now);
    }

    /// Makes a fact durable and takes it over.
    fn record(&mut self, out: &mut Vec<Effect>, fact: ValidatorFact, now: Timestamp) {
        self.record_with(out, fact, now, |commit| commit);
    }

    /// Makes a fact durable together with what `more` adds, and takes it over.
    fn record_with(
        &mut self,
        out: &mut Vec<Effect>,
        fact: ValidatorFact,
        now: Timestamp,
        more: impl FnOnce(Commit) -> Commit,
    ) {
        let log = Self::log(&self.identity);
        out.push(Effect::Commit(more(Commit::new().event(&log, event(&fact, now)))));
        self.apply(&fact);
    }

    /// The state after a fact. The only way in which durable state changes.
    fn apply(&mut self, fact: &ValidatorFact) {
        match fact {
            ValidatorFact::RoundOpened { round } => {
                // Standings belong to hotkeys: who comes back into a slot, or into the subnet, starts anew.
                let weighed: BTreeSet<_> = round.miners.iter().map(|miner| miner.hotkey).collect();
                self.known.standings.retain(|hotkey| weighed.contains(hotkey));
                let round = mechanisms::Round { jobs: self.jobs.clone(), ..round.clone() };
                match Plan::of(round, self.mechanism) {
                    Ok(plan) => _ = self.known.rounds.insert(plan.round.number, RoundState::new(plan)),
                    Err(error) => self.trouble = Some(error),
                }
                while self.known.rounds.len() > ROUNDS_KEPT {
                    self.known.rounds.pop_first();
                }
                while self.known.weights.len() > ROUNDS_KEPT {
                    self.known.weights.pop_first();
                }
            }
            ValidatorFact::RoundSealed { round, audit_seed, commitments } => {
                if let Some(state) = self.known.rounds.get_mut(round) {
                    let commitments = commitments.iter().copied().collect();
                    state.sealed = Some(Sealed { audit_seed: *audit_seed, commitments });
                }
            }
            ValidatorFact::ManifestListed { round, .. } => {
                if let Some(state) = self.known.rounds.get_mut(round) {
                    state.list(fact);
                }
            }
            ValidatorFact::PartKept { round, hotkey, task } => {
                if let Some(state) = self.known.rounds.get_mut(round) {
                    state.miners.entry(*hotkey).or_default().kept.insert(*task);
                }
            }
            ValidatorFact::Examined { round, hotkey, task, result } => {
                if let Some(state) = self.known.rounds.get_mut(round) {
                    state.miners.entry(*hotkey).or_default().examined.insert(*task, result.clone());
                }
            }
            ValidatorFact::RoundJudged { round, verdict } => {
                if let Some(state) = self.known.rounds.get_mut(round) {
                    state.is_judged = true;
                }
                self.known.standings.update(&self.mechanism.aggregation(), &verdict.judgements);
                for (content, first) in &verdict.learned {
                    self.known.index.first.entry(*content).or_insert(*first);
                }
            }
            ValidatorFact::WeightsDecided { epoch, weights } => {
                let state = WeightsState { weights: weights.clone(), sent: None, is_reveal_intended: false };
                self.known.weights.insert(*epoch, state);
            }
            ValidatorFact::Intended { intent } => {
                if let Purpose::Reveal { epoch } = intent.purpose
                    && let Some(weights) = self.known.weights.get_mut(&epoch)
                {
                    weights.is_reveal_intended = true;
                }
                self.outbox.take(intent.clone());
            }
            ValidatorFact::Settled { purpose, outcome } => {
                if let Purpose::Weights { epoch } = purpose
                    && let Some(weights) = self.known.weights.get_mut(epoch)
                {
                    weights.sent = Some(*outcome);
                }
                self.outbox.settle(*purpose);
            }
            ValidatorFact::EpochClosed { epoch, .. } => self.known.closed = Some(*epoch),
        }
    }
}

/// The fact as an event of the log.
pub(crate) fn event(fact: &ValidatorFact, now: Timestamp) -> NewEvent {
    let body = Json::of(fact).expect("a fact is plain data within a row's size");
    NewEvent::new(fact.kind(), body, now).once(fact.key())
}

/// An examination as a job of the queue.
fn examination(job: &worker::Examination, now: Timestamp) -> NewJob {
    worker::queue::job(job, now).expect("an examination is plain data within a row's size")
}
