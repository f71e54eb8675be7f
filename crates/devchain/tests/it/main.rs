//! The chain's rules seen from outside: calls and blocks in, outcomes, events and views out.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as the tests do")]

mod books;
mod dissolution;
mod emission;
mod epochs;
mod key_swaps;
mod lifecycle;
mod log;
mod names;
mod node;
mod null_consensus;
mod properties;
mod registration;
mod root;
mod rpc;
mod rules;
mod stake_moves;
mod timelocked;
mod world;
