//! Following the log: the house is kept up with it, by a task that reads what is new.
//!
//! It reads when it is told that something was written, and every so often besides, since the writer may be another
//! process. Reading and folding run where blocking is allowed.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use store::{EventNumber, Store};
use tokio::{
    sync::{Notify, watch},
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use crate::{house::House, record};

/// How long a new event stays unseen at most where nobody tells of it.
const POLL: Duration = Duration::from_millis(200);

/// Events that are read at a time: with the longest bodies 64 MiB.
const PAGE_EVENTS: usize = 64;

/// A house and how far it is.
#[derive(Debug)]
pub(crate) struct Followed {
    house: RwLock<House>,
    /// The last event that is in the house, once it has caught up with the log for the first time.
    head: watch::Sender<Option<EventNumber>>,
    /// Whether the last reading failed.
    failing: watch::Sender<bool>,
}

/// The task that follows; it ends with this.
#[derive(Debug)]
pub(crate) struct Follower(JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Followed {
    /// A house that follows the log [`record::LOG`] of `store`, on the present tokio runtime.
    pub(crate) fn start(store: Arc<dyn Store>, written: Arc<Notify>) -> (Arc<Self>, Follower) {
        let followed = Arc::new(Self {
            house: RwLock::default(),
            head: watch::Sender::new(None),
            failing: watch::Sender::new(false),
        });
        let task = tokio::spawn(follow(Arc::clone(&followed), store, written));
        (followed, Follower(task))
    }

    /// The house as it is now; nothing is added to it while this is held.
    pub(crate) fn house(&self) -> RwLockReadGuard<'_, House> {
        self.house.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last event that is in the house; none before it has caught up for the first time.
    pub(crate) fn head(&self) -> watch::Receiver<Option<EventNumber>> {
        self.head.subscribe()
    }

    /// Whether the house has caught up with the log, and could do so when it last tried.
    pub(crate) fn is_ready(&self) -> bool {
        self.head.borrow().is_some() && !*self.failing.borrow()
    }

    /// Takes the next page of the log, and says whether there may be another.
    fn read_page(&self, store: &dyn Store) -> Result<bool, store::StoreError> {
        let events = store.read(record::LOG, self.house().seen, PAGE_EVENTS)?;
        let is_full = events.len() == PAGE_EVENTS;
        if !events.is_empty() {
            let mut house = self.house.write().unwrap_or_else(PoisonError::into_inner);
            events.iter().for_each(|event| house.apply(event));
        }
        if !is_full || self.head.borrow().is_some() {
            let seen = self.house().seen;
            self.head.send_if_modified(|head| head.replace(seen) != Some(seen));
        }
        Ok(is_full)
    }
}

async fn follow(followed: Arc<Followed>, store: Arc<dyn Store>, written: Arc<Notify>) {
    loop {
        let (reader, read) = (Arc::clone(&followed), Arc::clone(&store));
        let outcome = spawn_blocking(move || reader.read_page(&*read)).await;
        let failed = !matches!(outcome, Ok(Ok(_)));
        followed.failing.send_if_modified(|failing| std::mem::replace(failing, failed) != failed);
        if matches!(outcome, Ok(Ok(true))) {
            continue;
        }
        tokio::select! {
            () = written.notified() => {}
            () = sleep(POLL) => {}
        }
    }
}
