//! `promptlens classify`.

use pollster::block_on;
use promptlens::classifier::{Classification, Prediction, Timings};
use promptlens::dataset::read_image;
use promptlens::device::{Choice, DeviceInfo};
use promptlens::error::Result;
use serde::Serialize;

use super::args::ClassifyArgs;
use super::model::{classes, cut, described, labels, open};
use super::output::{Answer, Problem, percent, table};

#[derive(Serialize)]
struct Document<'a> {
    model: String,
    quant: &'static str,
    device: &'a DeviceInfo,
    results: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Answered(Answered),
    Failed { file: String, error: Problem },
}

#[derive(Serialize)]
struct Answered {
    file: String,
    predictions: Vec<Prediction>,
    /// No rejection score and no tuning was asked for.
    ood: Option<()>,
    tuning: Option<()>,
    timings: Timings,
}

pub fn run(args: &ClassifyArgs, device: Choice) -> Result<Answer> {
    let labels = labels(&args.labels)?;
    let model = open(&args.model, device)?;
    let classes = classes(&model, &labels, &args.prompt)?;
    let results: Vec<Entry> = args
        .images
        .iter()
        .map(|path| {
            let file = path.display().to_string();
            let answered = read_image(path).and_then(|bytes| {
                block_on(model.classify(&classes, &bytes, &Default::default(), &()))
            });
            match answered {
                Ok(answer) => Entry::Answered(answer_of(file, answer)),
                Err(error) => Entry::Failed {
                    file,
                    error: Problem::from(&error),
                },
            }
        })
        .collect();
    let ok = results
        .iter()
        .any(|result| matches!(result, Entry::Answered(_)));
    let text = table(&results.iter().flat_map(rows).collect::<Vec<_>>());
    let document = Document {
        model: args.model.model.display().to_string(),
        quant: model.report.quantisation.name(),
        device: &model.processor,
        results,
    };
    let answer = Answer::new(&document, text, ok)?.note(described(&model, &args.model));
    Ok(match cut(classes.truncated) {
        Some(line) => answer.note(line),
        None => answer,
    })
}

fn answer_of(file: String, answer: Classification) -> Answered {
    Answered {
        file,
        predictions: answer.predictions,
        ood: None,
        tuning: None,
        timings: answer.timings,
    }
}

/// A line for each of the most probable classes, or one for the error.
fn rows(entry: &Entry) -> Vec<Vec<String>> {
    const SHOWN: usize = 5;
    match entry {
        Entry::Failed { file, error } => vec![vec![file.clone(), error.to_string()]],
        Entry::Answered(answered) => answered
            .predictions
            .iter()
            .take(SHOWN)
            .enumerate()
            .map(|(place, prediction)| {
                let file = if place == 0 {
                    answered.file.as_str()
                } else {
                    ""
                };
                vec![
                    file.to_owned(),
                    percent(prediction.probability),
                    prediction.label.clone(),
                ]
            })
            .collect(),
    }
}
