//! ATPrompt: attribute words between the learned vectors; a search can choose the words.

use crate::error::{Error, Kind, Result};
use crate::prompt_learning::attributes::{MAX_POOL, Weighing, large_subsets, search, subsets};
use crate::prompt_learning::context_recipe::{ContextRecipe, noise};
use crate::prompt_learning::descent::{Descent, Init};
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::parametrizations::Parts;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::trainer::Group;
use crate::prompt_learning::values::Auto;
use crate::rng::Rng;

parameters! {
    /// Parameters of ATPrompt.
    pub struct Params {
        /// up to five attribute words, separated by commas; without any it is CoOp
        attributes: String = "color,shape".to_owned(),
        /// up to five words, separated by commas, to search the attributes in, instead of the above
        pool: String = String::new(),
        /// vectors in front of each attribute
        per_attribute as "per-attribute": usize = 2, in 0..=16,
        /// noise that the attributes' vectors start from; 0.02 is as long as the model's words
        noise: f64 = 0.01, in 0.0..=1.0,
        /// how the search weighs sets of words: up to three words by the losses of their prompts, or
        /// three to five by their shares in one answer, as published
        weighing: Weighing = Weighing::Losses,
        /// epochs of the search
        search_epochs as "search-epochs": usize = 10, in 1..=1000,
        ..descent: Descent { context.vectors = 2, steps.epochs = Auto::Set(100) }
    }
    paper(p) {
        p.descent.context.init = Init::Random;
        p.weighing = Weighing::Logits;
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "atprompt",
    paper: "Li et al. 2025, Advancing Textual Prompt Learning with Anchored Attributes (ICCV)",
    summary: "CoOp with attribute words such as color and shape held fixed between the vectors.",
    learns: "a context, and vectors in front of each attribute",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    continues: false,
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let pool = words(&params.pool, MAX_POOL)?;
    let mut notes = Vec::new();
    let attributes = if pool.is_empty() {
        words(&params.attributes, MAX_POOL)?
    } else {
        let candidates = match params.weighing {
            Weighing::Losses => subsets(&pool),
            Weighing::Logits => large_subsets(&pool),
        };
        let recipes = candidates
            .iter()
            .map(|set| with_attributes(job, params, set))
            .collect::<Result<Vec<_>>>()?;
        let shares = search(job, recipes, params.search_epochs, params.weighing).await?;
        let mut best = 0;
        for (i, (set, share)) in candidates.iter().zip(&shares).enumerate() {
            notes.push(Note::new(set.join(", "), *share));
            if *share > shares[best] {
                best = i;
            }
        }
        candidates[best].clone()
    };
    let mut learned = with_attributes(job, params, &attributes)?
        .learn(job)
        .await?;
    learned.notes.append(&mut notes);
    Ok(learned)
}

/// CoOp with these attributes in front.
fn with_attributes(
    job: &TrainingJob<'_>,
    params: &Params,
    attributes: &[String],
) -> Result<ContextRecipe> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    if attributes.is_empty() {
        return Ok(coop);
    }
    coop.layout.attributes = attributes.to_vec();
    coop.layout.per_attribute = params.per_attribute;
    let before = coop.layout.rows() - coop.layout.vectors;
    let mut rng = Rng::derive(job.seed, u64::MAX - 1);
    let mut start = noise(job, before * job.model.width(), params.noise, &mut rng)?;
    let groups = [
        ("attribute vectors", start.len()),
        ("contexts", coop.start.len()),
    ];
    let groups = groups.map(|(name, len)| Group { name, len });
    coop.parametrization = Box::new(Parts(groups.into()));
    start.append(&mut coop.start);
    coop.start = start;
    Ok(coop)
}

fn words(list: &str, most: usize) -> Result<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    for word in list.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        if !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    if words.len() > most {
        return Err(Error::new(
            Kind::OptionInvalid,
            format!("Give at most {most} attribute words."),
        ));
    }
    Ok(words)
}
