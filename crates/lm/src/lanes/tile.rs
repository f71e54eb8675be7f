//! The innermost loop of products: the sums of a tile, which registers hold.
//!
//! Reads go behind pointers, so that a step costs no comparison and one register serves all rows of the left side; what a
//! tile reads is compared with what there is once, before its first step.

use super::{WIDE, Wide};

/// One row of a panel of the right side. It does not lie across two lines of a cache, which would be read twice.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Line(pub(crate) [f32; WIDE]);

/// Steps along k between two jumps.
const UNROLLED: usize = 4;

/// The sums over k of left (i, k) · right (k, j), each a chain of fused multiply-adds in order of k that starts at zero: of
/// `R` rows and of the columns of `P` panels. The first panel's length says how many k there are.
///
/// The left side starts with its slice; its rows, or with `COLUMNS` its columns, are `stride` apart.
///
/// # Panics
/// The left side or a panel ends too early.
#[inline(always)]
pub(crate) fn tile<W: Wide, const P: usize, const R: usize, const COLUMNS: bool>(
    left: &[f32],
    stride: usize,
    right: [&[Line]; P],
) -> [[W; P]; R] {
    let mut sums = [[W::splat(0.0); P]; R];
    let depth = right[0].len();
    if depth == 0 {
        return sums;
    }
    // From a number to that of the next row, and of the next column.
    let (row, column) = if COLUMNS { (1, stride) } else { (stride, 1) };
    let last = (R - 1).checked_mul(row).zip((depth - 1).checked_mul(column));
    let last = last.and_then(|(row, column)| row.checked_add(column));
    assert!(last.is_some_and(|last| last < left.len()), "the left side ends before the tile");
    let mut panels = [right[0].as_ptr(); P];
    for (start, panel) in panels.iter_mut().zip(right) {
        assert!(panel.len() >= depth, "a panel ends before the tile");
        *start = panel.as_ptr();
    }
    // SAFETY: the asserts have seen that numbers (R − 1) · row + (depth − 1) · column of the left side and line depth − 1 of
    // each panel are there, and no step reads beyond.
    unsafe {
        let mut left = left.as_ptr();
        for _ in 0..depth / UNROLLED {
            steps::<W, P, R, UNROLLED>(&mut sums, left, (row, column), panels);
            left = left.wrapping_add(UNROLLED * column);
            for panel in &mut panels {
                *panel = panel.wrapping_add(UNROLLED);
            }
        }
        for _ in 0..depth % UNROLLED {
            steps::<W, P, R, 1>(&mut sums, left, (row, column), panels);
            left = left.wrapping_add(column);
            for panel in &mut panels {
                *panel = panel.wrapping_add(1);
            }
        }
    }
    sums
}

/// `N` products more on each sum.
///
/// # Safety
/// Behind the pointers are the numbers of `R` rows and `N` columns, and `N` lines.
#[inline(always)]
unsafe fn steps<W: Wide, const P: usize, const R: usize, const N: usize>(
    sums: &mut [[W; P]; R],
    left: *const f32,
    (row, column): (usize, usize),
    panels: [*const Line; P],
) {
    for k in 0..N {
        let mut right = [W::splat(0.0); P];
        for (right, panel) in right.iter_mut().zip(panels) {
            // SAFETY: the caller says that the line is there.
            *right = W::load(unsafe { &(*panel.add(k)).0 });
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the caller says that the number is there.
            let number = W::splat(unsafe { *left.add(i * row + k * column) });
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = number.fma(right, *sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::{Instructions, Kernel, Lanes, Vector as _};

    /// A tile of three rows and two panels, as bits: row after row.
    struct Sums<'a> {
        left: &'a [f32],
        stride: usize,
        right: [&'a [Line]; 2],
        by_columns: bool,
    }

    impl Kernel for Sums<'_> {
        type Output = Vec<u32>;
        #[inline(always)]
        fn run<L: Lanes>(self) -> Vec<u32> {
            let sums = if self.by_columns {
                tile::<L::Wide, 2, 3, true>(self.left, self.stride, self.right)
            } else {
                tile::<L::Wide, 2, 3, false>(self.left, self.stride, self.right)
            };
            let mut numbers = [[0.0; WIDE]; 6];
            for (numbers, sum) in numbers.iter_mut().zip(sums.as_flattened()) {
                sum.store(numbers);
            }
            numbers.as_flattened().iter().map(|x| x.to_bits()).collect()
        }
    }

    proptest! {
        #[test]
        fn a_tile_has_the_sums_of_its_rows_and_columns(
            depth in 0usize..11, apart in 0usize..5, by_columns: bool, numbers in prop::collection::vec(-4.0f32..4.0, 600),
        ) {
            let stride = apart + if by_columns { 3 } else { depth };
            let (row, column) = if by_columns { (1, stride) } else { (stride, 1) };
            // No more than the tile reads.
            let len = if depth == 0 { 0 } else { 2 * row + (depth - 1) * column + 1 };
            let (left, rest) = numbers.split_at(len);
            let lines: Vec<Line> = rest.as_chunks().0.iter().map(|line| Line(*line)).collect();
            let right = [&lines[..depth], &lines[depth..2 * depth]];
            let mut expected = Vec::new();
            for (i, panel, j) in (0..3).flat_map(|i| (0..2 * WIDE).map(move |j| (i, j / WIDE, j % WIDE))) {
                let sum = (0..depth).fold(0.0f32, |sum, k| left[i * row + k * column].mul_add(right[panel][k].0[j], sum));
                expected.push(sum.to_bits());
            }
            for instructions in Instructions::available() {
                prop_assert_eq!(&instructions.run(Sums { left, stride, right, by_columns }), &expected);
            }
        }
    }

    #[test]
    fn a_tile_refuses_to_read_beyond_what_is_there() {
        let (left, lines) = (vec![0.0; 3 * 9], vec![Line([0.0; WIDE]); 9]);
        let tile = |left: &[f32], stride, right| {
            let sums = Sums { left, stride, right, by_columns: false };
            std::panic::catch_unwind(|| Instructions::best().run(sums)).is_ok()
        };
        assert!(tile(&left, 9, [&lines, &lines]));
        assert!(!tile(&left[..26], 9, [&lines, &lines]), "the left side lacks a number");
        assert!(!tile(&left, 9, [&lines, &lines[..8]]), "a panel lacks a line");
        assert!(!tile(&left, usize::MAX, [&lines, &lines]), "the stride overflows");
    }
}
