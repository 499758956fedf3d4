//! One recipe on one draw, scored on all names and on both halves of them.

use pollster::block_on;

use super::compare::{Outcome, Scores};
use crate::classifier::Classifier;
use crate::clock::now;
use crate::error::Result;
use crate::prompt::heads::{Head, open};
use crate::prompt::template::DEFAULT;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{Recipe, TrainedPrompt, TrainingJob};
use crate::prompt_learning::options::Options;
use crate::prompt_learning::trainer::{Observer, TrainingProgress};

/// Names with the images to measure on.
struct ClassSubset<'a> {
    names: &'a [String],
    images: Vec<f32>,
    labels: Vec<usize>,
}

impl<'a> ClassSubset<'a> {
    /// The images of `test` whose class is among `names`, which stand at `from` in the whole list.
    fn new(test: &Examples, names: &'a [String], from: usize) -> Self {
        let mut side = ClassSubset {
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

    fn accuracy(&self, model: &Classifier, head: &dyn Head) -> Result<f64> {
        block_on(head.accuracy(model, &self.images, &self.labels))
    }

    fn zero_shot(&self, model: &Classifier) -> Result<f64> {
        let classes = block_on(model.classes(self.names, DEFAULT))?;
        self.accuracy(model, classes.head.as_ref())
    }

    fn taught(&self, model: &Classifier, learned: &TrainedPrompt) -> Result<f64> {
        let head = block_on(open(&learned.prompt, model, self.names))?;
        self.accuracy(model, head.as_ref())
    }
}

/// All names, base and new.
pub struct BaseToNew<'a> {
    whole: ClassSubset<'a>,
    base: ClassSubset<'a>,
    new: ClassSubset<'a>,
}

impl<'a> BaseToNew<'a> {
    /// `test` under `names`, the first `base` of which are base.
    pub fn new(test: &Examples, names: &'a [String], base: usize) -> Self {
        Self {
            whole: ClassSubset::new(test, names, 0),
            base: ClassSubset::new(test, &names[..base], 0),
            new: ClassSubset::new(test, &names[base..], base),
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
pub struct Run<'a> {
    /// The model.
    pub model: &'a Classifier,
    /// The recipe.
    pub recipe: &'static Recipe,
    /// What was set.
    pub options: &'a Options,
    /// Decides every random number.
    pub seed: u64,
}

impl Run<'_> {
    fn learn(&self, names: &[String], images: &Examples) -> Result<TrainedPrompt> {
        let job = TrainingJob {
            recipe: self.recipe,
            model: self.model,
            names,
            examples: Some(images),
            unlabeled: &[],
            descriptions: None,
            others: Default::default(),
            options: self.options,
            seed: self.seed,
            observer: Observer {
                progress: &(),
                observe: &|_: &TrainingProgress| {},
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
        sides: &BaseToNew<'_>,
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
