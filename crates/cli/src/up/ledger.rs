//! The house's public record, written from the validators' logs and the chain.
//!
//! Everything is read from what is durable already, and each record has a key: after a crash the last stretch is read again
//! and changes nothing. A validator's log is read from where its newest round opened.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chain::{Subnet, WeightVector};
use corpus::Extent;
use mechanisms::{CaseResult, ErasedMechanism, MechanismError, dataset};
use neuron::{Identity, PartLine, Purpose, SubmissionOutcome, Validator, ValidatorFact, rounds::Plan};
use primitives::{Digest, Hotkey, Seed, Timestamp, Uid};
use store::{
    Commit, EventNumber, Store, StoreError,
    artifacts::{ArtifactError, Artifacts},
    each_event,
};
use thiserror::Error;
use wallet::Keypair;
use web::record::{self, NeuronLine, Record, Role, TaskLine};
use worker::{Examination, Receipt, SignedReceipt};

/// Most records in one commit.
const RECORDS_PER_COMMIT: usize = 2_000;
/// Rounds whose plans are kept: the present one, the one before, and one more for stragglers.
const ROUNDS_KEPT: usize = 3;

/// The record could not be written.
#[derive(Debug, Error)]
pub(crate) enum LedgerError {
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A round can't be planned.
    #[error(transparent)]
    Plan(#[from] MechanismError),
    /// A task can't be kept.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A fact or a record can't be read or written.
    #[error("event can't be read: {0}")]
    Event(#[from] store::JsonError),
}

/// A neuron's part in the house.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) cast: Option<record::Cast>,
}

/// A validator, as far as the house writes of it.
pub(crate) struct Validating {
    pub(crate) identity: Identity,
    /// Where its log is.
    pub(crate) store: Arc<dyn Store>,
    /// What its receipts are signed with.
    pub(crate) hotkey: Keypair,
}

/// What the house has of its own.
pub(crate) struct Shelves {
    /// Where the record is.
    pub(crate) record: Arc<dyn Store>,
    /// Where the tasks are kept, for whoever wants to come to a score again.
    pub(crate) tasks: Arc<dyn Artifacts>,
}

/// One validator's log, as far as it has been read.
struct Followed {
    validator: Validating,
    read: EventNumber,
    lines: BTreeMap<(u64, Hotkey, u32), PartLine>,
    weights: BTreeMap<u64, WeightVector>,
}

/// Writes the house's record.
pub(crate) struct Ledger {
    house: Arc<dyn Store>,
    tasks: Arc<dyn Artifacts>,
    mechanism: &'static dyn ErasedMechanism,
    jobs: Vec<Arc<Vec<u8>>>,
    parts: BTreeMap<Hotkey, Part>,
    validators: Vec<Followed>,
    plans: BTreeMap<u64, Plan>,
    audit_seeds: BTreeMap<u64, Seed>,
    present: BTreeMap<Uid, (Hotkey, u64)>,
    closed: Option<u64>,
}

impl Ledger {
    /// A writer that knows what the record says already.
    pub(crate) fn open(
        shelves: Shelves,
        mechanism: &'static dyn ErasedMechanism,
        jobs: Vec<Arc<Vec<u8>>>,
        parts: BTreeMap<Hotkey, Part>,
        validators: Vec<Validating>,
    ) -> Result<Self, LedgerError> {
        let Shelves { record: house, tasks } = shelves;
        let mut ledger = Self {
            house,
            tasks,
            mechanism,
            jobs,
            parts,
            validators: Vec::new(),
            plans: BTreeMap::new(),
            audit_seeds: BTreeMap::new(),
            present: BTreeMap::new(),
            closed: None,
        };
        ledger.remember()?;
        for validator in validators {
            let read = newest_round(&*validator.store, &validator.identity)?;
            let (lines, weights) = (BTreeMap::new(), BTreeMap::new());
            ledger.validators.push(Followed { validator, read, lines, weights });
        }
        Ok(ledger)
    }

    /// Reads who is there and which epochs have closed.
    fn remember(&mut self) -> Result<(), LedgerError> {
        let house = Arc::clone(&self.house);
        each_event(&*house, record::LOG, EventNumber::START, |event| {
            if !matches!(event.kind.as_str(), "Registered" | "Deregistered" | "EpochClosed") {
                return Ok(());
            }
            match event.body.read::<Record>()? {
                Record::Registered { uid, hotkey, block, .. } => {
                    self.present.insert(uid, (hotkey, block));
                }
                Record::Deregistered { uid, hotkey, .. } => {
                    self.present.retain(|at, (known, _)| (*at, *known) != (uid, hotkey));
                }
                Record::EpochClosed { epoch, .. } => self.closed = self.closed.max(Some(epoch)),
                _ => {}
            }
            Ok::<_, LedgerError>(())
        })?;
        Ok(())
    }

    /// How often the house has been opened.
    pub(crate) fn times_opened(&self) -> Result<u64, LedgerError> {
        let mut times = 0;
        while self.house.find(record::LOG, &format!("opened/{}", times + 1))?.is_some() {
            times += 1;
        }
        Ok(times)
    }

    /// Appends one record.
    pub(crate) fn append(&self, one: &Record, now: Timestamp) -> Result<(), LedgerError> {
        self.append_all(std::slice::from_ref(one), now)
    }

    fn append_all(&self, records: &[Record], now: Timestamp) -> Result<(), LedgerError> {
        for part in records.chunks(RECORDS_PER_COMMIT) {
            let mut commit = Commit::new();
            for one in part {
                commit = commit.event(record::LOG, one.event(now)?);
            }
            self.house.commit(&commit)?;
        }
        Ok(())
    }

    /// Writes down all that has happened up to this block. Gives the epoch that has closed with it.
    pub(crate) fn catch_up(&mut self, subnet: &Subnet, now: Timestamp) -> Result<Option<u64>, LedgerError> {
        let mut records = self.registrations(subnet);
        for at in 0..self.validators.len() {
            self.facts(at, &mut records)?;
        }
        let closed = self.closed_epoch(subnet);
        if let Some(epoch) = closed {
            records.push(Record::EpochClosed {
                epoch,
                block: subnet.schedule.last_epoch_block,
                neurons: subnet.neurons.iter().map(|neuron| neuron_line(neuron, subnet)).collect(),
            });
            self.closed = Some(epoch);
        }
        self.append_all(&records, now)?;
        Ok(closed)
    }

    /// The epoch that ran last, where it is not written down.
    fn closed_epoch(&self, subnet: &Subnet) -> Option<u64> {
        let last = subnet.schedule.epoch_index.checked_sub(1)?;
        self.closed.is_none_or(|closed| closed < last).then_some(last)
    }

    fn registrations(&mut self, subnet: &Subnet) -> Vec<Record> {
        let mut records = Vec::new();
        for neuron in &subnet.neurons {
            let now = (neuron.hotkey, neuron.registered_at);
            let before = self.present.insert(neuron.uid, now);
            if before == Some(now) {
                continue;
            }
            if let Some((hotkey, _)) = before {
                let block = neuron.registered_at;
                records.push(Record::Deregistered { uid: neuron.uid, hotkey, block });
            }
            let stranger = || Part { name: neuron.hotkey.to_string(), role: Role::Miner, cast: None };
            let Part { name, role, cast } = self.parts.get(&neuron.hotkey).cloned().unwrap_or_else(stranger);
            let (uid, hotkey, block) = (neuron.uid, neuron.hotkey, neuron.registered_at);
            records.push(Record::Registered { uid, hotkey, name, role, cast, block });
        }
        records
    }

    fn facts(&mut self, at: usize, records: &mut Vec<Record>) -> Result<(), LedgerError> {
        let Followed { validator: Validating { identity, store, .. }, read, .. } = &self.validators[at];
        let (log, store, after) = (Validator::log(identity), Arc::clone(store), *read);
        let read = each_event(&*store, &log, after, |event| self.fact(at, event.body.read()?, records))?;
        self.validators[at].read = read;
        Ok(())
    }

    fn fact(&mut self, at: usize, fact: ValidatorFact, records: &mut Vec<Record>) -> Result<(), LedgerError> {
        let validator = self.validators[at].validator.identity.hotkey;
        match fact {
            ValidatorFact::RoundOpened { mut round } if !self.plans.contains_key(&round.number) => {
                round.jobs.clone_from(&self.jobs);
                let (number, block, deadline) = (round.number, round.opened_at, round.deadline);
                let plan = Plan::of(round, self.mechanism)?;
                let lines = plan.tasks.iter().map(|task| {
                    // Kept before the record says so: what it names is there.
                    let text = self.tasks.put(&task.bytes)?;
                    Ok(TaskLine { text: Some(text), ..task_line(task.id, &task.bytes) })
                });
                let tasks = lines.collect::<Result<_, ArtifactError>>()?;
                records.push(Record::RoundOpened { round: number, block, deadline, tasks });
                self.plans.insert(number, plan);
                self.forget();
            }
            ValidatorFact::RoundSealed { round, audit_seed, commitments }
                if self.audit_seeds.insert(round, audit_seed).is_none() =>
            {
                let lines = commitments.iter().map(|(hotkey, of)| (*hotkey, of.root, of.block));
                records.push(Record::RoundSealed { round, audit_seed, commitments: lines.collect() });
            }
            ValidatorFact::ManifestListed { round, hotkey, lines, .. } => {
                let Some(plan) = self.plans.get(&round) else { return Ok(()) };
                let placed = lines.iter().filter_map(|line| Some((*plan.by_id.get(&line.task)?, *line)));
                let known = &mut self.validators[at].lines;
                known.extend(placed.map(|(task, line)| ((round, hotkey, task), line)));
            }
            ValidatorFact::Examined { round, hotkey, task, result } => {
                let Some(line) = self.validators[at].lines.get(&(round, hotkey, task)).copied() else {
                    return Ok(());
                };
                let receipt = self.receipt(round, hotkey, task, &line, &result);
                let signed = receipt.map(|receipt| sign(receipt, &self.validators[at].validator.hotkey));
                records.push(Record::Examined {
                    validator,
                    round,
                    task,
                    miner: hotkey,
                    submission: line.part,
                    bytes: line.bytes,
                    outcome: result.outcome,
                    finding: result.examined,
                    receipt: signed.as_ref().map(|signed| signed.receipt.digest()),
                    cpu: None,
                    root: Some(line.root),
                    signature: signed.as_ref().map(signature_text),
                });
            }
            ValidatorFact::RoundJudged { round, verdict } => {
                records.push(Record::Judged { validator, round, judgements: verdict.judgements });
            }
            ValidatorFact::WeightsDecided { epoch, weights } => {
                self.validators[at].weights.insert(epoch, weights);
            }
            ValidatorFact::Settled {
                purpose: Purpose::Weights { epoch },
                outcome: SubmissionOutcome::Included,
            } => {
                let Some(weights) = self.validators[at].weights.remove(&epoch) else { return Ok(()) };
                let weights = weights.uids.into_iter().zip(weights.values).collect();
                records.push(Record::WeightsSet { validator, epoch, block: None, weights });
            }
            _ => {}
        }
        Ok(())
    }

    /// The receipt that the validator's examination comes to.
    fn receipt(
        &self,
        round: u64,
        hotkey: Hotkey,
        task: u32,
        line: &PartLine,
        result: &CaseResult<String>,
    ) -> Option<Receipt> {
        let planned = self.plans.get(&round)?.tasks.get(task as usize)?;
        let job = Examination {
            mechanism: self.mechanism.id().to_owned(),
            round,
            hotkey,
            task,
            task_json: String::from_utf8(planned.bytes.clone()).ok()?,
            root: line.root,
            part: line.part,
            audit_seed: *self.audit_seeds.get(&round)?,
        };
        Some(Receipt::of(&job, result, &self.mechanism.engine()))
    }

    fn forget(&mut self) {
        while self.plans.len() > ROUNDS_KEPT {
            let Some((gone, _)) = self.plans.pop_first() else { return };
            self.audit_seeds.remove(&gone);
            for followed in &mut self.validators {
                followed.lines.retain(|(round, ..), _| *round > gone);
                followed.weights.retain(|epoch, _| *epoch > gone);
            }
        }
    }
}

/// The receipt in the validator's hand. What salts the signature follows from what is signed: after a crash a record is
/// written again, and must have the same bytes. A key signs a digest in no other way than this one.
fn sign(receipt: Receipt, hotkey: &Keypair) -> SignedReceipt {
    let salt = receipt.digest().0;
    receipt.sign(hotkey, salt)
}

/// The signature as records have it: hexadecimal digits, with nothing in front.
fn signature_text(signed: &SignedReceipt) -> String {
    signed.signature.to_string().trim_start_matches("0x").to_owned()
}

/// Where a validator's newest round but one opened in its log: everything before has been written down.
fn newest_round(store: &dyn Store, identity: &Identity) -> Result<EventNumber, StoreError> {
    let log = Validator::log(identity);
    let mut opened: BTreeSet<EventNumber> = BTreeSet::new();
    each_event(store, &log, EventNumber::START, |event| {
        if event.kind == "RoundOpened" {
            opened.insert(event.number);
        }
        if opened.len() > 2 {
            opened.pop_first();
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(opened.first().map_or(EventNumber::START, |first| EventNumber(first.0.saturating_sub(1))))
}

fn task_line(id: Digest, bytes: &[u8]) -> TaskLine {
    let Ok(dataset::Task { extent, .. }) = serde_json::from_slice(bytes) else {
        return TaskLine { id, about: String::new(), entries: None, bytes: bytes.len() as u64, text: None };
    };
    let (about, entries) = match &extent {
        Extent::Files(slice) => {
            let paths = slice.entries();
            let about = match paths {
                [] => String::new(),
                [only] => only.path.clone(),
                [first, .., last] => format!("{} … {}", first.path, last.path),
            };
            (about, Some(paths.len() as u64))
        }
        Extent::Archive(range) => {
            (format!("{}, bytes {} to {}", range.path, range.first_byte, range.end_byte()), None)
        }
    };
    TaskLine { id, about, entries, bytes: extent.length_bytes(), text: None }
}

fn neuron_line(neuron: &chain::Neuron, subnet: &Subnet) -> NeuronLine {
    let age = subnet.head.number.saturating_sub(neuron.registered_at);
    NeuronLine {
        uid: neuron.uid,
        hotkey: neuron.hotkey,
        stake: neuron.alpha_stake,
        validator_permit: neuron.validator_permit,
        incentive: neuron.incentive.first().copied().unwrap_or(0),
        dividends: neuron.dividends,
        validator_trust: neuron.validator_trust,
        consensus: neuron.consensus,
        earned: neuron.emission,
        registered_at: neuron.registered_at,
        immune: age < u64::from(subnet.hyperparameters.immunity_period),
    }
}

#[cfg(test)]
mod tests {
    use mechanisms::Outcome;

    use super::*;

    #[test]
    fn a_receipt_written_twice_has_the_same_signature_and_it_verifies() {
        let job = Examination {
            mechanism: dataset::ID.to_owned(),
            round: 3,
            hotkey: Hotkey::default(),
            task: 0,
            task_json: "{}".to_owned(),
            root: Digest::of(b"root"),
            part: Digest::of(b"part"),
            audit_seed: Seed::from_number(4),
        };
        let result = CaseResult { outcome: Outcome::Ok, examined: Some("1".to_owned()) };
        let receipt = || Receipt::of(&job, &result, "engine");
        let [alice, bob] = [0, 1].map(|at| Keypair::simulated(Seed::from_number(1), "validator", at));
        let (first, second) = (sign(receipt(), &alice), sign(receipt(), &alice));
        assert!(first.verify());
        assert_eq!(signature_text(&first), signature_text(&second));
        assert_eq!(signature_text(&first).len(), 128);
        // From the record's text back to what verifies, for that validator and no other.
        let read = SignedReceipt { signature: signature_text(&first).parse().unwrap(), ..first.clone() };
        assert!(read.verify());
        assert!(!SignedReceipt { validator: bob.hotkey(), ..read }.verify());
        assert_ne!(signature_text(&sign(receipt(), &bob)), signature_text(&first));
    }
}
