//! A context and adapters behind both towers, held near what the frozen towers say (CoPrompt, Roy and
//! Etemad, 2024).

use super::examples::{Batch, Examples};
use super::losses::{LossInput, total_with_images};
use super::text::cross_entropy;
use super::trainer::{Group, Learner, Step};
use crate::error::Result;
use crate::math::adapter::{Adapter, Trace};
use crate::math::{UnitRows, dot};
use crate::progress::LocalBoxFuture;
use crate::prompt::model::TextSide;
use crate::rng::Rng;

/// Learns a context [M, W] and the parameters of the two adapters, in this order, by the cross-entropy and
///
/// W [(1 − mean_k cos(t_k, t'_k)) + (1 − mean_b cos(f_b, f⁰_b))],
///
/// where t'_k is the frozen feature of a sentence about class k and f⁰_b that of another crop of photo b.
pub struct ConsistencyLearner<'a> {
    /// The tower.
    pub side: Box<dyn TextSide + 'a>,
    /// Behind the text tower.
    pub text: Adapter,
    /// Behind the image tower.
    pub image: Adapter,
    /// Unit features of the sentences about each class, [n_k, d]; at least one each. A step draws one
    /// place, which counts around for classes with fewer.
    pub sentences: Vec<Vec<f64>>,
    /// The photos in all their crops.
    pub examples: &'a Examples,
    /// W.
    pub strength: f64,
    /// exp(logit_scale): multiplies cosines before the softmax.
    pub scale: f64,
    /// Draws sentences and crops.
    pub rng: Rng,
}

/// Rows behind an adapter.
struct Adapted {
    traces: Vec<Trace>,
    /// Of length one.
    unit: UnitRows,
}

impl Adapted {
    fn new(adapter: &Adapter, parameters: &[f32], rows: &[f64]) -> Self {
        let rows = rows.chunks_exact(adapter.dim);
        let traces: Vec<Trace> = rows.map(|row| adapter.forward(parameters, row)).collect();
        let outputs: Vec<f64> = traces.iter().flat_map(|t| t.output.clone()).collect();
        Self {
            unit: UnitRows::new(&outputs, adapter.dim),
            traces,
        }
    }

    /// d loss / d parameters and d loss / d rows from d loss / d unit rows.
    fn backward(&self, adapter: &Adapter, p: &[f32], gradient: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let outputs = self.unit.backward(gradient);
        let mut sums = vec![0.0; adapter.count()];
        let rows = self.traces.iter().zip(outputs.chunks_exact(adapter.dim));
        let rows = rows
            .flat_map(|(trace, dy)| adapter.backward(p, trace, dy, &mut sums))
            .collect();
        (sums, rows)
    }
}

/// Adds `strength` (1 − mean cos) of unit `rows` with unit `fixed` rows to a gradient; returns its value.
pub fn add_distance(
    rows: &[f64],
    fixed: &[f64],
    d: usize,
    strength: f64,
    gradient: &mut [f64],
) -> f64 {
    let share = strength / (rows.len() / d) as f64;
    let pairs = gradient.iter_mut().zip(fixed);
    pairs.for_each(|(g, f)| *g -= share * f);
    strength - share * dot(rows, fixed)
}

impl ConsistencyLearner<'_> {
    async fn descend(&mut self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let d = batch.dim;
        let (rest, of_image) = parameters.split_at(parameters.len() - self.image.count());
        let (context, of_text) = rest.split_at(rest.len() - self.text.count());
        let features = UnitRows::new(&self.side.forward(context).await?, d);
        let texts = Adapted::new(&self.text, of_text, &features.values);
        let images = Adapted::new(&self.image, of_image, &batch.images);
        let adapted = Batch {
            images: images.unit.values.clone(),
            ..batch.clone()
        };
        let classes = self.sentences.len();
        let input = LossInput::new(&texts.unit.values, classes, &adapted, self.scale, None)?;
        let (mut loss, mut on_images) = total_with_images(&input, &mut cross_entropy())?;
        if self.strength > 0.0 {
            let (sentences, crops) = self.draw(batch);
            let text = (&texts.unit.values, &mut loss.texts);
            loss.value += add_distance(text.0, &sentences, d, self.strength, text.1);
            let image = (&images.unit.values, &mut on_images);
            loss.value += add_distance(image.0, &crops, d, self.strength, image.1);
        }
        let (of_text, on_features) = texts.backward(&self.text, of_text, &loss.texts);
        let (of_image, _) = images.backward(&self.image, of_image, &on_images);
        let on_features = features.backward(&on_features);
        let on_features: Vec<f32> = on_features.iter().map(|g| *g as f32).collect();
        let mut gradient = self.side.backward(&on_features).await?;
        gradient.extend(of_text.iter().chain(&of_image).map(|g| *g as f32));
        Ok(Step {
            loss: loss.value,
            hits: input.hits(),
            gradient,
        })
    }

    /// t' [K, d] and f⁰ [B, d] of a step.
    fn draw(&mut self, batch: &Batch) -> (Vec<f64>, Vec<f64>) {
        let most = self.sentences.iter().map(Vec::len).max().unwrap_or(0) / batch.dim;
        let place = self.rng.below(most.max(1) as u64) as usize;
        let mut sentences = Vec::with_capacity(self.sentences.len() * batch.dim);
        for own in &self.sentences {
            let start = place % (own.len() / batch.dim) * batch.dim;
            sentences.extend_from_slice(&own[start..start + batch.dim]);
        }
        let views = self.examples.views() as u64;
        let mut crops = Vec::with_capacity(batch.images.len());
        for photo in &batch.places {
            let view = self.rng.below(views) as usize;
            let own = self.examples.view(*photo, view).iter();
            crops.extend(own.map(|v| f64::from(*v)));
        }
        (sentences, crops)
    }
}

impl Learner for ConsistencyLearner<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(self.descend(parameters, batch))
    }

    fn groups(&self, count: usize) -> Vec<Group> {
        let (text, image) = (self.text.count(), self.image.count());
        let group = |name, len| Group { name, len };
        vec![
            group("contexts", count - text - image),
            group("text adapter", text),
            group("image adapter", image),
        ]
    }
}
