//! Duplicates by the plan, and by the index that it must agree with.

#[cfg(feature = "standalone")]
mod ballista;
mod embedded;
mod world;
