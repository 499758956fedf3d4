//! PromptSRC in the first layer of its text side: agreement with the frozen model in features and
//! predictions, and a Gaussian mean over epochs. The authors learn vectors in nine layers of both
//! towers; the image tower stays frozen here, so its loss on images does not apply.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::Result;
use crate::prompt::model::mean_texts;
use crate::prompt_learning::context_recipe::ContextRecipe;
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::losses::{Absolute, Distil};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of PromptSRC.
    pub struct Params {
        /// strength of the pull to the frozen text features at a logit scale of 100; it falls with the
        /// scale
        texts: f64 = 25.0, in 0.0..=1e4,
        /// strength of the pull to the frozen predictions
        predictions: f64 = 1.0, in 0.0..=1e4,
        /// center of the average over epochs, as a share of the epochs
        mean: f64 = 0.75, in 0.0..=1.0,
        /// standard deviation of the average, as a share of the epochs; 0 keeps the last epoch
        deviation: f64 = 0.05, in 0.0..=10.0,
        ..descent: Descent { steps.epochs = Auto::Set(20), steps.batch = Auto::Set(4) }
        ..fixed: FixedTexts {}
    }
    paper(p) {
        p.descent.steps.lr = Auto::Set(0.0025);
        p.descent.steps.epochs = Auto::Set(50);
        (p.mean, p.deviation) = (0.6, 0.6);
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "promptsrc",
    paper: "Khattak et al. 2023, Self-regulating Prompts (ICCV); first layer of the text side only",
    summary: "CoOp tied to the frozen texts and predictions, averaged over epochs.",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    let raw = job
        .raw_texts(&params.fixed.or(TemplateSet::Clip80)?)
        .await?;
    let fixed = mean_texts(&raw, job.names.len(), job.model.dim());
    coop.losses.push(Box::new(Absolute {
        strength: job.scaled(params.texts),
        fixed: fixed.clone(),
    }));
    coop.losses.push(Box::new(Distil {
        strength: params.predictions,
        fixed,
        temperature: 1.0,
        per_class: true,
    }));
    let epochs = coop.settings.epochs as f64;
    let deviation = params.deviation * epochs;
    if deviation > 0.0 {
        coop.settings.average = Some((params.mean * epochs, deviation));
    }
    coop.learn(job).await
}
