//! A model directory to a packed or quantized one.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufWriter;
use std::path::Path;

use pollster::block_on;

use super::load::Loader;
use super::manifest::MANIFEST_FILE;
use super::model_files::ModelFiles;
use super::native::{Directory, WEIGHTS_FILE, failed};
use super::quantized_file::write_model;
use crate::error::{Error, Kind, Result};
use crate::quant::Quantization;

named_enum! {
    /// What a conversion writes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Format: "format", OptionInvalid {
        /// A manifest and chunks.
        Pack = "pack",
        /// A Hugging Face directory with one `model.safetensors`.
        Safetensors = "safetensors",
    }
}

/// What a conversion did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// Tensors of the model.
    pub tensors: usize,
    /// Bytes of the weights that were read.
    pub bytes_in: u64,
    /// Bytes of the weights that were written.
    pub bytes_out: u64,
    /// SHA-256 of the source weights, lower-case hexadecimal.
    pub sha256: String,
}

/// Writes the model in `from` to the directory `to`, its matrices stored as `quantization`.
///
/// A pack is complete once its manifest is there, which is written last; `model.safetensors` appears
/// only once it is complete.
///
/// # Errors
/// `config/...`, `tokenizer/...`, `weights/...` for what is wrong with `from`; `options/invalid` for
/// a form that the format cannot hold; `io/failed` if `to` is `from` or cannot be written.
pub fn convert_dir(
    from: &Path,
    quantization: Quantization,
    format: Format,
    to: &Path,
) -> Result<Converted> {
    if format == Format::Safetensors && quantization == Quantization::F16 {
        return Err(Error::new(
            Kind::OptionInvalid,
            "f16 is written to packs only; use --format pack.",
        ));
    }
    let folder = Directory::open(from)?;
    let files = block_on(ModelFiles::read(&folder, None))?;
    fs::create_dir_all(to).map_err(|error| failed(to, &error))?;
    let same = fs::canonicalize(from).ok() == fs::canonicalize(to).ok();
    if same {
        return Err(Error::new(
            Kind::Io,
            format!("{} cannot be converted onto itself.", from.display()),
        ));
    }
    clear(to)?;
    match format {
        Format::Pack => pack(&folder, &files, quantization, to),
        Format::Safetensors => one_file(&folder, &files, quantization, to),
    }
}

/// Removes what an earlier conversion wrote, so that no half of it is taken for this one's.
fn clear(to: &Path) -> Result<()> {
    for entry in fs::read_dir(to).map_err(|error| failed(to, &error))? {
        let path = entry.map_err(|error| failed(to, &error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy());
        let stale = name.is_some_and(|name| {
            let chunk = name.starts_with("weights-") && name.ends_with(".bin");
            chunk || [MANIFEST_FILE, WEIGHTS_FILE, "config.json"].contains(&name.as_ref())
        });
        if stale {
            fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
        }
    }
    Ok(())
}

fn write(to: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = to.join(name);
    fs::write(&path, bytes).map_err(|error| failed(&path, &error))
}

fn pack(
    folder: &Directory,
    files: &ModelFiles,
    quantization: Quantization,
    to: &Path,
) -> Result<Converted> {
    let mut keep = |name: &str, bytes: Vec<u8>| write(to, name, &bytes);
    let loader = Loader::new(&files.config, Some(quantization));
    let ignore = &mut |_: &str, _| Ok(());
    let packing = files.pack(folder, loader, Some(quantization), &mut keep, ignore);
    let (report, manifest) = block_on(packing)?;
    let bytes_out = manifest.chunks.iter().map(|chunk| chunk.bytes).sum();
    write(to, MANIFEST_FILE, &manifest.to_json()?)?;
    Ok(Converted {
        tensors: report.tensors,
        bytes_in: report.bytes,
        bytes_out,
        sha256: report.model_sha256,
    })
}

fn one_file(
    folder: &Directory,
    files: &ModelFiles,
    quantization: Quantization,
    to: &Path,
) -> Result<Converted> {
    let mut tensors = BTreeMap::new();
    let loader = Loader::new(&files.config, Some(quantization));
    let report = block_on(files.load(folder, loader, &mut |name, tensor| {
        tensors.insert(name.to_owned(), tensor);
        Ok(())
    }))?;
    let pretty = |value| serde_json::to_vec_pretty(&value).unwrap_or_default();
    write(to, "config.json", &pretty(files.config.to_json()))?;
    write(to, "tokenizer.json", &files.tokenizer)?;
    let preprocessor = pretty(files.preprocess.to_json());
    write(to, "preprocessor_config.json", &preprocessor)?;
    let unfinished = to.join("model.safetensors.part");
    let file = fs::File::create(&unfinished).map_err(|error| failed(&unfinished, &error))?;
    let bytes_out = write_model(
        &files.config,
        quantization,
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
