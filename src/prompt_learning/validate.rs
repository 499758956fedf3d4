//! How good is what was learned? Measured on images that took no part in learning it.

use std::sync::Arc;

use serde::Serialize;

use super::examples::Examples;
use super::job::{Cost, Recipe, TrainingJob, mean_texts};
use super::trainer::{Observer, TrainingProgress};
use crate::error::{Error, Kind, Result};
use crate::progress::Progress;
use crate::prompt::heads::texts::TextHead;
use crate::prompt::heads::{Head, open};
use crate::prompt::template::{DEFAULT, Template};

/// The most images that are left out one by one where every round descends through the text tower.
const FEW: usize = 20;

/// Rounds for more images than that.
const FOLDS: usize = 5;

/// The part of the images that is held out once is one in so many.
const HOLD_OUT_EVERY: usize = 4;

/// Which images are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// Each image in turn; five parts of them where every round takes long.
    InTurn,
    /// Every fourth image of a class, once.
    Once,
}

impl Validation {
    /// The way of this name; none for `none`.
    ///
    /// # Errors
    /// `options/invalid`.
    pub fn parse(name: &str) -> Result<Option<Self>> {
        match name {
            "none" => Ok(None),
            "leave-one-out" => Ok(Some(Self::InTurn)),
            "held-out" => Ok(Some(Self::Once)),
            _ => Err(Error::new(
                Kind::OptionInvalid,
                "The validation is not known; it is leave-one-out, held-out or none.",
            )),
        }
    }

    /// Parts that the images are divided into, and how many of these are left out in turn.
    fn parts(self, recipe: &Recipe, images: usize) -> (usize, usize) {
        match self {
            Self::InTurn if recipe.kind == Cost::Text && images > FEW => (FOLDS, FOLDS),
            Self::InTurn => (images, images),
            Self::Once => (HOLD_OUT_EVERY.min(images), 1),
        }
    }
}

/// Accuracies over images that the prompt has not seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldOutAccuracy {
    /// `leave-one-out`, `5 folds`, `held-out images` or `test split`.
    pub on: String,
    /// Images.
    pub n: usize,
    /// Fraction that the default template answers rightly.
    pub accuracy_before: f64,
    /// Fraction that was answered rightly by a prompt that had not seen them.
    pub accuracy_after: f64,
}

/// The part that each image belongs to: images of a class are spread over all parts.
pub fn parts(examples: &Examples, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|i| (examples.labels()[*i], *i));
    let mut out = vec![0; examples.len()];
    for (place, i) in order.into_iter().enumerate() {
        out[i] = place % count;
    }
    out
}

/// Does `job` without the images that `way` leaves out, and answers these. None for a single image,
/// which leaves nothing to learn from. The job's own watch counts rounds; `within` is asked inside of
/// them.
///
/// # Errors
/// Those of the job.
pub async fn validate(
    job: &TrainingJob<'_>,
    way: Validation,
    within: &dyn Progress,
) -> Result<Option<HeldOutAccuracy>> {
    let examples = job.images()?;
    let (count, rounds) = way.parts(job.recipe, examples.len());
    if count < 2 {
        return Ok(None);
    }
    let assigned = parts(examples, count);
    let templates = Template::parse_all(DEFAULT)?;
    let texts = mean_texts(
        &job.texts(&templates).await?,
        job.names.len(),
        job.model.dim(),
    );
    let zero_shot: Arc<dyn Head> = Arc::new(TextHead::new(texts));
    let (mut before, mut after, mut n) = (0.0, 0.0, 0);
    for round in 0..rounds {
        job.observer
            .progress
            .step("validate", round, rounds)
            .await?;
        let (out, left): (Vec<usize>, Vec<usize>) =
            (0..examples.len()).partition(|i| assigned[*i] == round);
        let (out, left) = (examples.subset(&out)?, examples.subset(&left)?);
        let quiet = |_: &TrainingProgress| {};
        let part = TrainingJob {
            examples: Some(&left),
            observer: Observer {
                progress: within,
                observe: &quiet,
            },
            ..*job
        };
        let learned = part.run().await?;
        let head = open(&learned.prompt, job.model, job.names).await?;
        let (images, labels) = (out.plain(), out.labels());
        n += out.len();
        after += head.accuracy(job.model, &images, labels).await? * out.len() as f64;
        before += zero_shot.accuracy(job.model, &images, labels).await? * out.len() as f64;
    }
    job.observer
        .progress
        .step("validate", rounds, rounds)
        .await?;
    let on = match way {
        Validation::Once => "held-out images".to_owned(),
        Validation::InTurn if count == examples.len() => "leave-one-out".to_owned(),
        Validation::InTurn => format!("{count} folds"),
    };
    Ok(Some(HeldOutAccuracy {
        on,
        n,
        accuracy_before: before / n as f64,
        accuracy_after: after / n as f64,
    }))
}
