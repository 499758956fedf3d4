//! Class names with what answers for them: zero-shot texts or a learned prompt.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use super::{Negatives, Ranked, rank};
use crate::clip::text::TokenCounts;
use crate::error::{Error, Kind, Result};
use crate::math::UnitRows;
use crate::model::Model;
use crate::ood::threshold::{class_list_sha256, ordered_list_sha256};
use crate::prompt::file::Prompt;
use crate::prompt::heads::texts::TextHead;
use crate::prompt::heads::{Head, open};
use crate::prompt::layout::PromptLayout;
use crate::prompt::model::PromptModel;
use crate::prompt::template::Template;
use crate::prompt::tokens::PromptTokens;
use crate::prompt::tunable::TunablePrompt;
use crate::reliability::check_temperature;
use crate::tokenize::validate;

/// Class names with their text features: made once, used for every image.
#[derive(Debug, Clone)]
pub struct ClassSet {
    /// The names as given.
    pub labels: Vec<String>,
    /// L2-normalized text features [K, d].
    pub features: Vec<f32>,
    /// How many token rows it took.
    pub rows: TokenCounts,
    /// Names whose prompt was cut to the context length.
    pub truncated: usize,
    /// The sentences around the names, also around negative labels.
    pub templates: Vec<Template>,
    /// SHA-256 of what stands around the names; part of what a threshold holds for.
    pub prompt_sha256: String,
    /// What answers.
    pub head: Arc<dyn Head>,
    temperature: f64,
    tunable: Option<TunablePrompt>,
    sha256: OnceLock<String>,
    pub(super) negatives: OnceLock<Arc<Negatives>>,
}

impl ClassSet {
    /// Zero-shot classes: text features are the normalized mean over templates of normalized features
    /// (CLIP's prompt ensembling).
    ///
    /// # Errors
    /// `labels/empty`, `labels/duplicate`, `labels/too-long`, `prompt/invalid-template`.
    pub async fn new<S: AsRef<str>>(
        model: &Model,
        labels: &[String],
        templates: &[S],
    ) -> Result<Self> {
        validate(labels)?;
        let templates = Template::parse_all(templates)?;
        let encoder = model.text_encoder();
        let texts = encoder.templates(labels, &templates).await?;
        let tunable = TunablePrompt::from_templates(&encoder, labels, &templates)?;
        let prompt: Vec<String> = templates.iter().map(ToString::to_string).collect();
        Ok(Self {
            labels: labels.to_vec(),
            features: texts.rounded(),
            rows: texts.rows,
            truncated: texts.truncated,
            tunable: Some(tunable),
            templates,
            prompt_sha256: ordered_list_sha256(&prompt),
            head: Arc::new(TextHead::new(texts.features)),
            temperature: 1.0,
            sha256: OnceLock::new(),
            negatives: OnceLock::new(),
        })
    }

    /// The class list `labels` under `prompt`, which need not know all of them. Scores for "none of
    /// these" compare with the prompt's texts; if these depend on the image, with those of the
    /// context itself or the mean of several. Negative labels are put into `templates`, or behind the
    /// context that the prompt learned for them.
    ///
    /// # Errors
    /// As [`new`](Self::new); `prompt/wrong-model`, `prompt/invalid` if the prompt does not
    /// fit.
    pub async fn with_prompt<S: AsRef<str>>(
        model: &Model,
        labels: &[String],
        templates: &[S],
        prompt: &Prompt,
    ) -> Result<Self> {
        validate(labels)?;
        let templates = Template::parse_all(templates)?;
        let head = open(prompt, model, labels).await?;
        let centers = head.centers(model).await?;
        let rows = head.context().unwrap_or_default().len() / model.width();
        let names = PromptTokens::new(labels, &PromptLayout::end(rows), &model.tokenizer)?;
        Ok(Self {
            labels: labels.to_vec(),
            features: UnitRows::new(&centers, model.dim()).rounded(),
            rows: TokenCounts::default(),
            truncated: names.truncated,
            tunable: head
                .context()
                .map(|context| TunablePrompt::from_context(context, names)),
            templates,
            temperature: 1.0,
            prompt_sha256: format!("{:x}", Sha256::digest(prompt.to_bytes()?)),
            head,
            sha256: OnceLock::new(),
            negatives: OnceLock::new(),
        })
    }

    /// The same classes with probabilities at `temperature`: it divides their logits. The order of the
    /// classes and the scores for "none of these" stay as they are.
    ///
    /// # Errors
    /// `options/invalid` outside [`TEMPERATURES`](crate::reliability::TEMPERATURES).
    pub fn with_temperature(mut self, temperature: f64) -> Result<Self> {
        check_temperature(temperature)?;
        self.temperature = temperature;
        Ok(self)
    }

    /// What divides the logits of an answer before the softmax; 1 unless it was set.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// The answer for logits [K].
    pub fn rank(&self, logits: &[f64]) -> Vec<Ranked> {
        rank(&self.probabilities(logits))
    }

    /// Probabilities [K] of logits [K]: they sum to 1 unless the prompt gives each class its own.
    pub fn probabilities(&self, logits: &[f64]) -> Vec<f64> {
        self.head.probabilities().of(logits, self.temperature)
    }

    /// Logits [K] of one normalized image feature [d].
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`, if a learned context depends on the image.
    pub async fn logits(&self, model: &Model, feature: &[f32]) -> Result<Vec<f64>> {
        self.head.logits(model, feature).await
    }

    /// How much one normalized image feature [d] shows of what the classes measure, by a prompt that
    /// learned to say it.
    pub fn score(&self, feature: &[f32]) -> Option<f64> {
        let feature: Vec<f64> = feature.iter().map(|v| f64::from(*v)).collect();
        self.head.score(&feature)
    }

    /// Cosines of one normalized image feature [d] with every class, [K].
    pub fn cosines(&self, feature: &[f32]) -> Vec<f32> {
        self.features
            .chunks_exact(feature.len())
            .map(|text| feature.iter().zip(text).map(|(a, b)| a * b).sum())
            .collect()
    }

    /// The prompt that test-time tuning moves: the words in front of the names in every template, or a
    /// learned context.
    ///
    /// # Errors
    /// `options/invalid` for a prompt that is not one context in front of all names.
    pub fn tunable(&self) -> Result<&TunablePrompt> {
        self.tunable.as_ref().ok_or_else(|| {
            Error::new(
                Kind::OptionInvalid,
                "This prompt is more than one context in front of the names, so there is nothing to tune on a single photo; switch tuning off, or use a prompt of coop, kgcoop, prograd, promptsrc or pre.",
            )
        })
    }

    /// [`class_list_sha256`] of the names.
    pub fn sha256(&self) -> &str {
        self.sha256.get_or_init(|| class_list_sha256(&self.labels))
    }

    /// The negative labels in use. `None` until a score that needs them has mined some.
    pub fn negatives(&self) -> Option<&Arc<Negatives>> {
        self.negatives.get()
    }

    /// The same classes with these negative labels.
    #[must_use]
    pub fn with_negatives(mut self, negatives: Arc<Negatives>) -> Self {
        self.negatives = OnceLock::from(negatives);
        self
    }
}
