//! The chain's state after a block, and the one step that leads to the next.

use std::sync::Arc;

use chain::{Head, ReadError, Refusal, Subnet};
use parity_scale_codec::{Codec, Encode};
use primitives::{AccountId, AlphaRao, BlockNumber, Coldkey, Digest, Hotkey, NetUid, Rao, Timestamp, Uid};

use crate::{
    Event, Extrinsic, Genesis, GenesisError,
    digest::DigestTree,
    ledger::Ledger,
    storage::{
        ChangeSet, Item, Key, KeyParts, Store, Value,
        items::{BONDS, NONCE, SETTINGS, TOTAL_ISSUANCE, WEIGHTS},
    },
    view::Views,
};

/// Domain of a block's hash.
const BLOCK_DOMAIN: &str = "weighhouse devchain 1 block";

/// A block and what it came to.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its header.
    pub head: Head,
    /// What became of each extrinsic, in the order given.
    pub outcomes: Vec<Result<(), Refusal>>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What was changed.
    pub changes: ChangeSet,
    /// The digest of the state after it.
    pub state_digest: Digest,
}

/// The state after a block. A copy costs next to nothing and shares what is equal.
#[derive(Clone, Debug)]
pub struct State {
    ledger: Ledger,
    digest: DigestTree,
    head: Head,
    views: Views,
}

impl State {
    /// The state of block 0.
    ///
    /// # Errors
    /// [`GenesisError`] where the genesis contradicts itself.
    pub fn genesis(genesis: &Genesis) -> Result<Self, GenesisError> {
        let mut ledger = genesis.ledger()?;
        let changes = ledger.store.take_changes();
        ledger.events.clear();
        let mut digest = DigestTree::new();
        digest.apply(&changes);
        let head = next_head(None, genesis.time, &[], digest.root());
        Ok(Self::assemble(ledger, digest, head))
    }

    fn assemble(ledger: Ledger, digest: DigestTree, head: Head) -> Self {
        let mut views = Views::default();
        views.refresh(&ChangeSet::new(), &ledger.subnets());
        Self { ledger, digest, head, views }
    }

    /// A state from its entries; none where an entry is not what its item's type says, or the settings are
    /// missing. Whether it is the right one is for the caller to judge by its digest.
    pub(crate) fn from_entries(head: Head, entries: Vec<(Key, Value)>) -> Option<Self> {
        if !entries.iter().all(|(key, value)| crate::storage::items::is_valid(key, value)) {
            return None;
        }
        let mut digest = DigestTree::new();
        digest.set(entries.iter().map(|(key, value)| (key, Some(&value[..]))));
        let store = Store::from_entries(entries);
        let settings = store.get(&SETTINGS, &())?;
        let ledger = Ledger { store, settings, block: head.number, time: head.time, events: Vec::new() };
        Some(Self::assemble(ledger, digest, head))
    }

    /// Makes the next block: first what every block does, then the extrinsics in their order.
    ///
    /// Everything follows from the state and the arguments. An extrinsic that the pool refuses is not part of the
    /// block and leaves no trace; one that fails is, and leaves its used nonce.
    pub fn block(&mut self, time: Timestamp, extrinsics: &[Extrinsic]) -> Block {
        self.ledger.block = self.head.number + 1;
        self.ledger.time = time;
        self.ledger.block_step();
        let outcomes: Vec<_> = extrinsics.iter().map(|extrinsic| self.ledger.apply(extrinsic)).collect();
        let changes = self.ledger.store.take_changes();
        let events = std::mem::take(&mut self.ledger.events);
        self.digest.apply(&changes);
        let included = included(extrinsics, &outcomes);
        self.head = next_head(Some(&self.head), time, &included, self.digest.root());
        self.views.refresh(&changes, &self.ledger.subnets());
        Block { head: self.head, outcomes, events, changes, state_digest: self.digest.root() }
    }

    /// The newest block's header.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// The digest of all entries; follows from them alone.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest.root()
    }

    /// The metagraph of a subnet.
    ///
    /// # Errors
    /// [`ReadError::NoSubnet`].
    pub fn subnet(&self, netuid: NetUid) -> Result<Arc<Subnet>, ReadError> {
        if netuid == NetUid::ROOT || !self.ledger.subnet_exists(netuid) {
            return Err(ReadError::NoSubnet { netuid, block: self.head.number });
        }
        Ok(self.views.subnet(&self.ledger, netuid, self.head))
    }

    /// The subnets there are, root not counted.
    #[must_use]
    pub fn subnets(&self) -> Vec<NetUid> {
        self.ledger.subnets()
    }

    /// The free balance of an account.
    #[must_use]
    pub fn balance(&self, account: AccountId) -> Rao {
        self.ledger.balance(account)
    }

    /// The number that the account's next extrinsic must have, if it has one.
    #[must_use]
    pub fn nonce(&self, account: AccountId) -> u32 {
        self.ledger.read(&NONCE, &account)
    }

    /// All TAO there is.
    #[must_use]
    pub fn total_issuance(&self) -> Rao {
        self.ledger.read(&TOTAL_ISSUANCE, &())
    }

    /// What a new subnet would cost in the next block.
    #[must_use]
    pub fn lock_cost(&self) -> Rao {
        let mut next = self.ledger.clone();
        next.block = self.head.number + 1;
        next.lock_cost()
    }

    /// What a coldkey has staked with a hotkey: alpha, on root TAO.
    #[must_use]
    pub fn stake(&self, hotkey: Hotkey, coldkey: Coldkey, netuid: NetUid) -> AlphaRao {
        self.ledger.alpha_of(hotkey, coldkey, netuid)
    }

    /// A neuron's weights as stored under a mechanism's storage index.
    #[must_use]
    pub fn weights(&self, index: u16, uid: Uid) -> Vec<(u16, u16)> {
        self.ledger.read(&WEIGHTS, &(index, uid))
    }

    /// A neuron's bonds likewise.
    #[must_use]
    pub fn bonds(&self, index: u16, uid: Uid) -> Vec<(u16, u16)> {
        self.ledger.read(&BONDS, &(index, uid))
    }

    /// One stored value.
    #[must_use]
    pub fn value<K: KeyParts, V: Codec>(&self, item: &Item<K, V>, parts: &K) -> Option<V> {
        self.ledger.get(item, parts)
    }

    /// One stored value's SCALE encoding.
    #[must_use]
    pub fn raw(&self, key: &Key) -> Option<&Value> {
        self.ledger.store.raw(key)
    }

    /// All entries in the order of their keys.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.ledger.store.iter()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// The extrinsics that are part of the block: those that the pool did not refuse.
pub(crate) fn included(extrinsics: &[Extrinsic], outcomes: &[Result<(), Refusal>]) -> Vec<Extrinsic> {
    let taken = |outcome: &Result<(), Refusal>| !matches!(outcome, Err(Refusal::Pool(_)));
    extrinsics
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| taken(outcome))
        .map(|(one, _)| one.clone())
        .collect()
}

/// The header that follows `parent`: its hash covers the parent, number, time, extrinsics and the state's digest.
fn next_head(parent: Option<&Head>, time: Timestamp, extrinsics: &[Extrinsic], state: Digest) -> Head {
    let (parent, number): (Digest, BlockNumber) =
        parent.map_or((Digest::default(), 0), |parent| (parent.hash, parent.number + 1));
    let hash = Digest::of_parts(
        BLOCK_DOMAIN,
        &[&parent.0, &number.to_le_bytes(), &time.0.to_le_bytes(), &extrinsics.encode(), &state.0],
    );
    Head { number, hash, parent, time }
}
