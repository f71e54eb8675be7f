//! A model's matrices: rows of numbers as they are, or as codes for parts of rows.
//!
//! Source: fastText 0.9, `quantmatrix.cc` and `productquantizer.cc`.

use super::bytes::{ModelError, Reader, expect, within};

/// Centroids of a part: its codes are bytes.
const CENTROIDS: usize = 256;

/// Rows of numbers, as they are or quantised.
pub(super) enum Matrix {
    Plain { values: Vec<f32>, columns: usize },
    Quantised { codes: Vec<u8>, quantizer: Quantizer, norms: Option<(Vec<u8>, Vec<f32>)> },
}

/// Each part of a row stands for one of 256 centroids.
pub(super) struct Quantizer {
    parts: usize,
    part_columns: usize,
    columns: usize,
    centroids: Vec<f32>,
}

impl Matrix {
    pub(super) fn read(
        from: &mut Reader<'_>,
        is_quantised: bool,
        rows: usize,
        columns: usize,
        what: &'static str,
    ) -> Result<Self, ModelError> {
        let has_norms = is_quantised && from.flag(what)?;
        expect("rows of a matrix", from.i64(what)?, rows as i64)?;
        expect("columns of a matrix", from.i64(what)?, columns as i64)?;
        if !is_quantised {
            return Ok(Self::Plain { values: from.floats(rows * columns, what)?, columns });
        }
        let codes_count = from.i32(what)?;
        let parts = within("codes of a row", i64::from(codes_count) / rows.max(1) as i64, 1, columns)?;
        expect("codes of a matrix", i64::from(codes_count), (rows * parts) as i64)?;
        let codes = from.take(rows * parts, what)?.to_vec();
        let quantizer = Quantizer::read(from, columns, parts, what)?;
        let norms = if has_norms {
            let codes = from.take(rows, what)?.to_vec();
            Some((codes, Quantizer::read(from, 1, 1, what)?.centroids))
        } else {
            None
        };
        Ok(Self::Quantised { codes, quantizer, norms })
    }

    /// Adds a row to a vector.
    #[inline]
    pub(super) fn add_row(&self, row: usize, to: &mut [f32]) {
        match self {
            Self::Plain { values, columns } => {
                let values = &values[row * columns..(row + 1) * columns];
                to.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            Self::Quantised { codes, quantizer, norms } => {
                let norm = norm(norms.as_ref(), row);
                let codes = &codes[row * quantizer.parts..(row + 1) * quantizer.parts];
                for ((part, code), sums) in
                    codes.iter().enumerate().zip(to.chunks_mut(quantizer.part_columns))
                {
                    let centroid = quantizer.centroid(part, *code);
                    sums.iter_mut().zip(centroid).for_each(|(sum, value)| *sum += norm * value);
                }
            }
        }
    }

    pub(super) fn dot_row(&self, row: usize, with: &[f32]) -> f32 {
        match self {
            Self::Plain { values, columns } => {
                let values = &values[row * columns..(row + 1) * columns];
                values.iter().zip(with).fold(0.0, |sum, (a, b)| sum + a * b)
            }
            Self::Quantised { codes, quantizer, norms } => {
                let codes = &codes[row * quantizer.parts..(row + 1) * quantizer.parts];
                let mut sum = 0.0;
                for ((part, code), values) in
                    codes.iter().enumerate().zip(with.chunks(quantizer.part_columns))
                {
                    let centroid = quantizer.centroid(part, *code);
                    sum = values.iter().zip(centroid).fold(sum, |sum, (a, b)| sum + a * b);
                }
                sum * norm(norms.as_ref(), row)
            }
        }
    }
}

fn norm(norms: Option<&(Vec<u8>, Vec<f32>)>, row: usize) -> f32 {
    norms.map_or(1.0, |(codes, values)| values[usize::from(codes[row])])
}

impl Quantizer {
    fn read(
        from: &mut Reader<'_>,
        columns: usize,
        parts: usize,
        what: &'static str,
    ) -> Result<Self, ModelError> {
        expect("dimension of a quantizer", i64::from(from.i32(what)?), columns as i64)?;
        expect("parts of a quantizer", i64::from(from.i32(what)?), parts as i64)?;
        let part_columns = within("columns of a part", from.i32(what)?.into(), 1, columns)?;
        let last = within("columns of the last part", from.i32(what)?.into(), 1, part_columns)?;
        expect("columns of all parts", (parts - 1) * part_columns + last, columns)?;
        let centroids = from.floats(columns * CENTROIDS, what)?;
        Ok(Self { parts, part_columns, columns, centroids })
    }

    #[inline]
    fn centroid(&self, part: usize, code: u8) -> &[f32] {
        let before = part * CENTROIDS * self.part_columns;
        let length = self.part_columns.min(self.columns - part * self.part_columns);
        let first = before + usize::from(code) * length;
        &self.centroids[first..first + length]
    }
}
