//! The command line as one type, and what its grammar cannot say.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use promptlens::device::Choice;
use promptlens::tpt::Method;

use super::bench::Bench;
use super::calibrate::CalibrateArgs;
use super::check::CheckArgs;
use super::classify::ClassifyArgs;
use super::compare::CompareArgs;
use super::compose::ComposeArgs;
use super::convert::ConvertArgs;
use super::embed::EmbedArgs;
use super::eval::EvalArgs;
use super::import::ImportArgs;
use super::inspect::InspectArgs;
use super::pairs::PairsArgs;
use super::pretrain_args::Pretrain;
use super::prompts::PromptsArgs;
use super::retrieve::RetrieveArgs;
use super::suggest::SuggestArgs;
use super::train::TrainArgs;
use super::visualness::VisualnessArgs;

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
    /// Accuracy over a folder, tar or zip of <split>/<class>/<file> or <class>/<file>.
    Eval(EvalArgs),
    /// Pictures by their captions and captions by their pictures: recall at 1, 5 and 10.
    Retrieve(RetrieveArgs),
    /// Fits a prompt to labeled images and says how good it is.
    Train(TrainArgs),
    /// Recipes side by side on one data set: accuracy on all names, and from base to new names.
    Compare(CompareArgs),
    /// Classes that are likely for the same images, and a file to fill with texts that tell them apart.
    Pairs(PairsArgs),
    /// What train can do: every recipe, its paper and its parameters; and the tools for words.
    Recipes,
    /// Templates that a language model of yours proposes: scores them and writes the next question.
    Prompts(PromptsArgs),
    /// Templates that fit your images best, from a list; the images need no labels.
    SuggestTemplates(SuggestArgs),
    /// Whether names or sentences are about something that one can see.
    Visualness(VisualnessArgs),
    /// Names of several words from images of the words, such as red cup from red and from cup.
    Compose(ComposeArgs),
    /// A CoOp checkpoint of PyTorch to a prompt file.
    ImportPrompt(ImportArgs),
    /// A threshold for "none of these" that accepts 95 % of images like yours.
    Calibrate(CalibrateArgs),
    /// What a model directory, a weights file, a prompt file or a classifier file is; always on the CPU.
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

/// What the grammar of the options cannot say.
pub fn check(cli: Cli) -> Result<Cli, clap::Error> {
    match &cli.command {
        Command::Classify(args)
            if (args.variants.is_some() || args.gallery.is_some())
                && args.tune.method() != Some(Method::DiffTptLite) =>
        {
            let message = "--variants and --gallery need --tune difftpt-lite";
            Err(Cli::command().error(ErrorKind::ArgumentConflict, message))
        }
        _ => Ok(cli),
    }
}
