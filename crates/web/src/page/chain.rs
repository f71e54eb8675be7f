//! What the chain made of it: validators, epochs, one epoch.

use std::collections::BTreeMap;

use maud::{Markup, html};
use primitives::{AlphaRao, Hotkey, Uid, Unit};

use super::{Page, alpha, grouped, neuron_link, percent, percent_of, scrolling};
use crate::{
    api::last_weights,
    house::{Epoch, House, Neuron},
    record::Role,
};

/// Validators that the tables set side by side; the API has all.
const VALIDATORS_SHOWN: usize = 32;

/// Weights that a row of a table names.
const WEIGHTS_SHOWN: usize = 3;

pub(crate) fn validators(house: &House) -> Page {
    let validators: Vec<&Neuron> =
        house.present().filter(|neuron| neuron.role == Role::Validator).take(VALIDATORS_SHOWN).collect();
    let body = html! {
        div class="lead" {
            h1 { "Validators" }
            p class="say" { "Each one weighs for itself. Equal facts give equal scores, so honest validators agree without talking; what a validator gives beyond the consensus is clipped." }
        }
        div class="stack" data-live="validators" {
            @if validators.is_empty() { p class="dim" { "There are none yet." } } @else {
                (scrolling("Validators", &table(house, &validators)))
                (agreement(house, &validators))
            }
        }
    };
    Page { title: "Validators".to_owned(), body }
}

fn table(house: &House, validators: &[&Neuron]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" class="num" { "Uid" } th scope="col" { "Validator" } th scope="col" { "Permit" } th scope="col" class="num" { "Stake" }
                th scope="col" class="num" { "Trust" } th scope="col" class="num" { "Dividends" } th scope="col" class="num" { "Earned" }
                th scope="col" class="num" { "Weights of epoch" } th scope="col" { "Largest weights" }
            } }
            tbody { @for neuron in validators {
                @let line = house.line(&neuron.hotkey);
                @let last = last_weights(house, &neuron.hotkey);
                tr {
                    td class="num" { (neuron.uid) }
                    th scope="row" { (neuron_link(house, &neuron.hotkey)) }
                    td { @match line.map(|line| line.validator_permit) { Some(true) => span class="tag good" { "yes" }, Some(false) => span class="tag" { "no" }, None => "" } }
                    td class="num" { @if let Some(line) = line { (alpha(line.stake)) } }
                    td class="num" { @if let Some(line) = line { (percent_of(line.validator_trust)) } }
                    td class="num" { @if let Some(line) = line { (percent_of(line.dividends)) } }
                    td class="num" { @if let Some(line) = line { (alpha(line.earned)) } }
                    td class="num" { @if let Some((epoch, ..)) = last { a href={ "/epochs/" (epoch) } { (epoch) } } }
                    td { @if let Some((.., weights)) = last { (largest(house, weights)) } }
                }
            } }
        }
    }
}

fn largest(house: &House, weights: &BTreeMap<Uid, u16>) -> Markup {
    let mut weights: Vec<(Uid, u16)> =
        weights.iter().map(|(uid, weight)| (*uid, *weight)).filter(|(_, weight)| *weight > 0).collect();
    weights.sort_by_key(|(uid, weight)| (u16::MAX - weight, *uid));
    let more = weights.len().saturating_sub(WEIGHTS_SHOWN);
    html! {
        @for (at, (uid, weight)) in weights.iter().take(WEIGHTS_SHOWN).enumerate() {
            @if at > 0 { ", " }
            @match house.slots.get(uid) { Some(hotkey) => (neuron_link(house, hotkey)), None => { "uid " (uid) } }
            " " span class="dim" { (grouped(u64::from(*weight))) }
        }
        @if more > 0 { span class="dim" { " and " (more) " more" } }
    }
}

/// How alike the validators' last weights are.
fn agreement(house: &House, validators: &[&Neuron]) -> Markup {
    let weights: Vec<Option<&BTreeMap<Uid, u16>>> = validators
        .iter()
        .map(|neuron| last_weights(house, &neuron.hotkey).map(|(.., weights)| weights))
        .collect();
    html! {
        section aria-labelledby="agreement" {
            h2 id="agreement" { "Agreement" }
            p class="dim" { "The cosine of the angle between two validators' last weights: 1 where they point the same way, 0 where they pay nobody in common." }
            (scrolling("Agreement of validators", &html! {
                table class="matrix" {
                    thead { tr { td {} @for neuron in validators { th scope="col" class="num" { (neuron.uid) } } } }
                    tbody { @for (row, neuron) in validators.iter().enumerate() {
                        tr {
                            th scope="row" { (neuron.uid) " " (neuron_link(house, &neuron.hotkey)) }
                            @for column in 0..validators.len() {
                                @match weights[row].zip(weights[column]).and_then(|(a, b)| cosine(a, b)) {
                                    Some(cosine) => td class={ "num a" (tenth(cosine)) } { (format!("{:.3}", cosine.get())) },
                                    None => td class="num dim" { "–" },
                                }
                            }
                        }
                    } }
                }
            }))
        }
    }
}

/// Which of ten shades an agreement has.
fn tenth(cosine: Unit) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10")]
    let tenth = (cosine.get() * 10.0) as u8;
    tenth
}

/// None where one of the two gives nobody anything.
fn cosine(a: &BTreeMap<Uid, u16>, b: &BTreeMap<Uid, u16>) -> Option<Unit> {
    let square = |weights: &BTreeMap<Uid, u16>| {
        weights.values().fold(0.0, |sum, weight| sum + f64::from(*weight) * f64::from(*weight))
    };
    let both = a.iter().fold(0.0, |sum, (uid, weight)| {
        sum + f64::from(*weight) * f64::from(b.get(uid).copied().unwrap_or(0))
    });
    let lengths = (square(a) * square(b)).sqrt();
    (lengths > 0.0).then(|| Unit::clamped(both / lengths))
}

pub(crate) fn epochs(house: &House) -> Page {
    let body = html! {
        div class="lead" {
            h1 { "Epochs" }
            p class="say" { "An epoch is the moment at which the chain turns weights into pay. The newest " (crate::house::EPOCHS_KEPT) " are kept in detail." }
        }
        (scrolling("Epochs", &html! {
            table {
                thead { tr {
                    th scope="col" class="num" { "Epoch" } th scope="col" class="num" { "Block" } th scope="col" class="num" { "Weights from" }
                    th scope="col" class="num" { "Miners paid" } th scope="col" class="num" { "Paid" } th scope="col" class="num" { "To attackers" } th scope="col" { "Best paid miner" }
                } }
                tbody data-rows="epochs" { @for (number, epoch) in house.epochs.iter().rev() { (epoch_line(house, *number, epoch)) } }
            }
        }))
        @if house.epochs.is_empty() { p class="dim" data-live="none" { "None has run yet." } }
    };
    Page { title: "Epochs".to_owned(), body }
}

fn epoch_line(house: &House, number: u64, epoch: &Epoch) -> Markup {
    let is_miner = |hotkey: &Hotkey| house.neuron(hotkey).is_some_and(|neuron| neuron.role == Role::Miner);
    let is_attacker = |hotkey: &Hotkey| {
        let cast = house.neuron(hotkey).and_then(|neuron| neuron.cast.as_ref());
        cast.is_some_and(|cast| !cast.honest)
    };
    let miners: Vec<_> =
        epoch.neurons.iter().filter(|line| is_miner(&line.hotkey) && !line.earned.is_zero()).collect();
    let paid = epoch.neurons.iter().fold(AlphaRao::ZERO, |sum, line| sum.saturating_add(line.earned));
    let attackers = miners
        .iter()
        .filter(|line| is_attacker(&line.hotkey))
        .fold(AlphaRao::ZERO, |sum, line| sum.saturating_add(line.earned));
    let best = miners.iter().rev().max_by_key(|line| line.earned);
    html! {
        tr id={ "e" (number) } {
            th scope="row" class="num" { a href={ "/epochs/" (number) } { (number) } }
            td class="num" { @match epoch.block { Some(block) => (grouped(block)), None => span class="dim" { "running" } } }
            td class="num" { (epoch.weights.len()) }
            td class="num" { (miners.len()) }
            td class="num" { (alpha(paid)) }
            td class="num" { (percent(Unit::ratio(attackers.0, paid.0))) }
            td { @if let Some(best) = best { (neuron_link(house, &best.hotkey)) " " span class="dim" { (alpha(best.earned)) } } }
        }
    }
}

pub(crate) fn epoch(house: &House, number: u64, epoch: &Epoch) -> Page {
    let paid = epoch.neurons.iter().fold(AlphaRao::ZERO, |sum, line| sum.saturating_add(line.earned));
    let near = |other: Option<u64>| other.filter(|other| house.epochs.contains_key(other));
    let body = html! {
        div class="lead" {
            p class="over" {
                @if let Some(before) = near(number.checked_sub(1)) { a href={ "/epochs/" (before) } { "Epoch " (before) } " · " }
                a href="/epochs" { "All epochs" }
                @if let Some(after) = near(number.checked_add(1)) { " · " a href={ "/epochs/" (after) } { "Epoch " (after) } }
            }
            h1 { "Epoch " (number) }
            p class="say" data-live="closed" {
                @match epoch.block {
                    Some(block) => { "Consensus ran in block " (grouped(block)) " over the weights of " (epoch.weights.len()) " validators and paid " (alpha(paid)) "." }
                    None => "It is running: what has come in so far."
                }
            }
        }
        div class="stack" data-live="epoch" {
            @if !epoch.neurons.is_empty() { (scrolling("Neurons of the epoch", &neurons(house, epoch))) }
            @else if epoch.weights.is_empty() { p class="dim" { "No weights yet." } }
            (movements(house, epoch))
        }
    };
    Page { title: format!("Epoch {number}"), body }
}

fn neurons(house: &House, epoch: &Epoch) -> Markup {
    let mut validators: Vec<(&Hotkey, &BTreeMap<Uid, u16>)> =
        epoch.weights.iter().map(|(hotkey, (_, weights))| (hotkey, weights)).take(VALIDATORS_SHOWN).collect();
    validators.sort_by_key(|(hotkey, _)| house.neuron(hotkey).map(|neuron| neuron.uid));
    html! {
        table {
            thead { tr {
                th scope="col" class="num" { "Uid" } th scope="col" { "Neuron" }
                @for (validator, _) in &validators { th scope="col" class="num" { "By " (neuron_link(house, validator)) } }
                th scope="col" class="num" { "Consensus" } th scope="col" class="num" { "Incentive" } th scope="col" class="num" { "Dividends" } th scope="col" class="num" { "Earned" }
            } }
            tbody { @for line in &epoch.neurons {
                tr {
                    td class="num" { (line.uid) }
                    th scope="row" { (neuron_link(house, &line.hotkey)) }
                    @for (_, weights) in &validators {
                        @match weights.get(&line.uid).copied().unwrap_or(0) { 0 => td class="num dim" { "0" }, weight => td class="num" { (grouped(u64::from(weight))) } }
                    }
                    td class="num" { (percent_of(line.consensus)) }
                    td class="num" { (percent_of(line.incentive)) }
                    td class="num" { (percent_of(line.dividends)) }
                    td class="num" { (alpha(line.earned)) }
                }
            } }
        }
    }
}

fn movements(house: &House, epoch: &Epoch) -> Markup {
    let list = |title: &str, all: &[(Uid, Hotkey)]| {
        html! {
            @if !all.is_empty() {
                section {
                    h2 { (title) }
                    ul class="inline" { @for (uid, hotkey) in all { li { "uid " (uid) " " (neuron_link(house, hotkey)) } } }
                }
            }
        }
    };
    html! { (list("Registered", &epoch.registered)) (list("Lost their slots", &epoch.deregistered)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(list: &[(u16, u16)]) -> BTreeMap<Uid, u16> {
        list.iter().map(|(uid, weight)| (Uid(*uid), *weight)).collect()
    }

    #[test]
    fn proportional_weights_agree_and_disjoint_ones_do_not() {
        let (a, b) = (weights(&[(1, 3), (2, 4)]), weights(&[(1, 30_000), (2, 40_000)]));
        assert!((cosine(&a, &b).unwrap().get() - 1.0).abs() < 1e-12);
        assert_eq!(cosine(&a, &weights(&[(3, 9)])), Some(Unit::ZERO));
        assert_eq!(cosine(&a, &weights(&[])), None);
    }
}
