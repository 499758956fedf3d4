//! `promptlens check`.

use clap::Args;
use pollster::block_on;
use promptlens::device::{self, Choice, DeviceInfo};
use promptlens::error::Result;
use promptlens::kernels::check::{Checked, check};
use serde::Serialize;

use super::output::{Answer, table};

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Only linear, layer_norm, attention, depthwise or photo.
    #[arg(long, value_name = "NAME")]
    pub kernel: Option<String>,
    /// Of the shapes that are drawn at random; the names of the cases tell it.
    #[arg(long, default_value_t = promptlens::kernels::check::SEED)]
    pub seed: u32,
}

#[derive(Serialize)]
struct Document<'a> {
    device: &'a DeviceInfo,
    passed: bool,
    cases: &'a [Checked],
}

pub fn run(args: &CheckArgs, choice: Choice) -> Result<Answer> {
    // The CPU has no kernels, so here `auto` means a GPU.
    let choice = match choice {
        Choice::Cpu => Choice::Cpu,
        Choice::Auto | Choice::WebGpu => Choice::WebGpu,
    };
    let processor = block_on(device::open(choice, None))?;
    let cases = block_on(check(
        &processor.placement,
        args.kernel.as_deref(),
        args.seed,
        &(),
    ))?;
    let failed: Vec<_> = cases.iter().filter(|case| !case.passed).collect();
    let text = if failed.is_empty() {
        format!("All {} cases agree with the CPU.\n", cases.len())
    } else {
        let rows: Vec<_> = failed.iter().map(|case| row(case)).collect();
        table(&rows)
    };
    let document = Document {
        device: &processor.info,
        passed: failed.is_empty(),
        cases: &cases,
    };
    Ok(
        Answer::new(&document, text, failed.is_empty())?.note(format!(
            "{} cases on {}, {} failed.",
            cases.len(),
            processor.info.architecture,
            failed.len()
        )),
    )
}

fn row(case: &Checked) -> Vec<String> {
    let error = case
        .error
        .map_or("not finite".to_owned(), |error| format!("{error:.1e}"));
    vec![
        case.name.clone(),
        case.tiling.to_owned(),
        error,
        format!("limit {:.0e}", case.limit),
    ]
}
