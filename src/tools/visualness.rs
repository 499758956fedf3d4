//! Whether a text says something that one can see.
//!
//! n = norm(mean of sentences about nothing visible - mean of sentences about things one sees), and a
//! text's score is -t . n. Both lists are [`VISUAL`] and [`OTHER`].

use serde::Serialize;

use super::Tool;
use crate::error::Result;
use crate::math::{UnitRows, dot};
use crate::prompt::model::PromptModel;
use crate::prompt_learning::recipe::Evidence;

/// The tool.
pub const TOOL: Tool = Tool {
    name: "visualness",
    paper: "after the idea of Verma et al. 2023, Learning the Visualness of Text (EMNLP)",
    summary: "Says whether a name or a sentence is about something that one can see.",
    evidence: Evidence::Abstract,
    needs: "nothing; photos add how differently they answer to the text",
    command: "visualness",
    method: None,
};

/// Sentences about things that one sees, one in each line.
pub const VISUAL: &str = include_str!("visual.txt");

/// Sentences about nothing visible, one in each line.
pub const OTHER: &str = include_str!("nonvisual.txt");

/// The direction that tells the two kinds of sentences apart, and where both lie on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Visualness {
    direction: Vec<f64>,
    visual: f64,
    other: f64,
}

/// What is found about a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Judged {
    /// -t . n: the higher, the more visible.
    pub score: f64,
    /// The score as a place between the two lists: 0 is the mean of sentences about nothing visible, 1
    /// that of sentences about things one sees.
    pub place: f64,
    /// What that means.
    pub meaning: &'static str,
    /// The variance of the text's cosine over photos, if there are at least two: a text that says
    /// something about them is near some and far from others.
    pub spread: Option<f64>,
}

impl Visualness {
    /// The direction of `model`.
    ///
    /// # Errors
    /// The device's.
    pub async fn new(model: &dyn PromptModel) -> Result<Self> {
        let lines = |list: &str| list.lines().map(str::to_owned).collect::<Vec<_>>();
        let visual = model.features(&lines(VISUAL)).await?;
        let other = model.features(&lines(OTHER)).await?;
        Ok(Self::fit(&visual, &other, model.dim()))
    }

    /// The direction between features [N, d] of visual texts and of others.
    pub fn fit(visual: &[f32], other: &[f32], d: usize) -> Self {
        let (visual, other) = (mean(visual, d), mean(other, d));
        let between: Vec<f64> = other.iter().zip(&visual).map(|(o, v)| o - v).collect();
        let direction = UnitRows::new(&between, d).values;
        Self {
            visual: -dot(&visual, &direction),
            other: -dot(&other, &direction),
            direction,
        }
    }

    /// Judges a text by its feature [d] and by unit features [N, d] of photos, if there are any.
    pub fn judge(&self, text: &[f32], images: &[f32]) -> Judged {
        let d = self.direction.len();
        let text = UnitRows::new(text, d).values;
        let score = -dot(&text, &self.direction);
        let apart = (self.visual - self.other).max(f64::MIN_POSITIVE);
        let place = (score - self.other) / apart;
        let cosines: Vec<f64> = images
            .chunks_exact(d)
            .map(|image| dot(image, &text))
            .collect();
        Judged {
            score,
            place,
            meaning: match place {
                p if p >= 2.0 / 3.0 => "about something visible",
                p if p <= 1.0 / 3.0 => "about nothing visible",
                _ => "in between",
            },
            spread: (cosines.len() > 1).then(|| variance(&cosines)),
        }
    }
}

/// The mean of the unit rows.
fn mean(features: &[f32], d: usize) -> Vec<f64> {
    let unit = UnitRows::new(features, d).values;
    let mut sum = vec![0.0; d];
    for row in unit.chunks_exact(d) {
        sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
    }
    let count = (unit.len() / d).max(1) as f64;
    sum.iter().map(|s| s / count).collect()
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n
}
