//! ConES: a text feature per class moves by itself, without the text tower.

use super::templates::{SET, chosen};
use crate::error::Result;
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt_learning::job::{Recipe, TrainedPrompt, TrainingJob, mean_texts};
use crate::prompt_learning::options::Parameter;
use crate::prompt_learning::plan::{BATCH, EPOCHS, LR, settings};
use crate::prompt_learning::residual::{ResidualLearner, moved};
use crate::prompt_learning::text::cross_entropy;
use crate::prompt_learning::trainer::fit;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "cones",
    paper: "Qiu et al. 2023, ConES: Concept Embedding Search for Parameter Efficient Tuning",
    summary: "Moves the text feature of every class directly; the fastest to train.",
    own: &[
        Parameter::number("alpha", "1", (0.0, 100.0), "weight of what is learned"),
        SET,
        EPOCHS.or("50"),
        LR.or("0.001"),
        BATCH.or("32"),
    ],
    run: |job| Box::pin(run(job)),
    ..super::tip_adapter::RECIPE
};

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let (k, d) = (job.names.len(), job.model.dim());
    let templates = chosen(job.options.text("set"))?;
    let base = mean_texts(&job.texts(&templates).await?, k, d);
    let strength = job.options.number("alpha");
    let descent = settings(job);
    let mut learner = ResidualLearner {
        base: &base,
        strength,
        losses: cross_entropy(),
        scale: f64::from(job.model.logit_scale()),
    };
    let zero = vec![0f32; base.len()];
    let found = fit(&mut learner, zero, job.images()?, &descent, job.observer).await?;
    let texts = moved(&base, &found.parameters, strength, d).values;
    let weights = TextFeatures {
        residual: Some(found.parameters.clone()),
        ..TextFeatures::new(&texts, &templates)
    };
    Ok(TrainedPrompt {
        prompt: job.prompt(&weights),
        losses: found.losses,
        trained_parameters: found.parameters.len(),
        notes: Vec::new(),
    })
}
