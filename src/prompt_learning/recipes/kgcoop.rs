//! KgCoOp: CoOp that stays near the hand-written prompt.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::Result;
use crate::prompt::model::mean_texts;
use crate::prompt_learning::context_recipe::ContextRecipe;
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::losses::Anchor;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of KgCoOp.
    pub struct Params {
        /// strength of the pull at a logit scale of 100; it falls with the scale
        lambda: f64 = 8.0, in 0.0..=1e4,
        ..descent: Descent { steps.batch = Auto::Set(128) }
        ..texts: FixedTexts {}
    }
    paper(p) {
        p.descent.steps.epochs = Auto::Set(100);
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "kgcoop",
    paper: "Yao et al. 2023, Visual-Language Prompt Tuning with Knowledge-Guided Context Optimization (CVPR)",
    summary: "CoOp with a pull of every class towards its hand-written prompt.",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    let texts = job.texts(&params.texts.or(TemplateSet::Default)?).await?;
    coop.losses.push(Box::new(Anchor {
        strength: job.scaled(params.lambda),
        fixed: mean_texts(&texts, job.names.len(), job.model.dim()),
    }));
    coop.learn(job).await
}
