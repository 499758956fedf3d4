//! Features of the photos of a data set, one plain view each.

use promptlens::dataset::{DataSet, Item};
use promptlens::error::{Failure, Result};
use promptlens::evaluate::class_names;
use promptlens::fewshot::data_set::{Selection, encode_items};
use promptlens::fewshot::photos::ViewEncoder;
use promptlens::model::Model;
use promptlens::prompt_learning::examples::Examples;

use super::model::labels;

/// The class names, which `auto` takes from the folders to learn from.
pub fn names(given: &str, data: &DataSet) -> Result<Vec<String>> {
    match given {
        "auto" => class_names(data, Selection::training(data).split.as_deref()),
        given => labels(given),
    }
}

/// The features of images with their class, and the images that are not usable.
pub fn encode(
    model: &Model,
    data: &DataSet,
    items: &[(&Item, usize)],
    classes: usize,
) -> Result<(Examples, Vec<Failure>)> {
    encode_items(model, data, items, classes, ViewEncoder::new(1, 0, None)?)
}
