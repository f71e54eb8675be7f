//! HTML: from a page's text to a tree of its elements.
//!
//! The one road through HTML in this crate, in time and memory linear in the page's length. Start with [`Tree`];
//! what is read of it is decided in [`crate::extract`].

mod reference;
mod tag;
mod token;
mod tree;

pub use tag::{Attr, Tag};
pub use tree::{ATTRIBUTES_MAX, DEPTH_MAX, NODES_MAX, NodeId, ROOT, Tree};
