//! Ranking: a score per photo, from photos of classes that are numbers or stand in an order.
//!
//! Of the ranking-aware adapter this is the branch without rank-aware attention, on cached features:
//! their losses, their network of scores and their network of pairs. Left out are the rows of the
//! image tower, the cross-modal block with its extra tokens, and the text query, so one prompt sorts by
//! one quality.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::{Error, Kind, Result};
use crate::prompt::heads::ranking::{Line, Ranking, class_values, moments, score_network};
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::model::mean_texts;
use crate::prompt_learning::context_recipe::rate_notes;
use crate::prompt_learning::descent::{CropParams, Steps};
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::ranking::{RankingLearner, order_notes, pair_network};
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::trainer::fit;
use crate::prompt_learning::values::{Auto, words};
use crate::rng::Rng;

words! {
    /// Where the logit of a pair of photos comes from.
    pub enum Pairs {
        /// The difference of their scores.
        Scores = "scores",
        /// A network of its own on the difference of their features.
        Network = "network",
    }
}

parameters! {
    /// Parameters of the ranking.
    pub struct Params {
        /// numbers of a hidden layer; auto: as many as a feature has, as published
        width: Auto<usize> = Auto::Set(64), in 1..=1024,
        /// what is compared in pairs of photos: their scores, or their features by a network that is
        /// dropped after training, as published
        pairs: Pairs = Pairs::Scores,
        /// weight of the distance between scores and values
        regression: f64 = 0.2, in 0.0..=1e4,
        /// learn values less their mean, in standard deviations; or as they are, as published
        scaled: bool = true,
        ..steps: Steps {
            epochs = Auto::Set(50),
            lr = Auto::Set(0.001),
            batch = Auto::Set(32),
        }
        ..crops: CropParams {}
        ..texts: FixedTexts {}
    }
    paper(p) {
        p.width = Auto::Auto;
        p.pairs = Pairs::Network;
        p.scaled = false;
        p.steps.lr = Auto::Set(5e-5);
    }
    crops(p) {
        p.crops.over(p.steps.epochs)
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "ranking",
    aliases: &[],
    paper: "Yu et al. 2025, Ranking-aware adapter for text-driven image ordering with CLIP (ICLR), the branch without attention",
    summary: "Scores photos whose classes are numbers or stand in an order, to sort by it.",
    transfers: false,
    learns: "two networks on the image feature: some d x width numbers each",
    least_classes: 2,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::tip_adapter::RECIPE
};

/// The most photos of a step: each is compared with every other.
const MAX_BATCH: usize = 128;

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (images, d) = (job.images()?, job.model.dim());
    let values = class_values(job.names);
    let own: Vec<f64> = images.labels().iter().map(|y| values[*y]).collect();
    let descent = params.steps.settings(job);
    if own.iter().all(|value| *value == own[0]) {
        return Err(refused(
            "ranking compares photos; give photos of two classes with different values, such as 1 and 5.",
        ));
    }
    if descent.batch > MAX_BATCH {
        return Err(refused(
            "ranking compares every photo of a step with every other; set batch to 128 or less.",
        ));
    }
    let (mean, deviation) = if params.scaled {
        moments(&own)
    } else {
        (0.0, 1.0)
    };
    let width = params.width.unwrap_or_else(|| d);
    let mut learner = RankingLearner {
        score: score_network(d, width),
        pairs: (params.pairs == Pairs::Network).then(|| pair_network(d, width)),
        values: values.iter().map(|v| (v - mean) / deviation).collect(),
        regression: params.regression,
    };
    let mut rng = Rng::derive(job.seed, u64::MAX);
    let mut start = learner.score.start(&mut rng);
    start.extend(
        learner
            .pairs
            .iter()
            .flat_map(|network| network.start(&mut rng)),
    );
    let found = fit(&mut learner, start, images, &descent, job.observer).await?;
    let network = found.parameters[..learner.score.count()].to_vec();
    let scores: Vec<f64> = images
        .plain()
        .chunks_exact(d)
        .map(|image| {
            let image: Vec<f64> = image.iter().map(|v| f64::from(*v)).collect();
            learner.score.forward(&network, &image).output[0]
        })
        .collect();
    let line = Line::through(&scores, &own, &values);
    let mut notes = rate_notes(&found);
    notes.extend(order_notes(&scores, &own));
    let templates = params.texts.or(TemplateSet::Default)?;
    let texts = mean_texts(&job.texts(&templates).await?, job.names.len(), d);
    Ok(TrainedPrompt {
        prompt: job.prompt(&Ranking {
            texts: TextFeatures::new(&texts, &templates),
            width,
            network,
            line,
        }),
        notes,
        trained_parameters: found.parameters.len(),
        losses: found.losses,
    })
}

fn refused(sentence: &str) -> Error {
    Error::new(Kind::OptionInvalid, sentence)
}
