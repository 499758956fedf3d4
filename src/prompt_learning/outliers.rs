//! Outlier data: negative labels and images of none of the classes.

use super::examples::Examples;

/// Outliers for recipes whose [`Needs`](super::recipe::Needs) name them; other recipes ignore it.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutlierData<'a> {
    /// Negative labels, the best first.
    pub negatives: &'a [String],
    /// Images of none of the classes, whatever their labels say.
    pub images: Option<&'a Examples>,
}
