//! Lists of class names from files.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::convert::{to_js, to_js_error};
use super::engine::Engine;
use crate::tokenize::{parse_label_file, same_names};

#[derive(Serialize)]
struct LabelList {
    labels: Vec<String>,
    repeated: Vec<Vec<String>>,
}

#[wasm_bindgen]
impl Engine {
    /// The class names in a file, as `{labels, repeated}`: the first of each that are the same to the
    /// model, and the groups of such names.
    #[wasm_bindgen(js_name = parseLabels)]
    pub fn parse_labels(name: &str, bytes: &[u8]) -> Result<JsValue, JsValue> {
        let names = parse_label_file(name, bytes).map_err(|e| to_js_error(&e))?;
        let groups = same_names(&names);
        let mut later: Vec<usize> = groups
            .iter()
            .flat_map(|group| group[1..].to_vec())
            .collect();
        later.sort_unstable();
        let group = |places: &Vec<usize>| places.iter().map(|at| names[*at].clone()).collect();
        let list = LabelList {
            repeated: groups.iter().map(group).collect(),
            labels: (0..names.len())
                .filter(|at| later.binary_search(at).is_err())
                .map(|at| names[at].clone())
                .collect(),
        };
        to_js(&list).map_err(|e| to_js_error(&e))
    }
}
