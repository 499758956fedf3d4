//! What to learn, and how.

use std::num::NonZeroUsize;

use super::photos::DefaultViews;
use crate::classifier::ClassSet;
use crate::error::Result;
use crate::image::views::Corruption;
use crate::model::Model;
use crate::ood::negatives::MiningOptions;
use crate::progress::Progress;
use crate::prompt::file::Prompt;
use crate::prompt::template::DEFAULT;
use crate::prompt_learning::descriptions::Descriptions;
use crate::prompt_learning::recipe::ConfiguredRecipe;
use crate::prompt_learning::validate::Validation;

/// What [`run`](super::run()) is to do.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The model.
    pub model: &'a Model,
    /// The recipe with its parameters.
    pub recipe: &'a ConfiguredRecipe,
    /// The class names, [K].
    pub names: &'a [String],
    /// Sentences about the classes.
    pub descriptions: Option<&'a Descriptions>,
    /// A prompt to go on from, for recipes that continue.
    pub start: Option<&'a Prompt>,
    /// Negative labels, for recipes that learn what is none of the classes.
    pub negatives: NegativeLabels<'a>,
    /// Views of every photo to learn from, the plain one among them. `None`: as many as the recipe
    /// makes use of.
    pub crops: Option<usize>,
    /// What is done to every photo first.
    pub corruption: Option<Corruption>,
    /// Decides which crops, and every other random number.
    pub seed: u64,
    /// Learns from [`PhotoSet::Unlabeled`](super::PhotoSet) by pseudo-labels, at most this many
    /// photos of each class.
    pub pseudo_label: Option<NonZeroUsize>,
    /// How the accuracy is measured if the source has no photos for that.
    pub validation: Option<Validation>,
}

impl Request<'_> {
    /// Views of every photo to learn from. One if nothing is trained on them, and one for each epoch
    /// beside the plain one if every epoch has crops of its own.
    pub fn crops(&self) -> usize {
        self.crops.unwrap_or_else(|| self.recipe.default_views())
    }

    /// Whether every epoch has crops of its own.
    pub fn fresh_crops(&self) -> bool {
        let crops = self.recipe.crops();
        crops.is_some_and(|crops| crops.epochs.is_some())
    }
}

/// Words for none of the classes.
#[derive(Clone, Copy)]
pub enum NegativeLabels<'a> {
    /// These.
    Given(&'a [String]),
    /// Those of this class list, or mined for it if it has none.
    Of(&'a ClassSet),
    /// Mined for the class names in the default template.
    Mined,
}

impl NegativeLabels<'_> {
    /// The words for `names`.
    ///
    /// # Errors
    /// Those of [`Model::negatives`] and [`Model::classes`].
    pub async fn words(
        self,
        model: &Model,
        names: &[String],
        progress: &dyn Progress,
    ) -> Result<Vec<String>> {
        match self {
            Self::Given(words) => Ok(words.to_vec()),
            Self::Of(classes) => match classes.negatives() {
                Some(own) => Ok(own.labels.clone()),
                None => mine(model, classes, progress).await,
            },
            Self::Mined => {
                mine(
                    model,
                    &ClassSet::new(model, names, DEFAULT).await?,
                    progress,
                )
                .await
            }
        }
    }
}

async fn mine(model: &Model, classes: &ClassSet, progress: &dyn Progress) -> Result<Vec<String>> {
    let options = MiningOptions::default();
    let mined = classes.mine_negatives(model, &options, progress).await?;
    Ok(mined.labels.clone())
}
