//! LAPT: one context for the class names and one for negative labels, to detect images of none of the
//! classes.
//!
//! If a kind has no images, its texts replace them, as in the authors' code.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::math::{UnitRows, argmax, dot};
use crate::ood::lapt::{CROSS_DISTRIBUTION_BETA, CROSS_MODAL_ALPHA};
use crate::ood::negatives::{Excluder, Synonyms};
use crate::prompt::heads::context::{ContextVectors, LearnedContext, NegativeContext};
use crate::prompt::layout::PromptLayout;
use crate::prompt::model::{encode, mean_texts};
use crate::prompt::template::{CLIP7, Template};
use crate::prompt_learning::context_recipe::{ContextRecipe, SPREAD, noise};
use crate::prompt_learning::descent::{ContextStart, Init, Steps};
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::losses::{CrossDistribution, CrossModal, Mixer};
use crate::prompt_learning::method::Method;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Cost, Evidence, Needs, Recipe, TypedRun};
use crate::prompt_learning::schedule::Schedule;
use crate::prompt_learning::trainer::Settings;
use crate::prompt_learning::values::Auto;
use crate::rng::Rng;

parameters! {
    /// Parameters of LAPT.
    pub struct Params {
        /// negative labels to train with, the best first; the prompt is used with all of them
        negatives: usize = 50, in 1..=10_000,
        /// weight of images mixed with texts
        cm: f64 = 1.0, in 0.0..=100.0,
        /// weight of class images mixed with other images
        cd: f64 = 1.0, in 0.0..=100.0,
        /// whether the images as they are count too; without, only a batch of one kind has their loss
        /// in place of cd's
        plain: bool = true,
        /// class and other images are mixed in shares drawn from Beta(beta, beta); 0.3 in the paper's
        /// supplement, 1 in the authors' code
        beta: f64 = CROSS_DISTRIBUTION_BETA, in 0.01..=100.0,
        /// one share for all mixtures of a batch, or one for each
        one_share as "one-share": bool = false,
        ..context: ContextStart {}
        ..steps: Steps {
            epochs = Auto::Set(10),
            batch = Auto::Set(32),
        }
    }
    paper(p) {
        p.negatives = 1000;
        p.context.init = Init::Random;
        p.plain = false;
        p.beta = 1.0;
        p.steps.lr = Auto::Set(0.01);
        p.one_share = true;
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "lapt",
    aliases: &[],
    paper: "Zhang et al. 2024, LAPT: Label-driven Automated Prompt Tuning for OOD Detection with Vision-Language Models (ECCV)",
    summary: "Learns what is none of the classes: one context for their names, one for other words.",
    evidence: Evidence::Code,
    learns: "two contexts: 2 x vectors x width numbers",
    kind: Cost::Text,
    needs: Needs {
        outliers: true,
        ..Needs::NOTHING
    },
    least_classes: 1,
    most_classes: None,
    transfers: true,
    continues: false,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
};

/// The most texts of one kind that replace images if there are none at all.
const MOST_TEXTS: usize = 2000;

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (k, d) = (job.names.len(), job.model.dim());
    let (all, left_out) = usable(job)?;
    let trained = &all[..all.len().min(params.negatives)];
    let joint = [job.names, trained].concat();
    let mut hard = Vec::new();
    for (done, template) in Template::parse_all(CLIP7)?.iter().enumerate() {
        job.observer
            .progress
            .step("texts", done, CLIP7.len())
            .await?;
        hard.extend(encode(job.model, template, &joint).await?);
    }
    let hard = UnitRows::new(&hard, d).values;
    let training = TrainingSet::new(job, &hard, joint.len())?;
    let inner = TrainingJob {
        names: &joint,
        examples: Some(&training.examples),
        ..*job
    };

    let settings = Settings {
        method: Method::Sgd {
            momentum: 0.9,
            weight_decay: 1e-5,
            nesterov: true,
        },
        schedule: Schedule::COSINE,
        ..params.steps.settings(&inner)
    };
    let mut two_contexts = ContextRecipe::new(&inner, &params.context, settings)?;
    let negative = match params.context.init {
        Init::Words => two_contexts.start.clone(),
        Init::Random => {
            let mut rng = Rng::derive(job.seed, u64::MAX - 3);
            noise(job, two_contexts.start.len(), SPREAD, &mut rng)?
        }
    };
    two_contexts.start.extend(negative);
    two_contexts.layout.assigned = Some((0..joint.len()).map(|i| usize::from(i >= k)).collect());
    if !params.plain {
        two_contexts.losses.clear();
    }
    let mixer = |stream: u64, a: f64| Mixer {
        rng: Rng::derive(job.seed, u64::MAX - stream),
        a,
        one_share: params.one_share,
    };
    if params.cm > 0.0 {
        two_contexts.losses.push(Box::new(CrossModal {
            strength: params.cm,
            texts: hard,
            mixer: mixer(1, CROSS_MODAL_ALPHA),
        }));
    }
    if params.cd > 0.0 {
        two_contexts.losses.push(Box::new(CrossDistribution {
            strength: params.cd,
            classes: k,
            plain_instead: !params.plain,
            mixer: mixer(2, params.beta),
        }));
    }
    let layout = two_contexts.layout.clone();
    let fit = two_contexts.fit(&inner).await?;

    let (own, negative) = fit.parameters.split_at(fit.parameters.len() / 2);
    let weights = LearnedContext {
        layout: PromptLayout {
            assigned: None,
            ..layout
        },
        vectors: ContextVectors::Shared(own.to_vec()),
        negatives: Some(Arc::new(NegativeContext {
            context: negative.to_vec(),
            words: all.clone(),
            taught_with: Some(training.taught_with.to_owned()),
        })),
    };
    let mut notes = training.notes;
    notes.push(Note::new("negative labels", all.len() as f64));
    notes.push(Note::new(
        "negative labels trained with",
        trained.len() as f64,
    ));
    if left_out > 0 {
        notes.push(Note::new("negative labels left out", left_out as f64));
    }
    Ok(TrainedPrompt {
        prompt: job.prompt(&weights),
        losses: fit.losses,
        trained_parameters: fit.parameters.len(),
        notes,
    })
}

/// The negative labels that name no class and no other negative, and how many did.
fn usable(job: &TrainingJob<'_>) -> Result<(Vec<String>, usize)> {
    let excluder = Excluder::new(job.names, &[], Synonyms::bundled());
    let mut seen = BTreeSet::new();
    let given = job.material.outliers.negatives;
    let all: Vec<String> = given
        .iter()
        .filter(|word| excluder.reject_added(word, &mut seen).is_none())
        .map(|word| word.trim().to_owned())
        .collect();
    if all.is_empty() {
        return Err(Error::new(
            Kind::NegativesEmpty,
            "LAPT learns from words for what is none of the classes; give at least one that names none of them.",
        ));
    }
    let left_out = given.len() - all.len();
    Ok((all, left_out))
}

/// Samples of both kinds; labels count through the classes and then the negatives.
struct TrainingSet {
    examples: Examples,
    taught_with: &'static str,
    notes: Vec<Note>,
}

impl TrainingSet {
    /// From the job's images and `hard` texts [P, K + N, d].
    fn new(job: &TrainingJob<'_>, hard: &[f64], joint: usize) -> Result<Self> {
        let (k, d) = (job.names.len(), job.model.dim());
        let texts = mean_texts(hard, joint, d);
        let (own, other) = (job.examples, job.material.outliers.images);
        let views = own.or(other).map_or(1, Examples::views);
        if own.or(other).is_some_and(|e| e.dim() != d)
            || other.is_some_and(|e| e.views() != views || e.dim() != d)
        {
            return Err(Error::new(
                Kind::Internal,
                "Images of the classes and others need the same crops and the same model.",
            ));
        }
        let mut samples = Samples {
            features: Vec::new(),
            labels: Vec::new(),
            views,
        };
        if let Some(own) = own {
            samples.images(own, |i| own.labels()[i]);
        }
        let classes = samples.labels.len();
        if let Some(other) = other {
            let negatives = &texts[k * d..];
            samples.images(other, |i| k + nearest(other.view(i, 0), negatives, d));
        }
        let others = samples.labels.len() - classes;
        let sets = hard.len() / (joint * d);
        let without = (sets * k).max(joint - k).min(MOST_TEXTS);
        let mut stand_in = |from: usize, until: usize, images: usize| {
            let count = if images > 0 { images } else { without };
            for number in 0..count {
                let label = from + number % (until - from);
                samples.text(hard, d, joint, label, number / (until - from));
            }
            count
        };
        let mut notes = vec![
            Note::new("images of the classes", classes as f64),
            Note::new("other images", others as f64),
        ];
        let mut texts_used = 0;
        if classes == 0 {
            texts_used += stand_in(0, k, others);
        }
        if others == 0 {
            texts_used += stand_in(k, joint, classes);
        }
        notes.push(Note::new("texts in place of images", texts_used as f64));
        let taught_with = match (classes > 0, others > 0) {
            (true, true) => "images of the classes and other images",
            (true, false) => "images of the classes, and texts in place of other images",
            (false, true) => "other images, and texts in place of images of the classes",
            (false, false) => "texts only",
        };
        Ok(Self {
            examples: Examples::new(samples.features, samples.labels, views, d, joint)?,
            taught_with,
            notes,
        })
    }
}

struct Samples {
    features: Vec<f32>,
    labels: Vec<usize>,
    views: usize,
}

impl Samples {
    fn images(&mut self, examples: &Examples, label: impl Fn(usize) -> usize) {
        for i in 0..examples.len() {
            for view in 0..self.views {
                self.features.extend_from_slice(examples.view(i, view));
            }
            self.labels.push(label(i));
        }
    }

    /// One stand-in for an image of `label`: its views are texts in templates from number `first` on.
    fn text(&mut self, hard: &[f64], d: usize, joint: usize, label: usize, first: usize) {
        let sets = hard.len() / (joint * d);
        for view in 0..self.views {
            let row = ((first + view) % sets * joint + label) * d;
            let text = hard[row..row + d].iter().map(|v| *v as f32);
            self.features.extend(text);
        }
        self.labels.push(label);
    }
}

/// The place of the text [N, d] nearest to an image.
fn nearest(image: &[f32], texts: &[f64], d: usize) -> usize {
    let cosines: Vec<f64> = texts.chunks_exact(d).map(|t| dot(image, t)).collect();
    argmax(&cosines)
}
