//! Sparse matrices in one buffer, and what the chain does to their rows and columns.

use substrate_fixed::types::I32F32;

use crate::fixed::{ZERO, div, mul, share_from_u16, sum};

/// Row after row of (uid, value) with ascending uids.
#[derive(Clone, Debug, Default)]
pub(super) struct Sparse {
    entries: Vec<(u16, I32F32)>,
    /// Where each row ends in `entries`.
    ends: Vec<usize>,
}

impl Sparse {
    /// An empty matrix with room for `rows` rows and `entries` entries.
    pub(super) fn with_capacity(rows: usize, entries: usize) -> Self {
        Self { entries: Vec::with_capacity(entries), ends: Vec::with_capacity(rows) }
    }

    /// Adds an entry to the row that is being written.
    pub(super) fn push(&mut self, uid: u16, value: I32F32) {
        self.entries.push((uid, value));
    }

    /// Ends the row that is being written.
    pub(super) fn end_row(&mut self) {
        self.ends.push(self.entries.len());
    }

    /// Entries in all rows.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All values, row by row.
    pub(super) fn values(&self) -> impl Iterator<Item = I32F32> {
        self.entries.iter().map(|&(_, value)| value)
    }

    /// One row.
    pub(super) fn row(&self, uid: usize) -> &[(u16, I32F32)] {
        let start = uid.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[start..self.ends[uid]]
    }

    /// All rows in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[(u16, I32F32)]> {
        (0..self.ends.len()).map(|uid| self.row(uid))
    }

    /// Divides the row written last by its sum; leaves it where the sum is 0.
    pub(super) fn normalise_last_row(&mut self) {
        let rows = self.ends.len();
        let start = rows.checked_sub(2).map_or(0, |before| self.ends[before]);
        let row = &mut self.entries[start..];
        let total = sum(row.iter().map(|&(_, value)| value));
        if total > ZERO {
            for (_, value) in row {
                *value = div(*value, total);
            }
        }
    }

    /// Divides each column by its sum; leaves those that sum to 0.
    pub(super) fn normalise_columns(&mut self, columns: usize) {
        let mut totals = vec![ZERO; columns];
        for &(uid, value) in &self.entries {
            let total = &mut totals[usize::from(uid)];
            *total = total.saturating_add(value);
        }
        self.divide_columns(&totals);
    }

    /// Divides each column by its largest value, so that this becomes 1.
    pub(super) fn upscale_columns(&mut self, columns: usize) {
        let mut tops = vec![ZERO; columns];
        for &(uid, value) in &self.entries {
            let top = &mut tops[usize::from(uid)];
            *top = (*top).max(value);
        }
        self.divide_columns(&tops);
    }

    fn divide_columns(&mut self, by: &[I32F32]) {
        for (uid, value) in &mut self.entries {
            let by = by[usize::from(*uid)];
            if by != ZERO {
                *value = div(*value, by);
            }
        }
    }

    /// Multiplies row i by `factors[i]`.
    pub(super) fn scale_rows(&mut self, factors: &[I32F32]) {
        let mut start = 0;
        for (&end, &factor) in self.ends.iter().zip(factors) {
            for (_, value) in &mut self.entries[start..end] {
                *value = mul(*value, factor);
            }
            start = end;
        }
    }

    /// Per row the sum of its values, each times the vector's entry of its column.
    pub(super) fn times(&self, vector: &[I32F32]) -> Vec<I32F32> {
        let row_sum =
            |row: &[(u16, I32F32)]| sum(row.iter().map(|&(uid, value)| mul(value, vector[usize::from(uid)])));
        self.rows().map(row_sum).collect()
    }
}

/// The stored bonds of the columns that `keep` allows, as whole numbers up to 65535 or as shares of that.
pub(super) fn read_bonds(stored: &[Vec<(u16, u16)>], keep: &[bool], shares: bool) -> Sparse {
    let mut out = Sparse::with_capacity(stored.len(), stored.iter().map(Vec::len).sum());
    for row in stored {
        for &(uid, value) in row {
            if keep[usize::from(uid)] {
                out.push(uid, if shares { share_from_u16(value) } else { I32F32::from_num(value) });
            }
        }
        out.end_row();
    }
    out
}
