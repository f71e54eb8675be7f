//! The neurons of a world, with what outlives them.

use std::sync::Arc;

use mechanisms::Strategy;
use neuron::{Identity, Miner, Validator};
use primitives::{Coldkey, Seed};
use worker::queue::Taken;

use crate::stores::Keeping;

/// A neuron of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// By its place among the validators.
    Validator(usize),
    /// By its place among the miners.
    Miner(usize),
}

/// A validator with its worker.
pub(crate) struct ValidatorParty {
    pub(crate) identity: Identity,
    pub(crate) keeping: Keeping,
    pub(crate) secret: Seed,
    /// None while it is down.
    pub(crate) machine: Option<Validator>,
    pub(crate) incarnation: u32,
    /// The examination under way; a stalled worker's is no longer here.
    pub(crate) examining: Option<Taken>,
}

/// A miner.
pub(crate) struct MinerParty {
    pub(crate) identity: Identity,
    pub(crate) coldkey: Coldkey,
    pub(crate) keeping: Keeping,
    pub(crate) strategy: Arc<dyn Strategy>,
    pub(crate) seed: Seed,
    pub(crate) joins_in_epoch: u64,
    pub(crate) is_registered: bool,
    /// None while it is down, and before it has joined.
    pub(crate) machine: Option<Miner>,
    pub(crate) incarnation: u32,
}
