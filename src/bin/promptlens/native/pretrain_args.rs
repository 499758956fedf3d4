//! The command line of `promptlens pretrain` as types.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use promptlens::pretrain::augment::Augmentation;
use promptlens::pretrain::settings::Settings;

use super::pretrain_lit::LitArgs;
use promptlens::quant::Quantization;

#[derive(Debug, Subcommand)]
pub enum Pretrain {
    /// Packs the split train of data sets into one small .tar.gz.
    Prepare(PrepareArgs),
    /// Makes the built-in model: features of a published encoder, a text tower distilled from CLIP's
    /// text vectors, a projection between them.
    Lit(Box<LitArgs>),
    /// Trains, from a checkpoint if there is one, and writes a model directory.
    Run(Box<RunArgs>),
}

/// The photos of a command.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// Folders, .tar or .tar.gz of <split>/<class>/<file>.
    #[arg(long, value_name = "DIR|TAR", num_args = 1.., required = true)]
    pub data: Vec<PathBuf>,
    /// Names that are never trained on: @file or a,b,c; `none` for no name. Those of the model's
    /// training.json when left out.
    #[arg(long, value_name = "@FILE|a,b,c|none")]
    pub hold_out: Option<String>,
    /// Photos with a longer shorter side are scaled down to this.
    #[arg(long, value_name = "PX", default_value_t = 80)]
    pub edge: u32,
}

#[derive(Debug, Args)]
pub struct PrepareArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// Model directory whose training.json says what is held out.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// JPEG quality, 1 to 100, of photos that are stored anew.
    #[arg(long, value_name = "Q", default_value_t = 76)]
    pub quality: u8,
    /// The most megabytes (millions of bytes) of the file.
    #[arg(long, value_name = "MB", default_value_t = 40)]
    pub max_mb: u64,
    /// The .tar.gz to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// Model directory to start from: config.json, tokenizer.json, model.safetensors.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Model directory to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Start from random weights; of --model only the sizes and the tokenizer are used.
    #[arg(long)]
    pub fresh: bool,
    /// Keep only the tokenizer's first N merges: a smaller vocabulary, a smaller model.
    #[arg(long, value_name = "N")]
    pub merges: Option<usize>,
    /// Where the run is kept and taken up again.
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Minutes between checkpoints.
    #[arg(long, value_name = "M", default_value_t = 10.0)]
    pub every: f64,
    /// End after this many minutes, with a checkpoint and a model.
    #[arg(long, value_name = "M")]
    pub minutes: Option<f64>,
    /// End after this step, with a checkpoint and a model.
    #[arg(long, value_name = "N")]
    pub stop_after: Option<usize>,
    /// Threads that prepare photos; all of the machine's when left out. Changes no result.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Store the model as F16, half as large.
    #[arg(long)]
    pub half: bool,
    /// Words that are true of classes, lines of "word: name, name"; a list for common training sets
    /// when left out.
    #[arg(long, value_name = "FILE")]
    pub words_file: Option<PathBuf>,
    /// A sentence with {} for the class name; may be given several times.
    #[arg(long = "template", value_name = "T")]
    pub templates: Vec<String>,
    /// Text embeddings to pull the text tower towards: safetensors with the tensor text and the names.
    #[arg(long, value_name = "FILE")]
    pub teacher: Option<PathBuf>,
    /// Commit of this program, for training.json; asked of git when left out.
    #[arg(long, value_name = "HASH")]
    pub commit: Option<String>,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// The settings of a run; a checkpoint goes on only with the same.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// Where all random draws come from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Steps of the whole run.
    #[arg(long, default_value_t = Settings::default().steps)]
    pub steps: usize,
    /// Photos of a step.
    #[arg(long, default_value_t = Settings::default().batch)]
    pub batch: usize,
    /// Parts of a step's photos that run side by side, one thread each.
    #[arg(long, default_value_t = Settings::default().shards)]
    pub shards: usize,
    /// Full learning rate.
    #[arg(long, default_value_t = Settings::default().lr)]
    pub lr: f64,
    /// Steps in which the learning rate rises.
    #[arg(long, default_value_t = Settings::default().warm_up)]
    pub warm_up: usize,
    /// Muon's step for the matrices of the image tower's blocks.
    #[arg(long)]
    pub muon: bool,
    /// Decoupled weight decay.
    #[arg(long, default_value_t = Settings::default().weight_decay)]
    pub weight_decay: f32,
    /// The longest gradient.
    #[arg(long, default_value_t = Settings::default().clip)]
    pub clip: f32,
    /// Decay of the moving average of the weights.
    #[arg(long, default_value_t = Settings::default().ema)]
    pub ema: f32,
    /// Classes are drawn by their number of photos to this power.
    #[arg(long, default_value_t = Settings::default().balance)]
    pub balance: f64,
    /// Share of the patches that the image tower sees.
    #[arg(long, default_value_t = Settings::default().keep)]
    pub keep: f64,
    /// Share of the steps, at the end, in which it sees all.
    #[arg(long, default_value_t = Settings::default().unmasked)]
    pub unmasked: f64,
    /// Captions of a step beside the class names.
    #[arg(long, default_value_t = Settings::default().words)]
    pub words: usize,
    /// Label smoothing.
    #[arg(long, default_value_t = Settings::default().smoothing)]
    pub smoothing: f32,
    /// Weight of the distance to the teacher's embeddings.
    #[arg(long, default_value_t = Settings::default().distil)]
    pub distil: f32,
    /// Texts of the teacher in a step.
    #[arg(long, default_value_t = Settings::default().distil_texts)]
    pub distil_texts: usize,
    /// In the unmasked steps, run weights as q8 or q4 would store them.
    #[arg(long, alias = "quantise", value_name = "q8|q4", value_parser = Quantization::parse)]
    pub quantize: Option<Quantization>,
    /// Share of pictures that are drawn patterns with words of their own.
    #[arg(long, default_value_t = Settings::default().patterns)]
    pub patterns: f64,
    /// Smallest share of the photo in a crop.
    #[arg(long, default_value_t = Augmentation::default().area)]
    pub area: f64,
    /// Share of photos whose colors change.
    #[arg(long, alias = "colour", default_value_t = Augmentation::default().color)]
    pub color: f64,
    /// Share of black and white photos.
    #[arg(long, alias = "grey", default_value_t = Augmentation::default().gray)]
    pub gray: f64,
    /// Share of photos with an erased rectangle.
    #[arg(long, default_value_t = Augmentation::default().erase)]
    pub erase: f64,
    /// Share of photos mixed with another.
    #[arg(long, default_value_t = Augmentation::default().mix)]
    pub mix: f64,
}

impl SettingsArgs {
    pub fn settings(&self) -> Settings {
        Settings {
            seed: self.seed,
            steps: self.steps,
            batch: self.batch,
            shards: self.shards,
            lr: self.lr,
            warm_up: self.warm_up,
            muon: self.muon,
            weight_decay: self.weight_decay,
            clip: self.clip,
            ema: self.ema,
            balance: self.balance,
            keep: self.keep,
            unmasked: self.unmasked,
            words: self.words,
            smoothing: self.smoothing,
            distil: self.distil,
            distil_texts: self.distil_texts,
            quantize: self.quantize,
            patterns: self.patterns,
            augmentation: Augmentation {
                area: self.area,
                color: self.color,
                gray: self.gray,
                erase: self.erase,
                mix: self.mix,
            },
        }
    }
}
