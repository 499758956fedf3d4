//! How good answers on labeled photos are.

use wasm_bindgen::prelude::*;

use super::convert::{to_js, to_js_error};
use super::engine::Engine;
use crate::reliability::assess;

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
}
