//! A local chain: the rules of runtime spec 425 as a pure state machine, with a durable log at its edge.
//!
//! [`State`] is one persistent map; [`State::block`] makes the next block from a time and extrinsics, and nothing
//! else: no clock, no files, no randomness. [`storage::items`] is the table of everything that is stored. The rules
//! stand in one module per idea, as methods of the state being made. [`log`] writes blocks before they are seen
//! and reads them back; [`spawn`] starts the thread that makes blocks, and the only place that reads a clock;
//! [`rpc`] serves it to clients of the real chain.
//!
//! Differences from the real chain, all deliberate: fees are paid in TAO alone; an account that is emptied keeps its nonce;
//! a dissolved subnet is gone at once. Not there at all: weights on root, locks and leases. A beacon of the chain's own stands beside quicknet. Start with [`Genesis`] and [`State`].

#![expect(
    clippy::cast_possible_truncation,
    reason = "the SCALE derive casts an enum's index, which is below 256"
)]

mod archive;
mod audit;
mod balances;
mod block;
mod children;
mod coinbase;
mod coldkey_swap;
mod commit_reveal;
mod commitments;
mod digest;
mod dispatch;
mod dissolution;
mod epoch;
mod event;
mod extrinsic;
mod fees;
mod genesis;
mod hotkey_swap;
mod hyperparameters;
mod identity;
mod ledger;
pub mod log;
mod network;
mod node;
mod null_consensus;
mod payment;
mod pool;
mod queue;
mod registration;
mod root;
pub mod rpc;
mod serving;
mod share_pool;
mod signing;
mod stake;
mod stake_moves;
mod state;
pub mod storage;
mod symbols;
mod timelocked;
mod trimming;
mod view;
mod weights;
mod wire;

pub use audit::{Audit, AuditError, SubnetAudit};
pub use event::{Event, NeuronEmission, RevealFailure};
pub use extrinsic::{Extrinsic, Sent, Unsound};
pub use genesis::{Genesis, GenesisError, GenesisNeuron, GenesisSubnet, Rules, Settings};
pub use node::{Config, Handle, Made, NodeError, Order, Pace, spawn};
pub use share_pool::SafeFloat;
pub use signing::Signing;
pub use state::{Block, State};
pub use wire::runtime::CallError;
