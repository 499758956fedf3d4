//! The accuracy of a recipe, measured on images that it did not learn from.

use std::sync::Arc;

use serde::Serialize;

use super::examples::Examples;
use super::job::TrainingJob;
use super::recipe::{Cost, Recipe};
use super::trainer::{Observer, TrainingProgress};
use crate::error::Result;
use crate::math::UnitRows;
use crate::named::parse_or_none;
use crate::progress::Progress;
use crate::prompt::file::Prompt;
use crate::prompt::heads::texts::TextHead;
use crate::prompt::heads::{Head, open};
use crate::prompt::model::{PromptModel, encode, mean_texts};
use crate::prompt::template::{DEFAULT, Template};

/// The most images that are left out one by one if every round takes steps through the text tower.
const MAX_LEFT_OUT_IN_TURN: usize = 20;

/// Rounds for more images than that.
const FOLDS: usize = 5;

/// Every n-th image is held out.
const HOLD_OUT_EVERY: usize = 4;

named_enum! {
    /// Which images are left out.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Validation: "validation", OptionInvalid {
        /// Each image in turn; five folds if every round takes long.
        LeaveOneOut = "leave-one-out",
        /// Every fourth image of a class, once.
        HoldOut = "held-out",
    }
}

impl Validation {
    /// The validation of this name; `None` for `none`.
    ///
    /// # Errors
    /// `options/invalid`.
    pub fn parse_or_none(name: &str) -> Result<Option<Self>> {
        parse_or_none(name, "validation", Self::NAMES, Self::parse)
    }

    /// How many folds the images are divided into, and how many of these are left out in turn.
    fn folds(self, recipe: &Recipe, images: usize) -> (usize, usize) {
        match self {
            Self::LeaveOneOut if recipe.kind == Cost::Text && images > MAX_LEFT_OUT_IN_TURN => {
                (FOLDS, FOLDS)
            }
            Self::LeaveOneOut => (images, images),
            Self::HoldOut => (HOLD_OUT_EVERY.min(images), 1),
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
    /// Fraction that the default template answers correctly.
    pub accuracy_before: f64,
    /// Fraction that is answered correctly by a prompt that has not seen them.
    pub accuracy_after: f64,
}

/// The fold of each image: images of a class are spread over all `count` folds.
pub fn folds(examples: &Examples, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|i| (examples.labels()[*i], *i));
    let mut folds = vec![0; examples.len()];
    for (position, i) in order.into_iter().enumerate() {
        folds[i] = position % count;
    }
    folds
}

/// The default template on `names`.
///
/// # Errors
/// `labels/too-long` and the device's errors.
pub async fn zero_shot(model: &dyn PromptModel, names: &[String]) -> Result<Arc<dyn Head>> {
    let mut texts = Vec::new();
    for template in Template::parse_all(DEFAULT)? {
        let features = encode(model, &template, names).await?;
        texts.extend(UnitRows::new(&features, model.dim()).values);
    }
    let texts = mean_texts(&texts, names.len(), model.dim());
    Ok(Arc::new(TextHead::new(texts)))
}

/// The accuracies on `test`, of which `prompt`, the result of `job`, has seen none.
///
/// # Errors
/// Those of [`open`] and the device's.
pub async fn test_accuracy(
    job: &TrainingJob<'_>,
    prompt: &Prompt,
    test: &Examples,
) -> Result<HeldOutAccuracy> {
    let (images, labels) = (test.plain(), test.labels());
    let before = zero_shot(job.model, job.names).await?;
    let after = open(prompt, job.model, job.names).await?;
    Ok(HeldOutAccuracy {
        on: "test split".to_owned(),
        n: test.len(),
        accuracy_before: before.accuracy(job.model, &images, labels).await?,
        accuracy_after: after.accuracy(job.model, &images, labels).await?,
    })
}

/// Runs `job` without the images that `validation` leaves out, and measures on these. `None` for a
/// single image, which leaves nothing to learn from. The job's own progress counts rounds; `within`
/// is the progress inside of a round.
///
/// # Errors
/// Those of the job.
pub async fn validate(
    job: &TrainingJob<'_>,
    validation: Validation,
    within: &dyn Progress,
) -> Result<Option<HeldOutAccuracy>> {
    let examples = job.images()?;
    let (count, rounds) = validation.folds(job.recipe.info, examples.len());
    if count < 2 {
        return Ok(None);
    }
    let folds = folds(examples, count);
    let zero_shot = zero_shot(job.model, job.names).await?;
    let (mut before, mut after, mut n) = (0.0, 0.0, 0);
    for round in 0..rounds {
        job.observer
            .progress
            .step("validate", round, rounds)
            .await?;
        let (out, rest): (Vec<usize>, Vec<usize>) =
            (0..examples.len()).partition(|i| folds[*i] == round);
        let (out, rest) = (examples.subset(&out)?, examples.subset(&rest)?);
        let without = TrainingJob {
            examples: Some(&rest),
            observer: Observer {
                progress: within,
                observe: &|_: &TrainingProgress| {},
            },
            ..*job
        };
        let trained = without.run().await?;
        let head = open(&trained.prompt, job.model, job.names).await?;
        let (images, labels) = (out.plain(), out.labels());
        n += out.len();
        after += head.accuracy(job.model, &images, labels).await? * out.len() as f64;
        before += zero_shot.accuracy(job.model, &images, labels).await? * out.len() as f64;
    }
    job.observer
        .progress
        .step("validate", rounds, rounds)
        .await?;
    let on = match validation {
        Validation::HoldOut => "held-out images".to_owned(),
        Validation::LeaveOneOut if count == examples.len() => "leave-one-out".to_owned(),
        Validation::LeaveOneOut => format!("{count} folds"),
    };
    Ok(Some(HeldOutAccuracy {
        on,
        n,
        accuracy_before: before / n as f64,
        accuracy_after: after / n as f64,
    }))
}
