//! The text tower learns to answer target vectors: the loss of a step and its gradient.

use std::collections::BTreeSet;

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use pollster::block_on;

use super::descent::{Group, Objective};
use super::student::cross_entropy;
use super::text_batches::TextBatches;
use super::text_layout::TextLayout;
use super::text_settings::TextSettings;
use super::text_targets::TextTargets;
use super::text_tower::{Tape, Taped};
use super::threads::{bucket, divided, on_threads};
use crate::error::Result;
use crate::kernels::{Placement, floats, read};
use crate::pretrain::loss::normalize;
use crate::tokenize::ClipTokenizer;

/// The tower and what it learns.
pub struct Distillation<'a> {
    /// Texts and their targets.
    pub batches: TextBatches<'a>,
    /// Text to ids.
    pub tokenizer: &'a ClipTokenizer,
    /// Where values lie.
    pub layout: &'a TextLayout,
    /// Where to compute.
    pub placement: &'a Placement,
    /// Threads that each run a part of a step.
    pub threads: usize,
}

impl<'a> Distillation<'a> {
    /// The distillation of `targets` into a tower of `layout`.
    pub fn new(
        targets: &'a TextTargets,
        settings: TextSettings,
        tokenizer: &'a ClipTokenizer,
        layout: &'a TextLayout,
        placement: &'a Placement,
        threads: usize,
    ) -> Self {
        Self {
            batches: TextBatches::new(targets, settings),
            tokenizer,
            layout,
            placement,
            threads,
        }
    }

    /// Groups of values: matrices decay, the rest does not.
    pub fn groups(&self) -> Vec<Group> {
        let (matrices, total) = (self.layout.matrices, self.layout.total());
        let group = |range, weight_decay| Group {
            range,
            lr: self.batches.settings.lr,
            weight_decay,
        };
        vec![
            group(0..matrices, self.batches.settings.weight_decay),
            group(matrices..total, 0.0),
        ]
    }

    /// The loss of features [N, out] against targets of length one [N, out].
    fn loss(&self, features: Tensor<2>, targets: Vec<f32>) -> Tensor<1> {
        let [rows, width] = features.dims();
        let (device, settings) = (&self.placement.device, &self.batches.settings);
        let features = normalize(features);
        let targets = floats(targets, [rows, width], device);
        let cosines = (features.clone() * targets.clone()).sum();
        let away = cosines * (-1.0 / rows as f32) + 1.0;
        let count = self.batches.targets.concepts;
        let bank = floats(
            self.batches.targets.rows[..count * width].to_vec(),
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
        for group in self.batches.batch(step) {
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
            let tower = Taped::new(self.layout, values, used, Tape::On, self.placement);
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
