//! What a recipe gets to work with, and what it gives back.

use serde::Serialize;

use super::descriptions::Descriptions;
use super::examples::Examples;
use super::outliers::OutlierData;
use super::recipe::ConfiguredRecipe;
use super::text::TextSide;
use super::trainer::Observer;
use crate::error::{Error, Kind, Result};
use crate::math::UnitRows;
use crate::progress::LocalBoxFuture;
use crate::prompt::file::Prompt;
use crate::prompt::layout::{NamePosition, PromptLayout};
use crate::prompt::template::Template;
use crate::tokenize::validate;

/// What a recipe may ask of a model.
pub trait Model {
    /// d, the columns of a feature.
    fn dim(&self) -> usize;
    /// W, the columns of a context vector.
    fn width(&self) -> usize;
    /// exp(logit_scale): multiplies cosines before the softmax.
    fn logit_scale(&self) -> f32;
    /// SHA-256 of the source weights.
    fn sha256(&self) -> &str;
    /// Places in a prompt, start and end included.
    fn context_length(&self) -> usize;
    /// The embeddings of `text` without start and end, [tokens, W].
    ///
    /// # Errors
    /// `labels/too-long`.
    fn words(&self, text: &str) -> Result<Vec<f32>>;
    /// How many tokens `text` has without start and end, and whether more did not fit.
    ///
    /// # Errors
    /// `labels/too-long`.
    fn tokens(&self, text: &str) -> Result<(usize, bool)>;
    /// Features before normalization [N, d] of texts.
    fn features<'a>(&'a self, texts: &'a [String]) -> LocalBoxFuture<'a, Vec<f32>>;
    /// The text tower over `names`.
    ///
    /// # Errors
    /// `labels/too-long`, `prompt/invalid` if the vectors leave no room for a name.
    fn text_side<'a>(
        &'a self,
        names: &[String],
        layout: &PromptLayout,
    ) -> Result<Box<dyn TextSide + 'a>>;
}

/// A recipe with its parameters and everything that it learns from.
#[derive(Clone, Copy)]
pub struct TrainingJob<'a> {
    /// The recipe and its parameters.
    pub recipe: &'a ConfiguredRecipe,
    /// The model.
    pub model: &'a dyn Model,
    /// The classes.
    pub names: &'a [String],
    /// The labeled images, if any.
    pub examples: Option<&'a Examples>,
    /// Unit features [N, d] of images without labels; may be empty.
    pub unlabeled: &'a [f32],
    /// Sentences about the classes, if any.
    pub descriptions: Option<&'a Descriptions>,
    /// Negative labels and outlier images, for recipes that need outliers.
    pub outliers: OutlierData<'a>,
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
    /// The prompt file; [`Head::open`](super::head::Head::open) answers with it.
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

    /// Images of the class that has most.
    pub fn shots(&self) -> usize {
        self.examples
            .and_then(|e| e.counts(self.names.len()).into_iter().max())
            .unwrap_or(0)
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

    /// The prompt file to be, without tensors.
    pub fn prompt(&self) -> Prompt {
        Prompt {
            recipe: self.recipe.info.name.to_owned(),
            layout: NamePosition::End,
            class_names: self.names.to_vec(),
            model_sha256: self.model.sha256().to_owned(),
            logit_scale: self.model.logit_scale(),
            created_by: concat!("promptlens ", env!("CARGO_PKG_VERSION")).to_owned(),
            tensors: Default::default(),
            extra: Default::default(),
        }
    }

    /// A prompt that is one text feature [d] per class, unit or shorter.
    pub fn text_prompt(&self, texts: &[f64], templates: &[Template]) -> Prompt {
        let mut prompt = self.prompt();
        let shape = [self.names.len(), self.model.dim()];
        let texts = texts.iter().map(|v| *v as f32).collect();
        prompt.put("text_features", &shape, texts);
        let templates: Vec<String> = templates.iter().map(ToString::to_string).collect();
        let templates = serde_json::Value::from(templates).to_string();
        prompt.extra.insert("templates".to_owned(), templates);
        prompt
    }
}

/// Features before normalization of `names` in `template`, [K, d].
///
/// # Errors
/// `labels/too-long` and the device's errors.
pub async fn encode(model: &dyn Model, template: &Template, names: &[String]) -> Result<Vec<f32>> {
    let texts: Vec<String> = names.iter().map(|name| template.fill(name)).collect();
    model.features(&texts).await
}

/// The normalized mean over P of rows [P, K, d], [K, d].
pub fn mean_texts<T: Copy + Into<f64>>(rows: &[T], classes: usize, d: usize) -> Vec<f64> {
    let mut sum = vec![0f64; classes * d];
    for set in rows.chunks_exact(classes * d) {
        sum.iter_mut().zip(set).for_each(|(s, v)| *s += (*v).into());
    }
    UnitRows::new(&sum, d).values
}
