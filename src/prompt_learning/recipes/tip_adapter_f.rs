//! Tip-Adapter-F: the remembered images become parameters.

use super::tip_adapter::{self, Start, plain, start, take};
use crate::error::Result;
use crate::prompt::heads::cache::Cache;
use crate::prompt_learning::cache::CacheLearner;
use crate::prompt_learning::cache_search::{Found, Grid, Known, is_searchable, search};
use crate::prompt_learning::descent::Steps;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::method::Method;
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::text::cross_entropy;
use crate::prompt_learning::trainer::{FitResult, Observer, fit};
use crate::prompt_learning::validate::folds;
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of Tip-Adapter-F.
    pub struct Params {
        ..cache: tip_adapter::Params {}
        ..steps: Steps {
            epochs = Auto::Set(20),
            lr = Auto::Set(0.001),
            batch = Auto::Set(256),
        }
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "tip-adapter-f",
    paper: "Zhang et al. 2022, Tip-Adapter (ECCV), fine-tuned",
    summary: "Tip-Adapter whose remembered features are trained for a few epochs.",
    learns: "the features of the photos, kept as keys: photos x d numbers",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::tip_adapter::RECIPE
};

/// The parts that the photos are divided into to find α and β.
const FOLDS: usize = 4;

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let Start { texts, mut weights } = start(job, &params.cache.cache).await?;
    let images = job.images()?;
    let found = trained(
        job,
        params,
        &texts,
        &mut weights.cache,
        images,
        job.observer,
    )
    .await?;
    let mut notes = Vec::new();
    if params.cache.search && weights.cache.alpha > 0.0 && is_searchable(images.len()) {
        let searched = searched(job, params, &texts, &weights.cache, images).await?;
        notes = take(&mut weights.cache, searched);
    }
    Ok(TrainedPrompt {
        prompt: job.prompt(&weights),
        losses: found.losses,
        trained_parameters: found.parameters.len(),
        notes,
    })
}

/// Trains the keys of `cache`, which begin as those of `images`.
async fn trained(
    job: &TrainingJob<'_>,
    params: &Params,
    texts: &[f64],
    cache: &mut Cache,
    images: &Examples,
    observer: Observer<'_>,
) -> Result<FitResult> {
    let mut descent = params.steps.settings(job);
    descent.method = Method::AdamW {
        eps: 1e-4,
        weight_decay: 0.01,
        coupled: false,
    };
    let keys = images.means();
    cache.classes = images.labels().to_vec();
    let mut learner = CacheLearner {
        cache: cache.clone(),
        texts,
        losses: cross_entropy(),
        scale: f64::from(job.model.logit_scale()),
    };
    let found = fit(&mut learner, keys, images, &descent, observer).await?;
    cache.keys = found.parameters.iter().map(|v| f64::from(*v)).collect();
    Ok(found)
}

/// The α and β that answer photos best which the keys were trained without. Keys that were trained
/// with a photo answer it well whatever α is: their authors search on photos of a validation split.
async fn searched(
    job: &TrainingJob<'_>,
    params: &Params,
    texts: &[f64],
    cache: &Cache,
    images: &Examples,
) -> Result<Option<Found>> {
    let count = FOLDS.min(images.len());
    let folds = folds(images, count);
    let mut parts = Vec::new();
    for fold in 0..count {
        let (held, rest): (Vec<usize>, Vec<usize>) =
            (0..images.len()).partition(|i| folds[*i] == fold);
        let mut cache = cache.clone();
        let quiet = Observer {
            observe: &|_| {},
            ..job.observer
        };
        let rest = images.subset(&rest)?;
        trained(job, params, texts, &mut cache, &rest, quiet).await?;
        let held = images.subset(&held)?;
        parts.push((cache, plain(&held), held.labels().to_vec()));
    }
    let known: Vec<Known<'_>> = parts
        .iter()
        .map(|(cache, images, labels)| Known {
            cache,
            images,
            labels,
            own_left_out: false,
        })
        .collect();
    let scale = f64::from(job.model.logit_scale());
    // The votes of fewer keys weigh less, so α is larger there by as much.
    let share = 1.0 - 1.0 / count as f64;
    let mut grid = Grid::widest(scale);
    grid.alphas.iter_mut().for_each(|alpha| *alpha /= share);
    let found = search(&known, job.model.dim(), texts, scale, &grid);
    Ok(found.map(|found| Found {
        alpha: found.alpha * share,
        ..found
    }))
}
