//! `promptlens convert`.

use promptlens::error::Result;
use promptlens::model::convert;
use serde::Serialize;

use super::args::ConvertArgs;
use super::output::{Answer, table};

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
