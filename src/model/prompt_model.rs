//! The loaded model as prompts see it.

use super::Model;
use crate::error::Result;
#[cfg(not(target_arch = "wasm32"))]
use crate::math::dot;
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

#[cfg(not(target_arch = "wasm32"))]
impl crate::prompt::import::Vocabulary for Model {
    fn start(&self) -> Vec<f32> {
        let mut row = vec![0.0; self.width()];
        self.clip.text.tokens.row(self.tokenizer.sot(), &mut row);
        row
    }

    fn read(&self, rows: &[f32], near: f64) -> Option<String> {
        let width = self.width();
        let count = self.clip.text.config.vocab_size;
        let mut all = vec![0.0; count * width];
        for (id, row) in all.chunks_exact_mut(width).enumerate() {
            self.clip.text.tokens.row(id as u32, row);
        }
        let mut ids = Vec::new();
        for row in rows.chunks_exact(width) {
            let most = near * near * dot(row, row);
            let mut best: Option<(f64, u32)> = None;
            for (id, known) in all.chunks_exact(width).enumerate() {
                let limit = best.map_or(most, |(off, _)| off);
                if let Some(off) = within(row, known, limit) {
                    best = Some((off, id as u32));
                }
            }
            let (_, id) = best?;
            if id == self.tokenizer.eot() {
                return self.tokenizer.decode(&ids);
            }
            ids.push(id);
        }
        None
    }
}

/// |a - b|² if it is less than `limit`.
#[cfg(not(target_arch = "wasm32"))]
fn within(a: &[f32], b: &[f32], limit: f64) -> Option<f64> {
    let mut off = 0.0;
    for (a, b) in a.chunks(16).zip(b.chunks(16)) {
        let pairs = a.iter().zip(b);
        off += pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        if off >= limit {
            return None;
        }
    }
    Some(off)
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
