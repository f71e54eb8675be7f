//! The miner: leases tasks, has its strategy work on them, commits to the result and shows it.

mod facts;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chain::{BlockNumber, Call, Subnet};
use mechanisms::{ErasedMechanism, MechanismError, Strategy};
use primitives::{Digest, Hotkey, Timestamp};
use store::{Commit, Json, NewEvent, Store};

pub use facts::MinerFact;

use crate::{
    machine::{self, AskId, Effect, Event, Identity, RequestId, StartError},
    outbox::{Intent, Outbox, Outcome as Sent, Purpose},
    rounds::{Plan, Times},
    wire::{Answer, Ask, AskFailure, LeasedTask, PARTS_MAX, PartLine, Peer, RoundCommitment, manifest_root},
};

/// Rounds whose answers are still shown: the present one and the one before.
const ROUNDS_KEPT: usize = 2;

/// What a miner has done in one round.
#[derive(Clone, Debug, Default, PartialEq)]
struct RoundWork {
    /// Answers by the task's place in the plan.
    made: BTreeMap<u32, PartLine>,
    /// What was committed to, in the order of the root.
    announced: Option<Vec<PartLine>>,
    /// What became of the commitment.
    sent: Option<Sent>,
}

/// What one question of this incarnation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Lease { round: u64, want: usize },
    Done { round: u64 },
    Manifest { round: u64, of: Hotkey },
    Part { round: u64, task: u32 },
}

/// What the desk has given.
struct Leased {
    tasks: Vec<LeasedTask>,
    /// How many had been asked for.
    wanted: usize,
}

/// A miner of one mechanism.
pub struct Miner {
    identity: Identity,
    mechanism: &'static dyn ErasedMechanism,
    strategy: Arc<dyn Strategy>,
    jobs: Vec<Arc<Vec<u8>>>,
    rounds: BTreeMap<u64, RoundWork>,
    outbox: Outbox,
    incarnation: u32,
    asked: u64,
    head: Option<(Arc<Subnet>, u32)>,
    plan: Option<Plan>,
    view_wanted: Option<BlockNumber>,
    leased: Option<Leased>,
    /// Whether the desk knows that they are finished.
    is_noted: bool,
    making: BTreeSet<u32>,
    given_up: BTreeSet<u32>,
    victim: Option<Hotkey>,
    stolen: Option<Vec<PartLine>>,
    questions: BTreeMap<AskId, Question>,
    trouble: Option<MechanismError>,
}

impl Miner {
    /// The log that a miner writes.
    #[must_use]
    pub fn log(identity: &Identity) -> String {
        format!("miner/{}/{}/{}", identity.netuid, identity.mechid, identity.hotkey)
    }

    /// A miner that knows what its log says. `incarnation` counts its starts.
    ///
    /// # Errors
    /// [`StartError`] where the log can't be read.
    pub fn start(
        identity: Identity,
        mechanism: &'static dyn ErasedMechanism,
        strategy: Arc<dyn Strategy>,
        jobs: Vec<Arc<Vec<u8>>>,
        incarnation: u32,
        store: &dyn Store,
    ) -> Result<Self, StartError> {
        let mut miner = Self {
            identity,
            mechanism,
            strategy,
            jobs,
            rounds: BTreeMap::new(),
            outbox: Outbox::default(),
            incarnation,
            asked: 0,
            head: None,
            plan: None,
            view_wanted: None,
            leased: None,
            is_noted: false,
            making: BTreeSet::new(),
            given_up: BTreeSet::new(),
            victim: None,
            stolen: None,
            questions: BTreeMap::new(),
            trouble: None,
        };
        machine::replay(store, &Self::log(&identity), |fact| miner.apply(fact))?;
        Ok(miner)
    }

    /// The miner's identity.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A digest of all durable state.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(format!("{:?}", self.rounds).as_bytes())
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
            self.record(out, MinerFact::Settled { purpose, outcome }, now);
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
                self.head = Some((Arc::clone(&subnet), nonce));
                self.settle_at(&mut out, block, nonce, now);
                self.open(&mut out, &subnet);
            }
            Event::View(subnet) => self.open(&mut out, &subnet),
            // What brings nothing is asked again with the next block, not at once.
            Event::Answer { ask, result } => {
                if !self.on_answer(&mut out, ask, result, now) {
                    return out;
                }
            }
            Event::Asked { request, what, .. } => {
                self.on_asked(&mut out, request, &what);
                return out;
            }
            Event::Submitted { nonce, result } => {
                if let Some((purpose, outcome)) = self.outbox.at_answer(nonce, &result) {
                    self.record(&mut out, MinerFact::Settled { purpose, outcome }, now);
                }
            }
            Event::Made { round, task, answer } => self.on_made(&mut out, round, task, answer, now),
            Event::Examined(_) => return out,
        }
        self.advance(&mut out, now);
        out
    }

    /// Opens the round that runs, with the state after its first block.
    fn open(&mut self, out: &mut Vec<Effect>, at: &Subnet) {
        let Some((head, _)) = &self.head else { return };
        let Some(times) = Times::of(&head.schedule) else { return };
        let is_open = self.plan.as_ref().is_some_and(|plan| plan.round.number == times.number);
        if is_open || head.head.number > times.deadline {
            return;
        }
        if at.head.number != times.opened_at {
            if self.view_wanted != Some(times.opened_at) {
                self.view_wanted = Some(times.opened_at);
                out.push(Effect::View { block: times.opened_at });
            }
            return;
        }
        match Plan::open(&times, self.identity.mechid, at, self.mechanism, &self.jobs) {
            Ok(plan) => {
                self.plan = Some(plan);
                self.leased = None;
                self.is_noted = false;
                self.making.clear();
                self.given_up.clear();
                self.victim = None;
                self.stolen = None;
                self.questions.clear();
            }
            Err(error) => self.trouble = Some(error),
        }
    }

    fn advance(&mut self, out: &mut Vec<Effect>, now: Timestamp) {
        let Some((subnet, nonce)) = self.head.clone() else { return };
        let Some(times) = Times::of(&subnet.schedule) else { return };
        let block = subnet.head.number;
        let is_open = self.plan.as_ref().is_some_and(|plan| plan.round.number == times.number);
        let announced = self.rounds.get(&times.number).is_some_and(|work| work.announced.is_some());
        if is_open && !announced && block < times.deadline {
            if self.strategy.is_copier() {
                self.steal(out, &times, &subnet);
            } else {
                self.work(out, &times);
            }
            if self.is_ready(&times, block) {
                self.announce(out, &times, nonce, now);
            }
        }
        if is_open && block < times.deadline {
            self.tell_desk(out, times.number);
        }
        if let Some(intent) = self.outbox.due(block) {
            out.push(Effect::Submit {
                nonce: intent.nonce,
                call: intent.call,
                valid_until: intent.valid_until,
            });
        }
    }

    /// How many tasks it would lease: as many as its strategy takes on, and another for each that came to nothing.
    fn want(&self) -> usize {
        let planned = self.plan.as_ref().map_or(0, |plan| plan.tasks.len());
        let appetite = self.strategy.appetite(planned);
        if appetite == 0 { 0 } else { (appetite + self.given_up.len()).min(PARTS_MAX) }
    }

    /// Leases tasks and has them worked on.
    fn work(&mut self, out: &mut Vec<Effect>, times: &Times) {
        let want = self.want();
        if want > self.leased.as_ref().map_or(0, |leased| leased.wanted) {
            let question = Question::Lease { round: times.number, want };
            let most = u32::try_from(want).expect("at most PARTS_MAX");
            self.ask(out, question, Peer::Desk, Ask::Lease { round: times.number, want: most });
        }
        let (Some(plan), Some(leased)) = (&self.plan, &self.leased) else { return };
        let made = self.rounds.get(&times.number).map(|work| &work.made);
        for LeasedTask { task, .. } in &leased.tasks {
            let done = made.is_some_and(|made| made.contains_key(task)) || self.given_up.contains(task);
            let Some(planned) = plan.tasks.get(*task as usize) else { continue };
            if !done && self.making.insert(*task) {
                let bytes = Arc::new(planned.bytes.clone());
                out.push(Effect::Make { round: times.number, task: *task, bytes });
            }
        }
    }

    /// Tells the desk what is committed to, so that nobody else is given it.
    fn tell_desk(&mut self, out: &mut Vec<Effect>, round: u64) {
        let Some(work) = self.rounds.get(&round).filter(|work| work.sent == Some(Sent::Included)) else {
            return;
        };
        let Some(leased) = self.leased.as_ref().filter(|_| !self.is_noted) else { return };
        let tasks = leased.tasks.iter();
        let tasks = tasks.filter(|leased| work.made.contains_key(&leased.task)).copied().collect();
        self.ask(out, Question::Done { round }, Peer::Desk, Ask::Done { round, tasks });
    }

    /// Waits for somebody else's commitment and takes what it stands for.
    fn steal(&mut self, out: &mut Vec<Effect>, times: &Times, subnet: &Subnet) {
        let round = times.number;
        let fresh = subnet.commitments.iter().filter(|(hotkey, commitment)| {
            let found = RoundCommitment::find(&commitment.fields);
            **hotkey != self.identity.hotkey
                && found.is_some_and(|found| found.round == round && found.mechanism == self.mechanism.id())
        });
        let fresh: Vec<Hotkey> = fresh.map(|(hotkey, _)| *hotkey).collect();
        // One after the other, round by round: from outside nobody can tell whose work is good.
        let first =
            usize::try_from(round).ok().and_then(|round| fresh.get(round % fresh.len().max(1)).copied());
        let Some(victim) = self.victim.or(first) else { return };
        self.victim = Some(victim);
        let Some(lines) = self.stolen.clone() else {
            self.ask(
                out,
                Question::Manifest { round, of: victim },
                Peer::Neuron(victim),
                Ask::Manifest { round },
            );
            return;
        };
        let Some(plan) = &self.plan else { return };
        let made = self.rounds.get(&round).map(|work| work.made.clone()).unwrap_or_default();
        let wanted: Vec<(u32, Digest)> = lines
            .iter()
            .filter_map(|line| Some((*plan.by_id.get(&line.task)?, line.part)))
            .filter(|(task, _)| !made.contains_key(task) && !self.given_up.contains(task))
            .collect();
        for (task, digest) in wanted {
            self.ask(out, Question::Part { round, task }, Peer::Neuron(victim), Ask::Part { digest });
        }
    }

    /// Asks, unless the same is being asked already.
    fn ask(&mut self, out: &mut Vec<Effect>, question: Question, to: Peer, what: Ask) {
        if self.questions.values().any(|known| *known == question) {
            return;
        }
        self.asked += 1;
        let ask = AskId { incarnation: self.incarnation, number: self.asked };
        self.questions.insert(ask, question);
        out.push(Effect::Ask { ask, to, what });
    }

    /// Takes an answer; false where it brings nothing.
    fn on_answer(
        &mut self,
        out: &mut Vec<Effect>,
        ask: AskId,
        result: Result<Answer, AskFailure>,
        now: Timestamp,
    ) -> bool {
        let Some(question) = self.questions.remove(&ask) else { return false };
        let running = self.plan.as_ref().map(|plan| plan.round.number);
        match (question, result) {
            (Question::Lease { round, want }, Ok(Answer::Leases(tasks))) if running == Some(round) => {
                self.leased = Some(Leased { tasks, wanted: want });
            }
            (Question::Done { round }, Ok(Answer::Noted)) if running == Some(round) => self.is_noted = true,
            (Question::Manifest { round, of }, Ok(Answer::Manifest(lines)))
                if running == Some(round) && self.victim == Some(of) =>
            {
                self.stolen = Some(lines);
            }
            (Question::Part { round, task }, Ok(Answer::Part(bytes))) if running == Some(round) => {
                let answer = self.strategy.rework(self.identity.hotkey, &bytes);
                self.on_made(out, round, task, answer, now);
            }
            _ => return false,
        }
        true
    }

    fn on_made(
        &mut self,
        out: &mut Vec<Effect>,
        round: u64,
        task: u32,
        answer: Option<Vec<u8>>,
        now: Timestamp,
    ) {
        self.making.remove(&task);
        let Some(plan) = self.plan.as_ref().filter(|plan| plan.round.number == round) else { return };
        let announced = self.rounds.get(&round).is_some_and(|work| work.announced.is_some());
        let Some(planned) = plan.tasks.get(task as usize).filter(|_| !announced) else { return };
        let Some(bytes) = answer else {
            self.given_up.insert(task);
            return;
        };
        let line = PartLine {
            task: planned.id,
            root: self.mechanism.root_of(&bytes),
            part: Digest::of(&bytes),
            bytes: bytes.len() as u64,
        };
        out.push(Effect::Keep(bytes));
        self.record(out, MinerFact::Made { round, task, line }, now);
    }

    /// Whether it is time to commit: everything is made, or the last moment has come.
    fn is_ready(&self, times: &Times, block: BlockNumber) -> bool {
        let Some(work) = self.rounds.get(&times.number).filter(|work| !work.made.is_empty()) else {
            return false;
        };
        let done = |task: &u32| work.made.contains_key(task) || self.given_up.contains(task);
        let complete = match (&self.leased, &self.stolen, &self.plan) {
            (Some(leased), _, _) => {
                self.want() <= leased.wanted && leased.tasks.iter().all(|leased| done(&leased.task))
            }
            (None, Some(lines), Some(plan)) => {
                lines.iter().all(|line| plan.by_id.get(&line.task).is_none_or(&done))
            }
            _ => false,
        };
        self.outbox.is_free() && (complete || block >= times.announce_by)
    }

    fn announce(&mut self, out: &mut Vec<Effect>, times: &Times, nonce: u32, now: Timestamp) {
        let round = times.number;
        let Some(work) = self.rounds.get(&round) else { return };
        let lines: Vec<PartLine> = work.made.values().copied().collect();
        let root = manifest_root(&lines);
        let field = RoundCommitment { mechanism: self.mechanism.id().to_owned(), round, root }.field();
        let call = Call::SetCommitment { netuid: self.identity.netuid, fields: vec![field] };
        let purpose = Purpose::Announce { round };
        let nonce = self.outbox.nonce(nonce);
        let intent = Intent { purpose, nonce, call, valid_until: times.deadline };
        self.record(out, MinerFact::Announced { round, lines, intent }, now);
    }

    /// Shows what it has committed to, once the commitment stands on chain: before that, showing it would let
    /// another commit to it first.
    fn on_asked(&self, out: &mut Vec<Effect>, request: RequestId, what: &Ask) {
        let shown = |work: &RoundWork| work.sent == Some(Sent::Included);
        match what {
            Ask::Manifest { round } => {
                let lines = self.rounds.get(round).filter(|work| shown(work));
                let lines = lines.and_then(|work| work.announced.clone());
                let answer = lines.map_or(Answer::Refused, Answer::Manifest);
                out.push(Effect::Reply { request, answer });
            }
            Ask::Part { digest } => {
                let mut lines =
                    self.rounds.values().filter(|work| shown(work)).flat_map(|work| &work.announced);
                if lines.any(|lines| lines.iter().any(|line| line.part == *digest)) {
                    out.push(Effect::ReplyPart { request, digest: *digest });
                } else {
                    out.push(Effect::Reply { request, answer: Answer::Refused });
                }
            }
            Ask::Lease { .. } | Ask::Done { .. } => {
                out.push(Effect::Reply { request, answer: Answer::Refused })
            }
        }
    }

    fn record(&mut self, out: &mut Vec<Effect>, fact: MinerFact, now: Timestamp) {
        let body = Json::of(&fact).expect("a fact is plain data within a row's size");
        let event = NewEvent::new(fact.kind(), body, now).once(fact.key());
        out.push(Effect::Commit(Commit::new().event(&Self::log(&self.identity), event)));
        self.apply(&fact);
    }

    /// The state after a fact. The only way in which durable state changes.
    fn apply(&mut self, fact: &MinerFact) {
        match fact {
            MinerFact::Made { round, task, line } => {
                self.rounds.entry(*round).or_default().made.insert(*task, *line);
            }
            MinerFact::Announced { round, lines, intent } => {
                self.rounds.entry(*round).or_default().announced = Some(lines.clone());
                self.outbox.take(intent.clone());
            }
            MinerFact::Settled { purpose, outcome } => {
                if let Purpose::Announce { round } = purpose {
                    self.rounds.entry(*round).or_default().sent = Some(*outcome);
                }
                self.outbox.settle(*purpose);
            }
        }
        while self.rounds.len() > ROUNDS_KEPT {
            self.rounds.pop_first();
        }
    }
}
