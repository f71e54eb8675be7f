//! What everybody got: a fold of the house's record.

use std::collections::{BTreeMap, BTreeSet};

use mechanisms::Judgement;
use primitives::{AlphaRao, Digest, Hotkey, Uid};
use sim::{EpochReport, MinerLine, MinerSummary, Summary, ValidatorSummary, share, value, verified_tokens};
use store::{EventNumber, Store, each_event};
use web::record::{self, Cast, NeuronLine, Record, Role};

use super::ledger::LedgerError;

/// A neuron, as far as the record tells.
struct Known {
    uid: Uid,
    role: Role,
    name: String,
    cast: Option<Cast>,
    earned: AlphaRao,
    registered_in: u64,
}

/// The fold.
#[derive(Default)]
pub(crate) struct Tally {
    read: EventNumber,
    neurons: BTreeMap<Hotkey, Known>,
    /// The first validator that has judged a round speaks for it.
    judged: BTreeMap<u64, BTreeMap<Hotkey, Judgement>>,
    weights_set: BTreeMap<Hotkey, u64>,
    newest: BTreeMap<Hotkey, NeuronLine>,
    epoch: u64,
    block: u64,
}

impl Tally {
    /// Reads what has been written since.
    pub(crate) fn catch_up(&mut self, house: &dyn Store) -> Result<(), LedgerError> {
        let after = self.read;
        self.read = each_event(house, record::LOG, after, |event| {
            self.apply(event.body.read()?);
            Ok::<_, LedgerError>(())
        })?;
        Ok(())
    }

    fn apply(&mut self, one: Record) {
        match one {
            Record::Registered { uid, hotkey, name, role, cast, .. } => {
                let registered_in = self.epoch;
                let known = Known { uid, role, name, cast, earned: AlphaRao::ZERO, registered_in };
                self.neurons.entry(hotkey).or_insert(known).uid = uid;
            }
            Record::Judged { round, judgements, .. } => {
                self.judged.entry(round).or_insert_with(|| {
                    judgements.into_iter().map(|judgement| (judgement.hotkey, judgement)).collect()
                });
            }
            Record::WeightsSet { validator, .. } => *self.weights_set.entry(validator).or_default() += 1,
            Record::EpochClosed { epoch, block, neurons } => {
                (self.epoch, self.block) = (epoch + 1, block);
                self.newest.clear();
                for line in neurons {
                    if let Some(known) = self.neurons.get_mut(&line.hotkey) {
                        known.earned = known.earned.saturating_add(line.earned);
                    }
                    self.newest.insert(line.hotkey, line);
                }
            }
            _ => {}
        }
    }

    fn miners(&self) -> impl Iterator<Item = (&Hotkey, &Known)> {
        self.neurons.iter().filter(|(_, known)| known.role == Role::Miner)
    }

    /// The epoch that closed last, with its miners by uid.
    pub(crate) fn newest_epoch(&self) -> EpochReport {
        let epoch = self.epoch.saturating_sub(1);
        let round = self.judged.get(&epoch);
        let mut miners: Vec<MinerLine> = self
            .miners()
            .filter_map(|(hotkey, known)| {
                let line = self.newest.get(hotkey)?;
                let judgement = round.and_then(|round| round.get(hotkey));
                Some(MinerLine {
                    uid: line.uid,
                    hotkey: *hotkey,
                    strategy: strategy(known),
                    honest: is_honest(known),
                    verified_tokens: judgement.map_or(0, verified_tokens),
                    score: judgement.and_then(|one| one.score).map(primitives::Unit::get),
                    incentive: line.incentive,
                    earned: line.earned,
                    reason: judgement.map_or_else(|| "not judged".to_owned(), |one| one.reason.clone()),
                })
            })
            .collect();
        miners.sort_by_key(|line| line.uid);
        EpochReport { epoch, block: self.block, miners }
    }

    /// What everybody has got so far.
    pub(crate) fn summary(&self, epochs: u64, block: u64, state_digest: Digest) -> Summary {
        let total: u64 = self.miners().map(|(_, known)| known.earned.0).sum();
        let honest: u64 =
            self.miners().filter(|(_, known)| is_honest(known)).map(|(_, known)| known.earned.0).sum();
        let mut miners: Vec<MinerSummary> =
            self.miners().map(|(hotkey, known)| self.miner(*hotkey, known, total)).collect();
        miners.sort_by_key(|miner| miner.uid);
        let validators = self.neurons.iter().filter(|(_, known)| known.role == Role::Validator);
        let validators = validators.map(|(hotkey, known)| ValidatorSummary {
            hotkey: *hotkey,
            uid: Some(known.uid),
            dividends: known.earned,
            trust: self.newest.get(hotkey).map_or(0, |line| line.validator_trust),
            weights_set: self.weights_set.get(hotkey).copied().unwrap_or(0),
        });
        Summary {
            event: "summary",
            epochs,
            honest_emission_share: (total > 0).then(|| share(honest, total)),
            miners,
            validators: validators.collect(),
            block,
            state_digest,
        }
    }

    fn miner(&self, hotkey: Hotkey, known: &Known, total: u64) -> MinerSummary {
        let own = || self.judged.iter().filter_map(|(round, all)| Some((round, all.get(&hotkey)?)));
        // The newest round that has ended: its weights are committed and will be revealed in the epoch that runs.
        let last = self.epoch.saturating_sub(1);
        let tokens = |paid: bool| {
            own().filter(|(round, _)| (**round < last) == paid).map(|(_, one)| verified_tokens(one)).sum()
        };
        let mut seen = BTreeSet::new();
        let mut reasons: Vec<String> = own().rev().map(|(_, one)| one.reason.clone()).collect();
        reasons.retain(|reason| seen.insert(reason.clone()));
        reasons.reverse();
        let newest = self.newest.get(&hotkey);
        MinerSummary {
            hotkey,
            uid: newest.map(|line| line.uid),
            strategy: strategy(known),
            honest: is_honest(known),
            emission_share: share(known.earned.0, total),
            incentive: newest.map_or(0, |line| line.incentive),
            earned: known.earned,
            verified_tokens: tokens(true),
            unpaid_tokens: tokens(false),
            value: own().next_back().and_then(|(_, one)| value(one)),
            joined_in_epoch: known.registered_in,
            reasons,
        }
    }
}

fn strategy(known: &Known) -> String {
    known.cast.as_ref().map_or_else(|| known.name.clone(), |cast| cast.strategy.clone())
}

/// Whether it deserves to be paid; of a stranger nobody knows.
fn is_honest(known: &Known) -> bool {
    known.cast.as_ref().is_some_and(|cast| cast.honest)
}
