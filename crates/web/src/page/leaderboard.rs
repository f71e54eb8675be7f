//! The leaderboard's page, and its table, which the overview shows too.

use maud::{Markup, html};
use mechanisms::dataset;

use super::{Page, alpha, key, number, percent, percent_of, score, scrolling, spark};
use crate::{
    house::House,
    quoted::isolated,
    standing::{Found, HONEST, Query, ROLES, Row, Sort},
};

/// How many of a table's columns are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    Few,
    All,
}

pub(crate) fn leaderboard(house: &House, query: &Query, found: &Found) -> Page {
    let round = house.last_judged().map(|(number, _)| number);
    let body = html! {
        div class="lead" {
            h1 { "Leaderboard" }
            p class="say" { (what_a_score_is(house)) }
            p class="dim" data-live="asof" {
                @match round {
                    Some(round) => { "Scores of round " (round) ". " }
                    None => { "No round has been judged yet. " }
                }
                @if let Some((epoch, _)) = house.last_epoch() { "Pay of " a href={ "/epochs/" (epoch) } { "epoch " (epoch) } ". " }
                (found.total) @if found.total == 1 { " row." } @else { " rows." }
            }
        }
        (filters(query))
        (scrolling("Leaderboard", &table(&found.rows, Some(query), Columns::All)))
        @if found.total == 0 { p class="dim" { "Nobody fits. " a href="/leaderboard" data-soft { "Show all miners" } } }
        p class="more" {
            @if let Some(next) = found.next {
                @let query = Query { cursor: Some(next), ..query.clone() };
                a href=(address(&query)) data-soft { "Next page" } " · "
            }
            @let same = Query { cursor: None, ..query.clone() }.address();
            a href={ "/leaderboard.csv" @if !same.is_empty() { "?" (same) } } { "CSV" } " · "
            a href={ "/api/v1/leaderboard" @if !same.is_empty() { "?" (same) } } { "JSON" }
        }
        p class="dim hint" id="held" hidden { "The order has changed; rows move when the pointer and the focus have left the table." }
    };
    Page { title: "Leaderboard".to_owned(), body }
}

/// What a score is, in one sentence.
fn what_a_score_is(house: &House) -> &'static str {
    match house.sign.as_ref().map(|sign| sign.mechanism.as_str()) {
        Some(dataset::ID) => {
            "A score is the miner's share of all worth that was verified in the round: tokens of documents that it was \
             the first to commit to, times what each is worth."
        }
        _ => "A score is what the mechanism says that a miner's work of the round is worth, from 0 to 1.",
    }
}

fn address(query: &Query) -> String {
    match query.address().as_str() {
        "" => "/leaderboard".to_owned(),
        text => format!("/leaderboard?{text}"),
    }
}

fn filters(query: &Query) -> Markup {
    let role_title = |name: &str| match name {
        "miner" => "Miners",
        "validator" => "Validators",
        "owner" => "Owner",
        _ => "Everyone",
    };
    let honest_title = |name: &str| match name {
        "yes" => "Honest ones",
        "no" => "Attackers",
        _ => "Honest or not",
    };
    html! {
        form class="filters" action="/leaderboard" method="get" role="search" data-soft {
            @if query.sort != Sort::Rank { input type="hidden" name="sort" value=(query.sort.name()); }
            @if query.descending != query.sort.starts_descending() {
                input type="hidden" name="dir" value=(if query.descending { "desc" } else { "asc" });
            }
            label { span { "Find" } input type="search" name="q" value=(query.text) maxlength="64" placeholder="name, key, uid, reason" id="q"; }
            label { span { "Who" } select name="role" id="role" {
                @for (role, name) in ROLES { option value=(name) selected[query.role == role] { (role_title(name)) } }
            } }
            label { span { "Cast" } select name="honest" id="honest" {
                @for (honest, name) in HONEST { option value=(name) selected[query.honest == honest] { (honest_title(name)) } }
            } }
            button type="submit" { "Show" }
        }
    }
}

pub(super) fn table(rows: &[Row], query: Option<&Query>, columns: Columns) -> Markup {
    let all = columns == Columns::All;
    html! {
        table class="board" {
            thead {
                tr {
                    (heading(query, Sort::Rank, "Rank", "num"))
                    (heading(query, Sort::Name, "Miner", ""))
                    (heading(query, Sort::Score, "Score", "num"))
                    (heading(query, Sort::Tokens, "Tokens", "num"))
                    @if all { (heading(query, Sort::Incentive, "Incentive", "num")) }
                    (heading(query, Sort::Earned, "Earned", "num"))
                    @if all { th scope="col" class="num" { "Share" } th scope="col" { "Last epochs" } }
                    (heading(query, Sort::Strategy, "Strategy", ""))
                    @if all { (heading(query, Sort::Uid, "Uid", "num")) th scope="col" { "Why" } }
                }
            }
            tbody data-rows="board" {
                @for row in rows { (line(row, all)) }
            }
        }
    }
}

fn heading(query: Option<&Query>, sort: Sort, title: &str, class: &str) -> Markup {
    let Some(query) = query else {
        return html! { th scope="col" class=[(!class.is_empty()).then_some(class)] { (title) } };
    };
    let order = match (query.sort == sort, query.descending) {
        (false, _) => None,
        (true, true) => Some("descending"),
        (true, false) => Some("ascending"),
    };
    html! {
        th scope="col" class=[(!class.is_empty()).then_some(class)] aria-sort=[order] {
            a href=(address(&query.sorted_by(sort))) id={ "by-" (sort.name()) } data-soft { (title) }
        }
    }
}

fn line(row: &Row, all: bool) -> Markup {
    html! {
        tr id={ "n" (row.uid) } {
            td class="num" { @if let Some(rank) = row.rank { (rank) } }
            th scope="row" {
                @if row.name.is_empty() {
                    a href={ "/miners/" (row.hotkey) } { (key(&row.hotkey)) }
                } @else {
                    a href={ "/miners/" (row.hotkey) } { (isolated(&row.name)) } " " (key(&row.hotkey))
                }
                @if row.immune { " " span class="tag" { "immune" } }
            }
            td class="num strong" { (score(row.score)) }
            td class="num" { @if let Some(tokens) = row.verified_tokens { (number(tokens)) } }
            @if all { td class="num" { (percent_of(row.incentive)) } }
            td class="num" { (alpha(row.earned)) }
            @if all { td class="num" { (percent(row.share)) } td { (spark(&row.history)) } }
            td { @if let Some(strategy) = &row.strategy { span class=[(row.honest == Some(false)).then_some("attack")] { (isolated(strategy)) } } }
            @if all { td class="num" { (row.uid) } td class="why" { (isolated(&row.reason)) } }
        }
    }
}
