//! Predictions of views, their entropies, and the marginal entropy that tuning lowers.

use crate::math::dot;

/// `s` times cosines of normalized `images` [N, d] and `texts` [K, d]: [N, K].
///
/// Computed here and not by a kernel: on the features of 64 views this costs less than one dispatch
/// for ten classes and a small part of encoding one view for a thousand
/// (benches/reports/2026-11-25-whole-numbers.md).
pub fn logits<T>(images: &[f32], texts: &[T], d: usize, s: f64) -> Vec<f64>
where
    T: Copy + Into<f64>,
{
    images
        .chunks_exact(d)
        .flat_map(|f| texts.chunks_exact(d).map(move |t| s * dot(f, t)))
        .collect()
}

/// log softmax of one row.
fn log_softmax(z: &[f64]) -> Vec<f64> {
    let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = top + z.iter().map(|v| (v - top).exp()).sum::<f64>().ln();
    z.iter().map(|v| v - log_sum).collect()
}

/// Entropy in nats of every row of logits [N, K].
pub fn entropies(z: &[f64], k: usize) -> Vec<f64> {
    z.chunks_exact(k)
        .map(|row| negated(log_softmax(row).iter().map(|lp| lp.exp() * lp).sum()))
        .collect()
}

/// `-sum`, and 0 if rounding would leave a sure answer with an entropy below it, or with -0.
fn negated(sum: f64) -> f64 {
    if sum >= 0.0 { 0.0 } else { -sum }
}

/// The marginal entropy of some views and its gradient.
pub struct Marginal {
    /// L = -sum_k m_k ln m_k with m the mean of the views' predictions, in nats.
    pub loss: f64,
    /// dL/dlogits [N, K].
    pub gradient: Vec<f64>,
}

/// Marginal entropy of logits [N, K].
pub fn marginal(z: &[f64], k: usize) -> Marginal {
    let n = (z.len() / k) as f64;
    let p: Vec<Vec<f64>> = z
        .chunks_exact(k)
        .map(|row| log_softmax(row).iter().map(|v| v.exp()).collect())
        .collect();
    let mean: Vec<f64> = (0..k)
        .map(|c| p.iter().map(|row| row[c]).sum::<f64>() / n)
        .collect();
    // m ln m tends to 0 with m, so an underflowed class adds nothing and pulls nothing.
    let ln: Vec<f64> = mean
        .iter()
        .map(|m| if *m > 0.0 { m.ln() } else { 0.0 })
        .collect();
    let loss = negated(mean.iter().zip(&ln).map(|(m, l)| m * l).sum());
    let gradient = p
        .iter()
        .flat_map(|row| {
            let center: f64 = row.iter().zip(&ln).map(|(p, l)| -p * (l + 1.0)).sum();
            row.iter()
                .zip(&ln)
                .map(move |(p, l)| p * (-(l + 1.0) - center) / n)
                .collect::<Vec<_>>()
        })
        .collect();
    Marginal { loss, gradient }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_matches_finite_differences() {
        let z = [0.3, -1.0, 0.7, 2.0, 0.1, -0.4];
        let found = marginal(&z, 3);
        for i in 0..z.len() {
            let at = |h: f64| {
                let mut z = z;
                z[i] += h;
                marginal(&z, 3).loss
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!(
                (slope - found.gradient[i]).abs() < 1e-8,
                "{i}: {slope} {}",
                found.gradient[i]
            );
        }
    }

    #[test]
    fn one_class_has_no_entropy() {
        assert_eq!(entropies(&[3.0, -2.0], 1), [0.0, 0.0]);
        let one = marginal(&[3.0, -2.0], 1);
        assert_eq!((one.loss, one.gradient), (0.0, vec![0.0, 0.0]));
        let signs = entropies(&[3.0, -2.0], 1);
        assert!(
            signs
                .iter()
                .chain([&one.loss])
                .all(|v| v.is_sign_positive())
        );
        // What is not a number stays that, for the guard to see.
        assert!(entropies(&[f64::NAN, 0.0], 2)[0].is_nan());
        assert!(marginal(&[f64::NAN, 0.0], 2).loss.is_nan());
    }
}
