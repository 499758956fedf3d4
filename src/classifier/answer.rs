//! Options and results of `classify`.

use serde::Serialize;

use super::detector::{OodOptions, Verdict};
use crate::error::Failure;
use crate::heatmap::{Heatmap, HeatmapMethod};
use crate::tpt::Tuning;

/// One class of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The class name as given.
    pub label: String,
    /// Softmax over all classes of `logit_scale` times the cosine; σ of each logit by itself if the prompt
    /// lets several classes be right.
    pub probability: f64,
}

/// Milliseconds per stage.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Timings {
    /// File to pixels.
    pub decode: f64,
    /// Pixels to the model's input.
    pub preprocess: f64,
    /// Input to features.
    pub encode: f64,
    /// Test-time tuning.
    pub tune: f64,
    /// All of it.
    pub total: f64,
}

/// The answer for one image.
#[derive(Debug, Clone, Serialize)]
pub struct Classification {
    /// All classes, most probable first; equal ones in the order given.
    pub predictions: Vec<Prediction>,
    /// Whether it is any of the classes; `None` if that was switched off.
    pub ood: Option<Verdict>,
    /// What test-time tuning did, if it was asked for.
    pub tuning: Option<TuningReport>,
    /// Where the names are, if it was asked for.
    pub heatmap: Option<Heatmap>,
    /// How much the photo shows of what the classes measure, in the units of their values; left out for
    /// prompts that compare classes alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// By how much the sides of the photo were divided while it was decoded, for a JPEG that is larger
    /// than others may be; left out if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduced_by: Option<u32>,
    /// Time per stage.
    pub timings: Timings,
}

/// How an image is classified.
#[derive(Debug, Clone)]
pub struct ClassifyOptions {
    /// Test-time tuning; `None` leaves the prompt as it is.
    pub tuning: Option<Tuning>,
    /// The score for "none of these"; `None` switches it off.
    pub ood: Option<OodOptions>,
    /// How maps of the names over the image are made; `None` makes none.
    pub heatmap: Option<HeatmapMethod>,
}

impl Default for ClassifyOptions {
    fn default() -> Self {
        Self {
            tuning: None,
            ood: Some(OodOptions::default()),
            heatmap: None,
        }
    }
}

/// What test-time tuning did to one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TuningReport {
    /// Views made, the plain one and variants among them.
    pub views: usize,
    /// Pictures among the views; they come last.
    pub variants: usize,
    /// Pictures that could not be used.
    pub variant_failures: Vec<Failure>,
    /// Views that steered the prompt.
    pub kept: usize,
    /// True if tuning produced NaN or infinity and was discarded.
    pub guarded: bool,
    /// Marginal entropy in nats of the kept views before the first step.
    pub entropy_before: f64,
    /// Marginal entropy in nats of the kept views after the last step.
    pub entropy_after: f64,
    /// The words that tuning started from if no template has words in front of the name, and null
    /// otherwise. Then the answer before tuning has them too.
    pub started_from: Option<&'static str>,
    /// The answer under the prompt before the first step.
    pub predictions_before: Vec<Prediction>,
    /// The kept views, surest first.
    pub kept_views: Vec<KeptView>,
}

/// A view that steered the prompt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeptView {
    /// Its number; 0 is the plain view.
    pub index: usize,
    /// How it was made: plain, crop, augmix, variant, or the name of a strong change.
    pub kind: &'static str,
    /// Entropy in nats of its prediction before tuning.
    pub entropy: f64,
    /// Side of the square thumbnail in pixels.
    #[serde(skip)]
    pub size: u32,
    /// RGB bytes of the thumbnail, HWC.
    #[serde(skip)]
    pub thumbnail: Vec<u8>,
}
