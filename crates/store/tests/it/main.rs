//! The store's promises, kept by both of its keepers.
#![allow(clippy::unwrap_used, reason = "helpers of tests stop at the first surprise")]

mod agreement;
mod concurrency;
mod crash;
mod events;
mod files;
mod leases;
mod scores;

use primitives::Timestamp;
use store::{Durable, Json, Memory, NewEvent, NewJob, Store};

/// A store in a temporary file, which goes when the folder is dropped.
fn durable() -> (tempfile::TempDir, Durable) {
    let folder = tempfile::tempdir().unwrap();
    let store = Durable::open(&folder.path().join("store.db")).unwrap();
    (folder, store)
}

/// Runs one story against both keepers.
fn both(story: fn(&dyn Store)) {
    story(&Memory::new());
    let (_folder, store) = durable();
    story(&store);
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn event(kind: &str, body: &str) -> NewEvent {
    NewEvent::new(kind, json(body), Timestamp(1))
}

fn job(key: &str) -> NewJob {
    NewJob::new(key, json("{}"), Timestamp(0))
}
