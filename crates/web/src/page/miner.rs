//! A neuron's page: its score part by part, its history, what each validator said of it.

use std::collections::BTreeMap;

use maud::{Markup, html};
use mechanisms::{Judgement, Outcome};
use primitives::Hotkey;

use super::{
    Page, alpha, as_number_u64, bar, bytes, certificate, columns, grouped, neuron_link, number, outcome,
    percent_of, score, scrolling, submission_link,
};
use crate::{
    api::{outcome_name, role_name},
    house::{Examination, House, Neuron, Round, part},
    quoted::isolated,
    record::Role,
};

/// Examinations that the page lists; the API has all that are kept.
const EXAMINATIONS_SHOWN: usize = 60;

/// Rounds in the page's history.
const ROUNDS_SHOWN: usize = 24;

pub(crate) fn miner(house: &House, neuron: &Neuron) -> Page {
    let hotkey = &neuron.hotkey;
    let judged = house.rounds.iter().rev().find_map(|(number, round)| {
        let (validator, all) = house.spokesman(round)?;
        Some((*number, round, validator, all.get(hotkey)?))
    });
    let body = html! {
        (head(house, neuron, judged.map(|(.., judgement)| judgement)))
        @if let Some((number, round, _, judgement)) = judged {
            div class="stack" data-live="score" {
                (waterfall(number, judgement))
                @if let Some(proof) = &judgement.certificate {
                    section class="fault" aria-labelledby="fault" { h2 id="fault" { "The proof of a fault" } (certificate(proof)) }
                }
                (opinions(house, number, round, hotkey))
            }
        } @else if neuron.role == Role::Miner {
            p class="dim" data-live="score" { "Its work has not been judged in the rounds that are kept." }
        }
        div data-live="history" { (history(house, hotkey)) }
        div data-live="submissions" { (submissions(house, neuron)) }
        div data-live="chain" { (chain(house, neuron)) }
    };
    Page { title: neuron.title(), body }
}

fn head(house: &House, neuron: &Neuron, judgement: Option<&Judgement>) -> Markup {
    let line = house.line(&neuron.hotkey);
    html! {
        div class="lead" {
            p class="over" { "Uid " (neuron.uid) " · " (role_name(neuron.role)) @if let Some(block) = neuron.left_at { " · left in block " (grouped(block)) } }
            h1 { (isolated(&neuron.title())) }
            p { code class="whole" { (neuron.hotkey) } }
            @if let Some(cast) = &neuron.cast {
                p class="say" {
                    @if cast.honest { span class="tag good" { "honest" } } @else { span class="tag bad" { "attacker" } }
                    " " strong { (isolated(&cast.strategy)) } ": " (isolated(&cast.about)) "."
                }
            }
            dl class="figures" data-live="figures" {
                @if let Some(judgement) = judgement { div { dt { "Score" } dd { (score(judgement.score)) } } }
                @if let Some(line) = line {
                    div { dt { "Incentive" } dd { (percent_of(line.incentive)) } }
                    div { dt { "Earned last epoch" } dd { (alpha(line.earned)) } }
                }
                div { dt { "Earned in all" } dd { (alpha(neuron.earned)) } }
                @if line.is_some_and(|line| line.immune) { div { dt { "Slot" } dd { "immune" } } }
            }
            @if let Some(judgement) = judgement { p class="reason" data-live="reason" { (isolated(&judgement.reason)) } }
        }
    }
}

/// One step from what was delivered to what is paid.
struct Level {
    title: &'static str,
    class: &'static str,
    /// What the row says: an amount, or what the step adds or takes away.
    says: String,
    is_change: bool,
    /// Where its bar begins and ends, and what would fill the row.
    bar: (f64, f64, f64),
}

/// The dataset mechanism's way from delivered tokens to the score.
fn levels(judgement: &Judgement) -> Option<Vec<Level>> {
    let get = |name| part(judgement, name);
    let (delivered, verified) = (get("delivered_tokens")?, get("verified_tokens")?);
    let (worth, round_worth) = (get("worth_tokens")?, get("round_worth_tokens")?);
    let widest = delivered.max(verified).max(worth);
    let amount = |title, class, to, whole| Level {
        title,
        class,
        says: number(to),
        is_change: false,
        bar: (0.0, to, whole),
    };
    let change = |title, class, from, to| Level {
        title,
        class,
        says: signed(to - from),
        is_change: true,
        bar: (from, to, widest),
    };
    Some(vec![
        amount("Delivered tokens", "c-miner", delivered, widest),
        change("Committed first by others", "c-attack", delivered, verified),
        amount("Verified unique tokens", "c-honest", verified, widest),
        change("By their worth in training", "c-validator", verified, worth),
        amount("Worth", "c-honest", worth, widest),
        // The bar is the miner's part of it: the score as a picture.
        Level {
            says: number(round_worth),
            ..amount("All worth of the round", "c-honest", worth, round_worth)
        },
    ])
}

/// The dataset mechanism's parts as steps that lead to the score; those of another as a plain list.
fn waterfall(number_of_round: u64, judgement: &Judgement) -> Markup {
    let made = part(judgement, "worth_tokens").zip(part(judgement, "round_worth_tokens"));
    let made = made.map_or(0.0, |(worth, whole)| if whole > 0.0 { worth / whole } else { 0.0 });
    html! {
        section aria-labelledby="parts" {
            header class="title" { h2 id="parts" { "The score, part by part" } span class="dim" { "round " (number_of_round) } }
            @if let Some(levels) = levels(judgement) {
                (scrolling("From delivered tokens to the score", &html! {
                    table class="fall" {
                        thead { tr { th scope="col" { "Part" } th scope="col" class="num" { "Tokens" } th scope="col" { span class="unseen" { "As a bar" } } } }
                        tbody {
                            @for level in &levels {
                                tr class=[level.is_change.then_some("change")] {
                                    th scope="row" { (level.title) }
                                    td class="num" { (level.says) }
                                    td { (bar(level.class, level.bar.0, level.bar.1, level.bar.2)) }
                                }
                            }
                        }
                        tfoot {
                            tr {
                                th scope="row" { "Score = worth ÷ all worth" }
                                td class="num strong" { @match judgement.score { Some(score) => (format!("{:.6}", score.get())), None => "none" } }
                                td {}
                            }
                        }
                    }
                }))
                p class="dim" {
                    @if judgement.certificate.is_some() { "A proven fault makes the score zero, whatever else was delivered." }
                    @else if judgement.score.is_none() { "There is no score where the fault was the validator's: the miner is left as it was." }
                    @else if judgement.score.is_some_and(|score| score.get().to_bits() == (made + 0.0).to_bits()) { "Divided again here, the parts give the score to the last bit." }
                    @else { "Divided here, the parts give " (format!("{made:.6}")) "." }
                }
            }
            details {
                summary { "All parts as the judge wrote them" }
                (scrolling("Parts of the score", &html! {
                    table { tbody { @for (name, value) in &judgement.parts { tr { th scope="row" { code { (name) } } td class="num" { (value) } } } } }
                }))
            }
        }
    }
}

fn signed(change: f64) -> String {
    match change {
        change if change < 0.0 => format!("−{}", number(-change)),
        change if change > 0.0 => format!("+{}", number(change)),
        _ => "0".to_owned(),
    }
}

/// What each validator made of it.
fn opinions(house: &House, number: u64, round: &Round, hotkey: &Hotkey) -> Markup {
    let mut opinions: Vec<(&Hotkey, &Judgement)> =
        round.judged.iter().filter_map(|(validator, all)| Some((validator, all.get(hotkey)?))).collect();
    opinions.sort_by_key(|(validator, _)| house.neuron(validator).map(|neuron| neuron.uid));
    let mut scores = opinions
        .iter()
        .map(|(_, judgement)| judgement)
        .map(|judgement| judgement.score.map(|score| score.get().to_bits()));
    let first = scores.next();
    let agree = scores.all(|score| Some(score) == first);
    html! {
        section aria-labelledby="opinions" {
            header class="title" { h2 id="opinions" { "What each validator judged" } span class="dim" { "round " (number) } }
            @if opinions.len() > 1 {
                p { @if agree { span class="tag good" { "agreed" } " All " (opinions.len()) " validators came to the same score, to the last bit." } @else { span class="tag" { "not agreed" } " The validators came to different scores." } }
            }
            (scrolling("Judgements by validator", &html! {
                table {
                    thead { tr { th scope="col" { "Validator" } th scope="col" class="num" { "Score" } th scope="col" { "Why" } } }
                    tbody { @for (validator, judgement) in &opinions {
                        tr { th scope="row" { (neuron_link(house, validator)) } td class="num" { (score(judgement.score)) } td class="prose" { (isolated(&judgement.reason)) } }
                    } }
                }
            }))
        }
    }
}

fn history(house: &House, hotkey: &Hotkey) -> Markup {
    let mut rounds: Vec<(u64, &Judgement)> = house
        .rounds
        .iter()
        .rev()
        .filter_map(|(number, round)| Some((*number, house.spokesman(round)?.1.get(hotkey)?)))
        .take(ROUNDS_SHOWN)
        .collect();
    rounds.reverse();
    let scores: Vec<f64> =
        rounds.iter().map(|(_, judgement)| judgement.score.map_or(0.0, |score| score.get())).collect();
    let earned: Vec<(u64, f64)> = house
        .epochs
        .iter()
        .filter_map(|(number, epoch)| {
            let line = epoch.neurons.iter().find(|line| line.hotkey == *hotkey)?;
            Some((*number, as_number_u64(line.earned.0)))
        })
        .collect();
    let earned = &earned[earned.len().saturating_sub(ROUNDS_SHOWN)..];
    let pay: Vec<f64> = earned.iter().map(|(_, earned)| *earned).collect();
    html! {
        section aria-labelledby="history" {
            h2 id="history" { "History" }
            div class="halves even" {
                @if let (Some((first, _)), Some((last, _))) = (rounds.first(), rounds.last()) {
                    div {
                        h3 { "Score by round" }
                        (columns(&format!("Scores of the rounds {first} to {last}"), "c-honest", &scores))
                        p class="axis" { span { "round " (first) } span { "round " (last) } }
                    }
                }
                @if let (Some((first, _)), Some((last, _))) = (earned.first(), earned.last()) {
                    div {
                        h3 { "Pay by epoch" }
                        (columns(&format!("Pay of the epochs {first} to {last}"), "c-validator", &pay))
                        p class="axis" { span { "epoch " (first) } span { "epoch " (last) } }
                    }
                }
            }
            @if rounds.is_empty() && earned.is_empty() { p class="dim" { "Nothing yet." } }
            @if !rounds.is_empty() {
                details {
                    summary { "The rounds as a table" }
                    (scrolling("Rounds", &html! {
                        table {
                            thead { tr { th scope="col" class="num" { "Round" } th scope="col" class="num" { "Score" } th scope="col" class="num" { "Verified tokens" } th scope="col" { "Why" } } }
                            tbody { @for (number, judgement) in rounds.iter().rev() {
                                tr { th scope="row" class="num" { (number) } td class="num" { (score(judgement.score)) } td class="num" { @if let Some(tokens) = part(judgement, "verified_tokens") { (super::number(tokens)) } } td class="prose" { (isolated(&judgement.reason)) } }
                            } }
                        }
                    }))
                }
            }
        }
    }
}

/// Its work of the kept rounds, newest first: a row per submission for a miner, per look for a validator.
fn submissions(house: &House, neuron: &Neuron) -> Markup {
    let is_validator = neuron.role == Role::Validator;
    let mut shown: Vec<(u64, &Examination, Vec<&Hotkey>)> = Vec::new();
    for (number, round) in house.rounds.iter().rev() {
        if shown.len() >= EXAMINATIONS_SHOWN {
            break;
        }
        let mut rows: BTreeMap<_, (&Examination, Vec<&Hotkey>)> = BTreeMap::new();
        for one in &round.examinations {
            let (is_mine, other) = if is_validator {
                (one.validator == neuron.hotkey, &one.miner)
            } else {
                (one.miner == neuron.hotkey, &one.validator)
            };
            if is_mine {
                let miner = is_validator.then_some(one.miner);
                let key = (one.task, one.submission, miner, outcome_name(&one.outcome));
                rows.entry(key).or_insert((one, Vec::new())).1.push(other);
            }
        }
        shown.extend(rows.into_values().map(|(one, others)| (*number, one, others)));
    }
    shown.truncate(EXAMINATIONS_SHOWN);
    html! {
        section aria-labelledby="submissions" {
            h2 id="submissions" { @if is_validator { "What it examined" } @else { "Submissions" } }
            @if shown.is_empty() { p class="dim" { "None in the rounds that are kept." } } @else {
                (scrolling("Table of what was examined", &html! {
                    table {
                        thead { tr {
                            th scope="col" class="num" { "Round" } th scope="col" class="num" { "Task" } th scope="col" { "Submission" }
                            th scope="col" { "Outcome" } th scope="col" class="num" { "Documents" } th scope="col" class="num" { "Tokens" } th scope="col" class="num" { "Size" }
                            th scope="col" { @if is_validator { "Miner" } @else { "Examined by" } }
                        } }
                        tbody { @for (number, one, others) in &shown {
                            tr {
                                td class="num" { (number) }
                                td class="num" { (one.task) }
                                th scope="row" { (submission_link(&one.submission)) }
                                td { (outcome(&one.outcome)) @if let Outcome::Invalid(proof) = &one.outcome { " " span class="dim" { (isolated(&proof.rule)) } } }
                                td class="num" { @if let Some(found) = &one.found { (grouped(found.documents)) } }
                                td class="num" { @if let Some(found) = &one.found { (grouped(found.tokens)) } }
                                td class="num" { (bytes(one.bytes)) }
                                td { @for (at, other) in others.iter().enumerate() { @if at > 0 { ", " } (neuron_link(house, other)) } }
                            }
                        } }
                    }
                }))
            }
        }
    }
}

fn chain(house: &House, neuron: &Neuron) -> Markup {
    let Some((number, epoch)) = house.last_epoch() else { return html! {} };
    let Some(line) = house.line(&neuron.hotkey) else { return html! {} };
    let mut weights: Vec<(&Hotkey, u16)> = epoch
        .weights
        .iter()
        .map(|(validator, (_, weights))| (validator, weights.get(&neuron.uid).copied().unwrap_or(0)))
        .collect();
    weights.sort_by_key(|(validator, _)| house.neuron(validator).map(|neuron| neuron.uid));
    html! {
        section aria-labelledby="chain" {
            header class="title" { h2 id="chain" { "On the chain" } a href={ "/epochs/" (number) } { "Epoch " (number) } }
            dl class="figures small" {
                div { dt { "Stake" } dd { (alpha(line.stake)) } }
                div { dt { "Consensus" } dd { (percent_of(line.consensus)) } }
                div { dt { "Incentive" } dd { (percent_of(line.incentive)) } }
                div { dt { "Dividends" } dd { (percent_of(line.dividends)) } }
                div { dt { "Registered in block" } dd { (grouped(line.registered_at)) } }
            }
            @if neuron.role == Role::Miner && !epoch.weights.is_empty() {
                (scrolling("Weights by validator", &html! {
                    table {
                        thead { tr { th scope="col" { "Weight by" } th scope="col" class="num" { "Of 65,535" } } }
                        tbody { @for (validator, weight) in weights {
                            tr { th scope="row" { (neuron_link(house, validator)) } td class="num" { (grouped(u64::from(weight))) } }
                        } }
                    }
                }))
            }
        }
    }
}
