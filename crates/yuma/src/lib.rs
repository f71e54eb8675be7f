//! Yuma consensus, bit-exact with the chain, as pure functions of one epoch's state.
//!
//! [`epoch()`] turns what the chain stores about one mechanism of a subnet (stake, weights, bonds, blocks) into
//! what it stores after the epoch; [`mechanisms`] joins the epochs of a subnet's mechanisms; [`emission`] says
//! how much there is to distribute. The rules are those of runtime spec 425. Nothing here knows accounts,
//! storage or blocks other than as numbers: who holds which uid is the caller's business.
//! Start with [`EpochInput`].

pub mod emission;
mod epoch;
mod fixed;
pub mod mechanisms;

pub use epoch::{EpochError, EpochInput, EpochOutput, MAX_NEURONS, epoch};
