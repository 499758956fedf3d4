//! After the idea of KAPT, of which no code is known: prompts that hold what is known about a class, as
//! key words behind its name and as a learned row in front of it. The head that pools regions of the
//! photo is left out.

use crate::error::Result;
use crate::math::UnitRows;
use crate::math::perceptron::Perceptron;
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::model::mean_texts;
use crate::prompt::template::{DEFAULT, Template};
use crate::prompt_learning::context_recipe::{ContextRecipe, rate_notes};
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::descriptions::CLASS_FILE;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::parametrizations::Told;
use crate::prompt_learning::recipe::{Evidence, Needs, Recipe, TypedRun};
use crate::prompt_learning::trainer::fit;
use crate::rng::Rng;

parameters! {
    /// Parameters of KAPT.
    pub struct Params {
        /// key words behind each name: the longest words of its descriptions; 0 for none
        keywords: usize = 3, in 0..=16,
        /// whether a row made of the descriptions stands in front of the name
        row: bool = true,
        ..descent: Descent {}
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "kapt",
    paper: "after the idea of Kan et al. 2023, Knowledge-Aware Prompt Tuning for Generalizable Vision-Language Models (ICCV)",
    summary: "CoOp with key words of a description behind each name, and a row made of it in front.",
    evidence: Evidence::Abstract,
    learns: "a context and a network: vectors x width + d/16 x (d + width) numbers and their biases",
    needs: Needs {
        descriptions: true,
        ..Needs::LABELED_IMAGES
    },
    continues: false,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

/// Sets these random numbers apart from those of the batches and the context.
const STREAM: u64 = 0x6b61_7074;

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let descriptions = job.descriptions(CLASS_FILE)?;
    let (k, d, width) = (job.names.len(), job.model.dim(), job.model.width());
    let templates = Template::parse_all(DEFAULT)?;
    // A class without a description is known by its name alone.
    let described: Vec<Vec<String>> = (job.names.iter())
        .map(|name| match descriptions.of(name) {
            [] => templates
                .iter()
                .map(|template| template.fill(name))
                .collect(),
            own => own.to_vec(),
        })
        .collect();
    let names: Vec<String> = job
        .names
        .iter()
        .map(|name| {
            let words = keywords(descriptions.of(name), name, params.keywords).join(" ");
            match words.is_empty() {
                true => name.clone(),
                false => format!("{name}, {words}"),
            }
        })
        .collect();
    let named = TrainingJob {
        names: &names,
        ..*job
    };
    let mut coop = ContextRecipe::coop(&named, &params.descent)?;
    let mut layout = coop.layout.clone();
    if params.row {
        layout.vectors += 1;
        layout.assigned = Some((0..k).collect());
        let network = Perceptron {
            input: d,
            hidden: (d / 16).max(1),
            output: width,
        };
        let mut known = Vec::with_capacity(k * d);
        for own in &described {
            let rows = UnitRows::new(&job.model.features(own).await?, d).values;
            let mut sum = vec![0.0; d];
            for row in rows.chunks_exact(d) {
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
            known.extend(UnitRows::new(&sum, d).values);
        }
        coop.parametrization = Box::new(Told {
            shared: coop.start.len(),
            network,
            known,
        });
        let mut rng = Rng::derive(job.seed, STREAM);
        coop.start.extend(network.start(&mut rng));
    }
    coop.layout = layout;
    let settings = coop.settings;
    let (mut learner, start) = coop.learner(&named)?;
    let found = fit(&mut learner, start, job.images()?, &settings, job.observer).await?;
    let texts = learner.texts(&found.parameters).await?;
    let base = mean_texts(&job.texts(&templates).await?, k, d);
    Ok(TrainedPrompt {
        prompt: job.prompt(&TextFeatures::fitted(&texts, &base, &templates)),
        notes: rate_notes(&found),
        trained_parameters: found.parameters.len(),
        losses: found.losses,
    })
}

/// The longest `count` words of `sentences` that are no part of `name`; of equal lengths the one that
/// comes first.
pub fn keywords(sentences: &[String], name: &str, count: usize) -> Vec<String> {
    let name = name.to_lowercase();
    let mut found: Vec<String> = Vec::new();
    for word in sentences
        .iter()
        .flat_map(|s| s.split(|c: char| !c.is_alphanumeric()))
    {
        let word = word.to_lowercase();
        if !word.is_empty() && !name.contains(&word) && !found.contains(&word) {
            found.push(word);
        }
    }
    found.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    found.truncate(count);
    found
}
