//! Tests of the crate from outside.

mod golden;
mod gradient;
mod reference;
mod story;
mod torch;
