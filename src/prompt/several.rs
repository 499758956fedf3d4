//! Contexts that stand around the names each in its own way, and so may differ in length.

use super::layout::PromptLayout;
use super::model::{PromptModel, TextSide};
use crate::error::Result;
use crate::progress::LocalBoxFuture;

/// How many vectors of each context stand in front of the name and behind it.
pub type Places = Vec<[usize; 2]>;

struct Part<'a> {
    side: Box<dyn TextSide + 'a>,
    /// Numbers of its context.
    numbers: usize,
    /// Numbers of the features that it gave last.
    features: usize,
}

struct Several<'a>(Vec<Part<'a>>);

/// The text tower over `names` under contexts one behind the other, each with its own number of vectors
/// around the name. Features are [C, K, d].
///
/// # Errors
/// `labels/too-long`, `prompt/invalid` if the vectors leave no room for a name.
pub fn several<'a>(
    model: &'a dyn PromptModel,
    names: &[String],
    places: &[[usize; 2]],
) -> Result<Box<dyn TextSide + 'a>> {
    let part = |place: &[usize; 2]| {
        let mut side = model.text_side(names, &PromptLayout::around(*place))?;
        side.share_tape(places.len());
        Ok(Part {
            side,
            numbers: (place[0] + place[1]) * model.width(),
            features: 0,
        })
    };
    let parts = places.iter().map(part).collect::<Result<Vec<_>>>()?;
    Ok(Box::new(Several(parts)))
}

impl TextSide for Several<'_> {
    fn forward<'a>(&'a mut self, mut contexts: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(async move {
            let mut all = Vec::new();
            for part in &mut self.0 {
                let (own, rest) = contexts.split_at(part.numbers.min(contexts.len()));
                let features = part.side.forward(own).await?;
                part.features = features.len();
                all.extend(features);
                contexts = rest;
            }
            Ok(all)
        })
    }

    fn backward<'a>(&'a mut self, mut gradient: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(async move {
            let mut all = Vec::new();
            for part in &mut self.0 {
                let (own, rest) = gradient.split_at(part.features.min(gradient.len()));
                all.extend(part.side.backward(own).await?);
                gradient = rest;
            }
            Ok(all)
        })
    }
}
