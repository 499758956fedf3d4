//! What a recipe may learn from beside labeled images.

use super::descriptions::Descriptions;
use super::outliers::OutlierData;
use crate::prompt::file::Prompt;

/// Material for recipes that ask for it; each may be absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Material<'a> {
    /// Unit features [N, d] of images without labels; may be empty.
    pub unlabeled: &'a [f32],
    /// Sentences about the classes, or about pairs of them.
    pub descriptions: Option<&'a Descriptions>,
    /// Negative labels and images of none of the classes.
    pub outliers: OutlierData<'a>,
    /// A prompt to go on from, for recipes that [continue](super::recipe::Recipe::continues).
    pub start: Option<&'a Prompt>,
}
