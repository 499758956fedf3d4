//! `promptlens compose`.

use std::path::PathBuf;

use clap::Args;
use pollster::block_on;
use promptlens::dataset::{DataSet, Limits};
use promptlens::device::Choice;
use promptlens::error::Result;
use promptlens::evaluate::class_names;
use promptlens::fewshot::data_set::Selection;
use promptlens::prompt::heads::save;
use promptlens::prompt::heads::texts::TextFeatures;
use promptlens::prompt::template::{DEFAULT, Template};
use promptlens::tools::scorer::Scorer;
use promptlens::tools::vsc::{TOOL, Tried, fit, parts};
use serde::Serialize;

use super::args::ModelArgs;
use super::model::{described, labels, open, write_prompt};
use super::output::{Answer, percent, table};
use super::photos::encode;

#[derive(Debug, Args)]
pub struct ComposeArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Names of several words: a,b,c or @file (one per line, a CSV with the names first, or JSON); - for
    /// standard input.
    #[arg(long, value_name = "a,b,c|@FILE")]
    pub labels: String,
    /// A folder, .tar, .tar.gz or .zip of <folder>/<file>, of splits train: folders named after words of
    /// the names (red, cup), and after names themselves for images to choose gamma on.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: PathBuf,
    /// A sentence with {} for the name; may be given several times.
    #[arg(long = "template", value_name = "T", default_values = DEFAULT)]
    pub templates: Vec<String>,
    /// How far a text moves towards the images; chosen on images that are held out when left out.
    #[arg(long, value_name = "G")]
    pub gamma: Option<f64>,
    /// Prompt file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Serialize)]
struct Document<'a> {
    gamma: f64,
    tried: &'a [Tried],
    held_out: usize,
    images: usize,
    names: Vec<Row<'a>>,
    out: String,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    /// The folders that its text moves towards.
    folders: Vec<&'a str>,
}

pub fn run(args: &ComposeArgs, device: Choice) -> Result<Answer> {
    let templates = Template::parse_all(&args.templates)?;
    let names = labels(&args.labels)?;
    let data = DataSet::open(&args.data, &Limits::default())?;
    let selection = Selection::training(&data);
    let folders = class_names(&data, selection.split.as_deref())?;
    let (items, _) = selection.items(&data, &folders)?;
    let model = open(&args.model, device)?;
    let (images, failures) = encode(&model, &data, &items, folders.len())?;
    let scorer = Scorer {
        model: &model,
        names: &names,
        images: &images,
    };
    let plain = block_on(scorer.texts(&templates))?;
    let found = fit(&plain, &names, &folders, &images, args.gamma)?;
    let features = TextFeatures::new(&found.texts, &templates);
    write_prompt(&save(TOOL.name, &model, &names, &features), &args.out)?;
    let rows = names.iter().map(|name| Row {
        name,
        folders: parts(name, &folders)
            .into_iter()
            .map(|folder| folders[folder].as_str())
            .collect(),
    });
    let document = Document {
        gamma: found.gamma,
        tried: &found.tried,
        held_out: found.held_out,
        images: images.len(),
        names: rows.collect(),
        out: args.out.display().to_string(),
    };
    let mut rows = vec![vec!["gamma".to_owned(), found.gamma.to_string()]];
    rows.extend(document.tried.iter().map(|tried| {
        let name = format!("held-out images right at {}", tried.gamma);
        vec![name, percent(tried.accuracy)]
    }));
    rows.extend(document.names.iter().map(|row| {
        let folders = match row.folders[..] {
            [] => "no images: the text stays as it is".to_owned(),
            ref folders => folders.join(", "),
        };
        vec![row.name.to_owned(), folders]
    }));
    let mut answer =
        Answer::new(&document, table(&rows), true)?.note(described(&model, &args.model));
    if args.gamma.is_none() && found.tried.is_empty() {
        answer = answer.note(
            "No image could be held out, so gamma is 0; give four images of a word, or images of the names.",
        );
    }
    for failure in failures {
        answer = answer.note(failure.to_string());
    }
    Ok(answer)
}
