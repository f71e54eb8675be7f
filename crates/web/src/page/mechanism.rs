//! A mechanism's page: its own words, its limits, and what its attacks have earned here.

use maud::{Markup, html};
use mechanisms::{ErasedMechanism, Shape, Strategy, dataset};

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
        div class="words" { @for (title, text) in chapters(room(mechanism.id())) { section { @if !title.is_empty() { h2 { (title) } } p { (text) } } } }
        section aria-labelledby="attacks" {
            h2 id="attacks" { "Attacks, and what they earn here" }
            (scrolling("Attacks", &attacks(house, mechanism.id())))
        }
        section aria-labelledby="limits" {
            h2 id="limits" { "Limits" }
            dl class="rows" {
                div { dt { "Who moves first" } dd { (shape(mechanism.shape())) } }
                div { dt { "Engine" } dd { code { (mechanism.engine()) } } }
                div { dt { "One submission" } dd { "at most " (bytes(limits.submission_bytes as u64)) } }
                div { dt { "Submissions of one miner" } dd { "at most " (limits.items) " in a round" } }
                div { dt { "One examination" } dd { "at most " (grouped(limits.examine.0.max(0).unsigned_abs() / 1000)) " s of CPU time, " (bytes(limits.memory_bytes)) " of memory and " (grouped(limits.fetches as u64)) " fetched pieces" } }
            }
        }
    };
    Page { title: format!("Mechanism {}", mechanism.id()), body }
}

fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Pull => "the validator: it asks and scores the answer",
        Shape::Push => "the miner: it publishes and commits, the validator audits",
        Shape::Delayed => "the miner: it commits and is scored when the truth has arrived",
    }
}

/// The source of a mechanism's room, whose first comment says what is paid, why it can't be gamed and what is weak.
fn room(id: &str) -> &'static str {
    match id {
        dataset::ID => include_str!("../../../mechanisms/src/dataset/mod.rs"),
        _ => "",
    }
}

fn attacks_of(id: &str) -> Vec<&'static dyn Strategy> {
    match id {
        dataset::ID => dataset::attacks::all(),
        _ => Vec::new(),
    }
}

fn attacks(house: &House, id: &str) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Attack" } th scope="col" { "What it does" } th scope="col" class="num" { "Miners here" } th scope="col" class="num" { "Faults proven" } th scope="col" class="num" { "Earned" } } }
            tbody data-live="attacks" { @for attack in attacks_of(id) {
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

/// The first comment's paragraphs: a title where one begins with a bold sentence, and the text without marks.
fn chapters(source: &str) -> Vec<(String, String)> {
    let comment: Vec<&str> =
        source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let paragraphs =
        comment.split(|line| line.is_empty()).map(|lines| lines.join(" ")).filter(|text| !text.is_empty());
    paragraphs
        .map(|text| match text.strip_prefix("**").and_then(|text| text.split_once("**")) {
            Some((title, rest)) => (title.trim_end_matches('.').to_owned(), plain(rest.trim())),
            None => (String::new(), plain(&text)),
        })
        .collect()
}

/// Text without the marks of links and code.
fn plain(text: &str) -> String {
    text.replace("[`", "").replace("`]", "").replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_has_its_words() {
        for mechanism in mechanisms::catalogue() {
            let chapters = chapters(room(mechanism.id()));
            let titles: Vec<&str> = chapters.iter().map(|(title, _)| title.as_str()).collect();
            for expected in ["What is paid", "Why it can't be gamed", "What is known to be weak"] {
                assert!(titles.contains(&expected), "{}: {titles:?}", mechanism.id());
            }
            assert!(!attacks_of(mechanism.id()).is_empty(), "{}", mechanism.id());
        }
    }
}
