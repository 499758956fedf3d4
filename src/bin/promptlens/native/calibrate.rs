//! `promptlens calibrate`.

use std::path::PathBuf;

use clap::Args;
use pollster::block_on;
use promptlens::classifier::{Answerer, Calibrator, ClassifyOptions};
use promptlens::dataset::{DataSet, Limits};
use promptlens::device::Choice;
use promptlens::error::{Error, Kind, Result};
use promptlens::evaluate::own_scores;
use promptlens::ood::metrics::Interval;
use serde::Serialize;

use super::args::{ModelArgs, PromptArgs, ScoreArgs, SubsetArgs};
use super::model::{classes, described, open, remarks};
use super::ood::{scoring, with_negatives};
use super::output::{Answer, percent, table};
use super::tuning::TuneArgs;

#[derive(Debug, Args)]
pub struct CalibrateArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub subset: SubsetArgs,
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub tune: TuneArgs,
    #[command(flatten)]
    pub score: ScoreArgs,
    /// At least 19 images of the classes: a folder, .tar, .tar.gz or .zip. If folders in it have names
    /// of classes, only these count.
    #[arg(long, value_name = "DIR|TAR")]
    pub images: PathBuf,
    /// File to write, for --calibration.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Serialize)]
struct Document {
    n: usize,
    m: usize,
    threshold: f64,
    score: String,
    /// 95 % interval of the true share of such images that the threshold rejects.
    interval: Interval,
    skipped: usize,
    failed: usize,
    out: String,
}

pub fn run(args: &CalibrateArgs, device: Choice) -> Result<Answer> {
    let ood = scoring(&args.score).ok_or_else(|| {
        Error::new(
            Kind::OptionInvalid,
            "A threshold needs a score; leave --ood none out.",
        )
    })?;
    let data = DataSet::open_any(&args.images, &Limits::default())?;
    let options = ClassifyOptions {
        tuning: args.tune.tuning()?,
        ood: Some(ood),
        heatmap: None,
    };
    let chosen = args.subset.options();
    let labels = args.subset.names(&data)?;
    let model = open(&args.model, device)?;
    let classes = classes(&model, &labels, &args.prompt)?;
    let (classes, left_out) = with_negatives(&model, classes, &args.score)?;
    let answerer = block_on(Answerer::new(&model, &classes, &options, &()))?;
    let mut calibrator = Calibrator::new(&answerer)?;
    let scored = own_scores(&answerer, &data, &chosen, &mut calibrator)?;
    let calibration = calibrator.finish()?.calibration;
    std::fs::write(&args.out, calibration.to_json()?)
        .map_err(|error| Error::new(Kind::Io, format!("{}: {error}.", args.out.display())))?;
    let document = Document {
        n: calibration.n,
        m: calibration.m,
        threshold: calibration.threshold,
        score: calibration.key.score.clone(),
        interval: calibration.interval(),
        skipped: scored.skipped,
        failed: scored.failed,
        out: args.out.display().to_string(),
    };
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let text = table(&[
        line("score", document.score.clone()),
        line("images", document.n.to_string()),
        line("accepted from", format!("{:.7}", document.threshold)),
        line(
            "rejected of such images",
            format!(
                "{} to {} (95 % interval)",
                percent(document.interval.low).trim(),
                percent(document.interval.high).trim()
            ),
        ),
        line("written to", document.out.clone()),
    ]);
    let mut answer = Answer::new(&document, text, true)?.note(described(&model, &args.model));
    for note in remarks(&model, &classes, left_out) {
        answer = answer.note(note);
    }
    if scored.skipped > 0 {
        answer = answer.note(format!(
            "{} images lie in folders that are none of the classes.",
            scored.skipped
        ));
    }
    for failure in &scored.failures {
        answer = answer.note(failure.to_string());
    }
    Ok(answer)
}
