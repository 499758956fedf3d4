//! Lists of class names from files and from what is typed.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::convert::{to_js, to_js_error};
use super::engine::Engine;
use crate::error::Result;
use crate::tokenize::{parse_label_file, parse_typed_labels, same_names};

/// The first of each name that are the same to the model, and the groups of such names.
#[derive(Serialize)]
struct LabelList {
    labels: Vec<String>,
    repeated: Vec<Vec<String>>,
}

impl LabelList {
    fn new(names: &[String]) -> Self {
        let groups = same_names(names);
        let mut later: Vec<usize> = groups
            .iter()
            .flat_map(|group| group[1..].to_vec())
            .collect();
        later.sort_unstable();
        let group = |places: &Vec<usize>| places.iter().map(|at| names[*at].clone()).collect();
        Self {
            repeated: groups.iter().map(group).collect(),
            labels: (0..names.len())
                .filter(|at| later.binary_search(at).is_err())
                .map(|at| names[at].clone())
                .collect(),
        }
    }
}

fn list(names: Result<Vec<String>>) -> std::result::Result<JsValue, JsValue> {
    let list = names.and_then(|names| to_js(&LabelList::new(&names)));
    list.map_err(|e| to_js_error(&e))
}

#[wasm_bindgen]
impl Engine {
    /// The class names in a file, as `{labels, repeated}`.
    #[wasm_bindgen(js_name = parseLabels)]
    pub fn parse_labels(name: &str, bytes: &[u8]) -> std::result::Result<JsValue, JsValue> {
        list(parse_label_file(name, bytes))
    }

    /// The class names in a text that was typed or pasted, alike.
    #[wasm_bindgen(js_name = parseTypedLabels)]
    pub fn parse_typed_labels(text: &str) -> std::result::Result<JsValue, JsValue> {
        list(parse_typed_labels(text))
    }
}
