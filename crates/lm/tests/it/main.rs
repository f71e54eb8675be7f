//! Tests of the crate from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod bpe;
mod embed;
mod golden;
mod gradient;
mod reference;
mod story;
mod torch;
