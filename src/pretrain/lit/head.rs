//! The classifier that came with the published encoder: it teaches the projection.

use super::concepts::CLASSES;
use crate::checkpoint::Backbone;
use crate::error::{Error, Kind, Result};

/// The encoder's own classifier over ImageNet's classes: logits = W f + b.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Features.
    pub width: usize,
    /// [1000, width].
    pub weight: Vec<f32>,
    /// [1000].
    pub bias: Vec<f32>,
    /// The mean of the rows of `weight`.
    pub mean: Vec<f32>,
}

impl Head {
    /// A classifier of `weight` [classes, width] and `bias` [classes].
    pub fn new(weight: Vec<f32>, bias: Vec<f32>, width: usize) -> Self {
        let mut mean = vec![0f32; width];
        for row in weight.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(m, w)| *m += w);
        }
        let count = bias.len() as f32;
        mean.iter_mut().for_each(|m| *m /= count);
        Self {
            width,
            weight,
            bias,
            mean,
        }
    }

    /// The classifier of a published encoder.
    ///
    /// # Errors
    /// `weights/wrong-shape` if it does not tell ImageNet's classes apart.
    pub fn of(encoder: &Backbone) -> Result<Self> {
        let found = &encoder.classifier;
        if found.bias.len() != CLASSES {
            return Err(Error::new(
                Kind::WeightsWrongShape,
                format!("The encoder's classifier is not one over {CLASSES} classes."),
            ));
        }
        let width = found.weight.len() / CLASSES;
        Ok(Self::new(found.weight.clone(), found.bias.clone(), width))
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }

    /// The row of a class.
    pub fn row(&self, class: usize) -> &[f32] {
        &self.weight[class * self.width..(class + 1) * self.width]
    }

    /// `feature` moved so that the logit of `class` rises by `rise` and the others hardly: a feature of
    /// a class without photos. Features are never negative.
    pub fn toward(&self, feature: &mut [f32], class: usize, rise: f32) {
        let row = self.row(class);
        let step: Vec<f32> = row.iter().zip(&self.mean).map(|(w, m)| w - m).collect();
        let along: f32 = row.iter().zip(&step).map(|(w, s)| w * s).sum();
        let size = rise / along.max(1e-12);
        for (f, s) in feature.iter_mut().zip(step) {
            *f = (*f + size * s).max(0.0);
        }
    }
}
