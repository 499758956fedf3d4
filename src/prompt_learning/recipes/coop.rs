//! CoOp: learn the words in front of the class name.

use crate::error::Result;
use crate::prompt::file::MAX_BYTES;
use crate::prompt::heads::context::{ContextVectors, LearnedContext};
use crate::prompt::layout::NamePosition;
use crate::prompt_learning::context_recipe::{ContextRecipe, ContextSharing, learned};
use crate::prompt_learning::descent::{Descent, OptimizerKind};
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Cost, Needs, Recipe, TypedRun};
use crate::prompt_learning::schedule::Schedule;

parameters! {
    /// Parameters of CoOp.
    pub struct Params {
        /// where the class name is
        layout: NamePosition = NamePosition::End,
        /// class-specific contexts (new classes use their mean), or one shared context
        specific: bool = true,
        /// number of snapshots to ensemble (Snapshot Ensembles); 1 uses only the final parameters;
        /// needs class-specific contexts, adamw, and two images of a class
        snapshots: usize = 5, in 1..=50,
        ..descent: Descent {}
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "coop",
    paper: "Zhou et al. 2022, Learning to Prompt for Vision-Language Models (IJCV)",
    summary: "Learns the context vectors around the class names, shared or one set per class.",
    kind: Cost::Text,
    needs: Needs::LABELED_IMAGES,
    transfers: true,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    coop.layout.layout = params.layout;
    if !params.specific {
        return coop.learn(job).await;
    }
    let classes = job.names.len();
    coop.sharing = ContextSharing::PerClass;
    coop.layout.assigned = Some((0..classes).collect());
    coop.start = coop.start.repeat(classes);
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
    let snapshots = earlier.len().max(1);
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
    let mut learned = learned(job, &weights, &found);
    learned.trained_parameters *= snapshots;
    Ok(learned)
}
