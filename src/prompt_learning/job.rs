//! What a recipe gets to work with, and what it gives back.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::descriptions::Descriptions;
use super::examples::Examples;
use super::options::{Options, Parameter};
use super::others::OutlierData;
use super::trainer::Observer;
use crate::error::{Error, Kind, Result};
use crate::math::UnitRows;
use crate::progress::LocalBoxFuture;
use crate::prompt::file::Prompt;
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::heads::{Weights, save};
use crate::prompt::template::Template;
use crate::tokenize::validate;

pub use crate::prompt::model::{Model, encode, mean_texts};

/// One thing to learn.
#[derive(Clone, Copy)]
pub struct TrainingJob<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// The model.
    pub model: &'a dyn Model,
    /// The classes.
    pub names: &'a [String],
    /// The images, where there are any.
    pub examples: Option<&'a Examples>,
    /// Unit features [N, d] of images without labels; may be empty.
    pub unlabeled: &'a [f32],
    /// Sentences about the classes, where there are any.
    pub descriptions: Option<&'a Descriptions>,
    /// What is none of the classes, for recipes that learn it.
    pub others: OutlierData<'a>,
    /// What people set.
    pub options: &'a Options,
    /// Decides every random number.
    pub seed: u64,
    /// Who looks on.
    pub observer: Observer<'a>,
}

/// A number worth showing beside the result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Note {
    /// What it is.
    pub name: String,
    /// The number.
    pub value: f64,
}

impl Note {
    /// A note.
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        let name = name.into();
        Self { name, value }
    }
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedPrompt {
    /// What to keep; [`open`](crate::prompt::heads::open) answers with it.
    pub prompt: Prompt,
    /// The loss of every step; empty where nothing descends.
    pub losses: Vec<f64>,
    /// Numbers that were fitted by gradient.
    pub trained_parameters: usize,
    /// Further results.
    pub notes: Vec<Note>,
}

/// What a recipe works on, which decides what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cost {
    /// Steps through the text tower.
    Text,
    /// Arithmetic on cached features.
    Features,
    /// Text features once, no training.
    Hard,
}

/// What a recipe needs besides class names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Images in class folders.
    Images,
    /// Images, labels or not.
    #[serde(rename = "unlabelled")]
    Unlabeled,
    /// Sentences about the classes.
    Descriptions,
}

/// A way of making a prompt.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// Its name on the command line and in files.
    pub name: &'static str,
    /// Who published it.
    pub paper: &'static str,
    /// One line on what it does.
    pub summary: &'static str,
    /// What it works on.
    pub kind: Cost,
    /// What it needs.
    pub needs: Needs,
    /// Whether its result serves class names that it never saw.
    pub transfers: bool,
    /// Whether it learns what is none of the classes, and so wants [`OutlierData`].
    pub others: bool,
    /// What people may set.
    pub own: &'static [Parameter],
    /// What people may set here as in its relatives, with another default where `own` has the name
    /// too.
    pub shared: &'static [Parameter],
    /// Does it.
    pub run: for<'a> fn(&'a TrainingJob<'a>) -> LocalBoxFuture<'a, TrainedPrompt>,
}

impl Recipe {
    /// Everything that people may set.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.own.to_vec();
        for shared in self.shared {
            if self.own.iter().all(|own| own.name != shared.name) {
                all.push(*shared);
            }
        }
        all
    }
}

impl Serialize for Recipe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Recipe", 8)?;
        fields.serialize_field("name", self.name)?;
        fields.serialize_field("paper", self.paper)?;
        fields.serialize_field("summary", self.summary)?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("needs", &self.needs)?;
        fields.serialize_field("transfers", &self.transfers)?;
        fields.serialize_field("others", &self.others)?;
        fields.serialize_field("parameters", &self.parameters())?;
        fields.end()
    }
}

impl<'a> TrainingJob<'a> {
    /// Does it.
    ///
    /// # Errors
    /// The `labels/` codes for the names, `data/empty` where the recipe lacks what it needs, and
    /// those of the recipe.
    pub async fn run(&self) -> Result<TrainedPrompt> {
        validate(self.names)?;
        if self.recipe.needs == Needs::Images {
            self.images()?;
        }
        (self.recipe.run)(self).await
    }

    /// The labeled images.
    ///
    /// # Errors
    /// `data/empty` where there are none.
    pub fn images(&self) -> Result<&'a Examples> {
        self.examples.ok_or_else(|| {
            Error::new(
                Kind::DataEmpty,
                format!(
                    "{} learns from images; give at least one in a folder named as its class.",
                    self.recipe.name
                ),
            )
        })
    }

    /// Images of the class that has most.
    pub fn shots(&self) -> usize {
        self.examples
            .and_then(|e| e.counts(self.names.len()).into_iter().max())
            .unwrap_or(0)
    }

    /// Unit features of every name in every template, [P, K, d].
    ///
    /// # Errors
    /// `labels/too-long`, the device's errors and what the watch returns.
    pub async fn texts(&self, templates: &[Template]) -> Result<Vec<f64>> {
        let raw = self.raw_texts(templates).await?;
        Ok(UnitRows::new(&raw, self.model.dim()).values)
    }

    /// The same before normalization.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub async fn raw_texts(&self, templates: &[Template]) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        for (i, template) in templates.iter().enumerate() {
            let progress = self.observer.progress;
            progress.step("texts", i, templates.len()).await?;
            all.extend(encode(self.model, template, self.names).await?);
        }
        Ok(all)
    }

    /// The prompt file for what was learned.
    pub fn prompt(&self, weights: &dyn Weights) -> Prompt {
        save(self.recipe.name, self.model, self.names, weights)
    }

    /// A prompt that is one text feature [d] per class, unit or shorter.
    pub fn text_prompt(&self, texts: &[f64], templates: &[Template]) -> Prompt {
        self.prompt(&TextFeatures::new(texts, templates))
    }
}
