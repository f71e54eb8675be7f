//! Tests of the crate `chain`.
#![expect(clippy::disallowed_methods, reason = "the other program's Python is named by a variable")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests too")]

mod peers;
mod timelock;
