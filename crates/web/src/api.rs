//! The house as JSON and CSV. What each field means stands in the document that `openapi` makes; a test holds the two
//! together.

use std::fmt::Write as _;

use mechanisms::{Certificate, Judgement, Outcome};
use primitives::{Digest, Hotkey};
use serde_json::{Value, json};

use crate::{
    answer::Problem,
    house::{Epoch, Examination, Found, House, Neuron, Round},
    quoted::csv_cell,
    record::{Live, NeuronLine, Role},
    standing::{self, Query, Row},
};

/// `/api/v1/status`.
pub(crate) fn status(house: &House, live: &Live) -> Value {
    let totals = &house.totals;
    let count = |role: Role| house.present().filter(|neuron| neuron.role == role).count();
    let subnet = house.sign.as_ref().map(|sign| {
        json!({
            "name": sign.name,
            "netuid": sign.netuid,
            "mechanism": sign.mechanism,
            "tempo_blocks": sign.tempo,
            "block_time_ms": sign.block_time.0,
            "source": sign.source,
            "source_bytes": sign.source_bytes,
            "task_api": sign.task_api,
        })
    });
    json!({
        "event": house.seen,
        "subnet": subnet,
        "block": live.block,
        "block_at_ms": live.at.0,
        "epoch": live.epoch,
        "epoch_ends_at_block": live.epoch_ends_at,
        "queued": live.queued,
        "running": live.running,
        "miners": count(Role::Miner),
        "validators": count(Role::Validator),
        "last_round": house.last_round().map(|(number, _)| number),
        "last_judged_round": house.last_judged().map(|(number, _)| number),
        "last_closed_epoch": house.last_epoch().map(|(number, _)| number),
        "totals": {
            "rounds": totals.rounds,
            "epochs": totals.epochs,
            "examinations": totals.examined,
            "faults": totals.faults,
            "paid_rao": totals.paid.0,
            "paid_to_miners_rao": totals.paid_to_miners.0,
            "paid_to_honest_rao": totals.paid_to_honest.0,
            "paid_to_attackers_rao": totals.paid_to_attackers.0,
        },
    })
}

/// `/api/v1/leaderboard`.
pub(crate) fn leaderboard(house: &House, query: &Query) -> Result<Value, standing::QueryError> {
    let found = standing::find(house, query)?;
    Ok(json!({
        "event": house.seen,
        "round": house.last_judged().map(|(number, _)| number),
        "epoch": house.last_epoch().map(|(number, _)| number),
        "total": found.total,
        "next": found.next,
        "rows": found.rows.iter().map(row).collect::<Vec<_>>(),
    }))
}

fn row(row: &Row) -> Value {
    json!({
        "rank": row.rank,
        "uid": row.uid,
        "hotkey": row.hotkey,
        "name": row.name,
        "role": row.role,
        "strategy": row.strategy,
        "honest": row.honest,
        "score": row.score,
        "verified_tokens": row.verified_tokens,
        "incentive_u16": row.incentive,
        "earned_rao": row.earned.0,
        "emission_share": row.share,
        "earned_history_rao": row.history.iter().map(|earned| earned.0).collect::<Vec<_>>(),
        "immune": row.immune,
        "registered_at_block": row.registered_at,
        "reason": row.reason,
    })
}

/// The leaderboard as a table for spreadsheets: the fields of the API, one row each.
pub(crate) fn leaderboard_csv(rows: &[Row]) -> String {
    let mut out = String::from(
        "rank,uid,hotkey,name,role,strategy,honest,score,verified_tokens,incentive_u16,earned_rao,\
         emission_share,immune,registered_at_block,reason\n",
    );
    for row in rows {
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let cells = [
            row.rank.map(|rank| rank.to_string()).unwrap_or_default(),
            row.uid.to_string(),
            row.hotkey.to_string(),
            csv_cell(&row.name),
            role_name(row.role).to_owned(),
            csv_cell(row.strategy.as_deref().unwrap_or_default()),
            row.honest.map(|honest| honest.to_string()).unwrap_or_default(),
            number(row.score.map(|score| score.get())),
            number(row.verified_tokens),
            row.incentive.to_string(),
            row.earned.0.to_string(),
            row.share.get().to_string(),
            row.immune.to_string(),
            row.registered_at.to_string(),
            csv_cell(&row.reason),
        ];
        let _ = writeln!(out, "{}", cells.join(","));
    }
    out
}

/// `/api/v1/miners/{hotkey}`.
pub(crate) fn miner(house: &House, hotkey: &Hotkey) -> Result<Value, Problem> {
    let neuron = known(house, hotkey)?;
    let standing = standing::rows(house).into_iter().find(|row| row.hotkey == *hotkey);
    let rounds: Vec<Value> = house
        .rounds
        .iter()
        .filter_map(|(number, round)| {
            let judged: Vec<Value> = round
                .judged
                .iter()
                .filter_map(|(validator, all)| Some(judgement(validator, all.get(hotkey)?)))
                .collect();
            let committed = round.commitments.get(hotkey).map(|(root, block)| json!({ "root": root, "block": block }));
            let submissions: Vec<Value> = round
                .examinations
                .iter()
                .filter(|examination| examination.miner == *hotkey)
                .map(examination)
                .collect();
            let is_there = !judged.is_empty() || committed.is_some() || !submissions.is_empty();
            is_there.then(|| json!({ "round": number, "committed": committed, "judgements": judged, "examinations": submissions }))
        })
        .collect();
    Ok(json!({
        "event": house.seen,
        "neuron": describe(neuron),
        "standing": standing.as_ref().map(row),
        "chain": house.line(hotkey).map(neuron_line),
        "rounds": rounds,
    }))
}

/// `/api/v1/validators`.
pub(crate) fn validators(house: &House) -> Value {
    let validators: Vec<Value> = house
        .present()
        .filter(|neuron| neuron.role == Role::Validator)
        .map(|neuron| {
            let last = last_weights(house, &neuron.hotkey).map(|(epoch, block, weights)| {
                let weights: Vec<Value> =
                    weights.iter().map(|(uid, weight)| json!({ "uid": uid, "weight_u16": weight })).collect();
                json!({ "epoch": epoch, "block": block, "weights": weights })
            });
            json!({
                "neuron": describe(neuron),
                "chain": house.line(&neuron.hotkey).map(neuron_line),
                "last_weights": last,
            })
        })
        .collect();
    json!({ "event": house.seen, "validators": validators })
}

/// A validator's newest weights: the epoch, the block of the commitment, the weights.
pub(crate) fn last_weights<'a>(
    house: &'a House,
    validator: &Hotkey,
) -> Option<(u64, Option<u64>, &'a std::collections::BTreeMap<primitives::Uid, u16>)> {
    house.epochs.iter().rev().find_map(|(number, epoch)| {
        let (block, weights) = epoch.weights.get(validator)?;
        Some((*number, *block, weights))
    })
}

/// `/api/v1/epochs/{n}`.
pub(crate) fn epoch(house: &House, number: u64) -> Result<Value, Problem> {
    let epoch = known_epoch(house, number)?;
    let weights: Vec<Value> = epoch
        .weights
        .iter()
        .map(|(validator, (block, weights))| {
            let weights: Vec<Value> =
                weights.iter().map(|(uid, weight)| json!({ "uid": uid, "weight_u16": weight })).collect();
            json!({ "validator": validator, "block": block, "weights": weights })
        })
        .collect();
    let slot = |(uid, hotkey): &(primitives::Uid, Hotkey)| json!({ "uid": uid, "hotkey": hotkey });
    Ok(json!({
        "event": house.seen,
        "epoch": number,
        "block": epoch.block,
        "neurons": epoch.neurons.iter().map(neuron_line).collect::<Vec<_>>(),
        "weights": weights,
        "registered": epoch.registered.iter().map(slot).collect::<Vec<_>>(),
        "deregistered": epoch.deregistered.iter().map(slot).collect::<Vec<_>>(),
    }))
}

/// `/api/v1/rounds/{n}`.
pub(crate) fn round(house: &House, number: u64) -> Result<Value, Problem> {
    let round = known_round(house, number)?;
    let tasks: Vec<Value> = (0_u64..)
        .zip(&round.tasks)
        .map(|(place, task)| {
            json!({
                "place": place,
                "id": task.id,
                "about": task.about,
                "entries": task.entries,
                "bytes": task.bytes,
                "text": task.text,
            })
        })
        .collect();
    let commitments: Vec<Value> = round
        .commitments
        .iter()
        .map(|(miner, (root, block))| json!({ "miner": miner, "root": root, "block": block }))
        .collect();
    let judged =
        round.judged.iter().flat_map(|(validator, all)| all.values().map(|one| judgement(validator, one)));
    Ok(json!({
        "event": house.seen,
        "round": number,
        "opened_at_block": round.opened_at,
        "deadline_block": round.deadline,
        "audit_seed": round.audit_seed,
        "tasks": tasks,
        "commitments": commitments,
        "examined": round.examined,
        "judgements": judged.collect::<Vec<_>>(),
    }))
}

/// `/api/v1/submissions/{digest}`; `whole` has the findings by the numbers of their events.
pub(crate) fn submission(
    house: &House,
    digest: &Digest,
    whole: impl Fn(&Examination) -> Option<Value>,
) -> Result<Value, Problem> {
    let cases = known_cases(house, digest)?;
    let cases: Vec<Value> = cases
        .into_iter()
        .map(|(number, round, case)| {
            let mut shown = examination(case);
            shown["round"] = json!(number);
            shown["audit_seed"] = json!(round.audit_seed);
            let task = usize::try_from(case.task).ok().and_then(|at| round.tasks.get(at));
            shown["task_id"] = json!(task.map(|task| task.id));
            shown["finding"] = json!(whole(case));
            shown
        })
        .collect();
    Ok(json!({ "event": house.seen, "submission": digest, "cases": cases }))
}

pub(crate) fn known<'a>(house: &'a House, hotkey: &Hotkey) -> Result<&'a Neuron, Problem> {
    house
        .neuron(hotkey)
        .ok_or_else(|| Problem::not_found(format!("nobody with the hotkey {hotkey} is known here")))
}

pub(crate) fn known_epoch(house: &House, number: u64) -> Result<&Epoch, Problem> {
    let first = house.epochs.keys().next().copied().unwrap_or(0);
    house.epochs.get(&number).ok_or_else(|| {
        Problem::not_found(format!(
            "epoch {number} has not been, or is older than what is kept, from {first} on"
        ))
    })
}

pub(crate) fn known_round(house: &House, number: u64) -> Result<&Round, Problem> {
    let first = house.rounds.keys().next().copied().unwrap_or(0);
    house.rounds.get(&number).ok_or_else(|| {
        Problem::not_found(format!(
            "round {number} has not been, or is older than what is kept, from {first} on"
        ))
    })
}

pub(crate) fn known_cases<'a>(
    house: &'a House,
    digest: &Digest,
) -> Result<Vec<(u64, &'a Round, &'a Examination)>, Problem> {
    let cases = house.cases(digest);
    if cases.is_empty() {
        return Err(Problem::not_found(format!(
            "submission {digest} was not examined in the rounds that are kept"
        )));
    }
    Ok(cases)
}

/// The word of an outcome, in addresses, tables and the API.
pub(crate) fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::NoResponse => "no_response",
        Outcome::Refused => "refused",
        Outcome::Invalid(_) => "invalid",
        Outcome::TooBig => "too_big",
        Outcome::ValidatorFault => "validator_fault",
    }
}

/// The word of a role.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Validator => "validator",
        Role::Miner => "miner",
    }
}

fn describe(neuron: &Neuron) -> Value {
    json!({
        "uid": neuron.uid,
        "hotkey": neuron.hotkey,
        "name": neuron.name,
        "role": neuron.role,
        "strategy": neuron.cast.as_ref().map(|cast| &cast.strategy),
        "honest": neuron.cast.as_ref().map(|cast| cast.honest),
        "registered_at_block": neuron.registered_at,
        "left_at_block": neuron.left_at,
        "earned_in_all_rao": neuron.earned.0,
    })
}

fn neuron_line(line: &NeuronLine) -> Value {
    json!({
        "uid": line.uid,
        "hotkey": line.hotkey,
        "stake_rao": line.stake.0,
        "validator_permit": line.validator_permit,
        "incentive_u16": line.incentive,
        "dividends_u16": line.dividends,
        "validator_trust_u16": line.validator_trust,
        "consensus_u16": line.consensus,
        "earned_rao": line.earned.0,
        "registered_at_block": line.registered_at,
        "immune": line.immune,
    })
}

fn judgement(validator: &Hotkey, judgement: &Judgement) -> Value {
    let parts: Vec<Value> =
        judgement.parts.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({
        "validator": validator,
        "miner": judgement.hotkey,
        "score": judgement.score,
        "parts": parts,
        "reason": judgement.reason,
        "certificate": judgement.certificate.as_ref().map(certificate),
    })
}

fn examination(examination: &Examination) -> Value {
    let proof = match &examination.outcome {
        Outcome::Invalid(proof) => Some(certificate(proof)),
        _ => None,
    };
    json!({
        "event": examination.event,
        "validator": examination.validator,
        "task": examination.task,
        "miner": examination.miner,
        "submission": examination.submission,
        "bytes": examination.bytes,
        "outcome": outcome_name(&examination.outcome),
        "certificate": proof,
        "found": examination.found.as_ref().map(found),
        "root": examination.root,
        "receipt": examination.receipt,
        "signature": examination.signature,
        "cpu_ms": examination.cpu.map(|cpu| cpu.0),
    })
}

fn found(found: &Found) -> Value {
    json!({
        "recipe": found.recipe,
        "documents": found.documents,
        "tokens": found.tokens,
        "sampled_kept": found.sampled_kept,
        "sampled_dropped": found.sampled_dropped,
    })
}

fn certificate(certificate: &Certificate) -> Value {
    json!({
        "step": certificate.step,
        "record": certificate.record,
        "rule": certificate.rule,
        "expected": certificate.expected,
        "found": certificate.found,
    })
}
