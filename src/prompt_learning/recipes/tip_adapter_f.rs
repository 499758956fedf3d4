//! Tip-Adapter-F: the remembered images become parameters.

use super::tip_adapter::{self, Start, improve, start};
use crate::error::Result;
use crate::prompt_learning::cache::CacheLearner;
use crate::prompt_learning::descent::Steps;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::method::Method;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::text::cross_entropy;
use crate::prompt_learning::trainer::fit;
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of Tip-Adapter-F.
    pub struct Params {
        ..cache: tip_adapter::Params {}
        ..steps: Steps {
            epochs = Auto::Set(20),
            lr = Auto::Set(0.001),
            batch = Auto::Set(256),
        }
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "tip-adapter-f",
    paper: "Zhang et al. 2022, Tip-Adapter (ECCV), fine-tuned",
    summary: "Tip-Adapter whose remembered features are trained for a few epochs.",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::tip_adapter::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let Start {
        texts,
        mut weights,
        mut notes,
    } = start(job, &params.cache).await?;
    let mut descent = params.steps.settings(job);
    descent.method = Method::AdamW {
        eps: 1e-4,
        weight_decay: 0.01,
        coupled: false,
    };
    let keys = weights.cache.keys.iter().map(|v| *v as f32).collect();
    let mut learner = CacheLearner {
        cache: weights.cache.clone(),
        texts: &texts,
        losses: cross_entropy(),
        scale: f64::from(job.model.logit_scale()),
    };
    let images = job.images()?;
    let found = fit(&mut learner, keys, images, &descent, job.observer).await?;
    weights.cache.keys = found.parameters.iter().map(|v| f64::from(*v)).collect();
    if params.cache.search && weights.cache.alpha > 0.0 {
        notes = improve(job, images, &mut weights.cache, &texts);
    }
    Ok(TrainedPrompt {
        prompt: job.prompt(&weights),
        losses: found.losses,
        trained_parameters: found.parameters.len(),
        notes,
    })
}
