//! Learning contexts through a frozen text tower.

use super::examples::Batch;
use super::losses::{self, CrossEntropy, Distil, Loss, LossInput};
use super::parametrizations::{Expanded, ParamGradient, Parametrization};
use super::trainer::{Learner, Step};
use crate::error::Result;
use crate::math::UnitRows;
use crate::math::dot;
use crate::progress::LocalBoxFuture;
use crate::prompt::model::TextSide;

/// Keeps a step from unlearning: the part of the gradient that runs against the distillation to
/// fixed texts is taken out (ProGrad, Zhu et al., 2023).
#[derive(Debug, Clone)]
pub struct ProGradRule {
    /// λ: the share of the opposing part that is taken out.
    pub strength: f64,
    /// The distillation whose gradient is the direction.
    pub distil: Distil,
}

/// g − λ (g · ĥ) ĥ with ĥ = h / |h| where g · h < 0, else g.
pub fn remove_conflict(g: &mut [f32], h: &[f32], strength: f64) {
    let (along, square) = (dot(g, h), dot(h, h));
    if along < 0.0 && square > 0.0 {
        let factor = strength * along / square;
        for (g, h) in g.iter_mut().zip(h) {
            *g = (f64::from(*g) - factor * f64::from(*h)) as f32;
        }
    }
}

/// Contexts, a tower and a loss.
pub struct TextLearner<'a> {
    /// The tower.
    pub side: Box<dyn TextSide + 'a>,
    /// What the parameters are.
    pub parametrization: Box<dyn Parametrization>,
    /// The loss.
    pub losses: Vec<Box<dyn Loss>>,
    /// ProGrad's rule, where it applies.
    pub guide: Option<ProGradRule>,
    /// s.
    pub scale: f64,
    /// K.
    pub classes: usize,
}

impl TextLearner<'_> {
    /// The value of the loss on `batch`, without a way back.
    ///
    /// # Errors
    /// The tower's.
    pub async fn loss(&mut self, parameters: &[f32], batch: &Batch) -> Result<f64> {
        let Expanded { contexts, weights } = self.parametrization.expand(parameters, batch);
        let features = self.side.forward(&contexts).await?;
        let unit = UnitRows::new(&features, batch.dim);
        let view = LossInput::new(&unit.values, self.classes, batch, self.scale, weights)?;
        Ok(losses::on_logits(&view, &self.losses).0)
    }

    async fn descend(
        &mut self,
        parameters: &[f32],
        batch: &Batch,
        losses: &[Box<dyn Loss>],
    ) -> Result<Step> {
        let Expanded { contexts, weights } = self.parametrization.expand(parameters, batch);
        let features = self.side.forward(&contexts).await?;
        let unit = UnitRows::new(&features, batch.dim);
        let view = LossInput::new(&unit.values, self.classes, batch, self.scale, weights)?;
        let loss = losses::total(&view, losses);
        let hits = view.hits();
        let gradient: Vec<f32> = unit
            .backward(&loss.texts)
            .into_iter()
            .map(|g| g as f32)
            .collect();
        let contexts = self.side.backward(&gradient).await?;
        let gradient = self.parametrization.backward(&ParamGradient {
            parameters,
            batch,
            contexts: &contexts,
            weights: &loss.weights,
        });
        Ok(Step {
            loss: loss.value,
            hits,
            gradient,
        })
    }

    async fn whole(&mut self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let losses = std::mem::take(&mut self.losses);
        let outcome = self.descend(parameters, batch, &losses).await;
        self.losses = losses;
        let mut step = outcome?;
        if let Some((value, gradient)) = self.parametrization.penalty(parameters, batch) {
            step.loss += value;
            let pairs = step.gradient.iter_mut().zip(gradient);
            pairs.for_each(|(sum, g)| *sum += g);
        }
        if let Some(guide) = &self.guide
            && guide.strength != 0.0
        {
            let strength = guide.strength;
            let direction: [Box<dyn Loss>; 1] = [Box::new(guide.distil.clone())];
            let along = self.descend(parameters, batch, &direction).await?;
            remove_conflict(&mut step.gradient, &along.gradient, strength);
        }
        Ok(step)
    }
}

impl Learner for TextLearner<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(self.whole(parameters, batch))
    }
}

/// The loss that every recipe here starts from.
pub fn cross_entropy() -> Vec<Box<dyn Loss>> {
    vec![Box::new(CrossEntropy)]
}
