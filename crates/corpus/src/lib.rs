//! From sources to shards with a record of every decision.
//!
//! A [`Source`] cuts what it has into tasks, each an [`Extent`]: a run of files, or of a web archive's records.
//! [`Shard::build`] makes documents of one and writes down, for every record, whether it was kept and why not.
//! [`verify`] recomputes any row of it from the record's bytes. Only [`source`] touch files: everything
//! else is a function of bytes, so that a miner and a validator get the same bits. Start with [`document`] and
//! [`shard`].

mod alignment;
pub mod archive;
mod container;
mod decision;
pub mod document;
mod exclusion;
mod extent;
pub mod extract;
mod filter;
mod grams;
pub mod html;
pub mod language;
mod layout;
mod ledger;
pub mod manifest;
mod markdown;
pub mod page;
pub mod reading;
pub mod shard;
pub mod source;
mod table;
pub mod tokens;
pub mod verify;

pub use alignment::Alignment;
pub use archive::RecordKind;
pub use decision::{Decision, Gopher, Reason, ReasonError};
pub use document::{Document, Extractor, RECIPE, Recipe, Rules};
pub use exclusion::{Exclusion, ExclusionError, Hit};
pub use extent::{ArchiveRange, Cut, Extent};
pub use language::Language;
pub use layout::{Fields, Layout};
pub use ledger::{Ledger, LedgerRow, TilingError};
pub use manifest::{Entry, Manifest, ManifestError, Span, TaskSlice};
pub use page::{Form, Page};
pub use shard::{DocumentRow, Header, Limits, Shard, ShardError};
pub use source::{Archives, Folder, FolderLimits, Memory, MemoryArchive, Source, SourceError, Supplied};
pub use verify::{Fault, Recipes, RowError};
