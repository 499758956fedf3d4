//! What to do with each tensor of a file, decided from its header before a value is read.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::convert::{Decoder, unsupported};
use super::header::{Entry, Header, invalid, shown};
use super::names::{FileLayout, in_tower, is_weight, meaning};
use super::quantized_file::{SCALES, WORDS, few, scheme_of};
use crate::clip::tensor_spec::TensorSpec;
use crate::error::{Error, Kind, Result};
use crate::quant::Scheme;

/// What to do with one tensor of the file; numbers are places in the list of specs.
#[derive(Debug, Clone)]
pub enum TensorAction {
    Skip,
    Plain(Vec<usize>, FileLayout),
    Scales,
    Words(usize, Scheme),
}

/// What becomes of each tensor of `header`. Those of the model are noted in `found`, and none may be
/// there already; names and shapes are checked.
///
/// # Errors
/// `weights/invalid`, `weights/wrong-shape`, `weights/unsupported-type`.
pub fn actions(
    specs: &[TensorSpec],
    header: &Header,
    found: &mut [bool],
) -> Result<Vec<TensorAction>> {
    let by_name: BTreeMap<&str, usize> = specs
        .iter()
        .enumerate()
        .map(|(place, spec)| (spec.name.as_str(), place))
        .collect();
    let mut actions = Vec::with_capacity(header.entries.len());
    for (index, entry) in header.entries.iter().enumerate() {
        let part = |suffix: &str| {
            let name = entry.name.strip_suffix(suffix)?;
            by_name.get(name).copied()
        };
        let (names, layout) = meaning(&entry.name);
        let places: Option<Vec<usize>> = names
            .iter()
            .map(|name| by_name.get(name.as_str()).copied())
            .collect();
        let (action, places) = if let Some(places) = places {
            check_plain(specs, &places, layout, entry)?;
            (TensorAction::Plain(places.clone(), layout), places)
        } else if let Some(place) = part(WORDS) {
            let scales = index.checked_sub(1).map(|before| &header.entries[before]);
            let scheme = check_packed(&specs[place], entry, scales)?;
            (TensorAction::Words(place, scheme), vec![place])
        } else if part(SCALES).is_some() {
            (TensorAction::Scales, Vec::new())
        } else {
            (TensorAction::Skip, Vec::new())
        };
        for place in places {
            if std::mem::replace(&mut found[place], true) {
                return Err(invalid(format!(
                    "{} is there twice, plain, packed or by another name",
                    specs[place].name
                )));
            }
        }
        actions.push(action);
    }
    Ok(actions)
}

/// Refuses weights inside a tower that the model has no place for: without them it would answer
/// as another model does.
///
/// # Errors
/// `weights/unexpected`, naming the first of them.
pub fn check_placed(header: &Header, actions: &[TensorAction]) -> Result<()> {
    let homeless: Vec<&str> = header
        .entries
        .iter()
        .zip(actions)
        .filter(|(_, action)| matches!(action, TensorAction::Skip))
        .map(|(entry, _)| entry.name.as_str())
        .filter(|name| in_tower(name) && is_weight(name))
        .collect();
    if homeless.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::WeightsUnexpected,
        format!(
            "The weights file has {} inside a tower, for which the configuration has no place; use the configuration that belongs to these weights. A CLIP with such parts cannot be read.",
            few(&homeless)
        ),
    ))
}

fn check_plain(
    specs: &[TensorSpec],
    places: &[usize],
    layout: FileLayout,
    entry: &Entry,
) -> Result<()> {
    let mut want = specs[places[0]].shape.clone();
    match layout {
        FileLayout::Same => {}
        FileLayout::Transposed => want.reverse(),
        FileLayout::Thirds => want[0] *= places.len(),
    }
    let scalar = want.is_empty() && entry.shape == [1];
    if entry.shape != want && !scalar {
        return Err(wrong_shape(entry, &format!("{want:?}")));
    }
    Decoder::new(&entry.name, entry.dtype).map(|_| ())
}

/// The scheme of a packed matrix, from its words and the tensor before them.
fn check_packed(spec: &TensorSpec, words: &Entry, scales: Option<&Entry>) -> Result<Scheme> {
    let scales = scales
        .filter(|entry| entry.name.strip_suffix(SCALES) == Some(spec.name.as_str()))
        .ok_or_else(|| {
            invalid(format!(
                "the scales of {} do not stand before its words",
                shown(&spec.name)
            ))
        })?;
    if words.dtype != Dtype::U32 {
        return Err(unsupported(&words.name, words.dtype));
    }
    if scales.dtype != Dtype::F16 {
        return Err(unsupported(&scales.name, scales.dtype));
    }
    scheme_of(spec, &words.shape, &scales.shape).ok_or_else(|| {
        let want = format!(
            "a packed form of {:?} (its scales are {:?})",
            spec.shape, scales.shape
        );
        wrong_shape(words, &want)
    })
}

fn wrong_shape(entry: &Entry, want: &str) -> Error {
    Error::new(
        Kind::WeightsWrongShape,
        format!(
            "{} is {:?} in the weights file, but config.json calls for {want}; use files that belong together.",
            shown(&entry.name),
            entry.shape
        ),
    )
}
