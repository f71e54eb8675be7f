//! Matrix products in the fixed order that the whole crate rests on.
//!
//! Element (i, j) of a product is made so: k goes in blocks of [`K_BLOCK`]; the sum of a block starts at zero and is
//! a chain of fused multiply-adds in order of k; the sums of the blocks are added to the element in order. Vectors
//! run across j and threads across i, so that neither tile size, SIMD width nor the number of threads can be seen.

use crate::{
    compute::Compute,
    lanes::{Kernel, Lanes, Vector, WIDE, Wide},
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

/// One row of a panel. It does not lie across two lines of a cache, which would be read twice.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([f32; TILE_COLUMNS]);

/// Zeros.
const EMPTY: Line = Line([0.0; TILE_COLUMNS]);

/// The right side of a product, laid out as the tiles read it: blocks of k; in each, panels of
/// [`TILE_COLUMNS`] columns, padded with zeros; in each, the rows of the block.
#[derive(Default)]
pub(crate) struct Packed {
    /// More may stand behind what counts, of a larger matrix before.
    data: Vec<Line>,
    k: usize,
    columns: usize,
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
            let add = self.onto != Onto::Nothing || first_k > 0;
            if self.rows == 1 {
                let left = &mut strips[0][..depth];
                left.iter_mut().enumerate().for_each(|(k, to)| *to = self.left.at(0, first_k + k));
                row::<L::Wide>(&mut self.to[..self.columns], left, block, packed_depth, add);
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
                let lies = Lies::of(self.left, depth);
                match rows {
                    ROWS if lies == Lies::Apart => {
                        pack_columns::<{ ROWS }>(strips, self.left, first_row, first_k, depth);
                    }
                    SHARED_ROWS if lies == Lies::Apart => {
                        pack_columns::<{ SHARED_ROWS }>(strips, self.left, first_row, first_k, depth);
                    }
                    _ => {
                        // Of those that are read where they lie, what is too few for a tile.
                        let mut first = if lies == Lies::Apart { 0 } else { whole_tiles::<L::Wide>(rows) };
                        while first < rows {
                            let (strip, few) = (&mut strips[first / TILE_ROWS], TILE_ROWS.min(rows - first));
                            pack_strip(strip, self.left, first_row + first, few, first_k, depth);
                            first += TILE_ROWS;
                        }
                    }
                }
                let mut first_column = 0;
                while first_column < self.columns {
                    let panel = |number: usize| {
                        &block[(first_column / TILE_COLUMNS + number) * packed_depth..][..depth]
                    };
                    let left_over = self.columns - first_column;
                    let to = &mut self.to[first_row * self.stride + first_column..];
                    let place = Place { to, stride: self.stride, rows, columns: left_over, add };
                    let read = Read { strips, left: self.left, lies, first_row, first_k, depth };
                    // Whole tiles beside each other where registers hold them.
                    if L::Wide::IS_ONE && left_over >= 2 * TILE_COLUMNS {
                        tiles::<L::Wide, 2>(place, read, [panel(0), panel(1)]);
                        first_column += 2 * TILE_COLUMNS;
                    } else {
                        tiles::<L::Wide, 1>(place, read, [panel(0)]);
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
    /// Whether to add to what stands there.
    add: bool,
}

/// Where the left side of tiles comes from.
struct Read<'a> {
    /// Packed rows.
    strips: &'a Strips,
    /// What else is read where it lies.
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

/// How many of the rows left the next tile has that is read where it lies: as many as registers hold the sums of, but so
/// that few rows are left over in the end. Fewer than [`SHORT`] are no tile.
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

/// How many of the rows are in tiles that are read where they lie.
#[inline(always)]
fn whole_tiles<W: Wide>(rows: usize) -> usize {
    let mut first = 0;
    while rows - first >= SHORT {
        first += height::<W>(rows - first);
    }
    first
}

/// The tiles of all rows with `P` panels beside each other.
#[inline(always)]
fn tiles<W: Wide, const P: usize>(place: Place<'_>, read: Read<'_>, panels: [&[Line]; P]) {
    let Place { to, stride, rows, columns, add } = place;
    let mut first = 0;
    while first < rows {
        let to = &mut to[first * stride..];
        let left = rows - first;
        // Each has its own writing, that the sums stay in registers.
        macro_rules! write {
            ($tile:ident, $rows:ident) => {
                write_tile(to, stride, ($rows, columns), $tile::<W, P, $rows>(&read, first, panels), add)
            };
        }
        first += if read.lies == Lies::Apart || left < SHORT {
            if W::IS_ONE && left >= TALL {
                write!(tile, TALL);
                TALL
            } else {
                let sums = tile::<W, P, TILE_ROWS>(&read, first, panels);
                write_tile(to, stride, (TILE_ROWS.min(left), columns), sums, add);
                TILE_ROWS
            }
        } else {
            let height = height::<W>(left);
            match (height, read.lies) {
                (TALL, Lies::Rows) if W::IS_ONE => write!(tile_of_rows, TALL),
                (TALL, _) if W::IS_ONE => write!(tile_of_columns, TALL),
                (EIGHT, Lies::Rows) if W::IS_ONE => write!(tile_of_rows, EIGHT),
                (EIGHT, _) if W::IS_ONE => write!(tile_of_columns, EIGHT),
                (TILE_ROWS, Lies::Rows) if !W::IS_ONE => write!(tile_of_rows, TILE_ROWS),
                (TILE_ROWS, _) if !W::IS_ONE => write!(tile_of_columns, TILE_ROWS),
                (_, Lies::Rows) => write!(tile_of_rows, SHORT),
                _ => write!(tile_of_columns, SHORT),
            }
            height
        };
    }
}

/// As [`pack_strip`] for the strips of `N` rows of a transposed left side: what lies together is read together, since the next
/// numbers are on another page of memory.
#[inline(always)]
fn pack_columns<const N: usize>(
    strips: &mut Strips,
    left: Matrix<'_>,
    first: usize,
    first_k: usize,
    depth: usize,
) {
    for k in 0..depth {
        let start = (first_k + k) * left.column_stride + first;
        let line = left.data[start..start + N].as_chunks::<TILE_ROWS>().0;
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

/// The sums of one block for the `R` packed rows from `first` on, six or twelve, and `P` panels, one or two.
#[inline(always)]
fn tile<W: Wide, const P: usize, const R: usize>(
    read: &Read<'_>,
    first: usize,
    panels: [&[Line]; P],
) -> [[W; P]; R] {
    let strip = |number: usize| {
        read.strips[first / TILE_ROWS + number][..read.depth * TILE_ROWS].as_chunks::<TILE_ROWS>().0
    };
    let (upper, lower) = (strip(0), strip(R / TILE_ROWS - 1));
    let mut sums = [[W::splat(0.0); P]; R];
    let rows = panels[0].iter().zip(panels[P - 1]);
    for ((upper, lower), (low, high)) in upper.iter().zip(lower).zip(rows) {
        let right = [W::load(&low.0), W::load(&high.0)];
        let (above, below) = sums.split_at_mut(TILE_ROWS);
        for (sums, left) in above.iter_mut().zip(upper) {
            add_product(sums, *left, right);
        }
        for (sums, left) in below.iter_mut().zip(lower) {
            add_product(sums, *left, right);
        }
    }
    sums
}

/// As [`tile`], the rows read where they lie.
#[inline(always)]
fn tile_of_rows<W: Wide, const P: usize, const R: usize>(
    read: &Read<'_>,
    first: usize,
    panels: [&[Line]; P],
) -> [[W; P]; R] {
    let (depth, left) = (panels[0].len(), read.left);
    // Loops, since a closure would be compiled for any machine.
    let mut rows = [&left.data[..0]; R];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = &left.data[(read.first_row + first + i) * left.row_stride + read.first_k..][..depth];
    }
    let mut sums = [[W::splat(0.0); P]; R];
    for (k, (low, high)) in panels[0].iter().zip(panels[P - 1]).enumerate() {
        let right = [W::load(&low.0), W::load(&high.0)];
        for (sums, row) in sums.iter_mut().zip(rows) {
            add_product(sums, row[k], right);
        }
    }
    sums
}

/// As [`tile`], the columns read where they lie.
#[inline(always)]
fn tile_of_columns<W: Wide, const P: usize, const R: usize>(
    read: &Read<'_>,
    first: usize,
    panels: [&[Line]; P],
) -> [[W; P]; R] {
    let left = read.left;
    let mut at = read.first_k * left.column_stride + read.first_row + first;
    let mut sums = [[W::splat(0.0); P]; R];
    for (low, high) in panels[0].iter().zip(panels[P - 1]) {
        let column = left.data[at..].first_chunk::<R>().expect("the rows are whole");
        at += left.column_stride;
        let right = [W::load(&low.0), W::load(&high.0)];
        for (sums, left) in sums.iter_mut().zip(column) {
            add_product(sums, *left, right);
        }
    }
    sums
}

/// One product more on each sum of a tile's row; of one panel, the second vector is not used.
#[inline(always)]
fn add_product<W: Vector, const P: usize>(sums: &mut [W; P], left: f32, right: [W; 2]) {
    let left = W::splat(left);
    for (sum, right) in sums.iter_mut().zip(right) {
        *sum = left.fma(right, *sum);
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
    to: &mut [f32],
    stride: usize,
    (rows, columns): (usize, usize),
    sums: [[W; P]; R],
    add: bool,
) {
    if rows == R && columns >= P * TILE_COLUMNS {
        for (i, sums) in sums.into_iter().enumerate() {
            let row = &mut to[i * stride..][..P * TILE_COLUMNS];
            for (to, sum) in row.as_chunks_mut::<TILE_COLUMNS>().0.iter_mut().zip(sums) {
                write(to, sum, add);
            }
        }
    } else {
        let mut numbers = [[[0.0; TILE_COLUMNS]; P]; R];
        for (numbers, sums) in numbers.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
            sums.store(numbers);
        }
        let columns = columns.min(P * TILE_COLUMNS);
        let numbers = numbers.as_flattened().as_flattened();
        write_part(to, stride, (rows, columns), (numbers, P * TILE_COLUMNS), add);
    }
}

/// As [`write_tile`], where only a part of it counts; `sums` has the rows of a tile.
#[inline(never)]
fn write_part(
    to: &mut [f32],
    stride: usize,
    (rows, columns): (usize, usize),
    (sums, width): (&[f32], usize),
    add: bool,
) {
    for (to, sums) in to.chunks_mut(stride).zip(sums.chunks_exact(width)).take(rows) {
        for (to, sum) in to[..columns].iter_mut().zip(sums) {
            *to = if add { *to + sum } else { *sum };
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
    let share = compute.share(rows, SHARED_ROWS);
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
