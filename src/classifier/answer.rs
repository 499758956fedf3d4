//! What goes in and what comes out.

use std::sync::{Arc, OnceLock};

use serde::Serialize;

use super::extra_images::ExtraImages;
use super::negatives::Negatives;
use super::rejection::{Ood, OodOptions};
use crate::clip::text::TokenCounts;
use crate::error::{Error, Kind, Result};
use crate::heatmap::{Heatmap, HeatmapMethod};
use crate::ood::threshold::class_list_sha256;
use crate::prompt::context::Names;
use crate::prompt::heads::Head;
use crate::prompt::template::Template;

/// Class names with their text features: made once, used for every image.
#[derive(Debug, Clone)]
pub struct Classes {
    /// The names as given.
    pub labels: Vec<String>,
    /// L2-normalized text features [K, d].
    pub features: Vec<f32>,
    /// How many token rows it took.
    pub rows: TokenCounts,
    /// Names whose prompt was cut to the context length.
    pub truncated: usize,
    /// The names as they stand behind the context of the head.
    pub names: Names,
    /// The sentences around the names, also around negative labels.
    pub templates: Vec<Template>,
    /// SHA-256 of what stands around the names; part of what a threshold holds for.
    pub prompt_sha256: String,
    /// What answers.
    pub head: Arc<dyn Head>,
    pub(super) sha256: OnceLock<String>,
    pub(super) negatives: OnceLock<Arc<Negatives>>,
}

impl Classes {
    /// [`class_list_sha256`] of the names.
    pub fn sha256(&self) -> &str {
        self.sha256.get_or_init(|| class_list_sha256(&self.labels))
    }

    /// The negative labels in use; none until a score that needs them mined some.
    pub fn negatives(&self) -> Option<&Arc<Negatives>> {
        self.negatives.get()
    }

    /// The same classes with these negative labels.
    #[must_use]
    pub fn with_negatives(mut self, negatives: Arc<Negatives>) -> Self {
        self.negatives = OnceLock::from(negatives);
        self
    }
}

/// One class of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The class name as given.
    pub label: String,
    /// Softmax over all classes of `logit_scale` times the cosine.
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
    /// Whether it is any of the classes; none where that was switched off.
    pub ood: Option<Ood>,
    /// What test-time tuning did, where it was asked for.
    pub tuning: Option<Tuning>,
    /// Where the names are, where it was asked for.
    pub heatmap: Option<Heatmap>,
    /// Time per stage.
    pub timings: Timings,
}

/// How an image is classified.
#[derive(Debug, Clone)]
pub struct ClassifyOptions {
    /// Test-time tuning.
    pub tune: Method,
    /// Views in all, the plain one among them; 64 where it is left out.
    pub views: Option<usize>,
    /// Gradient steps; the method's own number where it is left out.
    pub steps: Option<usize>,
    /// Share of the views that the entropy filter keeps; the method's own where it is left out.
    pub rho: Option<f64>,
    /// Decides every random view.
    pub seed: u64,
    /// Whether views are AugMixed, as TPT does on fine-grained sets.
    pub augmix: bool,
    /// Pictures made from this very photo; DiffTPT-lite takes them instead of its strong views, on
    /// top of `views`.
    pub variants: Option<Arc<ExtraImages>>,
    /// Other photos of the user, whose style the strong views of [`Method::DiffTptLite`] borrow.
    pub gallery: Option<Arc<ExtraImages>>,
    /// The score for "none of these"; none switches it off.
    pub ood: Option<OodOptions>,
    /// Whether and how maps of the names over the image are made.
    pub heatmap: Option<HeatmapMethod>,
}

impl Default for ClassifyOptions {
    fn default() -> Self {
        Self {
            tune: Method::None,
            views: None,
            steps: None,
            rho: None,
            seed: 0,
            augmix: false,
            variants: None,
            gallery: None,
            ood: Some(OodOptions::default()),
            heatmap: None,
        }
    }
}

/// A way of tuning at test time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(into = "&'static str")]
pub enum Method {
    /// The prompt stays as it is.
    #[default]
    None,
    /// TPT (Shu et al., 2022).
    Tpt,
    /// DiffTPT's filters and steps over strong views; no diffusion model.
    DiffTptLite,
}

impl From<Method> for &'static str {
    fn from(method: Method) -> Self {
        method.name()
    }
}

impl Method {
    /// Every method with its name.
    pub const ALL: &[(&str, Method)] = &[
        ("none", Method::None),
        ("tpt", Method::Tpt),
        ("difftpt-lite", Method::DiffTptLite),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, method)| *method == self)
            .map_or("", |(name, _)| name)
    }

    /// The method of this name.
    ///
    /// # Errors
    /// `options/invalid`.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, m)| *m)
            .ok_or_else(|| {
                Error::new(
                    Kind::OptionInvalid,
                    "The tuning method is not known; use none, tpt or difftpt-lite.",
                )
            })
    }
}

/// What test-time tuning did to one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tuning {
    /// Views made, the plain one and variants among them.
    pub views: usize,
    /// Pictures among the views; they come last.
    pub variants: usize,
    /// Pictures that could not be used.
    pub variant_failures: Vec<VariantFailure>,
    /// Views that steered the prompt.
    pub kept: usize,
    /// Whether something was not finite, so that the untuned answer stands.
    pub guarded: bool,
    /// Marginal entropy in nats of the kept views before the first step.
    pub entropy_before: f64,
    /// Marginal entropy in nats of the kept views after the last step.
    pub entropy_after: f64,
    /// The answer under the context before the first step.
    pub predictions_before: Vec<Prediction>,
    /// The kept views, surest first.
    pub kept_views: Vec<KeptView>,
}

/// A variant that could not be used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantFailure {
    /// Its place in the order given.
    pub index: usize,
    /// The stable code.
    pub code: &'static str,
    /// The sentence for people.
    pub message: String,
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
