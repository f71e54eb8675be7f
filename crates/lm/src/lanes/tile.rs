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
