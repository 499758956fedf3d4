//! Samples that are mixtures (LAPT): images with texts, and images of the classes with outliers.

use super::{Gradient, Loss, LossInput};
use crate::error::Result;
use crate::math::MatrixView;
use crate::ood::lapt::{self, Mix, MixedLoss, Samples, partners};
use crate::rng::Rng;

/// λ times the cross-entropy of images that are each mixed with a fixed text of their own label.
#[derive(Debug)]
pub struct CrossModal {
    /// λ, the weight of this loss.
    pub strength: f64,
    /// The fixed texts [P, K, d], unit.
    pub texts: Vec<f64>,
    /// Draws texts and shares.
    pub rng: Rng,
}

/// λ times the cross-entropy of images that are each mixed with one of the other kind; 0 for a batch
/// of one kind.
#[derive(Debug)]
pub struct CrossDistribution {
    /// λ, the weight of this loss.
    pub strength: f64,
    /// How many of the labels are classes; the rest are negatives.
    pub classes: usize,
    /// Draws partners and shares.
    pub rng: Rng,
}

impl Loss for CrossModal {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let sets = self.texts.len() / (input.classes * input.batch.dim);
        let labels = &input.batch.labels;
        let with: Vec<usize> = labels
            .iter()
            .map(|label| self.rng.below(sets as u64) as usize * input.classes + label)
            .collect();
        let lambda = shares(&mut self.rng, lapt::CROSS_MODAL_ALPHA, labels.len());
        let mix = Mix {
            with: &with,
            lambda: &lambda,
        };
        let fixed = MatrixView::new(&self.texts, input.batch.dim)?;
        let (samples, texts) = samples_and_texts(input)?;
        let loss = lapt::cross_modal(samples, fixed, mix, texts, input.scale)?;
        Ok(add_scaled(&loss, self.strength, gradient))
    }
}

impl Loss for CrossDistribution {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let labels = &input.batch.labels;
        let draw = |n: usize| self.rng.below(n as u64) as usize;
        let Some(with) = partners(labels, self.classes, draw) else {
            return Ok(0.0);
        };
        let lambda = shares(&mut self.rng, lapt::CROSS_DISTRIBUTION_BETA, labels.len());
        let mix = Mix {
            with: &with,
            lambda: &lambda,
        };
        let (samples, texts) = samples_and_texts(input)?;
        let loss = lapt::cross_distribution(samples, mix, texts, input.scale)?;
        Ok(add_scaled(&loss, self.strength, gradient))
    }
}

/// The images with their labels, and the texts.
type SamplesAndTexts<'a> = (Samples<'a, f64>, MatrixView<'a, f64>);

fn samples_and_texts<'a>(input: &'a LossInput<'_>) -> Result<SamplesAndTexts<'a>> {
    let samples = Samples {
        features: MatrixView::new(&input.batch.images, input.batch.dim)?,
        labels: &input.batch.labels,
    };
    Ok((samples, MatrixView::new(input.texts, input.batch.dim)?))
}

/// Draws from Beta(a, a).
fn shares(rng: &mut Rng, a: f64, count: usize) -> Vec<f64> {
    (0..count).map(|_| rng.beta(a, a)).collect()
}

/// Adds the gradient of `strength` times `loss` and returns its value.
fn add_scaled(loss: &MixedLoss, strength: f64, gradient: &mut Gradient) -> f64 {
    let sums = gradient.texts.iter_mut().zip(&loss.text_gradient);
    sums.for_each(|(sum, g)| *sum += strength * g);
    strength * loss.value
}
