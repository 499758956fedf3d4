//! Target vectors: what the text tower shall answer for names, templates and captions.
//!
//! All live in CLIP's space with its mean taken off, because the texts of a raw CLIP lie in a narrow
//! cone. Names without a vector of CLIP's get MiniLM's through a linear map, moved toward the nearest
//! word above them that has one, because MiniLM knows little of everyday kinship.

use super::concepts::Concepts;
use super::linear_algebra::{apply, ridge};
use super::names::{Vocabulary, key};
use super::pictures::Change;
use super::vectors::{MiniLm, Table};
use super::wordnet::WordNet;
use crate::error::Result;
use crate::math::normalize_rows;

/// Penalty of the map from MiniLM to CLIP.
const LAMBDA: f64 = 1.0;
/// How far a template moves a name.
const SHIFT: f32 = 0.6;

/// Where a vector came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// CLIP itself.
    Clip,
    /// The map and words above.
    Mapped,
}

/// A template that changes what is meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Modifier {
    /// With `{}` for the name.
    pub template: String,
    /// What it adds, of length one.
    pub shift: Vec<f32>,
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

/// `a`, or `an` before a vowel.
fn article(name: &str) -> &'static str {
    if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
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

/// What a text is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A known name.
    Known,
    /// Another word for a known name.
    Alias,
    /// The plural of a known name.
    Plural,
    /// A name of ImageNet's.
    Class,
    /// Another name that CLIP has a vector for.
    Clip,
    /// A noun of WordNet's.
    Noun,
    /// A sentence.
    Caption,
}

/// A text without a template, and its target.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The name or the sentence.
    pub text: String,
    /// Its row among the targets.
    pub row: usize,
    /// What it is drawn for.
    pub kind: Kind,
}

/// Everything that the text tower learns from.
#[derive(Debug, Clone)]
pub struct Lessons {
    /// Columns of a target.
    pub width: usize,
    /// Texts.
    pub items: Vec<Item>,
    /// Targets of length one, the concepts' first.
    pub rows: Vec<f32>,
    /// How many targets, from the first, are concepts.
    pub concepts: usize,
    /// Templates that change what is meant: the six changes of pictures first.
    pub modifiers: Vec<Modifier>,
}

/// What [`lessons`] reads.
pub struct Sources<'a> {
    /// The space.
    pub space: &'a Space,
    /// Names that pictures are taught to be; those that are withheld are not among them.
    pub concepts: &'a Concepts,
    /// Their vectors, corrected by sight, [concepts, width].
    pub anchors: &'a [f32],
    /// All names.
    pub vocabulary: &'a Vocabulary,
    /// The names of the teacher's classes.
    pub classes: &'a [String],
    /// Kinship.
    pub wordnet: &'a WordNet,
    /// Nouns, captions, templates.
    pub minilm: &'a MiniLm,
}

/// All texts with their targets, each text once: what comes first counts.
pub fn lessons(sources: &Sources<'_>) -> Lessons {
    let Sources {
        space,
        concepts,
        vocabulary,
        ..
    } = *sources;
    let width = space.width;
    let mut rows = sources.anchors.to_vec();
    normalize_rows(&mut rows, width);
    let mut seen = std::collections::BTreeSet::new();
    let mut items: Vec<Item> = Vec::new();
    let mut put = |text: &str, row: usize, kind: Kind| {
        let text = text.replace('_', " ");
        let fresh = !key(&text).is_empty() && seen.insert(key(&text));
        if fresh {
            items.push(Item { text, row, kind });
        }
        fresh
    };
    let anchors = rows.clone();
    let anchor = |concept: usize| anchors[concept * width..(concept + 1) * width].to_vec();
    // A word's best vector: what pictures made of it, else CLIP's.
    let vector_of = |word: &str| {
        let known = concepts
            .find(vocabulary, word)
            .or_else(|| concepts.named(word));
        known
            .map(anchor)
            .or_else(|| space.clip(word).map(<[f32]>::to_vec))
    };
    for (concept, name) in concepts.names[..concepts.known].iter().enumerate() {
        put(name, concept, Kind::Known);
    }
    for name in vocabulary
        .names
        .iter()
        .filter(|name| name.same_as.is_some())
    {
        if let Some(concept) = concepts.find(vocabulary, &name.text) {
            put(&name.text, concept, Kind::Alias);
        }
    }
    for concept in 0..concepts.known {
        for alias in concepts.aliases(vocabulary, concept) {
            put(alias, concept, Kind::Alias);
        }
    }
    for (class, concept) in sources.classes.iter().zip(&concepts.of_class) {
        if let Some(concept) = concept {
            let kind = if *concept < concepts.known {
                Kind::Alias
            } else {
                Kind::Class
            };
            put(class, *concept, kind);
        }
    }
    for (concept, name) in concepts.names.iter().enumerate() {
        if let Some(many) = super::plural::plural(name) {
            let kind = if concept < concepts.known {
                Kind::Plural
            } else {
                Kind::Class
            };
            put(&many, concept, kind);
        }
    }
    // Names that no picture teaches: read, never shown. Their other words mean the same.
    let add = |name: &str,
               kind: Kind,
               rows: &mut Vec<f32>,
               put: &mut dyn FnMut(&str, usize, Kind) -> bool| {
        let (row, source) = space.vector(name, sources.wordnet, &vector_of)?;
        let kind = match source {
            Source::Clip => Kind::Clip,
            Source::Mapped => kind,
        };
        let place = rows.len() / width;
        if put(name, place, kind) {
            rows.extend(row);
            if kind == Kind::Clip
                && let Some(many) = super::plural::plural(name)
            {
                put(&many, place, kind);
            }
            return Some(place);
        }
        None
    };
    for name in &vocabulary.names {
        if let Some(place) = add(&name.text, Kind::Clip, &mut rows, &mut put) {
            for alias in &name.aliases {
                put(alias, place, Kind::Clip);
            }
        }
    }
    let others = sources
        .classes
        .iter()
        .chain(space.clip_names())
        .map(|name| (name, Kind::Clip));
    let nouns = sources
        .minilm
        .nouns
        .names
        .iter()
        .map(|name| (name, Kind::Noun));
    for (name, kind) in others.chain(nouns) {
        add(name, kind, &mut rows, &mut put);
    }
    let captions = sources.minilm.captions.iter();
    for ((_, text), row) in captions.zip(
        sources
            .minilm
            .caption_rows
            .chunks_exact(sources.minilm.nouns.width),
    ) {
        if put(text, rows.len() / width, Kind::Caption) {
            rows.extend(space.mapped(row));
        }
    }
    Lessons {
        width,
        items,
        rows,
        concepts: concepts.names.len(),
        modifiers: modifiers(space, sources.minilm),
    }
}

/// The templates that change what is meant, with their shifts.
fn modifiers(space: &Space, minilm: &MiniLm) -> Vec<Modifier> {
    let width = minilm.nouns.width;
    let all: Vec<Modifier> = minilm
        .templates
        .iter()
        .zip(minilm.shifts.chunks_exact(width))
        .map(|((_, template), shift)| Modifier {
            // The list writes `{}` for a name with its article.
            template: template.replace("{}", "a {}").replace("{0}", "{}"),
            shift: space.difference(shift),
        })
        .collect();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for change in Change::ALL {
        first.extend(
            all.iter()
                .filter(|m| m.template == change.template())
                .cloned(),
        );
    }
    rest.extend(all.into_iter().filter(|m| {
        Change::ALL
            .iter()
            .all(|change| m.template != change.template())
    }));
    first.extend(rest);
    first
}

impl Lessons {
    /// The target of a row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * self.width..(row + 1) * self.width]
    }

    /// The target of a row under a modifier.
    pub fn modified(&self, row: usize, modifier: &Modifier) -> Vec<f32> {
        let moved = self.row(row).iter().zip(&modifier.shift);
        unit(moved.map(|(v, d)| v + SHIFT * d).collect())
    }
}

/// A name in a template. `a` becomes `an` before a vowel in half of the cases that `correct` says.
pub fn fill(template: &str, name: &str, correct: bool) -> String {
    let lower = name.to_lowercase();
    let template = if correct && article(&lower) == "an" {
        template.replace("a {}", "an {}")
    } else {
        template.to_owned()
    };
    template.replace("{}", name)
}
