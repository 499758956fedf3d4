//! How good answers on labeled photos are, and which classes answers confuse.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::convert::{to_js, to_js_error};
use super::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::prompt_learning::described_pairs::{MetPair, met, to_fill};
use crate::reliability::assess;

/// Classes that were both likely, and the file that asks for texts about them.
#[derive(Serialize)]
struct ConfusedPairs<'a> {
    pairs: Vec<ConfusedPair<'a>>,
    /// JSON.
    file: String,
}

#[derive(Serialize)]
struct ConfusedPair<'a> {
    classes: [&'a str; 2],
    images: usize,
}

#[wasm_bindgen]
impl Engine {
    /// The confusion matrix, the calibration error and the temperature of `probabilities` [N, K] of photos
    /// whose true classes are `labels` [N].
    pub fn assess(
        probabilities: &[f64],
        labels: &[u32],
        classes: u32,
    ) -> std::result::Result<JsValue, JsValue> {
        let labels: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
        let found = assess(probabilities, &labels, classes as usize);
        found
            .and_then(|found| to_js(&found))
            .map_err(|e| to_js_error(&e))
    }

    /// The pairs among the `top` most likely classes of each row of `probabilities` [N, K], at most
    /// `limit`, and a file for them with places for `texts` pairs of texts each.
    #[wasm_bindgen(js_name = confusedPairs)]
    pub fn confused_pairs(
        probabilities: &[f64],
        names: Vec<String>,
        top: u32,
        limit: u32,
        texts: u32,
    ) -> std::result::Result<JsValue, JsValue> {
        let mut pairs = met(probabilities, names.len(), top as usize);
        pairs.truncate(limit as usize);
        written(&pairs, &names, texts as usize).map_err(|e| to_js_error(&e))
    }
}

fn written(pairs: &[MetPair], names: &[String], texts: usize) -> Result<JsValue> {
    let file = serde_json::to_string_pretty(&to_fill(pairs, names, texts))
        .map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
    let named = |pair: &MetPair| ConfusedPair {
        classes: pair.classes.map(|class| names[class].as_str()),
        images: pair.images,
    };
    to_js(&ConfusedPairs {
        pairs: pairs.iter().map(named).collect(),
        file,
    })
}
