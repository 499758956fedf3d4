//! MSGCoOp: several contexts, kept apart from each other and near descriptions. Every context starts
//! with different noise; without it all have the same gradient and stay equal.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::Result;
use crate::prompt::model::mean_texts;
use crate::prompt::template::Template;
use crate::prompt_learning::context_recipe::{ContextRecipe, ContextSharing, noise};
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::descriptions::Descriptions;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::losses::{Anchor, Diversity};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::values::Auto;
use crate::rng::Rng;

parameters! {
    /// Parameters of MSGCoOp.
    pub struct Params {
        /// how many contexts
        contexts: usize = 4, in 1..=16,
        /// strength of the pull to the descriptions, or to the default template without them, at a logit
        /// scale of 100; it falls with the scale
        guidance: f64 = 8.0, in 0.0..=1e4,
        /// strength with which contexts are held apart at a logit scale of 100; it falls with the scale
        diversity: f64 = 1.0, in 0.0..=1e4,
        /// noise that parts the contexts at the start; 0.02 is as long as the model's words
        noise: f64 = 0.02, in 0.0..=1.0,
        ..descent: Descent {}
        ..texts: FixedTexts {}
    }
    paper(p) {
        p.descent.steps.epochs = Auto::Set(100);
        p.descent.steps.batch = Auto::Set(128);
        // All contexts start from the same words, and stay equal.
        p.noise = 0.0;
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "msgcoop",
    paper: "Wang et al. 2025, MSGCoOp: Multiple Semantic-Guided Context Optimization for Few-Shot Learning",
    summary: "Several contexts averaged, held apart from each other and near descriptions of the classes.",
    learns: "several contexts: contexts x vectors x width numbers",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    let mut rng = Rng::derive(job.seed, u64::MAX - 1);
    let mut start = coop.start.repeat(params.contexts);
    let spread = noise(job, start.len(), params.noise, &mut rng)?;
    start.iter_mut().zip(spread).for_each(|(v, n)| *v += n);
    coop.start = start;
    coop.sharing = ContextSharing::Several(params.contexts);
    let templates = params.texts.or(TemplateSet::Default)?;
    let fixed = match job.material.descriptions {
        Some(descriptions) => {
            super::cupl::centroids(
                job,
                &completed(job, descriptions, &templates[0]),
                &templates,
            )
            .await?
        }
        None => mean_texts(
            &job.texts(&templates).await?,
            job.names.len(),
            job.model.dim(),
        ),
    };
    coop.losses.push(Box::new(Anchor {
        strength: job.scaled(params.guidance),
        fixed,
    }));
    coop.losses.push(Box::new(Diversity {
        strength: job.scaled(params.diversity),
    }));
    coop.learn(job).await
}

/// Every sentence behind its name in the template, as in "a photo of a cat, which is small.".
fn completed(
    job: &TrainingJob<'_>,
    descriptions: &Descriptions,
    template: &Template,
) -> Descriptions {
    let sentences = job.names.iter().map(|name| {
        let own = descriptions.of(name).iter();
        let start = template.fill(name);
        let start = start.trim_end_matches('.');
        (
            name.clone(),
            own.map(|text| format!("{start}, {text}")).collect(),
        )
    });
    Descriptions::new(sentences)
}
