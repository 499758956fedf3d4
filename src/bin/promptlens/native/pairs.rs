//! `promptlens pairs`.

use std::path::PathBuf;

use clap::Args;
use pollster::block_on;
use promptlens::classifier::{Answerer, Classification, ClassifyOptions};
use promptlens::dataset::{Feed, classify_all};
use promptlens::device::Choice;
use promptlens::error::{Error, Kind, Result};
use promptlens::prompt_learning::described_pairs::{MetPair, met, to_fill};
use serde::Serialize;

use super::args::{ModelArgs, PromptArgs, at_least_one};
use super::input;
use super::model::{classes, described, labels, open, remarks};
use super::output::{Answer, table};

#[derive(Debug, Args)]
pub struct PairsArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Class names: a,b,c or @file (one per line, a CSV with the names first, or JSON); - for standard
    /// input.
    #[arg(long, value_name = "a,b,c|@FILE")]
    pub labels: String,
    #[command(flatten)]
    pub prompt: PromptArgs,
    /// Of how many most likely classes of an image each two are a pair.
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one)]
    pub top: usize,
    /// The most pairs, from the most frequent.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Empty places for pairs of texts in the file, for each pair of classes.
    #[arg(long, value_name = "N", default_value = "5", value_parser = at_least_one)]
    pub texts: usize,
    /// A file to write: the pairs with empty places for texts, for train --recipe fudd --descriptions.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Image files.
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Document<'a> {
    images: usize,
    pairs: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<String>,
}

#[derive(Serialize)]
struct Pair<'a> {
    classes: [&'a str; 2],
    images: usize,
}

pub fn run(args: &PairsArgs, device: Choice) -> Result<Answer> {
    let names = labels(&args.labels)?;
    let model = open(&args.model, device)?;
    let classes = classes(&model, &names, &args.prompt)?;
    let options = ClassifyOptions {
        tuning: None,
        ood: None,
        heatmap: None,
    };
    let answerer = block_on(Answerer::new(&model, &classes, &options, &()))?;
    let mut probabilities = Vec::new();
    let mut failures = Vec::new();
    let feed = |give: &mut Feed<'_, usize>| {
        let mut paths = args.images.iter().enumerate();
        paths.try_for_each(|(place, path)| give(place, input::image(path)))
    };
    classify_all(&answerer, feed, &mut |place, answered| {
        match answered {
            Ok(answer) => probabilities.extend(in_order(&answer, &names)),
            Err(error) => failures.push(format!("{}: {error}", args.images[place].display())),
        }
        Ok(())
    })?;
    let mut pairs = met(&probabilities, names.len(), args.top);
    pairs.truncate(args.limit.unwrap_or(usize::MAX));
    if let Some(path) = &args.out {
        let file = serde_json::to_string_pretty(&to_fill(&pairs, &names, args.texts))
            .map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
        std::fs::write(path, file)
            .map_err(|error| Error::new(Kind::Io, format!("{}: {error}.", path.display())))?;
    }
    let named = |pair: &MetPair| Pair {
        classes: pair.classes.map(|class| names[class].as_str()),
        images: pair.images,
    };
    let document = Document {
        images: args.images.len() - failures.len(),
        pairs: pairs.iter().map(named).collect(),
        out: args.out.as_ref().map(|path| path.display().to_string()),
    };
    let mut rows = vec![vec!["images".to_owned(), "classes".to_owned()]];
    rows.extend(document.pairs.iter().map(|pair| {
        let [a, b] = pair.classes;
        vec![pair.images.to_string(), format!("{a} or {b}")]
    }));
    let mut answer = Answer::new(&document, table(&rows), document.images > 0)?
        .note(described(&model, &args.model));
    for line in remarks(&model, &classes, None) {
        answer = answer.note(line);
    }
    for failure in failures {
        answer = answer.note(failure);
    }
    Ok(answer)
}

/// The probabilities in the order of the names.
fn in_order<'a>(answer: &'a Classification, names: &'a [String]) -> impl Iterator<Item = f64> + 'a {
    names.iter().map(|name| {
        let own = answer.predictions.iter().find(|p| p.label == *name);
        own.map_or(0.0, |p| p.probability)
    })
}
