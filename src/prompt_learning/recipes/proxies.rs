//! Semantic proxies: a space in which photos of a class are near its proxy, learned on cached features.
//!
//! The loss is the authors'. They learn prompts inside the image tower, and their proxies follow the
//! features of photos through a gated recurrent cell. Here the space is a matrix behind the tower,
//! and the proxies start from the texts and are learned directly.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::{Error, Kind, Result};
use crate::prompt::heads::proxies::Proxies;
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::model::mean_texts;
use crate::prompt_learning::context_recipe::rate_notes;
use crate::prompt_learning::descent::{CropParams, OptimizerKind, Steps};
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::method::Method;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::proxies::{Mode, ProxyLearner, ProxyLoss};
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::trainer::fit;
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of the semantic proxies.
    pub struct Params {
        /// weight of what is learned; 0 is templates
        weight: f64 = 1.0, in 0.0..=100.0,
        /// anchor compares each proxy with the photos, nca each photo with the proxies
        loss: Mode = Mode::Anchor,
        /// how steeply a cosine counts
        steepness: f64 = 32.0, in 0.1..=1000.0,
        /// how far above or below 0 cosines are to be
        margin: f64 = 0.1, in 0.0..=1.0,
        /// adamw with a cosine over all steps, or sgd with momentum
        optimizer: OptimizerKind = OptimizerKind::AdamW,
        ..steps: Steps {
            epochs = Auto::Set(100),
        }
        ..crops: CropParams {}
        ..texts: FixedTexts {}
    }
    paper(p) {
        p.optimizer = OptimizerKind::Sgd;
        p.steps.lr = Auto::Set(0.005);
        p.steps.epochs = Auto::Set(15);
        p.steps.batch = Auto::Set(64);
    }
    crops(p) {
        p.crops.over(p.steps.epochs)
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "proxies",
    aliases: &[],
    paper: "Ren et al. 2024, Learning Semantic Proxies from Visual Prompts for Parameter-Efficient Fine-Tuning in Deep Metric Learning (ICLR), without the visual prompts",
    summary: "Learns a space in which photos of a class are near each other and near a proxy.",
    learns: "a map and a proxy for each class: d x d + K x d numbers",
    least_classes: 2,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::tip_adapter::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (images, k, d) = (job.images()?, job.names.len(), job.model.dim());
    if k < 2 || images.len() < 2 {
        return Err(Error::new(
            Kind::OptionInvalid,
            "proxies learns what keeps photos apart; give two classes and two photos at least.",
        ));
    }
    let templates = params.texts.or(TemplateSet::Default)?;
    let base = mean_texts(&job.texts(&templates).await?, k, d);
    let mut descent = params.steps.settings(job);
    if params.optimizer == OptimizerKind::Sgd {
        descent.method = Method::COOP;
    }
    let mut learner = ProxyLearner {
        base: &base,
        strength: params.weight,
        loss: ProxyLoss {
            mode: params.loss,
            steepness: params.steepness,
            margin: params.margin,
        },
    };
    let start = vec![0f32; (d + k) * d];
    let found = fit(&mut learner, start, images, &descent, job.observer).await?;
    let map = learner.map(&found.parameters, d);
    let proxies = learner.proxies(&found.parameters, d).values;
    Ok(TrainedPrompt {
        prompt: job.prompt(&Proxies {
            proxies: TextFeatures::new(&proxies, &templates),
            map: map.iter().map(|v| *v as f32).collect(),
        }),
        notes: rate_notes(&found),
        trained_parameters: found.parameters.len(),
        losses: found.losses,
    })
}
