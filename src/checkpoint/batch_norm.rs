//! Batch norms become part of the convolution before them while a checkpoint is read: what runs has
//! none, and what is quantized is what runs.

use std::collections::BTreeMap;

use super::convert::not_finite;
use crate::clip::config::ClipConfig;
use crate::clip::efficientnet::{BATCH_NORM_EPS, Convolution};
use crate::clip::tensor_spec::TensorSpec;
use crate::clip::vision_config::VisionConfig;
use crate::error::Result;

/// Waits for the parts of each convolution.
#[derive(Debug)]
pub struct Folding {
    convolutions: Vec<Convolution>,
    waiting: BTreeMap<String, Vec<f32>>,
}

/// A finished tensor of the model.
pub type Folded = (TensorSpec, Vec<f32>);

impl Folding {
    /// Of the image tower of `config`; `None` if it has no batch norms.
    pub fn new(config: &ClipConfig) -> Option<Self> {
        match &config.vision {
            VisionConfig::Vit(_) => None,
            VisionConfig::EfficientNet(vision) => Some(Self::of(vision.convolutions())),
        }
    }

    /// Of `convolutions`.
    pub fn of(convolutions: Vec<Convolution>) -> Self {
        Self {
            convolutions,
            waiting: BTreeMap::new(),
        }
    }

    /// Whether the tensor `name` is a part of a convolution.
    pub fn takes(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&Convolution> {
        let (layer, _) = name.rsplit_once('.')?;
        let mut all = self.convolutions.iter();
        all.find(|conv| conv.name == layer || conv.norm == layer)
    }

    /// Takes one tensor by timm's name. Gives the weights and the biases of a convolution once all of
    /// its parts are here, and nothing before.
    ///
    /// # Errors
    /// `weights/not-finite` if the folded values are not finite, as with a variance below zero.
    pub fn put(&mut self, name: &str, values: Vec<f32>) -> Result<Vec<Folded>> {
        self.waiting.insert(name.to_owned(), values);
        let Some(conv) = self.find(name) else {
            return Ok(Vec::new());
        };
        let (weight, bias, norm) = (conv.weight(), conv.bias(), conv.norms());
        let layer = conv.norm.clone();
        let here = |part: &String| self.waiting.contains_key(part);
        if !here(&weight.name) || !norm.iter().all(here) {
            return Ok(Vec::new());
        }
        let mut take = |part: &String| self.waiting.remove(part).unwrap_or_default();
        let mut values = take(&weight.name);
        let norm = norm.each_ref().map(take);
        let biases = fold(&mut values, &norm);
        if !values.iter().chain(&biases).all(|v| v.is_finite()) {
            return Err(not_finite(&layer));
        }
        Ok(vec![(weight, values), (bias, biases)])
    }
}

/// Scales the rows of `weight` in place and gives the biases: with scale g, shift h, mean m and
/// variance v of the norm, `W g / sqrt(v + eps)` and `h - m g / sqrt(v + eps)`.
fn fold(weight: &mut [f32], [scale, shift, mean, variance]: &[Vec<f32>; 4]) -> Vec<f32> {
    let per_output = weight.len() / scale.len();
    let mut bias = Vec::with_capacity(scale.len());
    for (output, row) in weight.chunks_exact_mut(per_output).enumerate() {
        let deviation = (f64::from(variance[output]) + BATCH_NORM_EPS).sqrt();
        let factor = f64::from(scale[output]) / deviation;
        row.iter_mut()
            .for_each(|v| *v = (f64::from(*v) * factor) as f32);
        bias.push((f64::from(shift[output]) - f64::from(mean[output]) * factor) as f32);
    }
    bias
}
