//! The leaderboard: a row per neuron, found, ordered and paged by what a query says.
//!
//! A [`Query`] is read from an address and written back into one: the addresses are the permalinks, of the page as of
//! the API. Everything here is a function of the house and the query.

use std::{cmp::Ordering, collections::BTreeMap};

use primitives::{AlphaRao, BlockNumber, Hotkey, Uid, Unit};
use thiserror::Error;

use crate::{
    house::{House, Neuron, part},
    record::Role,
};

/// Epochs in a row's history of earnings.
pub const HISTORY_EPOCHS: usize = 16;

/// Rows that one answer holds at most.
pub const ROWS_MAX: usize = 1_000;

/// Rows that an answer holds where nothing is said: a whole subnet.
pub const ROWS_DEFAULT: usize = 256;

/// Characters that are searched for at most; a key has 48.
const SEARCH_MAX_CHARS: usize = 64;

/// Bytes of an address's query that are read.
const QUERY_MAX_BYTES: usize = 2_048;

/// The part of a score that the leaderboard shows beside it.
pub const HEADLINE_PART: &str = "verified_tokens";

/// One neuron's standing.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its place among the miners by score; none for those who are not scored.
    pub rank: Option<u64>,
    /// Its slot.
    pub uid: Uid,
    /// Its key.
    pub hotkey: Hotkey,
    /// What it calls itself.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// The strategy that the house gave it.
    pub strategy: Option<String>,
    /// Whether that one deserves to be paid.
    pub honest: Option<bool>,
    /// Its score of the newest judged round.
    pub score: Option<Unit>,
    /// Tokens that were verified in it.
    pub verified_tokens: Option<f64>,
    /// Its share of the miners' reward of the newest epoch, of 65535.
    pub incentive: u16,
    /// What it earned in the newest epoch.
    pub earned: AlphaRao,
    /// That as a share of what the epoch paid to all neurons.
    pub share: Unit,
    /// What it earned in each of the newest epochs, oldest first.
    pub history: Vec<AlphaRao>,
    /// Whether it can't lose its slot yet.
    pub immune: bool,
    /// Since which block it holds its slot.
    pub registered_at: BlockNumber,
    /// Why its score is what it is.
    pub reason: String,
}

/// By what rows are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By score, then earnings, then slot.
    #[default]
    Rank,
    /// By slot.
    Uid,
    /// By name.
    Name,
    /// By strategy.
    Strategy,
    /// By score.
    Score,
    /// By verified tokens.
    Tokens,
    /// By incentive.
    Incentive,
    /// By earnings.
    Earned,
}

impl Sort {
    /// All of them, with their names in addresses.
    pub const ALL: [(Sort, &str); 8] = [
        (Sort::Rank, "rank"),
        (Sort::Uid, "uid"),
        (Sort::Name, "name"),
        (Sort::Strategy, "strategy"),
        (Sort::Score, "score"),
        (Sort::Tokens, "tokens"),
        (Sort::Incentive, "incentive"),
        (Sort::Earned, "earned"),
    ];

    /// Its name in addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(sort, _)| *sort == self).map_or("rank", |(_, name)| name)
    }

    /// Whether the largest come first where nothing is said.
    #[must_use]
    pub fn starts_descending(self) -> bool {
        matches!(self, Sort::Score | Sort::Tokens | Sort::Incentive | Sort::Earned)
    }
}

/// What is asked of the leaderboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// By what rows are ordered.
    pub sort: Sort,
    /// Whether the largest come first.
    pub descending: bool,
    /// What a row's name, key, uid, strategy or reason must contain.
    pub text: String,
    /// Whose rows; none for all.
    pub role: Option<Role>,
    /// Only those set up as honest, or only the attackers.
    pub honest: Option<bool>,
    /// Most rows; a whole subnet's where nothing is said.
    pub limit: Option<usize>,
    /// The last row of the page before.
    pub cursor: Option<Hotkey>,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            sort: Sort::Rank,
            descending: false,
            text: String::new(),
            role: Some(Role::Miner),
            honest: None,
            limit: None,
            cursor: None,
        }
    }
}

/// A query can't be answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// A parameter has a value that means nothing.
    #[error("parameter {name} is {found:?}, expected {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What was given, cut.
        found: String,
        /// What would be accepted.
        expected: String,
    },
    /// The query is longer than any that this house writes.
    #[error("query has {found} bytes, expected at most {QUERY_MAX_BYTES}")]
    TooLong {
        /// Its length.
        found: usize,
    },
    /// The row after which the page should begin is not among the rows.
    #[error("cursor names a row that is not here any more: begin again without it")]
    Gone,
}

impl Query {
    /// Reads an address's query. Parameters that it does not know are none of its business.
    ///
    /// # Errors
    /// [`QueryError`] for a value that means nothing.
    pub fn read(raw: &str) -> Result<Self, QueryError> {
        if raw.len() > QUERY_MAX_BYTES {
            return Err(QueryError::TooLong { found: raw.len() });
        }
        let mut query = Query::default();
        let mut direction = None;
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            match &*name {
                "sort" => query.sort = one_of("sort", value, &Sort::ALL)?,
                "dir" => direction = Some(one_of("dir", value, &[(false, "asc"), (true, "desc")])?),
                "q" => query.text = value.chars().take(SEARCH_MAX_CHARS).collect(),
                "role" => query.role = one_of("role", value, &ROLES)?,
                "honest" => query.honest = one_of("honest", value, &HONEST)?,
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=ROWS_MAX).contains(limit));
                    let expected = || format!("a number from 1 to {ROWS_MAX}");
                    query.limit = Some(limit.ok_or_else(|| bad("limit", value, expected()))?);
                }
                "cursor" => {
                    let cursor = value.parse().ok();
                    query.cursor = Some(
                        cursor
                            .ok_or_else(|| bad("cursor", value, "a hotkey from an earlier answer".into()))?,
                    );
                }
                _ => {}
            }
        }
        query.descending = direction.unwrap_or(query.sort.starts_descending());
        Ok(query)
    }

    /// The query as it stands in an address: what it leaves out is as usual.
    #[must_use]
    pub fn address(&self) -> String {
        let usual = Query::default();
        let mut out = form_urlencoded::Serializer::new(String::new());
        if self.sort != usual.sort {
            out.append_pair("sort", self.sort.name());
        }
        if self.descending != self.sort.starts_descending() {
            out.append_pair("dir", if self.descending { "desc" } else { "asc" });
        }
        if !self.text.is_empty() {
            out.append_pair("q", &self.text);
        }
        if self.role != usual.role {
            out.append_pair("role", named(self.role, &ROLES));
        }
        if self.honest.is_some() {
            out.append_pair("honest", named(self.honest, &HONEST));
        }
        if let Some(limit) = self.limit {
            out.append_pair("limit", &limit.to_string());
        }
        if let Some(cursor) = self.cursor {
            out.append_pair("cursor", &cursor.to_string());
        }
        out.finish()
    }

    /// The query that a click on a heading asks for: that order, or the other way round where it is the present one.
    #[must_use]
    pub fn sorted_by(&self, sort: Sort) -> Self {
        let descending = if self.sort == sort { !self.descending } else { sort.starts_descending() };
        Self { sort, descending, cursor: None, ..self.clone() }
    }
}

/// The roles with their names in addresses.
pub const ROLES: [(Option<Role>, &str); 4] = [
    (Some(Role::Miner), "miner"),
    (Some(Role::Validator), "validator"),
    (Some(Role::Owner), "owner"),
    (None, "all"),
];

/// What `honest` may be in addresses.
pub const HONEST: [(Option<bool>, &str); 3] = [(None, "any"), (Some(true), "yes"), (Some(false), "no")];

/// The rows that a query finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// One page of them.
    pub rows: Vec<Row>,
    /// How many there are on all pages.
    pub total: usize,
    /// The cursor of the next page.
    pub next: Option<Hotkey>,
}

/// The page of rows that `query` asks for.
///
/// # Errors
/// [`QueryError::Gone`] where its cursor is not among the rows.
pub fn find(house: &House, query: &Query) -> Result<Found, QueryError> {
    let mut rows = rows(house);
    let text = query.text.to_lowercase();
    rows.retain(|row| {
        query.role.is_none_or(|role| row.role == role)
            && query.honest.is_none_or(|honest| row.honest == Some(honest))
            && (text.is_empty() || row.mentions(&text))
    });
    rows.sort_by(|a, b| query.order(a, b));
    let total = rows.len();
    let from = match query.cursor {
        None => 0,
        Some(cursor) => {
            let at = rows.iter().position(|row| row.hotkey == cursor);
            at.ok_or(QueryError::Gone)? + 1
        }
    };
    let rows: Vec<Row> = rows.into_iter().skip(from).take(query.limit.unwrap_or(ROWS_DEFAULT)).collect();
    let next = rows.last().map(|row| row.hotkey).filter(|_| from + rows.len() < total);
    Ok(Found { rows, total, next })
}

/// Everyone's standing, by rank and then by slot.
#[must_use]
pub fn rows(house: &House) -> Vec<Row> {
    let judgements = house.last_judged().and_then(|(_, round)| house.spokesman(round)).map(|(_, all)| all);
    let last = house.last_epoch().map(|(_, epoch)| epoch);
    let lines: BTreeMap<Hotkey, _> =
        last.into_iter().flat_map(|epoch| &epoch.neurons).map(|line| (line.hotkey, line)).collect();
    let paid = lines.values().fold(0, |sum: u64, line| sum.saturating_add(line.earned.0));
    let mut histories = histories(house);
    let mut rows: Vec<Row> = house
        .present()
        .map(|neuron| {
            let Neuron { uid, hotkey, name, role, cast, registered_at, .. } = neuron;
            let judgement = judgements.and_then(|all| all.get(hotkey)).filter(|_| *role == Role::Miner);
            let line = lines.get(hotkey);
            let earned = line.map_or(AlphaRao::ZERO, |line| line.earned);
            Row {
                rank: None,
                uid: *uid,
                hotkey: *hotkey,
                name: name.clone(),
                role: *role,
                strategy: cast.as_ref().map(|cast| cast.strategy.clone()),
                honest: cast.as_ref().map(|cast| cast.honest),
                score: judgement.and_then(|judgement| judgement.score),
                verified_tokens: judgement.and_then(|judgement| part(judgement, HEADLINE_PART)),
                incentive: line.map_or(0, |line| line.incentive),
                earned,
                share: Unit::ratio(earned.0, paid),
                history: histories.remove(hotkey).unwrap_or_default(),
                immune: line.is_some_and(|line| line.immune),
                registered_at: *registered_at,
                reason: judgement.map(|judgement| judgement.reason.clone()).unwrap_or_default(),
            }
        })
        .collect();
    rows.sort_by(|a, b| {
        let miners_first = (a.role != Role::Miner).cmp(&(b.role != Role::Miner));
        let best_first = b.score.cmp(&a.score).then(b.earned.cmp(&a.earned));
        miners_first.then(best_first).then(a.uid.cmp(&b.uid))
    });
    for (rank, row) in (1..).zip(&mut rows) {
        row.rank = (row.role == Role::Miner).then_some(rank);
    }
    rows
}

/// What each key earned in the newest closed epochs, oldest first; nothing where it was not there.
fn histories(house: &House) -> BTreeMap<Hotkey, Vec<AlphaRao>> {
    let closed: Vec<_> = house.epochs.values().filter(|epoch| epoch.block.is_some()).collect();
    let newest = &closed[closed.len().saturating_sub(HISTORY_EPOCHS)..];
    let mut histories: BTreeMap<Hotkey, Vec<AlphaRao>> = BTreeMap::new();
    for (at, epoch) in newest.iter().enumerate() {
        for line in &epoch.neurons {
            let history = histories.entry(line.hotkey).or_insert_with(|| vec![AlphaRao::ZERO; newest.len()]);
            history[at] = line.earned;
        }
    }
    histories
}

impl Row {
    /// Whether the row says `text` somewhere; `text` is in lower case.
    fn mentions(&self, text: &str) -> bool {
        let says = |own: &str| own.to_lowercase().contains(text);
        says(&self.name)
            || says(&self.hotkey.to_string())
            || self.uid.to_string() == text
            || self.strategy.as_deref().is_some_and(says)
            || says(&self.reason)
    }
}

impl Query {
    /// Equal rows stand in the order of their slots, whichever way round.
    fn order(&self, a: &Row, b: &Row) -> Ordering {
        // Who has no rank, name or score comes last, whichever way round.
        let rank = |row: &Row| row.rank.unwrap_or(u64::MAX);
        let order = match self.sort {
            Sort::Rank => rank(a).cmp(&rank(b)),
            Sort::Uid => a.uid.cmp(&b.uid),
            Sort::Name => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
            Sort::Strategy => a.strategy.cmp(&b.strategy),
            Sort::Score => a.score.cmp(&b.score),
            Sort::Tokens => a.verified_tokens.unwrap_or(-1.0).total_cmp(&b.verified_tokens.unwrap_or(-1.0)),
            Sort::Incentive => a.incentive.cmp(&b.incentive),
            Sort::Earned => a.earned.cmp(&b.earned),
        };
        let order = if self.descending { order.reverse() } else { order };
        order.then_with(|| a.uid.cmp(&b.uid))
    }
}

fn one_of<T: Copy>(name: &'static str, value: &str, known: &[(T, &str)]) -> Result<T, QueryError> {
    let found = known.iter().find(|(_, known)| *known == value).map(|(one, _)| *one);
    found.ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
        bad(name, value, names.join(", "))
    })
}

fn bad(name: &'static str, value: &str, expected: String) -> QueryError {
    QueryError::Value { name, found: value.chars().take(SEARCH_MAX_CHARS).collect(), expected }
}

fn named<'a, T: PartialEq>(one: T, known: &'a [(T, &str)]) -> &'a str {
    known.iter().find(|(known, _)| *known == one).map_or("", |(_, name)| name)
}
