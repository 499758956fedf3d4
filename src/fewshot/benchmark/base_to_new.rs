//! The images to measure on, under all names and under both halves of them.

use pollster::block_on;

use super::types::Scores;
use crate::error::Result;
use crate::model::Model;
use crate::prompt::file::Prompt;
use crate::prompt::heads::{Head, open};
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::validate::zero_shot;

/// Some of the class names with the images that show them.
pub struct ClassSubset<'a> {
    /// The names.
    pub names: &'a [String],
    images: Vec<f32>,
    labels: Vec<usize>,
}

impl<'a> ClassSubset<'a> {
    /// The images of `test` whose class is among `names`, the first of which has label `first`.
    fn new(test: &Examples, names: &'a [String], first: usize) -> Self {
        let mut subset = ClassSubset {
            names,
            images: Vec::new(),
            labels: Vec::new(),
        };
        for (i, label) in test.labels().iter().enumerate() {
            if (first..first + names.len()).contains(label) {
                subset.images.extend_from_slice(test.view(i, 0));
                subset.labels.push(label - first);
            }
        }
        subset
    }

    fn accuracy_of(&self, model: &Model, head: &dyn Head) -> Result<f64> {
        block_on(head.accuracy(model, &self.images, &self.labels))
    }

    fn zero_shot(&self, model: &Model) -> Result<f64> {
        self.accuracy_of(model, block_on(zero_shot(model, self.names))?.as_ref())
    }

    /// The accuracy of `prompt`.
    ///
    /// # Errors
    /// Those of [`open`] and the device's.
    pub fn accuracy(&self, model: &Model, prompt: &Prompt) -> Result<f64> {
        let head = block_on(open(prompt, model, self.names))?;
        self.accuracy_of(model, head.as_ref())
    }
}

/// All names, base and new.
pub struct BaseToNew<'a> {
    /// All names.
    pub all: ClassSubset<'a>,
    /// The names that are learned.
    pub base: ClassSubset<'a>,
    /// The rest.
    pub new: ClassSubset<'a>,
}

impl<'a> BaseToNew<'a> {
    /// The images `test` under `names`, the first `base` of which are base.
    pub fn new(test: &Examples, names: &'a [String], base: usize) -> Self {
        Self {
            all: ClassSubset::new(test, names, 0),
            base: ClassSubset::new(test, &names[..base], 0),
            new: ClassSubset::new(test, &names[base..], base),
        }
    }

    /// Images.
    pub fn len(&self) -> usize {
        self.all.labels.len()
    }

    /// The default template's scores.
    ///
    /// # Errors
    /// The device's.
    pub fn zero_shot(&self, model: &Model) -> Result<Scores> {
        Ok(Scores::new([
            self.all.zero_shot(model)?,
            self.base.zero_shot(model)?,
            self.new.zero_shot(model)?,
        ]))
    }
}
