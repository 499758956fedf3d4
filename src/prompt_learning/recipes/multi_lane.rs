//! MULTI-LANE's text form: several classes may be right, and every task keeps what it learned. The
//! authors run a lane of selected rows beside the frozen image tower; here each task has a context in the
//! text tower instead.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::{Error, Kind, Result};
use crate::math::{Probabilities, UnitRows, dot};
use crate::prompt::heads::linear::LinearLayer;
use crate::prompt::layout::PromptLayout;
use crate::prompt_learning::context_recipe::{ContextRecipe, rate_notes};
use crate::prompt_learning::descent::Descent;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::material::Material;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::several_labels::{BinaryCrossEntropy, SeveralLabels, targets};
use crate::prompt_learning::trainer::fit;
use crate::tokenize::NameIndex;

parameters! {
    /// Parameters of MULTI-LANE's text form.
    pub struct Params {
        ..descent: Descent {}
        ..texts: FixedTexts {}
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "multi-lane",
    paper: "De Min et al. 2024, Less is more: Summarizing Patch Tokens for efficient Multi-Label Class-Incremental Learning (CoLLAs); its tasks and loss on the text side",
    summary: "Several labels for a photo: put it into each of its classes. New classes leave the earlier ones as they are.",
    learns: "a context for each task and a bias for each class: vectors x width + K numbers",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let images = job.images()?;
    let (k, d, s) = (job.names.len(), job.model.dim(), job.model.logit_scale());
    let earlier = earlier(job).await?;
    let own: Vec<bool> = match &earlier {
        Some((_, new)) => new.clone(),
        None => vec![true; k],
    };
    let images = task_images(images, &own)?;
    // The earlier prompt holds no context; each task starts anew.
    let without = TrainingJob {
        material: Material {
            start: None,
            ..job.material
        },
        ..*job
    };
    let coop = ContextRecipe::coop(&without, &params.descent)?;
    let layout = PromptLayout::end(coop.start.len() / job.model.width());
    let mut side = job.model.text_side(job.names, &layout)?;
    let texts = UnitRows::new(&side.forward(&coop.start).await?, d).values;
    let context = coop.start.len();
    let start = [coop.start, first_biases(&images, &texts, f64::from(s))].concat();
    let mut learner = SeveralLabels {
        // A pass without its backward pass would stay on the tape.
        side: job.model.text_side(job.names, &layout)?,
        loss: BinaryCrossEntropy {
            targets: targets(&images, k),
            own: own.clone(),
            bias: Vec::new(),
            bias_gradient: Vec::new(),
        },
        scale: f64::from(s),
    };
    let found = fit(&mut learner, start, &images, &coop.settings, job.observer).await?;
    let (vectors, bias) = found.parameters.split_at(context);
    let texts = UnitRows::new(&side.forward(vectors).await?, d).rounded();
    let mut layer = LinearLayer {
        weight: texts.iter().map(|v| s * v).collect(),
        bias: bias.to_vec(),
        probabilities: Probabilities::Sigmoid,
        templates: params.texts.or(TemplateSet::Default)?,
    };
    if let Some((known, _)) = earlier {
        for class in (0..k).filter(|class| !own[*class]) {
            let row = class * d..(class + 1) * d;
            layer.weight[row.clone()].copy_from_slice(&known.weight[row]);
            layer.bias[class] = known.bias[class];
        }
    }
    let learned = own.iter().filter(|own| **own).count();
    Ok(TrainedPrompt {
        prompt: job.prompt(&layer),
        notes: rate_notes(&found),
        trained_parameters: context + learned,
        losses: found.losses,
    })
}

/// The layer of earlier tasks on these names, and which of the names are new.
async fn earlier(job: &TrainingJob<'_>) -> Result<Option<(LinearLayer, Vec<bool>)>> {
    let Some(start) = job.material.start else {
        return Ok(None);
    };
    let refused = |what: &str| Error::new(Kind::PromptInvalid, format!("multi-lane {what}."));
    let layer = LinearLayer::load(start).ok();
    let layer = layer.filter(|layer| layer.probabilities == Probabilities::Sigmoid);
    let layer = layer.ok_or_else(|| refused("goes on from a prompt of multi-lane"))?;
    let index = NameIndex::new(&start.class_names);
    let new: Vec<bool> = job
        .names
        .iter()
        .map(|name| index.place(name).is_none())
        .collect();
    if !new.contains(&true) {
        return Err(refused(
            "has learned all these classes; name a new one, or begin without a prompt to go on from",
        ));
    }
    let layer = layer.on(&start.class_names, job.model, job.names).await?;
    Ok(Some((layer, new)))
}

/// The images of this task's classes.
fn task_images(images: &Examples, own: &[bool]) -> Result<Examples> {
    let places: Vec<usize> = (0..images.len())
        .filter(|i| own[images.labels()[*i]])
        .collect();
    images.subset(&places)
}

/// Biases [K] that put the mean logit of every class at 0.
fn first_biases(images: &Examples, texts: &[f64], scale: f64) -> Vec<f32> {
    let plain = images.plain();
    let mean = |text: &[f64]| {
        let rows = plain.chunks_exact(text.len());
        rows.map(|image| scale * dot(image, text)).sum::<f64>() / images.len() as f64
    };
    let rows = texts.chunks_exact(images.dim());
    rows.map(|text| -mean(text) as f32).collect()
}
