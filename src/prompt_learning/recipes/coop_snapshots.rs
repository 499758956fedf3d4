//! CoOp with a context per class, as the ensemble of several ends of its descent.

use crate::error::Result;
use crate::prompt::file::MAX_BYTES;
use crate::prompt::heads::context::{ContextVectors, LearnedContext};
use crate::prompt::layout::NamePosition;
use crate::prompt_learning::context_recipe::{ContextRecipe, learned};
use crate::prompt_learning::descent::{Descent, OptimizerKind};
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::schedule::Schedule;

parameters! {
    /// Parameters of CoOp with snapshots.
    pub struct Params {
        /// where the class name is
        layout: NamePosition = NamePosition::End,
        /// number of snapshots to ensemble; 1 uses only the final parameters; more need adamw and
        /// two images of a class
        snapshots: usize = 5, in 1..=50,
        ..descent: Descent {}
    }
    paper(p) {
        // No paper has it.
        *p = Self::default();
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "coop-snapshots",
    paper: "after Zhou et al. 2022, CoOp (IJCV), and Huang et al. 2017, Snapshot Ensembles (ICLR)",
    summary: "CoOp with a context per class; the ends of several short descents answer together.",
    learns: "a context for each class: K x vectors x width numbers",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    coop.layout.layout = params.layout;
    coop.per_class(job.names.len());
    // All of them must fit into a prompt file.
    let most = MAX_BYTES / 2 / (coop.start.len() * size_of::<f32>()).max(1);
    let snapshots = params.snapshots.min(most);
    let adamw = params.descent.optimizer == OptimizerKind::AdamW;
    if snapshots > 1 && job.shots() > 1 && adamw {
        coop.settings.schedule = Schedule::cycles(snapshots);
    }
    let layout = coop.layout.clone();
    let mut found = coop.fit(job).await?;
    let mut earlier = std::mem::take(&mut found.snapshots);
    // The last snapshot is the end of the descent.
    earlier.pop();
    let weights = LearnedContext {
        layout,
        vectors: ContextVectors::PerClass {
            last: found.parameters.clone(),
            earlier,
        },
        negatives: None,
    };
    Ok(learned(job, &weights, &found))
}
