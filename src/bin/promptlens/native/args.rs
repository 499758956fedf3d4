//! Arguments that several commands share.

use std::path::PathBuf;

use clap::Args;
use promptlens::classifier::DEFAULT_SCORE;
use promptlens::dataset::DataSet;
use promptlens::error::Result;
use promptlens::evaluate::{Options, class_names};
use promptlens::ood::score::by_name;
use promptlens::prompt::template::DEFAULT;
use promptlens::quant::Quantization;

use super::model::labels;

/// The model of a command.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// Model directory: of Hugging Face or OpenCLIP (safetensors or PyTorch files), or a pack.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Hold matrices as none (f32), f16, q8, q4 or mixed; as in the file when left out.
    #[arg(long, value_name = "none|f16|q8|q4|mixed", value_parser = Quantization::parse)]
    pub quant: Option<Quantization>,
}

/// What stands around a class name. Learned prompts join it here.
#[derive(Debug, Args)]
pub struct PromptArgs {
    /// A sentence with {} for the class name; may be given several times.
    #[arg(long = "template", value_name = "T", default_values = DEFAULT)]
    pub templates: Vec<String>,
    /// A prompt file from train or the page; it answers in place of the templates.
    #[arg(long, value_name = "FILE")]
    pub prompt: Option<PathBuf>,
    /// Divides the logits of every answer: above 1 for percentages that say too much; eval tells it.
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    pub temperature: f64,
}

/// How an image is scored for "none of these".
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// mcm, max-logit, energy, entropy, variance, gl-mcm, neglabel, lapt; or none.
    #[arg(long, value_name = "SCORE", default_value = DEFAULT_SCORE, value_parser = score)]
    pub ood: String,
    /// Exactly these negative labels: @file (one per line, or a JSON array) or a,b,c; mined from the
    /// bundled words when left out.
    #[arg(long, value_name = "@FILE|a,b,c")]
    pub negatives: Option<String>,
    /// Groups of negative labels; 100 when left out.
    #[arg(long, value_name = "G", value_parser = at_least_one)]
    pub groups: Option<usize>,
    /// Temperature on cosines; the score's own for the model when left out.
    #[arg(long, value_name = "T")]
    pub tau: Option<f64>,
}

/// Which names, and which images of a data set.
#[derive(Debug, Args)]
pub struct SubsetArgs {
    /// Class names: @file, auto (the class folders), or a,b,c.
    #[arg(long, value_name = "@FILE|auto|a,b,c")]
    pub labels: String,
    /// The split to take; test when left out and there are splits.
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// The most images, taken evenly from the classes.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
}

impl SubsetArgs {
    /// The class names, which `auto` takes from the folders of `data`.
    pub fn names(&self, data: &DataSet) -> Result<Vec<String>> {
        match self.labels.as_str() {
            "auto" => class_names(data, self.split.as_deref()),
            given => labels(given),
        }
    }

    /// The images, for [`evaluate`](promptlens::evaluate).
    pub fn options(&self) -> Options {
        Options {
            split: self.split.clone(),
            limit: self.limit,
            ..Options::default()
        }
    }
}

/// The verdict.
#[derive(Debug, Args)]
pub struct VerdictArgs {
    #[command(flatten)]
    pub score: ScoreArgs,
    /// A threshold from calibrate, made with the same options.
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
}

/// The score's own spelling; `none` switches scoring off.
fn score(text: &str) -> std::result::Result<String, String> {
    match text {
        "none" | "false" => Ok("none".to_owned()),
        _ => by_name(text)
            .map(|score| score.name.to_owned())
            .map_err(|error| error.message().to_owned()),
    }
}

/// KEY=VALUE.
pub fn pair(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, for example lr=0.01".to_owned()),
    }
}

/// A whole number of at least 1.
pub fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number of at least 1".to_owned()),
        Ok(n) => Ok(n),
    }
}
