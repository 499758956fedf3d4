//! `promptlens bench tune-step`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use pollster::block_on;
use promptlens::bench::tune_step::{Measured, Plan, measure};
use promptlens::device::{Choice, DeviceInfo};
use promptlens::error::{Error, Kind, Result};
use serde::Serialize;

use super::super::args::{ModelArgs, at_least_one};
use super::super::model::{described, open};
use super::super::output::{Answer, table};

#[derive(Debug, Args)]
pub struct TuneStepArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Class names: that many nouns of the bundled list; may be given several times.
    #[arg(long = "classes", value_name = "K", default_values = ["10", "100"], value_parser = at_least_one)]
    pub classes: Vec<usize>,
    /// Views, as features of a seeded generator.
    #[arg(long, value_name = "N", default_value = "64", value_parser = at_least_one)]
    pub views: usize,
    /// Measured steps, of which the median counts.
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one)]
    pub repeats: usize,
    /// Run every prompt at its full length, as other implementations do.
    #[arg(long)]
    pub full_length: bool,
    /// Write what goes into the last of the steps, for other implementations to repeat it.
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document<'a> {
    bench: &'static str,
    model: String,
    quant: &'static str,
    device: &'a DeviceInfo,
    version: &'static str,
    cores: usize,
    views: usize,
    repeats: usize,
    results: Vec<Measured>,
}

pub fn run(args: &TuneStepArgs, device: Choice) -> Result<Answer> {
    let model = open(&args.model, device)?;
    let mut results = Vec::new();
    for &classes in &args.classes {
        let plan = Plan {
            classes,
            views: args.views,
            repeats: args.repeats,
            full_length: args.full_length,
        };
        let (measured, inputs) = block_on(measure(&model, &plan))?;
        results.push(measured);
        if let Some(path) = &args.inputs {
            let failed = |e: &dyn std::fmt::Display| {
                Error::new(Kind::Io, format!("{}: {e}.", path.display()))
            };
            let json = serde_json::to_vec(&inputs).map_err(|e| failed(&e))?;
            fs::write(path, json).map_err(|e| failed(&e))?;
        }
    }
    let rows: Vec<Vec<String>> = results.iter().map(row).collect();
    let document = Document {
        bench: "tune-step",
        model: args.model.model.display().to_string(),
        quant: model.report.quantization.name(),
        device: &model.processor,
        version: env!("CARGO_PKG_VERSION"),
        cores: std::thread::available_parallelism().map_or(1, |n| n.get()),
        views: args.views,
        repeats: args.repeats,
        results,
    };
    Ok(Answer::new(&document, table(&rows), true)?.note(described(&model, &args.model)))
}

fn row(measured: &Measured) -> Vec<String> {
    let memory = measured.peak_bytes.map_or_else(
        || "memory unknown".to_owned(),
        |bytes| format!("{} MiB", bytes >> 20),
    );
    vec![
        format!("{} classes", measured.classes),
        format!("{} token rows", measured.token_rows),
        format!("{:.3} s", measured.seconds),
        memory,
    ]
}
