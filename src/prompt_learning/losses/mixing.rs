//! Samples that are mixtures (LAPT): images with texts, and images of the classes with others.

use std::cell::RefCell;

use super::{Gradient, Loss, LossInput};
use crate::error::Result;
use crate::math::MatrixView;
use crate::ood::lapt::{self, Mix, MixedLoss, Samples, partners};
use crate::rng::Rng;

/// λ times the cross-entropy of images that are each mixed with a fixed text of their own label.
#[derive(Debug)]
pub struct CrossModal {
    /// λ.
    pub strength: f64,
    /// The fixed texts [P, K, d], unit.
    pub texts: Vec<f64>,
    /// Draws texts and shares.
    pub rng: RefCell<Rng>,
}

/// λ times the cross-entropy of images that are each mixed with one of the other kind; nothing for a
/// batch of one kind.
#[derive(Debug)]
pub struct CrossDistribution {
    /// λ.
    pub strength: f64,
    /// How many of the labels are classes; the rest are negatives.
    pub classes: usize,
    /// Draws partners and shares.
    pub rng: RefCell<Rng>,
}

impl Loss for CrossModal {
    fn add(&self, view: &LossInput<'_>, gradient: &mut Gradient) -> f64 {
        let mut rng = self.rng.borrow_mut();
        let sets = self.texts.len() / (view.classes * view.batch.dim);
        let labels = &view.batch.labels;
        let with: Vec<usize> = labels
            .iter()
            .map(|label| rng.below(sets as u64) as usize * view.classes + label)
            .collect();
        let lambda = shares(&mut rng, lapt::CROSS_MODAL_ALPHA, labels.len());
        let mix = Mix {
            with: &with,
            lambda: &lambda,
        };
        let loss = sides(view).and_then(|(samples, texts)| {
            let fixed = MatrixView::new(&self.texts, view.batch.dim)?;
            lapt::cross_modal(samples, fixed, mix, texts, view.scale)
        });
        put(loss, self.strength, gradient)
    }
}

impl Loss for CrossDistribution {
    fn add(&self, view: &LossInput<'_>, gradient: &mut Gradient) -> f64 {
        let mut rng = self.rng.borrow_mut();
        let labels = &view.batch.labels;
        let draw = |n: usize| rng.below(n as u64) as usize;
        let Some(with) = partners(labels, self.classes, draw) else {
            return 0.0;
        };
        let lambda = shares(&mut rng, lapt::CROSS_DISTRIBUTION_BETA, labels.len());
        let mix = Mix {
            with: &with,
            lambda: &lambda,
        };
        let loss = sides(view)
            .and_then(|(samples, texts)| lapt::cross_distribution(samples, mix, texts, view.scale));
        put(loss, self.strength, gradient)
    }
}

/// The images with their labels, and the texts.
type Sides<'a> = (Samples<'a, f64>, MatrixView<'a, f64>);

fn sides<'a>(view: &'a LossInput<'_>) -> Result<Sides<'a>> {
    let samples = Samples {
        features: MatrixView::new(&view.batch.images, view.batch.dim)?,
        labels: &view.batch.labels,
    };
    Ok((samples, MatrixView::new(view.texts, view.batch.dim)?))
}

/// λ ~ Beta(a, a).
fn shares(rng: &mut Rng, a: f64, count: usize) -> Vec<f64> {
    (0..count).map(|_| rng.beta(a, a)).collect()
}

/// A mixture that cannot be made has no loss, which ends the descent.
fn put(loss: Result<MixedLoss>, strength: f64, gradient: &mut Gradient) -> f64 {
    let Ok(loss) = loss else { return f64::NAN };
    let sums = gradient.texts.iter_mut().zip(&loss.text_gradient);
    sums.for_each(|(sum, g)| *sum += strength * g);
    strength * loss.value
}
