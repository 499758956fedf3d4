//! `--classifier FILE`: what a classifier file says, put to work on a model of this computer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollster::block_on;
use promptlens::checkpoint::read_file;
use promptlens::classifier::{ClassSet, Classification, OodOptions};
use promptlens::classifier_file::{ClassifierFile, MAX_BYTES, Threshold};
use promptlens::error::{Error, Kind, Result};
use promptlens::model::Model;
use promptlens::ood::negatives::MiningOptions;
use promptlens::quant::Quantization;

use super::args::ModelArgs;

/// Reads a classifier file.
pub fn read(path: &Path) -> Result<ClassifierFile> {
    ClassifierFile::from_bytes(&read_file(path, MAX_BYTES as u64, Kind::Io)?)
}

/// The model that was asked for, or the one that `file`, which lies at `path`, names relative to itself.
pub fn model_args(
    file: &ClassifierFile,
    path: &Path,
    asked: Option<&PathBuf>,
    quant: Option<Quantization>,
) -> Result<ModelArgs> {
    let model = match asked {
        Some(model) => model.clone(),
        None => beside(file, path)?,
    };
    Ok(ModelArgs {
        model,
        quant: quant.or(file.model.quantization),
    })
}

/// The folder that a relative address in `file` names.
fn beside(file: &ClassifierFile, path: &Path) -> Result<PathBuf> {
    let unknown = |said: &str| {
        let sentence = format!(
            "The classifier was made with the model {:?}{said}, which is not on this computer; name its folder by --model.",
            file.model.name
        );
        Error::new(Kind::OptionInvalid, sentence)
    };
    let address = file.model.address.as_deref();
    let address = address.ok_or_else(|| unknown(""))?;
    // Of the web, of the hub, or from the root of a site.
    if address.contains(':') || address.starts_with(['/', '\\']) {
        return Err(unknown(&format!(" at {address:?}")));
    }
    let folder = path.parent().unwrap_or(Path::new("")).join(address);
    match folder.is_dir() {
        true => Ok(folder),
        false => Err(unknown(&format!(" at {address:?}"))),
    }
}

/// The class list of `file`.
///
/// # Errors
/// `prompt/wrong-model` if `model` is not the one that the file names.
pub fn classes(model: &Model, file: &ClassifierFile) -> Result<ClassSet> {
    let own = &model.report.model_sha256;
    if let Some(named) = &file.model.sha256
        && !named.eq_ignore_ascii_case(own)
    {
        let sentence = format!(
            "The classifier was made with another model: {:?} with SHA-256 {}…, not {}…. Name that model's folder by --model.",
            file.model.name,
            &named[..12],
            own.chars().take(12).collect::<String>()
        );
        return Err(Error::new(Kind::PromptWrongModel, sentence));
    }
    let made = match &file.prompt {
        Some(prompt) => block_on(ClassSet::with_prompt(
            model,
            &file.labels,
            &file.templates,
            prompt,
        ))?,
        None => block_on(ClassSet::new(model, &file.labels, &file.templates))?,
    };
    with_negatives(model, made.with_temperature(file.temperature)?, file)
}

/// The classes with the negative labels of the file, if the score reads any.
fn with_negatives(model: &Model, classes: ClassSet, file: &ClassifierFile) -> Result<ClassSet> {
    let rejection = &file.rejection;
    if !rejection.reads_negatives() {
        return Ok(classes);
    }
    let negatives = match &rejection.own {
        Some(words) => block_on(classes.given_negatives(model, words, &()))?,
        None if rejection.struck.is_empty() && rejection.added.is_empty() => return Ok(classes),
        None => {
            let options = MiningOptions {
                struck: &rejection.struck,
                added: &rejection.added,
                ..MiningOptions::default()
            };
            block_on(classes.mine_negatives(model, &options, &()))?
        }
    };
    Ok(classes.with_negatives(negatives))
}

/// The score of the file, with its fitted threshold.
pub fn scoring(file: &ClassifierFile) -> Option<OodOptions> {
    let score = file.rejection.score?;
    Some(OodOptions {
        calibration: file.rejection.calibration.clone().map(Arc::new),
        ..OodOptions::named(score.name)
    })
}

/// The answer, judged by a threshold that a person has set.
pub fn judged(mut answer: Classification, own: Option<Threshold>) -> Classification {
    if let (Some(verdict), Some(own)) = (&mut answer.ood, own)
        && verdict.score == own.score
    {
        verdict.threshold = Some(own.value);
        verdict.is_outlier = Some(verdict.value < own.value);
    }
    answer
}
