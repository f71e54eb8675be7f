//! Sums of decision trees over integers: the same bits on every machine.

/// Trees whose leaves add up to a score, in units of 1/1024 of log-odds.
///
/// In bytes, all numbers little-endian: `u16` features, `u16` trees, `i32` what the sum begins with; then each tree:
/// `u8` splits, for each split `u16` feature, `i32` threshold and two `i16` children; then `i16` for each of its leaves,
/// of which there is one more than splits. A feature up to the threshold leads to the first child, a greater one to the
/// second. A child from 0 on is a split of the tree, one below the leaf of number −1 − child.
#[derive(Debug)]
pub(super) struct Forest {
    features: usize,
    bias: i32,
    trees: Vec<Tree>,
    splits: Vec<Split>,
    leaves: Vec<i16>,
}

/// Where a tree's splits and leaves begin, and its first child.
#[derive(Clone, Copy, Debug)]
struct Tree {
    splits: usize,
    leaves: usize,
    root: i16,
}

#[derive(Clone, Copy, Debug)]
struct Split {
    feature: u16,
    threshold: i32,
    children: [i16; 2],
}

impl Forest {
    /// Reads a forest off the front of `bytes`; none where they are no forest.
    pub(super) fn read(bytes: &mut &[u8]) -> Option<Self> {
        let features = usize::from(u16::from_le_bytes(take(bytes)?));
        let count = u16::from_le_bytes(take(bytes)?);
        let bias = i32::from_le_bytes(take(bytes)?);
        let mut forest = Self { features, bias, trees: Vec::new(), splits: Vec::new(), leaves: Vec::new() };
        for _ in 0..count {
            let splits = i16::from(u8::from_le_bytes(take(bytes)?));
            let root = if splits > 0 { 0 } else { -1 };
            forest.trees.push(Tree { splits: forest.splits.len(), leaves: forest.leaves.len(), root });
            for number in 0..splits {
                let feature = u16::from_le_bytes(take(bytes)?);
                let threshold = i32::from_le_bytes(take(bytes)?);
                let children = [i16::from_le_bytes(take(bytes)?), i16::from_le_bytes(take(bytes)?)];
                // Children come behind their parents, so that every walk ends.
                let is_sound =
                    |child: &i16| (number + 1..splits).contains(child) || (-1 - splits..0).contains(child);
                if usize::from(feature) >= features || !children.iter().all(is_sound) {
                    return None;
                }
                forest.splits.push(Split { feature, threshold, children });
            }
            for _ in 0..=splits {
                forest.leaves.push(i16::from_le_bytes(take(bytes)?));
            }
        }
        Some(forest)
    }

    /// How many features it asks for.
    pub(super) fn features(&self) -> usize {
        self.features
    }

    /// The scores of rows of features, one behind the other. Tree by tree, since a tree stays near the processor while
    /// all rows go through it.
    pub(super) fn scores(&self, rows: &[i32]) -> Vec<i32> {
        let mut scores = vec![self.bias; rows.len() / self.features.max(1)];
        for tree in &self.trees {
            for (score, row) in scores.iter_mut().zip(rows.chunks_exact(self.features.max(1))) {
                let mut child = tree.root;
                while let Ok(at) = usize::try_from(child) {
                    let split = &self.splits[tree.splits + at];
                    child = split.children[usize::from(row[usize::from(split.feature)] > split.threshold)];
                }
                *score += i32::from(self.leaves[tree.leaves + usize::from((-1 - child).unsigned_abs())]);
            }
        }
        scores
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(numbers: &[(i32, usize)]) -> Vec<u8> {
        numbers.iter().flat_map(|(number, length)| number.to_le_bytes()[..*length].to_vec()).collect()
    }

    /// A leaf alone, and a tree of two splits over two features.
    fn forest(second_child: i32) -> Vec<u8> {
        let head = [(2, 2), (2, 2), (100, 4), (0, 1), (7, 2), (2, 1)];
        let splits = [(1, 2), (-5, 4), (-1, 2), (1, 2), (0, 2), (70_000, 4), (second_child, 2), (-3, 2)];
        bytes(&[&head[..], &splits, &[(10, 2), (20, 2), (-300, 2)]].concat())
    }

    #[test]
    fn leaves_are_found_and_added_up() {
        let bytes = forest(-2);
        let mut rest = &bytes[..];
        let forest = Forest::read(&mut rest).unwrap();
        assert!(rest.is_empty());
        let check =
            |features: [i32; 2], expect| assert_eq!(forest.scores(&features), [expect], "{features:?}");
        check([0, -5], 117);
        check([70_000, -4], 127);
        check([70_001, -4], -193);
    }

    #[test]
    fn walks_that_would_not_end_are_refused() {
        for child in [0, 1, 2, -4] {
            assert!(Forest::read(&mut &forest(child)[..]).is_none(), "{child}");
        }
        let whole = forest(-2);
        for length in 0..whole.len() {
            assert!(Forest::read(&mut &whole[..length]).is_none(), "{length} bytes");
        }
    }
}
