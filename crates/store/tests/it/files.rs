//! The file: what it remembers, and which files are refused.

use primitives::{DurationMs, Timestamp};
use sqlx::{Connection as _, SqliteConnection};
use store::{Durable, EventNumber, Memory, SCHEMA_VERSION, Store, StoreError};

use super::{durable, event, job, json};

fn execute(path: &std::path::Path, statement: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}", path.display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

#[test]
fn a_reopened_file_continues_where_it_was() {
    let (folder, store) = durable();
    store.append("log", &[event("a", "1").once("k")]).unwrap();
    store.enqueue("queue", job("a")).unwrap();
    let lease = store.lease("queue", "w", Timestamp(0), DurationMs(10)).unwrap().unwrap();
    drop(store);
    let store = Durable::open(&folder.path().join("store.db")).unwrap();
    assert_eq!(store.schema_version().unwrap(), SCHEMA_VERSION);
    assert!(!store.append("log", &[event("a", "1").once("k")]).unwrap()[0].fresh);
    assert_eq!(store.append("log", &[event("b", "2")]).unwrap()[0].number, EventNumber(2));
    assert_eq!(store.job("queue", "a").unwrap().unwrap().lease(), Some(lease.clone()));
    store.ack(&lease.claim, json("1"), Timestamp(9)).unwrap();
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let (folder, store) = durable();
    drop(store);
    let path = folder.path().join("store.db");
    execute(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'from the future', TRUE, x'00', 0)",
    );
    let error = Durable::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::TooNew { found: 99, known: SCHEMA_VERSION, .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("has schema version 99, this program knows up to 1: use the newer program")
    );
    execute(&path, "DELETE FROM _sqlx_migrations WHERE version = 99");
    Durable::open(&path).unwrap();
}

#[test]
fn a_file_that_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "buy milk\n".repeat(500)).unwrap();
    assert!(matches!(Durable::open(&path), Err(StoreError::Database { .. })));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("buy milk"));
    assert!(matches!(Durable::open(folder.path()), Err(StoreError::Database { .. })));
    // Inside of a runtime, too, where a second one must not be waited for.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refused = runtime.block_on(async { Durable::open(&path).map(|_| ()) });
    assert!(matches!(refused, Err(StoreError::Database { .. })));
}

#[test]
fn a_damaged_row_is_told_and_not_handed_out() {
    let (folder, store) = durable();
    store.append("log", &[event("a", "1")]).unwrap();
    store.enqueue("queue", job("a")).unwrap();
    let path = folder.path().join("store.db");
    execute(&path, "UPDATE events SET body = '{'");
    execute(&path, "UPDATE jobs SET lane = 256");
    let error = store.read("log", EventNumber::START, 9).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { what: "event body", .. }), "{error}");
    let error = store.job("queue", "a").unwrap_err();
    assert_eq!(error.to_string(), "stored lane is damaged: 256 is out of range");
}

#[test]
fn handles_that_open_a_new_file_at_once_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let store = Durable::open(&path).unwrap();
                store.append("log", &[event("opened", "0")]).unwrap();
            });
        }
    });
    assert_eq!(Durable::open(&path).unwrap().head("log").unwrap(), EventNumber(6));
}

#[test]
fn the_sync_front_works_inside_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (_folder, store) = durable();
        store.append("log", &[event("a", "1")]).unwrap();
        assert_eq!(store.clone().head("log").unwrap(), EventNumber(1));
    });
}

#[test]
fn a_fork_of_memory_goes_its_own_way_and_a_clone_does_not() {
    let store = Memory::new();
    store.append("log", &[event("a", "1")]).unwrap();
    let (clone, fork) = (store.clone(), store.fork());
    store.append("log", &[event("b", "2")]).unwrap();
    assert_eq!(clone.head("log").unwrap(), EventNumber(2));
    assert_eq!(fork.head("log").unwrap(), EventNumber(1));
}
