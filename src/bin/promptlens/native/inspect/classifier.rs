//! What a classifier file says.

use std::path::Path;

use promptlens::checkpoint::digest;
use promptlens::classifier_file::EXTENSION;
use promptlens::error::Result;
use serde::Serialize;

use super::super::classifier::read;
use super::super::output::{Answer, table};

#[derive(Serialize)]
struct Document {
    kind: &'static str,
    path: String,
    class_names: Vec<String>,
    templates: Vec<String>,
    /// The recipe of the learned prompt.
    recipe: Option<String>,
    score: Option<&'static str>,
    /// A person's own, else the fitted one.
    threshold: Option<f64>,
    tuning: String,
    model: Option<String>,
    model_name: String,
    model_sha256: Option<String>,
    quant: Option<&'static str>,
    bytes: u64,
    sha256: String,
}

/// Whether the file is called as classifier files are.
pub fn is_classifier(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case(EXTENSION))
}

pub fn run(path: &Path) -> Result<Answer> {
    let file = read(path)?;
    let (bytes, sha256) = digest(path)?;
    let rejection = &file.rejection;
    let own = rejection.threshold.map(|threshold| threshold.value);
    let document = Document {
        kind: "classifier",
        path: path.display().to_string(),
        recipe: file.prompt.map(|prompt| prompt.recipe),
        score: rejection.score.map(|score| score.name),
        threshold: own.or(rejection
            .calibration
            .as_ref()
            .map(|fitted| fitted.threshold)),
        tuning: match &file.tuning {
            Some(tuning) => tuning.to_string(),
            None => "none".to_owned(),
        },
        class_names: file.labels,
        templates: file.templates,
        model: file.model.address,
        model_name: file.model.name,
        model_sha256: file.model.sha256,
        quant: file.model.quantization.map(|form| form.name()),
        bytes,
        sha256,
    };
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    let rows = [
        line("path", document.path.clone()),
        line("kind", document.kind.to_owned()),
        line("class names", document.class_names.join(", ")),
        line("sentences", document.templates.join(" | ")),
        line("learned by", or_none(document.recipe.clone())),
        line("score", or_none(document.score.map(str::to_owned))),
        line(
            "threshold",
            or_none(document.threshold.map(|t| t.to_string())),
        ),
        line("tuning", document.tuning.clone()),
        line("model", document.model_name.clone()),
        line("model address", or_none(document.model.clone())),
        line("model sha256", or_none(document.model_sha256.clone())),
        line("quant", or_none(document.quant.map(str::to_owned))),
        line("bytes", document.bytes.to_string()),
    ];
    let text = table(&rows);
    Answer::new(&document, text, true)
}
