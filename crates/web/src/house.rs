//! The house: all that can be shown, as the fold of its public record.
//!
//! [`House::apply`] takes the log's events one by one, in order, each once. It is pure: the same events give the same
//! house, in one go or in pieces. Memory is bounded: the newest rounds and epochs are kept in detail, totals for all.
//! Strangers' texts are cut and cleaned on the way in; what a mechanism found is kept as its totals, and whoever wants
//! it whole reads the event again by its number.

use std::collections::{BTreeMap, BTreeSet};

use mechanisms::{Certificate, Judgement, Outcome};
use primitives::{AlphaRao, BlockNumber, Digest, DurationMs, Hotkey, NetUid, Seed, Timestamp, Uid};
use serde::Deserialize;
use store::{Event, EventNumber};

use crate::{
    quoted,
    record::{Cast, NeuronLine, Record, Role, TaskLine},
};

/// Rounds that are kept in detail: with 256 miners and three validators about 10 MiB.
pub const ROUNDS_KEPT: usize = 32;

/// Epochs that are kept in detail: with 256 neurons about 3 MiB.
pub const EPOCHS_KEPT: usize = 128;

/// Examinations of one round that are kept; beyond them only their number grows.
pub const EXAMINATIONS_KEPT: usize = 16_384;

/// Neurons that have lost their slots and are still known by name; the one that left first goes first.
pub const DEPARTED_KEPT: usize = 1_024;

/// Neurons that hold slots: the chain's largest subnet has 256, and what lies far beyond is no subnet.
pub const NEURONS_MAX: usize = 4_096;

/// Tasks of one round that are kept.
pub const TASKS_KEPT: usize = 8_192;

/// Parts of one score that are kept.
pub const PARTS_KEPT: usize = 16;

/// Hexadecimal digits of a signature, of 64 bytes under either scheme.
const SIGNATURE_DIGITS: usize = 2 * protocol::SIGNATURE_BYTES;

/// Strategies of which totals are kept: the house sets up what it knows, and it knows fewer.
pub const STRATEGIES_KEPT: usize = 128;

/// All that can be shown of a house.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct House {
    /// The last event that is in here.
    pub seen: EventNumber,
    /// When that event happened, as its writer said.
    pub at: Timestamp,
    /// What the house is, once it has opened.
    pub sign: Option<Sign>,
    /// Who holds which slot.
    pub slots: BTreeMap<Uid, Hotkey>,
    /// Everyone who holds a slot, and those who last lost one.
    pub neurons: BTreeMap<Hotkey, Neuron>,
    /// The newest rounds.
    pub rounds: BTreeMap<u64, Round>,
    /// The newest epochs.
    pub epochs: BTreeMap<u64, Epoch>,
    /// Where each submission of the kept rounds was examined: round and place of the examination there.
    pub submissions: BTreeMap<Digest, BTreeSet<(u64, usize)>>,
    /// Over all time.
    pub totals: Totals,
    /// Moments worth telling.
    pub milestones: Milestones,
    departed: BTreeSet<(EventNumber, Hotkey)>,
}

/// What the house says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// What the subnet is called.
    pub name: String,
    /// The chain's number for it.
    pub netuid: NetUid,
    /// The mechanism by which it weighs.
    pub mechanism: String,
    /// Blocks in an epoch.
    pub tempo: u16,
    /// Time between two blocks.
    pub block_time: DurationMs,
    /// What the tasks are made of, in words.
    pub source: String,
    /// Bytes of it.
    pub source_bytes: u64,
    /// Where miners lease tasks.
    pub task_api: Option<String>,
}

/// Someone who holds a slot, or held one.
#[derive(Clone, Debug, PartialEq)]
pub struct Neuron {
    /// Its slot.
    pub uid: Uid,
    /// Its key.
    pub hotkey: Hotkey,
    /// What it calls itself; empty where it has said nothing.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// How it behaves, where the house itself has set it up.
    pub cast: Option<Cast>,
    /// Since which block it holds its slot.
    pub registered_at: BlockNumber,
    /// Since which block it holds it no more.
    pub left_at: Option<BlockNumber>,
    /// All that it has earned.
    pub earned: AlphaRao,
}

/// A round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    /// The block after which it opened; none where that was not told.
    pub opened_at: Option<BlockNumber>,
    /// The last block whose commitments count.
    pub deadline: Option<BlockNumber>,
    /// Its tasks.
    pub tasks: Vec<TaskLine>,
    /// The seed that draws every sample, once the deadline has passed.
    pub audit_seed: Option<Seed>,
    /// Who committed to what, and in which block.
    pub commitments: BTreeMap<Hotkey, (Digest, BlockNumber)>,
    /// The examinations, as they came in.
    pub examinations: Vec<Examination>,
    /// How many there were, those that are not kept included.
    pub examined: u64,
    /// Each validator's judgements, by miner.
    pub judged: BTreeMap<Hotkey, BTreeMap<Hotkey, Judgement>>,
}

/// One validator's look at one submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Examination {
    /// The event that told of it: its whole finding stands there.
    pub event: EventNumber,
    /// The validator.
    pub validator: Hotkey,
    /// The task's place in the plan.
    pub task: u32,
    /// The miner.
    pub miner: Hotkey,
    /// The submission.
    pub submission: Digest,
    /// Its length.
    pub bytes: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// What was found, in numbers.
    pub found: Option<Found>,
    /// The digest of the receipt.
    pub receipt: Option<Digest>,
    /// The validator's signature of that digest: 128 digits of lower-case hexadecimal.
    pub signature: Option<String>,
    /// The submission's own root.
    pub root: Option<Digest>,
    /// What it cost in CPU time.
    pub cpu: Option<DurationMs>,
}

/// A mechanism's finding in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The recipe that made it.
    pub recipe: String,
    /// Documents.
    pub documents: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Kept records that were checked against the source.
    pub sampled_kept: u32,
    /// Dropped records that were checked against the source.
    pub sampled_dropped: u32,
}

/// An epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Epoch {
    /// The block in which consensus ran; none while it has not.
    pub block: Option<BlockNumber>,
    /// Every neuron by uid, once it has closed.
    pub neurons: Vec<NeuronLine>,
    /// Each validator's weights, and the block in which they were committed to.
    pub weights: BTreeMap<Hotkey, (Option<BlockNumber>, BTreeMap<Uid, u16>)>,
    /// Who came during it.
    pub registered: Vec<(Uid, Hotkey)>,
    /// Who left during it.
    pub deregistered: Vec<(Uid, Hotkey)>,
}

/// Sums over all time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rounds that were opened.
    pub rounds: u64,
    /// Epochs that were closed.
    pub epochs: u64,
    /// Examinations.
    pub examined: u64,
    /// Faults that were proven in them.
    pub faults: u64,
    /// Bytes of the submissions, once per examination.
    pub examined_bytes: u64,
    /// Paid to everyone.
    pub paid: AlphaRao,
    /// Paid to the miners.
    pub paid_to_miners: AlphaRao,
    /// Paid to miners that the house set up as honest ones.
    pub paid_to_honest: AlphaRao,
    /// Paid to miners that the house set up as attackers.
    pub paid_to_attackers: AlphaRao,
    /// By strategy, for miners that the house set up.
    pub strategies: BTreeMap<String, StrategyTotals>,
}

/// What one strategy has brought in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrategyTotals {
    /// What it does.
    pub about: String,
    /// Whether it deserves to be paid.
    pub honest: bool,
    /// Miners that followed it.
    pub miners: u64,
    /// What they earned together.
    pub earned: AlphaRao,
    /// Epochs in which they were there, summed over them.
    pub epochs: u64,
    /// Faults that were proven against them.
    pub faults: u64,
}

/// First times, each with its place and the event that told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Milestones {
    /// The first submission without a fault: its round and digest.
    pub verified: Option<(u64, Digest)>,
    /// The first proven fault: its round and digest.
    pub fault: Option<(u64, Digest)>,
    /// The first weights: their epoch.
    pub weights: Option<u64>,
    /// The first pay to a miner: its epoch.
    pub paid: Option<u64>,
    /// The first submission on whose receipt two validators agree: its round and digest.
    pub agreed: Option<(u64, Digest)>,
}

impl House {
    /// Takes the next event. One that was taken before, or that this program does not know, changes nothing but
    /// [`House::seen`].
    pub fn apply(&mut self, event: &Event) {
        if event.number <= self.seen {
            return;
        }
        (self.seen, self.at) = (event.number, event.at);
        let Ok(record) = event.body.read::<Record>() else { return };
        match record {
            Record::Opened {
                name,
                netuid,
                mechanism,
                tempo,
                block_time,
                source,
                source_bytes,
                task_api,
                times: _,
            } => {
                self.sign = Some(Sign {
                    name: quoted::name(&name),
                    netuid,
                    mechanism: quoted::name(&mechanism),
                    tempo,
                    block_time,
                    source: quoted::line(&source),
                    source_bytes,
                    task_api: task_api.as_deref().map(quoted::line),
                });
            }
            Record::Registered { uid, hotkey, name, role, cast, block } => {
                self.registered(uid, hotkey, &name, role, cast, block);
            }
            Record::Deregistered { uid, hotkey, block } => self.deregistered(uid, hotkey, block),
            Record::RoundOpened { round, block, deadline, mut tasks } => {
                self.totals.rounds += 1;
                tasks.truncate(TASKS_KEPT);
                for task in &mut tasks {
                    task.about = quoted::line(&task.about);
                }
                if let Some(kept) = self.round(round) {
                    (kept.opened_at, kept.deadline, kept.tasks) = (Some(block), Some(deadline), tasks);
                }
            }
            Record::RoundSealed { round, audit_seed, mut commitments } => {
                commitments.truncate(NEURONS_MAX);
                if let Some(kept) = self.round(round) {
                    kept.audit_seed = Some(audit_seed);
                    kept.commitments =
                        commitments.into_iter().map(|(who, root, block)| (who, (root, block))).collect();
                }
            }
            Record::Examined {
                validator,
                round,
                task,
                miner,
                submission,
                bytes,
                mut outcome,
                finding,
                receipt,
                cpu,
                root,
                signature,
            } => {
                clean_outcome(&mut outcome);
                let signature = signature.filter(|text| is_signature(text));
                let found = finding.as_deref().and_then(Found::read);
                let event = event.number;
                let examination = Examination {
                    event,
                    validator,
                    task,
                    miner,
                    submission,
                    bytes,
                    outcome,
                    found,
                    receipt,
                    signature,
                    root,
                    cpu,
                };
                self.examined(round, examination);
            }
            Record::Judged { validator, round, judgements } => {
                let judgements = judgements.into_iter().take(NEURONS_MAX).map(clean_judgement);
                let judgements = judgements.map(|judgement| (judgement.hotkey, judgement)).collect();
                if let Some(kept) = self.round(round)
                    && (kept.judged.len() < NEURONS_MAX || kept.judged.contains_key(&validator))
                {
                    kept.judged.insert(validator, judgements);
                }
            }
            Record::WeightsSet { validator, epoch, block, weights } => {
                self.milestones.weights.get_or_insert(epoch);
                if let Some(kept) = self.epoch(epoch)
                    && (kept.weights.len() < NEURONS_MAX || kept.weights.contains_key(&validator))
                {
                    let weights = weights.into_iter().take(NEURONS_MAX).collect();
                    kept.weights.insert(validator, (block, weights));
                }
            }
            Record::EpochClosed { epoch, block, neurons } => self.closed(epoch, block, neurons),
        }
    }

    /// The newest epoch that has closed, with its number.
    #[must_use]
    pub fn last_epoch(&self) -> Option<(u64, &Epoch)> {
        self.epochs.iter().rev().find(|(_, epoch)| epoch.block.is_some()).map(|(n, epoch)| (*n, epoch))
    }

    /// The newest round that a validator has judged, with its number.
    #[must_use]
    pub fn last_judged(&self) -> Option<(u64, &Round)> {
        self.rounds.iter().rev().find(|(_, round)| !round.judged.is_empty()).map(|(n, round)| (*n, round))
    }

    /// The newest round, with its number.
    #[must_use]
    pub fn last_round(&self) -> Option<(u64, &Round)> {
        self.rounds.last_key_value().map(|(number, round)| (*number, round))
    }

    /// The neuron with this key, if it holds a slot or did so not long ago.
    #[must_use]
    pub fn neuron(&self, hotkey: &Hotkey) -> Option<&Neuron> {
        self.neurons.get(hotkey)
    }

    /// Everyone who holds a slot, by uid.
    pub fn present(&self) -> impl Iterator<Item = &Neuron> {
        self.slots.values().filter_map(|hotkey| self.neurons.get(hotkey))
    }

    /// What the newest closed epoch says of a neuron.
    #[must_use]
    pub fn line(&self, hotkey: &Hotkey) -> Option<&NeuronLine> {
        self.last_epoch()?.1.neurons.iter().find(|line| line.hotkey == *hotkey)
    }

    /// The validator whose word is shown where one is enough: the one with the most stake among those who judged the
    /// round. All are shown beside each other on a miner's own page.
    #[must_use]
    pub fn spokesman<'a>(&self, round: &'a Round) -> Option<(&'a Hotkey, &'a BTreeMap<Hotkey, Judgement>)> {
        let stake = |hotkey: &Hotkey| self.line(hotkey).map_or(AlphaRao::ZERO, |line| line.stake);
        // Of those with equal stake the first key: `max_by_key` takes the last of equals.
        round.judged.iter().rev().max_by_key(|(hotkey, _)| stake(hotkey))
    }

    /// The task with this id, in the newest of the kept rounds that has it.
    #[must_use]
    pub fn task(&self, id: &Digest) -> Option<&TaskLine> {
        self.rounds.values().rev().flat_map(|round| &round.tasks).find(|task| task.id == *id)
    }

    /// The examinations of a submission in the kept rounds, with their rounds' numbers.
    #[must_use]
    pub fn cases(&self, submission: &Digest) -> Vec<(u64, &Round, &Examination)> {
        let places = self.submissions.get(submission).into_iter().flatten();
        places
            .filter_map(|(number, at)| {
                let round = self.rounds.get(number)?;
                Some((*number, round, round.examinations.get(*at)?))
            })
            .collect()
    }

    fn registered(
        &mut self,
        uid: Uid,
        hotkey: Hotkey,
        name: &str,
        role: Role,
        cast: Option<Cast>,
        block: BlockNumber,
    ) {
        if self.slots.len() >= NEURONS_MAX && !self.slots.contains_key(&uid) {
            return;
        }
        if let Some(last) = self.slots.insert(uid, hotkey)
            && last != hotkey
        {
            self.leave(last, block);
        }
        let cast = cast.map(|cast| Cast {
            strategy: quoted::name(&cast.strategy),
            about: quoted::line(&cast.about),
            honest: cast.honest,
        });
        if let Some(cast) = &cast
            && let Some(totals) = self.strategy(cast)
        {
            totals.miners += 1;
        }
        let earned = self.neurons.get(&hotkey).map_or(AlphaRao::ZERO, |known| known.earned);
        let name = quoted::name(name);
        self.departed.retain(|(_, gone)| *gone != hotkey);
        self.neurons.insert(
            hotkey,
            Neuron { uid, hotkey, name, role, cast, registered_at: block, left_at: None, earned },
        );
        if let Some(epoch) = self.running_epoch() {
            epoch.registered.push((uid, hotkey));
            epoch.registered.truncate(NEURONS_MAX);
        }
    }

    fn deregistered(&mut self, uid: Uid, hotkey: Hotkey, block: BlockNumber) {
        if self.slots.get(&uid) == Some(&hotkey) {
            self.slots.remove(&uid);
        }
        self.leave(hotkey, block);
        if let Some(epoch) = self.running_epoch() {
            epoch.deregistered.push((uid, hotkey));
            epoch.deregistered.truncate(NEURONS_MAX);
        }
    }

    fn leave(&mut self, hotkey: Hotkey, block: BlockNumber) {
        if self.slots.values().any(|holder| *holder == hotkey) {
            return;
        }
        let Some(neuron) = self.neurons.get_mut(&hotkey) else { return };
        if neuron.left_at.is_some() {
            return;
        }
        neuron.left_at = Some(block);
        self.departed.insert((self.seen, hotkey));
        if self.departed.len() > DEPARTED_KEPT
            && let Some((_, first)) = self.departed.pop_first()
        {
            self.neurons.remove(&first);
        }
    }

    fn examined(&mut self, number: u64, examination: Examination) {
        self.totals.examined += 1;
        self.totals.examined_bytes = self.totals.examined_bytes.saturating_add(examination.bytes);
        let place = (number, examination.submission);
        match &examination.outcome {
            Outcome::Ok => _ = self.milestones.verified.get_or_insert(place),
            Outcome::Invalid(_) | Outcome::TooBig => {
                self.totals.faults += 1;
                self.milestones.fault.get_or_insert(place);
                let cast = self.neurons.get(&examination.miner).and_then(|miner| miner.cast.clone());
                if let Some(cast) = cast
                    && let Some(totals) = self.strategy(&cast)
                {
                    totals.faults += 1;
                }
            }
            _ => {}
        }
        let Some(round) = self.round(number) else { return };
        round.examined += 1;
        if round.examinations.len() >= EXAMINATIONS_KEPT {
            return;
        }
        let at = round.examinations.len();
        round.examinations.push(examination);
        let Some(examination) = self.rounds.get(&number).and_then(|round| round.examinations.get(at)) else {
            return;
        };
        let (submission, receipt, validator) =
            (examination.submission, examination.receipt, examination.validator);
        let places = self.submissions.entry(submission).or_default();
        places.insert((number, at));
        if self.milestones.agreed.is_none() && receipt.is_some() {
            let same = self.cases(&submission).into_iter().any(|(round, _, other)| {
                round == number && other.validator != validator && other.receipt == receipt
            });
            if same {
                self.milestones.agreed = Some(place);
            }
        }
    }

    fn closed(&mut self, number: u64, block: BlockNumber, mut neurons: Vec<NeuronLine>) {
        neurons.truncate(NEURONS_MAX);
        self.totals.epochs += 1;
        for line in &neurons {
            self.totals.paid = self.totals.paid.saturating_add(line.earned);
            if !self.neurons.contains_key(&line.hotkey) {
                // The chain knows it, and nobody has introduced it: what it is there for shows in its permit.
                let role = if line.validator_permit { Role::Validator } else { Role::Miner };
                self.registered(line.uid, line.hotkey, "", role, None, line.registered_at);
            }
            let Some(neuron) = self.neurons.get_mut(&line.hotkey) else { continue };
            neuron.earned = neuron.earned.saturating_add(line.earned);
            neuron.registered_at = line.registered_at;
            if neuron.role != Role::Miner {
                continue;
            }
            let cast = neuron.cast.clone();
            if !line.earned.is_zero() {
                self.milestones.paid.get_or_insert(number);
            }
            self.totals.paid_to_miners = self.totals.paid_to_miners.saturating_add(line.earned);
            let Some(cast) = cast else { continue };
            let side = if cast.honest {
                &mut self.totals.paid_to_honest
            } else {
                &mut self.totals.paid_to_attackers
            };
            *side = side.saturating_add(line.earned);
            if let Some(totals) = self.strategy(&cast) {
                totals.earned = totals.earned.saturating_add(line.earned);
                totals.epochs += 1;
            }
        }
        if let Some(epoch) = self.epoch(number) {
            (epoch.block, epoch.neurons) = (Some(block), neurons);
        }
    }

    fn strategy(&mut self, cast: &Cast) -> Option<&mut StrategyTotals> {
        let strategies = &mut self.totals.strategies;
        if strategies.len() >= STRATEGIES_KEPT && !strategies.contains_key(&cast.strategy) {
            return None;
        }
        Some(strategies.entry(cast.strategy.clone()).or_insert_with(|| StrategyTotals {
            about: cast.about.clone(),
            honest: cast.honest,
            ..StrategyTotals::default()
        }))
    }

    /// The round with this number, made where it is new; none where it is older than what is kept.
    fn round(&mut self, number: u64) -> Option<&mut Round> {
        self.rounds.entry(number).or_default();
        if self.rounds.len() > ROUNDS_KEPT {
            let (oldest, round) = self.rounds.pop_first()?;
            for (at, examination) in round.examinations.iter().enumerate() {
                if let Some(places) = self.submissions.get_mut(&examination.submission) {
                    places.remove(&(oldest, at));
                    if places.is_empty() {
                        self.submissions.remove(&examination.submission);
                    }
                }
            }
        }
        self.rounds.get_mut(&number)
    }

    /// The epoch with this number, made where it is new; none where it is older than what is kept.
    fn epoch(&mut self, number: u64) -> Option<&mut Epoch> {
        self.epochs.entry(number).or_default();
        if self.epochs.len() > EPOCHS_KEPT {
            self.epochs.pop_first();
        }
        self.epochs.get_mut(&number)
    }

    /// The epoch after the last closed one; what comes before any has closed belongs to the first.
    fn running_epoch(&mut self) -> Option<&mut Epoch> {
        let number = self.last_epoch().map_or_else(
            || self.rounds.first_key_value().map_or(0, |(number, _)| *number),
            |(number, _)| number.saturating_add(1),
        );
        self.epoch(number)
    }
}

impl Neuron {
    /// What to call it: its own name, else its key's beginning.
    #[must_use]
    pub fn title(&self) -> String {
        if self.name.is_empty() { short(&self.hotkey) } else { self.name.clone() }
    }
}

/// The first and last characters of a key, for people to tell keys apart.
#[must_use]
pub fn short(hotkey: &Hotkey) -> String {
    let text = hotkey.to_string();
    format!("{}…{}", &text[..6], &text[text.len() - 4..])
}

/// The value of a part of a score.
#[must_use]
pub fn part(judgement: &Judgement, name: &str) -> Option<f64> {
    judgement.parts.iter().find(|(part, _)| part == name).map(|(_, value)| *value)
}

impl Found {
    /// The numbers of a finding; none where it has another shape. Only the fields that are counted are read.
    fn read(finding: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Shown {
            recipe: String,
            documents: Vec<(Digest, u64)>,
            sampled_kept: u32,
            sampled_dropped: u32,
        }
        let shown: Shown = serde_json::from_str(finding).ok()?;
        Some(Self {
            recipe: quoted::name(&shown.recipe),
            documents: shown.documents.len() as u64,
            tokens: shown.documents.iter().fold(0, |sum, (_, tokens)| sum.saturating_add(*tokens)),
            sampled_kept: shown.sampled_kept,
            sampled_dropped: shown.sampled_dropped,
        })
    }
}

fn clean_judgement(judgement: Judgement) -> Judgement {
    let Judgement { hotkey, score, mut parts, reason, certificate } = judgement;
    parts.truncate(PARTS_KEPT);
    for (name, value) in &mut parts {
        *name = quoted::name(name);
        // JSON has no word for what is no number; a score's part is one.
        *value = if value.is_finite() { *value } else { 0.0 };
    }
    let certificate = certificate.map(clean_certificate);
    Judgement { hotkey, score, parts, reason: quoted::line(&reason), certificate }
}

/// Whether a text is a signature as records have it.
fn is_signature(text: &str) -> bool {
    text.len() == SIGNATURE_DIGITS && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn clean_outcome(outcome: &mut Outcome) {
    if let Outcome::Invalid(certificate) = outcome {
        *certificate = clean_certificate(certificate.clone());
    }
}

fn clean_certificate(certificate: Certificate) -> Certificate {
    let Certificate { step, record, rule, expected, found } = certificate;
    Certificate {
        step,
        record: record.as_deref().map(quoted::line),
        rule: quoted::line(&rule),
        expected: quoted::line(&expected),
        found: quoted::line(&found),
    }
}
