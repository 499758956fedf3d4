//! `promptlens train`.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use pollster::block_on;
use promptlens::checkpoint::read_file;
use promptlens::classifier::Classifier;
use promptlens::dataset::{DataSet, Limits};
use promptlens::device::Choice;
use promptlens::error::{Error, Kind, Result};
use promptlens::evaluate::{Failure, class_names};
use promptlens::fewshot::{self, Lesson, Source, Taught, chosen, examples, has_test};
use promptlens::ood::negatives::MiningOptions;
use promptlens::prompt::heads::context::taught_with;
use promptlens::prompt::template::DEFAULT;
use promptlens::prompt_learning::descriptions::{Descriptions, MAX_BYTES};
use promptlens::prompt_learning::examples::Examples;
use promptlens::prompt_learning::job::{Cost, Note, Recipe};
use promptlens::prompt_learning::options::Options;
use promptlens::prompt_learning::others::OutlierData;
use promptlens::prompt_learning::photos::DEFAULT_CROPS;
use promptlens::prompt_learning::recipes::find;
use promptlens::prompt_learning::trainer::TrainingProgress;
use promptlens::prompt_learning::validate::HeldOutAccuracy;
use serde::Serialize;

use super::args::TrainArgs;
use super::model::{described, labels, open, write_prompt};
use super::ood::words;
use super::output::{Answer, percent, table};

#[derive(Serialize)]
struct Document<'a> {
    recipe: &'static str,
    trained_parameters: usize,
    losses: &'a [f64],
    /// None where there was nothing to measure on.
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
    /// What stood for images, where the recipe says so.
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

/// Images to learn from and to measure on.
#[derive(Default)]
struct Pictures {
    train: Option<Examples>,
    test: Option<Examples>,
    others: Option<Examples>,
    skipped: usize,
    failures: Vec<Failure>,
    notes: Vec<Note>,
}

pub fn run(args: &TrainArgs, device: Choice) -> Result<Answer> {
    let recipe = find(&args.recipe)?;
    let options = Options::new(&recipe.parameters(), &args.set)?;
    let descriptions = args.descriptions.as_deref().map(read).transpose()?;
    if args.collect.is_some() && !(recipe.others && args.labels != "auto" && args.data.is_some()) {
        return Err(Error::new(
            Kind::OptionInvalid,
            "--collect needs --data, --labels, and a recipe that learns what is none of them, such as lapt.",
        ));
    }
    let open_data = |path: &PathBuf| match args.collect {
        Some(_) => DataSet::open_any(path, &Limits::default()),
        None => DataSet::open(path, &Limits::default()),
    };
    let data = args.data.as_ref().map(open_data).transpose()?;
    let names = match (args.labels.as_str(), &data) {
        ("auto", Some(data)) => class_names(data, Source::training(data).split.as_deref())?,
        ("auto", None) => {
            return Err(Error::new(
                Kind::OptionInvalid,
                "Without --data there are no class folders; name the classes with --labels.",
            ));
        }
        (given, _) => labels(given)?,
    };
    let model = open(&args.model, device)?;
    let negatives = match (recipe.others, &args.negatives) {
        (true, Some(given)) => words(given)?,
        (true, None) => mined(&model, &names)?,
        (false, _) => Vec::new(),
    };
    let pictures = match &data {
        Some(data) => pictures(&model, data, (&names, &negatives), recipe, args)?,
        None => Pictures::default(),
    };
    let lesson = Lesson {
        recipe,
        options: &options,
        names: &names,
        descriptions: descriptions.as_ref(),
        others: OutlierData {
            negatives: &negatives,
            images: pictures.others.as_ref(),
        },
        seed: args.seed,
    };
    let shown = Cell::new(0);
    let mut taught = lesson.teach(
        &model,
        pictures.train.as_ref(),
        pictures.test.as_ref(),
        &|progress| tell(progress, &shown),
    )?;
    taught.learned.notes.extend(pictures.notes.iter().cloned());
    write_prompt(&taught.learned.prompt, &args.out)?;
    answer(args, &model, &names, &pictures, &taught)
}

/// Words that are far from `names`.
fn mined(model: &Classifier, names: &[String]) -> Result<Vec<String>> {
    let classes = block_on(model.classes(names, DEFAULT))?;
    let mined = block_on(model.negatives(&classes, &MiningOptions::default(), &()))?;
    Ok(mined.labels.clone())
}

fn read(path: &Path) -> Result<Descriptions> {
    Descriptions::from_json(&read_file(path, MAX_BYTES as u64, Kind::Io)?)
}

/// Features of the images to learn from and of those to measure on, where there is a split of these.
fn pictures(
    model: &Classifier,
    data: &DataSet,
    (names, negatives): (&[String], &[String]),
    recipe: &Recipe,
    args: &TrainArgs,
) -> Result<Pictures> {
    let tell = |what: &str, done: usize, of: usize| {
        if done == of || done.is_multiple_of(500) {
            eprintln!("{what}: {done} of {of} images");
        }
    };
    let crops = args.crops.unwrap_or(match recipe.kind {
        Cost::Hard => 1,
        Cost::Text | Cost::Features => DEFAULT_CROPS,
    });
    let source = Source {
        shots: args.shots,
        crops,
        seed: args.seed,
        corruption: args.corrupt.corruption,
        ..Source::training(data)
    };
    let mut found = match args.collect {
        Some(per_class) => {
            let tell = |done, of| tell("looking through", done, of);
            let words = (names, negatives);
            let found = fewshot::collected(model, data, words, per_class, &source, &tell)?;
            Pictures {
                train: found.own,
                others: found.others,
                failures: found.failures,
                notes: found.notes,
                ..Pictures::default()
            }
        }
        None => {
            let (items, skipped) = chosen(data, names, &source)?;
            let tell = |done, of| tell("learning from", done, of);
            let train = examples(model, data, &items, names.len(), &source, &tell)?;
            Pictures {
                train: Some(train.examples),
                skipped,
                failures: train.failures,
                ..Pictures::default()
            }
        }
    };
    if let (true, Some(path)) = (recipe.others, &args.ood_data) {
        let others = DataSet::open_any(path, &Limits::default())?;
        let items = fewshot::others(&others, names, &source)?;
        let read = examples(model, &others, &items, 1, &source, &|done, of| {
            tell("learning from others", done, of);
        })?;
        found.others = Some(read.examples);
        found.failures.extend(read.failures);
    }
    if has_test(data) {
        let source = Source {
            split: None,
            shots: None,
            limit: args.limit,
            crops: 1,
            ..source
        };
        let (items, skipped) = chosen(data, names, &source)?;
        let test = examples(model, data, &items, names.len(), &source, &|done, of| {
            tell("measuring on", done, of);
        })?;
        found.test = Some(test.examples);
        found.skipped += skipped;
        found.failures.extend(test.failures);
    }
    Ok(found)
}

/// A line on stderr for every tenth of the way.
fn tell(progress: &TrainingProgress, shown: &Cell<usize>) {
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
    model: &Classifier,
    names: &[String],
    pictures: &Pictures,
    taught: &Taught,
) -> Result<Answer> {
    let measured = taught.measured.as_ref();
    let learned = &taught.learned;
    let document = Document {
        recipe: find(&args.recipe)?.name,
        trained_parameters: learned.trained_parameters,
        losses: &learned.losses,
        accuracy_before: measured.map(|m| m.accuracy_before),
        accuracy_after: measured.map(|m| m.accuracy_after),
        measured_on: measured.map(|m| m.on.as_str()),
        n: measured.map_or(0, |m| m.n),
        n_train: pictures.train.as_ref().map_or(0, Examples::len),
        seconds: taught.seconds,
        taught_with: taught_with(&learned.prompt),
        notes: &learned.notes,
        classes: names,
        skipped: pictures.skipped,
        failed: pictures.failures.len(),
        failures: &pictures.failures,
        out: args.out.display().to_string(),
    };
    let mut answer = Answer::new(&document, text(&document, measured), true)?
        .note(described(model, &args.model));
    if pictures.skipped > 0 {
        answer = answer.note(format!(
            "{} images have a class that is not among the labels.",
            pictures.skipped
        ));
    }
    for failure in &pictures.failures {
        answer = answer.note(format!(
            "{}: {} [{}]",
            failure.file, failure.message, failure.code
        ));
    }
    Ok(answer)
}

fn text(document: &Document<'_>, measured: Option<&HeldOutAccuracy>) -> String {
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
    if let Some(m) = measured {
        let (before, after) = (percent(m.accuracy_before), percent(m.accuracy_after));
        rows.push(line("measured on", format!("{} images, {}", m.n, m.on)));
        rows.push(line("accuracy before", before.trim().to_owned()));
        rows.push(line("accuracy after", after.trim().to_owned()));
    }
    let notes = document.notes.iter();
    rows.extend(notes.map(|n| line(&n.name, format!("{:.4}", n.value))));
    rows.push(line("written to", document.out.clone()));
    table(&rows)
}
