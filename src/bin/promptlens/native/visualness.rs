//! `promptlens visualness`.

use std::path::PathBuf;

use clap::Args;
use pollster::block_on;
use promptlens::dataset::{DataSet, Limits};
use promptlens::device::Choice;
use promptlens::error::Result;
use promptlens::fewshot::data_set::Selection;
use promptlens::prompt::model::PromptModel;
use promptlens::tools::visualness::{Judged, Visualness};
use serde::Serialize;

use super::args::ModelArgs;
use super::model::{described, open};
use super::output::{Answer, table};
use super::photos::encode;

#[derive(Debug, Args)]
pub struct VisualnessArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A folder, .tar, .tar.gz or .zip of images, with labels or without; of splits, train. They add how
    /// differently your images answer to a text.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: Option<PathBuf>,
    /// Names or sentences.
    #[arg(required = true, value_name = "TEXT")]
    pub texts: Vec<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    images: usize,
    texts: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    text: &'a str,
    #[serde(flatten)]
    judged: Judged,
}

pub fn run(args: &VisualnessArgs, device: Choice) -> Result<Answer> {
    let data = args.data.as_ref();
    let data = data.map(|path| DataSet::open_any(path, &Limits::default()));
    let data = data.transpose()?;
    let model = open(&args.model, device)?;
    let (images, failures) = match &data {
        Some(data) => {
            let items = Selection::training(data).outliers(data, &[])?;
            let (images, failures) = encode(&model, data, &items, 1)?;
            (images.plain(), failures)
        }
        None => Default::default(),
    };
    let known = block_on(Visualness::new(&model))?;
    let features = block_on(model.features(&args.texts))?;
    let rows = args.texts.iter().zip(features.chunks_exact(model.dim()));
    let document = Document {
        images: images.len() / model.dim(),
        texts: rows
            .map(|(text, feature)| Row {
                text,
                judged: known.judge(feature, &images),
            })
            .collect(),
    };
    let rows: Vec<Vec<String>> = document.texts.iter().map(cells).collect();
    let mut answer =
        Answer::new(&document, table(&rows), true)?.note(described(&model, &args.model));
    for failure in failures {
        answer = answer.note(failure.to_string());
    }
    Ok(answer)
}

fn cells(row: &Row<'_>) -> Vec<String> {
    let Judged {
        place,
        meaning,
        spread,
        ..
    } = row.judged;
    let spread = spread.map_or(String::new(), |v| format!("spread {v:.6}"));
    vec![
        format!("{place:5.2}"),
        meaning.to_owned(),
        spread,
        row.text.to_owned(),
    ]
}
