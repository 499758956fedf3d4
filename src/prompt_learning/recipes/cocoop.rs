//! CoCoOp: a context that every image shifts.

use crate::error::Result;
use crate::math::perceptron::Perceptron;
use crate::prompt::heads::conditional::{Conditional, ConditionalContext, MAX_CLASSES};
use crate::prompt_learning::context_recipe::{ContextRecipe, learned};
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::values::Auto;
use crate::rng::Rng;

parameters! {
    /// Parameters of CoCoOp.
    pub struct Params {
        /// weight of the image's shift
        strength: f64 = 1.0, in 0.0..=100.0,
        ..descent: Descent { steps.epochs = Auto::Set(10), steps.batch = Auto::Set(1) }
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "cocoop",
    paper: "Zhou et al. 2022, Conditional Prompt Learning for Vision-Language Models (CVPR)",
    summary: "CoOp with a small network that shifts the context for every image; slow to answer.",
    learns: "a context, and a network that moves it by the photo: d/16 x (d + width) numbers and their biases",
    most_classes: Some(MAX_CLASSES),
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    let (d, w) = (job.model.dim(), job.model.width());
    let network = Perceptron {
        input: d,
        hidden: (d / 16).max(1),
        output: w,
    };
    let condition = Conditional {
        context: coop.start.len(),
        network,
        strength: params.strength,
    };
    coop.start
        .extend(network.start(&mut Rng::derive(job.seed, u64::MAX - 1)));
    coop.parametrization = Box::new(condition);
    let layout = coop.layout.clone();
    let fit = coop.fit(job).await?;
    let weights = ConditionalContext {
        layout,
        condition,
        parameters: fit.parameters.clone(),
    };
    Ok(learned(job, &weights, &fit))
}
