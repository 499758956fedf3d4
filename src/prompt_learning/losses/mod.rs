//! Losses in closed form on unit features, with f64 throughout.
//!
//! Texts come in sets, one per context: T [C, K, d]. The logits of image b are
//! z_bk = s Σ_c w_bc f_b · t^c_k with weights w [B, C]: 1 / C if contexts are averaged, a gate's
//! shares, or a one if image b owns context c.

mod absolute;
mod anchor;
mod distil;
mod diversity;
mod entropy;
mod foreign_regions;
mod hard_texts;
mod mixing;
mod ordered;
mod own_task;

pub use absolute::Absolute;
pub use anchor::Anchor;
pub use distil::Distil;
pub use diversity::Diversity;
pub use entropy::CrossEntropy;
pub use foreign_regions::ForeignRegions;
pub use hard_texts::HardTexts;
pub use mixing::{CrossDistribution, CrossModal, Mixer};
pub use ordered::Ordered;
pub use own_task::{OtherTasks, OwnTask};

use super::examples::Batch;
use crate::error::{Error, Kind, Result};
use crate::math::log_sum_exp;
use crate::math::{argmax, dot};

/// A batch of images compared with text features.
#[derive(Debug)]
pub struct LossInput<'a> {
    /// Unit text features [C, K, d].
    pub texts: &'a [f64],
    /// K, the number of classes.
    pub classes: usize,
    /// C, the number of contexts.
    pub sets: usize,
    /// The images.
    pub batch: &'a Batch,
    /// s: exp(logit_scale), which multiplies cosines before the softmax.
    pub scale: f64,
    /// w [B, C], the weight of each context for each image.
    pub weights: Vec<f64>,
    /// z [B, K].
    pub logits: Vec<f64>,
    cosines: Vec<f64>,
}

impl<'a> LossInput<'a> {
    /// Computes the logits; without `weights` the sets are averaged.
    ///
    /// # Errors
    /// `engine/internal` if the shapes disagree.
    pub fn new(
        texts: &'a [f64],
        classes: usize,
        batch: &'a Batch,
        scale: f64,
        weights: Option<Vec<f64>>,
    ) -> Result<Self> {
        let d = batch.dim;
        let sets = texts.len() / (classes * d).max(1);
        let weights = weights.unwrap_or_else(|| vec![1.0 / sets as f64; batch.len() * sets]);
        let fits = sets > 0
            && texts.len() == sets * classes * d
            && weights.len() == batch.len() * sets
            && batch.labels.iter().all(|y| *y < classes);
        if !fits {
            return Err(Error::new(
                Kind::Internal,
                "A batch does not fit the text features it is compared with.",
            ));
        }
        let mut cosines = vec![0.0; batch.len() * sets * classes];
        let mut logits = vec![0.0; batch.len() * classes];
        for (b, image) in batch.rows().enumerate() {
            let z = &mut logits[b * classes..(b + 1) * classes];
            for c in 0..sets {
                let weight = weights[b * sets + c];
                if weight == 0.0 {
                    continue;
                }
                let at = (b * sets + c) * classes;
                let rows = texts[c * classes * d..].chunks_exact(d);
                for ((z, cosine), text) in
                    z.iter_mut().zip(&mut cosines[at..at + classes]).zip(rows)
                {
                    *cosine = dot(image, text);
                    *z += scale * weight * *cosine;
                }
            }
        }
        Ok(Self {
            texts,
            classes,
            sets,
            batch,
            scale,
            weights,
            logits,
            cosines,
        })
    }

    /// Images whose largest logit is the right one; of equal ones the first counts.
    pub fn hits(&self) -> usize {
        self.logits
            .chunks_exact(self.classes)
            .zip(&self.batch.labels)
            .filter(|(z, label)| argmax(z) == **label)
            .count()
    }

    /// d loss / d f [B, d] of a gradient on the logits.
    fn image_gradient(&self, dz: &[f64]) -> Vec<f64> {
        let (k, d) = (self.classes, self.batch.dim);
        let mut out = vec![0.0; self.batch.len() * d];
        for (b, row) in out.chunks_exact_mut(d).enumerate() {
            for (place, text) in self.texts.chunks_exact(d).enumerate() {
                let (set, class) = (place / k, place % k);
                let factor = self.scale * self.weights[b * self.sets + set] * dz[b * k + class];
                row.iter_mut().zip(text).for_each(|(g, t)| *g += factor * t);
            }
        }
        out
    }

    /// d loss / d T [C, K, d] and d loss / d w [B, C] of a gradient on the logits.
    fn spread(&self, dz: &[f64], texts: &mut [f64]) -> Vec<f64> {
        let (k, d) = (self.classes, self.batch.dim);
        let mut weights = vec![0.0; self.weights.len()];
        for (b, image) in self.batch.rows().enumerate() {
            let dz = &dz[b * k..(b + 1) * k];
            for c in 0..self.sets {
                let at = b * self.sets + c;
                let share = self.weights[at];
                if share == 0.0 {
                    continue;
                }
                weights[at] = self.scale * dot(dz, &self.cosines[at * k..(at + 1) * k]);
                let rows = texts[c * k * d..].chunks_exact_mut(d);
                for (row, dz) in rows.zip(dz) {
                    let factor = self.scale * share * dz;
                    row.iter_mut()
                        .zip(image)
                        .for_each(|(g, f)| *g += factor * f);
                }
            }
        }
        weights
    }
}

/// −ln softmax(z)_label.
pub fn cross_entropy(z: &[f64], label: usize) -> f64 {
    log_sum_exp(z, 1.0) - z[label]
}

/// Gradient accumulators.
#[derive(Debug)]
pub struct Gradient {
    /// d loss / d z [B, K].
    pub logits: Vec<f64>,
    /// d loss / d T [C, K, d] other than through the logits.
    pub texts: Vec<f64>,
}

/// A loss, or a part of one.
pub trait Loss {
    /// Adds its gradient and returns its value. May draw random numbers, so two calls can differ.
    ///
    /// # Errors
    /// The loss's own; they end the training as they are.
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64>;
}

/// The sum of its parts.
impl Loss for Vec<Box<dyn Loss>> {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let mut sum = 0.0;
        for part in self {
            sum += part.add(input, gradient)?;
        }
        Ok(sum)
    }
}

/// The value of a loss, and its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct LossGradient {
    /// The value.
    pub value: f64,
    /// d loss / d T [C, K, d].
    pub texts: Vec<f64>,
    /// d loss / d w [B, C].
    pub weights: Vec<f64>,
}

/// `loss` on `input` with its gradient.
///
/// # Errors
/// Those of `loss`.
pub fn total(input: &LossInput<'_>, loss: &mut dyn Loss) -> Result<LossGradient> {
    let (value, mut gradient) = evaluate(input, loss)?;
    let weights = input.spread(&gradient.logits, &mut gradient.texts);
    Ok(LossGradient {
        value,
        texts: gradient.texts,
        weights,
    })
}

/// [`total`], and d loss / d f [B, d] of the images through the logits.
///
/// # Errors
/// Those of `loss`.
pub fn total_with_images(
    input: &LossInput<'_>,
    loss: &mut dyn Loss,
) -> Result<(LossGradient, Vec<f64>)> {
    let (value, mut gradient) = evaluate(input, loss)?;
    let weights = input.spread(&gradient.logits, &mut gradient.texts);
    let images = input.image_gradient(&gradient.logits);
    let found = LossGradient {
        value,
        texts: gradient.texts,
        weights,
    };
    Ok((found, images))
}

/// The value of `loss` and its gradient on the logits [B, K] alone.
///
/// # Errors
/// Those of `loss`.
pub fn on_logits(input: &LossInput<'_>, loss: &mut dyn Loss) -> Result<(f64, Vec<f64>)> {
    let (value, gradient) = evaluate(input, loss)?;
    Ok((value, gradient.logits))
}

fn evaluate(input: &LossInput<'_>, loss: &mut dyn Loss) -> Result<(f64, Gradient)> {
    let mut gradient = Gradient {
        logits: vec![0.0; input.logits.len()],
        texts: vec![0.0; input.texts.len()],
    };
    let value = loss.add(input, &mut gradient)?;
    Ok((value, gradient))
}
