//! Hard prompts and their ensembles: nothing is trained.

use crate::error::Result;
use crate::math::{argmax, dot};
use crate::prompt::ensemble::CLIP80;
use crate::prompt::model::mean_texts;
use crate::prompt::template::{CLIP7, DEFAULT, Template};
use crate::prompt_learning::bound::{DELTA, kl_inverse, list_prior, sentence_prior};
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Cost, Evidence, Needs, Recipe, TypedRun};
use crate::prompt_learning::values::{Word, words};

parameters! {
    /// Parameters of the hand-written prompts.
    pub struct Params {
        /// which sentences: one, seven or eighty
        set: TemplateSet = TemplateSet::Default,
        /// your sentences with {} for the name, separated by |; they replace the set
        own as "own" | "template": String = String::new(),
    }
}

parameters! {
    /// Sentences for the texts that stay fixed.
    pub struct FixedTexts {
        /// sentences with {} for the name, separated by |, for the texts that stay as they are, such as
        /// a data set's own; empty takes the recipe's
        template: String = String::new(),
    }
}

impl FixedTexts {
    /// The sentences, or else those of `set`.
    ///
    /// # Errors
    /// `prompt/invalid-template`.
    pub fn or(&self, set: TemplateSet) -> Result<Vec<Template>> {
        match separated(&self.template)[..] {
            [] => set.templates(),
            ref own => Template::parse_all(own),
        }
    }
}

/// The sentences of a list with | between them.
fn separated(list: &str) -> Vec<&str> {
    let sentences = list.split('|').map(str::trim);
    sentences.filter(|text| !text.is_empty()).collect()
}

words! {
    /// A published list of sentences around a class name.
    pub enum TemplateSet {
        /// `a photo of a {}.`
        Default = "default",
        /// Seven that CLIP's authors recommend.
        Clip7 = "clip7",
        /// All eighty that CLIP's authors used on ImageNet.
        Clip80 = "clip80",
    }
}

impl TemplateSet {
    /// The sentences.
    ///
    /// # Errors
    /// `prompt/invalid-template`.
    pub fn templates(self) -> Result<Vec<Template>> {
        match self {
            Self::Default => Template::parse_all(DEFAULT),
            Self::Clip7 => Template::parse_all(CLIP7),
            Self::Clip80 => Template::parse_all(&CLIP80),
        }
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "templates",
    aliases: &[],
    paper: "Radford et al. 2021, CLIP (ICML); bound: Akinwande et al. 2024",
    summary: "Hand-written sentences around the names, averaged; with images, how far to trust them.",
    evidence: Evidence::Code,
    learns: "nothing",
    kind: Cost::Hard,
    needs: Needs::NOTHING,
    least_classes: 1,
    most_classes: None,
    transfers: true,
    continues: false,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let own = separated(&params.own);
    let templates = if own.is_empty() {
        params.set.templates()?
    } else {
        Template::parse_all(&own)?
    };
    let texts = job.texts(&templates).await?;
    let texts = mean_texts(&texts, job.names.len(), job.model.dim());
    let mut notes = Vec::new();
    if let Some(images) = job.examples {
        let error = 1.0 - accuracy(&texts, job.model.dim(), &images.plain(), images.labels());
        let prior = if own.is_empty() {
            list_prior(TemplateSet::WORDS.len())
        } else {
            let tokens = templates
                .iter()
                .map(|template| Ok(job.model.tokens(&template.fill(""))?.0))
                .collect::<Result<Vec<_>>>()?;
            // Start and end are not chosen.
            sentence_prior(&tokens, job.model.context_length() - 2)
        };
        let bound = kl_inverse(error, prior, images.len(), DELTA)?;
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
