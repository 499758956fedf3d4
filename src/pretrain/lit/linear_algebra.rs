//! Small dense linear algebra in f64: ridge regression and principal directions.

use crate::error::{Error, Kind, Result};
use crate::rng::Rng;

/// The solution X [n, m] of A X = B with A [n, n] symmetric and positive definite, by Cholesky's
/// factorization.
///
/// # Errors
/// `engine/not-finite` if A is not positive definite.
pub fn solve(mut a: Vec<f64>, n: usize, mut b: Vec<f64>, m: usize) -> Result<Vec<f64>> {
    for j in 0..n {
        let (above, rest) = a.split_at_mut((j + 1) * n);
        let row = &mut above[j * n..];
        let square: f64 = row[..j].iter().map(|v| v * v).sum();
        let pivot = row[j] - square;
        if pivot <= 0.0 || pivot.is_nan() {
            return Err(Error::new(
                Kind::NotFinite,
                "A regression has no solution; use a larger penalty.",
            ));
        }
        row[j] = pivot.sqrt();
        for below in rest.chunks_exact_mut(n) {
            let inner: f64 = below[..j].iter().zip(&row[..j]).map(|(x, y)| x * y).sum();
            below[j] = (below[j] - inner) / row[j];
        }
    }
    // L y = B, then Lᵀ x = y, a whole row of right-hand sides at a time.
    for i in 0..n {
        let (done, rest) = b.split_at_mut(i * m);
        let row = &mut rest[..m];
        for (j, other) in done.chunks_exact(m).enumerate() {
            let factor = a[i * n + j];
            row.iter_mut()
                .zip(other)
                .for_each(|(v, o)| *v -= factor * o);
        }
        row.iter_mut().for_each(|v| *v /= a[i * n + i]);
    }
    for i in (0..n).rev() {
        let (rest, done) = b.split_at_mut((i + 1) * m);
        let row = &mut rest[i * m..];
        for (j, other) in done.chunks_exact(m).enumerate() {
            let factor = a[(i + 1 + j) * n + i];
            row.iter_mut()
                .zip(other)
                .for_each(|(v, o)| *v -= factor * o);
        }
        row.iter_mut().for_each(|v| *v /= a[i * n + i]);
    }
    Ok(b)
}

/// The map W [k, m] that brings x [n, k] nearest to y [n, m], with the penalty `lambda |W|²`.
///
/// # Errors
/// As [`solve`].
pub fn ridge(x: &[f32], k: usize, y: &[f32], m: usize, lambda: f64) -> Result<Vec<f64>> {
    let (mut gram, mut mixed) = (vec![0f64; k * k], vec![0f64; k * m]);
    for (x, y) in x.chunks_exact(k).zip(y.chunks_exact(m)) {
        for (i, xi) in x.iter().enumerate() {
            let xi = f64::from(*xi);
            let row = &mut gram[i * k..(i + 1) * k];
            row.iter_mut()
                .zip(x)
                .for_each(|(g, v)| *g += xi * f64::from(*v));
            let row = &mut mixed[i * m..(i + 1) * m];
            row.iter_mut()
                .zip(y)
                .for_each(|(g, v)| *g += xi * f64::from(*v));
        }
    }
    (0..k).for_each(|i| gram[i * k + i] += lambda);
    solve(gram, k, mixed, m)
}

/// `row` [k] times `map` [k, m].
pub fn apply(row: &[f32], map: &[f64], m: usize) -> Vec<f32> {
    let mut out = vec![0f64; m];
    for (x, weights) in row.iter().zip(map.chunks_exact(m)) {
        let x = f64::from(*x);
        out.iter_mut().zip(weights).for_each(|(o, w)| *o += x * w);
    }
    out.into_iter().map(|v| v as f32).collect()
}

/// Passes of [`principal`]; directions of nearly equal weight stay mixed, which does no harm.
const PASSES: usize = 30;

/// The `count` orthonormal directions [count, width] along which the rows [n, width] are largest, by
/// orthogonal iteration.
pub fn principal(rows: &[f32], width: usize, count: usize) -> Vec<f64> {
    let mut square = vec![0f64; width * width];
    for row in rows.chunks_exact(width) {
        for (i, v) in row.iter().enumerate() {
            let v = f64::from(*v);
            let out = &mut square[i * width..(i + 1) * width];
            out.iter_mut()
                .zip(row)
                .for_each(|(o, w)| *o += v * f64::from(*w));
        }
    }
    let mut rng = Rng::new(1);
    let mut basis: Vec<f64> = (0..count * width).map(|_| rng.normal()).collect();
    orthonormalize(&mut basis, width);
    for _ in 0..PASSES {
        let mut next = vec![0f64; count * width];
        for (row, out) in basis.chunks_exact(width).zip(next.chunks_exact_mut(width)) {
            for (v, line) in row.iter().zip(square.chunks_exact(width)) {
                out.iter_mut().zip(line).for_each(|(o, s)| *o += v * s);
            }
        }
        basis = next;
        orthonormalize(&mut basis, width);
    }
    basis
}

/// Gram and Schmidt's method, row by row.
fn orthonormalize(rows: &mut [f64], width: usize) {
    let count = rows.len() / width;
    for i in 0..count {
        let (done, rest) = rows.split_at_mut(i * width);
        let row = &mut rest[..width];
        // Twice, because once leaves what rounding adds.
        for _ in 0..2 {
            for other in done.chunks_exact(width) {
                let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
            }
        }
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-30);
        row.iter_mut().for_each(|v| *v /= norm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ridge_finds_the_map_that_made_the_data() {
        let mut rng = Rng::new(3);
        let map: Vec<f64> = (0..12).map(|_| rng.normal()).collect();
        let x: Vec<f32> = (0..200).map(|_| rng.normal() as f32).collect();
        let y: Vec<f32> = x.chunks(4).flat_map(|row| apply(row, &map, 3)).collect();
        let found = ridge(&x, 4, &y, 3, 1e-9).unwrap();
        assert!(map.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-4));
        let shrunk = ridge(&x, 4, &y, 3, 1e6).unwrap();
        assert!(shrunk.iter().all(|v| v.abs() < 1e-3));
        assert!(solve(vec![-1.0], 1, vec![1.0], 1).is_err());
    }

    #[test]
    fn principal_directions_span_the_largest_part() {
        let mut rng = Rng::new(4);
        let rows: Vec<f32> = (0..100)
            .flat_map(|_| {
                let (a, b) = (rng.normal() as f32 * 9.0, rng.normal() as f32 * 5.0);
                [a, b, rng.normal() as f32 * 0.1, a]
            })
            .collect();
        let basis = principal(&rows, 4, 2);
        for row in basis.chunks_exact(4) {
            assert!(row[2].abs() < 0.01, "{row:?}");
            assert!((row.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
