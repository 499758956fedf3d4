//! Examples from images that nobody labeled: the class names and negative labels say what they show.

use super::examples::Examples;
use super::job::{Model, encode};
use crate::error::Result;
use crate::math::UnitRows;
use crate::math::dot;
use crate::ood::lapt::{collect, default_threshold};
use crate::prompt::template::{DEFAULT, Template};

/// What became of unlabeled images. All numbers are places among them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gathered {
    /// Images that probably show a class, with the class; the most confident first within each.
    pub own: Vec<(usize, usize)>,
    /// Images that probably show none.
    pub others: Vec<usize>,
    /// Images of classes that have enough.
    pub surplus: Vec<usize>,
}

/// Labels `images` by their plain views, for LAPT: an image is an example of its most probable class
/// where that probability, among all `names` and `negatives`, is above 1 / K, and at most `per_class`
/// are kept, the most probable ones. Anything below shows none of the classes.
///
/// # Errors
/// `labels/too-long`, `data/too-large`, `engine/not-finite` and the device's errors.
pub async fn gather(
    model: &dyn Model,
    names: &[String],
    negatives: &[String],
    images: &Examples,
    per_class: usize,
) -> Result<Gathered> {
    let d = model.dim();
    let template = Template::parse(DEFAULT[0])?;
    let mut rows = [Vec::new(), Vec::new()];
    for (rows, words) in rows.iter_mut().zip([names, negatives]) {
        let texts = UnitRows::new(&encode(model, &template, words).await?, d).values;
        for i in 0..images.len() {
            let image = images.view(i, 0);
            rows.push(texts.chunks_exact(d).map(|t| dot(image, t)).collect());
        }
    }
    let [classes, negatives] = rows;
    let tau = 1.0 / f64::from(model.logit_scale());
    let threshold = default_threshold(names.len());
    let found = collect(&classes, &negatives, tau, threshold, per_class)?;
    Ok(Gathered {
        own: found.id.iter().map(|l| (l.image, l.label)).collect(),
        others: found.other.iter().map(|l| l.image).collect(),
        surplus: found.surplus,
    })
}

impl Gathered {
    /// The examples of the classes and the others among `images`; none where there are none.
    ///
    /// # Errors
    /// `engine/internal` for other images than those that were gathered.
    pub fn split(&self, images: &Examples) -> Result<(Option<Examples>, Option<Examples>)> {
        let places: Vec<usize> = self.own.iter().map(|(image, _)| *image).collect();
        let labels: Vec<usize> = self.own.iter().map(|(_, class)| *class).collect();
        let some = |places: &[usize]| match places {
            [] => Ok(None),
            _ => images.subset(places).map(Some),
        };
        let own = some(&places)?.map(|own| own.labeled(labels)).transpose()?;
        Ok((own, some(&self.others)?))
    }
}
