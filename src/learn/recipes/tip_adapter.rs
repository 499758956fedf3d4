//! Tip-Adapter: a cache of the images, without training.

use super::templates::{SET, chosen};
use crate::error::Result;
use crate::learn::cache::{Cache, Likeness};
use crate::learn::head::keep_cache;
use crate::learn::job::{Cost, Job, Learned, Needs, Recipe, mean_texts};
use crate::learn::options::Parameter;
use crate::prompt::file::Prompt;
use crate::prompt::template::Template;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "tip-adapter",
    paper: "Zhang et al. 2022, Tip-Adapter: Training-free Adaption of CLIP (ECCV)",
    summary: "Remembers the images and adds their likeness to the text's opinion; no training.",
    kind: Cost::Features,
    needs: Needs::Images,
    transfers: true,
    others: false,
    own: &[ALPHA, BETA, SET],
    run: |job| Box::pin(run(job)),
    shared: &[],
};

/// α.
pub const ALPHA: Parameter =
    Parameter::number("alpha", "1.17", (0.0, 100.0), "weight of the images");
/// β.
pub const BETA: Parameter = Parameter::number("beta", "1", (0.0, 100.0), "how fast likeness fades");

/// The text features, the cache as the images make it, and their prompt without the cache.
pub async fn start(job: &Job<'_>) -> Result<(Vec<f64>, Cache, Prompt)> {
    let images = job.images()?;
    let templates: Vec<Template> = chosen(job.options.text("set"))?;
    let texts = job.texts(&templates).await?;
    let texts = mean_texts(&texts, job.names.len(), job.model.dim());
    let cache = Cache {
        keys: images.means().iter().map(|v| f64::from(*v)).collect(),
        classes: images.labels().to_vec(),
        alpha: job.options.number("alpha"),
        beta: job.options.number("beta"),
        likeness: Likeness::Cosine,
    };
    let prompt = job.text_prompt(&texts, &templates);
    Ok((texts, cache, prompt))
}

async fn run(job: &Job<'_>) -> Result<Learned> {
    let (_, cache, mut prompt) = start(job).await?;
    keep_cache(&mut prompt, &cache, job.model.dim());
    Ok(Learned {
        prompt,
        losses: Vec::new(),
        trained_parameters: 0,
        notes: Vec::new(),
    })
}
