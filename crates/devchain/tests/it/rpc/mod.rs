//! The chain over JSON-RPC, as its clients use it.

mod client;
mod follow;
mod hostile;
mod mutated;
mod reading;
mod sending;
mod whole;
