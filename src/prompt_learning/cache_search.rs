//! The search for α and β of a cache: the pair that answers its images best, each without its own key.
//! (Tip-Adapter searches on a validation split, which people with a few photos do not have.)

use super::losses::cross_entropy;
use crate::math::argmax;
use crate::math::dot;
use crate::prompt::heads::cache::Cache;

/// Values of each that are tried.
const STEPS: usize = 20;

/// The largest α and β, as in Tip-Adapter's configuration.
const LARGEST: (f64, f64) = (3.0, 7.0);

/// The smallest of both.
const SMALLEST: f64 = 0.1;

/// The most images: beyond that the pairs of images cost more than they tell.
const MOST: usize = 2000;

/// α, β and the accuracy that they reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// α.
    pub alpha: f64,
    /// β.
    pub beta: f64,
    /// Fraction of the images that are answered rightly without their own key.
    pub accuracy: f64,
}

/// The value number `step` between [`SMALLEST`] and `largest`.
fn value(step: usize, largest: f64) -> f64 {
    SMALLEST + (largest - SMALLEST) * step as f64 / (STEPS - 1) as f64
}

/// Searches over a grid, for unit `images` [N, d] that are those of the keys, in their order. Of
/// equally many right answers the smaller cross-entropy wins, then the smaller values. `None` for
/// fewer than two images, or too many.
pub fn search(cache: &Cache, images: &[f64], texts: &[f64], scale: f64) -> Option<Found> {
    let n = cache.classes.len();
    if !(2..=MOST).contains(&n) {
        return None;
    }
    let d = images.len() / n;
    let k = texts.len() / d;
    let rows = || images.chunks_exact(d);
    let plain: Vec<f64> = rows()
        .flat_map(|f| texts.chunks_exact(d).map(move |t| scale * dot(f, t)))
        .collect();
    let cosines: Vec<f64> = rows()
        .flat_map(|f| cache.keys.chunks_exact(d).map(move |key| dot(f, key)))
        .collect();
    let mut best: Option<(Found, f64)> = None;
    for beta in (0..STEPS).map(|step| value(step, LARGEST.1)) {
        let mut votes = vec![0.0; n * k];
        for i in 0..n {
            for (j, class) in cache.classes.iter().enumerate().filter(|(j, _)| *j != i) {
                votes[i * k + class] += (-beta * (1.0 - cosines[i * n + j])).exp();
            }
        }
        for alpha in (0..STEPS).map(|step| value(step, LARGEST.0)) {
            let (mut right, mut loss) = (0, 0.0);
            for (i, label) in cache.classes.iter().enumerate() {
                let at = i * k..(i + 1) * k;
                let pairs = plain[at.clone()].iter().zip(&votes[at]);
                let z: Vec<f64> = pairs.map(|(z, vote)| z + alpha * vote).collect();
                right += usize::from(argmax(&z) == *label);
                loss += cross_entropy(&z, *label);
            }
            let found = Found {
                alpha,
                beta,
                accuracy: right as f64 / n as f64,
            };
            let better = best.is_none_or(|(old, old_loss)| {
                found.accuracy > old.accuracy || found.accuracy == old.accuracy && loss < old_loss
            });
            if better {
                best = Some((found, loss));
            }
        }
    }
    best.map(|(found, _)| found)
}
