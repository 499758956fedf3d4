//! One free text feature per class, without the text tower.

use super::examples::Batch;
use super::losses::{self, Loss, LossInput};
use super::trainer::{Learner, Step};
use crate::error::Result;
use crate::math::UnitRows;
use crate::progress::LocalBoxFuture;

/// w_k = norm(t⁰_k + α r_k); r [K, d] are the parameters.
pub struct ResidualLearner<'a> {
    /// t⁰ [K, d], unit.
    pub base: &'a [f64],
    /// α, the weight of r.
    pub strength: f64,
    /// Summed.
    pub losses: Vec<Box<dyn Loss>>,
    /// exp(logit_scale): multiplies cosines before the softmax.
    pub scale: f64,
}

/// norm(t⁰ + α r) row by row; t⁰ itself if α r is zero.
pub fn moved(base: &[f64], residual: &[f32], strength: f64, d: usize) -> UnitRows {
    let sums: Vec<f64> = base
        .iter()
        .zip(residual)
        .map(|(t, r)| t + strength * f64::from(*r))
        .collect();
    UnitRows::new(&sums, d)
}

impl ResidualLearner<'_> {
    fn descend(&mut self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let unit = moved(self.base, parameters, self.strength, batch.dim);
        let classes = self.base.len() / batch.dim;
        let input = LossInput::new(&unit.values, classes, batch, self.scale, None)?;
        let loss = losses::total(&input, &mut self.losses)?;
        let gradient = unit.backward(&loss.texts);
        Ok(Step {
            loss: loss.value,
            hits: input.hits(),
            gradient: gradient
                .iter()
                .map(|g| (self.strength * g) as f32)
                .collect(),
        })
    }
}

impl Learner for ResidualLearner<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(std::future::ready(self.descend(parameters, batch)))
    }
}
