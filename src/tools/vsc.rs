//! Names of several words ("red cup") from photos of the words: a name's text moves towards photos of
//! what is red and photos of cups.
//!
//! t' = norm(t + γ norm(mean over the words of the mean of their photos)); γ is chosen on photos that are
//! held out.

use serde::Serialize;

use super::Tool;
use crate::error::{Error, Kind, Result};
use crate::math::{UnitRows, argmax, dot};
use crate::prompt_learning::descriptions::folded;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::recipe::Evidence;

/// The tool.
pub const TOOL: Tool = Tool {
    name: "vsc",
    paper: "after the idea of VSC, 2025",
    summary: "Makes the texts of composed names such as red cup from photos of red things and of cups.",
    evidence: Evidence::Abstract,
    needs: "photos in folders named after the words of the names",
    command: "compose",
    method: None,
};

/// The values of γ that are tried.
pub const GAMMAS: [f64; 4] = [0.0, 0.25, 0.5, 1.0];

/// Of the photos of a word, one in so many is held out.
const HOLD_OUT_EVERY: usize = 4;

/// The texts, and how γ was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Composed {
    /// Unit texts of the names, [K, d].
    pub texts: Vec<f64>,
    /// γ.
    pub gamma: f64,
    /// Every γ with the share of held-out photos that it gets right; empty if γ was given or nothing
    /// could be held out.
    pub tried: Vec<Tried>,
    /// Held-out photos.
    pub held_out: usize,
}

/// A γ and how well it does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tried {
    /// γ.
    pub gamma: f64,
    /// Share of held-out photos whose name has their word.
    pub accuracy: f64,
}

/// norm(t + γ norm(mean of `prototypes`)) of a unit text; the text itself without prototypes.
pub fn compose(text: &[f64], prototypes: &[Vec<f64>], gamma: f64) -> Vec<f64> {
    let mut sum = vec![0.0; text.len()];
    for row in prototypes {
        sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
    }
    if gamma == 0.0 || sum.iter().all(|s| *s == 0.0) {
        return text.to_vec();
    }
    let direction = UnitRows::new(&sum, text.len()).values;
    let moved: Vec<f64> = text
        .iter()
        .zip(&direction)
        .map(|(t, v)| t + gamma * v)
        .collect();
    UnitRows::new(&moved, text.len()).values
}

/// The places of the folders whose words are part of `name`; the folder of the name itself if there is
/// no other.
pub fn parts(name: &str, folders: &[String]) -> Vec<usize> {
    let inside = |whole: &str, part: &str| format!(" {whole} ").contains(&format!(" {part} "));
    let name = folded(name);
    let found = |same: bool| {
        let is_part = |folder: &String| {
            let folder = folded(folder);
            (folder == name) == same && inside(&name, &folder)
        };
        let places = folders.iter().enumerate();
        places
            .filter(|(_, folder)| is_part(folder))
            .map(|(place, _)| place)
            .collect::<Vec<_>>()
    };
    match found(false) {
        words if words.is_empty() => found(true),
        words => words,
    }
}

/// The texts of `names`, whose plain unit texts are [K, d], from photos that are labeled by their place
/// among `folders`. Without `gamma` the one of [`GAMMAS`] that gets most held-out photos right is taken,
/// the smaller one if two do: photos of a word are right if the name has the word, and photos of the name
/// itself, of which none is learned from, if it is the name.
///
/// # Errors
/// `data/empty` if no word of the names has photos, `options/invalid` for a γ that is negative or no
/// number.
pub fn fit(
    texts: &[f64],
    names: &[String],
    folders: &[String],
    images: &Examples,
    gamma: Option<f64>,
) -> Result<Composed> {
    let d = images.dim();
    let of_names: Vec<Vec<usize>> = names.iter().map(|name| parts(name, folders)).collect();
    if of_names.iter().all(Vec::is_empty) {
        let message = "No folder is named after a word of the names; for red cup give the folders red and cup.";
        return Err(Error::new(Kind::DataEmpty, message));
    }
    if gamma.is_some_and(|gamma| !(gamma.is_finite() && gamma >= 0.0)) {
        let message = "Gamma is a number of at least 0.";
        return Err(Error::new(Kind::OptionInvalid, message));
    }
    // A composed text for every name, from the photos that `used` lets in.
    let composed = |gamma: f64, used: &dyn Fn(usize) -> bool| -> Vec<f64> {
        let prototypes = prototypes(images, folders.len(), used);
        let rows = texts.chunks_exact(d).zip(&of_names);
        rows.flat_map(|(text, own)| {
            let own = own.iter().filter_map(|folder| prototypes[*folder].clone());
            compose(text, &own.collect::<Vec<_>>(), gamma)
        })
        .collect()
    };
    // Which names are right for photos of a folder.
    let right: Vec<Vec<bool>> = (0..folders.len())
        .map(|folder| {
            let own = |name: &String| folded(name) == folded(&folders[folder]);
            let pairs = names.iter().zip(&of_names);
            match names.iter().any(own) {
                true => names.iter().map(own).collect(),
                false => pairs.map(|(_, parts)| parts.contains(&folder)).collect(),
            }
        })
        .collect();
    let learned: Vec<bool> = (0..folders.len())
        .map(|folder| of_names.iter().any(|parts| parts.contains(&folder)))
        .collect();
    let mut seen = vec![0usize; folders.len()];
    let held: Vec<bool> = images
        .labels()
        .iter()
        .map(|folder| {
            seen[*folder] += 1;
            let tells = right[*folder].contains(&true);
            tells && (!learned[*folder] || seen[*folder].is_multiple_of(HOLD_OUT_EVERY))
        })
        .collect();
    let held_out = held.iter().filter(|held| **held).count();
    let mut tried = Vec::new();
    if gamma.is_none() && held_out > 0 {
        for gamma in GAMMAS {
            let texts = composed(gamma, &|i| !held[i]);
            let hits = (0..images.len()).filter(|i| held[*i]).filter(|i| {
                let cosines: Vec<f64> = texts
                    .chunks_exact(d)
                    .map(|text| dot(images.view(*i, 0), text))
                    .collect();
                right[images.labels()[*i]][argmax(&cosines)]
            });
            let accuracy = hits.count() as f64 / held_out as f64;
            tried.push(Tried { gamma, accuracy });
        }
    }
    let best = tried.iter().fold(None, |best: Option<&Tried>, one| {
        best.filter(|best| best.accuracy >= one.accuracy)
            .or(Some(one))
    });
    let gamma = gamma.or(best.map(|best| best.gamma)).unwrap_or(0.0);
    Ok(Composed {
        texts: composed(gamma, &|_| true),
        gamma,
        tried,
        held_out,
    })
}

/// The mean of the photos of every folder; `None` for one without photos.
fn prototypes(
    images: &Examples,
    folders: usize,
    used: &dyn Fn(usize) -> bool,
) -> Vec<Option<Vec<f64>>> {
    let d = images.dim();
    let mut sums = vec![(vec![0.0; d], 0usize); folders];
    for (i, folder) in images.labels().iter().enumerate() {
        if used(i) {
            let (sum, count) = &mut sums[*folder];
            let row = images.view(i, 0);
            sum.iter_mut()
                .zip(row)
                .for_each(|(s, v)| *s += f64::from(*v));
            *count += 1;
        }
    }
    sums.into_iter()
        .map(|(sum, count)| (count > 0).then(|| sum.iter().map(|s| s / count as f64).collect()))
        .collect()
}
