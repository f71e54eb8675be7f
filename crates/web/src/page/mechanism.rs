//! A mechanism's page: its own words, its limits, and what its attacks have earned here.

use maud::{Markup, html};
use mechanisms::{Chapter, ErasedMechanism};

use super::{Page, alpha, bytes, grouped, scrolling};
use crate::{house::House, quoted::isolated};

pub(crate) fn mechanism(house: &House, mechanism: &dyn ErasedMechanism) -> Page {
    let limits = mechanism.limits();
    let body = html! {
        div class="lead" {
            p class="over" { "Mechanism" }
            h1 { (mechanism.id()) }
            p class="say" { "Pays for " (mechanism.about()) "." }
        }
        div class="words" { @for Chapter { title, text } in mechanism.chapters() { section { @if !title.is_empty() { h2 { (title) } } p { (text) } } } }
        section aria-labelledby="attacks" {
            h2 id="attacks" { "Attacks, and what they earn here" }
            (scrolling("Attacks", &attacks(house, mechanism)))
        }
        section aria-labelledby="limits" {
            h2 id="limits" { "Limits" }
            dl class="rows" {
                div { dt { "Who moves first" } dd { (mechanism.shape().about()) } }
                div { dt { "Engine" } dd { code { (mechanism.engine()) } } }
                div { dt { "One submission" } dd { "at most " (bytes(limits.submission_bytes as u64)) } }
                div { dt { "Submissions of one miner" } dd { "at most " (limits.items) " in a round" } }
                div { dt { "One examination" } dd { "at most " (grouped(limits.examine.0.max(0).unsigned_abs() / 1000)) " s of CPU time, " (bytes(limits.memory_bytes)) " of memory and " (grouped(limits.fetches as u64)) " fetched pieces" } }
            }
        }
    };
    Page { title: format!("Mechanism {}", mechanism.id()), body }
}

fn attacks(house: &House, mechanism: &dyn ErasedMechanism) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Attack" } th scope="col" { "What it does" } th scope="col" class="num" { "Miners here" } th scope="col" class="num" { "Faults proven" } th scope="col" class="num" { "Earned" } } }
            tbody data-live="attacks" { @for attack in mechanism.attacks() {
                @let totals = house.totals.strategies.get(attack.id());
                tr {
                    th scope="row" { (attack.id()) }
                    td class="prose" { (isolated(attack.about())) }
                    @match totals {
                        Some(totals) => { td class="num" { (totals.miners) } td class="num" { (grouped(totals.faults)) } td class="num strong" { (alpha(totals.earned)) } }
                        None => { td class="num dim" { "none" } td {} td {} }
                    }
                }
            } }
        }
    }
}
