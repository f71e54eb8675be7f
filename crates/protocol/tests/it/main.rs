//! Signing and verification from the outside: what is refused, what passes, and what no mutation gets through.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests read their switches and may panic")]

mod btauth;
mod keys;
mod synapse;
