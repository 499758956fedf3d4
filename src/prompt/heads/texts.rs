//! A text feature per class: zero-shot classification, ensembles of sentences, and features that
//! were moved by learning (TaskRes).

use std::sync::Arc;

use super::context::NegativeContext;
use super::{Head, Kind, Weights, invalid, scaled_cosines};
use crate::error::Result;
use crate::math::UnitRows;
use crate::progress::LocalBoxFuture;
use crate::prompt::file::Prompt;
use crate::prompt::model::{PromptModel, encode, mean_texts};
use crate::prompt::template::{DEFAULT, Template};
use crate::tokenize::NameIndex;

pub(super) const FEATURES: &str = "text_features";
const RESIDUAL: &str = "residual";
pub(super) const TEMPLATES: &str = "templates";
const FITTED: &str = "fitted";

/// The kind.
pub const KIND: Kind = Kind {
    name: "texts",
    required: &[FEATURES],
    optional: &[RESIDUAL],
    load: |file| Ok(Box::new(TextFeatures::load(file)?)),
};

/// Text features of known classes, and the sentences that serve other names.
#[derive(Debug, Clone, PartialEq)]
pub struct TextFeatures {
    /// Of the known names, unit or shorter, [K, d].
    pub features: Vec<f32>,
    /// What other names stand in. `None`: the default template.
    pub templates: Option<Vec<Template>>,
    /// What photos added to the sentences' features, [K, d]; kept for inspection, as `features` contain
    /// it.
    pub residual: Option<Vec<f32>>,
}

impl TextFeatures {
    /// The features [K, d] of sentences made from `templates` and others.
    pub fn new(features: &[f64], templates: &[Template]) -> Self {
        Self {
            features: features.iter().map(|v| *v as f32).collect(),
            templates: Some(templates.to_vec()),
            residual: None,
        }
    }

    /// Features [K, d] that photos decided, beside those of `templates` alone, `base` [K, d].
    pub fn fitted(features: &[f64], base: &[f64], templates: &[Template]) -> Self {
        let differences = features.iter().zip(base);
        Self {
            residual: Some(differences.map(|(own, base)| (own - base) as f32).collect()),
            ..Self::new(features, templates)
        }
    }

    /// Writes them into `file`, for its class names.
    pub(super) fn put(&self, file: &mut Prompt) {
        let k = file.class_names.len();
        let shape = [k, self.features.len() / k.max(1)];
        file.put(FEATURES, &shape, self.features.clone());
        if let Some(templates) = &self.templates {
            let templates: Vec<String> = templates.iter().map(ToString::to_string).collect();
            file.note_list(TEMPLATES, &templates);
        }
        if let Some(residual) = &self.residual {
            file.put(RESIDUAL, &shape, residual.clone());
            file.note(FITTED, "features");
        }
    }

    /// Those of `file`.
    ///
    /// # Errors
    /// `prompt/invalid`, `prompt/invalid-template`.
    pub(super) fn load(file: &Prompt) -> Result<Self> {
        let k = file.class_names.len();
        let Some(features) = file.get(FEATURES, 2)?.filter(|found| found.shape[0] == k) else {
            return Err(invalid("it does not have a text feature for every class"));
        };
        let templates = match file.list(TEMPLATES)? {
            Some(templates) => Some(Template::parse_all(&templates)?),
            None => None,
        };
        let residual = file.shaped(RESIDUAL, &features.shape)?;
        if residual.is_some() != file.extra.contains_key(FITTED) {
            return Err(invalid(
                "its residual and its metadata do not agree on whether it was fitted",
            ));
        }
        Ok(Self {
            features: features.data.clone(),
            templates,
            residual: residual.map(<[f32]>::to_vec),
        })
    }

    /// The stored features of known names, and those of the templates for others, [K, d].
    pub(super) async fn on(
        &self,
        known: &[String],
        model: &dyn PromptModel,
        names: &[String],
    ) -> Result<Vec<f64>> {
        let d = model.dim();
        if self.features.len() != known.len() * d {
            return Err(invalid("its text features are not as wide as the model's"));
        }
        let index = NameIndex::new(known);
        let row = |name: &String| index.place(name);
        let new: Vec<String> = names.iter().filter(|n| row(n).is_none()).cloned().collect();
        let templates = match &self.templates {
            Some(templates) => templates.clone(),
            None => Template::parse_all(DEFAULT)?,
        };
        let others = fresh(model, &templates, &new).await?;
        let mut others = others.chunks_exact(d);
        let mut texts = Vec::with_capacity(names.len() * d);
        for name in names {
            match row(name) {
                Some(k) => {
                    let stored = &self.features[k * d..(k + 1) * d];
                    texts.extend(stored.iter().map(|v| f64::from(*v)));
                }
                None => texts.extend(others.next().into_iter().flatten()),
            }
        }
        Ok(texts)
    }
}

/// The features [K, d] of `names`: normalized means over `templates`.
///
/// # Errors
/// `labels/too-long` and the device's errors.
pub(super) async fn fresh(
    model: &dyn PromptModel,
    templates: &[Template],
    names: &[String],
) -> Result<Vec<f64>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for template in templates {
        let features = encode(model, template, names).await?;
        all.extend(UnitRows::new(&features, model.dim()).values);
    }
    Ok(mean_texts(&all, names.len(), model.dim()))
}

impl Weights for TextFeatures {
    fn save(&self, file: &mut Prompt) {
        self.put(file);
    }

    fn open<'a>(
        &'a self,
        known: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>> {
        Box::pin(async move {
            let texts = self.on(known, model, names).await?;
            Ok(Arc::new(TextHead::new(texts)) as Arc<dyn Head>)
        })
    }

    fn is_words_only(&self) -> bool {
        self.templates.is_some() && self.residual.is_none()
    }
}

/// One text feature per class.
#[derive(Debug, Clone)]
pub struct TextHead {
    texts: Vec<f64>,
    context: Option<Vec<f32>>,
    negatives: Option<Arc<NegativeContext>>,
}

impl TextHead {
    /// Answers by the cosines with `texts` [K, d], unit or shorter.
    pub fn new(texts: Vec<f64>) -> Self {
        Self {
            texts,
            context: None,
            negatives: None,
        }
    }

    /// The same, with the `context` [M, W] that tuning starts from.
    #[must_use]
    pub fn with_context(mut self, context: Vec<f32>) -> Self {
        self.context = Some(context);
        self
    }

    /// The same, with what the prompt learned about negative labels.
    #[must_use]
    pub fn with_negatives(mut self, negatives: Option<Arc<NegativeContext>>) -> Self {
        self.negatives = negatives;
        self
    }
}

impl Head for TextHead {
    fn answer<'a>(
        &'a self,
        model: &'a dyn PromptModel,
        image: &'a [f64],
    ) -> LocalBoxFuture<'a, Vec<f64>> {
        let logits = scaled_cosines(model, image, &self.texts);
        Box::pin(std::future::ready(Ok(logits)))
    }

    fn centers<'a>(&'a self, _: &'a dyn PromptModel) -> LocalBoxFuture<'a, Vec<f64>> {
        Box::pin(std::future::ready(Ok(self.texts.clone())))
    }

    fn context(&self) -> Option<&[f32]> {
        self.context.as_deref()
    }

    fn negatives(&self) -> Option<&Arc<NegativeContext>> {
        self.negatives.as_ref()
    }
}
