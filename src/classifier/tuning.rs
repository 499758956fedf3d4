//! From one photo to a tuned answer.

use std::fmt;

use serde::Serialize;

use super::answer::{ClassifyOptions, KeptView, Method, Timings, Tuning};
use super::{Answered, Classes, Classifier, rank};
use crate::clock::now;
use crate::error::{Error, Kind, Result};
use crate::image::Rgb8;
use crate::image::views::{ViewMaker, ViewPlan};
use crate::tune::{Config, Text, tune};
use crate::watch::Watch;

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
    Ok(match TuneSettings::of(options)? {
        Some(settings) => settings.to_string(),
        None => Method::None.name().to_owned(),
    })
}

impl Classifier {
    /// Makes views, tunes the context on them and answers for the plain one.
    pub(super) async fn tuned(
        &self,
        classes: &Classes,
        image: &Rgb8,
        options: &ClassifyOptions,
        timings: &mut Timings,
        watch: &dyn Watch,
    ) -> Result<Answered> {
        classes.check_tunable()?;
        let views = options.views.unwrap_or(DEFAULT_VIEWS);
        let config = config(options, views)?;
        let plan = match options.tune {
            Method::DiffTptLite => ViewPlan::difftpt_lite(views, &[]),
            Method::Tpt | Method::None => ViewPlan::tpt(views, options.augmix),
        };
        let maker = ViewMaker::new(image, &self.preprocess, &plan, options.seed)?;
        let mut features = self.view_features(&maker, timings, watch).await?;

        let start = now();
        let text = Text {
            tower: &self.clip.text,
            sot: self.tokenizer.sot(),
            logit_scale: self.clip.logit_scale,
        };
        let tuned = tune(
            text,
            &classes.names,
            &classes.context,
            &features,
            &config,
            watch,
        )
        .await?;
        timings.tune = now() - start;
        let kept_views = tuned
            .selected
            .iter()
            .map(|index| {
                let thumbnail = maker.view(*index)?.thumb;
                Ok(KeptView {
                    index: *index,
                    entropy: tuned.entropies[*index],
                    size: thumbnail.width,
                    thumbnail: thumbnail.data,
                })
            })
            .collect::<Result<_>>()?;
        let tuning = Tuning {
            views: tuned.views,
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
