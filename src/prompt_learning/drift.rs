//! A search whose gains count less the further the texts move from where they started (after the idea of
//! Sem-DPO, 2025).

use super::search::{Pool, Search};
use crate::error::Result;
use crate::math::dot;

/// exp(-α (1 - cos)): what a gain is multiplied by.
pub fn drift_weight(alpha: f64, cosine: f64) -> f64 {
    (-alpha * (1.0 - cosine)).exp()
}

/// A [`Search`] that weighs every gain over its start. A loss stays a loss, whatever the texts are.
pub struct Drift<'a> {
    search: &'a Search<'a>,
    start: Vec<f64>,
    before: f64,
    alpha: f64,
}

impl<'a> Drift<'a> {
    /// From the set `start`, with strength `alpha`.
    ///
    /// # Errors
    /// `engine/internal` if the shapes disagree.
    pub fn new(search: &'a Search<'a>, start: &[usize], alpha: f64) -> Result<Self> {
        Ok(Self {
            search,
            start: search.texts(start),
            before: search.fitness(start)?,
            alpha,
        })
    }

    /// The mean over the classes of the cosine between the texts of `set` and those of the start.
    pub fn cosine(&self, set: &[usize]) -> f64 {
        dot(&self.search.texts(set), &self.start) / self.search.classes as f64
    }
}

impl Pool for Drift<'_> {
    fn count(&self) -> usize {
        self.search.count()
    }

    fn fitness(&self, set: &[usize]) -> Result<f64> {
        let found = self.search.fitness(set)?;
        let gain = found - self.before;
        if gain <= 0.0 {
            return Ok(found);
        }
        Ok(self.before + gain * drift_weight(self.alpha, self.cosine(set)))
    }
}
