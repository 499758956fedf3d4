//! `promptlens bench`.

mod lanes;
mod shape;
mod stages;
mod tune_step;

use clap::Subcommand;
use promptlens::device::Choice;
use promptlens::error::Result;

use super::output::Answer;

#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Load, text, and the stages of classifying one photo, plain and tuned.
    Stages(stages::StagesArgs),
    /// What the tiled kernels would reach on real GPUs, predicted from their index expressions.
    Lanes,
    /// A model of a published shape with random weights: no file is needed.
    Shape(shape::ShapeArgs),
    /// One step of test-time tuning.
    TuneStep(tune_step::TuneStepArgs),
}

pub fn run(bench: &Bench, device: Choice) -> Result<Answer> {
    match bench {
        Bench::Stages(args) => stages::run(args, device),
        Bench::Lanes => lanes::run(),
        Bench::Shape(args) => shape::run(args, device),
        Bench::TuneStep(args) => tune_step::run(args, device),
    }
}
