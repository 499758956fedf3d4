//! The prompt that test-time tuning moves: the words in front of the class names, as vectors, in every
//! template of the answer. The words behind the names stay as they are.

use std::sync::Arc;

use super::context_encoder::ContextEncoder;
use super::model::TextSide;
use super::template::Template;
use super::text_encoder::TextEncoder;
use super::tokens::PromptTokens;
use crate::error::{Error, Kind, Result};
use crate::math::UnitRows;
use crate::progress::LocalBoxFuture;

/// What tuning starts from if no template has words in front of the name.
const USUAL_WORDS: &str = "a photo of a";

/// A prompt with vectors that tuning may move, before the first step.
#[derive(Debug, Clone)]
pub struct TunablePrompt {
    /// The vectors of every part, one part after the other, [M, W].
    start: Vec<f32>,
    parts: Vec<Arc<PromptTokens>>,
    fixed: Vec<Template>,
    labels: Vec<String>,
    borrowed: bool,
}

impl TunablePrompt {
    /// The sentences of `templates` around `labels`, token by token as they are answered with. The
    /// tokens in front of the name become vectors. A template that begins with the name has none and
    /// takes part unchanged; if all do, the usual words are put in front of them.
    ///
    /// # Errors
    /// `labels/too-long`.
    pub fn from_templates(
        encoder: &TextEncoder<'_>,
        labels: &[String],
        templates: &[Template],
    ) -> Result<Self> {
        let mut prompt = Self {
            start: Vec::new(),
            parts: Vec::new(),
            fixed: Vec::new(),
            labels: labels.to_vec(),
            borrowed: false,
        };
        for template in templates {
            let sentences = labels.iter().map(|name| template.fill(name));
            if !prompt.take(encoder, template.words_before(), sentences)? {
                prompt.fixed.push(template.clone());
            }
        }
        if prompt.parts.is_empty() {
            prompt.borrowed = true;
            for template in std::mem::take(&mut prompt.fixed) {
                let sentence =
                    |name: &String| format!("{USUAL_WORDS} {}", template.fill(name).trim_start());
                prompt.take(encoder, USUAL_WORDS, labels.iter().map(sentence))?;
            }
        }
        Ok(prompt)
    }

    /// A learned `context` [M, W] in front of the names `tokens`.
    pub fn from_context(context: &[f32], tokens: PromptTokens) -> Self {
        Self {
            start: context.to_vec(),
            parts: vec![Arc::new(tokens)],
            fixed: Vec::new(),
            labels: Vec::new(),
            borrowed: false,
        }
    }

    /// Adds the tokens of `sentences` whose beginning is that of `words`; false if none has any.
    fn take(
        &mut self,
        encoder: &TextEncoder<'_>,
        words: &str,
        sentences: impl Iterator<Item = String>,
    ) -> Result<bool> {
        let before = encoder.tokenizer.encode(words)?.ids;
        let before = &before[1..before.len() - 1];
        let prompts = sentences
            .map(|sentence| Ok(encoder.tokenizer.encode(&sentence)?.ids))
            .collect::<Result<Vec<_>>>()?;
        // A name without a space in front of it may join the last word.
        let shared = |ids: &Vec<u32>| {
            let pairs = before.iter().zip(&ids[1..ids.len() - 1]);
            pairs.take_while(|(a, b)| a == b).count()
        };
        let vectors = prompts.iter().map(shared).min().unwrap_or(0);
        if vectors == 0 {
            return Ok(false);
        }
        let suffixes: Vec<Vec<u32>> = prompts
            .iter()
            .map(|ids| ids[1 + vectors..].to_vec())
            .collect();
        let w = encoder.tower.config.width;
        self.start.extend(&encoder.words(words)?[..vectors * w]);
        let sot = encoder.tokenizer.sot();
        let tokens = PromptTokens::from_suffixes(sot, vectors, &suffixes);
        self.parts.push(Arc::new(tokens));
        Ok(true)
    }

    /// The vectors that tuning starts from, [M, W]: those of one template after the other.
    pub fn start(&self) -> &[f32] {
        &self.start
    }

    /// The words that were put in front of the names because no template has any.
    pub fn borrowed_words(&self) -> Option<&'static str> {
        self.borrowed.then_some(USUAL_WORDS)
    }

    /// The tokens behind the vectors, if there is one template or one learned context.
    pub fn tokens(&self) -> Option<&Arc<PromptTokens>> {
        match &self.parts[..] {
            [tokens] if self.fixed.is_empty() => Some(tokens),
            _ => None,
        }
    }

    /// The same prompt around the vectors `start` [M, W], `w` columns wide. M may be another number
    /// only if there is one template.
    ///
    /// # Errors
    /// `options/invalid` for another number with several templates; `prompt/invalid` if the vectors
    /// leave no room for a name within `limit` places.
    pub fn with_start(&self, start: &[f32], w: usize, limit: usize) -> Result<Self> {
        let parts = match self.tokens() {
            _ if start.len() == self.start.len() => self.parts.clone(),
            Some(tokens) => vec![Arc::new(tokens.with_vectors(start.len() / w, limit)?)],
            None => {
                return Err(Error::new(
                    Kind::OptionInvalid,
                    format!(
                        "The templates have {} vectors in front of their names; give a context of as many.",
                        self.start.len() / w
                    ),
                ));
            }
        };
        Ok(Self {
            start: start.to_vec(),
            parts,
            ..self.clone()
        })
    }

    /// The text tower over this prompt, differentiable in its vectors.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn open<'a>(&self, encoder: &TextEncoder<'a>) -> Result<TunableSide<'a>> {
        let mut fixed = Vec::new();
        for template in &self.fixed {
            let texts: Vec<String> = self.labels.iter().map(|n| template.fill(n)).collect();
            let features = encoder.texts(&texts).await?.features;
            let unit = UnitRows::new(&features, features.len() / texts.len()).values;
            add(&mut fixed, &unit);
        }
        let share = self.parts.len();
        let parts = self.parts.iter().map(|tokens| Part {
            size: tokens.vectors * encoder.tower.config.width,
            encoder: ContextEncoder::new(encoder.tower, tokens.clone()).sharing_a_tape(share),
            unit: None,
        });
        Ok(TunableSide {
            parts: parts.collect(),
            fixed,
            templates: self.parts.len() + self.fixed.len(),
        })
    }
}

struct Part<'a> {
    encoder: ContextEncoder<'a>,
    size: usize,
    unit: Option<UnitRows>,
}

/// Text features of a [`TunablePrompt`]. With several templates, of which each has its own vectors,
/// they are the mean over templates of normalized features (CLIP's prompt ensembling).
pub struct TunableSide<'a> {
    parts: Vec<Part<'a>>,
    /// The sum over the templates that stay as they are, [K, d]; empty without any.
    fixed: Vec<f64>,
    templates: usize,
}

impl TunableSide<'_> {
    /// The token rows of the last forward pass.
    pub fn token_rows(&self) -> usize {
        let rows = self.parts.iter().map(|part| part.encoder.rows.processed);
        rows.sum()
    }

    async fn run(&mut self, contexts: &[f32]) -> Result<Vec<f32>> {
        let mut sum = self.fixed.clone();
        let mut rest = contexts;
        for part in &mut self.parts {
            let (own, after) = rest.split_at(part.size.min(rest.len()));
            rest = after;
            let features = part.encoder.forward(own).await?;
            if self.templates == 1 {
                return Ok(features);
            }
            let unit = UnitRows::new(&features, features.len() / part.encoder.classes());
            add(&mut sum, &unit.values);
            part.unit = Some(unit);
        }
        let count = self.templates as f64;
        Ok(sum.iter().map(|v| (v / count) as f32).collect())
    }

    async fn run_back(&mut self, gradient: &[f32]) -> Result<Vec<f32>> {
        let count = self.templates as f64;
        let each: Vec<f64> = gradient.iter().map(|g| f64::from(*g) / count).collect();
        let mut all = Vec::new();
        for part in &mut self.parts {
            all.extend(match part.unit.take() {
                Some(unit) => {
                    let own: Vec<f32> = unit.backward(&each).iter().map(|g| *g as f32).collect();
                    part.encoder.backward(&own).await?
                }
                None => part.encoder.backward(gradient).await?,
            });
        }
        Ok(all)
    }
}

impl TextSide for TunableSide<'_> {
    fn forward<'a>(&'a mut self, contexts: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(self.run(contexts))
    }

    fn backward<'a>(&'a mut self, gradient: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(self.run_back(gradient))
    }
}

fn add(sum: &mut Vec<f64>, values: &[f64]) {
    sum.resize(values.len(), 0.0);
    sum.iter_mut().zip(values).for_each(|(s, v)| *s += v);
}
