//! What one step of test-time tuning costs, on features of a seeded generator.

use std::fs;
use std::time::Instant;

use serde::Serialize;

use super::full_length::FullLength;
use crate::classifier::ClassSet;
use crate::error::{Error, Kind, Result};
use crate::model::Model;
use crate::ood::negatives::Vocabulary;
use crate::prompt::model::TextSide;
use crate::prompt::template::DEFAULT;
use crate::rng::Rng;
use crate::tpt::{Config, Text, tune};

/// Which step to measure.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Class names, nouns of the bundled list.
    pub classes: usize,
    /// Views.
    pub views: usize,
    /// Measured steps, at least one, of which the median counts.
    pub repeats: usize,
    /// Whether every prompt runs at its full length.
    pub full_length: bool,
}

/// What one step cost.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Class names.
    pub classes: usize,
    /// Whether every prompt ran at its full length.
    pub full_length: bool,
    /// Of one pass over the prompts; a step takes two, and one back.
    pub token_rows: usize,
    /// Median of the measured steps.
    pub seconds: f64,
    /// Processor time of the same step, which other work on the machine touches less; null if the
    /// system does not tell.
    pub cpu_seconds: Option<f64>,
    /// The most memory that a step took beyond what was there before it; null if the system does
    /// not tell.
    pub peak_bytes: Option<u64>,
    /// Marginal entropy in nats before the step.
    pub entropy_before: f64,
    /// Marginal entropy in nats after it.
    pub entropy_after: f64,
    /// Euclidean norm of the step's gradient.
    pub gradient_norm: f64,
}

/// What a step is made from.
#[derive(Debug, Clone, Serialize)]
pub struct Inputs {
    /// The start token.
    pub sot: u32,
    /// Temperature of the logits.
    pub logit_scale: f32,
    /// Width of a feature.
    pub dim: usize,
    /// The context before the step, [M, W].
    pub context: Vec<f32>,
    /// Token ids of every class after the context.
    pub suffixes: Vec<Vec<u32>>,
    /// L2-normalized features of the views, [views, dim].
    pub features: Vec<f32>,
    /// The views that the entropy filter kept.
    pub kept: Vec<usize>,
}

/// One step of TPT: forward, backward, update, forward; and what went into it.
///
/// # Errors
/// `options/invalid` for more classes than the bundled list has words, and those of tuning.
pub async fn measure(model: &Model, plan: &Plan) -> Result<(Measured, Inputs)> {
    let classes = ClassSet::new(model, &nouns(plan.classes)?, DEFAULT).await?;
    let features = features(model, plan.views);
    let prompt = classes.tunable()?;
    let suffixes = prompt.tokens().map(|t| t.suffixes()).unwrap_or_default();
    let context = prompt.start();
    let mut shared = prompt.open(&model.text_encoder()).await?;
    let mut full_length =
        FullLength::new(&model.clip.text, model.tokenizer.sot(), suffixes.clone());
    let config = Config::tpt(plan.views);
    let before = memory("VmRSS:");
    // Where this cannot be written, the peak is that of the whole process.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let (mut seconds, mut processor) = (Vec::new(), Vec::new());
    let tuned = loop {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let text = Text {
            side: match plan.full_length {
                true => &mut full_length as &mut dyn TextSide,
                false => &mut shared,
            },
            classes: classes.labels.len(),
            logit_scale: model.clip.logit_scale,
        };
        let tuned = tune(text, context, &features, &config, &()).await?;
        seconds.push(start.elapsed().as_secs_f64());
        processor.extend(cpu_seconds().zip(cpu).map(|(end, start)| end - start));
        if seconds.len() == plan.repeats {
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
        full_length: plan.full_length,
        token_rows: if plan.full_length {
            full_length.token_rows()
        } else {
            shared.token_rows()
        },
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
    let inputs = Inputs {
        sot: model.tokenizer.sot(),
        logit_scale: model.clip.logit_scale,
        dim: model.clip.config.projection_dim,
        context: context.to_vec(),
        suffixes,
        features,
        kept: tuned.selected,
    };
    Ok((measured, inputs))
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
fn features(model: &Model, views: usize) -> Vec<f32> {
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
