//! `promptlens bench shape`.

use clap::Args;
use pollster::block_on;
use promptlens::bench::shape::{Measured, Plan, Times, measure};
use promptlens::device::Choice;
use promptlens::error::Result;
use promptlens::quant::Quantization;
use serde::Serialize;

use super::super::args::at_least_one;
use super::super::output::{Answer, table};

#[derive(Debug, Args)]
pub struct ShapeArgs {
    /// The shape: vit-b-32 or vit-b-16.
    #[arg(long, value_name = "NAME", default_value = "vit-b-32")]
    pub shape: String,
    /// How matrices are stored.
    #[arg(long, value_name = "none|f16|q8|q4|mixed", default_value = "none", value_parser = Quantization::parse)]
    pub quant: Quantization,
    /// Images in one call; may be given several times.
    #[arg(long = "batch", value_name = "N", default_values = ["1", "16"], value_parser = at_least_one)]
    pub batches: Vec<usize>,
    /// Texts in one call; may be given several times.
    #[arg(long = "texts", value_name = "N", default_values = ["100"], value_parser = at_least_one)]
    pub texts: Vec<usize>,
    /// Class names of one tuning step over 64 views; left out if not given.
    #[arg(long, value_name = "K", value_parser = at_least_one)]
    pub tuned: Option<usize>,
    /// Times that each is done after the first.
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one)]
    pub repeats: usize,
    /// The peak of the device in 10¹² float operations a second, to tell the share that is reached.
    #[arg(long, value_name = "TFLOPS")]
    pub peak: Option<f64>,
}

#[derive(Serialize)]
struct Document {
    bench: &'static str,
    version: &'static str,
    repeats: usize,
    peak: Option<f64>,
    #[serde(flatten)]
    times: Times,
}

pub fn run(args: &ShapeArgs, device: Choice) -> Result<Answer> {
    let plan = Plan {
        device,
        shape: args.shape.clone(),
        quantization: args.quant,
        batches: args.batches.clone(),
        texts: args.texts.clone(),
        tuned: args.tuned,
        repeats: args.repeats,
    };
    let times = block_on(measure(&plan))?;
    let rows: Vec<Vec<String>> = times.results.iter().map(|r| row(r, args.peak)).collect();
    let document = Document {
        bench: "shape",
        version: env!("CARGO_PKG_VERSION"),
        repeats: args.repeats,
        peak: args.peak,
        times,
    };
    Answer::new(&document, table(&rows), true)
}

fn row(measured: &Measured, peak: Option<f64>) -> Vec<String> {
    let speed = measured.flops.map_or_else(String::new, |flops| {
        let share = peak.map_or_else(String::new, |peak| {
            format!(", {:.1} % of the peak", flops / peak / 1e10)
        });
        format!("{:.1} Gflop/s{share}", flops / 1e9)
    });
    vec![
        format!("{} {}", measured.count, measured.what),
        format!("{:.2} ms", 1e3 * measured.seconds),
        format!("first {:.2} ms", 1e3 * measured.first),
        speed,
    ]
}
