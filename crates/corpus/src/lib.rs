//! From sources to shards with a record of every decision.
//!
//! A [`Source`] names its files in a [`Manifest`]; a [`TaskSlice`] is a run of its entries; [`Shard::build`] makes
//! documents of them and writes down, for every entry, whether it was kept and why not. [`verify`] recomputes any
//! row of it from the entry's bytes. Only [`source`] touches files: everything else is a function of bytes, so that
//! a miner and a validator get the same bits. Start with [`document`] and [`shard`].

mod decision;
pub mod document;
mod filter;
mod ledger;
pub mod manifest;
mod markdown;
pub mod shard;
pub mod source;
pub mod tokens;
pub mod verify;

pub use decision::{Decision, Gopher, Reason, ReasonError};
pub use document::{Document, RECIPE, Recipe};
pub use ledger::{Ledger, LedgerRow, TilingError};
pub use manifest::{Entry, Manifest, ManifestError, Span, TaskSlice};
pub use shard::{DocumentRow, Header, Limits, Shard, ShardError};
pub use source::{Folder, FolderLimits, Memory, Source, SourceError};
pub use verify::{Fault, RowError};
