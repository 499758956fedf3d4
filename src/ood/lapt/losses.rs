//! The three losses, all softmax cross-entropies over classes and negative labels with
//! logits = `logit_scale` · cos, averaged over the samples.
//!
//! With p = softmax(s · f̃ T^t) and the target distribution q, the gradient with respect to the text
//! features T is s / B · Σ_b (p_b − q_b)^t f̃_b. If T was normalized, the caller takes the gradient
//! back through the normalization.

use crate::error::{Error, Kind, Result};
use crate::math::{MatrixView, dot, same_width};
use crate::math::{check_finite, log_sum_exp};

/// A mean loss and its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct MixedLoss {
    /// Mean over the samples, in nats.
    pub value: f64,
    /// d value / d text features, `[texts, width]` row-major.
    pub text_gradient: Vec<f64>,
}

impl MixedLoss {
    /// The sum of two losses on the same texts; panics if these differ in number.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        assert_eq!(
            self.text_gradient.len(),
            other.text_gradient.len(),
            "other texts"
        );
        self.value += other.value;
        for (a, b) in self.text_gradient.iter_mut().zip(&other.text_gradient) {
            *a += b;
        }
        self
    }
}

/// L2-normalized image features with one label each; labels count through the texts, so those of
/// negative labels start at the number of classes.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a, T> {
    /// `[B, width]`.
    pub features: MatrixView<'a, T>,
    /// `[B]`.
    pub labels: &'a [usize],
}

/// What each sample is mixed with.
#[derive(Debug, Clone, Copy)]
pub struct Mix<'a> {
    /// The row of the other feature, `[B]`.
    pub with: &'a [usize],
    /// λ, the share of the sample itself, `[B]`, each in [0, 1].
    pub lambda: &'a [f64],
}

/// L: cross-entropy of the images themselves.
///
/// # Errors
/// `engine/internal` if the shapes disagree, `engine/not-finite` for NaN or infinity.
pub fn cross_entropy<F, T>(
    samples: Samples<'_, F>,
    texts: MatrixView<'_, T>,
    logit_scale: f64,
) -> Result<MixedLoss>
where
    F: Copy + Into<f64>,
    T: Copy + Into<f64>,
{
    check(samples, texts, None)?;
    let mut sum = Sum::new(texts, logit_scale);
    for (feature, label) in samples.features.iter().zip(samples.labels) {
        let feature: Vec<f64> = feature.iter().map(|v| (*v).into()).collect();
        sum.add(&feature, &[(*label, 1.0)])?;
    }
    Ok(sum.mean(samples.labels.len()))
}

/// L_cm: every image is mixed with a fixed text of its own label, f̃ = norm(λ f + (1 − λ) t⁰), and
/// keeps the label. `mix.with` are rows of `hard_texts`.
///
/// # Errors
/// As [`cross_entropy`]; `engine/not-finite` also if a mixture is zero.
pub fn cross_modal<F, H, T>(
    samples: Samples<'_, F>,
    hard_texts: MatrixView<'_, H>,
    mix: Mix<'_>,
    texts: MatrixView<'_, T>,
    logit_scale: f64,
) -> Result<MixedLoss>
where
    F: Copy + Into<f64>,
    H: Copy + Into<f64>,
    T: Copy + Into<f64>,
{
    let own = |b: usize| vec![(samples.labels[b], 1.0)];
    mixed(samples, hard_texts, mix, own, texts, logit_scale)
}

/// L_cd: every image is mixed with an image of the other kind, f̃ = norm(λ f_i + (1 − λ) f_j), and
/// its target is λ y_i + (1 − λ) y_j. `mix.with` are rows of the samples themselves.
///
/// # Errors
/// As [`cross_modal`].
pub fn cross_distribution<F, T>(
    samples: Samples<'_, F>,
    mix: Mix<'_>,
    texts: MatrixView<'_, T>,
    logit_scale: f64,
) -> Result<MixedLoss>
where
    F: Copy + Into<f64>,
    T: Copy + Into<f64>,
{
    let both = |b: usize| {
        let (partner, lambda) = (mix.with[b], mix.lambda[b]);
        vec![
            (samples.labels[b], lambda),
            (samples.labels[partner], 1.0 - lambda),
        ]
    };
    mixed(samples, samples.features, mix, both, texts, logit_scale)
}

/// Cross-entropy of samples that are each mixed with a row of `partners`, against the `target` of
/// sample b as pairs of text and share.
fn mixed<F, P, T>(
    samples: Samples<'_, F>,
    partners: MatrixView<'_, P>,
    mix: Mix<'_>,
    target: impl Fn(usize) -> Vec<(usize, f64)>,
    texts: MatrixView<'_, T>,
    logit_scale: f64,
) -> Result<MixedLoss>
where
    F: Copy + Into<f64>,
    P: Copy + Into<f64>,
    T: Copy + Into<f64>,
{
    check(samples, texts, Some((mix, partners.len())))?;
    same_width(partners.width(), texts.width())?;
    let mut sum = Sum::new(texts, logit_scale);
    for b in 0..samples.labels.len() {
        let (own, partner) = (samples.features.row(b), partners.row(mix.with[b]));
        sum.add(&mixture(own, partner, mix.lambda[b])?, &target(b))?;
    }
    Ok(sum.mean(samples.labels.len()))
}

/// norm(λ a + (1 − λ) b).
fn mixture<A, B>(a: &[A], b: &[B], lambda: f64) -> Result<Vec<f64>>
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let mut sum: Vec<f64> = a
        .iter()
        .zip(b)
        .map(|(x, y)| lambda * (*x).into() + (1.0 - lambda) * (*y).into())
        .collect();
    let length = dot(&sum, &sum).sqrt();
    if !(length > 1e-12 && length.is_finite()) {
        return Err(Error::new(
            Kind::NotFinite,
            "Two features cannot be mixed: they cancel out or are not finite.",
        ));
    }
    for v in &mut sum {
        *v /= length;
    }
    Ok(sum)
}

/// Sums over samples.
struct Sum<'a, T> {
    texts: MatrixView<'a, T>,
    scale: f64,
    logits: Vec<f64>,
    loss: MixedLoss,
}

impl<'a, T: Copy + Into<f64>> Sum<'a, T> {
    fn new(texts: MatrixView<'a, T>, scale: f64) -> Self {
        let loss = MixedLoss {
            value: 0.0,
            text_gradient: vec![0.0; texts.len() * texts.width()],
        };
        Self {
            texts,
            scale,
            logits: vec![0.0; texts.len()],
            loss,
        }
    }

    /// Adds one sample with its target, as pairs of text and share that sum to 1.
    fn add(&mut self, feature: &[f64], target: &[(usize, f64)]) -> Result<()> {
        for (logit, text) in self.logits.iter_mut().zip(self.texts.iter()) {
            *logit = self.scale * dot(feature, text);
        }
        check_finite(&self.logits, "logits")?;
        let total = log_sum_exp(&self.logits, 1.0);
        self.loss.value += target
            .iter()
            .map(|(y, q)| q * (total - self.logits[*y]))
            .sum::<f64>();
        for logit in &mut self.logits {
            *logit = (*logit - total).exp();
        }
        for (y, share) in target {
            self.logits[*y] -= share;
        }
        let rows = self.loss.text_gradient.chunks_exact_mut(feature.len());
        for (row, error) in rows.zip(&self.logits) {
            let factor = self.scale * error;
            for (g, f) in row.iter_mut().zip(feature) {
                *g += factor * f;
            }
        }
        Ok(())
    }

    fn mean(mut self, samples: usize) -> MixedLoss {
        let n = samples as f64;
        self.loss.value /= n;
        for g in &mut self.loss.text_gradient {
            *g /= n;
        }
        self.loss
    }
}

fn check<F, T>(
    samples: Samples<'_, F>,
    texts: MatrixView<'_, T>,
    mix: Option<(Mix<'_>, usize)>,
) -> Result<()>
where
    F: Copy + Into<f64>,
    T: Copy + Into<f64>,
{
    same_width(samples.features.width(), texts.width())?;
    let n = samples.labels.len();
    let shapes = n > 0
        && samples.features.len() == n
        && samples.labels.iter().all(|y| *y < texts.len())
        && mix.is_none_or(|(mix, rows)| {
            mix.with.len() == n
                && mix.lambda.len() == n
                && mix.with.iter().all(|row| *row < rows)
                && mix.lambda.iter().all(|l| (0.0..=1.0).contains(l))
        });
    if shapes {
        return Ok(());
    }
    Err(Error::new(
        Kind::Internal,
        "A batch needs at least one sample, a known label for each, and a partner and a weight in \
         [0, 1] for each mixture.",
    ))
}
