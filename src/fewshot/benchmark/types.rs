//! What is compared, and the results.

use serde::Serialize;

use crate::error::Failure;
use crate::image::views::Corruption;
use crate::prompt_learning::recipe::ConfiguredRecipe;

/// A recipe that takes part.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The recipe with its parameters.
    pub recipe: ConfiguredRecipe,
    /// The most images that it is measured on, taken evenly from the classes. `None`: all.
    pub limit: Option<usize>,
}

/// What is compared.
pub struct Benchmark<'a> {
    /// Who takes part.
    pub entries: &'a [Entry],
    /// Images per class, each number in turn.
    pub shots: &'a [usize],
    /// How many times the images are drawn: with the seeds from 0 on.
    pub seeds: u64,
    /// Views of every image to learn from.
    pub crops: usize,
    /// What is done to every image first.
    pub corruption: Option<Corruption>,
    /// The most images to measure on, taken evenly from the classes.
    pub limit: Option<usize>,
    /// Measures on images of the train split that are not learned from, and never on the test split.
    pub validation: bool,
}

/// Accuracies of one prompt, or of the default template.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// On all names.
    pub all: f64,
    /// On the first half of the names, among these.
    pub base: f64,
    /// On the rest, among these; learned on the first half only.
    pub new: f64,
    /// The harmonic mean of base and new.
    pub harmonic: f64,
}

impl Scores {
    /// The accuracies on all names, base and new.
    pub fn new([all, base, new]: [f64; 3]) -> Self {
        Self {
            all,
            base,
            new,
            harmonic: harmonic(base, new),
        }
    }
}

/// One recipe on one draw of the images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The recipe.
    pub recipe: &'static str,
    /// Images per class.
    pub shots: usize,
    /// The seed of the draw.
    pub seed: u64,
    /// How good it is.
    pub scores: Scores,
    /// Numbers that were fitted on all names.
    pub trained_parameters: usize,
    /// Seconds for all names, on one of the threads that work side by side.
    pub seconds: f64,
}

/// The default template on the images of a recipe that is measured on fewer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitedRun {
    /// The recipe.
    pub recipe: &'static str,
    /// Images measured on.
    pub n: usize,
    /// The default template on these.
    pub zero_shot: Scores,
}

/// Everything that was compared on one data set.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The class names.
    pub names: Vec<String>,
    /// How many of them are base.
    pub base: usize,
    /// Images measured on.
    pub n: usize,
    /// The default template.
    pub zero_shot: Scores,
    /// Recipes that were measured on fewer images.
    #[serde(rename = "fewer")]
    pub limited: Vec<LimitedRun>,
    /// Recipe by recipe.
    pub outcomes: Vec<Outcome>,
    /// Recipes that could not be run, and why.
    pub refused: Vec<(String, String)>,
    /// Images that could not be read.
    pub failures: Vec<Failure>,
}

/// 2 a b / (a + b), 0 if both are.
pub fn harmonic(a: f64, b: f64) -> f64 {
    if a + b > 0.0 {
        2.0 * a * b / (a + b)
    } else {
        0.0
    }
}
