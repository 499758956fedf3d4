//! Recipes side by side: every one on the same images, in accuracy on all names and from base to new.
//!
//! Base is the first half of the sorted class names, which is taught; new is the rest. Each half is
//! scored among its own names (CoCoOp, Zhou et al., 2022). The features of a data set are computed
//! once.

use pollster::block_on;
use serde::Serialize;

use super::photos::{Source, chosen, examples};
use crate::classifier::Classifier;
use crate::clock::now;
use crate::dataset::{DataSet, Item};
use crate::error::{Error, Kind, Result};
use crate::evaluate::{Failure, class_names};
use crate::image::views::Corruption;
use crate::learn::examples::{Examples, few};
use crate::learn::head::Head;
use crate::learn::job::{Job, Learned, Recipe};
use crate::learn::options::Options;
use crate::learn::trainer::{Audience, Progress};
use crate::prompt::template::DEFAULT;

/// What is compared.
pub struct Contest<'a> {
    /// Recipes with what was set.
    pub entries: &'a [(&'static Recipe, Options)],
    /// Images per class, each number in turn.
    pub shots: &'a [usize],
    /// Draws of the images: the seeds from 0 on.
    pub seeds: u64,
    /// Views of every image to learn from.
    pub crops: usize,
    /// What is done to every image first.
    pub corruption: Option<Corruption>,
    /// The most images to measure on, taken evenly from the classes.
    pub limit: Option<usize>,
    /// The images to measure on: a part of those to learn from, and never the test split.
    pub validation: bool,
}

/// Accuracies of one prompt, or of the default template.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// On all names.
    pub all: f64,
    /// On the first half of the names, among these.
    pub base: f64,
    /// On the rest, among these; taught on the first half only.
    pub new: f64,
    /// The harmonic mean of base and new.
    pub harmonic: f64,
}

/// One recipe on one draw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The recipe.
    pub recipe: &'static str,
    /// Images per class.
    pub shots: usize,
    /// The draw.
    pub seed: u64,
    /// How good it is.
    pub scores: Scores,
    /// Numbers that were fitted on all names.
    pub trained_parameters: usize,
    /// Seconds for all names.
    pub seconds: f64,
}

/// Everything that was compared on one data set.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The class names.
    pub names: Vec<String>,
    /// How many of them are base.
    pub base: usize,
    /// Images measured on.
    pub n: usize,
    /// The default template.
    pub zero_shot: Scores,
    /// Recipe by recipe.
    pub outcomes: Vec<Outcome>,
    /// Recipes that could not be done, and why.
    pub refused: Vec<(String, String)>,
    /// Images that could not be read.
    pub failures: Vec<Failure>,
}

/// 2 a b / (a + b), 0 where both are.
pub fn harmonic(a: f64, b: f64) -> f64 {
    if a + b > 0.0 {
        2.0 * a * b / (a + b)
    } else {
        0.0
    }
}

/// Names with the images to measure on.
struct Side<'a> {
    names: &'a [String],
    images: Vec<f32>,
    labels: Vec<usize>,
}

impl<'a> Side<'a> {
    /// The images of `test` whose class is among `names`, which stand at `from` in the whole list.
    fn new(test: &Examples, names: &'a [String], from: usize) -> Self {
        let mut side = Side {
            names,
            images: Vec::new(),
            labels: Vec::new(),
        };
        for (i, label) in test.labels().iter().enumerate() {
            if (from..from + names.len()).contains(label) {
                side.images.extend_from_slice(test.view(i, 0));
                side.labels.push(label - from);
            }
        }
        side
    }

    fn accuracy(&self, model: &Classifier, head: &Head) -> Result<f64> {
        block_on(head.accuracy(model, &self.images, &self.labels))
    }

    fn zero_shot(&self, model: &Classifier) -> Result<f64> {
        let classes = block_on(model.classes(self.names, DEFAULT))?;
        let texts = classes.features.iter().map(|v| f64::from(*v)).collect();
        self.accuracy(model, &Head::Texts(texts))
    }
}

impl Contest<'_> {
    /// Compares on `data`, which has a train and a test split. `tell` gets a line now and then.
    ///
    /// # Errors
    /// `data/unknown-split`, `data/empty`, and the device's errors. A recipe that refuses is reported
    /// in the result.
    pub fn run(
        &self,
        model: &Classifier,
        data: &DataSet,
        tell: &dyn Fn(&str),
    ) -> Result<Comparison> {
        let mut source = Source::training(data);
        let names = class_names(data, source.split.as_deref())?;
        if names.len() < 2 {
            return Err(Error::new(
                Kind::DataEmpty,
                "A comparison needs at least two classes.",
            ));
        }
        let most = self.shots.iter().copied().max().unwrap_or(1);
        source.crops = self.crops;
        source.corruption = self.corruption;
        let (items, _) = chosen(data, &names, &source)?;
        let labels: Vec<usize> = items.iter().map(|(_, label)| *label).collect();
        let draws: Vec<Vec<usize>> = (0..self.seeds).map(|s| few(&labels, most, s)).collect();
        let mut union: Vec<usize> = draws.concat();
        union.sort_unstable();
        union.dedup();
        let picked: Vec<(&Item, usize)> = union.iter().map(|i| items[*i]).collect();
        tell(&format!("{} images to learn from", picked.len()));
        let pool = examples(model, data, &picked, names.len(), &source, &|_, _| {})?;
        if let Some(first) = pool.failures.first() {
            return Err(Error::new(
                Kind::DataInvalid,
                format!("{}: {}", first.file, first.message),
            ));
        }
        let measuring = Source {
            crops: 1,
            split: None,
            limit: self.limit,
            ..source
        };
        let tested: Vec<(&Item, usize)> = if self.validation {
            let left = (0..items.len()).filter(|i| union.binary_search(i).is_err());
            let left: Vec<usize> = left.collect();
            let own: Vec<usize> = left.iter().map(|i| labels[*i]).collect();
            few(&own, VALIDATION, u64::MAX)
                .into_iter()
                .map(|i| items[left[i]])
                .collect()
        } else {
            chosen(data, &names, &measuring)?.0
        };
        tell(&format!("{} images to measure on", tested.len()));
        let test = examples(model, data, &tested, names.len(), &measuring, &|_, _| {})?;

        let base = names.len().div_ceil(2);
        let sides = [
            Side::new(&test.examples, &names, 0),
            Side::new(&test.examples, &names[..base], 0),
            Side::new(&test.examples, &names[base..], base),
        ];
        let mut found = [0.0; 3];
        for (score, side) in found.iter_mut().zip(&sides) {
            *score = side.zero_shot(model)?;
        }
        let mut comparison = Comparison {
            base,
            n: test.examples.len(),
            zero_shot: scores(found),
            outcomes: Vec::new(),
            refused: Vec::new(),
            failures: test.failures,
            names: names.clone(),
        };
        for (recipe, options) in self.entries {
            for &shots in self.shots {
                for seed in 0..self.seeds {
                    let own: Vec<usize> = few(&labels, shots, seed)
                        .iter()
                        .filter_map(|i| union.binary_search(i).ok())
                        .collect();
                    let all = pool.examples.subset(&own)?;
                    let first: Vec<usize> =
                        (0..all.len()).filter(|i| all.labels()[*i] < base).collect();
                    let half = all.subset(&first)?;
                    let lesson = One {
                        model,
                        recipe,
                        options,
                        seed,
                    };
                    match lesson.outcome(&sides, &all, &half, shots) {
                        Ok(outcome) => comparison.outcomes.push(outcome),
                        Err(error) => {
                            let why = error.message().to_owned();
                            comparison.refused.push((recipe.name.to_owned(), why));
                        }
                    }
                }
            }
            tell(recipe.name);
        }
        Ok(comparison)
    }
}

/// Images per class that are held back for validation.
const VALIDATION: usize = 60;

fn scores([all, base, new]: [f64; 3]) -> Scores {
    Scores {
        all,
        base,
        new,
        harmonic: harmonic(base, new),
    }
}

/// One recipe with one seed.
struct One<'a> {
    model: &'a Classifier,
    recipe: &'static Recipe,
    options: &'a Options,
    seed: u64,
}

impl One<'_> {
    fn learn(&self, names: &[String], images: &Examples) -> Result<Learned> {
        let job = Job {
            recipe: self.recipe,
            model: self.model,
            names,
            examples: Some(images),
            unlabelled: &[],
            descriptions: None,
            others: Default::default(),
            options: self.options,
            seed: self.seed,
            audience: Audience {
                watch: &(),
                observe: &|_: &Progress| {},
            },
        };
        block_on(job.run())
    }

    fn outcome(
        &self,
        [whole, base, new]: &[Side<'_>; 3],
        all: &Examples,
        half: &Examples,
        shots: usize,
    ) -> Result<Outcome> {
        let open = |learned: &Learned, side: &Side<'_>| {
            let head = block_on(Head::open(&learned.prompt, self.model, side.names))?;
            side.accuracy(self.model, &head)
        };
        let start = now();
        let learned = self.learn(whole.names, all)?;
        let seconds = (now() - start) / 1e3;
        let taught = self.learn(base.names, half)?;
        Ok(Outcome {
            recipe: self.recipe.name,
            shots,
            seed: self.seed,
            scores: scores([
                open(&learned, whole)?,
                open(&taught, base)?,
                open(&taught, new)?,
            ]),
            trained_parameters: learned.trained_parameters,
            seconds,
        })
    }
}
