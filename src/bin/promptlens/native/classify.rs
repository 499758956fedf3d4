//! `promptlens classify`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use pollster::block_on;
use promptlens::classifier::{
    Answerer, ClassSet, Classification, ClassifyOptions, Prediction, Timings, TuningReport, Verdict,
};
use promptlens::classifier_file::Threshold;
use promptlens::dataset::{Feed, classify_all};
use promptlens::device::{Choice, DeviceInfo};
use promptlens::error::{Kind, Result};
use promptlens::model::Model;
use promptlens::quant::Quantization;
use promptlens::tpt::{ExtraImages, StrongViews, Tuning};
use serde::Serialize;

use super::args::{ModelArgs, PromptArgs, VerdictArgs};
use super::classifier::{self, judged};
use super::input;
use super::model::{classes, described, labels, open, remarks};
use super::ood::{with_negatives, with_threshold};
use super::output::{Answer, Problem, percent, table};
use super::tuning::{TuneArgs, read_images, sentence, variants};

#[derive(Debug, Args)]
pub struct ClassifyArgs {
    /// A classifier file of the page or the package: class names, sentences, prompt, rejection, tuning and
    /// model.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["labels", "templates", "prompt", "tune", "ood", "negatives", "groups", "tau", "calibration"]
    )]
    pub classifier: Option<PathBuf>,
    /// Model directory: of Hugging Face or OpenCLIP (safetensors or PyTorch files), or a pack.
    #[arg(long, value_name = "DIR", required_unless_present = "classifier")]
    pub model: Option<PathBuf>,
    /// Hold matrices as none (f32), f16, q8, q4 or mixed; as in the file when left out.
    #[arg(long, value_name = "none|f16|q8|q4|mixed", value_parser = Quantization::parse)]
    pub quant: Option<Quantization>,
    /// Class names: a,b,c or @file (one per line, a CSV with the names first, or JSON); - for standard
    /// input.
    #[arg(
        long,
        value_name = "a,b,c|@FILE",
        required_unless_present = "classifier"
    )]
    pub labels: Option<String>,
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
    score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reduced_by: Option<u32>,
    timings: Timings,
}

/// What answers, and how.
struct Setup {
    args: ModelArgs,
    model: Model,
    classes: ClassSet,
    options: ClassifyOptions,
    /// A threshold that a person has set.
    threshold: Option<Threshold>,
    gallery: Option<Arc<ExtraImages>>,
    /// What there is to say about it.
    notes: Vec<String>,
}

impl Setup {
    /// As the arguments have it.
    fn of_args(args: &ClassifyArgs, device: Choice) -> Result<Self> {
        let labels = labels(args.labels.as_deref().unwrap_or_default())?;
        let ood = with_threshold(&args.verdict)?;
        let tuning = args.tune.tuning()?;
        let model_args = ModelArgs {
            model: args.model.clone().unwrap_or_default(),
            quant: args.quant,
        };
        let model = open(&model_args, device)?;
        let gallery = match &args.gallery {
            Some(folder) => read_images(&model, folder)?,
            None => None,
        };
        let classes = classes(&model, &labels, &args.prompt)?;
        let (classes, left_out) = with_negatives(&model, classes, &args.verdict.score)?;
        Ok(Self {
            options: ClassifyOptions {
                tuning: with_pictures(tuning, None, &gallery)?,
                ood,
                heatmap: None,
            },
            args: model_args,
            model,
            classes,
            threshold: None,
            gallery,
            notes: left_out.into_iter().collect(),
        })
    }

    /// As the classifier file at `path` has it.
    fn of_file(path: &Path, args: &ClassifyArgs, device: Choice) -> Result<Self> {
        let file = classifier::read(path)?;
        let model_args = classifier::model_args(&file, path, args.model.as_ref(), args.quant)?;
        let model = open(&model_args, device)?;
        let classes = classifier::classes(&model, &file)?;
        let mut setup = Self {
            options: ClassifyOptions {
                ood: classifier::scoring(&file),
                tuning: file.tuning,
                heatmap: None,
            },
            args: model_args,
            model,
            classes,
            threshold: file.rejection.threshold,
            gallery: None,
            notes: Vec::new(),
        };
        setup.leave_out_stale_threshold()?;
        Ok(setup)
    }

    /// A file may hold a threshold of before its last change, which a page would only report too.
    fn leave_out_stale_threshold(&mut self) -> Result<()> {
        let made = Answerer::new(&self.model, &self.classes, &self.options, &());
        let stale = match block_on(made) {
            Err(error) if error.kind() == Kind::CalibrationMismatch => error.message().to_owned(),
            other => return other.map(drop),
        };
        if let Some(ood) = &mut self.options.ood {
            ood.calibration = None;
        }
        self.notes.push(stale);
        Ok(())
    }
}

pub fn run(args: &ClassifyArgs, device: Choice) -> Result<Answer> {
    let setup = match &args.classifier {
        Some(path) => Setup::of_file(path, args, device)?,
        None => Setup::of_args(args, device)?,
    };
    let Setup {
        model,
        classes,
        options,
        gallery,
        threshold,
        ..
    } = &setup;
    let entry = |path: &Path, answered: Result<Classification>| {
        entry(path, answered.map(|answer| judged(answer, *threshold)))
    };
    // What is wrong with the score is wrong for every image.
    let answerer = block_on(Answerer::new(model, classes, options, &()))?;
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
                let variants = variants(model, dir, path, args.images.len() == 1)?;
                let options = ClassifyOptions {
                    tuning: with_pictures(options.tuning.clone(), variants, gallery)?,
                    ..options.clone()
                };
                block_on(classes.classify(model, &bytes, &options, &()))
            };
            results.extend(args.images.iter().map(|path| entry(path, answer(path))));
        }
    }
    let ok = results
        .iter()
        .any(|result| matches!(result, Entry::Answer(_)));
    let text = table(&results.iter().flat_map(rows).collect::<Vec<_>>());
    let document = Document {
        model: setup.args.model.display().to_string(),
        quant: model.report.quantization.name(),
        device: &model.processor,
        results,
    };
    let mut answer = Answer::new(&document, text, ok)?.note(described(model, &setup.args));
    let remarks = remarks(model, classes, None);
    for line in remarks.chain(setup.notes.iter().cloned()) {
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
            score: answer.score,
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
            let value = answered.score.iter();
            let value = value.map(|value| [format!("{value:.3}"), "score of the photo".to_owned()]);
            let score = answered.ood.iter().map(verdict);
            let tuned = answered.tuning.iter();
            let tuned = tuned.map(|tuning| sentence(tuning, &answered.predictions));
            let reduced = answered.reduced_by.iter();
            let reduced = reduced.map(|by| {
                let meaning = "of its size: the photo was made smaller while it was decoded";
                [format!("1/{by}"), meaning.to_owned()]
            });
            classes
                .chain(value)
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
