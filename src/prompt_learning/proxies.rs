//! Learning a map of image features and a proxy for every class, after the semantic proxies of Ren et
//! al., 2024.

use super::examples::Batch;
use super::trainer::{Group, Learner, Step};
use super::values::words;
use crate::error::Result;
use crate::math::{UnitRows, argmax, dot};
use crate::progress::LocalBoxFuture;
use crate::prompt::heads::proxies::mapped;

words! {
    /// Which sums stand inside the logarithms of [`ProxyLoss`], and which mean is outside.
    pub enum Mode {
        /// For every class over the images (proxy anchor, Kim et al., 2020).
        Anchor = "anchor",
        /// For every image over the classes (proxy NCA).
        Nca = "nca",
    }
}

/// The mean of ln(1 + Σ exp(−α (S − δ))) over images and proxies of one class, and of
/// ln(1 + Σ exp(α (S + δ))) over those of two, with cosines S. Empty sums count in the means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProxyLoss {
    /// Which sums.
    pub mode: Mode,
    /// α, how steeply a cosine counts.
    pub steepness: f64,
    /// δ, how far cosines are to be from 0.
    pub margin: f64,
}

impl ProxyLoss {
    /// The value for cosines [B, K] of images with `labels` [B], and its gradient.
    pub fn on_cosines(&self, cosines: &[f64], labels: &[usize]) -> (f64, Vec<f64>) {
        let classes = cosines.len() / labels.len().max(1);
        let (groups, items) = match self.mode {
            Mode::Anchor => (classes, labels.len()),
            Mode::Nca => (labels.len(), classes),
        };
        let place = |group: usize, item: usize| match self.mode {
            Mode::Anchor => item * classes + group,
            Mode::Nca => group * classes + item,
        };
        let mut value = 0.0;
        let mut gradient = vec![0.0; cosines.len()];
        for group in 0..groups {
            for own in [true, false] {
                let places: Vec<usize> = (0..items)
                    .map(|item| place(group, item))
                    .filter(|at| (labels[at / classes] == at % classes) == own)
                    .collect();
                let sign = if own { -1.0 } else { 1.0 };
                let exponent = |at: &usize| self.steepness * (sign * cosines[*at] + self.margin);
                // The 1 of the sum is exp(0).
                let top = places.iter().map(exponent).fold(0.0, f64::max);
                let sum = (-top).exp()
                    + places
                        .iter()
                        .map(|at| (exponent(at) - top).exp())
                        .sum::<f64>();
                value += (top + sum.ln()) / groups as f64;
                for at in &places {
                    let share = (exponent(at) - top).exp() / sum;
                    gradient[*at] = sign * self.steepness * share / groups as f64;
                }
            }
        }
        (value, gradient)
    }

    /// The value for unit `images` [B, d] and `proxies` [K, d], and its gradients with respect to both.
    pub fn on_features(
        &self,
        images: &[f64],
        labels: &[usize],
        proxies: &[f64],
        d: usize,
    ) -> (f64, Vec<f64>, Vec<f64>) {
        let rows = || images.chunks_exact(d);
        let cosines: Vec<f64> = rows()
            .flat_map(|x| proxies.chunks_exact(d).map(move |p| dot(x, p)))
            .collect();
        let (value, slopes) = self.on_cosines(&cosines, labels);
        let mut to_images = vec![0.0; images.len()];
        let mut to_proxies = vec![0.0; proxies.len()];
        let slopes = slopes.chunks_exact(proxies.len() / d);
        for ((x, dx), slopes) in rows().zip(to_images.chunks_exact_mut(d)).zip(slopes) {
            let pairs = proxies.chunks_exact(d).zip(to_proxies.chunks_exact_mut(d));
            for ((p, dp), slope) in pairs.zip(slopes) {
                for i in 0..d {
                    dx[i] += slope * p[i];
                    dp[i] += slope * x[i];
                }
            }
        }
        (value, to_images, to_proxies)
    }
}

/// Images x = norm((I + w M) f) and proxies p_k = norm(t⁰_k + w r_k); M [d, d] and then r [K, d] are
/// the parameters.
#[derive(Debug, Clone)]
pub struct ProxyLearner<'a> {
    /// t⁰ [K, d], unit.
    pub base: &'a [f64],
    /// w, the weight of what is learned.
    pub strength: f64,
    /// The loss.
    pub loss: ProxyLoss,
}

impl ProxyLearner<'_> {
    /// I + w M, [d, d].
    pub fn map<P: Copy + Into<f64>>(&self, parameters: &[P], d: usize) -> Vec<f64> {
        let own = parameters[..d * d].iter().enumerate();
        own.map(|(at, m)| f64::from(u8::from(at / d == at % d)) + self.strength * (*m).into())
            .collect()
    }

    /// The proxies [K, d].
    pub fn proxies<P: Copy + Into<f64>>(&self, parameters: &[P], d: usize) -> UnitRows {
        let pairs = self.base.iter().zip(&parameters[d * d..]);
        let sums: Vec<f64> = pairs
            .map(|(t, r)| t + self.strength * (*r).into())
            .collect();
        UnitRows::new(&sums, d)
    }

    /// The loss of `parameters` on `batch`, the images nearest to the proxy of their class, and the
    /// gradient.
    pub fn descend<P: Copy + Into<f64>>(
        &self,
        parameters: &[P],
        batch: &Batch,
    ) -> (f64, usize, Vec<f64>) {
        let d = batch.dim;
        let map = self.map(parameters, d);
        let raw: Vec<f64> = batch.rows().flat_map(|f| mapped(&map, f)).collect();
        let images = UnitRows::new(&raw, d);
        let proxies = self.proxies(parameters, d);
        let (value, to_images, to_proxies) =
            (self.loss).on_features(&images.values, &batch.labels, &proxies.values, d);
        let mut gradient = vec![0.0; d * d];
        let raw = images.backward(&to_images);
        for (f, dy) in batch.rows().zip(raw.chunks_exact(d)) {
            for (row, dy) in gradient.chunks_exact_mut(d).zip(dy) {
                row.iter_mut().zip(f).for_each(|(g, f)| *g += dy * f);
            }
        }
        gradient.extend(proxies.backward(&to_proxies));
        gradient.iter_mut().for_each(|g| *g *= self.strength);
        let nearest = |x: &[f64]| {
            let rows = proxies.values.chunks_exact(d);
            argmax(&rows.map(|p| dot(x, p)).collect::<Vec<_>>())
        };
        let pairs = images.values.chunks_exact(d).zip(&batch.labels);
        let hits = pairs.filter(|(x, label)| nearest(x) == **label).count();
        (value, hits, gradient)
    }
}

impl Learner for ProxyLearner<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        let (loss, hits, gradient) = self.descend(parameters, batch);
        let step: Result<Step> = Ok(Step {
            loss,
            hits,
            gradient: gradient.iter().map(|g| *g as f32).collect(),
        });
        Box::pin(std::future::ready(step))
    }

    fn groups(&self, count: usize) -> Vec<Group> {
        vec![
            Group {
                name: "map",
                len: count - self.base.len(),
            },
            Group {
                name: "proxies",
                len: self.base.len(),
            },
        ]
    }
}
