//! A validator's examiner: takes examinations from its queue, one after the other, on a thread of its own.

use std::{
    io,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use primitives::DurationMs;
use store::{Store, StoreError};
use worker::{Evaluation, queue::Taken};

use super::{Busy, Inbox, Message, Pulse, now};
use crate::{
    machine::{Event, Identity},
    worker::{Settled, release, settle, take},
};

/// Examines what was taken; where, and behind which walls, is its maker's business.
pub type Examine = Arc<dyn Fn(&Taken) -> Evaluation + Send + Sync>;

/// How long an examination is leased: the longest deadline of a mechanism's examination, with its second try, and
/// some. A lease that is lost with its process ends when the validator is started again.
const LEASE: DurationMs = DurationMs(3_600_000);
/// How often the queue is looked at unasked: what was put off comes back by time.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The pause after a store's failure.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

/// A running examiner.
pub(super) struct Handle {
    poke: mpsc::Sender<Option<Busy>>,
    pulse: Pulse,
    thread: JoinHandle<()>,
}

/// Tells an examiner that there is work.
#[derive(Clone)]
pub(super) struct Poke(mpsc::Sender<Option<Busy>>, Pulse);

impl Poke {
    pub(super) fn poke(&self) {
        // An examiner that has ended looks at its queue when it is started again.
        let _ended = self.0.send(Some(self.1.busy()));
    }
}

impl Handle {
    pub(super) fn poke(&self) -> Poke {
        Poke(self.poke.clone(), self.pulse.clone())
    }

    /// Ends it after the examination under way, which nobody waits for.
    pub(super) fn stop(self) {
        // One that has ended already hears nothing.
        let _ended = self.poke.send(None);
        drop(self.thread);
    }
}

pub(super) fn spawn(
    identity: Identity,
    store: Arc<dyn Store>,
    examine: Examine,
    inbox: Inbox,
    pulse: Pulse,
) -> io::Result<Handle> {
    let (poke, pokes) = mpsc::channel();
    // What an earlier start left behind is looked for at once.
    let _open = poke.send(Some(pulse.busy()));
    let held = pulse.clone();
    let thread = std::thread::Builder::new().name("examiner".to_owned()).spawn(move || {
        let name = format!("examiner of {}", identity.hotkey);
        // A neuron is driven by one process at a time: what is still leased under this name was lost with an earlier one.
        while release(&*store, &identity, &name, now()).is_err() {
            match pokes.recv_timeout(FAILED_PAUSE) {
                Ok(None) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Ok(Some(_)) | Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
        loop {
            let busy = match pokes.recv_timeout(LOOK_EVERY) {
                Ok(Some(busy)) => Some(busy),
                Ok(None) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => None,
            };
            let empty = empty_queue(&identity, &*store, &name, &examine, &inbox, &pulse);
            drop(busy);
            match empty {
                Ok(true) => {}
                Ok(false) => return,
                // Told by the validator's own commits as well, which stop it.
                Err(_) => std::thread::sleep(FAILED_PAUSE),
            }
        }
    })?;
    Ok(Handle { poke, pulse: held, thread })
}

/// Examines all that is ready; false where the validator has gone.
fn empty_queue(
    identity: &Identity,
    store: &dyn Store,
    name: &str,
    examine: &Examine,
    inbox: &Inbox,
    pulse: &Pulse,
) -> Result<bool, StoreError> {
    while let Some(taken) = take(store, identity, name, now(), LEASE)? {
        let evaluation = examine(&taken);
        match settle(store, identity, &taken, evaluation, now()) {
            Ok(Settled::Finished(_, fact)) => {
                if inbox.send(Message::Event(Event::Examined(fact), pulse.busy(), None)).is_err() {
                    return Ok(false);
                }
            }
            // Another examiner has the job, or it is put off.
            Ok(Settled::Postponed(_)) | Err(StoreError::Lease(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
