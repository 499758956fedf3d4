//! Tip-Adapter-F: the remembered images become parameters.

use super::templates::SET;
use super::tip_adapter::{ALPHA, BETA, SEARCH, Start, start};
use crate::error::Result;
use crate::prompt_learning::cache::CacheLearner;
use crate::prompt_learning::job::{Recipe, TrainedPrompt, TrainingJob};
use crate::prompt_learning::plan::{BATCH, EPOCHS, LR, settings};
use crate::prompt_learning::text::cross_entropy;
use crate::prompt_learning::trainer::{Method, fit};

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "tip-adapter-f",
    paper: "Zhang et al. 2022, Tip-Adapter (ECCV), fine-tuned",
    summary: "Tip-Adapter whose remembered features are trained for a few epochs.",
    own: &[
        ALPHA,
        BETA,
        SEARCH,
        SET,
        EPOCHS.or("20"),
        LR.or("0.001"),
        BATCH.or("256"),
    ],
    run: |job| Box::pin(run(job)),
    ..super::tip_adapter::RECIPE
};

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let Start {
        texts,
        mut weights,
        notes,
    } = start(job).await?;
    let mut descent = settings(job);
    descent.method = Method::AdamW {
        eps: 1e-4,
        weight_decay: 0.01,
    };
    let keys = weights.cache.keys.iter().map(|v| *v as f32).collect();
    let mut learner = CacheLearner {
        cache: weights.cache.clone(),
        texts: &texts,
        losses: cross_entropy(),
        scale: f64::from(job.model.logit_scale()),
    };
    let found = fit(&mut learner, keys, job.images()?, &descent, job.observer).await?;
    weights.cache.keys = found.parameters.iter().map(|v| f64::from(*v)).collect();
    Ok(TrainedPrompt {
        prompt: job.prompt(&weights),
        losses: found.losses,
        trained_parameters: found.parameters.len(),
        notes,
    })
}
