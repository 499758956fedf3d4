//! TaskRes: a residual on the text feature of every class, without the text tower.

use super::templates::TemplateSet;
use crate::error::Result;
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt_learning::descent::Steps;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob, mean_texts};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::residual::{ResidualLearner, moved};
use crate::prompt_learning::text::cross_entropy;
use crate::prompt_learning::trainer::fit;
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of TaskRes.
    pub struct Params {
        /// weight of what is learned
        alpha: f64 = 1.0, in 0.0..=100.0,
        /// which sentences: one, seven or eighty
        set: TemplateSet = TemplateSet::Default,
        ..steps: Steps {
            epochs = Auto::Set(50),
            lr = Auto::Set(0.001),
            batch = Auto::Set(32),
        }
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "taskres",
    aliases: &["cones"],
    paper: "Yu et al. 2023, Task Residual for Tuning Vision-Language Models (CVPR)",
    summary: "Moves the text feature of every class directly; the fastest to train.",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::tip_adapter::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (k, d) = (job.names.len(), job.model.dim());
    let templates = params.set.templates()?;
    let base = mean_texts(&job.texts(&templates).await?, k, d);
    let strength = params.alpha;
    let descent = params.steps.settings(job);
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
