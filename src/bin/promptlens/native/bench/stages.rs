//! `promptlens bench stages`.

use std::fs::read_to_string;

use clap::Args;
use pollster::block_on;
use promptlens::bench::stages::{Measured, Plan, measure};
use promptlens::device::Choice;
use promptlens::error::Result;
use serde::Serialize;

use super::super::args::{ModelArgs, at_least_one};
use super::super::output::{Answer, table};

#[derive(Debug, Args)]
pub struct StagesArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// How often everything but loading is done; the first time is told apart.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub repeats: usize,
    /// Classes whose text features are computed.
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = at_least_one)]
    pub classes: usize,
    /// Views of the answer with test-time tuning; 0 leaves it out.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub views: usize,
}

#[derive(Serialize)]
struct Document {
    model: String,
    machine: Machine,
    versions: Versions,
    #[serde(flatten)]
    measured: Measured,
}

#[derive(Serialize)]
struct Machine {
    cpu: String,
    cores: usize,
    system: String,
}

#[derive(Serialize)]
struct Versions {
    promptlens: &'static str,
    burn: &'static str,
    wgpu: &'static str,
}

pub fn run(args: &StagesArgs, device: Choice) -> Result<Answer> {
    let plan = Plan {
        device,
        quantization: args.model.quant,
        repeats: args.repeats,
        classes: args.classes,
        views: args.views,
    };
    let measured = block_on(measure(&args.model.model, &plan))?;
    let machine = machine();
    let mut rows = vec![
        ["stage", "first", "median", "least"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(measured.stages.iter().map(|stage| {
        let ms = |time: f64| format!("{time:.1} ms");
        let times = [stage.first, stage.median, stage.least].map(ms);
        [vec![stage.stage.to_owned()], times.to_vec()].concat()
    }));
    let note = format!(
        "{} {}, {} on {} {}; {} cores of {}, {}; photo of {} x {}, {} classes, {} views",
        args.model.model.display(),
        measured.quant,
        env!("CARGO_PKG_VERSION"),
        measured.device.kind,
        measured.device.architecture,
        machine.cores,
        machine.cpu,
        machine.system,
        measured.photo[0],
        measured.photo[1],
        measured.classes,
        measured.views,
    );
    let document = Document {
        model: args.model.model.display().to_string(),
        machine,
        versions: Versions {
            promptlens: env!("CARGO_PKG_VERSION"),
            burn: locked("burn"),
            wgpu: locked("wgpu"),
        },
        measured,
    };
    Ok(Answer::new(&document, table(&rows), true)?.note(note))
}

/// The version of `package` that this program was built with.
fn locked(package: &str) -> &'static str {
    const LOCK: &str = include_str!("../../../../../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let version = LOCK.split_once(&name).map_or("", |(_, rest)| rest);
    version.split('"').next().unwrap_or_default()
}

fn machine() -> Machine {
    let cpus = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find(|line| line.starts_with("model name"));
    let cpu = model.and_then(|line| line.split_once(": ")).map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |(_, name)| name.to_owned(),
    );
    Machine {
        cpu,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        system: std::env::consts::OS.to_owned(),
    }
}
