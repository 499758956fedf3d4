//! After the idea of DiSa, of which no code is known: texts that point where the photos of their class
//! are. Its regularization across the frozen towers and its masking of patches are left out, as they
//! need a gradient into the image tower.

use crate::error::Result;
use crate::math::UnitRows;
use crate::prompt_learning::context_recipe::ContextRecipe;
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::losses::Anchor;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Evidence, Recipe, TypedRun};

parameters! {
    /// Parameters of DiSa.
    pub struct Params {
        /// strength of the pull to the mean photo of the class at a logit scale of 100; it falls with the
        /// scale
        lambda: f64 = 1.0, in 0.0..=1e4,
        ..descent: Descent {}
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "disa",
    paper: "after the idea of DiSa: Directional Saliency-Aware Prompt Learning (2025); the part of its text side",
    summary: "CoOp with a pull of every text to the mean of its class's photos.",
    evidence: Evidence::Abstract,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    coop.losses.push(Box::new(Anchor {
        strength: job.scaled(params.lambda),
        fixed: prototypes(job.images()?, job.names.len()),
    }));
    coop.learn(job).await
}

/// The normalized mean of the plain photos of every class, [K, d]; zeros for a class without any, which
/// then is not pulled.
pub fn prototypes(images: &Examples, classes: usize) -> Vec<f64> {
    let d = images.dim();
    let mut sums = vec![0.0; classes * d];
    for (index, label) in images.labels().iter().enumerate() {
        let row = sums[label * d..][..d].iter_mut();
        row.zip(images.view(index, 0))
            .for_each(|(sum, v)| *sum += f64::from(*v));
    }
    UnitRows::new(&sums, d).values
}
