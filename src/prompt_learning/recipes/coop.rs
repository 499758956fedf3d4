//! CoOp: learn the words in front of the class name.

use crate::error::Result;
use crate::prompt::layout::NamePosition;
use crate::prompt_learning::context_recipe::ContextRecipe;
use crate::prompt_learning::descent::{Descent, Init};
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Cost, Evidence, Needs, Recipe, TypedRun};

parameters! {
    /// Parameters of CoOp.
    pub struct Params {
        /// where the class name is
        layout: NamePosition = NamePosition::End,
        /// class-specific contexts (new classes use their mean), or one shared context
        specific: bool = false,
        ..descent: Descent {}
    }
    paper(p) {
        p.descent.context.vectors = 16;
        p.descent.context.init = Init::Random;
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "coop",
    aliases: &[],
    paper: "Zhou et al. 2022, Learning to Prompt for Vision-Language Models (IJCV)",
    summary: "Learns the context vectors around the class names, shared or one set per class.",
    evidence: Evidence::Code,
    learns: "a context: vectors x width numbers",
    kind: Cost::Text,
    needs: Needs::LABELED_IMAGES,
    least_classes: 1,
    most_classes: None,
    transfers: true,
    continues: true,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    coop.layout.layout = params.layout;
    if params.specific {
        coop.per_class(job.names.len());
    }
    coop.learn(job).await
}
