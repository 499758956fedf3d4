//! The stage `text` from its inputs to the trained tower in the cache.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::anchors::{AnchorSettings, Anchors};
use super::corpus::{Corpus, TeacherRows};
use super::cut_bpe::cut_tokenizer;
use super::descent::{Descent, Tell, read_lists, write_lists};
use super::distillation::Distillation;
use super::head::Head;
use super::pictures::Pictures;
use super::pool::Pool;
use super::regression::regression;
use super::space::concept_vectors;
use super::student::{Map, Teaching};
use super::text_batches::NEUTRAL;
use super::text_layout::{TextLayout, TextSizes};
use super::text_settings::TextSettings;
use super::text_targets::{Kind, Sources, TextTargets, text_targets};
use super::warm_start::{warm_start, word_knowledge};
use crate::checkpoint::read_file;
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::kernels::Placement;
use crate::tokenize::ClipTokenizer;

/// File of the trained tower.
pub const TOWER_FILE: &str = "text.safetensors";
/// File of the cut tokenizer.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
const ANCHORS_FILE: &str = "anchors.safetensors";
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;
/// Symbols of single bytes, at the end of a word and elsewhere.
const BYTE_SYMBOLS: usize = 512;
const SPECIAL: usize = 2;

/// What the tower is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TowerSettings {
    /// Columns of a token row.
    pub width: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Longest sequence.
    pub context_length: usize,
    /// Merges of the tokenizer.
    pub merges: usize,
}

impl Default for TowerSettings {
    fn default() -> Self {
        Self {
            width: 192,
            layers: 4,
            heads: 3,
            context_length: 77,
            merges: 7680,
        }
    }
}

impl TowerSettings {
    /// Sizes for a joint space of `out` columns.
    pub fn sizes(&self, out: usize) -> TextSizes {
        TextSizes {
            width: self.width,
            layers: self.layers,
            heads: self.heads,
            context_length: self.context_length,
            vocabulary: BYTE_SYMBOLS + self.merges + SPECIAL,
            out,
        }
    }
}

/// Settings of the whole stage.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct StageSettings {
    /// Sizes.
    pub tower: TowerSettings,
    /// Anchors.
    pub anchors: AnchorSettings,
    /// Distillation.
    pub text: TextSettings,
}

/// Inputs of the stage.
pub struct TextStage<'a> {
    /// Names and vectors.
    pub corpus: &'a Corpus,
    /// Features of pictures.
    pub pictures: &'a Pictures,
    /// The set whose pictures have captions.
    pub captioned: &'a str,
    /// The teacher.
    pub head: &'a Head,
    /// Settings.
    pub settings: StageSettings,
    /// Where results and unfinished work are kept.
    pub cache: &'a Path,
    /// Milliseconds between writing unfinished work.
    pub every: f64,
    /// Threads that each run a part of a step.
    pub threads: usize,
    /// Where to compute.
    pub placement: &'a Placement,
}

/// A trained tower.
pub struct TextModel {
    /// Text to ids.
    pub tokenizer: ClipTokenizer,
    /// The tokenizer's file.
    pub tokenizer_json: Vec<u8>,
    /// Where values lie.
    pub layout: TextLayout,
    /// The weights.
    pub values: Vec<f32>,
}

impl TextStage<'_> {
    /// The tower of the cache if it was trained from the same, else trains it.
    ///
    /// # Errors
    /// Those of the files, the descent, and whatever `tell` returns.
    pub fn run(&self, tell: &mut Tell<'_>) -> Result<TextModel> {
        let about = json!({
            "settings": self.settings,
            "corpus": self.corpus.digest,
            "pictures": self.pictures.list.len(),
        })
        .to_string();
        let path = self.cache.join(TOWER_FILE);
        let sizes = self.settings.tower.sizes(self.corpus.space.width);
        let layout = TextLayout::new(sizes);
        if let Some(values) = finished(&path, "values", &about)? {
            return self.model(layout, values);
        }
        let targets = self.targets(tell)?;
        let words = needed_words(&targets);
        let json = cut_tokenizer(&self.corpus.tokenizer, &words, self.settings.tower.merges)?;
        let file = self.cache.join(TOKENIZER_FILE);
        std::fs::write(&file, &json)
            .map_err(|error| Error::new(ErrorKind::Io, format!("{}: {error}.", file.display())))?;
        let mut model = self.model(layout, Vec::new())?;
        let spelled = targets
            .items
            .iter()
            .map(|item| Ok(model.tokenizer.encode(&item.text)?.ids))
            .collect::<Result<Vec<_>>>()?;
        let (tokens, directions) = word_knowledge(&targets, &spelled, sizes);
        let settings = self.settings.text;
        let start = warm_start(&model.layout, &tokens, &directions, settings.seed);
        let distillation = Distillation::new(
            &targets,
            settings,
            &model.tokenizer,
            &model.layout,
            self.placement,
            self.threads,
        );
        let descent = Descent {
            stage: "text",
            steps: settings.steps,
            warm_up: 100.min(settings.steps / 10),
            clip: 1.0,
            groups: distillation.groups(),
            about: about.clone(),
            checkpoint: Some(self.unfinished(TOWER_FILE)),
            every: self.every,
        };
        let values = descent.run(&distillation, start, tell)?;
        keep(&path, "values", &values, &about)?;
        model.values = values;
        Ok(model)
    }

    fn unfinished(&self, file: &str) -> PathBuf {
        self.cache.join(file).with_extension("run")
    }

    fn model(&self, layout: TextLayout, values: Vec<f32>) -> Result<TextModel> {
        let path = self.cache.join(TOKENIZER_FILE);
        let json = read_file(&path, MAX_TOKENIZER_BYTES, ErrorKind::TokenizerMissing)?;
        let sizes = layout.sizes;
        Ok(TextModel {
            tokenizer: ClipTokenizer::from_bytes(&json, sizes.context_length, sizes.vocabulary)?,
            tokenizer_json: json,
            layout,
            values,
        })
    }

    /// All texts with their targets; anchors come from the cache or are corrected first. Teacher rows
    /// of withheld names never take part: one tower serves every run.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn targets(&self, tell: &mut Tell<'_>) -> Result<TextTargets> {
        let corpus = self.corpus;
        let about = json!({
            "anchors": self.settings.anchors,
            "seed": self.settings.text.seed,
            "corpus": corpus.digest,
            "pictures": self.pictures.list.len(),
        })
        .to_string();
        let concepts = corpus.concepts(TeacherRows::WithoutWithheld);
        let (start, sources) = concept_vectors(
            &corpus.space,
            &concepts,
            &corpus.vocabulary,
            &corpus.wordnet,
        );
        let path = self.cache.join(ANCHORS_FILE);
        let anchors = match finished(&path, "anchors", &about)? {
            Some(anchors) => anchors,
            None => {
                let pool = Pool::new(self.pictures, &concepts, &corpus.vocabulary, self.captioned);
                let settings = self.settings.anchors;
                let width = corpus.space.width;
                let map = Map {
                    from: self.pictures.width,
                    to: width,
                };
                let (matrix, shift) = regression(&pool, &start, width, &self.placement.device)?;
                let learning = Anchors {
                    teaching: Teaching {
                        pool: &pool,
                        head: self.head,
                        concepts: &concepts,
                        seed: self.settings.text.seed,
                    },
                    settings,
                    start: &start,
                    sources: &sources,
                    map,
                    device: &self.placement.device,
                };
                let descent = Descent {
                    stage: "anchors",
                    steps: settings.steps,
                    warm_up: 20.min(settings.steps / 10),
                    clip: 10.0,
                    groups: learning.groups(),
                    about: about.clone(),
                    checkpoint: Some(self.unfinished(ANCHORS_FILE)),
                    every: self.every,
                };
                let values = learning.values(&matrix, &shift);
                let found = descent.run(&learning, values, tell)?;
                let anchors = found[map.total()..].to_vec();
                keep(&path, "anchors", &anchors, &about)?;
                anchors
            }
        };
        Ok(text_targets(&Sources {
            space: &corpus.space,
            concepts: &concepts,
            anchors: &anchors,
            vocabulary: &corpus.vocabulary,
            classes: &corpus.classes,
            wordnet: &corpus.wordnet,
            minilm: &corpus.minilm,
        }))
    }
}

/// A result of the cache that was made from the same.
fn finished(path: &Path, name: &str, about: &str) -> Result<Option<Vec<f32>>> {
    if !path.exists() {
        return Ok(None);
    }
    let (mut lists, metadata) = read_lists(path, &[name])?;
    let same = metadata.get("about").map(String::as_str) == Some(about);
    Ok(lists.pop().filter(|_| same))
}

fn keep(path: &Path, name: &str, values: &[f32], about: &str) -> Result<()> {
    let metadata = HashMap::from([("about".to_owned(), about.to_owned())]);
    write_lists(path, &[(name, values)], metadata)
}

/// Every text that the tokenizer should spell in few tokens, with its weight.
fn needed_words(targets: &TextTargets) -> Vec<(String, f64)> {
    let templates = NEUTRAL
        .iter()
        .map(|template| (*template).to_owned())
        .chain(targets.modifiers.iter().map(|m| m.template.clone()))
        .map(|template| (template, 1000.0));
    let items = targets.items.iter().map(|item| {
        let weight = match item.kind {
            Kind::Known | Kind::Alias | Kind::Plural | Kind::Class => 1000.0,
            Kind::Clip => 300.0,
            Kind::Noun => 1.5,
            Kind::Caption => 1.0,
        };
        (item.text.clone(), weight)
    });
    templates.chain(items).collect()
}
