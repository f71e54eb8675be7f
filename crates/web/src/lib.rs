//! Pages, client API and live events of a house: folds of its public record.
//!
//! Whoever runs a house appends [`record::Record`]s to the log [`record::LOG`] of a store. A task follows that log and
//! folds it into a [`House`]; every page, every answer of the API and every number for Prometheus is a function of that
//! house and of [`record::Live`]. Nothing here decides anything, asks a neuron or the chain, or writes: that is whoever runs
//! the house. What strangers wrote is made fit to be shown on its way into the fold (`quoted`), and escaped on its way into
//! a page.
//!
//! Start with [`record`], then [`House`]; [`Config`] and [`serve()`] are what a program needs.

mod answer;
mod api;
mod events;
mod evidence;
mod follow;
pub mod house;
mod metrics;
mod openapi;
mod page;
mod quoted;
pub mod record;
mod serve;
mod site;
pub mod standing;

pub use answer::CONTENT_SECURITY_POLICY;
pub use events::STREAMS_MAX;
pub use evidence::BIG_ANSWERS_MAX;
pub use house::House;
pub use serve::serve;
pub use site::{Config, Step, router};
