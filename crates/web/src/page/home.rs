//! The overview.

use maud::{Markup, html};
use primitives::{AlphaRao, Digest, Unit};

use super::{Page, alpha, bytes, columns, grouped, leaderboard, number, percent, scrolling, submission_link};
use crate::{
    house::{Epoch, House, part},
    quoted::isolated,
    record::{Live, Role},
    site::Step,
    standing::{self, HEADLINE_PART, Query},
};

/// Rows of the overview's table.
const TOP_ROWS: usize = 10;

pub(crate) fn home(house: &House, live: &Live, steps: &[Step]) -> Page {
    let query = Query { limit: Some(TOP_ROWS), ..Query::default() };
    let top = standing::find(house, &query).map(|found| found.rows).unwrap_or_default();
    let body = html! {
        (lead(house))
        div class="halves" {
            div class="stack" {
                section aria-labelledby="top" {
                    header class="title" { h2 id="top" { "Top ten" } a href="/leaderboard" { "All miners" } }
                    @if top.is_empty() {
                        p class="dim" data-live="none" { "Nobody has been weighed yet. The first scores come when the first round has been judged." }
                    }
                    (scrolling("Top ten miners", &leaderboard::table(&top, None, leaderboard::Columns::Few)))
                }
                (growth(house))
                (milestones(house))
            }
            div class="stack" {
                (split(house))
                (attackers(house))
            }
        }
        (mine(house, live, steps))
    };
    Page { title: "Overview".to_owned(), body }
}

fn lead(house: &House) -> Markup {
    let about =
        house.sign.as_ref().and_then(|sign| mechanisms::find(&sign.mechanism)).map(|found| found.about());
    html! {
        div class="lead" {
            @match &house.sign {
                Some(sign) => {
                    p class="over" { "Subnet " (sign.netuid) " · " a href={ "/mechanisms/" (sign.mechanism) } { (isolated(&sign.mechanism)) } " mechanism" }
                    h1 { (isolated(&sign.name)) }
                    p class="say" {
                        "Miners bring " (about.unwrap_or("work")) ". Validators weigh it, and the chain pays by weight. "
                        "Every score can be recomputed to the last bit by anyone, the miner included."
                    }
                    p class="dim" { "Source: " (isolated(&sign.source)) ", " (bytes(sign.source_bytes)) ". An epoch has " (sign.tempo) " blocks." }
                }
                None => {
                    h1 { "Weighhouse" }
                    p class="say" { "The doors are still closed: this house's record has no entry yet." }
                }
            }
        }
    }
}

/// Whom the newest epoch paid.
fn split(house: &House) -> Markup {
    let Some((number, epoch)) = house.last_epoch() else {
        return html! { section data-live="split" aria-labelledby="split" { h2 id="split" { "Where the pay goes" } p class="dim" { "No epoch has closed yet." } } };
    };
    let parts = sides(house, epoch);
    let whole = parts.iter().fold(0, |sum: u64, (_, _, paid)| sum.saturating_add(paid.0));
    let bars = parts.iter().scan(0, |from, (class, _, paid)| {
        let (left, width) = (*from, scaled(paid.0, whole));
        *from += width;
        Some((class, left, width))
    });
    html! {
        section data-live="split" aria-labelledby="split" {
            header class="title" { h2 id="split" { "Where the pay goes" } a href={ "/epochs/" (number) } { "Epoch " (number) } }
            svg class="split" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
                @for (class, left, width) in bars { rect class=(class) x=(left) width=(width) height="10" {} }
            }
            ul class="legend" {
                @for (class, title, paid) in &parts {
                    li { span class={ "dot " (class) } {} span { (title) } span class="num" { (percent(Unit::ratio(paid.0, whole))) } span class="num dim" { (alpha(*paid)) } }
                }
            }
        }
    }
}

fn scaled(part: u64, whole: u64) -> u64 {
    let wide = u128::from(part) * 1000 / u128::from(whole.max(1));
    u64::try_from(wide).unwrap_or(1000)
}

/// An epoch's pay by who got it: the class that colours it, its title, the amount.
fn sides(house: &House, epoch: &Epoch) -> Vec<(&'static str, &'static str, AlphaRao)> {
    let mut sides = [
        ("c-owner", "Owner", AlphaRao::ZERO),
        ("c-validator", "Validators", AlphaRao::ZERO),
        ("c-honest", "Honest miners", AlphaRao::ZERO),
        ("c-miner", "Miners from outside", AlphaRao::ZERO),
        ("c-attack", "Attackers", AlphaRao::ZERO),
    ];
    for line in &epoch.neurons {
        let neuron = house.neuron(&line.hotkey);
        let honest = neuron.and_then(|neuron| neuron.cast.as_ref()).map(|cast| cast.honest);
        let side = match (neuron.map(|neuron| neuron.role), honest) {
            (Some(Role::Owner), _) => 0,
            (Some(Role::Validator), _) => 1,
            (_, Some(true)) => 2,
            (_, None) => 3,
            (_, Some(false)) => 4,
        };
        sides[side].2 = sides[side].2.saturating_add(line.earned);
    }
    // Attackers are shown with nothing too: that is what the page is there to say.
    sides.into_iter().filter(|(class, _, paid)| !paid.is_zero() || *class == "c-attack").collect()
}

fn attackers(house: &House) -> Markup {
    let totals = &house.totals;
    let attacks: Vec<_> = totals.strategies.iter().filter(|(_, totals)| !totals.honest).collect();
    let all = totals.paid_to_honest.saturating_add(totals.paid_to_attackers);
    html! {
        section data-live="attackers" aria-labelledby="attackers" {
            h2 id="attackers" { "What attackers earned" }
            @if attacks.is_empty() {
                p class="dim" { "This house has set no attackers on itself." }
            } @else {
                p class="figure" { (alpha(totals.paid_to_attackers)) }
                p class="dim" {
                    (percent(Unit::ratio(totals.paid_to_attackers.0, all.0))) " of what " (grouped(totals.epochs)) " epochs paid to the house's own miners. "
                    (grouped(totals.faults)) " faults were proven."
                }
                ul class="lines" {
                    @for (id, totals) in attacks {
                        li { span { strong { (isolated(id)) } " " span class="dim" { (isolated(&totals.about)) } } span class="num" { (alpha(totals.earned)) } }
                    }
                }
            }
        }
    }
}

/// Tokens that each kept round verified.
fn growth(house: &House) -> Markup {
    let judged: Vec<(u64, f64)> = house
        .rounds
        .iter()
        .filter_map(|(number, round)| {
            let (_, all) = house.spokesman(round)?;
            Some((*number, all.values().filter_map(|judgement| part(judgement, HEADLINE_PART)).sum()))
        })
        .collect();
    let values: Vec<f64> = judged.iter().map(|(_, tokens)| *tokens).collect();
    let ends = judged.first().zip(judged.last());
    html! {
        section data-live="growth" aria-labelledby="growth" {
            h2 id="growth" { "Verified tokens per round" }
            @match ends {
                Some(((first, _), (last, newest))) => {
                    p class="figure" { (number(*newest)) }
                    (columns(&format!("Verified tokens of the rounds {first} to {last}"), "c-honest", &values))
                    p class="axis" { span { "round " (first) } span { "round " (last) } }
                }
                None => p class="dim" { "No round has been judged yet." }
            }
        }
    }
}

fn milestones(house: &House) -> Markup {
    let marks = &house.milestones;
    // What lies before the oldest kept round or epoch has no page to link to.
    let submission = |place: &Option<(u64, Digest)>| {
        place.as_ref().map(|(round, digest)| {
            html! { "round " (round) @if house.submissions.contains_key(digest) { ", " (submission_link(digest)) } }
        })
    };
    let epoch = |number: Option<u64>| {
        number.map(|number| {
            html! { @if house.epochs.contains_key(&number) { a href={ "/epochs/" (number) } { "epoch " (number) } } @else { "epoch " (number) } }
        })
    };
    html! {
        section data-live="milestones" aria-labelledby="milestones" {
            h2 id="milestones" { "Milestones" }
            ol class="marks" {
                (mark("Opened its doors", house.sign.as_ref().map(|sign| html! { (sign.tempo) " blocks to an epoch" })))
                (mark("First submission verified", submission(&marks.verified)))
                (mark("First fault proven", submission(&marks.fault)))
                (mark("Two validators with the same receipt", submission(&marks.agreed)))
                (mark("First weights on the chain", epoch(marks.weights)))
                (mark("First miner paid", epoch(marks.paid)))
            }
        }
    }
}

fn mark(title: &str, reached: Option<Markup>) -> Markup {
    html! {
        li class=[reached.is_some().then_some("reached")] {
            span { (title) }
            span class="dim" { @match reached { Some(how) => (how), None => "not yet" } }
        }
    }
}

fn mine(house: &House, live: &Live, steps: &[Step]) -> Markup {
    let deadline = house.last_round().and_then(|(number, round)| Some((number, round.deadline?)));
    let open = deadline.filter(|(_, deadline)| *deadline >= live.block);
    html! {
        section aria-labelledby="mine" {
            h2 id="mine" { "How to mine here" }
            ol class="steps" {
                @for step in steps { li { p { (step.about) } pre tabindex="0" { code { (step.command) } } } }
            }
            @if let Some(address) = house.sign.as_ref().and_then(|sign| sign.task_api.as_ref()) {
                p { "Tasks are leased at " code { (isolated(address)) } "." }
            }
            p class="dim" data-live="open" {
                @match open {
                    Some((round, deadline)) => {
                        "Round " (round) " takes commitments up to block " (grouped(deadline)) ", " (grouped(deadline.saturating_sub(live.block))) " blocks from now. "
                        a href="/tasks" { "Its tasks" }
                    }
                    None => "The next round opens when the epoch has run."
                }
            }
            @if house.totals.examined_bytes > 0 {
                p class="dim" { "So far " (grouped(house.totals.examined)) " examinations of " (bytes(house.totals.examined_bytes)) "." }
            }
        }
    }
}
