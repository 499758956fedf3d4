//! What a recipe gets to work with, and what it gives back.

use serde::Serialize;

use super::descriptions::Descriptions;
use super::examples::Examples;
use super::material::Material;
use super::recipe::ConfiguredRecipe;
use super::trainer::Observer;
use crate::error::{Error, Kind, Result};
use crate::math::UnitRows;
use crate::prompt::file::Prompt;
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::heads::{Weights, load, save};
use crate::prompt::model::{PromptModel, encode};
use crate::prompt::template::Template;
use crate::tokenize::validate;

/// A recipe with its parameters and everything that it learns from.
#[derive(Clone, Copy)]
pub struct TrainingJob<'a> {
    /// The recipe and its parameters.
    pub recipe: &'a ConfiguredRecipe,
    /// The model.
    pub model: &'a dyn PromptModel,
    /// The classes.
    pub names: &'a [String],
    /// The labeled images, if any.
    pub examples: Option<&'a Examples>,
    /// Everything else that it may learn from.
    pub material: Material<'a>,
    /// Decides every random number.
    pub seed: u64,
    /// Progress and cancellation hooks.
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

/// The result of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedPrompt {
    /// The prompt file; [`open`](crate::prompt::heads::open) answers with it.
    pub prompt: Prompt,
    /// The loss of every step; empty if the recipe has no training steps.
    pub losses: Vec<f64>,
    /// Numbers that were fitted by gradient.
    pub trained_parameters: usize,
    /// Further results.
    pub notes: Vec<Note>,
}

impl<'a> TrainingJob<'a> {
    /// Trains a prompt.
    ///
    /// # Errors
    /// The `labels/` codes for the names, `data/empty` if the recipe lacks what it needs, and those of
    /// the recipe.
    pub async fn run(&self) -> Result<TrainedPrompt> {
        validate(self.names)?;
        self.recipe.info.check_classes(self.names.len())?;
        if let Some(start) = self.material.start {
            if !self.recipe.info.continues {
                return Err(Error::new(
                    Kind::OptionInvalid,
                    format!("{} does not go on from a prompt.", self.recipe.info.name),
                ));
            }
            start.belongs_to(self.model.sha256())?;
        }
        if self.recipe.info.needs.labels {
            self.images()?;
        }
        self.recipe.run(self).await
    }

    /// The labeled images.
    ///
    /// # Errors
    /// `data/empty` if there are none.
    pub fn images(&self) -> Result<&'a Examples> {
        self.examples.ok_or_else(|| {
            Error::new(
                Kind::DataEmpty,
                format!(
                    "{} learns from images; give at least one in a folder named as its class.",
                    self.recipe.info.name
                ),
            )
        })
    }

    /// Sentences about the classes, or about pairs of them; `form` shows what their file looks like.
    ///
    /// # Errors
    /// `data/empty` if there are none.
    pub fn descriptions(&self, form: &str) -> Result<&'a Descriptions> {
        self.material.descriptions.ok_or_else(|| {
            let name = self.recipe.info.name;
            let sentence = format!("{name} needs descriptions; give a JSON file {form}.");
            Error::new(Kind::DataEmpty, sentence)
        })
    }

    /// The context [M, W] that the prompt to go on from has in front of every name, if there is one.
    ///
    /// # Errors
    /// `prompt/invalid` if that prompt is something else.
    pub fn start_context(&self) -> Result<Option<Vec<f32>>> {
        let Some(start) = self.material.start else {
            return Ok(None);
        };
        let weights = load(start)?;
        let known = weights.context().map(<[f32]>::to_vec);
        known.map(Some).ok_or_else(|| {
            Error::new(
                Kind::PromptInvalid,
                format!(
                    "{} goes on from one context in front of all names; a prompt of {} is something else.",
                    self.recipe.info.name, start.recipe
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

    /// What a strength that was published for CLIP's exp(logit_scale) of 100 is for this model. Logits
    /// are s times cosines, so a loss on cosines alone weighs more against them as s falls.
    pub fn scaled(&self, strength: f64) -> f64 {
        strength * f64::from(self.model.logit_scale()) / 100.0
    }

    /// Unit features of every name in every template, [P, K, d].
    ///
    /// # Errors
    /// `labels/too-long`, the device's errors and what the observer returns.
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
        save(self.recipe.info.name, self.model, self.names, weights)
    }

    /// A prompt that is one text feature [d] per class, unit or shorter.
    pub fn text_prompt(&self, texts: &[f64], templates: &[Template]) -> Prompt {
        self.prompt(&TextFeatures::new(texts, templates))
    }
}
