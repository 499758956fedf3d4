//! What prompts ask of a model: sizes, words as vectors, and texts as features.

use super::layout::PromptLayout;
use super::template::Template;
use crate::error::Result;
use crate::math::UnitRows;
use crate::progress::LocalBoxFuture;

/// A model whose text side prompts stand in front of.
pub trait PromptModel {
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
    /// The text tower over `names` between learned vectors.
    ///
    /// # Errors
    /// `labels/too-long`, `prompt/invalid` if the vectors leave no room for a name.
    fn text_side<'a>(
        &'a self,
        names: &[String],
        layout: &PromptLayout,
    ) -> Result<Box<dyn TextSide + 'a>>;
}

/// A text tower over a list of class names, differentiable in the contexts.
///
/// Losses never see the tower: it hands out features and takes their gradient back.
pub trait TextSide {
    /// Features before normalization of every name under every one of the contexts [C, M, W], as
    /// [C, K, d]; or [K, d] if the layout assigns a context to each name.
    fn forward<'a>(&'a mut self, contexts: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>>;

    /// d loss / d contexts of the last [`forward`](Self::forward) from d loss / d features. Call it
    /// once for each forward pass.
    fn backward<'a>(&'a mut self, gradient: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>>;

    /// Says that this is one of `sharers` that all run forward before any goes back, so that each
    /// keeps less.
    fn share_tape(&mut self, _sharers: usize) {}
}

/// Features before normalization of `names` in `template`, [K, d].
///
/// # Errors
/// `labels/too-long` and the device's errors.
pub async fn encode(
    model: &dyn PromptModel,
    template: &Template,
    names: &[String],
) -> Result<Vec<f32>> {
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
