//! How the text tower is trained.

use serde::{Deserialize, Serialize};

/// How the tower is trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TextSettings {
    /// Where random draws come from.
    pub seed: u64,
    /// Steps.
    pub steps: usize,
    /// Names of a step in a neutral template.
    pub neutral: usize,
    /// Names of a step in a template that changes what is meant.
    pub modified: usize,
    /// Sentences of a step.
    pub captions: usize,
    /// Full learning rate.
    pub lr: f64,
    /// Decay of the matrices.
    pub weight_decay: f32,
    /// Weight of one minus the cosine to the target.
    pub cosine: f32,
    /// Weight of the likeness to all concepts.
    pub likeness: f32,
    /// The scale of cosines in that likeness.
    pub scale: f32,
}

impl Default for TextSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 4_000,
            neutral: 144,
            modified: 48,
            captions: 4,
            lr: 1.2e-3,
            weight_decay: 0.02,
            cosine: 3.0,
            likeness: 1.0,
            scale: 20.0,
        }
    }
}
