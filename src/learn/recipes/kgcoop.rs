//! KgCoOp: CoOp that stays near the hand-written prompt.

use super::templates::chosen;
use crate::error::Result;
use crate::learn::job::{Job, Learned, Recipe, mean_texts};
use crate::learn::options::Parameter;
use crate::learn::plan::{BATCH, Plan};
use crate::learn::terms::Anchor;

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

async fn run(job: &Job<'_>) -> Result<Learned> {
    let mut plan = Plan::coop(job)?;
    let texts = job.texts(&chosen("default")?).await?;
    plan.terms.push(Box::new(Anchor {
        strength: job.options.number("lambda"),
        fixed: mean_texts(&texts, job.names.len(), job.model.dim()),
    }));
    plan.learn(job).await
}
