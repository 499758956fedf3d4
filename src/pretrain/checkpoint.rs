//! A run between two steps, as a file.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::parameters::Layout;
use super::settings::Settings;
use super::step::State;
use crate::checkpoint::read_file;
use crate::error::{Error, Kind, Result};

/// The largest checkpoint that is read.
const MAX_BYTES: u64 = 16 << 30;
const ABOUT: &str = "promptlens.training";
const TENSORS: [&str; 4] = ["values", "average", "first", "second"];

/// A point of the training curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Steps taken.
    pub step: usize,
    /// Mean loss since the last point.
    pub loss: f64,
    /// Share of the pictures since the last point that were photos nearest to their name; a drawn
    /// pattern has none.
    pub accuracy: f64,
    /// Mean accuracy over the classes on photos that are not trained on, with averaged weights,
    /// where it was measured.
    pub validation: Option<f64>,
}

/// What a checkpoint says about its run, all of which must be equal to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The settings.
    pub settings: Settings,
    /// Class names.
    pub names: Vec<String>,
    /// Photos that are trained on.
    pub photos: usize,
    /// SHA-256 of the weights that the run started from, empty for random ones.
    pub start: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    about: About,
    step: usize,
    curve: Vec<Point>,
}

/// Writes the run to `path`, which appears only once it is complete.
///
/// # Errors
/// `io/failed`.
pub fn write(path: &Path, about: &About, state: &State, curve: &[Point]) -> Result<()> {
    let (first, second) = state.moments();
    let lists = [&state.values, &state.average, &first, &second];
    let bytes: Vec<Vec<u8>> = lists
        .iter()
        .map(|list| list.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = TENSORS
        .iter()
        .zip(&bytes)
        .map(|(name, bytes)| {
            TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)
                .map(|view| (*name, view))
                .map_err(|error| Error::new(Kind::Internal, error.to_string()))
        })
        .collect::<Result<Vec<_>>>()?;
    let stored = Stored {
        about: about.clone(),
        step: state.step,
        curve: curve.to_vec(),
    };
    let text = serde_json::to_string(&stored)
        .map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
    let metadata = HashMap::from([(ABOUT.to_owned(), text)]);
    let file = safetensors::serialize(views, Some(metadata))
        .map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
    let failed =
        |error: std::io::Error| Error::new(Kind::Io, format!("{}: {error}.", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let unfinished = path.with_extension("part");
    fs::write(&unfinished, file).map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)
}

/// Goes on with the run at `path`.
///
/// # Errors
/// `weights/missing`; `weights/invalid` for a file that is no checkpoint of this model;
/// `options/invalid` if settings, data or start differ from `about`, naming what.
pub fn read(path: &Path, about: &About, layout: &Layout) -> Result<(State, Vec<Point>)> {
    let invalid = |what: &str| {
        Error::new(
            Kind::WeightsInvalid,
            format!(
                "{} is no checkpoint of this run: {what}; name another file, or remove it.",
                path.display()
            ),
        )
    };
    let bytes = read_file(path, MAX_BYTES, Kind::WeightsMissing)?;
    let (_, header) =
        SafeTensors::read_metadata(&bytes).map_err(|error| invalid(&error.to_string()))?;
    let stored: Stored = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(ABOUT))
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| invalid("it does not describe one"))?;
    differs(&stored.about, about).map_or(Ok(()), |what| {
        Err(Error::new(
            Kind::OptionInvalid,
            format!(
                "The checkpoint {} is of a run with other {what}; give the same, or another checkpoint file.",
                path.display()
            ),
        ))
    })?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| invalid(&error.to_string()))?;
    let list = |name: &str| {
        let tensor = file.tensor(name).map_err(|_| invalid("a list is absent"))?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != [layout.total()] {
            return Err(invalid("it is of another model"));
        }
        Ok(tensor
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect::<Vec<f32>>())
    };
    let mut state = State::new(layout, list("values")?, &about.settings);
    state.average = list("average")?;
    state.restore(stored.step, &list("first")?, &list("second")?);
    Ok((state, stored.curve))
}

fn differs(stored: &About, given: &About) -> Option<&'static str> {
    [
        ("settings", stored.settings != given.settings),
        ("class names", stored.names != given.names),
        ("photos", stored.photos != given.photos),
        ("starting weights", stored.start != given.start),
    ]
    .into_iter()
    .find_map(|(what, differs)| differs.then_some(what))
}
