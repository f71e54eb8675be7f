//! Groups of documents that duplicates hold together, and the first of each.

use std::collections::BTreeMap;

use thiserror::Error;

use super::Claim;

/// Documents that are a duplicate of another, or have one: some 1.2 GiB.
pub const CLUSTERED_MAX: usize = 1 << 24;

/// There are more documents in clusters than memory is set aside for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("more than {CLUSTERED_MAX} documents are duplicates of each other")]
pub struct ClustersFull;

/// Sets of claims that [`join`](Clusters::join) has put together. Which sets there are does not depend on the order in
/// which that was done.
///
/// Source: Tarjan and van Leeuwen, "Worst-case Analysis of Set Union Algorithms" (1984): linking by size, which keeps every
/// path below the logarithm of its set's size.
#[derive(Clone, Debug, Default)]
pub struct Clusters {
    number_of: BTreeMap<Claim, u32>,
    /// By number.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Itself for the one that stands for its set, else one nearer to that.
    parent: u32,
    /// The earliest claim below it.
    first: Claim,
    /// Claims below it, itself among them.
    size: u32,
}

impl Clusters {
    /// Puts two claims into one set, with all that either was with.
    ///
    /// # Errors
    /// [`ClustersFull`] where that takes more than [`CLUSTERED_MAX`] claims.
    pub fn join(&mut self, one: Claim, other: Claim) -> Result<(), ClustersFull> {
        let (one, other) = (self.number(one)?, self.number(other)?);
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return Ok(());
        }
        let size = |number: u32| self.nodes[number as usize].size;
        let (small, large) = if size(one) < size(other) { (one, other) } else { (other, one) };
        let Node { first, size, .. } = self.nodes[small as usize];
        self.nodes[small as usize].parent = large;
        let root = &mut self.nodes[large as usize];
        root.first = root.first.min(first);
        root.size += size;
        Ok(())
    }

    /// The earliest claim of the set that this one is in: itself where it is in none.
    #[must_use]
    pub fn first(&self, claim: Claim) -> Claim {
        let root = |number: &u32| self.nodes[self.root(*number) as usize].first;
        self.number_of.get(&claim).map_or(claim, root)
    }

    /// Claims in all sets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn number(&mut self, claim: Claim) -> Result<u32, ClustersFull> {
        if let Some(&number) = self.number_of.get(&claim) {
            return Ok(number);
        }
        if self.nodes.len() >= CLUSTERED_MAX {
            return Err(ClustersFull);
        }
        let number = u32::try_from(self.nodes.len()).expect("at most 2^24 claims");
        self.number_of.insert(claim, number);
        self.nodes.push(Node { parent: number, first: claim, size: 1 });
        Ok(number)
    }

    fn root(&self, mut number: u32) -> u32 {
        while self.nodes[number as usize].parent != number {
            number = self.nodes[number as usize].parent;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use primitives::Seed;
    use proptest::prelude::*;

    use super::*;

    fn claim(number: u64) -> Claim {
        Claim { block: number / 4, row: number % 4 }
    }

    /// By walking: the least number that can be reached.
    fn reached(joined: &[(u64, u64)], from: u64) -> u64 {
        let mut found = vec![from];
        let mut at = 0;
        while at < found.len() {
            for &(a, b) in joined {
                for (here, there) in [(a, b), (b, a)] {
                    if here == found[at] && !found.contains(&there) {
                        found.push(there);
                    }
                }
            }
            at += 1;
        }
        found.into_iter().min().unwrap()
    }

    proptest! {
        #[test]
        fn the_first_is_the_least_that_can_be_reached(
            joined in prop::collection::vec((0u64..24, 0u64..24), 0..24),
            seed: u64,
        ) {
            let mut shuffled = joined.clone();
            Seed::from_number(seed).stream("shuffle", 0).shuffle(&mut shuffled);
            for order in [&joined, &shuffled] {
                let mut clusters = Clusters::default();
                for (a, b) in order {
                    clusters.join(claim(*a), claim(*b)).unwrap();
                }
                for number in 0..24 {
                    prop_assert_eq!(clusters.first(claim(number)), claim(reached(&joined, number)));
                }
            }
        }
    }
}
