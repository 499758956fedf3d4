//! `promptlens train`.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use pollster::block_on;
use promptlens::checkpoint::read_file;
use promptlens::dataset::{DataSet, Limits};
use promptlens::device::Choice;
use promptlens::error::{Error, Failure, Kind, Result};
use promptlens::evaluate::class_names;
use promptlens::fewshot::data_set::{DataSetPhotos, Selection};
use promptlens::fewshot::{self, NegativeLabels, PhotoSet, Report, Request};
use promptlens::prompt::heads::context::taught_with;
use promptlens::prompt_learning::descriptions::{Descriptions, MAX_BYTES};
use promptlens::prompt_learning::job::Note;
use promptlens::prompt_learning::recipes::find;
use promptlens::prompt_learning::trainer::{Observer, TrainingProgress};
use promptlens::prompt_learning::validate::Validation;
use serde::Serialize;

use super::args::{ModelArgs, at_least_one, pair};
use super::model::{described, labels, open, prompt_file, write_prompt};
use super::ood::words;
use super::output::{Answer, percent, table};
use super::tuning::CorruptArgs;

#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The recipe; promptlens recipes lists them.
    #[arg(long, value_name = "NAME")]
    pub recipe: String,
    /// A folder, .tar, .tar.gz or .zip of <split>/<class>/<file> or <class>/<file>. With splits,
    /// train is learned from and test is measured on; without, images are left out in turn.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: Option<PathBuf>,
    /// Class names: @file, auto (the class folders), or a,b,c.
    #[arg(long, value_name = "@FILE|auto|a,b,c", default_value = "auto")]
    pub labels: String,
    /// Take the images as unlabeled, wherever they lie, and label them by the names: the S most
    /// probable of every class are its examples, and those like none are others. For recipes that
    /// learn what is none of the classes; needs --labels.
    #[arg(long, visible_alias = "collect", value_name = "S", value_parser = at_least_one, conflicts_with_all = ["shots", "ood_data"])]
    pub pseudo_label: Option<usize>,
    /// Images without labels, wherever they lie, for recipes that need none, such as tfup.
    #[arg(
        long,
        visible_alias = "unlabelled",
        value_name = "DIR|TAR",
        conflicts_with = "pseudo_label"
    )]
    pub unlabeled: Option<PathBuf>,
    /// The most images per class to learn from; all of them when left out.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub shots: Option<usize>,
    /// Views of every image to learn from, the plain one among them; the others are random crops.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub crops: Option<usize>,
    /// A parameter of the recipe; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Sentences about the classes: a JSON file {"class name": ["sentence", ...]}, or one that pairs wrote
    /// and you filled.
    #[arg(long, value_name = "FILE")]
    pub descriptions: Option<PathBuf>,
    /// A prompt file to go on from, for recipes that continue: what it knows stays where nothing new is
    /// learned.
    #[arg(long, value_name = "FILE")]
    pub start: Option<PathBuf>,
    /// Images of none of the classes, for recipes that learn what that is.
    #[arg(long, value_name = "DIR|TAR")]
    pub ood_data: Option<PathBuf>,
    /// Words for none of the classes, for the same recipes: @file (one per line, or a JSON array) or
    /// a,b,c; mined from the bundled words when left out.
    #[arg(long, value_name = "@FILE|a,b,c")]
    pub negatives: Option<String>,
    #[command(flatten)]
    pub corrupt: CorruptArgs,
    /// Decides which images, which crops and every other random number.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// The most images to measure on, taken evenly from the classes.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Prompt file to write, for --prompt and the page.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Serialize)]
struct Document<'a> {
    recipe: &'static str,
    trained_parameters: usize,
    losses: &'a [f64],
    /// `None`: there was nothing to measure on.
    accuracy_before: Option<f64>,
    accuracy_after: Option<f64>,
    /// What the accuracies were measured on.
    measured_on: Option<&'a str>,
    /// Images that they were measured on.
    n: usize,
    /// Images that were learned from.
    n_train: usize,
    /// Seconds that the recipe took, without the features of the images.
    seconds: f64,
    /// What took the place of images, if the recipe says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    taught_with: Option<&'a str>,
    notes: &'a [Note],
    classes: &'a [String],
    /// Images whose class is not among the labels.
    skipped: usize,
    failed: usize,
    failures: &'a [Failure],
    out: String,
}

/// The data sets that the command line names.
struct Data {
    train: Option<DataSet>,
    outliers: Option<DataSet>,
    unlabeled: Option<DataSet>,
}

pub fn run(args: &TrainArgs, device: Choice) -> Result<Answer> {
    let recipe = find(&args.recipe)?;
    let configured = recipe.configure(&args.set)?;
    let descriptions = args.descriptions.as_deref().map(read).transpose()?;
    let pseudo_label = args.pseudo_label.and_then(NonZeroUsize::new);
    if pseudo_label.is_some()
        && !(recipe.needs.outliers && args.labels != "auto" && args.data.is_some())
    {
        return Err(Error::new(
            Kind::OptionInvalid,
            "--pseudo-label needs --data, --labels, and a recipe that learns what is none of them, such as lapt.",
        ));
    }
    let open_train = |path: &PathBuf| match pseudo_label {
        Some(_) => DataSet::open_any(path, &Limits::default()),
        None => DataSet::open(path, &Limits::default()),
    };
    let train = args.data.as_ref().map(open_train).transpose()?;
    let names = names(args, train.as_ref())?;
    let model = open(&args.model, device)?;
    let negatives = args.negatives.as_deref().filter(|_| recipe.needs.outliers);
    let negatives = negatives.map(words).transpose()?;
    let outliers = args.ood_data.as_ref();
    let outliers = outliers.filter(|_| recipe.needs.outliers && train.is_some());
    let outliers = outliers.map(|path| DataSet::open_any(path, &Limits::default()));
    let data = Data {
        train,
        outliers: outliers.transpose()?,
        unlabeled: args
            .unlabeled
            .as_ref()
            .map(|path| DataSet::open_any(path, &Limits::default()))
            .transpose()?,
    };
    let photos = photos(args, &data, &names)?;
    let start = args.start.as_deref().map(prompt_file).transpose()?;
    let request = Request {
        model: &model,
        recipe: &configured,
        names: &names,
        descriptions: descriptions.as_ref(),
        start: start.as_ref(),
        negatives: match &negatives {
            Some(words) => NegativeLabels::Given(words),
            None => NegativeLabels::Mined,
        },
        crops: args.crops,
        corruption: args.corrupt.corruption,
        seed: args.seed,
        pseudo_label,
        validation: Some(Validation::LeaveOneOut),
    };
    let shown = Cell::new(0);
    let observer = Observer {
        progress: &(),
        observe: &|progress| show_step(progress, &shown),
    };
    let report = block_on(fewshot::run(&request, &photos, observer))?;
    write_prompt(&report.prompt, &args.out)?;
    let device = described(&model, &args.model);
    answer(args, (&names, photos.skipped), &report, &device)
}

fn names(args: &TrainArgs, data: Option<&DataSet>) -> Result<Vec<String>> {
    match (args.labels.as_str(), data) {
        ("auto", Some(data)) => class_names(data, Selection::training(data).split.as_deref()),
        ("auto", None) => Err(Error::new(
            Kind::OptionInvalid,
            "Without --data there are no class folders; name the classes with --labels.",
        )),
        (given, _) => labels(given),
    }
}

fn read(path: &Path) -> Result<Descriptions> {
    Descriptions::from_json(&read_file(path, MAX_BYTES as u64, Kind::Io)?)
}

/// The images to learn from and those to measure on.
fn photos<'a>(args: &TrainArgs, data: &'a Data, names: &[String]) -> Result<DataSetPhotos<'a>> {
    let mut photos = DataSetPhotos::new(&show_count);
    if let Some(unlabeled) = &data.unlabeled {
        photos.unlabeled(unlabeled, &Selection::training(unlabeled))?;
    }
    let Some(train) = &data.train else {
        return Ok(photos);
    };
    let selection = Selection {
        shots: args.shots,
        seed: args.seed,
        ..Selection::training(train)
    };
    if args.pseudo_label.is_some() {
        photos.unlabeled(train, &selection)?;
    } else {
        photos.classes(train, names, &selection)?;
    }
    if let Some(outliers) = &data.outliers {
        photos.outliers(outliers, names, &selection)?;
    }
    photos.test(train, names, args.limit)?;
    Ok(photos)
}

/// A line on stderr for every 500 images.
fn show_count(set: PhotoSet, done: usize, total: usize) {
    let what = match set {
        PhotoSet::Classes => "learning from",
        PhotoSet::Outliers => "learning from others",
        PhotoSet::Unlabeled => "looking through",
        PhotoSet::Test => "measuring on",
    };
    if done == total || done.is_multiple_of(500) {
        eprintln!("{what}: {done} of {total} images");
    }
}

/// A line on stderr for every tenth of the steps.
fn show_step(progress: &TrainingProgress, shown: &Cell<usize>) {
    let tenth = progress.done * 10 / progress.total.max(1);
    if tenth > shown.get() || progress.done == 1 {
        shown.set(tenth);
        eprintln!(
            "step {} of {}: loss {:.4}, {} right",
            progress.done,
            progress.total,
            progress.loss,
            percent(progress.accuracy).trim()
        );
    }
}

fn answer(
    args: &TrainArgs,
    (names, skipped): (&[String], usize),
    report: &Report,
    device: &str,
) -> Result<Answer> {
    let accuracy = report.accuracy.as_ref();
    let document = Document {
        recipe: report.recipe,
        trained_parameters: report.trained_parameters,
        losses: &report.losses,
        accuracy_before: accuracy.map(|a| a.accuracy_before),
        accuracy_after: accuracy.map(|a| a.accuracy_after),
        measured_on: accuracy.map(|a| a.on.as_str()),
        n: accuracy.map_or(0, |a| a.n),
        n_train: report.images,
        seconds: report.seconds,
        taught_with: taught_with(&report.prompt),
        notes: &report.notes,
        classes: names,
        skipped,
        failed: report.failures.len(),
        failures: &report.failures,
        out: args.out.display().to_string(),
    };
    let mut answer = Answer::new(&document, text(&document), true)?.note(device);
    if skipped > 0 {
        answer = answer.note(format!(
            "{skipped} images have a class that is not among the labels."
        ));
    }
    for failure in &report.failures {
        answer = answer.note(failure.to_string());
    }
    Ok(answer)
}

fn text(document: &Document<'_>) -> String {
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        line("recipe", document.recipe.to_owned()),
        line("learned from", format!("{} images", document.n_train)),
        line(
            "trained parameters",
            document.trained_parameters.to_string(),
        ),
        line("seconds", format!("{:.1}", document.seconds)),
    ];
    if let Some(with) = document.taught_with {
        rows.push(line("taught with", with.to_owned()));
    }
    if let (Some(on), Some(before), Some(after)) = (
        document.measured_on,
        document.accuracy_before,
        document.accuracy_after,
    ) {
        let (before, after) = (percent(before), percent(after));
        rows.push(line("measured on", format!("{} images, {on}", document.n)));
        rows.push(line("accuracy before", before.trim().to_owned()));
        rows.push(line("accuracy after", after.trim().to_owned()));
    }
    let notes = document.notes.iter();
    rows.extend(notes.map(|n| line(&n.name, format!("{:.4}", n.value))));
    rows.push(line("written to", document.out.clone()));
    table(&rows)
}
