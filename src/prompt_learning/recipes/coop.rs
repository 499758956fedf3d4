//! CoOp: learn the words in front of the class name.

use crate::error::Result;
use crate::prompt::file::MAX_BYTES;
use crate::prompt::heads::context::{ContextVectors, LearnedContext};
use crate::prompt::layout::NamePosition;
use crate::prompt_learning::job::{Cost, Needs, Recipe, TrainedPrompt, TrainingJob};
use crate::prompt_learning::options::Parameter;
use crate::prompt_learning::plan::{ContextRecipe, ContextSharing, DESCENT, LAYOUT, learned};
use crate::prompt_learning::schedule::Schedule;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "coop",
    paper: "Zhou et al. 2022, Learning to Prompt for Vision-Language Models (IJCV)",
    summary: "Learns the context vectors around the class names, shared or one set per class.",
    kind: Cost::Text,
    needs: Needs::Images,
    transfers: true,
    others: false,
    own: &[
        LAYOUT,
        Parameter::word(
            "specific",
            &["yes", "no"],
            "a context of its own for every class, and their mean for new ones; or one for all",
        ),
        Parameter::whole(
            "snapshots",
            "5",
            (1, 50),
            "with a context per class, several images of it and adamw: so many places where the descent comes to rest speak together (Huang et al. 2017, Snapshot Ensembles); 1 is the last alone",
        ),
    ],
    shared: DESCENT,
    run: |job| Box::pin(run(job)),
};

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let mut plan = ContextRecipe::coop(job)?;
    plan.layout.layout = NamePosition::parse(job.options.text("layout"))?;
    if job.options.text("specific") == "no" {
        return plan.learn(job).await;
    }
    let classes = job.names.len();
    plan.copies = ContextSharing::PerClass;
    plan.layout.assigned = Some((0..classes).collect());
    plan.start = plan.start.repeat(classes);
    // All of them must fit into a prompt file.
    let most = MAX_BYTES / 2 / (plan.start.len() * size_of::<f32>()).max(1);
    let snapshots = job.options.whole("snapshots").min(most);
    if snapshots > 1 && job.shots() > 1 && job.options.is("optimiser", "adamw") {
        plan.settings.schedule = Schedule::cycles(plan.settings.schedule.lr, snapshots);
    }
    let layout = plan.layout.clone();
    let mut found = plan.fit(job).await?;
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
