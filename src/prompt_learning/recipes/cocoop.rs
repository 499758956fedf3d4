//! CoCoOp: a context that every image shifts.

use crate::error::Result;
use crate::math::perceptron::Perceptron;
use crate::prompt::heads::conditional::{Conditional, ConditionalContext, check_classes};
use crate::prompt_learning::job::{Recipe, TrainedPrompt, TrainingJob};
use crate::prompt_learning::options::Parameter;
use crate::prompt_learning::plan::{BATCH, ContextRecipe, EPOCHS, learned};
use crate::rng::Rng;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "cocoop",
    paper: "Zhou et al. 2022, Conditional Prompt Learning for Vision-Language Models (CVPR)",
    summary: "CoOp with a small network that shifts the context for every image; slow to answer.",
    own: &[
        Parameter::number("strength", "1", (0.0, 100.0), "weight of the image's shift"),
        EPOCHS.or("10"),
        BATCH.or("1"),
    ],
    run: |job| Box::pin(run(job)),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    check_classes(job.names.len())?;
    let mut plan = ContextRecipe::coop(job)?;
    let (d, w) = (job.model.dim(), job.model.width());
    let network = Perceptron {
        input: d,
        hidden: (d / 16).max(1),
        output: w,
    };
    let condition = Conditional {
        context: plan.start.len(),
        network,
        strength: job.options.number("strength"),
    };
    plan.start
        .extend(network.start(&mut Rng::derive(job.seed, u64::MAX - 1)));
    plan.parametrization = Box::new(condition);
    let layout = plan.layout.clone();
    let fit = plan.fit(job).await?;
    let weights = ConditionalContext {
        layout,
        condition,
        parameters: fit.parameters.clone(),
    };
    Ok(learned(job, &weights, &fit))
}
