//! `promptlens eval`.

use std::path::PathBuf;

use clap::Args;
use pollster::block_on;
use promptlens::checkpoint::read_file;
use promptlens::classifier::{Answerer, ClassifyOptions};
use promptlens::dataset::{DataSet, Limits};
use promptlens::device::{Choice, DeviceInfo};
use promptlens::error::{Error, Kind, Result};
use promptlens::evaluate::{
    DrawOptions, Evaluation, OodEvaluation, Options, Relations, TuningEvaluation, evaluate,
    ood_scores,
};
use promptlens::ood::metrics::Interval;
use promptlens::reliability::Assessment;
use serde::Serialize;

use super::args::{ModelArgs, PromptArgs, SubsetArgs, VerdictArgs};
use super::model::{classes, described, open, remarks};
use super::ood::{with_negatives, with_threshold};
use super::output::{Answer, percent, table};
use super::tuning::{CorruptArgs, TuneArgs};

#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A folder, .tar, .tar.gz or .zip.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub subset: SubsetArgs,
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub tune: TuneArgs,
    #[command(flatten)]
    pub corrupt: CorruptArgs,
    #[command(flatten)]
    pub verdict: VerdictArgs,
    /// Images of none of the classes; folders with the name of a class are left out.
    #[arg(long, value_name = "DIR|TAR")]
    pub ood_data: Option<PathBuf>,
    /// Measure too among so many names drawn at random, the right one among them, so many times; --seed
    /// decides which.
    #[arg(long, value_name = "NAMES:DRAWS")]
    pub draw: Option<String>,
    /// Count related names apart: a JSON file {"name": {"aliases": [...], "is_a": [...]}}.
    #[arg(long, value_name = "FILE")]
    pub lenient: Option<PathBuf>,
}

/// The largest file of names and their relations.
const NAMES_BYTES: u64 = 64 << 20;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    evaluation: &'a Evaluation,
    /// None without other images to compare with.
    ood: Option<&'a OodEvaluation>,
    /// What was done to every image first.
    corrupt: Option<String>,
    model: String,
    quant: &'static str,
    device: &'a DeviceInfo,
}

pub fn run(args: &EvalArgs, device: Choice) -> Result<Answer> {
    let data = DataSet::open(&args.data, &Limits::default())?;
    let options = Options {
        corruption: args.corrupt.corruption,
        seed: args.tune.seed,
        draw: match &args.draw {
            Some(text) => Some(DrawOptions::parse(text, args.tune.seed)?),
            None => None,
        },
        lenient: match &args.lenient {
            Some(file) => Some(Relations::from_json(&read_file(
                file,
                NAMES_BYTES,
                Kind::Io,
            )?)?),
            None => None,
        },
        ..args.subset.options()
    };
    let tuning = args.tune.tuning()?;
    let ood = with_threshold(&args.verdict)?;
    let labels = args.subset.names(&data)?;
    let open_any = |path| DataSet::open_any(path, &Limits::default());
    let others = args.ood_data.as_deref().map(open_any).transpose()?;
    if others.is_some() && ood.is_none() {
        return Err(Error::new(
            Kind::OptionInvalid,
            "Other images need a score; leave --ood none out.",
        ));
    }
    let model = open(&args.model, device)?;
    let classes = classes(&model, &labels, &args.prompt)?;
    let (classes, left_out) = with_negatives(&model, classes, &args.verdict.score)?;
    let answers = ClassifyOptions {
        tuning,
        // Without other images there is nothing to compare scores with.
        ood: ood.filter(|_| others.is_some()),
        heatmap: None,
    };
    let answerer = block_on(Answerer::new(&model, &classes, &answers, &()))?;
    let (evaluation, scores) = evaluate(&answerer, &data, &options)?;
    let mut failures = evaluation.failures.clone();
    let ood = match (answerer.detector(), &others) {
        (Some(detector), Some(others)) => {
            let scored = ood_scores(&answerer, others, &options)?;
            let found = OodEvaluation::new(detector, &scores, &scored)?;
            failures.extend(scored.failures);
            Some(found)
        }
        _ => None,
    };
    let document = Document {
        evaluation: &evaluation,
        ood: ood.as_ref(),
        corrupt: options.corruption.map(|c| c.to_string()),
        model: args.model.model.display().to_string(),
        quant: model.report.quantization.name(),
        device: &model.processor,
    };
    let mut answer = Answer::new(&document, text(&evaluation, ood.as_ref()), true)?
        .note(described(&model, &args.model));
    for line in remarks(&model, &classes, left_out) {
        answer = answer.note(line);
    }
    if data.ignored() > 0 {
        answer = answer.note(format!("{} files lie in no class folder.", data.ignored()));
    }
    if data.links() > 0 {
        answer = answer.note(format!(
            "{} members of the archive are links and left out; pack the files themselves, as tar \
             --hard-dereference does.",
            data.links()
        ));
    }
    for failure in &failures {
        answer = answer.note(failure.to_string());
    }
    Ok(answer)
}

fn text(evaluation: &Evaluation, ood: Option<&OodEvaluation>) -> String {
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
    rows.push(vec![
        "among the five first".to_owned(),
        percent(evaluation.top5),
    ]);
    rows.push(vec![
        "mean of the classes".to_owned(),
        percent(evaluation.mean_per_class),
    ]);
    if let Some(found) = &evaluation.lenient {
        rows.push(vec![
            "related names as right".to_owned(),
            percent(found.accuracy),
            format!(
                "other words {}, names above {}, below {}",
                percent(found.alias).trim(),
                percent(found.above).trim(),
                percent(found.below).trim()
            ),
        ]);
    }
    if let Some(found) = &evaluation.draw {
        rows.push(vec![
            format!("among {} names", found.names),
            percent(found.accuracy),
            format!("{} draws", found.draws),
        ]);
    }
    if let Some(found) = &evaluation.assessment {
        rows.extend(honesty(found));
    }
    let tuned = evaluation.tuning.as_ref().map(tuned).unwrap_or_default();
    let others = ood.map(separation).unwrap_or_default();
    format!(
        "{}{tuned}{others}{} skipped, {} failed, {:.1} s\n",
        table(&rows),
        evaluation.skipped,
        evaluation.failed,
        evaluation.seconds
    )
}

/// How far the percentages are from how often answers are right.
fn honesty(found: &Assessment) -> Vec<Vec<String>> {
    let mut rows = vec![vec![
        "calibration error".to_owned(),
        percent(found.reliability.ece),
        format!(
            "mean confidence {}",
            percent(found.reliability.confidence).trim()
        ),
    ]];
    if let Some(honest) = &found.at_temperature {
        rows.push(vec![
            format!("at temperature {:.3}", found.temperature),
            percent(honest.ece),
            format!("mean confidence {}", percent(honest.confidence).trim()),
        ]);
    }
    rows
}

/// What tuning did.
fn tuned(found: &TuningEvaluation) -> String {
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    table(&[
        line("tuned", found.settings.to_string()),
        line("before tuning", percent(found.accuracy_before)),
        line(
            "answers changed",
            format!(
                "{} ({} to right, {} to wrong)",
                found.answers_changed, found.gained, found.lost
            ),
        ),
        line("entropy fell", percent(found.entropy_fell)),
        line(
            "mean entropy",
            format!(
                "{:.4} -> {:.4} nats",
                found.entropy_before, found.entropy_after
            ),
        ),
        line("guarded", found.guarded.to_string()),
    ])
}

/// The metrics in OpenOOD's order, with their 95 % intervals.
fn separation(ood: &OodEvaluation) -> String {
    let (m, i) = (&ood.metrics, &ood.intervals);
    let line = |name: &str, value: f64, range: Interval| {
        let (low, high) = (percent(range.low), percent(range.high));
        vec![
            name.to_owned(),
            percent(value),
            format!("({} to {})", low.trim(), high.trim()),
        ]
    };
    let mut rows = vec![
        vec![
            ood.score.to_owned(),
            ood.n_in.to_string(),
            format!("against {} others", ood.n_out),
        ],
        line("FPR95, ID positive", m.fpr95, i.fpr95),
        line("AUROC", m.auroc, i.auroc),
        line("AUPR-in", m.aupr_in, i.aupr_in),
        line("AUPR-out", m.aupr_out, i.aupr_out),
        line(
            "FPR95, OOD positive",
            m.fpr95_ood_positive,
            i.fpr95_ood_positive,
        ),
    ];
    if let Some(at) = &ood.calibrated {
        rows.push(vec![
            "rejected".to_owned(),
            percent(at.rejected_in),
            format!("and {} of the others", percent(at.rejected_out).trim()),
        ]);
    }
    table(&rows)
}
