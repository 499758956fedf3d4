//! A model directory to a quantised model directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufWriter;
use std::path::Path;

use super::load::Loader;
use super::native::{WEIGHTS_FILE, failed, load_file, read_file};
use super::quantise::Quantisation;
use super::quantised_file::write_model;
use crate::clip::config::ClipConfig;
use crate::error::{Error, Kind, Result};

/// The largest of the small files that are copied.
const MAX_COPIED_BYTES: u64 = 64 << 20;

/// What a conversion did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// Tensors of the model.
    pub tensors: usize,
    /// Bytes of the weights file that was read.
    pub bytes_in: u64,
    /// Bytes of the weights file that was written.
    pub bytes_out: u64,
    /// SHA-256 of the source weights, lower-case hexadecimal.
    pub sha256: String,
}

/// Writes the model in `from` to the directory `to`, its matrices stored as `quantisation`.
///
/// `to` gets `config.json`, `tokenizer.json`, `preprocessor_config.json` (where there is one)
/// unchanged, and `model.safetensors`, which appears only once it is complete.
///
/// # Errors
/// `config/missing`, `tokenizer/missing`, `weights/...` for what is wrong with `from`; `io/failed`
/// if `to` is `from` or cannot be written.
pub fn convert_dir(from: &Path, quantisation: Quantisation, to: &Path) -> Result<Converted> {
    let config_json = read_file(
        &from.join("config.json"),
        MAX_COPIED_BYTES,
        Kind::ConfigMissing,
    )?;
    let config = ClipConfig::from_json(&config_json)?;
    let tokenizer_json = read_file(
        &from.join("tokenizer.json"),
        MAX_COPIED_BYTES,
        Kind::TokenizerMissing,
    )?;
    let preprocessor = from.join("preprocessor_config.json");
    let preprocessor_json = if preprocessor.exists() {
        Some(read_file(
            &preprocessor,
            MAX_COPIED_BYTES,
            Kind::ConfigMissing,
        )?)
    } else {
        None
    };

    fs::create_dir_all(to).map_err(|error| failed(to, &error))?;
    let same = fs::canonicalize(from).ok() == fs::canonicalize(to).ok();
    if same {
        return Err(Error::new(
            Kind::Io,
            format!("{} cannot be converted onto itself.", from.display()),
        ));
    }

    let mut tensors = BTreeMap::new();
    let loader = Loader::new(&config, Some(quantisation));
    let report = load_file(&from.join(WEIGHTS_FILE), loader, &mut |name, tensor| {
        tensors.insert(name.to_owned(), tensor);
        Ok(())
    })?;

    let write = |name: &str, bytes: &[u8]| {
        let path = to.join(name);
        fs::write(&path, bytes).map_err(|error| failed(&path, &error))
    };
    write("config.json", &config_json)?;
    write("tokenizer.json", &tokenizer_json)?;
    if let Some(bytes) = preprocessor_json {
        write("preprocessor_config.json", &bytes)?;
    }
    let unfinished = to.join("model.safetensors.part");
    let file = fs::File::create(&unfinished).map_err(|error| failed(&unfinished, &error))?;
    let bytes_out = write_model(
        &config,
        quantisation,
        &report.model_sha256,
        &tensors,
        &mut BufWriter::new(file),
    )?;
    let finished = to.join(WEIGHTS_FILE);
    fs::rename(&unfinished, &finished).map_err(|error| failed(&finished, &error))?;
    Ok(Converted {
        tensors: report.tensors,
        bytes_in: report.bytes,
        bytes_out,
        sha256: report.model_sha256,
    })
}
