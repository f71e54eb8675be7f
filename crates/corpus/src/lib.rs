//! From sources to shards with a record of every decision.
//!
//! A [`Source`] cuts what it has into tasks, each an [`Extent`]: a run of files, or of a web archive's records.
//! [`Shard::build`] makes documents of one and writes down, for every record, whether it was kept and why not.
//! [`verify`] recomputes any row of it from the record's bytes. Across shards, [`dedup`] tells which document came first.
//! Only [`source`] and the index of [`dedup`] touch files: everything else is a function of bytes, so that a miner and a
//! validator get the same bits. Start with [`document`] and [`shard`].

mod alignment;
pub mod archive;
pub mod blocklist;
mod container;
mod decision;
pub mod dedup;
pub mod document;
mod exclusion;
mod extent;
pub mod extract;
pub mod filter;
mod grams;
pub mod html;
pub mod hub;
pub mod images;
pub mod language;
mod layout;
mod ledger;
pub mod manifest;
mod markdown;
pub mod minhash;
mod numbering;
pub mod optout;
pub mod page;
pub mod pii;
pub mod reading;
pub mod repository;
mod series;
pub mod shard;
pub mod source;
mod table;
pub mod token_shard;
pub mod tokens;
pub mod verify;
mod words;

pub use alignment::Alignment;
pub use archive::RecordKind;
pub use blocklist::{Blocklist, BlocklistError};
pub use decision::{C4, Decision, FineWeb, Gopher, Reason, ReasonError, Repetition};
pub use document::{Document, Extractor, Pii, RECIPE, Recipe, Rules};
pub use exclusion::{Exclusion, ExclusionError, Hit};
pub use extent::{ArchiveRange, Cut, Extent};
pub use filter::{Filters, Signals, Verdict};
pub use language::Language;
pub use layout::{Fields, Layout};
pub use ledger::{Ledger, LedgerRow, TilingError};
pub use manifest::{Entry, Manifest, ManifestError, Span, TaskSlice};
pub use optout::OptOut;
pub use page::{Form, Page};
pub use pii::Redacted;
pub use shard::{DocumentRow, Header, Limits, Shard, ShardError};
pub use source::{Archives, Folder, FolderLimits, Memory, MemoryArchive, Source, SourceError, Supplied};
pub use verify::{Fault, Recipes, RowError};
