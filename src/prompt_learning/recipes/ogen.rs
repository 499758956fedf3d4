//! OGEN: CoOp that also learns from made-up features of classes that nobody has photographed.
//!
//! The generator is dropped after training, and what is left is CoOp's context. The paper's
//! distillation from earlier epochs is not in the loss that its authors released, so it is left out.

use crate::error::{Error, Kind, Result};
use crate::prompt::heads::context::{ContextVectors, LearnedContext};
use crate::prompt_learning::class_looks::ClassLooks;
use crate::prompt_learning::context_recipe::{ContextRecipe, learned};
use crate::prompt_learning::descent::{Descent, Init, OptimizerKind};
use crate::prompt_learning::generator::Generator;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::trainer::fit;
use crate::prompt_learning::unseen::{Generated, Shares, UnseenLearner};
use crate::prompt_learning::values::Auto;
use crate::rng::Rng;
use crate::tokenize::validate;

parameters! {
    /// Parameters of OGEN.
    pub struct Params {
        /// names of classes without photos, with commas between them; three or more are best
        unseen: String = String::new(),
        /// share of the losses of made features beside that of the photos; 0 is coop
        generated: f64 = 0.75, in 0.0..=1.0,
        /// share of the epochs in which the generator learns before its features count
        first: f64 = 0.2, in 0.0..=1.0,
        /// in these epochs the context stands still, as published, or learns from the photos
        still: bool = false,
        /// the most similar classes that features are made for, of the known and of the new ones
        neighbors: usize = 3, in 1..=10,
        ..descent: Descent {}
    }
    paper(p) {
        p.still = true;
        p.descent.context.init = Init::Words;
        p.descent.steps.epochs = Auto::Set(10);
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "ogen",
    paper: "Zang et al. 2024, Overcoming the Pitfalls of Vision-Language Model Finetuning for OOD Generalization (ICLR), without distillation",
    summary: "CoOp that also learns from made-up features of classes without photos, whose names you give.",
    learns: "a context and a generator of features: vectors x width + 6 x d x d numbers and their biases",
    least_classes: 2,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

/// The most new names: each is encoded in every step.
const MAX_UNSEEN: usize = 200;

/// The generator's automatic rates: one with which it learns within the first epochs, and theirs.
const ADAMW_RATE: f64 = 3e-4;
const SGD_RATE: f64 = 2e-3;

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (images, classes) = (job.images()?, job.names.len());
    let unseen = params.unseen.split(',').map(str::trim);
    let unseen = unseen.filter(|name| !name.is_empty()).map(str::to_owned);
    let names: Vec<String> = job.names.iter().cloned().chain(unseen).collect();
    if names.len() == classes {
        return Err(refused(
            "ogen makes features of classes without photos; set unseen to their names, such as unseen=fox,wolf,bear.",
        ));
    }
    if names.len() - classes > MAX_UNSEEN {
        return Err(refused("ogen takes at most 200 names in unseen."));
    }
    validate(&names)?;
    let looks = ClassLooks::new(images, classes, params.neighbors);
    if images
        .labels()
        .iter()
        .any(|y| looks.neighbors[*y].is_empty())
    {
        return Err(refused(
            "ogen makes features of one class from photos of others; give photos of at least two classes.",
        ));
    }
    let coop = ContextRecipe::coop(job, &params.descent)?;
    let (layout, settings, mut start) = (coop.layout, coop.settings, coop.start);
    let generator = Generator::new(job.model.dim());
    let mut rng = Rng::derive(job.seed, u64::MAX - 1);
    let context = start.len();
    start.extend(generator.start(&mut rng));
    let shares = Shares::of(params.generated);
    let before = shares.before(if params.still && params.generated > 0.0 {
        0.0
    } else {
        shares.images
    });
    let epochs = (params.first * settings.epochs as f64) as usize;
    let encoded = if params.generated > 0.0 {
        &names
    } else {
        job.names
    };
    let mut learner = UnseenLearner {
        side: job.model.text_side(encoded, &layout)?,
        context,
        classes,
        generated: Generated {
            generator,
            looks,
            most: params.neighbors,
            scale: f64::from(job.model.logit_scale()),
        },
        shares,
        first: (epochs * images.batches(settings.batch), before),
        rate: match params.descent.optimizer {
            OptimizerKind::AdamW => ADAMW_RATE,
            OptimizerKind::Sgd => SGD_RATE,
        },
        done: 0,
        images_loss: 0.0,
        rng,
    };
    let found = fit(&mut learner, start, images, &settings, job.observer).await?;
    let weights = LearnedContext {
        layout,
        vectors: ContextVectors::Shared(found.parameters[..context].to_vec()),
        negatives: None,
    };
    Ok(learned(job, &weights, &found))
}

fn refused(sentence: &str) -> Error {
    Error::new(Kind::OptionInvalid, sentence)
}
