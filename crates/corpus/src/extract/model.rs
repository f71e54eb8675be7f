//! The learned judgement: which blocks of a page are its main text.
//!
//! A first forest gives each block a chance by its features; a second one corrects it by the chances around the block.
//! The weights come from `training`, which says on what and how they were learned.

use std::sync::LazyLock;

use super::{
    block::Blocks,
    context::{self, Choice},
    features::{self, Features},
    forest::Forest,
};
use crate::html::Tree;

/// The two forests, the logistic function and the least expected F1, as [`Model::read`] takes them.
const WEIGHTS: &[u8] = include_bytes!("weights.bin");
/// Entries of the logistic function's table.
const CHANCES: usize = 1024;
/// Scores per entry, in units of a forest's.
const SCORES_PER_CHANCE: i32 = 16;

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    Model::read(WEIGHTS).expect("the weights are part of the program, and a test reads them")
});

struct Model {
    first: Forest,
    second: Forest,
    /// The chance in thousandths for each score, from the lowest on.
    chances: Vec<i64>,
    /// Where less is expected, the page has no main text.
    expected_min_permille: i64,
}

impl Model {
    fn read(mut bytes: &[u8]) -> Option<Self> {
        let first = Forest::read(&mut bytes)?;
        let second = Forest::read(&mut bytes)?;
        let (numbers, rest) = bytes.as_chunks::<2>();
        let mut numbers: Vec<i64> = numbers.iter().map(|number| u16::from_le_bytes(*number).into()).collect();
        let expected_min_permille = numbers.pop()?;
        let is_sound = first.features() == features::COUNT
            && second.features() == context::COUNT
            && numbers.len() == CHANCES
            && numbers.iter().all(|chance| *chance <= 1000)
            && rest.is_empty();
        is_sound.then_some(Self { first, second, chances: numbers, expected_min_permille })
    }

    fn chance(&self, score: i32) -> i64 {
        let middle = i32::try_from(CHANCES / 2).expect("a small number");
        let at = score.div_euclid(SCORES_PER_CHANCE).saturating_add(middle);
        let last = CHANCES - 1;
        self.chances[usize::try_from(at).unwrap_or(0).min(last)]
    }
}

/// Whether each block of a page is main text.
pub(super) fn judge(html_bytes: usize, tree: &Tree<'_>, blocks: &Blocks) -> Vec<bool> {
    let model = &*MODEL;
    let features = Features::of(html_bytes, tree, blocks);
    let chances = |forest: &Forest, rows: &[i32]| -> Vec<i64> {
        forest.scores(rows).into_iter().map(|score| model.chance(score)).collect()
    };
    let first = chances(&model.first, &features.rows);
    let second = chances(&model.second, &context::rows(&features, &first));
    let both: Vec<i64> = first.iter().zip(&second).map(|(first, second)| (first + second) / 2).collect();
    let choice = Choice::of(features.readings.iter().map(|reading| reading.sums.words), &both);
    let mut is_main = vec![false; blocks.list().len()];
    if choice.expected_permille >= model.expected_min_permille {
        for (reading, is_chosen) in features.readings.iter().zip(choice.is_chosen) {
            is_main[reading.block] = is_chosen;
        }
    }
    is_main
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_are_whole() {
        assert!(Model::read(WEIGHTS).is_some());
        assert!(Model::read(&WEIGHTS[..WEIGHTS.len() - 1]).is_none());
        let model = Model::read(WEIGHTS).unwrap();
        assert_eq!(
            (model.chance(i32::MIN), model.chance(i32::MAX)),
            (model.chances[0], model.chances[CHANCES - 1])
        );
        assert!(model.chances.is_sorted());
        assert_eq!(model.chance(0), 502);
    }
}
