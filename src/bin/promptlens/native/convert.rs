//! `promptlens convert`.

use std::path::Path;

use pollster::block_on;
use promptlens::classifier::Classifier;
use promptlens::device::{Choice, self_test};
use promptlens::error::{Error, Kind, Result};
use promptlens::weights::convert_dir;
use serde::Serialize;

use super::args::ConvertArgs;
use super::model::check_files;
use super::output::{Answer, table};

/// The text of the known answer.
const TEXT: &str = "a photo of a cat.";

#[derive(Serialize)]
struct Document {
    tensors: usize,
    bytes_in: u64,
    bytes_out: u64,
    sha256: String,
    quant: &'static str,
    out: String,
}

pub fn run(args: &ConvertArgs) -> Result<Answer> {
    // What could not be loaded afterwards is not written.
    check_files(&args.model)?;
    let converted = convert_dir(&args.model, args.quant, &args.out)?;
    write_known_answer(&args.out)?;
    let document = Document {
        tensors: converted.tensors,
        bytes_in: converted.bytes_in,
        bytes_out: converted.bytes_out,
        sha256: converted.sha256,
        quant: args.quant.name(),
        out: args.out.display().to_string(),
    };
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let text = table(&[
        line("tensors", document.tensors.to_string()),
        line("bytes in", document.bytes_in.to_string()),
        line("bytes out", document.bytes_out.to_string()),
        line("source sha256", document.sha256.clone()),
        line("stored as", document.quant.to_owned()),
        line("written to", document.out.clone()),
    ]);
    Answer::new(&document, text, true)
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
    let model = block_on(Classifier::open(dir, Choice::Cpu, None))?;
    let ids = model.tokenizer.encode(TEXT)?.ids;
    let known = block_on(self_test::answer(&model.clip, ids))?;
    let json = serde_json::to_vec(&known)
        .map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
    std::fs::write(&path, json).map_err(failed)
}
