//! `promptlens bench lanes`.

use pollster::block_on;
use promptlens::bench::lanes::{GPUS, Gpu, Predicted, predict_all};
use promptlens::error::Result;
use serde::Serialize;

use super::super::output::{Answer, table};

#[derive(Serialize)]
struct Document {
    gpus: [Gpu; 3],
    launches: Vec<Predicted>,
}

pub fn run() -> Result<Answer> {
    let launches = block_on(predict_all())?;
    let head = ["what", "workgroups", "conflict", "bytes used", "flops/byte"];
    let head = head.into_iter().chain(GPUS.map(|gpu| gpu.name));
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for launch in &launches {
        let mut row = vec![
            launch.what.clone(),
            launch.workgroups.to_string(),
            format!("{:.1}", launch.conflict),
            format!("{:.0} %", 100.0 * launch.used_bytes),
            format!("{:.1}", launch.flops_per_byte),
        ];
        row.extend(launch.shares.map(|share| format!("{:.0} %", 100.0 * share)));
        rows.push(row);
    }
    let text = table(&rows);
    let document = Document {
        gpus: GPUS,
        launches,
    };
    let note =
        "Shares of the f32 peak: a bound from conflicts, bytes and idle cores. Nothing was run.";
    Ok(Answer::new(&document, text, true)?.note(note))
}
