//! A submission's page, and the tasks of the round.

use std::collections::BTreeMap;

use maud::{Markup, html};
use mechanisms::Outcome;
use primitives::{Digest, Hotkey};

use super::{
    Page, bytes, certificate, digest as short_digest, grouped, neuron_link, outcome, scrolling,
    submission_link,
};
use crate::{
    house::{Examination, House, Round},
    quoted::isolated,
};

/// Rows of the table of tasks; the API has all that are kept.
const TASKS_SHOWN: usize = 512;

/// Miners that a task's row names.
const MINERS_SHOWN: usize = 8;

pub(crate) fn submission(house: &House, submission: &Digest, cases: &[(u64, &Round, &Examination)]) -> Page {
    // The same bytes may come from several miners, for several tasks and in several rounds.
    let mut by_case: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (number, round, case) in cases {
        by_case.entry((*number, case.miner, case.task)).or_default().push((*round, *case));
    }
    let body = html! {
        div class="lead" {
            p class="over" { "Submission" }
            h1 class="digest" { (short_digest(submission)) }
            p { code class="whole" { (submission) } }
            @if let Some((.., case)) = cases.first() { p class="say" { (bytes(case.bytes)) ", named by the BLAKE3 digest of its bytes." } }
            @if by_case.len() > 1 { p { "The same bytes were handed in " (by_case.len()) " times." } }
        }
        div class="stack" data-live="cases" { @for ((number, miner, task), looks) in by_case.iter().rev() { (case(house, *number, miner, *task, looks)) } }
    };
    Page { title: format!("Submission {}", submission.short()), body }
}

fn case(house: &House, number: u64, miner: &Hotkey, task: u32, looks: &[(&Round, &Examination)]) -> Markup {
    let Some((round, first)) = looks.first() else { return html! {} };
    let line = usize::try_from(task).ok().and_then(|at| round.tasks.get(at));
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
                div { dt { "Audit seed" } dd { @match round.audit_seed { Some(seed) => code class="whole" { (seed.0) }, None => "not known before the deadline" } } }
            }
            (scrolling("Examinations", &html! {
                table {
                    thead { tr { th scope="col" { "Validator" } th scope="col" { "Outcome" } th scope="col" { "Receipt" } th scope="col" class="num" { "CPU time" } th scope="col" class="num" { "Event" } } }
                    tbody { @for (_, look) in looks {
                        tr {
                            th scope="row" { (neuron_link(house, &look.validator)) }
                            td { (outcome(&look.outcome)) }
                            td { @match &look.receipt { Some(receipt) => (short_digest(receipt)), None => span class="dim" { "none" } } }
                            td class="num" { @if let Some(cpu) = look.cpu { (grouped(cpu.0.max(0).unsigned_abs())) " ms" } }
                            td class="num" { (grouped(look.event.0)) }
                        }
                    } }
                }
            }))
            @if same { p { span class="tag good" { "agreed" } " All " (receipts.len()) " validators made the same receipt." } }
            (again(house, number, miner, round, line.map(|line| line.id)))
        }
    }
}

/// How to come to the same receipt at home.
fn again(house: &House, number: u64, miner: &Hotkey, round: &Round, task: Option<Digest>) -> Markup {
    let mechanism = house.sign.as_ref().map_or("dataset", |sign| &sign.mechanism);
    let seed = round.audit_seed.map_or_else(|| "…".to_owned(), |seed| seed.0.to_string());
    let task = task.map_or_else(|| "the task".to_owned(), |id| format!("the task with the id {id}"));
    let source = house.sign.as_ref().map(|sign| sign.source.as_str());
    html! {
        details {
            summary { "Run it again yourself" }
            p { "With the submission's bytes, the source and this case anyone gets the receipt above, to the last bit:" }
            pre tabindex="0" { code { "weigh score " (mechanism) " SHARD --source SOURCE --case CASE.json" } }
            pre tabindex="0" { code {
                "{\n  \"mechanism\": \"" (mechanism) "\",\n  \"round\": " (number) ",\n  \"task\": { … },\n  \"hotkey\": \"" (miner)
                "\",\n  \"root\": \"…\",\n  \"audit_seed\": \"" (seed) "\"\n}"
            } }
            p class="dim" {
                "Here " code { "task" } " is " (task) ", " code { "root" } " the one under which the miner's manifest names these bytes, and SOURCE "
                @match source { Some(source) => (isolated(source)), None => "what the tasks are made of" } "."
            }
        }
    }
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
