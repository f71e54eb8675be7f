//! Scores of a block of queries made probabilities, forwards and backwards.
//!
//! Each step goes over all rows before the next one begins: a row's own steps wait for each other.

use super::QUERY_BLOCK;
use crate::{
    lanes::{LANES, Lanes, Vector as _, WIDE, Wide as _},
    math,
    rows::{over_vectors, powers, sum_of_products},
};

/// How many keys the queries of a block see.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    /// The first query.
    pub(crate) first: usize,
    /// Each next one more than the one before.
    pub(crate) more: usize,
}

impl Seen {
    /// How many the query sees, and how many there are in as few whole vectors.
    #[inline(always)]
    fn by(self, query: usize) -> (usize, usize) {
        let seen = self.first + query * self.more;
        (seen, seen.next_multiple_of(LANES))
    }
}

/// Scores [queries, stride] become probabilities, those of keys not seen zero; each query's statistics are the maximum of
/// the scaled scores and the inverse sum.
#[inline(always)]
pub(crate) fn softmax<L: Lanes>(
    (scores, stride): (&mut [f32], usize),
    seen: Seen,
    scale: f32,
    stats: &mut [(f32, f32)],
) {
    for (query, (row, stats)) in scores.chunks_exact_mut(stride).zip(&mut *stats).enumerate() {
        let (seen, vectors) = seen.by(query);
        for x in row[seen..vectors].iter_mut() {
            *x = f32::NEG_INFINITY;
        }
        for x in row[vectors..].as_chunks_mut::<LANES>().0 {
            *x = [0.0; LANES];
        }
        let (wide, rest) = row[..vectors].as_chunks::<WIDE>();
        let mut largest = L::Wide::splat(f32::NEG_INFINITY);
        for x in wide {
            largest = largest.max(L::Wide::load(x).mul(L::Wide::splat(scale)));
        }
        let [low, high] = largest.halves();
        let mut largest = low.max(high);
        for x in rest.as_chunks::<LANES>().0 {
            largest = largest.max(L::load(x).mul(L::splat(scale)));
        }
        stats.0 = largest.largest();
    }
    for (query, (row, stats)) in scores.chunks_exact_mut(stride).zip(&mut *stats).enumerate() {
        stats.1 = 1.0 / powers::<L>(&mut row[..seen.by(query).1], scale, stats.0);
    }
    for (query, (row, stats)) in scores.chunks_exact_mut(stride).zip(stats).enumerate() {
        let (row, inverse) = (&mut row[..seen.by(query).1], stats.1);
        over_vectors!([row], [], [inverse], L, { row.mul(inverse) });
    }
}

/// Scores [queries, stride] become probabilities again, and their gradients those of the unscaled scores:
/// p · (dp − Σ p·dp) · scale. Both are zero for keys not seen.
#[inline(always)]
pub(super) fn softmax_backward<L: Lanes>(
    (scores, slopes): (&mut [f32], &mut [f32]),
    stride: usize,
    seen: Seen,
    stats: &[(f32, f32)],
    scale: f32,
) {
    let mut means = [0.0; QUERY_BLOCK];
    for (query, (row, (largest, inverse))) in scores.chunks_exact_mut(stride).zip(stats).enumerate() {
        let (seen, vectors) = seen.by(query);
        for x in row[seen..vectors].iter_mut() {
            *x = f32::NEG_INFINITY;
        }
        for x in row[vectors..].as_chunks_mut::<LANES>().0 {
            *x = [0.0; LANES];
        }
        let (row, largest, inverse) = (&mut row[..vectors], *largest, *inverse);
        over_vectors!([row], [], [largest, inverse, scale], L, {
            math::exp(row.mul(scale).sub(largest)).mul(inverse)
        });
    }
    let rows = scores.chunks_exact(stride).zip(slopes.chunks_exact_mut(stride));
    for (query, ((scores, slopes), mean)) in rows.zip(&mut means).enumerate() {
        let (seen, vectors) = seen.by(query);
        for x in slopes[seen..vectors].iter_mut() {
            *x = 0.0;
        }
        for x in slopes[vectors..].as_chunks_mut::<LANES>().0 {
            *x = [0.0; LANES];
        }
        *mean = sum_of_products::<L>(&scores[..vectors], &slopes[..vectors]);
    }
    let rows = scores.chunks_exact(stride).zip(slopes.chunks_exact_mut(stride));
    for (query, ((scores, slopes), mean)) in rows.zip(means).enumerate() {
        let vectors = seen.by(query).1;
        let (scores, slopes) = (&scores[..vectors], &mut slopes[..vectors]);
        over_vectors!([slopes], [scores], [mean, scale], L, { scores.mul(slopes.sub(mean)).mul(scale) });
    }
}
