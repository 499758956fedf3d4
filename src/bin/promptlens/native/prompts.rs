//! `promptlens prompts`.

use std::path::{Path, PathBuf};

use clap::Args;
use pollster::block_on;
use promptlens::checkpoint::read_file;
use promptlens::dataset::{DataSet, Limits};
use promptlens::device::Choice;
use promptlens::error::{Error, Kind, Result};
use promptlens::fewshot::data_set::Selection;
use promptlens::tools::history::{History, MAX_BYTES, Scored};
use promptlens::tools::proposals::{self, LeftOut};
use promptlens::tools::scorer::Scorer;
use serde::Serialize;

use super::args::{ModelArgs, at_least_one};
use super::model::{described, open, write_prompt};
use super::output::{Answer, table};
use super::photos::{encode, names};

/// Templates that the table shows.
const SHOWN: usize = 10;

#[derive(Debug, Args)]
pub struct PromptsArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// How templates are shown and proposed: black-box, ipo or glov.
    #[arg(long, value_name = "NAME")]
    pub method: String,
    /// A folder, .tar, .tar.gz or .zip of <split>/<class>/<file> or <class>/<file>; of splits, train.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: PathBuf,
    /// Class names: @file, auto (the class folders), or a,b,c.
    #[arg(long, value_name = "@FILE|auto|a,b,c", default_value = "auto")]
    pub labels: String,
    /// The most images per class to score on; all of them when left out. As published, black-box and glov
    /// take 1.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub shots: Option<usize>,
    /// Decides which images.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// The templates so far with their scores, a JSON file; it is written anew, and made if there is
    /// none. Keep to the same images: scores are not computed again.
    #[arg(long, value_name = "FILE")]
    pub history: PathBuf,
    /// A text file: what the language model answered.
    #[arg(long, value_name = "FILE")]
    pub proposals: Option<PathBuf>,
    /// A text file to write: the question for the language model.
    #[arg(long, value_name = "FILE")]
    pub request: Option<PathBuf>,
    /// Prompt file to write, of the best template; of the best three with glov.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document<'a> {
    method: &'static str,
    templates: usize,
    added: &'a [Scored],
    left_out: &'a [LeftOut],
    best: &'a [&'a Scored],
    images: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<String>,
}

pub fn run(args: &PromptsArgs, device: Choice) -> Result<Answer> {
    let (tool, method) = proposals::find(&args.method)?;
    let mut history = match args.history.exists() {
        true => History::from_json(&read_file(&args.history, MAX_BYTES as u64, Kind::Io)?)?,
        false => History::default(),
    };
    let answer = args.proposals.as_deref().map(read).transpose()?;
    let data = DataSet::open(&args.data, &Limits::default())?;
    let names = names(&args.labels, &data)?;
    let selection = Selection {
        shots: args.shots,
        seed: args.seed,
        ..Selection::training(&data)
    };
    let model = open(&args.model, device)?;
    let (items, skipped) = selection.items(&data, &names)?;
    let (images, failures) = encode(&model, &data, &items, names.len())?;
    let scorer = Scorer {
        model: &model,
        names: &names,
        images: &images,
    };
    let done = proposals::step(method, scorer, &mut history, answer.as_deref(), &());
    let done = block_on(done)?;
    write(&args.history, &history.to_json()?)?;
    if let Some(path) = &args.request {
        write(path, &proposals::request(method, &names, &history))?;
    }
    if let Some(path) = &args.out {
        let prompt = block_on(proposals::prompt((tool, method), scorer, &history))?;
        write_prompt(&prompt, path)?;
    }
    let mut best = history.ranked();
    best.truncate(SHOWN);
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let document = Document {
        method: tool.name,
        templates: history.all().len(),
        added: &done.added,
        left_out: &done.left_out,
        best: &best,
        images: images.len(),
        request: path(&args.request),
        out: path(&args.out),
    };
    // An answer without a usable line is to be asked for again.
    let usable = answer.is_none() || done.added.iter().any(|scored| scored.step > 0);
    let mut answer =
        Answer::new(&document, text(&best), usable)?.note(described(&model, &args.model));
    if skipped > 0 {
        answer = answer.note(format!(
            "{skipped} images have a class that is not among the labels."
        ));
    }
    for failure in failures {
        answer = answer.note(failure.to_string());
    }
    for LeftOut { line, why } in &done.left_out {
        answer = answer.note(format!("left out, as {why}: {line}"));
    }
    if !usable {
        answer = answer.note("The answer has no new template; ask again.");
    }
    Ok(answer)
}

fn text(best: &[&Scored]) -> String {
    let cells = |a: &str, b: &str, c: &str, d: &str| [a, b, c, d].map(str::to_owned).to_vec();
    let mut rows = vec![cells("score", "loss", "step", "template")];
    rows.extend(best.iter().map(|one| {
        let [score, loss] = [format!("{:.2}", one.score), format!("{:.4}", one.loss)];
        cells(&score, &loss, &one.step.to_string(), &one.template)
    }));
    table(&rows)
}

fn read(path: &Path) -> Result<String> {
    let bytes = read_file(path, proposals::MAX_BYTES as u64, Kind::Io)?;
    String::from_utf8(bytes).map_err(|_| {
        Error::new(
            Kind::PromptInvalid,
            format!("{} is no text in UTF-8.", path.display()),
        )
    })
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text)
        .map_err(|error| Error::new(Kind::Io, format!("{}: {error}.", path.display())))
}
