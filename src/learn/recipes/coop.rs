//! CoOp: learn the words in front of the class name.

use crate::error::Result;
use crate::learn::job::{Cost, Job, Learned, Needs, Recipe};
use crate::learn::options::Parameter;
use crate::learn::plan::{Copies, DESCENT, LAYOUT, Plan};
use crate::prompt::layout::Layout;

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
    ],
    shared: DESCENT,
    run: |job| Box::pin(run(job)),
};

async fn run(job: &Job<'_>) -> Result<Learned> {
    let mut plan = Plan::coop(job)?;
    plan.placing.layout = Layout::parse(job.options.text("layout"))?;
    if job.options.text("specific") == "yes" {
        plan.copies = Copies::PerClass;
        plan.placing.assigned = Some((0..job.names.len()).collect());
        plan.start = plan.start.repeat(job.names.len());
    }
    plan.learn(job).await
}
