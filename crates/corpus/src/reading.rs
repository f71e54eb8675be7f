//! The reading half of a build: a task's records in order, and work on them spread over threads.
//!
//! [`records`] reads a task of any length in bounded memory. [`map_in_order`] gives each record to one of several
//! threads and hands the outcomes on in the records' order, so that what is written of them is the same with any number
//! of threads. A build is
//!
//! ```ignore
//! let records = reading::records(&extent, &source)?;
//! reading::map_in_order(records, Taken::held_bytes, |taken| decide(taken), pool, |outcome| write(outcome))?;
//! ```
//!
//! where only the writer, which runs on the calling thread, knows what came before. That a task's bytes are what it says
//! is known behind the last of them: the error that follows the last record takes all of them back.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    slice,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::{
    archive::{Content, Reader, Record, RecordKind, Step},
    decision::{Decision, Reason},
    extent::{ArchiveRange, Extent},
    layout::Layout,
    ledger::LedgerRow,
    manifest::Entry,
    page::Page,
    source::{Source, SourceBytes, SourceError, unchanged},
};

/// What a record takes beside its bytes.
const RECORD_BASE_BYTES: u64 = 1 << 10;

/// One record of a task with its place; nothing has been decided about it.
#[derive(Clone, Debug)]
pub struct Taken<'a> {
    /// The path of its file or archive.
    pub path: &'a str,
    /// Its place and what it holds; a file of a folder is a record of its own kind.
    pub step: Step,
    layout: Option<&'a Layout>,
}

impl Taken<'_> {
    /// Its row of the ledger, as if it were kept.
    #[must_use]
    pub fn row(&self) -> LedgerRow {
        LedgerRow {
            path: self.path.to_owned(),
            offset_bytes: self.step.offset_bytes,
            length_bytes: self.step.length_bytes,
            kind: self.step.kind(),
            digest: self.step.digest(),
            decision: Decision::Kept,
        }
    }

    /// The page in it.
    ///
    /// # Errors
    /// The [`Reason`] why there is none.
    pub fn page(&self) -> Result<Page, Reason> {
        match (self.layout, &self.step.content) {
            (Some(layout), content) => layout.page(content),
            // A file's path is in its row already.
            (None, Content::Record(record)) => {
                Page::of_file(self.path, &record.payload).map(|page| Page { url: String::new(), ..page })
            }
            (None, _) => Err(Reason::Malformed),
        }
    }

    /// The votes that it has got, where it is a question that was voted on.
    #[must_use]
    pub fn score(&self) -> Option<i64> {
        match (self.layout, &self.step.content) {
            (Some(layout), Content::Record(record)) => layout.score(record),
            _ => None,
        }
    }

    /// Bytes of memory that it takes, about.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        let payload = match &self.step.content {
            Content::Record(record) => record.payload.len() as u64,
            _ => 0,
        };
        RECORD_BASE_BYTES + payload
    }
}

/// The records of a task, in its order.
///
/// # Errors
/// [`SourceError`] where the source can't be opened.
pub fn records<'a>(extent: &'a Extent, source: &'a dyn Source) -> Result<Records<'a>, SourceError> {
    let from = match extent {
        Extent::Files(slice) => From::Files { entries: slice.entries().iter(), source },
        Extent::Archive(range) => {
            let bytes = source.open(&range.path, range.first_byte, range.length_bytes)?;
            let reader = Reader::new(bytes, range.first_byte, range.length_bytes, range.layout.clone());
            From::Archive { range, reader: Some(Box::new(reader.digesting())) }
        }
    };
    Ok(Records { from })
}

/// See [`records`]. Behind an error there is nothing more.
pub struct Records<'a> {
    from: From<'a>,
}

enum From<'a> {
    Files { entries: slice::Iter<'a, Entry>, source: &'a dyn Source },
    Archive { range: &'a ArchiveRange, reader: Option<Box<Reader<Box<dyn SourceBytes + 'a>>>> },
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Taken<'a>, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.from {
            From::Files { entries, source } => {
                let entry = entries.next()?;
                let read = source.read(&entry.path).and_then(|bytes| unchanged(entry, bytes));
                if read.is_err() {
                    *entries = [].iter();
                }
                Some(read.map(|payload| Taken {
                    path: &entry.path,
                    step: Step {
                        offset_bytes: 0,
                        length_bytes: entry.length_bytes,
                        content: Content::Record(Box::new(Record {
                            payload,
                            ..Record::of_kind(RecordKind::File)
                        })),
                    },
                    layout: None,
                }))
            }
            From::Archive { range, reader } => {
                let range: &'a ArchiveRange = range;
                match reader.as_mut()?.step() {
                    Ok(Some(step)) => {
                        Some(Ok(Taken { path: &range.path, step, layout: Some(&range.layout) }))
                    }
                    Ok(None) => {
                        let found = reader.take()?.take_run_digest().expect("asked for");
                        let changed = || SourceError::Changed {
                            path: range.path.clone(),
                            expected_bytes: range.length_bytes,
                            expected: range.digest,
                            found_bytes: range.length_bytes,
                            found,
                        };
                        (found != range.digest).then(|| Err(changed()))
                    }
                    Err(source) => {
                        *reader = None;
                        Some(Err(SourceError::Io { path: range.path.clone(), source }))
                    }
                }
            }
        }
    }
}

/// How much may be done and held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Threads that work, beside the calling one where there are more than one.
    pub threads: NonZeroUsize,
    /// Bytes of items that have been read and whose outcomes have not been handed on yet. The item that reaches it is
    /// the last for the time being: no more than this and one item are held.
    pub bytes_max: u64,
}

/// Runs `work` on each item and hands the outcomes to `sink`, on the calling thread and in the items' order.
///
/// Whoever has nothing to do reads the next item, one thread at a time. `bytes_of` says what an item counts for.
///
/// # Errors
/// The first one of `sink`; nothing is handed on after it.
///
/// # Panics
/// Where `items`, `work` or `sink` does.
pub fn map_in_order<I: Send, O: Send, E>(
    items: impl Iterator<Item = I> + Send,
    bytes_of: impl Fn(&I) -> u64 + Sync,
    work: impl Fn(I) -> O + Sync,
    pool: Pool,
    mut sink: impl FnMut(O) -> Result<(), E>,
) -> Result<(), E> {
    if pool.threads.get() == 1 {
        return items.into_iter().try_for_each(|item| sink(work(item)));
    }
    let items = Mutex::new((items, 0u64));
    let desk = Desk::new();
    std::thread::scope(|scope| {
        for _ in 0..pool.threads.get() {
            scope.spawn(|| {
                let _leaving = Leaving { desk: &desk };
                while let Some((number, bytes, item)) = desk.read(&items, &bytes_of, pool.bytes_max) {
                    desk.put(number, bytes, work(item));
                }
            });
        }
        let _leaving = Leaving { desk: &desk };
        while let Some(outcome) = desk.take() {
            sink(outcome)?;
        }
        Ok(())
    })
}

/// Where the threads meet.
struct Desk<O> {
    state: Mutex<State<O>>,
    changed: Condvar,
}

struct State<O> {
    /// Outcomes that wait for earlier ones, with what their items count for.
    waiting: BTreeMap<u64, (u64, O)>,
    /// What is read and not handed on.
    held_bytes: u64,
    /// The number of the outcome that is handed on next, and what it counted for once it is.
    next: u64,
    handed_bytes: u64,
    /// How many items there are, once that is known.
    count: Option<u64>,
    /// Somebody has left before the end.
    is_over: bool,
}

impl<O> Desk<O> {
    fn new() -> Self {
        let state = State {
            waiting: BTreeMap::new(),
            held_bytes: 0,
            next: 0,
            handed_bytes: 0,
            count: None,
            is_over: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State<O>>) -> MutexGuard<'a, State<O>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an item once there is room for it; none at the end.
    fn read<I>(
        &self,
        items: &Mutex<(impl Iterator<Item = I>, u64)>,
        bytes_of: &impl Fn(&I) -> u64,
        bytes_max: u64,
    ) -> Option<(u64, u64, I)> {
        // Whoever holds the items waits for room with them, so that nobody else takes it.
        let mut items = items.lock().ok()?;
        let mut state = self.state();
        while state.held_bytes >= bytes_max.max(1) && !state.is_over {
            state = self.wait(state);
        }
        if state.is_over || state.count.is_some() {
            return None;
        }
        drop(state);
        let item = items.0.next();
        let mut state = self.state();
        let Some(item) = item else {
            state.count = Some(items.1);
            self.changed.notify_all();
            return None;
        };
        let (number, bytes) = (items.1, bytes_of(&item));
        items.1 += 1;
        state.held_bytes += bytes;
        Some((number, bytes, item))
    }

    fn put(&self, number: u64, bytes: u64, outcome: O) {
        self.state().waiting.insert(number, (bytes, outcome));
        self.changed.notify_all();
    }

    /// The next outcome; none at the end.
    fn take(&self) -> Option<O> {
        let mut state = self.state();
        // The one before has been dealt with by now.
        state.held_bytes -= std::mem::take(&mut state.handed_bytes);
        self.changed.notify_all();
        loop {
            let next = state.next;
            if let Some((bytes, outcome)) = state.waiting.remove(&next) {
                state.next += 1;
                state.handed_bytes = bytes;
                return Some(outcome);
            }
            if state.is_over || state.count == Some(next) {
                return None;
            }
            state = self.wait(state);
        }
    }
}

/// Tells the others when its thread leaves early, be it by a panic.
struct Leaving<'a, O> {
    desk: &'a Desk<O>,
}

impl<O> Drop for Leaving<'_, O> {
    fn drop(&mut self) {
        let mut state = self.desk.state();
        // A worker leaves as it should behind the last item, the caller behind the last outcome.
        state.is_over |= std::thread::panicking() || state.count.is_none();
        drop(state);
        self.desk.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn pool(threads: usize, bytes_max: u64) -> Pool {
        Pool { threads: NonZeroUsize::new(threads).unwrap(), bytes_max }
    }

    #[test]
    fn outcomes_come_in_order_and_little_is_held() {
        for threads in [1, 2, 5] {
            let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
            let items = (0..2000u64).inspect(|item| {
                let now = held.fetch_add(item % 7 + 1, Ordering::SeqCst) + item % 7 + 1;
                most.fetch_max(now, Ordering::SeqCst);
            });
            let mut next = 0;
            let work = |item: u64| {
                // Some take longer than others.
                (0..(item % 13) * 500).fold(item, |sum, more| std::hint::black_box(sum ^ more ^ more));
                item
            };
            let sink = |item: u64| {
                assert_eq!(item, next);
                next += 1;
                held.fetch_sub(item % 7 + 1, Ordering::SeqCst);
                Ok::<_, ()>(())
            };
            assert_eq!(map_in_order(items, |item| item % 7 + 1, work, pool(threads, 20), sink), Ok(()));
            assert_eq!(next, 2000);
            // What is held, the item that reaches the bound, and the one in the sink's hands.
            assert!(most.into_inner() <= 20 + 7 + 7, "{threads}");
        }
    }

    #[test]
    fn an_error_of_the_sink_ends_it() {
        for threads in [1, 3] {
            let mut seen = 0;
            let sink = |item: u64| {
                seen += 1;
                if item == 100 { Err(item) } else { Ok(()) }
            };
            assert_eq!(map_in_order(0.., |_| 1, |item| item, pool(threads, 8), sink), Err(100));
            assert_eq!(seen, 101);
        }
    }

    #[test]
    fn a_panic_of_a_worker_is_passed_on() {
        for threads in [1, 3] {
            let run = || {
                let work = |item: u64| assert_ne!(item, 50, "fifty");
                map_in_order(0..1000, |_| 1, work, pool(threads, 8), |()| Ok::<_, ()>(()))
            };
            assert!(std::panic::catch_unwind(run).is_err());
        }
    }

    #[test]
    fn nothing_is_nothing() {
        for threads in [1, 3] {
            let done = map_in_order(0..0u64, |_| 1, |item| item, pool(threads, 0), |_| Err(()));
            assert_eq!(done, Ok(()));
        }
    }
}
