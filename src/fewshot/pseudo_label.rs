//! Pseudo-labels: the class names and negative labels say what unlabeled photos show.

use std::num::NonZeroUsize;

use serde::Serialize;

use super::photos::ViewEncoder;
use super::request::NegativeLabels;
use super::source::{PhotoReader, PhotoSet, PhotoSource};
use crate::error::{Failure, Result};
use crate::math::{UnitRows, dot};
use crate::model::Model;
use crate::ood::lapt::{self, PseudoLabels, default_threshold};
use crate::progress::Progress;
use crate::prompt::model::{PromptModel, encode};
use crate::prompt::template::{DEFAULT, Template};
use crate::prompt_learning::examples::Examples;

/// The most photos kept of each class if nobody says how many, as in LAPT.
pub const PER_CLASS: NonZeroUsize = NonZeroUsize::new(36).unwrap();

/// Labels `images` by their plain views, as LAPT does: an image is an example of its most probable
/// class if that probability, among all `names` and `negatives`, is above 1 / K. At most `per_class`
/// are kept of each class, the most probable first. Any other image shows none of the classes.
///
/// # Errors
/// `labels/too-long`, `data/too-large`,
/// `engine/not-finite` and the device's errors.
pub async fn pseudo_label(
    model: &dyn PromptModel,
    names: &[String],
    negatives: &[String],
    images: &Examples,
    per_class: usize,
) -> Result<PseudoLabels> {
    let d = model.dim();
    let template = Template::parse(DEFAULT[0])?;
    let mut cosines = [Vec::new(), Vec::new()];
    for (cosines, words) in cosines.iter_mut().zip([names, negatives]) {
        let texts = UnitRows::new(&encode(model, &template, words).await?, d).values;
        for i in 0..images.len() {
            let image = images.view(i, 0);
            cosines.push(texts.chunks_exact(d).map(|t| dot(image, t)).collect());
        }
    }
    let [classes, negatives] = cosines;
    let tau = 1.0 / f64::from(model.logit_scale());
    let threshold = default_threshold(names.len());
    lapt::pseudo_label(&classes, &negatives, tau, threshold, per_class)
}

/// The examples of the classes and those of none of them among `images`; `None` instead of no
/// example.
///
/// # Errors
/// `engine/internal` for other images than those of `labels`.
pub fn split(
    labels: &PseudoLabels,
    images: &Examples,
) -> Result<(Option<Examples>, Option<Examples>)> {
    let some = |indices: &[usize]| match indices {
        [] => Ok(None),
        _ => images.subset(indices).map(Some),
    };
    let id: Vec<usize> = labels.id.iter().map(|photo| photo.image).collect();
    let other: Vec<usize> = labels.other.iter().map(|photo| photo.image).collect();
    let classes = labels.id.iter().map(|photo| photo.label).collect();
    let id = some(&id)?.map(|id| id.labeled(classes)).transpose()?;
    Ok((id, some(&other)?))
}

/// Which photos to label, and how.
pub struct PseudoLabelRequest<'a> {
    /// The model.
    pub model: &'a Model,
    /// The class names.
    pub names: &'a [String],
    /// Words for none of the classes.
    pub negatives: NegativeLabels<'a>,
    /// The most photos kept of each class.
    pub per_class: NonZeroUsize,
}

/// What photos probably show. Photos are named by their number.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct PseudoLabelReport {
    /// Photos that probably show a class, by class, the most probable first.
    pub examples: Vec<LabeledPhoto>,
    /// Photos that probably show none.
    pub outliers: Vec<usize>,
    /// Photos of classes that have enough.
    pub surplus: Vec<usize>,
    /// Photos that could not be used.
    pub failures: Vec<Failure>,
}

/// A photo that probably shows a class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabeledPhoto {
    /// Its number.
    pub index: usize,
    /// The class name.
    pub label: String,
}

/// Labels the photos [`PhotoSet::Unlabeled`] of `source`.
///
/// # Errors
/// Those of [`pseudo_label`], of [`NegativeLabels::words`] and of the source, and what `progress`
/// returns.
pub async fn pseudo_label_photos(
    request: &PseudoLabelRequest<'_>,
    source: &impl PhotoSource,
    progress: &dyn Progress,
) -> Result<PseudoLabelReport> {
    let PseudoLabelRequest {
        model,
        names,
        negatives,
        per_class,
    } = *request;
    let words = negatives.words(model, names, progress).await?;
    let set = PhotoSet::Unlabeled;
    // Pages tell the stages of work apart by these names.
    let mut reader = PhotoReader::new(source, model, &[set], ("gather", progress));
    let read = reader
        .examples(set, 1, ViewEncoder::new(1, 0, None)?)
        .await?;
    let failures = reader.finish().await?;
    let Some((images, numbers)) = read else {
        return Ok(PseudoLabelReport {
            failures,
            ..PseudoLabelReport::default()
        });
    };
    let labels = pseudo_label(model, names, &words, &images, per_class.get()).await?;
    let examples = labels.id.iter().map(|photo| LabeledPhoto {
        index: numbers[photo.image],
        label: names[photo.label].clone(),
    });
    Ok(PseudoLabelReport {
        examples: examples.collect(),
        outliers: labels.other.iter().map(|p| numbers[p.image]).collect(),
        surplus: labels.surplus.iter().map(|i| numbers[*i]).collect(),
        failures,
    })
}
