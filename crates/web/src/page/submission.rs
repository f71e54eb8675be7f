//! A submission's page, and the tasks of the round.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use mechanisms::Outcome;
use primitives::{Digest, Hotkey};

use super::{
    Page, bytes, certificate, digest as short_digest, grouped, neuron_link, outcome, scrolling,
    submission_link,
};
use crate::{
    evidence::{Place, by_case, chosen, root_of, text_of},
    house::{Examination, House, Round, Sign},
    quoted::{isolated, shell_word},
};

/// Rows of the table of tasks; the API has all that are kept.
const TASKS_SHOWN: usize = 512;

/// Digits of a signature that are shown, as many as of a digest.
const SIGNATURE_SHOWN: usize = 8;

/// Miners that a task's row names.
const MINERS_SHOWN: usize = 8;

/// One validator's look, with its round.
type Look<'a> = (&'a Round, &'a Examination);

/// `origin` is where the reader reaches this house, where that is known.
pub(crate) fn submission(
    house: &House,
    submission: &Digest,
    cases: &[(u64, &Round, &Examination)],
    origin: Option<&str>,
) -> Page {
    let by_case = by_case(cases);
    let body = html! {
        div class="lead" {
            p class="over" { "Submission" }
            h1 class="digest" { (short_digest(submission)) }
            p { code class="whole" { (submission) } }
            @if let Some((.., case)) = cases.first() { p class="say" { (bytes(case.bytes)) ", named by the BLAKE3 digest of its bytes." } }
            @if by_case.len() > 1 { p { "The same bytes were handed in " (by_case.len()) " times." } }
        }
        div class="stack" data-live="cases" { @for (place, looks) in by_case.iter().rev() { (case(house, submission, place, looks, origin)) } }
    };
    Page { title: format!("Submission {}", submission.short()), body }
}

fn case(
    house: &House,
    submission: &Digest,
    place: &Place,
    looks: &[Look<'_>],
    origin: Option<&str>,
) -> Markup {
    let Some((round, first)) = looks.first() else { return html! {} };
    let (number, miner, task) = place;
    let line = usize::try_from(*task).ok().and_then(|at| round.tasks.get(at));
    let proof = looks.iter().find_map(|(_, look)| match &look.outcome {
        Outcome::Invalid(proof) => Some(proof),
        _ => None,
    });
    let receipts: Vec<Option<Digest>> = looks.iter().map(|(_, look)| look.receipt).collect();
    let same =
        receipts.len() > 1 && receipts[0].is_some() && receipts.iter().all(|receipt| *receipt == receipts[0]);
    html! {
        section class="case" {
            h2 { "Round " (number) ", task " (task) ", by " (neuron_link(house, miner)) }
            dl class="figures small" {
                div { dt { "Outcome" } dd { (outcome(&first.outcome)) } }
                @if let Some(found) = &first.found {
                    div { dt { "Documents" } dd { (grouped(found.documents)) } }
                    div { dt { "Tokens" } dd { (grouped(found.tokens)) } }
                    div { dt { "Kept records checked" } dd { (grouped(u64::from(found.sampled_kept))) } }
                    div { dt { "Dropped records checked" } dd { (grouped(u64::from(found.sampled_dropped))) } }
                    div { dt { "Recipe" } dd { (isolated(&found.recipe)) } }
                }
            }
            @if let Some(proof) = proof { div class="fault" { h3 { "The proof of a fault" } (certificate(proof)) } }
            dl class="rows" {
                @if let Some(line) = line {
                    div { dt { "Task" } dd { (isolated(&line.about)) } }
                    div { dt { "Task id" } dd { code class="whole" { (line.id) } } }
                }
                div { dt { "Miner" } dd { code class="whole" { (miner) } } }
                @if let Some((root, block)) = round.commitments.get(miner) {
                    div { dt { "Committed" } dd { "in block " (grouped(*block)) " to " code class="whole" { (root) } } }
                }
                @if let Some(root) = root_of(looks) { div { dt { "Root" } dd { code class="whole" { (root) } } } }
                div { dt { "Audit seed" } dd { @match round.audit_seed { Some(seed) => code class="whole" { (seed.0) }, None => "not known before the deadline" } } }
            }
            (scrolling("Examinations", &html! {
                table {
                    thead { tr { th scope="col" { "Validator" } th scope="col" { "Outcome" } th scope="col" { "Receipt" } th scope="col" { "Signature" } th scope="col" class="num" { "CPU time" } th scope="col" class="num" { "Event" } } }
                    tbody { @for (_, look) in looks {
                        tr {
                            th scope="row" { (neuron_link(house, &look.validator)) }
                            td { (outcome(&look.outcome)) }
                            td { @match &look.receipt { Some(receipt) => (short_digest(receipt)), None => span class="dim" { "none" } } }
                            td { @match &look.signature { Some(digits) => { "signed " code class="key" title=(digits) { (digits.get(..SIGNATURE_SHOWN).unwrap_or(digits)) } } None => span class="dim" { "none" } } }
                            td class="num" { @if let Some(cpu) = look.cpu { (grouped(cpu.0.max(0).unsigned_abs())) " ms" } }
                            td class="num" { (grouped(look.event.0)) }
                        }
                    } }
                }
            }))
            @if same { p { span class="tag good" { "agreed" } " All " (receipts.len()) " validators made the same receipt." } }
            (again(house, submission, place, looks, origin))
        }
    }
}

/// How to come to the same receipt at home: commands to be pasted as they stand.
fn again(
    house: &House,
    submission: &Digest,
    place: &Place,
    looks: &[Look<'_>],
    origin: Option<&str>,
) -> Markup {
    let is_whole = looks.first().is_some_and(|(round, _)| {
        root_of(looks).is_some() && round.audit_seed.is_some() && text_of(round, place.2).is_some()
    });
    let sign = house.sign.as_ref().filter(|_| is_whole);
    let receipts: BTreeSet<Digest> = looks.iter().filter_map(|(_, look)| look.receipt).collect();
    html! {
        details {
            summary { "Run it again yourself" }
            @match sign {
                Some(sign) => {
                    p { "With the submission's bytes, its case and the source anyone gets the receipt above, to the last bit. The bytes are a stranger's: open them with nothing but " code { "weigh" } "." }
                    @if origin.is_none() { p { "Put this house's address in front, as in " code { "HOUSE=http://127.0.0.1:8420" } ":" } }
                    @for command in commands(sign, submission, place, origin) { pre tabindex="0" { code { (command) } } }
                    @match receipts.len() {
                        0 => {}
                        1 => p { "The line " code { "receipt" } " must say" @for receipt in &receipts { " " code class="whole" { (receipt) } } "." }
                        _ => p { "The line " code { "receipt" } " must say one of these; whoever made another one is wrong:" @for receipt in &receipts { " " code class="whole" { (receipt) } } }
                    }
                    p class="dim" { "Where your copy of the source lies elsewhere, name that behind " code { "--source" } "." }
                }
                None => p { "The record lacks the root, the audit seed or the task of this submission, which an earlier program has left out." }
            }
        }
    }
}

/// Fetch the bytes, fetch the case, score.
fn commands(sign: &Sign, submission: &Digest, place: &Place, origin: Option<&str>) -> [String; 3] {
    let house = origin.unwrap_or("$HOUSE");
    let (file, case) = (format!("{}.shard", submission.short()), format!("{}.case.json", submission.short()));
    let at = format!("{house}/api/v1/submissions/{submission}");
    [
        format!("curl -fsSL -o {file} \"{at}/bytes\""),
        format!("curl -fsSL -o {case} \"{at}/case?{}\"", chosen(place)),
        format!(
            "weigh score {} {file} --source {} --case {case}",
            shell_word(&sign.mechanism),
            shell_word(&sign.source)
        ),
    ]
}

pub(crate) fn tasks(house: &House) -> Page {
    let newest = house.last_round();
    let body = html! {
        div class="lead" {
            h1 { "Tasks" }
            @match newest {
                Some((number, round)) => {
                    p class="say" data-live="round" {
                        "Round " (number) " asks for " (grouped(round.tasks.len() as u64)) " pieces of the source."
                        @if let Some(deadline) = round.deadline { " Commitments count up to block " (grouped(deadline)) "." }
                        " " (round.commitments.len()) " miners have committed."
                    }
                    p class="dim" data-live="seed" { @if let Some(seed) = round.audit_seed { "Audit seed " code class="whole" { (seed.0) } } @else { "The audit seed comes from the first block after the deadline." } }
                }
                None => p class="say" { "No round has been opened yet." }
            }
        }
        @if let Some((_, round)) = newest { (scrolling("Tasks of the round", &task_table(house, round))) }
    };
    Page { title: "Tasks".to_owned(), body }
}

fn task_table(house: &House, round: &Round) -> Markup {
    let mut handed_in: BTreeMap<u32, BTreeMap<Hotkey, &Examination>> = BTreeMap::new();
    for examination in &round.examinations {
        handed_in.entry(examination.task).or_default().insert(examination.miner, examination);
    }
    html! {
        table {
            thead { tr { th scope="col" class="num" { "Task" } th scope="col" { "Where" } th scope="col" class="num" { "Entries" } th scope="col" class="num" { "Size" } th scope="col" { "Handed in by" } } }
            tbody data-rows="tasks" {
                @for (place, task) in (0_u32..).zip(&round.tasks).take(TASKS_SHOWN) {
                    tr id={ "t" (place) } {
                        td class="num" { (place) }
                        th scope="row" class="prose" { (isolated(&task.about)) " " (short_digest(&task.id)) }
                        td class="num" { @if let Some(entries) = task.entries { (grouped(entries)) } }
                        td class="num" { (bytes(task.bytes)) }
                        td { @match handed_in.get(&place) { Some(all) => (bringers(house, all)), None => span class="dim" { "nobody yet" } } }
                    }
                }
            }
        }
    }
}

fn bringers(house: &House, all: &BTreeMap<Hotkey, &Examination>) -> Markup {
    let more = all.len().saturating_sub(MINERS_SHOWN);
    html! {
        @for (at, (miner, examination)) in all.iter().take(MINERS_SHOWN).enumerate() {
            @if at > 0 { ", " }
            (neuron_link(house, miner)) " " (submission_link(&examination.submission)) " " (outcome(&examination.outcome))
        }
        @if more > 0 { span class="dim" { " and " (more) " more" } }
    }
}
