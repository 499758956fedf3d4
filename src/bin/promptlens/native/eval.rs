//! `promptlens eval`.

use promptlens::dataset::{DataSet, Limits};
use promptlens::device::{Choice, DeviceInfo};
use promptlens::error::Result;
use promptlens::evaluate::{Evaluation, Options, class_names, evaluate};
use serde::Serialize;

use super::args::EvalArgs;
use super::model::{classes, cut, described, labels, open};
use super::output::{Answer, percent, table};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    evaluation: &'a Evaluation,
    /// No rejection score was asked for.
    ood: Option<()>,
    model: String,
    quant: &'static str,
    device: &'a DeviceInfo,
}

pub fn run(args: &EvalArgs, device: Choice) -> Result<Answer> {
    let data = DataSet::open(&args.data, &Limits::default())?;
    let options = Options {
        split: args.split.clone(),
        limit: args.limit,
    };
    let labels = match args.labels.as_str() {
        "auto" => class_names(&data, options.split.as_deref())?,
        given => labels(given)?,
    };
    let model = open(&args.model, device)?;
    let classes = classes(&model, &labels, &args.prompt)?;
    let evaluation = evaluate(&model, &classes, &data, &options)?;
    let document = Document {
        evaluation: &evaluation,
        ood: None,
        model: args.model.model.display().to_string(),
        quant: model.report.quantisation.name(),
        device: &model.processor,
    };
    let mut answer =
        Answer::new(&document, text(&evaluation), true)?.note(described(&model, &args.model));
    if let Some(line) = cut(classes.truncated) {
        answer = answer.note(line);
    }
    if data.ignored() > 0 {
        answer = answer.note(format!("{} files lie in no class folder.", data.ignored()));
    }
    for failure in &evaluation.failures {
        answer = answer.note(format!(
            "{}: {} [{}]",
            failure.file, failure.message, failure.code
        ));
    }
    Ok(answer)
}

fn text(evaluation: &Evaluation) -> String {
    let mut rows: Vec<Vec<String>> = evaluation
        .per_class
        .iter()
        .map(|(label, accuracy)| {
            let n = evaluation.per_class_n.get(label).copied().unwrap_or(0);
            vec![label.clone(), percent(*accuracy), n.to_string()]
        })
        .collect();
    rows.push(vec![
        "all".to_owned(),
        percent(evaluation.accuracy),
        evaluation.n.to_string(),
    ]);
    format!(
        "{}{} skipped, {} failed, {:.1} s\n",
        table(&rows),
        evaluation.skipped,
        evaluation.failed,
        evaluation.seconds
    )
}
