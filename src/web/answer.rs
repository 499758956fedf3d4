//! Options and answers with the names of the package's types.

use js_sys::{Array, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

use super::convert::to_js;
use crate::classifier::{
    Calibrated, ClassSet, Classification, ClassifyOptions, Negatives, OodOptions,
};
use crate::error::{Failure, Result};
use crate::heatmap::HeatmapMethod;
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
    /// Divides the logits of every answer; 1 when it is left out.
    pub temperature: Option<f64>,
}

impl ClassesOptions {
    /// The templates, or the default one.
    pub fn templates(&self) -> Vec<String> {
        let default = || DEFAULT.iter().map(ToString::to_string).collect();
        self.templates.clone().unwrap_or_else(default)
    }

    /// `classes` at the temperature.
    ///
    /// # Errors
    /// `options/invalid`.
    pub fn finish(&self, classes: ClassSet) -> Result<ClassSet> {
        classes.with_temperature(self.temperature.unwrap_or(1.0))
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
        self.tune.as_deref().map_or(Ok(None), Method::parse_or_none)
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

/// The answer for one image; parts that were not asked for are null. `stale` says why a calibrated
/// threshold does not hold for these options; `by_browser` by how much the browser divided the sides of
/// a photo that it decoded.
///
/// # Errors
/// `engine/internal`.
pub fn answer(
    found: &Classification,
    stale: Option<&str>,
    by_browser: Option<u32>,
) -> Result<JsValue> {
    let value = to_js(found)?;
    if let Some(divisor) = by_browser {
        set(&value, "decodedBy", &"browser".into());
        if divisor > 1 {
            set(&value, "reducedBy", &divisor.into());
        }
    }
    if found.ood.is_some() {
        set(&get(&value, "ood"), "stale", &to_js(&stale)?);
    }
    if let Some(tuning) = &found.tuning {
        let views = Array::from(&get(&get(&value, "tuning"), "keptViews"));
        for (view, kept) in views.iter().zip(&tuning.kept_views) {
            set(&view, "size", &kept.size.into());
            // Bytes at once: as numbers they would be handed over one by one.
            let thumbnail = Uint8Array::from(kept.thumbnail.as_slice());
            set(&view, "thumbnail", &thumbnail);
        }
    }
    if let Some(best) = found.heatmap.as_ref().and_then(|h| h.maps.first()) {
        let heatmap = get(&value, "heatmap");
        set(&heatmap, "label", &best.label.as_str().into());
        set(&heatmap, "values", &to_js(&best.values)?);
    }
    Ok(value)
}

/// A property of an object made here, whose access cannot fail.
fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

/// Sets a property of an object made here, which cannot fail.
fn set(object: &JsValue, name: &str, value: &JsValue) {
    let _ = Reflect::set(object, &name.into(), value);
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

/// A fitted threshold; `file` restores it.
#[derive(Serialize)]
pub struct CalibrationAnswer<'a> {
    score: &'a str,
    threshold: f64,
    n: usize,
    m: usize,
    interval: Interval,
    scores: &'a [f64],
    failures: Vec<Failure>,
    file: String,
}

impl<'a> CalibrationAnswer<'a> {
    /// From what was fitted.
    ///
    /// # Errors
    /// `engine/internal`.
    pub fn new(fitted: &'a Calibrated) -> Result<Self> {
        let calibration = &fitted.calibration;
        let failures = fitted.failures.iter();
        Ok(Self {
            score: &calibration.key.score,
            threshold: calibration.threshold,
            n: calibration.n,
            m: calibration.m,
            interval: calibration.interval(),
            scores: &fitted.scores,
            failures: failures.map(|(index, e)| (*index, e).into()).collect(),
            file: calibration.to_json()?,
        })
    }
}
