//! The texts of each step: which names in which templates, and their targets.

use super::modifiers::fill;
use super::text_settings::TextSettings;
use super::text_targets::{Kind, TextTargets};
use crate::rng::Rng;

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

/// Draws the texts of every step.
pub struct TextBatches<'a> {
    /// Targets.
    pub targets: &'a TextTargets,
    /// Settings.
    pub settings: TextSettings,
    by_kind: Vec<(f64, Vec<usize>)>,
    sentences: Vec<usize>,
}

impl<'a> TextBatches<'a> {
    /// Sorts the targets by what they are drawn for.
    pub fn new(targets: &'a TextTargets, settings: TextSettings) -> Self {
        let of = |kind: Kind| -> Vec<usize> {
            let items = targets.items.iter().enumerate();
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
            targets,
            settings,
        }
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
        let targets = self.targets;
        let mut groups = Vec::new();
        for _ in 0..GROUPS {
            let template = NEUTRAL[rng.below(NEUTRAL.len() as u64) as usize];
            let correct = rng.chance(0.3);
            groups.push(
                (0..settings.neutral / GROUPS)
                    .map(|_| {
                        let item = &targets.items[self.draw(&mut rng)];
                        Line {
                            text: fill(template, &item.text, correct),
                            target: targets.row(item.row).to_vec(),
                        }
                    })
                    .collect(),
            );
        }
        for _ in 0..GROUPS {
            let six = CHANGES.min(targets.modifiers.len());
            let rest = targets.modifiers.len() - six;
            if six == 0 {
                break;
            }
            let which = if rest == 0 || rng.chance(SIX) {
                rng.below(six as u64) as usize
            } else {
                six + rng.below(rest as u64) as usize
            };
            let modifier = &targets.modifiers[which];
            let (correct, stop) = (rng.chance(0.3), rng.chance(0.5));
            let end = if stop { "." } else { "" };
            groups.push(
                (0..settings.modified / GROUPS)
                    .map(|_| {
                        let item = &targets.items[self.draw(&mut rng)];
                        let text = fill(&modifier.template, &item.text, correct);
                        Line {
                            text: format!("{text}{end}"),
                            target: targets.modified(item.row, modifier),
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
                        let item = &targets.items[self.sentences[place]];
                        Line {
                            text: item.text.clone(),
                            target: targets.row(item.row).to_vec(),
                        }
                    })
                    .collect(),
            );
        }
        groups
    }
}
