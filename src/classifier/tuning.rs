//! From one photo to a tuned answer.

use std::sync::Arc;

use super::answer::{KeptView, Timings, TuningReport};
use super::{Answered, Answerer, ClassSet, named, rank};
use crate::clock::now;
use crate::error::{Error, Failure, Kind, Result};
use crate::image::Rgb8;
use crate::image::views::{MAX_VIEWS, ViewMaker};
use crate::math::normalize_rows;
use crate::model::Model;
use crate::progress::Progress;
use crate::prompt::context_encoder::ContextEncoder;
use crate::prompt::layout::PromptLayout;
use crate::prompt::tokens::PromptTokens;
use crate::tpt::{Config, Text, Tuned, Tuning, tune};

fn failures(tuning: &Tuning) -> Vec<Failure> {
    let all = tuning.variants().into_iter().flat_map(|v| v.failures());
    all.map(|(index, error)| Failure::from((*index, error)))
        .collect()
}

impl ClassSet {
    /// Tunes on views that the caller made: `features` [N, d] of them, of which the first is the
    /// one to answer for. Starts from `context` [M, W] if one is given, else from the words around
    /// the class names.
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
        let start = self.tunable_context()?;
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
        let other = match context.map(|context| context.len() / w) {
            Some(m) if m != start.len() / w => {
                let layout = PromptLayout::end(m);
                let names = PromptTokens::new(&self.labels, &layout, &model.tokenizer)?;
                Some(Arc::new(names))
            }
            _ => None,
        };
        let names = other.unwrap_or_else(|| self.names.clone());
        let mut encoder = ContextEncoder::new(&model.clip.text, names);
        let text = Text {
            side: &mut encoder,
            classes: self.labels.len(),
            logit_scale: model.clip.logit_scale,
        };
        let context = context.unwrap_or(start);
        tune(text, context, &features, config, progress).await
    }
}

impl Answerer<'_> {
    /// Makes views, tunes the context on them and answers for the plain one.
    pub(super) async fn tuned(
        &self,
        tuning: &Tuning,
        photo: &Rgb8,
        progress: &dyn Progress,
    ) -> Result<Answered> {
        let (model, classes) = (self.model, self.classes);
        let context = classes.tunable_context()?;
        let plan = tuning.view_plan();
        let maker = ViewMaker::new(photo, &model.preprocess, &plan, tuning.seed())?;
        let views = model.view_features(&maker, progress).await?;

        let start = now();
        let mut encoder = ContextEncoder::new(&model.clip.text, classes.names.clone());
        let text = Text {
            side: &mut encoder,
            classes: classes.labels.len(),
            logit_scale: model.clip.logit_scale,
        };
        let config = tuning.config();
        let tuned = tune(text, context, &views.features, config, progress).await?;
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
            predictions_before: named(&rank(&tuned.logits_before), &classes.labels),
            kept_views,
        };
        let mut feature = views.features;
        feature.truncate(model.clip.config.projection_dim);
        Ok(Answered {
            ranking: rank(&tuned.logits_after),
            tuning: Some(report),
            feature,
            patches: Vec::new(),
            texts: Some(tuned.text_features),
            timings,
        })
    }
}
