//! Tip-Adapter: a cache of the images, without training.

use super::templates::{SET, chosen};
use crate::error::Result;
use crate::prompt::heads::cache::{Cache, CachedTexts, Likeness};
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::template::Template;
use crate::prompt_learning::cache_search::search;
use crate::prompt_learning::job::{
    Cost, Needs, Note, Recipe, TrainedPrompt, TrainingJob, mean_texts,
};
use crate::prompt_learning::options::Parameter;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "tip-adapter",
    paper: "Zhang et al. 2022, Tip-Adapter: Training-free Adaption of CLIP (ECCV)",
    summary: "Remembers the images and adds their likeness to the text's opinion; no training.",
    kind: Cost::Features,
    needs: Needs::Images,
    transfers: true,
    others: false,
    own: &[ALPHA, BETA, SEARCH, SET],
    run: |job| Box::pin(run(job)),
    shared: &[],
};

/// α.
pub const ALPHA: Parameter =
    Parameter::number("alpha", "1.17", (0.0, 100.0), "weight of the images");
/// β.
pub const BETA: Parameter = Parameter::number("beta", "1", (0.0, 100.0), "how fast likeness fades");

/// Whether both are searched for.
pub const SEARCH: Parameter = Parameter::word(
    "search",
    &["no", "yes"],
    "look for the alpha and beta that answer the images best, each without itself",
);

/// Where both forms of Tip-Adapter begin.
pub struct Start {
    /// Unit text features [K, d].
    pub texts: Vec<f64>,
    /// The texts and the cache as the images make it.
    pub weights: CachedTexts,
    /// What a search found.
    pub notes: Vec<Note>,
}

/// The texts and the cache of the job's images, with what was searched for.
pub async fn start(job: &TrainingJob<'_>) -> Result<Start> {
    let images = job.images()?;
    let templates: Vec<Template> = chosen(job.options.text("set"))?;
    let texts = job.texts(&templates).await?;
    let texts = mean_texts(&texts, job.names.len(), job.model.dim());
    let mut cache = Cache {
        keys: images.means().iter().map(|v| f64::from(*v)).collect(),
        classes: images.labels().to_vec(),
        alpha: job.options.number("alpha"),
        beta: job.options.number("beta"),
        likeness: Likeness::Cosine,
    };
    let mut notes = Vec::new();
    if job.options.text("search") == "yes" {
        let plain: Vec<f64> = images.plain().iter().map(|v| f64::from(*v)).collect();
        let scale = f64::from(job.model.logit_scale());
        if let Some(found) = search(&cache, &plain, &texts, scale) {
            (cache.alpha, cache.beta) = (found.alpha, found.beta);
            notes.push(Note::new("alpha", found.alpha));
            notes.push(Note::new("beta", found.beta));
            notes.push(Note::new("accuracy, each image left out", found.accuracy));
        }
    }
    Ok(Start {
        weights: CachedTexts {
            texts: TextFeatures::new(&texts, &templates),
            cache,
        },
        texts,
        notes,
    })
}

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let found = start(job).await?;
    Ok(TrainedPrompt {
        prompt: job.prompt(&found.weights),
        losses: Vec::new(),
        trained_parameters: 0,
        notes: found.notes,
    })
}
