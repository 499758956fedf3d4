//! KgCoOp: CoOp that stays near the hand-written prompt.

use super::templates::chosen;
use crate::error::Result;
use crate::prompt_learning::job::{TrainingJob, TrainedPrompt, Recipe, mean_texts};
use crate::prompt_learning::options::Parameter;
use crate::prompt_learning::plan::{BATCH, ContextRecipe};
use crate::prompt_learning::losses::Anchor;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "kgcoop",
    paper: "Yao et al. 2023, Visual-Language Prompt Tuning with Knowledge-Guided Context Optimization (CVPR)",
    summary: "CoOp with a pull of every class towards its hand-written prompt.",
    own: &[
        Parameter::number("lambda", "8", (0.0, 1e4), "strength of the pull"),
        BATCH.or("128"),
    ],
    run: |job| Box::pin(run(job)),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let mut plan = ContextRecipe::coop(job)?;
    let texts = job.texts(&chosen("default")?).await?;
    plan.losses.push(Box::new(Anchor {
        strength: job.options.number("lambda"),
        fixed: mean_texts(&texts, job.names.len(), job.model.dim()),
    }));
    plan.learn(job).await
}
