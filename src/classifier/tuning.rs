//! From one photo to a tuned answer.

use super::answer::{KeptView, Timings, TuningReport};
use super::{Answerer, ClassSet, PhotoAnswer, named};
use crate::clock::now;
use crate::error::{Error, Failure, Kind, Result};
use crate::image::Rgb8;
use crate::image::views::{MAX_VIEWS, ViewMaker};
use crate::math::normalize_rows;
use crate::model::Model;
use crate::progress::Progress;
use crate::tpt::{Config, Text, Tuned, Tuning, tune};

fn failures(tuning: &Tuning) -> Vec<Failure> {
    let all = tuning.variants().into_iter().flat_map(|v| v.failures());
    all.map(|(index, error)| Failure::from((*index, error)))
        .collect()
}

impl ClassSet {
    /// Tunes on views that the caller made: `features` [N, d] of them, of which the first is the
    /// one to answer for. Starts from `context` [M, W] if one is given, else from the words in front
    /// of the class names; with several templates it has the vectors of one after the other.
    ///
    /// # Errors
    /// `options/invalid` for features or a context of another shape or with a value that is no
    /// number, and for more views than there may be; `prompt/invalid` for a context that leaves no
    /// room for a name; `gpu/lost`, and what `progress` returns.
    pub async fn tune_features(
        &self,
        model: &Model,
        features: &[f32],
        context: Option<&[f32]>,
        config: &Config,
        progress: &dyn Progress,
    ) -> Result<Tuned> {
        let tunable = self.tunable()?;
        let (d, w) = (
            model.clip.config.projection_dim,
            model.clip.text.config.width,
        );
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
        let limit = model.clip.text.config.context_length;
        let prompt = match context {
            Some(context) => tunable.with_start(context, w, limit)?,
            None => tunable.clone(),
        };
        let mut side = prompt.open(&model.text_encoder()).await?;
        let text = Text {
            side: &mut side,
            classes: self.labels.len(),
            logit_scale: model.clip.logit_scale,
        };
        tune(text, prompt.start(), &features, config, progress).await
    }
}

impl Answerer<'_> {
    /// Makes views, tunes the context on them and answers for the plain one.
    pub(super) async fn tuned(
        &self,
        tuning: &Tuning,
        photo: &Rgb8,
        progress: &dyn Progress,
    ) -> Result<PhotoAnswer> {
        let (model, classes) = (self.model, self.classes);
        let prompt = classes.tunable()?;
        let plan = tuning.view_plan();
        let maker = ViewMaker::new(photo, &model.preprocess, &plan, tuning.seed())?;
        let views = model.view_features(&maker, progress).await?;

        let start = now();
        let mut side = prompt.open(&model.text_encoder()).await?;
        let text = Text {
            side: &mut side,
            classes: classes.labels.len(),
            logit_scale: model.clip.logit_scale,
        };
        let config = tuning.config();
        let tuned = tune(text, prompt.start(), &views.features, config, progress).await?;
        let timings = Timings {
            preprocess: views.preprocess,
            encode: views.encode,
            tune: now() - start,
            ..Timings::default()
        };
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
        let report = TuningReport {
            views: tuned.views,
            variants: plan.variants.len(),
            variant_failures: failures(tuning),
            kept: tuned.selected.len(),
            guarded: tuned.guarded,
            entropy_before: tuned.entropy_before(),
            entropy_after: tuned.entropy_after(),
            started_from: prompt.borrowed_words(),
            predictions_before: named(&classes.rank(&tuned.logits_before), &classes.labels),
            kept_views,
        };
        let mut feature = views.features;
        feature.truncate(model.clip.config.projection_dim);
        Ok(PhotoAnswer {
            ranking: classes.rank(&tuned.logits_after),
            tuning: Some(report),
            feature,
            patches: Vec::new(),
            texts: Some(tuned.text_features),
            timings,
        })
    }
}
