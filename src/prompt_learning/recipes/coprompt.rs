//! CoPrompt without its deep prompts: a context, adapters behind both towers, and agreement with the
//! frozen towers. The authors also learn vectors in nine layers of both towers (as MaPLe).

use super::templates::{FixedTexts, TemplateSet};
use crate::error::Result;
use crate::math::UnitRows;
use crate::math::adapter::Adapter;
use crate::prompt::heads::adapted::{AdaptedContext, TrainedAdapter};
use crate::prompt::heads::context::{ContextVectors, LearnedContext};
use crate::prompt_learning::consistency::ConsistencyLearner;
use crate::prompt_learning::context_recipe::{ContextRecipe, rate_notes};
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::trainer::fit;
use crate::prompt_learning::values::Auto;
use crate::rng::Rng;

parameters! {
    /// Parameters of CoPrompt.
    pub struct Params {
        /// strength of the agreement with the frozen towers at a logit scale of 100; it falls with the scale
        consistency: f64 = 1.0, in 0.0..=1e4,
        /// share of the adapter behind the text tower
        text_share as "text-share": f64 = 0.2, in 0.0..=1.0,
        /// share of the adapter behind the image tower
        image_share as "image-share": f64 = 0.1, in 0.0..=1.0,
        /// columns of a feature for each hidden unit of an adapter
        reduction: usize = 4, in 1..=1024,
        ..descent: Descent {}
        ..texts: FixedTexts {}
    }
    paper(p) {
        p.descent.context.vectors = 2;
        p.descent.steps.lr = Auto::Set(0.0035);
        p.descent.steps.epochs = Auto::Set(8);
        p.descent.steps.batch = Auto::Set(4);
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "coprompt",
    paper: "Roy and Etemad 2024, Consistency-guided Prompt Learning for Vision-Language Models (ICLR); without its deep prompts",
    summary: "CoOp with adapters behind both towers, held near sentences about the classes and other crops of the photos.",
    learns: "a context and two adapters: vectors x width + 4 x d x d/reduction numbers",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let d = job.model.dim();
    let coop = ContextRecipe::coop(job, &params.descent)?;
    let context = coop.start.len();
    let adapter = |share| Adapter {
        dim: d,
        hidden: (d / params.reduction).max(1),
        share,
    };
    let (text, image) = (adapter(params.text_share), adapter(params.image_share));
    let mut rng = Rng::derive(job.seed, STREAM);
    let start = [coop.start, text.start(&mut rng), image.start(&mut rng)].concat();
    let mut learner = ConsistencyLearner {
        side: job.model.text_side(job.names, &coop.layout)?,
        text,
        image,
        sentences: sentences(job, params).await?,
        examples: job.images()?,
        strength: job.scaled(params.consistency),
        scale: f64::from(job.model.logit_scale()),
        rng,
    };
    let found = fit(
        &mut learner,
        start,
        job.images()?,
        &coop.settings,
        job.observer,
    )
    .await?;
    let (vectors, adapters) = found.parameters.split_at(context);
    let (of_text, of_image) = adapters.split_at(text.count());
    let trained = |adapter, parameters: &[f32]| TrainedAdapter {
        adapter,
        parameters: parameters.to_vec(),
    };
    let weights = AdaptedContext {
        context: LearnedContext {
            layout: coop.layout,
            vectors: ContextVectors::Shared(vectors.to_vec()),
            negatives: None,
        },
        text: trained(text, of_text),
        image: trained(image, of_image),
    };
    Ok(TrainedPrompt {
        prompt: job.prompt(&weights),
        notes: rate_notes(&found),
        trained_parameters: found.parameters.len(),
        losses: found.losses,
    })
}

/// Sets these random numbers apart from those of the batches and the context.
const STREAM: u64 = 0x636f_7072;

/// Unit features of the sentences about every class, [n_k, d]: the descriptions that are given, and the
/// templates for classes without any.
async fn sentences(job: &TrainingJob<'_>, params: &Params) -> Result<Vec<Vec<f64>>> {
    let templates = params.texts.or(TemplateSet::Default)?;
    let mut all = Vec::with_capacity(job.names.len());
    for (done, name) in job.names.iter().enumerate() {
        let progress = job.observer.progress;
        progress.step("texts", done, job.names.len()).await?;
        let own = job
            .material
            .descriptions
            .map_or(&[][..], |all| all.of(name));
        let texts = match own {
            [] => templates
                .iter()
                .map(|template| template.fill(name))
                .collect(),
            own => own.to_vec(),
        };
        let features = job.model.features(&texts).await?;
        all.push(UnitRows::new(&features, job.model.dim()).values);
    }
    Ok(all)
}
