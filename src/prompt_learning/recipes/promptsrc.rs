//! PromptSRC in its text form: agreement with the frozen model in features and predictions, and a
//! Gaussian mean over epochs. The image tower stays frozen here, so its own term has nothing to do.

use super::templates::chosen;
use crate::error::Result;
use crate::prompt_learning::job::{TrainingJob, TrainedPrompt, Recipe, mean_texts};
use crate::prompt_learning::options::Parameter;
use crate::prompt_learning::plan::{BATCH, EPOCHS, ContextRecipe};
use crate::prompt_learning::losses::{Absolute, Distil};

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "promptsrc",
    paper: "Khattak et al. 2023, Self-regulating Prompts (ICCV); text side only",
    summary: "CoOp tied to the frozen texts and predictions, averaged over epochs.",
    own: &[
        Parameter::number(
            "texts",
            "25",
            (0.0, 1e4),
            "strength of the pull to the frozen text features",
        ),
        Parameter::number(
            "predictions",
            "1",
            (0.0, 1e4),
            "strength of the pull to the frozen predictions",
        ),
        Parameter::number(
            "mean",
            "0.75",
            (0.0, 1.0),
            "where in the epochs the average has its centre",
        ),
        Parameter::number(
            "deviation",
            "0.05",
            (0.0, 10.0),
            "width of the average as a share of the epochs; 0 keeps the last epoch",
        ),
        EPOCHS.or("20"),
        BATCH.or("4"),
    ],
    run: |job| Box::pin(run(job)),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let mut plan = ContextRecipe::coop(job)?;
    let raw = job.raw_texts(&chosen("clip80")?).await?;
    let fixed = mean_texts(&raw, job.names.len(), job.model.dim());
    plan.losses.push(Box::new(Absolute {
        strength: job.options.number("texts"),
        fixed: fixed.clone(),
    }));
    plan.losses.push(Box::new(Distil {
        strength: job.options.number("predictions"),
        fixed,
        temperature: 1.0,
        per_class: true,
    }));
    let epochs = plan.settings.epochs as f64;
    let deviation = job.options.number("deviation") * epochs;
    if deviation > 0.0 {
        plan.settings.average = Some((job.options.number("mean") * epochs, deviation));
    }
    plan.learn(job).await
}
