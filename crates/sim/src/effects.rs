//! Carrying out what the machines ask for, over a network that loses and doubles, by parties that crash.

use std::sync::Arc;

use chain::Call;
use devchain::Extrinsic;
use mechanisms::{EmptyLane, Lane};
use neuron::{Answer, Ask, AskFailure, AskId, Effect, Event, Miner, Peer, Validator};
use primitives::{BlockNumber, DurationMs};

use crate::{
    parties::Party,
    world::{Happening, RunError, Target, World},
};

/// Shortest time that a crashed party stays away.
const DOWNTIME_MIN: DurationMs = DurationMs(1_000);
/// How long a question waits for its answer.
const ASK_TIMEOUT: DurationMs = DurationMs(8_000);
/// Virtual time of making one answer.
const MAKE_TIME: DurationMs = DurationMs(4_000);

impl World {
    /// Starts a party from what it kept.
    pub(crate) fn start(&mut self, party: Party) -> Result<(), RunError> {
        let mechanism = self.scenario.mechanism;
        let jobs = self.scenario.jobs.clone();
        match party {
            Party::Validator(at) => {
                let party = &mut self.validators[at];
                party.incarnation += 1;
                let lane = Lane { mechanism: mechanism.id(), weight: 1.0, empty: EmptyLane::Return };
                let (identity, secret, store) = (party.identity, party.secret, &*party.keeping.store);
                let started =
                    Validator::start(identity, mechanism, lane, jobs, secret, party.incarnation, store)?;
                party.machine = Some(started);
            }
            Party::Miner(at) => {
                let party = &mut self.miners[at];
                party.incarnation += 1;
                let (strategy, store) = (Arc::clone(&party.strategy), &*party.keeping.store);
                let started =
                    Miner::start(party.identity, mechanism, strategy, jobs, party.incarnation, store)?;
                party.machine = Some(started);
            }
        }
        Ok(())
    }

    /// Ends a party; only what it kept is left. It comes back after a while.
    pub(crate) fn crash(&mut self, party: Party) {
        let machine_is_up = match party {
            Party::Validator(at) => self.validators[at].machine.take().is_some(),
            Party::Miner(at) => self.miners[at].machine.take().is_some(),
        };
        if machine_is_up {
            let span = (self.scenario.faults.downtime_max.0 - DOWNTIME_MIN.0).max(1);
            let away = DOWNTIME_MIN.0 + i64::try_from(self.luck.below(span.unsigned_abs())).unwrap_or(0);
            self.agenda.plan(DurationMs(away), Happening::Restart { party });
        }
    }

    /// Gives a party an event and carries out what it asks for; a party that is down hears nothing.
    pub(crate) fn step(&mut self, party: Party, event: Event) -> Result<(), RunError> {
        let now = self.agenda.now();
        let effects = match party {
            Party::Validator(at) => {
                self.validators[at].machine.as_mut().map(|machine| machine.step(event, now))
            }
            Party::Miner(at) => self.miners[at].machine.as_mut().map(|machine| machine.step(event, now)),
        };
        for effect in effects.unwrap_or_default() {
            if self.luck.chance(self.scenario.faults.crash_between_effects) {
                self.crash(party);
                return Ok(());
            }
            self.carry_out(party, effect)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, party: Party, effect: Effect) -> Result<(), RunError> {
        match effect {
            Effect::Commit(commit) => {
                let hotkey = self.identity(party).hotkey;
                let committed = self
                    .keeping(party)
                    .store
                    .commit(&commit)
                    .map_err(|source| RunError::Store { party: hotkey, source })?;
                self.watch.committed(hotkey, &commit, &committed)?;
            }
            Effect::Keep(bytes) => {
                // A failure leaves the artifact out; who needs it finds it missing and asks again.
                let _ = self.keeping(party).artifacts.put(&bytes);
            }
            Effect::View { block } => {
                if let Some(view) = self.view(block) {
                    self.step(party, Event::View(view))?;
                }
            }
            Effect::Ask { ask, to, what } => self.ask(party, ask, to, what),
            Effect::Reply { request, answer } => {
                if let Some((to, ask)) = self.requests.remove(&request) {
                    self.send(Happening::Answer { to, ask, result: Ok(answer) });
                }
            }
            Effect::ReplyPart { request, digest } => {
                let bytes = self.keeping(party).artifacts.get(digest);
                if let Some((to, ask)) = self.requests.remove(&request) {
                    let answer = bytes.map_or(Answer::Refused, Answer::Part);
                    self.send(Happening::Answer { to, ask, result: Ok(answer) });
                }
            }
            Effect::Submit { nonce, call, valid_until } => self.submit(party, nonce, call, valid_until),
            Effect::Make { round, task, bytes } => {
                if let Party::Miner(miner) = party {
                    let incarnation = self.miners[miner].incarnation;
                    let made = Happening::Made { miner, incarnation, round, task, bytes };
                    self.agenda.plan(MAKE_TIME, made);
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, from: Party, ask: AskId, to: Peer, what: Ask) {
        let target = match to {
            Peer::Desk => Some(Target::Desk),
            Peer::Neuron(hotkey) => match self.by_hotkey.get(&hotkey) {
                Some(Party::Miner(at)) => Some(Target::Miner(*at)),
                _ => None,
            },
        };
        let timed_out = Happening::Answer { to: from, ask, result: Err(AskFailure::TimedOut) };
        self.agenda.plan(ASK_TIMEOUT, timed_out);
        if let Some(to) = target {
            self.send_with(|| Happening::Question { from, ask, to, what: what.clone() });
        }
    }

    fn submit(&mut self, from: Party, nonce: u32, call: Call, valid_until: BlockNumber) {
        let origin = self.identity(from).hotkey;
        let extrinsic = Extrinsic { nonce: Some(nonce), ..Extrinsic::new(origin, call) };
        self.send_with(|| Happening::Extrinsic { from, extrinsic: Box::new(extrinsic.clone()), valid_until });
    }

    /// Sends a message that is not worth doubling.
    pub(crate) fn send(&mut self, message: Happening) {
        let delay = self.delay();
        if !self.luck.chance(self.scenario.faults.drop) {
            self.agenda.plan(delay, message);
        }
    }

    /// Sends a message that may be lost, and may arrive twice.
    fn send_with(&mut self, message: impl Fn() -> Happening) {
        let copies = 1 + u32::from(self.luck.chance(self.scenario.faults.duplicate));
        for _ in 0..copies {
            self.send(message());
        }
    }

    pub(crate) fn delay(&mut self) -> DurationMs {
        let faults = &self.scenario.faults;
        let span = (faults.delay_max.0 - faults.delay_min.0).max(0).unsigned_abs() + 1;
        let least = faults.delay_min.0;
        DurationMs(least + i64::try_from(self.luck.below(span)).unwrap_or(0))
    }
}
