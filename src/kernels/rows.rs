//! Passes over rows of f32 values in host memory: what a layer does between its matrix products.
//!
//! Each reads and writes memory once; the same formula in tensor operations would read and write it at
//! every operator. The loops are written so that the compiler turns them into vector instructions.

use super::Activation;

/// Runs `pass` with the widest vectors that the processor has.
pub(super) fn with_simd<R>(pass: impl FnOnce() -> R) -> R {
    #[cfg(not(target_arch = "wasm32"))]
    return pulp::Arch::new().dispatch(pass);
    // WebAssembly has one width, chosen when it is compiled.
    #[cfg(target_arch = "wasm32")]
    pass()
}

/// Sums of one pass are kept in so many lanes, always in the same order.
const LANES: usize = 16;

/// The sum of `f` over the places of a row of `width` values.
#[inline(always)]
fn sum(width: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let whole = width - width % LANES;
    let mut start = 0;
    while start < whole {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += f(start + lane);
        }
        start += LANES;
    }
    let rest: f32 = (whole..width).map(&f).sum();
    lanes.iter().sum::<f32>() + rest
}

/// e^x to within 2 units in the last place, as 2^n times a polynomial of the rest (Cephes). The
/// standard library's is a call for every value; this one is free of branches and runs in every lane
/// at once. Below -87 and above 88, where floats end, it stays at their end.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding it leaves the nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that n times the first is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const TERMS: [f32; 6] = [
        1.987_569_1e-4,
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    let x = x.clamp(-87.3, 88.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let rest = x - n * LN_2[0] - n * LN_2[1];
    let series = TERMS.iter().fold(0.0, |sum, term| sum * rest + term);
    let power = (rounded.to_bits() as i32)
        .wrapping_sub(ROUND.to_bits() as i32)
        .wrapping_add(127);
    (series * rest * rest + rest + 1.0) * f32::from_bits((power << 23) as u32)
}

/// Adds `bias` to every row.
pub fn add_bias(rows: &mut [f32], bias: &[f32]) {
    with_simd(|| {
        for row in rows.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(v, b)| *v += b);
        }
    });
}

/// What follows a matrix product: adds `bias` to every row, then applies `act`, then adds `residual`,
/// while the row is in the nearest cache. GELU is no pass of this module and is left to the caller.
pub fn finish(
    y: &mut [f32],
    width: usize,
    bias: Option<&[f32]>,
    act: Option<Activation>,
    residual: Option<&[f32]>,
) {
    with_simd(
        #[inline(always)]
        || {
            for (i, row) in y.chunks_exact_mut(width).enumerate() {
                if let Some(bias) = bias {
                    row.iter_mut().zip(bias).for_each(|(v, b)| *v += b);
                }
                match act {
                    Some(Activation::QuickGelu) => {
                        row.iter_mut().for_each(|v| *v = quick_gelu_of(*v));
                    }
                    Some(Activation::Relu6) => {
                        row.iter_mut().for_each(|v| *v = relu6_of(*v));
                    }
                    Some(Activation::Gelu) | None => {}
                }
                if let Some(residual) = residual {
                    let residual = &residual[i * width..][..width];
                    row.iter_mut().zip(residual).for_each(|(v, r)| *v += r);
                }
            }
        },
    );
}

/// The sum of all rows of `width` values.
pub fn sum_rows(rows: &[f32], width: usize) -> Vec<f32> {
    let mut total = vec![0f32; width];
    with_simd(|| {
        for row in rows.chunks_exact(width) {
            total.iter_mut().zip(row).for_each(|(t, v)| *t += v);
        }
    });
    total
}

/// One value cut to 0..6.
#[inline(always)]
fn relu6_of(x: f32) -> f32 {
    x.clamp(0.0, 6.0)
}

/// `x sigmoid(1.702 x)` of one value.
#[inline(always)]
fn quick_gelu_of(x: f32) -> f32 {
    x / (1.0 + exp(-1.702 * x))
}

/// `x` cut to 0..6, elementwise, in place.
pub fn relu6(x: &mut [f32]) {
    with_simd(|| x.iter_mut().for_each(|v| *v = relu6_of(*v)));
}

/// `x sigmoid(1.702 x)`, elementwise, in place.
pub fn quick_gelu(x: &mut [f32]) {
    with_simd(|| x.iter_mut().for_each(|v| *v = quick_gelu_of(*v)));
}

/// `dy` times the derivative of [`quick_gelu`] at `x`.
pub fn quick_gelu_backward(x: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut dx = vec![0f32; x.len()];
    with_simd(|| {
        for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
            let gate = 1.0 / (1.0 + exp(-1.702 * x));
            *dx = dy * gate * (1.0 + 1.702 * x * (1.0 - gate));
        }
    });
    dx
}

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

/// Softmax of `scale` times every row of `keys` scores, in place. With `causal`, row i of every
/// square of `keys` rows sees the places 0..=i, and the others become 0.
pub fn softmax(scores: &mut [f32], keys: usize, scale: f32, causal: bool) {
    with_simd(|| {
        for (i, row) in scores.chunks_exact_mut(keys).enumerate() {
            let seen = if causal { i % keys + 1 } else { keys };
            let (row, hidden) = row.split_at_mut(seen);
            hidden.fill(0.0);
            let most = row.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
            row.iter_mut().for_each(|v| *v = exp((*v - most) * scale));
            let norm = 1.0 / sum(seen, |i| row[i]);
            row.iter_mut().for_each(|v| *v *= norm);
        }
    });
}

/// Turns the gradient in the probabilities into the one in the scores of [`softmax`], in place.
pub fn softmax_backward(probabilities: &[f32], gradient: &mut [f32], keys: usize, scale: f32) {
    with_simd(|| {
        let rows = probabilities.chunks_exact(keys);
        for (p, g) in rows.zip(gradient.chunks_exact_mut(keys)) {
            let mean = sum(keys, |i| p[i] * g[i]);
            for (g, p) in g.iter_mut().zip(p) {
                *g = p * (*g - mean) * scale;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_as_exact_as_floats_are() {
        for i in -870_000..=880_000 {
            let x = i as f32 * 1e-4;
            let truth = f64::from(x).exp();
            let error = (f64::from(exp(x)) - truth).abs() / truth;
            assert!(error <= 2.0 * f64::from(f32::EPSILON), "{x}: {error:e}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::INFINITY) > 1e38 && exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn a_sum_counts_every_place_once() {
        for width in [1, 15, 16, 17, 33] {
            let expected = (width * (width - 1) / 2) as f32;
            assert_eq!(sum(width, |i| i as f32), expected);
        }
    }

    #[test]
    fn hidden_places_have_no_probability() {
        let mut scores = vec![5.0, 9.0, 1.0, 1.0];
        softmax(&mut scores, 2, 1.0, true);
        assert_eq!(scores, [1.0, 0.0, 0.5, 0.5]);
    }
}
