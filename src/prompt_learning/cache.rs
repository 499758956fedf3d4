//! Training the keys of a cache (Tip-Adapter-F, Zhang et al., 2022).

use super::examples::Batch;
use super::losses::{self, Loss, LossInput};
use super::trainer::{Learner, Step};
use crate::error::Result;
use crate::progress::LocalBoxFuture;
use crate::prompt::heads::cache::Cache;

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
        let tally = self.cache.tally(k);
        for (image, dz) in batch.rows().zip(dz.chunks_exact(k)) {
            let affinities = self.cache.affinities(image, self.texts);
            let keys = gradient.chunks_exact_mut(d).zip(&self.cache.classes);
            let pull = tally.backward(self.cache.alpha, dz);
            for ((key, class), affinity) in keys.zip(affinities) {
                let factor = self.cache.beta * affinity * pull[*class];
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
