//! The nouns that every other crate speaks: identifiers, amounts, scores, digests, seeds, time.
//!
//! Each is a type of its own, so that a uid cannot stand where a netuid is meant and TAO cannot be added to
//! alpha. Nothing here reads a clock, a file or randomness; [`Timestamp`] and [`Seed`] are handed in.
//! Start with [`Hotkey`], [`Unit`] and [`Seed`].

mod account;
mod amount;
pub mod decimal;
mod digest;
mod ids;
pub mod math;
pub mod merkle;
mod seed;
mod time;
mod unit;

pub use account::{AccountError, AccountId, Coldkey, Hotkey, SS58_PREFIX};
pub use amount::{AlphaRao, AmountError, RAO_PER_TAO, Rao};
pub use digest::{Digest, DigestError};
pub use ids::{BlockNumber, MechId, NetUid, Uid};
pub use seed::{Seed, Stream};
pub use time::{DurationMs, Timestamp};
pub use unit::{Unit, UnitError};
