//! From arguments to a loaded model with its class list.

use std::path::Path;

use pollster::block_on;
use promptlens::checkpoint::read_file;
use promptlens::classifier::ClassSet;
use promptlens::device::Choice;
use promptlens::error::{Error, Kind, Result};
use promptlens::model::Model;
use promptlens::prompt::file::{MAX_BYTES, Prompt};
use promptlens::tokenize::{parse_label_file, parse_labels, validate};

use super::args::{ModelArgs, PromptArgs};
use super::input::standard_input;

/// The largest configuration, tokenizer or list of class names.
const SMALL_BYTES: u64 = 64 << 20;

pub fn open(args: &ModelArgs, device: Choice) -> Result<Model> {
    block_on(Model::open(&args.model, device, args.quant))
}

/// Class names from `a,b,c`, from `@file`, or from standard input for `-` and `@-`.
pub fn labels(given: &str) -> Result<Vec<String>> {
    let given = if given == "-" { "@-" } else { given };
    let Some(file) = given.strip_prefix('@') else {
        return parse_labels(given);
    };
    let names = if file == "-" {
        parse_label_file("standard input", &standard_input(SMALL_BYTES)?)?
    } else {
        let path = Path::new(file);
        if !path.is_file() {
            return Err(Error::new(
                Kind::Io,
                format!("There is no file {file} with class names."),
            ));
        }
        parse_label_file(file, &read_file(path, SMALL_BYTES, Kind::Io)?)?
    };
    validate(&names)?;
    Ok(names)
}

pub fn classes(model: &Model, labels: &[String], prompt: &PromptArgs) -> Result<ClassSet> {
    let classes = match &prompt.prompt {
        Some(file) => block_on(ClassSet::with_prompt(
            model,
            labels,
            &prompt.templates,
            &prompt_file(file)?,
        )),
        None => block_on(ClassSet::new(model, labels, &prompt.templates)),
    };
    classes?.with_temperature(prompt.temperature)
}

/// The prompt in `file`.
pub fn prompt_file(file: &Path) -> Result<Prompt> {
    Prompt::from_bytes(&read_file(file, MAX_BYTES as u64, Kind::Io)?)
}

/// Writes `prompt` to `file`.
pub fn write_prompt(prompt: &Prompt, file: &Path) -> Result<()> {
    std::fs::write(file, prompt.to_bytes()?)
        .map_err(|error| Error::new(Kind::Io, format!("{}: {error}.", file.display())))
}

/// A line that says what answered.
pub fn described(model: &Model, args: &ModelArgs) -> String {
    let device = &model.processor;
    let adapter = match device.architecture.as_str() {
        "" => String::new(),
        name => format!(" ({name})"),
    };
    format!(
        "{}, {}, on {}{adapter}: {}",
        args.model.display(),
        model.report.quantization.name(),
        device.kind,
        device.reason
    )
}

/// What there is to say about a class list: texts that were cut, names that the model never read, and
/// `left_out`.
pub fn remarks(
    model: &Model,
    classes: &ClassSet,
    left_out: Option<String>,
) -> impl Iterator<Item = String> {
    [
        cut(classes.truncated),
        unknown(model, &classes.labels),
        left_out,
    ]
    .into_iter()
    .flatten()
}

/// A line about names that the model never read in training.
fn unknown(model: &Model, names: &[String]) -> Option<String> {
    const SHOWN: usize = 8;
    let unknown = model.unknown_names(names);
    let more = match unknown.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = &unknown[..unknown.len().min(SHOWN)];
    (!unknown.is_empty()).then(|| {
        format!(
            "This model never read: {}{more}. Its answers for them are guesses; a published CLIP knows more words.",
            shown.join(", ")
        )
    })
}

/// A line if prompts were cut.
pub fn cut(truncated: usize) -> Option<String> {
    (truncated > 0).then(|| {
        format!("{truncated} texts are longer than the model reads and were cut at its end.")
    })
}
