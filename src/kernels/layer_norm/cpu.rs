//! LayerNorm and its backward as passes over host memory.

use crate::kernels::simd::{sum, with_simd};

/// Mean and reciprocal deviation of a row.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    mean: f32,
    scale: f32,
}

/// `(x - mean) / sqrt(variance + eps) * gamma + beta` of every row, and the rows' moments.
pub fn layer_norm(x: &[f32], gamma: &[f32], beta: &[f32], eps: f32) -> (Vec<f32>, Vec<Moments>) {
    let width = gamma.len();
    let mut y = vec![0f32; x.len()];
    let mut moments = Vec::with_capacity(x.len() / width);
    with_simd(|| {
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let mean = sum(width, |i| x[i]) / width as f32;
            let variance = sum(width, |i| (x[i] - mean) * (x[i] - mean)) / width as f32;
            let scale = 1.0 / (variance + eps).sqrt();
            for (i, y) in y.iter_mut().enumerate() {
                *y = (x[i] - mean) * scale * gamma[i] + beta[i];
            }
            moments.push(Moments { mean, scale });
        }
    });
    (y, moments)
}

/// The gradients of [`layer_norm`] in x, gamma and beta.
pub fn layer_norm_backward(
    x: &[f32],
    moments: &[Moments],
    gamma: &[f32],
    dy: &[f32],
) -> [Vec<f32>; 3] {
    let width = gamma.len();
    let mut dx = vec![0f32; x.len()];
    let (mut dgamma, mut dbeta) = (vec![0f32; width], vec![0f32; width]);
    let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
    with_simd(|| {
        for (((x, dy), dx), m) in rows.zip(dx.chunks_exact_mut(width)).zip(moments) {
            let at = |i: usize| (x[i] - m.mean) * m.scale;
            let mean = sum(width, |i| dy[i] * gamma[i]) / width as f32;
            let along = sum(width, |i| dy[i] * gamma[i] * at(i)) / width as f32;
            for (i, dx) in dx.iter_mut().enumerate() {
                *dx = m.scale * (dy[i] * gamma[i] - mean - at(i) * along);
            }
            for (i, total) in dgamma.iter_mut().enumerate() {
                *total += dy[i] * at(i);
            }
            dbeta.iter_mut().zip(dy).for_each(|(t, v)| *t += v);
        }
    });
    [dx, dgamma, dbeta]
}
