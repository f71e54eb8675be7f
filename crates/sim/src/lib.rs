//! A whole subnet from one seed: chain, desk, validators and miners, honest and not, on virtual time.
//!
//! A [`World`] carries out the effects of the neurons' step machines over a simulated network that delays, drops
//! and doubles, and lets any party crash between any two effects and come back from its store. Everything follows
//! from the [`Scenario`] and its seed: the same seed gives the same bits. At each block the [`invariants`] are
//! checked; a violation names the seed, which replays it. Start with [`Scenario`] and [`World::run`].

mod agenda;
mod effects;
pub mod invariants;
mod parties;
mod report;
mod scenario;
mod setup;
mod stores;
mod synthetic;
mod world;

pub use invariants::Violation;
pub use parties::Party;
pub use report::{
    EpochReport, MinerLine, MinerSummary, Summary, ValidatorSummary, share, value, verified_tokens,
};
pub use scenario::{Faults, MinerPlan, Scenario};
pub use setup::SetupError;
pub use stores::{InMemory, Keeping, Stores};
pub use synthetic::texts;
pub use world::{RunError, World};
