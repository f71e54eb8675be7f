//! Consensus against recorded results, against a second implementation, and against its own algebra.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod dense;
mod input;
mod properties;
mod random;
mod recorded;
