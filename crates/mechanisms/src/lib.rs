//! The catalogue of mechanisms: how work becomes scores and scores become weights.
//!
//! A [`Mechanism`] is a typed, pure description of one kind of work: what is asked for, which bytes an
//! examination needs, what it finds, what that is worth. [`ErasedMechanism`] is the same over bytes, so that
//! [`catalogue`] can be a list. [`Aggregation`] turns judgements of many rounds into one score per hotkey,
//! [`Payout`] turns scores into shares, and [`Lane`]s mix the shares of several mechanisms into one weight
//! vector. A [`Strategy`] is how a miner behaves, honest or not.
//!
//! Mechanisms know neither HTTP nor chain, read no clock and draw no randomness but from the seeds they are
//! given. Start with [`Mechanism`], then read [`dataset`].

mod aggregation;
mod case;
pub mod dataset;
mod erased;
mod mechanism;
mod payout;
mod strategy;
mod weights;
mod words;

pub use aggregation::{Aggregation, Standing, Standings, Unqueried};
pub use case::{
    Case, CaseResult, Certificate, Committed, ExaminedCase, Fault, Fetch, Finding, Index, Inputs, Judgement,
    LACKING_MAX_CHARS, Outcome, Round, RoundMiner, Truth, Verdict,
};
pub use erased::{ErasedCase, ErasedMechanism, ErasedTask, MechanismError, examine_with};
pub use mechanism::{Limits, Mechanism, Shape};
pub use payout::Payout;
pub use strategy::{Strategy, Work};
pub use weights::{EmptyLane, Lane, LaneShares, mix, to_weights};
pub use words::Chapter;

/// All mechanisms, by their ids in alphabetical order. Adding one is its folder and a line here.
#[must_use]
pub fn catalogue() -> &'static [&'static dyn ErasedMechanism] {
    &[&dataset::Dataset]
}

/// The mechanism with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static dyn ErasedMechanism> {
    catalogue().iter().copied().find(|mechanism| mechanism.id() == id)
}
