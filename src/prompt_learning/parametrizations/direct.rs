//! The parameters are the contexts.

use super::{Expanded, ParamGradient, Parametrization};
use crate::prompt_learning::examples::Batch;
use crate::prompt_learning::trainer::Group;

/// One context, several, or one per class: whatever the text side makes of them.
#[derive(Debug, Clone, Copy)]
pub struct Direct;

impl Parametrization for Direct {
    fn expand(&self, parameters: &[f32], _: &Batch) -> Expanded {
        Expanded {
            contexts: parameters.to_vec(),
            weights: None,
        }
    }

    fn backward(&self, back: &ParamGradient<'_>) -> Vec<f32> {
        back.contexts.to_vec()
    }
}

/// As [`Direct`], in groups that start at different lengths.
#[derive(Debug, Clone)]
pub struct Parts(pub Vec<Group>);

impl Parametrization for Parts {
    fn expand(&self, parameters: &[f32], batch: &Batch) -> Expanded {
        Direct.expand(parameters, batch)
    }

    fn backward(&self, back: &ParamGradient<'_>) -> Vec<f32> {
        Direct.backward(back)
    }

    fn groups(&self, _: usize) -> Vec<Group> {
        self.0.clone()
    }
}
