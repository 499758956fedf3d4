//! FuDD: the most likely classes told apart by texts about each two of them.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::Result;
use crate::math::UnitRows;
use crate::prompt::heads::pairs::{DescribedPairs, MAX_TOP};
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::model::mean_texts;
use crate::prompt_learning::described_pairs::{PAIR_FILE, gather};
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Needs, Recipe, TypedRun};

parameters! {
    /// Parameters of FuDD.
    pub struct Params {
        /// how many of the most likely classes are compared again
        top: usize = 10, in 1..=MAX_TOP,
        ..texts: FixedTexts {}
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "fudd",
    paper: "Esfandiarpoor and Bach 2024, Follow-Up Differential Descriptions: Language Models Resolve Ambiguities for Image Classification (ICLR)",
    summary: "Tells look-alikes apart by texts about pairs of classes, from a JSON file.",
    needs: Needs {
        descriptions: true,
        ..Needs::NOTHING
    },
    learns: "nothing",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::templates::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let descriptions = job.descriptions(PAIR_FILE)?;
    let (k, d) = (job.names.len(), job.model.dim());
    let templates = params.texts.or(TemplateSet::Default)?;
    let first = mean_texts(&job.texts(&templates).await?, k, d);
    let defaults: Vec<String> = match &templates[..] {
        [one] => job.names.iter().map(|name| one.fill(name)).collect(),
        // A mean of several is no text of the file.
        _ => Vec::new(),
    };
    let (texts, pairs) = gather(descriptions.pairs(), job.names, &defaults);
    let mut cut = 0;
    for text in &texts {
        cut += usize::from(job.model.tokens(text)?.1);
    }
    let unknown = descriptions
        .pairs()
        .iter()
        .filter(|pair| pair.places(job.names).is_none())
        .count();
    let notes = vec![
        Note::new("pairs with texts", pairs.pairs() as f64),
        Note::new(
            "pairs without texts",
            (k * (k - 1) / 2 - pairs.pairs()) as f64,
        ),
        Note::new("pairs of no two classes", unknown as f64),
        Note::new("texts cut to fit", cut as f64),
    ];
    let features = TextFeatures::new(&first, &templates);
    // Without a pair it is the first pass alone.
    let prompt = match texts.is_empty() {
        true => job.prompt(&features),
        false => job.prompt(&DescribedPairs {
            texts: features,
            described: encode(job, &texts).await?,
            pairs,
            top: params.top,
        }),
    };
    Ok(TrainedPrompt {
        prompt,
        losses: Vec::new(),
        trained_parameters: 0,
        notes,
    })
}

/// Texts that are encoded at once, between two looks at whether to go on.
const AT_ONCE: usize = 64;

/// Unit features [T, d].
async fn encode(job: &TrainingJob<'_>, texts: &[String]) -> Result<Vec<f32>> {
    let mut features = Vec::with_capacity(texts.len() * job.model.dim());
    for (i, some) in texts.chunks(AT_ONCE).enumerate() {
        let done = i * AT_ONCE;
        job.observer
            .progress
            .step("texts", done, texts.len())
            .await?;
        features.extend(job.model.features(some).await?);
    }
    let unit = UnitRows::new(&features, job.model.dim()).values;
    Ok(unit.iter().map(|v| *v as f32).collect())
}
