//! The state itself: one persistent ordered map, its changes and the way back.
//!
//! A write goes into the map at once and is noted in a journal with what stood there before. A call that
//! fails is undone back to its mark; at a block's end the journal becomes the [`ChangeSet`]. What may be
//! stored, under which key and as which type, is the table in [`items`].

pub mod items;
mod key;

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};

use imbl::OrdMap;
pub use key::{Key, KeyParts};
use parity_scale_codec::{Codec, DecodeAll};

/// A value as it is stored: its SCALE encoding.
pub type Value = Arc<[u8]>;

/// What a block changed, by key: the value before it and after it, absent where there is none.
pub type ChangeSet = BTreeMap<Key, Change>;

/// One changed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The value before the block.
    pub old: Option<Value>,
    /// The value after it.
    pub new: Option<Value>,
}

/// A family of stored values: `K` says which one, `V` what it is.
pub struct Item<K, V> {
    number: u8,
    types: PhantomData<fn(K) -> V>,
}

impl<K: KeyParts, V: Codec> Item<K, V> {
    pub(crate) const fn new(number: u8) -> Self {
        Self { number, types: PhantomData }
    }

    /// The key of one value.
    pub fn key(&self, parts: &K) -> Key {
        Key::new(self.number, parts)
    }

    /// The item's number, the first byte of its keys.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }
}

/// The map and its journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    map: OrdMap<Key, Value>,
    journal: Vec<(Key, Option<Value>)>,
}

/// A place in the journal to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

impl Store {
    pub(crate) fn get<K: KeyParts, V: Codec>(&self, item: &Item<K, V>, parts: &K) -> Option<V> {
        let value = self.map.get(&item.key(parts))?;
        Some(V::decode_all(&mut &value[..]).expect("a stored value was encoded as its item's type"))
    }

    pub(crate) fn contains<K: KeyParts, V: Codec>(&self, item: &Item<K, V>, parts: &K) -> bool {
        self.map.contains_key(&item.key(parts))
    }

    pub(crate) fn raw(&self, key: &Key) -> Option<&Value> {
        self.map.get(key)
    }

    pub(crate) fn put<K: KeyParts, V: Codec>(&mut self, item: &Item<K, V>, parts: &K, value: &V) {
        let key = item.key(parts);
        value.using_encoded(|bytes| {
            let old = self.map.get(&key);
            if old.is_some_and(|old| old[..] == *bytes) {
                return;
            }
            let old = self.map.insert(key, Value::from(bytes));
            self.journal.push((key, old));
        });
    }

    pub(crate) fn remove<K: KeyParts, V: Codec>(&mut self, item: &Item<K, V>, parts: &K) {
        let key = item.key(parts);
        if let Some(old) = self.map.remove(&key) {
            self.journal.push((key, Some(old)));
        }
    }

    /// All values whose key starts with the item's number and `prefix`, in key order.
    pub(crate) fn scan<'a, K, V, P>(
        &'a self,
        item: &Item<K, V>,
        prefix: &P,
    ) -> impl Iterator<Item = (K, V)> + use<'a, K, V, P>
    where
        K: KeyParts,
        V: Codec,
        P: KeyParts,
    {
        let start = Key::new(item.number, prefix);
        self.map.range(start..).take_while(move |(key, _)| key.as_bytes().starts_with(start.as_bytes())).map(
            |(key, value)| {
                let parts = K::read(&mut &key.as_bytes()[1..]).expect("a key was made from its item's parts");
                let value = V::decode_all(&mut &value[..]).expect("a value was encoded as its item's type");
                (parts, value)
            },
        )
    }

    /// Removes all values of an item whose key's parts begin with `prefix` and end with `suffix`.
    pub(crate) fn remove_all<K: KeyParts, V: Codec>(
        &mut self,
        item: &Item<K, V>,
        prefix: &impl KeyParts,
        suffix: &impl KeyParts,
    ) {
        let (start, end) = (Key::new(item.number, prefix), Key::new(item.number, suffix));
        let ends = |key: &[u8]| key.get(1..).is_some_and(|parts| parts.ends_with(&end.as_bytes()[1..]));
        let keys: Vec<Key> =
            self.keys_from(start.as_bytes()).filter(|key| ends(key)).filter_map(Key::from_bytes).collect();
        for key in keys {
            if let Some(old) = self.map.remove(&key) {
                self.journal.push((key, Some(old)));
            }
        }
    }

    /// All keys that begin with `start`, in their order.
    pub(crate) fn keys_from<'a>(&'a self, start: &[u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let first = Key::from_bytes(start);
        let start = start.to_vec();
        let keys = first.into_iter().flat_map(|first| self.map.range(first..));
        keys.map(|(key, _)| key.as_bytes()).take_while(move |key| key.starts_with(&start))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.map.iter()
    }

    /// The store of these entries, without a journal.
    pub(crate) fn from_entries(entries: impl IntoIterator<Item = (Key, Value)>) -> Self {
        Self { map: entries.into_iter().collect(), journal: Vec::new() }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.journal.len())
    }

    /// Undoes every write since `mark`.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        while self.journal.len() > mark.0 {
            let (key, old) = self.journal.pop().expect("the journal is longer than the mark");
            match old {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
    }

    /// Ends the block: what its writes came to. A key that got its old value back is no change.
    pub(crate) fn take_changes(&mut self) -> ChangeSet {
        let mut changes = ChangeSet::new();
        for (key, old) in self.journal.drain(..) {
            changes.entry(key).or_insert(Change { old, new: None });
        }
        changes.retain(|key, change| {
            change.new = self.map.get(key).cloned();
            change.new != change.old
        });
        changes
    }
}

#[cfg(test)]
mod tests {
    use primitives::{AccountId, NetUid, Rao, Uid};

    use super::*;

    fn account(number: u8) -> AccountId {
        AccountId([number; 32])
    }

    #[test]
    fn a_rolled_back_write_is_no_change() {
        let mut store = Store::default();
        store.put(&items::BALANCE, &account(1), &Rao(5));
        let mark = store.mark();
        store.put(&items::BALANCE, &account(1), &Rao(7));
        store.put(&items::BALANCE, &account(2), &Rao(9));
        store.remove(&items::BALANCE, &account(1));
        store.roll_back(mark);
        assert_eq!(store.get(&items::BALANCE, &account(1)), Some(Rao(5)));
        assert_eq!(store.get(&items::BALANCE, &account(2)), None);
        let changes = store.take_changes();
        assert_eq!(changes.len(), 1);
        assert!(store.take_changes().is_empty());
    }

    #[test]
    fn a_value_that_came_back_is_no_change() {
        let mut store = Store::default();
        store.put(&items::BALANCE, &account(1), &Rao(5));
        store.take_changes();
        store.put(&items::BALANCE, &account(1), &Rao(6));
        store.put(&items::BALANCE, &account(1), &Rao(5));
        assert!(store.take_changes().is_empty());
    }

    #[test]
    fn a_scan_ends_with_its_prefix() {
        let mut store = Store::default();
        for (netuid, uid) in [(1, 0), (1, 300), (2, 0)] {
            let hotkey = primitives::Hotkey::from_bytes([u8::try_from(uid % 256).unwrap(); 32]);
            store.put(&items::KEYS, &(NetUid(netuid), Uid(uid)), &hotkey);
        }
        let uids: Vec<_> = store.scan(&items::KEYS, &NetUid(1)).map(|((_, uid), _)| uid.0).collect();
        assert_eq!(uids, [0, 300]);
    }
}
