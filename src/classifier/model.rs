//! The loaded model as prompts see it.

use super::Classifier;
use crate::error::Result;
use crate::kernels::read;
use crate::progress::LocalBoxFuture;
use crate::prompt::context::from_words;
use crate::prompt::layout::PromptLayout;
use crate::prompt::model::{Model, TextSide};
use crate::prompt::tape::Prompts;

impl Model for Classifier {
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
        from_words(text, &self.clip.text, &self.tokenizer)
    }

    fn tokens(&self, text: &str) -> Result<(usize, bool)> {
        let tokens = self.tokenizer.encode(text)?;
        Ok((tokens.ids.len() - 2, tokens.truncated))
    }

    fn features<'a>(&'a self, texts: &'a [String]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(async move {
            let ids = texts
                .iter()
                .map(|text| Ok(self.tokenizer.encode(text)?.ids))
                .collect::<Result<Vec<_>>>()?;
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            read(self.clip.text.encode(&ids).0).await
        })
    }

    fn text_side<'a>(
        &'a self,
        names: &[String],
        layout: &PromptLayout,
    ) -> Result<Box<dyn TextSide + 'a>> {
        let prompts = Prompts::new(&self.clip.text, &self.tokenizer, names, layout)?;
        Ok(Box::new(prompts))
    }
}

impl TextSide for Prompts<'_> {
    fn forward<'a>(&'a mut self, contexts: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(Prompts::forward(self, contexts))
    }

    fn backward<'a>(&'a mut self, gradient: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(Prompts::backward(self, gradient))
    }
}
