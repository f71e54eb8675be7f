//! Matrix products in the fixed order that the whole crate rests on.
//!
//! Element (i, j) of a product is made so: k goes in blocks of [`K_BLOCK`]; the sum of a block starts at zero and is
//! a chain of fused multiply-adds in order of k; the sums of the blocks are added to the element in order. Vectors
//! run across j and threads across i, so that neither tile size, SIMD width nor the number of threads can be seen.

use crate::{
    compute::Compute,
    lanes::{Kernel, LANES, Lanes},
};

/// How many products are chained before their sum is added to the element: part of the contract.
pub(crate) const K_BLOCK: usize = 256;
/// Rows and vectors of the tile held in registers: 6 × 2 sums, 2 loads and a broadcast fill the 16 AVX registers.
const TILE_ROWS: usize = 6;
const TILE_COLUMNS: usize = 2 * LANES;
/// Rows of the left matrix packed at a time: with one panel of the right one they stay in the first-level cache.
const ROWS: usize = 4 * TILE_ROWS;

/// A matrix somewhere in a slice: element (i, j) is at `i · row_stride + j · column_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after the other, `stride` numbers apart.
    pub(crate) fn rows(data: &'a [f32], stride: usize) -> Self {
        Self { data, row_stride: stride, column_stride: 1 }
    }

    /// The same numbers with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self { data: self.data, row_stride: self.column_stride, column_stride: self.row_stride }
    }

    #[inline(always)]
    fn at(&self, i: usize, j: usize) -> f32 {
        self.data[i * self.row_stride + j * self.column_stride]
    }

    fn rows_below(self, i: usize) -> Self {
        Self { data: &self.data[(i * self.row_stride).min(self.data.len())..], ..self }
    }
}

/// The right side of a product, laid out as the tiles read it: blocks of k; in each, panels of
/// [`TILE_COLUMNS`] columns, padded with zeros; in each, the rows of the block.
#[derive(Default)]
pub(crate) struct Packed {
    data: Vec<f32>,
    k: usize,
    columns: usize,
}

impl Packed {
    /// Lays out a matrix of `k` rows and `columns` columns, reusing the space of what was there.
    #[inline(always)]
    pub(crate) fn fill(&mut self, from: Matrix<'_>, k: usize, columns: usize) {
        let width = columns.next_multiple_of(TILE_COLUMNS);
        self.data.resize(k * width, 0.0);
        (self.k, self.columns) = (k, columns);
        for (index, block) in self.data.chunks_mut((K_BLOCK * width).max(1)).enumerate() {
            pack_block(block, from.rows_below(index * K_BLOCK), columns);
        }
    }

    /// As [`Packed::fill`], the blocks shared out among the threads.
    pub(crate) fn fill_with(&mut self, compute: &Compute, from: Matrix<'_>, k: usize, columns: usize) {
        let width = columns.next_multiple_of(TILE_COLUMNS);
        self.data.resize(k * width, 0.0);
        (self.k, self.columns) = (k, columns);
        let blocks = self.data.chunks_mut((K_BLOCK * width).max(1)).enumerate();
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
            self.data.resize(self.data.len() + self.k * TILE_COLUMNS, 0.0);
        }
        let panel = self.data[panel * self.k * TILE_COLUMNS..].as_chunks_mut::<TILE_COLUMNS>().0;
        for (row, number) in panel.iter_mut().zip(numbers) {
            row[place] = *number;
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
        let width = self.packed.columns.next_multiple_of(TILE_COLUMNS);
        let (block, k) = (self.rows / K_BLOCK, self.rows % K_BLOCK);
        if k == 0 {
            self.packed.k += K_BLOCK;
            self.packed.data.resize(self.packed.k * width, 0.0);
        }
        let block = &mut self.packed.data[block * K_BLOCK * width..];
        let panels = block.chunks_exact_mut(K_BLOCK * TILE_COLUMNS);
        for (panel, numbers) in panels.zip(numbers.chunks(TILE_COLUMNS)) {
            panel[k * TILE_COLUMNS..][..numbers.len()].copy_from_slice(numbers);
        }
        self.rows += 1;
    }

    /// The rows so far, as the first of what is packed.
    pub(crate) fn packed(&self) -> &Packed {
        &self.packed
    }
}

struct PackBlock<'a> {
    block: &'a mut [f32],
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
fn pack_block(block: &mut [f32], from: Matrix<'_>, columns: usize) {
    let depth = block.len() / columns.next_multiple_of(TILE_COLUMNS).max(1);
    for (panel, first) in
        block.chunks_exact_mut((depth * TILE_COLUMNS).max(1)).zip((0..).step_by(TILE_COLUMNS))
    {
        let valid = TILE_COLUMNS.min(columns - first);
        let rows = panel.as_chunks_mut::<TILE_COLUMNS>().0;
        if from.column_stride == 1 {
            for (k, row) in rows.iter_mut().enumerate() {
                let line = &from.data[k * from.row_stride + first..];
                // A copy of known length is two moves, any other a call.
                match line.first_chunk::<TILE_COLUMNS>() {
                    Some(line) if valid == TILE_COLUMNS => *row = *line,
                    _ => {
                        row[..valid].copy_from_slice(&line[..valid]);
                        row[valid..].fill(0.0);
                    }
                }
            }
        } else {
            // Column by column: those lie contiguous in a transposed matrix.
            for column in 0..TILE_COLUMNS {
                if column < valid {
                    let line = &from.data[(first + column) * from.column_stride..];
                    for (k, row) in rows.iter_mut().enumerate() {
                        row[column] = line[k * from.row_stride];
                    }
                } else {
                    rows.iter_mut().for_each(|row| row[column] = 0.0);
                }
            }
        }
    }
}

/// What happens to the numbers that stand where the product goes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Onto<'a> {
    /// They are overwritten by the first block's sum.
    Nothing,
    /// Every block's sum is added to them.
    Sum,
    /// They are overwritten by these, which lie as they do, and every block's sum is added.
    Rows(&'a [f32]),
}

/// A product on one thread: rows of `to`, `stride` apart, get `left` times the packed matrix.
///
/// `k` and `columns` may be less than what was packed: the first so many count.
pub(crate) struct Product<'a> {
    /// Rows of the result: [rows, columns], `stride` apart.
    pub(crate) to: &'a mut [f32],
    /// Distance of two rows in `to`.
    pub(crate) stride: usize,
    /// How many rows.
    pub(crate) rows: usize,
    /// The first of the packed columns that count, a multiple of [`TILE_COLUMNS`].
    pub(crate) first_column: usize,
    /// How many columns from there on, at most those packed.
    pub(crate) columns: usize,
    /// How many products per element, at most the rows packed.
    pub(crate) k: usize,
    /// The left side: [rows, k].
    pub(crate) left: Matrix<'a>,
    /// The right side: [k, columns].
    pub(crate) right: &'a Packed,
    /// Whether to overwrite or to add.
    pub(crate) onto: Onto<'a>,
}

impl Kernel for Product<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let mut strips = [[0.0; TILE_ROWS * K_BLOCK]; ROWS / TILE_ROWS];
        self.compute::<L>(&mut strips);
    }
}

/// Space for packed rows of the left side.
pub(crate) type Strips = [[f32; TILE_ROWS * K_BLOCK]; ROWS / TILE_ROWS];

/// Empty space for packed rows.
pub(crate) fn strips() -> Box<Strips> {
    Box::new([[0.0; TILE_ROWS * K_BLOCK]; ROWS / TILE_ROWS])
}

impl Product<'_> {
    /// Computes the product, with the caller's space for packed rows.
    #[inline(always)]
    pub(crate) fn compute<L: Lanes>(self, strips: &mut Strips) {
        debug_assert!(
            self.k <= self.right.k && self.first_column + self.columns <= self.right.columns,
            "what counts has been packed"
        );
        let width = self.right.columns.next_multiple_of(TILE_COLUMNS);
        debug_assert!(self.k > 0 || self.onto == Onto::Sum, "what stands there would be left");
        if let (Onto::Rows(from), 1) = (self.onto, self.rows) {
            self.to[..self.columns].copy_from_slice(&from[..self.columns]);
        }
        for first_k in (0..self.k).step_by(K_BLOCK) {
            let depth = K_BLOCK.min(self.k - first_k);
            // How deep the block was packed, which is more where only the first part of it counts.
            let packed_depth = K_BLOCK.min(self.right.k - first_k);
            let block = &self.right.data[first_k * width + self.first_column * packed_depth..];
            let add = self.onto != Onto::Nothing || first_k > 0;
            if self.rows == 1 {
                let left = &mut strips[0][..depth];
                left.iter_mut().enumerate().for_each(|(k, to)| *to = self.left.at(0, first_k + k));
                row::<L>(&mut self.to[..self.columns], left, block, packed_depth, add);
                continue;
            }
            for first_row in (0..self.rows).step_by(ROWS) {
                let rows = ROWS.min(self.rows - first_row);
                if let (Onto::Rows(from), 0) = (self.onto, first_k) {
                    // Close to where they are added to, that they are still in the cache then.
                    let places = (first_row..first_row + rows).map(|row| row * self.stride);
                    for place in places {
                        self.to[place..][..self.columns].copy_from_slice(&from[place..][..self.columns]);
                    }
                }
                // Whole rows are read where they lie.
                let firsts = (first_row..first_row + rows).step_by(TILE_ROWS);
                if self.left.row_stride == 1 && rows == ROWS {
                    pack_columns(strips, self.left, first_row, first_k, depth);
                } else {
                    for (strip, first) in strips.iter_mut().zip(firsts.clone()) {
                        let rows = TILE_ROWS.min(self.rows - first);
                        if self.left.column_stride != 1 || rows < TILE_ROWS {
                            pack_strip(strip, self.left, first, rows, first_k, depth);
                        }
                    }
                }
                for first_column in (0..self.columns).step_by(TILE_COLUMNS) {
                    let panel = &block[first_column * packed_depth..][..depth * TILE_COLUMNS];
                    let valid = TILE_COLUMNS.min(self.columns - first_column);
                    for (strip, first) in strips.iter().zip(firsts.clone()) {
                        let to = &mut self.to[first * self.stride + first_column..];
                        let size = (TILE_ROWS.min(self.rows - first), valid);
                        // Each has its own writing, that the sums stay in registers.
                        if self.left.column_stride == 1 && first + TILE_ROWS <= self.rows {
                            let sums = tile_of_rows::<L>(self.left, first, first_k, panel);
                            write_tile(to, self.stride, size, sums, add);
                        } else {
                            let sums = tile::<L>(&strip[..depth * TILE_ROWS], panel);
                            write_tile(to, self.stride, size, sums, add);
                        }
                    }
                }
            }
        }
    }
}

/// As [`pack_strip`] for all strips of a transposed left side: what lies together is read together, since the next
/// numbers are on another page of memory.
#[inline(always)]
fn pack_columns(strips: &mut Strips, left: Matrix<'_>, first: usize, first_k: usize, depth: usize) {
    for k in 0..depth {
        let start = (first_k + k) * left.column_stride + first;
        let line = left.data[start..start + ROWS].as_chunks::<TILE_ROWS>().0;
        for (strip, part) in strips.iter_mut().zip(line) {
            strip.as_chunks_mut::<TILE_ROWS>().0[k] = *part;
        }
    }
}

/// Copies up to six rows of the left side, interleaved; rows that are not there are zero.
#[inline(always)]
fn pack_strip(
    strip: &mut [f32; TILE_ROWS * K_BLOCK],
    left: Matrix<'_>,
    first: usize,
    rows: usize,
    first_k: usize,
    depth: usize,
) {
    let groups = &mut strip.as_chunks_mut::<TILE_ROWS>().0[..depth];
    if left.row_stride == 1 && rows == TILE_ROWS {
        for (k, group) in groups.iter_mut().enumerate() {
            let start = (first_k + k) * left.column_stride + first;
            group.copy_from_slice(&left.data[start..start + TILE_ROWS]);
        }
    } else {
        for (k, group) in groups.iter_mut().enumerate() {
            for (i, to) in group.iter_mut().enumerate() {
                *to = if i < rows { left.at(first + i, first_k + k) } else { 0.0 };
            }
        }
    }
}

/// The sums of one block for six rows and two vectors of columns.
#[inline(always)]
fn tile<L: Lanes>(strip: &[f32], panel: &[f32]) -> [[L; 2]; TILE_ROWS] {
    let mut sums = [[L::splat(0.0); 2]; TILE_ROWS];
    let (strip, panel) = (strip.as_chunks::<TILE_ROWS>().0, panel.as_chunks::<TILE_COLUMNS>().0);
    for (left, right) in strip.iter().zip(panel) {
        let [low, high] = right.as_chunks::<LANES>().0 else { unreachable!("a panel is two vectors wide") };
        let (low, high) = (L::load(low), L::load(high));
        for i in 0..TILE_ROWS {
            let factor = L::splat(left[i]);
            sums[i][0] = factor.fma(low, sums[i][0]);
            sums[i][1] = factor.fma(high, sums[i][1]);
        }
    }
    sums
}

/// As [`tile`], the six rows read where they lie.
#[inline(always)]
fn tile_of_rows<L: Lanes>(
    left: Matrix<'_>,
    first: usize,
    first_k: usize,
    panel: &[f32],
) -> [[L; 2]; TILE_ROWS] {
    let panel = panel.as_chunks::<TILE_COLUMNS>().0;
    let row = |i: usize| &left.data[(first + i) * left.row_stride + first_k..][..panel.len()];
    let (pairs, more, rest) =
        (row(0).iter().zip(row(1)), row(2).iter().zip(row(3)), row(4).iter().zip(row(5)));
    let mut sums = [[L::splat(0.0); 2]; TILE_ROWS];
    for (right, (((a, b), (c, d)), (e, f))) in panel.iter().zip(pairs.zip(more).zip(rest)) {
        let [low, high] = right.as_chunks::<LANES>().0 else { unreachable!("a panel is two vectors wide") };
        let (low, high) = (L::load(low), L::load(high));
        for (factor, sums) in [a, b, c, d, e, f].into_iter().zip(&mut sums) {
            let factor = L::splat(*factor);
            sums[0] = factor.fma(low, sums[0]);
            sums[1] = factor.fma(high, sums[1]);
        }
    }
    sums
}

/// One row of a product within a block of k: memory is what it waits for, hence two panels at a time and no tile.
#[inline(always)]
fn row<L: Lanes>(to: &mut [f32], left: &[f32], block: &[f32], packed_depth: usize, add: bool) {
    let mut panels = block.chunks_exact(packed_depth * TILE_COLUMNS);
    for to in to.chunks_mut(2 * TILE_COLUMNS) {
        let first = panels.next().expect("every column has been packed").as_chunks::<TILE_COLUMNS>().0;
        if to.len() <= TILE_COLUMNS {
            let mut sums = [L::splat(0.0); 2];
            for (x, numbers) in left.iter().zip(first) {
                sums = step(L::splat(*x), numbers, sums);
            }
            write_row(to, sums, add);
        } else {
            let second = panels.next().expect("every column has been packed").as_chunks::<TILE_COLUMNS>().0;
            let mut sums = [[L::splat(0.0); 2]; 2];
            for (x, (first, second)) in left.iter().zip(first.iter().zip(second)) {
                let x = L::splat(*x);
                sums = [step(x, first, sums[0]), step(x, second, sums[1])];
            }
            let (low, high) = to.split_at_mut(TILE_COLUMNS);
            write_row(low, sums[0], add);
            write_row(high, sums[1], add);
        }
    }
}

/// One product more on two vectors of sums.
#[inline(always)]
fn step<L: Lanes>(x: L, numbers: &[f32; TILE_COLUMNS], sums: [L; 2]) -> [L; 2] {
    let [low, high] = numbers.as_chunks::<LANES>().0 else { unreachable!("a panel is two vectors wide") };
    [x.fma(L::load(low), sums[0]), x.fma(L::load(high), sums[1])]
}

/// Writes or adds the first rows and columns of a tile to rows `stride` apart.
#[inline(always)]
fn write_tile<L: Lanes>(
    to: &mut [f32],
    stride: usize,
    (rows, columns): (usize, usize),
    sums: [[L; 2]; TILE_ROWS],
    add: bool,
) {
    if (rows, columns) == (TILE_ROWS, TILE_COLUMNS) {
        for (i, [low, high]) in sums.into_iter().enumerate() {
            let row = to[i * stride..].first_chunk_mut::<TILE_COLUMNS>().expect("a whole row of the tile");
            let [first, second] = row.as_chunks_mut::<LANES>().0 else { unreachable!("two vectors") };
            write(first, low, add);
            write(second, high, add);
        }
    } else {
        let numbers = sums.map(|row| row.map(L::to_array));
        write_part(to, stride, (rows, columns), numbers.as_flattened().as_flattened(), add);
    }
}

/// As [`write_tile`], where only a part of it counts.
#[inline(never)]
fn write_part(to: &mut [f32], stride: usize, (rows, columns): (usize, usize), sums: &[f32], add: bool) {
    for (to, sums) in to.chunks_mut(stride).zip(sums.chunks_exact(TILE_COLUMNS)).take(rows) {
        for (to, sum) in to[..columns].iter_mut().zip(sums) {
            *to = if add { *to + sum } else { *sum };
        }
    }
}

/// Writes or adds a vector.
#[inline(always)]
fn write<L: Lanes>(to: &mut [f32; LANES], sum: L, add: bool) {
    let out = if add { L::load(to).add(sum) } else { sum };
    out.store(to);
}

/// Writes or adds one row of a tile; `to` has as many numbers as there are columns left.
#[inline(always)]
fn write_row<L: Lanes>(to: &mut [f32], [low, high]: [L; 2], add: bool) {
    match to.as_chunks_mut::<LANES>() {
        ([first, second], []) => {
            write(first, low, add);
            write(second, high, add);
        }
        _ => write_part(to, TILE_COLUMNS, (1, to.len()), [low, high].map(L::to_array).as_flattened(), add),
    }
}

/// `to` [rows, columns] gets, or is added, `left` [rows, k] times `right`, rows shared out among the threads; of a single
/// row its columns.
pub(crate) fn multiply(
    compute: &Compute,
    to: &mut [f32],
    stride: usize,
    columns: usize,
    left: Matrix<'_>,
    right: &Packed,
    onto: Onto<'_>,
) {
    let rows = to.len() / stride;
    let onto_from = |place: usize| match onto {
        Onto::Rows(from) => Onto::Rows(&from[place..]),
        other => other,
    };
    if rows == 1 {
        let share = compute.share(columns, 2 * TILE_COLUMNS);
        let tasks = to[..columns].chunks_mut(share).enumerate().map(|(index, to)| {
            let (first_column, columns) = (index * share, to.len());
            let onto = onto_from(first_column);
            Product { to, stride: columns, rows: 1, first_column, columns, k: right.k, left, right, onto }
        });
        return compute.each(tasks.collect());
    }
    let share = compute.share(rows, ROWS);
    let tasks = to.chunks_mut(share * stride).enumerate().map(|(index, to)| {
        let rows = to.len() / stride;
        let left = left.rows_below(index * share);
        let onto = onto_from(index * share * stride);
        Product { to, stride, rows, first_column: 0, columns, k: right.k, left, right, onto }
    });
    compute.each(tasks.collect());
}

#[cfg(test)]
mod tests {
    use primitives::Seed;
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::Instructions;

    fn numbers(seed: u64, len: usize) -> Vec<f32> {
        let mut stream = Seed::from_number(seed).stream("gemm", 0);
        (0..len).map(|_| stream.below(2_000_001) as f32 / 1e6 - 1.0).collect()
    }

    /// The contract, word for word.
    fn by_the_contract(
        to: &mut [f32],
        a: impl Fn(usize, usize) -> f32,
        b: impl Fn(usize, usize) -> f32,
        n: usize,
        k: usize,
        onto: Onto<'_>,
    ) {
        for (i, row) in to.chunks_mut(n).enumerate() {
            for (j, element) in row.iter_mut().enumerate() {
                for first in (0..k).step_by(K_BLOCK) {
                    let block = first..k.min(first + K_BLOCK);
                    let sum = block.fold(0.0f32, |sum, k| a(i, k).mul_add(b(k, j), sum));
                    *element = if first == 0 && onto == Onto::Nothing { sum } else { *element + sum };
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn products_have_the_contracts_bits_for_any_shape_stride_thread_count_and_path(
            m in 1usize..60, n in 1usize..60, k in 1usize..600, kinds: [bool; 3], threads in 1usize..4, seed: u64,
        ) {
            let (a, b) = (numbers(seed, m * k), numbers(seed ^ 1, k * n));
            let start = numbers(seed ^ 2, m * n);
            let onto = if kinds[2] { Onto::Sum } else { Onto::Nothing };
            let base = numbers(seed ^ 3, m * n);
            let left = if kinds[0] { Matrix::rows(&a, m).transposed() } else { Matrix::rows(&a, k) };
            let right = if kinds[1] { Matrix::rows(&b, k).transposed() } else { Matrix::rows(&b, n) };
            let mut expected = start.clone();
            by_the_contract(&mut expected, |i, k| left.at(i, k), |k, j| right.at(k, j), n, k, onto);
            for instructions in Instructions::available() {
                let compute = Compute::with(threads, instructions).unwrap();
                let mut packed = Packed::default();
                packed.fill_with(&compute, right, k, n);
                let mut got = start.clone();
                multiply(&compute, &mut got, n, n, left, &packed, onto);
                prop_assert_eq!(bits(&got), bits(&expected));
                let mut got = start.clone();
                multiply(&compute, &mut got, n, n, left, &packed, Onto::Rows(&base));
                let mut onto_base = base.clone();
                by_the_contract(&mut onto_base, |i, k| left.at(i, k), |k, j| right.at(k, j), n, k, Onto::Sum);
                prop_assert_eq!(bits(&got), bits(&onto_base));
                // The first columns and the first k alone.
                let (few, part) = (n.div_ceil(2), k.div_ceil(3));
                let mut got = start.clone();
                instructions.run(Product { to: &mut got, stride: n, rows: m, first_column: 0, columns: few, k: part, left, right: &packed, onto });
                let mut expected = start.clone();
                by_the_contract(&mut expected, |i, k| left.at(i, k), |k, j| right.at(k, j), n, part, onto);
                for (row, wanted) in got.chunks(n).zip(expected.chunks(n)) {
                    prop_assert_eq!(bits(&row[..few]), bits(&wanted[..few]));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_grew_gives_the_bits_of_what_was_packed_at_once(
            m in 1usize..8, n in 1usize..70, k in 1usize..600, threads in 1usize..4, seed: u64,
        ) {
            let (a, b) = (numbers(seed, m * k), numbers(seed ^ 1, k * n));
            let compute = Compute::new(threads).unwrap();
            let mut packed = Packed::default();
            packed.fill(Matrix::rows(&b, n), k, n);
            let mut expected = vec![0.0; m * n];
            multiply(&compute, &mut expected, n, n, Matrix::rows(&a, k), &packed, Onto::Nothing);
            let mut rows = Growing::new(n);
            b.chunks(n).for_each(|row| rows.push(row));
            let mut got = vec![0.0; m * n];
            let left = Matrix::rows(&a, k);
            compute.instructions().run(Product {
                to: &mut got, stride: n, rows: m, first_column: 0, columns: n, k, left, right: rows.packed(), onto: Onto::Nothing,
            });
            prop_assert_eq!(bits(&got), bits(&expected));
            if k <= K_BLOCK {
                let mut columns = Packed::without_columns(k);
                for column in 0..n {
                    columns.push_column(&b.iter().skip(column).step_by(n).copied().collect::<Vec<_>>());
                }
                let mut got = vec![0.0; m * n];
                multiply(&compute, &mut got, n, n, left, &columns, Onto::Nothing);
                prop_assert_eq!(bits(&got), bits(&expected));
            }
        }
    }

    fn bits(numbers: &[f32]) -> Vec<u32> {
        numbers.iter().map(|x| x.to_bits()).collect()
    }
}
