//! Pages: HTML made on the server, whole without a script.
//!
//! What changes while somebody reads is marked for `assets/house.js`: an element with `data-live` is replaced by the one of
//! the same name on the page as it is now, a `tbody` with `data-rows` row by row, and one with `data-now` follows the block.
//! A link or form with `data-soft` changes the page in place.

mod chain;
mod home;
mod leaderboard;
mod mechanism;
mod miner;
mod reference;
mod submission;

use maud::{DOCTYPE, Markup, html};
use mechanisms::{Certificate, Outcome};
use primitives::{AlphaRao, Digest, Hotkey, RAO_PER_TAO, Unit};

pub(crate) use chain::{epoch, epochs, validators};
pub(crate) use home::home;
pub(crate) use leaderboard::leaderboard;
pub(crate) use mechanism::mechanism;
pub(crate) use miner::miner;
pub(crate) use reference::reference;
pub(crate) use submission::{submission, tasks};

use crate::{
    answer::Problem,
    house::{House, Neuron, short},
    quoted::isolated,
    record::{Live, Role},
};

/// The site's parts, as the head of each page names them.
const PARTS: [(&str, &str); 6] = [
    ("/", "Overview"),
    ("/leaderboard", "Leaderboard"),
    ("/validators", "Validators"),
    ("/epochs", "Epochs"),
    ("/tasks", "Tasks"),
    ("/docs/api", "API"),
];

/// What is between the head and the foot.
pub(crate) struct Page {
    title: String,
    body: Markup,
}

/// What stands around it.
pub(crate) struct Frame<'a> {
    pub(crate) house: &'a House,
    pub(crate) live: &'a Live,
    /// The part of the site that the page belongs to.
    pub(crate) here: &'a str,
}

impl Frame<'_> {
    pub(crate) fn around(&self, page: Page) -> Markup {
        let name = self.house.sign.as_ref().map_or("Weighhouse", |sign| &sign.name);
        let mechanism = self.house.sign.as_ref().map(|sign| format!("/mechanisms/{}", sign.mechanism));
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (page.title) " · " (name) }
                    link rel="icon" href="/assets/mark.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/assets/house.css";
                    script type="module" src="/assets/house.js" {}
                }
                body data-event=(self.house.seen) {
                    a class="skip" href="#main" { "Skip to the content" }
                    header class="top" {
                        a class="brand" href="/" {
                            img src="/assets/mark.svg" alt="" width="26" height="26";
                            (isolated(name))
                        }
                        nav aria-label="Parts of the site" {
                            @for (href, title) in PARTS {
                                a href=(href) aria-current=[(self.here == href).then_some("page")] { (title) }
                            }
                            @if let Some(href) = mechanism {
                                a href=(href) aria-current=[(self.here == "/mechanisms").then_some("page")] { "Mechanism" }
                            }
                        }
                        div class="pulse" {
                            span id="pulse" role="status" {}
                            button id="pause" type="button" hidden { "Pause" }
                        }
                    }
                    (self.strip())
                    main id="main" tabindex="-1" { (page.body) }
                    footer {
                        p {
                            "Every score here can be recomputed to the last bit by anyone. What you read is a fold of this house's "
                            a href="/docs/api" { "public record" } ", event " span data-live="event" { (self.house.seen) } "."
                        }
                    }
                }
            }
        }
    }

    /// Where the chain is, on every page.
    fn strip(&self) -> Markup {
        let Live { block, epoch, epoch_ends_at, queued, running, .. } = *self.live;
        let tempo = self.house.sign.as_ref().map_or(1, |sign| u64::from(sign.tempo).max(1));
        let left = epoch_ends_at.saturating_sub(block);
        let (awake, validators) = awake(self.house);
        html! {
            section class="strip" aria-label="Now" {
                dl {
                    div { dt { "Block" } dd data-now="block" { (grouped(block)) } }
                    div {
                        dt { "Epoch" }
                        dd {
                            span data-now="epoch" { (grouped(epoch)) }
                            progress data-now="progress" max=(tempo) value=(tempo.saturating_sub(left)) aria-label="Part of the epoch that has run" {}
                        }
                    }
                    div { dt { "Next weights" } dd { "in " span data-now="left" { (left) } " blocks" } }
                    div { dt { "Validators live" } dd data-live="awake" { (awake) " of " (validators) } }
                    div { dt { "Queue" } dd { span data-now="queued" { (grouped(queued)) } " waiting, " span data-now="running" { (grouped(running)) } " running" } }
                }
            }
        }
    }
}

/// Validators that had a word in the newest closed epoch or since, and all validators.
fn awake(house: &House) -> (usize, usize) {
    let since = house.last_epoch().map_or(0, |(number, _)| number);
    let spoke = |hotkey: &Hotkey| {
        house.epochs.range(since..).any(|(_, epoch)| epoch.weights.contains_key(hotkey))
            || house.rounds.range(since..).any(|(_, round)| round.judged.contains_key(hotkey))
    };
    let all: Vec<&Neuron> = house.present().filter(|neuron| neuron.role == Role::Validator).collect();
    (all.iter().filter(|neuron| spoke(&neuron.hotkey)).count(), all.len())
}

/// Why there is no page.
pub(crate) fn problem(problem: &Problem) -> Page {
    let body = html! {
        div class="lead" {
            h1 { (problem.title()) }
            p class="say" { (isolated(&crate::quoted::line(&problem.detail))) "." }
            p { a href="/" { "Back to the overview" } }
        }
    };
    Page { title: problem.title().to_owned(), body }
}

/// A table that scrolls by itself where the page is too narrow for it. `label` names it to whoever can't see it.
fn scrolling(label: &str, table: &Markup) -> Markup {
    html! { div class="scroll" role="region" aria-label=(label) tabindex="0" { (table) } }
}

/// A link to a neuron by its name; its key where it is not known any more.
fn neuron_link(house: &House, hotkey: &Hotkey) -> Markup {
    match house.neuron(hotkey) {
        Some(neuron) => html! { a href={ "/miners/" (hotkey) } { (isolated(&neuron.title())) } },
        None => key(hotkey),
    }
}

/// A key's beginning and end; the whole key under it.
fn key(hotkey: &Hotkey) -> Markup {
    html! { code class="key" title=(hotkey) { (short(hotkey)) } }
}

/// A digest's beginning; the whole one under it.
fn digest(digest: &Digest) -> Markup {
    html! { code class="key" title=(digest) { (digest.short()) } }
}

/// A link to a submission.
fn submission_link(of: &Digest) -> Markup {
    html! { a href={ "/submissions/" (of) } { (digest(of)) } }
}

/// What came of an examination, in words.
fn outcome(outcome: &Outcome) -> Markup {
    let (class, text) = match outcome {
        Outcome::Ok => ("good", "verified"),
        Outcome::NoResponse => ("dim", "no response"),
        Outcome::Refused => ("dim", "refused to show"),
        Outcome::Invalid(_) => ("bad", "fault proven"),
        Outcome::TooBig => ("bad", "too big"),
        Outcome::ValidatorFault => ("dim", "validator's fault"),
    };
    html! { span class={ "tag " (class) } { (text) } }
}

/// The proof of a fault.
fn certificate(certificate: &Certificate) -> Markup {
    html! {
        dl class="proof" {
            div { dt { "Rule" } dd { (isolated(&certificate.rule)) " " span class="dim" { "(step " (certificate.step) ")" } } }
            @if let Some(record) = &certificate.record { div { dt { "At" } dd { (isolated(record)) } } }
            div { dt { "Expected" } dd { (isolated(&certificate.expected)) } }
            div { dt { "Found" } dd { (isolated(&certificate.found)) } }
        }
    }
}

/// A bar of `part` from `from` to `to`, all of `whole`.
fn bar(class: &str, from: f64, to: f64, whole: f64) -> Markup {
    let scaled = |value: f64| if whole > 0.0 { (value / whole * 1000.0).clamp(0.0, 1000.0) } else { 0.0 };
    let (left, right) = (scaled(from.min(to)), scaled(from.max(to)));
    html! {
        svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            rect class="ground" width="1000" height="10" {}
            rect class=(class) x=(tenths(left)) width=(tenths(right - left)) height="10" {}
        }
    }
}

/// Columns side by side, the highest as high as the picture. `label` says what they are.
fn columns(label: &str, class: &str, values: &[f64]) -> Markup {
    let highest = values.iter().copied().fold(0.0, f64::max);
    let step = 1000.0 / as_number(values.len().max(1));
    html! {
        svg class="columns" viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (at, value) in values.iter().enumerate() {
                @let height = if highest > 0.0 { value / highest * 98.0 } else { 0.0 };
                rect class=(class) x=(tenths(step * (as_number(at) + 0.1))) width=(tenths(step * 0.8)) y=(tenths(100.0 - height.max(1.0))) height=(tenths(height.max(1.0))) {}
            }
        }
    }
}

/// A line of what was earned, small enough to stand in a row.
fn spark(history: &[AlphaRao]) -> Markup {
    /// Height and step of the line, in the picture's own units.
    const HEIGHT: u64 = 14;
    const STEP: u64 = 4;
    let highest = history.iter().map(|earned| earned.0).max().unwrap_or(0).max(1);
    let height = |earned: &AlphaRao| HEIGHT - earned.0.saturating_mul(HEIGHT) / highest.max(1);
    let mut path = String::new();
    let mut last = 0;
    for (at, earned) in history.iter().enumerate() {
        let y = height(earned);
        if at == 0 {
            path = format!("M0 {y}");
        } else if y == last {
            path.push_str(&format!("h{STEP}"));
        } else {
            path.push_str(&format!("l{STEP} {}", y.cast_signed() - last.cast_signed()));
        }
        last = y;
    }
    html! { svg class="spark" viewBox="0 -1 60 16" aria-hidden="true" { path d=(path) {} } }
}

/// A count with its thousands apart.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A part of a score: whole where it is whole.
fn number(value: f64) -> String {
    let is_count = (0.0..9e15).contains(&value) && (value - value.trunc()).abs() < 1e-9;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count below 2^53")]
    if is_count { grouped(value as u64) } else { format!("{value:.3}") }
}

/// An amount with three digits behind the point, as people say it; the API has every digit.
fn alpha(amount: AlphaRao) -> String {
    let thousandths = amount.0 / (RAO_PER_TAO / 1000);
    format!("{}.{:03} α", grouped(thousandths / 1000), thousandths % 1000)
}

/// A share in percent.
fn percent(share: Unit) -> String {
    format!("{:.2} %", share.get() * 100.0)
}

/// A 16-bit share in percent.
fn percent_of(share: u16) -> String {
    percent(Unit::ratio(u64::from(share), u64::from(u16::MAX)))
}

/// A score as tables show it.
fn score(score: Option<Unit>) -> Markup {
    html! { @match score { Some(score) => (format!("{:.4}", score.get())), None => span class="dim" { "–" } } }
}

/// Bytes in the largest unit that leaves a whole number in front.
fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", as_number_u64(count) / as_number_u64(*size)),
        None => format!("{count} bytes"),
    }
}

/// A coordinate with one digit behind the point: no eye sees more.
fn tenths(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[expect(clippy::cast_precision_loss, reason = "places in a list that is shown")]
fn as_number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "a picture, or a number with one digit behind the point")]
fn as_number_u64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_people_write_them() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
        assert_eq!(alpha(AlphaRao(2_087_654_321)), "2.087 α");
        assert_eq!(alpha(AlphaRao::from_whole(1_234)), "1,234.000 α");
        assert_eq!(percent_of(u16::MAX), "100.00 %");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(number(56_066.0), "56,066");
        assert_eq!(number(0.5), "0.500");
    }

    #[test]
    fn a_history_is_one_small_path() {
        let drawn = spark(&[AlphaRao(0), AlphaRao(7), AlphaRao(7), AlphaRao(14)]).into_string();
        assert!(drawn.contains("M0 14l4 -7h4l4 -7"), "{drawn}");
    }
}
