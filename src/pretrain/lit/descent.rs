//! One descent for every stage that learns: AdamW over a flat list in groups, a cosine, a file to go
//! on from. A step is a function of its number and the values alone, which makes a resumed run equal
//! an unbroken one.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::checkpoint::read_file;
use crate::clock::now;
use crate::error::{Error, Kind, Result};
use crate::math::optimizer::AdamW;
use crate::prompt_learning::schedule::{Decay, Pace, Schedule, WarmUp};

const MAX_BYTES: u64 = 4 << 30;
const ABOUT: &str = "promptlens.stage";
const STEP: &str = "promptlens.step";
const LISTS: [&str; 3] = ["values", "first", "second"];

/// Values that share a learning rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Their place.
    pub range: Range<usize>,
    /// The full learning rate.
    pub lr: f64,
    /// Decoupled weight decay.
    pub weight_decay: f32,
}

/// What a stage learns.
pub trait Objective {
    /// The loss of a step's batch under `values`, and its gradient.
    ///
    /// # Errors
    /// `engine/not-finite`.
    fn gradient(&self, step: usize, values: &[f32]) -> Result<(f32, Vec<f32>)>;
}

/// How far a stage is.
#[derive(Debug, Clone, PartialEq)]
pub struct StageProgress {
    /// The stage.
    pub stage: &'static str,
    /// Pieces done.
    pub done: usize,
    /// Pieces in all.
    pub total: usize,
    /// Mean loss of the last steps, if the stage has one.
    pub loss: Option<f32>,
    /// Seconds left at this rate.
    pub left: f64,
}

/// Is told how far a stage is; an error ends it.
pub type Tell<'a> = dyn FnMut(&StageProgress) -> Result<()> + 'a;

/// How to descend.
#[derive(Debug, Clone)]
pub struct Descent {
    /// The stage's name.
    pub stage: &'static str,
    /// Steps of the whole descent, which the cosine spans.
    pub steps: usize,
    /// Steps in which the rate rises.
    pub warm_up: usize,
    /// The longest gradient; a longer one is scaled down to it.
    pub clip: f64,
    /// Groups of values, ascending and without gaps.
    pub groups: Vec<Group>,
    /// Settings and data, which a file to go on from must share.
    pub about: String,
    /// The file to go on from.
    pub checkpoint: Option<PathBuf>,
    /// Milliseconds between writing it.
    pub every: f64,
}

impl Descent {
    fn rate(&self, lr: f64, step: usize) -> f32 {
        Schedule {
            decay: Decay::Cosine,
            pace: Pace::Step,
            warm_up: WarmUp::Linear(self.warm_up),
        }
        .rate(lr, 0, 1, step, self.steps) as f32
    }

    /// Descends from the checkpoint, or from `start`, to the last step, and returns the values.
    ///
    /// # Errors
    /// Those of the objective, of the checkpoint, and whatever `tell` returns: then the steps so far
    /// are in the checkpoint.
    pub fn run(
        &self,
        objective: &dyn Objective,
        start: Vec<f32>,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<f32>> {
        let mut state = State {
            step: 0,
            optimizers: self
                .groups
                .iter()
                .map(|group| AdamW::new(group.range.len(), group.weight_decay))
                .collect(),
            values: start,
        };
        if let Some(path) = self.checkpoint.as_ref().filter(|path| path.exists()) {
            state.read(path, &self.about)?;
        }
        let (began, first) = (now(), state.step);
        let mut written = now();
        let (mut sum, mut count) = (0f32, 0usize);
        while state.step < self.steps {
            let (loss, mut gradient) = objective.gradient(state.step, &state.values)?;
            if !loss.is_finite() {
                return Err(Error::new(
                    Kind::NotFinite,
                    format!(
                        "The loss of stage {} is not finite; use a lower rate.",
                        self.stage
                    ),
                ));
            }
            let norm = gradient
                .iter()
                .map(|g| f64::from(*g) * f64::from(*g))
                .sum::<f64>()
                .sqrt();
            if norm > self.clip {
                let factor = (self.clip / norm) as f32;
                gradient.iter_mut().for_each(|g| *g *= factor);
            }
            for (group, adam) in self.groups.iter().zip(&mut state.optimizers) {
                let rate = self.rate(group.lr, state.step);
                let (values, gradient) = (
                    &mut state.values[group.range.clone()],
                    &gradient[group.range.clone()],
                );
                adam.begin();
                adam.update(0..values.len(), values, gradient, rate);
            }
            state.step += 1;
            sum += loss;
            count += 1;
            let seconds = (now() - began) / 1e3;
            let done = state.step - first;
            let told = tell(&StageProgress {
                stage: self.stage,
                done: state.step,
                total: self.steps,
                loss: Some(sum / count as f32),
                left: seconds / done as f64 * (self.steps - state.step) as f64,
            });
            // The mean of about the last hundred.
            if count >= 100 {
                (sum, count) = (sum / count as f32, 1);
            }
            let due = now() - written >= self.every;
            if let Some(path) = &self.checkpoint
                && (told.is_err() || due || state.step == self.steps)
            {
                state.write(path, &self.about)?;
                written = now();
            }
            told?;
        }
        Ok(state.values)
    }
}

struct State {
    step: usize,
    values: Vec<f32>,
    optimizers: Vec<AdamW>,
}

impl State {
    fn write(&self, path: &Path, about: &str) -> Result<()> {
        let joined = |of: &dyn Fn(&AdamW) -> Vec<f32>| -> Vec<f32> {
            self.optimizers.iter().flat_map(of).collect()
        };
        let lists = [
            self.values.clone(),
            joined(&|adam| adam.state().1.to_vec()),
            joined(&|adam| adam.state().2.to_vec()),
        ];
        let metadata = HashMap::from([
            (ABOUT.to_owned(), about.to_owned()),
            (STEP.to_owned(), self.step.to_string()),
        ]);
        let named: Vec<(&str, &[f32])> = LISTS
            .into_iter()
            .zip(lists.iter().map(Vec::as_slice))
            .collect();
        write_lists(path, &named, metadata)
    }

    fn read(&mut self, path: &Path, about: &str) -> Result<()> {
        let (lists, metadata) = read_lists(path, &LISTS)?;
        if metadata.get(ABOUT).map(String::as_str) != Some(about) {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!(
                    "{} is of a run with other settings or data; give the same, or another cache.",
                    path.display()
                ),
            ));
        }
        let step = metadata.get(STEP).and_then(|step| step.parse().ok());
        let (Some(step), true) = (
            step,
            lists.iter().all(|list| list.len() == self.values.len()),
        ) else {
            return Err(damaged(path, "it is of another size"));
        };
        self.step = step;
        let mut at = 0;
        for adam in &mut self.optimizers {
            let len = adam.state().1.len();
            let range = at..at + len;
            adam.restore(step as i32, &lists[1][range.clone()], &lists[2][range]);
            at += len;
        }
        self.values.clone_from(&lists[0]);
        Ok(())
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::new(
        Kind::WeightsInvalid,
        format!(
            "{} cannot be gone on from: {what}; remove it, or give another cache.",
            path.display()
        ),
    )
}

/// Writes lists of F32 to the safetensors file `path`, which appears only once it is complete.
///
/// # Errors
/// `io/failed`.
pub fn write_lists(
    path: &Path,
    lists: &[(&str, &[f32])],
    metadata: HashMap<String, String>,
) -> Result<()> {
    let internal = |error: &dyn std::fmt::Display| Error::new(Kind::Internal, error.to_string());
    let failed =
        |error: std::io::Error| Error::new(Kind::Io, format!("{}: {error}.", path.display()));
    let bytes: Vec<Vec<u8>> = lists
        .iter()
        .map(|(_, list)| list.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = lists
        .iter()
        .zip(&bytes)
        .map(|((name, list), bytes)| {
            TensorView::new(Dtype::F32, vec![list.len()], bytes)
                .map(|view| (*name, view))
                .map_err(|error| internal(&error))
        })
        .collect::<Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, Some(metadata)).map_err(|error| internal(&error))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, file).map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)
}

/// Lists of a file, and its metadata.
pub type Stored = (Vec<Vec<f32>>, HashMap<String, String>);

/// Reads lists that [`write_lists`] wrote, and the metadata.
///
/// # Errors
/// `weights/missing`, `weights/invalid`.
pub fn read_lists(path: &Path, names: &[&str]) -> Result<Stored> {
    let bytes = read_file(path, MAX_BYTES, Kind::WeightsMissing)?;
    let wrong = |error: safetensors::SafeTensorError| damaged(path, &error.to_string());
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(wrong)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let file = SafeTensors::deserialize(&bytes).map_err(wrong)?;
    let lists = names
        .iter()
        .map(|name| {
            let tensor = file.tensor(name).map_err(wrong)?;
            if tensor.dtype() != Dtype::F32 {
                return Err(damaged(path, "its numbers are not F32"));
            }
            Ok(tensor
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect())
        })
        .collect::<Result<_>>()?;
    Ok((lists, metadata))
}
