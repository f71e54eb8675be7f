//! `chainHead_v1_*`: following the chain with pinned blocks.

use super::api::{Registered, Table};

/// All followers.
#[derive(Debug, Default)]
pub(super) struct Follows;

pub(super) fn register(_table: &mut Table) -> Registered {
    Ok(())
}
