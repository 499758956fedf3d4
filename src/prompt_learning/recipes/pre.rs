//! PRE: CoOp through a residual encoder that is discarded after training.

use crate::error::Result;
use crate::math::perceptron::Perceptron;
use crate::prompt::heads::context::{ContextVectors, LearnedContext};
use crate::prompt_learning::context_recipe::{ContextRecipe, learned};
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::lstm::Lstm;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::parametrizations::{Encoder, Reparametrized};
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::values::{Auto, words};
use crate::rng::Rng;

parameters! {
    /// Parameters of PRE.
    pub struct Params {
        /// weight of the network's output
        strength: f64 = 1.0, in 0.0..=100.0,
        /// a bidirectional LSTM over the vectors, or two layers for each vector
        encoder: EncoderKind = EncoderKind::Lstm,
        /// hidden units of the two layers
        hidden: usize = 64, in 1..=4096,
        ..descent: Descent { steps.epochs = Auto::Set(50) }
    }
}

words! {
    /// The residual network.
    pub enum EncoderKind {
        /// A bidirectional LSTM over the vectors.
        Lstm = "lstm",
        /// Two linear layers on each vector.
        Mlp = "mlp",
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "pre",
    paper: "Pham Thi Minh Anh et al. 2023, PRE: Vision-Language Prompt Learning with Reparameterization Encoder",
    summary: "CoOp whose vectors pass a small residual network while they learn.",
    learns: "a context, and a network that makes it from vectors",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    let width = job.model.width();
    let encoder = match params.encoder {
        EncoderKind::Mlp => Encoder::Perceptron(Perceptron {
            input: width,
            hidden: params.hidden,
            output: width,
        }),
        // Both directions together are as wide as a vector.
        EncoderKind::Lstm => Encoder::Lstm(Lstm {
            input: width,
            hidden: width / 2,
        }),
    };
    let reparametrized = Reparametrized {
        context: coop.start.len(),
        encoder,
        strength: params.strength,
    };
    let mut rng = Rng::derive(job.seed, u64::MAX - 1);
    coop.start.extend(encoder.start(&mut rng));
    coop.parametrization = Box::new(reparametrized);
    let layout = coop.layout.clone();
    let fit = coop.fit(job).await?;
    let weights = LearnedContext {
        layout,
        vectors: ContextVectors::Shared(reparametrized.merged(&fit.parameters)),
        negatives: None,
    };
    Ok(learned(job, &weights, &fit))
}
