//! The right side of a product, laid out as its tiles read it.

use super::{K_BLOCK, Matrix, TILE_COLUMNS};
use crate::{
    compute::Compute,
    lanes::{Kernel, Lanes, Line},
};

/// Zeros.
const EMPTY: Line = Line([0.0; TILE_COLUMNS]);

/// The right side of a product, laid out as the tiles read it: blocks of k; in each, panels of
/// [`TILE_COLUMNS`] columns, padded with zeros; in each, the rows of the block.
#[derive(Default)]
pub(crate) struct Packed {
    /// More may stand behind what counts, of a larger matrix before.
    pub(super) data: Vec<Line>,
    pub(super) k: usize,
    pub(super) columns: usize,
}

impl Packed {
    /// Lays out a matrix of `k` rows and `columns` columns, reusing the space of what was there.
    #[inline(always)]
    pub(crate) fn fill(&mut self, from: Matrix<'_>, k: usize, columns: usize) {
        let panels = columns.div_ceil(TILE_COLUMNS);
        let data = self.room(k, columns);
        for (index, block) in data.chunks_mut((K_BLOCK * panels).max(1)).enumerate() {
            pack_block(block, from.rows_below(index * K_BLOCK), columns);
        }
    }

    /// Place for a matrix of another size, with whatever stands there.
    fn room(&mut self, k: usize, columns: usize) -> &mut [Line] {
        let lines = k * columns.div_ceil(TILE_COLUMNS);
        if self.data.len() < lines {
            self.data.resize(lines, EMPTY);
        }
        (self.k, self.columns) = (k, columns);
        &mut self.data[..lines]
    }

    /// As [`Packed::fill`], the blocks shared out among the threads.
    pub(crate) fn fill_with(&mut self, compute: &Compute, from: Matrix<'_>, k: usize, columns: usize) {
        let panels = columns.div_ceil(TILE_COLUMNS);
        let blocks = self.room(k, columns).chunks_mut((K_BLOCK * panels).max(1)).enumerate();
        compute.each(
            blocks
                .map(|(index, block)| PackBlock { block, from: from.rows_below(index * K_BLOCK), columns })
                .collect(),
        );
    }
}

/// A right side that grows by columns, of at most [`K_BLOCK`] rows: what was there stays where it is.
impl Packed {
    /// No columns yet, of `k` rows.
    pub(crate) fn without_columns(k: usize) -> Self {
        debug_assert!(k <= K_BLOCK, "a second block would have to move");
        Self { data: Vec::new(), k, columns: 0 }
    }

    /// Adds a column of `k` numbers.
    pub(crate) fn push_column(&mut self, numbers: &[f32]) {
        let (panel, place) = (self.columns / TILE_COLUMNS, self.columns % TILE_COLUMNS);
        if place == 0 {
            self.data.resize(self.data.len() + self.k, EMPTY);
        }
        for (row, number) in self.data[panel * self.k..].iter_mut().zip(numbers) {
            row.0[place] = *number;
        }
        self.columns += 1;
    }
}

/// A right side that grows by rows. Its blocks are laid out at their full depth from the first row on, so that nothing
/// moves; rows that are not there yet are zero.
pub(crate) struct Growing {
    packed: Packed,
    rows: usize,
}

impl Growing {
    /// No rows yet, of so many columns.
    pub(crate) fn new(columns: usize) -> Self {
        Self { packed: Packed { data: Vec::new(), k: 0, columns }, rows: 0 }
    }

    /// Adds a row of as many numbers as there are columns.
    pub(crate) fn push(&mut self, numbers: &[f32]) {
        let panels = self.packed.columns.div_ceil(TILE_COLUMNS);
        let (block, k) = (self.rows / K_BLOCK, self.rows % K_BLOCK);
        if k == 0 {
            self.packed.k += K_BLOCK;
            self.packed.data.resize(self.packed.k * panels, EMPTY);
        }
        let block = &mut self.packed.data[block * K_BLOCK * panels..];
        for (panel, numbers) in block.chunks_exact_mut(K_BLOCK).zip(numbers.chunks(TILE_COLUMNS)) {
            panel[k].0[..numbers.len()].copy_from_slice(numbers);
        }
        self.rows += 1;
    }

    /// The rows so far, as the first of what is packed.
    pub(crate) fn packed(&self) -> &Packed {
        &self.packed
    }
}

struct PackBlock<'a> {
    block: &'a mut [Line],
    from: Matrix<'a>,
    columns: usize,
}

impl Kernel for PackBlock<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        pack_block(self.block, self.from, self.columns);
    }
}

#[inline(always)]
fn pack_block(block: &mut [Line], from: Matrix<'_>, columns: usize) {
    let depth = block.len() / columns.div_ceil(TILE_COLUMNS).max(1);
    for (rows, first) in block.chunks_exact_mut(depth.max(1)).zip((0..).step_by(TILE_COLUMNS)) {
        let valid = TILE_COLUMNS.min(columns - first);
        if from.column_stride == 1 {
            for (k, row) in rows.iter_mut().enumerate() {
                let line = &from.data[k * from.row_stride + first..];
                // A copy of known length is two moves, any other a call.
                match line.first_chunk::<TILE_COLUMNS>() {
                    Some(line) if valid == TILE_COLUMNS => row.0 = *line,
                    _ => {
                        row.0[..valid].copy_from_slice(&line[..valid]);
                        row.0[valid..].fill(0.0);
                    }
                }
            }
        } else {
            // Column by column: those lie contiguous in a transposed matrix.
            for column in 0..TILE_COLUMNS {
                if column < valid {
                    let line = &from.data[(first + column) * from.column_stride..];
                    for (k, row) in rows.iter_mut().enumerate() {
                        row.0[column] = line[k * from.row_stride];
                    }
                } else {
                    rows.iter_mut().for_each(|row| row.0[column] = 0.0);
                }
            }
        }
    }
}
