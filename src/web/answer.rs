//! Options and answers with the names of the package's types.

use serde::{Deserialize, Serialize};

use crate::classifier::{
    Calibrated, Classification, ClassifyOptions, KeptView, Negatives, OodOptions, Prediction,
    Timings, TuningReport, VariantFailure, Verdict,
};
use crate::error::{Error, Result};
use crate::heatmap::{Heatmap, HeatmapMethod, Map};
use crate::ood::metrics::Interval;
use crate::ood::negatives::{Excluded, MiningOptions, SHARE};
use crate::prompt::template::DEFAULT;
use crate::tpt::{Method, Overrides, StrongViews, Tuning, TuningKind, extra_images_unused};

/// How a class list is made.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ClassesOptions {
    /// Sentences with `{}`.
    pub templates: Option<Vec<String>>,
}

impl ClassesOptions {
    /// The templates, or the default one.
    pub fn templates(self) -> Vec<String> {
        let default = || DEFAULT.iter().map(ToString::to_string).collect();
        self.templates.unwrap_or_else(default)
    }
}

/// A score or a heat map by name, or whether there is any.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Scoring {
    /// `true` asks for the default one.
    Wanted(bool),
    /// By name.
    Named(String),
}

/// How an image is classified.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AnswerOptions {
    tune: Option<String>,
    views: Option<usize>,
    steps: Option<usize>,
    seed: Option<u64>,
    rho: Option<f64>,
    augmix: Option<bool>,
    ood: Option<Scoring>,
    tau: Option<f64>,
    groups: Option<usize>,
    local_weight: Option<f64>,
    heatmap: Option<Scoring>,
    /// Exactly these negative labels instead of the mined ones.
    pub negatives: Option<Vec<String>>,
}

impl AnswerOptions {
    /// The engine's options with the pictures for strong views; negative labels and threshold belong
    /// to the class list.
    ///
    /// # Errors
    /// `options/invalid`.
    pub fn classify(&self, strong: StrongViews) -> Result<ClassifyOptions> {
        let named = match &self.ood {
            Some(Scoring::Wanted(false)) => None,
            Some(Scoring::Named(name)) => Some(OodOptions::named(name)),
            Some(Scoring::Wanted(true)) | None => Some(OodOptions::default()),
        };
        let heatmap = match &self.heatmap {
            Some(Scoring::Wanted(true)) => Some(HeatmapMethod::Patches),
            Some(Scoring::Named(name)) => Some(HeatmapMethod::parse(name)?),
            Some(Scoring::Wanted(false)) | None => None,
        };
        Ok(ClassifyOptions {
            heatmap,
            tuning: self.tuning(strong)?,
            ood: named.map(|ood| OodOptions {
                tau: self.tau,
                groups: self.groups,
                local_weight: self.local_weight,
                ..ood
            }),
        })
    }

    fn tuning(&self, strong: StrongViews) -> Result<Option<Tuning>> {
        let kind = match (self.method()?, &strong) {
            (Some(Method::Tpt), StrongViews::Drawn) => TuningKind::Tpt {
                augmix: self.augmix.unwrap_or(false),
            },
            (Some(Method::DiffTptLite), _) => TuningKind::DiffTptLite(strong),
            (None, StrongViews::Drawn) => return Ok(None),
            _ => return Err(extra_images_unused()),
        };
        Tuning::new(kind, &self.overrides()).map(Some)
    }

    /// How to tune on `views` views that the caller made; TPT unless another method is named.
    ///
    /// # Errors
    /// `options/invalid`.
    pub fn tuning_on(&self, views: usize) -> Result<Tuning> {
        let overrides = Overrides {
            views: Some(views),
            ..self.overrides()
        };
        match self.method()? {
            Some(Method::DiffTptLite) => Tuning::difftpt_lite(&overrides),
            Some(Method::Tpt) | None => Tuning::tpt(&overrides),
        }
    }

    fn method(&self) -> Result<Option<Method>> {
        self.tune.as_deref().map_or(Ok(None), Method::parse)
    }

    fn overrides(&self) -> Overrides {
        Overrides {
            views: self.views,
            steps: self.steps,
            rho: self.rho,
            seed: self.seed.unwrap_or(0),
        }
    }
}

/// How negative labels are mined.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NegativesOptions {
    share: Option<f64>,
    struck: Vec<String>,
    added: Vec<String>,
}

impl NegativesOptions {
    /// The engine's options.
    pub fn mining(&self) -> MiningOptions<'_> {
        MiningOptions {
            share: self.share.unwrap_or(SHARE),
            struck: &self.struck,
            added: &self.added,
        }
    }
}

/// The negative labels of a class list.
#[derive(Serialize)]
pub struct NegativesAnswer<'a> {
    labels: &'a [String],
    excluded: &'a [Excluded],
}

impl<'a> From<&'a Negatives> for NegativesAnswer<'a> {
    fn from(negatives: &'a Negatives) -> Self {
        Self {
            labels: &negatives.labels,
            excluded: &negatives.excluded,
        }
    }
}

/// What tuning did.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TuningAnswer {
    views: usize,
    variants: usize,
    variant_failures: Vec<VariantFailure>,
    kept: usize,
    guarded: bool,
    entropy_before: f64,
    entropy_after: f64,
    predictions_before: Vec<Prediction>,
    kept_views: Vec<ViewAnswer>,
}

/// A kept view; its thumbnail is RGB, rows from the top.
#[derive(Serialize)]
struct ViewAnswer {
    index: usize,
    kind: &'static str,
    entropy: f64,
    size: u32,
    #[serde(with = "serde_bytes")]
    thumbnail: Vec<u8>,
}

impl From<TuningReport> for TuningAnswer {
    fn from(t: TuningReport) -> Self {
        let view = |v: KeptView| ViewAnswer {
            index: v.index,
            kind: v.kind,
            entropy: v.entropy,
            size: v.size,
            thumbnail: v.thumbnail,
        };
        Self {
            views: t.views,
            variants: t.variants,
            variant_failures: t.variant_failures,
            kept: t.kept,
            guarded: t.guarded,
            entropy_before: t.entropy_before,
            entropy_after: t.entropy_after,
            predictions_before: t.predictions_before,
            kept_views: t.kept_views.into_iter().map(view).collect(),
        }
    }
}

/// The score with the verdict.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OodAnswer {
    score: &'static str,
    value: f64,
    threshold: Option<f64>,
    is_outlier: Option<bool>,
    nearest_negatives: Vec<String>,
    /// Why the calibrated threshold does not hold for these options, where there is one.
    stale: Option<String>,
}

/// Maps over the image; `label` and `values` are those of the best class.
#[derive(Serialize)]
struct HeatmapAnswer {
    method: &'static str,
    width: usize,
    height: usize,
    label: String,
    values: Vec<f32>,
    maps: Vec<Map>,
}

impl HeatmapAnswer {
    /// None where there is no class.
    fn new(heatmap: Heatmap) -> Option<Self> {
        let best = heatmap.maps.first()?.clone();
        Some(Self {
            method: heatmap.method,
            width: heatmap.width,
            height: heatmap.height,
            label: best.label,
            values: best.values,
            maps: heatmap.maps,
        })
    }
}

/// One image's answer; parts that were not asked for are null.
#[derive(Serialize)]
pub struct Answer {
    predictions: Vec<Prediction>,
    ood: Option<OodAnswer>,
    tuning: Option<TuningAnswer>,
    heatmap: Option<HeatmapAnswer>,
    timings: Timings,
}

impl Answer {
    /// `stale` says why a threshold was left aside.
    pub fn new(found: Classification, stale: Option<String>) -> Self {
        let ood = |ood: Verdict| OodAnswer {
            score: ood.score,
            value: ood.value,
            threshold: ood.threshold,
            is_outlier: ood.is_outlier,
            nearest_negatives: ood.nearest_negatives,
            stale,
        };
        Self {
            predictions: found.predictions,
            ood: found.ood.map(ood),
            tuning: found.tuning.map(Into::into),
            heatmap: found.heatmap.and_then(HeatmapAnswer::new),
            timings: found.timings,
        }
    }
}

/// An image that could not be scored.
#[derive(Serialize)]
struct Failure {
    index: usize,
    code: &'static str,
    message: String,
}

/// A fitted threshold; `file` restores it.
#[derive(Serialize)]
pub struct CalibrationAnswer {
    score: String,
    threshold: f64,
    n: usize,
    m: usize,
    interval: Interval,
    scores: Vec<f64>,
    failures: Vec<Failure>,
    file: String,
}

impl CalibrationAnswer {
    /// From what was fitted.
    ///
    /// # Errors
    /// `engine/internal`.
    pub fn new(fitted: &Calibrated) -> Result<Self> {
        let calibration = &fitted.calibration;
        let failure = |(index, error): &(usize, Error)| Failure {
            index: *index,
            code: error.code(),
            message: error.message().to_owned(),
        };
        Ok(Self {
            score: calibration.key.score.clone(),
            threshold: calibration.threshold,
            n: calibration.n,
            m: calibration.m,
            interval: calibration.interval(),
            scores: fitted.scores.clone(),
            failures: fitted.failures.iter().map(failure).collect(),
            file: calibration.to_json()?,
        })
    }
}
