//! The loaded model as prompts see it.

use super::Model;
use crate::error::Result;
use crate::progress::LocalBoxFuture;
use crate::prompt::layout::PromptLayout;
use crate::prompt::model::{PromptModel, TextSide};
use crate::prompt::text_encoder::TextEncoder;

impl Model {
    /// The way from words to text features.
    pub fn text_encoder(&self) -> TextEncoder<'_> {
        TextEncoder {
            tower: &self.clip.text,
            tokenizer: &self.tokenizer,
        }
    }
}

impl PromptModel for Model {
    fn dim(&self) -> usize {
        self.clip.config.projection_dim
    }

    fn width(&self) -> usize {
        self.clip.text.config.width
    }

    fn logit_scale(&self) -> f32 {
        self.clip.logit_scale
    }

    fn sha256(&self) -> &str {
        &self.report.model_sha256
    }

    fn context_length(&self) -> usize {
        self.tokenizer.context_length()
    }

    fn words(&self, text: &str) -> Result<Vec<f32>> {
        self.text_encoder().words(text)
    }

    fn tokens(&self, text: &str) -> Result<(usize, bool)> {
        let tokens = self.tokenizer.encode(text)?;
        Ok((tokens.ids.len() - 2, tokens.truncated))
    }

    fn features<'a>(&'a self, texts: &'a [String]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(async move { Ok(self.text_encoder().texts(texts).await?.features) })
    }

    fn text_side<'a>(
        &'a self,
        names: &[String],
        layout: &PromptLayout,
    ) -> Result<Box<dyn TextSide + 'a>> {
        Ok(Box::new(self.text_encoder().contexts(names, layout)?))
    }
}
