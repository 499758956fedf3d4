//! The parameters are the contexts.

use super::{Back, Expanded, Shape};
use crate::learn::examples::Batch;

/// One context, several, or one per class: whatever the text side makes of them.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Shape for Plain {
    fn expand(&self, parameters: &[f32], _: &Batch) -> Expanded {
        Expanded {
            contexts: parameters.to_vec(),
            weights: None,
        }
    }

    fn pull_back(&self, back: &Back<'_>) -> Vec<f32> {
        back.contexts.to_vec()
    }
}
