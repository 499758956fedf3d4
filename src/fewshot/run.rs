//! The workflow: photos to examples, the recipe, its accuracy.

use super::photos::ViewEncoder;
use super::pseudo_label::{pseudo_label, split};
use super::report::Report;
use super::request::Request;
use super::source::{PhotoReader, PhotoSet, PhotoSource};
use crate::clock::now;
use crate::error::{Error, Failure, Kind, Result};
use crate::progress::{Progress, Silent};
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{Note, TrainingJob};
use crate::prompt_learning::material::Material;
use crate::prompt_learning::outliers::OutlierData;
use crate::prompt_learning::trainer::Observer;
use crate::prompt_learning::validate::{test_accuracy, validate};

/// Learns the prompt that `request` describes from the photos of `source`.
///
/// The accuracy is measured on [`PhotoSet::Test`] if the source has it, and else as
/// [`Request::validation`] says. Photos of none of the classes and negative labels are read only for
/// recipes that learn from them.
///
/// # Errors
/// `options/invalid`, `data/empty`, those of the source, of
/// [`NegativeLabels::words`](super::NegativeLabels::words) and of the recipe, and what the observer
/// returns.
pub async fn run(
    request: &Request<'_>,
    source: &impl PhotoSource,
    observer: Observer<'_>,
) -> Result<Report> {
    let data = TrainingData::read(request, source, observer.progress).await?;
    let job = TrainingJob {
        recipe: request.recipe,
        model: request.model,
        names: request.names,
        examples: data.examples.as_ref(),
        material: Material {
            unlabeled: &data.unlabeled,
            descriptions: request.descriptions,
            outliers: OutlierData {
                negatives: &data.negatives,
                images: data.outliers.as_ref(),
            },
            start: request.start,
        },
        seed: request.seed,
        observer,
    };
    let start = now();
    let trained = job.run().await?;
    let seconds = (now() - start) / 1e3;
    let accuracy = match (&data.test, request.validation, &data.examples) {
        (Some(test), ..) => Some(test_accuracy(&job, &trained.prompt, test).await?),
        (None, Some(validation), Some(_)) => {
            validate(&job, validation, &Silent(observer.progress)).await?
        }
        (None, ..) => None,
    };
    let mut notes = trained.notes;
    notes.extend(data.notes);
    Ok(Report {
        prompt: trained.prompt,
        recipe: request.recipe.info.name,
        trained_parameters: trained.trained_parameters,
        losses: trained.losses,
        notes,
        images: data.examples.as_ref().map_or(0, Examples::len)
            + data.unlabeled.len() / request.model.clip.config.projection_dim,
        seconds,
        accuracy,
        failures: data.failures,
    })
}

/// Everything that a recipe learns from or is measured on.
#[derive(Default)]
struct TrainingData {
    examples: Option<Examples>,
    outliers: Option<Examples>,
    test: Option<Examples>,
    /// Features of photos without labels, for recipes that need none, [N, d].
    unlabeled: Vec<f32>,
    negatives: Vec<String>,
    notes: Vec<Note>,
    failures: Vec<Failure>,
}

impl TrainingData {
    async fn read(
        request: &Request<'_>,
        source: &impl PhotoSource,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let Request { model, names, .. } = *request;
        let learns_outliers = request.recipe.info.needs.outliers;
        let sets: &[PhotoSet] = match (request.pseudo_label, learns_outliers) {
            (Some(_), false) => {
                return Err(Error::new(
                    Kind::OptionInvalid,
                    "Photos without labels are for recipes that learn what is none of the classes, such as lapt.",
                ));
            }
            (Some(_), true) => &[PhotoSet::Unlabeled, PhotoSet::Test],
            (None, true) => &[PhotoSet::Classes, PhotoSet::Outliers, PhotoSet::Test],
            (None, false) if request.recipe.info.needs.unlabeled => {
                &[PhotoSet::Classes, PhotoSet::Unlabeled, PhotoSet::Test]
            }
            (None, false) => &[PhotoSet::Classes, PhotoSet::Test],
        };
        if source.labels(PhotoSet::Unlabeled).is_some() && !sets.contains(&PhotoSet::Unlabeled) {
            return Err(Error::new(
                Kind::OptionInvalid,
                "This recipe learns nothing from photos without labels; tfup and clip-lit do.",
            ));
        }
        let mut data = Self::default();
        let mut unlabeled = None;
        let mut reader = PhotoReader::new(source, model, sets, ("photos", progress));
        for set in sets {
            let classes = match set {
                PhotoSet::Classes | PhotoSet::Test => names.len(),
                PhotoSet::Outliers | PhotoSet::Unlabeled => 1,
            };
            let views = match set {
                PhotoSet::Test => 1,
                _ => request.crops(),
            };
            let encoder = ViewEncoder::new(views, request.seed, request.corruption)?
                .with_crops(request.recipe.crops())
                .with_local_features(
                    *set == PhotoSet::Classes && request.recipe.info.needs.local_features,
                );
            let read = reader.examples(*set, classes, encoder).await?;
            let examples = read.map(|(examples, _)| match request.fresh_crops() {
                true => examples.with_fresh_crops(),
                false => examples,
            });
            match set {
                PhotoSet::Classes => data.examples = examples,
                PhotoSet::Outliers => data.outliers = examples,
                PhotoSet::Unlabeled => unlabeled = examples,
                PhotoSet::Test => data.test = examples,
            }
        }
        data.failures = reader.finish().await?;
        if learns_outliers {
            data.negatives = request.negatives.words(model, names, progress).await?;
        }
        match (request.pseudo_label, &unlabeled) {
            (Some(per_class), Some(images)) => {
                data.pseudo_label(request, images, per_class.get()).await?;
            }
            (None, Some(images)) => data.unlabeled = images.plain(),
            (_, None) => {}
        }
        Ok(data)
    }

    /// Takes examples of the classes and of none of them from `images`.
    async fn pseudo_label(
        &mut self,
        request: &Request<'_>,
        images: &Examples,
        per_class: usize,
    ) -> Result<()> {
        let Request { model, names, .. } = *request;
        let labels = pseudo_label(model, names, &self.negatives, images, per_class).await?;
        (self.examples, self.outliers) = split(&labels, images)?;
        if self.examples.is_none() && self.outliers.is_none() {
            return Err(Error::new(
                Kind::DataEmpty,
                "None of the images is like any class or any negative label; give negative labels.",
            ));
        }
        let found = |class: &usize| labels.id.iter().any(|photo| photo.label == *class);
        let classes = (0..names.len()).filter(found).count();
        for (name, count) in [
            ("collected for the classes", labels.id.len()),
            ("classes with collected images", classes),
            ("collected as others", labels.other.len()),
            ("left out, as their class has enough", labels.surplus.len()),
        ] {
            self.notes.push(Note::new(name, count as f64));
        }
        Ok(())
    }
}
