//! ATPrompt: words for attributes stand between the learned vectors; which ones, a search can say.

use crate::error::{Error, Kind, Result};
use crate::prompt_learning::attributes::{MAX_POOL, search, subsets};
use crate::prompt_learning::job::{TrainingJob, TrainedPrompt, Note, Recipe};
use crate::prompt_learning::options::Parameter;
use crate::prompt_learning::plan::{EPOCHS, ContextRecipe, VECTORS, noise};
use crate::rng::Rng;

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "atprompt",
    paper: "Li et al. 2025, Advancing Textual Prompt Learning with Anchored Attributes (ICCV)",
    summary: "CoOp with attribute words such as color and shape held fixed between the vectors.",
    own: &[
        Parameter::text(
            "attributes",
            "color,shape",
            "up to three attribute words, divided by commas; none makes it CoOp",
        ),
        Parameter::text(
            "pool",
            "",
            "up to five words to search the attributes in, in place of the above",
        ),
        Parameter::whole(
            "per-attribute",
            "2",
            (0, 16),
            "vectors in front of every attribute",
        ),
        Parameter::whole("search-epochs", "10", (1, 1000), "passes of the search"),
        VECTORS.or("2"),
        EPOCHS.or("100"),
    ],
    run: |job| Box::pin(run(job)),
    ..super::coop::RECIPE
};

/// The deviation of the attributes' vectors at the start.
const SPREAD: f64 = 0.01;

async fn run(job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
    let pool = words(job.options.text("pool"), MAX_POOL)?;
    let mut notes = Vec::new();
    let attributes = if pool.is_empty() {
        words(job.options.text("attributes"), 3)?
    } else {
        let candidates = subsets(&pool);
        let plans = candidates
            .iter()
            .map(|set| plan(job, set))
            .collect::<Result<Vec<_>>>()?;
        let shares = search(job, plans, job.options.whole("search-epochs")).await?;
        let mut best = 0;
        for (i, (set, share)) in candidates.iter().zip(&shares).enumerate() {
            notes.push(Note::new(set.join(", "), *share));
            if *share > shares[best] {
                best = i;
            }
        }
        candidates[best].clone()
    };
    let mut learned = plan(job, &attributes)?.learn(job).await?;
    learned.notes.append(&mut notes);
    Ok(learned)
}

/// CoOp with these attributes in front.
fn plan(job: &TrainingJob<'_>, attributes: &[String]) -> Result<ContextRecipe> {
    let mut plan = ContextRecipe::coop(job)?;
    if attributes.is_empty() {
        return Ok(plan);
    }
    plan.layout.attributes = attributes.to_vec();
    plan.layout.per_attribute = job.options.whole("per-attribute");
    let before = plan.layout.rows() - plan.layout.vectors;
    let mut rng = Rng::derive(job.seed, u64::MAX - 1);
    let mut start = noise(before * job.model.width(), SPREAD, &mut rng);
    start.append(&mut plan.start);
    plan.start = start;
    Ok(plan)
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
