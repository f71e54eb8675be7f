//! The chain's state after a block, and the one step that leads to the next.

use std::sync::Arc;

use chain::{Head, InvalidTransaction, ReadError, Refusal, Subnet};
use parity_scale_codec::Codec;
use primitives::{AccountId, AlphaRao, Coldkey, Digest, Hotkey, NetUid, Rao, Timestamp, Uid};

use crate::{
    Event, Extrinsic, Genesis, GenesisError, Rules,
    block::{Body, Header, Receipt, Receipts, inherent},
    digest::DigestTree,
    dispatch::Applied,
    ledger::Ledger,
    payment::Payable,
    storage::{
        ChangeSet, Item, Key, KeyParts, Store, Value,
        items::{BONDS, NONCE, SETTINGS, TOTAL_ISSUANCE, WEIGHTS},
    },
    view::Views,
    wire::{
        runtime::{self, CallError},
        storage,
    },
};

/// A block and what it came to.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its header.
    pub head: Head,
    /// What became of each extrinsic, in the order given.
    pub outcomes: Vec<Result<(), Refusal>>,
    /// Those that are part of the block, each with its number.
    pub included: Vec<Extrinsic>,
    /// Who paid for each of these, and how much: tip included, less what was paid back.
    pub paid: Vec<(AccountId, Rao)>,
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
    header: Header,
    body: Body,
    receipts: Arc<Receipts>,
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
        let header = Header::genesis(genesis.settings.rules, genesis.time, digest.root());
        Ok(Self::assemble(ledger, digest, header))
    }

    fn assemble(ledger: Ledger, digest: DigestTree, header: Header) -> Self {
        let mut views = Views::default();
        views.refresh(&ChangeSet::new(), &ledger.subnets());
        Self { ledger, digest, header, body: Body::default(), receipts: Arc::default(), views }
    }

    /// A state from its entries; none where an entry is not what its item's type says, or the settings are
    /// missing. Whether it is the right one is for the caller to judge by its digest. Its block's events are not
    /// known, nor is its body.
    pub(crate) fn from_entries(head: Head, entries: Vec<(Key, Value)>) -> Option<Self> {
        if !entries.iter().all(|(key, value)| crate::storage::items::is_valid(key, value)) {
            return None;
        }
        let mut digest = DigestTree::new();
        digest.set(entries.iter().map(|(key, value)| (key, Some(&value[..]))));
        let store = Store::from_entries(entries);
        let settings = store.get(&SETTINGS, &())?;
        let ledger = Ledger { store, settings, block: head.number, time: head.time, events: Vec::new() };
        let header = Header { head, state_root: digest.root(), extrinsics_root: Digest::default() };
        Some(Self::assemble(ledger, digest, header))
    }

    /// The same state under the header and body that its block has in the log.
    pub(crate) fn with_block(self, header: Header, body: Body) -> Self {
        Self { header, body, ..self }
    }

    /// Makes the next block: first what every block does, then the extrinsics in their order.
    ///
    /// Everything follows from the state and the arguments. An extrinsic that the pool refuses is not part of the
    /// block and leaves no trace; one that fails is, and leaves its used nonce.
    pub fn block(&mut self, time: Timestamp, extrinsics: &[Extrinsic]) -> Block {
        let parent = self.header.head;
        self.ledger.block = parent.number + 1;
        self.ledger.time = time;
        self.ledger.block_step();
        let mut body = vec![inherent(time)];
        let (mut included, mut receipts, mut paid) = (Vec::new(), Vec::new(), Vec::new());
        let mut outcomes = Vec::with_capacity(extrinsics.len());
        for extrinsic in extrinsics {
            let first = self.ledger.events.len();
            let applied = match self.ledger.apply(extrinsic) {
                Ok(applied) => applied,
                Err(refused) => {
                    outcomes.push(Err(refused.into()));
                    continue;
                }
            };
            let Applied { outcome, payable, payment } = applied;
            outcomes.push(outcome.map_err(Refusal::from));
            included.push(Extrinsic { nonce: Some(payable.nonce), ..extrinsic.clone() });
            body.push(payable.bytes);
            paid.push((extrinsic.origin, payment.withdrawn.saturating_sub(payment.refund)));
            receipts.push(Receipt {
                signer: extrinsic.origin,
                outcome,
                payment,
                info: payable.info,
                events: first..self.ledger.events.len(),
            });
        }
        let changes = self.ledger.store.take_changes();
        let events = std::mem::take(&mut self.ledger.events);
        self.digest.apply(&changes);
        self.body = body.into();
        self.header = Header::of_body(&parent, time, self.digest.root(), &self.body);
        self.receipts = Arc::new(Receipts { events: events.clone(), of: receipts });
        self.views.refresh(&changes, &self.ledger.subnets());
        Block {
            head: self.header.head,
            outcomes,
            included,
            paid,
            events,
            changes,
            state_digest: self.digest.root(),
        }
    }

    /// What the pool of the next block says of an extrinsic; one whose number has not come yet is let in.
    pub(crate) fn validate(&self, extrinsic: &Extrinsic) -> Result<Payable, InvalidTransaction> {
        let mut next = self.ledger.clone();
        next.block = self.header.head.number + 1;
        next.validate(extrinsic)
    }

    /// The newest block's header with all that its hash covers.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The newest block's extrinsics; none where the state was read from a snapshot alone.
    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    /// What happened in the newest block; nothing where the state was read from a snapshot.
    pub(crate) fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// The newest block's header.
    #[must_use]
    pub fn head(&self) -> Head {
        self.header.head
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
            return Err(ReadError::NoSubnet { netuid, block: self.header.head.number });
        }
        Ok(self.views.subnet(&self.ledger, netuid, self.header.head))
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

    /// The rules that the chain follows.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.ledger.settings.rules
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
        next.block = self.header.head.number + 1;
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

    /// The value under a key of the real chain's storage; none where nothing is stored there, or the key is none.
    #[must_use]
    pub fn stored(&self, real_key: &[u8]) -> Option<Vec<u8>> {
        storage::get(self, real_key)
    }

    /// The first `count` of the real chain's keys that begin with `prefix` and come after `after`, in the order of their
    /// bytes.
    #[must_use]
    pub fn stored_keys(&self, prefix: &[u8], after: Option<&[u8]>, count: usize) -> Vec<Vec<u8>> {
        storage::keys(self, prefix, after, count)
    }

    /// Answers a runtime call of the real chain, `Api_method`, with its SCALE-encoded arguments.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn runtime_call(&self, name: &str, arguments: &[u8]) -> Result<Vec<u8>, CallError> {
        runtime::call(self, name, arguments)
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The entries, to be changed by tests outside of blocks.
    #[cfg(test)]
    pub(crate) fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }
}
