//! Hard prompts and their ensembles: nothing is trained.

use crate::error::Result;
use crate::prompt_learning::bound::{DELTA, kl_inverse, uniform_prior};
use crate::prompt_learning::job::{Cost, TrainingJob, TrainedPrompt, Needs, Note, Recipe, mean_texts};
use crate::prompt_learning::options::Parameter;
use crate::math::argmax;
use crate::math::dot;
use crate::prompt::ensemble::CLIP80;
use crate::prompt::template::{CLIP7, DEFAULT, Template};

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "templates",
    paper: "Radford et al. 2021, CLIP (ICML); bound: Akinwande et al. 2024",
    summary: "Hand-written sentences around the names, averaged; with images, how far to trust them.",
    kind: Cost::Hard,
    needs: Needs::Nothing,
    transfers: true,
    others: false,
    own: &[
        SET,
        Parameter::text(
            "own",
            "",
            "sentences of your own with {} for the name, divided by |; they replace the set",
        ),
    ],
    shared: &[],
    run: |job| Box::pin(run(job)),
};

/// The set of sentences.
pub const SET: Parameter = Parameter::word(
    "set",
    &["default", "clip7", "clip80"],
    "which sentences: one, seven or eighty",
);

/// The templates of the set `name`.
///
/// # Errors
/// `prompt/invalid-template`.
pub fn chosen(name: &str) -> Result<Vec<Template>> {
    match name {
        "clip7" => Template::parse_all(CLIP7),
        "clip80" => Template::parse_all(&CLIP80),
        _ => Template::parse_all(DEFAULT),
    }
}

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let own: Vec<&str> = job
        .options
        .text("own")
        .split('|')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect();
    let templates = if own.is_empty() {
        chosen(job.options.text("set"))?
    } else {
        Template::parse_all(&own)?
    };
    let texts = job.texts(&templates).await?;
    let texts = mean_texts(&texts, job.names.len(), job.model.dim());
    let mut notes = Vec::new();
    if let Some(images) = job.examples {
        let error = 1.0 - accuracy(&texts, job.model.dim(), &images.plain(), images.labels());
        let mut tokens = 0;
        for template in &templates {
            tokens += job.model.tokens(&template.fill(""))?.0;
        }
        let bound = kl_inverse(error, uniform_prior(tokens), images.len(), DELTA)?;
        notes.push(Note::new("training error", error));
        notes.push(Note::new("PAC-Bayes bound on the error (95 %)", bound));
    }
    Ok(TrainedPrompt {
        prompt: job.text_prompt(&texts, &templates),
        losses: Vec::new(),
        trained_parameters: 0,
        notes,
    })
}

/// Share of unit `images` [N, d] that are nearest to the text [K, d] of their label.
pub fn accuracy(texts: &[f64], d: usize, images: &[f32], labels: &[usize]) -> f64 {
    let hits = images.chunks_exact(d).zip(labels).filter(|(image, label)| {
        let z: Vec<f64> = texts.chunks_exact(d).map(|t| dot(image, t)).collect();
        argmax(&z) == **label
    });
    hits.count() as f64 / labels.len().max(1) as f64
}
