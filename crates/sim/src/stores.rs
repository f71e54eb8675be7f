//! Where parties keep what must survive them.

use std::sync::Arc;

use primitives::Hotkey;
use store::{Memory, Store, artifacts::Artifacts};

/// What one party keeps.
#[derive(Clone)]
pub struct Keeping {
    /// Its events, leases and scores.
    pub store: Arc<dyn Store>,
    /// Its artifacts.
    pub artifacts: Arc<dyn Artifacts>,
}

/// Gives each party its keeping, which outlives the party's crashes.
pub trait Stores {
    /// The keeping of the party with this key.
    ///
    /// # Errors
    /// A text that says why there is none.
    fn open(&self, party: &Hotkey) -> Result<Keeping, String>;
}

/// Everything in memory: for simulations that leave nothing behind.
pub struct InMemory;

impl Stores for InMemory {
    fn open(&self, _party: &Hotkey) -> Result<Keeping, String> {
        Ok(Keeping { store: Arc::new(Memory::new()), artifacts: Arc::new(store::artifacts::InMemory::new()) })
    }
}
