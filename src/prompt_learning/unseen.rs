//! Learning a context with features of images that nobody took, after OGEN (Zang et al., 2024).
//!
//! From the image of one class the generator makes the features of classes like it, known ones and
//! new ones, and the loss holds them against images and texts. The distillation from earlier epochs
//! that the paper describes is not in the loss that its authors released, and not here.

use super::class_looks::{ClassLooks, gathered, likest};
use super::examples::Batch;
use super::generator::Generator;
use super::losses::{self, LossInput};
use super::text::cross_entropy;
use super::trainer::{Group, Learner, Step};
use crate::error::Result;
use crate::math::{UnitRows, dot, softmax};
use crate::progress::LocalBoxFuture;
use crate::prompt::model::TextSide;
use crate::rng::Rng;

/// Weights of the parts of the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// Of the cross-entropy of the images themselves.
    pub images: f64,
    /// Of the features that were made for the image's own class, from its neighbors.
    pub own: f64,
    /// Of those for its neighbors, from the image.
    pub neighbors: f64,
    /// Of those for new classes, from the image.
    pub new: f64,
    /// Of the squared distances of made features from images.
    pub distance: f64,
}

impl Shares {
    /// Those published are at `generated` = 0.75; at 0 only the images are left.
    pub fn of(generated: f64) -> Self {
        Self {
            images: 1.0 - generated,
            own: generated / 3.0,
            neighbors: generated / 9.0,
            new: 2.0 * generated / 9.0,
            distance: f64::from(u8::from(generated > 0.0)),
        }
    }

    /// Those in which made features do not count for the texts yet.
    pub fn before(self, images: f64) -> Self {
        Self {
            images,
            own: 0.0,
            neighbors: 0.0,
            new: 0.0,
            ..self
        }
    }
}

/// The part of the loss that needs the generator.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The generator.
    pub generator: Generator,
    /// The known classes.
    pub looks: ClassLooks,
    /// How many new classes features are made for, from each image.
    pub most: usize,
    /// exp(logit_scale): multiplies cosines before the softmax.
    pub scale: f64,
}

/// The value of the generated part, with its gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedGradient {
    /// The value.
    pub value: f64,
    /// d loss / d texts [K + N, d].
    pub texts: Vec<f64>,
    /// d loss / d parameters of the generator.
    pub generator: Vec<f64>,
}

/// What a made feature is held against.
struct Aim<'a> {
    /// The feature of an image, and the weight of the squared distance from it.
    image: Option<(&'a [f64], f64)>,
    /// The classes of the softmax, its class among them, and the weight of the cross-entropy.
    classes: std::ops::Range<usize>,
    class: usize,
    weight: f64,
}

impl Generated {
    /// The loss of `parameters` on `batch` with `texts` [K + N, d], the new classes behind the known.
    /// `fixed` [K, d] are the known texts as the generator sees them: no gradient goes through it to
    /// them. `rng` draws the noise and what is dropped.
    pub fn loss<P: Copy + Into<f64>>(
        &self,
        parameters: &[P],
        batch: &Batch,
        texts: &[f64],
        fixed: &[f64],
        shares: &Shares,
        rng: &mut Rng,
    ) -> GeneratedGradient {
        let d = batch.dim;
        let (known, all) = (fixed.len() / d, texts.len() / d);
        let mut sum = GeneratedGradient {
            value: 0.0,
            texts: vec![0.0; texts.len()],
            generator: vec![0.0; parameters.len()],
        };
        let noise: Vec<f64> = (0..d).map(|_| rng.unit()).collect();
        // What counts for the texts has targets with noise of its own, as the authors' second pass.
        let again: Vec<f64> = match shares.own > 0.0 {
            true => (0..d).map(|_| rng.unit()).collect(),
            false => noise.clone(),
        };
        let images = batch.len() as f64;
        let near = |label: &usize| &self.looks.neighbors[*label];
        let pairs = batch.labels.iter().map(|y| near(y).len()).sum::<usize>() as f64;
        let new = self.most.min(all - known);
        for (image, label) in batch.rows().zip(&batch.labels) {
            let neighbors = near(label);
            let own = &fixed[label * d..][..d];
            if !neighbors.is_empty() {
                let keys = gathered(fixed, neighbors, d);
                let values = self.images_of(neighbors, &noise);
                let aim = Aim {
                    image: Some((image, shares.distance / images)),
                    classes: 0..known,
                    class: *label,
                    weight: shares.own / images,
                };
                self.one(
                    parameters,
                    own,
                    (&keys, &values),
                    &aim,
                    texts,
                    rng,
                    &mut sum,
                );
            }
            let targets = self.images_of(neighbors, &again);
            for (class, target) in neighbors.iter().zip(targets.chunks_exact(d)) {
                let aim = Aim {
                    image: Some((target, shares.distance / pairs)),
                    classes: 0..known,
                    class: *class,
                    weight: shares.neighbors / pairs,
                };
                let query = &fixed[class * d..][..d];
                self.one(parameters, query, (own, image), &aim, texts, rng, &mut sum);
            }
            if shares.new == 0.0 {
                continue;
            }
            for class in likest(own, texts, (known..all).collect(), new) {
                let aim = Aim {
                    image: None,
                    classes: known..all,
                    class,
                    weight: shares.new / (images * new as f64),
                };
                let query = &texts[class * d..][..d];
                let dq = self.one(parameters, query, (own, image), &aim, texts, rng, &mut sum);
                let row = &mut sum.texts[class * d..][..d];
                row.iter_mut().zip(dq).for_each(|(g, dq)| *g += dq);
            }
        }
        sum
    }

    /// Likely images of `classes`: their means and so many deviations of every column.
    fn images_of(&self, classes: &[usize], noise: &[f64]) -> Vec<f64> {
        let d = noise.len();
        let mut images = gathered(&self.looks.means, classes, d);
        let wide = gathered(&self.looks.deviations, classes, d);
        for (at, (v, wide)) in images.iter_mut().zip(wide).enumerate() {
            *v += noise[at % d] * wide;
        }
        images
    }

    /// Adds what one made feature loses to `sum`, and returns d loss / d query.
    #[allow(clippy::too_many_arguments)]
    fn one<P: Copy + Into<f64>>(
        &self,
        parameters: &[P],
        query: &[f64],
        (keys, values): (&[f64], &[f64]),
        aim: &Aim<'_>,
        texts: &[f64],
        rng: &mut Rng,
        sum: &mut GeneratedGradient,
    ) -> Vec<f64> {
        let d = query.len();
        let dropout = self.generator.dropout(keys.len() / d, rng);
        let made = (self.generator).forward(parameters, query, keys, values, Some(dropout));
        let feature = made.feature();
        let mut dy = vec![0.0; d];
        if let Some((image, weight)) = aim.image {
            for ((g, a), b) in dy.iter_mut().zip(feature).zip(image) {
                sum.value += weight * (a - b).powi(2);
                *g = 2.0 * weight * (a - b);
            }
        }
        if aim.weight > 0.0 {
            let rows = || texts[aim.classes.start * d..aim.classes.end * d].chunks_exact(d);
            let z: Vec<f64> = rows().map(|text| self.scale * dot(feature, text)).collect();
            let class = aim.class - aim.classes.start;
            sum.value += aim.weight * losses::cross_entropy(&z, class);
            let mut slopes = softmax(&z, 1.0);
            slopes[class] -= 1.0;
            let to = sum.texts[aim.classes.start * d..].chunks_exact_mut(d);
            for ((slope, text), to) in slopes.iter().zip(rows()).zip(to) {
                let factor = self.scale * aim.weight * slope;
                to.iter_mut()
                    .zip(feature)
                    .for_each(|(g, f)| *g += factor * f);
                dy.iter_mut().zip(text).for_each(|(g, t)| *g += factor * t);
            }
        }
        (self.generator).backward(parameters, &made, &dy, &mut sum.generator)
    }
}

/// A context in front of known and new names, and the generator.
pub struct UnseenLearner<'a> {
    /// The tower, over the known names and then the new ones.
    pub side: Box<dyn TextSide + 'a>,
    /// Numbers of the context; those of the generator follow it.
    pub context: usize,
    /// K, the number of known classes.
    pub classes: usize,
    /// The generator's part.
    pub generated: Generated,
    /// The weights of the loss, and those of the first steps with their number.
    pub shares: Shares,
    /// As `shares`.
    pub first: (usize, Shares),
    /// The learning rate of the generator where it is auto.
    pub rate: f64,
    /// Steps done.
    pub done: usize,
    /// What the images themselves lost in the last step.
    pub images_loss: f64,
    /// Draws noise.
    pub rng: Rng,
}

impl UnseenLearner<'_> {
    async fn descend(&mut self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let shares = match self.done < self.first.0 {
            true => self.first.1,
            false => self.shares,
        };
        self.done += 1;
        let (context, generator) = parameters.split_at(self.context);
        let features = self.side.forward(context).await?;
        let unit = UnitRows::new(&features, batch.dim);
        let known = &unit.values[..self.classes * batch.dim];
        let scale = self.generated.scale;
        let input = LossInput::new(known, self.classes, batch, scale, None)?;
        let loss = losses::total(&input, &mut cross_entropy())?;
        self.images_loss = shares.images * loss.value;
        let mut value = self.images_loss;
        let mut texts: Vec<f64> = loss.texts.iter().map(|g| shares.images * g).collect();
        texts.resize(unit.values.len(), 0.0);
        let mut to_generator = vec![0.0; generator.len()];
        if shares.distance > 0.0 {
            let all = &unit.values;
            let made = (self.generated).loss(generator, batch, all, known, &shares, &mut self.rng);
            value += made.value;
            texts
                .iter_mut()
                .zip(made.texts)
                .for_each(|(sum, g)| *sum += g);
            to_generator = made.generator;
        }
        let gradient: Vec<f32> = unit.backward(&texts).iter().map(|g| *g as f32).collect();
        let mut gradient = self.side.backward(&gradient).await?;
        gradient.extend(to_generator.iter().map(|g| *g as f32));
        Ok(Step {
            loss: value,
            hits: input.hits(),
            gradient,
        })
    }
}

impl Learner for UnseenLearner<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(self.descend(parameters, batch))
    }

    /// The context's is that of CoOp: the distances of made features, which make most of the first
    /// loss, are no concern of it.
    fn rate(&self, group: usize, _: f64, fitted: &dyn Fn(f64) -> f64) -> f64 {
        match group {
            0 => fitted(self.images_loss),
            _ => self.rate,
        }
    }

    fn groups(&self, count: usize) -> Vec<Group> {
        vec![
            Group {
                name: "contexts",
                len: self.context,
            },
            Group {
                name: "generator",
                len: count - self.context,
            },
        ]
    }
}
