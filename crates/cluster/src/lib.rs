//! Duplicates across all shards, found by a plan of DataFusion's in this process or on a Ballista cluster.
//!
//! The answer is that of `corpus::dedup`, whose index one process keeps on its disk: the same documents, the same
//! first of each group. What differs is who works: all threads here, or all executors of a cluster. Start with `Keys`.
//!
//! Without features this crate is empty, which is why the names above are no links: what it stands on is heavy, and only
//! who wants it should build it. `docs/decisions/0018-the-cluster-is-asked-for.md` says more.

#[cfg(feature = "datafusion")]
mod keys;
#[cfg(feature = "datafusion")]
mod plan;

#[cfg(feature = "datafusion")]
pub use keys::{ClusterError, Keys};
#[cfg(feature = "datafusion")]
pub use plan::Engine;
