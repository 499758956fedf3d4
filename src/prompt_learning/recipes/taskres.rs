//! TaskRes: a residual on the text feature of every class, without the text tower.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::Result;
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::model::mean_texts;
use crate::prompt_learning::context_recipe::rate_notes;
use crate::prompt_learning::descent::{CropParams, Steps};
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::method::Method;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::residual::{ResidualLearner, moved};
use crate::prompt_learning::schedule::Schedule;
use crate::prompt_learning::text::cross_entropy;
use crate::prompt_learning::trainer::fit;
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of TaskRes.
    pub struct Params {
        /// weight of what is learned
        alpha: f64 = 1.0, in 0.0..=100.0,
        /// adam with 1e-5 in the first epoch and a cosine over all, as published, or adamw with a cosine
        /// over all steps
        adam: bool = false,
        /// which sentences: one, seven or eighty
        set: TemplateSet = TemplateSet::Default,
        ..steps: Steps {
            epochs = Auto::Set(50),
            lr = Auto::Auto,
            batch = Auto::Set(32),
        }
        ..crops: CropParams {}
        ..texts: FixedTexts {}
    }
    paper(p) {
        p.alpha = 0.5;
        p.adam = true;
        p.steps.lr = Auto::Set(0.002);
        p.steps.epochs = Auto::Auto;
        p.steps.batch = Auto::Set(256);
    }
    crops(p) {
        p.crops.over(p.steps.epochs)
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "taskres",
    aliases: &["cones"],
    paper: "Yu et al. 2023, Task Residual for Tuning Vision-Language Models (CVPR)",
    summary: "Moves the text feature of every class directly; the fastest to train.",
    learns: "a residual for each class: K x d numbers",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::tip_adapter::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (k, d) = (job.names.len(), job.model.dim());
    let templates = params.texts.or(params.set)?;
    let base = mean_texts(&job.texts(&templates).await?, k, d);
    let strength = params.alpha;
    let mut descent = params.steps.settings(job);
    if params.adam {
        descent.method = Method::ADAM;
        descent.schedule = Schedule::COOP;
        let shots = job.shots();
        let published = || if shots <= 4 { 100 } else { 200 };
        descent.epochs = params.steps.epochs.unwrap_or_else(published);
    }
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
        notes: rate_notes(&found),
        trained_parameters: found.parameters.len(),
        losses: found.losses,
    })
}
