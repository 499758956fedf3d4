//! What a prompt file says.

use std::collections::BTreeMap;
use std::path::Path;

use promptlens::error::Result;
use promptlens::prompt_learning::recipes::find;
use serde::Serialize;

use super::super::model::prompt_file;
use super::super::output::{Answer, table};
use promptlens::checkpoint::digest;

#[derive(Serialize)]
struct Document {
    kind: &'static str,
    path: String,
    recipe: String,
    /// None for a recipe that this program does not know.
    paper: Option<&'static str>,
    layout: &'static str,
    class_names: Vec<String>,
    model_sha256: String,
    logit_scale: f32,
    created_by: String,
    /// Dimensions by tensor.
    tensors: BTreeMap<String, Vec<usize>>,
    numbers: usize,
    bytes: u64,
    sha256: String,
    /// What the recipe added.
    metadata: BTreeMap<String, String>,
}

pub fn run(path: &Path) -> Result<Answer> {
    let prompt = prompt_file(path)?;
    let (bytes, sha256) = digest(path)?;
    let document = Document {
        kind: "prompt",
        path: path.display().to_string(),
        paper: find(&prompt.recipe).ok().map(|recipe| recipe.paper),
        recipe: prompt.recipe,
        layout: prompt.layout.name(),
        class_names: prompt.class_names,
        model_sha256: prompt.model_sha256,
        logit_scale: prompt.logit_scale,
        created_by: prompt.created_by,
        numbers: prompt.tensors.values().map(|v| v.data.len()).sum(),
        tensors: prompt
            .tensors
            .into_iter()
            .map(|(name, values)| (name, values.shape))
            .collect(),
        bytes,
        sha256,
        metadata: prompt.extra,
    };
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        line("path", document.path.clone()),
        line("kind", document.kind.to_owned()),
        line("recipe", document.recipe.clone()),
        line("paper", document.paper.unwrap_or("not known").to_owned()),
        line("class name stands", format!("at the {}", document.layout)),
        line("taught", document.class_names.join(", ")),
        line("model sha256", document.model_sha256.clone()),
        line("numbers", document.numbers.to_string()),
        line("bytes", document.bytes.to_string()),
    ];
    let tensors = document.tensors.iter();
    rows.extend(tensors.map(|(name, shape)| line(name, format!("{shape:?}"))));
    let text = table(&rows);
    Answer::new(&document, text, true)
}
