//! From a recipe's declaration to learned contexts.

use super::examples::Examples;
use super::job::{Note, TrainedPrompt, TrainingJob};
use super::losses::Loss;
use super::options::Parameter;
use super::parametrizations::{Direct, Parametrization};
use super::schedule::Schedule;
use super::text::{ProGradRule, TextLearner, cross_entropy};
use super::trainer::{FitResult, Method, Settings, fit};
use crate::error::Result;
use crate::prompt::heads::Weights;
use crate::prompt::heads::context::{ContextVectors, LearnedContext};
use crate::prompt::heads::mixture::ContextMixture;
use crate::prompt::layout::{NamePosition, PromptLayout};
use crate::rng::Rng;

/// The words that contexts start from.
pub const WORDS: &str = "a photo of a";

/// Images per step in CoOp's own experiments.
const USUAL_BATCH: usize = 32;

/// Images per step in a pass over very few.
const SMALLEST_BATCH: usize = 4;

/// The fewest steps in a pass over few images, where each has [`SMALLEST_BATCH`] of them.
const STEPS_PER_EPOCH: usize = 5;

/// The standard deviation of random vectors.
pub const SPREAD: f64 = 0.02;

/// Vectors of a context.
pub const VECTORS: Parameter = Parameter::whole(
    "vectors",
    "4",
    (1, 64),
    "vectors of the context; 16 in CoOp's own experiments",
);
/// Where the class name stands.
pub const LAYOUT: Parameter =
    Parameter::word("layout", NamePosition::NAMES, "where the class name stands");
/// Where the context starts.
pub const INIT: Parameter = Parameter::word(
    "init",
    &["words", "random"],
    "start from \"a photo of a\" or from noise; vectors beyond the words are noise",
);
/// Passes over the images.
pub const EPOCHS: Parameter = Parameter::whole(
    "epochs",
    "0",
    (0, 10_000),
    "passes over the images; 0 is 25 for one image per class, 50 for up to four, 100 for more: half of CoOp's own",
);
/// Learning rate.
pub const LR: Parameter = Parameter::number(
    "lr",
    "0",
    (0.0, 1000.0),
    "learning rate; 0 fits it to the model: a full step of adamw moves what is learned by a tenth of its length, the first one of sgd by a thousandth",
);
/// How to descend.
pub const OPTIMIZER: Parameter = Parameter::word(
    "optimiser",
    &["adamw", "sgd"],
    "adamw with a cosine over all steps, or sgd with momentum and a warm-up as CoOp published it",
);
/// Images per step.
pub const BATCH: Parameter = Parameter::whole(
    "batch",
    "0",
    (0, 4096),
    "images per step; 0 is 32 as in CoOp, or a fifth of the images where that is less, at least 4; with one image per class always 32",
);

/// What every relative of CoOp lets people set.
pub const DESCENT: &[Parameter] = &[VECTORS, INIT, EPOCHS, OPTIMIZER, LR, BATCH];

/// How many contexts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextSharing {
    /// One for all classes.
    Shared,
    /// One for each class.
    PerClass,
    /// So many, each for all classes.
    Several(usize),
}

/// What is learned, and how.
pub struct ContextRecipe {
    /// Where the vectors stand.
    pub layout: PromptLayout,
    /// How many contexts.
    pub copies: ContextSharing,
    /// What the parameters are.
    pub parametrization: Box<dyn Parametrization>,
    /// The parameters at the start.
    pub start: Vec<f32>,
    /// The loss.
    pub losses: Vec<Box<dyn Loss>>,
    /// ProGrad's rule, where it applies.
    pub guide: Option<ProGradRule>,
    /// The descent.
    pub settings: Settings,
}

impl ContextRecipe {
    /// CoOp on a shared context: what the other recipes change. Reads `vectors`, `init`, `epochs`,
    /// `lr` and `batch`.
    ///
    /// # Errors
    /// `labels/too-long`.
    pub fn coop(job: &TrainingJob<'_>) -> Result<Self> {
        let vectors = job.options.whole("vectors");
        let mut rng = Rng::derive(job.seed, u64::MAX);
        Ok(Self {
            layout: PromptLayout::end(vectors),
            copies: ContextSharing::Shared,
            parametrization: Box::new(Direct),
            start: first_context(job, vectors, &mut rng)?,
            losses: cross_entropy(),
            guide: None,
            settings: settings(job),
        })
    }

    /// Descends.
    ///
    /// # Errors
    /// Those of [`fit`].
    pub async fn fit(self, job: &TrainingJob<'_>) -> Result<FitResult> {
        let settings = self.settings;
        let (mut learner, start) = self.learner(job)?;
        fit(&mut learner, start, job.images()?, &settings, job.observer).await
    }

    /// What descends, and its parameters at the start.
    ///
    /// # Errors
    /// `labels/too-long`, `prompt/invalid` where the vectors leave no room for a name.
    pub fn learner<'a>(self, job: &TrainingJob<'a>) -> Result<(TextLearner<'a>, Vec<f32>)> {
        let learner = TextLearner {
            side: job.model.text_side(job.names, &self.layout)?,
            parametrization: self.parametrization,
            losses: self.losses,
            guide: self.guide,
            scale: f64::from(job.model.logit_scale()),
            classes: job.names.len(),
        };
        Ok((learner, self.start))
    }

    /// Descends and keeps the parameters as contexts.
    ///
    /// # Errors
    /// Those of [`fit`].
    pub async fn learn(self, job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
        let (layout, copies) = (self.layout.clone(), self.copies);
        let found = self.fit(job).await?;
        let weights = copies.weights(layout, found.parameters.clone());
        Ok(learned(job, weights.as_ref(), &found))
    }
}

impl ContextSharing {
    /// What a prompt file keeps of `contexts` [C, M, W] that stand like this.
    fn weights(self, layout: PromptLayout, contexts: Vec<f32>) -> Box<dyn Weights> {
        let vectors = match self {
            Self::Shared => ContextVectors::Shared(contexts),
            Self::PerClass => ContextVectors::PerClass {
                last: contexts,
                earlier: Vec::new(),
            },
            Self::Several(experts) => {
                return Box::new(ContextMixture {
                    layout,
                    experts,
                    contexts,
                    gate: None,
                });
            }
        };
        Box::new(LearnedContext {
            layout,
            vectors,
            negatives: None,
        })
    }
}

/// The result of `fit` with `weights` in its prompt.
pub fn learned(job: &TrainingJob<'_>, weights: &dyn Weights, fit: &FitResult) -> TrainedPrompt {
    TrainedPrompt {
        prompt: job.prompt(weights),
        losses: fit.losses.clone(),
        trained_parameters: fit.parameters.len(),
        notes: vec![Note::new("learning rate", fit.rate)],
    }
}

/// A descent by AdamW with `epochs`, `lr` and `batch` as set; CoOp's own where `optimizer` is sgd.
pub fn settings(job: &TrainingJob<'_>) -> Settings {
    let epochs = match (job.options.whole("epochs"), job.shots()) {
        (0, 0 | 1) => 25,
        (0, 2..=4) => 50,
        (0, _) => 100,
        (set, _) => set,
    };
    let lr = job.options.number("lr");
    let (method, schedule) = if job.options.is("optimiser", "sgd") {
        (Method::COOP, Schedule::coop(lr))
    } else {
        (Method::ADAMW, Schedule::cosine(lr))
    };
    Settings {
        method,
        schedule,
        epochs,
        batch: batch(job),
        seed: job.seed,
        clip: None,
        average: None,
    }
}

/// Images per step, as set or as [`BATCH`] says. One image per class stays in one step: many steps on
/// it only learn the photo by heart.
fn batch(job: &TrainingJob<'_>) -> usize {
    let images = job.examples.map_or(0, Examples::len);
    match (job.options.whole("batch"), job.shots()) {
        (0, 0 | 1) => USUAL_BATCH,
        (0, _) => images
            .div_ceil(STEPS_PER_EPOCH)
            .clamp(SMALLEST_BATCH, USUAL_BATCH),
        (set, _) => set,
    }
}

/// A context [vectors, W] as `init` asks for.
fn first_context(job: &TrainingJob<'_>, vectors: usize, rng: &mut Rng) -> Result<Vec<f32>> {
    let mut start = noise(vectors * job.model.width(), SPREAD, rng);
    if job.options.text("init") == "words" {
        let words = job.model.words(WORDS)?;
        let shared = words.len().min(start.len());
        start[..shared].copy_from_slice(&words[..shared]);
    }
    Ok(start)
}

/// Normal numbers around 0.
pub fn noise(count: usize, deviation: f64, rng: &mut Rng) -> Vec<f32> {
    (0..count)
        .map(|_| (deviation * rng.normal()) as f32)
        .collect()
}
