//! The search for α and β of a cache: the pair that answers images best. People with a few photos have
//! no validation split, on which Tip-Adapter searches, so every photo is answered without its own key.

use super::losses::cross_entropy;
use crate::math::argmax;
use crate::math::dot;
use crate::prompt::heads::cache::{Cache, Tally};

/// Values of each that are tried.
const STEPS: usize = 30;

/// The smallest and the largest α and β over all of Tip-Adapter's configurations.
const RANGE: (f64, f64) = (0.1, 50.0);

/// The most images: beyond that the pairs of images cost more than they tell.
const MOST: usize = 2000;

/// α, β and the accuracy that they reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// α.
    pub alpha: f64,
    /// β.
    pub beta: f64,
    /// Fraction of the images that are answered rightly.
    pub accuracy: f64,
}

/// The values that are tried, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Of α.
    pub alphas: Vec<f64>,
    /// Of β.
    pub betas: Vec<f64>,
}

impl Grid {
    /// Both from 0.1 to 50, the widest range that Tip-Adapter searched, evenly in the logarithm; α
    /// times `scale` / 100, as CLIP's logit scale is 100 there.
    pub fn widest(scale: f64) -> Self {
        let (low, high) = RANGE;
        let value = |i: usize| low * (high / low).powf(i as f64 / (STEPS - 1) as f64);
        let betas: Vec<f64> = (0..STEPS).map(value).collect();
        Self {
            alphas: betas.iter().map(|v| v * scale / 100.0).collect(),
            betas,
        }
    }
}

/// Images whose classes are known, and the cache that answers them.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The cache; its α and β do not matter.
    pub cache: &'a Cache,
    /// Unit features [N, d].
    pub images: &'a [f64],
    /// Their classes [N].
    pub labels: &'a [usize],
    /// Whether they are those of the keys, in their order, and each is answered without its own.
    pub own_left_out: bool,
}

/// Whether so many images can be searched with.
pub fn is_searchable(images: usize) -> bool {
    (2..=MOST).contains(&images)
}

/// Searches `grid` for one pair that serves all of `parts`, whose features are `d` wide. Of equally
/// many right answers the smaller cross-entropy wins, then the smaller values. `None` for fewer than
/// two images, or too many.
pub fn search(
    parts: &[Known<'_>],
    d: usize,
    texts: &[f64],
    scale: f64,
    grid: &Grid,
) -> Option<Found> {
    let labels: Vec<usize> = parts.iter().flat_map(|part| part.labels).copied().collect();
    let n = labels.len();
    if !is_searchable(n) {
        return None;
    }
    let k = texts.len() / d;
    let mut plain: Vec<f64> = Vec::new();
    let mut cosines: Vec<Vec<(usize, f64)>> = Vec::new();
    let mut tallies = Vec::new();
    for part in parts {
        for (i, image) in part.images.chunks_exact(d).enumerate() {
            plain.extend(texts.chunks_exact(d).map(|t| scale * dot(image, t)));
            let keys = part.cache.keys.chunks_exact(d).zip(&part.cache.classes);
            let others = keys
                .enumerate()
                .filter(|(j, _)| !(part.own_left_out && *j == i));
            let others: Vec<_> = others
                .map(|(_, (key, class))| (*class, dot(image, key)))
                .collect();
            let classes: Vec<usize> = others.iter().map(|(class, _)| *class).collect();
            tallies.push(Tally::new(part.cache.votes, &classes, k));
            cosines.push(others);
        }
    }
    let mut best: Option<(Found, f64)> = None;
    for beta in &grid.betas {
        let votes: Vec<f64> = cosines
            .iter()
            .zip(&tallies)
            .flat_map(|(keys, tally)| {
                let fade =
                    |(class, cosine): &(usize, f64)| (*class, (-beta * (1.0 - cosine)).exp());
                tally.add(1.0, keys.iter().map(fade))
            })
            .collect();
        for alpha in &grid.alphas {
            let (mut right, mut loss) = (0, 0.0);
            for (i, label) in labels.iter().enumerate() {
                let at = i * k..(i + 1) * k;
                let pairs = plain[at.clone()].iter().zip(&votes[at]);
                let z: Vec<f64> = pairs.map(|(z, vote)| z + alpha * vote).collect();
                right += usize::from(argmax(&z) == *label);
                loss += cross_entropy(&z, *label);
            }
            let found = Found {
                alpha: *alpha,
                beta: *beta,
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
