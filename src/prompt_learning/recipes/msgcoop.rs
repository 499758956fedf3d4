//! MSGCoOp: several contexts side by side, kept apart and near descriptions. Every context starts
//! with noise of its own: without it all have the same gradient and never part.

use super::templates::chosen;
use crate::error::Result;
use crate::prompt_learning::job::{TrainingJob, TrainedPrompt, Recipe, mean_texts};
use crate::prompt_learning::options::Parameter;
use crate::prompt_learning::plan::{ContextSharing, ContextRecipe, noise};
use crate::prompt_learning::losses::{Anchor, Diversity};
use crate::rng::Rng;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "msgcoop",
    paper: "Wang et al. 2025, MSGCoOp: Multiple Semantic-Guided Context Optimization for Few-Shot Learning",
    summary: "Several contexts averaged, held apart from each other and near descriptions of the classes.",
    own: &[
        Parameter::whole("contexts", "4", (1, 16), "how many contexts"),
        Parameter::number(
            "guidance",
            "8",
            (0.0, 1e4),
            "strength of the pull to the descriptions, or to the prompt where there are none",
        ),
        Parameter::number(
            "diversity",
            "1",
            (0.0, 1e4),
            "strength with which contexts are held apart",
        ),
        Parameter::number(
            "noise",
            "0.02",
            (0.0, 1.0),
            "deviation of the noise that tells contexts apart at the start",
        ),
    ],
    run: |job| Box::pin(run(job)),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let contexts = job.options.whole("contexts");
    let mut plan = ContextRecipe::coop(job)?;
    let mut rng = Rng::derive(job.seed, u64::MAX - 1);
    let mut start = plan.start.repeat(contexts);
    let spread = noise(start.len(), job.options.number("noise"), &mut rng);
    start.iter_mut().zip(spread).for_each(|(v, n)| *v += n);
    plan.start = start;
    plan.copies = ContextSharing::Several(contexts);
    let templates = chosen("default")?;
    let fixed = match job.descriptions {
        Some(descriptions) => super::cupl::centroids(job, descriptions, &templates).await?,
        None => mean_texts(
            &job.texts(&templates).await?,
            job.names.len(),
            job.model.dim(),
        ),
    };
    plan.losses.push(Box::new(Anchor {
        strength: job.options.number("guidance"),
        fixed,
    }));
    plan.losses.push(Box::new(Diversity {
        strength: job.options.number("diversity"),
    }));
    plan.learn(job).await
}
