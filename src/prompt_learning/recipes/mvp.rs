//! MVP on cached features: classes and photos that come over time. The authors also learn prompts of
//! the image tower, chosen by keys, and masks of the logits; the tower stays frozen here.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::{Error, Kind, Result};
use crate::math::Probabilities;
use crate::prompt::heads::linear::LinearLayer;
use crate::prompt::model::mean_texts;
use crate::prompt_learning::context_recipe::rate_notes;
use crate::prompt_learning::descent::{CropParams, Steps};
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::linear::{LinearLearner, StreamLoss, Weighing};
use crate::prompt_learning::method::Method;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Cost, Recipe, TypedRun};
use crate::prompt_learning::trainer::{Settings, fit};
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of MVP.
    pub struct Params {
        /// share of the weight of photos whose gradient differs from the batch's
        alpha: f64 = 0.5, in 0.0..=1.0,
        /// how much more photos weigh that differ more
        gamma: f64 = 2.0, in 0.0..=10.0,
        /// divide features by 1 - cos(row, feature) + margin while training
        compensate: bool = true,
        /// the margin of that
        margin: f64 = 0.5, in 1e-3..=10.0,
        /// the mean loss times the mean weight, as in the authors' code; or each photo's own weight
        released: bool = false,
        ..steps: Steps { epochs = Auto::Set(20), batch = Auto::Set(64) }
        ..crops: CropParams {}
        ..texts: FixedTexts {}
    }
    paper(p) {
        p.released = true;
        p.steps.epochs = Auto::Set(3);
        p.steps.lr = Auto::Set(0.005);
    }
    crops(p) {
        p.crops.over(p.steps.epochs)
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "mvp",
    paper: "Moon et al. 2023, Online Class Incremental Learning on Stochastic Blurry Task Boundary via Mask and Visual Prompt Tuning (ICCV); its loss on a linear layer",
    summary: "Adds classes to what was learned before: a row for each class, and only those with photos move.",
    kind: Cost::Features,
    transfers: true,
    continues: true,
    learns: "a row and a bias for each class with photos: K x (d + 1) numbers",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::tip_adapter::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let images = job.images()?;
    let k = job.names.len();
    let start = start(job, params).await?;
    let seen: Vec<bool> = images.counts(k).iter().map(|count| *count > 0).collect();
    let mut learner = LinearLearner {
        loss: StreamLoss {
            alpha: params.alpha,
            gamma: params.gamma,
            margin: params.compensate.then_some(params.margin),
            weighing: match params.released {
                true => Weighing::Means,
                false => Weighing::PerPhoto,
            },
            seen: seen.clone(),
        },
    };
    let settings = Settings {
        // Decay would move the rows of classes without photos.
        method: Method::AdamW {
            eps: 1e-8,
            weight_decay: 0.0,
            coupled: false,
        },
        ..params.steps.settings(job)
    };
    let parameters = [start.weight.clone(), start.bias.clone()].concat();
    let found = fit(&mut learner, parameters, images, &settings, job.observer).await?;
    let (weight, bias) = found.parameters.split_at(start.weight.len());
    let layer = LinearLayer {
        weight: weight.to_vec(),
        bias: bias.to_vec(),
        ..start
    };
    let moved = seen.iter().filter(|seen| **seen).count();
    let mut notes = rate_notes(&found);
    notes.push(Note::new("classes with photos", moved as f64));
    Ok(TrainedPrompt {
        prompt: job.prompt(&layer),
        notes,
        trained_parameters: moved * (job.model.dim() + 1),
        losses: found.losses,
    })
}

/// The rows before the first step: those of the prompt to go on from, and texts for the other names.
async fn start(job: &TrainingJob<'_>, params: &Params) -> Result<LinearLayer> {
    if let Some(known) = job.material.start {
        let layer = LinearLayer::load(known).map_err(|error| {
            let sentence = format!("mvp goes on from a prompt of mvp: {}", error.message());
            Error::new(Kind::PromptInvalid, sentence)
        })?;
        return layer.on(&known.class_names, job.model, job.names).await;
    }
    let (k, s) = (job.names.len(), f64::from(job.model.logit_scale()));
    let templates = params.texts.or(TemplateSet::Default)?;
    let texts = mean_texts(&job.texts(&templates).await?, k, job.model.dim());
    Ok(LinearLayer {
        weight: texts.iter().map(|v| (s * v) as f32).collect(),
        bias: vec![0.0; k],
        probabilities: Probabilities::Softmax,
        templates,
    })
}
