//! CoOp and what its relatives change of it: from parameters to trained contexts.

use super::descent::{ContextStart, Descent, Init};
use super::job::{Note, TrainedPrompt, TrainingJob};
use super::losses::Loss;
use super::parametrizations::{Direct, Parametrization};
use super::text::{ProGradRule, TextLearner, cross_entropy};
use super::trainer::{FitResult, Settings, fit};
use crate::error::Result;
use crate::math::dot;
use crate::prompt::heads::Weights;
use crate::prompt::heads::context::{ContextVectors, LearnedContext};
use crate::prompt::heads::mixture::ContextMixture;
use crate::prompt::layout::PromptLayout;
use crate::prompt::several::{Places, several};
use crate::rng::Rng;

/// The words that contexts start from.
pub const WORDS: &str = "a photo of a";

/// The standard deviation of random vectors for CLIP, whose words have about the same.
pub const SPREAD: f64 = 0.02;

/// How classes share contexts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextSharing {
    /// One context for all classes.
    Shared,
    /// One context for each class.
    PerClass,
    /// So many contexts, each for all classes.
    Several(usize),
}

/// How to train contexts.
pub struct ContextRecipe {
    /// Places of vectors, attributes and class name in the prompt.
    pub layout: PromptLayout,
    /// Which classes share a context.
    pub sharing: ContextSharing,
    /// The vectors of each context around the name, if the layout does not say it for all.
    pub places: Option<Places>,
    /// How parameters make contexts.
    pub parametrization: Box<dyn Parametrization>,
    /// The parameters at the start.
    pub start: Vec<f32>,
    /// Summed.
    pub losses: Vec<Box<dyn Loss>>,
    /// ProGrad's rule, if it applies.
    pub prograd: Option<ProGradRule>,
    /// The descent.
    pub settings: Settings,
}

impl ContextRecipe {
    /// CoOp on a shared context, which the other recipes change.
    ///
    /// # Errors
    /// `labels/too-long`.
    pub fn coop(job: &TrainingJob<'_>, descent: &Descent) -> Result<Self> {
        Self::new(job, &descent.context, descent.settings(job))
    }

    /// The cross-entropy of a shared context in front of the class names.
    ///
    /// # Errors
    /// `labels/too-long`.
    pub fn new(job: &TrainingJob<'_>, context: &ContextStart, settings: Settings) -> Result<Self> {
        let mut rng = Rng::derive(job.seed, u64::MAX);
        let start = match job.start_context()? {
            Some(known) => known,
            None => first_context(job, context, &mut rng)?,
        };
        Ok(Self {
            layout: PromptLayout::end(start.len() / job.model.width()),
            sharing: ContextSharing::Shared,
            places: None,
            parametrization: Box::new(Direct),
            start,
            losses: cross_entropy(),
            prograd: None,
            settings,
        })
    }

    /// Gives each of `classes` classes a context of its own.
    pub fn per_class(&mut self, classes: usize) {
        self.sharing = ContextSharing::PerClass;
        self.layout.assigned = Some((0..classes).collect());
        self.start = self.start.repeat(classes);
    }

    /// Trains the parameters.
    ///
    /// # Errors
    /// Those of [`fit`].
    pub async fn fit(self, job: &TrainingJob<'_>) -> Result<FitResult> {
        let settings = self.settings;
        let (mut learner, start) = self.learner(job)?;
        fit(&mut learner, start, job.images()?, &settings, job.observer).await
    }

    /// What the trainer takes: the learner and its parameters at the start.
    ///
    /// # Errors
    /// `labels/too-long`, `prompt/invalid` if the vectors leave no room for a name.
    pub fn learner<'a>(self, job: &TrainingJob<'a>) -> Result<(TextLearner<'a>, Vec<f32>)> {
        let learner = TextLearner {
            side: match &self.places {
                Some(places) => several(job.model, job.names, places)?,
                None => job.model.text_side(job.names, &self.layout)?,
            },
            parametrization: self.parametrization,
            losses: self.losses,
            prograd: self.prograd,
            scale: f64::from(job.model.logit_scale()),
            classes: job.names.len(),
        };
        Ok((learner, self.start))
    }

    /// Trains the parameters, which are the contexts.
    ///
    /// # Errors
    /// Those of [`fit`].
    pub async fn learn(self, job: &TrainingJob<'_>) -> Result<TrainedPrompt> {
        let (layout, sharing) = (self.layout.clone(), self.sharing);
        let found = self.fit(job).await?;
        let weights = sharing.weights(layout, found.parameters.clone());
        Ok(learned(job, weights.as_ref(), &found))
    }
}

impl ContextSharing {
    /// What a prompt file keeps of `contexts` [C, M, W] that are shared like this.
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
                    places: None,
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
        notes: rate_notes(fit),
    }
}

/// The rate of the descent, or that of every group if they differ.
pub fn rate_notes(fit: &FitResult) -> Vec<Note> {
    let mut rates = fit.rates.iter();
    match rates.next() {
        Some((_, first)) if rates.all(|(_, rate)| rate == first) => {
            vec![Note::new("learning rate", *first)]
        }
        _ => {
            let named = |(name, rate): &(&str, f64)| {
                Note::new(format!("learning rate of the {name}"), *rate)
            };
            fit.rates.iter().map(named).collect()
        }
    }
}

/// The context [vectors, W] at the start.
fn first_context(job: &TrainingJob<'_>, context: &ContextStart, rng: &mut Rng) -> Result<Vec<f32>> {
    let count = context.vectors * job.model.width();
    if context.init == Init::Random {
        return noise(job, count, SPREAD, rng);
    }
    let words = job.model.words(WORDS)?;
    let mut start = vec![0.0; count.saturating_sub(words.len())];
    start.extend_from_slice(&words[..words.len().min(count)]);
    Ok(start)
}

/// Normal numbers with mean 0. A deviation of [`SPREAD`] makes vectors as long as the model's own words:
/// models differ in that by far.
///
/// # Errors
/// `labels/too-long`.
pub fn noise(
    job: &TrainingJob<'_>,
    count: usize,
    deviation: f64,
    rng: &mut Rng,
) -> Result<Vec<f32>> {
    let words = job.model.words(WORDS)?;
    let own = (dot(&words, &words) / words.len().max(1) as f64).sqrt();
    let deviation = deviation / SPREAD * own;
    let numbers = (0..count).map(|_| (deviation * rng.normal()) as f32);
    Ok(numbers.collect())
}
