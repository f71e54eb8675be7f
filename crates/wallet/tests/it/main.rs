//! Tests of the crate `wallet`.
#![expect(clippy::disallowed_methods, reason = "tests write files and read the environment")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests too")]

mod bittensor;
mod files;
mod keys;
mod mutations;
