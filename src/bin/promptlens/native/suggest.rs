//! `promptlens suggest-templates`.

use std::path::PathBuf;

use clap::Args;
use pollster::block_on;
use promptlens::checkpoint::read_file;
use promptlens::dataset::{DataSet, Limits};
use promptlens::device::Choice;
use promptlens::error::{Error, Kind, Result};
use promptlens::fewshot::data_set::Selection;
use promptlens::prompt::ensemble::CLIP80;
use promptlens::prompt::heads::save;
use promptlens::prompt::heads::texts::TextFeatures;
use promptlens::prompt::template::Template;
use promptlens::tools::scorer::Scorer;
use promptlens::tools::templates_suggested::{TOOL, suggest};
use serde::Serialize;

use super::args::{ModelArgs, at_least_one};
use super::model::{described, labels, open, write_prompt};
use super::output::{Answer, table};
use super::photos::encode;

/// The largest list of templates in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// The most templates of a list.
const MAX_TEMPLATES: usize = 1000;

#[derive(Debug, Args)]
pub struct SuggestArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Class names: a,b,c or @file (one per line, a CSV with the names first, or JSON); - for standard
    /// input.
    #[arg(long, value_name = "a,b,c|@FILE")]
    pub labels: String,
    /// A folder, .tar, .tar.gz or .zip of images, with labels or without; of splits, train.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: PathBuf,
    /// A text file with a template in each line; CLIP's eighty when left out.
    #[arg(long, value_name = "FILE")]
    pub library: Option<PathBuf>,
    /// How many templates.
    #[arg(long, value_name = "N", default_value = "5", value_parser = at_least_one)]
    pub count: usize,
    /// Prompt file to write, of these templates averaged.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document<'a> {
    images: usize,
    suggestions: Vec<Row<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    template: &'a str,
    fit: f64,
    alike: f64,
}

pub fn run(args: &SuggestArgs, device: Choice) -> Result<Answer> {
    let library = library(args)?;
    let templates = Template::parse_all(&library)?;
    let names = labels(&args.labels)?;
    let data = DataSet::open_any(&args.data, &Limits::default())?;
    let items = Selection::training(&data).outliers(&data, &[])?;
    let model = open(&args.model, device)?;
    let (images, failures) = encode(&model, &data, &items, 1)?;
    let scorer = Scorer {
        model: &model,
        names: &names,
        images: &images,
    };
    let mut texts = Vec::new();
    for template in &templates {
        texts.extend(block_on(scorer.texts(std::slice::from_ref(template)))?);
    }
    let found = suggest(
        &texts,
        names.len(),
        &images.plain(),
        images.dim(),
        args.count,
    );
    if let Some(path) = &args.out {
        let chosen: Vec<_> = found.iter().map(|s| templates[s.place].clone()).collect();
        let texts = block_on(scorer.texts(&chosen))?;
        let features = TextFeatures::new(&texts, &chosen);
        write_prompt(&save(TOOL.name, &model, &names, &features), path)?;
    }
    let rows = found.iter().map(|s| Row {
        template: &library[s.place],
        fit: s.fit,
        alike: s.alike,
    });
    let document = Document {
        images: images.len(),
        suggestions: rows.collect(),
        out: args.out.as_ref().map(|path| path.display().to_string()),
    };
    let mut rows = vec![["fit", "alike", "template"].map(str::to_owned).to_vec()];
    rows.extend(document.suggestions.iter().map(|row| {
        let [fit, alike] = [row.fit, row.alike].map(|value| format!("{value:.4}"));
        vec![fit, alike, row.template.to_owned()]
    }));
    let mut answer =
        Answer::new(&document, table(&rows), true)?.note(described(&model, &args.model));
    for failure in failures {
        answer = answer.note(failure.to_string());
    }
    Ok(answer)
}

fn library(args: &SuggestArgs) -> Result<Vec<String>> {
    let Some(path) = &args.library else {
        return Ok(CLIP80.map(str::to_owned).to_vec());
    };
    let invalid = |what: &str| {
        let sentence = format!("{}: {what}.", path.display());
        Error::new(Kind::TemplateInvalid, sentence)
    };
    let text = String::from_utf8(read_file(path, MAX_BYTES, Kind::Io)?)
        .map_err(|_| invalid("this is no text in UTF-8"))?;
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !lines.iter().any(|known| known == line) {
            lines.push(line.to_owned());
        }
    }
    match lines.len() {
        n if n > MAX_TEMPLATES => Err(invalid("there are more than 1,000 templates")),
        _ => Ok(lines),
    }
}
