//! ProGrad: CoOp that never steps against general knowledge.

use super::templates::chosen;
use crate::error::Result;
use crate::prompt_learning::job::{TrainingJob, TrainedPrompt, Recipe};
use crate::prompt_learning::options::Parameter;
use crate::prompt_learning::plan::ContextRecipe;
use crate::prompt_learning::losses::Distil;
use crate::prompt_learning::text::ProGradRule;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "prograd",
    paper: "Zhu et al. 2023, Prompt-aligned Gradient for Prompt Tuning (ICCV)",
    summary: "CoOp whose steps lose the part that runs against the zero-shot predictions.",
    own: &[
        Parameter::number(
            "lambda",
            "1",
            (0.0, 1.0),
            "share of the opposing part that is taken out",
        ),
        Parameter::number(
            "temperature",
            "1",
            (0.01, 100.0),
            "temperature of the predictions",
        ),
    ],
    run: |job| Box::pin(run(job)),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let mut plan = ContextRecipe::coop(job)?;
    plan.prograd = Some(ProGradRule {
        strength: job.options.number("lambda"),
        distil: Distil {
            strength: 1.0,
            fixed: job.texts(&chosen("default")?).await?,
            temperature: job.options.number("temperature"),
            per_class: false,
        },
    });
    plan.learn(job).await
}
