//! From one photo to a tuned answer.

use std::fmt;

use serde::Serialize;

use super::answer::{ClassifyOptions, KeptView, Method, Timings, Tuning, VariantFailure};
use super::{Answered, Classes, Classifier, rank};
use crate::clock::now;
use crate::error::{Error, Kind, Result};
use crate::image::Rgb8;
use crate::image::views::{MAX_VIEWS, ViewMaker, ViewPlan};
use crate::math::normalize_rows;
use crate::progress::Progress;
use crate::prompt::context::Names;
use crate::tpt::{Config, Text, Tuned, tune};

/// Views where none are asked for, as TPT and DiffTPT.
const DEFAULT_VIEWS: usize = 64;

/// Most gradient steps.
pub const MAX_STEPS: usize = 100;

/// The method's values with what the caller changed.
fn config(options: &ClassifyOptions, views: usize) -> Result<Config> {
    let mut config = match options.tune {
        Method::DiffTptLite => Config::difftpt_lite(),
        Method::Tpt | Method::None => Config::tpt(views),
    };
    if let Some(steps) = options.steps {
        config.steps = steps;
    }
    if let Some(rho) = options.rho {
        config.rho = rho;
    }
    if !(1..=MAX_STEPS).contains(&config.steps)
        || views == 0
        || !(config.rho > 0.0 && config.rho <= 1.0)
    {
        let sentence = format!(
            "Tuning takes at least one view, 1 to {MAX_STEPS} steps and a rho above 0 and at most 1."
        );
        return Err(Error::new(Kind::OptionInvalid, sentence));
    }
    Ok(config)
}

/// The numbers that tuning runs with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TuneSettings {
    /// How.
    pub method: Method,
    /// Views in all, the plain one among them.
    pub views: usize,
    /// Gradient steps.
    pub steps: usize,
    /// Share of the views that the entropy filter keeps.
    pub rho: f64,
    /// Decides every random view.
    pub seed: u64,
    /// Whether views are AugMixed.
    pub augmix: bool,
}

impl TuneSettings {
    /// What `options` ask for; none without tuning.
    ///
    /// # Errors
    /// `options/invalid`.
    pub fn of(options: &ClassifyOptions) -> Result<Option<Self>> {
        if options.tune == Method::None {
            return Ok(None);
        }
        let views = options.views.unwrap_or(DEFAULT_VIEWS);
        let config = config(options, views)?;
        Ok(Some(Self {
            method: options.tune,
            views,
            steps: config.steps,
            rho: config.rho,
            seed: options.seed,
            augmix: options.augmix,
        }))
    }
}

impl fmt::Display for TuneSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} views={} steps={} rho={} seed={} augmix={}",
            self.method.name(),
            self.views,
            self.steps,
            self.rho,
            self.seed,
            self.augmix
        )
    }
}

/// Everything that changes what tuning does, in one line; `none` without tuning.
///
/// # Errors
/// `options/invalid`.
pub(super) fn described(options: &ClassifyOptions) -> Result<String> {
    Ok(match (TuneSettings::of(options)?, &options.variants) {
        (Some(settings), None) => settings.to_string(),
        (Some(settings), Some(variants)) => format!("{settings} variants={}", variants.len()),
        (None, _) => Method::None.name().to_owned(),
    })
}

fn failures(options: &ClassifyOptions) -> Vec<VariantFailure> {
    let all = options.variants.iter().flat_map(|v| v.failures());
    all.map(|(index, error)| VariantFailure {
        index: *index,
        code: error.code(),
        message: error.message().to_owned(),
    })
    .collect()
}

impl Classifier {
    /// The text side of tuning.
    fn text(&self) -> Text<'_> {
        Text {
            tower: &self.clip.text,
            sot: self.tokenizer.sot(),
            logit_scale: self.clip.logit_scale,
        }
    }

    /// Tunes on views that the caller made: `features` [N, d] of them, of which the first is the
    /// one to answer for. Starts from `context` [M, W] where one is given, else from the words
    /// around the class names. Of `options` only the method, its steps and its `rho` count.
    ///
    /// # Errors
    /// `options/invalid` for features or a context of another shape or with a value that is no
    /// number, and for more views than there may be; `prompt/invalid` for a context that leaves no
    /// room for a name; `gpu/lost`, and what `progress` returns.
    pub async fn tune_features(
        &self,
        classes: &Classes,
        features: &[f32],
        context: Option<&[f32]>,
        options: &ClassifyOptions,
        progress: &dyn Progress,
    ) -> Result<Tuned> {
        let start = classes.tunable_context()?;
        let (d, w) = (self.clip.config.projection_dim, self.clip.text.config.width);
        let whole = |values: &[f32], width: usize| {
            !values.is_empty()
                && values.len().is_multiple_of(width)
                && values.iter().all(|v| v.is_finite())
        };
        if !whole(features, d) || features.len() / d > MAX_VIEWS {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!("Give 1 to {MAX_VIEWS} features of {d} finite numbers."),
            ));
        }
        if !context.is_none_or(|context| whole(context, w)) {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!("A context has {w} finite numbers for each of its vectors."),
            ));
        }
        let mut features = features.to_vec();
        normalize_rows(&mut features, d);
        let config = config(options, features.len() / d)?;
        let other = match context.map(|context| context.len() / w) {
            Some(m) if m != start.len() / w => {
                Some(Names::new(&classes.labels, m, &self.tokenizer)?)
            }
            _ => None,
        };
        let names = other.as_ref().unwrap_or(&classes.names);
        let context = context.unwrap_or(start);
        tune(self.text(), names, context, &features, &config, progress).await
    }

    /// Makes views, tunes the context on them and answers for the plain one.
    pub(super) async fn tuned(
        &self,
        classes: &Classes,
        image: &Rgb8,
        options: &ClassifyOptions,
        timings: &mut Timings,
        progress: &dyn Progress,
    ) -> Result<Answered> {
        let context = classes.tunable_context()?;
        let views = options.views.unwrap_or(DEFAULT_VIEWS);
        let config = config(options, views)?;
        let plan = match (options.tune, &options.variants) {
            (Method::DiffTptLite, None) => {
                let gallery = options.gallery.as_ref();
                ViewPlan::difftpt_lite(views, gallery.map_or(&[], |g| &g.pictures))
            }
            (Method::DiffTptLite, Some(given)) => ViewPlan::difftpt(views, &given.pictures),
            (Method::Tpt | Method::None, _) => ViewPlan::tpt(views, options.augmix),
        };
        let maker = ViewMaker::new(image, &self.preprocess, &plan, options.seed)?;
        let mut features = self.view_features(&maker, timings, progress).await?;

        let start = now();
        let tuned = tune(
            self.text(),
            &classes.names,
            context,
            &features,
            &config,
            progress,
        )
        .await?;
        timings.tune = now() - start;
        let kept_views = tuned
            .selected
            .iter()
            .map(|index| {
                let view = maker.view(*index)?;
                Ok(KeptView {
                    index: *index,
                    kind: view.kind.name(),
                    entropy: tuned.entropies[*index],
                    size: view.thumb.width,
                    thumbnail: view.thumb.data,
                })
            })
            .collect::<Result<_>>()?;
        let tuning = Tuning {
            views: tuned.views,
            variants: plan.variants.len(),
            variant_failures: failures(options),
            kept: tuned.selected.len(),
            guarded: tuned.guarded,
            entropy_before: tuned.entropy_before(),
            entropy_after: tuned.entropy_after(),
            predictions_before: rank(&tuned.logits_before, &classes.labels),
            kept_views,
        };
        features.truncate(self.clip.config.projection_dim);
        Ok(Answered {
            predictions: rank(&tuned.logits_after, &classes.labels),
            tuning: Some(tuning),
            feature: features,
            patches: Vec::new(),
            texts: Some(tuned.text_features),
        })
    }
}
