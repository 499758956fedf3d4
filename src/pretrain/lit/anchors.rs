//! Anchors corrected by sight: the vectors of the names that pictures teach, moved from where a text
//! model has them to where pictures can reach them. A text model keeps apart what looks alike and
//! puts together what does not, and no linear map of features mends that.

use burn::tensor::{Device, Tensor};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use super::descent::{Group, Objective};
use super::space::Source;
use super::student::{BatchRows, Map, Teaching, project};
use crate::error::Result;
use crate::kernels::floats;
use crate::kernels::read;
use crate::pretrain::loss::normalize;

/// How anchors are corrected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AnchorSettings {
    /// Steps.
    pub steps: usize,
    /// Rows of a step.
    pub rows: BatchRows,
    /// Learning rate of the map.
    pub lr_map: f64,
    /// Learning rate of the anchors.
    pub lr_anchors: f64,
    /// Weight of the teacher.
    pub teacher: f32,
    /// Weight of the pull to where CLIP has a name.
    pub pull: f32,
    /// Share of that pull for a name whose start is not CLIP's.
    pub pull_mapped: f32,
}

impl Default for AnchorSettings {
    fn default() -> Self {
        Self {
            steps: 1200,
            rows: BatchRows {
                known: 256,
                any: 128,
                moved: 128,
            },
            lr_map: 1e-3,
            lr_anchors: 2e-3,
            teacher: 2.5,
            pull: 1.3,
            pull_mapped: 0.3,
        }
    }
}

/// The scale of cosines that training starts from.
pub const START_SCALE: f32 = 25.0;

/// Anchors and a linear map that learn together.
pub struct Anchors<'a> {
    /// Pictures and the teacher.
    pub teaching: Teaching<'a>,
    /// Settings.
    pub settings: AnchorSettings,
    /// Where the anchors start, [concepts, width].
    pub start: &'a [f32],
    /// Where each start came from.
    pub sources: &'a [Source],
    /// The map.
    pub map: Map,
    /// Where to compute.
    pub device: &'a Device,
}

impl Anchors<'_> {
    /// The list that learning starts from: `map` (matrix, shift) of a regression, then the anchors.
    pub fn values(&self, matrix: &[f32], shift: &[f32]) -> Vec<f32> {
        [matrix, shift, &[START_SCALE.ln()], self.start].concat()
    }

    /// Groups of that list.
    pub fn groups(&self) -> Vec<Group> {
        let (matrix, map) = (self.map.matrix(), self.map.total());
        let group = |range, lr, weight_decay| Group {
            range,
            lr,
            weight_decay,
        };
        vec![
            group(0..matrix, self.settings.lr_map, 0.01),
            group(matrix..map, self.settings.lr_map, 0.0),
            group(map..map + self.start.len(), self.settings.lr_anchors, 0.0),
        ]
    }
}

impl Objective for Anchors<'_> {
    fn gradient(&self, step: usize, values: &[f32]) -> Result<(f32, Vec<f32>)> {
        let device = self.device;
        let batch = self.teaching.batch(step, self.settings.rows);
        let shares = self.teaching.shares(&batch.seen, batch.rows, device)?;
        let (map, anchors) = values.split_at(self.map.total());
        let (weight, bias, log_scale) = self.map.leaves(map, device);
        let shape = [anchors.len() / self.map.to, self.map.to];
        let anchor_leaf = floats(anchors.to_vec(), shape, device)
            .autodiff()
            .require_grad();
        let unit = normalize(anchor_leaf.clone());
        let seen = project(&batch.dropped, batch.rows, &weight, &bias, device);
        let scale = log_scale.clone().exp().unsqueeze::<2>();
        let logits = seen.matmul(unit.clone().transpose()) * scale;
        let naming = self.teaching.naming(logits.clone(), &batch.names, device);
        let taught = self.teaching.distillation(logits, shares, device);
        let weights: Vec<f32> = self
            .sources
            .iter()
            .map(|source| match source {
                Source::Clip => 1.0,
                Source::Mapped => self.settings.pull_mapped,
            })
            .collect();
        let start = floats(self.start.to_vec(), shape, device);
        let cosines = (unit * start).sum_dim(1);
        let away = (cosines * -1.0 + 1.0) * floats(weights, [shape[0], 1], device);
        let pull = away.sum() * (self.settings.pull / shape[0] as f32);
        let loss = naming + taught * self.settings.teacher + pull;
        let grads = loss.backward();
        let parts: Vec<Tensor<1>> = vec![
            weight.grad(&grads).map(flat),
            bias.grad(&grads),
            log_scale.grad(&grads),
            anchor_leaf.grad(&grads).map(flat),
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

/// A matrix as one row.
pub fn flat(x: Tensor<2>) -> Tensor<1> {
    let [rows, width] = x.dims();
    x.reshape([rows * width])
}
