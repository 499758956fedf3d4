//! PRE: CoOp through a residual encoder that is thrown away afterwards.

use crate::error::Result;
use crate::math::perceptron::Perceptron;
use crate::prompt::heads::context::{ContextVectors, LearnedContext};
use crate::prompt_learning::job::{Recipe, TrainedPrompt, TrainingJob};
use crate::prompt_learning::lstm::Lstm;
use crate::prompt_learning::options::Parameter;
use crate::prompt_learning::parametrizations::{Encoder, Reparametrized};
use crate::prompt_learning::plan::{ContextRecipe, EPOCHS, learned};
use crate::rng::Rng;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "pre",
    paper: "Pham Thi Minh Anh et al. 2023, PRE: Vision-Language Prompt Learning with Reparameterization Encoder",
    summary: "CoOp whose vectors pass a small residual network while they learn.",
    own: &[
        Parameter::number(
            "strength",
            "1",
            (0.0, 100.0),
            "weight of the network's output",
        ),
        Parameter::word(
            "encoder",
            &["lstm", "mlp"],
            "a bidirectional LSTM over the vectors, or two layers for each vector",
        ),
        Parameter::whole("hidden", "64", (1, 4096), "hidden units of the two layers"),
        EPOCHS.or("50"),
    ],
    run: |job| Box::pin(run(job)),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let mut plan = ContextRecipe::coop(job)?;
    let width = job.model.width();
    let encoder = match job.options.text("encoder") {
        "mlp" => Encoder::Perceptron(Perceptron {
            input: width,
            hidden: job.options.whole("hidden"),
            output: width,
        }),
        // Both directions together are as wide as a vector.
        _ => Encoder::Lstm(Lstm {
            input: width,
            hidden: width / 2,
        }),
    };
    let shape = Reparametrized {
        context: plan.start.len(),
        encoder,
        strength: job.options.number("strength"),
    };
    let mut rng = Rng::derive(job.seed, u64::MAX - 1);
    plan.start.extend(encoder.start(&mut rng));
    plan.parametrization = Box::new(shape);
    let layout = plan.layout.clone();
    let fit = plan.fit(job).await?;
    let weights = LearnedContext {
        layout,
        vectors: ContextVectors::Shared(shape.merged(&fit.parameters)),
        negatives: None,
    };
    Ok(learned(job, &weights, &fit))
}
