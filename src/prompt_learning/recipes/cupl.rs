//! CuPL and any other list of sentences about the classes.

use super::templates::TemplateSet;
use crate::error::Result;
use crate::math::UnitRows;
use crate::prompt::model::mean_texts;
use crate::prompt::template::Template;
use crate::prompt_learning::descriptions::{CLASS_FILE, Descriptions};
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Needs, Recipe, TypedRun};
use crate::prompt_learning::values::words;

parameters! {
    /// Parameters of CuPL.
    pub struct Params {
        /// average the descriptions, the 80 templates, or both together
        sentences as "use": Sentences = Sentences::Descriptions,
    }
}

words! {
    /// What is averaged.
    pub enum Sentences {
        /// The descriptions.
        Descriptions = "descriptions",
        /// Descriptions and templates.
        Both = "both",
        /// CLIP's eighty templates.
        Templates = "templates",
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "cupl",
    paper: "Pratt et al. 2023, What does a platypus look like? (ICCV)",
    summary: "The mean of sentences that describe each class, from a JSON file.",
    needs: Needs {
        descriptions: true,
        ..Needs::NOTHING
    },
    learns: "nothing",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::templates::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let descriptions = job.descriptions(CLASS_FILE)?;
    let templates = match params.sentences {
        Sentences::Descriptions => TemplateSet::Default.templates()?,
        Sentences::Both | Sentences::Templates => TemplateSet::Clip80.templates()?,
    };
    let (k, d) = (job.names.len(), job.model.dim());
    let texts = match params.sentences {
        Sentences::Descriptions => centroids(job, descriptions, &templates).await?,
        Sentences::Templates => mean_texts(&job.texts(&templates).await?, k, d),
        Sentences::Both => {
            let mut sums = sums(job, descriptions).await?.0;
            for set in job.texts(&templates).await?.chunks_exact(k * d) {
                sums.iter_mut().zip(set).for_each(|(s, v)| *s += v);
            }
            UnitRows::new(&sums, d).values
        }
    };
    let coverage = descriptions.coverage(job.names);
    let mut cut = 0;
    for name in job.names {
        for sentence in descriptions.of(name) {
            cut += usize::from(job.model.tokens(sentence)?.1);
        }
    }
    Ok(TrainedPrompt {
        prompt: job.text_prompt(&texts, &templates),
        losses: Vec::new(),
        trained_parameters: 0,
        notes: vec![
            Note::new(
                "classes without descriptions",
                coverage.missing.len() as f64,
            ),
            Note::new("descriptions of no class", coverage.unknown.len() as f64),
            Note::new("descriptions cut to fit", cut as f64),
        ],
    })
}

/// Sums [K, d] of the unit features of every class's sentences, and how many there were.
async fn sums(
    job: &TrainingJob<'_>,
    descriptions: &Descriptions,
) -> Result<(Vec<f64>, Vec<usize>)> {
    let d = job.model.dim();
    let mut sums = vec![0f64; job.names.len() * d];
    let mut counts = Vec::with_capacity(job.names.len());
    for (k, name) in job.names.iter().enumerate() {
        let progress = job.observer.progress;
        progress.step("texts", k, job.names.len()).await?;
        let sentences = descriptions.of(name);
        counts.push(sentences.len());
        if sentences.is_empty() {
            continue;
        }
        let features = job.model.features(sentences).await?;
        for row in UnitRows::new(&features, d).values.chunks_exact(d) {
            let sum = &mut sums[k * d..(k + 1) * d];
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
    }
    Ok((sums, counts))
}

/// The normalized mean of every class's sentences, of `templates` if it has none, [K, d].
///
/// # Errors
/// `labels/too-long` and the device's errors.
pub async fn centroids(
    job: &TrainingJob<'_>,
    descriptions: &Descriptions,
    templates: &[Template],
) -> Result<Vec<f64>> {
    let d = job.model.dim();
    let (mut sums, counts) = sums(job, descriptions).await?;
    if counts.contains(&0) {
        let plain = mean_texts(&job.texts(templates).await?, job.names.len(), d);
        for (k, _) in counts.iter().enumerate().filter(|(_, n)| **n == 0) {
            sums[k * d..(k + 1) * d].copy_from_slice(&plain[k * d..(k + 1) * d]);
        }
    }
    Ok(UnitRows::new(&sums, d).values)
}
