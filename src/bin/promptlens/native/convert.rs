//! `promptlens convert`.

use std::path::PathBuf;

use clap::Args;
use promptlens::checkpoint::Format;
use promptlens::error::Result;
use promptlens::model::convert;
use promptlens::quant::Quantization;
use serde::Serialize;

use super::output::{Answer, table};

#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Model directory to read.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Store matrices as none (f32), f16, q8, q4, or mixed: for each matrix q4 if that costs little, else q8.
    #[arg(long, value_name = "none|f16|q8|q4|mixed", value_parser = Quantization::parse)]
    pub quant: Quantization,
    /// pack (manifest.json and chunks), or safetensors (one file with a config.json).
    #[arg(long, value_name = "pack|safetensors", default_value = "pack", value_parser = Format::parse)]
    pub format: Format,
    /// Model directory to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

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
    let converted = convert(&args.model, args.quant, args.format, &args.out)?;
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
