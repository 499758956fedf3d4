//! After the idea of pre-training the small modules first: a context that begins at one from a larger
//! set. The authors pre-train prompts of the image tower, which stays frozen here.

use crate::error::Result;
use crate::prompt_learning::context_recipe::ContextRecipe;
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Evidence, Recipe, TypedRun};

parameters! {
    /// Parameters of the second stage.
    pub struct Params {
        ..descent: Descent {}
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "pvp",
    paper: "after the idea of PVP: Pre-trained Visual Parameter-Efficient Tuning (2023); its text analogue",
    summary: "CoOp that begins at the context of a larger project, which you give as the prompt to start from.",
    evidence: Evidence::Abstract,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let coop = ContextRecipe::coop(job, &params.descent)?;
    let mut learned = coop.learn(job).await?;
    let known = job
        .material
        .start
        .map_or(0, |start| start.class_names.len());
    learned
        .notes
        .push(Note::new("classes of the prompt it began at", known as f64));
    Ok(learned)
}
