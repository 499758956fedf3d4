//! ProGrad: CoOp that never steps against general knowledge.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::Result;
use crate::prompt::model::mean_texts;
use crate::prompt_learning::context_recipe::ContextRecipe;
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::losses::Distil;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::text::ProGradRule;

parameters! {
    /// Parameters of ProGrad.
    pub struct Params {
        /// share of the opposing part that is removed
        lambda: f64 = 1.0, in 0.0..=1.0,
        /// temperature of the predictions
        temperature: f64 = 1.0, in 0.01..=100.0,
        ..descent: Descent {}
        ..texts: FixedTexts {}
    }
    paper(p) {
        p.descent.context.vectors = 16;
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "prograd",
    paper: "Zhu et al. 2023, Prompt-aligned Gradient for Prompt Tuning (ICCV)",
    summary: "CoOp whose steps lose the part that opposes the zero-shot predictions.",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    let texts = job.texts(&params.texts.or(TemplateSet::Default)?).await?;
    let distil = Distil {
        strength: 1.0,
        fixed: mean_texts(&texts, job.names.len(), job.model.dim()),
        temperature: params.temperature,
        per_class: false,
    };
    coop.prograd = Some(ProGradRule::new(params.lambda, distil));
    coop.learn(job).await
}
