//! `promptlens bench`: what one step of test-time tuning costs.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use pollster::block_on;
use promptlens::classifier::{Classes, Classifier};
use promptlens::device::{Choice, DeviceInfo};
use promptlens::error::{Error, Kind, Result};
use promptlens::ood::negatives::Vocabulary;
use promptlens::prompt::template::DEFAULT;
use promptlens::rng::Rng;
use promptlens::tune::{Config, Text, Tuned, tune};
use serde::Serialize;

use super::args::{ModelArgs, at_least_one};
use super::model::{described, open};
use super::output::{Answer, table};

#[derive(Debug, Args)]
pub struct BenchArgs {
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

#[derive(Serialize)]
struct Measured {
    classes: usize,
    full_length: bool,
    /// Of one pass over the prompts; a step takes two, and one back.
    token_rows: usize,
    seconds: f64,
    /// Processor time of the same step, which other work on the machine touches less; null where the
    /// system does not tell.
    cpu_seconds: Option<f64>,
    /// The most memory that a step took beyond what was there before it; null where the system does
    /// not tell.
    peak_bytes: Option<u64>,
    entropy_before: f64,
    entropy_after: f64,
    gradient_norm: f64,
}

/// What a step is made from.
#[derive(Serialize)]
struct Inputs<'a> {
    sot: u32,
    logit_scale: f32,
    dim: usize,
    context: &'a [f32],
    suffixes: &'a [Vec<u32>],
    features: &'a [f32],
    kept: &'a [usize],
}

pub fn run(args: &BenchArgs, device: Choice) -> Result<Answer> {
    let model = open(&args.model, device)?;
    let features = features(&model, args.views);
    let mut results = Vec::new();
    for &count in &args.classes {
        let classes = block_on(model.classes(&nouns(count)?, DEFAULT))?;
        let (measured, tuned) = measure(&model, &classes, &features, args)?;
        results.push(measured);
        if let Some(path) = &args.inputs {
            let inputs = Inputs {
                sot: model.tokenizer.sot(),
                logit_scale: model.clip.logit_scale,
                dim: model.clip.config.projection_dim,
                context: &classes.context,
                suffixes: &classes.names.suffixes,
                features: &features,
                kept: &tuned.selected,
            };
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
        quant: model.report.quantisation.name(),
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

fn nouns(count: usize) -> Result<Vec<String>> {
    let words = Vocabulary::bundled()?;
    let names: Vec<String> = words
        .candidates()
        .iter()
        .map(|c| c.word.clone())
        .take(count)
        .collect();
    if names.len() < count {
        return Err(Error::new(
            Kind::OptionInvalid,
            format!("The bundled list has only {} words.", names.len()),
        ));
    }
    Ok(names)
}

/// Unit vectors that share a direction, as views of one photo do, [views, d].
fn features(model: &Classifier, views: usize) -> Vec<f32> {
    let d = model.clip.config.projection_dim;
    let mut rng = Rng::new(0);
    let common: Vec<f64> = (0..d).map(|_| rng.normal()).collect();
    let mut all = Vec::with_capacity(views * d);
    for _ in 0..views {
        let row: Vec<f64> = common.iter().map(|c| c + 0.5 * rng.normal()).collect();
        let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        all.extend(row.iter().map(|v| (v / length) as f32));
    }
    all
}

/// One step of TPT on given features: forward, backward, update, forward.
fn measure(
    model: &Classifier,
    classes: &Classes,
    features: &[f32],
    args: &BenchArgs,
) -> Result<(Measured, Tuned)> {
    let text = Text {
        tower: &model.clip.text,
        sot: model.tokenizer.sot(),
        logit_scale: model.clip.logit_scale,
    };
    let config = Config {
        full_length: args.full_length,
        ..Config::tpt(args.views)
    };
    let before = memory("VmRSS:");
    // Where this cannot be written, the peak is that of the whole process.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let (mut seconds, mut processor) = (Vec::new(), Vec::new());
    let tuned = loop {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let tuned = block_on(tune(
            text,
            &classes.names,
            &classes.context,
            features,
            &config,
            &(),
        ))?;
        seconds.push(start.elapsed().as_secs_f64());
        processor.extend(cpu_seconds().zip(cpu).map(|(end, start)| end - start));
        if seconds.len() == args.repeats {
            break tuned;
        }
    };
    let median = |times: &mut [f64]| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied()
    };
    let square = |g: &f32| f64::from(*g).powi(2);
    let measured = Measured {
        classes: classes.labels.len(),
        full_length: args.full_length,
        token_rows: tuned.token_rows,
        seconds: median(&mut seconds).unwrap_or(f64::NAN),
        cpu_seconds: median(&mut processor),
        peak_bytes: memory("VmHWM:")
            .zip(before)
            .map(|(most, b)| most.saturating_sub(b)),
        entropy_before: tuned.entropy_before(),
        entropy_after: tuned.entropy_after(),
        gradient_norm: tuned
            .gradients
            .iter()
            .flatten()
            .map(square)
            .sum::<f64>()
            .sqrt(),
    };
    Ok((measured, tuned))
}

/// Processor time of the thread that computes, by Linux's own account.
fn cpu_seconds() -> Option<f64> {
    let account = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = account.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

/// A line of Linux's own account of this process, in bytes.
fn memory(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kb| kb * 1024)
}
