//! How much of a text stands in a page, in the page's order: what an open recipe is held to.

use crate::grams::{Grams, words_of};

/// Words in a run: what two texts share by chance is shorter.
const GRAM_WORDS: usize = 5;
/// Words of a line at whose end an extractor may leave the page's text for a later part of it: runs across such ends are
/// not counted. Shorter lines don't part runs, so that snippets strung together are no alignment.
const LINE_MIN_WORDS: usize = 12;
/// Places of one run in a page that are looked at. What repeats more often is a template's, and the first places
/// serve an extractor that kept it once.
const PLACES_MAX: usize = 32;

/// A text's runs of five words laid against those of a page's visible text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alignment {
    /// Runs in the text.
    pub grams: u32,
    /// Most of them that occur in the page in the same order.
    pub in_order: u32,
}

impl Alignment {
    /// Lays `text` against `page`, in time n log n of their lengths.
    #[must_use]
    pub fn of(text: &str, page: &str) -> Self {
        let mut index: Vec<(u64, u32)> = Grams::of(page, GRAM_WORDS).hashes().zip(0..).collect();
        index.sort_unstable();
        // Longest increasing subsequence of places: `ends[i]` is the least place at which a sequence of i + 1 ends.
        let mut ends: Vec<u32> = Vec::new();
        let mut grams = 0u32;
        let runs = passages(text);
        let runs = runs.iter().map(|passage| Grams::of(passage, GRAM_WORDS).hashes().collect::<Vec<u64>>());
        for gram in runs.flatten() {
            grams = grams.saturating_add(1);
            let first = index.partition_point(|(hash, _)| *hash < gram);
            let places = index[first..].iter().take(PLACES_MAX).take_while(|(hash, _)| *hash == gram);
            let places: Vec<u32> = places.map(|(_, place)| *place).collect();
            // Descending, so that one run of the text takes one place at most.
            for place in places.into_iter().rev() {
                let at = ends.partition_point(|end| *end < place);
                match ends.get_mut(at) {
                    Some(end) => *end = place,
                    None => ends.push(place),
                }
            }
        }
        Self { grams, in_order: u32::try_from(ends.len()).unwrap_or(u32::MAX) }
    }

    /// The share of the text's runs that stand in the page in order, in thousandths, rounded down; 0 for a text of
    /// fewer than five words.
    #[must_use]
    pub fn permille(&self) -> u16 {
        let share = u64::from(self.in_order) * 1000 / u64::from(self.grams.max(1));
        u16::try_from(share.min(1000)).expect("at most 1000")
    }
}

/// A text's lines, short ones together with those behind them.
fn passages(text: &str) -> Vec<String> {
    let (mut passages, mut open, mut words) = (Vec::new(), String::new(), 0);
    for line in text.lines() {
        open.push_str(line);
        open.push('\n');
        words += words_of(line).count();
        if words >= LINE_MIN_WORDS {
            passages.push(std::mem::take(&mut open));
            words = 0;
        }
    }
    passages.push(open);
    passages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(from: usize, to: usize) -> String {
        (from..to).map(|i| format!("w{i} ")).collect()
    }

    #[test]
    fn order_and_words_count() {
        let page = text(0, 1000);
        let check = |text: &str, expect: u16| assert_eq!(Alignment::of(text, &page).permille(), expect);
        check(&text(0, 1000), 1000);
        check(&text(300, 400), 1000);
        check(&text(1000, 1100), 0);
        let backwards: String = (0..1000).rev().map(|i| format!("w{i} ")).collect();
        check(&backwards, 0);
        check("w1 w2", 0);
        // Two halves in the wrong order: the longer one counts.
        check(&(text(600, 900) + &text(0, 100)), 747);
        // Every tenth of fifty sentences is not the page's: it costs itself and the runs across its ends.
        let injected: String = (0..50)
            .map(|i| if i % 10 == 9 { text(2000 + i * 20, 2020 + i * 20) } else { text(i * 20, i * 20 + 20) })
            .collect();
        let share = Alignment::of(&injected, &page).permille();
        assert!((840..900).contains(&share), "{share}");
    }

    #[test]
    fn leaving_out_parts_is_honest_and_snippets_are_not() {
        let page = text(0, 1000);
        let with_lines = |words: usize| -> String {
            (0..1000 / (2 * words)).map(|i| text(2 * i * words, (2 * i + 1) * words) + "\n").collect()
        };
        assert_eq!(Alignment::of(&with_lines(20), &page).permille(), 1000);
        assert!(Alignment::of(&with_lines(5), &page).permille() < 400);
    }

    #[test]
    fn repetition_costs_bounded_time() {
        let many = "a b c d e ".repeat(20_000);
        let alignment = Alignment::of(&many, &many);
        assert_eq!(alignment.grams, 99_996);
        assert!(alignment.permille() < 10);
    }
}
