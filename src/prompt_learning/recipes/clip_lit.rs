//! CLIP-LIT's pair of prompts: one for a bad state, one for a good one, without any class name between
//! their vectors. The authors enhance the images of each round and rank them; here photos that lie
//! between the two states are ranked.

use crate::error::{Error, Kind, Result};
use crate::prompt::heads::context::{ContextVectors, LearnedContext};
use crate::prompt_learning::context_recipe::{ContextRecipe, learned};
use crate::prompt_learning::descent::{ContextStart, CropParams, Steps};
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::losses::Ordered;
use crate::prompt_learning::method::Method;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Needs, Recipe, TypedRun};
use crate::prompt_learning::trainer::{Settings, fit};
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of CLIP-LIT's pair.
    pub struct Params {
        /// vectors of each prompt
        vectors: usize = 16, in 1..=64,
        /// how far bad photos must be from good ones and from those between
        first: f64 = 0.9, in 0.0..=1.0,
        /// how far photos between must be from good ones
        next: f64 = 0.2, in 0.0..=1.0,
        /// strength of the order
        order: f64 = 200.0, in 0.0..=1e4,
        /// epochs that put photos between into order, if there are any
        rounds: usize = 20, in 0..=10_000,
        ..steps: Steps {}
        ..crops: CropParams {}
    }
    paper(p) {
        p.steps.lr = Auto::Set(5e-6);
        p.steps.batch = Auto::Set(16);
    }
    crops(p) {
        p.crops.over(p.steps.epochs)
    }
}

/// The word that fills the prompts at the start.
const FILLER: &str = "X";

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "clip-lit",
    paper: "Liang et al. 2023, Iterative Prompt Learning for Unsupervised Backlit Image Enhancement (ICCV); its pair of prompts",
    summary: "Sorts photos by a quality: two classes, the bad state first; photos without labels lie between.",
    learns: "two prompts: 2 x vectors x width numbers",
    needs: Needs {
        unlabeled: true,
        ..Needs::LABELED_IMAGES
    },
    least_classes: 2,
    most_classes: Some(2),
    transfers: false,
    continues: false,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let images = job.images()?;
    if images.counts(2).contains(&0) {
        return Err(Error::new(
            Kind::OptionInvalid,
            "clip-lit needs photos of both classes: first the bad state, then the good one.",
        ));
    }
    let settings = Settings {
        method: Method::AdamW {
            eps: 1e-8,
            weight_decay: 1e-3,
            coupled: true,
        },
        ..params.steps.settings(job)
    };
    let filler = vec![FILLER; params.vectors].join(" ");
    let words = job.model.words(&filler)?;
    let rows = params.vectors * job.model.width();
    // Words that a tokenizer makes more of than one token each are cut.
    let start: Vec<f32> = words.into_iter().cycle().take(rows).collect();
    let recipe = pair(job, params, start.repeat(2), settings)?;
    let layout = recipe.layout.clone();
    let mut found = recipe.fit(job).await?;
    if !job.material.unlabeled.is_empty() && params.rounds > 0 {
        let (between, stages) = with_between(images, job.material.unlabeled)?;
        let settings = Settings {
            epochs: params.rounds,
            ..settings
        };
        let mut recipe = pair(job, params, found.parameters, settings)?;
        recipe.losses = vec![Box::new(Ordered {
            strength: params.order,
            first: params.first,
            next: params.next,
            stages,
        })];
        let (mut learner, start) = recipe.learner(job)?;
        let ranked = fit(&mut learner, start, &between, &settings, job.observer).await?;
        found.parameters = ranked.parameters;
        found.losses.extend(ranked.losses);
    }
    let weights = LearnedContext {
        layout,
        vectors: ContextVectors::PerClass {
            last: found.parameters.clone(),
            earlier: Vec::new(),
        },
        negatives: None,
    };
    Ok(learned(job, &weights, &found))
}

/// Two prompts that start at `start` [2, M, W].
fn pair(
    job: &TrainingJob<'_>,
    params: &Params,
    start: Vec<f32>,
    settings: Settings,
) -> Result<ContextRecipe> {
    let context = ContextStart {
        vectors: params.vectors,
        ..ContextStart::default()
    };
    let mut pair = ContextRecipe::new(job, &context, settings)?;
    pair.per_class(2);
    pair.layout.nameless = true;
    pair.start = start;
    Ok(pair)
}

/// The plain photos with those between, and the stage of each: bad, between, good. A photo between has
/// no class; its label is not read.
fn with_between(images: &Examples, between: &[f32]) -> Result<(Examples, Vec<usize>)> {
    let d = images.dim();
    let count = between.len() / d;
    let features = [images.plain(), between.to_vec()].concat();
    let mut labels = images.labels().to_vec();
    let stages = labels.iter().map(|label| 2 * label);
    let stages = stages.chain(std::iter::repeat_n(1, count)).collect();
    labels.extend(std::iter::repeat_n(0, count));
    Ok((Examples::new(features, labels, 1, d, 2)?, stages))
}
