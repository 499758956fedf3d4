//! The stage `text`: the text tower learns to answer target vectors.

use std::collections::BTreeSet;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use super::descent::{Group, Objective};
use super::student::cross_entropy;
use super::targets::{Kind, Lessons, fill};
use super::text_tower::{Tape, Taped, TextLayout};
use crate::error::Result;
use crate::kernels::floats;
use crate::kernels::read;
use crate::pretrain::loss::normalize;
use crate::rng::Rng;
use crate::tokenize::ClipTokenizer;

/// Templates that mean no more than the name.
pub const NEUTRAL: &[&str] = &[
    "a photo of a {}.",
    "a photo of a {}",
    "a photo of a {}.",
    "a photo of the {}.",
    "a picture of a {}.",
    "an image of a {}.",
    "a {}",
    "{}",
    "the {}",
    "a photo of one {}.",
    "a photo of my {}.",
    "itap of a {}.",
    "a good photo of a {}.",
];

/// How the tower is trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TextSettings {
    /// Where random draws come from.
    pub seed: u64,
    /// Steps.
    pub steps: usize,
    /// Names of a step in a neutral template.
    pub neutral: usize,
    /// Names of a step in a template that changes what is meant.
    pub modified: usize,
    /// Sentences of a step.
    pub captions: usize,
    /// Full learning rate.
    pub lr: f64,
    /// Decay of the matrices.
    pub weight_decay: f32,
    /// Weight of one minus the cosine to the target.
    pub cosine: f32,
    /// Weight of the likeness to all concepts.
    pub likeness: f32,
    /// The scale of cosines in that likeness.
    pub scale: f32,
}

impl Default for TextSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 4_000,
            neutral: 144,
            modified: 48,
            captions: 4,
            lr: 1.2e-3,
            weight_decay: 0.02,
            cosine: 3.0,
            likeness: 1.0,
            scale: 20.0,
        }
    }
}

/// Shares of the kinds among names.
const SHARES: [(Kind, f64); 6] = [
    (Kind::Known, 0.15),
    (Kind::Alias, 0.09),
    (Kind::Plural, 0.06),
    (Kind::Class, 0.29),
    (Kind::Clip, 0.17),
    (Kind::Noun, 0.24),
];
/// Share of modified names whose template is one of the six changes of pictures.
const SIX: f64 = 0.5;
/// How many changes of pictures there are.
const CHANGES: usize = 6;
/// Groups of a step that share a template: neutral, then modified.
const GROUPS: usize = 2;

/// A text of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// Its target.
    pub target: Vec<f32>,
}

/// The tower and what it learns.
pub struct Distillation<'a> {
    /// Targets.
    pub lessons: &'a Lessons,
    /// Settings.
    pub settings: TextSettings,
    /// Text to ids.
    pub tokenizer: &'a ClipTokenizer,
    /// Where values lie.
    pub layout: &'a TextLayout,
    /// Where to compute.
    pub device: &'a Device,
    /// Threads that each run a part of a step.
    pub threads: usize,
    by_kind: Vec<(f64, Vec<usize>)>,
    sentences: Vec<usize>,
}

impl<'a> Distillation<'a> {
    /// Sorts the lessons by what they are drawn for.
    pub fn new(
        lessons: &'a Lessons,
        settings: TextSettings,
        tokenizer: &'a ClipTokenizer,
        layout: &'a TextLayout,
        device: &'a Device,
        threads: usize,
    ) -> Self {
        let of = |kind: Kind| -> Vec<usize> {
            let items = lessons.items.iter().enumerate();
            items
                .filter(|(_, item)| item.kind == kind)
                .map(|(index, _)| index)
                .collect()
        };
        Self {
            by_kind: SHARES
                .iter()
                .map(|(kind, share)| (*share, of(*kind)))
                .filter(|(_, items)| !items.is_empty())
                .collect(),
            sentences: of(Kind::Caption),
            lessons,
            settings,
            tokenizer,
            layout,
            device,
            threads,
        }
    }

    /// Groups of values: matrices decay, the rest does not.
    pub fn groups(&self) -> Vec<Group> {
        let (matrices, total) = (self.layout.matrices, self.layout.total());
        let group = |range, weight_decay| Group {
            range,
            lr: self.settings.lr,
            weight_decay,
        };
        vec![
            group(0..matrices, self.settings.weight_decay),
            group(matrices..total, 0.0),
        ]
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        let total: f64 = self.by_kind.iter().map(|(share, _)| share).sum();
        let mut at = rng.unit() * total;
        for (share, items) in &self.by_kind {
            at -= share;
            if at < 0.0 {
                return items[rng.below(items.len() as u64) as usize];
            }
        }
        self.by_kind.last().map_or(0, |(_, items)| items[0])
    }

    /// The texts of a step in groups that share a template.
    pub fn batch(&self, step: usize) -> Vec<Vec<Line>> {
        let settings = &self.settings;
        let mut rng = Rng::derive(settings.seed, step as u64);
        let lessons = self.lessons;
        let mut groups = Vec::new();
        for _ in 0..GROUPS {
            let template = NEUTRAL[rng.below(NEUTRAL.len() as u64) as usize];
            let correct = rng.chance(0.3);
            groups.push(
                (0..settings.neutral / GROUPS)
                    .map(|_| {
                        let item = &lessons.items[self.draw(&mut rng)];
                        Line {
                            text: fill(template, &item.text, correct),
                            target: lessons.row(item.row).to_vec(),
                        }
                    })
                    .collect(),
            );
        }
        for _ in 0..GROUPS {
            let six = CHANGES.min(lessons.modifiers.len());
            let rest = lessons.modifiers.len() - six;
            if six == 0 {
                break;
            }
            let which = if rest == 0 || rng.chance(SIX) {
                rng.below(six as u64) as usize
            } else {
                six + rng.below(rest as u64) as usize
            };
            let modifier = &lessons.modifiers[which];
            let (correct, stop) = (rng.chance(0.3), rng.chance(0.5));
            let end = if stop { "." } else { "" };
            groups.push(
                (0..settings.modified / GROUPS)
                    .map(|_| {
                        let item = &lessons.items[self.draw(&mut rng)];
                        let text = fill(&modifier.template, &item.text, correct);
                        Line {
                            text: format!("{text}{end}"),
                            target: lessons.modified(item.row, modifier),
                        }
                    })
                    .collect(),
            );
        }
        if !self.sentences.is_empty() && settings.captions > 0 {
            groups.push(
                (0..settings.captions)
                    .map(|_| {
                        let place = rng.below(self.sentences.len() as u64) as usize;
                        let item = &lessons.items[self.sentences[place]];
                        Line {
                            text: item.text.clone(),
                            target: lessons.row(item.row).to_vec(),
                        }
                    })
                    .collect(),
            );
        }
        groups
    }

    /// The loss of features [N, out] against targets of length one [N, out].
    fn loss(&self, features: Tensor<2>, targets: Vec<f32>) -> Tensor<1> {
        let [rows, width] = features.dims();
        let (device, settings) = (self.device, &self.settings);
        let features = normalize(features);
        let targets = floats(targets, [rows, width], device);
        let cosines = (features.clone() * targets.clone()).sum();
        let away = cosines * (-1.0 / rows as f32) + 1.0;
        let count = self.lessons.concepts;
        let bank = floats(
            self.lessons.rows[..count * width].to_vec(),
            [count, width],
            device,
        )
        .transpose();
        let wanted = softmax(targets.matmul(bank.clone()) * settings.scale, 1);
        let likeness = cross_entropy(features.matmul(bank) * settings.scale, wanted);
        away * settings.cosine + likeness * settings.likeness
    }
}

/// A part of a step's texts on one thread.
struct Part {
    tower: Taped,
    features: Tensor<2>,
}

impl Objective for Distillation<'_> {
    fn gradient(&self, step: usize, values: &[f32]) -> Result<(f32, Vec<f32>)> {
        let mut groups = Vec::new();
        let mut ids = Vec::new();
        for group in self.batch(step) {
            let mut lines = group
                .into_iter()
                .map(|line| Ok((self.tokenizer.encode(&line.text)?.ids, line)))
                .collect::<Result<Vec<_>>>()?;
            lines.sort_by_key(|(ids, _)| ids.len());
            // Texts of about the same length share a pass, because shorter ones are padded.
            for alike in lines.chunk_by(|(a, _), (b, _)| bucket(a.len()) == bucket(b.len())) {
                ids.push(alike.iter().map(|(ids, _)| ids.clone()).collect::<Vec<_>>());
                groups.push(
                    alike
                        .iter()
                        .map(|(_, line)| line.clone())
                        .collect::<Vec<_>>(),
                );
            }
        }
        let parts = divided(&ids, self.threads);
        let forward = |part: &Vec<&[Vec<u32>]>| {
            let used: BTreeSet<u32> = part
                .iter()
                .flat_map(|g| g.iter().flatten())
                .copied()
                .collect();
            let used = used.into_iter().collect();
            let tower = Taped::new(self.layout, values, used, Tape::On, self.device);
            let features = part
                .iter()
                .map(|group| {
                    let sequences: Vec<&[u32]> = group.iter().map(Vec::as_slice).collect();
                    tower.encode(&sequences)
                })
                .collect();
            let features = Tensor::cat(features, 0);
            Part { tower, features }
        };
        let parts = on_threads(&parts, &forward);
        let targets = groups
            .iter()
            .flatten()
            .flat_map(|line| line.target.iter().copied())
            .collect();
        // The towers' tapes end at the features; the loss has one of its own.
        let leaf = Tensor::cat(
            parts.iter().map(|p| p.features.clone().inner()).collect(),
            0,
        )
        .autodiff()
        .require_grad();
        let loss = self.loss(leaf.clone(), targets);
        let grads = loss.backward();
        let gradient = leaf
            .grad(&grads)
            .unwrap_or_else(|| leaf.clone().inner().zeros_like());
        let mut start = 0;
        let behind: Vec<(Part, Tensor<2>)> = parts
            .into_iter()
            .map(|part| {
                let rows = part.features.dims()[0];
                start += rows;
                (part, gradient.clone().narrow(0, start - rows, rows))
            })
            .collect();
        let backward = |(part, gradient): &(Part, Tensor<2>)| {
            let mut out = vec![0f32; self.layout.total()];
            // The gradient of this sum in the features is the given one.
            let along = (part.features.clone() * Tensor::from_inner(gradient.clone())).sum();
            part.tower.backward(self.layout, along, &mut out)?;
            Ok(out)
        };
        let mut found = on_threads(&behind, &backward).into_iter();
        let mut total = found.next().unwrap_or_else(|| Ok(Vec::new()))?;
        for part in found {
            total.iter_mut().zip(part?).for_each(|(t, g)| *t += g);
        }
        Ok((block_on(read(loss.inner()))?[0], total))
    }
}

/// Texts of up to so many tokens more share a pass.
const ALIKE: usize = 2;

fn bucket(length: usize) -> usize {
    length / ALIKE
}

/// The groups in `count` runs of about equally many tokens, in their order.
fn divided(groups: &[Vec<Vec<u32>>], count: usize) -> Vec<Vec<&[Vec<u32>]>> {
    let all: usize = groups.iter().flatten().map(Vec::len).sum();
    let count = count.clamp(1, groups.iter().map(Vec::len).sum::<usize>().max(1));
    let mut parts: Vec<Vec<&[Vec<u32>]>> = vec![Vec::new(); count];
    let mut seen = 0;
    for group in groups {
        let part = |before: usize| (before * count / all.max(1)).min(count - 1);
        let places: Vec<usize> = group
            .iter()
            .map(|ids| {
                seen += ids.len();
                part(seen - ids.len())
            })
            .collect();
        let mut start = 0;
        for alike in places.chunk_by(|a, b| a == b) {
            parts[alike[0]].push(&group[start..start + alike.len()]);
            start += alike.len();
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn on_threads<T: Sync, R: Send>(parts: &[T], run: &(dyn Fn(&T) -> R + Sync)) -> Vec<R> {
    if parts.len() < 2 {
        return parts.iter().map(run).collect();
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = parts
            .iter()
            .map(|part| scope.spawn(move || run(part)))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("a part of a step ends"))
            .collect()
    })
}
