//! LoCoOp: CoOp that also learns from what a photo shows beside its class.

use crate::error::Result;
use crate::prompt_learning::context_recipe::ContextRecipe;
use crate::prompt_learning::descent::{Descent, Init};
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::losses::ForeignRegions;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Needs, Recipe, TypedRun};
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of LoCoOp.
    pub struct Params {
        /// strength of the push of foreign regions towards no class
        lambda: f64 = 0.25, in 0.0..=1e4,
        /// most probable classes of a region among which the class of its photo must be; a fifth of all, as in the paper
        top: Auto<usize> = Auto::Auto, in 1..=100_000,
        ..descent: Descent {}
    }
    paper(p) {
        p.descent.context.vectors = 16;
        p.descent.context.init = Init::Random;
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "locoop",
    paper: "Miyai et al. 2023, LoCoOp: Few-Shot Out-of-Distribution Detection via Prompt Learning (NeurIPS)",
    summary: "CoOp that pushes regions without the class of their photo towards no class; for the scores mcm and gl-mcm.",
    needs: Needs {
        local_features: true,
        ..Needs::LABELED_IMAGES
    },
    // With one class no region is foreign.
    least_classes: 2,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let classes = job.names.len();
    let top = match params.top {
        Auto::Auto => classes.div_ceil(5),
        // With every class allowed no region would be foreign.
        Auto::Set(top) => top.min(classes - 1),
    };
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    coop.losses.push(Box::new(ForeignRegions {
        strength: params.lambda,
        top,
    }));
    coop.learn(job).await
}
