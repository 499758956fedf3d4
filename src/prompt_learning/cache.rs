//! A cache of image features whose logits are added to those of the texts (Tip-Adapter, Zhang et al.,
//! 2022).

use super::examples::Batch;
use super::losses::{self, Loss, LossInput};
use super::trainer::{Learner, Step};
use crate::error::Result;
use crate::math::dot;
use crate::progress::LocalBoxFuture;

/// Keys and their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Cache {
    /// F [N, d], unit features of the cached images.
    pub keys: Vec<f64>,
    /// The class of every key, [N].
    pub classes: Vec<usize>,
    /// α, the weight of the cache.
    pub alpha: f64,
    /// β, how fast the affinity falls with the distance.
    pub beta: f64,
    /// How likeness is measured.
    pub likeness: Likeness,
}

/// How alike an image and a key are.
#[derive(Debug, Clone, PartialEq)]
pub enum Likeness {
    /// Their cosine.
    Cosine,
    /// Their cosine times how alike their predictions are (TFUP); the keys' predictions [N, K].
    Predictions(Vec<f64>),
}

impl Cache {
    /// exp(−β (1 − likeness)) of an image with every key, [N].
    pub fn affinities(&self, image: &[f64], texts: &[f64]) -> Vec<f64> {
        let cosines = self
            .keys
            .chunks_exact(image.len())
            .map(|key| dot(image, key));
        let fade = |a: f64| (-self.beta * (1.0 - a)).exp();
        match &self.likeness {
            Likeness::Cosine => cosines.map(fade).collect(),
            Likeness::Predictions(keys) => {
                let own = super::unlabeled::predictions(image, texts);
                let alike = super::unlabeled::likeness(&own, keys);
                cosines.zip(alike).map(|(a, sim)| fade(a * sim)).collect()
            }
        }
    }

    /// What the cache adds to the logits [K] of an image.
    pub fn logits(&self, image: &[f64], texts: &[f64], classes: usize) -> Vec<f64> {
        let mut out = vec![0.0; classes];
        if self.alpha == 0.0 {
            return out;
        }
        for (class, affinity) in self.classes.iter().zip(self.affinities(image, texts)) {
            if let Some(z) = out.get_mut(*class) {
                *z += self.alpha * affinity;
            }
        }
        out
    }
}

/// Trains the keys of a cache (Tip-Adapter-F).
pub struct CacheLearner<'a> {
    /// The cache; training starts from its keys.
    pub cache: Cache,
    /// Unit text features [K, d].
    pub texts: &'a [f64],
    /// Summed.
    pub losses: Vec<Box<dyn Loss>>,
    /// exp(logit_scale): multiplies cosines before the softmax.
    pub scale: f64,
}

impl CacheLearner<'_> {
    fn descend(&mut self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let d = batch.dim;
        let k = self.texts.len() / d;
        self.cache.keys = parameters.iter().map(|v| f64::from(*v)).collect();
        let mut input = LossInput::new(self.texts, k, batch, self.scale, None)?;
        for (image, z) in batch.rows().zip(input.logits.chunks_exact_mut(k)) {
            let added = self.cache.logits(image, self.texts, k);
            z.iter_mut().zip(added).for_each(|(z, more)| *z += more);
        }
        let (value, dz) = losses::on_logits(&input, &mut self.losses)?;
        let mut gradient = vec![0f64; parameters.len()];
        for (image, dz) in batch.rows().zip(dz.chunks_exact(k)) {
            let affinities = self.cache.affinities(image, self.texts);
            let keys = gradient.chunks_exact_mut(d).zip(&self.cache.classes);
            for ((key, class), affinity) in keys.zip(affinities) {
                let factor = self.cache.alpha * self.cache.beta * affinity * dz[*class];
                key.iter_mut()
                    .zip(image)
                    .for_each(|(g, f)| *g += factor * f);
            }
        }
        Ok(Step {
            loss: value,
            hits: input.hits(),
            gradient: gradient.iter().map(|g| *g as f32).collect(),
        })
    }
}

impl Learner for CacheLearner<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(std::future::ready(self.descend(parameters, batch)))
    }
}
