//! Extrinsics that wait for a block: those made in process in the order of their arrival, those of clients each account's
//! by number. One whose number has not come yet waits apart until those before it are there.
//!
//! What may be in at all is decided before ([`crate::State::validate`]); here only order, repetition and room count.

use std::collections::{BTreeMap, BTreeSet};

use chain::{Included, InvalidTransaction, Refusal};
use primitives::{AccountId, BlockNumber, Digest};
use tokio::sync::{mpsc, oneshot};

use crate::Extrinsic;

/// Clients' extrinsics that may wait for the next block. Source: Substrate's pool.
const MAX_READY: usize = 8192;
/// Clients' extrinsics that may wait for those before them.
const MAX_EARLY: usize = 2048;
/// Bytes of all of them. Source: Substrate's pool, 20 MiB.
const MAX_BYTES: usize = 20 << 20;

/// What became of a client's extrinsic, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits for extrinsics of its account that are still missing.
    Early,
    /// It waits for the next block.
    Ready,
    /// It stands in a block, which is final at once.
    Included { block: Digest, index: u32 },
    /// It may no longer be carried out.
    Invalid(InvalidTransaction),
    /// The node stopped or went back to an earlier block.
    Dropped,
}

/// Why an extrinsic is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The pool's rules are against it.
    Invalid(InvalidTransaction),
    /// The very same waits already.
    AlreadyImported,
    /// Another one with its number waits already, and none is more urgent than another here.
    TooLowPriority,
    /// There is no room.
    Full,
    /// The node makes no more blocks.
    Closed,
}

/// Who wants to know what becomes of an extrinsic.
#[derive(Debug)]
pub(crate) enum Asker {
    /// In process.
    Caller(oneshot::Sender<Result<Included, Refusal>>),
    /// A client, if it still listens.
    Client { hash: Digest, fates: Option<mpsc::UnboundedSender<Fate>> },
}

impl Asker {
    fn tell(&self, fate: Fate) {
        if let Self::Client { fates: Some(fates), .. } = self {
            // Who asked may have gone.
            let _gone = fates.send(fate);
        }
    }
}

/// An extrinsic that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) extrinsic: Extrinsic,
    pub(crate) asker: Asker,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.extrinsic.bytes(0).len()
    }
}

/// What clients' extrinsics of one account wait.
#[derive(Debug, Default)]
struct Account {
    /// The number after those that are ready or being included.
    next: u32,
    /// How many those are.
    ready: usize,
    early: BTreeMap<u32, Waiting>,
}

/// All that waits.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    is_closed: bool,
    /// In the order in which they will be carried out.
    ready: Vec<Waiting>,
    accounts: BTreeMap<AccountId, Account>,
    /// Of clients' extrinsics that wait or are being included.
    hashes: BTreeSet<Digest>,
    ready_clients: usize,
    early: usize,
    bytes: usize,
}

impl Queue {
    /// Takes an extrinsic made in process.
    pub(crate) fn push(&mut self, waiting: Waiting) -> Result<(), NotTaken> {
        if self.is_closed {
            return Err(NotTaken::Closed);
        }
        self.ready.push(waiting);
        Ok(())
    }

    /// Takes a client's extrinsic; `next` is its account's next number in the state.
    pub(crate) fn admit(
        &mut self,
        extrinsic: Extrinsic,
        hash: Digest,
        next: u32,
        fates: Option<mpsc::UnboundedSender<Fate>>,
    ) -> Result<Fate, NotTaken> {
        if self.is_closed {
            return Err(NotTaken::Closed);
        }
        if self.hashes.contains(&hash) {
            return Err(NotTaken::AlreadyImported);
        }
        let nonce = extrinsic.nonce.unwrap_or(next);
        if nonce < next {
            return Err(NotTaken::Invalid(InvalidTransaction::Stale));
        }
        let origin = extrinsic.origin;
        let waiting = Waiting { extrinsic, asker: Asker::Client { hash, fates } };
        let bytes = waiting.bytes();
        let known = self.accounts.get(&origin);
        let first = known.map_or(next, |account| account.next.max(next));
        if nonce < first || known.is_some_and(|account| account.early.contains_key(&nonce)) {
            return Err(NotTaken::TooLowPriority);
        }
        let is_early = nonce > first;
        let (waits, most) = if is_early { (self.early, MAX_EARLY) } else { (self.ready_clients, MAX_READY) };
        if waits >= most || self.bytes.saturating_add(bytes) > MAX_BYTES {
            return Err(NotTaken::Full);
        }
        self.hashes.insert(hash);
        self.bytes += bytes;
        let account = self.accounts.entry(origin).or_default();
        account.next = first;
        let fate = if is_early { Fate::Early } else { Fate::Ready };
        waiting.asker.tell(fate);
        if is_early {
            account.early.insert(nonce, waiting);
            self.early += 1;
        } else {
            account.next = nonce.saturating_add(1);
            account.ready += 1;
            self.ready_clients += 1;
            self.ready.push(waiting);
            self.promote(origin);
        }
        Ok(fate)
    }

    /// Moves the early ones of an account whose number has come.
    fn promote(&mut self, origin: AccountId) {
        let Some(account) = self.accounts.get_mut(&origin) else { return };
        while let Some(waiting) = account.early.remove(&account.next) {
            waiting.asker.tell(Fate::Ready);
            account.next = account.next.saturating_add(1);
            account.ready += 1;
            self.early -= 1;
            self.ready_clients += 1;
            self.ready.push(waiting);
        }
        if account.ready == 0 && account.early.is_empty() {
            self.accounts.remove(&origin);
        }
    }

    /// Takes out at most `count` of what is ready, in order. Each has to come back by [`Self::finish`].
    pub(crate) fn take(&mut self, count: usize) -> Vec<Waiting> {
        let rest = self.ready.split_off(count.min(self.ready.len()));
        std::mem::replace(&mut self.ready, rest)
    }

    /// Takes back what a block came to: for each extrinsic its position in the block, or the refusal, and answers who asked.
    /// `next_of` reads an account's next number in the new state.
    pub(crate) fn finish(
        &mut self,
        block: (BlockNumber, Digest),
        results: impl IntoIterator<Item = (Waiting, Placed)>,
        next_of: impl Fn(AccountId) -> u32,
    ) {
        let mut touched = BTreeSet::new();
        for (waiting, placed) in results {
            let origin = waiting.extrinsic.origin;
            match waiting.asker {
                Asker::Caller(caller) => {
                    let answer = match placed {
                        Placed::Included { index, outcome } => {
                            outcome.map(|()| Included { block: block.0, index })
                        }
                        Placed::Refused(reason) => Err(reason.into()),
                    };
                    // Who asked may have gone.
                    let _gone = caller.send(answer);
                }
                Asker::Client { hash, fates } => {
                    touched.insert(origin);
                    let bytes = waiting.extrinsic.bytes(0).len();
                    let nonce = waiting.extrinsic.nonce.unwrap_or_default();
                    self.ready_clients = self.ready_clients.saturating_sub(1);
                    let account = self.accounts.entry(origin).or_default();
                    account.ready = account.ready.saturating_sub(1);
                    let waiting =
                        Waiting { extrinsic: waiting.extrinsic, asker: Asker::Client { hash, fates } };
                    let fate = match placed {
                        // One before it was refused: it waits for another in its place.
                        Placed::Refused(InvalidTransaction::Future)
                            if !account.early.contains_key(&nonce) =>
                        {
                            waiting.asker.tell(Fate::Early);
                            account.early.insert(nonce, waiting);
                            self.early += 1;
                            continue;
                        }
                        Placed::Refused(reason) => Fate::Invalid(reason),
                        Placed::Included { index, .. } => Fate::Included { block: block.1, index },
                    };
                    waiting.asker.tell(fate);
                    self.hashes.remove(&hash);
                    self.bytes = self.bytes.saturating_sub(bytes);
                }
            }
        }
        for origin in touched {
            if let Some(account) = self.accounts.get_mut(&origin)
                && account.ready == 0
            {
                account.next = next_of(origin);
            }
            self.promote(origin);
        }
        if self.early > 0 {
            self.forget_the_late(block.0, next_of);
        }
    }

    /// Drops early ones whose number or era has passed.
    fn forget_the_late(&mut self, number: BlockNumber, next_of: impl Fn(AccountId) -> u32) {
        let (hashes, early, bytes) = (&mut self.hashes, &mut self.early, &mut self.bytes);
        self.accounts.retain(|origin, account| {
            let next = if account.early.is_empty() { 0 } else { next_of(*origin) };
            account.early.retain(|nonce, waiting| {
                let reason = if *nonce < next {
                    InvalidTransaction::Stale
                } else if waiting.extrinsic.dies_at() <= number.saturating_add(1) {
                    InvalidTransaction::AncientBirthBlock
                } else {
                    return true;
                };
                waiting.asker.tell(Fate::Invalid(reason));
                if let Asker::Client { hash, .. } = &waiting.asker {
                    hashes.remove(hash);
                }
                *early -= 1;
                *bytes -= waiting.bytes();
                false
            });
            account.ready > 0 || !account.early.is_empty()
        });
    }

    /// The number that follows all that the account has waiting; `next` is its next number in the state.
    pub(crate) fn next_nonce(&self, origin: AccountId, next: u32) -> u32 {
        self.accounts.get(&origin).map_or(next, |account| account.next.max(next))
    }

    /// What is ready, in order.
    pub(crate) fn ready(&self) -> &[Waiting] {
        &self.ready
    }

    /// Gives up all that waits, at a time when nothing is being included.
    pub(crate) fn clear(&mut self) {
        let early = self.accounts.values_mut().flat_map(|account| std::mem::take(&mut account.early));
        let early: Vec<Waiting> = early.map(|(_, waiting)| waiting).collect();
        let ready = std::mem::take(&mut self.ready);
        for waiting in early.iter().chain(&ready) {
            waiting.asker.tell(Fate::Dropped);
        }
        *self = Self { is_closed: self.is_closed, ..Self::default() };
    }

    /// Gives up all that waits and takes no more.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.clear();
    }
}

/// What a block made of an extrinsic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It stands in the block at this position, the inherent being 0.
    Included { index: u32, outcome: Result<(), Refusal> },
    /// It is not part of the block.
    Refused(InvalidTransaction),
}

#[cfg(test)]
mod tests {
    use chain::Call;
    use primitives::Rao;

    use super::*;

    const ALICE: AccountId = AccountId([1; 32]);

    fn extrinsic(nonce: u32) -> Extrinsic {
        let call = Call::Transfer { to: AccountId([2; 32]), amount: Rao(1) };
        Extrinsic { nonce: Some(nonce), ..Extrinsic::new(ALICE, call) }
    }

    fn hash(number: u8) -> Digest {
        Digest([number; 32])
    }

    fn admit(queue: &mut Queue, nonce: u32, next: u32) -> Result<Fate, NotTaken> {
        queue.admit(extrinsic(nonce), hash(u8::try_from(nonce).unwrap()), next, None)
    }

    fn nonces(taken: &[Waiting]) -> Vec<u32> {
        taken.iter().filter_map(|waiting| waiting.extrinsic.nonce).collect()
    }

    fn all_included(queue: &mut Queue, taken: Vec<Waiting>, next: u32) {
        let placed = Placed::Included { index: 1, outcome: Ok(()) };
        queue.finish((1, hash(200)), taken.into_iter().map(|waiting| (waiting, placed)), |_| next);
    }

    #[test]
    fn an_early_one_waits_for_those_before_it() {
        let mut queue = Queue::default();
        assert_eq!(admit(&mut queue, 2, 0), Ok(Fate::Early));
        assert_eq!(admit(&mut queue, 1, 0), Ok(Fate::Early));
        assert_eq!(queue.next_nonce(ALICE, 0), 0);
        assert_eq!(admit(&mut queue, 0, 0), Ok(Fate::Ready));
        assert_eq!(queue.next_nonce(ALICE, 0), 3);
        let taken = queue.take(usize::MAX);
        assert_eq!(nonces(&taken), [0, 1, 2]);
        assert_eq!(queue.next_nonce(ALICE, 0), 3, "what is being included still counts");
        all_included(&mut queue, taken, 3);
        assert!(queue.accounts.is_empty() && queue.hashes.is_empty() && queue.bytes == 0);
    }

    #[test]
    fn nothing_is_taken_twice() {
        let mut queue = Queue::default();
        assert_eq!(admit(&mut queue, 0, 0), Ok(Fate::Ready));
        assert_eq!(admit(&mut queue, 0, 0), Err(NotTaken::AlreadyImported));
        assert_eq!(queue.admit(extrinsic(0), hash(9), 0, None), Err(NotTaken::TooLowPriority));
        assert_eq!(admit(&mut queue, 1, 2), Err(NotTaken::Invalid(InvalidTransaction::Stale)));
    }

    #[test]
    fn behind_a_refused_one_the_next_wait_again() {
        let mut queue = Queue::default();
        for nonce in 0..3 {
            admit(&mut queue, nonce, 0).unwrap();
        }
        let taken = queue.take(usize::MAX);
        let reasons = [InvalidTransaction::Payment, InvalidTransaction::Future, InvalidTransaction::Future];
        let results = taken.into_iter().zip(reasons.map(Placed::Refused));
        queue.finish((1, hash(200)), results, |_| 0);
        assert_eq!((queue.ready.len(), queue.early, queue.next_nonce(ALICE, 0)), (0, 2, 0));
        assert_eq!(queue.admit(extrinsic(0), hash(9), 0, None), Ok(Fate::Ready));
        let taken = queue.take(usize::MAX);
        assert_eq!(nonces(&taken), [0, 1, 2]);
    }

    #[test]
    fn room_is_bounded() {
        let mut queue = Queue::default();
        let digest = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_le_bytes());
            Digest(bytes)
        };
        for n in 0..MAX_READY {
            queue.admit(extrinsic(u32::try_from(n).unwrap()), digest(n), 0, None).unwrap();
        }
        let full = queue.admit(extrinsic(u32::try_from(MAX_READY).unwrap()), digest(MAX_READY), 0, None);
        assert_eq!(full, Err(NotTaken::Full));
        for n in 1..=MAX_EARLY {
            let nonce = u32::try_from(MAX_READY + n).unwrap();
            assert_eq!(queue.admit(extrinsic(nonce), digest(MAX_READY + n), 0, None), Ok(Fate::Early));
        }
        let full = queue.admit(extrinsic(u32::MAX), digest(0xFFFF_FFFF), 0, None);
        assert_eq!(full, Err(NotTaken::Full));
    }

    #[test]
    fn what_is_too_late_is_forgotten() {
        let mut queue = Queue::default();
        let (fates, mut told) = mpsc::unbounded_channel();
        queue.admit(extrinsic(5), hash(5), 0, Some(fates)).unwrap();
        all_included(&mut queue, Vec::new(), 6);
        assert_eq!(told.try_recv(), Ok(Fate::Early));
        assert_eq!(told.try_recv(), Ok(Fate::Invalid(InvalidTransaction::Stale)));
        assert!(queue.accounts.is_empty() && queue.hashes.is_empty());
    }
}
