//! What images may show instead of the classes.

use super::examples::Examples;

/// Material for recipes that learn what is none of the classes; other recipes leave it aside.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutlierData<'a> {
    /// Negative labels, the best first.
    pub negatives: &'a [String],
    /// Images of none of the classes, whatever their labels say.
    pub images: Option<&'a Examples>,
}
