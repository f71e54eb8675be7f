//! What came of an epoch, and of a whole run.

use std::collections::{BTreeMap, BTreeSet};

use chain::{AlphaRao, Digest, Hotkey, Subnet, Uid};
use devchain::NeuronEmission;
use mechanisms::Judgement;
use neuron::{Validator, ValidatorFact};
use serde::Serialize;
use store::{EventNumber, MAX_PAGE};

use crate::{
    parties::{MinerParty, ValidatorParty},
    world::{RunError, World},
};

/// One miner in one epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MinerLine {
    /// Its slot.
    pub uid: Uid,
    /// Its key.
    pub hotkey: Hotkey,
    /// How it behaves.
    pub strategy: String,
    /// Whether it deserves to be paid.
    pub honest: bool,
    /// Tokens verified in the round of this epoch.
    pub verified_tokens: u64,
    /// The round's score; none where it was not judged.
    pub score: Option<f64>,
    /// Share of the miners' reward, of 65535.
    pub incentive: u16,
    /// Alpha earned in this epoch.
    pub earned: AlphaRao,
    /// Why it scored what it scored.
    pub reason: String,
}

/// An epoch that has closed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochReport {
    /// Its number.
    pub epoch: u64,
    /// The block in which it ran.
    pub block: u64,
    /// The miners that are registered, by uid.
    pub miners: Vec<MinerLine>,
}

/// One miner in the whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MinerSummary {
    /// Its key.
    pub hotkey: Hotkey,
    /// Its slot; none where it lost it.
    pub uid: Option<Uid>,
    /// How it behaves.
    pub strategy: String,
    /// Whether it deserves to be paid.
    pub honest: bool,
    /// Its share of all that miners earned.
    pub emission_share: f64,
    /// Its share of the miners' reward in the last epoch, of 65535.
    pub incentive: u16,
    /// Alpha earned.
    pub earned: AlphaRao,
    /// Tokens verified in the rounds that have been paid, as the first validator saw them.
    pub verified_tokens: u64,
    /// Tokens verified in the last round, which the next epoch pays.
    pub unpaid_tokens: u64,
    /// What a verified token of its newest judged round was worth; none where none was verified.
    pub value: Option<f64>,
    /// In which epoch of the run it registered.
    pub joined_in_epoch: u64,
    /// The reasons of its judgements, newest last, each once.
    pub reasons: Vec<String>,
}

/// One validator in the whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValidatorSummary {
    /// Its key.
    pub hotkey: Hotkey,
    /// Its slot.
    pub uid: Option<Uid>,
    /// Alpha earned.
    pub dividends: AlphaRao,
    /// How much of its weights stood within consensus in the last epoch, of 65535.
    pub trust: u16,
    /// Epochs for which its weights were included.
    pub weights_set: u64,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Always `summary`.
    pub event: &'static str,
    /// Epochs run.
    pub epochs: u64,
    /// What honest miners got of all that miners earned; none where nobody earned anything.
    pub honest_emission_share: Option<f64>,
    /// The miners.
    pub miners: Vec<MinerSummary>,
    /// The validators.
    pub validators: Vec<ValidatorSummary>,
    /// The chain's last block.
    pub block: u64,
    /// The digest of the chain's state.
    pub state_digest: Digest,
}

/// The judgements of one validator, by round.
type Judgements = BTreeMap<u64, BTreeMap<Hotkey, Judgement>>;

impl World {
    fn judgements(&self, validator: &ValidatorParty) -> Result<(Judgements, u64), RunError> {
        let log = Validator::log(&validator.identity);
        let party = validator.identity.hotkey;
        let (mut judged, mut weights_set) = (Judgements::new(), 0);
        let mut after = EventNumber::START;
        loop {
            let page = validator
                .keeping
                .store
                .read(&log, after, MAX_PAGE)
                .map_err(|source| RunError::Store { party, source })?;
            let Some(last) = page.last() else { return Ok((judged, weights_set)) };
            after = last.number;
            for event in &page {
                match event.kind.as_str() {
                    "RoundJudged" => {
                        if let Ok(ValidatorFact::RoundJudged { round, verdict }) = event.body.read() {
                            let by_hotkey = verdict.judgements.into_iter().map(|one| (one.hotkey, one));
                            judged.insert(round, by_hotkey.collect());
                        }
                    }
                    "Settled" => {
                        if let Ok(ValidatorFact::Settled { purpose, outcome }) = event.body.read() {
                            let is_weights = matches!(purpose, neuron::Purpose::Weights { .. });
                            let included = outcome == neuron::SubmissionOutcome::Included;
                            weights_set += u64::from(is_weights && included);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    pub(crate) fn epoch_report(
        &self,
        view: &Subnet,
        emission: &[NeuronEmission],
    ) -> Result<EpochReport, RunError> {
        // The epoch that has just run; the counter already names the next one.
        let epoch = view.schedule.epoch_index.saturating_sub(1);
        let judged = match self.validators.first() {
            Some(first) => self.judgements(first)?.0,
            None => Judgements::new(),
        };
        let round = judged.get(&epoch);
        let line = |miner: &MinerParty| {
            let hotkey = miner.identity.hotkey;
            let neuron = view.neuron(&hotkey)?;
            let judgement = round.and_then(|round| round.get(&hotkey));
            let earned = emission.iter().find(|line| line.uid == neuron.uid);
            Some(MinerLine {
                uid: neuron.uid,
                hotkey,
                strategy: miner.strategy.id().to_owned(),
                honest: miner.strategy.is_honest(),
                verified_tokens: judgement.map_or(0, verified_tokens),
                score: judgement.and_then(|judgement| judgement.score).map(primitives::Unit::get),
                incentive: neuron.incentive.first().copied().unwrap_or(0),
                earned: earned.map_or(AlphaRao::ZERO, |line| line.incentive),
                reason: judgement.map_or_else(|| "not judged".to_owned(), |one| one.reason.clone()),
            })
        };
        let mut miners: Vec<MinerLine> = self.miners.iter().filter_map(line).collect();
        miners.sort_by_key(|line| line.uid);
        Ok(EpochReport { epoch, block: view.head.number, miners })
    }

    pub(crate) fn summary(&self) -> Result<Summary, RunError> {
        let view = self.chain.subnet(self.netuid).map_err(crate::SetupError::from)?;
        let judged = match self.validators.first() {
            Some(first) => self.judgements(first)?.0,
            None => Judgements::new(),
        };
        let mut miners = Vec::new();
        for party in self.miners.iter().filter(|miner| miner.is_registered) {
            miners.push(self.miner_summary(party, &view, &judged));
        }
        let total: u64 = miners.iter().map(|miner| miner.earned.0).sum();
        let honest: u64 = miners.iter().filter(|miner| miner.honest).map(|miner| miner.earned.0).sum();
        for miner in &mut miners {
            miner.emission_share = share(miner.earned.0, total);
        }
        let mut validators = Vec::new();
        for party in &self.validators {
            let hotkey = party.identity.hotkey;
            let neuron = view.neuron(&hotkey);
            validators.push(ValidatorSummary {
                hotkey,
                uid: neuron.map(|neuron| neuron.uid),
                dividends: self.earned.get(&hotkey).copied().unwrap_or_default().dividends,
                trust: neuron.map_or(0, |neuron| neuron.validator_trust),
                weights_set: self.judgements(party)?.1,
            });
        }
        Ok(Summary {
            event: "summary",
            epochs: self.reports().len() as u64,
            honest_emission_share: (total > 0).then(|| share(honest, total)),
            miners,
            validators,
            block: view.head.number,
            state_digest: self.chain.digest(),
        })
    }

    fn miner_summary(&self, party: &MinerParty, view: &Subnet, judged: &Judgements) -> MinerSummary {
        let hotkey = party.identity.hotkey;
        let neuron = view.neuron(&hotkey);
        let own = || judged.iter().filter_map(|(round, all)| Some((round, all.get(&hotkey)?)));
        // The newest round that has ended: its weights are committed and will be revealed in the epoch that runs.
        let last = view.schedule.epoch_index.saturating_sub(1);
        let mut seen = BTreeSet::new();
        let mut reasons: Vec<String> = own().rev().map(|(_, one)| one.reason.clone()).collect();
        reasons.retain(|reason| seen.insert(reason.clone()));
        reasons.reverse();
        MinerSummary {
            hotkey,
            uid: neuron.map(|neuron| neuron.uid),
            strategy: party.strategy.id().to_owned(),
            honest: party.strategy.is_honest(),
            emission_share: 0.0,
            incentive: neuron.and_then(|neuron| neuron.incentive.first().copied()).unwrap_or(0),
            earned: self.earned.get(&hotkey).copied().unwrap_or_default().incentive,
            verified_tokens: own()
                .filter(|(round, _)| **round < last)
                .map(|(_, one)| verified_tokens(one))
                .sum(),
            unpaid_tokens: own()
                .filter(|(round, _)| **round >= last)
                .map(|(_, one)| verified_tokens(one))
                .sum(),
            value: own().next_back().and_then(|(_, one)| value(one)),
            joined_in_epoch: party.joins_in_epoch,
            reasons,
        }
    }
}

/// The tokens that a judgement counts.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count below 2^53")]
pub fn verified_tokens(judgement: &Judgement) -> u64 {
    let part = judgement.parts.iter().find(|(name, _)| name == "verified_tokens");
    part.map_or(0, |(_, value)| *value as u64)
}

/// Worth by verified token, in a judgement that has both.
#[must_use]
pub fn value(judgement: &Judgement) -> Option<f64> {
    let part =
        |wanted: &str| judgement.parts.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let tokens = part("verified_tokens").filter(|tokens| *tokens > 0.0)?;
    Some(part("worth_tokens")? / tokens)
}

/// A part of a whole; 0 of nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a share for people")]
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
