//! `promptlens import-prompt`.

use promptlens::classifier::ClassSet;
use promptlens::device::Choice;
use promptlens::error::Result;
use promptlens::prompt::import::{Import, Imported, coop_checkpoint};
use promptlens::prompt::layout::NamePosition;
use serde::Serialize;

use super::args::ImportArgs;
use super::model::{described, labels, open, write_prompt};
use super::output::{Answer, table};

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
