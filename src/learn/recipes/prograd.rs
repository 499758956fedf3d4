//! ProGrad: CoOp that never steps against general knowledge.

use super::templates::chosen;
use crate::error::Result;
use crate::learn::job::{Job, Learned, Recipe};
use crate::learn::options::Parameter;
use crate::learn::plan::Plan;
use crate::learn::terms::Distil;
use crate::learn::text::Guide;

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

async fn run(job: &Job<'_>) -> Result<Learned> {
    let mut plan = Plan::coop(job)?;
    plan.guide = Some(Guide {
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
