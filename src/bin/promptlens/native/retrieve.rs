//! `promptlens retrieve`.

use std::path::PathBuf;

use clap::Args;
use promptlens::device::{Choice, DeviceInfo};
use promptlens::error::Result;
use promptlens::evaluate::{Recall, Retrieval, RetrieveOptions, retrieve};
use serde::Serialize;

use super::args::{ModelArgs, at_least_one};
use super::model::{described, open};
use super::output::{Answer, percent, table};

#[derive(Debug, Args)]
pub struct RetrieveArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A folder, .tar, .tar.gz or .zip of <split>/<file> with a captions.tsv: lines of a picture's path,
    /// a tab and a caption.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: PathBuf,
    /// The folder of the pictures; test when left out.
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// The most pictures, from the first.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// The most captions of a picture, from the first; all of them when left out.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub captions: Option<usize>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    retrieval: &'a Retrieval,
    model: String,
    quant: &'static str,
    device: &'a DeviceInfo,
}

pub fn run(args: &RetrieveArgs, device: Choice) -> Result<Answer> {
    let model = open(&args.model, device)?;
    let options = RetrieveOptions {
        split: args.split.clone(),
        limit: args.limit,
        captions: args.captions,
    };
    let retrieval = retrieve(&model, &args.data, &options)?;
    let document = Document {
        retrieval: &retrieval,
        model: args.model.model.display().to_string(),
        quant: model.report.quantization.name(),
        device: &model.processor,
    };
    let mut answer =
        Answer::new(&document, text(&retrieval), true)?.note(described(&model, &args.model));
    for failure in &retrieval.failures {
        answer = answer.note(failure.to_string());
    }
    Ok(answer)
}

fn text(found: &Retrieval) -> String {
    let row = |name: &str, r: &Recall| {
        let mut row = vec![name.to_owned()];
        row.extend([r.one, r.five, r.ten].map(percent));
        row
    };
    let head = ["recall at", "1", "5", "10"].map(str::to_owned).to_vec();
    format!(
        "{}{} pictures, {} captions, {} failed, {:.1} s\n",
        table(&[
            head,
            row("caption to picture", &found.text_to_image),
            row("picture to caption", &found.image_to_text),
        ]),
        found.images,
        found.captions,
        found.failed,
        found.seconds
    )
}
