//! The digest of a state: follows from its entries alone, and is brought up to date from a block's changes.
//!
//! Entries fall into 4096 leaves by the hash of their key; each leaf lists its entries by that hash. A leaf's
//! digest covers its list, a branch's digest its 16 children. Because a leaf is sorted and the tree's shape is
//! fixed, the root doesn't depend on the order in which a state came to be. Copies share what is equal.

use std::sync::Arc;

use primitives::Digest;

use crate::storage::{ChangeSet, Key};

/// Children of a branch: 16³ leaves keep a leaf to a few entries for states of some ten thousand.
const FAN_OUT: usize = 16;
/// Domain of an entry's digest.
const ENTRY_DOMAIN: u8 = 0;
/// Domain of a leaf's digest.
const LEAF_DOMAIN: u8 = 1;
/// Domain of a branch's digest.
const BRANCH_DOMAIN: u8 = 2;

/// A leaf's entry: the key's hash and the digest of key and value.
type Entry = ([u8; 32], [u8; 32]);

#[derive(Clone, Debug, Default)]
struct Leaf {
    entries: Vec<Entry>,
    digest: [u8; 32],
}

#[derive(Clone, Debug)]
struct Branch<T> {
    children: [Arc<T>; FAN_OUT],
    digest: [u8; 32],
}

trait Node {
    fn digest(&self) -> &[u8; 32];
}

impl Node for Leaf {
    fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl<T> Node for Branch<T> {
    fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl Leaf {
    fn rehash(&mut self) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[LEAF_DOMAIN]);
        for (_, digest) in &self.entries {
            hasher.update(digest);
        }
        self.digest = *hasher.finalize().as_bytes();
    }
}

impl<T: Node + Clone> Branch<T> {
    fn of(child: T) -> Self {
        let child = Arc::new(child);
        let mut branch = Self { children: std::array::from_fn(|_| child.clone()), digest: [0; 32] };
        branch.rehash();
        branch
    }

    fn rehash(&mut self) {
        let mut bytes = [BRANCH_DOMAIN; 1 + FAN_OUT * 32];
        for (slot, child) in bytes[1..].chunks_exact_mut(32).zip(&self.children) {
            slot.copy_from_slice(child.digest());
        }
        self.digest = *blake3::hash(&bytes).as_bytes();
    }
}

/// The digest tree of one state.
#[derive(Clone, Debug)]
pub(crate) struct DigestTree {
    root: Branch<Branch<Branch<Leaf>>>,
}

impl DigestTree {
    pub(crate) fn new() -> Self {
        let mut leaf = Leaf::default();
        leaf.rehash();
        Self { root: Branch::of(Branch::of(Branch::of(leaf))) }
    }

    pub(crate) fn root(&self) -> Digest {
        Digest(self.root.digest)
    }

    /// Takes over a block's changes.
    pub(crate) fn apply(&mut self, changes: &ChangeSet) {
        self.set(changes.iter().map(|(key, change)| (key, change.new.as_deref())));
    }

    /// Sets or removes (`None`) the values of keys.
    pub(crate) fn set<'a>(&mut self, values: impl Iterator<Item = (&'a Key, Option<&'a [u8]>)>) {
        let mut edits: Vec<([u8; 32], Option<[u8; 32]>)> = values
            .map(|(key, value)| {
                let hash = *blake3::hash(key.as_bytes()).as_bytes();
                (hash, value.map(|value| entry_digest(&hash, value)))
            })
            .collect();
        if edits.is_empty() {
            return;
        }
        edits.sort_unstable_by_key(|edit| edit.0);
        for_children(
            &mut self.root,
            &edits,
            |hash| hash[0] >> 4,
            |branch, edits| {
                for_children(
                    branch,
                    edits,
                    |hash| hash[0] & 15,
                    |branch, edits| {
                        for_children(branch, edits, |hash| hash[1] >> 4, edit_leaf);
                    },
                );
            },
        );
    }
}

/// Hands the edits of each child to `edit` and hashes the branch again. Edits are sorted by hash, so that those
/// of one child stand together.
fn for_children<T: Node + Clone>(
    branch: &mut Branch<T>,
    edits: &[([u8; 32], Option<[u8; 32]>)],
    child_of: impl Fn(&[u8; 32]) -> u8,
    mut edit: impl FnMut(&mut T, &[([u8; 32], Option<[u8; 32]>)]),
) {
    for group in edits.chunk_by(|a, b| child_of(&a.0) == child_of(&b.0)) {
        let child = &mut branch.children[usize::from(child_of(&group[0].0))];
        edit(Arc::make_mut(child), group);
    }
    branch.rehash();
}

fn edit_leaf(leaf: &mut Leaf, edits: &[([u8; 32], Option<[u8; 32]>)]) {
    for (hash, digest) in edits {
        match (leaf.entries.binary_search_by_key(hash, |entry| entry.0), digest) {
            (Ok(at), Some(digest)) => leaf.entries[at].1 = *digest,
            (Ok(at), None) => {
                leaf.entries.remove(at);
            }
            (Err(at), Some(digest)) => leaf.entries.insert(at, (*hash, *digest)),
            (Err(_), None) => {}
        }
    }
    leaf.rehash();
}

fn entry_digest(key_hash: &[u8; 32], value: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[ENTRY_DOMAIN]).update(key_hash).update(value);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use primitives::AccountId;
    use proptest::prelude::*;

    use super::*;
    use crate::storage::items::BALANCE;

    fn key(number: u8) -> Key {
        BALANCE.key(&AccountId([number; 32]))
    }

    fn tree_of(steps: &[(u8, Option<u8>)]) -> DigestTree {
        let mut tree = DigestTree::new();
        for (number, value) in steps {
            let value = value.map(|value| [value]);
            tree.set([(&key(*number), value.as_ref().map(|value| &value[..]))].into_iter());
        }
        tree
    }

    proptest! {
        #[test]
        fn the_digest_depends_on_the_entries_alone(
            steps in prop::collection::vec((any::<u8>(), any::<Option<u8>>()), 0..200),
        ) {
            let last: std::collections::BTreeMap<u8, Option<u8>> = steps.iter().copied().collect();
            let direct: Vec<_> = last.into_iter().filter(|(_, value)| value.is_some()).rev().collect();
            prop_assert_eq!(tree_of(&steps).root(), tree_of(&direct).root());
        }
    }

    #[test]
    fn any_entry_moves_the_digest() {
        let empty = tree_of(&[]).root();
        let one = tree_of(&[(1, Some(1))]).root();
        assert_ne!(empty, one);
        assert_ne!(one, tree_of(&[(1, Some(2))]).root());
        assert_ne!(one, tree_of(&[(2, Some(1))]).root());
        assert_eq!(empty, tree_of(&[(1, Some(1)), (1, None)]).root());
    }

    #[test]
    fn a_copy_keeps_its_digest() {
        let mut tree = tree_of(&[(1, Some(1)), (2, Some(2))]);
        let (copy, before) = (tree.clone(), tree.root());
        tree.set([(&key(3), Some(&[7u8][..]))].into_iter());
        assert_eq!(copy.root(), before);
        assert_ne!(tree.root(), before);
    }
}
