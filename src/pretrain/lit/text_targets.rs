//! What the text tower shall answer: a target vector for every name and caption.

use super::concepts::Concepts;
use super::modifiers::{Modifier, modifiers};
use super::names::{Vocabulary, key};
use super::space::{Source, Space, unit};
use super::vectors::MiniLm;
use super::wordnet::WordNet;
use crate::math::normalize_rows;
use crate::prompt::template::spoken;

/// How far a template moves a name.
const SHIFT: f32 = 0.6;

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
pub struct TextTargets {
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

/// What [`text_targets`] reads.
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
pub fn text_targets(sources: &Sources<'_>) -> TextTargets {
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
        let text = spoken(text);
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
    TextTargets {
        width,
        items,
        rows,
        concepts: concepts.names.len(),
        modifiers: modifiers(space, sources.minilm),
    }
}

impl TextTargets {
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
