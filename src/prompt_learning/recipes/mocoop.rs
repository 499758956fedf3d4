//! MoCoOp: several contexts, of which a gate picks two for every image.

use super::templates::TemplateSet;
use crate::error::Result;
use crate::math::{UnitRows, dot, softmax};
use crate::prompt::heads::mixture::{ContextMixture, Gate};
use crate::prompt_learning::context_recipe::{
    ContextRecipe, ContextSharing, SPREAD, learned, noise,
};
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob, mean_texts};
use crate::prompt_learning::losses::HardTexts;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::parametrizations::Mixture;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::values::Auto;
use crate::rng::Rng;

parameters! {
    /// Parameters of MoCoOp.
    pub struct Params {
        /// how many contexts
        experts: usize = 3, in 1..=7,
        /// strength of the pull of each context to its group of templates
        texts: f64 = 5.0, in 0.0..=1e4,
        /// strength of the gate's own cross-entropy
        gate: f64 = 1.0, in 0.0..=1e4,
        ..descent: Descent { steps.epochs = Auto::Set(25) }
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "mocoop",
    paper: "Du et al. 2024, Mixture of Prompt Learning for Vision Language Models",
    summary: "A gate picks two of several contexts per image; each stays near a group of templates.",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

/// Added to the scores of a class's two nearest groups in the gate's targets.
const PREFERENCE: f64 = 10.0;

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (k, d) = (job.names.len(), job.model.dim());
    let experts = params.experts;
    let templates = TemplateSet::Clip7.templates()?;
    let mut hard = Vec::new();
    for group in 0..experts {
        let own: Vec<_> = templates.iter().skip(group).step_by(experts).collect();
        let own: Vec<_> = own.into_iter().cloned().collect();
        hard.extend(mean_texts(&job.texts(&own).await?, k, d));
    }
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    let mut rng = Rng::derive(job.seed, u64::MAX - 1);
    let mut start = coop.start.repeat(experts);
    if experts > 1 {
        let spread = noise(start.len(), SPREAD, &mut rng);
        start.iter_mut().zip(spread).for_each(|(v, n)| *v += n);
    }
    let gate = Gate { dim: d, experts };
    let limit = 1.0 / (d as f64).sqrt();
    let contexts = start.len();
    start.extend((0..gate.count()).map(|_| rng.uniform(-limit, limit) as f32));
    coop.start = start;
    coop.sharing = ContextSharing::Several(experts);
    coop.settings.clip = Some(1.0);
    coop.parametrization = Box::new(Mixture {
        contexts,
        gate,
        strength: params.gate,
        targets: targets(job, &hard, experts)?,
    });
    coop.losses.push(Box::new(HardTexts {
        strength: params.texts,
        fixed: hard,
    }));
    let layout = coop.layout.clone();
    let fit = coop.fit(job).await?;
    let (contexts, gate) = fit.parameters.split_at(contexts);
    let weights = ContextMixture {
        layout,
        experts,
        contexts: contexts.to_vec(),
        gate: Some(gate.to_vec()),
    };
    Ok(learned(job, &weights, &fit))
}

/// The gate's targets for images of each class, [K, G]: the softmax over groups of s times the cosine
/// of the class's mean image (the mean of its texts if it has none) with its text in the group, the
/// two best preferred.
fn targets(job: &TrainingJob<'_>, hard: &[f64], experts: usize) -> Result<Vec<f64>> {
    let (k, d) = (job.names.len(), job.model.dim());
    let mut prototypes = vec![0f64; k * d];
    let images = job.images()?;
    for (i, label) in images.labels().iter().enumerate() {
        let row = &mut prototypes[label * d..(label + 1) * d];
        row.iter_mut()
            .zip(images.view(i, 0))
            .for_each(|(p, f)| *p += f64::from(*f));
    }
    for (class, row) in prototypes.chunks_exact_mut(d).enumerate() {
        if row.iter().all(|v| *v == 0.0) {
            for text in hard.chunks_exact(k * d) {
                let text = &text[class * d..(class + 1) * d];
                row.iter_mut().zip(text).for_each(|(p, t)| *p += t);
            }
        }
    }
    let prototypes = UnitRows::new(&prototypes, d).values;
    let s = f64::from(job.model.logit_scale());
    let mut out = Vec::with_capacity(k * experts);
    for (class, image) in prototypes.chunks_exact(d).enumerate() {
        let mut scores: Vec<f64> = (0..experts)
            .map(|g| s * dot(image, &hard[(g * k + class) * d..][..d]))
            .collect();
        let mut order: Vec<usize> = (0..experts).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order
            .into_iter()
            .take(2)
            .for_each(|g| scores[g] += PREFERENCE);
        out.extend(softmax(&scores, 1.0));
    }
    Ok(out)
}
