//! The stage `project`: the linear map from the frozen encoder's features to the text tower's space,
//! and the scale of cosines.

use burn::tensor::{Device, Tensor};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use super::anchors::flat;
use super::descent::{Group, Objective};
use super::student::{BatchRows, Map, Teaching, cross_entropy, project};
use crate::error::Result;
use crate::kernels::floats;
use crate::kernels::read;
use crate::rng::Rng;

/// Keeps these draws apart from those of the pictures.
const STREAM: u64 = 0x70_72_6f_6a;

/// How the map is trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProjectSettings {
    /// Where random draws come from.
    pub seed: u64,
    /// Steps.
    pub steps: usize,
    /// Rows of a step.
    pub rows: BatchRows,
    /// Changed pictures of a step.
    pub changed: usize,
    /// Pictures with captions of a step.
    pub captioned: usize,
    /// Full learning rate.
    pub lr: f64,
    /// Decay of the matrix.
    pub weight_decay: f32,
    /// Weight of the teacher.
    pub teacher: f32,
    /// Weight of telling how a picture was changed.
    pub changes: f32,
    /// Weight of captions.
    pub captions: f32,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 900,
            rows: BatchRows {
                known: 256,
                any: 96,
                moved: 96,
            },
            changed: 64,
            captioned: 64,
            lr: 1e-3,
            weight_decay: 0.02,
            teacher: 2.0,
            changes: 0.3,
            captions: 0.3,
        }
    }
}

/// Text features that pictures are compared with, all of length one.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// Of each neutral template, the concepts [concepts, width].
    pub neutral: Vec<Vec<f32>>,
    /// Of each known name, the plain text and the six changes [known, 7, width].
    pub changes: Vec<f32>,
    /// Captions of each picture that has some, by its place among them: rows of `captions`.
    pub of_picture: Vec<Vec<usize>>,
    /// [captions, width].
    pub captions: Vec<f32>,
}

/// Plain, and the six changes.
pub const VARIANTS: usize = 7;

/// The map and what it learns from.
pub struct Projection<'a> {
    /// Pictures and the teacher.
    pub teaching: Teaching<'a>,
    /// Texts.
    pub texts: &'a Texts,
    /// Settings.
    pub settings: ProjectSettings,
    /// The map.
    pub map: Map,
    /// Where to compute.
    pub device: &'a Device,
}

impl Projection<'_> {
    /// Groups of values: the matrix decays.
    pub fn groups(&self) -> Vec<Group> {
        let (matrix, all) = (self.map.matrix(), self.map.total());
        let group = |range, weight_decay| Group {
            range,
            lr: self.settings.lr,
            weight_decay,
        };
        vec![
            group(0..matrix, self.settings.weight_decay),
            group(matrix..all, 0.0),
        ]
    }

    /// For each concept the row of a neutral template drawn for it.
    fn concepts(&self, rng: &mut Rng) -> Vec<f32> {
        let (width, count) = (self.map.to, self.teaching.concepts.names.len());
        let mut rows = Vec::with_capacity(count * width);
        for concept in 0..count {
            let template = rng.below(self.texts.neutral.len() as u64) as usize;
            let range = concept * width..(concept + 1) * width;
            rows.extend_from_slice(&self.texts.neutral[template][range]);
        }
        rows
    }

    /// Cross-entropy of changed pictures over the seven texts of their own name.
    fn changes(
        &self,
        rng: &mut Rng,
        weight: &Tensor<2>,
        bias: &Tensor<1>,
    ) -> Option<[Tensor<2>; 2]> {
        let pool = self.teaching.pool;
        let rows = self.settings.changed;
        if pool.changed.is_empty() || rows == 0 {
            return None;
        }
        let (width, device) = (self.map.to, self.device);
        let mut features = Vec::new();
        let mut texts = Vec::with_capacity(rows * VARIANTS * width);
        let mut wanted = vec![0f32; rows * VARIANTS];
        for row in 0..rows {
            let at = rng.below(pool.changed.len() as u64) as usize;
            let (mut picture, name, change) = pool.changed[at];
            let mut variant = 1 + change as usize;
            // One in seven is plain.
            if rng.below(VARIANTS as u64) == 0 && !pool.of_name[name].is_empty() {
                let of_name = &pool.of_name[name];
                picture = of_name[rng.below(of_name.len() as u64) as usize];
                variant = 0;
            }
            pool.pictures.feature(picture, &mut features);
            let start = name * VARIANTS * width;
            texts.extend_from_slice(&self.texts.changes[start..start + VARIANTS * width]);
            wanted[row * VARIANTS + variant] = 1.0;
        }
        let seen = project(&features, rows, weight, bias, device);
        let texts = floats(texts, [rows, VARIANTS, width], device);
        let logits = (seen.reshape([rows, 1, width]) * texts)
            .sum_dim(2)
            .reshape([rows, VARIANTS]);
        Some([logits, floats(wanted, [rows, VARIANTS], device)])
    }

    /// Cosines of pictures and one caption of each, [rows, rows].
    fn captions(&self, rng: &mut Rng, weight: &Tensor<2>, bias: &Tensor<1>) -> Option<Tensor<2>> {
        let pool = self.teaching.pool;
        let told: Vec<usize> = (0..self.texts.of_picture.len())
            .filter(|place| !self.texts.of_picture[*place].is_empty())
            .collect();
        let rows = self.settings.captioned.min(told.len());
        if rows < 2 {
            return None;
        }
        let (width, device) = (self.map.to, self.device);
        let (mut features, mut texts) = (Vec::new(), Vec::with_capacity(rows * width));
        for place in rng.permutation(told.len()).into_iter().take(rows) {
            let place = told[place];
            let captions = &self.texts.of_picture[place];
            let caption = captions[rng.below(captions.len() as u64) as usize];
            pool.pictures.feature(pool.captioned[place], &mut features);
            texts.extend_from_slice(&self.texts.captions[caption * width..(caption + 1) * width]);
        }
        let seen = project(&features, rows, weight, bias, device);
        Some(seen.matmul(floats(texts, [rows, width], device).transpose()))
    }
}

impl Objective for Projection<'_> {
    fn gradient(&self, step: usize, values: &[f32]) -> Result<(f32, Vec<f32>)> {
        let (device, settings) = (self.device, &self.settings);
        let mut rng = Rng::derive(settings.seed ^ STREAM, step as u64);
        let batch = self.teaching.batch(step, settings.rows);
        let shares = self.teaching.shares(&batch.seen, batch.rows, device)?;
        let (weight, bias, log_scale) = self.map.leaves(values, device);
        let scale = log_scale.clone().exp().unsqueeze::<2>();
        let count = self.teaching.concepts.names.len();
        let texts = floats(self.concepts(&mut rng), [count, self.map.to], device);
        let seen = project(&batch.dropped, batch.rows, &weight, &bias, device);
        let logits = seen.matmul(texts.transpose()) * scale.clone();
        let mut loss = self.teaching.naming(logits.clone(), &batch.names, device)
            + self.teaching.distillation(logits, shares, device) * settings.teacher;
        if let Some([cosines, wanted]) = self.changes(&mut rng, &weight, &bias) {
            loss = loss + cross_entropy(cosines * scale.clone(), wanted) * settings.changes;
        }
        if let Some(cosines) = self.captions(&mut rng, &weight, &bias) {
            let rows = cosines.dims()[0];
            let wanted = Tensor::<2>::eye(rows, device);
            let logits = cosines * scale;
            let both = cross_entropy(logits.clone(), wanted.clone())
                + cross_entropy(logits.transpose(), wanted);
            loss = loss + both * (0.5 * settings.captions);
        }
        let grads = loss.backward();
        let parts: Vec<Tensor<1>> = vec![
            weight.grad(&grads).map(flat),
            bias.grad(&grads),
            log_scale.grad(&grads),
        ]
        .into_iter()
        .flatten()
        .collect();
        let all = Tensor::cat([parts, vec![loss.inner()]].concat(), 0);
        let mut found = block_on(read(all))?;
        let loss = found.pop().unwrap_or(f32::NAN);
        Ok((loss, found))
    }
}
