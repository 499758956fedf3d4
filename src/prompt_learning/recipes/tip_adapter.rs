//! Tip-Adapter: a cache of the images, without training.

use super::templates::{FixedTexts, TemplateSet};
use crate::error::Result;
use crate::prompt::heads::cache::{Cache, CachedTexts, Likeness, Votes};
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::model::mean_texts;
use crate::prompt::template::Template;
use crate::prompt_learning::cache_search::{Found, Grid, Known, search};
use crate::prompt_learning::descent::CropParams;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Cost, Evidence, Needs, Recipe, TypedRun};
use crate::prompt_learning::values::Auto;

parameters! {
    /// Parameters of every cache of images.
    pub struct CacheParams {
        /// weight of the images at a logit scale of 100; it falls with the scale
        alpha: f64 = 1.17, in 0.0..=100.0,
        /// how fast the weight of an image falls with its distance
        beta: f64 = 1.0, in 0.0..=100.0,
        /// which sentences: one, seven or eighty
        set: TemplateSet = TemplateSet::Default,
        /// a class counts as much as any other and a new name as their mean, or every image counts
        balanced: bool = true,
        ..crops: CropParams {}
        ..texts: FixedTexts {}
    }
    paper(p) {
        p.balanced = false;
        // Ten crops of every photo, half of its area at least.
        p.crops.crop_area = 0.5;
        p.crops.fresh_crops = false;
    }
    crops(p) {
        p.crops.over(Auto::Set(CACHE_CROPS))
    }
}

/// The crops of which the authors take the mean.
const CACHE_CROPS: usize = 10;

impl CacheParams {
    /// The sentences.
    ///
    /// # Errors
    /// `prompt/invalid-template`.
    pub fn templates(&self) -> Result<Vec<Template>> {
        self.texts.or(self.set)
    }

    /// How the keys of a class are combined.
    pub fn votes(&self) -> Votes {
        match self.balanced {
            true => Votes::Balanced,
            false => Votes::Counted,
        }
    }
}

parameters! {
    /// Parameters of Tip-Adapter.
    pub struct Params {
        /// search the alpha and beta that best answer images whose own entry takes no part; alpha and
        /// beta as they are set answer only without it
        search: bool = true,
        ..cache: CacheParams {}
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "tip-adapter",
    aliases: &[],
    paper: "Zhang et al. 2022, Tip-Adapter: Training-free Adaption of CLIP (ECCV)",
    summary: "Remembers the images and adds their likeness to the text's logits; no training.",
    evidence: Evidence::Code,
    learns: "nothing; it keeps the feature of every photo",
    kind: Cost::Features,
    needs: Needs::LABELED_IMAGES,
    least_classes: 1,
    most_classes: None,
    transfers: true,
    continues: false,
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
};

/// What both forms of Tip-Adapter start with.
pub struct Start {
    /// Unit text features [K, d].
    pub texts: Vec<f64>,
    /// The texts and the cache as the images make it.
    pub weights: CachedTexts,
}

/// The texts and the cache of the job's images.
pub async fn start(job: &TrainingJob<'_>, params: &CacheParams) -> Result<Start> {
    let images = job.images()?;
    let templates = params.templates()?;
    let texts = job.texts(&templates).await?;
    let texts = mean_texts(&texts, job.names.len(), job.model.dim());
    let cache = Cache {
        keys: images.means().iter().map(|v| f64::from(*v)).collect(),
        classes: images.labels().to_vec(),
        alpha: job.scaled(params.alpha),
        beta: params.beta,
        likeness: Likeness::Cosine,
        votes: params.votes(),
    };
    Ok(Start {
        weights: CachedTexts {
            texts: TextFeatures::new(&texts, &templates),
            cache,
        },
        texts,
    })
}

/// The plain crops of `images`, [N, d].
pub fn plain(images: &Examples) -> Vec<f64> {
    images.plain().iter().map(|v| f64::from(*v)).collect()
}

/// Gives `cache` the α and β that were found, and says which.
pub fn take(cache: &mut Cache, found: Option<Found>) -> Vec<Note> {
    let Some(found) = found else {
        return Vec::new();
    };
    (cache.alpha, cache.beta) = (found.alpha, found.beta);
    vec![
        Note::new("alpha", found.alpha),
        Note::new("beta", found.beta),
        Note::new("accuracy, each image left out", found.accuracy),
    ]
}

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let Start { texts, mut weights } = start(job, &params.cache).await?;
    let cache = &mut weights.cache;
    let mut notes = Vec::new();
    // Without weight there is nothing to search.
    if params.search && cache.alpha > 0.0 {
        let images = job.images()?;
        let known = Known {
            cache,
            images: &plain(images),
            labels: images.labels(),
            own_left_out: true,
        };
        let scale = f64::from(job.model.logit_scale());
        let grid = Grid::widest(scale);
        let found = search(&[known], job.model.dim(), &texts, scale, &grid);
        notes = take(cache, found);
    }
    Ok(TrainedPrompt {
        prompt: job.prompt(&weights),
        losses: Vec::new(),
        trained_parameters: 0,
        notes,
    })
}
