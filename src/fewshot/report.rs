//! What came of a request.

use serde::{Serialize, Serializer};

use crate::error::Failure;
use crate::prompt::file::Prompt;
use crate::prompt_learning::job::Note;
use crate::prompt_learning::validate::HeldOutAccuracy;

/// A prompt with how it was learned and how good it is. Serialized as the package's `TrainingReport`,
/// without the prompt.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The prompt.
    #[serde(skip)]
    pub prompt: Prompt,
    /// The recipe's name.
    pub recipe: &'static str,
    /// Numbers that were fitted by gradient.
    pub trained_parameters: usize,
    /// The loss of every step; empty if nothing descends.
    pub losses: Vec<f64>,
    /// Further results.
    pub notes: Vec<Note>,
    /// Photos that were learned from.
    pub images: usize,
    /// Seconds that the recipe took, without encoding photos and without measuring.
    pub seconds: f64,
    /// How good the prompt is. `None`: there was nothing to measure on.
    #[serde(flatten, serialize_with = "accuracy")]
    pub accuracy: Option<HeldOutAccuracy>,
    /// Photos that could not be used.
    pub failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accuracy<'a> {
    accuracy_before: Option<f64>,
    accuracy_after: Option<f64>,
    measured_on: Option<&'a str>,
    measured: usize,
}

fn accuracy<S: Serializer>(
    accuracy: &Option<HeldOutAccuracy>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let accuracy = accuracy.as_ref();
    Accuracy {
        accuracy_before: accuracy.map(|a| a.accuracy_before),
        accuracy_after: accuracy.map(|a| a.accuracy_after),
        measured_on: accuracy.map(|a| a.on.as_str()),
        measured: accuracy.map_or(0, |a| a.n),
    }
    .serialize(serializer)
}
