//! What is told of a block at the second look: how the blocks around it were judged at the first.

use super::{features::Features, outline::Element};

/// How many numbers a block has.
pub(super) const COUNT: usize = 47;
/// From this chance on a block counts as surely main text, in thousandths.
const SURE_PERMILLE: i64 = 700;
/// Blocks on either side whose own chances are told.
const NEIGHBOURS: usize = 4;
/// Neighbourhoods whose means are told, in blocks on either side.
const RADII: [usize; 3] = [2, 5, 12];
/// Elements around a block whose means are told.
const LEVELS: usize = 6;
/// Of those, the nearest, whose greatest chances are told as well.
const LEVELS_WITH_MAXIMUM: usize = 4;

/// Words, and their chances added up.
#[derive(Clone, Copy, Default)]
struct Mass {
    words: i64,
    chance: i64,
    greatest: i64,
}

impl Mass {
    fn add(&mut self, other: Self) {
        self.words += other.words;
        self.chance += other.chance;
        self.greatest = self.greatest.max(other.greatest);
    }

    fn without(self, other: Self) -> Self {
        Self { words: self.words - other.words, chance: self.chance - other.chance, ..self }
    }

    /// The mean chance of a word; −1 where there is none.
    fn mean(self) -> i64 {
        if self.words == 0 { -1 } else { self.chance / self.words }
    }
}

/// The numbers of all judged blocks, by their chances in thousandths.
pub(super) fn rows(features: &Features, chances: &[i64]) -> Vec<i32> {
    let readings = &features.readings;
    let mass = |at: usize| {
        let words = readings[at].sums.words;
        Mass { words, chance: words * chances[at], greatest: chances[at] }
    };
    let elements = &features.outline.elements;
    let mut within = vec![Mass::default(); elements.len()];
    let mut of_pattern = vec![Mass::default(); readings.len()];
    let mut of_section = vec![Mass::default(); readings.len() + 1];
    // What stands before each block, and before the page's end.
    let mut before = vec![Mass::default()];
    for at in 0..readings.len() {
        within[readings[at].place].add(mass(at));
        of_pattern[features.pattern[at]].add(mass(at));
        of_section[features.heading[at].map_or(0, |heading| heading + 1)].add(mass(at));
        let mut sum = before[at];
        sum.add(mass(at));
        before.push(sum);
    }
    for place in (1..elements.len()).rev() {
        let mass = within[place];
        within[elements[place].parent].add(mass);
    }
    let total = before[readings.len()];
    let choice = Choice::of(readings.iter().map(|reading| reading.sums.words), chances);
    let sure: Vec<usize> = (0..readings.len()).filter(|at| chances[*at] >= SURE_PERMILLE).collect();
    let mut rows = Vec::with_capacity(readings.len() * COUNT);
    for (at, reading) in readings.iter().enumerate() {
        let mut push = |number: i64| rows.push(i32::try_from(number).expect("chances and what is cut off"));
        let (own, chance) = (mass(at), chances[at]);
        push(chance);
        for distance in (1..=NEIGHBOURS).rev() {
            push(at.checked_sub(distance).map_or(-1, |other| chances[other]));
        }
        for distance in 1..=NEIGHBOURS {
            push(chances.get(at + distance).copied().unwrap_or(-1));
        }
        for radius in RADII {
            let end = readings.len().min(at + radius + 1);
            push(before[end].without(before[at.saturating_sub(radius)]).mean());
        }
        let mut place = reading.place;
        for level in 0..LEVELS {
            push(within[place].mean());
            if level < LEVELS_WITH_MAXIMUM {
                push(within[place].greatest);
            }
            push(within[place].without(own).mean());
            place = elements[place].parent;
        }
        let list = |record: Option<usize>| {
            record.map(|record| &elements[record]).map_or(-1, |record: &Element| within[record.parent].mean())
        };
        let (near, far) = features.records[at];
        push(list(near));
        push(list(far));
        let pattern = of_pattern[features.pattern[at]];
        push(pattern.mean());
        push(pattern.without(own).mean());
        let heading = features.heading[at];
        push(of_section[heading.map_or(0, |heading| heading + 1)].mean());
        push(heading.map_or(-1, |heading| chances[heading]));
        push(total.chance / total.words.max(1));
        push(choice.expected_permille);
        push(i64::from(chance * 2 >= choice.expected_permille));
        push(chance * 2 - choice.expected_permille);
        push(1000 * choice.words_above[at] / total.words.max(1));
        push((total.chance / 1000).min(20_000));
        push(before[at].chance * 1000 / total.chance.max(1));
        push(before[at].chance / before[at].words.max(1));
        let behind = total.without(before[at + 1]);
        push(behind.chance / behind.words.max(1));
        let last = sure.partition_point(|other| *other < at).checked_sub(1).map(|number| sure[number]);
        let next = sure.get(sure.partition_point(|other| *other <= at)).copied();
        let apart = |from: usize, to: usize| i64::try_from(to - from).expect("blocks are few").min(200);
        push(last.map_or(201, |last| apart(last, at)));
        push(next.map_or(201, |next| apart(at, next)));
        push(last.map_or(-1, |last| (before[at].words - before[last + 1].words).min(2000)));
        push(next.map_or(-1, |next| (before[next].words - before[at + 1].words).min(2000)));
    }
    rows
}

/// The blocks whose choice can be expected to be best: in the order of their chances, as many as give the greatest
/// expected F1.
///
/// Expected F1 of the first k blocks is taken as 2 Σₖ p w / (Σₖ w + Σ p w), w being a block's words and p its chance.
/// Source: Jansche, "A maximum expected utility framework for binary sequence labeling" (2007), with the expectation of
/// the quotient replaced by the quotient of the expectations.
pub(super) struct Choice {
    pub(super) is_chosen: Vec<bool>,
    pub(super) expected_permille: i64,
    /// For each block the words of those before it in the order of chances.
    words_above: Vec<i64>,
}

impl Choice {
    pub(super) fn of(words: impl Iterator<Item = i64>, chances: &[i64]) -> Self {
        let words: Vec<i64> = words.collect();
        let mut order: Vec<usize> = (0..words.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(chances[*at]));
        let total: i64 = words.iter().zip(chances).map(|(words, chance)| words * chance).sum();
        let (mut chosen, mut best) = (0, (0i128, 1i128));
        let (mut gained, mut taken) = (0, 0);
        let mut words_above = vec![0; words.len()];
        for (number, at) in order.iter().enumerate() {
            words_above[*at] = taken;
            gained += words[*at] * chances[*at];
            taken += words[*at];
            let expected = (i128::from(2 * gained), i128::from((1000 * taken + total).max(1)));
            if expected.0 * best.1 > best.0 * expected.1 {
                (chosen, best) = (number + 1, expected);
            }
        }
        let mut is_chosen = vec![false; words.len()];
        for at in &order[..chosen] {
            is_chosen[*at] = true;
        }
        let expected_permille = i64::try_from(1000 * best.0 / best.1).expect("at most 1000");
        Self { is_chosen, expected_permille, words_above }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_has_the_greatest_expected_f1() {
        let check = |blocks: &[(i64, i64)], expect: &[bool], permille: i64| {
            let chances: Vec<i64> = blocks.iter().map(|block| block.1).collect();
            let choice = Choice::of(blocks.iter().map(|block| block.0), &chances);
            assert_eq!((&choice.is_chosen[..], choice.expected_permille), (expect, permille), "{blocks:?}");
        };
        check(&[], &[], 0);
        check(&[(10, 0)], &[false], 0);
        check(&[(10, 1000), (10, 0)], &[true, false], 1000);
        check(&[(10, 900), (10, 400), (100, 100)], &[true, true, false], 604);
        check(&[(10, 300), (10, 400)], &[true, true], 518);
    }

    proptest::proptest! {
        #[test]
        fn no_other_number_of_blocks_is_expected_to_be_better(
            blocks in proptest::collection::vec((0i64..50, 0i64..=1000), 1..12),
        ) {
            let chances: Vec<i64> = blocks.iter().map(|block| block.1).collect();
            let choice = Choice::of(blocks.iter().map(|block| block.0), &chances);
            let total: i64 = blocks.iter().map(|block| block.0 * block.1).sum();
            let mut order = blocks.clone();
            order.sort_by_key(|block| std::cmp::Reverse(block.1));
            for length in 1..=order.len() {
                let gained: i64 = order[..length].iter().map(|block| block.0 * block.1).sum();
                let taken: i64 = order[..length].iter().map(|block| block.0).sum();
                proptest::prop_assert!(2000 * gained / (1000 * taken + total).max(1) <= choice.expected_permille);
            }
        }
    }
}
