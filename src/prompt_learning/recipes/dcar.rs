//! The weights of DCAR's attributes, of which only a description is public: how much a sentence tells
//! about its class in your photos decides its share in the class's text feature.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::Result;
use crate::math::{UnitRows, dot, softmax};
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::model::mean_texts;
use crate::prompt_learning::descriptions::CLASS_FILE;
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Evidence, Needs, Recipe, TypedRun};

parameters! {
    /// Parameters of DCAR's weights.
    pub struct Params {
        /// temperature of the weights, in nats of mutual information: small values keep the most telling
        /// sentences alone, large ones weigh all the same
        tau: f64 = 0.1, in 1e-3..=1e6,
        ..texts: FixedTexts {}
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "dcar",
    paper: "after the description of DCAR: Dual Prompt Learning for Text-to-Image Retrieval (2025); its weights of attributes",
    summary: "Sentences about the classes, weighed by how much each tells about its class in your photos.",
    evidence: Evidence::Readme,
    needs: Needs {
        descriptions: true,
        ..Needs::LABELED_IMAGES
    },
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::templates::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (descriptions, images) = (job.descriptions(CLASS_FILE)?, job.images()?);
    let (k, d) = (job.names.len(), job.model.dim());
    let templates = params.texts.or(TemplateSet::Default)?;
    let base = mean_texts(&job.texts(&templates).await?, k, d);
    let mut features = base.clone();
    let plain: Vec<f64> = images.plain().iter().map(|v| f64::from(*v)).collect();
    let (mut weighed, mut most) = (0, 0f64);
    for (class, name) in job.names.iter().enumerate() {
        let progress = job.observer.progress;
        progress.step("texts", class, k).await?;
        let sentences = descriptions.of(name);
        if sentences.is_empty() {
            continue;
        }
        let texts = UnitRows::new(&job.model.features(sentences).await?, d).values;
        let own: Vec<bool> = images
            .labels()
            .iter()
            .map(|label| *label == class)
            .collect();
        let told: Vec<f64> = texts
            .chunks_exact(d)
            .map(|text| {
                let scores: Vec<f64> = plain.chunks_exact(d).map(|f| dot(f, text)).collect();
                mutual_information(&scores, &own)
            })
            .collect();
        let mut sum = vec![0.0; d];
        for (text, weight) in texts.chunks_exact(d).zip(softmax(&told, params.tau)) {
            sum.iter_mut().zip(text).for_each(|(s, v)| *s += weight * v);
        }
        features[class * d..][..d].copy_from_slice(&UnitRows::new(&sum, d).values);
        weighed += 1;
        most = told.iter().copied().fold(most, f64::max);
    }
    Ok(TrainedPrompt {
        prompt: job.prompt(&TextFeatures::fitted(&features, &base, &templates)),
        losses: Vec::new(),
        trained_parameters: 0,
        notes: vec![
            Note::new("classes with sentences", f64::from(weighed)),
            Note::new("mutual information of the most telling sentence", most),
        ],
    })
}

/// I(score is at least the median; photo is of the class) in nats, from counts. A sentence that separates
/// equal halves has ln 2.
pub fn mutual_information(scores: &[f64], own: &[bool]) -> f64 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    };
    let mut counts = [[0.0f64; 2]; 2];
    for (score, own) in scores.iter().zip(own) {
        counts[usize::from(*score >= median)][usize::from(*own)] += 1.0;
    }
    let n = scores.len() as f64;
    let mut sum = 0.0;
    for row in 0..2 {
        for column in 0..2 {
            let joint = counts[row][column] / n;
            let alone = (counts[row][0] + counts[row][1]) * (counts[0][column] + counts[1][column]);
            if joint > 0.0 {
                sum += joint * (joint * n * n / alone).ln();
            }
        }
    }
    sum
}
