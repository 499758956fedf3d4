//! Labels for unlabeled images from names alone, after the paper's filter: an image whose best
//! class is probable enough becomes an example of that class, anything else an example of its
//! nearest negative label.
//!
//! The paper knows for which name it fetched an image and asks for a probability above 1 / K among
//! the K classes. Here the name is unknown, and the best of K probabilities is never below 1 / K, so
//! the negative labels take part in the softmax: they draw the mass of whatever is none of the
//! classes.

use crate::error::{Error, Kind, Result};
use crate::math::{argmax, check_finite, check_tau, softmax};

/// The most images that are labeled at once.
pub const MAX_IMAGES: usize = 100_000;

/// An image with the label that it was given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PseudoLabel {
    /// Which image, from 0.
    pub image: usize,
    /// A class, or the number of classes plus a negative label.
    pub label: usize,
    /// Its probability among classes and negative labels.
    pub confidence: f64,
}

/// The labels of a list of images.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PseudoLabels {
    /// Examples of the classes, by class, the most confident first.
    pub id: Vec<PseudoLabel>,
    /// Examples of negative labels, in the order of the images.
    pub other: Vec<PseudoLabel>,
    /// Images of classes that already had enough, in their order.
    pub surplus: Vec<usize>,
}

/// The paper's 1 / K; one half for a single class, whose probability cannot exceed 1.
pub fn default_threshold(classes: usize) -> f64 {
    1.0 / classes.max(2) as f64
}

/// Labels images from their cosines to the `classes` names and to the negative labels. An image
/// belongs to its most probable class if that class's share of softmax(cos / τ) over classes and
/// negatives exceeds `threshold` ([`default_threshold`]), at most `per_class` of them, the most
/// confident first.
///
/// Without negative labels every image meets the classes only, and those at or below the threshold
/// have no label and are left out.
///
/// # Errors
/// `labels/empty` without classes, `options/invalid` for too many images, `engine/not-finite`,
/// `engine/internal` if an image lacks cosines.
pub fn pseudo_label(
    class_cosines: &[Vec<f64>],
    negative_cosines: &[Vec<f64>],
    tau: f64,
    threshold: f64,
    per_class: usize,
) -> Result<PseudoLabels> {
    let classes = class_cosines.first().map_or(0, Vec::len);
    let negatives = negative_cosines.first().map_or(0, Vec::len);
    check(class_cosines, negative_cosines, classes, negatives)?;
    check_tau(tau)?;
    let mut by_class: Vec<Vec<PseudoLabel>> = vec![Vec::new(); classes];
    let mut labels = PseudoLabels::default();
    let mut joint = Vec::with_capacity(classes + negatives);
    for (image, cosines) in class_cosines.iter().enumerate() {
        joint.clear();
        joint.extend_from_slice(cosines);
        joint.extend(negative_cosines.get(image).into_iter().flatten());
        let p = softmax(&joint, tau);
        let label = argmax(&p[..classes]);
        if p[label] > threshold {
            by_class[label].push(PseudoLabel {
                image,
                label,
                confidence: p[label],
            });
        } else if negatives > 0 {
            let label = classes + argmax(&p[classes..]);
            labels.other.push(PseudoLabel {
                image,
                label,
                confidence: p[label],
            });
        }
    }
    for mut examples in by_class {
        examples.sort_by(|a, b| {
            b.confidence
                .total_cmp(&a.confidence)
                .then(a.image.cmp(&b.image))
        });
        let extra = examples.split_off(per_class.min(examples.len()));
        labels.surplus.extend(extra.iter().map(|e| e.image));
        labels.id.extend(examples);
    }
    labels.surplus.sort_unstable();
    Ok(labels)
}

fn check(
    class_cosines: &[Vec<f64>],
    negative_cosines: &[Vec<f64>],
    classes: usize,
    negatives: usize,
) -> Result<()> {
    if class_cosines.len() > MAX_IMAGES {
        return Err(Error::new(
            Kind::OptionInvalid,
            format!(
                "Give at most {MAX_IMAGES} images, not {}.",
                class_cosines.len()
            ),
        ));
    }
    if !class_cosines.is_empty() && classes == 0 {
        return Err(Error::new(
            Kind::LabelsEmpty,
            "Give at least one class name.",
        ));
    }
    let whole = class_cosines.iter().all(|row| row.len() == classes)
        && negative_cosines.iter().all(|row| row.len() == negatives)
        && (negatives == 0 || negative_cosines.len() == class_cosines.len());
    if !whole {
        return Err(Error::new(
            Kind::Internal,
            "An image lacks its cosines to the names.",
        ));
    }
    for row in class_cosines.iter().chain(negative_cosines) {
        check_finite(row, "similarities of an image")?;
    }
    Ok(())
}
