//! Validator and miner as pure step machines: an event goes in, effects come out.
//!
//! [`Validator::step`] and [`Miner::step`] read no clock, touch no file and open no socket. Whoever drives them
//! (the simulator, or [`driver`] over HTTP) carries out their [`Effect`]s in order and feeds back what came of them as
//! [`Event`]s. What must survive a crash is written as facts through [`Effect::Commit`] before any effect behind
//! it happens, and a machine that is started again from its facts goes on where it was. [`worker`] takes the
//! validator's evaluation queue through leases, [`desk`] hands out a round's tasks to miners.
//!
//! Start with [`Event`] and [`Effect`], then [`Round timing`](rounds) and the validator's steps.

pub mod axon;
pub mod dendrite;
pub mod desk;
pub mod driver;
mod machine;
mod miner;
mod outbox;
pub mod rounds;
mod validator;
mod wire;
pub mod worker;

pub use machine::{AskId, Effect, Event, Identity, RequestId, StartError};
pub use miner::{Miner, MinerFact};
pub use outbox::{Intent, Outcome as SubmissionOutcome, Purpose};
pub use validator::{Validator, ValidatorFact, weights_key};
pub use wire::{
    Answer, Ask, AskFailure, LeasedTask, PARTS_MAX, PartLine, Peer, RoundCommitment, manifest_root,
};
