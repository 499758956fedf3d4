//! Tuning the prompt on the very image that is asked about: views, the confident ones kept, a few
//! gradient steps on the context so that they agree. TPT (Shu et al., 2022) and DiffTPT-lite are two
//! configurations of this one mechanism. The letters in shapes are those of docs/design/notation.md.

pub mod entropy;
mod extra_images;
pub mod select;
mod settings;

pub use extra_images::ExtraImages;
pub use settings::{
    MAX_STEPS, Method, Overrides, StrongViews, Tuning, TuningKind, extra_images_unused,
};

use serde::Serialize;

use crate::error::{Error, Kind, Result};
use crate::math::UnitRows;
use crate::math::optimizer::{AdamW, Optimizer};
use crate::progress::Progress;
use crate::prompt::model::TextSide;
use entropy::{Marginal, entropies, logits, marginal};
use select::{Filter, keep};

/// How to tune. The two methods differ only in these values and in how their views are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Gradient steps.
    pub steps: usize,
    /// AdamW's learning rate.
    pub lr: f32,
    /// Share of the views that the entropy filter keeps.
    pub rho: f64,
    /// Share of the other views that the cosine filter keeps before it, and where it measures.
    pub cosine: Option<(f64, Filter)>,
}

impl Config {
    /// TPT: one step, the 10 % most confident views; 25 % below 32 views, where 10 % is one view.
    pub fn tpt(views: usize) -> Self {
        Self {
            steps: 1,
            lr: 5e-3,
            rho: if views < 32 { 0.25 } else { 0.1 },
            cosine: None,
        }
    }

    /// DiffTPT's filters and steps: 80 % by cosine of logits, then 30 % by entropy, four steps.
    pub fn difftpt_lite() -> Self {
        Self {
            steps: 4,
            lr: 5e-3,
            rho: 0.3,
            cosine: Some((0.8, Filter::Logits)),
        }
    }
}

/// What tuning did to one image.
#[derive(Debug, Clone, Serialize)]
pub struct Tuned {
    /// Views made.
    pub views: usize,
    /// Views that steered the context, in ascending entropy.
    pub selected: Vec<usize>,
    /// Views that passed the cosine filter, the plain view first; all if there is none.
    pub passed: Vec<usize>,
    /// Entropy in nats of every view's prediction before tuning.
    pub entropies: Vec<f64>,
    /// Marginal entropy before every step and after the last.
    pub losses: Vec<f64>,
    /// dL/dcontext of every step, [M, W] each.
    #[serde(skip)]
    pub gradients: Vec<Vec<f32>>,
    /// The context before the first step and after every one, [M, W] each.
    #[serde(skip)]
    pub contexts: Vec<Vec<f32>>,
    /// Logits of the plain view before tuning, [K].
    pub logits_before: Vec<f64>,
    /// Logits of the plain view with the tuned context, [K].
    pub logits_after: Vec<f64>,
    /// L2-normalized text features with the tuned context, [K, d].
    #[serde(skip)]
    pub text_features: Vec<f32>,
    /// True if tuning produced NaN or infinity and was discarded.
    pub guarded: bool,
}

impl Tuned {
    /// Marginal entropy in nats of the selected views before the first step.
    pub fn entropy_before(&self) -> f64 {
        self.losses.first().copied().unwrap_or(f64::NAN)
    }

    /// Marginal entropy in nats of the selected views after the last step.
    pub fn entropy_after(&self) -> f64 {
        self.losses.last().copied().unwrap_or(f64::NAN)
    }
}

/// The model's side of tuning.
pub struct Text<'a> {
    /// The class names behind any context.
    pub side: &'a mut dyn TextSide,
    /// How many they are.
    pub classes: usize,
    /// exp(logit_scale): multiplies cosines before the softmax.
    pub logit_scale: f32,
}

/// Tunes `context` [M, W] for the views with L2-normalized features `images` [N, d], of which view 0
/// is the plain one. Nothing is kept between images: context and optimizer start afresh. `progress` is
/// told between device passes.
///
/// # Errors
/// What `progress` returns, `gpu/lost`. Values that are not finite are no error: the
/// untuned answer comes back with `guarded`.
pub async fn tune(
    text: Text<'_>,
    context: &[f32],
    images: &[f32],
    config: &Config,
    progress: &dyn Progress,
) -> Result<Tuned> {
    let Text {
        side,
        classes: k,
        logit_scale,
    } = text;
    let s = f64::from(logit_scale);
    let features = side.forward(context).await?;
    let d = features.len() / k;
    let mut unit = UnitRows::new(&features, d);
    let z = logits(images, &unit.values, d, s);
    let entropy = entropies(&z, k);
    let (passed, selected) = keep(&z, images, &entropy, k, d, config);
    let kept: Vec<f32> = selected
        .iter()
        .flat_map(|i| &images[i * d..(i + 1) * d])
        .copied()
        .collect();
    let mut tuned = Tuned {
        views: entropy.len(),
        selected,
        passed,
        entropies: entropy,
        losses: Vec::new(),
        gradients: Vec::new(),
        contexts: vec![context.to_vec()],
        logits_before: z[..k].to_vec(),
        logits_after: z[..k].to_vec(),
        text_features: unit.rounded(),
        guarded: false,
    };
    let mut optimizer = AdamW::new(context.len(), 0.01);
    let mut current = context.to_vec();
    for done in 0..config.steps {
        progress.step("tune", 2 * done, 2 * config.steps).await?;
        let Marginal { loss, gradient } = marginal(&logits(&kept, &unit.values, d, s), k);
        tuned.losses.push(loss);
        let gradient = unit.backward(&gather(&gradient, &kept, k, d, s));
        let gradient: Vec<f32> = gradient.into_iter().map(|g| g as f32).collect();
        let step = side.backward(&gradient).await;
        let Some(step) = finite(step)? else {
            return Ok(guard(tuned));
        };
        optimizer.step(&mut current, &step, config.lr);
        tuned.gradients.push(step);
        tuned.contexts.push(current.clone());
        progress
            .step("tune", 2 * done + 1, 2 * config.steps)
            .await?;
        let Some(features) = finite(side.forward(&current).await)? else {
            return Ok(guard(tuned));
        };
        unit = UnitRows::new(&features, d);
    }
    let after = marginal(&logits(&kept, &unit.values, d, s), k).loss;
    tuned.losses.push(after);
    tuned.logits_after = logits(&images[..d], &unit.values, d, s);
    let whole = tuned
        .losses
        .iter()
        .chain(&tuned.logits_after)
        .all(|v| v.is_finite());
    if !whole {
        return Ok(guard(tuned));
    }
    tuned.text_features = unit.rounded();
    Ok(tuned)
}

/// The untuned answer.
fn guard(mut tuned: Tuned) -> Tuned {
    tuned.guarded = true;
    tuned.logits_after = tuned.logits_before.clone();
    tuned
}

/// `None` if the device computed NaN or infinity; other errors pass.
fn finite<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == Kind::NotFinite => Ok(None),
        Err(error) => Err::<_, Error>(error),
    }
}

/// dL/dunit features [K, d] from dL/dlogits [N, K] of `images` [N, d]: g_k = s sum_i dz_ik f_i.
fn gather(dz: &[f64], images: &[f32], k: usize, d: usize, s: f64) -> Vec<f64> {
    let mut out = vec![0f64; k * d];
    for (f, dz) in images.chunks_exact(d).zip(dz.chunks_exact(k)) {
        for (row, dz) in out.chunks_exact_mut(d).zip(dz) {
            let weight = s * dz;
            row.iter_mut()
                .zip(f)
                .for_each(|(g, f)| *g += weight * f64::from(*f));
        }
    }
    out
}
