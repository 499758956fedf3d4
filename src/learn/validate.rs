//! How good is what was learned? Measured on images that took no part in learning it.

use super::examples::Examples;
use super::head::Head;
use super::job::{Cost, Job, Recipe};
use super::trainer::{Audience, Progress};
use crate::error::Result;
use crate::watch::Watch;

/// The most images that are left out one by one where every round descends through the text tower.
const FEW: usize = 20;

/// Rounds for more images than that.
const FOLDS: usize = 5;

/// Accuracy over images that were left out in turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// Fraction of the images that were answered rightly by a prompt that had not seen them.
    pub accuracy: f64,
    /// Rounds; as many as images where each was left out alone.
    pub folds: usize,
}

/// How many rounds `recipe` is worth for `images`: one for each image where a round costs little.
pub fn rounds(recipe: &Recipe, images: usize) -> usize {
    if recipe.kind == Cost::Text && images > FEW {
        FOLDS
    } else {
        images
    }
}

/// The round in which each image is left out: images of a class are spread over all rounds.
pub fn folds(examples: &Examples, rounds: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|i| (examples.labels()[*i], *i));
    let mut out = vec![0; examples.len()];
    for (place, i) in order.into_iter().enumerate() {
        out[i] = place % rounds;
    }
    out
}

/// Does `job` once for every round without the images of that round, and answers these. None for a
/// single image, which leaves nothing to learn from. The job's own watch counts rounds; `within` is
/// asked inside of them.
///
/// # Errors
/// Those of the job.
pub async fn cross_validate(
    job: &Job<'_>,
    rounds: usize,
    within: &dyn Watch,
) -> Result<Option<Held>> {
    let examples = job.images()?;
    let rounds = rounds.min(examples.len());
    if rounds < 2 {
        return Ok(None);
    }
    let assigned = folds(examples, rounds);
    let mut right = 0.0;
    for round in 0..rounds {
        job.audience.watch.step("validate", round, rounds).await?;
        let (out, left): (Vec<usize>, Vec<usize>) =
            (0..examples.len()).partition(|i| assigned[*i] == round);
        let (out, left) = (examples.subset(&out)?, examples.subset(&left)?);
        let quiet = |_: &Progress| {};
        let part = Job {
            examples: Some(&left),
            audience: Audience {
                watch: within,
                observe: &quiet,
            },
            ..*job
        };
        let learned = part.run().await?;
        let head = Head::open(&learned.prompt, job.model, job.names).await?;
        let accuracy = head.accuracy(job.model, &out.plain(), out.labels()).await?;
        right += accuracy * out.len() as f64;
    }
    job.audience.watch.step("validate", rounds, rounds).await?;
    Ok(Some(Held {
        accuracy: right / examples.len() as f64,
        folds: rounds,
    }))
}
