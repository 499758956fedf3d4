//! Learning contexts through a frozen text tower.

use super::examples::Batch;
use super::losses::{self, CrossEntropy, Distil, Loss, LossInput};
use super::parametrizations::{Expanded, ParamGradient, Parametrization};
use super::trainer::{Group, Learner, Step};
use crate::error::Result;
use crate::math::{UnitRows, dot};
use crate::progress::LocalBoxFuture;
use crate::prompt::model::TextSide;

/// ProGrad's rule (Zhu et al., 2023): remove the part of the gradient that opposes the gradient of a
/// distillation to fixed texts. AdamW scales every number of a gradient by itself, which turns it, so
/// the same part is removed from its steps too.
#[derive(Debug, Clone)]
pub struct ProGradRule {
    /// λ: the share of the opposing part that is removed.
    pub strength: f64,
    /// The distillation whose gradient is the direction.
    pub distil: Distil,
    /// Its last gradient; empty before the first step.
    pub direction: Vec<f32>,
}

impl ProGradRule {
    /// The rule, before the first step.
    pub fn new(strength: f64, distil: Distil) -> Self {
        Self {
            strength,
            distil,
            direction: Vec::new(),
        }
    }
}

/// g − λ (g · ĥ) ĥ with ĥ = h / |h| if g · h < 0, else g.
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
    /// How parameters make contexts.
    pub parametrization: Box<dyn Parametrization>,
    /// Summed.
    pub losses: Vec<Box<dyn Loss>>,
    /// ProGrad's rule, if it applies.
    pub prograd: Option<ProGradRule>,
    /// exp(logit_scale): multiplies cosines before the softmax.
    pub scale: f64,
    /// The number of classes.
    pub classes: usize,
}

impl TextLearner<'_> {
    /// The value of the loss on `batch`, without its gradient.
    ///
    /// # Errors
    /// Those of the tower and of the losses.
    pub async fn loss(&mut self, parameters: &[f32], batch: &Batch) -> Result<f64> {
        let Expanded { contexts, weights } = self.parametrization.expand(parameters, batch);
        let features = self.side.forward(&contexts).await?;
        let unit = UnitRows::new(&features, batch.dim);
        let input = LossInput::new(&unit.values, self.classes, batch, self.scale, weights)?;
        Ok(losses::on_logits(&input, &mut self.losses)?.0)
    }

    /// Unit text features [C, K, d] under `parameters`, for parametrizations that do not look at photos.
    ///
    /// # Errors
    /// Those of the tower.
    pub async fn texts(&mut self, parameters: &[f32]) -> Result<Vec<f64>> {
        let nothing = Batch::default();
        let Expanded { contexts, .. } = self.parametrization.expand(parameters, &nothing);
        let features = self.side.forward(&contexts).await?;
        let d = features.len() / self.classes;
        Ok(UnitRows::new(&features, d).values)
    }

    async fn train_step(&mut self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let mut tower = Tower {
            side: self.side.as_mut(),
            parametrization: self.parametrization.as_ref(),
            scale: self.scale,
            classes: self.classes,
        };
        let mut step = tower.step(parameters, batch, &mut self.losses).await?;
        if let Some((value, gradient)) = self.parametrization.penalty(parameters, batch) {
            step.loss += value;
            let pairs = step.gradient.iter_mut().zip(gradient);
            pairs.for_each(|(sum, g)| *sum += g);
        }
        if let Some(rule) = &mut self.prograd
            && rule.strength != 0.0
        {
            let general = tower.step(parameters, batch, &mut rule.distil).await?;
            remove_conflict(&mut step.gradient, &general.gradient, rule.strength);
            rule.direction = general.gradient;
        }
        Ok(step)
    }
}

/// The way from parameters to text features, apart from the losses on them.
struct Tower<'s> {
    side: &'s mut dyn TextSide,
    parametrization: &'s dyn Parametrization,
    scale: f64,
    classes: usize,
}

impl Tower<'_> {
    /// `loss` of `parameters` on `batch`, and its gradient.
    async fn step(
        &mut self,
        parameters: &[f32],
        batch: &Batch,
        loss: &mut dyn Loss,
    ) -> Result<Step> {
        let Expanded { contexts, weights } = self.parametrization.expand(parameters, batch);
        let features = self.side.forward(&contexts).await?;
        let unit = UnitRows::new(&features, batch.dim);
        let input = LossInput::new(&unit.values, self.classes, batch, self.scale, weights)?;
        let loss = losses::total(&input, loss)?;
        let hits = input.hits();
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
}

impl Learner for TextLearner<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(self.train_step(parameters, batch))
    }

    fn correct(&self, before: &[f32], after: &mut [f32]) {
        if let Some(rule) = &self.prograd
            && !rule.direction.is_empty()
        {
            // A step goes against the gradient that it follows.
            let pairs = before.iter().zip(&*after);
            let mut followed: Vec<f32> = pairs.map(|(before, after)| before - after).collect();
            remove_conflict(&mut followed, &rule.direction, rule.strength);
            let pairs = before.iter().zip(followed);
            for (after, (before, followed)) in after.iter_mut().zip(pairs) {
                *after = before - followed;
            }
        }
    }

    fn groups(&self, count: usize) -> Vec<Group> {
        self.parametrization.groups(count)
    }
}

/// The loss that recipes start from.
pub fn cross_entropy() -> Vec<Box<dyn Loss>> {
    vec![Box::new(CrossEntropy)]
}
