//! CoCoOp: a context that every image shifts.

use crate::error::Result;
use crate::prompt_learning::head::check_conditional;
use crate::prompt_learning::job::{TrainingJob, TrainedPrompt, Recipe};
use crate::prompt_learning::options::Parameter;
use crate::prompt_learning::perceptron::Perceptron;
use crate::prompt_learning::plan::{BATCH, EPOCHS, ContextRecipe, learned};
use crate::prompt_learning::parametrizations::Conditional;
use crate::rng::Rng;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "cocoop",
    paper: "Zhou et al. 2022, Conditional Prompt Learning for Vision-Language Models (CVPR)",
    summary: "CoOp with a small network that shifts the context for every image; slow to answer.",
    own: &[
        Parameter::number("strength", "1", (0.0, 100.0), "weight of the image's shift"),
        EPOCHS.or("10"),
        BATCH.or("1"),
    ],
    run: |job| Box::pin(run(job)),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    check_conditional(job.names.len())?;
    let mut plan = ContextRecipe::coop(job)?;
    let (d, w) = (job.model.dim(), job.model.width());
    let network = Perceptron {
        input: d,
        hidden: (d / 16).max(1),
        output: w,
    };
    let strength = job.options.number("strength");
    let context = plan.start.len();
    plan.start
        .extend(network.start(&mut Rng::derive(job.seed, u64::MAX - 1)));
    plan.parametrization = Box::new(Conditional {
        context,
        network,
        strength,
    });
    let (layout, copies) = (plan.layout.clone(), plan.copies);
    let fit = plan.fit(job).await?;
    let mut done = learned(job, &layout, copies, &fit.parameters[..context], &fit);
    let h = network.hidden;
    let mut rest = &fit.parameters[context..];
    for (name, shape) in [
        ("condition.weight1", vec![h, d]),
        ("condition.bias1", vec![h]),
        ("condition.weight2", vec![w, h]),
        ("condition.bias2", vec![w]),
    ] {
        let (values, after) = rest.split_at(shape.iter().product());
        done.prompt.put(name, &shape, values.to_vec());
        rest = after;
    }
    let strength = strength.to_string();
    done.prompt.extra.insert("strength".to_owned(), strength);
    Ok(done)
}
