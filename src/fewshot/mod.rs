//! Teaching from labeled files: photos of a data set to features, a recipe on them, and how good the
//! result is.

mod collect;
mod compare;
mod draws;
mod photos;
mod sides;

pub use collect::{Collected, collected};
pub use compare::{Benchmark, Comparison, Entry, LimitedRun, Outcome, Scores, harmonic};
pub use photos::{Source, Taken, chosen, examples, others};
use pollster::block_on;

use crate::classifier::Classifier;
use crate::clock::now;
use crate::dataset::{DataSet, TEST_SPLIT};
use crate::error::Result;
use crate::prompt::heads::open;
use crate::prompt::template::DEFAULT;
use crate::prompt_learning::descriptions::Descriptions;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{Recipe, TrainedPrompt, TrainingJob};
use crate::prompt_learning::options::Options;
use crate::prompt_learning::others::OutlierData;
use crate::prompt_learning::trainer::{Observer, TrainingProgress};
use crate::prompt_learning::validate::{HeldOutAccuracy, Validation, validate};

/// What to teach.
pub struct Lesson<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// What people set.
    pub options: &'a Options,
    /// The classes.
    pub names: &'a [String],
    /// Sentences about them, where there are any.
    pub descriptions: Option<&'a Descriptions>,
    /// What is none of the classes, for recipes that learn it.
    pub others: OutlierData<'a>,
    /// Decides every random number.
    pub seed: u64,
}

/// A result, and how good it is.
#[derive(Debug, Clone)]
pub struct Taught {
    /// The prompt with its losses.
    pub learned: TrainedPrompt,
    /// Seconds that the recipe took, without the features of the images.
    pub seconds: f64,
    /// What was measured; none where there was nothing to measure on.
    pub measured: Option<HeldOutAccuracy>,
}

impl Lesson<'_> {
    /// Teaches from `examples`; measures on `test`, or leaves images out in turn where it is none.
    ///
    /// # Errors
    /// Those of the recipe.
    pub fn teach(
        &self,
        model: &Classifier,
        examples: Option<&Examples>,
        test: Option<&Examples>,
        observe: &dyn Fn(&TrainingProgress),
    ) -> Result<Taught> {
        let job = TrainingJob {
            recipe: self.recipe,
            model,
            names: self.names,
            examples,
            unlabeled: &[],
            descriptions: self.descriptions,
            others: self.others,
            options: self.options,
            seed: self.seed,
            observer: Observer {
                progress: &(),
                observe,
            },
        };
        let start = now();
        let learned = block_on(job.run())?;
        let seconds = (now() - start) / 1e3;
        let measured = match (test, examples) {
            (Some(test), _) => {
                let head = block_on(open(&learned.prompt, model, self.names))?;
                let images = test.plain();
                let after = block_on(head.accuracy(model, &images, test.labels()))?;
                let on = format!("{TEST_SPLIT} split");
                Some(measured(model, self.names, on, test, after)?)
            }
            (None, Some(_)) => block_on(validate(&job, Validation::InTurn, &()))?,
            (None, None) => None,
        };
        Ok(Taught {
            learned,
            seconds,
            measured,
        })
    }
}

fn measured(
    model: &Classifier,
    names: &[String],
    on: String,
    images: &Examples,
    after: f64,
) -> Result<HeldOutAccuracy> {
    let classes = block_on(model.classes(names, DEFAULT))?;
    let zero_shot = &classes.head;
    Ok(HeldOutAccuracy {
        on,
        n: images.len(),
        accuracy_before: block_on(zero_shot.accuracy(model, &images.plain(), images.labels()))?,
        accuracy_after: after,
    })
}

/// Whether `data` has a split to measure on.
pub fn has_test(data: &DataSet) -> bool {
    data.splits().contains(TEST_SPLIT)
}
