//! MoCoOp: several contexts, of which a gate picks two for every image, and each stays near a group of
//! templates. The authors also train the LayerNorms of the image tower and a vector that is added to
//! every text feature; both are left out, as image features are computed once.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::Result;
use crate::prompt::heads::mixture::{ContextMixture, Gate};
use crate::prompt::model::mean_texts;
use crate::prompt::several::Places;
use crate::prompt::template::Template;
use crate::prompt_learning::context_recipe::{
    ContextRecipe, ContextSharing, SPREAD, WORDS, learned, noise,
};
use crate::prompt_learning::descent::{Descent, OptimizerKind};
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::losses::HardTexts;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::parametrizations::Mixture;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::schedule::Schedule;
use crate::prompt_learning::values::Auto;
use crate::rng::Rng;

parameters! {
    /// Parameters of MoCoOp.
    pub struct Params {
        /// how many contexts
        experts: usize = 3, in 1..=7,
        /// strength of the pull of each context to its group of templates at a logit scale of 100; it
        /// falls with the scale
        texts: f64 = 5.0, in 0.0..=1e4,
        /// strength of the gate's own cross-entropy
        gate: f64 = 1.0, in 0.0..=1e4,
        /// each context is the words of its group's first template, before and behind the name; or all
        /// are as long, in front of the name
        own_words as "own-words": bool = false,
        ..descent: Descent { steps.epochs = Auto::Set(25) }
        ..fixed: FixedTexts {}
    }
    paper(p) {
        p.descent.steps.lr = Auto::Set(0.032);
        p.own_words = true;
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "mocoop",
    paper: "Du et al. 2024, Mixture of Prompt Learning for Vision Language Models",
    summary: "A gate picks two of several contexts per image; the image tower's norms stay as they are.",
    learns: "several contexts and a gate: experts x vectors x width + experts x d numbers",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

/// Epochs before the cosine of SGD begins.
const WARM_UP: usize = 3;

/// The words of each group's first template, and how many stand before and behind the name.
fn own_words(
    job: &TrainingJob<'_>,
    templates: &[Template],
    experts: usize,
) -> Result<(Vec<f32>, Places)> {
    let width = job.model.width();
    let (mut words, mut places) = (Vec::new(), Places::new());
    for group in 0..experts {
        let template = &templates[group % templates.len()];
        let mut before = job.model.words(template.words_before())?;
        let behind = job.model.words(template.words_behind())?;
        if before.is_empty() && behind.is_empty() {
            before = job.model.words(WORDS)?;
        }
        places.push([before.len() / width, behind.len() / width]);
        words.extend([before, behind].concat());
    }
    Ok((words, places))
}

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (k, d) = (job.names.len(), job.model.dim());
    let experts = params.experts;
    let templates = params.fixed.or(TemplateSet::Clip7)?;
    let mut hard = Vec::new();
    for group in 0..experts {
        // Fewer templates than experts serve several of them.
        let first = group % templates.len();
        let own = templates.iter().skip(first).step_by(experts);
        let own: Vec<_> = own.cloned().collect();
        hard.extend(mean_texts(&job.texts(&own).await?, k, d));
    }
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    let mut rng = Rng::derive(job.seed, u64::MAX - 1);
    let mut start = coop.start.repeat(experts);
    // Contexts that begin alike never part.
    let mut alike = experts > 1;
    if params.own_words {
        let (words, places) = own_words(job, &templates, experts)?;
        start = words;
        coop.places = Some(places);
        alike = experts > templates.len();
    }
    if alike {
        let spread = noise(job, start.len(), SPREAD, &mut rng)?;
        start.iter_mut().zip(spread).for_each(|(v, n)| *v += n);
    }
    let gate = Gate { dim: d, experts };
    let limit = 1.0 / (d as f64).sqrt();
    let contexts = start.len();
    start.extend((0..gate.count()).map(|_| rng.uniform(-limit, limit) as f32));
    coop.start = start;
    coop.sharing = ContextSharing::Several(experts);
    coop.settings.clip = Some(1.0);
    if params.descent.optimizer == OptimizerKind::Sgd {
        coop.settings.schedule = Schedule::dassl(WARM_UP);
    }
    coop.parametrization = Box::new(Mixture {
        contexts,
        gate,
        strength: params.gate,
        hard: hard.clone(),
    });
    coop.losses.push(Box::new(HardTexts {
        strength: job.scaled(params.texts),
        fixed: hard,
    }));
    let (layout, places) = (coop.layout.clone(), coop.places.clone());
    let fit = coop.fit(job).await?;
    let (contexts, gate) = fit.parameters.split_at(contexts);
    let weights = ContextMixture {
        layout,
        experts,
        contexts: contexts.to_vec(),
        places,
        gate: Some(gate.to_vec()),
    };
    Ok(learned(job, &weights, &fit))
}
