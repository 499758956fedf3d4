//! One recipe on one draw, scored on all names and on both halves of them.

use pollster::block_on;

use super::compare::{Outcome, Scores};
use crate::classifier::Classifier;
use crate::clock::now;
use crate::error::Result;
use crate::learn::examples::Examples;
use crate::learn::head::Head;
use crate::learn::job::{Job, Learned, Recipe};
use crate::learn::options::Options;
use crate::learn::trainer::{Audience, Progress};
use crate::prompt::template::DEFAULT;

/// Names with the images to measure on.
struct Side<'a> {
    names: &'a [String],
    images: Vec<f32>,
    labels: Vec<usize>,
}

impl<'a> Side<'a> {
    /// The images of `test` whose class is among `names`, which stand at `from` in the whole list.
    fn new(test: &Examples, names: &'a [String], from: usize) -> Self {
        let mut side = Side {
            names,
            images: Vec::new(),
            labels: Vec::new(),
        };
        for (i, label) in test.labels().iter().enumerate() {
            if (from..from + names.len()).contains(label) {
                side.images.extend_from_slice(test.view(i, 0));
                side.labels.push(label - from);
            }
        }
        side
    }

    fn accuracy(&self, model: &Classifier, head: &Head) -> Result<f64> {
        block_on(head.accuracy(model, &self.images, &self.labels))
    }

    fn zero_shot(&self, model: &Classifier) -> Result<f64> {
        let classes = block_on(model.classes(self.names, DEFAULT))?;
        let texts = classes.features.iter().map(|v| f64::from(*v)).collect();
        self.accuracy(model, &Head::Texts(texts))
    }

    fn taught(&self, model: &Classifier, learned: &Learned) -> Result<f64> {
        let head = block_on(Head::open(&learned.prompt, model, self.names))?;
        self.accuracy(model, &head)
    }
}

/// All names, base and new.
pub struct Sides<'a> {
    whole: Side<'a>,
    base: Side<'a>,
    new: Side<'a>,
}

impl<'a> Sides<'a> {
    /// `test` under `names`, the first `base` of which are base.
    pub fn new(test: &Examples, names: &'a [String], base: usize) -> Self {
        Self {
            whole: Side::new(test, names, 0),
            base: Side::new(test, &names[..base], 0),
            new: Side::new(test, &names[base..], base),
        }
    }

    /// Images.
    pub fn len(&self) -> usize {
        self.whole.labels.len()
    }

    /// The default template's scores.
    ///
    /// # Errors
    /// The device's.
    pub fn zero_shot(&self, model: &Classifier) -> Result<Scores> {
        Ok(Scores::new([
            self.whole.zero_shot(model)?,
            self.base.zero_shot(model)?,
            self.new.zero_shot(model)?,
        ]))
    }
}

/// One recipe with one seed.
pub struct One<'a> {
    /// The model.
    pub model: &'a Classifier,
    /// The recipe.
    pub recipe: &'static Recipe,
    /// What was set.
    pub options: &'a Options,
    /// Decides every random number.
    pub seed: u64,
}

impl One<'_> {
    fn learn(&self, names: &[String], images: &Examples) -> Result<Learned> {
        let job = Job {
            recipe: self.recipe,
            model: self.model,
            names,
            examples: Some(images),
            unlabelled: &[],
            descriptions: None,
            others: Default::default(),
            options: self.options,
            seed: self.seed,
            audience: Audience {
                watch: &(),
                observe: &|_: &Progress| {},
            },
        };
        block_on(job.run())
    }

    /// Learns from `all`, and from the images `half` of the base names alone, `shots` of each class.
    ///
    /// # Errors
    /// Those of the recipe.
    pub fn outcome(
        &self,
        sides: &Sides<'_>,
        all: &Examples,
        half: &Examples,
        shots: usize,
    ) -> Result<Outcome> {
        let start = now();
        let learned = self.learn(sides.whole.names, all)?;
        let seconds = (now() - start) / 1e3;
        let taught = self.learn(sides.base.names, half)?;
        Ok(Outcome {
            recipe: self.recipe.name,
            shots,
            seed: self.seed,
            scores: Scores::new([
                sides.whole.taught(self.model, &learned)?,
                sides.base.taught(self.model, &taught)?,
                sides.new.taught(self.model, &taught)?,
            ]),
            trained_parameters: learned.trained_parameters,
            seconds,
        })
    }
}
