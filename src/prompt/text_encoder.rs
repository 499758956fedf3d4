//! From words to text features: sentences, names in templates, names around learned contexts.

use std::sync::Arc;

use super::context_encoder::ContextEncoder;
use super::layout::PromptLayout;
use super::model::mean_texts;
use super::template::Template;
use super::tokens::PromptTokens;
use crate::clip::text::{TextTower, TokenCounts};
use crate::error::Result;
use crate::kernels::read;
use crate::math::UnitRows;
use crate::tokenize::ClipTokenizer;

/// A text tower with its tokenizer.
#[derive(Debug, Clone, Copy)]
pub struct TextEncoder<'a> {
    /// Token ids to features.
    pub tower: &'a TextTower,
    /// Words to token ids.
    pub tokenizer: &'a ClipTokenizer,
}

/// Features of texts, and what it took to compute them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Encoded<T> {
    /// [N, d].
    pub features: Vec<T>,
    /// How many token rows ran.
    pub rows: TokenCounts,
    /// Texts that were cut to the context length.
    pub truncated: usize,
}

impl Encoded<f64> {
    /// The features in f32.
    pub fn rounded(&self) -> Vec<f32> {
        self.features.iter().map(|v| *v as f32).collect()
    }
}

impl<'a> TextEncoder<'a> {
    /// Features of `texts` before normalization.
    ///
    /// # Errors
    /// `labels/too-long`, `engine/not-finite`, `gpu/lost`.
    pub async fn texts<S: AsRef<str>>(&self, texts: &[S]) -> Result<Encoded<f32>> {
        let tokens = texts
            .iter()
            .map(|text| self.tokenizer.encode(text.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        let truncated = tokens.iter().filter(|t| t.truncated).count();
        let ids: Vec<Vec<u32>> = tokens.into_iter().map(|t| t.ids).collect();
        if ids.is_empty() {
            return Ok(Encoded::default());
        }
        let (features, rows) = self.tower.encode(&ids);
        Ok(Encoded {
            features: read(features).await?,
            rows,
            truncated,
        })
    }

    /// Text features of `names`: the normalized mean over templates of normalized features (CLIP's
    /// prompt ensembling).
    ///
    /// # Errors
    /// `labels/too-long`, `engine/not-finite`, `gpu/lost`.
    pub async fn templates<S: AsRef<str>>(
        &self,
        names: &[S],
        templates: &[Template],
    ) -> Result<Encoded<f64>> {
        let texts: Vec<String> = templates
            .iter()
            .flat_map(|template| names.iter().map(|name| template.fill(name.as_ref())))
            .collect();
        let Encoded {
            features,
            rows,
            truncated,
        } = self.texts(&texts).await?;
        if features.is_empty() {
            return Ok(Encoded::default());
        }
        let d = features.len() / texts.len();
        let unit = UnitRows::new(&features, d).values;
        Ok(Encoded {
            features: mean_texts(&unit, names.len(), d),
            rows,
            truncated,
        })
    }

    /// Features of `names` around any contexts, and the gradient back to these.
    ///
    /// # Errors
    /// `labels/too-long`, `prompt/invalid` if the vectors leave no room for a name.
    pub fn contexts(&self, names: &[String], layout: &PromptLayout) -> Result<ContextEncoder<'a>> {
        let tokens = PromptTokens::new(names, layout, self.tokenizer)?;
        Ok(ContextEncoder::new(self.tower, Arc::new(tokens)))
    }

    /// The embeddings of `words` as a context [M, W], without start and end.
    ///
    /// # Errors
    /// `labels/too-long`.
    pub fn words(&self, words: &str) -> Result<Vec<f32>> {
        let ids = self.tokenizer.encode(words)?.ids;
        let w = self.tower.config.width;
        let mut out = vec![0.0; (ids.len() - 2) * w];
        for (id, row) in ids[1..ids.len() - 1].iter().zip(out.chunks_exact_mut(w)) {
            self.tower.tokens.row(*id, row);
        }
        Ok(out)
    }
}
