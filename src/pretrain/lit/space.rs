//! The space of target vectors and what maps into it.
//!
//! It is CLIP's with its mean taken off, because the texts of a raw CLIP lie in a narrow cone. Names
//! without a vector of CLIP's get MiniLM's through a linear map, moved toward the nearest word above
//! them that has one, because MiniLM knows little of everyday kinship.

use super::concepts::Concepts;
use super::linear_algebra::{apply, ridge};
use super::names::{Vocabulary, key};
use super::vectors::{MiniLm, Table};
use super::wordnet::WordNet;
use crate::error::Result;
use crate::math::normalize_rows;

/// Penalty of the map from MiniLM to CLIP.
const LAMBDA: f64 = 1.0;

/// Where a vector came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// CLIP itself.
    Clip,
    /// The map and words above.
    Mapped,
}

/// The space and everything that maps into it.
#[derive(Debug, Clone)]
pub struct Space {
    /// Columns.
    pub width: usize,
    clip: Table,
    nouns: Table,
    noun_mean: Vec<f32>,
    map: Vec<f64>,
}

/// `row` with length one.
pub fn unit(mut row: Vec<f32>) -> Vec<f32> {
    let width = row.len();
    normalize_rows(&mut row, width);
    row
}

impl Space {
    /// The space of CLIP's vectors `clip`, whose mean is the origin, with `more` of CLIP's, and the map
    /// from MiniLM's.
    ///
    /// # Errors
    /// `engine/not-finite` if the map cannot be found.
    pub fn new(clip: &Table, more: Option<&Table>, minilm: &MiniLm) -> Result<Self> {
        let width = clip.width;
        let mean = mean(&clip.rows, width);
        let mut centered = Table::new(&[], Vec::new(), width);
        for table in [Some(clip), more].into_iter().flatten() {
            for (name, row) in table.names.iter().zip(table.rows.chunks_exact(width)) {
                let row = unit(row.to_vec());
                let row = row.iter().zip(&mean).map(|(v, m)| v - m).collect();
                centered.add(name, &unit(row));
            }
        }
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for (name, row) in centered.names.iter().zip(centered.rows.chunks_exact(width)) {
            if let Some(noun) = minilm.nouns.get(name) {
                from.extend_from_slice(noun);
                to.extend_from_slice(row);
            }
        }
        let k = minilm.nouns.width;
        let noun_mean = self::mean(&from, k);
        for row in from.chunks_exact_mut(k) {
            row.iter_mut().zip(&noun_mean).for_each(|(v, m)| *v -= m);
        }
        Ok(Self {
            map: ridge(&from, k, &to, width, LAMBDA)?,
            nouns: minilm.nouns.clone(),
            clip: centered,
            noun_mean,
            width,
        })
    }

    /// CLIP's vector of a name.
    pub fn clip(&self, name: &str) -> Option<&[f32]> {
        self.clip.get(name)
    }

    /// The names that CLIP has a vector for.
    pub fn clip_names(&self) -> &[String] {
        &self.clip.names
    }

    /// A sentence's vector of MiniLM in this space.
    pub fn mapped(&self, row: &[f32]) -> Vec<f32> {
        let centered: Vec<f32> = row
            .iter()
            .zip(&self.noun_mean)
            .map(|(v, m)| v - m)
            .collect();
        unit(apply(&centered, &self.map, self.width))
    }

    /// A difference of MiniLM's vectors in this space, of length one.
    pub fn difference(&self, row: &[f32]) -> Vec<f32> {
        unit(apply(row, &self.map, self.width))
    }

    /// The vector of a name: CLIP's, else the mapped one moved toward the nearest word above that
    /// `vector_of` knows. None for a name that neither knows.
    pub fn vector(
        &self,
        name: &str,
        wordnet: &WordNet,
        vector_of: &dyn Fn(&str) -> Option<Vec<f32>>,
    ) -> Option<(Vec<f32>, Source)> {
        if let Some(row) = self.clip.get(name) {
            return Some((row.to_vec(), Source::Clip));
        }
        let mapped = self.nouns.get(name).map(|row| self.mapped(row));
        let above = nearest_above(name, wordnet, vector_of);
        let row = match (mapped, above) {
            (Some(mapped), Some((depth, above))) => {
                let weight = (1.2 - 0.2 * depth as f32).max(0.3);
                unit(
                    mapped
                        .iter()
                        .zip(&above)
                        .map(|(m, a)| m + weight * a)
                        .collect(),
                )
            }
            (Some(row), None) | (None, Some((_, row))) => row,
            (None, None) => return None,
        };
        Some((row, Source::Mapped))
    }
}

/// The vector of the nearest meaning at or above `name`, and its distance. A compound that WordNet
/// lacks is a kind of its last word.
fn nearest_above(
    name: &str,
    wordnet: &WordNet,
    vector_of: &dyn Fn(&str) -> Option<Vec<f32>>,
) -> Option<(usize, Vec<f32>)> {
    let name = key(name);
    let mut levels = wordnet.ancestors(&name);
    if levels.is_empty()
        && let Some((_, last)) = name.rsplit_once(' ')
    {
        levels = wordnet.ancestors(last);
        levels.iter_mut().for_each(|level| level.0 += 1);
    }
    levels.into_iter().find_map(|(depth, words)| {
        let row = words
            .iter()
            .filter(|word| **word != name)
            .find_map(|word| vector_of(word));
        row.map(|row| (depth, row))
    })
}

fn mean(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0f64; width];
    for row in rows.chunks_exact(width) {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
        sum.iter_mut()
            .zip(row)
            .for_each(|(s, v)| *s += f64::from(v / norm));
    }
    let count = (rows.len() / width).max(1) as f64;
    sum.into_iter().map(|s| (s / count) as f32).collect()
}

/// Starting vectors of the concepts, [concepts, width], and where each came from. A concept of which
/// nothing is known starts at the mean of its other words, or at zero.
pub fn concept_vectors(
    space: &Space,
    concepts: &Concepts,
    vocabulary: &Vocabulary,
    wordnet: &WordNet,
) -> (Vec<f32>, Vec<Source>) {
    let clip = |word: &str| space.clip(word).map(<[f32]>::to_vec);
    let mut rows = Vec::with_capacity(concepts.names.len() * space.width);
    let mut sources = Vec::with_capacity(concepts.names.len());
    for (index, name) in concepts.names.iter().enumerate() {
        let own = concepts.clip_name(vocabulary, index);
        let aliases = concepts.aliases(vocabulary, index);
        let clip_name = std::iter::once(own)
            .chain(aliases.iter().map(String::as_str))
            .find(|word| space.clip(word).is_some())
            .unwrap_or(name);
        let found = space.vector(clip_name, wordnet, &clip);
        let (row, source) = found.unwrap_or((vec![0.0; space.width], Source::Mapped));
        rows.extend(row);
        sources.push(source);
    }
    (rows, sources)
}
