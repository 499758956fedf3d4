//! One step: loss, gradient, AdamW, moving average.

use burn::tensor::Tensor;
use pollster::block_on;

use super::batch::{Batch, Part};
use super::loss::{contrastive, distil};
use super::muon::Matrices;
use super::parameters::{Layout, MAX_LOG_SCALE};
use super::settings::Settings;
use super::towers::Towers;
use crate::checkpoint::TensorBuilder;
use crate::clip::config::ClipConfig;
use crate::error::{Error, Kind, Result};
use crate::kernels::{Placement, floats, read};
use crate::math::optimizer::{AdamW, Optimizer};
use crate::quant::{HostTensor, Quantization};

/// The loss of a batch, its gradient, and how many photos the right name was nearest to.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// The loss.
    pub loss: f32,
    /// In every weight, in the order of the layout.
    pub values: Vec<f32>,
    /// Photos nearest to their own name among the names.
    pub right: usize,
}

/// The loss of `batch` under the weights `values` and its gradient.
///
/// # Errors
/// `engine/not-finite`, `gpu/lost`.
pub async fn gradient(
    config: &ClipConfig,
    layout: &Layout,
    values: &[f32],
    placement: &Placement,
    batch: &Batch,
    settings: &Settings,
) -> Result<Gradient> {
    let weights = Weights {
        config,
        layout,
        values,
        placement,
    };
    let (images, texts) = forward(&weights, batch, settings.shards)?;
    // The towers' tapes end at the features and the loss has one of its own, so that the parts of a
    // batch can run side by side and still count as one batch (Gao et al., "Scaling Deep Contrastive
    // Learning Batch Size under Memory Limited Setup", 2021).
    let leaf = |features: Tensor<2>| features.autodiff().require_grad();
    let image_leaf = leaf(Tensor::cat(images.iter().map(Pass::features).collect(), 0));
    let text_leaf = leaf(texts.features());
    let scale_leaf = floats(
        vec![values[layout.leaf("logit_scale")?.range.start]],
        [1],
        &placement.device,
    )
    .autodiff()
    .require_grad();
    let captions = text_leaf.clone().narrow(0, 0, batch.captions.len());
    let (mut loss, logits) = contrastive(
        image_leaf.clone(),
        captions,
        scale_leaf.clone().exp(),
        &batch.matches,
        settings.smoothing,
    );
    if !batch.taught.is_empty() {
        let taught = text_leaf
            .clone()
            .narrow(0, batch.captions.len(), batch.taught.len());
        loss = loss + distil(taught, batch.wanted.clone()) * settings.distil;
    }
    let grads = loss.backward();
    let of = |leaf: &Tensor<2>| {
        leaf.grad(&grads)
            .unwrap_or_else(|| leaf.clone().inner().zeros_like())
    };
    let mut found = backward(images, texts, of(&image_leaf), of(&text_leaf))?;
    if let Some(gradient) = scale_leaf.grad(&grads) {
        found[layout.leaf("logit_scale")?.range.start] += read(gradient).await?[0];
    }
    let [b, c] = logits.dims();
    let seen = read(Tensor::cat(
        vec![loss.inner(), logits.inner().reshape([b * c])],
        0,
    ))
    .await?;
    let right = seen[1..]
        .chunks_exact(c)
        .zip(&batch.answers)
        .filter(|(row, answer)| best(&row[..batch.names.min(c)]) == Some(**answer))
        .count();
    Ok(Gradient {
        loss: seen[0],
        values: found,
        right,
    })
}

/// What every part of a step reads.
struct Weights<'a> {
    config: &'a ClipConfig,
    layout: &'a Layout,
    values: &'a [f32],
    placement: &'a Placement,
}

impl Weights<'_> {
    /// Runs a part of the batch through towers of its own.
    fn pass(&self, run: impl FnOnce(&Towers) -> Tensor<2>) -> Result<Pass> {
        let towers = Towers::new(self.config, self.layout, self.values, self.placement)?;
        let features = run(&towers);
        Ok(Pass { towers, features })
    }
}

/// A part of a batch behind its tower, and the tape that leads back.
struct Pass {
    towers: Towers,
    features: Tensor<2>,
}

impl Pass {
    fn features(&self) -> Tensor<2> {
        self.features.clone().inner()
    }

    /// The gradient in every weight from the one in the features.
    fn backward(self, gradient: Tensor<2>) -> Result<Vec<f32>> {
        // The gradient of this sum in the features is the given one.
        let along = (self.features * Tensor::from_inner(gradient)).sum();
        block_on(self.towers.backward(along))
    }
}

/// The photos in `shards` parts on as many threads, and the sentences beside them.
fn forward(weights: &Weights<'_>, batch: &Batch, shards: usize) -> Result<(Vec<Pass>, Pass)> {
    let sequences: Vec<Vec<u32>> = batch
        .captions
        .iter()
        .chain(&batch.taught)
        .cloned()
        .collect();
    let texts = || weights.pass(|towers| towers.texts(&sequences));
    let parts = batch.parts(shards);
    let images =
        |part: &Part<'_>| weights.pass(|towers| towers.images(part.pixels, part.kept.as_ref()));
    // A GPU has one queue; there is nothing to gain from threads.
    if parts.len() == 1 {
        return Ok((vec![images(&parts[0])?], texts()?));
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = parts
            .iter()
            .map(|part| scope.spawn(|| images(part)))
            .collect();
        let texts = texts()?;
        let images = running.into_iter().map(joined).collect::<Result<_>>()?;
        Ok((images, texts))
    })
}

/// The gradient in every weight, from the gradients in the features.
fn backward(
    images: Vec<Pass>,
    texts: Pass,
    image_gradient: Tensor<2>,
    text_gradient: Tensor<2>,
) -> Result<Vec<f32>> {
    let mut start = 0;
    let passes: Vec<(Pass, Tensor<2>)> = images
        .into_iter()
        .map(|pass| {
            let rows = pass.features.dims()[0];
            start += rows;
            (pass, image_gradient.clone().narrow(0, start - rows, rows))
        })
        .collect();
    let parts = if passes.len() == 1 {
        passes
            .into_iter()
            .map(|(pass, gradient)| pass.backward(gradient))
            .chain([texts.backward(text_gradient)])
            .collect::<Result<Vec<_>>>()?
    } else {
        std::thread::scope(|scope| {
            let running: Vec<_> = passes
                .into_iter()
                .map(|(pass, gradient)| scope.spawn(|| pass.backward(gradient)))
                .collect();
            let texts = texts.backward(text_gradient);
            running
                .into_iter()
                .map(joined)
                .chain([texts])
                .collect::<Result<Vec<_>>>()
        })?
    };
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for part in parts {
        total.iter_mut().zip(&part).for_each(|(t, v)| *t += v);
    }
    Ok(total)
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn best(row: &[f32]) -> Option<usize> {
    (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]))
}

/// Weights in training and all that belongs to them.
#[derive(Debug, Clone)]
pub struct State {
    /// Steps taken.
    pub step: usize,
    /// The weights.
    pub values: Vec<f32>,
    /// Their moving average, which is what is shipped.
    pub average: Vec<f32>,
    decayed: Matrices,
    others: AdamW,
}

/// Betas and eps of CLIP's training (Radford et al., 2021).
const BETAS: (f32, f32) = (0.9, 0.98);
const EPS: f32 = 1e-6;

impl State {
    /// Before the first step.
    pub fn new(layout: &Layout, values: Vec<f32>, settings: &Settings) -> Self {
        let adam = |count, decay| {
            let mut adam = AdamW::new(count, decay);
            (adam.betas, adam.eps) = (BETAS, EPS);
            adam
        };
        Self {
            step: 0,
            average: values.clone(),
            decayed: Matrices {
                blocks: if settings.muon {
                    layout.blocks()
                } else {
                    Vec::new()
                },
                adam: adam(layout.decayed(), settings.weight_decay),
            },
            others: adam(layout.total() - layout.decayed(), 0.0),
            values,
        }
    }

    /// First and second moments of the gradient.
    pub fn moments(&self) -> (Vec<f32>, Vec<f32>) {
        let (_, first, second) = self.decayed.adam.state();
        let (_, more_first, more_second) = self.others.state();
        ([first, more_first].concat(), [second, more_second].concat())
    }

    /// Goes on from what a checkpoint holds; all lists are as long as the layout.
    pub fn restore(&mut self, step: usize, first: &[f32], second: &[f32]) {
        self.step = step;
        let split = self.decayed.adam.state().1.len();
        let (first, more_first) = first.split_at(split);
        let (second, more_second) = second.split_at(split);
        self.decayed.adam.restore(step as i32, first, second);
        self.others.restore(step as i32, more_first, more_second);
    }

    /// Takes the step of `batch`.
    ///
    /// # Errors
    /// As [`gradient`].
    pub async fn advance(
        &mut self,
        config: &ClipConfig,
        layout: &Layout,
        placement: &Placement,
        batch: &Batch,
        settings: &Settings,
    ) -> Result<Gradient> {
        let stored = match settings.quantize {
            Some(quantization) if settings.is_unmasked(self.step) => {
                Some(as_stored(config, layout, &self.values, quantization)?)
            }
            _ => None,
        };
        let at = stored.as_ref().unwrap_or(&self.values);
        let found = gradient(config, layout, at, placement, batch, settings).await?;
        let norm = found
            .values
            .iter()
            .map(|g| f64::from(*g) * f64::from(*g))
            .sum::<f64>()
            .sqrt();
        let factor = (f64::from(settings.clip) / (norm + 1e-6)).min(1.0) as f32;
        let clipped: Vec<f32> = found.values.iter().map(|g| g * factor).collect();
        let rate = settings.rate(self.step) as f32;
        let (matrices, rest) = self.values.split_at_mut(layout.decayed());
        self.decayed
            .step(matrices, &clipped[..layout.decayed()], rate);
        self.others.step(rest, &clipped[layout.decayed()..], rate);
        let scale = &mut self.values[layout.leaf("logit_scale")?.range.start];
        *scale = scale.clamp(0.0, MAX_LOG_SCALE);
        // At first the average follows quickly, so that a start from nothing is soon forgotten.
        let decay = settings
            .ema
            .min((1.0 + self.step as f32) / (10.0 + self.step as f32));
        for (average, value) in self.average.iter_mut().zip(&self.values) {
            *average = decay * *average + (1.0 - decay) * value;
        }
        self.step += 1;
        Ok(found)
    }
}

/// The weights as they are after storing them as `quantization` and loading them again.
///
/// # Errors
/// `weights/invalid` for a weight that is too large.
pub fn as_stored(
    config: &ClipConfig,
    layout: &Layout,
    values: &[f32],
    quantization: Quantization,
) -> Result<Vec<f32>> {
    let mut tensors = layout.split(values);
    for spec in config.tensors() {
        let tensor = tensors
            .get_mut(&spec.name)
            .ok_or_else(|| Error::new(Kind::Internal, "The layout lacks a matrix."))?;
        let mut filling = TensorBuilder::new(&spec, Some(quantization), false)?;
        if let HostTensor::Float { data, .. } = tensor {
            filling.push(data)?;
            *tensor = filling.finish()?;
        }
    }
    layout.join(tensors)
}
