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
    pub mixer: Mixer,
}

/// λ times the cross-entropy of images that are each mixed with one of the other kind. A batch of one
/// kind has none to mix.
#[derive(Debug)]
pub struct CrossDistribution {
    /// λ, the weight of this loss.
    pub strength: f64,
    /// How many of the labels are classes; the rest are negatives.
    pub classes: usize,
    /// Whether a batch of one kind has the loss of its images as they are instead, else it has 0.
    pub plain_instead: bool,
    /// Draws partners and shares.
    pub mixer: Mixer,
}

/// Draws what is mixed, and in which shares.
#[derive(Debug)]
pub struct Mixer {
    /// The random numbers.
    pub rng: Rng,
    /// Shares come from Beta(a, a).
    pub a: f64,
    /// One share for all of a batch, or one for each sample.
    pub one_share: bool,
}

impl Mixer {
    fn below(&mut self, n: usize) -> usize {
        self.rng.below(n as u64) as usize
    }

    fn shares(&mut self, count: usize) -> Vec<f64> {
        if self.one_share {
            return vec![self.rng.beta(self.a, self.a); count];
        }
        (0..count).map(|_| self.rng.beta(self.a, self.a)).collect()
    }
}

impl Loss for CrossModal {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let sets = self.texts.len() / (input.classes * input.batch.dim);
        let labels = &input.batch.labels;
        let with: Vec<usize> = labels
            .iter()
            .map(|label| self.mixer.below(sets) * input.classes + label)
            .collect();
        let lambda = self.mixer.shares(labels.len());
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
        let (samples, texts) = samples_and_texts(input)?;
        let Some(with) = partners(labels, self.classes, |n| self.mixer.below(n)) else {
            if !self.plain_instead {
                return Ok(0.0);
            }
            let loss = lapt::cross_entropy(samples, texts, input.scale)?;
            return Ok(add_scaled(&loss, self.strength, gradient));
        };
        let lambda = self.mixer.shares(labels.len());
        let mix = Mix {
            with: &with,
            lambda: &lambda,
        };
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

/// Adds the gradient of `strength` times `loss` and returns its value.
fn add_scaled(loss: &MixedLoss, strength: f64, gradient: &mut Gradient) -> f64 {
    let sums = gradient.texts.iter_mut().zip(&loss.text_gradient);
    sums.for_each(|(sum, g)| *sum += strength * g);
    strength * loss.value
}
