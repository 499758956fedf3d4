//! Opens and converts model directories in the file system.

use std::path::Path;

use pollster::block_on;

use super::{Loading, Model};
use crate::checkpoint::{Converted, Directory, Format, ModelFiles, convert_dir};
use crate::device::{Choice, Processor, self_test};
use crate::error::{Error, Kind, Result};
use crate::quant::Quantization;
use crate::tokenize::{ClipTokenizer, known_words};

/// The text of the known answer.
const TEXT: &str = "a photo of a cat.";

/// Loads the model in `dir` onto `processor`.
///
/// # Errors
/// Those of [`Loading`], and `io/failed`.
pub async fn open(
    dir: &Path,
    processor: Processor,
    quantization: Option<Quantization>,
) -> Result<Model> {
    let folder = Directory::open(dir)?;
    let mut loading = Loading::start(&folder, None, quantization, processor).await?;
    loading.weights(&folder, None).await?;
    loading.finish().await
}

/// Checks everything in a model directory but the weights.
///
/// # Errors
/// `config/...`, `tokenizer/...`, `weights/invalid` for a damaged manifest.
pub fn check(dir: &Path) -> Result<ModelFiles> {
    let files = block_on(ModelFiles::read(&Directory::open(dir)?, None))?;
    let text = &files.config.text;
    ClipTokenizer::from_bytes(&files.tokenizer, text.context_length, text.vocab_size)?;
    Ok(files)
}

/// Converts the model in `from` to the directory `to`, with a known answer for self-tests.
///
/// # Errors
/// Those of [`check`], [`convert_dir`] and of loading what was written.
pub fn convert(
    from: &Path,
    quantization: Quantization,
    format: Format,
    to: &Path,
) -> Result<Converted> {
    // What could not be loaded afterwards is not written.
    check(from)?;
    let converted = convert_dir(from, quantization, format, to)?;
    copy_words(from, to)?;
    write_known_answer(to)?;
    Ok(converted)
}

/// Takes the list of known words along, if there is one.
fn copy_words(from: &Path, to: &Path) -> Result<()> {
    let (source, target) = (from.join(known_words::FILE), to.join(known_words::FILE));
    let failed =
        |error: std::io::Error| Error::new(Kind::Io, format!("{}: {error}.", target.display()));
    // A list from an earlier conversion is another model's.
    if target.exists() {
        std::fs::remove_file(&target).map_err(failed)?;
    }
    if source.exists() {
        std::fs::copy(&source, &target).map_err(failed)?;
    }
    Ok(())
}

/// Stores what the CPU answers, with which every other device is compared.
fn write_known_answer(dir: &Path) -> Result<()> {
    let path = dir.join(self_test::FILE);
    let failed =
        |error: std::io::Error| Error::new(Kind::Io, format!("{}: {error}.", path.display()));
    // An answer from an earlier conversion is another model's.
    if path.exists() {
        std::fs::remove_file(&path).map_err(failed)?;
    }
    let model = block_on(Model::open(dir, Choice::Cpu, None))?;
    let ids = model.tokenizer.encode(TEXT)?.ids;
    let known = block_on(self_test::answer(&model.clip, ids))?;
    let json = serde_json::to_vec(&known)
        .map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
    std::fs::write(&path, json).map_err(failed)
}
