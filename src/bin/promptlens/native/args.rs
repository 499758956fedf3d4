//! The command line as types.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use promptlens::checkpoint::Format;
use promptlens::classifier::DEFAULT_SCORE;
use promptlens::device::Choice;
use promptlens::ood::score::by_name;
use promptlens::prompt::template::DEFAULT;
use promptlens::quant::Quantization;

use super::bench::Bench;
use super::pretrain_args::Pretrain;
use super::tuning::{CorruptArgs, TuneArgs};

/// Zero-shot image classification with CLIP.
#[derive(Debug, Parser)]
#[command(name = "promptlens", version, arg_required_else_help = true)]
pub struct Cli {
    /// Print one JSON document on stdout, and everything else on stderr.
    #[arg(long, global = true)]
    pub json: bool,
    /// Where to compute: auto (the CPU), webgpu (or gpu: wgpu), or cpu.
    #[arg(long, global = true, default_value = "auto", value_parser = Choice::parse)]
    pub device: Choice,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// L2-normalized features of images or texts.
    Embed(EmbedArgs),
    /// The most probable of the given classes, for each image.
    Classify(ClassifyArgs),
    /// Accuracy over a folder or tar of <split>/<class>/<file> or <class>/<file>.
    Eval(EvalArgs),
    /// Pictures by their captions and captions by their pictures: recall at 1, 5 and 10.
    Retrieve(RetrieveArgs),
    /// Fits a prompt to labeled images and says how good it is.
    Train(TrainArgs),
    /// Recipes side by side on one data set: accuracy on all names, and from base to new names.
    Compare(CompareArgs),
    /// What train can do: every recipe, its paper and its parameters.
    Recipes,
    /// A CoOp checkpoint of PyTorch to a prompt file.
    ImportPrompt(ImportArgs),
    /// A threshold for "none of these" that accepts 95 % of images like yours.
    Calibrate(CalibrateArgs),
    /// What a model directory, a weights file or a prompt file is; always on the CPU.
    Inspect(InspectArgs),
    /// A CLIP checkpoint to a packed, quantized model directory; always on the CPU.
    Convert(ConvertArgs),
    /// Compares every GPU kernel with the CPU, on this machine's adapter.
    Check(CheckArgs),
    /// How long things take on this machine.
    #[command(subcommand)]
    Bench(Bench),
    /// Trains both towers on photos of <split>/<class>/<file>; only the split train is read.
    #[command(subcommand)]
    Pretrain(Pretrain),
}

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

/// The verdict.
#[derive(Debug, Args)]
pub struct VerdictArgs {
    #[command(flatten)]
    pub score: ScoreArgs,
    /// A threshold from calibrate, made with the same options.
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
}

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

#[derive(Debug, Args)]
pub struct ClassifyArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Class names: a,b,c or @file (one per line, a CSV with the names first, or JSON); - for standard
    /// input.
    #[arg(long, value_name = "a,b,c|@FILE")]
    pub labels: String,
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub tune: TuneArgs,
    /// Pictures made from the photo, by an image generator for example: difftpt-lite takes them
    /// instead of its strong views. For several photos, one folder in it for each, named as the
    /// photo without its extension.
    #[arg(long, value_name = "DIR", requires = "tune")]
    pub variants: Option<PathBuf>,
    /// Other photos: some strong views of difftpt-lite take over their colors and coarse light.
    #[arg(long, value_name = "DIR", requires = "tune")]
    pub gallery: Option<PathBuf>,
    #[command(flatten)]
    pub verdict: VerdictArgs,
    /// Image files.
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A folder, .tar, .tar.gz or .zip.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: PathBuf,
    /// Class names: @file, auto (the class folders), or a,b,c.
    #[arg(long, value_name = "@FILE|auto|a,b,c")]
    pub labels: String,
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub tune: TuneArgs,
    #[command(flatten)]
    pub corrupt: CorruptArgs,
    #[command(flatten)]
    pub verdict: VerdictArgs,
    /// Images of none of the classes; folders with the name of a class are left out.
    #[arg(long, value_name = "DIR|TAR")]
    pub ood_data: Option<PathBuf>,
    /// The split to measure on; test when left out and there are splits.
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// The most images, taken evenly from the classes.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Measure too among so many names drawn at random, the right one among them, so many times; --seed
    /// decides which.
    #[arg(long, value_name = "NAMES:DRAWS")]
    pub draw: Option<String>,
    /// Count related names apart: a JSON file {"name": {"aliases": [...], "is_a": [...]}}.
    #[arg(long, value_name = "FILE")]
    pub lenient: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RetrieveArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A folder, .tar, .tar.gz or .zip of <split>/<file> with a captions.tsv: lines of a picture's path,
    /// a tab and a caption.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: PathBuf,
    /// The folder of the pictures; test when left out.
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// The most pictures, from the first.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// The most captions of a picture, from the first; all of them when left out.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub captions: Option<usize>,
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The recipe; promptlens recipes lists them.
    #[arg(long, value_name = "NAME")]
    pub recipe: String,
    /// A folder, .tar, .tar.gz or .zip of <split>/<class>/<file> or <class>/<file>. Where there are splits,
    /// train is learned from and test is measured on; elsewhere images are left out in turn.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: Option<PathBuf>,
    /// Class names: @file, auto (the class folders), or a,b,c.
    #[arg(long, value_name = "@FILE|auto|a,b,c", default_value = "auto")]
    pub labels: String,
    /// Take the images as unlabeled, wherever they lie, and label them by the names: the S most
    /// probable of every class are its examples, and those like none are others. For recipes that
    /// learn what is none of the classes; needs --labels.
    #[arg(long, visible_alias = "collect", value_name = "S", value_parser = at_least_one, conflicts_with_all = ["shots", "ood_data"])]
    pub pseudo_label: Option<usize>,
    /// Images without labels, wherever they lie, for recipes that need none, such as tfup.
    #[arg(
        long,
        visible_alias = "unlabelled",
        value_name = "DIR|TAR",
        conflicts_with = "pseudo_label"
    )]
    pub unlabeled: Option<PathBuf>,
    /// The most images per class to learn from; all of them when left out.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub shots: Option<usize>,
    /// Views of every image to learn from, the plain one among them; the others are random crops.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub crops: Option<usize>,
    /// A parameter of the recipe; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Sentences about the classes: a JSON file {"class name": ["sentence", ...]}.
    #[arg(long, value_name = "FILE")]
    pub descriptions: Option<PathBuf>,
    /// Images of none of the classes, for recipes that learn what that is.
    #[arg(long, value_name = "DIR|TAR")]
    pub ood_data: Option<PathBuf>,
    /// Words for none of the classes, for the same recipes: @file (one per line, or a JSON array) or
    /// a,b,c; mined from the bundled words when left out.
    #[arg(long, value_name = "@FILE|a,b,c")]
    pub negatives: Option<String>,
    #[command(flatten)]
    pub corrupt: CorruptArgs,
    /// Decides which images, which crops and every other random number.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// The most images to measure on, taken evenly from the classes.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Prompt file to write, for --prompt and the page.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A folder, .tar or .tar.gz with a train and a test split.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: PathBuf,
    /// Recipes; all that need labeled images alone when left out.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub recipes: Vec<String>,
    /// Images per class, each number in turn.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "16", value_parser = at_least_one)]
    pub shots: Vec<usize>,
    /// How many draws of the images.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seeds: u64,
    /// Views of every image to learn from, the plain one among them.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub crops: Option<usize>,
    /// A parameter, as epochs=30 for all recipes that have it or coop.epochs=30 for one; may be given
    /// several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// The most images to measure on, taken evenly from the classes.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// The same for one recipe alone, as cocoop=200, which encodes every name again for each image.
    #[arg(long, value_name = "RECIPE=N", value_parser = limit_for)]
    pub limit_for: Vec<(String, usize)>,
    /// Measure on images of the train split that are not learned from, and leave the test split alone.
    #[arg(long)]
    pub validation: bool,
    #[command(flatten)]
    pub corrupt: CorruptArgs,
}

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

#[derive(Debug, Args)]
pub struct CalibrateArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Class names: @file, auto (the class folders), or a,b,c.
    #[arg(long, value_name = "@FILE|auto|a,b,c")]
    pub labels: String,
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub tune: TuneArgs,
    #[command(flatten)]
    pub score: ScoreArgs,
    /// At least 19 images of the classes: a folder, .tar, .tar.gz or .zip. Where folders in it have names
    /// of classes, only these count.
    #[arg(long, value_name = "DIR|TAR")]
    pub images: PathBuf,
    /// The split to take; test when left out and there are splits.
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// The most images, taken evenly from the folders.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// File to write, for --calibration.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A model directory, packed or not, or a .safetensors file of weights or a prompt.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
}

#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Model directory to read.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Store matrices as none (f32), f16, q8, q4, or mixed: q4 where that costs little, else q8.
    #[arg(long, value_name = "none|f16|q8|q4|mixed", value_parser = Quantization::parse)]
    pub quant: Quantization,
    /// pack (manifest.json and chunks), or safetensors (one file with a config.json).
    #[arg(long, value_name = "pack|safetensors", default_value = "pack", value_parser = Format::parse)]
    pub format: Format,
    /// Model directory to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Only linear, layer_norm, attention, depthwise or photo.
    #[arg(long, value_name = "NAME")]
    pub kernel: Option<String>,
    /// Of the shapes that are drawn at random; the names of the cases tell it.
    #[arg(long, default_value_t = promptlens::kernels::check::SEED)]
    pub seed: u32,
}

/// The score's own spelling; `none` switches scoring off.
fn score(text: &str) -> Result<String, String> {
    match text {
        "none" | "false" => Ok("none".to_owned()),
        _ => by_name(text)
            .map(|score| score.name.to_owned())
            .map_err(|error| error.message().to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, for example lr=0.01".to_owned()),
    }
}

fn limit_for(text: &str) -> Result<(String, usize), String> {
    let (recipe, limit) = pair(text)?;
    Ok((recipe, at_least_one(&limit)?))
}

pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number of at least 1".to_owned()),
        Ok(n) => Ok(n),
    }
}
