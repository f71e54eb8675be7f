//! Merkle trees over byte strings: what a miner commits to, and proofs that one item stands in it.
//!
//! Leaves and nodes are hashed under different domains, and the root binds the number of leaves, so that no
//! inner node can pass for a leaf and no list for a shorter one. An odd node moves up unpaired.

use serde::{Deserialize, Serialize};

use crate::Digest;

const LEAF_DOMAIN: &str = "weighhouse merkle leaf v1";
const NODE_DOMAIN: &str = "weighhouse merkle node v1";
const ROOT_DOMAIN: &str = "weighhouse merkle root v1";
/// Levels of a tree of 2^40 leaves: a longer proof is refused unread.
const PROOF_MAX_LEVELS: usize = 40;

/// The digest of one leaf.
#[must_use]
pub fn leaf(bytes: &[u8]) -> Digest {
    Digest::of_parts(LEAF_DOMAIN, &[bytes])
}

/// The root over leaves that were hashed with [`leaf`].
#[must_use]
pub fn root(leaves: &[Digest]) -> Digest {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = next_level(&level);
    }
    seal(leaves.len(), level.first())
}

/// The siblings on the way from one leaf to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The leaf's position.
    pub index: u64,
    /// Leaves in the whole tree.
    pub count: u64,
    /// One digest per level at which the node has a sibling, from the leaf upwards.
    pub siblings: Vec<Digest>,
}

impl Proof {
    /// The proof for the leaf at `index`, or none where there is no such leaf.
    #[must_use]
    pub fn of(leaves: &[Digest], index: usize) -> Option<Self> {
        if index >= leaves.len() {
            return None;
        }
        let mut siblings = Vec::new();
        let mut level = leaves.to_vec();
        let mut at = index;
        while level.len() > 1 {
            if let Some(sibling) = level.get(at ^ 1) {
                siblings.push(*sibling);
            }
            level = next_level(&level);
            at /= 2;
        }
        Some(Self { index: index as u64, count: leaves.len() as u64, siblings })
    }

    /// Whether `leaf` stands at this place under `root`.
    #[must_use]
    pub fn verify(&self, root: &Digest, leaf: &Digest) -> bool {
        if self.index >= self.count || self.siblings.len() > PROOF_MAX_LEVELS {
            return false;
        }
        let mut node = *leaf;
        let (mut at, mut width) = (self.index, self.count);
        let mut siblings = self.siblings.iter();
        while width > 1 {
            if at ^ 1 < width {
                let Some(sibling) = siblings.next() else { return false };
                node = if at.is_multiple_of(2) { pair(&node, sibling) } else { pair(sibling, &node) };
            }
            at /= 2;
            width = width.div_ceil(2);
        }
        siblings.next().is_none() && seal_count(self.count, Some(&node)) == *root
    }
}

fn next_level(level: &[Digest]) -> Vec<Digest> {
    level.chunks(2).map(|two| if let [left, right] = two { pair(left, right) } else { two[0] }).collect()
}

fn pair(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(NODE_DOMAIN, &[&left.0, &right.0])
}

fn seal(count: usize, top: Option<&Digest>) -> Digest {
    seal_count(count as u64, top)
}

fn seal_count(count: u64, top: Option<&Digest>) -> Digest {
    let top = top.map_or(&[][..], |digest| &digest.0);
    Digest::of_parts(ROOT_DOMAIN, &[&count.to_le_bytes(), top])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|i| leaf(&i.to_le_bytes())).collect()
    }

    proptest::proptest! {
        #[test]
        fn every_leaf_is_proven_and_nothing_else(count in 1usize..70, pick: usize, other: usize) {
            let all = leaves(count);
            let top = root(&all);
            let (at, wrong) = (pick % count, other % count);
            let proof = Proof::of(&all, at).unwrap();
            proptest::prop_assert!(proof.verify(&top, &all[at]));
            proptest::prop_assert_eq!(proof.verify(&top, &all[wrong]), at == wrong);
            let moved = Proof { index: wrong as u64, ..proof.clone() };
            proptest::prop_assert_eq!(moved.verify(&top, &all[at]), at == wrong);
            let longer = Proof { count: proof.count + 1, ..proof };
            proptest::prop_assert!(!longer.verify(&top, &all[at]));
        }

        #[test]
        fn any_change_of_the_list_changes_the_root(count in 1usize..40, at: usize) {
            let all = leaves(count);
            let mut changed = all.clone();
            changed.remove(at % count);
            proptest::prop_assert_ne!(root(&all), root(&changed));
            let mut doubled = all.clone();
            doubled.push(all[count - 1]);
            proptest::prop_assert_ne!(root(&all), root(&doubled));
        }
    }
}
