//! Matrix products in the fixed order that the whole crate rests on.
//!
//! Element (i, j) of a product is made so: k goes in blocks of [`K_BLOCK`]; the sum of a block starts at zero and is
//! a chain of fused multiply-adds in order of k; the sums of the blocks are added to the element in order. Vectors
//! run across j and threads across i, so that neither tile size, SIMD width nor the number of threads can be seen.

mod packed;

pub(crate) use packed::{Growing, Packed};

use crate::{
    compute::Compute,
    lanes::{Kernel, Lanes, Line, WIDE, Wide, tile},
};

/// How many products are chained before their sum is added to the element: part of the contract.
pub(crate) const K_BLOCK: usize = 256;
/// Rows and columns of the tile held in registers: 6 × 2 sums, 2 loads and a broadcast fill the 16 AVX registers. Where
/// there are 32 of twice the width, two tiles beside and two below each other are held, see [`Wide::IS_ONE`].
const TILE_ROWS: usize = 6;
const TALL: usize = 2 * TILE_ROWS;
/// Rows of the smaller tiles for what is left over of those.
const EIGHT: usize = 8;
const SHORT: usize = 4;
const TILE_COLUMNS: usize = WIDE;
/// Rows of the left matrix for which a panel of the right one is kept in the first-level cache.
const ROWS: usize = 8 * TILE_ROWS;
/// Tasks have a multiple of so many rows.
const SHARED_ROWS: usize = 4 * TILE_ROWS;
/// Columns of the left side are read where they lie if the block's part of them, in numbers, fits the first-level cache.
const CLOSE: usize = 8192;

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

impl Onto<'_> {
    /// The same for what lies from there on.
    #[inline(always)]
    fn from(self, place: usize) -> Self {
        match self {
            Onto::Rows(from) => Onto::Rows(&from[place..]),
            other => other,
        }
    }
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
        self.compute::<L>(&mut [0.0; (ROWS + SHORT) * K_BLOCK]);
    }
}

/// Space for packed rows of the left side: of those of a tile, column after column. Where there are fewer rows than the
/// last tile has, it has zeros.
pub(crate) type Strips = [f32; (ROWS + SHORT) * K_BLOCK];

/// Empty space for packed rows.
pub(crate) fn strips() -> Box<Strips> {
    Box::new([0.0; (ROWS + SHORT) * K_BLOCK])
}

impl Product<'_> {
    /// Computes the product, with the caller's space for packed rows.
    #[inline(always)]
    pub(crate) fn compute<L: Lanes>(self, strips: &mut Strips) {
        debug_assert!(
            self.k <= self.right.k && self.first_column + self.columns <= self.right.columns,
            "what counts has been packed"
        );
        debug_assert!(self.first_column.is_multiple_of(TILE_COLUMNS), "panels are whole");
        let (panels, first_panel) =
            (self.right.columns.div_ceil(TILE_COLUMNS), self.first_column / TILE_COLUMNS);
        debug_assert!(self.k > 0 || self.onto == Onto::Sum, "what stands there would be left");
        if let (Onto::Rows(from), 1) = (self.onto, self.rows) {
            self.to[..self.columns].copy_from_slice(&from[..self.columns]);
        }
        for first_k in (0..self.k).step_by(K_BLOCK) {
            let depth = K_BLOCK.min(self.k - first_k);
            // How deep the block was packed, which is more where only the first part of it counts.
            let packed_depth = K_BLOCK.min(self.right.k - first_k);
            let block = &self.right.data[first_k * panels + first_panel * packed_depth..];
            let onto = if first_k > 0 { Onto::Sum } else { self.onto };
            if self.rows == 1 {
                let left = &mut strips[..depth];
                left.iter_mut().enumerate().for_each(|(k, to)| *to = self.left.at(0, first_k + k));
                let add = onto != Onto::Nothing;
                row::<L::Wide>(&mut self.to[..self.columns], left, block, packed_depth, add);
                continue;
            }
            for first_row in (0..self.rows).step_by(ROWS) {
                let rows = ROWS.min(self.rows - first_row);
                let read =
                    Read { left: self.left, lies: Lies::of(self.left, depth), first_row, first_k, depth };
                read.pack::<L::Wide>(strips, rows);
                let mut first_column = 0;
                while first_column < self.columns {
                    let panel = |number: usize| {
                        &block[(first_column / TILE_COLUMNS + number) * packed_depth..][..depth]
                    };
                    let left_over = self.columns - first_column;
                    let at = first_row * self.stride + first_column;
                    let onto = onto.from(at);
                    let place =
                        Place { to: &mut self.to[at..], stride: self.stride, rows, columns: left_over, onto };
                    // Whole tiles beside each other where registers hold them.
                    if L::Wide::IS_ONE && left_over >= 2 * TILE_COLUMNS {
                        tiles::<L::Wide, 2>(place, &read, strips, [panel(0), panel(1)]);
                        first_column += 2 * TILE_COLUMNS;
                    } else {
                        tiles::<L::Wide, 1>(place, &read, strips, [panel(0)]);
                        first_column += TILE_COLUMNS;
                    }
                }
            }
        }
    }
}

/// Where tiles go.
struct Place<'a> {
    to: &'a mut [f32],
    /// Distance of two rows in `to`.
    stride: usize,
    /// Rows and columns that there are; a tile may be larger.
    rows: usize,
    columns: usize,
    /// What the sums are added to.
    onto: Onto<'a>,
}

/// Where the left side of tiles comes from.
struct Read<'a> {
    left: Matrix<'a>,
    lies: Lies,
    first_row: usize,
    first_k: usize,
    depth: usize,
}

/// How the left side of a block lies in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lies {
    /// Row by row: read where it lies.
    Rows,
    /// Column by column, and close together: read where it lies.
    Columns,
    /// Otherwise: packed before it is read.
    Apart,
}

impl Lies {
    #[inline(always)]
    fn of(left: Matrix<'_>, depth: usize) -> Self {
        if left.column_stride == 1 {
            Self::Rows
        } else if left.row_stride == 1 && left.column_stride * depth <= CLOSE {
            Self::Columns
        } else {
            Self::Apart
        }
    }
}

/// How many of the rows left the next tile has: as many as registers hold the sums of, but so that few rows are left over in
/// the end. The last tile may have more than there are.
#[inline(always)]
fn height<W: Wide>(left: usize) -> usize {
    let tall = if W::IS_ONE { TALL } else { TILE_ROWS };
    if left >= tall && left != EIGHT && left != 2 * EIGHT {
        tall
    } else if W::IS_ONE && left >= EIGHT {
        EIGHT
    } else {
        SHORT
    }
}

impl Read<'_> {
    /// Packs those of the rows that are not read where they lie.
    #[inline(always)]
    fn pack<W: Wide>(&self, strips: &mut Strips, rows: usize) {
        if self.lies == Lies::Apart && self.left.row_stride == 1 {
            // What lies together is read together, since the next numbers are on another page of memory.
            match (rows, W::IS_ONE) {
                (ROWS, true) => return self.pack_columns::<{ ROWS }, { TALL }>(strips),
                (ROWS, false) => return self.pack_columns::<{ ROWS }, { TILE_ROWS }>(strips),
                (SHARED_ROWS, true) => return self.pack_columns::<{ SHARED_ROWS }, { TALL }>(strips),
                (SHARED_ROWS, false) => return self.pack_columns::<{ SHARED_ROWS }, { TILE_ROWS }>(strips),
                _ => {}
            }
        }
        let mut first = 0;
        while first < rows {
            let left = rows - first;
            let height = height::<W>(left);
            if self.lies == Lies::Apart || left < SHORT {
                let strip = &mut strips[first * K_BLOCK..][..height * self.depth];
                for (k, column) in strip.chunks_exact_mut(height).enumerate() {
                    for (i, to) in column.iter_mut().enumerate() {
                        let at = (self.first_row + first + i, self.first_k + k);
                        *to = if i < left { self.left.at(at.0, at.1) } else { 0.0 };
                    }
                }
            }
            first += height;
        }
    }

    /// Packs `N` rows of a transposed left side for tiles of `H`.
    #[inline(always)]
    fn pack_columns<const N: usize, const H: usize>(&self, strips: &mut Strips) {
        for k in 0..self.depth {
            let start = (self.first_k + k) * self.left.column_stride + self.first_row;
            let column = self.left.data[start..start + N].as_chunks::<H>().0;
            for (strip, part) in strips.chunks_exact_mut(H * K_BLOCK).zip(column) {
                strip.as_chunks_mut::<H>().0[k] = *part;
            }
        }
    }
}

/// The tiles of all rows with `P` panels beside each other.
#[inline(always)]
fn tiles<W: Wide, const P: usize>(place: Place<'_>, read: &Read<'_>, strips: &Strips, panels: [&[Line]; P]) {
    let Place { to, stride, rows, columns, onto } = place;
    let mut first = 0;
    while first < rows {
        let left = rows - first;
        let height = height::<W>(left);
        let row = read.first_row + first;
        let (numbers, apart, by_columns) = match read.lies {
            Lies::Rows if left >= SHORT => {
                let apart = read.left.row_stride;
                (&read.left.data[row * apart + read.first_k..], apart, false)
            }
            Lies::Columns if left >= SHORT => {
                let apart = read.left.column_stride;
                (&read.left.data[read.first_k * apart + row..], apart, true)
            }
            _ => (&strips[first * K_BLOCK..], height, true),
        };
        let at = first * stride;
        // Each has its own writing, that the sums stay in registers.
        macro_rules! write {
            ($rows:ident, $by_columns:literal) => {
                write_tile(
                    (&mut to[at..], onto.from(at)),
                    stride,
                    ($rows.min(left), columns),
                    tile::<W, P, $rows, $by_columns>(numbers, apart, panels),
                )
            };
        }
        match (height, by_columns) {
            (TALL, false) if W::IS_ONE => write!(TALL, false),
            (TALL, true) if W::IS_ONE => write!(TALL, true),
            (EIGHT, false) if W::IS_ONE => write!(EIGHT, false),
            (EIGHT, true) if W::IS_ONE => write!(EIGHT, true),
            (TILE_ROWS, false) if !W::IS_ONE => write!(TILE_ROWS, false),
            (TILE_ROWS, true) if !W::IS_ONE => write!(TILE_ROWS, true),
            (_, false) => write!(SHORT, false),
            (_, true) => write!(SHORT, true),
        }
        first += height;
    }
}

/// One row of a product within a block of k: memory is what it waits for, hence several panels at a time and no tile.
#[inline(always)]
fn row<W: Wide>(to: &mut [f32], left: &[f32], block: &[Line], packed_depth: usize, add: bool) {
    if W::IS_ONE {
        row_by::<W, 4>(to, left, block, packed_depth, add);
    } else {
        row_by::<W, 2>(to, left, block, packed_depth, add);
    }
}

/// As [`row`], `P` panels at a time, up to four.
#[inline(always)]
fn row_by<W: Wide, const P: usize>(
    to: &mut [f32],
    left: &[f32],
    block: &[Line],
    packed_depth: usize,
    add: bool,
) {
    let groups = to.chunks_mut(P * TILE_COLUMNS).zip(block.chunks(P * packed_depth));
    for (to, group) in groups {
        if to.len() == P * TILE_COLUMNS {
            write_row(to, dot::<W, P>(left, group, packed_depth), add);
        } else {
            for (to, panel) in to.chunks_mut(TILE_COLUMNS).zip(group.chunks(packed_depth)) {
                write_row(to, dot::<W, 1>(left, panel, packed_depth), add);
            }
        }
    }
}

/// The sums of one block for one row and `P` panels, one to four, that lie one behind the other.
#[inline(always)]
fn dot<W: Wide, const P: usize>(left: &[f32], panels: &[Line], packed_depth: usize) -> [W; P] {
    let panel = |number: usize| panels[(number % P) * packed_depth..].iter();
    let mut sums = [W::splat(0.0); P];
    let panels = panel(0).zip(panel(1)).zip(panel(2).zip(panel(3)));
    for (x, ((a, b), (c, d))) in left.iter().zip(panels) {
        let x = W::splat(*x);
        let right = [W::load(&a.0), W::load(&b.0), W::load(&c.0), W::load(&d.0)];
        for (sum, right) in sums.iter_mut().zip(right) {
            *sum = x.fma(right, *sum);
        }
    }
    sums
}

/// Writes or adds the first rows and columns of tiles beside each other to rows `stride` apart.
#[inline(always)]
fn write_tile<W: Wide, const P: usize, const R: usize>(
    (to, onto): (&mut [f32], Onto<'_>),
    stride: usize,
    (rows, columns): (usize, usize),
    sums: [[W; P]; R],
) {
    if rows == R && columns >= P * TILE_COLUMNS {
        for (i, mut sums) in sums.into_iter().enumerate() {
            let place = i * stride..i * stride + P * TILE_COLUMNS;
            let row = to[place.clone()].as_chunks_mut::<TILE_COLUMNS>().0;
            let from = match onto {
                Onto::Nothing => None,
                Onto::Sum => Some(&*row),
                Onto::Rows(from) => Some(from[place].as_chunks::<TILE_COLUMNS>().0),
            };
            if let Some(from) = from {
                for (sum, from) in sums.iter_mut().zip(from) {
                    *sum = W::load(from).add(*sum);
                }
            }
            for (to, sum) in row.iter_mut().zip(sums) {
                sum.store(to);
            }
        }
    } else {
        let mut numbers = [[[0.0; TILE_COLUMNS]; P]; R];
        for (numbers, sums) in numbers.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
            sums.store(numbers);
        }
        let columns = columns.min(P * TILE_COLUMNS);
        let numbers = numbers.as_flattened().as_flattened();
        write_part((to, onto), stride, (rows, columns), (numbers, P * TILE_COLUMNS));
    }
}

/// As [`write_tile`], where only a part of it counts; `sums` has the rows of a tile.
#[inline(never)]
fn write_part(
    (to, onto): (&mut [f32], Onto<'_>),
    stride: usize,
    (rows, columns): (usize, usize),
    (sums, width): (&[f32], usize),
) {
    for (i, sums) in sums.chunks_exact(width).take(rows).enumerate() {
        let place = i * stride..i * stride + columns;
        for ((to, sum), at) in to[place.clone()].iter_mut().zip(sums).zip(place) {
            *to = match onto {
                Onto::Nothing => *sum,
                Onto::Sum => *to + sum,
                Onto::Rows(from) => from[at] + sum,
            };
        }
    }
}

/// Writes or adds a vector.
#[inline(always)]
fn write<W: Wide>(to: &mut [f32; TILE_COLUMNS], sum: W, add: bool) {
    let out = if add { W::load(to).add(sum) } else { sum };
    out.store(to);
}

/// Writes or adds one row of tiles; of the last, `to` has as many numbers as there are columns left.
#[inline(always)]
fn write_row<W: Wide, const P: usize>(to: &mut [f32], sums: [W; P], add: bool) {
    for (to, sum) in to.chunks_mut(TILE_COLUMNS).zip(sums) {
        match to.as_chunks_mut::<TILE_COLUMNS>() {
            ([whole], []) => write(whole, sum, add),
            _ => {
                let mut numbers = [0.0; TILE_COLUMNS];
                sum.store(&mut numbers);
                for (to, sum) in to.iter_mut().zip(numbers) {
                    *to = if add { *to + sum } else { sum };
                }
            }
        }
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
    if rows == 1 {
        let share = compute.share(columns, 2 * TILE_COLUMNS);
        let tasks = to[..columns].chunks_mut(share).enumerate().map(|(index, to)| {
            let (first_column, columns) = (index * share, to.len());
            let onto = onto.from(first_column);
            Product { to, stride: columns, rows: 1, first_column, columns, k: right.k, left, right, onto }
        });
        return compute.each(tasks.collect());
    }
    let share = compute.share(rows, SHARED_ROWS);
    let tasks = to.chunks_mut(share * stride).enumerate().map(|(index, to)| {
        let rows = to.len() / stride;
        let left = left.rows_below(index * share);
        let onto = onto.from(index * share * stride);
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
