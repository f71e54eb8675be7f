//! Collecting: asking each committed miner for its manifest and for every answer in it.

use chain::Subnet;
use mechanisms::{Certificate, Committed, Outcome};
use primitives::{Digest, Hotkey, Timestamp};
use worker::Examination;

use super::{Validator, ValidatorFact, examination, facts::RoundState};
use crate::{
    machine::{AskId, Effect},
    rounds::Times,
    wire::{Answer, Ask, AskFailure, PARTS_MAX, PartLine, Peer, RoundCommitment, manifest_root},
};

/// A question that has no answer yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    round: u64,
    hotkey: Hotkey,
    what: Wanted,
    asked_at: Timestamp,
}

/// What it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Manifest,
    Part(u32),
}

/// What `hotkey` had committed for the round by its deadline, as the state after the audit block shows it.
///
/// A later commitment replaces an earlier one on chain, so a miner that commits again after the deadline has
/// taken its own work back.
pub(super) fn committed(
    view: &Subnet,
    times: &Times,
    mechanism: &str,
    hotkey: Hotkey,
) -> Option<(Hotkey, Committed)> {
    let standing = view.commitments.get(&hotkey)?;
    let in_time = standing.block > times.opened_at && standing.block <= times.deadline;
    let found = RoundCommitment::find(&standing.fields)?;
    let fits = in_time && found.mechanism == mechanism && found.round == times.number;
    fits.then_some((hotkey, Committed { root: found.root, block: standing.block }))
}

impl Validator {
    /// Asks for everything that is missing and not being asked for. Called at each block, so that a lost answer
    /// is asked for again until the round is judged.
    pub(super) fn collect(&mut self, out: &mut Vec<Effect>, round: u64, now: Timestamp) {
        let Some(state) = self.known.rounds.get(&round).filter(|state| !state.is_judged) else {
            self.questions.clear();
            return;
        };
        for (hotkey, what) in missing(state) {
            let known = self.questions.values();
            if known.clone().any(|asked| (asked.round, asked.hotkey, asked.what) == (round, hotkey, what)) {
                continue;
            }
            let Some(question) = ask_for(state, hotkey, what) else { continue };
            self.asked += 1;
            let ask = AskId { incarnation: self.incarnation, number: self.asked };
            self.questions.insert(ask, Question { round, hotkey, what, asked_at: now });
            out.push(Effect::Ask { ask, to: Peer::Neuron(hotkey), what: question });
        }
    }

    pub(super) fn on_answer(
        &mut self,
        out: &mut Vec<Effect>,
        ask: AskId,
        result: Result<Answer, AskFailure>,
        now: Timestamp,
    ) {
        // An answer that nobody waits for any more (a duplicate, or one from before a crash) is passed over.
        let Some(question) = self.questions.remove(&ask) else { return };
        let Ok(answer) = result else { return };
        match (question.what, answer) {
            (Wanted::Manifest, Answer::Manifest(lines)) => self.on_manifest(out, &question, lines, now),
            (Wanted::Part(task), Answer::Part(bytes)) => self.on_part(out, &question, task, bytes, now),
            // A refusal is no answer: it is asked again until judgement, and then counts as silence.
            _ => {}
        }
    }

    fn on_manifest(
        &mut self,
        out: &mut Vec<Effect>,
        question: &Question,
        lines: Vec<PartLine>,
        now: Timestamp,
    ) {
        let Question { round, hotkey, asked_at, .. } = *question;
        let limit = self.mechanism.limits();
        let Some(state) = self.known.rounds.get(&round) else { return };
        let Some(committed) = state.sealed.as_ref().and_then(|sealed| sealed.commitments.get(&hotkey)) else {
            return;
        };
        let outcome = match check_manifest(state, committed, &lines, limit.items) {
            Err(proof) => Outcome::Invalid(proof),
            Ok(()) if lines.iter().any(|line| line.bytes > limit.submission_bytes as u64) => Outcome::TooBig,
            Ok(()) => Outcome::Ok,
        };
        let lines = if outcome == Outcome::Ok { lines } else { Vec::new() };
        let latency = now - asked_at;
        let fact = ValidatorFact::ManifestListed { round, hotkey, lines, outcome, latency, at: now };
        self.record(out, fact, now);
    }

    fn on_part(
        &mut self,
        out: &mut Vec<Effect>,
        question: &Question,
        task: u32,
        bytes: Vec<u8>,
        now: Timestamp,
    ) {
        let Question { round, hotkey, .. } = *question;
        let Some(state) = self.known.rounds.get(&round) else { return };
        let listed = state.miners.get(&hotkey).and_then(|miner| miner.listed.as_ref());
        let (Some(line), Some(sealed)) =
            (listed.and_then(|listed| listed.lines.get(&task)), state.sealed.as_ref())
        else {
            return;
        };
        // Other bytes than the committed ones prove nothing about those; they are asked for again.
        if bytes.len() as u64 != line.bytes || Digest::of(&bytes) != line.part {
            return;
        }
        let Some(planned) = state.plan.tasks.get(task as usize) else { return };
        let job = Examination {
            mechanism: self.mechanism.id().to_owned(),
            round,
            hotkey,
            task,
            task_json: String::from_utf8_lossy(&planned.bytes).into_owned(),
            root: line.root,
            part: line.part,
            audit_seed: sealed.audit_seed,
        };
        let queue = Self::queue(&self.identity);
        out.push(Effect::Keep(bytes));
        let fact = ValidatorFact::PartKept { round, hotkey, task };
        self.record_with(out, fact, now, |commit| commit.job(&queue, examination(&job, now)));
    }
}

/// Who is still to be asked for what, in a fixed order.
fn missing(state: &RoundState) -> Vec<(Hotkey, Wanted)> {
    let Some(sealed) = &state.sealed else { return Vec::new() };
    let mut missing = Vec::new();
    for hotkey in sealed.commitments.keys() {
        let miner = state.miners.get(hotkey);
        match miner.and_then(|miner| Some((miner, miner.listed.as_ref()?))) {
            None => missing.push((*hotkey, Wanted::Manifest)),
            Some((miner, listed)) => {
                let wanted = listed.lines.keys().filter(|task| !miner.kept.contains(task));
                missing.extend(wanted.map(|task| (*hotkey, Wanted::Part(*task))));
            }
        }
    }
    missing
}

fn ask_for(state: &RoundState, hotkey: Hotkey, what: Wanted) -> Option<Ask> {
    match what {
        Wanted::Manifest => Some(Ask::Manifest { round: state.plan.round.number }),
        Wanted::Part(task) => {
            let listed = state.miners.get(&hotkey)?.listed.as_ref()?;
            Some(Ask::Part { digest: listed.lines.get(&task)?.part })
        }
    }
}

/// Whether lines are what was committed, and each answers another of the round's tasks.
fn check_manifest(
    state: &RoundState,
    committed: &Committed,
    lines: &[PartLine],
    items_max: usize,
) -> Result<(), Certificate> {
    let fault =
        |rule: &str, expected: &str, found: &str| Err(Certificate::new(0, None, rule, expected, found));
    let most = items_max.min(PARTS_MAX);
    if lines.len() > most {
        return fault(
            "manifest is within its limits",
            &format!("at most {most} lines"),
            &lines.len().to_string(),
        );
    }
    let root = manifest_root(lines);
    if root != committed.root {
        return fault("manifest is the committed one", &committed.root.to_string(), &root.to_string());
    }
    let mut seen = std::collections::BTreeSet::new();
    for line in lines {
        let id = line.task.to_string();
        if !state.plan.by_id.contains_key(&line.task) {
            return fault("manifest answers the round's tasks", "one of its task ids", &id);
        }
        if !seen.insert(line.task) {
            return fault("manifest answers each task once", "no task twice", &id);
        }
    }
    Ok(())
}
