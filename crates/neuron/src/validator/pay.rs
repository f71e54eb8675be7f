//! Judging a round, deciding on weights, committing to them and revealing them.

use chain::{Call, Subnet, WeightVector, WeightsCommitment, salt_from};
use mechanisms::{ExaminedCase, Outcome, mix, to_weights};
use primitives::{DurationMs, Hotkey, Timestamp, Uid};
use store::{Json, Score};

use super::{
    Validator, ValidatorFact,
    facts::{MinerState, RoundState},
};
use crate::{
    machine::Effect,
    outbox::{Intent, Outcome as Sent, Purpose},
    rounds::Times,
};

impl Validator {
    /// Judges when everything is there, or when time is up with what is there.
    pub(super) fn judge(&mut self, out: &mut Vec<Effect>, times: &Times, block: u64, now: Timestamp) {
        let Some(state) = self.known.rounds.get(&times.number) else { return };
        let ready = state.sealed.is_some() && (state.is_complete() || block >= times.judge_by);
        if state.is_judged || !ready {
            return;
        }
        let cases = cases(state);
        let verdict = match self.mechanism.judge(&cases, &self.known.index, None) {
            Ok(verdict) => verdict,
            Err(error) => {
                self.trouble = Some(error);
                return;
            }
        };
        let (netuid, mechid, round) = (self.identity.netuid, self.identity.mechid, times.number);
        let judged = verdict.judgements.iter().filter_map(|judgement| Some((judgement, judgement.score?)));
        let scores: Vec<Score> = judged
            .map(|(judgement, score)| Score {
                netuid,
                mechid,
                hotkey: judgement.hotkey,
                round,
                value: score.get(),
                parts: Json::of(judgement).expect("a judgement is plain data"),
                at: now,
            })
            .collect();
        let fact = ValidatorFact::RoundJudged { round, verdict };
        self.record_with(out, fact, now, |commit| commit.scores(scores));
    }

    /// Decides on the epoch's weights once its round is judged, and on the extrinsic that carries them.
    pub(super) fn decide_weights(
        &mut self,
        out: &mut Vec<Effect>,
        times: &Times,
        subnet: &Subnet,
        nonce: u32,
        now: Timestamp,
    ) {
        let epoch = times.number;
        let judged = self.known.rounds.get(&epoch).is_some_and(|round| round.is_judged);
        let in_time = subnet.head.number < times.last;
        if !judged || !in_time || !self.outbox.is_free() || self.known.weights.contains_key(&epoch) {
            return;
        }
        let scores = self.known.standings.scores(&self.mechanism.aggregation());
        let shares = self.mechanism.payout().shares(&scores);
        let mixed = mix(&[(self.lane, shares)], subnet.owner_hotkey);
        let neurons: Vec<(Uid, Hotkey)> =
            subnet.neurons.iter().map(|neuron| (neuron.uid, neuron.hotkey)).collect();
        let Some(weights) = to_weights(&mixed, &neurons, &self.identity.hotkey) else { return };
        let (uids, values) = weights.into_iter().unzip();
        let weights = WeightVector { uids, values };
        let call = self.weights_call(subnet, epoch, &weights);
        self.record(out, ValidatorFact::WeightsDecided { epoch, weights }, now);
        let purpose = Purpose::Weights { epoch };
        let intent = Intent { purpose, nonce, call, valid_until: times.last };
        self.record(out, ValidatorFact::Intended { intent }, now);
    }

    fn weights_call(&self, subnet: &Subnet, epoch: u64, weights: &WeightVector) -> Call {
        let (netuid, mechid) = (self.identity.netuid, self.identity.mechid);
        if !subnet.hyperparameters.commit_reveal_weights_enabled {
            let weights = weights.clone();
            return Call::SetWeights { netuid, mechid, weights, version_key: self.version_key };
        }
        let salt = salt_from(&self.secret, netuid, mechid, epoch);
        let (hotkey, version_key) = (self.identity.hotkey, self.version_key);
        let commitment = WeightsCommitment { hotkey, netuid, mechid, weights, salt: &salt, version_key };
        Call::CommitWeights { netuid, mechid, commit_hash: commitment.hash() }
    }

    /// Opens the commitment whose epoch has come.
    pub(super) fn reveal(
        &mut self,
        out: &mut Vec<Effect>,
        times: &Times,
        subnet: &Subnet,
        nonce: u32,
        now: Timestamp,
    ) {
        let period = subnet.schedule.reveal_period_epochs;
        let Some(epoch) = times.number.checked_sub(period) else { return };
        let enabled = subnet.hyperparameters.commit_reveal_weights_enabled;
        if !enabled || !self.outbox.is_free() || subnet.head.number >= times.last {
            return;
        }
        let Some(state) = self.known.weights.get(&epoch) else { return };
        if state.is_reveal_intended || state.sent != Some(Sent::Included) {
            return;
        }
        let (netuid, mechid) = (self.identity.netuid, self.identity.mechid);
        let call = Call::RevealWeights {
            netuid,
            mechid,
            weights: state.weights.clone(),
            salt: salt_from(&self.secret, netuid, mechid, epoch),
            version_key: self.version_key,
        };
        let purpose = Purpose::Reveal { epoch };
        let intent = Intent { purpose, nonce, call, valid_until: times.last };
        self.record(out, ValidatorFact::Intended { intent }, now);
    }
}

/// One case per answer that was committed to, and one for each miner that committed or showed nothing.
fn cases(state: &RoundState) -> Vec<ExaminedCase<String>> {
    let mut cases = Vec::new();
    let unknown = MinerState::default();
    for miner in &state.plan.round.miners {
        let committed =
            state.sealed.as_ref().and_then(|sealed| sealed.commitments.get(&miner.hotkey)).copied();
        let known = state.miners.get(&miner.hotkey).unwrap_or(&unknown);
        let case = |outcome: Outcome, examined: Option<String>| ExaminedCase {
            hotkey: miner.hotkey,
            uid: miner.uid,
            outcome,
            latency: known.listed.as_ref().map_or(DurationMs(0), |listed| listed.latency),
            received_at: known.listed.as_ref().map_or(Timestamp(0), |listed| listed.at),
            committed,
            examined,
        };
        match (&known.listed, committed) {
            (Some(listed), Some(_)) if listed.outcome == Outcome::Ok && !listed.lines.is_empty() => {
                for task in listed.lines.keys() {
                    cases.push(match known.examined.get(task) {
                        Some(result) => case(result.outcome.clone(), result.examined.clone()),
                        None if known.kept.contains(task) => case(Outcome::ValidatorFault, None),
                        None => case(Outcome::NoResponse, None),
                    });
                }
            }
            (Some(listed), Some(_)) if listed.outcome != Outcome::Ok => {
                cases.push(case(listed.outcome.clone(), None));
            }
            _ => cases.push(case(Outcome::NoResponse, None)),
        }
    }
    cases
}
