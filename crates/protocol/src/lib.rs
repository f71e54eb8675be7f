//! What goes over the wire between neurons and clients: signed headers, their verification, the replay window.
//!
//! No sockets, no clock, no randomness: moments are handed in as [`UnixNanos`], keys as a [`Signer`]. Bytes are
//! moved by `neuron::axon` and `neuron::dendrite`.
//!
//! Start with [`btauth`], the protocol of today's SDK; [`synapse`] is the older one, for peers that still speak it.
//! Both refuse a request that was seen before through one [`Replay`] store.

pub mod btauth;
mod header;
mod nonce;
mod problem;
mod replay;
mod scheme;
pub mod synapse;

pub use nonce::{NonceSource, UnixNanos, Window, WindowError};
pub use problem::Problem;
pub use replay::{Replay, ReplayError};
pub use scheme::{SIGNATURE_BYTES, Scheme, Signature, Signer, verify};
