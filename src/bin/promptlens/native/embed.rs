//! `promptlens embed`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use pollster::block_on;
use promptlens::dataset::{Reading, embed_all};
use promptlens::device::{Choice, DeviceInfo};
use promptlens::error::Result;
use serde::Serialize;

use super::args::ModelArgs;
use super::input;
use super::model::{cut, described, open};
use super::output::{Answer, Problem, table};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("input").required(true))]
pub struct EmbedArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Image files.
    #[arg(long = "image", value_name = "FILE", num_args = 1.., group = "input")]
    pub images: Vec<PathBuf>,
    /// Texts, embedded as they are.
    #[arg(long = "text", value_name = "TEXT", num_args = 1.., group = "input")]
    pub texts: Vec<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    model: String,
    quant: &'static str,
    dim: usize,
    device: &'a DeviceInfo,
    embeddings: Vec<Embedding>,
}

#[derive(Serialize)]
struct Embedding {
    input: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Values(Vec<f32>),
    Error(Problem),
}

pub fn run(args: &EmbedArgs, device: Choice) -> Result<Answer> {
    let model = open(&args.model, device)?;
    let dim = model.clip.config.projection_dim;
    let mut embeddings = Vec::new();
    let mut truncated = 0;
    if args.images.is_empty() {
        let (features, _, cut) = block_on(model.embed_texts(&args.texts))?;
        truncated = cut;
        embeddings.extend(
            args.texts
                .iter()
                .zip(features.chunks(dim))
                .map(|(text, values)| Embedding {
                    input: text.clone(),
                    outcome: Outcome::Values(values.to_vec()),
                }),
        );
    } else {
        embed_all(
            &model,
            &Reading::default(),
            |give| {
                args.images
                    .iter()
                    .try_for_each(|path| give(path, input::image(path)))
            },
            &mut |path: &PathBuf, embedded| {
                embeddings.push(Embedding {
                    input: path.display().to_string(),
                    outcome: match embedded {
                        Ok(features) => Outcome::Values(features.image),
                        Err(error) => Outcome::Error(Problem::from(&error)),
                    },
                });
                Ok(())
            },
        )?;
    }
    let ok = embeddings
        .iter()
        .any(|embedding| matches!(embedding.outcome, Outcome::Values(_)));
    let text = table(&embeddings.iter().map(row).collect::<Vec<_>>());
    let document = Document {
        model: args.model.model.display().to_string(),
        quant: model.report.quantization.name(),
        dim,
        device: &model.processor,
        embeddings,
    };
    let answer = Answer::new(&document, text, ok)?.note(described(&model, &args.model));
    Ok(match cut(truncated) {
        Some(line) => answer.note(line),
        None => answer,
    })
}

/// The first values, enough to see that something is there; the whole is in the JSON.
fn row(embedding: &Embedding) -> Vec<String> {
    const SHOWN: usize = 6;
    let mut row = vec![embedding.input.clone()];
    match &embedding.outcome {
        Outcome::Values(values) => {
            row.extend(values.iter().take(SHOWN).map(|v| format!("{v:8.5}")));
            row.push(format!("... {} values, all with --json", values.len()));
        }
        Outcome::Error(problem) => row.push(problem.to_string()),
    }
    row
}
