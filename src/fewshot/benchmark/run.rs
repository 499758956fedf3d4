//! One recipe on one draw, scored on all names and from base to new.

use pollster::block_on;

use super::base_to_new::BaseToNew;
use super::types::{Outcome, Scores};
use crate::clock::now;
use crate::error::Result;
use crate::model::Model;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::material::Material;
use crate::prompt_learning::recipe::ConfiguredRecipe;
use crate::prompt_learning::trainer::{Observer, TrainingProgress};

/// One recipe with one seed.
pub struct Run<'a> {
    /// The model.
    pub model: &'a Model,
    /// The recipe with its parameters.
    pub recipe: &'a ConfiguredRecipe,
    /// Decides every random number.
    pub seed: u64,
}

impl Run<'_> {
    fn train(&self, names: &[String], images: &Examples) -> Result<TrainedPrompt> {
        let job = TrainingJob {
            recipe: self.recipe,
            model: self.model,
            names,
            examples: Some(images),
            material: Material::default(),
            seed: self.seed,
            observer: Observer {
                progress: &(),
                observe: &|_: &TrainingProgress| {},
            },
        };
        block_on(job.run())
    }

    /// Learns from the images `all`, and again from the images `base` of the base names alone;
    /// `shots` of each class. Measures both on `test`.
    ///
    /// # Errors
    /// Those of the recipe.
    pub fn outcome(
        &self,
        test: &BaseToNew<'_>,
        (all, base): (&Examples, &Examples),
        shots: usize,
    ) -> Result<Outcome> {
        let start = now();
        let of_all = self.train(test.all.names, all)?;
        let seconds = (now() - start) / 1e3;
        let of_base = self.train(test.base.names, base)?;
        Ok(Outcome {
            recipe: self.recipe.info.name,
            shots,
            seed: self.seed,
            scores: Scores::new([
                test.all.accuracy(self.model, &of_all.prompt)?,
                test.base.accuracy(self.model, &of_base.prompt)?,
                test.new.accuracy(self.model, &of_base.prompt)?,
            ]),
            trained_parameters: of_all.trained_parameters,
            seconds,
        })
    }
}
