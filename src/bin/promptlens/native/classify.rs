//! `promptlens classify`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use pollster::block_on;
use promptlens::classifier::{
    Answerer, Classification, ClassifyOptions, Prediction, Timings, TuningReport, Verdict,
};
use promptlens::dataset::{Feed, classify_all};
use promptlens::device::{Choice, DeviceInfo};
use promptlens::error::Result;
use promptlens::tpt::{ExtraImages, StrongViews, Tuning};
use serde::Serialize;

use super::args::{ModelArgs, PromptArgs, VerdictArgs};
use super::input;
use super::model::{classes, described, labels, open, remarks};
use super::ood::{with_negatives, with_threshold};
use super::output::{Answer, Problem, percent, table};
use super::tuning::{TuneArgs, read_images, sentence, variants};

#[derive(Debug, Args)]
pub struct ClassifyArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Class names: a,b,c or @file (one per line, a CSV with the names first, or JSON); - for standard
    /// input.
    #[arg(long, value_name = "a,b,c|@FILE")]
    pub labels: String,
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub tune: TuneArgs,
    /// Pictures made from the photo, by an image generator for example: difftpt-lite takes them
    /// instead of its strong views. For several photos, one folder in it for each, named as the
    /// photo without its extension.
    #[arg(long, value_name = "DIR", requires = "tune")]
    pub variants: Option<PathBuf>,
    /// Other photos: some strong views of difftpt-lite take over their colors and coarse light.
    #[arg(long, value_name = "DIR", requires = "tune")]
    pub gallery: Option<PathBuf>,
    #[command(flatten)]
    pub verdict: VerdictArgs,
    /// Image files.
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
}

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
    Answer(Box<FileAnswer>),
    Failed { file: String, error: Problem },
}

#[derive(Serialize)]
struct FileAnswer {
    file: String,
    predictions: Vec<Prediction>,
    ood: Option<Verdict>,
    tuning: Option<TuningReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reduced_by: Option<u32>,
    timings: Timings,
}

pub fn run(args: &ClassifyArgs, device: Choice) -> Result<Answer> {
    let labels = labels(&args.labels)?;
    let ood = with_threshold(&args.verdict)?;
    let tuning = args.tune.tuning()?;
    let model = open(&args.model, device)?;
    let gallery = match &args.gallery {
        Some(folder) => read_images(&model, folder)?,
        None => None,
    };
    let classes = classes(&model, &labels, &args.prompt)?;
    let (classes, left_out) = with_negatives(&model, classes, &args.verdict.score)?;
    let options = ClassifyOptions {
        tuning: with_pictures(tuning, None, &gallery)?,
        ood,
        heatmap: None,
    };
    // What is wrong with the score is wrong for every image.
    let answerer = block_on(Answerer::new(&model, &classes, &options, &()))?;
    let mut results = Vec::with_capacity(args.images.len());
    match &args.variants {
        None => {
            let feed = |give: &mut Feed<'_, usize>| {
                let mut paths = args.images.iter().enumerate();
                paths.try_for_each(|(place, path)| give(place, input::image(path)))
            };
            classify_all(&answerer, feed, &mut |place, answered| {
                results.push(entry(&args.images[place], answered));
                Ok(())
            })?;
        }
        // Every photo has pictures of its own.
        Some(dir) => {
            let answer = |path: &PathBuf| {
                let bytes = input::image(path)?;
                let variants = variants(&model, dir, path, args.images.len() == 1)?;
                let options = ClassifyOptions {
                    tuning: with_pictures(options.tuning.clone(), variants, &gallery)?,
                    ..options.clone()
                };
                block_on(classes.classify(&model, &bytes, &options, &()))
            };
            results.extend(args.images.iter().map(|path| entry(path, answer(path))));
        }
    }
    let ok = results
        .iter()
        .any(|result| matches!(result, Entry::Answer(_)));
    let text = table(&results.iter().flat_map(rows).collect::<Vec<_>>());
    let document = Document {
        model: args.model.model.display().to_string(),
        quant: model.report.quantization.name(),
        device: &model.processor,
        results,
    };
    let mut answer = Answer::new(&document, text, ok)?.note(described(&model, &args.model));
    for line in remarks(&model, &classes, left_out) {
        answer = answer.note(line);
    }
    Ok(answer)
}

/// The tuning with the pictures that its strong views use.
fn with_pictures(
    tuning: Option<Tuning>,
    variants: Option<Arc<ExtraImages>>,
    gallery: &Option<Arc<ExtraImages>>,
) -> Result<Option<Tuning>> {
    let strong = StrongViews::of(variants, gallery.clone());
    tuning.map(|t| t.with_strong_views(strong)).transpose()
}

fn entry(path: &Path, answered: Result<Classification>) -> Entry {
    let file = path.display().to_string();
    match answered {
        Ok(answer) => Entry::Answer(Box::new(FileAnswer {
            file,
            predictions: answer.predictions,
            ood: answer.ood,
            tuning: answer.tuning,
            reduced_by: answer.reduced_by,
            timings: answer.timings,
        })),
        Err(error) => Entry::Failed {
            file,
            error: Problem::from(&error),
        },
    }
}

/// A line for each of the most probable classes, or one for the error.
fn rows(entry: &Entry) -> Vec<Vec<String>> {
    const SHOWN: usize = 5;
    match entry {
        Entry::Failed { file, error } => vec![vec![file.clone(), error.to_string()]],
        Entry::Answer(answered) => {
            let classes = answered
                .predictions
                .iter()
                .take(SHOWN)
                .map(|prediction| [percent(prediction.probability), prediction.label.clone()]);
            let score = answered.ood.iter().map(verdict);
            let tuned = answered.tuning.iter();
            let tuned = tuned.map(|tuning| sentence(tuning, &answered.predictions));
            let reduced = answered.reduced_by.iter();
            let reduced = reduced.map(|by| {
                let meaning = "of its size: the photo was made smaller while it was decoded";
                [format!("1/{by}"), meaning.to_owned()]
            });
            classes
                .chain(score)
                .chain(tuned)
                .chain(reduced)
                .enumerate()
                .map(|(place, [value, meaning])| {
                    let file = if place == 0 {
                        answered.file.as_str()
                    } else {
                        ""
                    };
                    vec![file.to_owned(), value, meaning]
                })
                .collect()
        }
    }
}

/// The score, and what it means if a threshold says so.
fn verdict(ood: &Verdict) -> [String; 2] {
    let said = match ood.is_outlier {
        Some(true) => ": probably none of these",
        Some(false) => ": probably one of these",
        None => "",
    };
    let hints = match (ood.is_outlier, ood.nearest_negatives.as_slice()) {
        (Some(false), _) | (_, []) => String::new(),
        (_, near) => format!(" (nearest other words: {})", near.join(", ")),
    };
    [
        format!("{:.7}", ood.value),
        format!("{}{said}{hints}", ood.score),
    ]
}
