//! `promptlens import-prompt`.

use std::path::PathBuf;

use clap::Args;
use promptlens::classifier::ClassSet;
use promptlens::device::Choice;
use promptlens::error::Result;
use promptlens::prompt::import::{Import, Imported, coop_checkpoint};
use promptlens::prompt::layout::NamePosition;
use serde::Serialize;

use super::args::ModelArgs;
use super::model::{described, labels, open, write_prompt};
use super::output::{Answer, table};

#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The classes that it was taught, in their order: a,b,c or @file. Left out, they are read back
    /// from CoOp's own file.
    #[arg(long, value_name = "a,b,c|@FILE")]
    pub labels: Option<String>,
    /// Take a checkpoint whose start token is not the model's.
    #[arg(long)]
    pub no_model_check: bool,
    /// Where the class name stands: end, middle or front, as CLASS_TOKEN_POSITION said.
    #[arg(long, value_name = "LAYOUT", default_value = "end")]
    pub layout: String,
    /// The checkpoint: model.pth.tar-50 of the prompt learner, or any file with `ctx` in it.
    #[arg(value_name = "CHECKPOINT")]
    pub checkpoint: PathBuf,
    /// Prompt file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Serialize)]
struct Document {
    tensor: String,
    shape: Vec<usize>,
    classes: usize,
    labels: Vec<String>,
    out: String,
}

pub fn run(args: &ImportArgs, device: Choice) -> Result<Answer> {
    let given = args.labels.as_deref().map(labels).transpose()?;
    let layout = NamePosition::parse(&args.layout)?;
    let model = open(&args.model, device)?;
    let Imported {
        prompt,
        tensor,
        shape,
        names,
    } = coop_checkpoint(
        &args.checkpoint,
        &model,
        Import {
            names: given.as_deref(),
            layout,
            check_model: !args.no_model_check,
        },
    )?;
    // A context that does not fit the model or leaves no room for a name must not get into a file.
    pollster::block_on(ClassSet::with_prompt(&model, &names, &["{}"], &prompt))?;
    write_prompt(&prompt, &args.out)?;
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let text = table(&[
        line("tensor", tensor.clone()),
        line("shape", format!("{shape:?}")),
        line("classes", names.len().to_string()),
        line("written to", args.out.display().to_string()),
    ]);
    let document = Document {
        tensor,
        shape,
        classes: names.len(),
        labels: names,
        out: args.out.display().to_string(),
    };
    Ok(Answer::new(&document, text, true)?.note(described(&model, &args.model)))
}
