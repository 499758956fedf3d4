//! TFUP: a cache of unlabeled images. At least nine are kept for every class, so fewer than ten are all
//! kept for each and say nothing. The authors' pool is the test set; its trained form is left out.

use super::tip_adapter::CacheParams;
use crate::error::{Error, Kind, Result};
use crate::prompt::heads::cache::{Cache, CachedTexts, Likeness, predictions};
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::model::mean_texts;
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Needs, Recipe, TypedRun};
use crate::prompt_learning::unlabeled::{per_class, select};

parameters! {
    /// Parameters of TFUP.
    pub struct Params {
        ..cache: CacheParams { alpha = 0.3 }
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "tfup",
    paper: "Long et al. 2024, Training-Free Unsupervised Prompt for Vision-Language Models",
    summary: "Tip-Adapter without labels: keeps the surest, most typical images; fewer than ten change nothing.",
    needs: Needs::IMAGES,
    learns: "nothing; it keeps the features of chosen photos",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::tip_adapter::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (k, d) = (job.names.len(), job.model.dim());
    let plain = job.examples.map(|e| e.plain()).unwrap_or_default();
    let images = if job.material.unlabeled.is_empty() {
        &plain
    } else {
        job.material.unlabeled
    };
    if images.is_empty() {
        return Err(Error::new(
            Kind::DataEmpty,
            "tfup needs images of the kind to be told apart; labels are not needed.",
        ));
    }
    let templates = params.cache.templates()?;
    let texts = mean_texts(&job.texts(&templates).await?, k, d);
    let images: Vec<f64> = images.iter().map(|v| f64::from(*v)).collect();
    let count = images.len() / d;
    let all: Vec<f64> = images
        .chunks_exact(d)
        .flat_map(|image| predictions(image, &texts))
        .collect();
    let mut cache = Cache {
        keys: Vec::new(),
        classes: Vec::new(),
        alpha: job.scaled(params.cache.alpha),
        beta: params.cache.beta,
        likeness: Likeness::Predictions(Vec::new()),
        votes: params.cache.votes(),
    };
    let chosen = select(&all, k, per_class(count, k));
    for (class, members) in chosen.into_iter().enumerate() {
        for i in members {
            cache.keys.extend(&images[i * d..(i + 1) * d]);
            cache.classes.push(class);
        }
    }
    let kept = cache.classes.len();
    let weights = CachedTexts {
        texts: TextFeatures::new(&texts, &templates),
        cache,
    };
    Ok(TrainedPrompt {
        prompt: job.prompt(&weights),
        losses: Vec::new(),
        trained_parameters: 0,
        notes: vec![Note::new("images kept", kept as f64)],
    })
}
